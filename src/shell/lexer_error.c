/* lexer_error.c: syntax errors as people read them: line, column, what was expected, and the line with a caret. */
#include "shell/lexer.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_BEFORE = 60, SHOWN_AFTER = 40 }; /* characters of the line around the place */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t characters(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += !is_continuation(s.ptr[i]);
    return n;
}

/* The last n characters of s, or the first. */
static struct span last(struct span s, size_t n)
{
    size_t at = s.len;
    while (at && n) {
        at--;
        n -= !is_continuation(s.ptr[at]);
    }
    return span_from(s, at);
}

static struct span first(struct span s, size_t n)
{
    size_t at = 0;
    while (at < s.len && (n || is_continuation(s.ptr[at])))
        n -= !is_continuation(s.ptr[at++]);
    return span_head(s, at);
}

static void add_shown(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? ' ' : s.ptr[i]);
}

PRINTF(3, 0) static void fail(struct lexer *l, size_t offset, const char *format, va_list ap)
{
    char what[240];
    struct span before = span_head(l->text, offset), after = span_from(l->text, offset);
    size_t start = span_rfind(before, '\n'), line = 1;
    for (size_t i = 0; i < before.len; i++)
        line += before.ptr[i] == '\n';
    before = span_from(before, start == SIZE_MAX ? 0 : start + 1);
    after = span_head(after, span_find(after, '\n'));
    size_t column = characters(before) + 1;
    struct span left = last(before, SHOWN_BEFORE), right = first(after, SHOWN_AFTER);
    const char *cut = left.len < before.len ? "..." : "";
    struct buf shown;
    buf_init(&shown, 1024);
    buf_addf(&shown, "%s", cut);
    add_shown(&shown, left);
    add_shown(&shown, right);
    vsnprintf(what, sizeof what, format, ap);
    l->code = err_set(l->err, ERR_INVALID, "line %zu, column %zu: %s\n  %.*s\n  %*s^", line, column, what,
                      SPAN_ARG(buf_span(&shown)), (int)(characters(left) + span_of(cut).len), "");
    buf_wipe(&shown);
}

void *lexer_fail(struct lexer *l, struct span at, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!l->code)
        fail(l, l->text.len - at.len, format, ap);
    va_end(ap);
    return NULL;
}

void *lexer_fail_end(struct lexer *l, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!l->code) {
        l->incomplete = true;
        fail(l, l->text.len, format, ap);
    }
    va_end(ap);
    return NULL;
}

void *lexer_fail_memory(struct lexer *l)
{
    if (!l->code)
        l->code = err_set(l->err, ERR_NO_MEMORY, "the script takes too much memory");
    return NULL;
}
