/*
 * eval.c: values of expressions, and the pipeline: each command pushes its objects on to the next, the last ones
 * are gathered.
 *
 * Invariant: the first error ends everything; nothing is printed then.
 */
#include "shell/internal.h"

#include <string.h>

void collector_add(struct collector *c, struct value v)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        struct value *items = ARENA_ARRAY(c->arena, cap, struct value);
        if (!items) {
            c->failed = true;
            return;
        }
        if (c->count)
            memcpy(items, c->items, c->count * sizeof *items);
        c->items = items;
        c->cap = cap;
    }
    c->items[c->count++] = v;
}

static enum err_code out_of_memory(struct run *run)
{
    return err_set(run->err, ERR_NO_MEMORY, "the statement needs too much memory");
}

static enum err_code eval_list(struct run *run, const struct expr *e, const struct value *current,
                               struct value *ret)
{
    struct value *items = ARENA_ARRAY(&run->arena, e->count, struct value);
    if (!items)
        return out_of_memory(run);
    for (size_t i = 0; i < e->count; i++) {
        enum err_code code = eval_expr(run, e->items[i], current, &items[i]);
        if (code)
            return code;
        if (items[i].kind == VALUE_LIST)
            return err_set(run->err, ERR_INVALID, "a list inside a list is not understood here");
    }
    *ret = value_list(items, e->count);
    return ERR_NONE;
}

static enum err_code eval_hash(struct run *run, const struct expr *e, const struct value *current,
                               struct value *ret)
{
    struct record *r = record_new(&run->arena, SPAN("Hashtable"));
    for (size_t i = 0; r && i < e->count; i++) {
        struct value v;
        enum err_code code = eval_expr(run, e->items[i], current, &v);
        if (code)
            return code;
        if (!record_set(r, e->names[i], v))
            return out_of_memory(run);
    }
    *ret = value_record(r);
    return r ? ERR_NONE : out_of_memory(run);
}

static struct value member(struct value v, struct span name)
{
    if (v.kind == VALUE_RECORD) {
        const struct value *f = record_get(v.record, name);
        return f ? *f : value_null();
    }
    if (span_ieq(name, SPAN("Count")))
        return value_int(v.kind == VALUE_LIST ? (int64_t)v.list.count : v.kind != VALUE_NULL);
    if (span_ieq(name, SPAN("Length")) && v.kind == VALUE_STRING)
        return value_int((int64_t)v.s.len);
    return value_null();
}

static enum err_code eval_pipeline_value(struct run *run, const struct expr *e, struct value *ret)
{
    struct collector c = {.arena = &run->arena};
    enum err_code code = run_pipeline(run, e->pipeline, &c);
    if (!code)
        *ret = c.count == 0 ? value_null() : c.count == 1 ? c.items[0] : value_list(c.items, c.count);
    return code;
}

static enum err_code eval_binary(struct run *run, const struct expr *e, const struct value *current,
                                 struct value *ret)
{
    struct value a, b;
    enum err_code code = eval_expr(run, e->items[0], current, &a);
    bool and = span_ieq(e->op, SPAN("and")), or = span_ieq(e->op, SPAN("or")), result = false;
    if (code)
        return code;
    if ((and&&!value_truth(a)) || (or &&value_truth(a))) {
        *ret = value_bool(or);
        return ERR_NONE;
    }
    code = eval_expr(run, e->items[1], current, &b);
    if (!code && (and || or))
        result = value_truth(b);
    else if (!code)
        code = compare_values(e->op, a, b, &result, run->err);
    *ret = value_bool(result);
    return code;
}

enum err_code eval_expr(struct run *run, const struct expr *e, const struct value *current, struct value *ret)
{
    struct value v = value_null();
    enum err_code code = ERR_NONE;
    switch (e->kind) {
    case EXPR_LITERAL: v = e->value; break;
    case EXPR_LIST: code = eval_list(run, e, current, &v); break;
    case EXPR_HASH: code = eval_hash(run, e, current, &v); break;
    case EXPR_BLOCK: v = (struct value){.kind = VALUE_BLOCK, .block = e->items[0]}; break;
    case EXPR_PIPELINE: code = eval_pipeline_value(run, e, &v); break;
    case EXPR_BINARY: code = eval_binary(run, e, current, &v); break;
    case EXPR_UNARY:
        code = eval_expr(run, e->items[0], current, &v);
        v = value_bool(!value_truth(v));
        break;
    case EXPR_MEMBER:
        if (!current)
            return err_set(run->err, ERR_INVALID, "$_ means the present object, and is known inside { } only");
        v = *current;
        for (size_t i = 0; i < e->count; i++)
            v = member(v, e->names[i]);
        break;
    }
    if (!code)
        *ret = v;
    return code;
}

enum err_code eval_filter(struct shell_call *call, const struct expr *block, struct value current, bool *ret,
                          struct err *err)
{
    struct stage *st = call->pipeline;
    struct value v;
    (void)err;
    enum err_code code = eval_expr(st->run, block, &current, &v);
    *ret = !code && value_truth(v);
    return code;
}

/* ---- pipeline ---- */

static void run_stage(struct stage *st, const struct value *input, bool end);

static void emit_to_next(struct shell_call *call, struct value v)
{
    struct stage *st = call->pipeline;
    if (!st->run->code)
        run_stage(st->next, &v, false);
}

static enum err_code confirm(struct stage *st, const struct value *input)
{
    struct buf b;
    struct span answer = SPAN("");
    const struct value *identity = record_get(st->arguments, SPAN("Identity"));
    buf_init(&b, 400);
    buf_addf(&b, "Are you sure? %s ", st->command->name);
    if (identity)
        value_print(&b, *identity);
    else if (input && input->kind == VALUE_RECORD)
        buf_addf(&b, "%.*s", SPAN_ARG(record_string(input->record, SPAN("Name"))));
    enum err_code code =
        st->run->host->ask(st->run->host, SHELL_ASK_CONFIRM, buf_span(&b), &st->run->arena, &answer, st->run->err);
    buf_done(&b);
    if (code == ERR_UNAVAILABLE && !st->run->err->text[0])
        err_set(st->run->err, ERR_UNAVAILABLE,
                "%s asks for confirmation, and nobody is there to give it; add -Confirm:$false", st->command->name);
    else if (!code && !(answer.len && ascii_lower(answer.ptr[0]) == 'y'))
        code = err_set(st->run->err, ERR_DENIED, "%s: not confirmed; nothing was changed", st->command->name);
    return code;
}

static enum err_code check_required(struct stage *st, const struct value *input)
{
    for (size_t i = 0; i < st->command->parameter_count; i++) {
        const struct shell_parameter *p = &st->command->parameters[i];
        bool from_pipeline = (p->flags & PARAMETER_PIPELINE) && input;
        if ((p->flags & PARAMETER_REQUIRED) && !from_pipeline && !record_get(st->arguments, span_of(p->name)))
            return err_set(st->run->err, ERR_INVALID, "%s: -%s %s must be given", st->command->name, p->name,
                           p->syntax ? p->syntax : "");
    }
    return ERR_NONE;
}

/* One object (or none) through one command. The last stage has no command: it gathers. */
static void run_stage(struct stage *st, const struct value *input, bool end)
{
    struct run *run = st->run;
    if (!st->command) {
        if (!end)
            collector_add(st->state, *input);
        return;
    }
    struct shell_call call = {.arena = &run->arena,
                              .arguments = st->arguments,
                              .input = input,
                              .what_if = st->what_if,
                              .no_confirm = st->no_confirm,
                              .host = run->host,
                              .context = run->context,
                              .command = st->command,
                              .emit = emit_to_next,
                              .state = &st->state,
                              .pipeline = st};
    enum err_code code = ERR_NONE;
    if (end) {
        if (st->command->end)
            code = st->command->end(&call, run->err);
    } else {
        code = check_required(st, input);
        if (!code && st->command->confirms && !st->no_confirm && !st->what_if)
            code = confirm(st, input);
        if (!code)
            code = st->command->run(&call, run->err);
    }
    if (code && !run->code)
        run->code = code;
}

enum err_code run_pipeline(struct run *run, const struct pipeline *p, struct collector *ret)
{
    struct stage *stages = ARENA_ARRAY(&run->arena, p->count + 1, struct stage);
    if (!stages)
        return out_of_memory(run);
    for (size_t i = 0; i < p->count; i++) {
        enum err_code code = bind_call(run, &p->calls[i], &stages[i]);
        if (code)
            return code;
        stages[i].next = &stages[i + 1];
    }
    stages[p->count] = (struct stage){.run = run, .state = ret};
    run_stage(&stages[0], NULL, false);
    for (size_t i = 0; !run->code && i < p->count; i++)
        run_stage(&stages[i], NULL, true);
    if (!run->code && ret->failed)
        run->code = out_of_memory(run);
    return run->code;
}

const struct shell_command *shell_command_at(const struct shell_table *table, size_t i)
{
    if (i < table->command_count)
        return table->commands[i];
    i -= table->command_count;
    return i < builtin_count ? builtin_commands[i] : NULL;
}

const struct shell_command *shell_find_command(const struct shell_table *table, struct span name)
{
    const struct shell_command *c;
    for (size_t i = 0; (c = shell_command_at(table, i)); i++) {
        if (span_ieq(name, span_of(c->name)))
            return c;
        for (const char *const *a = c->aliases; a && *a; a++)
            if (span_ieq(name, span_of(*a)))
                return c;
    }
    return NULL;
}

enum err_code shell_run(const struct shell_table *table, const struct statement *statement, struct shell_host *host,
                        void *context, const struct shell_output *output, struct err *err)
{
    struct run run = {.table = table, .host = host, .context = context, .err = err};
    struct buf text;
    arena_init(&run.arena, SHELL_STATEMENT_ARENA_MAX);
    buf_init(&text, OUTPUT_TEXT_MAX);
    struct collector c = {.arena = &run.arena};
    enum err_code code = run_pipeline(&run, &statement->pipeline, &c);
    if (!code) {
        format_default(&text, table, c.items, c.count);
        code = text.failed
                   ? err_set(err, ERR_LIMIT, "the output is too large; narrow it with Where-Object or -ResultSize")
                   : ERR_NONE;
    }
    if (!code && text.len)
        output->out(output->context, buf_span(&text));
    buf_done(&text);
    arena_clear(&run.arena);
    return code;
}
