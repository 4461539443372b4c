/* utf8.c: one strict decoder; everything else is built on it. */
#include "base/utf8.h"

size_t utf8_decode(struct span s, uint32_t *ret_cp)
{
    if (s.len == 0)
        return 0;
    unsigned char first = (unsigned char)s.ptr[0];
    if (first < 0x80) {
        *ret_cp = first;
        return 1;
    }
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (first < 0xc2 || first > 0xf4 || s.len < n)
        return 0;
    uint32_t cp = first & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (c & 0x3fu);
    }
    if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *ret_cp = cp;
    return n;
}

bool utf8_valid(struct span s)
{
    while (s.len) {
        uint32_t cp;
        size_t n = utf8_decode(s, &cp);
        if (n == 0)
            return false;
        s = span_from(s, n);
    }
    return true;
}

bool utf8_is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    return true;
}

void utf8_encode(struct buf *out, uint32_t cp)
{
    ASSERT(cp <= 0x10ffff && !(cp >= 0xd800 && cp <= 0xdfff));
    if (cp < 0x80) {
        buf_add_char(out, (char)cp);
        return;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    char bytes[4];
    for (size_t i = n; i-- > 1; cp >>= 6)
        bytes[i] = (char)(0x80 | (cp & 0x3f));
    bytes[0] = (char)((0xf00u >> n & 0xff) | cp);
    buf_add(out, span_make(bytes, n));
}
