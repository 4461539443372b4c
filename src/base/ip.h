/*
 * ip.h: addresses, endpoints and ranges, IPv4 and IPv6 alike, without the system's resolver or socket types.
 * An IPv4 address is kept as its IPv4-mapped IPv6 form (::ffff:a.b.c.d), so one 128-bit order covers both; an
 * IPv4-mapped address from a dual-stack socket therefore equals the IPv4 address it is.
 */
#pragma once

#include "base/buf.h"

struct ip_addr {
    uint8_t bytes[16]; /* network order */
};

struct ip_endpoint {
    struct ip_addr addr;
    uint16_t port;
};

struct ip_range {
    struct ip_addr first, last; /* inclusive, first <= last, both of one family */
};

/* Room for any printed form below, with the NUL. */
enum { IP_TEXT_MAX = 48, IP_ENDPOINT_TEXT_MAX = 56, IP_RANGE_TEXT_MAX = 96 };

bool ip_is_v4(struct ip_addr a);
int ip_cmp(struct ip_addr a, struct ip_addr b);
struct ip_addr ip_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* 0.0.0.0 or ::, which as a binding mean "every address of that family". */
bool ip_is_any(struct ip_addr a);
bool ip_is_loopback(struct ip_addr a);

/* "a.b.c.d" (no leading zeros) or an IPv6 address of RFC 4291, without zone. */
NODISCARD bool ip_parse(struct span s, struct ip_addr *ret);
/* "a.b.c.d:port" or "[v6]:port"; port 1..65535. */
NODISCARD bool ip_parse_endpoint(struct span s, struct ip_endpoint *ret);
/* "a", "a-b", "a/bits" or "a/mask" (IPv4 dotted mask): one family, first <= last; host bits below a prefix are
 * cleared. An IPv6 block ends below ::ffff:0:0 where it would end in the IPv4-mapped addresses. What is parsed
 * prints to text that parses to the same. */
NODISCARD bool ip_parse_range(struct span s, struct ip_range *ret);

/* Print forms: RFC 5952 for IPv6; a range of one address as the address, otherwise "first-last". NUL-terminated. */
const char *ip_print(struct ip_addr a, char out[static IP_TEXT_MAX]);
const char *ip_print_endpoint(struct ip_endpoint e, char out[static IP_ENDPOINT_TEXT_MAX]);
const char *ip_print_range(struct ip_range r, char out[static IP_RANGE_TEXT_MAX]);

/* False for an address of the other family, although ::/0 spans the IPv4-mapped form. */
bool ip_range_contains(struct ip_range r, struct ip_addr a);
bool ip_range_eq(struct ip_range a, struct ip_range b);
/* Order by size: negative when a holds fewer addresses than b. */
int ip_range_cmp_size(struct ip_range a, struct ip_range b);
