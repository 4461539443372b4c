/* admin.c: see admin.h. */
#include "role/common/admin.h"

#include "cmdlet/pending.h"
#include "cmdlet/table.h"
#include "cmdlet/transaction.h"
#include "runtime/clock.h"

#include <string.h>
#include <sys/random.h>

enum { SYNTAX_ARENA_MAX = 64 << 20 };

static void fill_random(void *bytes, size_t count)
{
    ASSERT(getrandom(bytes, count, 0) == (ssize_t)count);
}

enum err_code admin_init(struct admin *a, struct err *err)
{
    *a = (struct admin){.context = {.now_ms = clock_wall_ms, .random = fill_random}};
    arena_init(&a->arena, 0);
    return cmdlet_table(&a->arena, &a->table, err);
}

void admin_watch(struct admin *a, struct object_store *policy, struct object_store *recipients, const char *caller)
{
    trail_init(&a->trail, policy, recipients, &a->context);
    trail_set_caller(&a->trail, caller);
    a->context.policy = &a->trail.policy.store;
    a->context.recipients = recipients == policy ? a->context.policy : &a->trail.recipients.store;
}

static enum err_code roll_back(struct admin *a, struct err *err)
{
    char caller[TRAIL_CALLER_MAX];
    memcpy(caller, a->trail.caller, sizeof caller);
    trail_set_caller(&a->trail, "mailreeve");
    trail_set_event(&a->trail, "Undo-Policy", "the policy that was applied was not confirmed in time");
    enum err_code code = object_store_begin(a->context.policy, err);
    if (!code) {
        code = pending_roll_back(&a->context, err);
        if (!code)
            code = object_store_commit(a->context.policy, err);
        if (code)
            object_store_rollback(a->context.policy);
    }
    trail_set_caller(&a->trail, caller);
    return code;
}

enum err_code admin_roll_back_due(struct admin *a, bool *ret_done, int64_t *ret_deadline_ms, struct err *err)
{
    struct pending p;
    enum err_code code = pending_read(a->context.policy, &p, err);
    if (code)
        return code;
    bool due = p.deadline_ms && a->context.now_ms() >= p.deadline_ms;
    if (due)
        code = roll_back(a, err);
    if (code)
        return code;
    *ret_done = due;
    *ret_deadline_ms = due ? 0 : p.deadline_ms;
    return ERR_NONE;
}

void admin_done(struct admin *a)
{
    trail_done(&a->trail);
    arena_clear(&a->arena);
}

enum err_code admin_run(struct admin *a, struct span text, struct shell_host *host,
                        const struct shell_output *output, struct err *err)
{
    const struct shell shell = {.table = &a->table,
                                .host = host,
                                .context = &a->context,
                                .transaction = &cmdlet_transaction,
                                .output = *output};
    struct arena arena;
    struct script script;
    arena_init(&arena, SYNTAX_ARENA_MAX);
    enum err_code code = syntax_parse(text, &arena, &script, NULL, err);
    for (size_t i = 0; !code && i < script.count; i++) {
        trail_set_statement(&a->trail, &a->table, &script.statements[i]);
        code = shell_execute(&shell, &script.statements[i], err);
    }
    trail_set_statement(&a->trail, NULL, NULL);
    arena_clear(&arena);
    return code;
}
