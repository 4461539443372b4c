/*
 * list.c: lists and flags: whole values, and @{Add=...;Remove=...} against the present one.
 *
 * Invariants: no item twice; flags stand in the order of their table, and their word None (the first one) stands
 * for the empty set.
 */
#include "schema/internal.h"

static bool listed(const struct value *items, size_t n, struct value v)
{
    for (size_t i = 0; i < n; i++)
        if (value_eq(items[i], v, true))
            return true;
    return false;
}

struct items {
    struct value *items;
    size_t count, cap;
    struct arena *arena;
};

static enum err_code add(struct items *l, const struct schema_property *p, struct value v, struct err *err)
{
    if (listed(l->items, l->count, v))
        return ERR_NONE;
    if (l->count == SCHEMA_LIST_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d entries", p->name, SCHEMA_LIST_MAX);
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        struct value *grown = ARENA_ARRAY(l->arena, cap, struct value);
        if (!grown)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        for (size_t i = 0; i < l->count; i++)
            grown[i] = l->items[i];
        l->items = grown;
        l->cap = cap;
    }
    l->items[l->count++] = v;
    return ERR_NONE;
}

/* One item as it was given. Several may stand in one text, as flags and addresses are often written: "Tls,
 * BasicAuth". */
static enum err_code add_given(struct items *l, const struct schema_property *p, struct value given,
                               struct err *err)
{
    struct value v;
    if (given.kind != VALUE_STRING || p->type == SCHEMA_STRING) {
        enum err_code code = schema_parse_one(p, given, l->arena, &v, err);
        return code ? code : add(l, p, v, err);
    }
    struct span rest = given.s, part;
    while (span_split(&rest, ',', &part)) {
        enum err_code code = schema_parse_one(p, value_string(span_trim(part)), l->arena, &v, err);
        if (code == ERR_NONE)
            code = add(l, p, v, err);
        if (code)
            return code;
    }
    return ERR_NONE;
}

static enum err_code add_all(struct items *l, const struct schema_property *p, struct value in, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (in.kind == VALUE_NULL)
        return ERR_NONE;
    if (in.kind != VALUE_LIST)
        return add_given(l, p, in, err);
    for (size_t i = 0; code == ERR_NONE && i < in.list.count; i++)
        code = add_given(l, p, in.list.items[i], err);
    return code;
}

/* The word that stands for the empty set, if the flags have one. */
static bool is_none(const struct schema_property *p, struct value v)
{
    return p->type == SCHEMA_FLAGS && span_eq(v.s, SPAN("None"));
}

static enum err_code change(struct items *l, const struct schema_property *p, const struct record *hash,
                            const struct value *current, struct err *err)
{
    struct items added = {.arena = l->arena}, removed = {.arena = l->arena};
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < hash->count; i++) {
        bool adds = span_ieq(hash->fields[i].name, SPAN("Add"));
        if (!adds && !span_ieq(hash->fields[i].name, SPAN("Remove")))
            return err_set(err, ERR_INVALID, "%s: @{ } takes Add= and Remove=, not %.*s", p->name,
                           SPAN_ARG(hash->fields[i].name));
        code = add_all(adds ? &added : &removed, p, hash->fields[i].value, err);
    }
    size_t count = current && current->kind == VALUE_LIST ? current->list.count : 0;
    for (size_t i = 0; code == ERR_NONE && i < count; i++) {
        struct value v = current->list.items[i];
        bool gives_way = is_none(p, v) && added.count;
        if (!listed(removed.items, removed.count, v) && !gives_way)
            code = add(l, p, v, err);
    }
    for (size_t i = 0; code == ERR_NONE && i < added.count; i++)
        code = add(l, p, added.items[i], err);
    return code;
}

static enum err_code sort_flags(struct items *l, const struct schema_property *p, struct err *err)
{
    struct items sorted = {.arena = l->arena};
    enum err_code code = ERR_NONE;
    for (const char *const *w = p->words; code == ERR_NONE && *w; w++)
        if (listed(l->items, l->count, value_of(*w)))
            code = add(&sorted, p, value_of(*w), err);
    if (code == ERR_NONE && sorted.count == 0 && is_none(p, value_of(p->words[0])))
        code = add(&sorted, p, value_of(p->words[0]), err);
    *l = sorted;
    return code;
}

enum err_code schema_parse_list(const struct schema_property *p, struct value in, const struct value *current,
                                struct arena *arena, struct value *ret, struct err *err)
{
    struct items l = {.arena = arena};
    enum err_code code = in.kind == VALUE_RECORD ? change(&l, p, in.record, current, err) : add_all(&l, p, in, err);
    if (code == ERR_NONE && p->type == SCHEMA_FLAGS)
        code = sort_flags(&l, p, err);
    if (code == ERR_NONE && (p->flags & SCHEMA_NOT_EMPTY) && l.count == 0)
        code = err_set(err, ERR_INVALID, "%s must have at least one entry", p->name);
    if (code == ERR_NONE)
        *ret = value_list(l.items, l.count);
    return code;
}
