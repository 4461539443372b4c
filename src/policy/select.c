/*
 * select.c: the choice of a receive connector. The accept path walks the index of ranges, smallest first, and stops
 * as soon as nothing better can follow; the traced form judges every connector on its own and compares. That both
 * agree is a property test.
 */
#include "policy/select.h"

#include "policy/block.h"

#include <string.h>

enum binding_match { BINDING_NONE, BINDING_ANY, BINDING_SPECIFIC };

static enum binding_match match_binding(const struct policy *p, const struct receive_connector *c,
                                        struct ip_endpoint local)
{
    const struct ip_endpoint *b = policy_bindings(p, c->bindings);
    enum binding_match best = BINDING_NONE;
    for (uint32_t i = 0; i < c->bindings.count; i++) {
        if (b[i].port != local.port)
            continue;
        if (ip_cmp(b[i].addr, local.addr) == 0)
            return BINDING_SPECIFIC;
        if (ip_is_any(b[i].addr) && ip_is_v4(b[i].addr) == ip_is_v4(local.addr))
            best = BINDING_ANY;
    }
    return best;
}

const struct receive_connector *policy_select(const struct policy *p, struct ip_endpoint local,
                                              struct ip_addr remote)
{
    const struct index_entry *order = block_record(p, SECTION_RANGE_ORDER, 0);
    const struct ip_range *ranges = block_record(p, SECTION_RANGES, 0), *size = NULL;
    const struct receive_connector *best = NULL;
    for (size_t i = 0; i < block_count(p, SECTION_RANGE_ORDER); i++) {
        const struct ip_range *r = &ranges[order[i].item];
        if (best && ip_range_cmp_size(*r, *size) > 0)
            break;
        if (!ip_range_contains(*r, remote))
            continue;
        const struct receive_connector *c = policy_receive_connector(p, order[i].connector);
        enum binding_match binding = c->flags & CONNECTOR_ENABLED ? match_binding(p, c, local) : BINDING_NONE;
        if (binding == BINDING_SPECIFIC)
            return c;
        if (binding == BINDING_ANY && !best) {
            best = c;
            size = r;
        }
    }
    return best;
}

static bool match_range(const struct policy *p, const struct receive_connector *c, struct ip_addr remote,
                        struct ip_range *ret)
{
    const struct ip_range *r = policy_ranges(p, c->ranges), *best = NULL;
    for (uint32_t i = 0; i < c->ranges.count; i++)
        if (ip_range_contains(r[i], remote) && (!best || ip_range_cmp_size(r[i], *best) < 0))
            best = &r[i];
    if (best)
        *ret = *best;
    return best;
}

static struct selection_candidate judge(const struct policy *p, uint32_t i, struct ip_endpoint local,
                                        struct ip_addr remote)
{
    const struct receive_connector *c = policy_receive_connector(p, i);
    enum binding_match binding = match_binding(p, c, local);
    struct selection_candidate k = {.connector = i, .specific_binding = binding == BINDING_SPECIFIC};
    if (!(c->flags & CONNECTOR_ENABLED))
        k.result = CANDIDATE_DISABLED;
    else if (binding == BINDING_NONE)
        k.result = CANDIDATE_OTHER_BINDING;
    else if (!match_range(p, c, remote, &k.range))
        k.result = CANDIDATE_OTHER_RANGE;
    else
        k.result = CANDIDATE_MATCHED;
    return k;
}

/* Equal in size and binding they cannot be (the uniqueness rule); should they be, the GUID decides, never the
 * order. */
static bool better(const struct policy *p, const struct selection_candidate *a, const struct selection_candidate *b)
{
    int size = ip_range_cmp_size(a->range, b->range);
    if (size)
        return size < 0;
    if (a->specific_binding != b->specific_binding)
        return a->specific_binding;
    return span_icmp(policy_text(p, policy_receive_connector(p, a->connector)->guid),
                     policy_text(p, policy_receive_connector(p, b->connector)->guid)) < 0;
}

static void note(struct selection *s, const struct selection_candidate *k)
{
    if (s->candidate_count < SELECTION_CANDIDATES_MAX) {
        s->candidates[s->candidate_count++] = *k;
        return;
    }
    s->truncated = true;
    for (size_t i = SELECTION_CANDIDATES_MAX; k->result == CANDIDATE_MATCHED && i-- > 0;)
        if (s->candidates[i].result != CANDIDATE_MATCHED) {
            s->candidates[i] = *k;
            return;
        }
}

void policy_select_traced(const struct policy *p, struct ip_endpoint local, struct ip_addr remote,
                          struct selection *ret)
{
    struct selection_candidate best = {.result = CANDIDATE_DISABLED};
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < policy_receive_connector_count(p); i++) {
        struct selection_candidate k = judge(p, i, local, remote);
        if (k.result == CANDIDATE_MATCHED && (best.result != CANDIDATE_MATCHED || better(p, &k, &best)))
            best = k;
        note(ret, &k);
    }
    if (best.result == CANDIDATE_MATCHED) {
        ret->connector = policy_receive_connector(p, best.connector);
        ret->index = best.connector;
        ret->range = best.range;
    }
}

unsigned policy_proxy_versions(const struct policy *p, const struct receive_connector *c, struct ip_addr peer)
{
    const struct ip_range *r = policy_proxies(p, c->proxies);
    unsigned versions = c->flags & (CONNECTOR_PROXY_V1 | CONNECTOR_PROXY_V2);
    for (uint32_t i = 0; versions && i < c->proxies.count; i++)
        if (ip_range_contains(r[i], peer))
            return versions;
    return 0;
}

static const struct ip_endpoint *common_binding(const struct connector_scope *a, const struct connector_scope *b)
{
    for (size_t i = 0; i < a->binding_count; i++)
        for (size_t k = 0; k < b->binding_count; k++)
            if (a->bindings[i].port == b->bindings[k].port && ip_cmp(a->bindings[i].addr, b->bindings[k].addr) == 0)
                return &a->bindings[i];
    return NULL;
}

static const struct ip_range *common_range(const struct connector_scope *a, const struct connector_scope *b)
{
    for (size_t i = 0; i < a->range_count; i++)
        for (size_t k = 0; k < b->range_count; k++)
            if (ip_range_eq(a->ranges[i], b->ranges[k]))
                return &a->ranges[i];
    return NULL;
}

bool policy_conflict(const struct connector_scope *a, const struct connector_scope *b,
                     struct ip_endpoint *ret_binding, struct ip_range *ret_range)
{
    const struct ip_endpoint *binding = common_binding(a, b);
    const struct ip_range *range = binding ? common_range(a, b) : NULL;
    if (!range)
        return false;
    *ret_binding = *binding;
    *ret_range = *range;
    return true;
}
