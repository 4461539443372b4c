/*
 * directory_objects.c: an adapter from the directory's administration to the object store port.
 *
 * Invariant: changes come within a transaction only, as the port wants it; the directory alone would make each its
 * own.
 */
#include "role/common/directory_objects.h"

#include "directory/embedded.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 256 };

struct directory_objects {
    struct object_store store;
    struct directory *directory;
    bool in_transaction;
};

static struct directory_objects *of(struct object_store *s)
{
    return (struct directory_objects *)s;
}

static enum err_code begin(struct object_store *s, struct err *err)
{
    enum err_code code = directory_embedded_begin(of(s)->directory, err);
    of(s)->in_transaction |= code == ERR_NONE;
    return code;
}

static enum err_code commit(struct object_store *s, struct err *err)
{
    if (!of(s)->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    enum err_code code = directory_embedded_commit(of(s)->directory, err);
    of(s)->in_transaction = code == ERR_UNAVAILABLE; /* it may be tried again */
    return code;
}

static void rollback(struct object_store *s)
{
    directory_embedded_rollback(of(s)->directory);
    of(s)->in_transaction = false;
}

static enum err_code put(struct object_store *s, const struct record *r, struct err *err)
{
    return of(s)->in_transaction ? directory_embedded_put(of(s)->directory, r, err)
                                 : err_set(err, ERR_CONFLICT, "no transaction is open");
}

static enum err_code remove_object(struct object_store *s, struct span class_name, struct span guid,
                                   struct err *err)
{
    return of(s)->in_transaction ? directory_embedded_remove(of(s)->directory, class_name, guid, err)
                                 : err_set(err, ERR_CONFLICT, "no transaction is open");
}

static enum err_code get(struct object_store *s, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    return directory_embedded_get(of(s)->directory, class_name, guid, arena, ret, err);
}

/* Room for one more page behind the first `count`; NULL when memory is out. */
static struct record **make_room(struct arena *arena, struct record **items, size_t count, size_t *cap)
{
    if (count + PAGE <= *cap)
        return items;
    *cap = 2 * *cap + PAGE;
    struct record **grown = ARENA_ARRAY(arena, *cap, struct record *);
    if (grown && count)
        memcpy(grown, items, count * sizeof(*items));
    return grown;
}

static enum err_code list(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err)
{
    struct record **items = NULL;
    struct span after = SPAN("");
    size_t cap = 0, count = 0, got;
    for (bool more = true; more; count += got) {
        got = 0;
        items = make_room(arena, items, count, &cap);
        if (!items)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        enum err_code code = directory_embedded_list(of(s)->directory, class_name, after, PAGE, arena,
                                                     items + count, &got, &more, err);
        if (code)
            return code;
        if (got)
            after = record_string(items[count + got - 1], SPAN("Guid"));
    }
    object_store_sort(items, count);
    *ret = items;
    *ret_count = count;
    return ERR_NONE;
}

static enum err_code find(struct object_store *s, struct span class_name, struct span property, struct span text,
                          struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err)
{
    struct record **found;
    size_t count;
    enum err_code code =
        directory_embedded_find(of(s)->directory, class_name, property, text, arena, &found, &count, err);
    if (code)
        return code;
    object_store_sort(found, count);
    *ret = found;
    *ret_count = count;
    return ERR_NONE;
}

static enum err_code trail_add(struct object_store *s, const struct record *entry, int64_t at_ms, int64_t since_ms,
                               struct err *err)
{
    return directory_embedded_trail_add(of(s)->directory, entry, at_ms, since_ms, OBJECT_TRAIL_MAX, err);
}

static enum err_code trail_read(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    return directory_embedded_trail_read(of(s)->directory, before, limit, arena, ret, ret_count, ret_next, err);
}

static uint64_t generation(struct object_store *s)
{
    return directory_embedded_generation(of(s)->directory);
}

static void close_store(struct object_store *s)
{
    rollback(s);
    free(s);
}

struct object_store *directory_objects_new(struct directory *d)
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
                                                .close = close_store,
                                                .trail_add = trail_add,
                                                .trail_read = trail_read};
    struct directory_objects *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    *o = (struct directory_objects){.store = {&ops}, .directory = d};
    return &o->store;
}
