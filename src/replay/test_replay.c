/*
 * test_replay.c: what one fact comes to under two policies, which facts are not run and why, and how the facts of
 * many clients become a report.
 */
#include "check.h"
#include "explain/test_world.h"
#include "replay/replay.h"

#include <stdio.h>
#include <string.h>

#define RELAY          "ms-Exch-SMTP-Accept-Any-Recipient"
#define ANYBODY_RELAYS "ADPermission: Connector=c0|User=S-1-5-7|ExtendedRight=" RELAY "|Deny=$false"

static const int64_t now_ms = 1700000000000;
static const struct hash_key key = {1, 2};

/* A connector c0 for everybody, of which the rest is given. */
static void make_policy(struct test_world *w, const char *properties, const char *lines)
{
    *w = (struct test_world){.certificate = true, .keytab = true};
    test_policy_init(&w->policy);
    test_addf(&w->policy, "ReceiveConnector: Guid=c0|Name=c0|Bindings=[0.0.0.0:25]|Fqdn=mail.example.com|%s",
              properties);
    test_add_group(&w->policy, "c0", GROUP_ANONYMOUS_USERS);
    test_add_group(&w->policy, "c0", GROUP_EXCHANGE_USERS);
    test_add(&w->policy, "AcceptedDomain: Name=d0|DomainName=example.com|DomainType=Authoritative|Default=$true");
    test_add(&w->policy, lines);
    test_open(&w->policy);
}

#define ALL "RemoteIPRanges=[0.0.0.0/0]|AuthMechanism=[Tls,BasicAuth]"
#define TEXT(...)                                                                                                  \
    {                                                                                                              \
        [FACT_LOCAL] = SPAN_INIT("10.9.9.9:25"), [FACT_HELO] = SPAN_INIT("client.test"), __VA_ARGS__               \
    }
#define REMOTE  [FACT_REMOTE] = SPAN_INIT("10.0.0.5")
#define OUTWARD [FACT_SENDER] = SPAN_INIT("app@far.test"), [FACT_RECIPIENT] = SPAN_INIT("bob@other.test")
#define ALICE                                                                                                      \
    [FACT_TLS] = SPAN_INIT("TLSv1.2"), [FACT_MECHANISM] = SPAN_INIT("PLAIN"), [FACT_USER] = SPAN_INIT("alice")

/* ---- one fact ---- */

#define KERBEROS "RemoteIPRanges=[0.0.0.0/0]|AuthMechanism=[Tls,Integrated]|EnableAuthGSSAPI=$true"
#define TICKET   [FACT_MECHANISM] = SPAN_INIT("GSSAPI"), [FACT_USER] = SPAN_INIT("alice")

enum { SAME = -1 };
struct row {
    const char *name;
    const char *before, *after; /* properties of the connector */
    const char *before_lines, *after_lines;
    struct fact fact;
    int direction; /* enum replay_direction, or SAME */
    const char *decided_by, *reply;
    const char *why; /* a part of it */
};

static const struct row rows[] = {
    {"a relay is taken away", ALL, ALL, ANYBODY_RELAYS, "",
     .fact = {FACT_OF_RCPT, .code = 250, .text = TEXT(REMOTE, OUTWARD)}, REPLAY_REFUSED, RELAY,
     "550 5.7.1 Unable to relay", ""},
    {"what was answered does not count", ALL, ALL, ANYBODY_RELAYS, "",
     .fact = {FACT_OF_RCPT, .code = 550, .text = TEXT(REMOTE, OUTWARD)}, REPLAY_REFUSED, RELAY,
     "550 5.7.1 Unable to relay", ""},
    {"a relay is given", ALL, ALL, "", ANYBODY_RELAYS,
     .fact = {FACT_OF_RCPT, .code = 550, .text = TEXT(REMOTE, OUTWARD)}, REPLAY_ACCEPTED, RELAY, NULL, ""},
    {"a relay that the recipient does not need", ALL, ALL, ANYBODY_RELAYS, "",
     .fact = {FACT_OF_RCPT, .code = 250,
              .text = TEXT(REMOTE, [FACT_SENDER] = SPAN_INIT("app@far.test"),
                           [FACT_RECIPIENT] = SPAN_INIT("alice@example.com"))},
     SAME},
    {"a relay behind the last thing that it did", ALL, ALL, ANYBODY_RELAYS, "",
     .fact = {FACT_OF_MESSAGE, .code = 250, .text = TEXT(REMOTE, OUTWARD)}, SAME},
    {"somebody who logged on relays anyway", ALL, ALL, ANYBODY_RELAYS, "",
     .fact = {FACT_OF_RCPT, .code = 250,
              .text = TEXT(REMOTE, ALICE, [FACT_SENDER] = SPAN_INIT("alice@example.com"),
                           [FACT_RECIPIENT] = SPAN_INIT("bob@other.test"))},
     SAME},
    {"TLS is required", ALL, ALL "|RequireTLS=$true", "", "",
     .fact = {FACT_OF_MAIL, .code = 250, .text = TEXT(REMOTE, OUTWARD)}, REPLAY_REFUSED, "RequireTLS",
     "530 5.7.0 Must issue a STARTTLS command first", "has not started TLS"},
    {"TLS is required of who uses it", ALL, ALL "|RequireTLS=$true", "", "",
     .fact = {FACT_OF_MESSAGE, .text = TEXT(REMOTE, ALICE, [FACT_SENDER] = SPAN_INIT("alice@example.com"))}, SAME},
    {"TLS that is too old", ALL, ALL "|TlsMinimumVersion=Tls13", "", "",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.2"))}, REPLAY_REFUSED,
     "TlsMinimumVersion", "(no handshake: the version of TLS is too old)",
     "speaks TLSv1.2, and the least is TLSv1.3"},
    {"TLS that is new enough", ALL, ALL "|TlsMinimumVersion=Tls13", "", "",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.3"))}, SAME},
    {"TLS that is not there any more", ALL, "RemoteIPRanges=[0.0.0.0/0]|AuthMechanism=[]", "", "",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.3"))}, REPLAY_REFUSED,
     "AuthMechanism", NULL, ""},
    {"TLS with the first byte", ALL, ALL "|ImplicitTls=$true", "", "",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.3"))}, REPLAY_REFUSED,
     "ImplicitTls", "(no handshake: TLS is due with the first byte)", "begins in the clear"},
    {"TLS not with the first byte", ALL "|ImplicitTls=$true", ALL, "", "",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.3"))}, REPLAY_REFUSED,
     "ImplicitTls", "(no handshake: TLS does not begin with the connection)", "begins with TLS"},
    {"a client in the clear, and TLS with the first byte", ALL, ALL "|ImplicitTls=$true", "", "",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE)}, REPLAY_REFUSED, "ImplicitTls", "(closed: no TLS)", ""},
    {"a mechanism that is not offered any more", ALL, "RemoteIPRanges=[0.0.0.0/0]|AuthMechanism=[Tls]", "", "",
     .fact = {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE, ALICE)}, REPLAY_REFUSED, "AuthMechanism", NULL, ""},
    {"Kerberos, which stays", KERBEROS, KERBEROS, "", "",
     .fact = {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE, TICKET)}, SAME},
    {"Kerberos is switched off", KERBEROS, "RemoteIPRanges=[0.0.0.0/0]|AuthMechanism=[Tls,Integrated]", "", "",
     .fact = {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE, TICKET)}, REPLAY_REFUSED, "EnableAuthGSSAPI",
     "504 5.7.4", "EnableAuthGSSAPI is $false"},
    {"passwords in the place of Kerberos", KERBEROS, ALL, "", "",
     .fact = {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE, TICKET)}, REPLAY_REFUSED, "AuthMechanism",
     "504 5.7.4", "Integrated is not in AuthMechanism"},
    {"no connector serves the address any more", ALL, "RemoteIPRanges=[192.0.2.0/24]|AuthMechanism=[Tls,BasicAuth]",
     "", "", .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE)}, REPLAY_REFUSED, "RemoteIPRanges, Bindings, Enabled",
     "(no connector)", ""},
    {"another connector serves the address", ALL, ALL, "",
     "ReceiveConnector: Guid=c1|Name=c1|Bindings=[0.0.0.0:25]|RemoteIPRanges=[10.0.0.5]|AuthMechanism=[Tls]",
     .fact = {FACT_OF_SESSION, .text = TEXT(REMOTE)}, REPLAY_OTHERWISE, "RemoteIPRanges, Bindings, Enabled", NULL,
     "another receive connector"},
    {"a message larger than the limit", ALL "|MaxMessageSize=#1000000", ALL "|MaxMessageSize=#1000", "", "",
     .fact = {FACT_OF_MESSAGE, .code = 250, .text = TEXT(REMOTE, OUTWARD), .size = 1001}, REPLAY_REFUSED,
     "MaxMessageSize", "552 5.3.4", "1001 bytes, and the limit is 1000"},
    {"a message as large as the limit", ALL "|MaxMessageSize=#1000000", ALL "|MaxMessageSize=#1000", "", "",
     .fact = {FACT_OF_MESSAGE, .code = 250, .text = TEXT(REMOTE, OUTWARD), .size = 1000}, SAME},
    {"a size that the client could not declare", ALL, ALL "|MaxMessageSize=#1000|SizeEnabled=Disabled", "", "",
     .fact = {FACT_OF_MESSAGE, .code = 250, .text = TEXT(REMOTE, OUTWARD), .size = 5000}, REPLAY_REFUSED,
     "MaxMessageSize", "(552 at the end of the data: too large)", ""},
    {"a grant that has expired on both sides", ALL, ALL, ANYBODY_RELAYS "|Expires=#1600000000000", "",
     .fact = {FACT_OF_RCPT, .text = TEXT(REMOTE, OUTWARD)}, SAME},
    {"a greeting without a name", ALL, ALL "|RequireEHLODomain=$true", "", "",
     .fact = {FACT_OF_MAIL, .text = {REMOTE, [FACT_LOCAL] = SPAN_INIT("10.9.9.9:25"), OUTWARD}}, REPLAY_REFUSED,
     "RequireEHLODomain", NULL, ""},
};

struct world {
    struct test_world before, after;
    struct explain_facts facts[2];
    struct replay *replay;
    struct replay_report report;
};

static void open_world(struct world *w, const char *before, const char *before_lines, const char *after,
                       const char *after_lines)
{
    make_policy(&w->before, before, before_lines);
    make_policy(&w->after, after, after_lines);
    w->facts[0] = test_world_facts(&w->before);
    w->facts[1] = test_world_facts(&w->after);
    w->replay = replay_new(&(struct replay_side){w->before.policy.policy, &w->facts[0]},
                           &(struct replay_side){w->after.policy.policy, &w->facts[1]}, now_ms, key);
    assert_non_null(w->replay);
}

static void close_world(struct world *w)
{
    replay_free(w->replay);
    test_policy_done(&w->before.policy);
    test_policy_done(&w->after.policy);
}

static void one_fact(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        struct world w;
        struct fact f = r->fact;
        f.count = 3;
        f.last_ms = now_ms - 1000;
        open_world(&w, r->before, r->before_lines, r->after, r->after_lines);
        CHECK(r->name, replay_fact(w.replay, f.text[FACT_REMOTE], &f));
        CHECK_INT(r->name, replay_finish(w.replay, &w.report, NULL), ERR_NONE);
        CHECK_INT(r->name, w.report.facts, 1);
        CHECK_INT(r->name, w.report.client_count, r->direction != SAME);
        if (w.report.client_count) {
            const struct replay_change *x = w.report.clients[0].changes;
            const struct replay_outcome *refusal = x->direction == REPLAY_ACCEPTED ? &x->before : &x->after;
            CHECK_INT(r->name, w.report.clients[0].count, 1);
            CHECK_INT(r->name, (int)x->direction, r->direction);
            CHECK_SPAN(r->name, x->decided_by, span_of(r->decided_by));
            CHECK(r->name, !r->reply || span_starts(refusal->reply, span_of(r->reply)));
            CHECK(r->name, x->why.len && memmem(x->why.ptr, x->why.len, r->why, strlen(r->why)));
            CHECK_INT(r->name, x->sessions + x->messages + x->recipients, r->fact.question == FACT_OF_AUTH ? 0 : 3);
        }
        close_world(&w);
    }
}

/* ---- facts that are not run ---- */

static void skipped(void **state UNUSED)
{
    static const struct {
        const char *name;
        struct fact fact;
        const char *properties; /* of the connector; NULL: the usual */
        int skip;               /* enum replay_skip, or SAME: it is run */
        bool away;              /* the directory */
    } skips[] = {
        {"a logon that failed",
         {FACT_OF_AUTH, .code = 535, .text = TEXT(REMOTE, ALICE)},
         .skip = REPLAY_SKIP_LOGON},
        {"a logon of nobody", {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE)}, .skip = REPLAY_SKIP_LOGON},
        {"a logon", {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE, ALICE)}, .skip = SAME},
        {"turned away", {FACT_OF_SESSION, .code = 421, .text = TEXT(REMOTE)}, .skip = REPLAY_SKIP_TURNED_AWAY},
        {"a ClientHello in the clear",
         {FACT_OF_SESSION, .text = TEXT(REMOTE, [FACT_MISTAKE] = SPAN_INIT("tls"))},
         .skip = REPLAY_SKIP_MISTAKE},
        {"no address",
         {FACT_OF_SESSION, .text = TEXT([FACT_REMOTE] = SPAN_INIT("nowhere"))},
         .skip = REPLAY_SKIP_MALFORMED},
        {"no local address", {FACT_OF_SESSION, .text = {REMOTE}}, .skip = REPLAY_SKIP_MALFORMED},
        {"a line break",
         {FACT_OF_RCPT,
          .text = TEXT(
              REMOTE, [FACT_SENDER] = SPAN_INIT("a@x.test"), [FACT_RECIPIENT] = SPAN_INIT("b@x.test>\r\nRSET"))},
         .skip = REPLAY_SKIP_MALFORMED},
        {"no recipient",
         {FACT_OF_RCPT, .text = TEXT(REMOTE, [FACT_SENDER] = SPAN_INIT("a@x.test"))},
         .skip = REPLAY_SKIP_MALFORMED},
        {"a user of a directory that is away",
         {FACT_OF_AUTH, .code = 235, .text = TEXT(REMOTE, ALICE)},
         .skip = REPLAY_SKIP_UNREADABLE,
         .away = true},
        {"nobody, with the directory away", {FACT_OF_SESSION, .text = TEXT(REMOTE)}, .skip = SAME, .away = true},
        {"a certificate whose names count",
         {FACT_OF_SESSION,
          .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.3"), [FACT_CERTIFICATE] = SPAN_INIT(TEST_PIN_HUB))},
         ALL "|DomainSecureEnabled=$true",
         .skip = REPLAY_SKIP_PARTNER},
        {"a certificate whose names do not count",
         {FACT_OF_SESSION,
          .text = TEXT(REMOTE, [FACT_TLS] = SPAN_INIT("TLSv1.3"), [FACT_CERTIFICATE] = SPAN_INIT(TEST_PIN_HUB))},
         .skip = SAME},
    };
    for (size_t i = 0; i < ARRAY_LEN(skips); i++) {
        struct world w;
        struct fact f = skips[i].fact;
        f.count = 1;
        const char *properties = skips[i].properties ? skips[i].properties : ALL;
        open_world(&w, properties, "", properties, "");
        w.before.directory_away = w.after.directory_away = skips[i].away;
        CHECK(skips[i].name, replay_fact(w.replay, f.text[FACT_REMOTE], &f));
        CHECK_INT(skips[i].name, replay_finish(w.replay, &w.report, NULL), ERR_NONE);
        CHECK_INT(skips[i].name, w.report.facts, skips[i].skip == SAME);
        CHECK_INT(skips[i].name, w.report.client_count, 0);
        for (int k = 0; k < REPLAY_SKIPS; k++) {
            CHECK_INT(skips[i].name, w.report.skipped[k], k == skips[i].skip);
            CHECK(skips[i].name, *replay_skip_text((enum replay_skip)k) && *replay_skip_name((enum replay_skip)k));
        }
        close_world(&w);
    }
}

/* ---- many facts ---- */

/* Twice a recipient, whom somebody else is or this server; each time has a sender of its own. */
static bool add(struct world *w, unsigned network, unsigned host, bool relays, int64_t at)
{
    char remote[32], of[32], sender[48];
    snprintf(remote, sizeof remote, "10.0.%u.%u", network, host);
    snprintf(of, sizeof of, "10.0.%u.0", network);
    snprintf(sender, sizeof sender, "app%lld@far.test", (long long)at);
    struct fact f = {FACT_OF_RCPT, .code = 250, .count = 2, .last_ms = at, .text = TEXT(OUTWARD)};
    f.text[FACT_REMOTE] = span_of(remote);
    f.text[FACT_SENDER] = span_of(sender);
    if (!relays)
        f.text[FACT_RECIPIENT] = SPAN("alice@example.com");
    return replay_fact(w->replay, span_of(of), &f);
}

static void clients(void **state UNUSED)
{
    enum { NETWORKS = 40, HOSTS = 3 };
    struct world w;
    struct fact session = {FACT_OF_SESSION, .count = 7, .last_ms = 5,
                           .text = TEXT([FACT_REMOTE] = SPAN_INIT("10.0.3.1"))};
    open_world(&w, ALL, ANYBODY_RELAYS, ALL, "");
    for (unsigned n = NETWORKS; n-- > 0;)
        for (unsigned h = HOSTS; h-- > 0;) {
            assert_true(add(&w, n, h, h != 2, 1000 + h));
            assert_true(add(&w, n, h, h != 2, 2000 + h));
            if (n == 3 && h == 1)
                assert_true(replay_fact(w.replay, SPAN("10.0.3.0"), &session));
        }
    assert_int_equal(replay_finish(w.replay, &w.report, NULL), ERR_NONE);
    assert_int_equal(w.report.facts, NETWORKS * HOSTS * 2 + 1);
    assert_int_equal(w.report.recipients, NETWORKS * HOSTS * 4);
    assert_int_equal(w.report.sessions, 7);
    assert_int_equal(w.report.clients_seen, NETWORKS * HOSTS);
    assert_int_equal(w.report.client_count, NETWORKS * 2);
    assert_true(w.report.runs <= 2 * HOSTS + 1); /* what differs is the sender and whether it relays */
    for (size_t i = 0; i < w.report.client_count; i++) {
        const struct replay_client *k = &w.report.clients[i];
        char remote[32];
        snprintf(remote, sizeof remote, "10.0.%zu.%zu", i / 2, i % 2); /* by address */
        CHECK_SPAN(remote, k->remote, span_of(remote));
        CHECK_INT(remote, k->count, 1);
        CHECK_INT(remote, k->changes[0].recipients, 4);
        CHECK_INT(remote, k->changes[0].last_ms, 2000 + (int64_t)(i % 2));
        CHECK_INT(remote, k->last_ms, 2000 + (int64_t)(i % 2));
        CHECK_INT(remote, k->sessions, i == 7 ? 7 : 0);
        CHECK_SPAN(remote, k->changes[0].recipient, SPAN("bob@other.test"));
    }
    close_world(&w);
}

/* What is refused newly comes first, of clients and of the changes of one. */
static void worst_first(void **state UNUSED)
{
    static const char *const only_to_other =
        "ADPermission: Connector=c0|User=S-1-5-7|ExtendedRight=" RELAY "|Deny=$false|Recipients=[*@other.test]";
    static const char *const only_to_far =
        "ADPermission: Connector=c0|User=S-1-5-7|ExtendedRight=" RELAY "|Deny=$false|Recipients=[*@far.test]";
    static const struct fact facts[] = {
        {FACT_OF_RCPT, .text = TEXT([FACT_REMOTE] = SPAN_INIT("10.0.0.2"), [FACT_SENDER] = SPAN_INIT("a@b.test"),
                                    [FACT_RECIPIENT] = SPAN_INIT("x@far.test"))},
        {FACT_OF_RCPT, .text = TEXT([FACT_REMOTE] = SPAN_INIT("10.0.0.9"), [FACT_SENDER] = SPAN_INIT("a@b.test"),
                                    [FACT_RECIPIENT] = SPAN_INIT("x@far.test"))},
        {FACT_OF_RCPT, .text = TEXT([FACT_REMOTE] = SPAN_INIT("10.0.0.9"), [FACT_SENDER] = SPAN_INIT("a@b.test"),
                                    [FACT_RECIPIENT] = SPAN_INIT("x@other.test"))},
    };
    struct world w;
    open_world(&w, ALL, only_to_other, ALL, only_to_far);
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        assert_true(replay_fact(w.replay, facts[i].text[FACT_REMOTE], &facts[i]));
    assert_int_equal(replay_finish(w.replay, &w.report, NULL), ERR_NONE);
    assert_int_equal(w.report.client_count, 2);
    const struct replay_client *k = w.report.clients;
    CHECK_SPAN("first", k[0].remote, SPAN("10.0.0.9"));
    assert_int_equal(k[0].count, 2);
    assert_int_equal(k[0].changes[0].direction, REPLAY_REFUSED);
    assert_int_equal(k[0].changes[1].direction, REPLAY_ACCEPTED);
    CHECK_SPAN("second", k[1].remote, SPAN("10.0.0.2"));
    assert_int_equal(k[1].changes[0].direction, REPLAY_ACCEPTED);
    close_world(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(one_fact), cmocka_unit_test(skipped),
                                              cmocka_unit_test(clients), cmocka_unit_test(worst_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
