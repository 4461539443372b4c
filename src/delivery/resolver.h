/*
 * resolver.h: the DNS port, and the two questions that delivery asks of it. An adapter looks single record sets up
 * (resolver_unbound.h: libunbound; resolver_fake.h: a table); everything that RFC 5321, 5.1 makes of them is in
 * resolver.c, once for all adapters.
 *
 * Answers come from the loop, never from inside the call that asks, exactly once unless cancelled before.
 */
#pragma once

#include "base/buf.h"
#include "base/ip.h"

enum {
    RESOLVER_NAME_MAX = 253,     /* octets of a name without the final dot */
    RESOLVER_HOSTS_MAX = 16,     /* exchangers used of one domain: the best ones */
    RESOLVER_ADDRESSES_MAX = 16, /* addresses used of one host */
};

enum resolver_status {
    RESOLVER_OK,        /* at least one record */
    RESOLVER_NO_NAME,   /* the name does not exist (NXDOMAIN), or cannot: it is no domain name */
    RESOLVER_NO_DATA,   /* it exists, without records of this kind */
    RESOLVER_NULL_MX,   /* the domain says that it takes no mail (RFC 7505) */
    RESOLVER_TEMPORARY, /* SERVFAIL, timeout, bogus DNSSEC, no server: ask again later */
};

/* ---- the port: one record set ---- */

enum resolver_type { RESOLVER_MX, RESOLVER_A, RESOLVER_AAAA, RESOLVER_TLSA, RESOLVER_TXT };

struct resolver_record {
    struct ip_addr addr; /* A, AAAA */
    uint16_t preference; /* MX */
    struct span host;    /* MX; without a final dot, "" for the root */
    struct span data;    /* TLSA, TXT: as on the wire */
};

struct resolver_records {
    enum resolver_status status; /* OK, NO_NAME, NO_DATA or TEMPORARY */
    const struct resolver_record *records;
    size_t count;
    bool secure; /* DNSSEC proves the answer, that there is none included; never with TEMPORARY */
    struct span
        canonical;    /* OK: the name at the end of the CNAMEs, without a final dot; empty: the one asked for */
    const char *text; /* TEMPORARY: a reason for people */
};

typedef void resolver_records_fn(void *context, const struct resolver_records *records);

struct resolver_lookup; /* an adapter's */

struct resolver {
    /* Follows CNAMEs. The name is a valid domain name (resolver_name_valid) and copied. NULL: it cannot ask now. */
    struct resolver_lookup *(*lookup)(struct resolver *r, enum resolver_type type, struct span name,
                                      resolver_records_fn *done, void *context);
    void (*cancel)(struct resolver *r, struct resolver_lookup *l); /* done will not be called */
    /* Cancels what is open. An adapter with handles on a loop closes them; run the loop once more after it. */
    void (*close)(struct resolver *r);
};

void resolver_close(struct resolver *r); /* NULL allowed */

/* ---- what delivery asks ---- */

struct resolver_host {
    struct span name;
    uint16_t preference;
};

struct resolver_answer {
    enum resolver_status status;
    const struct resolver_host *hosts; /* of resolver_ask_mx, the best first */
    size_t host_count;
    bool implicit;                   /* no MX record: hosts is the domain itself (RFC 5321, 5.1) */
    const struct ip_addr *addresses; /* of resolver_ask_addresses */
    size_t address_count;
    const struct resolver_record *records; /* of resolver_ask_records */
    size_t record_count;
    bool secure;           /* DNSSEC proves the answer; of addresses: of each family that has any */
    struct span canonical; /* of resolver_ask_addresses: where the CNAMEs end; empty: at the host itself */
    const char *text;      /* a reason for people where status is not OK */
};

/* The answer is valid during the call. */
typedef void resolver_answer_fn(void *context, const struct resolver_answer *answer);

struct resolver_question;

/*
 * The hosts that take a domain's mail, by preference, equal ones in random order; the domain itself when it has no
 * MX record (its addresses are not looked at here). NULL when memory is out or the adapter cannot ask.
 */
struct resolver_question *resolver_ask_mx(struct resolver *r, struct span domain, resolver_answer_fn *done,
                                          void *context);
/*
 * The addresses of a host: IPv6 and IPv4 in turn, beginning with IPv6. One family is enough for OK, even when the
 * other question failed. NULL as above.
 */
struct resolver_question *resolver_ask_addresses(struct resolver *r, struct span host, resolver_answer_fn *done,
                                                 void *context);
/* The records of one type (TLSA, TXT) as they are. NULL as above. */
struct resolver_question *resolver_ask_records(struct resolver *r, enum resolver_type type, struct span name,
                                               resolver_answer_fn *done, void *context);
void resolver_question_cancel(struct resolver_question *q);

/* The text of a TXT record: its strings one after the other, appended. False when it is malformed. */
bool resolver_txt(struct span data, struct buf *out);

/* Letters, digits, '-' and '_' in labels of 1..63 octets, RESOLVER_NAME_MAX in all; a final dot is allowed. */
bool resolver_name_valid(struct span name);
/* A host that needs no question: an address, with or without [ ] ("[IPv6:...]" too), or "localhost". Gives the
 * number of addresses, 0 when it is a name. */
size_t resolver_literal(struct span host, struct ip_addr ret[static 2]);
