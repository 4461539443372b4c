/*
 * body.c: the message's content on its way out.
 *
 * With DATA: a dot at the start of a line is doubled (RFC 5321, 4.5.2), and each CR or LF that is not part of a
 * CRLF becomes a blank. The text goes out in pieces of the driver's own memory as long as there is nothing to
 * change. Invariants: `line_start` is true when what was written ends with CRLF (or is empty); a CR at the end of a
 * piece is held back (`held_cr`) until the octet behind it is known.
 *
 * With BDAT (RFC 3030): each piece is a chunk, `BDAT 0 LAST` ends it, and nothing is changed. Chunks wait for their
 * replies unless the server pipelines, then up to CHUNKS_MAX are under way.
 */
#include "smtp/client/internal.h"

#include <string.h>

enum { CHUNKS_MAX = 8 };

void smtp_client_begin_body(struct smtp_client *c)
{
    c->line_start = true;
    c->held_cr = false;
    smtp_client_enter(c, PHASE_BODY);
    smtp_client_write_out(c);
    c->output->need_body(c->context);
}

bool smtp_client_wants_body(const struct smtp_client *c)
{
    size_t max = c->capabilities & CAN_PIPELINING ? CHUNKS_MAX : 1;
    return c->phase == PHASE_BODY && (!c->chunking || c->chunks_unanswered < max);
}

static void write_span(struct smtp_client *c, struct span s)
{
    if (s.len)
        c->output->write(c->context, s);
}

/* Text without LF; a CR in it is stray. */
static void write_within_line(struct smtp_client *c, struct span s)
{
    size_t cr;
    if (s.len == 0)
        return;
    if (c->line_start && s.ptr[0] == '.')
        write_span(c, SPAN("."));
    c->line_start = false;
    while ((cr = span_find(s, '\r')) != SIZE_MAX) {
        write_span(c, span_head(s, cr));
        write_span(c, SPAN(" "));
        s = span_from(s, cr + 1);
    }
    write_span(c, s);
}

/* Settles a CR that the last piece ended with. */
static struct span write_held_cr(struct smtp_client *c, struct span s)
{
    c->held_cr = false;
    if (s.ptr[0] == '\n') {
        write_span(c, SPAN("\r\n"));
        c->line_start = true;
        return span_from(s, 1);
    }
    write_span(c, SPAN(" "));
    c->line_start = false;
    return s;
}

/*
 * Length of the start of s that can go out as it is: whole lines with CRLF that do not begin with a dot, except
 * that the first may when it is no line's start. Two passes of memchr over each line, and no copy.
 */
static size_t clean_prefix(struct span s, bool line_start)
{
    size_t at = 0;
    for (;;) {
        struct span rest = span_from(s, at);
        size_t lf = span_find(rest, '\n');
        if (lf == SIZE_MAX || lf == 0 || (line_start && rest.ptr[0] == '.'))
            return at;
        if (span_find(span_head(rest, lf), '\r') != lf - 1)
            return at;
        at += lf + 1;
        line_start = true;
    }
}

static void write_text(struct smtp_client *c, struct span s)
{
    if (c->held_cr && s.len)
        s = write_held_cr(c, s);
    while (s.len) {
        size_t clean = clean_prefix(s, c->line_start);
        if (clean) {
            write_span(c, span_head(s, clean));
            c->line_start = true;
            s = span_from(s, clean);
            continue;
        }
        size_t lf = span_find(s, '\n');
        struct span line = span_head(s, lf);
        bool crlf = line.len && line.ptr[line.len - 1] == '\r';
        line.len -= crlf;
        write_within_line(c, line);
        if (lf == SIZE_MAX) {
            c->held_cr = crlf;
            return;
        }
        write_span(c, crlf ? SPAN("\r\n") : SPAN(" "));
        c->line_start = crlf;
        s = span_from(s, lf + 1);
    }
}

void smtp_client_body(struct smtp_client *c, struct span bytes, int64_t now_ms)
{
    if (c->phase != PHASE_BODY || bytes.len == 0)
        return;
    c->now = now_ms;
    if (c->chunking) {
        buf_addf(&c->out, "BDAT %zu\r\n", bytes.len);
        c->chunks_unanswered++;
        smtp_client_flush(c);
        if (c->phase != PHASE_BODY)
            return;
        write_span(c, bytes);
    } else {
        smtp_client_flush(c);
        write_text(c, bytes);
    }
    smtp_client_rearm(c);
}

void smtp_client_body_end(struct smtp_client *c, int64_t now_ms)
{
    if (c->phase != PHASE_BODY)
        return;
    c->now = now_ms;
    if (c->chunking) {
        buf_add(&c->out, SPAN("BDAT 0 LAST\r\n"));
    } else {
        if (c->held_cr)
            IGNORE_RESULT(write_held_cr(c, SPAN(" "))); /* stray, since nothing follows */
        buf_add(&c->out, c->line_start ? SPAN(".\r\n") : SPAN("\r\n.\r\n"));
    }
    smtp_client_enter(c, PHASE_END);
    smtp_client_flush(c);
}

void smtp_client_body_failed(struct smtp_client *c, struct span text, int64_t now_ms)
{
    if (c->phase != PHASE_BODY)
        return;
    c->now = now_ms;
    struct smtp_client_result r =
        smtp_client_from_cause(c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_TEMPORARY, "4.3.0", text);
    smtp_client_break(c, &r);
}

/*
 * A reply before the body's end: that to a chunk, or a server that has enough. After a refusal the rest of the body
 * cannot be called back, so the connection is given up.
 */
void smtp_client_on_body(struct smtp_client *c, const struct client_reply *r)
{
    if (r->code >= 400) {
        struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_BODY);
        smtp_client_break(c, &result);
    } else if (r->code < 300 && c->chunks_unanswered) {
        c->chunks_unanswered--;
        smtp_client_rearm(c);
    } else {
        smtp_client_break_protocol(c, "a reply that does not fit");
    }
}
