/*
 * select.h: which receive connector a connection belongs to. Nothing but the local endpoint and the remote address
 * counts. Among the enabled connectors whose bindings and ranges match, the smallest matching range wins; of equal
 * ones that with a binding to this very local address. The order of the connectors never matters, and there is no
 * fall-through: what the winner refuses is refused.
 */
#pragma once

#include "policy/policy.h"

/* The connector for a connection; NULL: none matches. For the accept path: takes no memory. */
const struct receive_connector *policy_select(const struct policy *p, struct ip_endpoint local,
                                              struct ip_addr remote);

enum candidate_result {
    CANDIDATE_MATCHED,
    CANDIDATE_DISABLED,
    CANDIDATE_OTHER_BINDING, /* no binding for the local endpoint */
    CANDIDATE_OTHER_RANGE,   /* no range with the remote address */
};

struct selection_candidate {
    uint32_t connector; /* index */
    enum candidate_result result;
    struct ip_range range; /* its smallest that matched; only for CANDIDATE_MATCHED */
    bool specific_binding; /* bound to this very local address */
};

enum { SELECTION_CANDIDATES_MAX = 64 };

struct selection {
    const struct receive_connector *connector; /* NULL: none matches */
    uint32_t index;                            /* of it; like `range` only where there is one */
    struct ip_range range;                     /* its range that counted */
    /* All connectors as far as there is room; where there is not, those that matched displace the others. */
    struct selection_candidate candidates[SELECTION_CANDIDATES_MAX];
    size_t candidate_count;
    bool truncated;
};

/* The same choice as policy_select, with the reasons. Fills in all of *ret. */
void policy_select_traced(const struct policy *p, struct ip_endpoint local, struct ip_addr remote,
                          struct selection *ret);

/*
 * The versions of the PROXY protocol (CONNECTOR_PROXY_V1 and _V2) in one of which a connection must begin with a
 * header, when it comes from this peer and that selected this connector; 0: none is read. A header leads to a
 * second selection, for the client's address and the same local endpoint; no second header is read, whatever that
 * selects.
 */
unsigned policy_proxy_versions(const struct policy *p, const struct receive_connector *c, struct ip_addr peer);

/* What a connector is responsible for. */
struct connector_scope {
    const struct ip_endpoint *bindings;
    size_t binding_count;
    const struct ip_range *ranges;
    size_t range_count;
};

/*
 * The uniqueness rule: two connectors of one server conflict when they have a binding and a remote range in common.
 * True if they do, with the first such pair.
 */
bool policy_conflict(const struct connector_scope *a, const struct connector_scope *b,
                     struct ip_endpoint *ret_binding, struct ip_range *ret_range);
