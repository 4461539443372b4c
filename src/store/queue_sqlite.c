/*
 * queue_sqlite.c: the queue in SQLite: the file, its tables, its connections, its errors.
 *
 * message is the envelope, body the inline content (apart, so that reading envelopes reads no bodies), recipient
 * what became of each. message.pending counts the recipients that are not final.
 *
 * Invariants: synchronous=FULL in WAL mode, so a COMMIT that returned is on stable storage; no checkpoint but those
 * of store_maintain; what comes from outside reaches SQL through bound parameters only; the file is its owner's
 * alone.
 */
#include "store/queue_sqlite.h"

#include "store/queue_sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SCHEMA_VERSION = 2,
    APPLICATION_ID = 0x4d527175, /* "MRqu" */
    BUSY_MS = 5000,
    FULL_CHECK_MAX = 64 << 20, /* bytes: a larger file is not read through at each start */
};

#define ENVELOPE                                                                                                   \
    "id, received, size, flags, message_id, sender, subject, source, source_ip, user, envid, auth, spool"
#define RECIPIENT                                                                                                  \
    "n, address, orcpt, notify, state, attempts, next_attempt, delayed, suspended, last_error, queue_name"

/* Version 2 added it. */
#define HELD_TABLE "CREATE TABLE held(name TEXT PRIMARY KEY) WITHOUT ROWID;"
static const char schema[] =
    "CREATE TABLE message(id INTEGER PRIMARY KEY, pending INTEGER NOT NULL, received INTEGER NOT NULL,"
    " size INTEGER NOT NULL, flags INTEGER NOT NULL, message_id TEXT NOT NULL, sender TEXT NOT NULL,"
    " subject TEXT NOT NULL, source TEXT NOT NULL, source_ip TEXT NOT NULL, user TEXT NOT NULL,"
    " envid TEXT NOT NULL, auth TEXT NOT NULL, spool TEXT NOT NULL);"
    "CREATE INDEX message_spool ON message(spool) WHERE spool <> '';"
    "CREATE TABLE body(id INTEGER PRIMARY KEY, content BLOB NOT NULL);"
    "CREATE TABLE recipient(message INTEGER NOT NULL, n INTEGER NOT NULL, address TEXT NOT NULL,"
    " orcpt TEXT NOT NULL, notify INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " next_attempt INTEGER NOT NULL, delayed INTEGER NOT NULL, suspended INTEGER NOT NULL,"
    " last_error TEXT NOT NULL, queue_name TEXT NOT NULL, PRIMARY KEY(message, n)) WITHOUT ROWID;"
    "CREATE INDEX recipient_due ON recipient(next_attempt, message, n) WHERE state = 0 AND suspended = 0;"
    "CREATE TABLE sequence(last_id INTEGER NOT NULL);"
    "INSERT INTO sequence VALUES(0);" HELD_TABLE "PRAGMA application_id = 1297248629;"
    "PRAGMA user_version = 2;";
static const char from_version_1[] = HELD_TABLE "PRAGMA user_version = 2;";
_Static_assert(APPLICATION_ID == 1297248629 && SCHEMA_VERSION == 2 && QUEUE_PENDING == 0, "the texts say the same");

enum { WRITER = 1 << 0, SCHEDULE = 1 << 1, READER = 1 << 2 };

static const struct {
    unsigned users;
    const char *text;
} statements[ST_COUNT] = {
    [ST_BEGIN_WRITE] = {WRITER, "BEGIN IMMEDIATE"},
    [ST_COMMIT] = {WRITER, "COMMIT"},
    [ST_ROLLBACK] = {WRITER, "ROLLBACK"},
    [ST_SAVEPOINT] = {WRITER, "SAVEPOINT unit"},
    [ST_RELEASE] = {WRITER, "RELEASE unit"},
    [ST_ROLLBACK_TO] = {WRITER, "ROLLBACK TO unit"},
    [ST_ADD_MESSAGE] = {WRITER, "INSERT INTO message(" ENVELOPE ", pending)"
                                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"},
    [ST_ADD_BODY] = {WRITER, "INSERT INTO body(id, content) VALUES(?1, ?2)"},
    [ST_ADD_RECIPIENT] = {WRITER, "INSERT INTO recipient(" RECIPIENT ", message)"
                                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"},
    [ST_RETRY] = {WRITER, "UPDATE recipient SET attempts = ?3, next_attempt = ?4, delayed = ?5, last_error = ?6,"
                          " queue_name = ?7 WHERE message = ?1 AND n = ?2 AND state = 0"},
    [ST_DONE] = {WRITER, "UPDATE recipient SET state = ?3, last_error = ifnull(?4, last_error)"
                         " WHERE message = ?1 AND n = ?2 AND state = 0"},
    /* from ?2 to ?3: one recipient or every one */
    [ST_SUSPEND] = {WRITER, "UPDATE recipient SET suspended = 1"
                            " WHERE message = ?1 AND n BETWEEN ?2 AND ?3 AND state = 0"},
    [ST_RESUME] = {WRITER, "UPDATE recipient SET suspended = 0, next_attempt = ifnull(?4, next_attempt)"
                           " WHERE message = ?1 AND n BETWEEN ?2 AND ?3 AND state = 0"},
    [ST_HASTEN] = {WRITER, "UPDATE recipient SET next_attempt = ?4"
                           " WHERE message = ?1 AND n BETWEEN ?2 AND ?3 AND state = 0 AND suspended = 0"},
    [ST_PENDING] = {WRITER, "UPDATE message SET pending = pending + ?2 WHERE id = ?1 RETURNING pending"},
    [ST_NEXT_INDEX] = {WRITER, "SELECT max(n) + 1 FROM recipient WHERE message = ?1"},
    [ST_SPOOL] = {WRITER, "SELECT spool FROM message WHERE id = ?1"},
    [ST_DROP_RECIPIENTS] = {WRITER, "DELETE FROM recipient WHERE message = ?1"},
    [ST_DROP_BODY] = {WRITER, "DELETE FROM body WHERE id = ?1"},
    [ST_DROP_MESSAGE] = {WRITER, "DELETE FROM message WHERE id = ?1"},
    [ST_LAST_ID] = {WRITER, "UPDATE sequence SET last_id = ?1"},
    [ST_HOLD_QUEUE] = {WRITER, "INSERT OR IGNORE INTO held(name) VALUES(?1)"},
    [ST_FREE_QUEUE] = {WRITER, "DELETE FROM held WHERE name = ?1"},

    [ST_BEGIN_READ] = {SCHEDULE | READER, "BEGIN"},
    [ST_END_READ] = {SCHEDULE | READER, "COMMIT"},
    [ST_DUE] = {SCHEDULE, "SELECT next_attempt, message, n FROM recipient WHERE state = 0 AND suspended = 0"
                          " AND (next_attempt, message, n) >= (?1, ?2, ?3) AND next_attempt <= ?4"
                          " ORDER BY next_attempt, message, n"},
    [ST_RECIPIENT] = {SCHEDULE, "SELECT " RECIPIENT " FROM recipient WHERE message = ?1 AND n = ?2"},
    [ST_MESSAGE] = {SCHEDULE, "SELECT " ENVELOPE " FROM message WHERE id = ?1"},
    [ST_RECIPIENTS] = {SCHEDULE | READER, "SELECT " RECIPIENT " FROM recipient WHERE message = ?1 ORDER BY n"},
    [ST_BODY] = {SCHEDULE, "SELECT content FROM body WHERE id = ?1"},
    [ST_HELD] = {SCHEDULE, "SELECT name FROM held ORDER BY name"},

    [ST_LIST] = {READER, "SELECT " ENVELOPE " FROM message WHERE id > ?1 ORDER BY id"},
    [ST_COUNT_MESSAGES] = {READER, "SELECT count(*), ifnull(sum(size), 0) FROM message"},
    [ST_COUNT_RECIPIENTS] = {READER, "SELECT count(*), ifnull(sum(suspended), 0) FROM recipient WHERE state = 0"},
    [ST_WAITING] = {READER, "SELECT message, n, suspended, next_attempt, attempts, last_error, queue_name"
                            " FROM recipient WHERE state = 0 ORDER BY message, n"},
    [ST_NAMES_SPOOL] = {READER, "SELECT EXISTS(SELECT 1 FROM message WHERE spool = ?1 AND spool <> '')"},
};

enum err_code store_err(const struct connection *c, struct err *err)
{
    const char *text = c->db ? sqlite3_errmsg(c->db) : "out of memory";
    int full = c->db ? sqlite3_system_errno(c->db) : 0;
    switch (c->db ? sqlite3_errcode(c->db) & 0xff : SQLITE_NOMEM) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_UNAVAILABLE, "the queue's file is held by another process; try again");
    case SQLITE_NOMEM: return queue_no_memory(err);
    case SQLITE_FULL: return err_set(err, ERR_IO, "no space is left for the queue's file; free some");
    case SQLITE_READONLY:
        return err_set(err, ERR_IO,
                       "the queue's file or its folder cannot be written; check permissions and mount");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return err_set(err, ERR_IO, "the queue's file is damaged: %s", text);
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return full ? err_errno(err, full, "the queue's file cannot be used: %s", text)
                    : err_set(err, ERR_IO, "the queue's file cannot be used: %s", text);
    default: return err_set(err, ERR_INTERNAL, "the queue's file refuses: %s", text);
    }
}

bool store_run(struct connection *c, enum statement st)
{
    int rc = sqlite3_step(c->st[st]);
    sqlite3_reset(c->st[st]);
    return rc == SQLITE_DONE;
}

void store_bind_text(sqlite3_stmt *st, int i, struct span s)
{
    sqlite3_bind_text64(st, i, s.ptr ? s.ptr : "", s.len, SQLITE_STATIC, SQLITE_UTF8);
}

void store_bind_id(sqlite3_stmt *st, int i, uint64_t id)
{
    sqlite3_bind_int64(st, i, (int64_t)id);
}

/* ---- opening ---- */

static enum err_code execute(struct connection *c, const char *sql, struct err *err)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_NONE : store_err(c, err);
}

/* The one number, and text where it is one, that a statement answers. */
static enum err_code ask(struct connection *c, const char *sql, int64_t *ret, bool *ret_ok, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK || sqlite3_step(st) != SQLITE_ROW) {
        enum err_code code = store_err(c, err);
        sqlite3_finalize(st);
        return code;
    }
    const unsigned char *text = sqlite3_column_text(st, 0);
    *ret_ok = text && strcmp((const char *)text, "ok") == 0;
    *ret = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return ERR_NONE;
}

static enum err_code connect(struct connection *c, const char *path, struct err *err)
{
    int rc =
        sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK)
        return store_err(c, err);
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, BUSY_MS);
    /* secure_delete=FAST wipes deleted content only where the page is written anyway; ON would write each freed
     * page. */
    return execute(c,
                   "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;"
                   "PRAGMA secure_delete = FAST; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;"
                   "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;",
                   err);
}

/* Makes the tables in an empty file, or checks whose file it is. */
static enum err_code prepare_schema(struct connection *c, const char *path, struct err *err)
{
    int64_t application, version, tables;
    bool ok;
    enum err_code code;
    if ((code = execute(c, "BEGIN IMMEDIATE", err)) != ERR_NONE ||
        (code = ask(c, "PRAGMA application_id", &application, &ok, err)) != ERR_NONE ||
        (code = ask(c, "PRAGMA user_version", &version, &ok, err)) != ERR_NONE ||
        (code = ask(c, "SELECT count(*) FROM sqlite_schema", &tables, &ok, err)) != ERR_NONE)
        return code;
    if (application == 0 && version == 0 && tables == 0)
        code = execute(c, schema, err);
    else if (application != APPLICATION_ID)
        code = err_set(err, ERR_INVALID, "%s is not a queue: it was made by another program", path);
    else if (version == 1)
        code = execute(c, from_version_1, err);
    else if (version != SCHEMA_VERSION)
        code =
            err_set(err, ERR_INVALID, "%s has version %lld, this program knows %d: use the program that wrote it",
                    path, (long long)version, SCHEMA_VERSION);
    return code == ERR_NONE ? execute(c, "COMMIT", err) : code;
}

static enum err_code check_content(struct connection *c, const char *path, struct err *err)
{
    struct stat st;
    int64_t number;
    bool ok = true;
    if (stat(path, &st) < 0)
        return err_errno(err, errno, "cannot look at %s", path);
    if (st.st_size > FULL_CHECK_MAX)
        return ERR_NONE;
    enum err_code code = ask(c, "PRAGMA quick_check(1)", &number, &ok, err);
    if (code == ERR_NONE && !ok)
        code = err_set(err, ERR_IO, "%s is damaged: recover it (sqlite3 .recover) or restore it", path);
    return code;
}

static enum err_code prepare_statements(struct connection *c, unsigned user, struct err *err)
{
    for (unsigned i = 0; i < ST_COUNT; i++)
        if (statements[i].users & user &&
            sqlite3_prepare_v3(c->db, statements[i].text, -1, SQLITE_PREPARE_PERSISTENT, &c->st[i], NULL) !=
                SQLITE_OK)
            return store_err(c, err);
    return ERR_NONE;
}

/*
 * Makes this process the queue's only one: two would claim the same recipients. A file of its own carries the lock:
 * closing a descriptor of the database would end SQLite's locks on it.
 */
static enum err_code take_lock(struct queue_sqlite *q, const char *path, struct err *err)
{
    char name[4096];
    if (snprintf(name, sizeof name, "%s-lock", path) >= (int)sizeof name)
        return err_set(err, ERR_INVALID, "the path of the queue's file is too long");
    q->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (q->lock_fd < 0)
        return err_errno(err, errno, "cannot open %s", name);
    if (flock(q->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_NONE;
    return errno == EWOULDBLOCK ? err_set(err, ERR_UNAVAILABLE, "%s is open in another process", path)
                                : err_errno(err, errno, "cannot lock %s", name);
}

/* The file with the owner's rights only and, when it is new, its name flushed into the folder. */
static enum err_code make_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? ERR_NONE : err_errno(err, errno, "cannot make %s", path);
    close(fd);
    size_t slash = span_rfind(span_of(path), '/');
    char folder[4096];
    if (slash != SIZE_MAX && slash >= sizeof folder)
        return err_set(err, ERR_INVALID, "the path of the queue's file is too long");
    snprintf(folder, sizeof folder, "%.*s", slash == SIZE_MAX ? 1 : (int)slash + 1, slash == SIZE_MAX ? "." : path);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err_code code =
        dir < 0 || fsync(dir) < 0 ? err_errno(err, errno, "cannot flush the folder %s", folder) : ERR_NONE;
    if (dir >= 0)
        close(dir);
    return code;
}

static int on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    struct queue_sqlite *q = context;
    (void)db, (void)name;
    q->wal_pages = pages;
    return SQLITE_OK;
}

static enum err_code set_up(struct queue_sqlite *q, const char *path, struct err *err)
{
    int64_t last_id = 0;
    bool ok;
    enum err_code code;
    if ((code = take_lock(q, path, err)) != ERR_NONE || (code = make_file(path, err)) != ERR_NONE ||
        (code = connect(&q->writer, path, err)) != ERR_NONE ||
        (code = prepare_schema(&q->writer, path, err)) != ERR_NONE ||
        (code = check_content(&q->writer, path, err)) != ERR_NONE ||
        (code = connect(&q->schedule, path, err)) != ERR_NONE ||
        (code = connect(&q->reader, path, err)) != ERR_NONE ||
        (code = execute(&q->schedule, "PRAGMA query_only = ON", err)) != ERR_NONE ||
        (code = execute(&q->reader, "PRAGMA query_only = ON; PRAGMA cache_size = -4096", err)) != ERR_NONE ||
        (code = prepare_statements(&q->writer, WRITER, err)) != ERR_NONE ||
        (code = prepare_statements(&q->schedule, SCHEDULE, err)) != ERR_NONE ||
        (code = prepare_statements(&q->reader, READER, err)) != ERR_NONE ||
        (code = ask(&q->writer, "SELECT max(last_id, ifnull((SELECT max(id) FROM message), 0)) FROM sequence",
                    &last_id, &ok, err)) != ERR_NONE)
        return code;
    q->written_last_id = (uint64_t)last_id;
    atomic_init(&q->last_id, (uint64_t)last_id);
    sqlite3_wal_hook(q->writer.db, on_wal, q);
    return ERR_NONE;
}

static void disconnect(struct connection *c)
{
    for (unsigned i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(c->st[i]);
    int rc = sqlite3_close(c->db);
    ASSERT(rc == SQLITE_OK); /* else a statement was left open */
}

static void store_close(struct queue *base)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    disconnect(&q->reader);
    disconnect(&q->schedule);
    disconnect(&q->writer);
    if (q->lock_fd >= 0)
        close(q->lock_fd);
    lease_done(&q->leases);
    pthread_mutex_destroy(&q->mutex);
    pthread_mutex_destroy(&q->reading);
    free(q);
}

static uint64_t store_reserve_id(struct queue *base)
{
    return atomic_fetch_add(&((struct queue_sqlite *)base)->last_id, 1) + 1;
}

static const struct queue_class sqlite_class = {
    .commit = store_commit,
    .maintain = store_maintain,
    .reserve_id = store_reserve_id,
    .claim = store_claim,
    .next_due = store_next_due,
    .lease = store_lease,
    .load = store_load,
    .list = store_list,
    .waiting = store_waiting,
    .counts = store_counts,
    .held = store_held,
    .names_spool = store_names_spool,
    .close = store_close,
};

enum err_code queue_sqlite_open(const char *path, struct queue **ret, struct err *err)
{
    struct queue_sqlite *q = calloc(1, sizeof *q);
    if (!q || pthread_mutex_init(&q->mutex, NULL) || pthread_mutex_init(&q->reading, NULL)) {
        free(q);
        return queue_no_memory(err);
    }
    q->base.class = &sqlite_class;
    q->lock_fd = -1;
    q->scan.at_ms = INT64_MIN;
    lease_init(&q->leases);
    enum err_code code = set_up(q, path, err);
    if (code != ERR_NONE) {
        store_close(&q->base);
        return code;
    }
    *ret = &q->base;
    return ERR_NONE;
}
