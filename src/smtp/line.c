/*
 * line.c: a line that lies whole in the input is given as it lies there; only a line that comes in parts is copied.
 *
 * Invariants: never more than max octets are held. A text is given only for a line that ends in CRLF, does not
 * follow a bare LF, and has neither CR, LF nor NUL in it.
 */
#include "smtp/line.h"

#include <string.h>

enum { LINE_KEEP = 1024 }; /* a larger buffer is not kept for the next line */

void line_init(struct line_reader *r, size_t max)
{
    *r = (struct line_reader){.max = max};
    buf_init(&r->held, max);
}

void line_done(struct line_reader *r)
{
    buf_wipe(&r->held);
}

void line_release(struct line_reader *r, bool secret)
{
    if (secret || r->held.cap > LINE_KEEP)
        buf_wipe(&r->held);
    else
        buf_clear(&r->held);
}

/* By hand, for realloc would leave behind a copy of a secret that nobody wipes. */
static void append(struct line_reader *r, struct span piece)
{
    size_t need = r->held.len + piece.len;
    if (need > r->held.cap) {
        struct buf larger;
        buf_init(&larger, r->max);
        larger.failed = !buf_reserve(&larger, need < r->max / 2 ? 2 * need : r->max);
        buf_add(&larger, buf_span(&r->held));
        buf_wipe(&r->held);
        r->held = larger;
    }
    buf_add(&r->held, piece);
}

/* A piece of the present line that does not end it. */
static void hold(struct line_reader *r, struct span piece)
{
    if (!r->skipping && piece.len > r->max - r->held.len)
        r->skipping = LINE_TOO_LONG;
    if (!r->skipping) {
        append(r, piece);
        if (r->held.failed)
            r->skipping = LINE_NO_MEMORY;
    }
    if (r->skipping && piece.len) {
        r->skipped_cr = piece.ptr[piece.len - 1] == '\r';
        line_release(r, true);
    }
}

/* text ends in CRLF. */
static enum line_defect judge(struct line_reader *r, struct span text)
{
    if (r->behind_lf)
        return LINE_BARE_LF;
    if (memchr(text.ptr, '\r', text.len - 2))
        return LINE_BARE_CR;
    return memchr(text.ptr, '\0', text.len - 2) ? LINE_NUL : LINE_OK;
}

/* The last piece of a line, with its LF. */
static struct line finish(struct line_reader *r, struct span piece)
{
    struct line l = {.text = piece};
    bool crlf;
    if (r->held.len || r->skipping) {
        bool cr_before = r->skipped_cr || (r->held.len && r->held.ptr[r->held.len - 1] == '\r');
        crlf = piece.len > 1 ? piece.ptr[piece.len - 2] == '\r' : cr_before;
        hold(r, piece);
        l.text = buf_span(&r->held);
    } else {
        crlf = piece.len > 1 && piece.ptr[piece.len - 2] == '\r';
        if (piece.len > r->max)
            r->skipping = LINE_TOO_LONG;
    }
    if (!crlf)
        l.defect = LINE_BARE_LF;
    else
        l.defect = r->skipping ? r->skipping : judge(r, l.text);
    l.text = l.defect ? SPAN("") : span_head(l.text, l.text.len - 2);
    r->behind_lf = !crlf;
    r->skipping = LINE_OK;
    r->skipped_cr = false;
    return l;
}

bool line_take(struct line_reader *r, struct span *input, struct line *ret)
{
    const char *lf = input->len ? memchr(input->ptr, '\n', input->len) : NULL;
    struct span piece = span_head(*input, lf ? (size_t)(lf - input->ptr) + 1 : input->len);
    *input = span_from(*input, piece.len);
    if (lf)
        *ret = finish(r, piece);
    else
        hold(r, piece);
    return lf != NULL;
}

struct span line_defect_text(enum line_defect d)
{
    static const struct span texts[LINE_DEFECT_MAX] = {
        [LINE_OK] = SPAN_INIT("no defect"),           [LINE_BARE_LF] = SPAN_INIT("bare LF"),
        [LINE_BARE_CR] = SPAN_INIT("bare CR"),        [LINE_NUL] = SPAN_INIT("NUL character"),
        [LINE_TOO_LONG] = SPAN_INIT("line too long"), [LINE_NO_MEMORY] = SPAN_INIT("out of memory"),
    };
    return texts[d];
}
