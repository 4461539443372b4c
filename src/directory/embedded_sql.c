/*
 * embedded_sql.c: SQLite as the directory uses it: the schema, every statement's text, errors.
 *
 * Invariants: what comes from people reaches SQL only through bound parameters. Text compares NOCASE, which folds
 * ASCII and nothing else, as span_ieq does. WAL with synchronous=FULL: a commit that returned is on stable storage.
 */
#include "directory/embedded_internal.h"
#include "store/sqlite_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 1, BUSY_MS = 2000, CACHE_KIB = 32 * 1024, APPLICATION_ID = 0x4d527664 /* "MRvd" */ };

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)

/* class is enum directory_kind: its numbers are on disk. */
static const char schema[] = "CREATE TABLE recipient("
                             " id INTEGER PRIMARY KEY,"
                             " guid TEXT NOT NULL UNIQUE COLLATE NOCASE,"
                             " class INTEGER NOT NULL,"
                             " name TEXT NOT NULL COLLATE NOCASE,"
                             " display_name TEXT NOT NULL,"
                             " primary_address TEXT NOT NULL,"
                             " target TEXT NOT NULL,"
                             " principal TEXT UNIQUE COLLATE NOCASE,"
                             " enabled INTEGER NOT NULL,"
                             " UNIQUE(class, name));"
                             "CREATE TABLE address("
                             " address TEXT PRIMARY KEY COLLATE NOCASE,"
                             " recipient INTEGER NOT NULL,"
                             " n INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE INDEX address_recipient ON address(recipient, n);"
                             "CREATE TABLE member("
                             " owner INTEGER NOT NULL,"
                             " n INTEGER NOT NULL,"
                             " guid TEXT NOT NULL COLLATE NOCASE,"
                             " PRIMARY KEY(owner, n)) WITHOUT ROWID;"
                             "CREATE INDEX member_guid ON member(guid, owner);"
                             "CREATE TABLE password("
                             " recipient INTEGER PRIMARY KEY,"
                             " hash TEXT NOT NULL);"
                             "CREATE TABLE property("
                             " recipient INTEGER NOT NULL,"
                             " n INTEGER NOT NULL,"
                             " name TEXT NOT NULL,"
                             " item INTEGER NOT NULL," /* place in a list, -1 for a single value */
                             " kind TEXT NOT NULL,"
                             " value,"
                             " PRIMARY KEY(recipient, n)) WITHOUT ROWID;"
                             "PRAGMA application_id = 1297249892;"
                             "PRAGMA user_version = " VALUE(1) ";";
_Static_assert(APPLICATION_ID == 1297249892 && SCHEMA_VERSION == 1, "the schema's text says the same");

/* Of the few recipients that want an authenticated sender. */
#define GUARDED "name = 'RequireSenderAuthenticationEnabled' AND value = 1"

/*
 * Made in files of before it, too. An older program keeps it up to date without knowing it, so the format is the
 * same.
 */
static const char later_parts[] =
    "CREATE INDEX IF NOT EXISTS property_text ON property(name COLLATE NOCASE, value COLLATE NOCASE)"
    " WHERE kind = 'string';"
    "CREATE INDEX IF NOT EXISTS property_guard ON property(recipient) WHERE " GUARDED ";"
    "CREATE TABLE IF NOT EXISTS trail(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, entry BLOB NOT "
    "NULL);";

#define ACCOUNT_FROM " FROM recipient r LEFT JOIN password p ON p.recipient = r.id WHERE r.class = 1 AND r."

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_SAVEPOINT] = "SAVEPOINT change",
    [SQL_RELEASE] = "RELEASE change",
    [SQL_ROLLBACK_TO] = "ROLLBACK TO change",
    [SQL_RESOLVE] = "SELECT r.id, r.class, r.guid, r.primary_address, r.target,"
                    " EXISTS(SELECT 1 FROM property WHERE recipient = r.id AND " GUARDED ") FROM address a"
                    " JOIN recipient r ON r.id = a.recipient WHERE a.address = ?1",
    [SQL_MEMBERS] = "SELECT r.primary_address FROM member m JOIN recipient r ON r.guid = m.guid"
                    " WHERE m.owner = ?1 ORDER BY m.n",
    [SQL_ACCOUNT_BY_ADDRESS] = "SELECT r.guid, r.enabled, p.hash FROM address a"
                               " JOIN recipient r ON r.id = a.recipient AND r.class = 1"
                               " LEFT JOIN password p ON p.recipient = r.id WHERE a.address = ?1",
    [SQL_ACCOUNT_BY_PRINCIPAL] = "SELECT r.guid, r.enabled, p.hash" ACCOUNT_FROM "principal = ?1",
    [SQL_ACCOUNT_BY_NAME] = "SELECT r.guid, r.enabled, p.hash" ACCOUNT_FROM "name = ?1",
    [SQL_ACCOUNT_BY_PRIMARY] = "SELECT r.guid, r.enabled, p.hash FROM address a"
                               " JOIN recipient r ON r.id = a.recipient AND r.class = 1 AND r.principal IS NULL"
                               " AND r.primary_address = a.address COLLATE NOCASE"
                               " LEFT JOIN password p ON p.recipient = r.id WHERE a.address = ?1",
    [SQL_MAILBOX] = "SELECT id, guid, primary_address, display_name FROM recipient WHERE guid = ?1 AND class = 1",
    [SQL_ADDRESSES] = "SELECT address FROM address WHERE recipient = ?1 ORDER BY n",
    /* UNION, not UNION ALL: groups that contain each other end the search. */
    [SQL_GROUPS] = "WITH RECURSIVE g(id) AS (SELECT owner FROM member WHERE guid = ?1 UNION"
                   " SELECT m.owner FROM g JOIN recipient r ON r.id = g.id JOIN member m ON m.guid = r.guid)"
                   " SELECT r.guid FROM g JOIN recipient r ON r.id = g.id ORDER BY r.id",
    /*
     * From the address's owner to the few who may send as it (CROSS JOIN keeps the order of the tables); the groups
     * are searched only where one of those is a group.
     */
    [SQL_SEND_AS] =
        "WITH RECURSIVE p(value) AS MATERIALIZED (SELECT p.value FROM address a CROSS JOIN property p"
        " ON p.recipient = a.recipient WHERE a.address = ?2 AND p.name = 'SendAs' COLLATE NOCASE"
        " AND p.kind = 'string'),"
        " g(id) AS (SELECT owner FROM member WHERE guid = ?1 AND EXISTS (SELECT 1 FROM p WHERE value LIKE"
        " 'group:%') UNION"
        " SELECT m.owner FROM g JOIN recipient r ON r.id = g.id JOIN member m ON m.guid = r.guid)"
        " SELECT 1 FROM p WHERE value = 'user:' || ?1 COLLATE NOCASE OR EXISTS (SELECT 1 FROM g"
        " JOIN recipient r ON r.id = g.id WHERE p.value = 'group:' || r.guid COLLATE NOCASE) LIMIT 1",
    [SQL_FIND] = "SELECT id, class, guid FROM recipient WHERE guid = ?1",
    [SQL_LIST] = "SELECT id, guid FROM recipient WHERE class = ?1 AND guid > ?2 ORDER BY guid",
    /* CROSS JOIN keeps the order of the tables: from the index, never through the whole class. */
    [SQL_FIND_TEXT] = "SELECT DISTINCT p.recipient FROM property p CROSS JOIN recipient r ON r.id = p.recipient"
                      " WHERE p.kind = 'string' AND p.name = ?2 COLLATE NOCASE AND p.value = ?3 COLLATE NOCASE"
                      " AND r.class = ?1",
    [SQL_PROPERTIES] = "SELECT name, item, kind, value FROM property WHERE recipient = ?1 ORDER BY n",
    [SQL_OWNER_OF_ADDRESS] = "SELECT r.guid, r.name FROM address a JOIN recipient r ON r.id = a.recipient"
                             " WHERE a.address = ?1",
    [SQL_OWNER_OF_NAME] = "SELECT guid, name FROM recipient WHERE name = ?1 AND class = ?2",
    [SQL_OWNER_OF_PRINCIPAL] = "SELECT guid, name FROM recipient WHERE principal = ?1",
    [SQL_INSERT] =
        "INSERT INTO recipient(guid, class, name, display_name, primary_address, target, principal, enabled)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_UPDATE] = "UPDATE recipient SET name = ?3, display_name = ?4, primary_address = ?5, target = ?6,"
                   " principal = ?7, enabled = ?8 WHERE guid = ?1 AND class = ?2",
    [SQL_DELETE] = "DELETE FROM recipient WHERE id = ?1",
    [SQL_DELETE_PROPERTIES] = "DELETE FROM property WHERE recipient = ?1",
    [SQL_DELETE_ADDRESSES] = "DELETE FROM address WHERE recipient = ?1",
    [SQL_DELETE_MEMBERS] = "DELETE FROM member WHERE owner = ?1",
    [SQL_DELETE_PASSWORD] = "DELETE FROM password WHERE recipient = ?1",
    [SQL_ADD_PROPERTY] =
        "INSERT INTO property(recipient, n, name, item, kind, value) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_ADD_ADDRESS] = "INSERT INTO address(address, recipient, n) VALUES(?1, ?2, ?3)",
    [SQL_ADD_MEMBER] = "INSERT INTO member(owner, n, guid) VALUES(?1, ?2, ?3)",
    [SQL_SET_PASSWORD] = "INSERT OR REPLACE INTO password(recipient, hash) VALUES(?1, ?2)",
    [SQL_TRAIL_ADD] = "INSERT INTO trail(at, entry) VALUES(?1, ?2)",
    [SQL_TRAIL_DROP_MANY] = "DELETE FROM trail WHERE id <= (SELECT max(id) FROM trail) - ?1",
    [SQL_TRAIL_DROP_OLD] = "DELETE FROM trail WHERE id IN (SELECT id FROM trail ORDER BY id LIMIT 64) AND at < ?1",
    [SQL_TRAIL_READ] = "SELECT id, entry FROM trail WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
};

enum err_code sql_err(struct sql *s, struct err *err)
{
    const char *text = s->db ? sqlite3_errmsg(s->db) : "out of memory";
    switch (s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return err_set(err, ERR_UNAVAILABLE, "the directory is held by another process; try again");
    case SQLITE_NOMEM: return err_set(err, ERR_NO_MEMORY, "out of memory in the directory's database");
    case SQLITE_CONSTRAINT: return err_set(err, ERR_EXISTS, "the directory has one already: %s", text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return err_set(err, ERR_INVALID, "the directory's file is damaged: %s", text);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return err_set(err, ERR_IO, "the directory's file cannot be used: %s", text);
    default: return err_set(err, ERR_INTERNAL, "the directory's database refuses: %s", text);
    }
}

static enum err_code execute(struct sql *s, const char *text, struct err *err)
{
    return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? ERR_NONE : sql_err(s, err);
}

/* One number that a PRAGMA answers. */
static enum err_code ask_number(struct sql *s, const char *pragma, int *ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(s->db, pragma, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
        enum err_code code = sql_err(s, err);
        sqlite3_finalize(st);
        return code;
    }
    *ret = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return ERR_NONE;
}

static enum err_code check_format(int application, int version, const char *path, struct err *err)
{
    if (application != APPLICATION_ID)
        return err_set(err, ERR_INVALID, "%s is not a directory", path);
    if (version != SCHEMA_VERSION)
        return err_set(err, ERR_INVALID, "%s has the directory format %d; this program knows %d", path, version,
                       SCHEMA_VERSION);
    return ERR_NONE;
}

/* Makes the tables in an empty file, or checks whose file it is. Two processes that start at once agree. */
static enum err_code prepare_schema(struct sql *s, const char *path, struct err *err)
{
    int application = 0, version = 0, tables = 0;
    enum err_code code = execute(s, "BEGIN IMMEDIATE", err);
    if (code != ERR_NONE)
        return code;
    code = ask_number(s, "PRAGMA application_id", &application, err);
    if (code == ERR_NONE)
        code = ask_number(s, "PRAGMA user_version", &version, err);
    if (code == ERR_NONE)
        code = ask_number(s, "SELECT count(*) FROM sqlite_master", &tables, err);
    if (code == ERR_NONE && tables == 0 && application == 0)
        code = execute(s, schema, err);
    else if (code == ERR_NONE)
        code = check_format(application, version, path, err);
    if (code == ERR_NONE)
        code = execute(s, later_parts, err);
    if (code == ERR_NONE)
        return execute(s, "COMMIT", err);
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL); /* the first error is the one to tell */
    return code;
}

/* SQLite would make it readable for everybody; its other files follow this one's mode. */
static enum err_code create_private(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? ERR_NONE : err_errno(err, errno, "cannot create %s", path);
    close(fd);
    return ERR_NONE;
}

enum err_code sql_open(struct sql *s, const char *path, bool writer, struct err *err)
{
    *s = (struct sql){0};
    enum err_code code = writer ? create_private(path, err) : ERR_NONE;
    if (code == ERR_NONE &&
        sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        code = sql_err(s, err);
    if (code == ERR_NONE) {
        char pragmas[200];
        snprintf(pragmas, sizeof pragmas,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -%d;"
                 "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
                 CACHE_KIB);
        sqlite3_extended_result_codes(s->db, 1);
        sqlite3_busy_timeout(s->db, BUSY_MS);
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        code = execute(s, pragmas, err);
    }
    if (code == ERR_NONE && writer)
        code = prepare_schema(s, path, err);
    if (code == ERR_NONE && !writer)
        code = execute(s, "PRAGMA query_only = ON", err);
    if (code != ERR_NONE)
        sql_close(s);
    return code;
}

enum err_code sql_open_reader(struct sql *s, const char *path, struct err *err)
{
    int application = 0, version = 0;
    *s = (struct sql){0};
    if (access(path, R_OK) < 0)
        return err_set(err,
                       errno == ENOENT   ? ERR_NOT_FOUND
                       : errno == EACCES ? ERR_DENIED
                                         : ERR_IO,
                       "cannot read %s: %s", path, strerror(errno));
    enum err_code code = sqlite_reader_open(path, &s->db) == SQLITE_OK ? ERR_NONE : sql_err(s, err);
    if (code == ERR_NONE) {
        sqlite3_extended_result_codes(s->db, 1);
        sqlite3_busy_timeout(s->db, BUSY_MS);
        code = execute(s, "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;", err);
    }
    if (code == ERR_NONE)
        code = ask_number(s, "PRAGMA application_id", &application, err);
    if (code == ERR_NONE)
        code = ask_number(s, "PRAGMA user_version", &version, err);
    if (code == ERR_NONE)
        code = check_format(application, version, path, err);
    if (code != ERR_NONE)
        sql_close(s);
    return code;
}

void sql_close(struct sql *s)
{
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    *s = (struct sql){0};
}

sqlite3_stmt *sql_start(struct sql *s, enum sql_id id, struct err *err)
{
    if (!s->statements[id] && sqlite3_prepare_v3(s->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT,
                                                 &s->statements[id], NULL) != SQLITE_OK) {
        sql_err(s, err);
        return NULL;
    }
    return s->statements[id];
}

void sql_done(sqlite3_stmt *st)
{
    if (!st)
        return;
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

void sql_bind(sqlite3_stmt *st, int n, struct span text)
{
    int rc = sqlite3_bind_text64(st, n, text.len ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
    ASSERT(rc ==
           SQLITE_OK); /* it refuses a number out of range, which is ours, and texts that no limit here lets in */
}

int sql_step(struct sql *s, sqlite3_stmt *st, struct err *err)
{
    switch (sqlite3_step(st)) {
    case SQLITE_ROW: return 1;
    case SQLITE_DONE: return 0;
    default: sql_err(s, err); return -1;
    }
}

enum err_code sql_run(struct sql *s, sqlite3_stmt *st, struct err *err)
{
    enum err_code code = sql_step(s, st, err) < 0 ? err->code : ERR_NONE;
    sql_done(st);
    return code;
}

enum err_code sql_do(struct sql *s, enum sql_id id, struct err *err)
{
    sqlite3_stmt *st = sql_start(s, id, err);
    return st ? sql_run(s, st, err) : err->code;
}

struct span sql_text(sqlite3_stmt *st, int column)
{
    const void *text = sqlite3_column_text(st, column);
    return text ? span_make(text, (size_t)sqlite3_column_bytes(st, column)) : SPAN("");
}

bool sql_copy(sqlite3_stmt *st, int column, struct arena *arena, struct span *ret)
{
    *ret = arena_dup(arena, sql_text(st, column));
    return ret->ptr != NULL;
}
