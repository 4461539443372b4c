/* test_gate_pressure.c: whose mail is refused at which level, and with which words. */
#include "check.h"
#include "gate/gate.h"
#include "policy/test_support.h"

#include <stdio.h>

#define MB   (UINT64_C(1) << 20)
#define FULL "452 4.3.1 Insufficient system resources (queue disk: 312 MB free, 500 MB wanted)"

static const struct span alices[] = {SPAN_INIT("alice@example.com")};
static const struct gate_user alice = {.guid = SPAN_INIT("alice"), .addresses = alices, .address_count = 1};

static void add_policy(struct test_policy *t)
{
    static const char *const names[] = {"internet", "client", "external", "servers", "partner", "closed"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        test_addf(t,
                  "ReceiveConnector: Guid=%s|Name=%s|Bindings=[0.0.0.0:%zu]|RemoteIPRanges=[0.0.0.0/0]|"
                  "AuthMechanism=[Tls,BasicAuth%s]%s",
                  names[i], names[i], 25 + i, i == 2 ? ",ExternalAuthoritative" : "",
                  i == 4 ? "|DomainSecureEnabled=$true" : "");
    test_add_group(t, "internet", GROUP_ANONYMOUS_USERS);
    test_add_group(t, "client", GROUP_EXCHANGE_USERS);
    test_add_group(t, "external", GROUP_EXCHANGE_SERVERS);
    test_add_group(t, "servers", GROUP_EXCHANGE_SERVERS);
    test_add_group(t, "partner", GROUP_PARTNERS);
    test_add(t, "AcceptedDomain: Name=own|DomainName=example.com|DomainType=Authoritative|Default=$true\n"
                "TransportConfig: TLSReceiveDomainSecureList=[far.test]");
    test_open(t);
}

static struct pressure at(enum pressure_level level, enum pressure_resource r)
{
    struct pressure p = {0};
    p.of[r] = (struct pressure_state){level, true, 312 * MB, 10000 * MB, 900 * MB, 700 * MB, 500 * MB, 0};
    return p;
}

enum who { ANONYMOUS, USER, EXTERNAL, HUB, PARTNER };

static const struct {
    const char *name, *connector;
    enum who who;
    enum pressure_source source;
    const char *sender, *otherwise; /* how it is answered when nothing is short */
    bool medium, high;              /* it is refused */
} rows[] = {
    {"anonymous", "internet", ANONYMOUS, PRESSURE_FROM_OUTSIDE, "x@far.test", "", true, true},
    {"the null sender", "internet", ANONYMOUS, PRESSURE_FROM_OUTSIDE, "", "", true, true},
    {"a user", "client", USER, PRESSURE_FROM_INSIDE, "alice@example.com", "", false, true},
    {"externally secured", "external", EXTERNAL, PRESSURE_FROM_INSIDE, "x@far.test", "", false, true},
    {"a server of ours", "servers", HUB, PRESSURE_FROM_INSIDE, "x@far.test", "", false, true},
    {"a partner", "partner", PARTNER, PRESSURE_FROM_OUTSIDE, "x@far.test", "", true, true},
    {"who may not submit", "closed", ANONYMOUS, PRESSURE_FROM_OUTSIDE, "x@far.test",
     "530 5.7.1 Client was not authenticated", false, false},
};

static void say(const struct gate *g, const struct gate_verdict *v, struct arena *arena, char *out, size_t cap)
{
    struct span text = v->answer.reply.text;
    out[0] = '\0';
    if (v->short_of != PRESSURE_RESOURCES)
        text = gate_pressure_text(g, arena, text, v->short_of);
    if (v->answer.verdict == SMTP_ANSWER_REFUSE)
        snprintf(out, cap, "%d %.*s %.*s", v->answer.reply.code, SPAN_ARG(v->answer.reply.enhanced),
                 SPAN_ARG(text));
}

static bool names_any(void *context UNUSED, struct span domain UNUSED)
{
    return true;
}

static void test_senders(void **state)
{
    static const struct gate_tls partner = {
        .certificate = true, .trusted = true, .fingerprint = SPAN_INIT("none"), .names_domain = names_any};
    struct test_policy t;
    (void)state;
    test_policy_init(&t);
    add_policy(&t);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (enum pressure_level level = 0; level < PRESSURE_LEVELS; level++) {
            const char *row = rows[i].name;
            struct gate g;
            struct arena arena;
            char got[400];
            uint8_t marks[POLICY_ACL_MAX];
            const struct pressure p = at(level, PRESSURE_QUEUE_DISK);
            const struct smtp_mail mail = {.address = {.text = span_of(rows[i].sender)}};
            bool refused = (level == PRESSURE_MEDIUM && rows[i].medium) || (level == PRESSURE_HIGH && rows[i].high);
            arena_init(&arena, 0);
            gate_begin(&g, t.policy, test_receive(&t, rows[i].connector),
                       rows[i].who == HUB ? PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS) : 0, marks);
            if (rows[i].who == PARTNER)
                gate_secured(&g, &partner, &arena);
            CHECK_INT(row, gate_partner(&g).len != 0, rows[i].who == PARTNER);
            g.pressure = &p;
            if (rows[i].who == USER)
                CHECK_INT(row, gate_log_on(&g, &alice).answer.verdict, SMTP_ANSWER_OK);
            CHECK_INT(row, gate_pressure_source(&g), rows[i].source);
            struct gate_verdict v = gate_mail(&g, &mail);
            say(&g, &v, &arena, got, sizeof got);
            CHECK_STR(row, got,
                      !refused ? rows[i].otherwise
                      : level == PRESSURE_HIGH
                          ? FULL
                          : "452 4.3.1 Insufficient system resources (queue disk: 312 MB free, "
                            "700 MB wanted)");
            CHECK_INT(row, v.short_of, refused ? PRESSURE_QUEUE_DISK : PRESSURE_RESOURCES);
            arena_clear(&arena);
        }
    test_policy_done(&t);
}

static void test_others(void **state)
{
    struct test_policy t;
    struct gate g;
    struct arena arena;
    uint8_t marks[POLICY_ACL_MAX];
    const struct smtp_mail mail = {.address = {.text = SPAN("x@far.test")}};
    const struct pressure logs = at(PRESSURE_HIGH, PRESSURE_LOG_DISK),
                          length = at(PRESSURE_HIGH, PRESSURE_QUEUE_LENGTH);
    (void)state;
    test_policy_init(&t);
    add_policy(&t);
    gate_begin(&g, t.policy, test_receive(&t, "internet"), 0, marks);
    CHECK_INT("not known", gate_mail(&g, &mail).answer.verdict, SMTP_ANSWER_OK);
    g.pressure = &logs;
    CHECK_INT("logs refuse nothing", gate_mail(&g, &mail).answer.verdict, SMTP_ANSWER_OK);
    g.pressure = &length;
    struct gate_verdict v = gate_mail(&g, &mail);
    CHECK_INT("length", v.short_of, PRESSURE_QUEUE_LENGTH);
    CHECK_INT("rcpt knows nothing of it", gate_rcpt(&g, SPAN("x@far.test"), SPAN("bob@example.com")).short_of,
              PRESSURE_RESOURCES);
    arena_init(&arena, 8);
    CHECK_SPAN("no room for the numbers", gate_pressure_text(&g, &arena, v.answer.reply.text, v.short_of),
               SPAN("Insufficient system resources"));
    arena_clear(&arena);
    test_policy_done(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_senders), cmocka_unit_test(test_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
