/* test_poison.c: messages over which deliver or the queue itself dies. */
#include "role/queue/test_support.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Deliver dies with all that it has in hand, and another one comes. */
static void die(struct bench *b, bool fault)
{
    bench_lose(b, BENCH_DELIVER);
    if (fault)
        bench_fault(b, ROLE_DELIVER);
    b->job_next = b->job_count;
    bench_join(b, BENCH_DELIVER);
}

static void check_convicted(struct bench *b, const char *recipient)
{
    bench_until(b, QUEUE_LIST_MESSAGES, "Queue", "mail\\poison");
    assert_int_equal(b->record_count, 1);
    CHECK_TEXT("status", bench_property(b, 0, "Status"), "Suspended");
    CHECK_HAS("recipient", bench_property(b, 0, "Recipients"), recipient);
    CHECK_HAS("why", bench_property(b, 0, "LastError"), "450 5.3.0 a process died over it 2 times");
    CHECK_HAS("what now", bench_property(b, 0, "LastError"), "Resume-Message");
    bench_list(b, QUEUE_LIST_QUEUES, 0, 10);
    CHECK_TEXT("queue", bench_property(b, 0, "Identity"), "mail\\poison");
    CHECK_TEXT("type", bench_property(b, 0, "DeliveryType"), "Undefined");
}

/* Three were in hand at the first death: from then on they go one by one, and the second names the one. */
static void deliver_dies(void **state)
{
    static const char *const to[] = {"good@far.test", "bad@other.test", "fine@third.test"};
    struct bench *b = *state;
    bool bad_sent = false;
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        BENCH_SEND(b, "bob@example.com", to[i]);
    BENCH_UNTIL(b, b->job_count == 3);
    die(b, true);
    for (size_t n = 0; !bad_sent && n < 3; n++) {
        const struct bench_job *j = bench_job(b);    /* after the time that an own failure waits */
        assert_int_equal(b->job_count, b->job_next); /* alone */
        bad_sent = span_has(bench_recipients(b, j), "bad@");
        if (!bad_sent)
            bench_report(b, j);
    }
    assert_true(bad_sent);
    die(b, true);
    while (b->record_count != 1)
        if (bench_list(b, QUEUE_LIST_MESSAGES, 0, 10), b->job_next < b->job_count)
            bench_deliver(b);
    check_convicted(b, "bad@other.test");
    BENCH_UNTIL(b, span_has(buf_span(&b->track),
                            "POISONMESSAGE QUEUE bad@other.test (450 5.3.0 a process died over it 2 times"));
    bench_finish(b, 1);
}

/* A process that is ended from outside says nothing about its mail. */
static void deliver_is_killed(void **state)
{
    struct bench *b = *state;
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    for (size_t i = 0; i < 3; i++) {
        bench_job(b);
        die(b, false);
    }
    bench_deliver(b);
    bench_finish(b, 0);
}

static void acquitted(void **state)
{
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    bench_policy(b, "MessageRetryInterval=#100", NULL);
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    for (size_t i = 0; i < 2; i++) {
        bench_job(b);
        die(b, true);
        bench_deliver(b); /* answered for: the next death begins to count anew */
    }
    bench_no_rules(b);
    bench_deliver(b);
    bench_finish(b, 0);
}

/* What the queue worked on when it died: as it stands in the file. */
static void mark(struct bench *b, uint64_t id)
{
    char path[128];
    snprintf(path, sizeof path, "%s/queue.marks", b->folder);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &id, sizeof id, 8), sizeof id);
    close(fd);
}

static void start_after_fault(struct bench *b)
{
    bench_start_bare(b);
    bench_fault(b, ROLE_QUEUE);
    bench_policy(b, NULL, NULL);
    BENCH_UNTIL(b, b->ready);
}

static void queue_dies(void **state)
{
    struct bench *b = *state;
    uint64_t id = BENCH_SEND(b, "bob@example.com", "a@far.test,b@other.test");
    BENCH_UNTIL(b, b->job_count == 2);
    for (size_t i = 0; i < 2; i++) {
        bench_kill(b);
        mark(b, id);
        b->job_next = b->job_count;
        start_after_fault(b);
        if (i == 0)
            bench_job(b);
    }
    check_convicted(b, "a@far.test; waiting");
    bench_kill(b);
    bench_start(b); /* it stays, whatever comes */
    check_convicted(b, "b@other.test; waiting");
    b->job_next = b->job_count; /* before it is resumed: its jobs may come before the answer */
    bench_act_on_message(b, QUEUE_ACTION_RESUME_MESSAGES, id);
    for (size_t i = 0; i < 2; i++)
        bench_deliver(b);
    bench_finish(b, 0);
}

/* In the middle of nothing, or killed in the middle of something. */
static void queue_dies_otherwise(void **state)
{
    struct bench *b = *state;
    uint64_t id = BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_job(b);
    for (size_t i = 0; i < 4; i++) {
        bench_kill(b);
        mark(b, i % 2 ? id : 0);
        b->job_next = b->job_count;
        if (i % 2)
            bench_start(b);
        else
            start_after_fault(b);
        bench_job(b);
    }
    bench_kill(b);
    char path[128];
    snprintf(path, sizeof path, "%s/queue.marks", b->folder);
    assert_int_equal(truncate(path, 3), 0); /* a file that is none begins anew */
    b->job_next = b->job_count;
    start_after_fault(b);
    bench_deliver(b);
    bench_finish(b, 0);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(deliver_dies), ON_BENCH(deliver_is_killed),    ON_BENCH(acquitted),
        ON_BENCH(queue_dies),   ON_BENCH(queue_dies_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
