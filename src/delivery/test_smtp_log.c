/* test_smtp_log.c: what a delivery writes to the protocol log of its connector, and how long a silence it bears. */
#include "delivery/test_bench.h"

#include <inttypes.h>

/* Rows as "event data|context", the thumbprint as HEX and endpoints checked apart. */
struct seen {
    struct buf text;
    struct {
        uint64_t id, next;
    } session[8]; /* they overlap: one says farewell while the next begins */
    size_t sessions;
    char local[64], remote[64];
};

static void on_row(void *context, const struct delivery_log_row *r)
{
    struct seen *s = context;
    bool thumbprint = span_eq(r->context, SPAN("Certificate thumbprint"));
    size_t i = 0;
    while (i < s->sessions && s->session[i].id != r->session)
        i++;
    assert_true(i < ARRAY_LEN(s->session));
    s->session[i].id = r->session;
    s->sessions += i == s->sessions;
    assert_true(r->sequence == s->session[i].next++);
    CHECK_SPAN("connector", r->connector, SPAN("out"));
    snprintf(s->local, sizeof s->local, "%.*s", SPAN_ARG(r->local));
    snprintf(s->remote, sizeof s->remote, "%.*s", SPAN_ARG(r->remote));
    buf_addf(&s->text, "%c %.*s|%.*s\n", r->event, thumbprint ? 3 : (int)r->data.len,
             thumbprint ? "HEX" : r->data.ptr, SPAN_ARG(r->context));
}

#define BEGIN "* |attempting to connect\n+ |\n"
#define HELLO "< 220 test|\n> EHLO me.test|\n"
#define MESSAGE                                                                                                    \
    "* 77|sending message\n> MAIL FROM:<s@near.test> SIZE=13|\n> RCPT TO:<a@far.test> NOTIFY=FAILURE|\n> DATA|\n"

static struct bench *logged_bench(struct seen *s, struct delivery_options options)
{
    *s = (struct seen){0};
    buf_init(&s->text, 65536);
    options.log = on_row;
    options.log_context = s;
    struct bench *b = bench_new(options);
    b->job.message_id = 77;
    b->job.to.log_name = SPAN("out");
    return b;
}

static void done(struct bench *b, struct seen *s)
{
    bench_free(b);
    buf_done(&s->text);
}

static bool has(const struct seen *s, const char *text)
{
    return memmem(s->text.ptr, s->text.len, text, strlen(text)) != NULL;
}

static void check_has(const struct seen *s, const char *text)
{
    if (!has(s, text))
        fail_msg("there is no `%s` in:\n%.*s", text, (int)s->text.len, s->text.ptr);
}

static void test_rows(void **state UNUSED)
{
    struct seen s;
    struct bench *b = logged_bench(&s, (struct delivery_options){.idle_ms = -1});
    char remote[32];
    deliver(b, "in the clear", TAKEN);
    snprintf(remote, sizeof remote, "127.0.0.1:%u", b->server[0].port);
    assert_string_equal(s.remote, remote);
    assert_true(span_starts(span_of(s.local), SPAN("127.0.0.1:")) && strcmp(s.local, s.remote));
    while (!has(&s, "\n- |"))
        uv_run(&b->loop, UV_RUN_ONCE);
    check_has(&s, BEGIN HELLO);
    check_has(&s, MESSAGE);
    check_has(&s, "< 250 2.0.0 taken|\n> QUIT|\n");
    check_has(&s, "- |Local\n");
    assert_false(has(&s, "hello")); /* the content */
    assert_false(has(&s, ".dot"));
    buf_clear(&s.text);
    b->job.to.log_name = SPAN("");
    deliver(b, "a connector without a log", TAKEN);
    assert_int_equal(s.text.len, 0);
    done(b, &s);
}

static void test_tls(void **state UNUSED)
{
    struct seen s;
    struct bench *b = logged_bench(&s, (struct delivery_options){.idle_ms = -1});
    b->server[0].tls = b->server_tls;
    deliver(b, "TLS", TAKEN);
    check_has(&s, "> STARTTLS|\n");
    check_has(&s, "* |Received certificate\n* HEX|Certificate thumbprint\n"
                  "* localhost|Certificate not verified\n* |TLS protocol TLSv1.");
    check_has(&s, "negotiation succeeded using bulk encryption algorithm ");
    b->hosts[0].name = SPAN("localhost");
    deliver(b, "trusted", TAKEN);
    check_has(&s, "* localhost|Certificate verified by ca\n");
    b->server[0].rules[0] = (struct test_rule){"STARTTLS", "GARBAGE", .uses = 1};
    buf_clear(&s.text);
    deliver(b, "broken, then in the clear", TAKEN);
    check_has(&s, "* |TLS handshake failed");
    assert_int_equal(s.sessions, 4);
    done(b, &s);
}

static void test_auth(void **state UNUSED)
{
    static const char *const secrets[] = {"Marker7x", "TWFya2VyN3g", "AG1lAE1hcmtlcjd4"};
    struct seen s;
    struct bench *b = logged_bench(&s, (struct delivery_options){.idle_ms = -1});
    struct secret password;
    secret_init(&password, 100);
    assert_true(secret_set(&password, SPAN("Marker7x")));
    b->job.to.user = SPAN("me");
    b->job.to.password = &password;
    b->job.to.auth_without_tls = true;
    b->server[0].extensions = "AUTH=PLAIN";
    deliver(b, "PLAIN", TAKEN);
    check_has(&s, "> AUTH PLAIN (initial response not shown)|\n");
    b->server[0].rules[0] = (struct test_rule){"AUTH", "535 5.7.8 not Marker7x"};
    deliver(b, "refused", "temporary 535 4.7.8 (the reply has the password in it and is not shown) (AUTH)\n");
    check_has(&s, "< 535 (text not shown)|\n");
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        assert_false(has(&s, secrets[i]));
    secret_done(&password);
    done(b, &s);
}

/* One session for two messages, and what ends it. */
static void test_ends(void **state UNUSED)
{
    struct seen s;
    struct bench *b = logged_bench(&s, (struct delivery_options){.idle_ms = 60000});
    deliver(b, "the first", TAKEN);
    b->job.message_id = 78;
    deliver(b, "the second", TAKEN);
    assert_int_equal(s.sessions, 1);
    check_has(&s, "* 77|sending message\n");
    check_has(&s, "* 78|sending message\n");
    b->server[0].rules[0] = (struct test_rule){"MAIL", "CLOSE"};
    b->job.to.inactivity_ms = 5000; /* another connection */
    deliver(b, "the server closes", "temporary 0 4.4.2 the server closed the connection (MAIL FROM) (MAIL FROM)\n");
    check_has(&s, "* |the server closed the connection\n");
    check_has(&s, "- |Remote\n");
    b->job.to.mx_domain = SPAN("");
    b->hosts[0] = (struct delivery_host){SPAN("127.0.0.7"), b->server[0].port}; /* nobody listens there */
    buf_clear(&s.text);
    start(b, NULL);
    for (size_t before = b->reports; b->reports == before;)
        uv_run(&b->loop, UV_RUN_ONCE);
    check_has(&s, "* |attempting to connect\n* |cannot connect to 127.0.0.7");
    assert_false(has(&s, "- |"));
    done(b, &s);
}

/* ConnectionInactivityTimeOut holds for whatever is awaited, in the place of the engine's. */
static void test_silence(void **state UNUSED)
{
    static const struct {
        const char *at, *report;
    } rows[] = {
        {"connect", "temporary 0 4.4.1 timed out while waiting for the server (greeting) (greeting)\n"},
        {"EHLO", "temporary 0 4.4.1 timed out while waiting for the server (EHLO) (EHLO)\n"},
        {"RCPT", "temporary 0 4.4.1 timed out while waiting for the server (RCPT TO) (RCPT TO)\n"},
        {"DATA", "temporary 0 4.4.1 timed out while waiting for the server (DATA) (DATA)\n"},
        {"dot", "temporary 0 4.4.1 timed out while waiting for the server (end of data) (end of data)\n"},
    };
    struct seen s;
    struct bench *b = logged_bench(&s, (struct delivery_options){.idle_ms = -1});
    b->server[0].extensions = "";
    b->job.to.inactivity_ms = SHORT_MS;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        b->server[0].rules[0] = (struct test_rule){rows[i].at, NULL};
        buf_clear(&s.text);
        deliver(b, rows[i].at, rows[i].report);
        check_has(&s, "* |timed out while waiting for the server\n");
    }
    b->server[0].rules[0] = (struct test_rule){0};
    done(b, &s);

    /* And for a connection that rests. */
    b = logged_bench(&s, (struct delivery_options){.idle_ms = 60000});
    b->job.to.inactivity_ms = SHORT_MS;
    deliver(b, "rests", TAKEN);
    while (delivery_stats(b->engine).idle)
        uv_run(&b->loop, UV_RUN_ONCE);
    check_has(&s, "> QUIT|\n");
    done(b, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_tls),
                                       cmocka_unit_test(test_auth), cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_silence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
