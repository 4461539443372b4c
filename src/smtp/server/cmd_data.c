/* cmd_data.c: DATA (RFC 5321 4.1.1.4): the content up to CRLF.CRLF. */
#include "smtp/server/internal.h"

void cmd_data(struct smtp_server *s, struct span argument UNUSED)
{
    if (s->tx.envelope.mail.body == SMTP_BODY_BINARY)
        respond_error(s, SMTP_REPLY(503, "5.5.1", "BODY=BINARYMIME needs BDAT"));
    else
        session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_MESSAGE_BEGIN});
}

void data_begin(struct smtp_server *s)
{
    dot_init(&s->dot, content_max_line(s));
    s->dot.scan.lf_ends_line = content_repairs(s);
    respond(s, SMTP_REPLY(354, "", "Start mail input; end with <CRLF>.<CRLF>"));
    session_enter(s, PHASE_DATA);
}

void data_feed(struct smtp_server *s, struct span *input)
{
    if (dot_take(&s->dot, input, content_take, s))
        content_end(s, s->dot.scan.defects);
}
