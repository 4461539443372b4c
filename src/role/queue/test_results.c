/*
 * test_results.c: what becomes of a recipient after its attempt, and what the sender is told of it. A row sends one
 * message to one next hop; afterwards nothing of it is left.
 */
#include "role/queue/test_support.h"

#include "base/cursor.h"
#include "runtime/clock.h"

#include <string.h>

#define USER_UNKNOWN                                                                                               \
    {                                                                                                              \
        "no@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"                                            \
    }
#define FAILS   .to = "no@far.test", .from = "bob@example.com"
#define ARRIVES .to = "ok@far.test", .from = "bob@example.com"

struct reported {
    const char *name;
    struct bench_mail mail;
    struct bench_rule rule;
    bool dsn_offered;
    const char *has[4]; /* what stands in the report; NULL first: there is none */
    const char *lacks;
};

static const struct reported rows[] = {
    {"delivered", {ARRIVES}},
    {"a failure",
     {FAILS, .orcpt = "rfc822;first@other.test", .envid = "QQ314159"},
     USER_UNKNOWN,
     .has = {"Original-Recipient: rfc822;first@other.test\r\nFinal-Recipient: rfc822;no@far.test\r\n"
             "Action: failed\r\nStatus: 5.1.1\r\n",
             "Diagnostic-Code: smtp;550 5.1.1 no such user\r\n", "Remote-MTA: dns;mx.far.test\r\n",
             "Original-Envelope-Id: QQ314159\r\n"}},
    {"some fail",
     {.to = "a@far.test,no@far.test,b@far.test", .from = "bob@example.com"},
     USER_UNKNOWN,
     .has = {"Final-Recipient: rfc822;no@far.test\r\n"},
     .lacks = "a@far.test"},
    {"a mailbox fails",
     {.to = "alice@example.com", .from = "bob@example.com"},
     {"alice@example.com", DELIVERY_PERMANENT, 0, "5.2.2", "the mailbox is full"},
     .has = {"Final-Recipient: rfc822;alice@example.com\r\nAction: failed\r\nStatus: 5.2.2\r\n",
             "550 5.2.2 the mailbox is full"},
     .lacks = "Remote-MTA"},
    {"a contact's target fails",
     {.to = "partner@example.com", .from = "bob@example.com"},
     {"p@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"},
     .has = {"Final-Recipient: rfc822;partner@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"}},
    {"a failure, from <>", {.to = "no@far.test"}, USER_UNKNOWN},
    {"the original is not asked for", {FAILS}, USER_UNKNOWN, .has = {"Subject: s\r\n"}, .lacks = "hello"},
    {"its header is asked for",
     {FAILS, .ret = SMTP_RET_HDRS},
     USER_UNKNOWN,
     .has = {"text/rfc822-headers", "Subject: s\r\n"},
     .lacks = "hello"},
    {"all of it is asked for",
     {FAILS, .ret = SMTP_RET_FULL},
     USER_UNKNOWN,
     .has = {"message/rfc822", "Subject: s\r\n", "\r\nhello\r\n"}},
    {"all of it, but with REQUIRETLS",
     {FAILS, .ret = SMTP_RET_FULL, .require_tls = true},
     USER_UNKNOWN,
     .has = {"text/rfc822-headers", "Subject: s\r\n"},
     .lacks = "hello"},
    /* NOTIFY */
    {"a failure, never", {FAILS, .notify = SMTP_NOTIFY_NEVER}, USER_UNKNOWN},
    {"a failure, on success", {FAILS, .notify = SMTP_NOTIFY_SUCCESS}, USER_UNKNOWN},
    {"a failure, on delay", {FAILS, .notify = SMTP_NOTIFY_DELAY}, USER_UNKNOWN},
    {"a failure, on failure", {FAILS, .notify = SMTP_NOTIFY_FAILURE}, USER_UNKNOWN, .has = {"Action: failed\r\n"}},
    {"a failure at a hop that knows DSN",
     {FAILS, .notify = SMTP_NOTIFY_FAILURE},
     USER_UNKNOWN,
     .dsn_offered = true,
     .has = {"Action: failed\r\n"}},
    {"success, never", {ARRIVES, .notify = SMTP_NOTIFY_NEVER}},
    {"success, on failure and delay", {ARRIVES, .notify = SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY}},
    {"success at a hop that knows DSN", {ARRIVES, .notify = SMTP_NOTIFY_SUCCESS}, .dsn_offered = true},
    {"success at a hop that does not",
     {ARRIVES, .notify = SMTP_NOTIFY_SUCCESS},
     .has = {"Final-Recipient: rfc822;ok@far.test\r\nAction: relayed\r\nStatus: 2.0.0\r\n"}},
    {"success in a mailbox",
     {.to = "alice@example.com", .from = "bob@example.com", .notify = SMTP_NOTIFY_SUCCESS},
     .dsn_offered = true, /* which means nothing here */
     .has = {"Final-Recipient: rfc822;alice@example.com\r\nAction: delivered\r\nStatus: 2.0.0\r\n"}},
    {"success, from <>", {.to = "alice@example.com", .notify = SMTP_NOTIFY_SUCCESS}},
};

static void check_report(struct bench *b, const struct reported *r)
{
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT(r->name, j->job.sender, "");
    CHECK_TEXT(r->name, bench_recipients(b, j), r->mail.from);
    CHECK_INT(r->name, j->job.recipients[0].notify, 0);
    CHECK_INT(r->name, j->job.to.carry_require_tls,
              r->mail.require_tls); /* as the message, but never lost for it */
    CHECK_INT(r->name, j->job.to.require_tls, false);
    CHECK_HAS(r->name, j->job.body, "Auto-Submitted: auto-replied\r\n");
    for (size_t i = 0; i < ARRAY_LEN(r->has) && r->has[i]; i++)
        CHECK_HAS(r->name, j->job.body, r->has[i]);
    CHECK(r->name, !r->lacks || !span_has(j->job.body, r->lacks));
}

static void reports(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct reported *r = &rows[i];
        bench_no_rules(b);
        if (r->rule.address)
            bench_rule(b, r->rule);
        b->dsn_offered = r->dsn_offered;
        bench_send(b, &r->mail);
        CHECK_TEXT(r->name, bench_deliver(b)->job.sender, r->mail.from ? r->mail.from : "");
        if (r->has[0])
            check_report(b, r);
        bench_until_messages(b, 0);
        CHECK_INT(r->name, b->job_count, b->job_next);
    }
    bench_finish(b, 0);
}

/* What the sender asked for goes on to the next hop. */
static void job_carries(void **state)
{
    struct bench *b = *state;
    BENCH_SEND(b, "bob@example.com", "ok@far.test", SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY, "rfc822;x@y.test",
               "E1", .ret = SMTP_RET_FULL);
    const struct delivery_job *j = &bench_deliver(b)->job;
    assert_int_equal(j->recipients[0].notify, DELIVERY_NOTIFY_SUCCESS | DELIVERY_NOTIFY_DELAY);
    CHECK_TEXT("orcpt", j->recipients[0].orcpt, "rfc822;x@y.test");
    CHECK_TEXT("envid", j->envid, "E1");
    CHECK_INT("ret", j->ret, DELIVERY_RET_FULL);
    CHECK_INT("REQUIRETLS", j->to.require_tls || j->to.carry_require_tls || j->to.tls_optional, false);
    bench_deliver(b); /* that it was relayed */
    BENCH_SEND(b, "bob@example.com", "ok@far.test", .require_tls = true);
    j = &bench_deliver(b)->job;
    CHECK_INT("REQUIRETLS", j->to.require_tls && j->to.carry_require_tls && !j->to.tls_optional, true);
    BENCH_SEND(b, "bob@example.com", "ok@far.test", .tls_optional = true);
    j = &bench_deliver(b)->job;
    CHECK_INT("TLS-Required: No", !j->to.require_tls && !j->to.carry_require_tls && j->to.tls_optional, true);
    bench_finish(b, 0);
}

/* ---- deferrals ---- */

static void tried_again(void **state)
{
    static const struct {
        const char *name, *to, *queue;
        int64_t interval;
    } hops[] = {
        {"a smart host", "slow@far.test", "mail\\smtp:relay", 150},
        {"a mailbox", "alice@example.com", "mail\\mailbox", 250},
    };
    struct bench *b = *state;
    bench_policy(b, "MessageRetryInterval=#150|MailboxDeliveryQueueRetryInterval=#250", NULL);
    for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
        char attempts[] = "1";
        bench_rule(b, (struct bench_rule){hops[i].to, DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
        BENCH_SEND(b, "bob@example.com", hops[i].to);
        CHECK(hops[i].name, bench_job(b)->job.first_attempt);
        for (size_t n = 1; n <= 3; n++, attempts[0]++) {
            int64_t now = clock_wall_ms();
            bench_report(b, &b->jobs[b->job_next - 1]);
            bench_until(b, QUEUE_LIST_MESSAGES, "RetryCount", attempts);
            CHECK_TEXT(hops[i].name, bench_property(b, 0, "LastError"), "451 4.3.0 busy");
            CHECK_TEXT(hops[i].name, bench_property(b, 0, "Queue"), hops[i].queue);
            const struct bench_job *j = bench_job(b);
            CHECK(hops[i].name, !j->job.first_attempt && j->at_ms >= now + hops[i].interval);
        }
        bench_no_rules(b);
        bench_report(b, &b->jobs[b->job_next - 1]);
        bench_until_messages(b, 0);
    }
    bench_finish(b, 0);
}

static void some_of_each(void **state)
{
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule){"no@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"});
    bench_rule(b, (struct bench_rule){"slow@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    BENCH_SEND(b, "bob@example.com", "ok@far.test,slow@far.test,no@far.test");
    bench_deliver(b);
    const struct bench_job *report = bench_deliver(b);
    CHECK_TEXT("report", report->job.sender, "");
    CHECK_HAS("report", report->job.body, "Final-Recipient: rfc822;no@far.test\r\n");
    CHECK("report", !span_has(report->job.body, "slow@") && !span_has(report->job.body, "ok@"));
    bench_no_rules(b);
    CHECK_TEXT("again", bench_recipients(b, bench_deliver(b)), "slow@far.test");
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 3);
}

/* A deliver process that answers nonsense has not delivered. */
static void malformed_report(void **state)
{
    struct bench *b = *state;
    BENCH_SEND(b, "bob@example.com", "ok@far.test");
    bench_answer_job(b, bench_job(b), SPAN("\0nonsense"));
    const struct bench_job *j = bench_job(b);
    assert_false(j->job.first_attempt);
    bench_list(b, QUEUE_LIST_MESSAGES, 0, 1);
    CHECK_TEXT("error", bench_property(b, 0, "LastError"),
               "450 4.3.0 the report of the deliver process is malformed");
    bench_report(b, j);
    bench_finish(b, 0);
}

/* ---- too late ---- */

static void expiry(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageExpirationTimeout=#1000|MessageRetryInterval=#100", NULL);
    bench_rule(b, (struct bench_rule){"slow@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    int64_t sent = clock_wall_ms();
    BENCH_SEND(b, "bob@example.com", "slow@far.test");
    const struct bench_job *j = bench_deliver(b);
    while (j->job.sender.len)
        j = bench_deliver(b);
    assert_true(b->job_count > 2 && j->at_ms >= sent + 1000);
    CHECK_HAS("report", j->job.body, "Action: failed\r\nStatus: 4.4.7\r\n");
    CHECK_HAS("report", j->job.body, "QUEUE.Expired; message expired; the last error was: 451 4.3.0 busy");
    bench_finish(b, 0);
}

/* So does what nobody could try to deliver. */
static void expiry_unreachable(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageExpirationTimeout=#300", "");
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT("report", j->job.sender, "");
    CHECK_HAS("report", j->job.body, "Action: failed\r\nStatus: 4.4.7\r\n");
    CHECK_HAS("report", j->job.body, "no send connector covers the domain");
    bench_finish(b, 0);
}

static const struct {
    const char *to;
    uint32_t notify;
    size_t notices;
} delays[] = {
    {"default@far.test", 0, 1},
    {"never@far.test", SMTP_NOTIFY_NEVER, 0},
    {"success@far.test", SMTP_NOTIFY_SUCCESS, 0},
    {"failure@far.test", SMTP_NOTIFY_FAILURE, 0},
    {"delay@far.test", SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE, 1},
};

/* All rows at once: each is tried four times more after its notice could have come. */
static void delay_notices(void **state)
{
    struct bench *b = *state;
    size_t late[ARRAY_LEN(delays)] = {0}, notices[ARRAY_LEN(delays)] = {0}, done = 0;
    bench_policy(b, "DelayNotificationTimeout=#200|MessageRetryInterval=#100", NULL);
    b->dsn_offered = true;
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        bench_rule(b, (struct bench_rule){delays[i].to, DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
        BENCH_SEND(b, "bob@example.com", delays[i].to, delays[i].notify);
    }
    int64_t end = clock_wall_ms() + 200;
    while (done < ARRAY_LEN(delays)) {
        const struct bench_job *j = bench_job(b);
        for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
            bool report = j->job.sender.len == 0;
            if (!span_has(report ? j->job.body : j->job.recipients[0].address, delays[i].to))
                continue;
            notices[i] += report;
            late[i] += !report && j->at_ms > end;
            CHECK(delays[i].to, !report || span_has(j->job.body, "Action: delayed\r\nStatus: 4.3.0\r\n"));
            CHECK(delays[i].to, !report || span_has(j->job.body, "Will-Retry-Until: "));
            if (report || late[i] < 4)
                continue;
            bench_rule(b, (struct bench_rule){delays[i].to, DELIVERY_DELIVERED, 250, "2.0.0", "taken"});
            done++;
        }
        bench_report(b, j);
    }
    for (size_t i = 0; i < ARRAY_LEN(delays); i++)
        CHECK_INT(delays[i].to, notices[i], delays[i].notices);
    bench_finish(b, 0);
    assert_int_equal(b->job_count, b->job_next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reports, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(job_carries, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(tried_again, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(some_of_each, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(malformed_report, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(expiry, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(expiry_unreachable, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(delay_notices, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
