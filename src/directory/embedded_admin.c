/*
 * embedded_admin.c: administration of the recipients: transactions, and records in and out.
 *
 * Invariants: a put or remove outside a transaction is one of its own; inside one it happens as a whole or not at
 * all (a savepoint). Whoever caches what it knows of an account is told after the commit, so never too early.
 */
#include "directory/embedded.h"

#include "directory/embedded_internal.h"

#include <string.h>

static struct embedded *embedded_of(struct directory *d)
{
    return (struct embedded *)d;
}

/* Remembers whom to tell about after the commit; beyond CHANGED_MAX everybody is. */
static void note_change(struct embedded *e, struct span guid)
{
    if (e->changed_count < CHANGED_MAX && guid.len <= CHANGED_GUID_MAX) {
        memcpy(e->changed[e->changed_count].text, guid.ptr, guid.len);
        e->changed[e->changed_count].len = guid.len;
        e->changed_count++;
    } else {
        e->changed_all = true;
    }
}

static void tell_changes(struct embedded *e)
{
    if (e->changed_all)
        directory_changed(&e->base, SPAN(""));
    for (size_t i = 0; i < e->changed_count && !e->changed_all; i++)
        directory_changed(&e->base, span_make(e->changed[i].text, e->changed[i].len));
    e->changed_count = 0;
    e->changed_all = false;
}

enum err_code directory_embedded_begin(struct directory *d, struct err *err)
{
    struct embedded *e = embedded_of(d);
    struct err unwanted;
    err = err ? err : &unwanted;
    if (e->in_transaction)
        return err_set(err, ERR_CONFLICT, "a transaction is open already");
    enum err_code code = sql_do(&e->writer, SQL_BEGIN, err);
    e->in_transaction = code == ERR_NONE;
    return code;
}

void directory_embedded_rollback(struct directory *d)
{
    struct embedded *e = embedded_of(d);
    struct err unwanted;
    if (e->in_transaction && !sqlite3_get_autocommit(e->writer.db))
        sql_do(&e->writer, SQL_ROLLBACK, &unwanted); /* fails only when SQLite has rolled back by itself */
    e->in_transaction = false;
    e->changed_count = 0;
    e->changed_all = false;
}

enum err_code directory_embedded_commit(struct directory *d, struct err *err)
{
    struct embedded *e = embedded_of(d);
    struct err unwanted;
    err = err ? err : &unwanted;
    if (!e->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    enum err_code code = sql_do(&e->writer, SQL_COMMIT, err);
    bool refused = code == ERR_UNAVAILABLE; /* busy: nothing has happened, and it may be tried again */
    if (refused)
        return code;
    e->in_transaction = false;
    if (code == ERR_NONE)
        e->generation++;
    else if (!sqlite3_get_autocommit(e->writer.db))
        sql_do(&e->writer, SQL_ROLLBACK, &unwanted);
    tell_changes(e); /* after a failure too: forgetting too much is harmless */
    /* A flush that failed may still have reached the disk, and come back after a crash. */
    if (code == ERR_IO)
        return err_set(err, ERR_UNKNOWN, "it is not known whether the change was stored");
    return code;
}

/* Runs one change inside the open transaction, or inside one of its own. */
static enum err_code change(struct directory *d, const struct record *r, enum directory_kind kind, struct span guid,
                            struct err *err)
{
    struct embedded *e = embedded_of(d);
    struct sql *s = &e->writer;
    bool own = !e->in_transaction;
    struct arena arena;
    struct recipient x;
    arena_init(&arena, RECIPIENT_ARENA_MAX);
    enum err_code code = r ? recipient_read(r, &arena, &x, err) : ERR_NONE;
    if (code == ERR_NONE)
        code = own ? directory_embedded_begin(d, err) : sql_do(s, SQL_SAVEPOINT, err);
    if (code != ERR_NONE) {
        arena_clear(&arena);
        return code;
    }
    code = r ? embedded_write(s, r, &x, err) : embedded_remove(s, kind, guid, err);
    if (code == ERR_NONE)
        note_change(e, r ? x.guid : guid);
    arena_clear(&arena);
    struct err unwanted;
    if (!own && code != ERR_NONE)
        sql_do(s, SQL_ROLLBACK_TO, &unwanted);
    if (!own && sql_do(s, SQL_RELEASE, &unwanted) != ERR_NONE && code == ERR_NONE)
        code = err_set(err, unwanted.code, "%s", unwanted.text);
    if (own && code == ERR_NONE)
        code = directory_embedded_commit(d, err);
    if (own && e->in_transaction)
        directory_embedded_rollback(d);
    return code;
}

enum err_code directory_embedded_put(struct directory *d, const struct record *r, struct err *err)
{
    struct err unwanted;
    return change(d, r, DIRECTORY_NOT_FOUND, SPAN(""), err ? err : &unwanted);
}

enum err_code directory_embedded_remove(struct directory *d, struct span class_name, struct span guid,
                                        struct err *err)
{
    struct err unwanted;
    enum directory_kind kind = recipient_kind(class_name);
    if (kind == DIRECTORY_NOT_FOUND)
        return err_set(err, ERR_INVALID, "%.*s is not a class of recipients", SPAN_ARG(class_name));
    return change(d, NULL, kind, guid, err ? err : &unwanted);
}

/* Where records are read: what an open transaction has changed is seen; a read-only directory has its reader only.
 */
static struct sql *records_of(struct directory *d)
{
    struct embedded *e = embedded_of(d);
    return e->writer.db ? &e->writer : &e->reader;
}

/* The record of a recipient that a query has found. */
static struct record *read_record(struct sql *s, int64_t id, enum directory_kind kind, struct arena *arena,
                                  struct err *err)
{
    struct record *r = record_new(arena, recipient_class(kind));
    if (!r) {
        err_set(err, ERR_NO_MEMORY, "a recipient is too large to be read");
        return NULL;
    }
    return embedded_properties_read(s, id, r, err) == ERR_NONE ? r : NULL;
}

enum err_code directory_embedded_get(struct directory *d, struct span class_name, struct span guid,
                                     struct arena *arena, struct record **ret, struct err *err)
{
    struct err unwanted;
    err = err ? err : &unwanted;
    struct sql *s = records_of(d);
    enum directory_kind kind = recipient_kind(class_name);
    sqlite3_stmt *st = sql_start(s, SQL_FIND, err);
    if (!st)
        return err->code;
    sql_bind(st, 1, guid);
    int found = sql_step(s, st, err);
    int64_t id = found > 0 ? sqlite3_column_int64(st, 0) : 0;
    bool same = found > 0 && sqlite3_column_int(st, 1) == (int)kind;
    sql_done(st);
    if (found < 0)
        return err->code;
    if (!same)
        return err_set(err, ERR_NOT_FOUND, "there is no %.*s with the Guid %.*s", SPAN_ARG(class_name),
                       SPAN_ARG(guid));
    struct record *r = read_record(s, id, kind, arena, err);
    if (!r)
        return err->code;
    *ret = r;
    return ERR_NONE;
}

enum err_code directory_embedded_list(struct directory *d, struct span class_name, struct span after, size_t limit,
                                      struct arena *arena, struct record **ret, size_t *ret_count, bool *ret_more,
                                      struct err *err)
{
    struct err unwanted;
    err = err ? err : &unwanted;
    struct sql *s = records_of(d);
    enum directory_kind kind = recipient_kind(class_name);
    sqlite3_stmt *st = sql_start(s, SQL_LIST, err);
    if (!st)
        return err->code;
    sqlite3_bind_int(st, 1, (int)kind);
    sql_bind(st, 2, after);
    size_t n = 0;
    int more;
    while ((more = sql_step(s, st, err)) > 0 && n < limit) {
        ret[n] = read_record(s, sqlite3_column_int64(st, 0), kind, arena, err);
        if (!ret[n++]) {
            more = -1;
            break;
        }
    }
    sql_done(st);
    if (more < 0)
        return err->code;
    *ret_count = n;
    *ret_more = more > 0;
    return ERR_NONE;
}

/* A list of records that grows in an arena. */
struct records {
    struct record **items;
    size_t count, cap;
};

static bool records_add(struct records *list, struct arena *arena, struct record *r)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 4;
        struct record **items = ARENA_ARRAY(arena, cap, struct record *);
        if (!items)
            return false;
        for (size_t i = 0; i < list->count; i++)
            items[i] = list->items[i];
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = r;
    return true;
}

enum err_code directory_embedded_find(struct directory *d, struct span class_name, struct span property,
                                      struct span text, struct arena *arena, struct record ***ret,
                                      size_t *ret_count, struct err *err)
{
    struct err unwanted;
    err = err ? err : &unwanted;
    struct sql *s = records_of(d);
    enum directory_kind kind = recipient_kind(class_name);
    struct records found = {0};
    sqlite3_stmt *st = sql_start(s, SQL_FIND_TEXT, err);
    if (!st)
        return err->code;
    sqlite3_bind_int(st, 1, (int)kind);
    sql_bind(st, 2, property);
    sql_bind(st, 3, text);
    int more;
    while ((more = sql_step(s, st, err)) > 0) {
        struct record *r = read_record(s, sqlite3_column_int64(st, 0), kind, arena, err);
        if (!r || !records_add(&found, arena, r)) {
            more = -1;
            if (r)
                err_set(err, ERR_NO_MEMORY, "too many recipients are found at once");
            break;
        }
    }
    sql_done(st);
    if (more < 0)
        return err->code;
    *ret = found.items;
    *ret_count = found.count;
    return ERR_NONE;
}

uint64_t directory_embedded_generation(const struct directory *d)
{
    return ((const struct embedded *)d)->generation;
}
