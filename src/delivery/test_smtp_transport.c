/* test_smtp_transport.c: which host a delivery goes to, what each reply makes of it, cancel, and jobs that are
 * none. */
#include "delivery/test_bench.h"

static void test_one(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){0});
    b->job.recipient_count = 2;
    deliver(b, "one", TAKEN TAKEN);
    CHECK_SPAN("body", buf_span(&b->server[0].body), SPAN("hello\r\n..dot\r\n"));
    CHECK_SPAN("said", buf_span(&b->server[0].said),
               SPAN("EHLO me.test\nMAIL FROM:<s@near.test> SIZE=13\nRCPT TO:<a@far.test> NOTIFY=FAILURE\n"
                    "RCPT TO:<b@far.test>\nDATA\n"));
    assert_string_equal(b->ip, "127.0.0.1");
    assert_string_equal(b->tls, "");
    assert_true(b->dsn && !b->reused);
    bench_free(b);
}

/* ---- one host, whatever it does ---- */

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct test_rule rule;
        const char *want;
        bool fault;
    } rows[] = {
        {"greeting 4xx", {"connect", "450 4.7.1 slow down"}, "temporary 450 4.7.1 slow down (greeting)\n", true},
        {"greeting 554: the host, not the mail",
         {"connect", "554 5.7.1 no"},
         "temporary 554 4.7.1 no (greeting)\n",
         true},
        {"greeting 5xx without enhanced code",
         {"connect", "550 go away"},
         "temporary 550 4.0.0 go away (greeting)\n",
         true},
        {"greeting 521: never",
         {"connect", "521 5.3.2 no mail here"},
         "permanent 521 5.3.2 no mail here (greeting)\n",
         true},
        {"EHLO 421", {"EHLO", "421 4.3.2 down"}, "temporary 421 4.3.2 down (EHLO)\n", true},
        {"EHLO 502, HELO good", {"EHLO", "502 5.5.1 what"}, TAKEN, false},
        {"closed at once",
         {"connect", "CLOSE"},
         "temporary 0 4.4.2 the server closed the connection (greeting) (greeting)\n",
         true},
        {"no greeting",
         {"connect", NULL},
         "temporary 0 4.4.1 timed out while waiting for the server (greeting) (greeting)\n",
         true},
        {"garbage",
         {"connect", "hello?"},
         "temporary 0 4.5.0 the server sent what is no reply (greeting) (greeting)\n",
         true},
        {"EHLO silent",
         {"EHLO", NULL},
         "temporary 0 4.4.1 timed out while waiting for the server (EHLO) (EHLO)\n",
         true},
        {"MAIL 5xx", {"MAIL", "550 5.1.8 no"}, "permanent 550 5.1.8 no (MAIL FROM)\n", false},
        {"MAIL 421", {"MAIL", "421 4.3.2 down"}, "temporary 421 4.3.2 down (MAIL FROM)\n", false},
        {"RCPT 4xx", {"RCPT", "451 4.7.1 greylisted"}, "temporary 451 4.7.1 greylisted (RCPT TO)\n", false},
        {"RCPT closes",
         {"RCPT", "CLOSE"},
         "temporary 0 4.4.2 the server closed the connection (RCPT TO) (RCPT TO)\n",
         false},
        {"DATA silent",
         {"DATA", NULL},
         "temporary 0 4.4.1 timed out while waiting for the server (DATA) (DATA)\n",
         false},
        {"dot 5xx", {"dot", "554 5.6.0 no"}, "permanent 554 5.6.0 no (end of data)\n", false},
        {"dot silent",
         {"dot", NULL},
         "temporary 0 4.4.1 timed out while waiting for the server (end of data) (end of data)\n",
         false},
        {"dot closes",
         {"dot", "CLOSE"},
         "temporary 0 4.4.2 the server closed the connection (end of data) (end of data)\n",
         false},
    };
    struct delivery_options options = {.timeouts = {.greeting = SHORT_MS,
                                                    .command = SHORT_MS,
                                                    .data_init = SHORT_MS,
                                                    .data_end = SHORT_MS,
                                                    .quit = SHORT_MS},
                                       .idle_ms = -1};
    struct bench *b = bench_new(options);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        b->server[0].rules[0] = rows[i].rule;
        deliver(b, rows[i].name, rows[i].want);
        CHECK_INT(rows[i].name, b->fault, rows[i].fault);
    }
    bench_free(b);
}

/* ---- several hosts ---- */

static uint16_t free_port(struct bench *b)
{
    struct test_server s = {0};
    test_server_start(&s, &b->loop, NULL);
    test_server_stop(&s);
    uv_run(&b->loop, UV_RUN_NOWAIT);
    return s.port;
}

static void test_next_host(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    b->job.to.host_count = 2;
    b->hosts[0].port = free_port(b);
    deliver(b, "refused, then good", TAKEN);
    b->hosts[0] = (struct delivery_host){SPAN("not a name"), 25};
    deliver(b, "no name, then good", TAKEN);
    b->hosts[0] = (struct delivery_host){SPAN("missing.test"), 25};
    deliver(b, "no address, then good", TAKEN);
    b->hosts[0] = (struct delivery_host){SPAN("plain.test"), b->server[0].port};
    deliver(b, "by name", TAKEN);
    assert_string_equal(b->host, "plain.test");

    b->server[0].rules[0] = (struct test_rule){"connect", "421 4.3.2 busy"};
    deliver(b, "busy, then good", TAKEN);
    assert_int_equal(b->server[0].connections, 2);
    assert_int_equal(b->server[1].connections, 4);
    b->server[1].rules[0] = (struct test_rule){"connect", "521 5.3.2 no"};
    deliver(b, "temporary outweighs permanent", "temporary 421 4.3.2 busy (greeting)\n");

    b->job.to.host_count = 1;
    b->hosts[0] = (struct delivery_host){SPAN("missing.test"), 25};
    deliver(b, "a smart host's name may be corrected",
            "temporary 0 4.4.4 missing.test: the host does not exist (DNS)\n");
    b->hosts[0] = (struct delivery_host){SPAN("127.0.0.1"), free_port(b)};
    start(b, NULL);
    size_t before = b->reports;
    while (b->reports == before)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_true(
        span_starts(buf_span(&b->report), SPAN("temporary 0 4.4.1 cannot connect to 127.0.0.1 (127.0.0.1:")));
    assert_true(span_ends(buf_span(&b->report), SPAN("): connection refused (connect)\n")) && b->fault);
    bench_free(b);
}

/* A host that refuses everybody is no verdict on the mail: others are asked, and the mail waits. */
static void test_host_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct test_rule first, second; /* of both servers, or of the first alone */
        bool both;
        const char *want;
    } rows[] = {
        {"greeting, then good", {"connect", "554 5.7.1 no"}, {0}, false, TAKEN},
        {"521, then good", {"connect", "521 5.3.2 no"}, {0}, false, TAKEN},
        {"EHLO and HELO, then good", {"EHLO", "550 5.7.1 no"}, {"other", "550 5.7.1 nor this"}, false, TAKEN},
        {"greetings of all", {"connect", "554 5.7.1 no"}, {0}, true, "temporary 554 4.7.1 no (greeting)\n"},
        {"EHLO and HELO of all",
         {"EHLO", "550 5.7.1 no"},
         {"other", "550 5.7.1 nor this"},
         true,
         "temporary 550 4.7.1 nor this (EHLO)\n"},
        {"EHLO 521 of all",
         {"EHLO", "521 5.3.2 no"},
         {"other", "521 5.3.2 no"},
         true,
         "temporary 521 4.3.2 no (EHLO)\n"},
        {"521 of all", {"connect", "521 5.3.2 no"}, {0}, true, "permanent 521 5.3.2 no (greeting)\n"},
    };
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    b->job.to.host_count = 2;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t s = 0; s < 2; s++) {
            bool refuses = s == 0 || rows[i].both;
            b->server[s].rules[0] = refuses ? rows[i].first : (struct test_rule){0};
            b->server[s].rules[1] = refuses ? rows[i].second : (struct test_rule){0};
        }
        deliver(b, rows[i].name, rows[i].want);
        CHECK_INT(rows[i].name, b->fault, rows[i].both);
    }
    bench_free(b);
}

static void test_domains(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *want;
    } rows[] = {
        {"far.test", TAKEN}, /* the best exchanger refuses connections */
        {"plain.test", TAKEN},
        {"[127.0.0.1]", TAKEN},
        {"behind.test", TAKEN},
        {"before.test",
         "permanent 0 5.4.6 before.test: its best mail exchanger is this server, which does not know "
         "the domain: a loop (DNS)\n"},
        {"loop.test",
         "permanent 0 5.4.6 loop.test: its best mail exchanger is this server, which does not know the "
         "domain: a loop (DNS)\n"},
        {"null.test", "permanent 0 5.1.10 null.test: the domain accepts no mail (null MX) (DNS)\n"},
        {"missing.test", "permanent 0 5.1.2 missing.test: the domain does not exist (DNS)\n"},
        {"empty.test", "permanent 0 5.1.2 empty.test: the host has no address (DNS)\n"},
        {"lost.test", "permanent 0 5.4.4 nowhere.test: the host does not exist (DNS)\n"},
        {"fails.test", "temporary 0 4.4.3 fails.test: the table says so (DNS)\n"},
        {"silent.test", "temporary 0 4.4.3 silent.test: the DNS did not answer in time (DNS)\n"},
        {"no name", "permanent 0 5.1.2 no name: that is no domain name (DNS)\n"},
    };
    struct bench *b = bench_new((struct delivery_options){.timeouts = {.resolve = SHORT_MS}, .idle_ms = -1});
    b->job.to.host_count = 0;
    b->job.to.mx_port = b->server[0].port;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        b->job.to.mx_domain = span_of(rows[i].domain);
        deliver(b, rows[i].domain, rows[i].want);
    }
    assert_int_equal(b->server[0].messages, 4);
    b->job.to.mx_domain = SPAN("second.test"); /* under another name: it says who it is */
    b->server[0].rules[0] = (struct test_rule){"EHLO", "250 me.test hello"};
    deliver(b, "EHLO",
            "permanent 0 5.4.6 the host is this server, which does not know the domain: a loop (EHLO)\n");
    bench_free(b);
}

/* ---- cancel, refused jobs ---- */

static void test_cancel(void **state)
{
    (void)state;
    static const char *const want = "temporary 0 4.3.2 the delivery was broken off here (cancel)\n";
    static const char *const places[] = {"connect", "EHLO", "MAIL", "DATA", "dot", "DNS", "at once"};
    struct bench *b = bench_new((struct delivery_options){0});
    b->server[0].extensions = ""; /* with PIPELINING a missing reply is filled by the next */
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct delivery_task *t = NULL;
        size_t before = b->reports;
        b->server[0].rules[0] = (struct test_rule){places[i], NULL};
        b->job.to.host_count = strcmp(places[i], "DNS") != 0;
        b->job.to.mx_domain = SPAN("silent.test");
        start(b, &t);
        size_t turns = strcmp(places[i], "at once") == 0 ? 0 : 20;
        while (turns-- && b->reports == before)
            uv_run(&b->loop, UV_RUN_NOWAIT);
        CHECK_INT(places[i], b->reports, before);
        delivery_cancel(t);
        delivery_cancel(t);
        while (b->reports == before)
            uv_run(&b->loop, UV_RUN_ONCE);
        CHECK_SPAN(places[i], buf_span(&b->report), span_of(want));
        CHECK_INT(places[i], b->reports, before + 1);
    }
    b->server[0].rules[0] = (struct test_rule){"DATA", NULL};
    b->job.to.host_count = 1;
    start(b, NULL);
    bench_free(b); /* closing cancels what is under way */
}

static void test_refused_jobs(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.max_tasks = 1});
    struct err err = {0};
    struct delivery_job good = b->job, bad = b->job;
    bad.recipient_count = 0;
    assert_int_equal(delivery_start(b->engine, &bad, on_report, b, NULL, &err), ERR_INVALID);
    bad = good;
    bad.to.host_count = 0;
    assert_int_equal(delivery_start(b->engine, &bad, on_report, b, NULL, &err), ERR_INVALID);
    bad = good;
    bad.to.helo_name = SPAN("a\r\nb");
    assert_int_equal(delivery_start(b->engine, &bad, on_report, b, NULL, &err), ERR_INVALID);
    bad = good;
    bad.to.kind = DELIVERY_MAILDIR;
    bad.to.mailbox = SPAN("x@y");
    assert_int_equal(delivery_start(b->engine, &bad, on_report, b, NULL, &err), ERR_INVALID);
    start(b, NULL);
    assert_int_equal(delivery_start(b->engine, &good, on_report, b, NULL, &err), ERR_LIMIT);
    while (!b->reports)
        uv_run(&b->loop, UV_RUN_ONCE);
    deliver(b, "room again", TAKEN);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),          cmocka_unit_test(test_replies), cmocka_unit_test(test_next_host),
        cmocka_unit_test(test_host_refuses), cmocka_unit_test(test_domains), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_refused_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
