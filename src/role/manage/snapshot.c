/* snapshot.c: see snapshot.h. The lists live in an arena for as long as one block is made. */
#include "role/manage/snapshot.h"

#include "base/cursor.h"
#include "policy/compile.h"
#include "runtime/frame.h"

#include <stdlib.h>

enum { OBJECTS_MAX = 512 << 20 /* bytes of all objects */ };

struct list {
    struct record **items;
    size_t count;
};

static const struct record *const *items(const struct list *l)
{
    return (const struct record *const *)l->items;
}

static const struct record *first(const struct list *l)
{
    return l->count ? l->items[0] : NULL;
}

enum err_code snapshot_compile(struct object_store *policy, uint64_t version, struct buf *out, struct err *err)
{
    enum { RECEIVE, PERMISSIONS, DOMAINS, SEND, SERVER, CONFIG, CLASSES };
    static const char *const classes[CLASSES] = {
        [RECEIVE] = "ReceiveConnector", [PERMISSIONS] = "ADPermission", [DOMAINS] = "AcceptedDomain",
        [SEND] = "SendConnector",       [SERVER] = "TransportServer",   [CONFIG] = "TransportConfig"};
    struct list lists[CLASSES] = {0};
    struct arena arena;
    enum err_code code = ERR_NONE;
    arena_init(&arena, OBJECTS_MAX);
    for (size_t i = 0; code == ERR_NONE && i < CLASSES; i++)
        code = object_store_list(policy, span_of(classes[i]), &arena, &lists[i].items, &lists[i].count, err);
    const struct policy_input in = {.receive_connectors = items(&lists[RECEIVE]),
                                    .receive_count = lists[RECEIVE].count,
                                    .permissions = items(&lists[PERMISSIONS]),
                                    .permission_count = lists[PERMISSIONS].count,
                                    .domains = items(&lists[DOMAINS]),
                                    .domain_count = lists[DOMAINS].count,
                                    .send_connectors = items(&lists[SEND]),
                                    .send_count = lists[SEND].count,
                                    .server = first(&lists[SERVER]),
                                    .config = first(&lists[CONFIG])};
    if (code == ERR_NONE)
        code = policy_compile(&in, version, out, err);
    arena_clear(&arena);
    return code;
}

/* ---- bindings ---- */

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
