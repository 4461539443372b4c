/*
 * partition.c: a sweep over the remote addresses. The ranges that hold the present address wait in a heap, the one
 * that wins on top; those that have ended are taken off when they come to the top.
 *
 * Invariant: the order of the heap is that of policy_select: the smaller range, then the binding to this very
 * address, then the GUID. That both agree is a property test.
 */
#include "audit/partition.h"

#include "audit/address.h"

#include <stdlib.h>

/* A connector at an endpoint that it is bound to. */
struct bound {
    struct ip_endpoint at;
    uint32_t connector;
};

/* A range of a connector at a local class. */
struct entry {
    struct ip_range range;
    struct span guid;
    uint32_t connector, index;
    bool specific;
};

struct sweep {
    const struct policy *policy;
    struct arena *arena;
    struct bound *bound; /* by port, family, address */
    size_t bound_count;
    size_t port_first; /* the first at the port of the present local class; these come in order */
    struct entry *entries;
    struct entry **heap;
    size_t entry_count, entry_cap, heap_count;
    struct audit_cell *cells;
    size_t cell_count, cell_cap;
    bool failed; /* no memory */
};

/* ---- local classes ---- */

static int order_endpoints(struct ip_endpoint a, struct ip_endpoint b)
{
    if (a.port != b.port)
        return a.port < b.port ? -1 : 1;
    if (ip_is_v4(a.addr) != ip_is_v4(b.addr))
        return ip_is_v4(a.addr) ? -1 : 1;
    return ip_cmp(a.addr, b.addr);
}

static int by_endpoint(const void *a, const void *b)
{
    const struct bound *x = a, *y = b;
    int c = order_endpoints(x->at, y->at);
    return c ? c : (x->connector > y->connector) - (x->connector < y->connector);
}

static bool list_bindings(struct sweep *s)
{
    const struct policy *p = s->policy;
    size_t all = 0, n = 0, connectors = policy_receive_connector_count(p);
    for (size_t i = 0; i < connectors; i++)
        all += policy_receive_connector(p, i)->bindings.count;
    s->bound = ARENA_ARRAY(s->arena, all + 1, struct bound);
    for (size_t i = 0; s->bound && i < connectors; i++) {
        const struct receive_connector *c = policy_receive_connector(p, i);
        const struct ip_endpoint *b = policy_bindings(p, c->bindings);
        for (uint32_t k = 0; (c->flags & CONNECTOR_ENABLED) && k < c->bindings.count; k++)
            s->bound[n++] = (struct bound){b[k], (uint32_t)i};
    }
    s->bound_count = n;
    if (s->bound)
        qsort(s->bound, n, sizeof *s->bound, by_endpoint);
    return s->bound;
}

static bool is_bound(const struct sweep *s, struct ip_endpoint e)
{
    size_t low = 0, high = s->bound_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_endpoints(s->bound[middle].at, e) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->bound_count && order_endpoints(s->bound[low].at, e) == 0;
}

/* An address of the family without a binding of its own at the port: this host's, else loopback, else any. */
static struct ip_addr example_for(const struct sweep *s, struct ip_endpoint any, const struct ip_addr *own,
                                  size_t own_count)
{
    static const struct ip_addr v6_loopback = {.bytes = {[15] = 1}};
    bool v4 = ip_is_v4(any.addr);
    struct ip_endpoint e = {.port = any.port};
    for (size_t i = 0; i < own_count; i++) {
        e.addr = own[i];
        if (ip_is_v4(own[i]) == v4 && !ip_is_any(own[i]) && !is_bound(s, e))
            return own[i];
    }
    e.addr = v4 ? ip_v4(127, 0, 0, 1) : v6_loopback;
    while (is_bound(s, e) && audit_next_address(e.addr, &e.addr))
        ;
    return e.addr;
}

static bool list_locals(const struct sweep *s, const struct ip_addr *own, size_t own_count,
                        struct audit_partition *ret)
{
    ret->locals = ARENA_ARRAY(s->arena, s->bound_count + 1, struct audit_local);
    for (size_t i = 0; ret->locals && i < s->bound_count; i++) {
        struct ip_endpoint at = s->bound[i].at;
        bool every = ip_is_any(at.addr);
        if (i > 0 && order_endpoints(s->bound[i - 1].at, at) == 0)
            continue;
        if (every)
            at.addr = example_for(s, at, own, own_count);
        ret->locals[ret->local_count++] = (struct audit_local){at, every};
    }
    return ret->locals;
}

/* ---- the ranges at a local class ---- */

static void *grown(struct sweep *s, const void *from, size_t count, size_t *cap, size_t size)
{
    size_t wanted = *cap ? *cap * 2 : 64;
    char *to = arena_array(s->arena, wanted, size);
    s->failed = s->failed || !to;
    for (size_t i = 0; to && i < count * size; i++)
        to[i] = ((const char *)from)[i];
    if (to)
        *cap = wanted;
    return to;
}

static void add_ranges(struct sweep *s, uint32_t connector, bool specific, bool v4)
{
    const struct receive_connector *c = policy_receive_connector(s->policy, connector);
    const struct ip_range *r = policy_ranges(s->policy, c->ranges);
    for (uint32_t i = 0; i < c->ranges.count; i++) {
        if (ip_is_v4(r[i].first) != v4)
            continue;
        if (s->entry_count == s->entry_cap) {
            struct entry *to = grown(s, s->entries, s->entry_count, &s->entry_cap, sizeof *to);
            if (!to)
                return;
            s->entries = to;
        }
        s->entries[s->entry_count++] =
            (struct entry){r[i], policy_text(s->policy, c->guid), connector, i, specific};
    }
}

static void list_ranges(struct sweep *s, struct audit_local local)
{
    bool v4 = ip_is_v4(local.at.addr);
    s->entry_count = 0;
    while (s->bound[s->port_first].at.port < local.at.port)
        s->port_first++;
    for (size_t i = s->port_first; i < s->bound_count && s->bound[i].at.port == local.at.port; i++) {
        const struct bound *b = &s->bound[i];
        if (ip_is_v4(b->at.addr) != v4)
            continue;
        bool specific = !local.every && ip_cmp(b->at.addr, local.at.addr) == 0;
        bool twice = i > 0 && order_endpoints(b[-1].at, b->at) == 0 && b[-1].connector == b->connector;
        if ((specific || ip_is_any(b->at.addr)) && !twice)
            add_ranges(s, b->connector, specific, v4);
    }
}

/* ---- the heap ---- */

static bool wins(const struct entry *a, const struct entry *b)
{
    int c = ip_range_cmp_size(a->range, b->range);
    if (c)
        return c < 0;
    if (a->specific != b->specific)
        return a->specific;
    c = span_icmp(a->guid, b->guid);
    return c ? c < 0 : a->index < b->index;
}

static void push(struct sweep *s, struct entry *e)
{
    size_t i = s->heap_count++;
    for (; i > 0 && wins(e, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

static void pop(struct sweep *s)
{
    struct entry *e = s->heap[--s->heap_count];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < s->heap_count; i = k) {
        if (k + 1 < s->heap_count && wins(s->heap[k + 1], s->heap[k]))
            k++;
        if (!wins(s->heap[k], e))
            break;
        s->heap[i] = s->heap[k];
    }
    s->heap[i] = e;
}

/* ---- the sweep ---- */

static int by_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return ip_cmp(x->range.first, y->range.first);
}

static void add_cell(struct sweep *s, struct audit_cell cell)
{
    struct audit_cell *before = s->cell_count ? &s->cells[s->cell_count - 1] : NULL;
    struct ip_addr next;
    if (before && before->local == cell.local && before->connector == cell.connector &&
        before->range == cell.range && audit_next_address(before->remote.last, &next) &&
        ip_cmp(next, cell.remote.first) == 0) {
        before->remote.last = cell.remote.last;
        return;
    }
    if (s->cell_count == s->cell_cap) {
        struct audit_cell *to = grown(s, s->cells, s->cell_count, &s->cell_cap, sizeof *to);
        if (!to)
            return;
        s->cells = to;
    }
    s->cells[s->cell_count++] = cell;
}

static void sweep(struct sweep *s, uint32_t local)
{
    size_t next = 0;
    struct ip_addr at = {{0}};
    bool more = true;
    s->heap_count = 0;
    s->heap = ARENA_ARRAY(s->arena, s->entry_count + 1, struct entry *);
    s->failed = s->failed || !s->heap;
    if (s->failed || s->entry_count == 0)
        return;
    qsort(s->entries, s->entry_count, sizeof *s->entries, by_first);
    while (more && !s->failed && (s->heap_count || next < s->entry_count)) {
        if (s->heap_count == 0 && ip_cmp(at, s->entries[next].range.first) < 0)
            at = s->entries[next].range.first;
        for (; next < s->entry_count && ip_cmp(s->entries[next].range.first, at) <= 0; next++)
            push(s, &s->entries[next]);
        if (ip_cmp(s->heap[0]->range.last, at) < 0) {
            pop(s);
            continue;
        }
        const struct entry *winner = s->heap[0];
        struct ip_addr end = winner->range.last, stop;
        if (next < s->entry_count && audit_previous_address(s->entries[next].range.first, &stop) &&
            ip_cmp(stop, end) < 0)
            end = stop;
        add_cell(s, (struct audit_cell){{at, end}, local, winner->connector, winner->index});
        more = audit_next_address(end, &at);
    }
}

/* ---- the result ---- */

/* Stable, so that the cells of a connector keep the order in which they were found. */
static bool group_by_connector(struct sweep *s, struct audit_partition *ret)
{
    size_t connectors = policy_receive_connector_count(s->policy);
    size_t *at = ARENA_ARRAY(s->arena, connectors + 2, size_t);
    ret->cells = ARENA_ARRAY(s->arena, s->cell_count + 1, struct audit_cell);
    if (!at || !ret->cells)
        return false;
    for (size_t i = 0; i < s->cell_count; i++)
        at[s->cells[i].connector + 2]++;
    for (size_t i = 1; i <= connectors + 1; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < s->cell_count; i++) /* at[c + 1]: where the next one of c goes */
        ret->cells[at[s->cells[i].connector + 1]++] = s->cells[i];
    ret->first = at;
    ret->cell_count = s->cell_count;
    return true;
}

enum err_code audit_partition_make(const struct policy *p, const struct ip_addr *own, size_t own_count,
                                   struct arena *arena, struct audit_partition *ret, struct err *err)
{
    struct sweep s = {.policy = p, .arena = arena};
    *ret = (struct audit_partition){0};
    s.failed = !list_bindings(&s) || !list_locals(&s, own, own_count, ret);
    for (size_t i = 0; !s.failed && i < ret->local_count; i++) {
        list_ranges(&s, ret->locals[i]);
        sweep(&s, (uint32_t)i);
    }
    if (s.failed || !group_by_connector(&s, ret))
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    return ERR_NONE;
}
