/*
 * test_sqlite.c: what only the SQLite adapter has: a file that outlives the handle, a log that is bounded, media
 * that fail. Failures are made by a wrapper around SQLite's own file methods for the log.
 */
#include "store/queue_sqlite.h"
#include "store/test_support.h"

#include "check.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAR = 1 << 30 };

static struct folder folder;

static int set_up(void **state)
{
    (void)state;
    folder_make(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static const char *path(void)
{
    return folder_file(&folder, "queue.db");
}

static struct queue *open_queue(void)
{
    struct queue *q = NULL;
    struct err err = {0};
    CHECK_INT(err.text, queue_sqlite_open(path(), &q, &err), ERR_NONE);
    return q;
}

static bool exists(struct queue *q, uint64_t id)
{
    struct arena arena;
    struct queue_message m;
    struct err err = {0};
    arena_init(&arena, 0);
    enum err_code code = queue_load(q, id, QUEUE_BODY | QUEUE_RECIPIENTS, &arena, &m, &err);
    arena_clear(&arena);
    CHECK(err.text, code == ERR_NONE || code == ERR_NOT_FOUND);
    return code == ERR_NONE;
}

static size_t claim_all(struct queue *q, int64_t now)
{
    struct arena arena;
    struct queue_message *m = NULL;
    struct err err = {0};
    size_t count = 0, recipients = 0;
    arena_init(&arena, 0);
    CHECK_INT("claim", queue_claim(q, now, 1000, FAR, &arena, &m, &count, &err), ERR_NONE);
    for (size_t i = 0; i < count; i++)
        recipients += m[i].recipient_count;
    arena_clear(&arena);
    return recipients;
}

static void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path(), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_reopen(void **state)
{
    struct queue *q = open_queue();
    struct queue_recipient later = {.attempts = 3, .next_attempt_ms = 70, .last_error = SPAN("try later")};
    (void)state;
    uint64_t a = enqueue_simple(q, 2, 5, SPAN("body of a")), b = enqueue_simple(q, 1, 5, SPAN("b"));
    uint64_t c = enqueue_simple(q, 1, 5, SPAN("c"));
    assert_int_equal(claim_all(q, 5), 4);
    struct queue_op op = {.kind = QUEUE_OP_RETRY, .message = a, .index = 1, .recipient = &later};
    assert_int_equal(commit_ops(q, &op, 1, NULL), ERR_NONE);
    assert_int_equal(finish(q, c, 0, QUEUE_DELIVERED), ERR_NONE);
    queue_close(q);

    q = open_queue();
    assert_true(exists(q, a) && exists(q, b) && !exists(q, c));
    assert_int_equal(claim_all(q, 5), 2); /* the leases are forgotten */
    assert_int_equal(claim_all(q, 70), 1);
    assert_true(enqueue_simple(q, 1, 5, SPAN("")) > c); /* c's id is not given again though c is gone */
    queue_close(q);
}

static void test_one_owner(void **state)
{
    struct queue *q = open_queue(), *second = NULL;
    struct err err = {0};
    struct stat st;
    (void)state;
    assert_int_equal(queue_sqlite_open(path(), &second, &err), ERR_UNAVAILABLE);
    assert_null(second);
    assert_int_equal(stat(path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    queue_close(q);
    queue_close(open_queue());
}

static void make_newer(void)
{
    queue_close(open_queue());
    execute("PRAGMA user_version = 3");
}

static void make_foreign(void)
{
    execute("CREATE TABLE t(x)");
}

static void write_at(off_t at, const char *bytes, size_t n)
{
    int fd = open(path(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void make_garbage(void)
{
    static char bytes[8192];
    memset(bytes, 'g', sizeof bytes);
    write_at(0, bytes, sizeof bytes);
}

static void make_damaged(void)
{
    static const char bytes[2000] = {1, 2, 3};
    struct queue *q = open_queue();
    for (int i = 0; i < 50; i++)
        enqueue_simple(q, 3, 5, SPAN("body"));
    queue_close(q);
    for (int page = 2; page < 8; page++)
        write_at(4096 * page + 1000, bytes, sizeof bytes);
}

static void test_files_that_are_none(void **state)
{
    static const struct {
        const char *name;
        void (*make)(void);
        enum err_code want;
        const char *says;
    } rows[] = {
        {"a newer program's", make_newer, ERR_INVALID, "version 3"},
        {"another program's", make_foreign, ERR_INVALID, "another program"},
        {"no database", make_garbage, ERR_IO, "damaged"},
        {"damaged inside", make_damaged, ERR_IO, "damaged"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct queue *q = NULL;
        struct err err = {0};
        set_up(state);
        rows[i].make();
        CHECK_INT(rows[i].name, queue_sqlite_open(path(), &q, &err), rows[i].want);
        CHECK(err.text, strstr(err.text, rows[i].says));
        CHECK(rows[i].name, q == NULL);
        tear_down(state);
    }
}

static void test_version_1_is_brought_up(void **state)
{
    struct queue *q = open_queue();
    struct arena arena;
    struct span *names;
    struct err err;
    size_t count = 1;
    (void)state;
    uint64_t id = enqueue_simple(q, 1, 5, SPAN("body"));
    queue_close(q);
    execute("DROP TABLE held; PRAGMA user_version = 1");
    q = open_queue();
    arena_init(&arena, 0);
    assert_int_equal(queue_held(q, &arena, &names, &count, &err), ERR_NONE);
    assert_int_equal(count, 0);
    assert_int_equal(finish(q, id, 0, QUEUE_DELIVERED), ERR_NONE);
    arena_clear(&arena);
    queue_close(q);
}

static void test_no_folder(void **state)
{
    struct queue *q = NULL;
    struct err err = {0};
    (void)state;
    assert_int_equal(queue_sqlite_open("/nonexistent/queue.db", &q, &err), ERR_IO);
    assert_non_null(strstr(err.text, "No such file"));
}

/* The log starts over again and again: it stays at a few checkpoints' size, whatever goes through the queue. */
static void test_log_is_bounded(void **state)
{
    enum { ROUNDS = 60, BATCH = 64 };
    static char body[8000];
    struct queue *q = open_queue();
    struct stat st;
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct queue_recipient r = {.address = SPAN("a@x")};
        struct queue_message m = {.body = span_make(body, sizeof body), .recipients = &r, .recipient_count = 1};
        struct queue_op ops[BATCH];
        struct err err = {0};
        for (size_t k = 0; k < BATCH; k++)
            ops[k] = (struct queue_op){.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
        assert_int_equal(commit_ops(q, ops, BATCH, NULL), ERR_NONE);
        CHECK_INT(err.text, queue_maintain(q, false, &err), ERR_NONE);
    }
    assert_int_equal(stat(folder_file(&folder, "queue.db-wal"), &st), 0);
    assert_in_range(st.st_size, 1, 6 << 20); /* more than 30 MB went through */
    queue_close(q);
}

/* ---- failing media ---- */

enum fault { FAULT_NONE, FAULT_WRITE_FULL, FAULT_WRITE_IO, FAULT_SYNC };
static enum fault fault;
static sqlite3_io_methods real, failing;
static sqlite3_vfs *real_vfs, failing_vfs;

static int failing_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    return fault == FAULT_WRITE_FULL ? SQLITE_FULL
           : fault == FAULT_WRITE_IO ? SQLITE_IOERR_WRITE
                                     : real.xWrite(file, bytes, n, at);
}

static int failing_sync(sqlite3_file *file, int flags)
{
    return fault == FAULT_SYNC ? SQLITE_IOERR_FSYNC : real.xSync(file, flags);
}

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
    if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
        return rc;
    real = failing = *file->pMethods;
    failing.xWrite = failing_write;
    failing.xSync = failing_sync;
    file->pMethods = &failing;
    return rc;
}

/*
 * A batch of four units meets the fault: one that enqueues, one that ends a message with a spool file, one that is
 * refused for what it is, and one for what the store holds, which the fault leaves untold. Then the first one
 * alone, without the fault.
 */
static void fail_once(const char *row, enum fault with, enum err_code want, const char *says, bool usable)
{
    struct queue *q = open_queue();
    struct queue_recipient r = {.address = SPAN("a@x"), .next_attempt_ms = 5}, done = {.state = QUEUE_DELIVERED};
    struct queue_message old = {.recipients = &r, .recipient_count = 1, .spool = SPAN("00/x")};
    struct queue_message m = {.recipients = &r, .recipient_count = 1};
    struct queue_op before = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &old};
    assert_int_equal(commit_ops(q, &before, 1, NULL), ERR_NONE);
    m.id = queue_reserve_id(q);
    struct queue_op add = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m, .lease_until_ms = FAR};
    struct queue_op end = {.kind = QUEUE_OP_DONE, .message = before.message, .recipient = &done};
    struct queue_op bad = {.kind = QUEUE_OP_REMOVE, .message = 4711};
    struct queue_message unreserved = {.id = m.id + 4711, .recipients = &r, .recipient_count = 1};
    struct queue_op wrong = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &unreserved};
    struct queue_unit units[] = {{.ops = &add, .op_count = 1},
                                 {.ops = &end, .op_count = 1},
                                 {.ops = &bad, .op_count = 1},
                                 {.ops = &wrong, .op_count = 1}};
    struct queue_unit *list[] = {&units[0], &units[1], &units[2], &units[3]};
    struct buf removed;
    struct err err = {0};
    buf_init(&removed, 1000);
    fault = with;
    CHECK_INT(row, queue_commit(q, list, 4, &removed, &err), want);
    fault = FAULT_NONE;
    CHECK_INT(row, removed.len, 0); /* the spool file is needed still */
    CHECK(units[0].err.text, strstr(units[0].err.text, says) && strstr(err.text, says));
    CHECK(row, units[0].result == want && units[1].result == want && units[2].result == want);
    CHECK_INT(row, units[3].result, ERR_INVALID);
    add.lease_until_ms = 0;
    CHECK_INT(row, commit_ops(q, &add, 1, NULL), usable ? ERR_NONE : ERR_UNAVAILABLE);
    CHECK_INT(row, claim_all(q, 5), usable ? 2 : 1); /* the failed one left no lease behind */
    CHECK(row, exists(q, before.message) && exists(q, m.id) == usable);
    CHECK(row, !usable || finish(q, m.id, 0, QUEUE_DELIVERED) == ERR_NONE);
    queue_close(q);
    q = open_queue();
    CHECK(row, exists(q, before.message));
    CHECK(row, !usable || queue_reserve_id(q) > m.id); /* its number was kept when at last it was written */
    queue_close(q);
    buf_done(&removed);
}

static void test_failing_media(void **state)
{
    static const struct {
        const char *name;
        enum fault fault;
        enum err_code want;
        const char *says;
        bool usable; /* after the fault is over, without reopening */
    } rows[] = {
        {"no space", FAULT_WRITE_FULL, ERR_IO, "no space is left", true},
        {"a write error", FAULT_WRITE_IO, ERR_IO, "cannot be used", true},
        {"a failed flush", FAULT_SYNC, ERR_UNKNOWN, "not known", false},
    };
    real_vfs = sqlite3_vfs_find(NULL);
    failing_vfs = *real_vfs;
    failing_vfs.zName = "failing";
    failing_vfs.xOpen = failing_open;
    assert_int_equal(sqlite3_vfs_register(&failing_vfs, 1), SQLITE_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        set_up(state);
        fail_once(rows[i].name, rows[i].fault, rows[i].want, rows[i].says, rows[i].usable);
        tear_down(state);
    }
    sqlite3_vfs_unregister(&failing_vfs);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest all[] = {
        IN_FOLDER(test_reopen),
        IN_FOLDER(test_one_owner),
        IN_FOLDER(test_log_is_bounded),
        cmocka_unit_test(test_files_that_are_none),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_failing_media),
        IN_FOLDER(test_version_1_is_brought_up),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
