/* test_next_hop.c: what leaves for whom: the send rights of what the next hop is, or must prove to be. */
#include "check.h"
#include "mail/header_exit.h"
#include "policy/test_support.h"
#include "role/queue/next_hop.h"

#define ANON "NT AUTHORITY\\ANONYMOUS LOGON"
#define HUB  "MS Exchange\\Hub Transport Servers"
#define EDGE "MS Exchange\\Edge Transport Servers"

enum {
    MARKS = HEADER_EXIT_ORGANIZATION | HEADER_EXIT_FOREST,
    ALL = MARKS | HEADER_EXIT_ROUTING,
};

static const struct {
    const char *name, *mechanism, *pins;
    unsigned remove;
    size_t pin_count;
} rows[] = {
    {"anybody", "None", "HubTransportServerCertificates=[" TEST_PIN_HUB "]", MARKS, 0},
    {"vouched for", "ExternalAuthoritative", "", ALL, 0}, /* the ACL has nothing for Externally Secured Servers */
    {"a hub", "ExchangeServer", "HubTransportServerCertificates=[" TEST_PIN_HUB "]", 0, 1},
    {"an edge, which may have less", "ExchangeServer", "EdgeTransportServerCertificates=[" TEST_PIN_EDGE "]",
     HEADER_EXIT_FOREST, 1},
    {"either", "ExchangeServer",
     "HubTransportServerCertificates=[" TEST_PIN_HUB "]|EdgeTransportServerCertificates=[" TEST_PIN_EDGE "]",
     HEADER_EXIT_FOREST, 2},
    {"nobody can prove it", "ExchangeServer", "", 0, 0},
};

static void test_rows(void **state UNUSED)
{
    static const struct {
        const char *user, *right;
    } acl[] = {{ANON, "ms-Exch-Send-Headers-Routing"},      {HUB, "ms-Exch-Send-Headers-Routing"},
               {HUB, "ms-Exch-Send-Headers-Organization"},  {HUB, "ms-Exch-Send-Headers-Forest"},
               {EDGE, "ms-Exch-Send-Headers-Organization"}, {EDGE, "ms-Exch-Send-Headers-Routing"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_policy t;
        struct delivery_host hosts[NEXT_HOP_HOSTS_MAX];
        struct span pins[NEXT_HOP_PINS_MAX];
        struct secret password;
        struct delivery_destination to = {0};
        bool server = span_eq(span_of(rows[i].mechanism), SPAN("ExchangeServer"));
        test_policy_init(&t);
        secret_init(&password, 100);
        test_addf(&t, "SendConnector: Guid=s|Name=s|AddressSpaces=[*]|SmartHostAuthMechanism=%s",
                  rows[i].mechanism);
        for (size_t k = 0; k < ARRAY_LEN(acl); k++)
            test_addf(&t, "ADPermission: Connector=s|User=%s|ExtendedRight=%s", acl[k].user, acl[k].right);
        test_addf(&t, "TransportConfig: Name=x%s%s", rows[i].pins[0] ? "|" : "", rows[i].pins);
        test_open(&t);
        const struct route r = {
            .kind = ROUTE_RELAY, .connector = policy_send_connector(t.policy, 0), .domain = SPAN("far.test")};
        next_hop_fill(&to, t.policy, &r, hosts, pins, &password);
        CHECK_INT(rows[i].name, to.remove_headers, rows[i].remove);
        CHECK_INT(rows[i].name, to.exchange_server, server);
        CHECK_INT(rows[i].name, to.tls, server ? DELIVERY_TLS_REQUIRED : DELIVERY_TLS_OPPORTUNISTIC);
        CHECK_INT(rows[i].name, to.pin_count, rows[i].pin_count);
        if (to.pin_count == 2)
            CHECK_SPAN(rows[i].name, to.pins[1], span_of(TEST_PIN_EDGE));
        secret_done(&password);
        test_policy_done(&t);
    }
}

/* Domain security: the connector that has it, and a domain that is listed. */
static void test_domain_secure(void **state UNUSED)
{
    static const struct {
        const char *name, *enabled, *domain;
        bool secure;
    } secure[] = {
        {"both", "$true", "Bank.Test", true},
        {"another domain", "$true", "far.test", false},
        {"a domain below it", "$true", "mx.bank.test", false},
        {"another connector", "$false", "bank.test", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(secure); i++) {
        struct test_policy t;
        struct delivery_host hosts[NEXT_HOP_HOSTS_MAX];
        struct span pins[NEXT_HOP_PINS_MAX];
        struct secret password;
        struct delivery_destination to = {0};
        test_policy_init(&t);
        secret_init(&password, 100);
        test_addf(&t, "SendConnector: Guid=s|Name=s|AddressSpaces=[*]|DomainSecureEnabled=%s", secure[i].enabled);
        test_add(&t, "TransportConfig: Name=x|TLSSendDomainSecureList=[partner.test,bank.test]");
        test_open(&t);
        const struct route r = {.kind = ROUTE_RELAY,
                                .connector = policy_send_connector(t.policy, 0),
                                .domain = span_of(secure[i].domain)};
        next_hop_fill(&to, t.policy, &r, hosts, pins, &password);
        CHECK_INT(secure[i].name, to.domain_secure, secure[i].secure);
        secret_done(&password);
        test_policy_done(&t);
    }
}

/* Levels, DANE and MTA-STS of the connector; the last rules for smart hosts as well, but for MTA-STS. */
static void test_levels(void **state UNUSED)
{
    static const struct {
        const char *settings;
        enum delivery_tls tls;
        const char *domain;
        enum delivery_dane dane;
        bool sts;
    } levels[] = {
        {"", DELIVERY_TLS_OPPORTUNISTIC, "", DELIVERY_DANE_OPPORTUNISTIC, true},
        {"|RequireTLS=$true", DELIVERY_TLS_REQUIRED, "", DELIVERY_DANE_OPPORTUNISTIC, true},
        {"|IgnoreSTARTTLS=$true", DELIVERY_TLS_NONE, "", DELIVERY_DANE_OPPORTUNISTIC, true},
        {"|TlsAuthLevel=EncryptionOnly", DELIVERY_TLS_REQUIRED, "", DELIVERY_DANE_OPPORTUNISTIC, true},
        {"|RequireTLS=$true|TlsAuthLevel=CertificateValidation", DELIVERY_TLS_TRUSTED, "",
         DELIVERY_DANE_OPPORTUNISTIC, true},
        {"|TlsAuthLevel=DomainValidation|TlsDomain=A.test", DELIVERY_TLS_DOMAIN, "a.test",
         DELIVERY_DANE_OPPORTUNISTIC, true},
        {"|SmtpDaneMode=Mandatory|MtaStsMode=None", DELIVERY_TLS_OPPORTUNISTIC, "", DELIVERY_DANE_MANDATORY, false},
        {"|SmtpDaneMode=None|DNSRoutingEnabled=$false|SmartHosts=[a.test]", DELIVERY_TLS_OPPORTUNISTIC, "",
         DELIVERY_DANE_NONE, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        const char *name = levels[i].settings;
        struct test_policy t;
        struct delivery_host hosts[NEXT_HOP_HOSTS_MAX];
        struct span pins[NEXT_HOP_PINS_MAX];
        struct secret password;
        struct delivery_destination to = {0};
        test_policy_init(&t);
        secret_init(&password, 100);
        test_addf(&t, "SendConnector: Guid=s|Name=s|AddressSpaces=[*]%s", name);
        test_open(&t);
        const struct route r = {
            .kind = ROUTE_RELAY, .connector = policy_send_connector(t.policy, 0), .domain = SPAN("far.test")};
        next_hop_fill(&to, t.policy, &r, hosts, pins, &password);
        CHECK_INT(name, to.tls, levels[i].tls);
        CHECK_SPAN(name, to.tls_domain, span_of(levels[i].domain));
        CHECK_INT(name, to.dane, levels[i].dane);
        CHECK_INT(name, to.mta_sts, levels[i].sts);
        secret_done(&password);
        test_policy_done(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_domain_secure),
                                       cmocka_unit_test(test_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
