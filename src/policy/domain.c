/*
 * domain.c: binary searches in the sorted accepted domains and in the index of address spaces. Each part of a name
 * is looked up from the whole to the last label, so the first hit is the most specific one.
 */
#include "policy/domain.h"

#include "policy/block.h"

struct span policy_address_domain(struct span address)
{
    size_t at = span_rfind(address, '@');
    return at == SIZE_MAX ? SPAN("") : span_from(address, at + 1);
}

struct span policy_domain_above(struct span domain)
{
    size_t dot = span_find(domain, '.');
    return dot == SIZE_MAX ? SPAN("") : span_from(domain, dot + 1);
}

static const struct accepted_domain *find_domain(const struct policy *p, uint32_t wildcard, struct span name)
{
    const struct accepted_domain *all = block_record(p, SECTION_DOMAINS, 0);
    size_t low = 0, high = policy_accepted_domain_count(p);
    while (low < high) {
        const struct accepted_domain *d = &all[low + (high - low) / 2];
        int c = d->wildcard == wildcard ? span_icmp(policy_text(p, d->domain), name)
                                        : (d->wildcard < wildcard ? -1 : 1);
        if (c == 0)
            return d;
        if (c < 0)
            low = (size_t)(d - all) + 1;
        else
            high = (size_t)(d - all);
    }
    return NULL;
}

const struct accepted_domain *policy_find_domain(const struct policy *p, struct span domain)
{
    const struct accepted_domain *d = domain.len ? find_domain(p, 0, domain) : NULL;
    for (struct span above = policy_domain_above(domain); !d && above.len; above = policy_domain_above(above))
        d = find_domain(p, 1, above);
    return d;
}

const struct accepted_domain *policy_default_domain(const struct policy *p)
{
    for (size_t i = 0; i < policy_accepted_domain_count(p); i++)
        if (policy_accepted_domain(p, i)->is_default)
            return policy_accepted_domain(p, i);
    return NULL;
}

static const struct address_space *space_of(const struct policy *p, const struct index_entry *e)
{
    return block_record(p, SECTION_SPACES, e->item);
}

static int compare_space(const struct policy *p, const struct address_space *s, enum space_kind kind,
                         struct span name)
{
    if (s->kind != kind)
        return s->kind < kind ? -1 : 1;
    return span_icmp(policy_text(p, s->domain), name);
}

/* The first index entry of this kind and name whose connector is enabled: they follow each other by preference. */
static const struct index_entry *find_space(const struct policy *p, enum space_kind kind, struct span name)
{
    const struct index_entry *all = block_record(p, SECTION_SPACE_ORDER, 0);
    size_t low = 0, high = block_count(p, SECTION_SPACE_ORDER), end = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_space(p, space_of(p, &all[middle]), kind, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < end && compare_space(p, space_of(p, &all[low]), kind, name) == 0; low++)
        if (policy_send_connector(p, all[low].connector)->flags & SEND_ENABLED)
            return &all[low];
    return NULL;
}

const struct address_space *policy_find_space(const struct policy *p, struct span domain, size_t *ret_connector)
{
    const struct index_entry *e = domain.len ? find_space(p, SPACE_DOMAIN, domain) : NULL;
    for (struct span above = policy_domain_above(domain); !e && above.len; above = policy_domain_above(above))
        e = find_space(p, SPACE_SUBDOMAINS, above);
    if (!e)
        e = find_space(p, SPACE_ALL, SPAN(""));
    if (!e)
        return NULL;
    *ret_connector = e->connector;
    return space_of(p, e);
}
