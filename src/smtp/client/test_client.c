/* test_client.c: deadlines, the pipelining window, bodies that fail, options that are refused. */
#include "check.h"
#include "smtp/client/test_driver.h"

#define HELO .helo_name = SPAN_INIT("me.test")

static const struct smtp_client_recipient to_one[] = {{.address = SPAN_INIT("a@far.test")}};
static const struct smtp_client_message one = {
    .sender = SPAN_INIT("s@near.test"), .recipients = to_one, .recipient_count = 1, .size = 4};
static struct secret password;

/* Deadlines are those of RFC 5321, 4.5.3.2 unless given, and end a session exactly when they pass. */
static void test_deadlines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *script;
        int64_t wait;
    } cases[] = {
        {"greeting", "220 x", 300000},
        {"EHLO", "220 x\r\n", 11},
        {"MAIL", "220 x\r\n250 x\r\n", 11},
        {"RCPT", "220 x\r\n250 x\r\n250 ok\r\n", 11},
        {"DATA", "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n", 12},
        {"end", "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n", 600000},
        {"idle", "220 x\r\n250 x\r\n550 no\r\n", INT64_MAX},
        {"QUIT",
         "220 x\r\n250 x\r\n550 no\r\n"
         "\x1e"
         "!quit",
         10000},
    };
    const struct smtp_client_options options = {HELO, .timeouts = {.command = 11, .data_init = 12}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_play play = {&options, &one, SPAN("x"), span_of(cases[i].script), 100, 100};
        struct test_driver d;
        driver_play(&d, &play);
        int64_t at = smtp_client_deadline(d.client);
        if (cases[i].wait == INT64_MAX) {
            CHECK_INT(cases[i].name, at, INT64_MAX);
        } else {
            CHECK_INT(cases[i].name, at - d.now, cases[i].wait);
            smtp_client_tick(d.client, at - 1);
            CHECK(cases[i].name, !d.closed);
            smtp_client_tick(d.client, at);
            CHECK(cases[i].name, d.closed && smtp_client_closed(d.client));
        }
        driver_end(&d);
    }
}

/* More recipients than the window: never more commands under way than it allows, and all are served. */
static void test_window(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static struct smtp_client_recipient many[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        many[i].address = SPAN("a@far.test");
    const struct smtp_client_message message = {
        .sender = SPAN("s@near.test"), .recipients = many, .recipient_count = COUNT};
    const struct smtp_client_options options = {HELO};
    struct test_play play = {&options, &message, SPAN("x"), SPAN("220 x\r\n250-x\r\n250 PIPELINING\r\n"), 100, 100};
    struct test_driver d;
    driver_play(&d, &play);
    size_t replies = 0;
    while (!d.body_wanted && replies < 2 * COUNT) {
        size_t lines = 0;
        for (size_t i = 0; i < d.transcript.len; i++)
            lines += d.transcript.ptr[i] == '\n';
        assert_true(lines - 1 - replies <= 64); /* the first line is EHLO */
        replies++;
        smtp_client_feed(d.client, replies == COUNT + 2 ? SPAN("354 go\r\n") : SPAN("250 ok\r\n"), d.now);
    }
    assert_int_equal(replies, COUNT + 2);
    smtp_client_body_end(d.client, d.now);
    smtp_client_feed(d.client, SPAN("250 ok\r\n"), d.now);
    assert_int_equal(d.results, COUNT);
    assert_true(smtp_client_idle(d.client));
    driver_end(&d);
}

/* A body that cannot be read ends the connection before its final dot. */
static void test_body_failed(void **state)
{
    (void)state;
    const struct smtp_client_options options = {HELO};
    struct test_play play = {&options, &one, SPAN("abc"), SPAN("220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n"), 100, 100};
    struct test_driver d;
    driver_play(&d, &play);
    smtp_client_feed(d.client, SPAN("354 go\r\n"), d.now);
    smtp_client_body(d.client, SPAN("half"), d.now);
    buf_clear(&d.transcript);
    smtp_client_body_failed(d.client, SPAN("cannot read"), d.now);
    CHECK_SPAN("failed", buf_span(&d.transcript),
               SPAN("[0 temporary local message content 0 4.3.0 cannot read]\n[done]\n[close]\n"));
    driver_end(&d);
}

static void test_refused_options(void **state)
{
    (void)state;
    static const struct span names[] = {SPAN_INIT(""), SPAN_INIT("a b"), SPAN_INIT("a\r\nMAIL"),
                                        SPAN_INIT("a\x7f")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct smtp_client_options options = {.helo_name = names[i]};
        assert_null(smtp_client_new(&options, &driver_output, NULL, 0));
    }
    struct smtp_client_options options = {HELO, .user = SPAN("a\nb"), .password = &password};
    assert_null(smtp_client_new(&options, &driver_output, NULL, 0));
}

int main(void)
{
    secret_init(&password, 100);
    if (!secret_set(&password, SPAN("pass")))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_body_failed),
        cmocka_unit_test(test_refused_options),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    secret_done(&password);
    return failed;
}
