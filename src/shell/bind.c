/*
 * bind.c: arguments to parameters. A parameter goes by its name, its alias or any beginning of its name that means
 * no other; those that every command has (-WhatIf, -Confirm, ...) are kept apart from the command's own.
 *
 * Invariant: an error never shows a value of a command that takes passwords.
 */
#include "shell/internal.h"

enum common { COMMON_CONFIRM, COMMON_WHATIF, COMMON_VERBOSE, COMMON_ERROR_ACTION };

const struct shell_parameter bind_common[] = {
    [COMMON_CONFIRM] = {"Confirm", "cf", PARAMETER_SWITCH, NULL,
                        "Asks before each object; -Confirm:$false never asks."},
    [COMMON_WHATIF] = {"WhatIf", "wi", PARAMETER_SWITCH, NULL,
                       "Checks everything and says what would be done, but changes nothing."},
    [COMMON_VERBOSE] = {"Verbose", "vb", PARAMETER_SWITCH, NULL, "Says which objects the command runs on."},
    [COMMON_ERROR_ACTION] =
        {"ErrorAction", "ea", 0, "Stop | Continue | SilentlyContinue",
         "What an error does. Stop, the default: it ends the statement, which is undone. Continue "
         "says it and goes on, SilentlyContinue only goes on; where the command changes something, "
         "the statement is undone even then."},
};
const size_t bind_common_count = ARRAY_LEN(bind_common);

struct binder {
    struct run *run;
    const struct command_call *call;
    const struct value *current;
    struct stage stage;
    bool *used; /* per argument: it is the value of the parameter before it */
};

bool bind_has_common(const struct shell_command *c, size_t i)
{
    return i == COMMON_VERBOSE || i == COMMON_ERROR_ACTION || c->changes || c->confirms;
}

/* ---- names ---- */

static size_t parameter_total(const struct shell_command *c)
{
    return c->parameter_count + bind_common_count;
}

/* The i-th parameter, the command's own first; NULL for a common one that the command does not have. */
static const struct shell_parameter *parameter_at(const struct shell_command *c, size_t i)
{
    if (i < c->parameter_count)
        return &c->parameters[i];
    i -= c->parameter_count;
    return bind_has_common(c, i) ? &bind_common[i] : NULL;
}

static const struct shell_parameter *find_exact(const struct shell_command *c, struct span name)
{
    for (size_t i = 0; i < parameter_total(c); i++) {
        const struct shell_parameter *p = parameter_at(c, i);
        if (p && (span_ieq(span_of(p->name), name) || (p->alias && span_ieq(span_of(p->alias), name))))
            return p;
    }
    return NULL;
}

/* The one parameter whose name begins so, among those shown in help or those that are not. */
static const struct shell_parameter *find_prefix(const struct shell_command *c, struct span name, bool hidden,
                                                 bool *ret_ambiguous)
{
    const struct shell_parameter *found = NULL;
    for (size_t i = 0; i < parameter_total(c); i++) {
        const struct shell_parameter *p = parameter_at(c, i);
        if (!p || !(p->flags & PARAMETER_HIDDEN) == hidden || !span_istarts(span_of(p->name), name))
            continue;
        *ret_ambiguous = found != NULL;
        if (found)
            return NULL;
        found = p;
    }
    return found;
}

static void list_names(struct buf *out, const struct shell_command *c, struct span prefix)
{
    for (size_t i = 0; i < parameter_total(c); i++) {
        const struct shell_parameter *p = parameter_at(c, i);
        if (p && !(p->flags & PARAMETER_HIDDEN) && span_istarts(span_of(p->name), prefix))
            buf_addf(out, "%s-%s", out->len ? ", " : "", p->name);
    }
}

static enum err_code fail_ambiguous(struct binder *b, struct span name)
{
    CLEANUP(buf_done) struct buf names;
    buf_init(&names, 4096);
    list_names(&names, b->stage.command, name);
    return err_set(b->run->err, ERR_INVALID, "%s: -%.*s may mean any of %.*s", b->stage.command->name,
                   SPAN_ARG(span_head(name, 60)), SPAN_ARG(buf_span(&names)));
}

static enum err_code fail_unknown(struct binder *b, struct span name)
{
    const struct shell_command *c = b->stage.command;
    struct suggestion near = {.typed = name};
    char hint[96];
    CLEANUP(buf_done) struct buf names;
    buf_init(&names, 300); /* as far as the error's text goes */
    for (size_t i = 0; i < parameter_total(c); i++)
        if (parameter_at(c, i))
            suggest_offer(&near, parameter_at(c, i)->name);
    list_names(&names, c, SPAN(""));
    name = span_head(name, 60);
    if (near.best)
        return err_set(b->run->err, ERR_INVALID, "%s: there is no parameter -%.*s%s", c->name, SPAN_ARG(name),
                       suggest_text(&near, "-", hint));
    if (names.failed)
        return err_set(b->run->err, ERR_INVALID,
                       "%s: there is no parameter -%.*s; Get-Help %s shows those there are", c->name,
                       SPAN_ARG(name), c->name);
    return err_set(b->run->err, ERR_INVALID, "%s: there is no parameter -%.*s; there are %.*s", c->name,
                   SPAN_ARG(name), SPAN_ARG(buf_span(&names)));
}

static enum err_code find_parameter(struct binder *b, struct span name, const struct shell_parameter **ret)
{
    bool ambiguous = false;
    *ret = find_exact(b->stage.command, name);
    if (!*ret)
        *ret = find_prefix(b->stage.command, name, false, &ambiguous);
    if (!*ret && !ambiguous)
        *ret = find_prefix(b->stage.command, name, true, &ambiguous);
    if (*ret)
        return ERR_NONE;
    return ambiguous ? fail_ambiguous(b, name) : fail_unknown(b, name);
}

/* ---- values ---- */

static enum err_code to_switch(struct binder *b, const struct shell_parameter *p, struct value v, bool *ret)
{
    *ret = (v.kind == VALUE_BOOL && v.b) || (v.kind == VALUE_STRING && span_ieq(v.s, SPAN("true")));
    if (*ret || v.kind == VALUE_BOOL || (v.kind == VALUE_STRING && span_ieq(v.s, SPAN("false"))))
        return ERR_NONE;
    return err_set(b->run->err, ERR_INVALID, "%s: -%s is a switch: -%s, -%s:$true or -%s:$false is expected",
                   b->stage.command->name, p->name, p->name, p->name, p->name);
}

static enum err_code to_error_action(struct binder *b, struct value v, enum error_action *ret)
{
    static const struct {
        struct span word;
        enum error_action action;
    } words[] = {{SPAN_INIT("Stop"), ERROR_STOP},
                 {SPAN_INIT("Continue"), ERROR_CONTINUE},
                 {SPAN_INIT("SilentlyContinue"), ERROR_SILENT},
                 {SPAN_INIT("Ignore"), ERROR_SILENT}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (v.kind == VALUE_STRING && span_ieq(v.s, words[i].word)) {
            *ret = words[i].action;
            return ERR_NONE;
        }
    return err_set(b->run->err, ERR_INVALID, "%s: -ErrorAction is one of %s", b->stage.command->name,
                   bind_common[COMMON_ERROR_ACTION].syntax);
}

static enum err_code set_common(struct binder *b, const struct shell_parameter *p, struct value v)
{
    bool on = false;
    enum err_code code = p->flags & PARAMETER_SWITCH ? to_switch(b, p, v, &on) : ERR_NONE;
    if (code)
        return code;
    switch ((enum common)(p - bind_common)) {
    case COMMON_CONFIRM: b->stage.confirm = on ? CONFIRM_ALWAYS : CONFIRM_NEVER; break;
    case COMMON_WHATIF: b->stage.what_if = on; break;
    case COMMON_VERBOSE: b->stage.verbose = on; break;
    case COMMON_ERROR_ACTION: return to_error_action(b, v, &b->stage.error_action);
    }
    return ERR_NONE;
}

static bool is_common(const struct shell_parameter *p)
{
    return p >= bind_common && p < bind_common + bind_common_count;
}

static enum err_code set_parameter(struct binder *b, const struct shell_parameter *p, struct value v)
{
    if (is_common(p))
        return set_common(b, p, v);
    if (p->flags & PARAMETER_SWITCH) {
        bool on;
        enum err_code code = to_switch(b, p, v, &on);
        if (code)
            return code;
        v = value_bool(on);
    }
    if (record_get(b->stage.arguments, span_of(p->name)))
        return err_set(b->run->err, ERR_INVALID, "%s: -%s is given twice", b->stage.command->name, p->name);
    return record_set(b->stage.arguments, span_of(p->name), v) ? ERR_NONE : run_no_memory(b->run->err);
}

/* ---- the call ---- */

static enum err_code bind_named(struct binder *b, size_t i)
{
    const struct argument *a = &b->call->arguments[i];
    const struct shell_parameter *p;
    const struct expr *e = a->value;
    struct value v = value_bool(true);
    enum err_code code = find_parameter(b, a->name, &p);
    if (code)
        return code;
    if (!e && !(p->flags & PARAMETER_SWITCH)) {
        if (i + 1 == b->call->count || b->call->arguments[i + 1].name.len)
            return err_set(b->run->err, ERR_INVALID, "%s: -%s wants a value: -%s %s", b->stage.command->name,
                           p->name, p->name, p->syntax ? p->syntax : "<Value>");
        b->used[i + 1] = true;
        e = b->call->arguments[i + 1].value;
    }
    if (e)
        code = eval_expr(b->run, e, b->current, &v);
    return code ? code : set_parameter(b, p, v);
}

static bool takes_secret(const struct shell_command *c)
{
    for (size_t i = 0; i < c->parameter_count; i++)
        if (span_iends(span_of(c->parameters[i].name), SPAN("Password")))
            return true;
    return false;
}

static enum err_code fail_too_much(struct binder *b, size_t i)
{
    const struct argument *a = &b->call->arguments[i];
    const char *name = b->stage.command->name;
    struct span text = takes_secret(b->stage.command) ? SPAN("a value") : span_head(a->text, 60);
    if (i && b->call->arguments[i - 1].name.len && !b->call->arguments[i - 1].value) {
        struct span before = span_head(b->call->arguments[i - 1].name, 60);
        return err_set(b->run->err, ERR_INVALID,
                       "%s: -%.*s is a switch; a value stands behind a colon: -%.*s:$false", name, SPAN_ARG(before),
                       SPAN_ARG(before));
    }
    return err_set(b->run->err, ERR_INVALID, "%s: %.*s stands without the name of its parameter: -Name value", name,
                   SPAN_ARG(text));
}

/* A value without a name goes to the first parameter that takes one and has none yet. */
static enum err_code bind_positional(struct binder *b, size_t i)
{
    const struct shell_command *c = b->stage.command;
    struct value v;
    for (unsigned flag = PARAMETER_POSITION_0; flag <= PARAMETER_POSITION_1; flag <<= 1)
        for (size_t k = 0; k < c->parameter_count; k++) {
            const struct shell_parameter *p = &c->parameters[k];
            if (!(p->flags & flag) || record_get(b->stage.arguments, span_of(p->name)))
                continue;
            enum err_code code = eval_expr(b->run, b->call->arguments[i].value, b->current, &v);
            return code ? code : set_parameter(b, p, v);
        }
    return fail_too_much(b, i);
}

static enum err_code fail_no_command(struct run *run, struct span name)
{
    struct suggestion near = {.typed = name};
    const struct shell_command *c;
    char hint[96];
    for (size_t i = 0; (c = shell_command_at(run->shell->table, i)); i++)
        suggest_offer(&near, c->name);
    return err_set(run->err, ERR_NOT_FOUND, "there is no command \"%.*s\"%s", SPAN_ARG(span_head(name, 80)),
                   near.best ? suggest_text(&near, "", hint) : "; Get-Command lists those there are");
}

enum err_code bind_call(struct run *run, const struct command_call *call, const struct value *current,
                        struct stage *ret)
{
    struct binder b = {.run = run,
                       .call = call,
                       .current = current,
                       .stage = {.run = run, .command = shell_find_command(run->shell->table, call->name)},
                       .used = ARENA_ARRAY(&run->arena, call->count, bool)};
    enum err_code code = ERR_NONE;
    if (!b.stage.command)
        return fail_no_command(run, call->name);
    b.stage.arguments = record_new(&run->arena, SPAN("Arguments"));
    if (!b.stage.arguments || !b.used)
        return run_no_memory(run->err);
    for (size_t i = 0; !code && i < call->count; i++)
        if (call->arguments[i].name.len)
            code = bind_named(&b, i);
    for (size_t i = 0; !code && i < call->count; i++)
        if (!call->arguments[i].name.len && !b.used[i])
            code = bind_positional(&b, i);
    if (!code)
        *ret = b.stage;
    return code;
}
