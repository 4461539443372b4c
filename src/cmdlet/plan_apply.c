/*
 * plan_apply.c: a plan into the stores. What goes goes first, so that names and addresses are free; recipients that
 * give an address away let go of it before another takes it.
 */
#include "cmdlet/plan_internal.h"

static struct object_store *store_of(const struct cmdlet_context *c, const struct schema_class *class)
{
    for (size_t i = 0; i < PLAN_CLASSES; i++)
        if (plan_classes[i].class == class && plan_classes[i].noun)
            return cmdlet_store(c, plan_classes[i].noun);
    return c->policy;
}

static bool has_address(const struct record *r, struct span address)
{
    const struct value *v = record_get(r, SPAN("EmailAddresses"));
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->list.count; i++)
        if (span_ieq(v->list.items[i].s, address))
            return true;
    return span_ieq(record_string(r, SPAN("UserPrincipalName")), address);
}

/* True when the new state lacks an address, or a name to log on with, of the old one. */
static bool gives_away(const struct plan_change *c)
{
    const struct value *v = record_get(c->old, SPAN("EmailAddresses"));
    struct span principal = record_string(c->old, SPAN("UserPrincipalName"));
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->list.count; i++)
        if (!has_address(c->put, v->list.items[i].s))
            return true;
    return principal.len && !has_address(c->put, principal);
}

static enum err_code let_go(struct cmdlet_context *c, const struct plan *p, const struct plan_change *change,
                            struct err *err)
{
    struct record *r = record_copy(p->arena, change->old);
    struct span nowhere =
        arena_printf(p->arena, "%.*s@moving.invalid", SPAN_ARG(record_string(change->old, SPAN("Guid"))));
    const struct value item = value_string(nowhere);
    if (!r || !nowhere.ptr)
        return cmdlet_no_memory(err);
    enum err_code code = cmdlet_set(r, "PrimarySmtpAddress", item, err);
    if (!code)
        code = cmdlet_set(r, "EmailAddresses", value_list(&item, 1), err);
    if (!code && record_get(r, SPAN("UserPrincipalName")))
        code = cmdlet_set(r, "UserPrincipalName", value_null(), err);
    return code ? code : object_store_put(c->recipients, r, err);
}

static enum err_code name_error(const struct plan_change *c, enum err_code code, struct err *err)
{
    struct err inner = *err;
    return err_set(err, code, "%s \"%.*s\": %s", c->class->label, SPAN_ARG(span_head(c->name, 100)), inner.text);
}

static enum err_code remove_all(struct cmdlet_context *c, const struct plan *p, struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = p->count; !code && i-- > 0;) { /* what refers to others stands behind them */
        const struct plan_change *x = &p->changes[i];
        if (x->action != PLAN_REMOVE)
            continue;
        code = object_store_remove(store_of(c, x->class), span_of(x->class->name),
                                   record_string(x->old, SPAN("Guid")), err);
        if (code)
            name_error(x, code, err);
    }
    return code;
}

static enum err_code put_all(struct cmdlet_context *c, const struct plan *p, struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < p->count; i++) {
        const struct plan_change *x = &p->changes[i];
        if (!x->put)
            continue;
        code = cmdlet_set(x->put, "WhenChanged", value_time(c->now_ms()), err);
        if (!code)
            code = object_store_put(store_of(c, x->class), x->put, err);
        if (code)
            name_error(x, code, err);
    }
    return code;
}

enum err_code plan_apply(struct cmdlet_context *c, const struct plan *p, struct err *err)
{
    enum err_code code = remove_all(c, p, err);
    for (size_t i = 0; !code && i < p->count; i++) {
        const struct plan_change *x = &p->changes[i];
        bool recipient = record_get(x->old ? x->old : x->put, SPAN("EmailAddresses")) != NULL;
        if (x->action == PLAN_SET && recipient && gives_away(x))
            code = let_go(c, p, x, err);
    }
    return code ? code : put_all(c, p, err);
}
