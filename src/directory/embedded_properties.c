/*
 * embedded_properties.c: a record's properties as rows, so that the file can be read and mended with any SQLite
 * shell. A single value is one row with item -1; a list is one row for each item, or one of kind "empty".
 *
 * Invariant: the names of the kinds are on disk and never change their meaning.
 */
#include "directory/embedded_internal.h"

enum { ITEM_SINGLE = -1, LIST_MAX = 1 << 20 };

static const struct {
    enum value_kind kind;
    const char *name;
    enum { AS_NOTHING, AS_NUMBER, AS_TEXT } form;
} kinds[] = {
    {VALUE_STRING, "string", AS_TEXT},
    {VALUE_BOOL, "bool", AS_NUMBER},
    {VALUE_INT, "int", AS_NUMBER},
    {VALUE_SIZE, "size", AS_NUMBER},
    {VALUE_TIME, "time", AS_NUMBER},
    {VALUE_TIMESPAN, "timespan", AS_NUMBER},
    {VALUE_UNLIMITED, "unlimited", AS_NOTHING},
    {VALUE_NULL, "null", AS_NOTHING},
};

#define KIND_EMPTY_LIST "empty"

static enum err_code write_value(struct sql *s, int64_t recipient, int64_t *n, struct span name, int64_t item,
                                 struct value v, struct err *err)
{
    size_t k = 0;
    while (k < ARRAY_LEN(kinds) && kinds[k].kind != v.kind)
        k++;
    if (k == ARRAY_LEN(kinds))
        return err_set(err, ERR_INVALID, "%.*s has a value that cannot be stored", SPAN_ARG(name));
    sqlite3_stmt *st = sql_start(s, SQL_ADD_PROPERTY, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, recipient);
    sqlite3_bind_int64(st, 2, (*n)++);
    sql_bind(st, 3, name);
    sqlite3_bind_int64(st, 4, item);
    sql_bind(st, 5, span_of(kinds[k].name));
    if (kinds[k].form == AS_TEXT)
        sql_bind(st, 6, v.s);
    else if (kinds[k].form == AS_NUMBER)
        sqlite3_bind_int64(st, 6, v.kind == VALUE_BOOL ? v.b : v.i);
    return sql_run(s, st, err);
}

static enum err_code write_empty_list(struct sql *s, int64_t recipient, int64_t *n, struct span name,
                                      struct err *err)
{
    sqlite3_stmt *st = sql_start(s, SQL_ADD_PROPERTY, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, recipient);
    sqlite3_bind_int64(st, 2, (*n)++);
    sql_bind(st, 3, name);
    sqlite3_bind_int64(st, 4, 0);
    sql_bind(st, 5, SPAN(KIND_EMPTY_LIST));
    return sql_run(s, st, err);
}

enum err_code embedded_properties_write(struct sql *s, int64_t recipient, const struct record *r, struct err *err)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct span name = r->fields[i].name;
        struct value v = r->fields[i].value;
        enum err_code code = ERR_NONE;
        if (span_ieq(name, SPAN("Password")))
            continue;
        if (v.kind != VALUE_LIST)
            code = write_value(s, recipient, &n, name, ITEM_SINGLE, v, err);
        else if (v.list.count == 0)
            code = write_empty_list(s, recipient, &n, name, err);
        for (size_t k = 0; code == ERR_NONE && v.kind == VALUE_LIST && k < v.list.count; k++)
            code = write_value(s, recipient, &n, name, (int64_t)k, v.list.items[k], err);
        if (code != ERR_NONE)
            return code;
    }
    return ERR_NONE;
}

/* A list under construction: its items are gathered until the next property begins. */
struct gathering {
    struct span name;
    struct value *items;
    size_t count, cap;
};

static bool gather(struct gathering *g, struct arena *arena, struct value v)
{
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 8;
        struct value *items = cap <= LIST_MAX ? ARENA_ARRAY(arena, cap, struct value) : NULL;
        if (!items)
            return false;
        for (size_t i = 0; i < g->count; i++)
            items[i] = g->items[i];
        g->items = items;
        g->cap = cap;
    }
    g->items[g->count++] = v;
    return true;
}

static bool flush(struct gathering *g, struct record *r)
{
    bool ok = !g->name.ptr || record_set(r, g->name, value_list(g->items, g->count));
    *g = (struct gathering){0};
    return ok;
}

/* False when the arena is full; an unknown kind, of a newer program, reads as null. */
static bool read_value(sqlite3_stmt *st, struct arena *arena, struct value *ret)
{
    struct span kind = sql_text(st, 2);
    *ret = value_null();
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        if (!span_eq(span_of(kinds[k].name), kind))
            continue;
        ret->kind = kinds[k].kind;
        if (kinds[k].form == AS_TEXT)
            return sql_copy(st, 3, arena, &ret->s);
        if (ret->kind == VALUE_BOOL)
            ret->b = sqlite3_column_int(st, 3) != 0;
        else if (kinds[k].form == AS_NUMBER)
            ret->i = sqlite3_column_int64(st, 3);
    }
    return true;
}

static bool read_row(sqlite3_stmt *st, struct record *r, struct gathering *g)
{
    struct value v;
    struct span name;
    int64_t item = sqlite3_column_int64(st, 1);
    if (item <= 0 && !flush(g, r))
        return false;
    if (item == ITEM_SINGLE)
        return sql_copy(st, 0, r->arena, &name) && read_value(st, r->arena, &v) && record_set(r, name, v);
    if (item == 0 && !sql_copy(st, 0, r->arena, &g->name))
        return false;
    if (span_eq(sql_text(st, 2), SPAN(KIND_EMPTY_LIST)))
        return true;
    return read_value(st, r->arena, &v) && gather(g, r->arena, v);
}

enum err_code embedded_properties_read(struct sql *s, int64_t recipient, struct record *r, struct err *err)
{
    struct gathering list = {0};
    sqlite3_stmt *st = sql_start(s, SQL_PROPERTIES, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, recipient);
    int more;
    bool fits = true;
    while ((more = sql_step(s, st, err)) > 0 && fits)
        fits = read_row(st, r, &list);
    sql_done(st);
    if (more < 0)
        return err->code;
    if (!fits || !flush(&list, r))
        return err_set(err, ERR_NO_MEMORY, "a recipient is too large to be read");
    return ERR_NONE;
}
