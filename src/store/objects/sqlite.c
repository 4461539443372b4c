/*
 * sqlite.c: objects in an SQLite file: a row for each object, and a row for each property, in text as the schema
 * prints it, so that the file can be read with any SQLite shell. WAL, synchronous=FULL.
 *
 * Invariants: changes happen inside a transaction only; a put is a savepoint in it. The generation is a row of the
 * file, raised in the same transaction as what it counts.
 */
#include "store/objects/sqlite_internal.h"
#include "store/sqlite_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT_VERSION = 1, APPLICATION_ID = 0x4d52504f /* "MRPO" */, BUSY_MS = 1000 };

#define ROWS                                                                                                       \
    "SELECT o.id, o.class, o.guid, o.name, p.name, p.item, p.value FROM object o "                                 \
    "LEFT JOIN property p ON p.object = o.id "
#define ORDER " ORDER BY o.name, o.id, p.name, p.item"

static const char *const sql[STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVEPOINT] = "SAVEPOINT put",
    [SQL_RELEASE] = "RELEASE put",
    [SQL_ROLLBACK_TO] = "ROLLBACK TO put",
    [SQL_NAME_TAKEN] = "SELECT 1 FROM object WHERE class = ?1 AND name = ?2 AND guid <> ?3",
    [SQL_PUT] = "INSERT INTO object(class, name, guid) VALUES(?1, ?2, ?3) "
                "ON CONFLICT(guid) DO UPDATE SET name = ?2 WHERE class = ?1 RETURNING id",
    [SQL_DROP_PROPERTIES] = "DELETE FROM property WHERE object = ?1",
    [SQL_ADD_PROPERTY] = "INSERT INTO property(object, name, item, value) VALUES(?1, ?2, ?3, ?4)",
    [SQL_REMOVE] = "DELETE FROM object WHERE class = ?1 AND guid = ?2",
    [SQL_LIST] = ROWS "WHERE o.class = ?1" ORDER,
    [SQL_GET] = ROWS "WHERE o.class = ?1 AND o.guid = ?2" ORDER,
    [SQL_FIND_NAME] = ROWS "WHERE o.class = ?1 AND o.name = ?2" ORDER,
    /* The + keeps the planner from walking the whole class. */
    [SQL_FIND] = ROWS "WHERE +o.class = ?1 AND o.id IN (SELECT object FROM property WHERE name = ?2 AND value = ?3 "
                      "COLLATE NOCASE)" ORDER,
    [SQL_BUMP] = "UPDATE generation SET number = number + 1",
    [SQL_GENERATION] = "SELECT number FROM generation",
    [SQL_TRAIL_ADD] = "INSERT INTO trail(at, entry) VALUES(?1, ?2)",
    [SQL_TRAIL_DROP_MANY] = "DELETE FROM trail WHERE id <= (SELECT max(id) FROM trail) - ?1",
    [SQL_TRAIL_DROP_OLD] = "DELETE FROM trail WHERE id IN (SELECT id FROM trail ORDER BY id LIMIT 64) AND at < ?1",
    [SQL_TRAIL_READ] = "SELECT id, entry FROM trail WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    [SQL_NOTE_SET] = "INSERT OR REPLACE INTO note(name, bytes) VALUES(?1, ?2)",
    [SQL_NOTE_DROP] = "DELETE FROM note WHERE name = ?1",
    [SQL_NOTE_GET] = "SELECT bytes FROM note WHERE name = ?1",
};

static struct sqlite_store *of(struct object_store *s)
{
    return (struct sqlite_store *)s;
}

enum err_code objects_fail(struct sqlite_store *s, struct err *err)
{
    int rc = sqlite3_errcode(s->db);
    enum err_code code = rc == SQLITE_BUSY || rc == SQLITE_LOCKED      ? ERR_UNAVAILABLE
                         : rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT ? ERR_INVALID
                         : rc == SQLITE_NOMEM                          ? ERR_NO_MEMORY
                                                                       : ERR_IO;
    if (code == ERR_UNAVAILABLE)
        return err_set(err, code, "policy.db is in use by another process; try again");
    return err_set(err, code, "policy.db: %s", sqlite3_errmsg(s->db));
}

sqlite3_stmt *objects_statement(struct sqlite_store *s, enum statement id)
{
    sqlite3_reset(s->statements[id]);
    sqlite3_clear_bindings(s->statements[id]);
    return s->statements[id];
}

void objects_bind(sqlite3_stmt *st, int index, struct span text)
{
    sqlite3_bind_text64(st, index, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

enum err_code objects_run(struct sqlite_store *s, sqlite3_stmt *st, struct err *err)
{
    int rc;
    do
        rc = sqlite3_step(st);
    while (rc == SQLITE_ROW);
    enum err_code code = rc == SQLITE_DONE ? ERR_NONE : objects_fail(s, err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return code;
}

enum err_code objects_run_id(struct sqlite_store *s, enum statement id, struct err *err)
{
    return objects_run(s, objects_statement(s, id), err);
}

bool objects_in_transaction(const struct sqlite_store *s)
{
    return !sqlite3_get_autocommit(s->db);
}

/* ---- transactions ---- */

static enum err_code begin(struct object_store *store, struct err *err)
{
    struct sqlite_store *s = of(store);
    if (objects_in_transaction(s))
        return err_set(err, ERR_CONFLICT, "a transaction is open already");
    s->changed = false;
    return objects_run_id(s, SQL_BEGIN, err);
}

static void rollback(struct object_store *store)
{
    struct sqlite_store *s = of(store);
    struct err unwanted;
    if (objects_in_transaction(s))
        objects_run_id(s, SQL_ROLLBACK, &unwanted); /* fails only where SQLite has already rolled back */
}

static enum err_code commit(struct object_store *store, struct err *err)
{
    struct sqlite_store *s = of(store);
    if (!objects_in_transaction(s))
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    enum err_code code = s->changed ? objects_run_id(s, SQL_BUMP, err) : ERR_NONE;
    if (code == ERR_NONE)
        code = objects_run_id(s, SQL_COMMIT, err);
    if (code == ERR_NONE || code == ERR_UNAVAILABLE) /* busy: nothing has happened yet */
        return code;
    rollback(store);
    /* A flush that failed may still have reached the disk, and come back after a crash. */
    if (code == ERR_IO)
        return err_set(err, ERR_UNKNOWN, "policy.db: it is not known whether the change was stored");
    return code;
}

/* ---- reading ---- */

static enum err_code list(struct object_store *store, struct span class_name, struct arena *arena,
                          struct record ***ret, size_t *ret_count, struct err *err)
{
    struct sqlite_store *s = of(store);
    sqlite3_stmt *st = objects_statement(s, SQL_LIST);
    objects_bind(st, 1, class_name);
    return objects_read(s, st, arena, ret, ret_count, err);
}

static enum err_code get(struct object_store *store, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    struct sqlite_store *s = of(store);
    struct record **found;
    size_t count = 0;
    sqlite3_stmt *st = objects_statement(s, SQL_GET);
    objects_bind(st, 1, class_name);
    objects_bind(st, 2, guid);
    enum err_code code = objects_read(s, st, arena, &found, &count, err);
    if (code == ERR_NONE && count == 0)
        code = object_not_found(class_name, guid, err);
    if (code == ERR_NONE)
        *ret = found[0];
    return code;
}

static enum err_code find(struct object_store *store, struct span class_name, struct span property,
                          struct span text, struct arena *arena, struct record ***ret, size_t *ret_count,
                          struct err *err)
{
    struct sqlite_store *s = of(store);
    bool name = span_ieq(property, SPAN("Name")), guid = span_ieq(property, SPAN("Guid"));
    const struct schema_class *c = schema_class(class_name);
    const struct schema_property *p = c ? schema_property(c, property) : NULL;
    sqlite3_stmt *st = objects_statement(s, name ? SQL_FIND_NAME : guid ? SQL_GET : SQL_FIND);
    objects_bind(st, 1, class_name);
    objects_bind(st, 2, name || guid ? text : p ? span_of(p->name) : property);
    if (!name && !guid)
        objects_bind(st, 3, text);
    return objects_read(s, st, arena, ret, ret_count, err);
}

static uint64_t generation(struct object_store *store)
{
    struct sqlite_store *s = of(store);
    sqlite3_stmt *st = objects_statement(s, SQL_GENERATION);
    uint64_t n = sqlite3_step(st) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    return n;
}

/* ---- opening ---- */

static void close_store(struct object_store *store)
{
    struct sqlite_store *s = of(store);
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    free(s);
}

static enum err_code execute(struct sqlite_store *s, const char *text, struct err *err)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? ERR_NONE : objects_fail(s, err);
}

static enum err_code pragma_number(struct sqlite_store *s, const char *text, int *ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    bool read = sqlite3_prepare_v2(s->db, text, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW;
    if (read)
        *ret = sqlite3_column_int(st, 0);
    enum err_code code = read ? ERR_NONE : objects_fail(s, err);
    sqlite3_finalize(st);
    return code;
}

static enum err_code make_tables(struct sqlite_store *s, struct err *err)
{
    static const char tables[] =
        "BEGIN IMMEDIATE;"
        "PRAGMA application_id = 1297240143;"
        "PRAGMA user_version = 1;"
        "CREATE TABLE object(id INTEGER PRIMARY KEY, guid TEXT NOT NULL UNIQUE COLLATE NOCASE, class TEXT NOT "
        "NULL, "
        "name TEXT NOT NULL COLLATE NOCASE, UNIQUE(class, name)) STRICT;"
        "CREATE TABLE property(object INTEGER NOT NULL REFERENCES object(id) ON DELETE CASCADE, name TEXT NOT "
        "NULL, "
        "item INTEGER NOT NULL, value TEXT, PRIMARY KEY(object, name, item)) STRICT, WITHOUT ROWID;"
        "CREATE INDEX property_value ON property(name, value COLLATE NOCASE);"
        "CREATE TABLE generation(number INTEGER NOT NULL) STRICT;"
        "INSERT INTO generation VALUES(0);"
        "COMMIT;";
    enum err_code code = execute(s, tables, err);
    if (code && objects_in_transaction(s))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL); /* the first error is the one to tell */
    return code;
}

/* Made in files of before them, too: an older program leaves them alone, so the format is the same. */
static enum err_code make_later_tables(struct sqlite_store *s, struct err *err)
{
    return execute(
        s,
        "CREATE TABLE IF NOT EXISTS trail(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, entry "
        "BLOB NOT NULL) STRICT;"
        "CREATE TABLE IF NOT EXISTS note(name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;",
        err);
}

/* Whose file it is; *ret_empty: nobody's yet. */
static enum err_code check_format(struct sqlite_store *s, const char *path, bool *ret_empty, struct err *err)
{
    int version = 0, application = 0;
    enum err_code code = pragma_number(s, "PRAGMA user_version", &version, err);
    if (code == ERR_NONE)
        code = pragma_number(s, "PRAGMA application_id", &application, err);
    *ret_empty = version == 0 && application == 0;
    if (code || *ret_empty || (version == FORMAT_VERSION && application == APPLICATION_ID))
        return code;
    return err_set(err, ERR_INVALID, "%s is not a policy file of format %d, or of a newer version", path,
                   FORMAT_VERSION);
}

/* All of before `end`. */
static enum err_code prepare_all(struct sqlite_store *s, size_t end, struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < end; i++)
        if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL) != SQLITE_OK)
            code = objects_fail(s, err);
    return code;
}

static enum err_code set_up(struct sqlite_store *s, const char *path, struct err *err)
{
    bool empty = false;
    sqlite3_busy_timeout(s->db, BUSY_MS);
    enum err_code code = execute(s,
                                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                                 "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
                                 err);
    if (code == ERR_NONE)
        code = check_format(s, path, &empty, err);
    if (code == ERR_NONE && empty)
        code = make_tables(s, err);
    if (code == ERR_NONE)
        code = make_later_tables(s, err);
    return code ? code : prepare_all(s, STATEMENTS, err);
}

static enum err_code set_up_reader(struct sqlite_store *s, const char *path, struct err *err)
{
    bool empty = false;
    sqlite3_busy_timeout(s->db, BUSY_MS);
    enum err_code code = execute(s, "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;", err);
    if (code == ERR_NONE)
        code = check_format(s, path, &empty, err);
    if (code == ERR_NONE && empty)
        code = err_set(err, ERR_INVALID, "%s is empty", path);
    return code ? code : prepare_all(s, SQL_TRAIL_ADD, err); /* a file may be of before there was a trail */
}

/* The file holds passwords of smart hosts: nobody else may read it. SQLite gives its other files the same mode. */
static enum err_code make_private(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == EEXIST ? ERR_NONE : err_errno(err, errno, "cannot make %s", path);
}

static enum err_code new_store(bool writes, struct sqlite_store **ret, struct err *err)
{
    static const struct object_store_ops reader = {.begin = begin,
                                                   .commit = commit,
                                                   .rollback = rollback,
                                                   .put = objects_put,
                                                   .remove = objects_remove,
                                                   .list = list,
                                                   .get = get,
                                                   .find = find,
                                                   .generation = generation,
                                                   .close = close_store};
    static const struct object_store_ops writer = {.begin = begin,
                                                   .commit = commit,
                                                   .rollback = rollback,
                                                   .put = objects_put,
                                                   .remove = objects_remove,
                                                   .list = list,
                                                   .get = get,
                                                   .find = find,
                                                   .generation = generation,
                                                   .close = close_store,
                                                   .trail_add = objects_trail_add,
                                                   .trail_read = objects_trail_read,
                                                   .note_set = objects_note_set,
                                                   .note_get = objects_note_get};
    struct sqlite_store *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    s->store.ops = writes ? &writer : &reader;
    *ret = s;
    return ERR_NONE;
}

/* Gives the store that was opened, or closes what was not. */
static enum err_code finish_open(struct sqlite_store *s, enum err_code code, struct object_store **ret)
{
    if (code)
        close_store(&s->store);
    else
        *ret = &s->store;
    return code;
}

static enum err_code open_failed(struct sqlite_store *s, struct err *err)
{
    return s->db ? objects_fail(s, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code open_writer(const char *path, struct object_store **ret, struct err *err)
{
    struct sqlite_store *s;
    enum err_code code = new_store(true, &s, err);
    if (code)
        return code;
    bool opened = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
    return finish_open(s, opened ? set_up(s, path, err) : open_failed(s, err), ret);
}

enum err_code object_store_sqlite_open(const char *path, struct object_store **ret, struct err *err)
{
    enum err_code code = make_private(path, err);
    return code ? code : open_writer(path, ret, err);
}

enum err_code object_store_scratch_open(struct object_store **ret, struct err *err)
{
    return open_writer(":memory:", ret, err);
}

enum err_code object_store_sqlite_open_reader(const char *path, struct object_store **ret, struct err *err)
{
    struct sqlite_store *s;
    if (access(path, R_OK) < 0)
        return err_set(err,
                       errno == ENOENT   ? ERR_NOT_FOUND
                       : errno == EACCES ? ERR_DENIED
                                         : ERR_IO,
                       "cannot read %s: %s", path, strerror(errno));
    enum err_code code = new_store(false, &s, err);
    if (code)
        return code;
    bool opened = sqlite_reader_open(path, &s->db) == SQLITE_OK;
    return finish_open(s, opened ? set_up_reader(s, path, err) : open_failed(s, err), ret);
}
