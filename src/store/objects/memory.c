/*
 * memory.c: objects in memory, for tests. Records never change once they are in: a put replaces the pointer, so the
 * array as it was at begin is all that a rollback needs. Everything is freed at close.
 */
#include "store/objects/internal.h"

#include <stdlib.h>
#include <string.h>

struct items {
    struct record **items;
    size_t count;
};

/* One entry of the trail, or a note; the newest first. What is there never changes, as with records. */
struct entry {
    const struct entry *next;
    uint64_t id;
    int64_t at_ms;
    struct record *record;
    struct span name, bytes;
};

struct entries {
    const struct entry *trail, *notes;
};

struct memory_store {
    struct object_store store;
    struct arena arena;
    struct items now, before;
    struct entries entries, entries_before;
    bool in_transaction, changed;
    uint64_t generation;
};

static struct memory_store *of(struct object_store *s)
{
    return (struct memory_store *)s;
}

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code begin(struct object_store *store, struct err *err)
{
    struct memory_store *s = of(store);
    if (s->in_transaction)
        return err_set(err, ERR_CONFLICT, "a transaction is open already");
    s->before = s->now;
    s->entries_before = s->entries;
    s->in_transaction = true;
    s->changed = false;
    return ERR_NONE;
}

static enum err_code commit(struct object_store *store, struct err *err)
{
    struct memory_store *s = of(store);
    if (!s->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    s->in_transaction = false;
    s->generation += s->changed;
    return ERR_NONE;
}

static void rollback(struct object_store *store)
{
    struct memory_store *s = of(store);
    if (s->in_transaction) {
        s->now = s->before;
        s->entries = s->entries_before;
    }
    s->in_transaction = false;
}

static bool is_of(const struct record *r, struct span class_name, struct span property, struct span text)
{
    return span_ieq(r->type, class_name) && span_ieq(record_string(r, property), text);
}

static enum err_code put(struct object_store *store, const struct record *r, struct err *err)
{
    struct memory_store *s = of(store);
    struct span guid = record_string(r, SPAN("Guid")), name = record_string(r, SPAN("Name"));
    size_t at = s->now.count;
    if (!s->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    for (size_t i = 0; i < s->now.count; i++) {
        if (is_of(s->now.items[i], r->type, SPAN("Guid"), guid))
            at = i;
        else if (is_of(s->now.items[i], r->type, SPAN("Name"), name))
            return err_set(err, ERR_EXISTS, "there is a %s named \"%.*s\" already", schema_class(r->type)->label,
                           SPAN_ARG(name));
    }
    struct record *kept = object_stored_form(&s->arena, r);
    struct record **items = ARENA_ARRAY(&s->arena, s->now.count + 1, struct record *);
    if (!kept || !items)
        return no_memory(err);
    if (s->now.count)
        memcpy(items, s->now.items, s->now.count * sizeof(*items));
    items[at] = kept;
    s->now = (struct items){items, s->now.count + (at == s->now.count)};
    s->changed = true;
    return ERR_NONE;
}

static enum err_code remove_object(struct object_store *store, struct span class_name, struct span guid,
                                   struct err *err)
{
    struct memory_store *s = of(store);
    if (!s->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    struct record **items = ARENA_ARRAY(&s->arena, s->now.count, struct record *);
    size_t n = 0;
    if (!items)
        return no_memory(err);
    for (size_t i = 0; i < s->now.count; i++)
        if (!is_of(s->now.items[i], class_name, SPAN("Guid"), guid))
            items[n++] = s->now.items[i];
    if (n == s->now.count)
        return object_not_found(class_name, guid, err);
    s->now = (struct items){items, n};
    s->changed = true;
    return ERR_NONE;
}

static enum err_code list(struct object_store *store, struct span class_name, struct arena *arena,
                          struct record ***ret, size_t *ret_count, struct err *err)
{
    struct memory_store *s = of(store);
    struct record **found = ARENA_ARRAY(arena, s->now.count, struct record *);
    size_t n = 0;
    if (!found)
        return no_memory(err);
    for (size_t i = 0; i < s->now.count; i++) {
        if (!span_ieq(s->now.items[i]->type, class_name))
            continue;
        found[n] = record_copy(arena, s->now.items[i]);
        if (!found[n++])
            return no_memory(err);
    }
    object_store_sort(found, n);
    *ret = found;
    *ret_count = n;
    return ERR_NONE;
}

/* ---- the trail and notes ---- */

static enum err_code trail_add(struct object_store *store, const struct record *entry, int64_t at_ms,
                               int64_t since_ms UNUSED, struct err *err)
{
    struct memory_store *s = of(store);
    if (!s->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    struct entry *e = ARENA_NEW(&s->arena, struct entry);
    struct record *copy = record_copy(&s->arena, entry);
    if (!e || !copy)
        return no_memory(err);
    *e = (struct entry){.next = s->entries.trail,
                        .id = s->entries.trail ? s->entries.trail->id + 1 : 1,
                        .at_ms = at_ms,
                        .record = copy};
    s->entries.trail = e;
    return ERR_NONE;
}

static enum err_code trail_read(struct object_store *store, uint64_t before, size_t limit, struct arena *arena,
                                struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    const struct entry *e = of(store)->entries.trail;
    struct record **found = ARENA_ARRAY(arena, limit, struct record *);
    size_t n = 0;
    if (!found)
        return no_memory(err);
    while (e && before && e->id >= before)
        e = e->next;
    for (; e && n < limit; e = e->next, n++)
        if (!(found[n] = record_copy(arena, e->record)))
            return no_memory(err);
    *ret = found;
    *ret_count = n;
    *ret_next = e ? e->id + 1 : 0;
    return ERR_NONE;
}

static enum err_code note_set(struct object_store *store, struct span name, struct span bytes, struct err *err)
{
    struct memory_store *s = of(store);
    if (!s->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    struct entry *e = ARENA_NEW(&s->arena, struct entry);
    struct span copy = arena_dup(&s->arena, bytes), copied_name = arena_dup(&s->arena, name);
    if (!e || !copy.ptr || !copied_name.ptr)
        return no_memory(err);
    *e = (struct entry){.next = s->entries.notes, .name = copied_name, .bytes = copy};
    s->entries.notes = e;
    return ERR_NONE;
}

static enum err_code note_get(struct object_store *store, struct span name, struct arena *arena, struct span *ret,
                              struct err *err)
{
    for (const struct entry *e = of(store)->entries.notes; e; e = e->next)
        if (span_eq(e->name, name)) {
            *ret = arena_dup(arena, e->bytes);
            return ret->ptr ? ERR_NONE : no_memory(err);
        }
    return ERR_NONE;
}

static uint64_t generation(struct object_store *store)
{
    return of(store)->generation;
}

static void close_store(struct object_store *store)
{
    struct memory_store *s = of(store);
    arena_clear(&s->arena);
    free(s);
}

struct object_store *object_store_memory_new(void)
{
    static const struct object_store_ops ops = {.begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .put = put,
                                                .remove = remove_object,
                                                .list = list,
                                                .generation = generation,
                                                .close = close_store,
                                                .trail_add = trail_add,
                                                .trail_read = trail_read,
                                                .note_set = note_set,
                                                .note_get = note_get};
    struct memory_store *s = calloc(1, sizeof(*s));
    if (s) {
        s->store.ops = &ops;
        arena_init(&s->arena, 0);
    }
    return s ? &s->store : NULL;
}
