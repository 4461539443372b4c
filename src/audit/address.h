/*
 * address.h: how much of the Internet a set of remote addresses is. Addresses that cannot be the source of a
 * connection from the public network (private, shared, loopback, link-local, multicast, reserved) do not count.
 */
#pragma once

#include "base/ip.h"

/* How many public addresses. Saturates. */
struct audit_extent {
    uint64_t v4; /* addresses */
    uint64_t v6; /* networks of 64 bits, a part counting as one */
};

void audit_extent_add(struct audit_extent *e, struct ip_range r);
/* The larger of both, each family by itself. */
struct audit_extent audit_extent_max(struct audit_extent a, struct audit_extent b);
/*
 * More than one organisation lists of its own: above 65536 IPv4 addresses (a /16), or above an IPv6 allocation of
 * /32.
 */
bool audit_extent_is_wide(struct audit_extent e);
/* More than a few hosts or sites: above 256 IPv4 addresses, or above an IPv6 site of /48. */
bool audit_extent_is_large(struct audit_extent e);
/* More of either family than before. */
bool audit_extent_has_grown(struct audit_extent now, struct audit_extent before);

/* The next address; false behind the last one. */
bool audit_next_address(struct ip_addr a, struct ip_addr *ret);
bool audit_previous_address(struct ip_addr a, struct ip_addr *ret);

/* A public address of the range to show as an example; false: it has none. */
bool audit_public_example(struct ip_range r, struct ip_addr *ret);
/* Any of its addresses, a public one where there is one. */
struct ip_addr audit_example(struct ip_range r);
/* Whether the range has at most `count` addresses. */
bool audit_at_most(struct ip_range r, uint32_t count);
