/*
 * test_admission.c: which connection and which message is one too many, and for which limit. A script of
 * connections has a letter for each source: lower case is let in, upper case is refused, behind a "-" one leaves.
 */
#include "check.h"

#include "policy/test_support.h"
#include "role/receive/admission.h"

#include <ctype.h>
#include <string.h>

enum { CONNECTIONS_MAX = 64 };

static struct ip_addr source_of(char c)
{
    return ip_v4(192, 0, 2, (uint8_t)tolower((unsigned char)c));
}

struct scene {
    struct admission open[26][CONNECTIONS_MAX];
    size_t count[26];
    struct smtp_limit limit; /* of the last refusal */
};

static void step(const char *row, struct scene *s, const struct test_policy *t, const struct receive_connector *c,
                 char source, bool leaves)
{
    size_t k = (size_t)(tolower((unsigned char)source) - 'a');
    if (leaves) {
        CHECK(row, s->count[k] > 0);
        struct admission *a = &s->open[k][--s->count[k]];
        admission_leave(a);
        admission_leave(a); /* a second time does nothing */
        return;
    }
    bool in = admission_enter(&s->open[k][s->count[k]], t->policy, c, source_of(source), &s->limit);
    CHECK_INT(row, in, islower((unsigned char)source) != 0);
    s->count[k] += in;
}

#define LIMITS(all, source, percent)                                                                               \
    "MaxInboundConnection=" all "|MaxInboundConnectionPerSource=" source                                           \
    "|MaxInboundConnectionPercentagePerSource=#" percent

static const struct {
    const char *name, *properties, *script, *limit;
} rows[] = {
    {"the connector at its limit and one past it", LIMITS("#3", "Unlimited", "100"), "abcD",
     "MaxInboundConnection 3 of \"the one\""},
    {"one leaves", LIMITS("#3", "Unlimited", "100"), "aaaA-aaB", "MaxInboundConnection 3 of \"the one\""},
    {"a source at its limit and one past it", LIMITS("#10", "#2", "100"), "aaAbbBA",
     "MaxInboundConnectionPerSource 2 of \"the one\""},
    {"a source leaves", LIMITS("#10", "#2", "100"), "aabA-aaA", "MaxInboundConnectionPerSource 2 of \"the one\""},
    {"a percentage of what is free", LIMITS("#20", "Unlimited", "10"), "aaAbbB",
     "MaxInboundConnectionPercentagePerSource 10 of \"the one\""},
    {"... rounded up", LIMITS("#20", "Unlimited", "2"), "aAbBcC",
     "MaxInboundConnectionPercentagePerSource 2 of \"the one\""},
    {"... of what the others leave", LIMITS("#10", "Unlimited", "50"), "aaaaaAbbbBcCB",
     "MaxInboundConnectionPercentagePerSource 50 of \"the one\""},
    {"... is no limit at 100", LIMITS("#4", "Unlimited", "100"), "aaaaA", "MaxInboundConnection 4 of \"the one\""},
    {"no percentage of Unlimited", LIMITS("Unlimited", "Unlimited", "1"), "aaaaaaaa", NULL},
    {"the smaller one is named", LIMITS("#100", "#3", "2"), "aaA",
     "MaxInboundConnectionPercentagePerSource 2 of \"the one\""},
};

static struct test_policy *connector_with(struct test_policy *t, size_t n, const char *properties)
{
    test_policy_init(t);
    test_addf(t, "ReceiveConnector: Guid=guid-%zu|Name=the one|%s\nReceiveConnector: Guid=other|Name=other", n,
              properties);
    test_open(t);
    return t;
}

static void connections(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        const struct receive_connector *c = test_receive(connector_with(&t, i, rows[i].properties), "the one");
        static struct scene s;
        struct buf limit;
        memset(&s, 0, sizeof s);
        for (const char *p = rows[i].script; *p; p++) {
            bool leaves = *p == '-';
            p += leaves;
            step(rows[i].name, &s, &t, c, *p, leaves);
        }
        buf_init(&limit, 200);
        if (rows[i].limit)
            smtp_limit_print(&limit, &s.limit);
        CHECK_SPAN(rows[i].name, buf_span(&limit), span_of(rows[i].limit));
        struct admission a; /* another connector counts by itself */
        CHECK(rows[i].name, admission_enter(&a, t.policy, test_receive(&t, "other"), source_of('a'), &s.limit));
        admission_leave(&a);
        for (char k = 'a'; k <= 'z'; k++)
            while (s.count[k - 'a'])
                step(rows[i].name, &s, &t, c, k, true);
        CHECK(rows[i].name, admission_enter(&a, t.policy, c, source_of('a'), &s.limit));
        admission_leave(&a);
        buf_done(&limit);
        test_policy_done(&t);
    }
}

/* One /64 is one source, two are two. */
static void networks(void **state UNUSED)
{
    struct test_policy t;
    const struct receive_connector *c =
        test_receive(connector_with(&t, 100, LIMITS("#10", "#1", "100")), "the one");
    struct admission a, b;
    struct smtp_limit limit;
    assert_true(admission_enter(&a, t.policy, c, test_ip("2001:db8::1"), &limit));
    assert_false(admission_enter(&b, t.policy, c, test_ip("2001:db8::2"), &limit));
    assert_true(admission_enter(&b, t.policy, c, test_ip("2001:db8:0:1::1"), &limit));
    admission_leave(&a);
    admission_leave(&b);
    test_policy_done(&t);
}

static void reply(void **state UNUSED)
{
    struct smtp_limit limit = {SPAN("MaxInboundConnection"), value_int(1), SPAN("the one")};
    struct arena arena;
    struct buf b;
    arena_init(&arena, 4096);
    buf_init(&b, 2000);
    struct smtp_reply r = admission_refusal(&arena, &limit);
    smtp_reply_print(&b, &r, true);
    CHECK_SPAN(
        "reply", buf_span(&b),
        SPAN("421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing transmission "
             "channel (MaxInboundConnection 1 of \"the one\")\r\n"));
    buf_done(&b);
    arena_clear(&arena);
}

/* Who is counted as one: each message is by a user (or nobody, "") from an address. */
static void messages(void **state UNUSED)
{
    static const struct {
        const char *name, *source; /* MessageRateSource, the limit is 2 */
        struct {
            const char *user;
            char from;
            bool taken;
        } messages[7];
    } table[] = {
        {"by address",
         "IPAddress",
         {{"", 'a', true},
          {"u", 'a', true},
          {"v", 'a', false},
          {"u", 'b', true},
          {"u", 'b', true},
          {"u", 'b', false}}},
        {"by user",
         "User",
         {{"u", 'a', true},
          {"u", 'b', true},
          {"u", 'c', false},
          {"v", 'a', true},
          {"", 'a', true},
          {"", 'a', true},
          {"", 'a', false}}},
        {"by both: what one of them refuses is not counted by the other",
         "All",
         {{"u", 'a', true},
          {"u", 'b', true},
          {"u", 'c', false},
          {"v", 'c', true},
          {"w", 'c', true},
          {"x", 'c', false},
          {"x", 'd', true}}},
        {"not at all", "None", {{"u", 'a', true}, {"u", 'a', true}, {"u", 'a', true}, {"u", 'a', true}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct test_policy t;
        char properties[100];
        snprintf(properties, sizeof properties, "MessageRateLimit=#2|MessageRateSource=%s", table[i].source);
        const struct receive_connector *c = test_receive(connector_with(&t, 200 + i, properties), "the one");
        struct smtp_limit limit = {0};
        for (size_t k = 0; k < ARRAY_LEN(table[i].messages) && table[i].messages[k].user; k++)
            CHECK_INT(table[i].name,
                      admission_message(t.policy, c, source_of(table[i].messages[k].from),
                                        span_of(table[i].messages[k].user), 1000, &limit),
                      table[i].messages[k].taken);
        if (limit.name.len)
            CHECK_SPAN(table[i].name, limit.name, SPAN("MessageRateLimit"));
        CHECK(table[i].name, admission_message(t.policy, c, source_of('a'), SPAN("u"), 62000, &limit));
        for (int k = 0; k < 100; k++) /* Unlimited by default */
            CHECK(table[i].name,
                  admission_message(t.policy, test_receive(&t, "other"), source_of('a'), SPAN("u"), 0, &limit));
        test_policy_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(connections), cmocka_unit_test(networks),
                                       cmocka_unit_test(reply), cmocka_unit_test(messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
