/*
 * admin.c: transactions around statements. The recipients are committed first: a policy without its mailbox does no
 * harm, and no statement changes both in a way that depends on it.
 */
#include "role/common/admin.h"

#include "runtime/clock.h"

#include <sys/random.h>

static void fill_random(void *bytes, size_t count)
{
    ASSERT(getrandom(bytes, count, 0) == (ssize_t)count);
}

enum err_code admin_init(struct admin *a, struct err *err)
{
    arena_init(&a->arena, 0);
    a->context.now_ms = clock_wall_ms;
    a->context.random = fill_random;
    return cmdlet_table(&a->arena, &a->table, err);
}

void admin_done(struct admin *a)
{
    arena_clear(&a->arena);
}

static enum err_code run_one(struct admin *a, const struct statement *st, struct shell_host *host,
                             const struct shell_output *output, struct err *err)
{
    struct cmdlet_context *c = &a->context;
    enum err_code code = object_store_begin(c->policy, err);
    if (code)
        return code;
    code = object_store_begin(c->recipients, err);
    if (!code)
        code = shell_run(&a->table, st, host, c, output, err);
    if (!code)
        code = object_store_commit(c->recipients, err);
    if (!code)
        code = object_store_commit(c->policy, err);
    if (code) {
        object_store_rollback(c->recipients);
        object_store_rollback(c->policy);
    }
    return code;
}

enum err_code admin_run(struct admin *a, struct span text, struct shell_host *host,
                        const struct shell_output *output, struct err *err)
{
    struct arena arena;
    struct script script;
    arena_init(&arena, 64 << 20);
    enum err_code code = syntax_parse(text, &arena, &script, NULL, err);
    for (size_t i = 0; !code && i < script.count; i++)
        code = run_one(a, &script.statements[i], host, output, err);
    arena_clear(&arena);
    return code;
}
