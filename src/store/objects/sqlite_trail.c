/* sqlite_trail.c: the trail and notes: tables beside the objects, in their transactions. */
#include "base/value_codec.h"
#include "store/objects/sqlite_internal.h"

static struct sqlite_store *of(struct object_store *s)
{
    return (struct sqlite_store *)s;
}

static enum err_code check_transaction(struct sqlite_store *s, struct err *err)
{
    return objects_in_transaction(s) ? ERR_NONE : err_set(err, ERR_CONFLICT, "no transaction is open");
}

static void bind_bytes(sqlite3_stmt *st, int index, struct span bytes)
{
    sqlite3_bind_blob64(st, index, bytes.ptr ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

static struct span bytes_of(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);
    return p ? span_make(p, (size_t)sqlite3_column_bytes(st, column)) : SPAN("");
}

/* ---- the trail ---- */

/* A number bound to a statement that is run. */
static enum err_code run_number(struct sqlite_store *s, enum statement id, int64_t number, struct err *err)
{
    sqlite3_stmt *st = objects_statement(s, id);
    sqlite3_bind_int64(st, 1, number);
    return objects_run(s, st, err);
}

enum err_code objects_trail_add(struct object_store *store, const struct record *entry, int64_t at_ms,
                                int64_t since_ms, struct err *err)
{
    struct sqlite_store *s = of(store);
    struct buf b;
    enum err_code code = check_transaction(s, err);
    if (code)
        return code;
    buf_init(&b, OBJECT_TRAIL_ENTRY_MAX);
    record_encode(&b, entry);
    sqlite3_stmt *st = objects_statement(s, SQL_TRAIL_ADD);
    sqlite3_bind_int64(st, 1, at_ms);
    bind_bytes(st, 2, buf_span(&b));
    code = b.failed ? err_set(err, ERR_LIMIT, "an entry of the trail is too large") : objects_run(s, st, err);
    buf_done(&b);
    if (code == ERR_NONE)
        code = run_number(s, SQL_TRAIL_DROP_MANY, OBJECT_TRAIL_MAX, err);
    return code ? code : run_number(s, SQL_TRAIL_DROP_OLD, since_ms, err);
}

enum err_code objects_trail_read(struct object_store *store, uint64_t before, size_t limit, struct arena *arena,
                                 struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    struct sqlite_store *s = of(store);
    struct record **found = ARENA_ARRAY(arena, limit, struct record *);
    enum err_code code = found ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
    sqlite3_stmt *st = objects_statement(s, SQL_TRAIL_READ);
    uint64_t last = 0;
    size_t n = 0;
    int rc = SQLITE_DONE;
    sqlite3_bind_int64(st, 1, before ? (int64_t)before : INT64_MAX);
    sqlite3_bind_int64(st, 2, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    while (code == ERR_NONE && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct cursor c = cursor_of(bytes_of(st, 1));
        found[n] = record_decode(&c, arena);
        last = (uint64_t)sqlite3_column_int64(st, 0);
        if (!found[n++] || !cursor_done(&c))
            code = err_set(err, ERR_INVALID, "policy.db: an entry of the trail is damaged");
    }
    if (code == ERR_NONE && rc != SQLITE_DONE)
        code = objects_fail(s, err);
    sqlite3_reset(st);
    if (code)
        return code;
    *ret = found;
    *ret_count = n;
    *ret_next = n == limit && last > 1 ? last : 0;
    return ERR_NONE;
}

/* ---- notes ---- */

enum err_code objects_note_set(struct object_store *store, struct span name, struct span bytes, struct err *err)
{
    struct sqlite_store *s = of(store);
    enum err_code code = check_transaction(s, err);
    if (code)
        return code;
    sqlite3_stmt *st = objects_statement(s, bytes.len ? SQL_NOTE_SET : SQL_NOTE_DROP);
    objects_bind(st, 1, name);
    if (bytes.len)
        bind_bytes(st, 2, bytes);
    return objects_run(s, st, err);
}

enum err_code objects_note_get(struct object_store *store, struct span name, struct arena *arena, struct span *ret,
                               struct err *err)
{
    struct sqlite_store *s = of(store);
    sqlite3_stmt *st = objects_statement(s, SQL_NOTE_GET);
    objects_bind(st, 1, name);
    int rc = sqlite3_step(st);
    enum err_code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_NONE : objects_fail(s, err);
    struct span bytes = rc == SQLITE_ROW ? arena_dup(arena, bytes_of(st, 0)) : SPAN("");
    sqlite3_reset(st);
    if (code == ERR_NONE && !bytes.ptr)
        code = err_set(err, ERR_NO_MEMORY, "out of memory");
    if (code == ERR_NONE)
        *ret = bytes;
    return code;
}
