/*
 * test_explain.c: explanations over policies that cmdlets made: what is said, and that every command that is
 * proposed does allow the message, alone and exactly as it is printed.
 */
#include "check.h"
#include "cli/explain_stores.h"
#include "cmdlet/test_support.h"
#include "directory/memory.h"
#include "tls/test_support.h"

#include <stdlib.h>
#include <string.h>

struct stage {
    struct bench bench;
    struct directory *directory;
    struct explain_certificates certificates;
    struct node_settings node;
    struct explain_stores stores;
    struct arena arena;
    struct buf block;
    struct policy *policy;
    struct explain_facts facts;
    struct explanation *e;
};

/* The directory of the bench's recipients; passwords are not in its records, so each gets one. */
static struct directory *make_directory(struct stage *t)
{
    static const char *const classes[] = {"Mailbox", "MailContact", "DistributionGroup"};
    struct directory *d = directory_memory_new();
    struct err err;
    assert_non_null(d);
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct record **all;
        size_t count;
        assert_int_equal(
            object_store_list(t->bench.context.recipients, span_of(classes[i]), &t->arena, &all, &count, &err),
            ERR_NONE);
        for (size_t k = 0; k < count; k++) {
            struct value secret = {.kind = VALUE_SECRET, .s = SPAN_INIT("password1")};
            bool without = span_eq(record_string(all[k], SPAN("Name")), SPAN("keyless"));
            if (i == 0 && !without)
                assert_true(record_set(all[k], SPAN("Password"), secret));
            assert_int_equal(directory_memory_put(d, all[k], &err), ERR_NONE);
        }
    }
    return d;
}

static void make_certificates(struct stage *t, const char *name)
{
    struct explain_certificates *c = &t->certificates;
    if (!name)
        return;
    c->ids[0] = test_self_signed(name, t->stores.now_ms - TEST_DAY);
    snprintf(c->files[0], sizeof c->files[0], "certs/%s.crt", name);
    c->count = 1;
}

static void open_stage(struct stage *t, unsigned flags, const char *script, const char *certificate)
{
    *t = (struct stage){.node = {.host = "mail.example.com", .port_offset = 2000, .edge = flags & BENCH_EDGE}};
    arena_init(&t->arena, 0);
    bench_init(&t->bench, flags);
    t->bench.secret = "password1";
    if (bench_run(&t->bench, script))
        fail_msg("%s: %s", script, t->bench.err.text);
    t->stores = (struct explain_stores){.policy = t->bench.context.policy,
                                        .recipients = t->bench.context.recipients,
                                        .certificates = &t->certificates,
                                        .node = &t->node,
                                        .now_ms = INT64_C(1700000000000)};
    make_certificates(t, certificate);
}

static void close_stage(struct stage *t)
{
    directory_close(t->directory);
    explain_certificates_free(&t->certificates);
    policy_close(t->policy);
    buf_done(&t->block);
    arena_clear(&t->arena);
    bench_done(&t->bench);
}

/* Explains over the bench as it is now. */
static void explain_now(struct stage *t, const struct explain_session *s)
{
    struct err err;
    policy_close(TAKE_PTR(t->policy));
    buf_done(&t->block);
    directory_close(t->directory);
    t->directory = t->stores.directory = make_directory(t);
    if (explain_stores_compile(t->bench.context.policy, &t->block, &t->policy, &err))
        fail_msg("%s", err.text);
    t->facts = explain_stores_facts(&t->stores);
    t->e = ARENA_NEW(&t->arena, struct explanation);
    assert_true(explain(t->policy, &t->facts, s, &t->arena, t->e));
}

static void search(struct stage *t)
{
    struct explain_trial_run *run = explain_trial_new(&t->stores);
    struct explain_trial trial = explain_trial_of(run);
    assert_non_null(run);
    assert_true(explain_search(t->e, &trial));
    explain_trial_free(run);
}

/* "10.0.0.5 10.0.0.1:25 tls user=alice size=100" */
static struct explain_session read_session(const char *words, const char *from, const char *to)
{
    struct explain_session s = {.helo = SPAN("[192.0.2.1]"),
                                .sender = span_of(from),
                                .header_from = span_of(from),
                                .recipient = span_of(to)};
    size_t n = 0;
    for (struct span rest = span_of(words), word; span_split(&rest, ' ', &word); n++) {
        if (n == 0)
            assert_true(ip_parse(word, &s.remote));
        else if (n == 1)
            assert_true(ip_parse_endpoint(word, &s.local));
        else if (span_eq(word, SPAN("tls")))
            s.tls = true;
        else if (span_starts(word, SPAN("size=")))
            s.size = strtoull(word.ptr + 5, NULL, 10);
        else if (span_starts(word, SPAN("header=")))
            s.header_from = span_from(word, 7);
        else if (span_starts(word, SPAN("helo=")))
            s.helo = span_from(word, 5);
        else if (span_starts(word, SPAN("user="))) {
            s.auth = true;
            s.user = span_from(word, 5);
        } else
            fail_msg("%.*s", SPAN_ARG(word));
    }
    return s;
}

static struct span last_reply(const struct explanation *e)
{
    return e->step_count ? e->steps[e->step_count - 1].reply : SPAN("");
}

/* ---- the rows ---- */

#define ALICE "New-Mailbox -Name alice -PrimarySmtpAddress alice@example.com;"
#define SALES                                                                                                      \
    "New-Mailbox -Name sales -PrimarySmtpAddress sales@example.com -EmailAddresses "                               \
    "sales@example.com,shop@example.com;"
#define OUT "New-SendConnector -Name out -AddressSpaces '*';"
#define APPS                                                                                                       \
    "New-ReceiveConnector -Name Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.0/24 "            \
    "-PermissionGroups AnonymousUsers;"
#define PORT25 "10.0.0.5 10.0.0.1:2025"
#define CLIENT "10.0.0.5 10.0.0.1:2587"
#define CERT   "mail.example.com"
#define TAKEN  "250 2.6.0 <explain@mailreeve.invalid> [InternalId=N] Queued mail for delivery"
#define ANON   "'NT AUTHORITY\\ANONYMOUS LOGON'"

#define TOO_LARGE                                                                                                  \
    "552 5.3.4 Message size exceeds fixed maximum message size (MaxMessageSize 10MB of \"Client mail\")"

struct row {
    const char *name, *script, *certificate, *session, *from, *to, *reply;
    enum explain_cause cause;
    const char *reason;      /* a part of it */
    const char *remedies[5]; /* the commands, in order; NULL ends */
    bool undeliverable;
    unsigned flags;
};

static const struct row rows[] = {
    /* who is taken */
    {"a user",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"a printer",
     APPS OUT "Add-ADPermission Apps -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
     CERT,
     PORT25,
     "printer@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"a user in TLS from the first byte",
     ALICE OUT,
     CERT,
     "10.0.0.5 10.0.0.1:2465 tls user=alice",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    /* no connector */
    {"no connector",
     ALICE OUT,
     CERT,
     "10.0.0.5 10.0.0.1:2999 tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CONNECTOR,
     "no enabled receive connector serves 10.0.0.5 on 10.0.0.1:2999",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '10.0.0.1:2999' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups ExchangeUsers -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS",
      "Set-ReceiveConnector 'Client Implicit TLS mail' -Bindings @{Add='10.0.0.1:2999'}",
      "Set-ReceiveConnector 'Client mail' -Bindings @{Add='10.0.0.1:2999'}",
      "Set-ReceiveConnector 'Default mail' -Bindings @{Add='10.0.0.1:2999'}"}},
    {"a connector that is disabled",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -Enabled $false",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CONNECTOR,
     "no enabled",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2587' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups ExchangeUsers -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS",
      "Set-ReceiveConnector 'Client mail' -Enabled $true",
      "Set-ReceiveConnector 'Client Implicit TLS mail' -Bindings @{Add='10.0.0.1:2587'}",
      "Set-ReceiveConnector 'Default mail' -Bindings @{Add='10.0.0.1:2587'}"}},
    {"a range without the client",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -RemoteIPRanges 192.0.2.0/24",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CONNECTOR,
     "no enabled",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2587' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups ExchangeUsers -AuthMechanism Tls,BasicAuth,BasicAuthRequireTLS",
      "Set-ReceiveConnector 'Client mail' -RemoteIPRanges @{Add='10.0.0.5'}",
      "Set-ReceiveConnector 'Client Implicit TLS mail' -Bindings @{Add='10.0.0.1:2587'}",
      "Set-ReceiveConnector 'Default mail' -Bindings @{Add='10.0.0.1:2587'}"}},
    {"a load balancer's address",
     APPS "Set-ReceiveConnector Apps -ProxyProtocol V1,V2 -ProxyProtocolSources 10.0.0.5",
     CERT,
     PORT25,
     "x@far.test",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_PROXY,
     "must begin with a PROXY header",
     {0}},
    /* TLS */
    {"no certificate",
     ALICE OUT,
     NULL,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "502 5.5.1 STARTTLS is not offered here",
     EXPLAIN_CAUSE_NO_STARTTLS,
     "there is no certificate in certs/",
     {0}},
    {"a certificate of another name",
     ALICE OUT,
     "mx.example.net",
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "502 5.5.1 STARTTLS is not offered here",
     EXPLAIN_CAUSE_NO_STARTTLS,
     "no certificate in certs/ names the Fqdn mail.example.com (there is one for mx.example.net)",
     {"Set-ReceiveConnector 'Client mail' -Fqdn mx.example.net"}},
    {"no Tls in AuthMechanism",
     ALICE APPS "Set-ReceiveConnector Apps -AuthMechanism None",
     CERT,
     PORT25 " tls",
     "x@far.test",
     "alice@example.com",
     "502 5.5.1 STARTTLS is not offered here",
     EXPLAIN_CAUSE_NO_STARTTLS,
     "Tls is not in AuthMechanism",
     {"Set-ReceiveConnector Apps -AuthMechanism @{Add='Tls'}"}},
    {"implicit TLS in the clear",
     ALICE OUT,
     CERT,
     "10.0.0.5 10.0.0.1:2465 user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_PLAIN_ON_TLS,
     "must begin with the first byte",
     {0}},
    {"implicit TLS without a certificate",
     ALICE OUT,
     NULL,
     "10.0.0.5 10.0.0.1:2465 tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "",
     EXPLAIN_CAUSE_NO_CERTIFICATE,
     "needs a certificate at once",
     {0}},
    {"TLS required",
     APPS OUT ALICE "Set-ReceiveConnector Apps -RequireTLS $true",
     CERT,
     PORT25,
     "x@far.test",
     "alice@example.com",
     "530 5.7.0 Must issue a STARTTLS command first",
     EXPLAIN_CAUSE_TLS_REQUIRED,
     "RequireTLS is $true",
     {"Set-ReceiveConnector Apps -RequireTLS $false"}},
    /* logon */
    {"a password in the clear",
     ALICE OUT,
     CERT,
     CLIENT " user=alice",
     "alice@example.com",
     "bob@far.test",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "under TLS only",
     {"Set-ReceiveConnector 'Client mail' -AuthMechanism @{Remove='BasicAuthRequireTLS'}"}},
    {"no logon at all",
     ALICE OUT APPS,
     CERT,
     PORT25 " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "504 5.7.4 Unrecognized authentication type",
     EXPLAIN_CAUSE_AUTH_NOT_OFFERED,
     "BasicAuth is not in AuthMechanism",
     {"Set-ReceiveConnector Apps -AuthMechanism @{Add='BasicAuth','BasicAuthRequireTLS'}\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "Set-ReceiveConnector Apps -AuthMechanism @{Add='BasicAuth'}\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit\n"
      "Add-ADPermission -Identity Apps -User alice@example.com -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient"}},
    {"an unknown user",
     OUT,
     CERT,
     CLIENT " tls user=carol",
     "carol@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "no mailbox has the name or address carol",
     {"New-Mailbox -Name carol"}},
    {"a disabled user",
     ALICE OUT "Set-Mailbox alice -Enabled $false",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "is disabled",
     {"Set-Mailbox alice -Enabled $true"}},
    {"a user without a password",
     OUT "New-Mailbox -Name keyless",
     CERT,
     CLIENT " tls user=keyless",
     "keyless@example.com",
     "bob@far.test",
     "535 5.7.3 Authentication unsuccessful",
     EXPLAIN_CAUSE_LOGON,
     "has no password",
     {0}},
    {"a user who may not submit",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -PermissionGroups None",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "alice@example.com",
     "550 5.7.1 Client does not have permissions to submit to this server",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Submit: granted to nobody that this session is",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights ms-Exch-SMTP-Submit",
      "Set-ReceiveConnector 'Client mail' -PermissionGroups @{Add='ExchangeUsers'}"}},
    {"a user who is denied it",
     ALICE OUT "Add-ADPermission 'Client mail' -User alice -ExtendedRights ms-Exch-SMTP-Submit -Deny",
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to submit to this server",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Submit: denied to alice",
     {"Remove-ADPermission -Identity 'Client mail' -User alice -ExtendedRights ms-Exch-SMTP-Submit -Deny "
      "-Confirm:$false"}},
    /* senders */
    {"nobody may submit",
     OUT,
     CERT,
     PORT25,
     "x@far.test",
     "bob@far.test",
     "530 5.7.1 Client was not authenticated",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Submit: granted to nobody",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "Set-ReceiveConnector 'Default mail' -PermissionGroups @{Add='AnonymousUsers'}\n"
      "Add-ADPermission -Identity 'Default mail' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Force"}},
    {"a user as another",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice",
     "boss@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "the address does not belong to the authenticated user",
     {"Set-Mailbox alice@example.com -EmailAddresses @{Add=boss@example.com}",
      "Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"}},
    {"a user as another who is here",
     ALICE SALES OUT,
     CERT,
     CLIENT " tls user=alice",
     "shop@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "the address does not belong to the authenticated user",
     {"Add-ADPermission -Identity shop@example.com -User alice@example.com -ExtendedRights Send-As",
      "Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"}},
    {"a user who may send as another, by a group",
     ALICE SALES OUT "New-DistributionGroup team; Add-DistributionGroupMember team -Member alice; Add-ADPermission "
                     "sales -User team -ExtendedRights Send-As",
     CERT,
     CLIENT " tls user=alice header=shop@example.com",
     "sales@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"narrowed, and met",
     APPS OUT
     "Set-ReceiveConnector Apps -PermissionGroups None; Add-ADPermission Apps -User " ANON
     " -ExtendedRights ms-Exch-SMTP-Submit,ms-Exch-SMTP-Accept-Any-Recipient,ms-Exch-SMTP-Accept-Any-Sender "
     "-Senders scan@far.test -RequireTls",
     CERT,
     PORT25 " tls header=scan@far.test",
     "scan@far.test",
     "bob@far.test",
     TAKEN,
     0,
     "every right",
     {0}},
    {"narrowed to an author",
     APPS OUT
     "Set-ReceiveConnector Apps -PermissionGroups None; Add-ADPermission Apps -User " ANON
     " -ExtendedRights ms-Exch-SMTP-Submit,ms-Exch-SMTP-Accept-Any-Recipient,ms-Exch-SMTP-Accept-Any-Sender "
     "-Senders scan@far.test",
     CERT,
     PORT25 " header=boss@far.test",
     "scan@far.test",
     "bob@far.test",
     "550 5.7.1 Anonymous client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "it is not for this sender",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "Add-ADPermission -Identity Apps -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender"}},
    {"a user as one from elsewhere in the header",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice header=boss@far.test",
     "alice@example.com",
     "bob@far.test",
     "550 5.7.1 Client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "ms-Exch-SMTP-Accept-Any-Sender",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-SMTP-Accept-Any-Sender"}},
    {"anonymous as our own user",
     ALICE APPS OUT "Remove-ADPermission Apps -User " ANON
                    " -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Confirm:$false",
     CERT,
     PORT25,
     "alice@example.com",
     "alice@example.com",
     "550 5.7.1 Anonymous client does not have permissions to send as this sender",
     EXPLAIN_CAUSE_RIGHT,
     "the sender is in the authoritative domain example.com",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers",
      "Add-ADPermission -Identity Apps -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"}},
    {"a sender without domain",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice header=alice@example.com",
     "alice",
     "bob@far.test",
     "501 5.1.7 Invalid address",
     EXPLAIN_CAUSE_ADDRESS,
     "no DefaultDomain",
     {"Set-ReceiveConnector 'Client mail' -DefaultDomain example.com"}},
    {"the null sender", APPS ALICE, CERT, PORT25, "", "alice@example.com", TAKEN, 0, "every right", {0}},
    /* sizes */
    {"too large",
     ALICE OUT,
     CERT,
     CLIENT " tls user=alice size=30000000",
     "alice@example.com",
     "alice@example.com",
     TOO_LARGE,
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-Bypass-Message-Size-Limit",
      "Set-ReceiveConnector 'Client mail' -MaxMessageSize 29MB"}},
    {"too large, undeclared",
     ALICE OUT "Set-ReceiveConnector 'Client mail' -SizeEnabled Disabled",
     CERT,
     CLIENT " tls user=alice size=30000000",
     "alice@example.com",
     "alice@example.com",
     TOO_LARGE,
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Add-ADPermission -Identity 'Client mail' -User alice@example.com -ExtendedRights "
      "ms-Exch-Bypass-Message-Size-Limit",
      "Set-ReceiveConnector 'Client mail' -MaxMessageSize 29MB"}},
    {"too large for the organisation",
     ALICE APPS "Set-ReceiveConnector Apps -MaxMessageSize 30MB; Set-TransportConfig -MaxReceiveSize 10MB",
     CERT,
     PORT25 " size=20000000",
     "x@far.test",
     "alice@example.com",
     "552 5.3.4 Message size exceeds fixed maximum message size (MaxReceiveSize 10MB of the organisation)",
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Set-TransportConfig -MaxReceiveSize 20MB"}},
    {"too large for both",
     ALICE APPS "Set-TransportConfig -MaxReceiveSize 10MB",
     CERT,
     PORT25 " size=20000000",
     "x@far.test",
     "alice@example.com",
     "552 5.3.4 Message size exceeds fixed maximum message size (MaxMessageSize 10MB of \"Apps\")",
     EXPLAIN_CAUSE_SIZE,
     "larger than the limit",
     {"Set-ReceiveConnector Apps -MaxMessageSize 20MB\nSet-TransportConfig -MaxReceiveSize 20MB"}},
    /* recipients */
    {"relaying",
     APPS OUT,
     CERT,
     PORT25,
     "x@example.com",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "this would be relaying",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "Add-ADPermission -Identity Apps -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    {"relaying from a connector for one client",
     OUT "New-ReceiveConnector -Name One -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.5 "
         "-PermissionGroups AnonymousUsers",
     CERT,
     PORT25,
     "x@example.com",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "relaying",
     {"Add-ADPermission -Identity One -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    {"nobody's address",
     APPS,
     CERT,
     PORT25,
     "x@far.test",
     "nobody@example.com",
     "550 5.1.1 User unknown",
     EXPLAIN_CAUSE_NO_MAILBOX,
     "nobody has the address",
     {"New-Mailbox -Name nobody -PrimarySmtpAddress nobody@example.com",
      "Set-AcceptedDomain example.com -DomainType InternalRelay"}},
    {"no address at all",
     APPS,
     CERT,
     PORT25,
     "x@far.test",
     "a b@example.com",
     "501 5.1.3 Invalid address",
     EXPLAIN_CAUSE_ADDRESS,
     "is no address",
     {0}},
    /* taken, and then */
    {"no send connector",
     ALICE,
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "bob@far.test",
     TAKEN,
     0,
     "no send connector covers far.test",
     {"New-SendConnector -Name 'To far.test' -AddressSpaces far.test"},
     true},
    {"a user to nobody",
     ALICE,
     CERT,
     CLIENT " tls user=alice",
     "alice@example.com",
     "nobody@example.com",
     TAKEN,
     0,
     "RecipNotFound",
     {"New-Mailbox -Name nobody -PrimarySmtpAddress nobody@example.com",
      "Set-AcceptedDomain example.com -DomainType InternalRelay\n"
      "New-SendConnector -Name 'To example.com' -AddressSpaces example.com"},
     true},
    /* names that need care */
    {"a name with quotes",
     OUT "New-ReceiveConnector -Name 'O''Neil; $x' -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.5 "
         "-PermissionGroups AnonymousUsers",
     CERT,
     PORT25,
     "x@example.com",
     "bob@far.test",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "relaying",
     {"Add-ADPermission -Identity 'O''Neil; $x' -User " ANON " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name far.test -DomainName far.test -DomainType ExternalRelay"}},
    {"an Edge server",
     OUT,
     CERT,
     PORT25,
     "x@far.test",
     "bob@example.net",
     "550 5.7.1 Unable to relay",
     EXPLAIN_CAUSE_RIGHT,
     "relaying",
     {"New-ReceiveConnector -Name 'Client 10.0.0.5' -Usage Custom -Bindings '0.0.0.0:2025' -RemoteIPRanges "
      "'10.0.0.5' -PermissionGroups AnonymousUsers\n"
      "Add-ADPermission -Identity 'Client 10.0.0.5' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient",
      "New-AcceptedDomain -Name example.net -DomainName example.net -DomainType ExternalRelay",
      "Add-ADPermission -Identity 'Default internal receive connector mail' -User " ANON
      " -ExtendedRights ms-Exch-SMTP-Accept-Any-Recipient -Force"},
     false,
     BENCH_EDGE},
};

static bool contains(struct span s, const char *part)
{
    return memmem(s.ptr, s.len, part, strlen(part));
}

static void check_remedies(const struct row *row, const struct explanation *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->remedy_count; i++) {
        const struct explain_remedy *r = &e->remedies[i];
        if (r->kind != EXPLAIN_COMMANDS)
            continue;
        CHECK(row->name, n < ARRAY_LEN(row->remedies));
        CHECK_SPAN(row->name, r->text, span_of(row->remedies[n]));
        CHECK(row->name, r->opens.len);
        n++;
    }
    CHECK(row->name, n == ARRAY_LEN(row->remedies) || !row->remedies[n]);
}

/* The commands on a bench of their own, made anew: the message goes through. */
static void check_applied(const struct row *row, const struct explain_session *s, struct span text)
{
    struct stage t;
    char script[4096];
    open_stage(&t, row->flags, row->script, row->certificate);
    snprintf(script, sizeof script, "%.*s", SPAN_ARG(text));
    if (bench_run(&t.bench, script))
        fail_msg("%s: %s: %s", row->name, script, t.bench.err.text);
    explain_now(&t, s);
    CHECK_INT(row->name, t.e->verdict, EXPLAIN_ALLOWED);
    if (row->undeliverable)
        CHECK_INT(row->name, t.e->undeliverable, false);
    close_stage(&t);
}

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct explain_session s = read_session(row->session, row->from, row->to);
        struct stage t;
        open_stage(&t, row->flags, row->script, row->certificate);
        explain_now(&t, &s);
        CHECK_SPAN(row->name, last_reply(t.e), span_of(row->reply));
        CHECK_STR(row->name, explain_cause_name(t.e->cause), explain_cause_name(row->cause));
        CHECK_INT(row->name, t.e->verdict, row->cause ? EXPLAIN_REFUSED : EXPLAIN_ALLOWED);
        CHECK_INT(row->name, t.e->undeliverable, row->undeliverable);
        if (!contains(t.e->reason, row->reason))
            CHECK_SPAN(row->name, t.e->reason, span_of(row->reason));
        search(&t);
        check_remedies(row, t.e);
        for (size_t k = 0; k < t.e->remedy_count; k++)
            if (t.e->remedies[k].kind == EXPLAIN_COMMANDS)
                check_applied(row, &s, t.e->remedies[k].text);
        close_stage(&t);
    }
}

/* Nothing of what a trial does is left in the stores. */
static void test_trials_leave_nothing(void **state UNUSED)
{
    struct stage t;
    struct explain_session s = read_session(PORT25, "x@far.test", "bob@far.test");
    open_stage(&t, 0, OUT, CERT);
    explain_now(&t, &s);
    uint64_t policy = object_store_generation(t.stores.policy),
             users = object_store_generation(t.stores.recipients);
    search(&t);
    CHECK("remedies", t.e->remedy_count > 0);
    CHECK_INT("policy", object_store_generation(t.stores.policy), policy);
    CHECK_INT("recipients", object_store_generation(t.stores.recipients), users);
    close_stage(&t);
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
        struct explain_session s = read_session(unknowns[i].session, "x@far.test", unknowns[i].to);
        struct stage t;
        open_stage(&t, 0, ALICE OUT APPS, CERT);
        if (unknowns[i].no_certificates)
            err_set(&t.certificates.unreadable, ERR_DENIED, "no certificates for you");
        explain_now(&t, &s);
        if (unknowns[i].no_directory) {
            t.stores.directory = NULL;
            err_set(&t.stores.directory_err, ERR_DENIED, "the directory is gone");
            assert_true(explain(t.policy, &t.facts, &s, &t.arena, t.e));
        }
        CHECK_INT(row, t.e->verdict, unknowns[i].verdict);
        if (!contains(t.e->reason, unknowns[i].reason))
            CHECK_SPAN(row, t.e->reason, span_of(unknowns[i].reason));
        search(&t);
        if (t.e->verdict == EXPLAIN_UNKNOWN)
            CHECK_INT(row, t.e->remedy_count, 0);
        close_stage(&t);
    }
}

/* ---- the other parts ---- */

static void test_offers(void **state UNUSED)
{
    struct stage t;
    struct explain_session s = read_session(PORT25, "x@far.test", "bob@example.com");
    open_stage(&t, 0,
               APPS
               "Set-ReceiveConnector Apps -ChunkingEnabled $false -BinaryMimeEnabled $false -SizeEnabled Disabled",
               CERT);
    explain_now(&t, &s);
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
    close_stage(&t);
}

static const struct explain_limit *find_limit(const struct explanation *e, const char *name, const char *of)
{
    for (size_t i = 0; i < e->limit_count; i++)
        if (strcmp(e->limits[i].name, name) == 0 && contains(e->limits[i].of, of))
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
        struct explain_session s = read_session(CLIENT " tls user=alice", "alice@example.com", limits[i].to);
        struct stage t;
        char script[512];
        snprintf(script, sizeof script, ALICE OUT "%s", limits[i].script);
        open_stage(&t, 0, script, CERT);
        explain_now(&t, &s);
        size_t wins = 0;
        for (size_t k = 0; k < t.e->limit_count; k++)
            wins += t.e->limits[k].wins;
        CHECK_INT(limits[i].name, wins, 1);
        CHECK(limits[i].name, find_limit(t.e, limits[i].winner, limits[i].of)->wins);
        CHECK(limits[i].name, find_limit(t.e, "MaxInboundConnection", "Client mail")->live);
        CHECK(limits[i].name, !find_limit(t.e, "MessageRateLimit", "Client mail")->live); /* unlimited */
        close_stage(&t);
    }
}

static void test_route(void **state UNUSED)
{
    struct stage t;
    struct explain_session s = read_session(CLIENT " tls user=alice", "alice@example.com", "carol@example.com");
    open_stage(&t, 0,
               ALICE OUT "New-MailContact -Name carol -PrimarySmtpAddress carol@example.com "
                         "-ExternalEmailAddress carol@partner.test",
               CERT);
    explain_now(&t, &s);
    CHECK_INT("hops", t.e->hop_count, 2);
    CHECK_INT("first", t.e->hops[0].route.kind, ROUTE_REDIRECT);
    CHECK_INT("first", t.e->hops[0].found.kind, RESOLVED_CONTACT);
    CHECK_SPAN("second", t.e->hops[1].address, SPAN("carol@partner.test"));
    CHECK_INT("second", t.e->hops[1].route.kind, ROUTE_RELAY);
    CHECK_SPAN("queue", t.e->hops[1].queue, SPAN("mx:partner.test"));
    close_stage(&t);
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
    struct explain_session s = read_session(PORT25, "x@exam\x1bple.com", "bob@far.test");
    s.sender = SPAN("x@example.com");
    open_stage(&t, 0, APPS OUT, CERT);
    explain_now(&t, &s);
    search(&t);
    buf_init(&out, 1 << 20);
    explain_print(&out, t.e);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!contains(buf_span(&out), parts[i]))
            fail_msg("there is no `%s` in %.*s", parts[i], SPAN_ARG(buf_span(&out)));
    CHECK("no escape", !memchr(out.ptr, 0x1b, out.len));
    buf_clear(&out);
    explain_print_json(&out, t.e);
    CHECK_INT("json", out.failed, false);
    for (size_t i = 0; i < ARRAY_LEN(json); i++)
        if (!contains(buf_span(&out), json[i]))
            fail_msg("there is no `%s` in %.*s", json[i], SPAN_ARG(buf_span(&out)));
    buf_done(&out);
    close_stage(&t);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_trials_leave_nothing),
        cmocka_unit_test(test_unknown),  cmocka_unit_test(test_offers),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_route),
        cmocka_unit_test(test_printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
