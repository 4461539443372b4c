/*
 * internal.h: what the checks share: the policy with its partition, how far each connector reaches, and the making
 * of findings. Once `failed` is set (no memory), what is made is incomplete and audit_run fails.
 */
#pragma once

#include "audit/audit.h"
#include "audit/partition.h"
#include "audit/session.h"

/* The addresses that a connector wins. */
struct audit_reach {
    struct audit_extent extent; /* at the local class where it is largest */
    bool wide;
    bool loopback;                    /* nothing but this host */
    const struct audit_cell *example; /* NULL: it wins nowhere */
    struct ip_addr remote;            /* within the example, public if possible */
};

struct audit {
    const struct policy *policy;
    const struct audit_facts *facts;
    enum audit_scope scope;
    struct arena *arena;
    struct audit_partition partition;
    struct audit_reach *reach; /* of each connector */
    struct session_probes probes;
    struct audit_finding *findings;
    size_t count, cap;
    bool failed;
};

/* The checks; each adds its findings. */
void audit_check_relays(struct audit *a);
void audit_check_proxies(struct audit *a);
void audit_check_gateways(struct audit *a);
void audit_check_partners(struct audit *a);
void audit_check_access(struct audit *a);     /* passwords, senders */
void audit_check_tls(struct audit *a);        /* versions, certificates */
void audit_check_keytab(struct audit *a);     /* keys for GSSAPI */
void audit_check_entries(struct audit *a);    /* ACLs */
void audit_check_connectors(struct audit *a); /* unreachable, shadowed, disabled */
void audit_check_known_servers(struct audit *a);
void audit_check_domains(struct audit *a);

/* Fills in access and access_count (access.c). */
enum err_code audit_list_access(struct audit *a, struct audit_report *ret, struct err *err);

/* ---- findings (finding.c) ---- */

struct audit_text {
    struct span text, witness, remedy;
};
/* Text is kept as it is: from audit_format, or static. */
struct audit_finding *audit_add_connector(struct audit *a, enum audit_kind kind, enum audit_severity severity,
                                          size_t connector, struct audit_text text);
struct audit_finding *audit_add_domain(struct audit *a, enum audit_kind kind, enum audit_severity severity,
                                       const struct accepted_domain *d, struct audit_text text);
struct span audit_format(struct audit *a, const char *format, ...) PRINTF(2, 3);
/* From when on it is so; empty where that is now. */
struct span audit_moment(struct audit *a, int64_t at_ms);
/* As an argument of the shell: 'it''s'. */
struct span audit_quote(struct audit *a, struct span s);
struct span audit_quoted_name(struct audit *a, const struct receive_connector *c);

/* The options of `mailreeve explain`. Pointers that are NULL: no user, a sender that is not ours, our own domain.
 */
struct audit_session {
    size_t local; /* class */
    struct ip_addr remote;
    bool tls;
    struct span user, from, to;
};
struct span audit_witness(struct audit *a, const struct audit_session *s);

/* ---- remedies (remedy.c) ---- */

/*
 * Takes a right from a kind of session that holds it: by removing the entry that grants it where that is the only
 * one and for this very principal, otherwise with one that denies.
 */
struct span audit_take_right(struct audit *a, const struct receive_connector *c, const struct session_kind *k,
                             enum right right);
struct span audit_remove_entry(struct audit *a, const struct receive_connector *c, const struct policy_ace *e);
/* Stops trusting the clients of an ExternalAuthoritative connector for their addresses alone. */
struct span audit_distrust(struct audit *a, const struct receive_connector *c);
/*
 * Takes addresses out of a connector's ranges; empty where nothing would be left, or where what is left is the
 * range of another connector.
 */
struct span audit_exclude(struct audit *a, const struct receive_connector *c, const struct ip_addr *addresses,
                          size_t count);
