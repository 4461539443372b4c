/* audit.c: the whole: the partition, what each connector reaches, the checks, the order of the report. */
#include "audit/internal.h"

#include <stdlib.h>

/* ---- how far connectors reach ---- */

static bool is_loopback(struct ip_range r)
{
    return ip_is_loopback(r.first) && ip_is_loopback(r.last);
}

/* The cells of a connector stand together, those of a local class as well. */
static struct audit_reach reach_of(const struct audit_partition *part, size_t connector)
{
    struct audit_reach r = {.loopback = true};
    struct audit_extent here = {0};
    bool public_example = false;
    for (size_t k = part->first[connector]; k < part->first[connector + 1]; k++) {
        const struct audit_cell *cell = &part->cells[k];
        struct ip_addr remote;
        bool first = k == part->first[connector], is_public = audit_public_example(cell->remote, &remote);
        if (!first && cell[-1].local != cell->local)
            here = (struct audit_extent){0};
        audit_extent_add(&here, cell->remote);
        r.wide = r.wide || audit_extent_is_wide(here);
        r.extent = audit_extent_max(r.extent, here);
        r.loopback = r.loopback && is_loopback(cell->remote);
        if (first || (is_public && !public_example)) {
            r.example = cell;
            r.remote = audit_example(cell->remote);
            public_example = is_public;
        }
    }
    return r;
}

static bool measure(struct audit *a)
{
    size_t n = policy_receive_connector_count(a->policy);
    a->reach = ARENA_ARRAY(a->arena, n + 1, struct audit_reach);
    for (size_t i = 0; a->reach && i < n; i++)
        a->reach[i] = reach_of(&a->partition, i);
    return a->reach;
}

static enum err_code prepare(struct audit *a, struct err *err)
{
    struct ip_addr *own = ARENA_ARRAY(a->arena, a->facts->address_count + 1, struct ip_addr);
    size_t n = 0;
    for (size_t i = 0; own && i < a->facts->address_count; i++)
        if ((a->facts->addresses[i].flags & AUDIT_OWN) && !ip_is_loopback(a->facts->addresses[i].addr))
            own[n++] = a->facts->addresses[i].addr;
    if (!own)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    enum err_code code = audit_partition_make(a->policy, own, n, a->arena, &a->partition, err);
    if (!code)
        code = session_probes_make(a->policy, &a->probes, err);
    if (!code && !measure(a))
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    return code;
}

/* ---- the report ---- */

static int by_weight(const void *a, const void *b)
{
    const struct audit_finding *x = a, *y = b;
    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int c = span_icmp(x->object, y->object);
    return c ? c : span_cmp(x->text, y->text);
}

enum err_code audit_run(const struct policy *p, const struct audit_facts *facts, enum audit_scope scope,
                        struct arena *arena, struct audit_report *ret, struct err *err)
{
    struct audit a = {.policy = p,
                      .facts = facts,
                      .scope = scope,
                      .arena = arena,
                      .probes = {.now_ms = facts->now_ms, .arena = arena}};
    enum err_code code = prepare(&a, err);
    if (code)
        return code;
    *ret = (struct audit_report){0};
    audit_check_relays(&a);
    audit_check_proxies(&a);
    if (scope == AUDIT_ALL) {
        audit_check_gateways(&a);
        audit_check_partners(&a);
        audit_check_access(&a);
        audit_check_tls(&a);
        audit_check_keytab(&a);
        audit_check_known_servers(&a);
        audit_check_connectors(&a);
        audit_check_domains(&a);
        audit_check_entries(&a);
    }
    if (scope == AUDIT_ALL && !a.failed)
        code = audit_list_access(&a, ret, err);
    if (code)
        return code;
    if (a.failed || a.probes.failed)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (a.count)
        qsort(a.findings, a.count, sizeof *a.findings, by_weight);
    ret->findings = a.findings;
    ret->count = a.count;
    for (size_t i = 0; i < a.count; i++)
        ret->by_severity[a.findings[i].severity]++;
    return ERR_NONE;
}
