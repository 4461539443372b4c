/*
 * test_routing.c: where a message goes. Each row sends one and names all jobs that come of it; afterwards nothing
 * of it is left.
 */
#include "role/queue/test_support.h"

#include <stdlib.h>
#include <string.h>

enum { WANT_MAX = 6 };

struct routed {
    const char *name;
    struct bench_mail mail;
    const char *want[WANT_MAX]; /* in any order */
    const char *report[4];      /* what stands in the one report */
};

static const struct routed rows[] = {
    {"a mailbox",
     {.from = "bob@example.com", .to = "alice@example.com"},
     {"Maildir alice@example.com for alice@example.com"}},
    {"an alias",
     {.from = "bob@example.com", .to = "al@example.com"},
     {"Maildir alice@example.com for al@example.com"}},
    {"an alias and its mailbox",
     {.from = "bob@example.com", .to = "al@example.com,alice@example.com"},
     {"Maildir alice@example.com for al@example.com"}},
    {"aliases, mailbox and somebody else",
     {.from = "bob@example.com", .to = "alice@example.com,dave@example.com,al@example.com,ali@example.com"},
     {"Maildir alice@example.com for alice@example.com", "Maildir dave@example.com for dave@example.com"}},
    {"two mailboxes",
     {.from = "bob@example.com", .to = "dave@example.com,alice@example.com"},
     {"Maildir alice@example.com for alice@example.com", "Maildir dave@example.com for dave@example.com"}},
    {"a contact",
     {.from = "bob@example.com", .to = "partner@example.com"},
     {"SMTP relay.test:2525 192.0.2.9:2525 for p@far.test"}},
    {"contacts in a circle",
     {.from = "bob@example.com", .to = "round@example.com"},
     {"report, Maildir bob@example.com for bob@example.com"},
     {"Final-Recipient: rfc822;round@example.com\r\nAction: failed\r\nStatus: 5.4.6\r\n"}},
    {"groups that contain each other",
     {.from = "bob@example.com", .to = "staff@example.com"},
     {"Maildir alice@example.com for alice@example.com", "Maildir bob@example.com for bob@example.com",
      "Maildir carol@example.com for carol@example.com", "SMTP relay.test:2525 192.0.2.9:2525 for p@far.test"}},
    {"a group, members of it and an alias of one",
     {.from = "bob@example.com", .to = "al@example.com,staff@example.com,bob@example.com,team@example.com"},
     {"Maildir alice@example.com for al@example.com", "Maildir bob@example.com for bob@example.com",
      "Maildir carol@example.com for carol@example.com", "SMTP relay.test:2525 192.0.2.9:2525 for p@far.test"}},
    {"a group without members", {.from = "bob@example.com", .to = "none@example.com"}, {NULL}},
    {"a group, with a report of success",
     {.from = "dave@example.com",
      .to = "team@example.com",
      .notify = SMTP_NOTIFY_SUCCESS,
      .orcpt = "rfc822;everybody@example.com"},
     {"report, Maildir dave@example.com for dave@example.com", "Maildir alice@example.com for alice@example.com",
      "Maildir bob@example.com for bob@example.com", "Maildir carol@example.com for carol@example.com",
      "SMTP relay.test:2525 192.0.2.9:2525 for p@far.test"},
     {"Original-Recipient: rfc822;everybody@example.com\r\nFinal-Recipient: rfc822;team@example.com\r\n"
      "Action: expanded\r\nStatus: 2.1.5\r\n"}},
    {"nobody of this name",
     {.from = "bob@example.com", .to = "nobody@example.com"},
     {"report, Maildir bob@example.com for bob@example.com"},
     {"Final-Recipient: rfc822;nobody@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n",
      "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"}},
    {"nobody, and somebody",
     {.from = "bob@example.com", .to = "nobody@example.com,alice@example.com,never@example.com"},
     {"report, Maildir bob@example.com for bob@example.com", "Maildir alice@example.com for alice@example.com"},
     {"Final-Recipient: rfc822;nobody@example.com\r\n", "Final-Recipient: rfc822;never@example.com\r\n"}},
    {"nobody, from a stranger",
     {.from = "s@far.test", .to = "nobody@example.com"},
     {"report, SMTP relay.test:2525 192.0.2.9:2525 for s@far.test"},
     {"Status: 5.1.1"}},
    {"nobody, from <>", {.to = "nobody@example.com"}, {NULL}},
    {"nobody, from nobody", {.from = "never@example.com", .to = "nobody@example.com"}, {NULL}},
    {"smart host",
     {.from = "bob@example.com", .to = "a@far.test,alice@example.com,b@FAR.test"},
     {"SMTP relay.test:2525 192.0.2.9:2525 for a@far.test b@FAR.test",
      "Maildir alice@example.com for alice@example.com"}},
    {"mail exchangers",
     {.from = "bob@example.com", .to = "a@one.test,b@two.test,c@One.test"},
     {"MX one.test for a@one.test c@One.test", "MX two.test for b@two.test"}},
};

static struct span describe(struct bench *b, const struct bench_job *j)
{
    const struct delivery_destination *to = &j->job.to;
    struct span hosts = SPAN("");
    const char *report = j->job.sender.len ? "" : "report, ";
    struct span recipients = bench_recipients(b, j);
    for (size_t i = 0; i < to->host_count; i++)
        hosts = arena_printf(&b->arena, "%.*s%s%.*s:%u", SPAN_ARG(hosts), i ? " " : "", SPAN_ARG(to->hosts[i].name),
                             to->hosts[i].port);
    if (to->kind == DELIVERY_MAILDIR)
        return arena_printf(&b->arena, "%sMaildir %.*s for %.*s", report, SPAN_ARG(to->mailbox),
                            SPAN_ARG(recipients));
    if (to->host_count == 0)
        return arena_printf(&b->arena, "%sMX %.*s for %.*s", report, SPAN_ARG(to->mx_domain), SPAN_ARG(recipients));
    return arena_printf(&b->arena, "%s%s %.*s for %.*s", report, to->kind == DELIVERY_LMTP ? "LMTP" : "SMTP",
                        SPAN_ARG(hosts), SPAN_ARG(recipients));
}

/* Which of the row's jobs this is; each may come once. */
static size_t match(const struct routed *r, struct span job, const bool seen[static WANT_MAX])
{
    for (size_t i = 0; i < WANT_MAX; i++)
        if (r->want[i] && !seen[i] && span_eq(job, span_of(r->want[i])))
            return i;
    print_error("row `%s`: a job `%.*s`\n", r->name, SPAN_ARG(job));
    fail();
    return 0;
}

static void check_row(struct bench *b, const struct routed *r)
{
    bool seen[WANT_MAX] = {0};
    uint64_t id = bench_send(b, &r->mail);
    for (size_t i = 0; i < WANT_MAX && r->want[i]; i++) {
        const struct bench_job *j = bench_deliver(b);
        seen[match(r, describe(b, j), seen)] = true;
        CHECK(r->name, j->job.first_attempt);
        CHECK(r->name, (j->job.message_id == id) == (j->job.sender.len > 0));
        for (size_t k = 0; j->job.sender.len == 0 && k < ARRAY_LEN(r->report) && r->report[k]; k++)
            CHECK_HAS(r->name, j->job.body, r->report[k]);
    }
    bench_until_messages(b, 0);
    CHECK_INT(r->name, b->job_count, b->job_next);
}

static void routes(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(b, &rows[i]);
    bench_finish(b, 0);
}

/* RFC 3461, 5.2.7.1: the group is told of as expanded, its members' next hops are not asked for success. */
static void notify_of_members(void **state)
{
    static const struct {
        const char *name;
        uint32_t group, member;
    } notifies[] = {
        {"not said", 0, 0},
        {"success", SMTP_NOTIFY_SUCCESS, SMTP_NOTIFY_NEVER},
        {"never", SMTP_NOTIFY_NEVER, SMTP_NOTIFY_NEVER},
        {"success and failure", SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE, SMTP_NOTIFY_FAILURE},
        {"delay and failure", SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE, SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(notifies); i++) {
        BENCH_SEND(b, "bob@example.com", "staff@example.com", notifies[i].group);
        for (size_t n = 0; n < 4;) {
            const struct bench_job *j = bench_deliver(b);
            if (j->job.sender.len == 0)
                continue;
            CHECK_INT(notifies[i].name, j->job.recipients[0].notify, notifies[i].member);
            n++;
        }
        while (b->job_next < b->job_count)
            bench_deliver(b);
    }
    bench_ask_drain(b);
    bench_drained(b);
}

static void many_at_a_smart_host(void **state)
{
    static const size_t counts[] = {100, 100, 50};
    struct bench *b = *state;
    struct buf to;
    buf_init(&to, 8192);
    for (size_t i = 0; i < 250; i++)
        buf_addf(&to, "%su%zu@far.test", i ? "," : "", i);
    buf_add_char(&to, '\0');
    BENCH_SEND(b, "bob@example.com", to.ptr);
    buf_done(&to);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        assert_int_equal(bench_deliver(b)->job.recipient_count, counts[i]);
    bench_finish(b, 0);
    assert_int_equal(b->job_count, ARRAY_LEN(counts));
}

/* What the connector says of TLS, HELO and the password reaches deliver. */
static void connector_settings(void **state)
{
    struct bench *b = *state;
    bench_policy(
        b, NULL,
        "SendConnector: Guid=s1|Name=safe|AddressSpaces=[safe.test]|DNSRoutingEnabled=$false|SmartHosts=[h.test]|"
        "RequireTLS=$true|ForceHELO=$true|Fqdn=out.example.com|SmartHostAuthMechanism=BasicAuthRequireTLS|"
        "AuthenticationUserName=me|AuthenticationPassword=~pw\n"
        "SendConnector: Guid=s2|Name=old|AddressSpaces=[old.test]|IgnoreSTARTTLS=$true|Port=#26|"
        "ProtocolLoggingLevel=Verbose|ConnectionInactivityTimeOut=#7000\n");
    BENCH_SEND(b, "bob@example.com", "a@safe.test");
    const struct bench_job *safe = bench_deliver(b);
    CHECK_INT("safe", safe->job.to.tls, DELIVERY_TLS_REQUIRED);
    CHECK("safe", safe->job.to.force_helo && !safe->job.to.auth_without_tls);
    CHECK_TEXT("safe", safe->job.to.helo_name, "out.example.com");
    CHECK_TEXT("safe", safe->job.to.user, "me");
    CHECK_TEXT("safe", safe->password, "pw");
    CHECK_TEXT("safe", safe->job.to.log_name, "");
    CHECK_INT("safe", safe->job.to.inactivity_ms, 600000);
    CHECK_INT("safe", safe->job.to.hosts[0].port, 25);
    BENCH_SEND(b, "bob@example.com", "a@old.test");
    const struct bench_job *old = bench_deliver(b);
    CHECK_INT("old", old->job.to.tls, DELIVERY_TLS_NONE);
    CHECK_TEXT("old", old->job.to.helo_name, "mail.example.com");
    CHECK_TEXT("old", old->job.to.mx_domain, "old.test");
    CHECK_INT("old", old->job.to.mx_port, 26);
    CHECK_TEXT("old", old->job.to.log_name, "old");
    CHECK_INT("old", old->job.to.inactivity_ms, 7000);
    CHECK_INT("old", old->job.to.user.len + old->password.len, 0);
    bench_finish(b, 0);
}

static void lmtp(void **state)
{
    static const struct {
        const char *host, *want;
    } hosts[] = {
        {"127.0.0.1:2424", "LMTP 127.0.0.1:2424 for alice@example.com bob@example.com"},
        {"store.test", "LMTP store.test:24 for alice@example.com bob@example.com"},
        {"2001:db8::1", "LMTP 2001:db8::1:24 for alice@example.com bob@example.com"},
        {"/run/lmtp", "LMTP /run/lmtp:24 for alice@example.com bob@example.com"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char settings[128];
        snprintf(settings, sizeof settings, "MailboxDeliveryProtocol=Lmtp|MailboxDeliveryHost=%s", hosts[i].host);
        bench_policy(b, settings, NULL);
        BENCH_SEND(b, "dave@example.com", "alice@example.com,bob@example.com");
        CHECK_TEXT(hosts[i].host, describe(b, bench_deliver(b)), hosts[i].want);
    }
    bench_finish(b, 0);
}

/* Mail for which there is no connector waits; the policy that has one sends it on at once. */
static void no_connector(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageRetryInterval=#3600000", "");
    BENCH_SEND(b, "bob@example.com", "a@far.test");
    bench_until(b, QUEUE_LIST_MESSAGES, "Status", "Retry");
    CHECK_HAS("error", bench_property(b, 0, "LastError"), "no send connector covers the domain");
    CHECK_TEXT("queue", bench_property(b, 0, "Queue"), "mail\\unreachable");
    bench_list(b, QUEUE_LIST_QUEUES, 0, 10);
    assert_int_equal(b->record_count, 1);
    CHECK_TEXT("queue", bench_property(b, 0, "Identity"), "mail\\unreachable");
    CHECK_TEXT("queue", bench_property(b, 0, "DeliveryType"), "Unreachable");
    assert_int_equal(b->job_count, 0);
    bench_policy(b, "MessageRetryInterval=#3600000", NULL);
    CHECK_TEXT("job", describe(b, bench_deliver(b)), "SMTP relay.test:2525 192.0.2.9:2525 for a@far.test");
    bench_finish(b, 0);
}

/* What is too large for the way that it would go comes back; a mail of this test has 50 octets. */
static void sizes(void **state)
{
    static const struct {
        const char *name, *objects, *to, *status;
    } limits[] = {
        {"send connector",
         "SendConnector: "
         "Guid=s1|Name=small|AddressSpaces=[*]|DNSRoutingEnabled=$false|SmartHosts=[a.test]|MaxMessageSize=#49",
         "a@far.test", "Status: 5.3.4\r\n"},
        {"mailbox", "TransportConfig: MaxReceiveSize=#49", "alice@example.com", "Status: 5.2.3\r\n"},
        {"sender", "TransportConfig: MaxSendSize=#49", "alice@example.com", "Status: 5.2.3\r\n"},
        {"just fits", "TransportConfig: MaxSendSize=#50|MaxReceiveSize=#50", "alice@example.com", NULL},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        bench_policy(b, NULL, limits[i].objects);
        BENCH_SEND(b, "bob@example.com", limits[i].to);
        const struct bench_job *j = bench_deliver(b);
        CHECK_TEXT(limits[i].name, j->job.sender, limits[i].status ? "" : "bob@example.com");
        if (limits[i].status)
            CHECK_HAS(limits[i].name, j->job.body, limits[i].status);
    }
    bench_finish(b, 0);
}

/* Recipients that want an authenticated sender, named or reached through others; the report says who. */
static void authenticated_senders(void **state)
{
    static const struct {
        const char *name, *to;
        bool anonymous;
        const char *refused; /* whose address the report names; NULL: it is delivered */
    } mails[] = {
        {"mailbox, anonymous", "guarded.box@example.com", true, "guarded.box@example.com"},
        {"mailbox, a user", "guarded.box@example.com", false, NULL},
        {"contact, anonymous", "guarded.contact@example.com", true, "guarded.contact@example.com"},
        {"contact, a user", "guarded.contact@example.com", false, NULL},
        {"group, anonymous", "guarded.team@example.com", true, "guarded.team@example.com"},
        {"group, a user", "guarded.team@example.com", false, NULL},
        {"a member, anonymous", "guarding@example.com", true, "guarded.box@example.com"},
        {"a member, a user", "guarding@example.com", false, NULL},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
        BENCH_SEND(b, "bob@example.com", mails[i].to, .anonymous = mails[i].anonymous);
        const struct bench_job *j = bench_deliver(b);
        CHECK_TEXT(mails[i].name, j->job.sender, mails[i].refused ? "" : "bob@example.com");
        if (!mails[i].refused)
            continue;
        CHECK_HAS(mails[i].name, j->job.body, mails[i].refused);
        CHECK_HAS(mails[i].name, j->job.body, "#550 5.7.1 RESOLVER.RST.AuthRequired; authentication required ##");
    }
    /* Reports are nobody's, and ours: they reach whoever is told. */
    BENCH_SEND(b, "guarded.box@example.com", "nobody@example.com", .anonymous = true);
    const struct bench_job *report = bench_deliver(b);
    CHECK_TEXT("report", report->job.sender, "");
    CHECK_HAS("report", report->job.body, "RESOLVER.ADR.RecipNotFound");
    bench_finish(b, 0);
}

/* An alias has the fate of the recipient that is sent in its place: it fails with it, and waits with it. */
static void fate_of_aliases(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageRetryInterval=#100|MailboxDeliveryQueueRetryInterval=#100", NULL);
    bench_rule(b, (struct bench_rule){.address = "alice@example.com",
                                      .outcome = DELIVERY_PERMANENT,
                                      .code = 552,
                                      .enhanced = "5.2.2",
                                      .text = "full"});
    BENCH_SEND(b, "bob@example.com", "alice@example.com,al@example.com");
    CHECK_TEXT("failed", bench_recipients(b, bench_deliver(b)), "alice@example.com");
    const struct bench_job *report = bench_deliver(b);
    CHECK_HAS("report", report->job.body, "Final-Recipient: rfc822;alice@example.com\r\nAction: failed\r\n");
    CHECK_HAS("report", report->job.body, "Final-Recipient: rfc822;al@example.com\r\nAction: failed\r\n");
    bench_until_messages(b, 0);

    bench_rule(b, (struct bench_rule){.address = "alice@example.com",
                                      .outcome = DELIVERY_TEMPORARY,
                                      .code = 452,
                                      .enhanced = "4.2.2",
                                      .text = "full"});
    BENCH_SEND(b, "bob@example.com", "alice@example.com,al@example.com", SMTP_NOTIFY_SUCCESS);
    CHECK_TEXT("deferred", bench_recipients(b, bench_deliver(b)), "alice@example.com");
    bench_no_rules(b);
    CHECK_TEXT("again", bench_recipients(b, bench_deliver(b)), "alice@example.com");
    report = bench_deliver(b);
    CHECK_HAS("success", report->job.body, "Final-Recipient: rfc822;alice@example.com\r\nAction: delivered\r\n");
    CHECK_HAS("success", report->job.body, "Final-Recipient: rfc822;al@example.com\r\nAction: delivered\r\n");
    bench_finish(b, 0);
    CHECK_INT("one copy each", b->job_count, b->job_next);
}

/* Neither a directory that cannot say nor one that dies loses a recipient; both are asked again. */
static void directory_unavailable(void **state)
{
    struct bench *b = *state;
    b->directory_fails = true;
    BENCH_SEND(b, "bob@example.com", "alice@example.com");
    bench_until(b, QUEUE_LIST_MESSAGES, "LastError", "450 4.3.2 the directory cannot be asked at the moment");
    b->directory_silent = true;
    BENCH_SEND(b, "bob@example.com", "dave@example.com");
    BENCH_UNTIL(b, b->questions == 2);
    bench_lose(b, BENCH_DIRECTORY);
    BENCH_SEND(b, "bob@example.com", "carol@example.com"); /* whom nobody can be asked about */
    b->directory_silent = b->directory_fails = false;
    bench_join(b, BENCH_DIRECTORY);
    assert_int_equal(b->job_count, 0);
    for (size_t i = 0; i < 3; i++)
        bench_deliver(b);
    bench_finish(b, 0);
    assert_int_equal(b->questions, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(routes, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(notify_of_members, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(many_at_a_smart_host, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(connector_settings, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(lmtp, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(no_connector, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(sizes, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(authenticated_senders, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(fate_of_aliases, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(directory_unavailable, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
