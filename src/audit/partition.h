/*
 * partition.h: who answers whom. For each local address and port, the remote address space is cut at the bounds of
 * all ranges that count there, and each piece (a cell) belongs to the one connector that policy_select chooses for
 * all of its addresses. What no connector answers is in no cell.
 *
 * Local addresses fall into classes: each one that a binding names, and for a binding to every address all the
 * others of its family, for which one stands as an example.
 *
 * With n ranges at a local class it takes n log n steps and at most 2n cells. A connector counts at every class
 * that its bindings reach: one that is bound to every address also at the single addresses that others have at its
 * port.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "policy/policy.h"

struct audit_local {
    struct ip_endpoint at; /* the address itself, or the example */
    bool every;            /* stands for all addresses without a binding of their own */
};

struct audit_cell {
    struct ip_range remote;
    uint32_t local;     /* index of the class */
    uint32_t connector; /* index of the winner */
    uint32_t range;     /* index of its range that won, within its own */
};

struct audit_partition {
    struct audit_local *locals;
    size_t local_count;
    struct audit_cell *cells; /* by connector, then local class, then address */
    size_t cell_count;
    size_t *first; /* of each connector's cells; one entry more than there are connectors */
};

/*
 * own: addresses of this host, the first that are free are taken as examples; may be none. Everything lives in the
 * arena. ERR_NO_MEMORY.
 */
NODISCARD enum err_code audit_partition_make(const struct policy *p, const struct ip_addr *own, size_t own_count,
                                             struct arena *arena, struct audit_partition *ret, struct err *err);
