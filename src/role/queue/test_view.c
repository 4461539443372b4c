/* test_view.c: QUEUE_LIST, and frames that the role does not expect. */
#include "role/queue/test_support.h"

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

struct property {
    const char *name, *value;
};

static void check_properties(struct bench *b, size_t i, const struct property *want, size_t count)
{
    for (size_t k = 0; k < count; k++)
        CHECK_TEXT(want[k].name, bench_property(b, i, want[k].name), want[k].value);
}

static void message(void **state)
{
    static const struct property under_way[] = {
        {"FromAddress", "bob@example.com"},
        {"Status", "Active"},
        {"Queue", "mail\\smtp:relay"},
        {"Subject", "Tea"},
        {"InternetMessageId", "<m@example.com>"},
        {"MessageSourceName", "SMTP:Default mail"},
        {"SourceIP", "192.0.2.1"},
        {"RetryCount", "0"},
        {"LastError", ""},
        {"Recipients", "{a@far.test; waiting, b@far.test; waiting}"},
    };
    static const struct property in_retry[] = {
        {"Status", "Retry"},
        {"Queue", "mail\\smtp:relay"},
        {"RetryCount", "1"},
        {"LastError", "451 4.3.0 busy"},
        {"Recipients", "{a@far.test; waiting; 451 4.3.0 busy, b@far.test; delivered; 250 2.0.0 taken}"},
    };
    struct bench *b = *state;
    char identity[64];
    bench_policy(b, "MessageRetryInterval=#3600000|MessageExpirationTimeout=#7200000", NULL);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t id =
        BENCH_SEND(b, "bob@example.com", "a@far.test,b@far.test", .subject = "Tea", .body = "\r\nhello\r\n");
    const struct bench_job *j = bench_job(b);
    bench_list(b, QUEUE_LIST_MESSAGES, 0, 10);
    assert_int_equal(b->record_count, 1);
    assert_int_equal(b->list_next, 0);
    check_properties(b, 0, under_way, ARRAY_LEN(under_way));
    snprintf(identity, sizeof identity, "mail\\smtp:relay\\%" PRIu64, id);
    CHECK_TEXT("identity", bench_property(b, 0, "Identity"), identity);
    assert_int_equal(bench_number(b, 0, "Size"), 9);
    int64_t received = bench_number(b, 0, "DateReceived");
    assert_int_equal(received, j->job.received_ms);
    assert_int_equal(bench_number(b, 0, "ExpirationTime"), received + 7200000);
    bench_report(b, j);
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Retry");
    check_properties(b, 0, in_retry, ARRAY_LEN(in_retry));
    BENCH_SEND(b, "", "alice@example.com");
    bench_job(b);
    bench_list(b, QUEUE_LIST_MESSAGES, id, 10);
    CHECK_TEXT("the null sender", bench_property(b, 0, "FromAddress"), "<>");
}

/* Several messages at each; a message with several recipients counts once. */
static void queues(void **state)
{
    static const struct {
        struct property properties[8];
    } want[] = {
        {{{"Identity", "mail\\mailbox"},
          {"DeliveryType", "MailboxDelivery"},
          {"Status", "Ready"},
          {"MessageCount", "2"},
          {"DeferredMessageCount", "0"},
          {"NextHopDomain", "mail.example.com"},
          {"NextHopConnector", ""},
          {"RetryCount", "0"}}},
        {{{"Identity", "mail\\mx:other.test"},
          {"DeliveryType", "DnsConnectorDelivery"},
          {"Status", "Ready"},
          {"MessageCount", "1"},
          {"DeferredMessageCount", "0"},
          {"NextHopDomain", "other.test"},
          {"NextHopConnector", "mx"},
          {"LastError", ""}}},
        {{{"Identity", "mail\\smtp:relay"},
          {"DeliveryType", "SmartHostConnectorDelivery"},
          {"Status", "Ready"},
          {"MessageCount", "2"},
          {"DeferredMessageCount", "0"},
          {"NextHopDomain", "relay.test"},
          {"NextHopConnector", "relay"},
          {"NextRetryTime", ""}}},
    };
    struct bench *b = *state;
    bench_lose(b, BENCH_DELIVER); /* all wait in hand */
    BENCH_SEND(b, "bob@example.com", "a@far.test,b@far.test,c@far.test");
    BENCH_SEND(b, "bob@example.com", "a@far.test,c@other.test");
    BENCH_SEND(b, "bob@example.com", "alice@example.com,dave@example.com");
    BENCH_SEND(b, "bob@example.com", "alice@example.com");
    BENCH_UNTIL(b, b->questions == 3);
    do
        bench_list(b, QUEUE_LIST_QUEUES, 0, 10);
    while (b->record_count < ARRAY_LEN(want));
    assert_int_equal(b->record_count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        check_properties(b, i, want[i].properties, ARRAY_LEN(want[i].properties));
    bench_join(b, BENCH_DELIVER);
    for (size_t i = 0; i < 6; i++)
        bench_deliver(b);
    bench_until_messages(b, 0);
    bench_list(b, QUEUE_LIST_QUEUES, 0, 10);
    assert_int_equal(b->record_count, 0);
    bench_finish(b, 0);
}

/* ---- pages ---- */

enum { MANY = 1500, LONG_SUBJECT = 250 };

static void send_many(struct bench *b)
{
    char subject[LONG_SUBJECT + 1];
    struct buf envelope;
    memset(subject, 'S', LONG_SUBJECT);
    subject[LONG_SUBJECT] = '\0';
    bench_envelope(&envelope,
                   &(struct bench_mail){.from = "bob@example.com", .to = "a@far.test", .subject = subject}, 2);
    for (size_t i = 0; i < MANY; i++)
        bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), SPAN("\r\n"));
    BENCH_UNTIL(b, b->stored_count == MANY);
    buf_done(&envelope);
}

/* Every message once, in the order of their ids, in pages of at most `limit`. */
static size_t count_pages(struct bench *b, uint32_t limit)
{
    uint64_t last = 0, after = 0;
    size_t pages = 0, n = 0;
    do {
        bench_list(b, QUEUE_LIST_MESSAGES, after, limit);
        assert_int_equal(b->list_code, ERR_NONE);
        assert_true(b->record_count > 0 && b->record_count <= limit);
        for (size_t i = 0; i < b->record_count; i++, n++) {
            struct span identity = bench_property(b, i, "Identity");
            uint64_t id = strtoull(identity.ptr + span_rfind(identity, '\\') + 1, NULL, 10);
            assert_true(id > last);
            last = id;
        }
        pages++;
        after = b->list_next;
    } while (after);
    assert_int_equal(n, MANY);
    return pages;
}

static void pages(void **state)
{
    struct bench *b = *state;
    bench_policy(b, NULL, "");
    send_many(b);
    assert_int_equal(count_pages(b, 100), MANY / 100);
    assert_true(count_pages(b, 1000) > 2); /* fewer than asked for fit into an answer */
    assert_true(count_pages(b, UINT32_MAX) > 2);
    bench_finish(b, MANY);
}

/* One message whose recipients alone do not fit is no end of the list. */
static void huge_message(void **state)
{
    struct bench *b = *state;
    struct buf to;
    bench_policy(b, NULL, "");
    buf_init(&to, 1 << 20);
    for (size_t i = 0; i < 900; i++)
        buf_addf(&to, "%sperson-%0200zu@far.test", i ? "," : "", i);
    buf_add_char(&to, '\0');
    struct buf envelope;
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = to.ptr}, 2);
    struct span bytes = buf_span(&envelope);
    bench_send_part(b, BENCH_RECEIVE, 7, span_head(bytes, 100000));
    bench_ask_store(b, BENCH_RECEIVE, 7, 0, span_from(bytes, 100000), SPAN("\r\n"));
    bench_await_answer(b, 0);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
    BENCH_SEND(b, "bob@example.com", "a@far.test", .subject = "behind");
    bench_list(b, QUEUE_LIST_MESSAGES, 0, 10);
    assert_int_equal(b->list_code, ERR_NONE);
    assert_true(b->record_count > 0);
    assert_true(span_starts(bench_property(b, 0, "Recipients"), SPAN("{person-00")));
    if (b->record_count == 1)
        bench_list(b, QUEUE_LIST_MESSAGES, b->list_next, 10);
    CHECK_TEXT("the next", bench_property(b, b->record_count - 1, "Subject"), "behind");
    buf_done(&to);
    buf_done(&envelope);
}

/* ---- what is malformed ---- */

static const struct {
    const char *name;
    enum bench_end from;
    uint16_t type;
    struct span body;
    const char *why;
} malformed[] = {
    {"an empty question", BENCH_LIST, QUEUE_LIST, SPAN_INIT(""), "malformed question"},
    {"a short one", BENCH_LIST, QUEUE_LIST, SPAN_INIT("\0\0\0\0\0\0\0\0\0\1\0\0"), "malformed question"},
    {"a long one", BENCH_LIST, QUEUE_LIST, SPAN_INIT("\0\0\0\0\0\0\0\0\0\1\1\1\1\1"), "malformed question"},
    {"no limit", BENCH_LIST, QUEUE_LIST, SPAN_INIT("\0\0\0\0\0\0\0\0\0\0\0\0\0"), "malformed question"},
    {"a list of what", BENCH_LIST, QUEUE_LIST, SPAN_INIT("\2\0\0\0\0\0\0\0\0\1\1\1\1"), "malformed question"},
    {"a store that manage asks for", BENCH_LIST, QUEUE_STORE, SPAN_INIT(""), "not expected by queue"},
    {"a policy of receive", BENCH_RECEIVE, POLICY_SNAPSHOT, SPAN_INIT(""), "not expected by queue"},
    {"a list for receive", BENCH_RECEIVE, QUEUE_LIST, SPAN_INIT(""), "not expected by queue"},
    {"a job of deliver", BENCH_DELIVER, DELIVER_JOB, SPAN_INIT(""), "not expected by queue"},
    {"an empty part", BENCH_RECEIVE, QUEUE_ENVELOPE_PART, SPAN_INIT(""), "malformed part"},
    {"a part without a token", BENCH_RECEIVE, QUEUE_ENVELOPE_PART, SPAN_INIT("\0\0\0\0\0\0\0\0x"),
     "malformed part"},
    {"no policy", BENCH_MANAGE, POLICY_SNAPSHOT, SPAN_INIT("\0\0\0\0\0\0\0\7"), "policy-refused"},
};

static void check_malformed(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        buf_clear(&b->log);
        CHECK_INT(malformed[i].name,
                  link_send(bench_link(b, malformed[i].from), malformed[i].type, 99, malformed[i].body, NULL, 0),
                  ERR_NONE);
        BENCH_UNTIL(b, bench_logged(b, malformed[i].why));
    }
    bench_list(b, QUEUE_LIST_QUEUES, 0, 1);
    assert_int_equal(b->list_answers, 1); /* to this question alone */
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    CHECK_TEXT("the old policy", bench_deliver(b)->job.to.hosts[0].name, "relay.test");
    bench_finish(b, 0);
}

/* However many next hops there are, each queue stands on one page. */
static void pages_of_queues(void **state)
{
    enum { QUEUES = 7, LIMIT = 3 };
    struct bench *b = *state;
    char to[64], want[64];
    size_t shown = 0;
    for (size_t i = 0; i < QUEUES; i++) {
        snprintf(to, sizeof to, "a@d%zu.other.test", i);
        BENCH_SEND(b, "bob@example.com", to);
    }
    BENCH_UNTIL(b, b->job_count == QUEUES);
    b->list_next = 0;
    do {
        bench_list(b, QUEUE_LIST_QUEUES, b->list_next, LIMIT);
        assert_int_equal(b->list_code, ERR_NONE);
        assert_int_equal(b->record_count, QUEUES - shown < LIMIT ? QUEUES - shown : LIMIT);
        for (size_t i = 0; i < b->record_count; i++) {
            snprintf(want, sizeof want, "mail\\mx:d%zu.other.test", shown++);
            CHECK_TEXT("in the order of their names", bench_property(b, i, "Identity"), want);
        }
    } while (b->list_next);
    assert_int_equal(shown, QUEUES);
    for (size_t i = 0; i < QUEUES; i++)
        bench_deliver(b);
    bench_finish(b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(message, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(queues, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(pages, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(pages_of_queues, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(huge_message, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(check_malformed, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
