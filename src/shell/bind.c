/* bind.c: arguments to parameters. Names may be cut short where that is unambiguous; errors name what was typed and
 * what is known. */
#include "shell/internal.h"

#include <string.h>

enum common { COMMON_WHATIF, COMMON_CONFIRM, COMMON_VERBOSE, COMMON_ERROR_ACTION, COMMON_COUNT };

static const struct {
    const char *name;
    bool takes_value;
} commons[COMMON_COUNT] = {{"WhatIf", false}, {"Confirm", false}, {"Verbose", false}, {"ErrorAction", true}};

static struct span label(const struct shell_parameter *p)
{
    return span_of(p->name);
}

/* Exact name or alias first, then a unique prefix. NULL: none (ambiguous: *ret_ambiguous). */
static const struct shell_parameter *find_parameter(const struct shell_command *c, struct span name,
                                                    bool *ret_ambiguous)
{
    const struct shell_parameter *found = NULL;
    *ret_ambiguous = false;
    for (size_t i = 0; i < c->parameter_count; i++)
        if (span_ieq(label(&c->parameters[i]), name) ||
            (c->parameters[i].alias && span_ieq(span_of(c->parameters[i].alias), name)))
            return &c->parameters[i];
    for (size_t i = 0; i < c->parameter_count; i++)
        if (span_istarts(label(&c->parameters[i]), name)) {
            *ret_ambiguous = found != NULL;
            if (found)
                return NULL;
            found = &c->parameters[i];
        }
    return found;
}

static void list_parameters(struct buf *b, const struct shell_command *c, struct span prefix)
{
    size_t n = 0;
    for (size_t i = 0; i < c->parameter_count && n < 80; i++)
        if (!(c->parameters[i].flags & PARAMETER_HIDDEN) && span_istarts(label(&c->parameters[i]), prefix))
            buf_addf(b, "%s-%s", n++ ? ", " : "", c->parameters[i].name);
}

static enum err_code unknown_parameter(struct run *run, const struct shell_command *c, struct span name,
                                       bool ambiguous)
{
    struct buf b;
    buf_init(&b, 400);
    list_parameters(&b, c, ambiguous ? name : SPAN(""));
    err_set(run->err, ERR_INVALID, "%s: %s parameter -%.*s; %s: %.*s", c->name,
            ambiguous ? "ambiguous" : "there is no", SPAN_ARG(name), ambiguous ? "it may mean" : "known are",
            b.failed ? 0 : (int)b.len, b.ptr ? b.ptr : "");
    if (b.failed)
        err_set(run->err, ERR_INVALID, "%s: there is no parameter -%.*s; Get-Help %s shows those that are", c->name,
                SPAN_ARG(name), c->name);
    buf_done(&b);
    return ERR_INVALID;
}

static enum err_code set_switch(struct run *run, const struct stage *st, const char *name, const struct argument *a,
                                bool *ret)
{
    struct value v = value_bool(true);
    if (a->attached) {
        enum err_code code = eval_expr(run, a->value, NULL, &v);
        if (code)
            return code;
    }
    bool t = v.kind == VALUE_BOOL && v.b, f = v.kind == VALUE_BOOL && !v.b;
    if (v.kind == VALUE_STRING) {
        t = span_ieq(v.s, SPAN("true"));
        f = span_ieq(v.s, SPAN("false"));
    }
    if (!t && !f)
        return err_set(run->err, ERR_INVALID, "%s: -%s is a switch: give it alone, or as -%s:$true or -%s:$false",
                       st->command->name, name, name, name);
    *ret = t;
    return ERR_NONE;
}

/* -WhatIf, -Confirm and the like. *ret_used: it was one of them. */
static enum err_code bind_common(struct run *run, struct stage *st, const struct command_call *call, size_t *i,
                                 bool *ret_used)
{
    const struct argument *a = &call->arguments[*i];
    size_t k = 0;
    while (k < COMMON_COUNT && !span_ieq(a->name, span_of(commons[k].name)))
        k++;
    *ret_used = k < COMMON_COUNT;
    if (!*ret_used)
        return ERR_NONE;
    if (commons[k].takes_value) {
        *i += !a->attached && *i + 1 < call->count;
        return ERR_NONE;
    }
    bool on = true;
    enum err_code code = set_switch(run, st, commons[k].name, a, &on);
    if (k == COMMON_WHATIF)
        st->what_if = on;
    else if (k == COMMON_CONFIRM)
        st->no_confirm = !on;
    return code;
}

static enum err_code bind_named(struct run *run, struct stage *st, const struct command_call *call, size_t *i)
{
    const struct argument *a = &call->arguments[*i];
    bool used, ambiguous;
    enum err_code code = bind_common(run, st, call, i, &used);
    if (code || used)
        return code;
    const struct shell_parameter *p = find_parameter(st->command, a->name, &ambiguous);
    struct value v = value_bool(true);
    if (!p)
        return unknown_parameter(run, st->command, a->name, ambiguous);
    if (p->flags & PARAMETER_SWITCH) {
        code = set_switch(run, st, p->name, a, &v.b);
    } else if (a->attached) {
        code = eval_expr(run, a->value, NULL, &v);
    } else if (*i + 1 < call->count && !call->arguments[*i + 1].name.len) {
        code = eval_expr(run, call->arguments[++*i].value, NULL, &v);
    } else {
        return err_set(run->err, ERR_INVALID, "%s: -%s needs a value: -%s %s", st->command->name, p->name, p->name,
                       p->syntax ? p->syntax : "<Value>");
    }
    if (!code && record_get(st->arguments, label(p)))
        return err_set(run->err, ERR_INVALID, "%s: -%s is given twice", st->command->name, p->name);
    if (!code && !record_set(st->arguments, label(p), v))
        return err_set(run->err, ERR_NO_MEMORY, "out of memory");
    return code;
}

static enum err_code bind_positional(struct run *run, struct stage *st, const struct argument *a, int *position)
{
    struct value v;
    for (; *position < 2; ++*position) {
        unsigned flag = *position == 0 ? PARAMETER_POSITION_0 : PARAMETER_POSITION_1;
        for (size_t i = 0; i < st->command->parameter_count; i++) {
            const struct shell_parameter *p = &st->command->parameters[i];
            if (!(p->flags & flag) || record_get(st->arguments, label(p)))
                continue;
            ++*position;
            enum err_code code = eval_expr(run, a->value, NULL, &v);
            if (code)
                return code;
            return record_set(st->arguments, label(p), v) ? ERR_NONE
                                                          : err_set(run->err, ERR_NO_MEMORY, "out of memory");
        }
    }
    return err_set(run->err, ERR_INVALID, "%s: `%.*s` is too much: values are given by name, -Name value",
                   st->command->name, SPAN_ARG(a->text));
}

/* A name that is close: the same but for case, a missing or added s, or the beginning. */
static const char *suggest(const struct shell_table *t, struct span name)
{
    const struct shell_command *c;
    for (size_t i = 0; (c = shell_command_at(t, i)); i++) {
        struct span known = span_of(c->name);
        size_t n = known.len < name.len ? known.len : name.len,
               more = known.len > name.len ? known.len - name.len : name.len - known.len;
        if (n > 4 && more <= 2 && span_ieq(span_head(known, n), span_head(name, n)))
            return c->name;
    }
    return NULL;
}

enum err_code bind_call(struct run *run, const struct command_call *call, struct stage *ret)
{
    struct stage st = {.run = run,
                       .command = shell_find_command(run->table, call->name),
                       .arguments = record_new(&run->arena, SPAN("Arguments"))};
    enum err_code code = ERR_NONE;
    if (!st.command) {
        const char *close = suggest(run->table, call->name);
        return err_set(run->err, ERR_NOT_FOUND, "there is no command `%.*s`%s%s%s; Get-Command lists what there is",
                       SPAN_ARG(call->name), close ? "; did you mean " : "", close ? close : "", close ? "?" : "");
    }
    if (!st.arguments)
        return err_set(run->err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; !code && i < call->count; i++)
        if (call->arguments[i].name.len)
            code = bind_named(run, &st, call, &i);
    int position = 0;
    for (size_t i = 0; !code && i < call->count; i++) {
        bool value_of_previous = i && call->arguments[i - 1].name.len && !call->arguments[i - 1].attached &&
                                 !call->arguments[i].name.len;
        if (value_of_previous) {
            bool ambiguous;
            const struct shell_parameter *p = find_parameter(st.command, call->arguments[i - 1].name, &ambiguous);
            value_of_previous =
                p ? !(p->flags & PARAMETER_SWITCH) : span_ieq(call->arguments[i - 1].name, SPAN("ErrorAction"));
        }
        if (!call->arguments[i].name.len && !value_of_previous)
            code = bind_positional(run, &st, &call->arguments[i], &position);
    }
    if (!code)
        *ret = st;
    return code;
}
