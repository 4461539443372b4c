/*
 * sqlite_read.c: rows to records. An object's rows stand together; a property's items stand in their order.
 *
 * Item -1 is a single value, or NULL for none; a list's items count from 0, and an empty list has one row with item
 * -1.
 */
#include "store/objects/sqlite_internal.h"

enum column { COLUMN_ID, COLUMN_CLASS, COLUMN_GUID, COLUMN_NAME, COLUMN_PROPERTY, COLUMN_ITEM, COLUMN_VALUE };

struct reader {
    struct arena *arena;
    struct record **records;
    size_t count, cap;
    int64_t id;                       /* of the last record */
    const struct schema_class *class; /* its class */
    struct value *items;              /* of the list being read */
    size_t item_count, item_cap;
};

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "the objects need too much memory");
}

static struct span text(sqlite3_stmt *st, int column)
{
    return span_make(sqlite3_column_text(st, column), (size_t)sqlite3_column_bytes(st, column));
}

static enum err_code begin_record(struct reader *r, sqlite3_stmt *st, struct err *err)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct record **grown = ARENA_ARRAY(r->arena, cap, struct record *);
        if (!grown)
            return no_memory(err);
        for (size_t i = 0; i < r->count; i++)
            grown[i] = r->records[i];
        r->records = grown;
        r->cap = cap;
    }
    r->class = schema_class(text(st, COLUMN_CLASS));
    if (!r->class)
        return err_set(err, ERR_INVALID, "policy.db: the class %.*s is not known",
                       SPAN_ARG(text(st, COLUMN_CLASS)));
    struct record *n = record_new(r->arena, span_of(r->class->name));
    struct span guid = arena_dup(r->arena, text(st, COLUMN_GUID)),
                name = arena_dup(r->arena, text(st, COLUMN_NAME));
    if (!n || !guid.ptr || !name.ptr || !record_set(n, SPAN("Guid"), value_string(guid)) ||
        !record_set(n, SPAN("Name"), value_string(name)))
        return no_memory(err);
    r->records[r->count++] = n;
    r->id = sqlite3_column_int64(st, COLUMN_ID);
    return ERR_NONE;
}

/* Adds to the list being read; the record's value grows with it. */
static bool add_item(struct reader *r, struct value v)
{
    if (r->item_count == r->item_cap) {
        size_t cap = r->item_cap ? r->item_cap * 2 : 8;
        struct value *grown = ARENA_ARRAY(r->arena, cap, struct value);
        if (!grown)
            return false;
        for (size_t i = 0; i < r->item_count; i++)
            grown[i] = r->items[i];
        r->items = grown;
        r->item_cap = cap;
    }
    r->items[r->item_count++] = v;
    return true;
}

static enum err_code read_property(struct reader *r, sqlite3_stmt *st, struct err *err)
{
    struct record *last = r->records[r->count - 1];
    const struct schema_property *p = schema_property(r->class, text(st, COLUMN_PROPERTY));
    int item = sqlite3_column_int(st, COLUMN_ITEM);
    bool null = sqlite3_column_type(st, COLUMN_VALUE) == SQLITE_NULL;
    struct value v = value_null();
    struct err why = {0};
    bool fits = p && (schema_is_list(p) ? item >= 0 || null : item < 0);
    if (!fits || (p->flags & OBJECT_NOT_STORED))
        return err_set(err, ERR_INVALID, "policy.db: a %s cannot have the stored property %.*s", r->class->label,
                       SPAN_ARG(text(st, COLUMN_PROPERTY)));
    struct span stored = null ? SPAN("") : arena_dup(r->arena, text(st, COLUMN_VALUE));
    if (!stored.ptr)
        return no_memory(err);
    if (!null && schema_parse_text(p, stored, r->arena, &v, &why) != ERR_NONE)
        return err_set(err, ERR_INVALID, "policy.db: %s \"%.*s\": %s", r->class->label,
                       SPAN_ARG(record_string(last, SPAN("Name"))), why.text);
    if (item <= 0) {
        r->items = NULL;
        r->item_count = r->item_cap = 0;
    }
    if (item >= 0 && !add_item(r, v))
        return no_memory(err);
    if (schema_is_list(p))
        v = value_list(r->items, r->item_count);
    return record_set(last, span_of(p->name), v) ? ERR_NONE : no_memory(err);
}

enum err_code objects_read(struct sqlite_store *s, sqlite3_stmt *st, struct arena *arena, struct record ***ret,
                           size_t *ret_count, struct err *err)
{
    struct reader r = {.arena = arena, .id = -1};
    enum err_code code = ERR_NONE;
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && code == ERR_NONE) {
        if (sqlite3_column_int64(st, COLUMN_ID) != r.id)
            code = begin_record(&r, st, err);
        if (code == ERR_NONE && sqlite3_column_type(st, COLUMN_PROPERTY) != SQLITE_NULL)
            code = read_property(&r, st, err);
    }
    if (code == ERR_NONE && rc != SQLITE_DONE)
        code = objects_fail(s, err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    if (code)
        return code;
    *ret = r.records;
    *ret_count = r.count;
    return ERR_NONE;
}
