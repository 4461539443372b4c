/*
 * address.c: counting addresses. IPv4 by what is left between the special blocks (RFC 6890), IPv6 by its global
 * unicast space (RFC 4291, 2000::/3). Example networks (RFC 5737) count as public: they are small, and policies
 * that are written for tests and manuals use them as such.
 */
#include "audit/address.h"

#include <string.h>

typedef unsigned __int128 wide;

enum { WIDE_V4 = 1 << 16, LARGE_V4 = 1 << 8, LARGE_V6 = 1 << 16 /* /64 networks in a /48 */ };
#define WIDE_V6 (UINT64_C(1) << 32) /* /64 networks in a /32 */

static wide number(struct ip_addr a)
{
    wide n = 0;
    for (size_t i = 0; i < sizeof a.bytes; i++)
        n = n << 8 | a.bytes[i];
    return n;
}

static struct ip_addr address(wide n)
{
    struct ip_addr a;
    for (size_t i = sizeof a.bytes; i-- > 0; n >>= 8)
        a.bytes[i] = (uint8_t)n;
    return a;
}

/* ---- the public parts of both address spaces ---- */

struct block {
    uint32_t first, last;
};

/* What lies between the special blocks of IPv4, in order. */
static const struct block public_v4[] = {
    {0x01000000, 0x09ffffff}, /* behind 0.0.0.0/8 */
    {0x0b000000, 0x643fffff}, /* behind 10.0.0.0/8 */
    {0x64800000, 0x7effffff}, /* behind 100.64.0.0/10 */
    {0x80000000, 0xa9fdffff}, /* behind 127.0.0.0/8 */
    {0xa9ff0000, 0xac0fffff}, /* behind 169.254.0.0/16 */
    {0xac200000, 0xc0a7ffff}, /* behind 172.16.0.0/12 */
    {0xc0a90000, 0xdfffffff}, /* behind 192.168.0.0/16, up to multicast */
};

static wide v4_number(uint32_t n)
{
    return (wide)0xffff << 32 | n;
}

/* The i-th public block of the range's family within the range; false where there is nothing of it. */
static bool public_part(struct ip_range r, size_t i, wide *ret_first, wide *ret_last)
{
    wide first, last;
    if (ip_is_v4(r.first)) {
        first = v4_number(public_v4[i].first);
        last = v4_number(public_v4[i].last);
    } else {
        if (i > 0)
            return false;
        first = (wide)2 << 124;
        last = ((wide)4 << 124) - 1;
    }
    *ret_first = number(r.first) > first ? number(r.first) : first;
    *ret_last = number(r.last) < last ? number(r.last) : last;
    return *ret_first <= *ret_last;
}

/* ---- extents ---- */

static void add(uint64_t *sum, uint64_t n)
{
    *sum = *sum > UINT64_MAX - n ? UINT64_MAX : *sum + n;
}

void audit_extent_add(struct audit_extent *e, struct ip_range r)
{
    for (size_t i = 0; i < ARRAY_LEN(public_v4); i++) {
        wide first, last;
        if (!public_part(r, i, &first, &last))
            continue;
        if (ip_is_v4(r.first))
            add(&e->v4, (uint64_t)(last - first) + 1);
        else
            add(&e->v6, (uint64_t)((last >> 64) - (first >> 64)) + 1);
    }
}

struct audit_extent audit_extent_max(struct audit_extent a, struct audit_extent b)
{
    return (struct audit_extent){a.v4 > b.v4 ? a.v4 : b.v4, a.v6 > b.v6 ? a.v6 : b.v6};
}

bool audit_extent_is_wide(struct audit_extent e)
{
    return e.v4 > WIDE_V4 || e.v6 > WIDE_V6;
}

bool audit_extent_is_large(struct audit_extent e)
{
    return e.v4 > LARGE_V4 || e.v6 > LARGE_V6;
}

bool audit_extent_has_grown(struct audit_extent now, struct audit_extent before)
{
    return now.v4 > before.v4 || now.v6 > before.v6;
}

/* ---- single addresses ---- */

bool audit_next_address(struct ip_addr a, struct ip_addr *ret)
{
    *ret = address(number(a) + 1);
    return number(a) + 1 != 0;
}

bool audit_previous_address(struct ip_addr a, struct ip_addr *ret)
{
    *ret = address(number(a) - 1);
    return number(a) != 0;
}

bool audit_public_example(struct ip_range r, struct ip_addr *ret)
{
    static const char *const preferred[] = {"203.0.113.7", "198.51.100.7", "192.0.2.7", "2001:db8::7"};
    for (size_t i = 0; i < ARRAY_LEN(preferred); i++) {
        struct ip_addr a;
        if (ip_parse(span_of(preferred[i]), &a) && ip_range_contains(r, a)) {
            *ret = a;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(public_v4); i++) {
        wide first, last;
        if (public_part(r, i, &first, &last)) {
            *ret = address(first < last ? first + 1 : first); /* a network's first address is nobody's */
            return true;
        }
    }
    return false;
}

struct ip_addr audit_example(struct ip_range r)
{
    struct ip_addr a;
    if (audit_public_example(r, &a))
        return a;
    return r.first.bytes[15] == 0 && ip_cmp(r.first, r.last) < 0 ? address(number(r.first) + 1) : r.first;
}

bool audit_at_most(struct ip_range r, uint32_t count)
{
    return number(r.last) - number(r.first) < count;
}
