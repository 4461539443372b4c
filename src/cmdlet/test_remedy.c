/*
 * test_remedy.c: what the audit says would mend really does: for each kind of finding a policy is made with the
 * cmdlets, audited, and each remedy run as it is printed; then that finding is gone.
 */
#include "audit/audit.h"
#include "check.h"
#include "cmdlet/policy_block.h"
#include "cmdlet/test_support.h"

#include <stdlib.h>

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define RELAY     "ms-Exch-SMTP-Accept-Any-Recipient"
#define NEW(name, ranges, more)                                                                                    \
    "New-ReceiveConnector " name " -Custom -Bindings 0.0.0.0:99 -RemoteIPRanges " ranges " " more "; "
#define GROUP          "-PermissionGroups AnonymousUsers"
#define GRANT(c, more) "Add-ADPermission " c " -User " ANONYMOUS " -ExtendedRights " RELAY more "; "

#define NOW INT64_C(1700000000000)
#define DAY INT64_C(86400000)

static const struct audit_address addresses[] = {{.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}},
                                                  .flags = AUDIT_GATEWAY,
                                                  .interface = SPAN_INIT("eth0")}};
static const struct audit_certificate certificates[] = {{SPAN_INIT("mail.example.com"), NOW - DAY, NOW + 100 * DAY},
                                                        {SPAN_INIT("old.example.com"), NOW - 9 * DAY, NOW - DAY},
                                                        {SPAN_INIT("soon.example.com"), NOW - DAY, NOW + DAY}};
static const struct audit_facts facts = {.now_ms = NOW,
                                         .host = SPAN_INIT("mail.example.com"),
                                         .addresses = addresses,
                                         .address_count = ARRAY_LEN(addresses),
                                         .certificates_known = true,
                                         .certificates = certificates,
                                         .certificate_count = ARRAY_LEN(certificates),
                                         .keytab_known = true};

static const struct {
    const char *name, *script;
    enum audit_kind kind;
} rows[] = {
    {"open relay", NEW("c", "0.0.0.0/0", GROUP) GRANT("c", " -Force"), AUDIT_OPEN_RELAY},
    {"an open relay by two entries",
     NEW("c", "0.0.0.0/0", GROUP) GRANT("c", " -Force") "Add-ADPermission c -User Everyone -ExtendedRights " RELAY,
     AUDIT_OPEN_RELAY},
    {"a name with a quote",
     "New-ReceiveConnector 'it''s $c' -Custom -Bindings 0.0.0.0:99 -RemoteIPRanges 0.0.0.0/0 " GROUP
     "; " GRANT("'it''s $c'", " -Force"),
     AUDIT_OPEN_RELAY},
    {"a wildcard", NEW("c", "0.0.0.0/0", GROUP) "New-AcceptedDomain 'the w' -DomainName '*.org' -Force",
     AUDIT_OPEN_RELAY},
    {"trusted",
     NEW("c", "0.0.0.0/0", "-AuthMechanism Tls,ExternalAuthoritative -PermissionGroups ExchangeServers -Force"),
     AUDIT_EXTERNALLY_SECURED},
    {"trusted without TLS",
     NEW("c", "10.0.0.0/8", "-AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers"),
     AUDIT_EXTERNALLY_SECURED},
    {"load balancers",
     NEW("c", "10.1.0.7", GROUP) GRANT("c", "")
         NEW("lb", "0.0.0.0/0", "-ProxyProtocol V2 -ProxyProtocolSources 20.0.0.0/8 -Force"),
     AUDIT_PROXY_SOURCES},
    {"gateway", NEW("c", "10.0.0.0/8", GROUP) GRANT("c", ""), AUDIT_GATEWAY_RELAY},
    {"gateway and a neighbour",
     NEW("d", "10.0.0.0", "") NEW("c", "10.0.0.0-10.0.0.2,10.0.0.9", GROUP) GRANT("c", ""), AUDIT_GATEWAY_RELAY},
    {"gateway alone", NEW("c", "10.0.0.1", GROUP) GRANT("c", ""), AUDIT_GATEWAY_RELAY},
    {"trusted gateway",
     NEW("c", "10.0.0.1", "-AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers"),
     AUDIT_GATEWAY_RELAY},
    {"a public network", NEW("c", "20.0.0.0/16", GROUP) GRANT("c", ""), AUDIT_PUBLIC_RELAY},
    {"partners",
     "Set-TransportConfig -TLSReceiveDomainSecureList partner.test; " NEW(
         "c", "10.1.0.0/16",
         "-DomainSecureEnabled $true -PermissionGroups Partners") "Add-ADPermission c -User 'Partner Servers' "
                                                                  "-ExtendedRights " RELAY,
     AUDIT_PARTNER_RELAY},
    {"password", NEW("c", "0.0.0.0/0", "-AuthMechanism Tls,BasicAuth"), AUDIT_PASSWORD_IN_CLEAR},
    {"password without TLS", NEW("c", "0.0.0.0/0", "-AuthMechanism BasicAuth"), AUDIT_PASSWORD_IN_CLEAR},
    {"own domain", NEW("c", "0.0.0.0/0", GROUP), AUDIT_OWN_DOMAIN_SENDER},
    {"own domain for everyone",
     NEW("c", "0.0.0.0/0",
         GROUP) "Add-ADPermission c -User Everyone -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender",
     AUDIT_OWN_DOMAIN_SENDER},
    {"any sender",
     "Add-ADPermission 'Client mail' -User 'Authenticated Users' -ExtendedRights "
     "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender",
     AUDIT_ANY_SENDER},
    {"old TLS", NEW("c", "10.1.0.0/16", "-TlsMinimumVersion Tls10"), AUDIT_WEAK_TLS},
    {"no certificate", NEW("c", "10.1.0.0/16", "-Fqdn other.example.com"), AUDIT_NO_CERTIFICATE},
    {"expired", NEW("c", "10.1.0.0/16", "-Fqdn old.example.com"), AUDIT_CERTIFICATE_EXPIRED},
    {"expiring", NEW("c", "10.1.0.0/16", "-Fqdn soon.example.com"), AUDIT_CERTIFICATE_EXPIRING},
    {"no keytab", NEW("c", "10.1.0.0/16", "-AuthMechanism Tls,Integrated -EnableAuthGSSAPI $true"),
     AUDIT_NO_KEYTAB},
    {"known server",
     "New-ReceiveConnector c -Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.0/24; New-SendConnector out "
     "-AddressSpaces '*' "
     "-DNSRoutingEnabled $false -SmartHosts 192.0.2.9",
     AUDIT_KNOWN_SERVER},
    {"unreachable", NEW("c", "10.1.0.0/16", "") NEW("d", "10.1.0.0-10.1.127.255,10.1.128.0-10.1.255.255", ""),
     AUDIT_UNREACHABLE},
    {"another family", NEW("c", "2001:db8::1", ""), AUDIT_UNREACHABLE},
    {"shadowed", NEW("c", "10.1.0.0/16,10.2.0.1", "") NEW("d", "10.1.0.0-10.1.127.255,10.1.128.0-10.1.255.255", ""),
     AUDIT_SHADOWED_RANGE},
    {"wildcard", "New-AcceptedDomain w -DomainName '*.app.test'", AUDIT_WILDCARD_DOMAIN},
    {"a deny", NEW("c", "10.1.0.0/16", "") "Add-ADPermission c -User Everyone -ExtendedRights " RELAY " -Deny",
     AUDIT_DENY_WITHOUT_EFFECT},
    {"a user's",
     "New-Mailbox alice -Password 'pw-1'; " NEW("c", "10.1.0.0/16",
                                                "") "Add-ADPermission c -User alice -ExtendedRights " RELAY,
     AUDIT_GRANT_WITHOUT_EFFECT},
    {"expired",
     NEW("c", "10.1.0.0/16", GROUP) "Add-ADPermission c -User " ANONYMOUS " -ExtendedRights " RELAY
                                    " -Senders a@far.test -Expires 2023-12-01; " GRANT("c", ""),
     AUDIT_EXPIRED_ENTRY},
    {"unused", NEW("c", "10.1.0.0/16", GROUP) GRANT("c", ""), AUDIT_UNUSED_GRANT},
    {"unused and narrowed",
     NEW("c", "10.1.0.0/16", GROUP) "Add-ADPermission c -User " ANONYMOUS " -ExtendedRights " RELAY
                                    " -Recipients *@far.test",
     AUDIT_UNUSED_GRANT},
    {"disabled", NEW("c", "10.1.0.0/16", "-Enabled $false"), AUDIT_DISABLED},
};

static int by_entry(const void *a, const void *b)
{
    const struct audit_use *x = a, *y = b;
    return span_icmp(x->entry, y->entry);
}

/* Every entry, made but never used. */
static void add_uses(struct bench *b, struct audit_facts *f)
{
    struct record **all;
    size_t count;
    assert_int_equal(object_store_list(b->context.policy, SPAN("ADPermission"), &b->arena, &all, &count, &b->err),
                     ERR_NONE);
    struct audit_use *uses = ARENA_ARRAY(&b->arena, count, struct audit_use);
    for (size_t i = 0; i < count; i++)
        uses[i] = (struct audit_use){.entry = record_string(all[i], SPAN("Guid")), .made_ms = NOW};
    qsort(uses, count, sizeof *uses, by_entry);
    f->uses = uses;
    f->use_count = count;
}

/* The report; block and policy must be given back. */
static struct audit_report audited(struct bench *b, int64_t later, struct buf *block, struct policy **policy)
{
    struct audit_report r = {0};
    struct audit_facts f = facts;
    f.now_ms += later;
    add_uses(b, &f);
    buf_init(block, POLICY_BLOCK_MAX);
    if (cmdlet_policy_block(b->context.policy, 1, block, &b->err) ||
        policy_open(buf_span(block), policy, &b->err) || audit_run(*policy, &f, AUDIT_ALL, &b->arena, &r, &b->err))
        fail_msg("%s", b->err.text);
    return r;
}

static bool is_there(struct bench *b, int64_t later, const struct audit_finding *f)
{
    struct buf block;
    struct policy *policy;
    struct audit_report r = audited(b, later, &block, &policy);
    bool found = false;
    for (size_t i = 0; i < r.count; i++)
        found = found || (r.findings[i].key == f->key && r.findings[i].kind == f->kind);
    policy_close(policy);
    buf_done(&block);
    return found;
}

/* Of the kind that the row is about: each remedy, one after the other. */
static void check_remedies(size_t row, unsigned flags)
{
    struct bench b;
    struct buf block;
    struct policy *policy;
    size_t count = 0;
    bool old = rows[row].kind == AUDIT_EXPIRED_ENTRY || rows[row].kind == AUDIT_UNUSED_GRANT;
    int64_t later = old ? 100 * DAY : 0;
    bench_init(&b, flags);
    const struct bench_row made = {rows[row].name, rows[row].script};
    bench_check(&b, &made);
    struct audit_report r = audited(&b, later, &block, &policy);
    for (size_t i = 0; i < r.count; i++) {
        const struct audit_finding *f = &r.findings[i];
        if (f->kind != rows[row].kind)
            continue;
        count++;
        const struct bench_row mended = {rows[row].name, arena_cstr(&b.arena, f->remedy)};
        bench_check(&b, &mended);
        if (is_there(&b, later, f)) {
            print_error("row `%s`: %.*s has not mended it\n", rows[row].name, SPAN_ARG(f->remedy));
            fail();
        }
    }
    CHECK(rows[row].name, count > 0);
    policy_close(policy);
    buf_done(&block);
    bench_done(&b);
}

static void test_remedies(void **state UNUSED)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_remedies(i, 0);
        kinds |= 1u << rows[i].kind;
    }
    CHECK_INT("every kind", kinds, (1u << AUDIT_KINDS) - 1);
}

/* What init makes is not dangerous. */
static void test_defaults(void **state UNUSED)
{
    static const unsigned flags[] = {0, BENCH_EDGE};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct bench b;
        struct buf block;
        struct policy *policy;
        bench_init(&b, flags[i]);
        struct audit_report r = audited(&b, 0, &block, &policy);
        CHECK_INT("dangers", r.by_severity[AUDIT_DANGER], 0);
        CHECK_INT("warnings", r.by_severity[AUDIT_WARNING], flags[i] & BENCH_EDGE ? 1 : 0); /* own-domain-sender */
        CHECK_INT("notes", r.by_severity[AUDIT_NOTE], 0);
        policy_close(policy);
        buf_done(&block);
        bench_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_remedies), cmocka_unit_test(test_defaults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
