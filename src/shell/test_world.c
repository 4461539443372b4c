/* test_world.c: Get-Thing gives six things with values of every kind; Set-Thing and Remove-Thing count. */
#include "shell/test_world.h"

#include <inttypes.h>

struct thing {
    const char *name;
    bool enabled;
    int64_t count;
    int64_t size; /* -1: unlimited */
    int64_t age;  /* seconds */
    const char *tags[3];
    const char *note; /* NULL: null */
};

static const struct thing things[] = {
    {"alpha", true, 3, 10 << 20, 5, {"red", "Blue"}, NULL},
    {"Beta", false, 20, 64 << 10, 300, {"red"}, "plain"},
    {"gamma", true, 100, -1, 86400, {NULL}, "two\nlines"},
    {"delta", true, 3, 1 << 20, 60, {"green", "blue", "red"}, "esc\x1b[31m"},
    {"it's", false, 0, 0, 0, {"12"}, ""},
    {"caf\u00e9", true, -7, 1025, 1, {"Red"}, "\u00fcber"},
};

static struct value text_list(struct arena *arena, const char *const *texts, size_t max)
{
    struct value *items = ARENA_ARRAY(arena, max, struct value);
    size_t n = 0;
    ASSERT(items);
    while (n < max && texts[n]) {
        items[n] = value_of(texts[n]);
        n++;
    }
    return value_list(items, n);
}

static void set(struct record *r, const char *name, struct value v)
{
    ASSERT(record_set(r, span_of(name), v));
}

static struct value thing_value(struct arena *arena, const struct thing *t, bool small)
{
    struct record *r = record_new(arena, small ? SPAN("SmallThing") : SPAN("Thing"));
    ASSERT(r);
    set(r, "Name", value_of(t->name));
    set(r, "Count", value_int(t->count));
    set(r, "Size", t->size < 0 ? value_unlimited() : value_size(t->size));
    if (small)
        return value_record(r);
    set(r, "Enabled", value_bool(t->enabled));
    set(r, "Age", value_timespan(t->age * 1000));
    set(r, "Since", value_time(t->age * 1000));
    set(r, "Tags", text_list(arena, t->tags, ARRAY_LEN(t->tags)));
    set(r, "Note", t->note ? value_of(t->note) : value_null());
    set(r, "Password", (struct value){.kind = VALUE_SECRET, .s = SPAN_INIT("hush")});
    return value_record(r);
}

static enum err_code get_run(struct shell_call *call, struct err *err)
{
    const struct value *identity = record_get(call->arguments, SPAN("Identity"));
    struct span name = identity && identity->kind == VALUE_STRING ? identity->s : SPAN("*");
    bool found = false;
    if (call->input && call->input->kind == VALUE_STRING)
        name = call->input->s;
    for (size_t i = 0; i < ARRAY_LEN(things); i++)
        if (shell_like(span_of(things[i].name), name)) {
            found = true;
            call->emit(call,
                       thing_value(call->arena, &things[i], record_bool(call->arguments, SPAN("Small"), false)));
        }
    return found ? ERR_NONE : err_set(err, ERR_NOT_FOUND, "The thing \"%.*s\" could not be found", SPAN_ARG(name));
}

/* Set-Thing and Remove-Thing: the thing named alpha is kept; each change counts before it is refused. */
static enum err_code change_run(struct shell_call *call, struct err *err)
{
    struct world *w = call->context;
    const struct value *v = record_get(call->arguments, SPAN("Identity"));
    v = v ? v : call->input;
    if (v->kind != VALUE_RECORD && v->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "a thing is given by its name");
    struct span name = v->kind == VALUE_RECORD ? record_string(v->record, SPAN("Name")) : v->s;
    if (call->what_if) {
        call->host->warn(call->host, name);
        return ERR_NONE;
    }
    w->changes++;
    if (span_eq(name, SPAN("alpha")))
        return err_set(err, ERR_DENIED, "alpha is kept");
    if (span_eq(name, SPAN("broken")))
        return err_set(err, ERR_IO, "the disk is gone");
    return ERR_NONE;
}

/* Prints what was bound, one argument after the other. */
static enum err_code show_run(struct shell_call *call, struct err *err)
{
    struct buf b;
    (void)err;
    buf_init(&b, 4096);
    for (size_t i = 0; i < call->arguments->count; i++) {
        const struct field *f = &call->arguments->fields[i];
        buf_addf(&b, "%s%.*s:%d=", i ? " " : "", SPAN_ARG(f->name), (int)f->value.kind);
        if (f->value.kind != VALUE_RECORD)
            value_print(&b, f->value);
        for (size_t k = 0; f->value.kind == VALUE_RECORD && k < f->value.record->count; k++) {
            buf_addf(&b, "%.*s>", SPAN_ARG(f->value.record->fields[k].name));
            value_print(&b, f->value.record->fields[k].value);
        }
    }
    call->emit(call, value_string(arena_dup(call->arena, buf_span(&b))));
    buf_done(&b);
    return ERR_NONE;
}

static const struct shell_parameter get_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0, "<Name>", "Its name."},
    {"Small", NULL, PARAMETER_SWITCH, NULL, "Fewer properties."},
};
static const struct shell_parameter change_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE | PARAMETER_REQUIRED, "<Name>", "Its name."},
    {"Enabled", NULL, 0, "<Boolean>", "Whether it is on."},
};
static const struct shell_parameter show_parameters[] = {
    {"Name", NULL, PARAMETER_POSITION_0, "<String>", "A name."},
    {"Number", "No", PARAMETER_POSITION_1, "<Int>", "A number."},
    {"RemoteIPRanges", NULL, 0, "<IP range>[,...]", "Ranges."},
    {"RemoteTag", NULL, 0, NULL, "A tag."},
    {"Force", NULL, PARAMETER_SWITCH, NULL, "A switch."},
    {"ForestHidden", NULL, PARAMETER_HIDDEN, NULL, "Nothing."},
};
static const struct shell_parameter secret_parameters[] = {
    {"Name", NULL, PARAMETER_POSITION_0 | PARAMETER_REQUIRED, "<String>", "A name."},
    {"Password", NULL, 0, "<Password>", "A password."},
};
static const struct shell_command get_thing = {.name = "Get-Thing",
                                               .parameters = get_parameters,
                                               .parameter_count = ARRAY_LEN(get_parameters),
                                               .synopsis = "Shows things.",
                                               .description = "A first paragraph.\n\nA second one.",
                                               .examples = "# All of them\nGet-Thing",
                                               .run = get_run};
static const struct shell_command set_thing = {.name = "Set-Thing",
                                               .parameters = change_parameters,
                                               .parameter_count = ARRAY_LEN(change_parameters),
                                               .synopsis = "Changes a thing.",
                                               .changes = true,
                                               .run = change_run};
static const struct shell_command remove_thing = {.name = "Remove-Thing",
                                                  .parameters = change_parameters,
                                                  .parameter_count = ARRAY_LEN(change_parameters),
                                                  .synopsis = "Removes a thing.",
                                                  .confirms = true,
                                                  .changes = true,
                                                  .run = change_run};
static const struct shell_command show_arguments = {.name = "Show-Arguments",
                                                    .parameters = show_parameters,
                                                    .parameter_count = ARRAY_LEN(show_parameters),
                                                    .synopsis = "Shows its arguments.",
                                                    .run = show_run};
static const struct shell_command new_secret = {.name = "New-Secret",
                                                .parameters = secret_parameters,
                                                .parameter_count = ARRAY_LEN(secret_parameters),
                                                .synopsis = "Takes a password.",
                                                .run = show_run};
static const struct shell_command *const commands[] = {&get_thing, &set_thing, &remove_thing, &show_arguments,
                                                       &new_secret};
static const char *const thing_columns[] = {"Name", "Count", "Size", "Tags", NULL};
static const struct shell_view views[] = {{"Thing", thing_columns}};

const struct shell_table world_table = {commands, ARRAY_LEN(commands), views, ARRAY_LEN(views)};

static enum err_code begin(void *context, struct err *err)
{
    struct world *w = context;
    (void)err;
    w->begun++;
    return ERR_NONE;
}

static enum err_code commit(void *context, struct err *err)
{
    struct world *w = context;
    if (w->commit_fails)
        return err_set(err, ERR_UNAVAILABLE, "the store is busy");
    w->committed++;
    w->kept += w->changes;
    w->changes = 0;
    return ERR_NONE;
}

static void rollback(void *context)
{
    struct world *w = context;
    w->rolled_back++;
    w->changes = 0;
}

static const struct shell_transaction transaction = {begin, commit, rollback};

struct world_host {
    struct shell_host host;
    struct world *world;
};

static enum err_code ask(struct shell_host *host, enum shell_ask_kind kind, struct span text, struct arena *arena,
                         struct span *ret_answer, struct err *err)
{
    struct world *w = ((struct world_host *)host)->world;
    (void)kind;
    (void)err;
    buf_addf(&w->warnings, "ask: %.*s\n", SPAN_ARG(text));
    w->asked++;
    if (!w->answer)
        return ERR_UNAVAILABLE;
    *ret_answer = arena_dup(arena, span_of(w->answer));
    return ERR_NONE;
}

static void warn(struct shell_host *host, struct span text)
{
    buf_addf(&((struct world_host *)host)->world->warnings, "warn: %.*s\n", SPAN_ARG(text));
}

static void write_out(void *context, struct span bytes)
{
    buf_add(&((struct world *)context)->out, bytes);
}

static void write_err(void *context, struct span bytes)
{
    buf_add(&((struct world *)context)->err, bytes);
}

void world_init(struct world *w)
{
    *w = (struct world){0};
    buf_init(&w->out, 1 << 24);
    buf_init(&w->err, 1 << 20);
    buf_init(&w->warnings, 1 << 20);
}

void world_done(struct world *w)
{
    arena_clear(&w->arena);
    buf_done(&w->out);
    buf_done(&w->err);
    buf_done(&w->warnings);
}

enum err_code world_run(struct world *w, struct span text)
{
    struct world_host host = {{ask, warn}, w};
    const struct shell shell = {.table = &world_table,
                                .host = &host.host,
                                .context = w,
                                .transaction = w->no_transaction ? NULL : &transaction,
                                .output = {.out = write_out, .err = write_err, .context = w, .width = w->width}};
    struct script script;
    buf_clear(&w->out);
    buf_clear(&w->err);
    buf_clear(&w->warnings);
    w->error = (struct err){0};
    enum err_code code = syntax_parse(text, &w->arena, &script, NULL, &w->error);
    for (size_t i = 0; !code && i < script.count; i++)
        code = shell_execute(&shell, &script.statements[i], &w->error);
    return code;
}
