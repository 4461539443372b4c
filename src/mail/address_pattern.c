/*
 * address_pattern.c: patterns of addresses.
 *
 * Invariant: what stands beside the asterisks goes through address_parse, so a pattern's parts have the canonical
 * form of the addresses that they are compared with.
 */
#include "mail/address_pattern.h"

#include "mail/address.h"

/* The canonical form of a domain; literal: [192.0.2.1] may stand for one. */
static bool parse_domain(struct span s, bool literal, struct arena *arena, struct span *ret)
{
    struct mail_address a;
    struct span probe = arena_printf(arena, "x@%.*s", SPAN_ARG(s));
    if (!probe.ptr || address_parse(probe, ADDRESS_ALLOW_UTF8, arena, &a) != ADDRESS_OK || (a.literal && !literal))
        return false;
    *ret = a.domain;
    return true;
}

static bool parse_wild(struct span domain, struct arena *arena, struct address_pattern *ret)
{
    bool below = span_starts(domain, SPAN("*."));
    struct address_pattern p = {.kind = below ? PATTERN_SUBDOMAINS : PATTERN_DOMAIN};
    if (domain.len > ADDRESS_DOMAIN_MAX ||
        !parse_domain(span_from(domain, below ? 2 : 0), !below, arena, &p.domain))
        return false;
    p.text = arena_printf(arena, "*@%s%.*s", below ? "*." : "", SPAN_ARG(p.domain));
    *ret = p;
    return p.text.ptr != NULL;
}

bool address_pattern_parse(struct span s, struct arena *arena, struct address_pattern *ret)
{
    struct mail_address a;
    if (span_eq(s, SPAN("<>"))) {
        *ret = (struct address_pattern){.kind = PATTERN_NULL, .text = SPAN("<>")};
        return true;
    }
    if (span_starts(s, SPAN("*@")))
        return parse_wild(span_from(s, 2), arena, ret);
    if (s.len > ADDRESS_MAX || address_parse(s, ADDRESS_ALLOW_UTF8, arena, &a) != ADDRESS_OK ||
        span_find(a.local, '*') != SIZE_MAX) /* quoted or not: its canonical form could be read as a wildcard */
        return false;
    *ret = (struct address_pattern){PATTERN_ADDRESS, a.text, a.local, a.domain};
    return true;
}

bool address_pattern_matches(const struct address_pattern *p, struct span address)
{
    size_t at = span_rfind(address, '@');
    struct span local = span_head(address, at), domain = at == SIZE_MAX ? SPAN("") : span_from(address, at + 1);
    switch (p->kind) {
    case PATTERN_NULL: return address.len == 0;
    case PATTERN_ADDRESS: return at != SIZE_MAX && span_ieq(p->local, local) && span_ieq(p->domain, domain);
    case PATTERN_DOMAIN: return at != SIZE_MAX && span_ieq(p->domain, domain);
    case PATTERN_SUBDOMAINS:
        return domain.len > p->domain.len + 1 && span_iends(domain, p->domain) &&
               domain.ptr[domain.len - p->domain.len - 1] == '.';
    case PATTERN_KINDS: break;
    }
    return false;
}

int address_pattern_compare(const struct address_pattern *a, const struct address_pattern *b)
{
    int c = (a->kind > b->kind) - (a->kind < b->kind);
    if (c == 0)
        c = span_icmp(a->domain, b->domain);
    return c ? c : span_icmp(a->local, b->local);
}
