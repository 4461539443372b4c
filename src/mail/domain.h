/*
 * domain.h: domain names and address literals as text (RFC 5321 4.1.2 and 4.1.3, RFC 1035 2.3.1), and patterns of
 * domain names.
 */
#pragma once

#include "base/buf.h"
#include "base/ip.h"

enum { DOMAIN_MAX = 255, DOMAIN_LABEL_MAX = 63, DOMAIN_ULABEL_MAX = 252 /* octets of UTF-8 */ };

enum domain_flag {
    DOMAIN_ALLOW_UTF8 = 1 << 0, /* U-labels, taken as well-formed UTF-8 without control characters */
    DOMAIN_STRICT = 1 << 1,     /* no underscore: a host name. Otherwise one is tolerated, as networks use them */
};

/* Labels of letters, digits and inner hyphens; no empty label, no trailing dot; flags: enum domain_flag. */
bool domain_valid(struct span s, unsigned flags);
/*
 * Appends a valid domain in the one form that all ways to write it share: in small letters, U-labels as A-labels.
 * False: a label has none, or the name becomes too long; what was appended is then of no use. Valid patterns
 * ("*.example.com") are taken as well.
 */
NODISCARD bool domain_ascii(struct buf *out, struct span domain);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", the tag in any case. */
NODISCARD bool domain_literal(struct span s, struct ip_addr *ret);
/* Prints the literal of an address. */
void domain_literal_print(struct buf *out, struct ip_addr a);
/*
 * What a client may say after EHLO or HELO: a domain (an underscore is tolerated) or an address literal. Brackets
 * of other kinds, blanks, control and 8-bit characters are refused, so the argument can be shown anywhere.
 */
bool domain_valid_ehlo(struct span s);

/* "*", "*." and a domain, or a domain. */
bool domain_pattern_valid(struct span pattern, unsigned flags);
/*
 * Whether a valid pattern covers a name: "*" every name, "*.example.com" what lies below example.com at any depth
 * but not itself, a domain only itself. ASCII case is ignored.
 */
bool domain_pattern_matches(struct span pattern, struct span name);
/* How specific a pattern is; of two that match the larger is the closer one: 0 for "*", most for a whole name. */
size_t domain_pattern_specificity(struct span pattern);
