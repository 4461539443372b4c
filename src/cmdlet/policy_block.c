/* policy_block.c: see policy_block.h. The lists live in an arena for as long as one block is made. */
#include "cmdlet/policy_block.h"

#include "policy/compile.h"

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

enum err_code cmdlet_policy_block(struct object_store *policy, uint64_t version, struct buf *out, struct err *err)
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
