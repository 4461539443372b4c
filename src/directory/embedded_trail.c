/* embedded_trail.c: what was done to the recipients, beside them and in their transactions. */
#include "base/value_codec.h"
#include "directory/embedded.h"
#include "directory/embedded_internal.h"

static struct embedded *embedded_of(struct directory *d)
{
    return (struct embedded *)d;
}

static enum err_code run_number(struct sql *s, enum sql_id id, int64_t number, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, id, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, number);
    return sql_run(s, st, err);
}

static enum err_code add(struct sql *s, struct span bytes, int64_t at_ms, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, SQL_TRAIL_ADD, err);
    if (!st)
        return err->code;
    sqlite3_bind_int64(st, 1, at_ms);
    sqlite3_bind_blob64(st, 2, bytes.ptr, bytes.len, SQLITE_STATIC);
    return sql_run(s, st, err);
}

enum err_code directory_embedded_trail_add(struct directory *d, const struct record *entry, int64_t at_ms,
                                           int64_t since_ms, uint64_t keep, struct err *err)
{
    struct embedded *e = embedded_of(d);
    struct err unwanted;
    struct buf b;
    err = err ? err : &unwanted;
    if (!e->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    buf_init(&b, DIRECTORY_TRAIL_ENTRY_MAX);
    record_encode(&b, entry);
    enum err_code code = b.failed ? err_set(err, ERR_LIMIT, "an entry of the trail is too large")
                                  : add(&e->writer, buf_span(&b), at_ms, err);
    buf_done(&b);
    if (code == ERR_NONE)
        code = run_number(&e->writer, SQL_TRAIL_DROP_MANY, (int64_t)keep, err);
    return code ? code : run_number(&e->writer, SQL_TRAIL_DROP_OLD, since_ms, err);
}

enum err_code directory_embedded_trail_read(struct directory *d, uint64_t before, size_t limit, struct arena *arena,
                                            struct record ***ret, size_t *ret_count, uint64_t *ret_next,
                                            struct err *err)
{
    struct err unwanted;
    err = err ? err : &unwanted;
    struct sql *s = &embedded_of(d)->writer;
    struct record **found = ARENA_ARRAY(arena, limit, struct record *);
    sqlite3_stmt *st = sql_start(s, SQL_TRAIL_READ, err);
    uint64_t last = 0;
    size_t n = 0;
    int more = 0;
    if (!found || !st)
        return found ? err->code : err_set(err, ERR_NO_MEMORY, "out of memory");
    sqlite3_bind_int64(st, 1, before ? (int64_t)before : INT64_MAX);
    sqlite3_bind_int64(st, 2, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
    while ((more = sql_step(s, st, err)) > 0) {
        const void *p = sqlite3_column_blob(st, 1);
        struct cursor c = cursor_of(span_make(p ? p : "", (size_t)sqlite3_column_bytes(st, 1)));
        found[n] = record_decode(&c, arena);
        last = (uint64_t)sqlite3_column_int64(st, 0);
        if (!found[n++] || !cursor_done(&c)) {
            err_set(err, ERR_INVALID, "the directory's file is damaged: an entry of the trail");
            more = -1;
            break;
        }
    }
    sql_done(st);
    if (more < 0)
        return err->code;
    *ret = found;
    *ret_count = n;
    *ret_next = n == limit && last > 1 ? last : 0;
    return ERR_NONE;
}
