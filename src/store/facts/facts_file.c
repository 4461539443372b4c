/* facts_file.c: the file of facts: its tables and statements, opening and closing, its errors. */
#include "store/facts/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FORMAT_VERSION = 2,
    APPLICATION_ID = 0x4d526661, /* "MRfa" */
    BUSY_MS = 1000,
    KEY_MAX = 2048,
    NETWORK_MAX = 64,
};

#define TEXTS                                                                                                      \
    "connector, local, remote, helo, tls, cipher, mechanism, user, certificate, sender, recipient, mistake"

static const char tables[] =
    "BEGIN IMMEDIATE;"
    "PRAGMA application_id = 1297245793;"
    "PRAGMA user_version = 2;"
    "CREATE TABLE fact(id INTEGER PRIMARY KEY, network TEXT NOT NULL, level INTEGER NOT NULL, key BLOB NOT NULL,"
    " served INTEGER NOT NULL, question INTEGER NOT NULL, code INTEGER NOT NULL, count INTEGER NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, connector TEXT NOT NULL, local TEXT NOT NULL,"
    " remote TEXT NOT NULL, helo TEXT NOT NULL, tls TEXT NOT NULL, cipher TEXT NOT NULL, mechanism TEXT NOT NULL,"
    " user TEXT NOT NULL, certificate TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,"
    " mistake TEXT NOT NULL, size INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE UNIQUE INDEX fact_key ON fact(network, user, level, key);"
    "CREATE INDEX fact_age ON fact(served, last);"
    "COMMIT;";
_Static_assert(APPLICATION_ID == 1297245793 && FORMAT_VERSION == 2, "the text says the same");

/* Format 1 had no sizes. */
static const char upgrade[] = "BEGIN IMMEDIATE;"
                              "ALTER TABLE fact ADD COLUMN size INTEGER NOT NULL DEFAULT 0;"
                              "PRAGMA user_version = 2;"
                              "COMMIT;";

static const struct {
    bool writes;
    const char *text;
} statements[STATEMENTS] = {
    [ST_BEGIN] = {true, "BEGIN IMMEDIATE"},
    [ST_COMMIT] = {true, "COMMIT"},
    /* The texts are the newest fact's, but not where a late one comes behind it. */
    [ST_UPDATE] = {true, "UPDATE fact SET count = count + ?5, first = min(first, ?6), last = max(last, ?7),"
                         " size = max(size, ?8),"
                         " remote = iif(?7 >= last, ?11, remote), helo = iif(?7 >= last, ?12, helo),"
                         " cipher = iif(?7 >= last, ?14, cipher), certificate = iif(?7 >= last, ?17, certificate),"
                         " sender = iif(?7 >= last, ?18, sender), recipient = iif(?7 >= last, ?19, recipient)"
                         " WHERE network = ?1 AND user = ?2 AND level = ?3 AND key = ?4"},
    [ST_COUNT] = {true, "SELECT count(*) FROM fact WHERE network = ?1 AND user = ?2 AND level = ?3"},
    [ST_INSERT] = {true,
                   "INSERT INTO fact(network, user, level, key, count, first, last, size, connector, local,"
                   " remote, helo, tls, cipher, mechanism, certificate, sender, recipient, mistake, question,"
                   " code, served) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?17,"
                   " ?18, ?19, ?20, ?21, ?22, ?23)"},
    [ST_AGED] = {true, "DELETE FROM fact WHERE served IN (0, 1) AND last < ?1"},
    [ST_OLDEST] = {true,
                   "DELETE FROM fact WHERE id IN (SELECT id FROM fact WHERE served = ?1 ORDER BY last LIMIT ?2)"},
    [ST_STRANGERS] = {true, "SELECT count(*) FROM fact WHERE served = 0"},
    [ST_ROWS] = {true, "SELECT count(*) FROM fact"},
    [ST_VISIT] = {false, "SELECT network, level, question, code, count, first, last, size, " TEXTS
                         " FROM fact WHERE last >= ?1 ORDER BY network, user"},
};

enum err_code facts_fail(struct facts *f, struct err *err)
{
    int rc = sqlite3_errcode(f->db) & 0xff;
    enum err_code code = rc == SQLITE_NOTADB || rc == SQLITE_CORRUPT || rc == SQLITE_ERROR ? ERR_INVALID
                         : rc == SQLITE_BUSY || rc == SQLITE_LOCKED                        ? ERR_UNAVAILABLE
                         : rc == SQLITE_NOMEM                                              ? ERR_NO_MEMORY
                                                                                           : ERR_IO;
    return err_set(err, code, "facts.db: %s", sqlite3_errmsg(f->db));
}

enum err_code facts_run(struct facts *f, enum statement id, uint64_t *ret_number, struct err *err)
{
    sqlite3_stmt *st = f->statements[id];
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW && ret_number)
        *ret_number = (uint64_t)sqlite3_column_int64(st, 0);
    enum err_code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_NONE : facts_fail(f, err);
    sqlite3_reset(st);
    return code;
}

/* ---- opening ---- */

static enum err_code execute(struct facts *f, const char *text, struct err *err)
{
    return sqlite3_exec(f->db, text, NULL, NULL, NULL) == SQLITE_OK ? ERR_NONE : facts_fail(f, err);
}

static enum err_code number(struct facts *f, const char *text, int64_t *ret, struct err *err)
{
    sqlite3_stmt *st = NULL;
    bool read = sqlite3_prepare_v2(f->db, text, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW;
    if (read)
        *ret = sqlite3_column_int64(st, 0);
    enum err_code code = read ? ERR_NONE : facts_fail(f, err);
    sqlite3_finalize(st);
    return code;
}

static enum err_code check_format(struct facts *f, bool writes, struct err *err)
{
    int64_t version = 0, application = 0;
    enum err_code code = number(f, "PRAGMA user_version", &version, err);
    if (!code)
        code = number(f, "PRAGMA application_id", &application, err);
    if (!code && writes && version == 0 && application == 0)
        return execute(f, tables, err);
    if (!code && writes && version == 1 && application == APPLICATION_ID)
        return execute(f, upgrade, err);
    if (!code && version == 1 && application == APPLICATION_ID)
        code = err_set(err, ERR_INVALID,
                       "facts.db is of an earlier version, and is brought up to date when the server starts");
    if (!code && (version != FORMAT_VERSION || application != APPLICATION_ID))
        code = err_set(err, ERR_INVALID, "facts.db is not a file of facts of format %d", FORMAT_VERSION);
    return code;
}

static enum err_code prepare(struct facts *f, bool writes, struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < STATEMENTS; i++)
        if ((writes || !statements[i].writes) &&
            sqlite3_prepare_v3(f->db, statements[i].text, -1, SQLITE_PREPARE_PERSISTENT, &f->statements[i], NULL))
            code = facts_fail(f, err);
    return code;
}

static enum err_code open_file(const char *path, bool writes, struct facts **ret, struct err *err)
{
    struct facts *f = calloc(1, sizeof *f);
    enum err_code code;
    if (!f)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    f->limits = facts_limits_default;
    buf_init(&f->network, NETWORK_MAX);
    buf_init(&f->key, KEY_MAX);
    int flags = SQLITE_OPEN_NOMUTEX | (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    if (sqlite3_open_v2(path, &f->db, flags, NULL))
        code = f->db ? facts_fail(f, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
    else
        code = ERR_NONE;
    if (!code) {
        sqlite3_busy_timeout(f->db, BUSY_MS);
        code = execute(f, "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;", err);
    }
    if (!code && writes)
        code = execute(f, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", err);
    if (!code)
        code = check_format(f, writes, err);
    if (!code)
        code = prepare(f, writes, err);
    if (!code && writes)
        code = facts_run(f, ST_ROWS, &f->rows, err);
    if (code) {
        facts_close(f);
        return code;
    }
    *ret = f;
    return ERR_NONE;
}

static enum err_code make_private(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == EEXIST ? ERR_NONE : err_errno(err, errno, "cannot make %s", path);
}

static void remove_file(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char name[1400];
        int n = snprintf(name, sizeof name, "%s%s", path, ends[i]);
        if (n > 0 && (size_t)n < sizeof name)
            unlink(name);
    }
}

enum err_code facts_open(const char *path, struct facts **ret, struct err *err)
{
    enum err_code code = make_private(path, err);
    if (!code)
        code = open_file(path, true, ret, err);
    if (code != ERR_INVALID)
        return code;
    remove_file(path);
    code = make_private(path, err);
    return code ? code : open_file(path, true, ret, err);
}

enum err_code facts_open_read(const char *path, struct facts **ret, struct err *err)
{
    if (access(path, R_OK) < 0)
        return err_set(err,
                       errno == ENOENT   ? ERR_NOT_FOUND
                       : errno == EACCES ? ERR_DENIED
                                         : ERR_IO,
                       "cannot read %s", path);
    return open_file(path, false, ret, err);
}

void facts_limit(struct facts *f, const struct facts_limits *limits)
{
    f->limits = *limits;
}

void facts_close(struct facts *f)
{
    if (!f)
        return;
    if (f->db && f->statements[ST_COMMIT] && !sqlite3_get_autocommit(f->db))
        IGNORE_RESULT(
            facts_run(f, ST_COMMIT, NULL, NULL)); /* where it fails, the facts since the last one are lost */
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(f->statements[i]);
    sqlite3_close(f->db);
    buf_done(&f->network);
    buf_done(&f->key);
    free(f);
}
