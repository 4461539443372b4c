/*
 * plan_read.c: the objects of one side out of its stores, each as it is stored and as it is compared, with the key
 * that it is matched by.
 */
#include "cmdlet/acl.h"
#include "cmdlet/export_internal.h"
#include "cmdlet/plan_objects.h"

#include <stdlib.h>

enum err_code plan_map_property(struct planner *p, struct record *r, const char *name)
{
    struct span text = plan_map_text(&p->map, record_string(r, span_of(name)));
    return text.ptr ? cmdlet_set(r, name, value_string(text), p->err) : cmdlet_no_memory(p->err);
}

/* Entries of the script's ACLs, with the Guids of the real connectors and recipients. */
static enum err_code map_entry(struct planner *p, struct record *r)
{
    enum err_code code = plan_map_property(p, r, "Connector");
    return code ? code : plan_map_property(p, r, "User");
}

/* An entry is what it allows or denies to whom, and where; what narrows it tells it from others of that kind. */
static enum err_code set_keys(struct planner *p, struct object *o)
{
    const struct record *r = o->stored;
    struct buf b;
    o->key = record_string(r, SPAN("Name"));
    o->rest = SPAN("");
    if (!is_entry(p))
        return ERR_NONE;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < schema_ad_permission.count; i++) {
        const struct schema_property *q = &schema_ad_permission.properties[i];
        const struct value *v = record_get(r, span_of(q->name));
        if (v && permission_is_narrowing(q) && v->kind != VALUE_NULL) {
            value_print(&b, *v);
            buf_add_char(&b, ';');
        }
    }
    o->key = arena_printf(p->arena, "%.*s;%.*s;%.*s;%d", SPAN_ARG(record_string(r, SPAN("Connector"))),
                          SPAN_ARG(record_string(r, SPAN("User"))),
                          SPAN_ARG(record_string(r, SPAN("ExtendedRight"))), record_bool(r, SPAN("Deny"), false));
    o->rest = arena_dup(p->arena, buf_span(&b));
    bool failed = b.failed || !o->key.ptr || !o->rest.ptr;
    buf_done(&b);
    return failed ? cmdlet_no_memory(p->err) : ERR_NONE;
}

/* Group and group differ in nothing that shows. */
static enum err_code plain_origin(struct planner *p, struct record *view)
{
    struct span origin = record_string(view, SPAN("Origin"));
    bool written = group_from_name(origin) < GROUP_COUNT || span_ieq(origin, SPAN("Default"));
    return written ? cmdlet_set(view, "Origin", value_of("Group"), p->err) : ERR_NONE;
}

static enum err_code read_object(struct planner *p, const struct side *s, struct record *r, struct object *ret)
{
    ret->stored = r;
    ret->guid = record_string(r, SPAN("Guid"));
    enum err_code code = schema_complete(p->class->class, p->real->edge, r, p->err);
    if (!code && is_entry(p) && s == &p->wanted)
        code = map_entry(p, r);
    ret->view = record_new(p->arena, r->type);
    if (!code && !ret->view)
        code = cmdlet_no_memory(p->err);
    for (size_t i = 0; !code && i < r->count; i++)
        if (!record_set(ret->view, r->fields[i].name, r->fields[i].value))
            code = cmdlet_no_memory(p->err);
    if (!code && is_entry(p))
        code = plain_origin(p, ret->view);
    return code ? code : set_keys(p, ret);
}

int plan_by_key(const void *a, const void *b)
{
    const struct object *x = a, *y = b;
    int n = span_icmp(x->key, y->key);
    return n ? n : span_icmp(x->rest, y->rest);
}

static bool same_key(const struct objects *o, size_t i, size_t k)
{
    return i < o->count && k < o->count && span_ieq(o->items[i].key, o->items[k].key);
}

enum err_code plan_read_class(struct planner *p, const struct side *s, struct objects *ret)
{
    struct record **all;
    const struct noun *n = p->class->noun;
    struct object_store *store = n ? cmdlet_store(s->context, n) : s->context->policy;
    enum err_code code =
        object_store_list(store, span_of(p->class->class->name), p->arena, &all, &ret->count, p->err);
    ret->items = code ? NULL : ARENA_ARRAY(p->arena, ret->count, struct object);
    if (!code && !ret->items)
        code = cmdlet_no_memory(p->err);
    for (size_t i = 0; !code && i < ret->count; i++)
        code = read_object(p, s, all[i], &ret->items[i]);
    if (!code && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, plan_by_key);
    for (size_t i = 0; !code && i < ret->count; i++)
        ret->items[i].alone = !same_key(ret, i, i + 1) && !same_key(ret, i, i - 1);
    return code;
}

/* ---- recipients in recipients ---- */

static int by_text(const void *a, const void *b)
{
    return span_icmp(((const struct value *)a)->s, ((const struct value *)b)->s);
}

enum err_code plan_set_references(struct planner *p, struct object *o, const char *property)
{
    const struct value *v = record_get(o->stored, span_of(property));
    size_t count = v && v->kind == VALUE_LIST ? v->list.count : 0;
    struct value *guids = ARENA_ARRAY(p->arena, count, struct value),
                 *names = ARENA_ARRAY(p->arena, count, struct value);
    if (!v)
        return ERR_NONE;
    if (!guids || !names)
        return cmdlet_no_memory(p->err);
    for (size_t i = 0; i < count; i++) {
        guids[i] = value_string(plan_map_text(&p->map, v->list.items[i].s));
        names[i] = value_string(plan_map_text(&p->names, guids[i].s));
        if (!guids[i].s.ptr || !names[i].s.ptr)
            return cmdlet_no_memory(p->err);
    }
    if (count)
        qsort(names, count, sizeof *names, by_text);
    enum err_code code = cmdlet_set(o->stored, property, value_list(guids, count), p->err);
    return code ? code : cmdlet_set(o->view, property, value_list(names, count), p->err);
}
