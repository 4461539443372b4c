/*
 * audit.h: what is dangerous, weak or without effect in a policy, decided over all remote addresses, TLS states and
 * principals: the address space is cut into the cells of partition.h, and for each connector the decision engine is
 * asked for every kind of session that can come to exist there (session.h). Nothing is sampled: within a cell and a
 * kind of session all decisions are alike.
 *
 * Each finding has a session that shows it and the cmdlet that mends it.
 *
 * With n ranges, the partition takes n log n steps (see partition.h); the checks take as many as there are cells
 * and entries of ACLs, and for each principal that an ACL names the entries about the rights asked for.
 */
#pragma once

#include "audit/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "policy/policy.h"

enum audit_severity { AUDIT_NOTE, AUDIT_WARNING, AUDIT_DANGER, AUDIT_SEVERITIES };

/* The order is that of the report among findings of one severity. */
enum audit_kind {
    AUDIT_OPEN_RELAY,
    AUDIT_EXTERNALLY_SECURED, /* on a wide range */
    AUDIT_PROXY_SOURCES,      /* of the PROXY protocol: they may relay by claiming an address */
    AUDIT_GATEWAY_RELAY,
    AUDIT_PUBLIC_RELAY,  /* from more public addresses than single hosts, but no open relay */
    AUDIT_PARTNER_RELAY, /* every partner may relay */
    AUDIT_PASSWORD_IN_CLEAR,
    AUDIT_OWN_DOMAIN_SENDER,
    AUDIT_ANY_SENDER, /* every user may send as anybody */
    AUDIT_WEAK_TLS,
    AUDIT_NO_CERTIFICATE,
    AUDIT_CERTIFICATE_EXPIRED,
    AUDIT_CERTIFICATE_EXPIRING,
    AUDIT_NO_KEYTAB,    /* Kerberos is on, and there are no keys for it */
    AUDIT_KNOWN_SERVER, /* a smart host is answered by a connector that is not for servers */
    AUDIT_UNREACHABLE,
    AUDIT_SHADOWED_RANGE,
    AUDIT_WILDCARD_DOMAIN,
    AUDIT_DENY_WITHOUT_EFFECT,
    AUDIT_GRANT_WITHOUT_EFFECT,
    AUDIT_EXPIRED_ENTRY,
    AUDIT_UNUSED_GRANT,
    AUDIT_DISABLED,
    AUDIT_KINDS,
};

struct audit_kind_info {
    const char *name; /* stable: "open-relay" */
    const char *why;  /* why it matters, a sentence or two */
};

const struct audit_kind_info *audit_kind_info(enum audit_kind kind);
const char *audit_severity_name(enum audit_severity s); /* stable: "danger" */

/* ---- what the policy does not say ---- */

enum audit_address_flag {
    AUDIT_OWN = 1 << 0,     /* an address of this host */
    AUDIT_BRIDGE = 1 << 1,  /* ... on a bridge, such as docker0 */
    AUDIT_GATEWAY = 1 << 2, /* a router that packets of this host go through */
};

struct audit_address {
    struct ip_addr addr;
    unsigned flags;        /* enum audit_address_flag */
    struct span interface; /* its name */
};

/* One name that a certificate with its key is good for. */
struct audit_certificate {
    struct span host;              /* a connector's Fqdn, or this host's name */
    int64_t not_before, not_after; /* milliseconds since 1970 */
};

/* When an entry of an ACL was made and used. */
struct audit_use {
    struct span entry; /* its Guid */
    int64_t made_ms;   /* since 1970, as the next */
    int64_t last_ms;   /* 0: never */
};

struct audit_facts {
    int64_t now_ms;
    struct span host; /* this server's name: that of connectors without an Fqdn */
    const struct audit_address *addresses;
    size_t address_count;
    bool certificates_known; /* otherwise nothing is said about certificates */
    const struct audit_certificate *certificates;
    size_t certificate_count;
    bool keytab_known; /* otherwise nothing is said about it */
    bool keytab_usable;
    struct span keytab_text;      /* why it is not, a sentence's end */
    const struct audit_use *uses; /* in the order of span_icmp; about entries that are not in it nothing is said */
    size_t use_count;
};

/* ---- the report ---- */

struct audit_finding {
    enum audit_kind kind;
    enum audit_severity severity;
    const char *class_name; /* "ReceiveConnector", "AcceptedDomain" */
    struct span object;     /* its name */
    struct span text;       /* what is so, a sentence */
    /* A session that shows it, as the options of `mailreeve explain`; empty where there is none. */
    struct span witness;
    struct span remedy;         /* a line for the shell, without -Force */
    uint64_t key;               /* the same for the same kind and object, whatever they are called */
    struct audit_extent extent; /* of the first three kinds: the public addresses that may relay */
};

/* What one kind of session may do on a connector that it can reach. */
struct audit_access {
    struct span connector; /* its name */
    struct span who;       /* a principal as entries have it: a well-known name, user:GUID, group:GUID */
    bool tls;
    bool submit;                   /* mail to our own domains */
    bool relay;                    /* ... to any domain */
    bool own_sender, other_sender; /* from any address of our own domains, of other domains */
};

struct audit_report {
    struct audit_finding *findings; /* the worst first */
    size_t count;
    size_t by_severity[AUDIT_SEVERITIES];
    struct audit_access *access; /* by connector; not of AUDIT_RELAYS */
    size_t access_count;
};

enum audit_scope {
    AUDIT_ALL,
    AUDIT_RELAYS, /* what opens a relay to the public: the first three kinds, as far as they are a danger for that
                   */
};

/*
 * Everything in the report lives in the arena or is a view into the policy. ERR_NO_MEMORY: the arena is full, and
 * nothing can be said.
 */
NODISCARD enum err_code audit_run(const struct policy *p, const struct audit_facts *facts, enum audit_scope scope,
                                  struct arena *arena, struct audit_report *ret, struct err *err);

/* Appends the report for people. explain stands before each witness: "mailreeve explain --state DIR". */
void audit_print(struct buf *out, const struct audit_report *r, struct span explain);
