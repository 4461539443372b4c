/* keyed_hash.c: see keyed_hash.h. Words are read as little-endian, so it gives the same everywhere. */
#include "base/keyed_hash.h"

struct state {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void rounds(struct state *v, unsigned n)
{
    while (n--) {
        v->a += v->b;
        v->c += v->d;
        v->b = rotate(v->b, 13) ^ v->a;
        v->d = rotate(v->d, 16) ^ v->c;
        v->a = rotate(v->a, 32) + v->d;
        v->c += v->b;
        v->d = rotate(v->d, 21) ^ v->a;
        v->b = rotate(v->b, 17) ^ v->c;
        v->c = rotate(v->c, 32);
    }
}

static uint64_t word(struct span s)
{
    uint64_t w = 0;
    for (size_t i = s.len < 8 ? s.len : 8; i-- > 0;)
        w = w << 8 | (unsigned char)s.ptr[i];
    return w;
}

uint64_t keyed_hash(struct hash_key key, struct span s)
{
    struct state v = {key.k0 ^ UINT64_C(0x736f6d6570736575), key.k1 ^ UINT64_C(0x646f72616e646f6d),
                      key.k0 ^ UINT64_C(0x6c7967656e657261), key.k1 ^ UINT64_C(0x7465646279746573)};
    uint64_t length = (uint64_t)s.len << 56;
    bool last;
    do {
        last = s.len < 8;
        uint64_t m = word(s) | (last ? length : 0);
        v.d ^= m;
        rounds(&v, 2);
        v.a ^= m;
        s = span_from(s, 8);
    } while (!last);
    v.c ^= 0xff;
    rounds(&v, 4);
    return v.a ^ v.b ^ v.c ^ v.d;
}
