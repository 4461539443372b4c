/* session_limit.c: what a session does about a limit that is exceeded: says which one, to the client and to the
 * log.
 */
#include "role/receive/session_internal.h"

#include "runtime/log.h"

enum { REFUSAL_MAX = 1024 };

/* The same line as for a limit of the machine. */
static void log_limit(struct session *s, const struct smtp_limit *limit)
{
    struct buf detail;
    buf_init(&detail, REFUSAL_MAX);
    smtp_limit_print(&detail, limit);
    struct log_line l = log_begin(LOG_NOTICE, "limit");
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_span(&l, "detail", buf_span(&detail));
    log_end(&l);
    session_deny_limit(s, buf_span(&detail));
    buf_done(&detail);
}

struct smtp_answer session_limit(struct session *s, struct smtp_reply reply, const struct smtp_limit *limit)
{
    log_limit(s, limit);
    reply.text = smtp_limit_text(&s->transaction, reply.text, limit);
    return (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE, .reply = reply};
}

/* A refusal in a flood, which the log does not have, has no code either: it would push all others out of the ring.
 */
static void print_refusal(struct session *s, const struct smtp_limit *limit, struct buf *out)
{
    struct smtp_reply r = admission_refusal(&s->transaction, limit);
    struct buf detail;
    if (s->admission.logged) {
        buf_init(&detail, REFUSAL_MAX);
        smtp_limit_print(&detail, limit);
        session_deny_limit(s, buf_span(&detail));
        buf_done(&detail);
        r.text = arena_printf(&s->transaction, "%.*s [%.*s]", SPAN_ARG(r.text), SPAN_ARG(session_refused(s, &r)));
    }
    smtp_reply_print(out, &r, s->connector->flags & CONNECTOR_ENHANCED_CODES);
}

bool session_admit(struct session *s)
{
    struct smtp_limit limit;
    struct ip_addr source = s->is_local ? session_local_source(s) : s->remote.addr;
    if (admission_enter(&s->admission, s->policy, s->connector, source, &limit))
        return true;
    s->turned_away = true;
    struct buf reply;
    buf_init(&reply, REFUSAL_MAX);
    if (!(s->connector->flags & CONNECTOR_IMPLICIT_TLS))
        print_refusal(s, &limit, &reply);
    session_protocol_turned_away(s, buf_span(&reply));
    if (reply.len)
        connection_write(s->connection, buf_span(&reply));
    buf_done(&reply);
    return false;
}
