/* test_explain_parts.c: what else an explanation shows, what cannot be said, and that a trial leaves nothing. */
#include "cli/test_explain_stage.h"

#include <string.h>

/* Nothing of what a trial does is left in the stores. */
static void test_trials_leave_nothing(void **state UNUSED)
{
    struct stage t;
    struct explain_session s = stage_session(PORT25, "x@far.test", "bob@far.test");
    stage_open(&t, 0, OUT, CERT);
    stage_explain(&t, &s);
    uint64_t policy = object_store_generation(t.stores.policy),
             users = object_store_generation(t.stores.recipients);
    stage_search(&t);
    CHECK("remedies", t.e->remedy_count > 0);
    CHECK_INT("policy", object_store_generation(t.stores.policy), policy);
    CHECK_INT("recipients", object_store_generation(t.stores.recipients), users);
    stage_close(&t);
}

/* ---- what cannot be said ---- */

static void test_unknown(void **state UNUSED)
{
    static const struct {
        const char *name, *session, *to, *reason;
        bool no_directory, no_certificates;
        enum explain_verdict verdict;
    } unknowns[] = {
        {"a user, directory away", CLIENT " tls user=alice", "bob@far.test", "the directory is gone", true, false,
         EXPLAIN_UNKNOWN},
        {"a recipient of ours, directory away", PORT25, "alice@example.com", "the directory is gone", true, false,
         EXPLAIN_UNKNOWN},
        {"relaying, directory away", PORT25, "bob@far.test", "relaying", true, false, EXPLAIN_REFUSED},
        {"TLS, certificates away", CLIENT " tls user=alice", "bob@far.test", "no certificates for you", false, true,
         EXPLAIN_UNKNOWN},
        {"in the clear, certificates away", PORT25, "alice@example.com", "every right", false, true,
         EXPLAIN_ALLOWED},
    };
    for (size_t i = 0; i < ARRAY_LEN(unknowns); i++) {
        const char *row = unknowns[i].name;
        struct explain_session s = stage_session(unknowns[i].session, "x@far.test", unknowns[i].to);
        struct stage t;
        stage_open(&t, 0, ALICE OUT APPS, CERT);
        if (unknowns[i].no_certificates)
            err_set(&t.certificates.unreadable, ERR_DENIED, "no certificates for you");
        stage_explain(&t, &s);
        if (unknowns[i].no_directory) {
            t.stores.directory = NULL;
            err_set(&t.stores.directory_err, ERR_DENIED, "the directory is gone");
            assert_true(explain(t.policy, &t.facts, &s, &t.arena, t.e));
        }
        CHECK_INT(row, t.e->verdict, unknowns[i].verdict);
        if (!stage_contains(t.e->reason, unknowns[i].reason))
            CHECK_SPAN(row, t.e->reason, span_of(unknowns[i].reason));
        stage_search(&t);
        if (t.e->verdict == EXPLAIN_UNKNOWN)
            CHECK_INT(row, t.e->remedy_count, 0);
        stage_close(&t);
    }
}

/* ---- the other parts ---- */

static void test_offers(void **state UNUSED)
{
    struct stage t;
    struct explain_session s = stage_session(PORT25, "x@far.test", "bob@example.com");
    stage_open(&t, 0,
               APPS
               "Set-ReceiveConnector Apps -ChunkingEnabled $false -BinaryMimeEnabled $false -SizeEnabled Disabled",
               CERT);
    stage_explain(&t, &s);
    static const char *const missing[] = {"SIZE", "AUTH", "BINARYMIME", "CHUNKING", "XORAR", "XLONGADDR"};
    const struct explain_offer *o = &t.e->before_tls;
    CHECK_INT("reachable", o->reachable, true);
    CHECK_INT("missing", o->missing_count, ARRAY_LEN(missing));
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        CHECK_STR("missing", o->missing[i].keyword, missing[i]);
        CHECK(missing[i], o->missing[i].why.len);
    }
    CHECK_SPAN("why", o->missing[3].why, SPAN("ChunkingEnabled is $false"));
    CHECK_INT("TLS", t.e->after_tls.reachable, true);
    CHECK_INT("under TLS", t.e->after_tls.missing_count, ARRAY_LEN(missing)); /* STARTTLS is not missed there */
    stage_close(&t);
}

static const struct explain_limit *find_limit(const struct explanation *e, const char *name, const char *of)
{
    for (size_t i = 0; i < e->limit_count; i++)
        if (strcmp(e->limits[i].name, name) == 0 && stage_contains(e->limits[i].of, of))
            return &e->limits[i];
    fail_msg("no limit %s of %s", name, of);
    return NULL;
}

static void test_limits(void **state UNUSED)
{
    static const struct {
        const char *name, *script, *to, *winner, *of;
    } limits[] = {
        {"the connector", "Set-TransportConfig -MaxSendSize 20MB -MaxReceiveSize 20MB", "alice@example.com",
         "MaxMessageSize", "Client mail"},
        {"the organisation, sending", "Set-TransportConfig -MaxSendSize 5MB", "alice@example.com", "MaxSendSize",
         "organisation"},
        {"the organisation, receiving", "Set-TransportConfig -MaxReceiveSize 5MB -MaxSendSize 20MB",
         "alice@example.com", "MaxReceiveSize", "organisation"},
        {"the send connector", "Set-SendConnector out -MaxMessageSize 2MB", "bob@far.test", "MaxMessageSize",
         "send connector"},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct explain_session s = stage_session(CLIENT " tls user=alice", "alice@example.com", limits[i].to);
        struct stage t;
        char script[512];
        snprintf(script, sizeof script, ALICE OUT "%s", limits[i].script);
        stage_open(&t, 0, script, CERT);
        stage_explain(&t, &s);
        size_t wins = 0;
        for (size_t k = 0; k < t.e->limit_count; k++)
            wins += t.e->limits[k].wins;
        CHECK_INT(limits[i].name, wins, 1);
        CHECK(limits[i].name, find_limit(t.e, limits[i].winner, limits[i].of)->wins);
        CHECK(limits[i].name, find_limit(t.e, "MaxInboundConnection", "Client mail")->live);
        CHECK(limits[i].name, !find_limit(t.e, "MessageRateLimit", "Client mail")->live); /* unlimited */
        stage_close(&t);
    }
}

static void test_route(void **state UNUSED)
{
    struct stage t;
    struct explain_session s = stage_session(CLIENT " tls user=alice", "alice@example.com", "carol@example.com");
    stage_open(&t, 0,
               ALICE OUT "New-MailContact -Name carol -PrimarySmtpAddress carol@example.com "
                         "-ExternalEmailAddress carol@partner.test",
               CERT);
    stage_explain(&t, &s);
    CHECK_INT("hops", t.e->hop_count, 2);
    CHECK_INT("first", t.e->hops[0].route.kind, ROUTE_REDIRECT);
    CHECK_INT("first", t.e->hops[0].found.kind, RESOLVED_CONTACT);
    CHECK_SPAN("second", t.e->hops[1].address, SPAN("carol@partner.test"));
    CHECK_INT("second", t.e->hops[1].route.kind, ROUTE_RELAY);
    CHECK_SPAN("queue", t.e->hops[1].queue, SPAN("mx:partner.test"));
    stage_close(&t);
}

/* Both printers have the facts; the text has no control character of the arguments. */
static void test_printing(void **state UNUSED)
{
    static const char *const parts[] = {
        "REFUSED at RCPT: 550 5.7.1 Unable to relay",
        "* Apps                           matches by 10.0.0.0-10.0.0.255: wins",
        "- Default mail                   matches by 0.0.0.0-255.255.255.255: loses, its range is larger",
        "no AUTH: BasicAuth is not in AuthMechanism",
        "NT AUTHORITY\\ANONYMOUS LOGON, Everyone",
        "C: RCPT TO:<bob@far.test>",
        "ms-Exch-SMTP-Accept-Any-Recipient: granted to nobody that this session is",
        "S: 550 5.7.1 Unable to relay",
        "it cannot be known here",
        "by send connector \"out\", to the servers that MX records name (queue mx:far.test)",
        "opens: every client of 10.0.0.0-10.0.0.255 on port 2025 could send to any domain, without logging on",
    };
    static const char *const json[] = {"\"verdict\": \"refused\"",      "\"cause\": \"right\"",
                                       "\"losesBy\": \"larger-range\"", "\"keyword\": \"AUTH\"",
                                       "\"result\": \"missing\"",       "\"sendConnector\": \"out\"",
                                       "\"kind\": \"commands\""};
    struct stage t;
    struct buf out;
    struct explain_session s = stage_session(PORT25, "x@exam\x1bple.com", "bob@far.test");
    s.sender = SPAN("x@example.com");
    stage_open(&t, 0, APPS OUT, CERT);
    stage_explain(&t, &s);
    stage_search(&t);
    buf_init(&out, 1 << 20);
    explain_print(&out, t.e);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!stage_contains(buf_span(&out), parts[i]))
            fail_msg("there is no `%s` in %.*s", parts[i], SPAN_ARG(buf_span(&out)));
    CHECK("no escape", !memchr(out.ptr, 0x1b, out.len));
    buf_clear(&out);
    explain_print_json(&out, t.e);
    CHECK_INT("json", out.failed, false);
    for (size_t i = 0; i < ARRAY_LEN(json); i++)
        if (!stage_contains(buf_span(&out), json[i]))
            fail_msg("there is no `%s` in %.*s", json[i], SPAN_ARG(buf_span(&out)));
    buf_done(&out);
    stage_close(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials_leave_nothing),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_route),
        cmocka_unit_test(test_printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
