/*
 * sqlite_write.c: records to rows. A put is a savepoint: it happens as a whole or not at all, and the transaction
 * goes on.
 */
#include "store/objects/sqlite_internal.h"

static enum err_code add_row(struct sqlite_store *s, int64_t id, const char *name, int item, const struct value *v,
                             struct err *err)
{
    struct buf b;
    sqlite3_stmt *st = objects_statement(s, SQL_ADD_PROPERTY);
    buf_init(&b, 1 << 20);
    if (v)
        schema_print_text(&b, *v);
    sqlite3_bind_int64(st, 1, id);
    objects_bind(st, 2, span_of(name));
    sqlite3_bind_int(st, 3, item);
    if (v)
        objects_bind(st, 4, buf_span(&b));
    enum err_code code = b.failed ? err_set(err, ERR_LIMIT, "%s is too long", name) : objects_run(s, st, err);
    buf_wipe(&b);
    return code;
}

static enum err_code add_property(struct sqlite_store *s, int64_t id, const struct schema_property *p,
                                  const struct value *v, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (v->kind != VALUE_LIST)
        return add_row(s, id, p->name, -1, v->kind == VALUE_NULL ? NULL : v, err);
    if (v->list.count == 0)
        return add_row(s, id, p->name, -1, NULL, err);
    for (size_t i = 0; code == ERR_NONE && i < v->list.count; i++)
        code = add_row(s, id, p->name, (int)i, &v->list.items[i], err);
    return code;
}

static enum err_code check_name(struct sqlite_store *s, const struct record *r, struct err *err)
{
    sqlite3_stmt *st = objects_statement(s, SQL_NAME_TAKEN);
    struct span name = record_string(r, SPAN("Name"));
    objects_bind(st, 1, span_of(schema_class(r->type)->name));
    objects_bind(st, 2, name);
    objects_bind(st, 3, record_string(r, SPAN("Guid")));
    int rc = sqlite3_step(st);
    enum err_code code = rc == SQLITE_DONE  ? ERR_NONE
                         : rc == SQLITE_ROW ? err_set(err, ERR_EXISTS, "there is a %s named \"%.*s\" already",
                                                      schema_class(r->type)->label, SPAN_ARG(span_head(name, 100)))
                                            : objects_fail(s, err);
    sqlite3_reset(st);
    return code;
}

static enum err_code put_row(struct sqlite_store *s, const struct record *r, int64_t *ret_id, struct err *err)
{
    sqlite3_stmt *st = objects_statement(s, SQL_PUT);
    objects_bind(st, 1, span_of(schema_class(r->type)->name));
    objects_bind(st, 2, record_string(r, SPAN("Name")));
    objects_bind(st, 3, record_string(r, SPAN("Guid")));
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *ret_id = sqlite3_column_int64(st, 0);
    enum err_code code = rc == SQLITE_ROW    ? ERR_NONE
                         : rc == SQLITE_DONE ? err_set(err, ERR_CONFLICT,
                                                       "the Guid belongs to an object of another "
                                                       "class")
                                             : objects_fail(s, err);
    sqlite3_reset(st);
    return code;
}

static enum err_code write_object(struct sqlite_store *s, const struct record *r, struct err *err)
{
    const struct schema_class *c = schema_class(r->type);
    int64_t id = 0;
    enum err_code code = check_name(s, r, err);
    if (code == ERR_NONE)
        code = put_row(s, r, &id, err);
    if (code)
        return code;
    sqlite3_stmt *st = objects_statement(s, SQL_DROP_PROPERTIES);
    sqlite3_bind_int64(st, 1, id);
    code = objects_run(s, st, err);
    for (size_t i = 0; code == ERR_NONE && i < r->count; i++) {
        const struct schema_property *p = schema_property(c, r->fields[i].name);
        bool in_row = span_ieq(r->fields[i].name, SPAN("Guid")) || span_ieq(r->fields[i].name, SPAN("Name"));
        if (!in_row && !(p->flags & OBJECT_NOT_STORED))
            code = add_property(s, id, p, &r->fields[i].value, err);
    }
    return code;
}

enum err_code objects_put(struct object_store *store, const struct record *r, struct err *err)
{
    struct sqlite_store *s = (struct sqlite_store *)store;
    struct err unwanted;
    if (!objects_in_transaction(s))
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    enum err_code code = objects_run_id(s, SQL_SAVEPOINT, err);
    if (code)
        return code;
    code = write_object(s, r, err);
    if (code)
        objects_run_id(s, SQL_ROLLBACK_TO, &unwanted); /* the error that matters is the first one */
    enum err_code released = objects_run_id(s, SQL_RELEASE, code ? &unwanted : err);
    s->changed = s->changed || code == ERR_NONE;
    return code ? code : released;
}

enum err_code objects_remove(struct object_store *store, struct span class_name, struct span guid, struct err *err)
{
    struct sqlite_store *s = (struct sqlite_store *)store;
    if (!objects_in_transaction(s))
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    sqlite3_stmt *st = objects_statement(s, SQL_REMOVE);
    objects_bind(st, 1, class_name);
    objects_bind(st, 2, guid);
    enum err_code code = objects_run(s, st, err);
    if (code == ERR_NONE && sqlite3_changes(s->db) == 0)
        return object_not_found(class_name, guid, err);
    s->changed = s->changed || code == ERR_NONE;
    return code;
}
