/* ip.c: address text both ways, strict on input, canonical on output (RFC 4291, RFC 5952). */
#include "base/ip.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ip_is_v4(struct ip_addr a)
{
    return memcmp(a.bytes, v4_prefix, sizeof v4_prefix) == 0;
}

int ip_cmp(struct ip_addr a, struct ip_addr b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

struct ip_addr ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    struct ip_addr r;
    memcpy(r.bytes, v4_prefix, sizeof v4_prefix);
    r.bytes[12] = a, r.bytes[13] = b, r.bytes[14] = c, r.bytes[15] = d;
    return r;
}

bool ip_is_any(struct ip_addr a)
{
    static const struct ip_addr v6_any;
    return ip_cmp(a, v6_any) == 0 || ip_cmp(a, ip_v4(0, 0, 0, 0)) == 0;
}

bool ip_is_loopback(struct ip_addr a)
{
    static const struct ip_addr v6_loopback = {.bytes = {[15] = 1}};
    return ip_cmp(a, v6_loopback) == 0 || (ip_is_v4(a) && a.bytes[12] == 127);
}

static bool parse_v4(struct span s, uint8_t out[4])
{
    struct span rest = s, part;
    size_t n = 0;
    while (span_split(&rest, '.', &part)) {
        uint32_t v;
        if (n == 4 || part.len > 3 || (part.len > 1 && part.ptr[0] == '0') || !num_parse_u32(part, 255, &v))
            return false;
        out[n++] = (uint8_t)v;
    }
    return n == 4;
}

static bool parse_group(struct span part, uint8_t out[2])
{
    if (part.len == 0 || part.len > 4)
        return false;
    unsigned v = 0;
    for (size_t i = 0; i < part.len; i++) {
        int d = num_hex_digit(part.ptr[i]);
        if (d < 0)
            return false;
        v = v << 4 | (unsigned)d;
    }
    out[0] = (uint8_t)(v >> 8), out[1] = (uint8_t)v;
    return true;
}

/* The groups of one side of "::", an IPv4 tail allowed where `tail`. Gives their length in bytes, or SIZE_MAX. */
static size_t parse_groups(struct span s, bool tail, uint8_t out[16])
{
    size_t n = 0;
    struct span rest = s, part;
    while (s.len && span_split(&rest, ':', &part)) {
        if (tail && !rest.ptr && span_find(part, '.') != SIZE_MAX) {
            if (n > 12 || !parse_v4(part, out + n))
                return SIZE_MAX;
            return n + 4;
        }
        if (n > 14 || !parse_group(part, out + n))
            return SIZE_MAX;
        n += 2;
    }
    return n;
}

static bool parse_v6(struct span s, struct ip_addr *ret)
{
    struct ip_addr a = {0};
    size_t gap = SIZE_MAX;
    for (size_t i = 0; i + 1 < s.len && gap == SIZE_MAX; i++)
        if (s.ptr[i] == ':' && s.ptr[i + 1] == ':')
            gap = i;
    if (gap == SIZE_MAX) {
        if (parse_groups(s, true, a.bytes) != 16)
            return false;
    } else {
        uint8_t right[16];
        size_t l = parse_groups(span_head(s, gap), false, a.bytes);
        size_t r = parse_groups(span_from(s, gap + 2), true, right);
        if (l == SIZE_MAX || r == SIZE_MAX || l + r > 14)
            return false;
        memcpy(a.bytes + 16 - r, right, r);
    }
    *ret = a;
    return true;
}

bool ip_parse(struct span s, struct ip_addr *ret)
{
    uint8_t v4[4];
    if (parse_v4(s, v4)) {
        *ret = ip_v4(v4[0], v4[1], v4[2], v4[3]);
        return true;
    }
    return span_find(s, ':') != SIZE_MAX && parse_v6(s, ret);
}

bool ip_parse_endpoint(struct span s, struct ip_endpoint *ret)
{
    size_t colon = span_rfind(s, ':');
    uint32_t port;
    if (colon == SIZE_MAX || !num_parse_u32(span_from(s, colon + 1), 65535, &port) || port == 0)
        return false;
    struct span host = span_head(s, colon);
    struct ip_addr a;
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = span_from(span_head(host, host.len - 1), 1);
        if (span_find(host, ':') == SIZE_MAX)
            return false;
    } else if (span_find(host, ':') != SIZE_MAX) {
        return false;
    }
    if (!ip_parse(host, &a))
        return false;
    *ret = (struct ip_endpoint){a, (uint16_t)port};
    return true;
}

/*
 * The block of addresses that share the top `bits` of the 128. An IPv6 block holds no IPv4 address (see
 * ip_range_contains); one that would end in mapped ones, such as ::/80, ends before them, since both ends of a
 * range are of one family.
 */
static struct ip_range range_of_prefix(struct ip_addr a, unsigned bits)
{
    struct ip_range r = {a, a};
    for (unsigned i = bits; i < 128; i++) {
        r.first.bytes[i / 8] = (uint8_t)(r.first.bytes[i / 8] & ~(0x80 >> i % 8));
        r.last.bytes[i / 8] = (uint8_t)(r.last.bytes[i / 8] | 0x80 >> i % 8);
    }
    if (ip_is_v4(r.last) && !ip_is_v4(a))
        r.last.bytes[11] = 0xfe; /* ::fffe:ffff:ffff: the address below ::ffff:0.0.0.0 */
    return r;
}

static bool parse_mask(struct span s, bool v4, unsigned *ret_bits)
{
    uint32_t bits;
    uint8_t mask[4];
    if (v4 && parse_v4(s, mask)) {
        uint32_t m = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 | (uint32_t)mask[2] << 8 | mask[3];
        if ((~m & (~m + 1)) != 0) /* ones must not follow zeros */
            return false;
        bits = (uint32_t)__builtin_popcount(m);
    } else if (!num_parse_u32(s, v4 ? 32 : 128, &bits)) {
        return false;
    }
    *ret_bits = v4 ? bits + 96 : bits;
    return true;
}

bool ip_parse_range(struct span s, struct ip_range *ret)
{
    size_t slash = span_find(s, '/'), dash = span_find(s, '-');
    struct ip_addr a, b;
    if (slash != SIZE_MAX) {
        unsigned bits;
        if (!ip_parse(span_head(s, slash), &a) || !parse_mask(span_from(s, slash + 1), ip_is_v4(a), &bits))
            return false;
        *ret = range_of_prefix(a, bits);
        return true;
    }
    if (dash == SIZE_MAX) {
        if (!ip_parse(s, &a))
            return false;
        *ret = (struct ip_range){a, a};
        return true;
    }
    if (!ip_parse(span_trim(span_head(s, dash)), &a) || !ip_parse(span_trim(span_from(s, dash + 1)), &b) ||
        ip_is_v4(a) != ip_is_v4(b) || ip_cmp(a, b) > 0)
        return false;
    *ret = (struct ip_range){a, b};
    return true;
}

static unsigned group(struct ip_addr a, size_t i)
{
    return (unsigned)a.bytes[2 * i] << 8 | a.bytes[2 * i + 1];
}

const char *ip_print(struct ip_addr a, char out[static IP_TEXT_MAX])
{
    if (ip_is_v4(a)) {
        snprintf(out, IP_TEXT_MAX, "%u.%u.%u.%u", a.bytes[12], a.bytes[13], a.bytes[14], a.bytes[15]);
        return out;
    }
    size_t best = 8,
           best_len = 1; /* RFC 5952 4.2: the longest run of two or more zero groups, the first of equals */
    for (size_t i = 0; i < 8; i++) {
        size_t n = 0;
        while (i + n < 8 && group(a, i + n) == 0)
            n++;
        if (n > best_len)
            best = i, best_len = n;
    }
    size_t at = 0;
    for (size_t i = 0; i < 8; i++) {
        if (i == best) {
            at += (size_t)snprintf(out + at, IP_TEXT_MAX - at, "::");
            i += best_len - 1;
        } else {
            const char *colon = i > 0 && i != best + best_len ? ":" : "";
            at += (size_t)snprintf(out + at, IP_TEXT_MAX - at, "%s%x", colon, group(a, i));
        }
    }
    return out;
}

const char *ip_print_endpoint(struct ip_endpoint e, char out[static IP_ENDPOINT_TEXT_MAX])
{
    char a[IP_TEXT_MAX];
    snprintf(out, IP_ENDPOINT_TEXT_MAX, ip_is_v4(e.addr) ? "%s:%u" : "[%s]:%u", ip_print(e.addr, a), e.port);
    return out;
}

const char *ip_print_range(struct ip_range r, char out[static IP_RANGE_TEXT_MAX])
{
    char a[IP_TEXT_MAX], b[IP_TEXT_MAX];
    if (ip_cmp(r.first, r.last) == 0)
        snprintf(out, IP_RANGE_TEXT_MAX, "%s", ip_print(r.first, a));
    else
        snprintf(out, IP_RANGE_TEXT_MAX, "%s-%s", ip_print(r.first, a), ip_print(r.last, b));
    return out;
}

bool ip_range_contains(struct ip_range r, struct ip_addr a)
{
    return ip_is_v4(r.first) == ip_is_v4(a) && ip_cmp(r.first, a) <= 0 && ip_cmp(a, r.last) <= 0;
}

bool ip_range_eq(struct ip_range a, struct ip_range b)
{
    return ip_cmp(a.first, b.first) == 0 && ip_cmp(a.last, b.last) == 0;
}

/* last - first as a 128-bit number, big-endian, so that memcmp orders it. */
static struct ip_addr range_extent(struct ip_range r)
{
    struct ip_addr d;
    int borrow = 0;
    for (size_t i = 16; i-- > 0;) {
        int v = r.last.bytes[i] - r.first.bytes[i] - borrow;
        borrow = v < 0;
        d.bytes[i] = (uint8_t)v;
    }
    return d;
}

int ip_range_cmp_size(struct ip_range a, struct ip_range b)
{
    return ip_cmp(range_extent(a), range_extent(b));
}
