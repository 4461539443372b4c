/* columns.c: which properties of an object are meant. */
#include "shell/format.h"

struct column_list {
    struct span *names;
    size_t count, cap;
};

static bool is_wildcard(struct span s)
{
    return span_find(s, '*') != SIZE_MAX || span_find(s, '?') != SIZE_MAX;
}

static void add(struct column_list *l, struct span name)
{
    for (size_t i = 0; i < l->count; i++)
        if (span_ieq(l->names[i], name))
            return;
    if (l->count < l->cap)
        l->names[l->count++] = name;
}

/* A name as the record spells it, or all that a pattern fits. */
static void add_matching(struct column_list *l, struct span name, const struct record *r)
{
    bool wild = is_wildcard(name), found = false;
    for (size_t i = 0; r && i < r->count; i++)
        if (wild ? shell_like(r->fields[i].name, name) : span_ieq(r->fields[i].name, name)) {
            add(l, r->fields[i].name);
            found = true;
        }
    if (!found && !wild)
        add(l, name);
}

bool columns_all(struct arena *arena, const struct record *r, struct columns *ret)
{
    struct span *names = ARENA_ARRAY(arena, r->count, struct span);
    for (size_t i = 0; names && i < r->count; i++)
        names[i] = r->fields[i].name;
    *ret = (struct columns){names, names ? r->count : 0};
    return names != NULL;
}

bool columns_of_view(struct arena *arena, const struct shell_view *view, struct columns *ret)
{
    size_t n = 0;
    while (view->columns[n])
        n++;
    struct span *names = ARENA_ARRAY(arena, n, struct span);
    for (size_t i = 0; names && i < n; i++)
        names[i] = span_of(view->columns[i]);
    *ret = (struct columns){names, names ? n : 0};
    return names != NULL;
}

enum err_code columns_of(struct arena *arena, const struct value *names, const struct record *r, const char *who,
                         struct columns *ret, struct err *err)
{
    const struct value *items = names->kind == VALUE_LIST ? names->list.items : names;
    size_t count = names->kind == VALUE_LIST ? names->list.count : 1, cap = count + (r ? r->count : 0);
    struct column_list l = {.names = ARENA_ARRAY(arena, cap, struct span), .cap = cap};
    if (!l.names)
        return run_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != VALUE_STRING)
            return err_set(err, ERR_INVALID, "%s: -Property wants names of properties, such as Name,Bindings", who);
        add_matching(&l, items[i].s, r);
    }
    *ret = (struct columns){l.names, l.count};
    return ERR_NONE;
}
