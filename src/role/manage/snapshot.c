/* snapshot.c: see snapshot.h. */
#include "role/manage/snapshot.h"

#include "base/cursor.h"
#include "runtime/frame.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct ip_endpoint *x = a, *y = b;
    int n = ip_cmp(x->addr, y->addr);
    return n ? n : (x->port > y->port) - (x->port < y->port);
}

/* All of them, into ret unless it is NULL; their number. */
static size_t collect(const struct policy *policy, struct ip_endpoint *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < policy_receive_connector_count(policy); i++) {
        const struct receive_connector *c = policy_receive_connector(policy, i);
        const struct ip_endpoint *bindings = policy_bindings(policy, c->bindings);
        for (uint32_t b = 0; (c->flags & CONNECTOR_ENABLED) && b < c->bindings.count; b++, n++)
            if (ret)
                ret[n] = bindings[b];
    }
    return n;
}

enum err_code snapshot_bindings(const struct policy *policy, struct buf *out, struct err *err)
{
    size_t all = collect(policy, NULL), count = 0;
    struct ip_endpoint *endpoints = calloc(all + 1, sizeof *endpoints);
    if (!endpoints)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    collect(policy, endpoints);
    qsort(endpoints, all, sizeof *endpoints, compare);
    for (size_t i = 0; i < all; i++)
        if (count == 0 || compare(&endpoints[count - 1], &endpoints[i]))
            endpoints[count++] = endpoints[i];
    put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        char text[IP_ENDPOINT_TEXT_MAX];
        put_bytes(out, span_of(ip_print_endpoint(endpoints[i], text)));
    }
    free(endpoints);
    return out->failed || out->len > FRAME_BODY_MAX
               ? err_set(err, ERR_LIMIT, "the receive connectors have too many bindings (%zu)", count)
               : ERR_NONE;
}
