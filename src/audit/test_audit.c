/* test_audit.c: the other findings, the table of who may do what, and the report. */
#include "audit/test_support.h"
#include "check.h"

#include <string.h>

static void test_access(void **state UNUSED)
{
    static const struct row rows[] = {
        {"password in the clear",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth]"),
         "danger password-in-clear c\n",
         {"--user somebody@example.com", "@{Add='BasicAuthRequireTLS'}"}},
        {"on a narrow range",
         CONNECTOR("c", "0.0.0.0:25", "192.168.0.0/16", "|AuthMechanism=[BasicAuth]"),
         "warning password-in-clear c\n",
         {"@{Add='Tls','BasicAuthRequireTLS'}"}},
        {"within the host", CONNECTOR("c", "0.0.0.0:25", "127.0.0.0/8", "|AuthMechanism=[BasicAuth]"),
         "note password-in-clear c\n"},
        {"under TLS alone", CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]"),
         ""},
        {"TLS required", CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth]|RequireTLS=$true"), ""},
        {"implicit TLS", CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth]|ImplicitTls=$true"), ""},
        {"own domain",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN)
             SUBMIT GRANT("c", ANONYMOUS, "Accept-Authoritative-Domain-Sender", ""),
         "warning own-domain-sender c\n",
         {"--from somebody@example.com", "Remove-ADPermission 'c'"}},
        {"own domain on a narrow range",
         CONNECTOR("c", "0.0.0.0:25", "192.168.0.7", PLAIN)
             SUBMIT GRANT("c", "Everyone", "Accept-Authoritative-Domain-Sender", ""),
         "note own-domain-sender c\n",
         {"Add-ADPermission 'c'", "-Deny"}},
        {"own domain denied",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN)
             SUBMIT GRANT("c", ANONYMOUS, "Accept-Authoritative-Domain-Sender", "")
                 GRANT("c", "Everyone", "Accept-Authoritative-Domain-Sender", "|Deny=$true"),
         ""},
        {"every user as anybody",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]") GRANT(
             "c", "Authenticated Users", "Submit", "") GRANT("c", "Authenticated Users", "Accept-Any-Sender", ""),
         "warning any-sender c\n",
         {"foreign", "--tls --user", "'NT AUTHORITY\\Authenticated Users'"}},
        {"one user as anybody",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]")
             GRANT("c", "Authenticated Users", "Submit", "") GRANT("c", "user:u1", "Accept-Any-Sender", ""),
         ""},
        {"old TLS",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|TlsMinimumVersion=Tls10"),
         "warning weak-tls c\n",
         {"TLS 1.0", "-TlsMinimumVersion Tls12"}},
        {"old TLS for an old device",
         CONNECTOR("c", "0.0.0.0:25", "192.168.0.7", "|AuthMechanism=[Tls]|TlsMinimumVersion=Tls11"),
         "note weak-tls c\n"},
        {"no TLS", CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN "|TlsMinimumVersion=Tls10"), ""},
        {"TLS 1.3", CONNECTOR("c", "0.0.0.0:25", ALL, "|TlsMinimumVersion=Tls13"), ""},
        {"no certificate",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|Fqdn=other.example.com"),
         "warning no-certificate c\n",
         {"other.example.com", "Set-ReceiveConnector 'c' -Fqdn mail.example.com"}},
        {"nobody can send",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|ImplicitTls=$true|Fqdn=other.example.com"),
         "warning no-certificate c\n",
         {"nobody can send"}},
        {"not yet",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|Fqdn=EARLY.example.com"),
         "warning no-certificate c\n",
         {"valid yet"}},
        {"Kerberos without a keytab",
         CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8", "|AuthMechanism=[Tls,Integrated]|EnableAuthGSSAPI=$true"),
         "warning no-keytab c\n",
         {"GSSAPI is not offered", "-EnableAuthGSSAPI $false"}},
        {"a user by Kerberos alone",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,Integrated]|EnableAuthGSSAPI=$true") GRANT(
             "c", "Authenticated Users", "Submit", "") GRANT("c", "Authenticated Users", "Accept-Any-Sender", ""),
         "warning any-sender c\nwarning no-keytab c\n"},
        {"a user by Integrated alone",
         CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8", "|AuthMechanism=[Tls,Integrated]")
             GRANT("c", "Authenticated Users", "Submit", ""),
         "note grant-without-effect c\n"},
        {"Integrated alone", CONNECTOR("c", "0.0.0.0:25", "10.0.0.0/8", "|AuthMechanism=[Tls,Integrated]"), ""},
        {"no certificate and no TLS", CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN "|Fqdn=other.example.com"), ""},
        {"the server's name", CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|Fqdn=$null"), ""},
        {"expiring",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|Fqdn=soon.example.com"),
         "warning certificate-expiring c\n",
         {"in 13 days"}},
        {"expired",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|Fqdn=late.example.com"),
         "warning certificate-expired c\n",
         {"3 days ago"}},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_without_effect(void **state UNUSED)
{
    static const struct row rows[] = {
        {"shadowed range",
         CONNECTOR("c", "0.0.0.0:25", "192.168.0.0/16,10.1.0.0-10.1.0.9", PLAIN)
             CONNECTOR("n", "0.0.0.0:25", "10.1.0.0-10.1.0.4,10.1.0.5-10.1.0.9", PLAIN),
         "note shadowed-range c\n",
         {"10.1.0.0-10.1.0.9", "@{Remove='10.1.0.0-10.1.0.9'}"}},
        {"shadowed at one of two addresses",
         CONNECTOR("c", "0.0.0.0:25", "10.1.0.0-10.1.0.9", PLAIN)
             CONNECTOR("n", "10.0.0.2:25", "10.1.0.0-10.1.0.4,10.1.0.5-10.1.0.9", PLAIN),
         ""},
        {"a deny that nothing grants",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN)
             SUBMIT GRANT("c", ANONYMOUS, "Accept-Any-Recipient", "|Deny=$true"),
         "note deny-without-effect c\n",
         {"denies NT AUTHORITY\\ANONYMOUS LOGON ms-Exch-SMTP-Accept-Any-Recipient", "-Deny -Confirm:$false"}},
        {"granted to others",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]")
             GRANT("c", ANONYMOUS, "Accept-Any-Recipient", "|Deny=$true")
                 GRANT("c", "Authenticated Users", "Accept-Any-Recipient", ""),
         "note deny-without-effect c\n"},
        {"granted to all",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]")
             GRANT("c", "user:u1", "Accept-Any-Recipient", "|Deny=$true")
                 GRANT("c", "Authenticated Users", "Accept-Any-Recipient", ""),
         ""},
        {"granted to another user",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]")
             GRANT("c", "user:u1", "Accept-Any-Recipient", "|Deny=$true")
                 GRANT("c", "user:u2", "Accept-Any-Recipient", ""),
         "note deny-without-effect c\n"},
        {"granted to the same user",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]")
             GRANT("c", "user:u1", "Accept-Any-Recipient", "|Deny=$true")
                 GRANT("c", "user:u1", "Accept-Any-Recipient", ""),
         ""},
        {"granted to a group",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]")
             GRANT("c", "user:u1", "Accept-Any-Recipient", "|Deny=$true")
                 GRANT("c", "group:g1", "Accept-Any-Recipient", ""),
         ""},
        {"of a permission group",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) "ADPermission: "
                                                  "Connector=c|User=Everyone|ExtendedRight=ms-Exch-Accept-Headers-"
                                                  "Forest|Deny=$true|Origin=ExchangeLegacyServers\n",
         ""},
        {"a user where nobody logs on",
         CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) GRANT("c", "user:u1", "Submit", ""),
         "note grant-without-effect c\n",
         {"user:u1", "-User 'user:u1'"}},
        {"anonymous where all are trusted",
         CONNECTOR("c", "0.0.0.0:25", "192.0.2.1", "|AuthMechanism=[ExternalAuthoritative]") SUBMIT,
         "note grant-without-effect c\n"},
        {"partners without certificates",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]") GRANT("c", "Partner Servers", "Submit", ""),
         "note grant-without-effect c\n"},
        {"partners may relay",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|DomainSecureEnabled=$true")
             GRANT("c", "Partner Servers", "Submit", "") GRANT("c", "Partner Servers", "Accept-Any-Recipient", ""),
         "warning partner-relay c\n",
         {"--tls", "'MS Exchange\\Partner Servers'"}},
        {"partners",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|DomainSecureEnabled=$true")
             GRANT("c", "Partner Servers", "Submit", ""),
         ""},
        {"a smart host",
         CONNECTOR("wide", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,ExchangeServer]") CONNECTOR(
             "c", "0.0.0.0:25", "192.0.2.0/24", PLAIN) "SendConnector: "
                                                       "Guid=s|Name=out|AddressSpaces=[*]|DNSRoutingEnabled=$false|"
                                                       "SmartHosts=[relay.example.net,192.0.2.9]",
         "warning known-server c\n",
         {"192.0.2.9, a smart host of \"out\"", "@{Remove='192.0.2.0-192.0.2.255';Add="}},
        {"a smart host with a connector of its own",
         CONNECTOR("wide", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,ExchangeServer]")
             CONNECTOR("c", "0.0.0.0:25", "192.0.2.9",
                       PLAIN) "SendConnector: "
                              "Guid=s|Name=out|AddressSpaces=[*]|DNSRoutingEnabled=$false|SmartHosts=[192.0.2.9]",
         ""},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

/* Every kind of session that there can be, with what it may do. */
static void test_access_table(void **state UNUSED)
{
    static const struct {
        const char *name, *policy, *want; /* a line each: who, "tls" or "plain", submit relay own other */
    } rows[] = {
        {"anonymous", CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]") RELAY,
         "NT AUTHORITY\\ANONYMOUS LOGON plain 1101\nNT AUTHORITY\\ANONYMOUS LOGON tls 1101\n"},
        {"no TLS", CONNECTOR("c", "0.0.0.0:25", ALL, PLAIN) SUBMIT, "NT AUTHORITY\\ANONYMOUS LOGON plain 1000\n"},
        {"TLS alone", CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|RequireTLS=$true"),
         "NT AUTHORITY\\ANONYMOUS LOGON tls 0000\n"},
        {"users, and those who are named",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]|RequireTLS=$true")
             GRANT("c", "Authenticated Users", "Submit", "") GRANT("c", "group:g", "Accept-Any-Recipient", "")
                 GRANT("c", "user:u", "Accept-Authoritative-Domain-Sender", "")
                     GRANT("c", "user:u", "Accept-Any-Sender", "") GRANT("c", "user:v", "Submit", "|Deny=$true"),
         "NT AUTHORITY\\ANONYMOUS LOGON tls 0000\nNT AUTHORITY\\Authenticated Users tls 1000\ngroup:g tls "
         "1100\nuser:u tls 1011\nuser:v tls 0000\n"},
        {"users log on under TLS, others need not",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,BasicAuth,BasicAuthRequireTLS]"),
         "NT AUTHORITY\\ANONYMOUS LOGON plain 0000\nNT AUTHORITY\\ANONYMOUS LOGON tls 0000\nNT "
         "AUTHORITY\\Authenticated Users tls 0000\n"},
        {"externally secured",
         CONNECTOR("c", "0.0.0.0:25", "10.1.0.7", "|AuthMechanism=[ExternalAuthoritative]")
             GRANT("c", "Everyone", "Submit", ""),
         "MS Exchange\\Externally Secured Servers plain 1000\n"},
        {"servers",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls,ExchangeServer]|RequireTLS=$true")
             GRANT("c", "Hub Transport Servers", "Submit", ""),
         "NT AUTHORITY\\ANONYMOUS LOGON tls 0000\nExchange Servers tls 0000\nMS Exchange\\Hub Transport Servers "
         "tls 1000\n"
         "MS Exchange\\Edge Transport Servers tls 0000\nExchangeLegacyInterop tls 0000\nMS Exchange\\Legacy "
         "Exchange Servers tls 0000\n"},
        {"partners",
         CONNECTOR("c", "0.0.0.0:25", ALL, "|AuthMechanism=[Tls]|ImplicitTls=$true|DomainSecureEnabled=$true")
             GRANT("c", "Partner Servers", "Submit", ""),
         "NT AUTHORITY\\ANONYMOUS LOGON tls 0000\nMS Exchange\\Partner Servers tls 1000\n"},
        {"out of reach", CONNECTOR("c", "0.0.0.0:25", ALL, "|Enabled=$false") RELAY, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        struct arena arena;
        struct audit_report r;
        struct err err = {0};
        struct buf got;
        test_policy_init(&t);
        arena_init(&arena, 0);
        buf_init(&got, 1 << 16);
        test_add(&t, "AcceptedDomain: Name=main|DomainName=example.com|Default=$true");
        test_add(&t, rows[i].policy);
        test_open(&t);
        assert_int_equal(audit_run(t.policy, &row_facts, AUDIT_ALL, &arena, &r, &err), ERR_NONE);
        for (size_t k = 0; k < r.access_count; k++)
            buf_addf(&got, "%.*s %s %d%d%d%d\n", SPAN_ARG(r.access[k].who), r.access[k].tls ? "tls" : "plain",
                     r.access[k].submit, r.access[k].relay, r.access[k].own_sender, r.access[k].other_sender);
        CHECK_SPAN(rows[i].name, buf_span(&got), span_of(rows[i].want));
        buf_done(&got);
        arena_clear(&arena);
        test_policy_done(&t);
    }
}

/* The worst first, and a line that sums up. */
static void test_print(void **state UNUSED)
{
    struct test_policy t;
    struct arena arena;
    struct audit_report r;
    struct err err = {0};
    struct buf out;
    test_policy_init(&t);
    arena_init(&arena, 0);
    buf_init(&out, 1 << 16);
    test_add(&t, "AcceptedDomain: Name=main|DomainName=example.com|Default=$true\n" CONNECTOR("c", "0.0.0.0:25",
                                                                                              ALL, PLAIN)
                     RELAY CONNECTOR("d", "0.0.0.0:26", "10.0.0.7", "|AuthMechanism=[BasicAuth]")
                         CONNECTOR("e", "0.0.0.0:27", ALL, "|Enabled=$false"));
    test_open(&t);
    assert_int_equal(audit_run(t.policy, &row_facts, AUDIT_ALL, &arena, &r, &err), ERR_NONE);
    audit_print(&out, &r, SPAN("mailreeve explain --state /s"));
    assert_false(out.failed);
    CHECK("first",
          span_starts(buf_span(&out), SPAN("DANGER  open-relay  ReceiveConnector \"c\"\n    Anybody may send")));
    CHECK("witness", memmem(out.ptr, out.len, "\n    see: mailreeve explain --state /s --remote", 46));
    CHECK("remedy", memmem(out.ptr, out.len, "\n    mend: Remove-ADPermission", 29));
    CHECK("summary", span_ends(buf_span(&out), SPAN("\n1 danger, 1 warning, 1 note.\n")));
    buf_done(&out);
    arena_clear(&arena);
    test_policy_done(&t);
}

static void test_names(void **state UNUSED)
{
    for (unsigned i = 0; i < AUDIT_KINDS; i++)
        for (unsigned k = 0; k < i; k++)
            CHECK(audit_kind_info((enum audit_kind)i)->name,
                  !span_eq(span_of(audit_kind_info((enum audit_kind)i)->name),
                           span_of(audit_kind_info((enum audit_kind)k)->name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access), cmocka_unit_test(test_without_effect), cmocka_unit_test(test_access_table),
        cmocka_unit_test(test_print),  cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
