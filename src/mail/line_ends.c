/* line_ends.c: see line_ends.h. Runs between line ends go out in one piece. */
#include "mail/line_ends.h"

/* The first CR or LF, or the length. */
static size_t run(struct span s)
{
    size_t lf = span_find(s, '\n');
    struct span line = span_head(s, lf == SIZE_MAX ? s.len : lf);
    size_t cr = span_find(line, '\r');
    return cr == SIZE_MAX ? line.len : cr;
}

void line_ends_feed(struct line_ends *l, struct span bytes, line_ends_out_fn *out, void *context)
{
    while (bytes.len) {
        if (l->behind_cr && bytes.ptr[0] == '\n') { /* of a CRLF, which is out */
            l->behind_cr = false;
            bytes = span_from(bytes, 1);
            continue;
        }
        l->behind_cr = false;
        size_t n = run(bytes);
        if (n)
            out(context, span_head(bytes, n));
        l->in_line = l->in_line || n;
        if (n < bytes.len) {
            out(context, SPAN("\r\n"));
            l->in_line = false;
            l->behind_cr = bytes.ptr[n] == '\r';
        }
        bytes = span_from(bytes, n + 1);
    }
}

void line_ends_finish(struct line_ends *l, line_ends_out_fn *out, void *context)
{
    if (l->in_line)
        out(context, SPAN("\r\n"));
    *l = (struct line_ends){0};
}
