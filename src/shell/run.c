/*
 * run.c: pipelines and statements. Each command pushes its objects on to the next as they come; the last ones are
 * collected, and printed when the transaction is committed.
 *
 * Invariants: after the first error no command runs; a statement that fails leaves nothing changed and prints
 * nothing.
 */
#include "shell/format.h"
#include "shell/internal.h"

#include <string.h>

enum { NOTES_MAX = 1 << 20 };

static const struct shell_command *const builtins[] = {
    &builtin_where, &builtin_select, &builtin_sort,  &builtin_measure, &builtin_table,
    &builtin_list,  &builtin_json,   &builtin_write, &builtin_help,    &builtin_commands};

const struct shell_command *shell_command_at(const struct shell_table *table, size_t i)
{
    if (i < table->command_count)
        return table->commands[i];
    i -= table->command_count;
    return i < ARRAY_LEN(builtins) ? builtins[i] : NULL;
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

void collector_add(struct collector *c, struct value v)
{
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 16;
        struct value *items = ARENA_ARRAY(c->arena, cap, struct value);
        c->failed |= !items;
        if (!items)
            return;
        if (c->count)
            memcpy(items, c->items, c->count * sizeof *items);
        c->items = items;
        c->cap = cap;
    }
    c->items[c->count++] = v;
}

struct run *run_of(const struct shell_call *call)
{
    const struct stage *st = call->pipeline;
    return st->run;
}

enum err_code run_no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY,
                   "the statement takes too much memory; narrow it, for example with -ResultSize");
}

/* ---- one command, one object ---- */

/* What a confirmation or a verbose line is about. */
static void print_target(struct buf *out, const struct stage *st, const struct value *input)
{
    const struct value *identity = record_get(st->arguments, SPAN("Identity"));
    const struct value *target = identity ? identity : input;
    buf_addf(out, "%s", st->command->name);
    if (!target)
        return;
    buf_add(out, SPAN(" \""));
    if (target->kind == VALUE_RECORD && record_get(target->record, SPAN("Name")))
        value_print(out, *record_get(target->record, SPAN("Name")));
    else if (target->kind == VALUE_RECORD && record_get(target->record, SPAN("Identity")))
        value_print(out, *record_get(target->record, SPAN("Identity")));
    else
        value_print(out, *target);
    buf_add(out, SPAN("\""));
}

/* Asks; *ret is the answer. */
static enum err_code ask_confirmation(struct stage *st, const struct value *input, bool *ret)
{
    struct run *run = st->run;
    struct shell_host *host = run->shell->host;
    struct span answer = SPAN("");
    enum err_code code = ERR_UNAVAILABLE;
    CLEANUP(buf_done) struct buf question;
    buf_init(&question, 4096);
    buf_add(&question, SPAN("Are you sure? "));
    print_target(&question, st, input);
    if (host && host->ask)
        code = host->ask(host, SHELL_ASK_CONFIRM, buf_span(&question), &run->arena, &answer, run->err);
    if (code == ERR_UNAVAILABLE && !run->err->text[0])
        err_set(run->err, code, "%s: nobody is there to confirm it; add -Confirm:$false", st->command->name);
    if (!code)
        *ret = answer.len && ascii_lower(answer.ptr[0]) == 'y';
    return code;
}

static enum err_code check_required(struct stage *st, const struct value *input)
{
    for (size_t i = 0; i < st->command->parameter_count; i++) {
        const struct shell_parameter *p = &st->command->parameters[i];
        bool given = record_get(st->arguments, span_of(p->name)) || ((p->flags & PARAMETER_PIPELINE) && input);
        if ((p->flags & PARAMETER_REQUIRED) && !given)
            return err_set(st->run->err, ERR_INVALID, "%s: -%s %s must be given", st->command->name, p->name,
                           p->syntax ? p->syntax : "<Value>");
    }
    return ERR_NONE;
}

static void note(struct run *run, const char *before, struct span text)
{
    buf_addf(&run->notes, "%s%.*s\n", before, SPAN_ARG(text));
}

static void note_verbose(struct stage *st, const struct value *input)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4096);
    print_target(&text, st, input);
    note(st->run, "VERBOSE: ", buf_span(&text));
}

/* Errors about the objects, not about the machinery. */
static bool may_be_passed_over(enum err_code code)
{
    return code == ERR_INVALID || code == ERR_NOT_FOUND || code == ERR_EXISTS || code == ERR_CONFLICT ||
           code == ERR_DENIED || code == ERR_LIMIT;
}

/*
 * An error of a stage. A command that only reads goes on without the object where -ErrorAction says so; one that
 * changes something may have done half of it, so that the statement is undone in any case.
 */
static void handle_error(struct stage *st, enum err_code code)
{
    struct run *run = st->run;
    bool reads = !st->command->changes && !st->command->confirms;
    bool over = st->error_action != ERROR_STOP && may_be_passed_over(code) && (reads || run->shell->transaction);
    if (run->code)
        return;
    if (over && st->error_action == ERROR_CONTINUE)
        note(run, "", span_of(run->err->text));
    if (over && reads) {
        *run->err = (struct err){0};
        return;
    }
    run->code = code;
    run->passed_over = over;
}

static void run_stage(struct stage *st, const struct value *input, bool end);

static void emit(struct shell_call *call, struct value v)
{
    const struct stage *st = call->pipeline;
    if (v.kind != VALUE_LIST) {
        run_stage(st->next, &v, false);
        return;
    }
    for (size_t i = 0; i < v.list.count; i++)
        run_stage(st->next, &v.list.items[i], false);
}

static enum err_code run_object(struct stage *st, struct shell_call *call, struct err *err)
{
    bool confirmed = true;
    enum err_code code = check_required(st, call->input);
    if (code)
        return code;
    bool asks = st->confirm == CONFIRM_ALWAYS || (st->command->confirms && st->confirm != CONFIRM_NEVER);
    if (asks && !st->what_if)
        code = ask_confirmation(st, call->input, &confirmed);
    if (code || !confirmed)
        return code; /* an object that is not confirmed is left alone, and the next one asked about */
    if (st->verbose)
        note_verbose(st, call->input);
    return st->command->run(call, err);
}

/* One object (or none, for the first command) through a stage; or the end of its objects. */
static void run_stage(struct stage *st, const struct value *input, bool end)
{
    struct run *run = st->run;
    if (run->code)
        return;
    if (!st->command) {
        if (!end)
            collector_add(st->collector, *input);
        return;
    }
    struct shell_call call = {.arena = &run->arena,
                              .arguments = st->arguments,
                              .input = input,
                              .what_if = st->what_if,
                              .no_confirm = st->confirm == CONFIRM_NEVER,
                              .host = run->shell->host,
                              .context = run->shell->context,
                              .command = st->command,
                              .emit = emit,
                              .state = &st->state,
                              .pipeline = st};
    enum err_code code = ERR_NONE;
    if (!end)
        code = run_object(st, &call, run->err);
    else if (st->command->end)
        code = st->command->end(&call, run->err);
    if (code)
        handle_error(st, code);
}

/* ---- pipelines ---- */

static enum err_code run_head(struct run *run, const struct pipeline *p, const struct value *current,
                              struct stage *first)
{
    struct value v;
    enum err_code code = eval_expr(run, p->head, current, &v);
    if (code)
        return code;
    struct stage before = {.run = run, .next = first};
    struct shell_call call = {.pipeline = &before};
    emit(&call, v);
    return run->code;
}

enum err_code run_pipeline(struct run *run, const struct pipeline *p, const struct value *current,
                           struct collector *ret)
{
    struct stage *stages = ARENA_ARRAY(&run->arena, p->count + 1, struct stage);
    enum err_code code = stages ? ERR_NONE : run_no_memory(run->err);
    for (size_t i = 0; !code && i < p->count; i++) {
        code = bind_call(run, &p->calls[i], current, &stages[i]);
        stages[i].next = &stages[i + 1];
    }
    if (code)
        return code;
    stages[p->count] = (struct stage){.run = run, .collector = ret};
    if (p->head)
        code = run_head(run, p, current, &stages[0]);
    else
        run_stage(&stages[0], NULL, false);
    if (code)
        return code;
    for (size_t i = 0; i < p->count; i++)
        run_stage(&stages[i], NULL, true);
    return !run->code && ret->failed ? run_no_memory(run->err) : run->code;
}

/* ---- statements ---- */

/* Runs the pipeline and prints into text. */
static enum err_code run_and_format(struct run *run, const struct statement *statement, struct buf *text)
{
    struct collector c = {.arena = &run->arena};
    enum err_code code = run_pipeline(run, &statement->pipeline, NULL, &c);
    if (code)
        return code;
    format_default(text, run->shell, &run->arena, c.items, c.count);
    if (text->failed)
        return err_set(run->err, ERR_LIMIT, "the output is too large; narrow it with Where-Object or -ResultSize");
    return ERR_NONE;
}

static enum err_code run_in_transaction(struct run *run, const struct statement *statement, struct buf *text)
{
    const struct shell *shell = run->shell;
    const struct shell_transaction *t = shell->transaction;
    enum err_code code = t ? t->begin(shell->context, run->err) : ERR_NONE;
    if (code)
        return code;
    code = run_and_format(run, statement, text);
    if (!code && t)
        code = t->commit(shell->context, run->err);
    if (code && t)
        t->rollback(shell->context);
    return code;
}

static void write_out(const struct shell_output *o, void (*write)(void *context, struct span bytes),
                      const struct buf *b)
{
    if (write && b->len)
        write(o->context, buf_span(b));
}

enum err_code shell_execute(const struct shell *shell, const struct statement *statement, struct err *err)
{
    struct run run = {.shell = shell, .err = err};
    struct buf text;
    arena_init(&run.arena, SHELL_STATEMENT_ARENA_MAX);
    buf_init(&run.notes, NOTES_MAX);
    buf_init(&text, SHELL_OUTPUT_MAX);
    *err = (struct err){0};
    enum err_code code = run_in_transaction(&run, statement, &text);
    if (code != ERR_UNAVAILABLE) /* otherwise it may be run again, and would say it twice */
        write_out(&shell->output, shell->output.err, &run.notes);
    if (!code)
        write_out(&shell->output, shell->output.out, &text);
    buf_done(&text);
    buf_done(&run.notes);
    matcher_done(&run.match);
    arena_clear(&run.arena);
    if (!run.passed_over)
        return code;
    *err = (struct err){0};
    return ERR_NONE;
}
