/*
 * index_sqlite.c: the index of one stretch of the log as an SQLite file: one table, filled in the order of its key
 * and so packed without gaps, written once, flushed and then given its name. So it needs no journal, nothing is
 * ever written in the middle, and what a crash leaves behind has no name that anybody looks at.
 */
#include "store/tracking/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FORMAT_VERSION = 1, APPLICATION_ID = 0x4d527472 /* "MRtr" */ };

static const char tables[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA application_id = 1297249394; PRAGMA user_version = 1;"
    "BEGIN EXCLUSIVE;"
    "CREATE TABLE facts(mark INTEGER NOT NULL, rows INTEGER NOT NULL, oldest INTEGER NOT NULL,"
    " newest INTEGER NOT NULL) STRICT;"
    "CREATE TABLE entry(hash INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY(hash, offset))"
    " STRICT, WITHOUT ROWID;";
_Static_assert(APPLICATION_ID == 1297249394 && FORMAT_VERSION == 1, "the text says the same");

struct tracking_index {
    sqlite3 *db;
    sqlite3_stmt *find;
};

static enum err_code fail(sqlite3 *db, struct err *err)
{
    int rc = sqlite3_errcode(db) & 0xff;
    enum err_code code = rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT || rc == SQLITE_ERROR ? ERR_INVALID
                         : rc == SQLITE_NOMEM                                              ? ERR_NO_MEMORY
                                                                                           : ERR_IO;
    return err_set(err, code, "index of the message tracking log: %s", sqlite3_errmsg(db));
}

/* ---- writing ---- */

static bool insert(sqlite3_stmt *st, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(st, i + 1, values[i]);
    bool done = sqlite3_step(st) == SQLITE_DONE;
    sqlite3_reset(st);
    return done;
}

static enum err_code put_all(sqlite3 *db, const struct tracking_facts *f, const struct tracking_entry *entries,
                             size_t count, struct err *err)
{
    sqlite3_stmt *facts = NULL, *entry = NULL;
    bool done = sqlite3_prepare_v2(db, "INSERT INTO facts VALUES(?1, ?2, ?3, ?4)", -1, &facts, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(db, "INSERT INTO entry VALUES(?1, ?2)", -1, &entry, NULL) == SQLITE_OK &&
                insert(facts, (int64_t[]){(int64_t)f->mark, (int64_t)f->rows, f->oldest_ms, f->newest_ms}, 4);
    for (size_t i = 0; done && i < count; i++)
        done = insert(entry, (int64_t[]){(int64_t)entries[i].hash, (int64_t)entries[i].offset}, 2);
    enum err_code code = done ? ERR_NONE : fail(db, err);
    sqlite3_finalize(facts);
    sqlite3_finalize(entry);
    return code;
}

static enum err_code flush_and_name(const char *path, const char *new, struct err *err)
{
    int fd = open(new, O_RDONLY | O_CLOEXEC);
    bool flushed = fd >= 0 && fdatasync(fd) == 0;
    enum err_code code =
        flushed && rename(new, path) == 0 ? ERR_NONE : err_errno(err, errno, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    return code;
}

enum err_code tracking_index_write(const char *path, const struct tracking_facts *facts,
                                   const struct tracking_entry *entries, size_t count, struct err *err)
{
    char new[TRACKING_PATH_MAX + 8];
    sqlite3 *db = NULL;
    enum err_code code = ERR_NONE;
    snprintf(new, sizeof new, "%s.new", path);
    unlink(new);
    int fd = open(new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, errno, "cannot make %s", new);
    close(fd);
    if (sqlite3_open_v2(new, &db, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, NULL) ||
        sqlite3_exec(db, tables, NULL, NULL, NULL))
        code = db ? fail(db, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code)
        code = put_all(db, facts, entries, count, err);
    if (!code && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
        code = fail(db, err);
    sqlite3_close(db);
    if (!code)
        code = flush_and_name(path, new, err);
    if (code)
        unlink(new);
    return code;
}

/* ---- reading ---- */

static enum err_code read_facts(sqlite3 *db, struct tracking_facts *ret, struct err *err)
{
    static const char text[] =
        "SELECT mark, rows, oldest, newest, (SELECT application_id FROM pragma_application_id),"
        " (SELECT user_version FROM pragma_user_version) FROM facts";
    sqlite3_stmt *st = NULL;
    enum err_code code = ERR_NONE;
    if (sqlite3_prepare_v2(db, text, -1, &st, NULL) || sqlite3_step(st) != SQLITE_ROW)
        code = sqlite3_errcode(db) == SQLITE_DONE ? ERR_INVALID : fail(db, err);
    else if (sqlite3_column_int(st, 4) != APPLICATION_ID || sqlite3_column_int(st, 5) != FORMAT_VERSION)
        code = err_set(err, ERR_INVALID, "not an index of the message tracking log of format %d", FORMAT_VERSION);
    else
        *ret = (struct tracking_facts){
            .mark = (uint64_t)sqlite3_column_int64(st, 0),
            .rows = (uint64_t)sqlite3_column_int64(st, 1),
            .oldest_ms = sqlite3_column_int64(st, 2),
            .newest_ms = sqlite3_column_int64(st, 3),
        };
    sqlite3_finalize(st);
    return code;
}

enum err_code tracking_index_open(const char *path, struct tracking_index **ret, struct tracking_facts *ret_facts,
                                  struct err *err)
{
    static const char find[] = "SELECT offset FROM entry WHERE hash = ?1 ORDER BY offset DESC";
    struct tracking_index *x;
    enum err_code code = ERR_NONE;
    if (access(path, R_OK) < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read %s", path);
    x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (sqlite3_open_v2(path, &x->db, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY, NULL) ||
        sqlite3_exec(x->db, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;", NULL, NULL, NULL))
        code = x->db ? fail(x->db, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
    if (!code)
        code = read_facts(x->db, ret_facts, err);
    if (!code && sqlite3_prepare_v2(x->db, find, -1, &x->find, NULL))
        code = fail(x->db, err);
    if (code) {
        tracking_index_close(x);
        return code;
    }
    *ret = x;
    return ERR_NONE;
}

enum err_code tracking_index_find(struct tracking_index *x, uint64_t hash,
                                  bool (*each)(void *context, uint64_t offset), void *context, struct err *err)
{
    int rc;
    sqlite3_bind_int64(x->find, 1, (int64_t)hash);
    while ((rc = sqlite3_step(x->find)) == SQLITE_ROW)
        if (!each(context, (uint64_t)sqlite3_column_int64(x->find, 0)))
            break;
    enum err_code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_NONE : fail(x->db, err);
    sqlite3_reset(x->find);
    return code;
}

void tracking_index_close(struct tracking_index *x)
{
    if (!x)
        return;
    sqlite3_finalize(x->find);
    sqlite3_close(x->db);
    free(x);
}
