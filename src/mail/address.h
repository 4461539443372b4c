/*
 * address.h: SMTP addresses: the Mailbox and the Path of RFC 5321 4.1.2, with the UTF-8 forms of RFC 6531 where the
 * caller allows them. An address is brought into one canonical form when it is parsed; everything that compares,
 * stores or prints addresses does so with that form.
 */
#pragma once

#include "base/arena.h"

/* Octets as written, quotes and escapes included (RFC 5321 4.5.3.1); a path counts its brackets and its route. */
enum {
    ADDRESS_LOCAL_MAX = 64,
    ADDRESS_DOMAIN_MAX = 255,
    ADDRESS_PATH_MAX = 256,
    ADDRESS_MAX = 254,            /* a mailbox, so that it fits into a path */
    ADDRESS_ROUTE_MAX = 255,      /* a source route with its colon */
    ADDRESS_LONG_LOCAL_MAX = 315, /* with ADDRESS_ALLOW_LONG: what encapsulated and generated addresses need */
    ADDRESS_LONG_MAX = 571,       /* 315 + "@" + 255 */
    ADDRESS_XLONG_MAX = 1860,     /* with ADDRESS_ALLOW_XLONG, the local part too: encapsulated X.400 addresses */
};

struct mail_address {
    /*
     * The canonical form: the local part without quotes it does not need, "@", the domain in small letters and
     * A-labels (domain_ascii), an address literal as the address is printed. It parses back to itself. Empty: the
     * null path.
     */
    struct span text;
    struct span local;  /* part of text, with its quotes */
    struct span domain; /* part of text; empty where there is none: <postmaster>, or a bare local part */
    bool quoted;        /* the local part needs its quotes */
    bool literal;       /* the domain is an address literal */
    bool utf8; /* it was written beyond ASCII, which takes SMTPUTF8; of the canonical form the local part may be */
};

enum address_flag {
    ADDRESS_ALLOW_NULL = 1 << 0,       /* <> */
    ADDRESS_ALLOW_POSTMASTER = 1 << 1, /* <postmaster> without domain */
    ADDRESS_ALLOW_UTF8 = 1 << 2,
    ADDRESS_ALLOW_NO_DOMAIN = 1 << 3, /* any local part alone; the caller adds its default domain */
    ADDRESS_ALLOW_LONG = 1 << 4,      /* up to ADDRESS_LONG_MAX instead of ADDRESS_MAX */
    ADDRESS_ALLOW_XLONG = 1 << 5,     /* up to ADDRESS_XLONG_MAX */
};

enum address_defect {
    ADDRESS_OK = 0,
    ADDRESS_SYNTAX,       /* something follows the address */
    ADDRESS_BRACKETS,     /* a path without its "<" or ">" */
    ADDRESS_ROUTE,        /* a source route that is none */
    ADDRESS_LOCAL,        /* local part missing, or a character or dot where none may be */
    ADDRESS_QUOTE,        /* a quoted local part that does not end */
    ADDRESS_CONTROL,      /* a control character, NUL among them */
    ADDRESS_NO_DOMAIN,    /* a local part alone; with ADDRESS_ALLOW_NO_DOMAIN it is none */
    ADDRESS_EMPTY_DOMAIN, /* nothing behind the "@" */
    ADDRESS_DOMAIN,       /* not a domain name */
    ADDRESS_LITERAL,      /* not an address literal */
    ADDRESS_LOCAL_LONG,
    ADDRESS_DOMAIN_LONG,
    ADDRESS_PATH_LONG,
    ADDRESS_NULL,   /* <> where it is not allowed */
    ADDRESS_UTF8,   /* 8-bit characters that are not allowed, or are not UTF-8 */
    ADDRESS_MEMORY, /* the arena is full */
    ADDRESS_DEFECT_MAX,
};

/* Parses a whole Mailbox, "local@domain" (flags: enum address_flag). What *ret points to lives in the arena. */
NODISCARD enum address_defect address_parse(struct span s, unsigned flags, struct arena *arena,
                                            struct mail_address *ret);
/*
 * Parses a Path at the start of s: "<" [ source route ":" ] mailbox ">". A source route is checked, counted and
 * ignored (RFC 5321 appendix C). *ret_rest is what follows the ">".
 */
NODISCARD enum address_defect address_parse_path(struct span s, unsigned flags, struct arena *arena,
                                                 struct mail_address *ret, struct span *ret_rest);
/* A sentence about a defect, without final dot, for a reply or an error. */
const char *address_defect_text(enum address_defect d);
/* The same mailbox: two canonical forms compared without regard to ASCII case, in the local part too. */
bool address_eq(struct span a, struct span b);
