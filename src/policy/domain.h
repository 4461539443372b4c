/*
 * domain.h: which accepted domain and which address space covers a domain name. Names are compared without regard
 * to ASCII case. The time taken grows with the logarithm of the number of domains.
 */
#pragma once

#include "policy/policy.h"

/* What stands behind the last @ of an address; the empty span where there is none. */
struct span policy_address_domain(struct span address);
/*
 * The accepted domain that covers a domain name: the exact one before any wildcard, then the longest wildcard.
 * "*.example.com" covers what lies below example.com, not itself. NULL: none.
 */
const struct accepted_domain *policy_find_domain(const struct policy *p, struct span domain);
/* The one marked as default: for addresses without domain, and for the postmaster. NULL: none is. */
const struct accepted_domain *policy_default_domain(const struct policy *p);
/*
 * Steps through a domain and what lies above it: gives the part behind the next dot, or the empty span at the end.
 *   for (struct span above = policy_domain_above(d); above.len; above = policy_domain_above(above)) ...
 */
struct span policy_domain_above(struct span domain);

/*
 * The best address space for a domain: that very domain, else the longest "*." above it, else "*"; among equals the
 * lower cost, then the connector's name. Disabled connectors do not count. NULL: none; otherwise *ret_connector is
 * the index of the space's send connector.
 */
const struct address_space *policy_find_space(const struct policy *p, struct span domain, size_t *ret_connector);
