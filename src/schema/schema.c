/*
 * schema.c: the classes as a whole: finding one, and records of one: completing, checking, showing. The tables are
 * in classes_*.c, single values in parse.c, rules in rules.c.
 */
#include "schema/internal.h"

#include <string.h>

const struct schema_class *const schema_classes[SCHEMA_CLASSES] = {
    &schema_receive_connector,  &schema_send_connector,   &schema_accepted_domain,
    &schema_ad_permission,      &schema_mailbox,          &schema_mail_contact,
    &schema_distribution_group, &schema_transport_server, &schema_transport_config,
};

const struct schema_class *schema_class(struct span name)
{
    for (size_t i = 0; i < SCHEMA_CLASSES; i++)
        if (span_ieq(span_of(schema_classes[i]->name), name))
            return schema_classes[i];
    return NULL;
}

const struct schema_property *schema_property(const struct schema_class *c, struct span name)
{
    for (size_t i = 0; i < c->count; i++)
        if (span_ieq(span_of(c->properties[i].name), name))
            return &c->properties[i];
    return NULL;
}

bool schema_is_list(const struct schema_property *p)
{
    return p->type == SCHEMA_FLAGS || (p->flags & SCHEMA_LIST);
}

/* "a,b" */
static enum err_code initial_list(const struct schema_property *p, const char *text, struct arena *arena,
                                  struct value *ret, struct err *err)
{
    size_t n = 0;
    struct value *items = ARENA_ARRAY(arena, strlen(text) + 1, struct value);
    if (!items)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (struct span rest = span_of(text), item; span_split(&rest, ',', &item);)
        items[n++] = value_string(item);
    return schema_parse_property(p, value_list(items, n), NULL, arena, ret, err);
}

/* The default of a property: a list without one is empty, anything else null. */
static enum err_code initial_value(const struct schema_property *p, bool edge, struct arena *arena,
                                   struct value *ret, struct err *err)
{
    const char *text = edge && p->initial_edge ? p->initial_edge : p->initial;
    if (text && (p->flags & SCHEMA_LIST))
        return initial_list(p, text, arena, ret, err);
    if (text)
        return schema_parse_property(p, value_of(text), NULL, arena, ret, err);
    *ret = schema_is_list(p) ? value_list(NULL, 0) : value_null();
    return ERR_NONE;
}

enum err_code schema_complete(const struct schema_class *c, bool edge, struct record *r, struct err *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct schema_property *p = &c->properties[i];
        struct value v;
        if ((p->flags & (SCHEMA_COMPUTED | SCHEMA_WRITE_ONLY)) || record_get(r, span_of(p->name)))
            continue;
        enum err_code code = initial_value(p, edge, r->arena, &v, err);
        if (code)
            return code;
        if (!record_set(r, span_of(p->name), v))
            return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    return ERR_NONE;
}

enum err_code schema_check(const struct schema_class *c, const struct record *r, const struct schema_facts *facts,
                           struct err *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct schema_property *p = &c->properties[i];
        const struct value *v = record_get(r, span_of(p->name));
        if ((p->flags & SCHEMA_NOT_EMPTY) && (!v || v->kind != VALUE_LIST || v->list.count == 0))
            return err_set(err, ERR_INVALID, "%s must have at least one entry", p->name);
    }
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < c->rule_count; i++)
        code = c->rules[i].check(r, facts, err);
    return code;
}

struct record *schema_view(const struct schema_class *c, const struct record *r, struct arena *arena)
{
    struct record *view = record_new(arena, span_of(c->name));
    for (size_t i = 0; view && i < c->count; i++) {
        const struct schema_property *p = &c->properties[i];
        const struct value *v = record_get(r, span_of(p->name));
        if (!(p->flags & SCHEMA_HIDDEN) && !record_set(view, span_of(p->name), v ? *v : value_null()))
            return NULL;
    }
    return view;
}
