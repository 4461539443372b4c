/*
 * Any bytes as a script. What parses is told apart again: each statement's source gives the same tree. What runs,
 * runs within its limits, undoes itself on an error and prints nothing then. Any text survives quoting.
 */
#include "base/utf8.h"
#include "shell/shell.h"
#include "shell/test_tree.h"
#include "shell/test_world.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_source(const struct statement *st, struct arena *arena)
{
    struct script again;
    struct err err = {0};
    struct buf a, b;
    buf_init(&a, 1 << 24);
    buf_init(&b, 1 << 24);
    ASSERT(syntax_parse(st->source, arena, &again, NULL, &err) == ERR_NONE && again.count == 1);
    tree_print(&a, &st->pipeline);
    tree_print(&b, &again.statements[0].pipeline);
    ASSERT(!a.failed && span_eq(buf_span(&a), buf_span(&b)));
    buf_done(&a);
    buf_done(&b);
}

static void check_quote(struct span text, struct arena *arena)
{
    struct script s;
    struct err err = {0};
    struct buf b;
    struct value items[] = {value_string(text), value_null(), value_int((int64_t)text.len)};
    buf_init(&b, 1 << 20);
    buf_add(&b, SPAN("X -Name "));
    shell_quote(&b, value_string(text));
    ASSERT(b.failed == (!utf8_valid(text) || span_find(text, '\0') != SIZE_MAX));
    if (!b.failed) {
        buf_add_char(&b, ' ');
        shell_quote(&b, value_list(items, ARRAY_LEN(items)));
        ASSERT(syntax_parse(buf_span(&b), arena, &s, NULL, &err) == ERR_NONE && s.count == 1);
        const struct command_call *call = &s.statements[0].pipeline.calls[0];
        ASSERT(call->count == 3 && value_eq(call->arguments[1].value->value, items[0], false));
        ASSERT(call->arguments[2].value->count == ARRAY_LEN(items));
        for (size_t i = 0; i < ARRAY_LEN(items); i++)
            ASSERT(value_eq(call->arguments[2].value->items[i]->value, items[i], false));
    }
    buf_done(&b);
}

static void check_run(struct span text)
{
    struct world w;
    world_init(&w);
    w.answer = text.len % 2 ? "y" : NULL;
    enum err_code code = world_run(&w, text);
    ASSERT(!code || w.error.text[0]);
    ASSERT(w.changes == 0 && w.begun == w.committed + w.rolled_back);
    ASSERT(utf8_valid(buf_span(&w.out)) && span_find(buf_span(&w.out), 0x1b) == SIZE_MAX);
    world_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct script script;
    struct err err = {0};
    struct span *names;
    size_t from = 0;
    bool incomplete;
    const struct span text = span_make(data, size);
    arena_init(&arena, 256 << 20);
    enum err_code code = syntax_parse(text, &arena, &script, &incomplete, &err);
    ASSERT(code ? err.text[0] != 0 : !incomplete);
    ASSERT(shell_complete(text) == !incomplete);
    for (size_t i = 0; !code && i < script.count; i++)
        check_source(&script.statements[i], &arena);
    check_quote(text, &arena);
    if (!code)
        check_run(text);
    if (shell_completions(&world_table, text, &arena, &names, &from))
        ASSERT(from <= size);
    arena_clear(&arena);
    return 0;
}
