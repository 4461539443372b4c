/* test_actions.c: what an administrator does to queues and messages, with what is in hand, under way and stored. */
#include "role/queue/test_support.h"

#include <string.h>

#define HOUR                                                                                                       \
    "MessageRetryInterval=#3600000|QueueGlitchRetryInterval=#3600000|TransientFailureRetryInterval=#3600000"

static void refuse(struct bench *b, const char *address)
{
    bench_rule(b, (struct bench_rule){address, DELIVERY_TEMPORARY, 0, "4.4.1", "connection refused", true});
}

static void check_done(struct bench *b, const char *row)
{
    CHECK_SPAN(row, b->action_text, SPAN(""));
    CHECK_INT(row, b->action_code, ERR_NONE);
}

static void act_on_queue(struct bench *b, enum queue_action what)
{
    bench_act_on_queue(b, what, "smtp:relay");
    check_done(b, "queue");
}

static void act_on_message(struct bench *b, enum queue_action what, uint64_t id)
{
    bench_act_on_message(b, what, id);
    check_done(b, "message");
}

static void check_status(struct bench *b, enum queue_list_what what, const char *want)
{
    bench_list(b, what, 0, 10);
    assert_true(b->record_count > 0);
    CHECK_TEXT("status", bench_property(b, 0, "Status"), want);
}

/* ---- queues ---- */

/* In hand, to come, and over a restart: nothing is sent; the other queue's mail is. */
static void suspended_queue(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR "|MaxPerDomainOutboundConnections=#1", NULL);
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *under_way = bench_job(b);
    BENCH_SEND(b, "bob@example.com", "b@far.test"); /* waits for its turn */
    act_on_queue(b, QUEUE_ACTION_SUSPEND_QUEUE);
    check_status(b, QUEUE_LIST_QUEUES, "Suspended");
    bench_report(b, under_way); /* what was being sent goes on */
    BENCH_SEND(b, "bob@example.com", "c@far.test");
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "2");
    bench_kill(b);
    bench_start(b);
    check_status(b, QUEUE_LIST_QUEUES, "Suspended");
    CHECK_TEXT("by the connector", bench_property(b, 0, "NextHopDomain"), "relay.test");
    CHECK_TEXT("by its name", bench_property(b, 0, "NextHopConnector"), "relay");
    BENCH_SEND(b, "bob@example.com", "d@far.test");
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "3");
    CHECK_TEXT("why", bench_property(b, 0, "LastError"), "the queue is suspended");
    BENCH_SEND(b, "bob@example.com", "e@other.test");
    CHECK_TEXT("another queue", bench_recipients(b, bench_deliver(b)), "e@other.test");
    act_on_queue(b, QUEUE_ACTION_RESUME_QUEUE);
    for (size_t i = 0; i < 3; i++)
        bench_deliver(b);
    bench_finish(b, 0);
}

/* It is shown, and can be resumed, when nothing waits in it. */
static void empty_suspended_queue(void **state)
{
    struct bench *b = *state;
    act_on_queue(b, QUEUE_ACTION_SUSPEND_QUEUE);
    act_on_queue(b, QUEUE_ACTION_SUSPEND_QUEUE); /* again is fine */
    check_status(b, QUEUE_LIST_QUEUES, "Suspended");
    CHECK_TEXT("identity", bench_property(b, 0, "Identity"), "mail\\smtp:relay");
    CHECK_TEXT("count", bench_property(b, 0, "MessageCount"), "0");
    act_on_queue(b, QUEUE_ACTION_RESUME_QUEUE);
    bench_list(b, QUEUE_LIST_QUEUES, 0, 10);
    assert_int_equal(b->record_count, 0);
    bench_finish(b, 0);
}

/* What waits in a suspended queue expires on its time. */
static void expiry_while_suspended(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR "|MessageExpirationTimeout=#1200", NULL);
    act_on_queue(b, QUEUE_ACTION_SUSPEND_QUEUE);
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT("report", j->job.sender, "");
    CHECK_HAS("report", j->job.body, "Status: 4.4.7\r\n");
    bench_finish(b, 0);
}

/* After an outage: what is due in an hour is tried now, one attempt first. */
static void retried_queue(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR, NULL);
    refuse(b, "a@far.test");
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_deliver(b);
    bench_until(b, QUEUE_LIST_QUEUES, "Status", "Retry");
    BENCH_SEND(b, "bob@example.com", "b@far.test");
    uint64_t suspended = BENCH_SEND(b, "bob@example.com", "c@far.test");
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "3");
    act_on_message(b, QUEUE_ACTION_SUSPEND_MESSAGES, suspended);
    bench_no_rules(b);
    act_on_queue(b, QUEUE_ACTION_RETRY_QUEUE);
    CHECK_TEXT("first", bench_recipients(b, bench_deliver(b)), "a@far.test");
    CHECK_TEXT("then", bench_recipients(b, bench_deliver(b)), "b@far.test");
    bench_until_messages(b, 1);
    CHECK_TEXT("a suspended message stays", bench_property(b, 0, "Status"), "Suspended");
    bench_finish(b, 1);
}

static void many_retried(void **state)
{
    enum { MANY = 1300 };
    struct bench *b = *state;
    struct buf envelope;
    bench_policy(b, HOUR, NULL);
    act_on_queue(b, QUEUE_ACTION_SUSPEND_QUEUE);
    bench_envelope(&envelope, &(struct bench_mail){.from = "", .to = "a@far.test"}, 2);
    for (size_t i = 0; i < MANY; i++)
        bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), SPAN("\r\n"));
    BENCH_UNTIL(b, b->stored_count == MANY);
    buf_done(&envelope);
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "1300");
    act_on_queue(b, QUEUE_ACTION_RESUME_QUEUE);
    for (size_t i = 0; i < MANY; i++)
        bench_deliver(b);
    bench_finish(b, 0);
}

static void refused_actions(void **state)
{
    static const struct {
        enum queue_action what;
        const char *queue;
        enum err_code code;
        const char *says;
    } rows[] = {
        {QUEUE_ACTION_SUSPEND_QUEUE, "submission", ERR_INVALID, "Suspend-Message"},
        {QUEUE_ACTION_SUSPEND_QUEUE, "unreachable", ERR_INVALID, "Get-Message -Queue unreachable"},
        {QUEUE_ACTION_RETRY_QUEUE, "mx:held.test", ERR_CONFLICT, "Resume-Queue"},
    };
    struct bench *b = *state;
    bench_act_on_queue(b, QUEUE_ACTION_SUSPEND_QUEUE, "mx:held.test");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bench_act_on_queue(b, rows[i].what, rows[i].queue);
        CHECK_INT(rows[i].queue, b->action_code, rows[i].code);
        CHECK_HAS(rows[i].queue, b->action_text, rows[i].says);
    }
    bench_finish(b, 0);
}

/* ---- messages ---- */

/* Two that wait their turn, one that is being sent. */
static void suspended_messages(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR "|MaxPerDomainOutboundConnections=#1", NULL);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t ids[3];
    ids[0] = BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *under_way = bench_job(b);
    ids[1] = BENCH_SEND(b, "bob@example.com", "b@far.test");
    ids[2] = BENCH_SEND(b, "bob@example.com", "c@far.test");
    bench_ask_action(b, QUEUE_ACTION_SUSPEND_MESSAGES, "", ids, 3);
    BENCH_UNTIL(b, b->action_answers == 1);
    check_done(b, "suspend");
    check_status(b, QUEUE_LIST_MESSAGES, "PendingSuspend");
    CHECK_TEXT("waits its turn", bench_property(b, 1, "Status"), "Suspended");
    bench_report(b, under_way);
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Suspended");
    bench_kill(b);
    bench_start(b);
    assert_int_equal(b->job_count, 1);
    bench_no_rules(b);
    bench_ask_action(b, QUEUE_ACTION_RESUME_MESSAGES, "", ids, 3);
    BENCH_UNTIL(b, b->action_answers == 2);
    for (size_t i = 0; i < 3; i++)
        bench_deliver(b);
    bench_finish(b, 0);
}

/* Suspended while it is sent, and resumed before that ends. */
static void resumed_under_way(void **state)
{
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t id = BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *under_way = bench_job(b);
    act_on_message(b, QUEUE_ACTION_SUSPEND_MESSAGES, id);
    act_on_message(b, QUEUE_ACTION_RESUME_MESSAGES, id);
    bench_report(b, under_way);
    bench_no_rules(b);
    bench_deliver(b);
    bench_finish(b, 0);
}

/* Suspended while the directory is asked who is in the group: its members are so too, over a restart. */
static void suspended_group(void **state)
{
    enum { LISTINGS_MAX = 5000 };
    struct bench *b = *state;
    size_t n = 0;
    b->directory_silent = true;
    uint64_t id = BENCH_SEND(b, "dave@example.com", "team@example.com");
    BENCH_UNTIL(b, b->questions == 1);
    act_on_message(b, QUEUE_ACTION_SUSPEND_MESSAGES, id);
    check_status(b, QUEUE_LIST_MESSAGES, "Suspended");
    bench_speak(b);
    do {
        bench_list(b, QUEUE_LIST_MESSAGES, 0, 10);
        assert_true(b->record_count == 1 && n++ < LISTINGS_MAX);
    } while (!span_has(bench_property(b, 0, "Recipients"), "p@far.test; waiting"));
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Suspended"); /* let go of again */
    bench_kill(b);
    b->questions = 0;
    bench_start(b);
    check_status(b, QUEUE_LIST_MESSAGES, "Suspended");
    assert_int_equal(b->questions, 0); /* nothing of it is in hand */
    assert_int_equal(b->job_count, 0);
    act_on_message(b, QUEUE_ACTION_RESUME_MESSAGES, id);
    BENCH_UNTIL(b, b->job_count > 0);
}

static void check_report(struct bench *b, const char *recipient)
{
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT("report", j->job.sender, "");
    CHECK_TEXT("to", bench_recipients(b, j), "bob@example.com");
    CHECK_HAS("report", j->job.body, "Action: failed\r\nStatus: 4.3.2\r\n");
    CHECK_HAS("report", j->job.body, "QUEUE.Deleted; message deleted by administrative action");
    CHECK_HAS("report", j->job.body, recipient);
}

/* In the store: of its two recipients one was delivered already. */
static void removed_from_store(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR, NULL);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t id = BENCH_SEND(b, "bob@example.com", "a@far.test,b@far.test");
    bench_deliver(b);
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Retry");
    act_on_message(b, QUEUE_ACTION_REMOVE_REPORTED, id);
    check_report(b, "a@far.test");
    assert_false(span_has(b->jobs[b->job_next - 1].job.body, "b@far.test\r\nAction"));
    bench_finish(b, 0);
}

static void removed_quietly(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR, NULL);
    refuse(b, "a@far.test");
    uint64_t stored = BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_deliver(b);
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Retry");
    act_on_message(b, QUEUE_ACTION_REMOVE_MESSAGES, stored);
    bench_list(b, QUEUE_LIST_MESSAGES, 0, 10);
    assert_int_equal(b->record_count, 0);
    act_on_message(b, QUEUE_ACTION_REMOVE_MESSAGES, stored); /* it is gone, which is what was wanted */
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 1);
}

/* NOTIFY=NEVER and the null sender are told nothing. */
static void removed_without_a_word(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR, NULL);
    refuse(b, "a@far.test");
    uint64_t never = BENCH_SEND(b, "bob@example.com", "a@far.test", .notify = SMTP_NOTIFY_NEVER);
    bench_deliver(b);
    uint64_t null = BENCH_SEND(b, "", "b@far.test");
    bench_until(b, QUEUE_LIST_QUEUES, "DeferredMessageCount", "2");
    act_on_message(b, QUEUE_ACTION_REMOVE_REPORTED, never);
    act_on_message(b, QUEUE_ACTION_REMOVE_REPORTED, null);
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 1);
}

/* While it waits its turn. */
static void removed_in_hand(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR "|MaxPerDomainOutboundConnections=#1", NULL);
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *first = bench_job(b);
    uint64_t id = BENCH_SEND(b, "bob@example.com", "b@far.test");
    act_on_message(b, QUEUE_ACTION_REMOVE_REPORTED, id);
    check_report(b, "b@far.test");
    bench_report(b, first);
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 2);
}

/* While it is being sent: what is delivered by that is delivered, what is not is removed. */
static void removed_under_way(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR, NULL);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t id = BENCH_SEND(b, "bob@example.com", "a@far.test,b@far.test");
    const struct bench_job *j = bench_job(b);
    act_on_message(b, QUEUE_ACTION_REMOVE_REPORTED, id);
    check_status(b, QUEUE_LIST_MESSAGES, "PendingRemove");
    act_on_message(b, QUEUE_ACTION_SUSPEND_MESSAGES, id);
    check_status(b, QUEUE_LIST_MESSAGES, "PendingRemove"); /* that stays */
    bench_report(b, j);
    check_report(b, "a@far.test");
    assert_false(span_has(b->jobs[b->job_next - 1].job.body, "b@far.test\r\nAction"));
    bench_finish(b, 0);
}

/* ---- export ---- */

static void exported(void **state)
{
    struct bench *b = *state;
    bench_policy(b, HOUR, NULL);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t id = BENCH_SEND(b, "bob@example.com", "a@far.test,b@far.test", .envid = "e+20", .ret = SMTP_RET_HDRS,
                             .notify = SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, .orcpt = "rfc822;a@far.test",
                             .body = "Subject: Tea\r\n\r\nhello\r\n");
    bench_deliver(b);
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Retry");
    bench_export(b, id);
    assert_int_equal(b->action_code, ERR_CONFLICT);
    CHECK_HAS("not suspended", b->action_text, "Suspend-Message");
    act_on_message(b, QUEUE_ACTION_SUSPEND_MESSAGES, id);
    bench_export(b, id);
    check_done(b, "export");
    CHECK_TEXT("the file", b->exported,
               "X-Sender: <bob@example.com> BODY=7BIT RET=HDRS ENVID=e+20\r\n"
               "X-Receiver: <a@far.test> NOTIFY=FAILURE,DELAY ORcpt=rfc822;a@far.test\r\n"
               "X-CreatedBy: Mailreeve\r\n"
               "X-SourceIPAddress: 192.0.2.1\r\n"
               "X-EndOfInjectedXHeaders:\r\n"
               "Subject: Tea\r\n\r\nhello\r\n");
    bench_export(b, id + 1000);
    assert_int_equal(b->action_code, ERR_NOT_FOUND);
    bench_finish(b, 1);
}

/* ---- what is malformed ---- */

static void malformed(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        struct span body;
    } rows[] = {
        {"nothing", QUEUE_CHANGE, SPAN_INIT("")},
        {"no such action", QUEUE_CHANGE, SPAN_INIT("\7\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0")},
        {"a queue without a name", QUEUE_CHANGE, SPAN_INIT("\0\0\0\0\0\0\0\0\0")},
        {"a name with a NUL", QUEUE_CHANGE, SPAN_INIT("\0\2\0\0\0a\0\0\0\0\0")},
        {"a queue and a message", QUEUE_CHANGE, SPAN_INIT("\0\1\0\0\0a\1\0\0\0\1\0\0\0\0\0\0\0")},
        {"a message with a name", QUEUE_CHANGE, SPAN_INIT("\3\1\0\0\0a\1\0\0\0\1\0\0\0\0\0\0\0")},
        {"no message", QUEUE_CHANGE, SPAN_INIT("\3\0\0\0\0\0\0\0\0")},
        {"fewer than said", QUEUE_CHANGE, SPAN_INIT("\3\0\0\0\0\2\0\0\0\1\0\0\0\0\0\0\0")},
        {"far too many", QUEUE_CHANGE, SPAN_INIT("\3\0\0\0\0\377\377\377\377\1\0\0\0\0\0\0\0")},
        {"an export of nothing", QUEUE_EXPORT, SPAN_INIT("")},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&b->log);
        CHECK_INT(rows[i].name, link_send(bench_link(b, BENCH_LIST), rows[i].type, 99, rows[i].body, NULL, 0),
                  ERR_NONE);
        BENCH_UNTIL(b, bench_logged(b, "malformed question"));
    }
    bench_finish(b, 0);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(suspended_queue),    ON_BENCH(empty_suspended_queue), ON_BENCH(expiry_while_suspended),
        ON_BENCH(retried_queue),      ON_BENCH(many_retried),          ON_BENCH(refused_actions),
        ON_BENCH(suspended_messages), ON_BENCH(resumed_under_way),     ON_BENCH(suspended_group),
        ON_BENCH(removed_from_store), ON_BENCH(removed_quietly),       ON_BENCH(removed_without_a_word),
        ON_BENCH(removed_in_hand),    ON_BENCH(removed_under_way),     ON_BENCH(exported),
        ON_BENCH(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
