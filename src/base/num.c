/* num.c: the only place that turns digits into numbers. */
#include "base/num.h"

bool num_parse_u64(struct span s, uint64_t max, uint64_t *ret)
{
    if (s.len == 0 || s.len > 20)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.ptr[i]) || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    if (v > max)
        return false;
    *ret = v;
    return true;
}

bool num_parse_u32(struct span s, uint32_t max, uint32_t *ret)
{
    uint64_t v;
    if (!num_parse_u64(s, max, &v))
        return false;
    *ret = (uint32_t)v;
    return true;
}

bool num_parse_i64(struct span s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = s.len && s.ptr[0] == '-';
    uint64_t v;
    if (!num_parse_u64(negative ? span_from(s, 1) : s, (uint64_t)INT64_MAX + negative, &v))
        return false;
    int64_t n = negative ? (int64_t)(0 - v) : (int64_t)v;
    if (n < min || n > max)
        return false;
    *ret = n;
    return true;
}

int num_hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    char l = ascii_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
