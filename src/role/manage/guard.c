/*
 * guard.c: see guard.h. The recipients are committed first (cmdlet/transaction.c), so it is their commit that is
 * refused: after it the statement could not be undone as a whole.
 */
#include "role/manage/guard.h"

static struct guarded *of(struct object_store *s)
{
    return (struct guarded *)s;
}

static bool is_policy(const struct guarded *g)
{
    return g == &g->guard->policy;
}

static enum err_code begin(struct object_store *s, struct err *err)
{
    if (is_policy(of(s)))
        of(s)->guard->changed = false;
    return object_store_begin(of(s)->inner, err);
}

static enum err_code commit(struct object_store *s, struct err *err)
{
    struct guard *g = of(s)->guard;
    enum err_code code = g->changed && !is_policy(of(s)) ? g->check(g->context, err) : ERR_NONE;
    return code ? code : object_store_commit(of(s)->inner, err);
}

static void rollback(struct object_store *s)
{
    object_store_rollback(of(s)->inner);
}

static enum err_code put(struct object_store *s, const struct record *r, struct err *err)
{
    of(s)->guard->changed |= is_policy(of(s));
    return object_store_put(of(s)->inner, r, err);
}

static enum err_code remove_object(struct object_store *s, struct span class_name, struct span guid,
                                   struct err *err)
{
    of(s)->guard->changed |= is_policy(of(s));
    return object_store_remove(of(s)->inner, class_name, guid, err);
}

static enum err_code list(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err)
{
    return object_store_list(of(s)->inner, class_name, arena, ret, ret_count, err);
}

static enum err_code get(struct object_store *s, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    return object_store_get(of(s)->inner, class_name, guid, arena, ret, err);
}

static enum err_code find(struct object_store *s, struct span class_name, struct span property, struct span text,
                          struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err)
{
    return object_store_find(of(s)->inner, class_name, property, text, arena, ret, ret_count, err);
}

static enum err_code trail_add(struct object_store *s, const struct record *entry, int64_t at_ms, int64_t since_ms,
                               struct err *err)
{
    return object_store_trail_add(of(s)->inner, entry, at_ms, since_ms, err);
}

static enum err_code trail_read(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    return object_store_trail_read(of(s)->inner, before, limit, arena, ret, ret_count, ret_next, err);
}

static enum err_code note_set(struct object_store *s, struct span name, struct span bytes, struct err *err)
{
    return object_store_note_set(of(s)->inner, name, bytes, err);
}

static enum err_code note_get(struct object_store *s, struct span name, struct arena *arena, struct span *ret,
                              struct err *err)
{
    return object_store_note_get(of(s)->inner, name, arena, ret, err);
}

static uint64_t generation(struct object_store *s)
{
    return object_store_generation(of(s)->inner);
}

static void close_store(struct object_store *s)
{
    rollback(s);
}

void guard_init(struct guard *g, struct object_store *policy, struct object_store *recipients,
                enum err_code (*check)(void *context, struct err *err), void *context)
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
                                                .trail_read = trail_read,
                                                .note_set = note_set,
                                                .note_get = note_get};
    *g = (struct guard){
        .policy = {{&ops}, policy, g}, .recipients = {{&ops}, recipients, g}, .check = check, .context = context};
}
