/*
 * generic.c: New-, Get-, Set- and Remove- over any class of the schema; what a noun does beyond that is in its
 * hooks.
 *
 * Invariant: an object is put only when it is complete and has passed every rule; an error leaves everything as it
 * was, since the statement's transaction is rolled back.
 */
#include "cmdlet/internal.h"

static const struct noun *noun_of(const struct shell_call *call)
{
    return call->command->data;
}

/* Sets what was given as parameters. */
static enum err_code apply(struct shell_call *call, bool creating, struct record *r, struct err *err)
{
    const struct schema_class *c = noun_of(call)->class;
    for (size_t i = 0; i < c->count; i++) {
        const struct schema_property *p = &c->properties[i];
        const struct value *given = cmdlet_argument(call, p->name);
        bool settable = !(p->flags & SCHEMA_READ_ONLY) && (creating || !(p->flags & SCHEMA_CREATE_ONLY));
        struct value v;
        if (!given || !settable)
            continue;
        enum err_code code = cmdlet_parse(call, p, *given, record_get(r, span_of(p->name)), &v, err);
        if (code == ERR_NONE)
            code = cmdlet_set(r, p->name, v, err);
        if (code)
            return code;
    }
    return ERR_NONE;
}

/* Errors about the object as a whole begin with the cmdlet and its name. */
static enum err_code object_error(struct shell_call *call, const struct record *r, struct err *err)
{
    struct err inner = *err;
    return err_set(err, inner.code, "%s \"%.*s\": %s", call->command->name,
                   SPAN_ARG(span_head(record_string(r, SPAN("Name")), 64)), inner.text);
}

static enum err_code check_name(struct shell_call *call, const struct record *r, struct err *err)
{
    const struct noun *n = noun_of(call);
    struct record **found;
    size_t count = 0;
    struct span name = record_string(r, SPAN("Name")), guid = record_string(r, SPAN("Guid"));
    if (!name.len)
        return err_set(err, ERR_INVALID, "%s: -Name must be given", call->command->name);
    enum err_code code = object_store_find(cmdlet_store(cmdlet_context(call), n), span_of(n->class->name),
                                           SPAN("Name"), name, call->arena, &found, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        if (!span_ieq(record_string(found[i], SPAN("Guid")), guid))
            code = err_set(err, ERR_EXISTS, "%s -Name: there is a %s named \"%.*s\" already; names are unique",
                           call->command->name, n->class->label, SPAN_ARG(name));
    return code;
}

static enum err_code check(struct shell_call *call, const struct record *old, struct record *r, struct err *err)
{
    const struct noun *n = noun_of(call);
    struct schema_facts facts;
    enum err_code code = n->prepare ? n->prepare(call, old, r, err) : ERR_NONE;
    if (code == ERR_NONE)
        code = check_name(call, r, err);
    if (code == ERR_NONE)
        code = cmdlet_facts(cmdlet_context(call), call->arena, &facts, err);
    if (code == ERR_NONE && schema_check(n->class, r, &facts, err) != ERR_NONE)
        code = object_error(call, r, err);
    return code;
}

/* -WhatIf: whether the change is made all the same, to be checked and undone. What recipients do is checked before.
 */
static bool goes_on(struct shell_call *call, const struct record *r)
{
    struct span name = record_string(r, SPAN("Name"));
    if (!noun_of(call)->recipients)
        return cmdlet_try_what_if(call, name);
    cmdlet_say_what_if(call, name);
    return false;
}

/* Checks and stores the new state. old: the present one; NULL for New-. */
static enum err_code store(struct shell_call *call, const struct record *old, struct record *r, struct err *err)
{
    const struct noun *n = noun_of(call);
    struct cmdlet_context *c = cmdlet_context(call);
    cmdlet_note_force(call);
    enum err_code code = check(call, old, r, err);
    if (code || (call->what_if && !goes_on(call, r)))
        return code;
    code = cmdlet_set(r, "WhenChanged", value_time(c->now_ms()), err);
    if (code == ERR_NONE && object_store_put(cmdlet_store(c, n), r, err) != ERR_NONE)
        code = object_error(call, r, err);
    if (code == ERR_NONE && n->stored)
        code = n->stored(call, old, r, err);
    return code;
}

static enum err_code emit(struct shell_call *call, struct record *r, struct err *err)
{
    const struct noun *n = noun_of(call);
    enum err_code code = schema_complete(n->class, cmdlet_context(call)->edge, r, err);
    if (code == ERR_NONE && n->compute)
        code = n->compute(call, r, err);
    if (code)
        return code;
    struct record *view = schema_view(n->class, r, call->arena);
    if (!view)
        return cmdlet_no_memory(err);
    call->emit(call, value_record(view));
    return ERR_NONE;
}

enum err_code cmdlet_run_new(struct shell_call *call, struct err *err)
{
    const struct noun *n = noun_of(call);
    struct cmdlet_context *c = cmdlet_context(call);
    struct record *r = cmdlet_new_record(c, n->class, call->arena);
    if (!r)
        return cmdlet_no_memory(err);
    enum err_code code = cmdlet_check_server(call, err);
    if (code == ERR_NONE && n->preset)
        code = n->preset(call, r, err);
    if (code == ERR_NONE)
        code = apply(call, true, r, err);
    if (code == ERR_NONE)
        code = schema_complete(n->class, c->edge, r, err);
    if (code == ERR_NONE)
        code = store(call, NULL, r, err);
    return code || call->what_if ? code : emit(call, r, err);
}

enum err_code cmdlet_run_set(struct shell_call *call, struct err *err)
{
    const struct noun *n = noun_of(call);
    struct record *old, *r;
    enum err_code code = cmdlet_target(call, n, &old, err);
    if (code)
        return code;
    r = record_copy(call->arena, old);
    if (!r)
        return cmdlet_no_memory(err);
    code = schema_complete(n->class, cmdlet_context(call)->edge, r, err);
    if (code == ERR_NONE && n->compute)
        code = n->compute(call, r, err);
    if (code == ERR_NONE)
        code = apply(call, false, r, err);
    return code ? code : store(call, old, r, err);
}

enum err_code cmdlet_run_remove(struct shell_call *call, struct err *err)
{
    const struct noun *n = noun_of(call);
    struct record *r;
    enum err_code code = cmdlet_target(call, n, &r, err);
    cmdlet_note_force(call);
    if (code == ERR_NONE && n->removing)
        code = n->removing(call, r, err);
    if (code || (call->what_if && !goes_on(call, r)))
        return code;
    code = object_store_remove(cmdlet_store(cmdlet_context(call), n), span_of(n->class->name),
                               record_string(r, SPAN("Guid")), err);
    return code == ERR_NONE && n->removed ? n->removed(call, r, err) : code;
}

static bool fits(const struct record *r, struct span pattern)
{
    return shell_like(record_string(r, SPAN("Name")), pattern) ||
           shell_like(record_string(r, SPAN("PrimarySmtpAddress")), pattern) ||
           shell_like(record_string(r, SPAN("DomainName")), pattern);
}

/* -ResultSize; SIZE_MAX for Unlimited or where it is not given. */
static enum err_code result_size(struct shell_call *call, size_t *ret, struct err *err)
{
    static const struct schema_property p = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                             .max = INT64_MAX};
    const struct value *given = cmdlet_argument(call, "ResultSize");
    struct value v = value_unlimited();
    enum err_code code = given ? cmdlet_parse(call, &p, *given, NULL, &v, err) : ERR_NONE;
    *ret = v.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)v.i;
    return code;
}

enum err_code cmdlet_run_get(struct shell_call *call, struct err *err)
{
    const struct noun *n = noun_of(call);
    const struct value *identity = cmdlet_argument(call, "Identity");
    struct record **all, *one;
    size_t count, limit;
    identity = identity ? identity : call->input;
    enum err_code code = cmdlet_check_server(call, err);
    if (code)
        return code;
    if (n->singleton || (identity && !cmdlet_is_pattern(identity))) {
        code = cmdlet_target(call, n, &one, err);
        return code ? code : emit(call, one, err);
    }
    code = result_size(call, &limit, err);
    if (code == ERR_NONE)
        code = object_store_list(cmdlet_store(cmdlet_context(call), n), span_of(n->class->name), call->arena, &all,
                                 &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count && limit; i++) {
        if (identity && !fits(all[i], identity->s))
            continue;
        code = emit(call, all[i], err);
        limit--;
    }
    return code;
}
