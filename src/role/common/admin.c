/* admin.c: see admin.h. */
#include "role/common/admin.h"

#include "cmdlet/table.h"
#include "cmdlet/transaction.h"
#include "runtime/clock.h"

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

void admin_done(struct admin *a)
{
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
    for (size_t i = 0; !code && i < script.count; i++)
        code = shell_execute(&shell, &script.statements[i], err);
    arena_clear(&arena);
    return code;
}
