/* directory_objects.c: a thin adapter: lists are read page by page. */
#include "role/common/directory_objects.h"

#include "directory/embedded.h"

#include <stdlib.h>

enum { PAGE = 256 };

struct directory_objects {
    struct object_store store;
    struct directory *directory;
};

static struct directory *directory_of(struct object_store *s)
{
    return ((struct directory_objects *)s)->directory;
}

static enum err_code begin(struct object_store *s, struct err *err)
{
    return directory_embedded_begin(directory_of(s), err);
}

static enum err_code commit(struct object_store *s, struct err *err)
{
    return directory_embedded_commit(directory_of(s), err);
}

static void rollback(struct object_store *s)
{
    directory_embedded_rollback(directory_of(s));
}

static enum err_code put(struct object_store *s, const struct record *r, struct err *err)
{
    return directory_embedded_put(directory_of(s), r, err);
}

static enum err_code remove_object(struct object_store *s, struct span class_name, struct span guid,
                                   struct err *err)
{
    return directory_embedded_remove(directory_of(s), class_name, guid, err);
}

static enum err_code list(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err)
{
    size_t cap = PAGE, n = 0;
    struct record **items = ARENA_ARRAY(arena, cap, struct record *);
    struct span after = SPAN("");
    for (bool more = true; more;) {
        size_t got = 0;
        if (!items)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        enum err_code code =
            directory_embedded_list(directory_of(s), class_name, after, PAGE, arena, items + n, &got, &more, err);
        if (code)
            return code;
        n += got;
        if (!more || got == 0)
            break;
        after = record_string(items[n - 1], SPAN("Guid"));
        if (n + PAGE > cap) {
            struct record **grown = ARENA_ARRAY(arena, cap * 2 + PAGE, struct record *);
            for (size_t i = 0; grown && i < n; i++)
                grown[i] = items[i];
            items = grown;
            cap = cap * 2 + PAGE;
        }
    }
    *ret = items;
    *ret_count = n;
    return ERR_NONE;
}

static void close_store(struct object_store *s)
{
    free(s);
}

static const struct object_store_ops ops = {begin, commit, rollback, put, remove_object, list, close_store};

struct object_store *directory_objects_new(struct directory *d)
{
    struct directory_objects *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    *o = (struct directory_objects){{&ops}, d};
    return &o->store;
}
