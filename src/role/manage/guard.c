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
                                                .close = close_store};
    *g = (struct guard){
        .policy = {{&ops}, policy, g}, .recipients = {{&ops}, recipients, g}, .check = check, .context = context};
}
