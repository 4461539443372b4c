/*
 * test_destinations.c: a next hop that cannot be used holds up its own mail and nobody else's, is tried again by
 * the schedule, by one attempt first; and how much goes to one at a time.
 */
#include "role/queue/test_support.h"

#include "runtime/clock.h"

#include <string.h>

#define CONNECTION_REFUSED DELIVERY_TEMPORARY, 0, "4.4.1", "connection refused", true

static void refuse(struct bench *b, const char *address)
{
    bench_rule(b, (struct bench_rule){address, CONNECTION_REFUSED});
}

static void check_next_recipient(struct bench *b, const char *want)
{
    CHECK_TEXT("next", bench_recipients(b, bench_job(b)), want);
}

static struct bench_job *last_job(struct bench *b)
{
    return &b->jobs[b->job_next - 1];
}

static void check_queue_in_retry(struct bench *b)
{
    bench_until(b, QUEUE_LIST_QUEUES, "Status", "Retry");
    assert_int_equal(b->record_count, 1);
    CHECK_TEXT("queue", bench_property(b, 0, "Identity"), "mail\\smtp:relay");
    CHECK_TEXT("queue", bench_property(b, 0, "DeliveryType"), "SmartHostConnectorDelivery");
    CHECK_TEXT("queue", bench_property(b, 0, "NextHopDomain"), "relay.test");
    CHECK_TEXT("queue", bench_property(b, 0, "NextHopConnector"), "relay");
    CHECK_TEXT("queue", bench_property(b, 0, "LastError"), "450 4.4.1 connection refused");
    CHECK_TEXT("queue", bench_property(b, 0, "RetryCount"), "1");
    assert_true(bench_number(b, 0, "NextRetryTime") > bench_number(b, 0, "LastRetryTime"));
}

static void fault_and_probe(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "QueueGlitchRetryInterval=#1200", NULL);
    refuse(b, "a@far.test");
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    int64_t reported = clock_wall_ms();
    bench_deliver(b);
    check_queue_in_retry(b);
    BENCH_SEND(b, "bob@example.com", "b@far.test");
    BENCH_SEND(b, "bob@example.com", "c@far.test");
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "3");
    BENCH_SEND(b, "bob@example.com", "d@other.test");
    check_next_recipient(b, "d@other.test"); /* which is not held up */
    bench_report(b, last_job(b));
    const struct bench_job *probe = bench_job(b);
    assert_true(probe->at_ms >= reported + 1200);
    bench_until(b, QUEUE_LIST_QUEUES, "Status", "Active");
    CHECK_TEXT("others are in hand", bench_property(b, 0, "DeferredMessageCount"), "0");
    CHECK_TEXT("others are in hand", bench_property(b, 0, "MessageCount"), "3");
    assert_int_equal(b->job_count, b->job_next); /* and wait for the probe */
    refuse(b, probe->job.recipients[0].address.ptr);
    reported = clock_wall_ms();
    bench_report(b, probe);
    probe = bench_job(b);
    assert_true(probe->at_ms >= reported + 1200);
    bench_until(b, QUEUE_LIST_QUEUES, "RetryCount", "2");
    assert_int_equal(b->job_count, b->job_next);
    bench_no_rules(b);
    bench_report(b, probe);
    bench_deliver(b);
    bench_deliver(b);
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 6);
}

/* What the log says of the next attempt: "retry-in-ms=200". */
static int64_t logged_delay(struct bench *b)
{
    static const char key[] = "retry-in-ms=";
    BENCH_UNTIL(b, bench_logged(b, key) && b->log.ptr[b->log.len - 1] == '\n');
    struct span log = buf_span(&b->log);
    const char *at = memmem(log.ptr, log.len, key, sizeof key - 1);
    int64_t ms = 0;
    for (at += sizeof key - 1; ascii_is_digit(*at); at++)
        ms = ms * 10 + (*at - '0');
    return ms;
}

/* Glitch, transient, and then the long interval. */
static void schedule(void **state)
{
    static const int64_t intervals[] = {200, 500, 800, 800};
    struct bench *b = *state;
    bench_policy(b,
                 "QueueGlitchRetryCount=#1|QueueGlitchRetryInterval=#200|TransientFailureRetryCount=#1|"
                 "TransientFailureRetryInterval=#500|OutboundConnectionFailureRetryInterval=#800",
                 NULL);
    refuse(b, "a@far.test");
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    for (size_t i = 0; i < ARRAY_LEN(intervals); i++) {
        char name[] = {(char)('1' + i), '\0'};
        int64_t now = clock_wall_ms();
        buf_clear(&b->log);
        bench_deliver(b);
        int64_t delay = logged_delay(b);
        CHECK(name, delay <= intervals[i] && delay > intervals[i] - 200);
        bench_until(b, QUEUE_LIST_QUEUES, "RetryCount", name);
        BENCH_UNTIL(b, b->job_next < b->job_count);
        CHECK(name, b->jobs[b->job_next].at_ms >= now + intervals[i]);
    }
    bench_no_rules(b);
    bench_deliver(b);
    bench_finish(b, 0);
}

/* Attempts that were under way together and met the same outage are one failure of the next hop. */
static void one_outage(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "QueueGlitchRetryCount=#2|QueueGlitchRetryInterval=#1200", NULL);
    const char *const to[] = {"a@far.test", "b@far.test", "c@far.test"};
    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        refuse(b, to[i]);
        BENCH_SEND(b, "bob@example.com", to[i]);
    }
    BENCH_UNTIL(b, b->job_count == 3);
    for (size_t i = 0; i < 3; i++)
        bench_deliver(b);
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "3");
    bench_until(b, QUEUE_LIST_QUEUES, "Identity", "mail\\smtp:relay"); /* a listing may be older than the leases */
    CHECK_TEXT("failures", bench_property(b, 0, "RetryCount"), "1");
    bench_no_rules(b);
    for (size_t i = 0; i < 3; i++)
        bench_deliver(b);
    bench_finish(b, 0);
}

/* What waits for a next hop in its retry time expires on time, attempted or not. */
static void expiry_in_retry(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageExpirationTimeout=#1200|QueueGlitchRetryInterval=#3600000", NULL);
    refuse(b, "a@far.test");
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_deliver(b);
    bench_until(b, QUEUE_LIST_QUEUES, "Status", "Retry");
    BENCH_SEND(b, "bob@example.com", "b@far.test");
    for (size_t i = 0; i < 2; i++) {
        const struct bench_job *j = bench_deliver(b);
        CHECK_TEXT("report", j->job.sender, "");
        CHECK_HAS("report", j->job.body, "Status: 4.4.7\r\n");
        CHECK_HAS("report", j->job.body, "connection refused");
    }
    bench_finish(b, 0);
}

static void limits(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MaxOutboundConnections=#3|MaxPerDomainOutboundConnections=#2", NULL);
    for (size_t i = 0; i < 4; i++)
        BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_list(b, QUEUE_LIST_QUEUES, 0, 10); /* whose answer follows all jobs */
    assert_int_equal(b->job_count, 2);
    CHECK_TEXT("all", bench_property(b, 0, "MessageCount"), "4");
    for (size_t i = 0; i < 2; i++)
        BENCH_SEND(b, "bob@example.com", "a@other.test");
    bench_list(b, QUEUE_LIST_QUEUES, 0, 10);
    assert_int_equal(b->job_count, 3);
    CHECK_TEXT("the other has its share", bench_recipients(b, &b->jobs[2]), "a@other.test");
    for (size_t i = 0; i < 6; i++) {
        bench_deliver(b);
        assert_true(b->job_count <= b->job_next + 3);
    }
    bench_finish(b, 0);
}

/* What waits is routed anew at once, while what is under way goes on. */
static void policy_changes_route(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MaxPerDomainOutboundConnections=#1", NULL);
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    BENCH_SEND(b, "bob@example.com", "b@far.test,c@far.test");
    const struct bench_job *first = bench_job(b);
    bench_policy(
        b, NULL,
        "SendConnector: Guid=s9|Name=other|AddressSpaces=[*]|DNSRoutingEnabled=$false|SmartHosts=[new.test]");
    const struct bench_job *second = bench_deliver(b);
    bench_report(b, first);
    CHECK_TEXT("host", second->job.to.hosts[0].name, "new.test");
    CHECK_TEXT("both", bench_recipients(b, second), "b@far.test c@far.test");
    assert_true(second->job.first_attempt);
    bench_finish(b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fault_and_probe, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(schedule, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(one_outage, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(expiry_in_retry, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(limits, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(policy_changes_route, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
