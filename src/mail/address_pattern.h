/*
 * address_pattern.h: patterns of addresses: whom an entry of an ACL is about. The grammar is exact and small:
 *
 *   local@domain    that address
 *   *@domain        every address of that very domain (a name, or an address literal)
 *   *@*.domain      every address of the domains below it, at any depth, not of itself
 *   <>              the null sender
 *
 * An asterisk stands for a whole local part, or for the labels in front of a domain; anywhere else it is an error,
 * so that nobody writes "print*@example.com" and means something by it. ASCII case is ignored everywhere, in local
 * parts as well.
 */
#pragma once

#include "base/arena.h"

enum address_pattern_kind {
    PATTERN_NULL,       /* <> */
    PATTERN_ADDRESS,    /* local@domain */
    PATTERN_DOMAIN,     /* *@domain */
    PATTERN_SUBDOMAINS, /* *@*.domain */
    PATTERN_KINDS,
};

struct address_pattern {
    enum address_pattern_kind kind;
    struct span text;   /* the canonical form; it parses to itself */
    struct span local;  /* of PATTERN_ADDRESS, with its quotes; otherwise empty */
    struct span domain; /* without "*."; empty for PATTERN_NULL */
};

/* False when it is none, or the arena is full. What *ret points to lives in the arena. */
NODISCARD bool address_pattern_parse(struct span s, struct arena *arena, struct address_pattern *ret);
/* Whether it covers an address in canonical form (address.h); the empty address is the null sender. */
bool address_pattern_matches(const struct address_pattern *p, struct span address);
/*
 * A total order without regard to ASCII case: by kind, then domain, then local part. Equal are patterns that cover
 * the same addresses.
 */
int address_pattern_compare(const struct address_pattern *a, const struct address_pattern *b);
