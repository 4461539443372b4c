/* secret.c: wiped memory and constant-time comparison. */
#include "base/secret.h"

void secret_init(struct secret *s, size_t max)
{
    buf_init(&s->bytes, max);
}

bool secret_set(struct secret *s, struct span bytes)
{
    size_t max = s->bytes.max;
    buf_wipe(&s->bytes);
    buf_init(&s->bytes, max);
    if (!buf_reserve(&s->bytes, bytes.len ? bytes.len : 1)) /* once, so that growth leaves no copy behind */
        return false;
    buf_add(&s->bytes, bytes);
    return true;
}

void secret_done(struct secret *s)
{
    buf_wipe(&s->bytes);
}

struct span secret_reveal(const struct secret *s)
{
    return buf_span(&s->bytes);
}

bool secret_equal(struct span a, struct span b)
{
    unsigned char diff = a.len != b.len;
    size_t n = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < n; i++)
        diff = (unsigned char)(diff | (a.ptr[i] ^ b.ptr[i]));
    return diff == 0;
}
