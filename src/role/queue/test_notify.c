/*
 * test_notify.c: what the settings make of a report, what travels on to the next server, and reports that are
 * large, late or lost. See test_results.c for what asks for one.
 */
#include "role/queue/test_support.h"

#include "base/cursor.h"
#include "runtime/clock.h"

#include <stdlib.h>
#include <string.h>

#define NO_USER                                                                                                    \
    {                                                                                                              \
        "no@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"                                            \
    }
#define RELAY                                                                                                      \
    "SendConnector: Guid=s1|Name=relay|AddressSpaces=[*]|DNSRoutingEnabled=$false|SmartHosts=[relay.test]\n"       \
    "AcceptedDomain: Name=shared|DomainName=shared.test|DomainType=ExternalRelay\n"

/* ---- settings ---- */

static const struct {
    const char *name, *server, *config, *from;
    enum smtp_ret ret;
    const char *has[3], *lacks;
    const char *copy; /* who gets one too */
} settings[] = {
    {"plain and HTML", NULL, NULL, "bob@example.com", .has = {"multipart/alternative", "text/html", "text/plain"}},
    {"plain to the outside", "ExternalDsnSendHtml=$false", NULL, "x@out.test", .has = {"text/plain"},
     .lacks = "text/html"},
    {"plain to who is not inside", "ExternalDsnSendHtml=$false", NULL, "x@shared.test", .has = {"text/plain"},
     .lacks = "text/html"},
    {"HTML to the inside", "ExternalDsnSendHtml=$false", NULL, "bob@example.com", .has = {"text/html"}},
    {"plain to the inside", "InternalDsnSendHtml=$false", NULL, "bob@example.com", .has = {"text/plain"},
     .lacks = "text/html"},
    {"an original that fits", "InternalDsnMaxMessageAttachSize=#1000|ExternalDsnMaxMessageAttachSize=#0", NULL,
     "bob@example.com", SMTP_RET_FULL, .has = {"message/rfc822", "\r\nhello\r\n"}},
    {"an original that does not", "InternalDsnMaxMessageAttachSize=#10", NULL, "bob@example.com", SMTP_RET_FULL,
     .has = {"text/rfc822-headers"}, .lacks = "hello"},
    {"outside, not at all", "ExternalDsnMaxMessageAttachSize=#0", NULL, "x@out.test", SMTP_RET_FULL,
     .has = {"text/rfc822-headers"}, .lacks = "hello"},
    {"a copy for the postmaster", NULL,
     "ExternalPostmasterAddress=carol@example.com|GenerateCopyOfDSNFor=[5.4.6,5.1.1]", "bob@example.com",
     .has = {"From: Mail Delivery <carol@example.com>\r\n", "To: bob@example.com\r\n"},
     .copy = "carol@example.com"},
    {"of other failures only", NULL,
     "ExternalPostmasterAddress=carol@example.com|GenerateCopyOfDSNFor=[5.4.6,5.1.10]", "bob@example.com",
     .has = {"5.1.1"}},
    {"the sender is the postmaster", NULL, "ExternalPostmasterAddress=Bob@example.com|GenerateCopyOfDSNFor=[5.1.1]",
     "bob@example.com", .has = {"5.1.1"}},
    {"from the default domain", NULL, NULL, "bob@example.com",
     .has = {"From: Mail Delivery <postmaster@example.com>\r\n"}},
    {"from an Edge server", "Role=Edge", NULL, "bob@example.com",
     .has = {"From: Mail Delivery <postmaster@mail.example.com>\r\n"}},
    {"nobody to copy it to", NULL, "GenerateCopyOfDSNFor=[5.1.1]", "bob@example.com", .has = {"5.1.1"}},
};

static void check_settings(struct bench *b, size_t i)
{
    char objects[1024];
    const char *name = settings[i].name;
    bool copied = false, told = false;
    snprintf(objects, sizeof objects, RELAY "%s%s", settings[i].config ? "TransportConfig: " : "",
             settings[i].config ? settings[i].config : "");
    bench_policy(b, settings[i].server, objects);
    BENCH_SEND(b, settings[i].from, "no@far.test", .ret = settings[i].ret);
    bench_deliver(b);
    for (size_t n = 0; n < 1u + (settings[i].copy != NULL); n++) {
        const struct bench_job *j = bench_deliver(b);
        struct span to = bench_recipients(b, j);
        CHECK_TEXT(name, j->job.sender, "");
        told |= span_eq(to, span_of(settings[i].from));
        copied |= settings[i].copy && span_eq(to, span_of(settings[i].copy));
        for (size_t k = 0; k < ARRAY_LEN(settings[i].has) && settings[i].has[k]; k++)
            CHECK_HAS(name, j->job.body, settings[i].has[k]);
        CHECK(name, !settings[i].lacks || !span_has(j->job.body, settings[i].lacks));
    }
    CHECK(name, told && copied == (settings[i].copy != NULL));
    bench_until_messages(b, 0);
    CHECK_INT(name, b->job_count, b->job_next);
}

static void by_settings(void **state)
{
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule)NO_USER);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        check_settings(b, i);
    bench_finish(b, 0);
}

/* RFC 3461 6.2: a report without a failure has the header only, whatever RET says. */
static void success_has_no_original(void **state)
{
    struct bench *b = *state;
    BENCH_SEND(b, "bob@example.com", "alice@example.com", SMTP_NOTIFY_SUCCESS, .ret = SMTP_RET_FULL);
    bench_deliver(b);
    const struct bench_job *j = bench_deliver(b);
    CHECK_HAS("success", j->job.body, "Action: delivered\r\n");
    CHECK_HAS("success", j->job.body, "text/rfc822-headers\r\n");
    CHECK("success", !span_has(j->job.body, "hello"));
    bench_finish(b, 0);
}

/* ---- ORCPT ---- */

static const struct {
    const char *name, *from, *to, *orcpt, *want;
} originals[] = {
    {"given", "bob@example.com", "x+y@far.test", "rfc822;First@Other.test", "rfc822;First@Other.test"},
    {"not given", "bob@example.com", "x+y@far.test", NULL, "rfc822;x+2By@far.test"},
    {"nobody would get a report", "", "x+y@far.test", NULL, ""},
    {"redirected, given", "bob@example.com", "partner@example.com", "rfc822;first@other.test",
     "rfc822;first@other.test"},
    {"redirected, not given", "bob@example.com", "partner@example.com", NULL, "rfc822;partner@example.com"},
    {"a mailbox, not given", "bob@example.com", "alice@example.com", NULL, ""},
};

static void original_recipients(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(originals); i++) {
        BENCH_SEND(b, originals[i].from, originals[i].to, .orcpt = originals[i].orcpt);
        CHECK_TEXT(originals[i].name, bench_deliver(b)->job.recipients[0].orcpt, originals[i].want);
    }
    bench_finish(b, 0);
}

/* RFC 3461 5.2.7.3 (c): a member's next hop and reports name the group, however deep it was found. */
static void original_of_members(void **state)
{
    static const struct {
        const char *name, *orcpt, *want, *line;
    } groups[] = {
        {"given", "rfc822;all+40@other.test", "rfc822;all+40@other.test",
         "Original-Recipient: rfc822;all@@other.test\r\nFinal-Recipient: rfc822;p@far.test\r\n"},
        {"not given", NULL, "rfc822;staff@example.com",
         "Original-Recipient: rfc822;staff@example.com\r\nFinal-Recipient: rfc822;p@far.test\r\n"},
    };
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule){"p@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"});
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        BENCH_SEND(b, "dave@example.com", "staff@example.com", .orcpt = groups[i].orcpt);
        for (size_t n = 0; n < 5; n++) {
            const struct bench_job *j = bench_deliver(b);
            if (j->job.sender.len)
                CHECK_TEXT(groups[i].name, j->job.recipients[0].orcpt, groups[i].want);
            else
                CHECK_HAS(groups[i].name, j->job.body, groups[i].line);
        }
        bench_until_messages(b, 0);
    }
    bench_finish(b, 0);
}

/* ---- several recipients ---- */

/* Each with its own wish: one report, of those that wanted one. */
static void own_wishes(void **state)
{
    static const struct {
        const char *address;
        uint32_t notify;
    } to[] = {{"a@far.test", SMTP_NOTIFY_SUCCESS},
              {"b@far.test", SMTP_NOTIFY_NEVER},
              {"c@far.test", 0},
              {"no@far.test", SMTP_NOTIFY_FAILURE},
              {"no2@far.test", SMTP_NOTIFY_SUCCESS}};
    struct bench *b = *state;
    struct submission_recipient list[ARRAY_LEN(to)];
    struct submission s = {.message_id = SPAN("<m@example.com>"),
                           .sender = SPAN("bob@example.com"),
                           .subject = SPAN("s"),
                           .connector = SPAN("Default mail"),
                           .recipients = list,
                           .recipient_count = ARRAY_LEN(to)};
    struct span body = SPAN("Subject: s\r\n\r\nhello\r\n");
    struct buf envelope;
    bench_rule(b, (struct bench_rule)NO_USER);
    bench_rule(b, (struct bench_rule){"no2@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"});
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        list[i] = (struct submission_recipient){.address = span_of(to[i].address), .notify = to[i].notify};
    s.size = body.len;
    buf_init(&envelope, 4096);
    submission_put(&envelope, &s);
    size_t answers = b->answer_count;
    bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), body);
    bench_await_answer(b, answers);
    buf_done(&envelope);
    bench_deliver(b);
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT("report", j->job.sender, "");
    CHECK_HAS("success", j->job.body, "Final-Recipient: rfc822;a@far.test\r\nAction: relayed\r\n");
    CHECK_HAS("failure", j->job.body, "Final-Recipient: rfc822;no@far.test\r\nAction: failed\r\n");
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        CHECK(to[i].address, span_has(j->job.body, to[i].address) == (i == 0 || i == 3));
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 2);
}

static size_t count(struct span s, const char *text)
{
    size_t n = 0;
    for (const char *p; (p = memmem(s.ptr, s.len, text, strlen(text))); n++)
        s = span_from(s, (size_t)(p - s.ptr) + 1);
    return n;
}

/* For an envelope that no frame takes. */
static void send_in_parts(struct bench *b, const struct bench_mail *m, struct span body)
{
    enum { PART = 40000, TOKEN = 7 };
    struct buf envelope;
    bench_envelope(&envelope, m, body.len);
    struct span rest = buf_span(&envelope);
    for (; rest.len > PART; rest = span_from(rest, PART))
        bench_send_part(b, BENCH_RECEIVE, TOKEN, span_head(rest, PART));
    size_t answers = b->answer_count;
    bench_ask_store(b, BENCH_RECEIVE, TOKEN, 0, rest, body);
    bench_await_answer(b, answers);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
    buf_done(&envelope);
}

/* More than one report has room for: several, and each recipient in one of them. */
static void many_recipients(void **state)
{
    enum { MANY = 3000, LINE_MAX_LEN = 200 };
    struct bench *b = *state;
    char line[LINE_MAX_LEN];
    bool seen[MANY] = {false};
    size_t found = 0, reports = 0;
    struct buf to;
    buf_init(&to, MANY * LINE_MAX_LEN);
    for (size_t i = 0; i < MANY; i++)
        buf_addf(&to, "%snobody-%0100zu@example.com", i ? "," : "", i);
    buf_add_char(&to, '\0');
    send_in_parts(b, &(struct bench_mail){.from = "bob@example.com", .to = to.ptr},
                  SPAN("Subject: s\r\n\r\nhi\r\n"));
    for (; found < MANY; reports++) {
        const struct bench_job *j = bench_deliver(b);
        CHECK_TEXT("to", bench_recipients(b, j), "bob@example.com");
        for (size_t i = 0; i < MANY; i++) {
            snprintf(line, sizeof line, "Final-Recipient: rfc822;nobody-%0100zu@example.com\r\n", i);
            if (!span_has(j->job.body, line))
                continue;
            assert_false(seen[i]);
            seen[i] = true;
            found++;
        }
        assert_int_equal(count(j->job.body, "\r\nAction: failed\r\n"), count(j->job.body, "\r\nFinal-Recipient: "));
    }
    assert_true(reports > 1 && reports <= 5);
    buf_done(&to);
    bench_finish(b, 0);
    assert_int_equal(b->job_count, reports);
}

/* ---- late and lost ---- */

/* A notice comes when it is due, not at the retry after it; and only where the settings allow it. */
static void notice_in_time(void **state)
{
    struct bench *b = *state;
    int64_t sent = clock_wall_ms();
    bench_policy(b, "DelayNotificationTimeout=#400|MessageRetryInterval=#3600000|ExternalDelayDsnEnabled=$false",
                 NULL);
    bench_rule(b, (struct bench_rule){"slow@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    BENCH_SEND(b, "x@out.test", "slow@far.test");
    BENCH_SEND(b, "bob@example.com", "slow@far.test");
    for (size_t n = 0; n < 3; n++)
        CHECK("attempts", bench_deliver(b)->job.sender.len > 0);
    const struct bench_job *j = bench_deliver(b);
    CHECK_TEXT("notice", j->job.sender, "");
    CHECK_TEXT("notice", bench_recipients(b, j), "bob@example.com");
    CHECK_HAS("notice", j->job.body, "Subject: Delivery delayed: s\r\n");
    CHECK_HAS("notice", j->job.body, "No action is needed.");
    assert_true(j->at_ms >= sent + 400);
    bench_until(b, QUEUE_LIST_MESSAGES, "RetryCount", "1"); /* of the sender outside, who is not told */
    bench_finish(b, 2);
    assert_int_equal(b->job_count, 4);
}

/* A report that cannot be delivered ends there, with a line in the log. */
static void report_is_lost(void **state)
{
    struct bench *b = *state;
    bench_rule(b, (struct bench_rule)NO_USER);
    bench_rule(b, (struct bench_rule){"ghost@out.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"});
    BENCH_SEND(b, "ghost@out.test", "no@far.test");
    bench_deliver(b);
    CHECK_TEXT("report", bench_recipients(b, bench_deliver(b)), "ghost@out.test");
    bench_until_messages(b, 0);
    BENCH_UNTIL(b, bench_logged(b, "event=report-undeliverable"));
    assert_true(bench_logged(b, "recipient=ghost@out.test reason=\"the null sender gets no report\""));
    bench_finish(b, 0);
    assert_int_equal(b->job_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_settings, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(success_has_no_original, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(original_recipients, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(original_of_members, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(own_wishes, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(many_recipients, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(notice_in_time, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(report_is_lost, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
