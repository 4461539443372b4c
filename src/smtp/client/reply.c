/*
 * reply.c: the reply parser. Lines are gathered until their LF, checked one by one, and their text joined.
 *
 * Invariants: `line` never holds an LF and never more than CLIENT_REPLY_LINE_MAX; `lines` > 0 exactly while a
 * multi-line reply is under way or complete; a bad status is never left but by client_reply_init.
 */
#include "smtp/client/reply.h"

#include "base/num.h"
#include "base/utf8.h"

#include <string.h>

void client_reply_init(struct client_reply_parser *p)
{
    client_reply_done(p);
    *p = (struct client_reply_parser){.status = CLIENT_REPLY_MORE};
    buf_init(&p->line, CLIENT_REPLY_LINE_MAX);
    buf_init(&p->text, CLIENT_REPLY_BYTES_MAX);
}

void client_reply_done(struct client_reply_parser *p)
{
    buf_done(&p->line);
    buf_done(&p->text);
}

/* Takes one line without its LF. */
static enum client_reply_status take_line(struct client_reply_parser *p, struct span line)
{
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    uint32_t code;
    if (line.len && (memchr(line.ptr, '\r', line.len) || memchr(line.ptr, '\0', line.len)))
        return CLIENT_REPLY_MALFORMED;
    if (line.len < 3 || !num_parse_u32(span_head(line, 3), 599, &code) || code < 200)
        return CLIENT_REPLY_MALFORMED;
    if (p->lines && p->code != code)
        return CLIENT_REPLY_MALFORMED;
    char mark = line.len > 3 ? line.ptr[3] : ' ';
    if (mark != ' ' && mark != '-')
        return CLIENT_REPLY_MALFORMED;
    if (p->lines == CLIENT_REPLY_LINES_MAX)
        return CLIENT_REPLY_TOO_LONG;
    if (p->lines++)
        buf_add_char(&p->text, '\n');
    p->code = (uint16_t)code;
    buf_add(&p->text, span_from(line, 4));
    if (p->text.failed)
        return CLIENT_REPLY_TOO_LONG;
    return mark == '-' ? CLIENT_REPLY_MORE : CLIENT_REPLY_COMPLETE;
}

size_t client_reply_feed(struct client_reply_parser *p, struct span in, enum client_reply_status *ret_status)
{
    size_t taken = 0;
    if (p->status == CLIENT_REPLY_COMPLETE) {
        buf_clear(&p->text);
        p->lines = 0;
        p->status = CLIENT_REPLY_MORE;
    }
    while (p->status == CLIENT_REPLY_MORE && taken < in.len) {
        struct span rest = span_from(in, taken);
        size_t lf = span_find(rest, '\n');
        struct span piece = lf == SIZE_MAX ? rest : span_head(rest, lf);
        buf_add(&p->line, piece);
        taken += piece.len;
        if (p->line.failed) {
            p->status = CLIENT_REPLY_TOO_LONG;
        } else if (lf != SIZE_MAX) {
            taken++;
            p->status = take_line(p, buf_span(&p->line));
            buf_clear(&p->line);
        }
    }
    *ret_status = p->status;
    return taken;
}

/* The length of an enhanced status code (RFC 3463: class.subject.detail) at the start of a line, or 0. */
static size_t enhanced_length(struct span line, uint16_t code)
{
    size_t n = span_find(line, ' ');
    struct span rest = span_head(line, n), class, subject, detail;
    uint32_t number;
    if (!span_split(&rest, '.', &class) || !span_split(&rest, '.', &subject) || !span_split(&rest, '.', &detail) ||
        rest.ptr != NULL)
        return 0;
    if (class.len != 1 || class.ptr[0] != '0' + code / 100 || !ascii_is_digit(class.ptr[0]) ||
        !num_parse_u32(subject, 999, &number) || !num_parse_u32(detail, 999, &number) || subject.len > 3 ||
        detail.len > 3)
        return 0;
    return class.len + subject.len + detail.len + 2;
}

struct client_reply client_reply_get(const struct client_reply_parser *p)
{
    ASSERT(p->status == CLIENT_REPLY_COMPLETE);
    struct client_reply r = {.code = p->code, .text = buf_span(&p->text)};
    struct span first = span_head(r.text, span_find(r.text, '\n'));
    r.enhanced = span_head(first, enhanced_length(first, r.code));
    return r;
}

/* Appends one line's text with what is not printable UTF-8 as '?'. Stops before a character that passes the end. */
static void print_line(struct span line, size_t end, struct buf *out)
{
    while (line.len) {
        uint32_t cp = 0;
        size_t n = utf8_decode(line, &cp);
        bool printable =
            n && cp >= 0x20 && cp != 0x7f && !(cp >= 0x80 && cp < 0xa0) && cp != 0x2028 && cp != 0x2029;
        if (out->len + (printable ? n : 1) > end)
            return;
        if (printable)
            buf_add(out, span_head(line, n));
        else
            buf_add_char(out, cp == '\t' ? ' ' : '?');
        line = span_from(line, n ? n : 1);
    }
}

void client_reply_print_text(const struct client_reply *r, size_t max, struct buf *out)
{
    size_t start = out->len, end = start + max;
    struct span rest = r->text, line;
    while (span_split(&rest, '\n', &line) && out->len < end) {
        line = span_trim(span_from(line, enhanced_length(line, r->code)));
        if (line.len && out->len > start)
            buf_add_char(out, ' ');
        print_line(line, end, out);
    }
}
