/*
 * test_threads.c: the three threads that a queue serves, at once over SQLite: the writer (the group commit's), the
 * schedule (the test's own) and a reader.
 */
#include "store/group_commit.h"
#include "store/queue_sqlite.h"
#include "store/test_support.h"

#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { DEADLINE_S = 20 };

static atomic_bool reading_over;

static void *read_pages(void *context)
{
    while (!atomic_load(&reading_over)) {
        struct arena arena;
        struct queue_page page = {0};
        struct queue_counts counts = {0};
        struct err err;
        arena_init(&arena, 0);
        bool ok = queue_list(context, 0, 20, &arena, &page, &err) == ERR_NONE &&
                  queue_counts(context, &counts, &err) == ERR_NONE;
        arena_clear(&arena);
        if (!ok)
            return context;
    }
    return NULL;
}

static void nothing(void *context)
{
    (void)context;
}

static void no_spool(void *context, const char *name)
{
    (void)context, (void)name;
}

enum { MESSAGES = 600, BURST = 2 };

struct traffic {
    struct commit_unit units[2 * MESSAGES];
    struct queue_op ops[2 * MESSAGES];
    size_t used, enqueued, delivered;
    unsigned char claims[MESSAGES + 1]; /* by id */
    struct arena arena;
};

static void submit_op(struct traffic *t, struct group_commit *g, struct queue_op op)
{
    t->ops[t->used] = op;
    t->units[t->used] = (struct commit_unit){.unit = {.ops = &t->ops[t->used], .op_count = 1}, .bytes = 100};
    assert_int_equal(group_commit_submit(g, &t->units[t->used++]), ERR_NONE);
}

static void count_finished(struct traffic *t, struct group_commit *g)
{
    for (struct commit_unit *u = group_commit_take(g); u; u = u->next) {
        CHECK_INT(u->unit.err.text, u->unit.result, ERR_NONE);
        t->delivered += u->unit.ops[0].kind == QUEUE_OP_DONE;
    }
}

/* Messages come in bursts and are claimed and delivered meanwhile, while pages are read: each is claimed exactly
 * once. */
static void test_threads(void **state)
{
    static struct traffic t;
    static struct queue_recipient r = {.address = SPAN_INIT("a@x"), .next_attempt_ms = 1};
    static struct queue_recipient delivered = {.state = QUEUE_DELIVERED};
    static struct queue_message m = {.recipients = &r, .recipient_count = 1, .body = SPAN_INIT("body")};
    struct folder folder;
    struct queue *q = NULL;
    struct group_commit *g = NULL;
    struct err err = {0};
    pthread_t reader;
    void *reader_failed = NULL;
    (void)state;
    folder_make(&folder);
    CHECK_INT(err.text, queue_sqlite_open(folder_file(&folder, "queue.db"), &q, &err), ERR_NONE);
    struct group_commit_options o = {.queue = q, .wake = nothing, .spool_removed = no_spool};
    assert_int_equal(group_commit_new(&o, &g, &err), ERR_NONE);
    assert_int_equal(pthread_create(&reader, NULL, read_pages, q), 0);
    time_t end = time(NULL) + DEADLINE_S;
    arena_init(&t.arena, 0);
    while (t.delivered < MESSAGES) {
        struct queue_message *claimed = NULL;
        size_t count = 0;
        for (size_t i = 0; i < BURST && t.enqueued < MESSAGES; i++, t.enqueued++)
            submit_op(&t, g, (struct queue_op){.kind = QUEUE_OP_ENQUEUE, .enqueue = &m});
        arena_reset(&t.arena);
        CHECK_INT(err.text, queue_claim(q, 10, 7, INT64_MAX, &t.arena, &claimed, &count, &err), ERR_NONE);
        for (size_t i = 0; i < count; i++) {
            assert_in_range(claimed[i].id, 1, MESSAGES);
            CHECK_INT("claims", ++t.claims[claimed[i].id], 1);
            submit_op(&t, g,
                      (struct queue_op){.kind = QUEUE_OP_DONE, .message = claimed[i].id, .recipient = &delivered});
        }
        count_finished(&t, g);
        assert_true(time(NULL) < end);
    }
    group_commit_free(g);
    atomic_store(&reading_over, true);
    assert_int_equal(pthread_join(reader, &reader_failed), 0);
    assert_null(reader_failed);
    struct queue_counts counts;
    assert_int_equal(queue_counts(q, &counts, &err), ERR_NONE);
    assert_int_equal(counts.messages, 0);
    queue_close(q);
    arena_clear(&t.arena);
    folder_remove(&folder);
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
