/*
 * dot.c: one pass by memchr over lines, shared by DATA (which must stop at dots) and BDAT (which need not).
 *
 * Invariant: the end is found only behind CRLF or at the very beginning, so "LF . CRLF", "CR . CR" and their like
 * are content with a defect. A defect once found is not searched for again: content that is refused anyway costs
 * less.
 */
#include "smtp/dot.h"

#include <string.h>

struct content_scan content_scan_start(size_t max_line)
{
    return (struct content_scan){.max_line = max_line};
}

static void count(struct content_scan *c, size_t n)
{
    c->line += n;
    if (c->line - c->after_lf > c->max_line)
        c->defects |= CONTENT_LONG_LINE;
}

static void count_text(struct content_scan *c, const char *text, size_t n)
{
    const char *lf;
    while (c->lf_ends_line && n && (lf = memchr(text, '\n', n))) {
        size_t len = (size_t)(lf - text);
        count(c, len);
        c->after_lf = ++c->line;
        text += len + 1;
        n -= len + 1;
    }
    count(c, n);
}

static void look_for(struct content_scan *c, unsigned defect, char octet, const char *ptr, size_t len)
{
    if (!(c->defects & defect) && len && memchr(ptr, octet, len))
        c->defects |= defect;
}

size_t content_scan(struct content_scan *c, struct span s, bool stop_at_dot)
{
    size_t at = 0;
    while (at < s.len) {
        if (c->cr) {
            c->cr = false;
            if (s.ptr[at] == '\n') {
                c->line = c->after_lf = 0;
                at++;
                if (stop_at_dot && at < s.len && s.ptr[at] == '.')
                    break;
                continue;
            }
            c->defects |= CONTENT_BARE_CR;
            count(c, 1);
        }
        const char *text = s.ptr + at, *cr = memchr(text, '\r', s.len - at);
        size_t n = cr ? (size_t)(cr - text) : s.len - at;
        look_for(c, CONTENT_BARE_LF, '\n', text, n);
        count_text(c, text, n);
        c->cr = cr != NULL;
        at += n + c->cr;
    }
    look_for(c, CONTENT_NUL, '\0', s.ptr, at);
    return at;
}

bool content_scan_at_line_start(const struct content_scan *c)
{
    return c->line == 0 && !c->cr;
}

void content_scan_end(struct content_scan *c)
{
    if (c->cr)
        c->defects |= CONTENT_BARE_CR;
    c->cr = false;
}

struct span content_defect_text(unsigned defects)
{
    ASSERT(defects);
    return defects & CONTENT_BARE_LF   ? SPAN("bare LF")
           : defects & CONTENT_BARE_CR ? SPAN("bare CR")
           : defects & CONTENT_NUL     ? SPAN("NUL character")
                                       : SPAN("line too long");
}

void dot_init(struct dot_reader *r, size_t max_line)
{
    *r = (struct dot_reader){.state = DOT_TEXT, .scan = content_scan_start(max_line)};
}

/* Content up to the next line that begins with a dot. */
static void take_text(struct dot_reader *r, struct span *input, dot_out_fn *out, void *context)
{
    size_t n = content_scan(&r->scan, *input, true);
    out(context, span_head(*input, n));
    *input = span_from(*input, n);
    r->state = DOT_TEXT;
}

bool dot_take(struct dot_reader *r, struct span *input, dot_out_fn *out, void *context)
{
    static const struct span cr = SPAN_INIT("\r");
    while (input->len) {
        char c = input->ptr[0];
        switch (r->state) {
        case DOT_TEXT:
            if (c == '.' && content_scan_at_line_start(&r->scan)) {
                r->state = DOT_DOT;
                *input = span_from(*input, 1);
            } else {
                take_text(r, input, out, context);
            }
            break;
        case DOT_DOT:
            if (c == '\r') {
                r->state = DOT_DOT_CR;
                *input = span_from(*input, 1);
            } else {
                take_text(r, input, out, context); /* what follows the dot is content, a second dot too */
            }
            break;
        case DOT_DOT_CR:
            if (c == '\n') {
                *input = span_from(*input, 1);
                return true;
            }
            content_scan(&r->scan, cr, false);
            out(context, cr);
            r->state = DOT_TEXT;
            break;
        }
    }
    return false;
}
