/*
 * objects.c: the port's calls: what every adapter has in common. Inputs are checked here, so an adapter sees only
 * records that the schema knows; an adapter without get or find gets them out of its list.
 */
#include "store/objects/internal.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const struct record *const *x = a, *const *y = b;
    return span_icmp(record_string(*x, SPAN("Name")), record_string(*y, SPAN("Name")));
}

void object_store_sort(struct record **records, size_t count)
{
    if (count > 1)
        qsort(records, count, sizeof(*records), by_name);
}

enum err_code object_store_begin(struct object_store *s, struct err *err)
{
    enum err_code code = s->ops->begin(s, err);
    if (code == ERR_NONE)
        s->changed = false;
    return code;
}

enum err_code object_store_commit(struct object_store *s, struct err *err)
{
    return s->ops->commit(s, err);
}

void object_store_rollback(struct object_store *s)
{
    s->ops->rollback(s);
}

enum err_code object_store_put(struct object_store *s, const struct record *r, struct err *err)
{
    const struct schema_class *c = schema_class(r->type);
    if (!c)
        return err_set(err, ERR_INVALID, "%.*s is not a class of objects", SPAN_ARG(r->type));
    if (!record_string(r, SPAN("Guid")).len || !record_string(r, SPAN("Name")).len)
        return err_set(err, ERR_INVALID, "a %s needs a Guid and a Name", c->label);
    for (size_t i = 0; i < r->count; i++)
        if (!schema_property(c, r->fields[i].name))
            return err_set(err, ERR_INVALID, "a %s has no property %.*s", c->label, SPAN_ARG(r->fields[i].name));
    enum err_code code = s->ops->put(s, r, err);
    s->changed = s->changed || code == ERR_NONE;
    return code;
}

/* The class's name as the schema spells it: adapters compare it exactly. */
static struct span canonical(struct span class_name)
{
    const struct schema_class *c = schema_class(class_name);
    return c ? span_of(c->name) : class_name;
}

enum err_code object_store_remove(struct object_store *s, struct span class_name, struct span guid, struct err *err)
{
    enum err_code code = s->ops->remove(s, canonical(class_name), guid, err);
    s->changed = s->changed || code == ERR_NONE;
    return code;
}

enum err_code object_store_list(struct object_store *s, struct span class_name, struct arena *arena,
                                struct record ***ret, size_t *ret_count, struct err *err)
{
    return s->ops->list(s, canonical(class_name), arena, ret, ret_count, err);
}

bool object_has_text(const struct record *r, struct span property, struct span text)
{
    const struct value *v = record_get(r, property);
    bool list = v && v->kind == VALUE_LIST;
    const struct value *items = list ? v->list.items : v;
    for (size_t i = 0; v && i < (list ? v->list.count : 1); i++)
        if (items[i].kind == VALUE_STRING && span_ieq(items[i].s, text))
            return true;
    return false;
}

enum err_code object_store_find(struct object_store *s, struct span class_name, struct span property,
                                struct span text, struct arena *arena, struct record ***ret, size_t *ret_count,
                                struct err *err)
{
    struct record **all;
    size_t count, n = 0;
    if (s->ops->find)
        return s->ops->find(s, canonical(class_name), property, text, arena, ret, ret_count, err);
    enum err_code code = s->ops->list(s, canonical(class_name), arena, &all, &count, err);
    if (code)
        return code;
    for (size_t i = 0; i < count; i++)
        if (object_has_text(all[i], property, text))
            all[n++] = all[i];
    *ret = all;
    *ret_count = n;
    return ERR_NONE;
}

struct record *object_stored_form(struct arena *arena, const struct record *r)
{
    const struct schema_class *c = schema_class(r->type);
    struct record *kept = record_new(arena, span_of(c->name));
    for (size_t i = 0; kept && i < r->count; i++) {
        const struct schema_property *p = schema_property(c, r->fields[i].name);
        struct value v;
        if (p->flags & OBJECT_NOT_STORED)
            continue;
        if (!value_copy(arena, r->fields[i].value, &v) || !record_set(kept, span_of(p->name), v))
            return NULL;
    }
    return kept;
}

enum err_code object_not_found(struct span class_name, struct span guid, struct err *err)
{
    const struct schema_class *c = schema_class(class_name);
    return err_set(err, ERR_NOT_FOUND, "there is no %s with the Guid %.*s", c ? c->label : "object",
                   SPAN_ARG(span_head(guid, 64)));
}

enum err_code object_store_get(struct object_store *s, struct span class_name, struct span guid,
                               struct arena *arena, struct record **ret, struct err *err)
{
    struct record **found;
    size_t count;
    if (s->ops->get)
        return s->ops->get(s, canonical(class_name), guid, arena, ret, err);
    enum err_code code = object_store_find(s, class_name, SPAN("Guid"), guid, arena, &found, &count, err);
    if (code == ERR_NONE && count == 0)
        code = object_not_found(class_name, guid, err);
    if (code == ERR_NONE)
        *ret = found[0];
    return code;
}

enum err_code object_store_trail_add(struct object_store *s, const struct record *entry, int64_t at_ms,
                                     int64_t since_ms, struct err *err)
{
    if (!s->ops->trail_add)
        return err_set(err, ERR_INTERNAL, "this store keeps no trail");
    return s->ops->trail_add(s, entry, at_ms, since_ms, err);
}

enum err_code object_store_trail_read(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                      struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    *ret_count = 0;
    *ret_next = 0;
    return s->ops->trail_read ? s->ops->trail_read(s, before, limit, arena, ret, ret_count, ret_next, err)
                              : ERR_NONE;
}

enum err_code object_store_note_set(struct object_store *s, struct span name, struct span bytes, struct err *err)
{
    if (!s->ops->note_set)
        return err_set(err, ERR_INTERNAL, "this store keeps no notes");
    return s->ops->note_set(s, name, bytes, err);
}

enum err_code object_store_note_get(struct object_store *s, struct span name, struct arena *arena, struct span *ret,
                                    struct err *err)
{
    *ret = SPAN("");
    return s->ops->note_get ? s->ops->note_get(s, name, arena, ret, err) : ERR_NONE;
}

uint64_t object_store_generation(struct object_store *s)
{
    return s->ops->generation(s);
}

void object_store_close(struct object_store *s)
{
    if (s)
        s->ops->close(s);
}
