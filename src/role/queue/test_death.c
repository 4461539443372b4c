/*
 * test_death.c: what was taken over survives the death of the deliver process and of the queue itself, and an end
 * in good order forgets no delivery.
 */
#include "role/queue/test_support.h"

#include "base/cursor.h"
#include "store/spool.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What deliver has not begun, and what it may have done before it died, is sent again. */
static void deliver_lost(void **state)
{
    static const char refused[] = {ERR_LIMIT};
    struct bench *b = *state;
    BENCH_SEND(b, "bob@example.com", "a@far.test", .body = "Subject: x\r\n\r\nit\r\n");
    bench_job(b);
    BENCH_SEND(b, "bob@example.com", "b@other.test");
    bench_answer_job(b, bench_job(b), span_make(refused, 1));
    bench_until(b, QUEUE_LIST_QUEUES, "LastError", "450 4.3.0 the deliver process did not begin it");
    bench_lose(b, BENCH_DELIVER);
    BENCH_SEND(b, "bob@example.com", "c@third.test"); /* waits in hand */
    bench_until(b, QUEUE_LIST_MESSAGES, "LastError", "450 4.3.0 the deliver process ended");
    bench_join(b, BENCH_DELIVER);
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT("at once", bench_recipients(b, j), "c@third.test");
    assert_true(j->job.first_attempt);
    for (size_t i = 0; i < 2; i++) {
        j = bench_deliver(b);
        assert_false(j->job.first_attempt);
        if (span_has(bench_recipients(b, j), "a@far.test"))
            CHECK_TEXT("the same", j->job.body, "Subject: x\r\n\r\nit\r\n");
    }
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 5);
}

/* A file that no message names, as an interrupted acceptance leaves it. */
static void make_orphan(const struct bench *b)
{
    struct spool s;
    char folder[128], name[SPOOL_NAME_MAX];
    int fd;
    snprintf(folder, sizeof folder, "%s/spool", b->folder);
    assert_int_equal(spool_open(folder, &s, NULL), ERR_NONE);
    assert_int_equal(spool_create(&s, 1u << 20, &fd, NULL), ERR_NONE);
    assert_int_equal(spool_publish(&s, fd, 1u << 20, name, NULL), ERR_NONE);
    close(fd);
    spool_close(&s);
}

static void store_spooled(struct bench *b, const char *to)
{
    struct buf envelope;
    size_t before = b->answer_count;
    bench_spool(b, BENCH_RECEIVE);
    assert_int_equal(write(b->spool_fd, "\r\nspooled\r\n", 11), 11);
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = to}, 11);
    bench_ask_store(b, BENCH_RECEIVE, 0, b->spool_id, buf_span(&envelope), SPAN(""));
    buf_done(&envelope);
    bench_await_answer(b, before);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
}

/* One in each place where a recipient can be: under way, waiting for its retry, for the directory, in the spool. */
static void killed(void **state)
{
    static const char *const left[] = {"under-way@far.test", "slow@other.test", "spooled@third.test",
                                       "alice@example.com"};
    struct bench *b = *state;
    bool seen[ARRAY_LEN(left)] = {0};
    BENCH_SEND(b, "bob@example.com", "under-way@far.test");
    bench_job(b);
    bench_rule(b, (struct bench_rule){"slow@other.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    bench_policy(b, "MessageRetryInterval=#1500", NULL);
    BENCH_SEND(b, "bob@example.com", "slow@other.test,done@other.test");
    bench_deliver(b);
    bench_until(b, QUEUE_LIST_QUEUES, "LastError", "451 4.3.0 busy");
    b->directory_silent = true;
    BENCH_SEND(b, "bob@example.com", "alice@example.com");
    store_spooled(b, "spooled@third.test");
    bench_job(b);
    bench_kill(b);
    make_orphan(b);
    assert_int_equal(bench_spool_files(b), 2);
    b->directory_silent = false;
    bench_no_rules(b);
    bench_start(b);
    BENCH_UNTIL(b, bench_logged(b, "event=spool-swept"));
    assert_int_equal(bench_spool_files(b), 1);
    for (size_t n = 0; n < ARRAY_LEN(left); n++) {
        const struct bench_job *j = bench_deliver(b);
        struct span to = bench_recipients(b, j);
        size_t i = 0;
        while (i < ARRAY_LEN(left) && !span_eq(to, span_of(left[i])))
            i++;
        CHECK("expected", i < ARRAY_LEN(left) && !seen[i]);
        CHECK(left[i], !j->job.first_attempt);
        seen[i] = true;
    }
    bench_finish(b, 0);
}

/* An expansion is durable as a whole: after it the group is not asked about again, and nobody gets two copies. */
static void killed_after_expansion(void **state)
{
    struct bench *b = *state;
    BENCH_SEND(b, "dave@example.com", "staff@example.com");
    bench_rule(b, (struct bench_rule){"bob@example.com", DELIVERY_TEMPORARY, 0, "4.2.2", "full"});
    for (size_t i = 0; i < 4; i++)
        bench_deliver(b);
    bench_until(b, QUEUE_LIST_MESSAGES, "Recipients",
                "{staff@example.com; expanded, alice@example.com; delivered; 250 2.0.0 taken, "
                "bob@example.com; waiting; 450 4.2.2 full, team@example.com; expanded, "
                "carol@example.com; delivered; 250 2.0.0 taken, p@far.test; delivered; 250 2.0.0 taken}");
    bench_kill(b);
    size_t questions = b->questions;
    bench_no_rules(b);
    bench_start(b);
    CHECK_TEXT("who is left", bench_recipients(b, bench_deliver(b)), "bob@example.com");
    bench_finish(b, 0);
    assert_int_equal(b->questions, questions + 1);
    assert_int_equal(b->job_next, b->job_count);
}

/* ---- the end in good order ---- */

/* What is under way is waited for and recorded; what comes meanwhile is stored and not begun. */
static void drain(void **state)
{
    struct bench *b = *state;
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_job(b);
    bench_ask_drain(b);
    BENCH_SEND(b, "bob@example.com", "b@far.test");
    bench_list(b, QUEUE_LIST_MESSAGES, 0, 10);
    assert_int_equal(b->record_count, 2);
    bench_report(b, &b->jobs[0]);
    bench_drained(b);
    assert_int_equal(b->job_count, 1);
    bench_start(b);
    CHECK_TEXT("the other", bench_recipients(b, bench_deliver(b)), "b@far.test");
    bench_finish(b, 0);
}

/* A failure that is reported at the end leaves its report for the next start. */
static void drain_with_failure(void **state)
{
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"});
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *j = bench_job(b);
    bench_ask_drain(b);
    bench_report(b, j);
    bench_drained(b);
    bench_start(b);
    j = bench_deliver(b);
    CHECK_TEXT("report", j->job.sender, "");
    CHECK_HAS("report", j->job.body, "Status: 5.1.1\r\n");
    bench_finish(b, 0);
}

/*
 * What lies in the sockets when the role ends is read in the same turn of its loop, after it has closed the store:
 * stopping the process meanwhile puts all of it into one turn.
 */
static void frames_behind_the_drain(void **state)
{
    struct bench *b = *state;
    struct buf envelope;
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = "a@far.test"}, 2);
    kill(b->pid, SIGSTOP);
    bench_ask_drain(b);
    bench_ask_list(b, QUEUE_LIST_QUEUES, 0, 10);
    bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), SPAN("\r\n"));
    bench_ask_store(b, BENCH_RECEIVE_OTHER, 0, 0, buf_span(&envelope), SPAN("\r\n"));
    bench_ask_spool(b, BENCH_RECEIVE);
    bench_policy(b, NULL, NULL);
    kill(b->pid, SIGCONT);
    bench_drained(b);
    buf_done(&envelope);
    struct queue *q = bench_open_store(b);
    struct queue_counts counts;
    assert_int_equal(queue_counts(q, &counts, NULL), ERR_NONE);
    queue_close(q);
    assert_int_equal(counts.messages, b->stored_count);
}

/* A process started anew may be handed mail before it is handed the policy. */
static void mail_before_policy(void **state)
{
    struct bench *b = *state;
    bench_kill(b);
    bench_start_bare(b);
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    assert_false(b->ready);
    bench_policy(b, NULL, NULL);
    BENCH_UNTIL(b, b->ready);
    CHECK_TEXT("sent on", bench_recipients(b, bench_deliver(b)), "a@far.test");
    bench_finish(b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mail_before_policy, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(deliver_lost, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(killed, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(killed_after_expansion, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(drain, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(drain_with_failure, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(frames_behind_the_drain, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
