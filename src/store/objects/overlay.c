/*
 * overlay.c: changes over another store that stay in memory: a copy of it to try things on.
 *
 * Invariants: the store below is only read. The log of changes only grows, and of several for one object the last
 * counts, so that a rollback is to forget its end.
 */
#include "store/objects/internal.h"

#include <stdlib.h>
#include <string.h>

struct change {
    struct span class_name, guid;
    struct record *record; /* NULL: removed */
};

struct overlay {
    struct object_store store;
    struct object_store *base;
    struct arena arena;
    struct change *changes;
    size_t count, cap, count_at_begin;
    bool in_transaction;
    uint64_t commits;
};

static struct overlay *of(struct object_store *s)
{
    return (struct overlay *)s;
}

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code begin(struct object_store *store, struct err *err)
{
    struct overlay *o = of(store);
    if (o->in_transaction)
        return err_set(err, ERR_CONFLICT, "a transaction is open already");
    o->in_transaction = true;
    o->count_at_begin = o->count;
    return ERR_NONE;
}

static enum err_code commit(struct object_store *store, struct err *err)
{
    struct overlay *o = of(store);
    if (!o->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    o->in_transaction = false;
    o->commits += o->count > o->count_at_begin;
    return ERR_NONE;
}

static void rollback(struct object_store *store)
{
    struct overlay *o = of(store);
    if (o->in_transaction)
        o->count = o->count_at_begin;
    o->in_transaction = false;
}

/* ---- the log ---- */

static const struct change *last_change(const struct overlay *o, struct span class_name, struct span guid)
{
    for (size_t i = o->count; i > 0; i--)
        if (span_ieq(o->changes[i - 1].guid, guid) && span_ieq(o->changes[i - 1].class_name, class_name))
            return &o->changes[i - 1];
    return NULL;
}

static enum err_code note(struct overlay *o, struct span class_name, struct span guid, struct record *r,
                          struct err *err)
{
    if (o->count == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 64;
        struct change *changes = ARENA_ARRAY(&o->arena, cap, struct change);
        if (!changes)
            return no_memory(err);
        if (o->count)
            memcpy(changes, o->changes, o->count * sizeof *changes);
        o->changes = changes;
        o->cap = cap;
    }
    struct change c = {arena_dup(&o->arena, class_name), arena_dup(&o->arena, guid), r};
    if (!c.class_name.ptr || !c.guid.ptr)
        return no_memory(err);
    o->changes[o->count++] = c;
    return ERR_NONE;
}

/* ---- reading ---- */

/* What of `below` is unchanged, and what of the log is of the class and fits the property (property empty: all). */
static enum err_code merge(struct overlay *o, struct span class_name, struct span property, struct span text,
                           struct record **below, size_t count, struct arena *arena, struct record ***ret,
                           size_t *ret_count, struct err *err)
{
    struct record **all = ARENA_ARRAY(arena, count + o->count + 1, struct record *);
    size_t n = 0;
    if (!all)
        return no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!last_change(o, class_name, record_string(below[i], SPAN("Guid"))))
            all[n++] = below[i];
    for (size_t i = 0; i < o->count; i++) {
        const struct change *c = &o->changes[i];
        bool counts = c->record && span_ieq(c->class_name, class_name) &&
                      last_change(o, c->class_name, c->guid) == c &&
                      (!property.len || object_has_text(c->record, property, text));
        if (counts && !(all[n++] = record_copy(arena, c->record)))
            return no_memory(err);
    }
    object_store_sort(all, n);
    *ret = all;
    *ret_count = n;
    return ERR_NONE;
}

static enum err_code list(struct object_store *store, struct span class_name, struct arena *arena,
                          struct record ***ret, size_t *ret_count, struct err *err)
{
    struct record **below;
    size_t count;
    enum err_code code = object_store_list(of(store)->base, class_name, arena, &below, &count, err);
    return code ? code : merge(of(store), class_name, SPAN(""), SPAN(""), below, count, arena, ret, ret_count, err);
}

static enum err_code find(struct object_store *store, struct span class_name, struct span property,
                          struct span text, struct arena *arena, struct record ***ret, size_t *ret_count,
                          struct err *err)
{
    struct record **below;
    size_t count;
    enum err_code code = object_store_find(of(store)->base, class_name, property, text, arena, &below, &count, err);
    return code ? code : merge(of(store), class_name, property, text, below, count, arena, ret, ret_count, err);
}

static enum err_code get(struct object_store *store, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    const struct change *c = last_change(of(store), class_name, guid);
    if (!c)
        return object_store_get(of(store)->base, class_name, guid, arena, ret, err);
    if (!c->record)
        return object_not_found(class_name, guid, err);
    struct record *copy = record_copy(arena, c->record);
    if (!copy)
        return no_memory(err);
    *ret = copy;
    return ERR_NONE;
}

/* ---- writing ---- */

static enum err_code check_name(struct overlay *o, const struct record *r, struct err *err)
{
    struct arena arena;
    struct record **found;
    size_t count = 0;
    struct span name = record_string(r, SPAN("Name"));
    arena_init(&arena, 0);
    enum err_code code = find(&o->store, r->type, SPAN("Name"), name, &arena, &found, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        if (!span_ieq(record_string(found[i], SPAN("Guid")), record_string(r, SPAN("Guid"))))
            code = err_set(err, ERR_EXISTS, "there is a %s named \"%.*s\" already", schema_class(r->type)->label,
                           SPAN_ARG(name));
    arena_clear(&arena);
    return code;
}

static enum err_code put(struct object_store *store, const struct record *r, struct err *err)
{
    struct overlay *o = of(store);
    if (!o->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    enum err_code code = check_name(o, r, err);
    struct record *kept = code ? NULL : object_stored_form(&o->arena, r);
    return code ? code : kept ? note(o, kept->type, record_string(kept, SPAN("Guid")), kept, err) : no_memory(err);
}

static enum err_code remove_object(struct object_store *store, struct span class_name, struct span guid,
                                   struct err *err)
{
    struct overlay *o = of(store);
    struct arena arena;
    struct record *r;
    if (!o->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    arena_init(&arena, 0);
    enum err_code code = get(store, class_name, guid, &arena, &r, err);
    arena_clear(&arena);
    return code ? code : note(o, class_name, guid, NULL, err);
}

static uint64_t generation(struct object_store *store)
{
    return object_store_generation(of(store)->base) + of(store)->commits;
}

static void close_store(struct object_store *store)
{
    arena_clear(&of(store)->arena);
    free(of(store));
}

struct object_store *object_store_overlay_new(struct object_store *base)
{
    static const struct object_store_ops ops = {.begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .put = put,
                                                .remove = remove_object,
                                                .list = list,
                                                .get = get,
                                                .find = find,
                                                .generation = generation,
                                                .close = close_store};
    struct overlay *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->store.ops = &ops;
    o->base = base;
    arena_init(&o->arena, 0);
    return &o->store;
}

bool object_store_overlay_changed(struct object_store *overlay, struct span class_name, struct span guid)
{
    return last_change(of(overlay), class_name, guid);
}
