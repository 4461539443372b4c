/* host_uses.c: when the entries of ACLs were made (the policy) and used (grants.usage, as sessions told). */
#include "cli/host_facts.h"
#include "role/common/grant_usage.h"

#include <stdlib.h>

static int by_entry(const void *a, const void *b)
{
    const struct audit_use *x = a, *y = b;
    return span_icmp(x->entry, y->entry);
}

static enum err_code list_uses(struct grant_usage *u, struct object_store *policy, struct arena *arena,
                               struct audit_facts *facts, struct err *err)
{
    struct record **all;
    size_t count;
    enum err_code code = object_store_list(policy, SPAN("ADPermission"), arena, &all, &count, err);
    struct audit_use *uses = code ? NULL : ARENA_ARRAY(arena, count, struct audit_use);
    if (code)
        return code;
    if (!uses)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const struct value *made = record_get(all[i], SPAN("WhenCreated"));
        uint64_t times;
        uses[i].entry = record_string(all[i], SPAN("Guid"));
        uses[i].made_ms = made && made->kind == VALUE_TIME ? made->i : facts->now_ms;
        u->view.find(&u->view, uses[i].entry, &uses[i].last_ms, &times); /* untouched where it was never used */
    }
    qsort(uses, count, sizeof *uses, by_entry);
    facts->uses = uses;
    facts->use_count = count;
    return ERR_NONE;
}

enum err_code host_facts_uses(const char *state, struct object_store *policy, struct arena *arena,
                              struct audit_facts *facts, struct err *err)
{
    struct grant_usage u;
    grant_usage_init(&u);
    enum err_code code = grant_usage_load(&u, state, err);
    if (!code)
        code = list_uses(&u, policy, arena, facts, err);
    grant_usage_done(&u);
    return code;
}
