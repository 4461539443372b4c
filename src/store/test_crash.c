/*
 * test_crash.c: a process that enqueues and delivers is killed (SIGKILL) after a random number of acknowledgements,
 * again and again over one queue. What it acknowledged must be there, whole; what it acknowledged as delivered must
 * be gone.
 *
 * A killed process leaves the page cache behind: this proves the order of writes and the recovery, not the disk.
 */
#include "store/queue_sqlite.h"
#include "store/spool.h"
#include "store/test_support.h"

#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20, ACKS_MAX = 120, IDS_MAX = 20000, BATCH_MAX = 16, BODY_MAX = 3000, SPOOLED_EVERY = 7 };

/* What the parent knows of an id. Between delivering and delivered the message may be there or not. */
enum knowledge { UNSEEN, ENQUEUED, DELIVERING, DELIVERED };

struct ack {
    uint64_t id;
    uint64_t knowledge;
};

static struct folder folder;
static uint64_t highest; /* id acknowledged */

/* The body that belongs to an id. */
static struct span body_of(uint64_t id, char out[static BODY_MAX])
{
    struct draw d = {id * 2 + 1};
    size_t n = 1 + draw(&d, BODY_MAX - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)draw(&d, 256);
    return span_make(out, n);
}

static bool is_spooled(uint64_t id)
{
    return id % SPOOLED_EVERY == 0;
}

/* ---- the child: whatever fails ends it with a status that fails the test ---- */

static void need(bool ok)
{
    if (!ok)
        _exit(3);
}

static void acknowledge(int pipe, uint64_t id, enum knowledge knowledge)
{
    struct ack a = {id, knowledge};
    need(write(pipe, &a, sizeof a) == sizeof a);
}

struct pending {
    struct queue_message m;
    struct queue_recipient r;
    struct queue_op op;
    struct queue_unit unit;
    char body[BODY_MAX], spool[SPOOL_NAME_MAX];
};

static void prepare(struct queue *q, const struct spool *s, struct pending *p)
{
    struct err err;
    uint64_t id = queue_reserve_id(q);
    struct span body = body_of(id, p->body);
    p->r = (struct queue_recipient){.address = SPAN("a@example.com"), .next_attempt_ms = 1};
    p->m = (struct queue_message){.id = id, .size = body.len, .recipients = &p->r, .recipient_count = 1};
    if (is_spooled(id)) {
        int fd;
        need(spool_create(s, id, &fd, &err) == ERR_NONE);
        need(write(fd, body.ptr, body.len) == (ssize_t)body.len);
        need(spool_publish(s, fd, id, p->spool, &err) == ERR_NONE);
        close(fd);
        p->m.spool = span_of(p->spool);
    } else {
        p->m.body = body;
    }
    p->op = (struct queue_op){.kind = QUEUE_OP_ENQUEUE, .enqueue = &p->m};
    p->unit = (struct queue_unit){.ops = &p->op, .op_count = 1};
}

static void deliver(struct queue *q, const struct spool *s, uint64_t id, int pipe)
{
    struct queue_recipient done = {.state = QUEUE_DELIVERED};
    struct queue_op op = {.kind = QUEUE_OP_DONE, .message = id, .recipient = &done};
    struct buf removed;
    struct err err;
    buf_init(&removed, 1000);
    acknowledge(pipe, id, DELIVERING);
    need(commit_ops(q, &op, 1, &removed) == ERR_NONE);
    acknowledge(pipe, id, DELIVERED);
    if (removed.len)
        need(spool_remove(s, span_of(removed.ptr), &err) == ERR_NONE);
    buf_done(&removed);
}

static void child(int pipe, uint64_t seed)
{
    static struct pending batch[BATCH_MAX];
    struct queue_unit *list[BATCH_MAX];
    struct draw d = {seed};
    struct queue *q = NULL;
    struct spool s;
    struct err err;
    need(queue_sqlite_open(folder_file(&folder, "queue.db"), &q, &err) == ERR_NONE);
    need(spool_open(folder.path, &s, &err) == ERR_NONE);
    for (;;) {
        struct buf removed;
        size_t n = 1 + draw(&d, BATCH_MAX);
        buf_init(&removed, 1000);
        for (size_t i = 0; i < n; i++) {
            prepare(q, &s, &batch[i]);
            list[i] = &batch[i].unit;
        }
        need(queue_commit(q, list, n, &removed, &err) == ERR_NONE);
        for (size_t i = 0; i < n; i++) {
            need(batch[i].unit.result == ERR_NONE);
            acknowledge(pipe, batch[i].op.message, ENQUEUED);
        }
        need(queue_maintain(q, draw(&d, 2), &err) == ERR_NONE);
        for (size_t i = 0; i < n; i++)
            if (draw(&d, 3) == 0)
                deliver(q, &s, batch[i].op.message, pipe);
        buf_done(&removed);
    }
}

/* ---- the parent ---- */

static void note(unsigned char known[IDS_MAX], struct ack a)
{
    assert_in_range(a.id, 1, IDS_MAX - 1);
    known[a.id] = (unsigned char)a.knowledge;
    highest = a.id > highest ? a.id : highest;
}

/* Lets a child run until it has acknowledged some of its work, kills it, and notes all that it acknowledged. */
static void run_and_kill(unsigned char known[IDS_MAX], struct draw *d)
{
    int ends[2], status;
    struct ack a;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    uint64_t seed = 1 + draw(d, 1 << 30);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(ends[1], seed);
    close(ends[1]);
    for (uint64_t n = 1 + draw(d, ACKS_MAX); n > 0; n--) {
        assert_int_equal(read(ends[0], &a, sizeof a), sizeof a);
        note(known, a);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ssize_t got;
    while ((got = read(ends[0], &a, sizeof a)) == sizeof a)
        note(known, a);
    assert_int_equal(got, 0);
    close(ends[0]);
}

static struct span content_of(const struct spool *s, const struct queue_message *m, char out[static BODY_MAX + 1])
{
    struct err err = {0};
    int fd;
    if (m->spool.len == 0)
        return m->body;
    CHECK_INT(err.text, spool_open_read(s, m->spool, &fd, &err), ERR_NONE);
    ssize_t n = read(fd, out, BODY_MAX + 1);
    close(fd);
    assert_true(n >= 0);
    return span_make(out, (size_t)n);
}

static enum err_code named(void *q, struct span name, bool *ret, struct err *err)
{
    return queue_names_spool(q, name, ret, err);
}

/* Every message that is there is whole, and those that must be there are. Gives how many there are. */
static size_t check(const unsigned char known[IDS_MAX])
{
    static char want[BODY_MAX], got[BODY_MAX + 1];
    struct queue *q = NULL;
    struct spool s;
    struct err err = {0};
    size_t count = 0, swept;
    CHECK_INT(err.text, queue_sqlite_open(folder_file(&folder, "queue.db"), &q, &err), ERR_NONE);
    CHECK_INT(err.text, spool_open(folder.path, &s, &err), ERR_NONE);
    CHECK_INT(err.text, spool_sweep(&s, named, q, &swept, &err), ERR_NONE);
    /* Behind the highest: what was not acknowledged any more. */
    for (uint64_t id = 1; id < IDS_MAX && id <= highest + BATCH_MAX; id++) {
        struct arena arena;
        struct queue_message m;
        arena_init(&arena, 0);
        enum err_code code = queue_load(q, id, QUEUE_BODY | QUEUE_RECIPIENTS, &arena, &m, &err);
        CHECK(err.text, code == ERR_NONE || code == ERR_NOT_FOUND);
        CHECK("acknowledged", known[id] != ENQUEUED || code == ERR_NONE);
        CHECK("delivered", known[id] != DELIVERED || code == ERR_NOT_FOUND);
        if (code == ERR_NONE) {
            count++;
            CHECK_INT("spooled", m.spool.len > 0, is_spooled(id));
            CHECK("body", span_eq(content_of(&s, &m, got), body_of(id, want)));
            CHECK_INT("recipients", m.recipient_count, 1);
        }
        arena_clear(&arena);
    }
    spool_close(&s);
    queue_close(q);
    return count;
}

static void test_kill(void **state)
{
    static unsigned char known[IDS_MAX];
    struct draw d = {UINT64_C(0x5eed5eed)};
    size_t left = 0;
    (void)state;
    folder_make(&folder);
    for (int i = 0; i < ROUNDS; i++) {
        run_and_kill(known, &d);
        left = check(known);
    }
    assert_true(left > ROUNDS); /* the test has seen something */
    folder_remove(&folder);
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
