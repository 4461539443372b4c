/* cursor.c: little-endian records with a sticky error. */
#include "base/cursor.h"

struct cursor cursor_of(struct span s)
{
    return (struct cursor){.rest = s};
}

static uint64_t cursor_int(struct cursor *c, size_t n)
{
    if (c->bad || c->rest.len < n) {
        c->bad = true;
        return 0;
    }
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | (unsigned char)c->rest.ptr[i];
    c->rest = span_from(c->rest, n);
    return v;
}

uint8_t cursor_u8(struct cursor *c)
{
    return (uint8_t)cursor_int(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
    return (uint16_t)cursor_int(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
    return (uint32_t)cursor_int(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
    return cursor_int(c, 8);
}

bool cursor_bool(struct cursor *c)
{
    uint8_t v = cursor_u8(c);
    if (v > 1)
        c->bad = true;
    return v == 1 && !c->bad;
}

struct span cursor_bytes(struct cursor *c, size_t max)
{
    size_t n = cursor_u32(c);
    if (c->bad || n > max || n > c->rest.len) {
        c->bad = true;
        return (struct span){NULL, 0};
    }
    struct span s = span_head(c->rest, n);
    c->rest = span_from(c->rest, n);
    return s;
}

bool cursor_ok(const struct cursor *c)
{
    return !c->bad;
}

bool cursor_done(const struct cursor *c)
{
    return !c->bad && c->rest.len == 0;
}

static void put_int(struct buf *b, uint64_t v, size_t n)
{
    char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(v >> (8 * i));
    buf_add(b, span_make(bytes, n));
}

void put_u8(struct buf *b, uint8_t v)
{
    put_int(b, v, 1);
}

void put_u16(struct buf *b, uint16_t v)
{
    put_int(b, v, 2);
}

void put_u32(struct buf *b, uint32_t v)
{
    put_int(b, v, 4);
}

void put_u64(struct buf *b, uint64_t v)
{
    put_int(b, v, 8);
}

void put_bool(struct buf *b, bool v)
{
    put_u8(b, v);
}

void put_bytes(struct buf *b, struct span s)
{
    if (s.len > UINT32_MAX) {
        b->failed = true;
        return;
    }
    put_u32(b, (uint32_t)s.len);
    buf_add(b, s);
}
