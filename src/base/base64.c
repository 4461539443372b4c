/* base64.c: strict, so that one credential has exactly one spelling. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? (unsigned char)s.ptr[i + k] : 0u);
        char quad[4];
        for (size_t k = 0; k < 4; k++)
            quad[k] = k <= n ? alphabet[v >> (18 - 6 * k) & 63] : '=';
        buf_add(out, span_make(quad, 4));
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64_quad(struct buf *out, const char *q, bool last)
{
    size_t pad = last ? (size_t)((q[3] == '=') + (q[3] == '=' && q[2] == '=')) : 0;
    uint32_t v = 0;
    for (size_t k = 0; k < 4; k++) {
        int d = k < 4 - pad ? base64_value(q[k]) : 0;
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
    }
    if (v & ((1u << 8 * pad) - 1)) /* bits that the padding cuts off must be zero */
        return false;
    char bytes[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
    buf_add(out, span_make(bytes, 3 - pad));
    return true;
}

bool base64_decode(struct buf *out, struct span s)
{
    if (s.len % 4)
        return false;
    for (size_t i = 0; i < s.len; i += 4)
        if (!base64_quad(out, s.ptr + i, i + 4 == s.len))
            return false;
    return !out->failed;
}
