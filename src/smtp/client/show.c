/*
 * show.c: what of a session may be shown to people (the protocol log).
 *
 * Invariant: a password never is. What we send of one is not given to smtp_client_show_sent (auth.c); a server that
 * repeats it in its reply to AUTH is not quoted.
 */
#include "smtp/client/internal.h"

#include "base/base64.h"

#include <string.h>

void smtp_client_show_sent(struct smtp_client *c, struct span lines)
{
    struct span line;
    while (c->output->line && lines.len && span_split(&lines, '\n', &line)) {
        line = span_trim(line);
        if (line.len && !span_eq(line, SPAN("."))) /* that is the end of content */
            c->output->line(c->context, true, line);
    }
}

static bool has(struct span text, struct span part)
{
    return part.len && text.len && memmem(text.ptr, text.len, part.ptr, part.len);
}

/* The last group of the encoded form depends on what follows, and is left out. */
static bool has_encoded(struct span text, struct span secret)
{
    struct buf encoded;
    buf_init(&encoded, 2 * secret.len + 8);
    base64_encode(&encoded, span_head(secret, secret.len / 3 * 3));
    bool found = has(text, buf_span(&encoded));
    buf_wipe(&encoded);
    return found;
}

bool smtp_client_repeats_password(const struct smtp_client *c, struct span text)
{
    if (!c->options.user.len)
        return false;
    struct span password = secret_reveal(c->options.password);
    struct buf plain;
    buf_init(&plain, c->options.user.len + password.len + 2);
    buf_add_char(&plain, '\0');
    buf_add(&plain, c->options.user);
    buf_add_char(&plain, '\0');
    buf_add(&plain, password);
    bool found = has(text, password) || has_encoded(text, password) || has_encoded(text, buf_span(&plain));
    buf_wipe(&plain);
    return found;
}

static void show_reply_line(struct smtp_client *c, unsigned code, char separator, struct span text)
{
    struct buf b;
    buf_init(&b, CLIENT_REPLY_LINE_MAX + 8);
    buf_addf(&b, "%u%c%.*s", code, separator, SPAN_ARG(text));
    c->output->line(c->context, false, span_trim(buf_span(&b)));
    buf_done(&b);
}

void smtp_client_show_reply(struct smtp_client *c, const struct client_reply *r)
{
    struct span rest = r->text, line;
    if (!c->output->line)
        return;
    smtp_client_write_out(c); /* so that the order does not depend on how the input was cut */
    if (c->phase == PHASE_AUTH && (r->code == 334 || smtp_client_repeats_password(c, r->text))) {
        show_reply_line(c, r->code, ' ', r->code == 334 ? SPAN("(challenge not shown)") : SPAN("(text not shown)"));
        return;
    }
    if (!rest.ptr || !rest.len)
        show_reply_line(c, r->code, ' ', SPAN(""));
    while (rest.len && span_split(&rest, '\n', &line))
        show_reply_line(c, r->code, rest.ptr ? '-' : ' ', line);
}
