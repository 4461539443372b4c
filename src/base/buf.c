/* buf.c: bounded growth. Invariants: len <= cap <= max; after a failure nothing changes until buf_clear. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void buf_wipe(struct buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    buf_done(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= b->len);
    b->len -= n;
    if (n && b->len)
        memmove(b->ptr, b->ptr + n, b->len);
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < need && cap <= b->max / 2)
            cap *= 2;
        if (cap < need)
            cap = b->max;
        char *p = realloc(b->ptr, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->ptr = p;
        b->cap = cap;
    }
    return b->ptr ? b->ptr + b->len : NULL;
}

void buf_commit(struct buf *b, size_t n)
{
    ASSERT(n <= b->cap - b->len);
    b->len += n;
}

void buf_add(struct buf *b, struct span s)
{
    char *p = s.len ? buf_reserve(b, s.len) : NULL;
    if (p) {
        memcpy(p, s.ptr, s.len);
        b->len += s.len;
    }
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, (struct span){&c, 1});
}

void buf_addf(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    size_t have = b->len;
    char *p = buf_reserve(b, (size_t)n + 1); /* vsnprintf writes a NUL that is not counted */
    if (!p)
        return;
    va_start(ap, format);
    vsnprintf(p, (size_t)n + 1, format, ap);
    va_end(ap);
    b->len = have + (size_t)n;
}

struct span buf_span(const struct buf *b)
{
    return (struct span){b->ptr, b->len};
}
