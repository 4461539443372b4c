/* test_track.c: what the queue role tells for the message tracking log: each row sends one message. */
#include "role/queue/test_support.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 8 };

#define EXPANDED     "250 2.1.5 Group expanded"
#define RECEIVED(to) "RECEIVE SMTP " to " via mail.example.com\\Default mail {TLS=None;User=alice}"

static const struct {
    const char *name;
    struct bench_mail mail;
    size_t jobs;
    const char *lines[LINES_MAX]; /* in any order */
} rows[] = {
    {"a mailbox",
     {.from = "bob@example.com", .to = "alice@example.com"},
     1,
     {RECEIVED("alice@example.com"), "DELIVER STOREDRIVER alice@example.com (250 2.0.0 taken)"}},
    {"an alias and its mailbox",
     {.from = "bob@example.com", .to = "al@example.com,alice@example.com"},
     1,
     {RECEIVED("al@example.com;alice@example.com"), "RESOLVE ROUTING alice@example.com instead of al@example.com",
      "DELIVER STOREDRIVER alice@example.com (250 2.0.0 taken)",
      "DUPLICATEDELIVER ROUTING alice@example.com (250 2.1.5 the same mailbox as another recipient's)"}},
    {"a contact",
     {.from = "bob@example.com", .to = "partner@example.com"},
     1,
     {RECEIVED("partner@example.com"), "REDIRECT ROUTING p@far.test instead of partner@example.com",
      "SEND SMTP p@far.test (250 2.0.0 taken) instead of partner@example.com via relay {TLS=None}"}},
    {"two at one next hop share a row",
     {.from = "bob@example.com", .to = "a@far.test,b@far.test"},
     1,
     {RECEIVED("a@far.test;b@far.test"),
      "SEND SMTP a@far.test;b@far.test (250 2.0.0 taken;250 2.0.0 taken) via relay {TLS=None}"}},
    {"nobody, with the report",
     {.from = "bob@example.com", .to = "nobody@example.com"},
     1,
     {RECEIVED("nobody@example.com"),
      "FAIL ROUTING nobody@example.com (550 5.1.1 RESOLVER.ADR.RecipNotFound, not found)",
      "DSN DSN bob@example.com reference <m@example.com>",
      "DELIVER STOREDRIVER bob@example.com (250 2.0.0 taken)"}},
    {"nobody, from nobody: no report",
     {.to = "nobody@example.com"},
     0,
     {RECEIVED("nobody@example.com"),
      "FAIL ROUTING nobody@example.com (550 5.1.1 RESOLVER.ADR.RecipNotFound, not found)"}},
    {"a group without members",
     {.from = "bob@example.com", .to = "none@example.com"},
     0,
     {RECEIVED("none@example.com"), "EXPAND ROUTING instead of none@example.com"}},
};

static void check(struct bench *b, const char *name, const char *const *lines)
{
    size_t count = 0;
    while (count < LINES_MAX && lines[count])
        count++;
    bench_await_track(b, count);
    CHECK_INT(name, b->track_count, count);
    for (size_t i = 0; i < count; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s\n", lines[i]);
        CHECK_HAS(name, buf_span(&b->track), line);
    }
    buf_clear(&b->track);
    b->track_count = 0;
}

static void steps(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bench_send(b, &rows[i].mail);
        for (size_t k = 0; k < rows[i].jobs; k++)
            bench_deliver(b);
        bench_until_messages(b, 0);
        check(b, rows[i].name, rows[i].lines);
    }
    bench_finish(b, 0);
}

/* Groups that contain each other: each is expanded into who is not a recipient yet. */
static void groups(void **state)
{
    struct bench *b = *state;
    static const char *const lines[LINES_MAX] = {
        RECEIVED("team@example.com"),
        "EXPAND ROUTING carol@example.com;bob@example.com;staff@example.com;p@far.test (" EXPANDED ";" EXPANDED
        ";" EXPANDED ";" EXPANDED ") instead of team@example.com",
        "EXPAND ROUTING alice@example.com (" EXPANDED ") instead of staff@example.com",
        "DELIVER STOREDRIVER carol@example.com (250 2.0.0 taken)",
        "DELIVER STOREDRIVER bob@example.com (250 2.0.0 taken)",
        "DELIVER STOREDRIVER alice@example.com (250 2.0.0 taken)",
        "SEND SMTP p@far.test (250 2.0.0 taken) via relay {TLS=None}",
    };
    BENCH_SEND(b, "dave@example.com", "team@example.com");
    for (size_t i = 0; i < 4; i++)
        bench_deliver(b);
    bench_until_messages(b, 0);
    check(b, "groups", lines);
    bench_finish(b, 0);
}

static void tries(void **state)
{
    struct bench *b = *state;
    static const char *const lines[LINES_MAX] = {RECEIVED("a@far.test"),
                                                 "DEFER SMTP a@far.test (451 4.7.1 later) via relay {TLS=None}",
                                                 "FAIL SMTP a@far.test (550 5.7.1 never) via relay {TLS=None}",
                                                 "DSN DSN bob@example.com reference <m@example.com>",
                                                 "DELIVER STOREDRIVER bob@example.com (250 2.0.0 taken)"};
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.7.1", "later", false});
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_deliver(b);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_PERMANENT, 550, "5.7.1", "never", false});
    bench_deliver(b);
    bench_deliver(b);
    bench_until_messages(b, 0);
    check(b, "deferred, then refused", lines);
    bench_finish(b, 0);
}

static void removed(void **state)
{
    struct bench *b = *state;
    static const char *const lines[LINES_MAX] = {
        RECEIVED("a@far.test"), "DEFER SMTP a@far.test (451 4.7.1 later) via relay {TLS=None}",
        "FAIL ADMIN a@far.test (550 4.3.2 QUEUE.Deleted, message deleted by administrative action)",
        "DSN DSN bob@example.com reference <m@example.com>",
        "DELIVER STOREDRIVER bob@example.com (250 2.0.0 taken)"};
    bench_policy(b, "MessageRetryInterval=#3600000", NULL);
    bench_rule(b, (struct bench_rule){"a@far.test", DELIVERY_TEMPORARY, 451, "4.7.1", "later", false});
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_deliver(b);
    bench_await_track(b, 2);
    bench_act_on_message(b, QUEUE_ACTION_REMOVE_REPORTED, 1);
    assert_int_equal(b->action_code, ERR_NONE);
    bench_deliver(b);
    bench_until_messages(b, 0);
    check(b, "removed by an administrator", lines);
    bench_finish(b, 0);
}

/* A row holds what fits into its column; the rest are in further ones. */
static void many(void **state)
{
    enum { COUNT = 400 };
    struct bench *b = *state;
    struct buf to;
    size_t commas = 0;
    buf_init(&to, 65536);
    for (size_t i = 0; i < COUNT; i++)
        buf_addf(&to, "%srecipient-number-%zu@far.test", i ? "," : "", i);
    buf_add_char(&to, '\0');
    BENCH_SEND(b, "bob@example.com", to.ptr);
    buf_done(&to);
    bench_await_track(b, 3);
    for (size_t i = 0; i < b->track.len; i++)
        commas += b->track.ptr[i] == '@';
    assert_true(commas >= COUNT);
    for (struct span rest = buf_span(&b->track), line; span_split(&rest, '\n', &line);)
        assert_true(line.len < 4096 + 128);
    for (size_t i = 0; i < 4; i++)
        bench_deliver(b);
    bench_until_messages(b, 0);
    bench_await_track(b, 3 + 4);
    bench_finish(b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(groups, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(tries, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(removed, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(many, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests_name("role_queue_track", tests, NULL, NULL);
}
