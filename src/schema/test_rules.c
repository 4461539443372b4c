/* test_rules.c: each rule over several properties: what it refuses, what it says then, and what it lets through. */
#include "check.h"
#include "schema/schema.h"

#include <string.h>

struct change {
    const char *property, *value;
};

#define PIN_REST "112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define PIN      "00" PIN_REST

static const struct {
    const char *name;
    const struct schema_class *class;
    struct change changes[5];
    bool edge, downgraded;
    size_t secure_domains;
    enum err_code code;
    const char *says[3];
} rows[] = {
#define RC &schema_receive_connector
#define SC &schema_send_connector
    {"as it is", RC},
    {"none alone", RC, {{"AuthMechanism", "None"}}},
    {"none and more", RC, {{"AuthMechanism", "None,Tls"}}, .code = ERR_CONFLICT, .says = {"None stands alone"}},
    {"groups: none and more",
     RC,
     {{"PermissionGroups", "None,Partners"}},
     .code = ERR_CONFLICT,
     .says = {"PermissionGroups", "None"}},
    {"basic under TLS", RC, {{"AuthMechanism", "Tls,BasicAuth,BasicAuthRequireTLS"}}},
    {"without BasicAuth",
     RC,
     {{"AuthMechanism", "Tls,BasicAuthRequireTLS"}},
     .code = ERR_CONFLICT,
     .says = {"BasicAuth and Tls"}},
    {"without Tls",
     RC,
     {{"AuthMechanism", "BasicAuth,BasicAuthRequireTLS"}},
     .code = ERR_CONFLICT,
     .says = {"Tls"}},
    {"external", RC, {{"AuthMechanism", "ExternalAuthoritative"}, {"PermissionGroups", "ExchangeServers"}}},
    {"external and Tls",
     RC,
     {{"AuthMechanism", "Tls,ExternalAuthoritative"}, {"PermissionGroups", "ExchangeServers"}}},
    {"external and basic",
     RC,
     {{"AuthMechanism", "BasicAuth,ExternalAuthoritative"}, {"PermissionGroups", "ExchangeServers"}},
     .code = ERR_CONFLICT,
     .says = {"ExternalAuthoritative", "Tls only"}},
    {"external, Tls and integrated",
     RC,
     {{"AuthMechanism", "Tls,Integrated,ExternalAuthoritative"}, {"PermissionGroups", "ExchangeServers"}},
     .code = ERR_CONFLICT,
     .says = {"ExternalAuthoritative"}},
    {"external without servers",
     RC,
     {{"AuthMechanism", "ExternalAuthoritative"}, {"PermissionGroups", "AnonymousUsers"}},
     .code = ERR_CONFLICT,
     .says = {"ExchangeServers", "-PermissionGroups"}},
    {"old TLS with old ciphers", RC, {{"TlsMinimumVersion", "Tls10"}, {"TlsCipherProfile", "Legacy"}}},
    {"old ciphers alone", RC, {{"TlsCipherProfile", "Legacy"}}},
    {"old TLS alone",
     RC,
     {{"TlsMinimumVersion", "Tls11"}},
     .code = ERR_CONFLICT,
     .says = {"TlsMinimumVersion Tls11", "-TlsCipherProfile Legacy"}},
    {"a pin", &schema_transport_config, {{"HubTransportServerCertificates", PIN}}},
    {"a SHA-1 thumbprint",
     &schema_transport_config,
     {{"EdgeTransportServerCertificates", "GG" PIN_REST}},
     .code = ERR_CONFLICT,
     .says = {"EdgeTransportServerCertificates", "Sha256Thumbprint"}},
    {"thresholds",
     &schema_transport_server,
     {{"QueueDiskMediumThreshold", "2GB"}, {"QueueDiskHighThreshold", "1GB"}}},
    {"one of two", &schema_transport_server, {{"LogDiskMediumThreshold", "1KB"}}},
    {"medium with less space than high",
     &schema_transport_server,
     {{"QueueDiskMediumThreshold", "1GB"}, {"QueueDiskHighThreshold", "2GB"}},
     .code = ERR_CONFLICT,
     .says = {"QueueDiskMediumThreshold 1GB", "QueueDiskHighThreshold 2GB"}},
    {"medium above high",
     &schema_transport_server,
     {{"MemoryMediumThreshold", "80"}},
     .code = ERR_CONFLICT,
     .says = {"MemoryMediumThreshold 80", "MemoryHighThreshold 75"}},
    {"a longer queue at medium",
     &schema_transport_server,
     {{"QueueLengthMediumThreshold", "Unlimited"}},
     .code = ERR_CONFLICT,
     .says = {"QueueLengthMediumThreshold Unlimited", "QueueLengthHighThreshold 2000000"}},
    {"require TLS", RC, {{"RequireTLS", "true"}}},
    {"require TLS without Tls",
     RC,
     {{"RequireTLS", "true"}, {"AuthMechanism", "None"}},
     .code = ERR_CONFLICT,
     .says = {"RequireTLS", "Tls"}},
    {"implicit TLS", RC, {{"ImplicitTls", "true"}}},
    {"implicit TLS without Tls",
     RC,
     {{"ImplicitTls", "true"}, {"AuthMechanism", "BasicAuth"}},
     .code = ERR_CONFLICT,
     .says = {"ImplicitTls", "Tls"}},
    {"domain secure", RC, {{"DomainSecureEnabled", "true"}}, .secure_domains = 1},
    {"domain secure without domain",
     RC,
     {{"DomainSecureEnabled", "true"}},
     .code = ERR_CONFLICT,
     .says = {"TLSReceiveDomainSecureList"}},
    {"domain secure without Tls",
     RC,
     {{"DomainSecureEnabled", "true"}, {"AuthMechanism", "None"}},
     .secure_domains = 1,
     .code = ERR_CONFLICT,
     .says = {"DomainSecureEnabled", "Tls"}},
    {"domain secure and external",
     RC,
     {{"DomainSecureEnabled", "true"},
      {"AuthMechanism", "Tls,ExternalAuthoritative"},
      {"PermissionGroups", "ExchangeServers"}},
     .secure_domains = 1,
     .code = ERR_CONFLICT,
     .says = {"DomainSecureEnabled", "ExternalAuthoritative"}},
    {"TLS level", SC, {{"TlsAuthLevel", "CertificateValidation"}}},
    {"TLS level without TLS",
     SC,
     {{"TlsAuthLevel", "EncryptionOnly"}, {"IgnoreSTARTTLS", "true"}},
     .code = ERR_CONFLICT,
     .says = {"TlsAuthLevel EncryptionOnly", "set IgnoreSTARTTLS $false"}},
    {"TLS level without EHLO",
     SC,
     {{"TlsAuthLevel", "EncryptionOnly"}, {"ForceHELO", "true"}},
     .code = ERR_CONFLICT,
     .says = {"set ForceHELO $false"}},
    {"the recipients' domain", SC, {{"TlsAuthLevel", "DomainValidation"}}},
    {"a smart host's domain",
     SC,
     {{"TlsAuthLevel", "DomainValidation"}, {"DNSRoutingEnabled", "false"}, {"SmartHosts", "a.test"}},
     .code = ERR_CONFLICT,
     .says = {"needs TlsDomain"}},
    {"a domain that nobody asks for",
     SC,
     {{"TlsAuthLevel", "CertificateValidation"}, {"TlsDomain", "a.test"}},
     .code = ERR_CONFLICT,
     .says = {"TlsDomain a.test", "DomainValidation"}},
    {"DANE or nothing", SC, {{"SmtpDaneMode", "Mandatory"}, {"RequireTLS", "true"}}},
    {"DANE or nothing, without TLS",
     SC,
     {{"SmtpDaneMode", "Mandatory"}, {"IgnoreSTARTTLS", "true"}},
     .code = ERR_CONFLICT,
     .says = {"SmtpDaneMode Mandatory", "IgnoreSTARTTLS"}},
    {"DANE or nothing, or what a CA says",
     SC,
     {{"SmtpDaneMode", "Mandatory"}, {"TlsAuthLevel", "CertificateValidation"}},
     .code = ERR_CONFLICT,
     .says = {"SmtpDaneMode Mandatory", "TlsAuthLevel"}},
    {"domain secure on the way out", SC, {{"DomainSecureEnabled", "true"}}},
    {"domain secure to smart hosts",
     SC,
     {{"DomainSecureEnabled", "true"}, {"DNSRoutingEnabled", "false"}, {"SmartHosts", "relay.test"}},
     .code = ERR_CONFLICT,
     .says = {"DomainSecureEnabled", "set DNSRoutingEnabled $true"}},
    {"domain secure without TLS",
     SC,
     {{"DomainSecureEnabled", "true"}, {"IgnoreSTARTTLS", "true"}},
     .code = ERR_CONFLICT,
     .says = {"DomainSecureEnabled", "set IgnoreSTARTTLS $false"}},
    {"domain secure without EHLO",
     SC,
     {{"DomainSecureEnabled", "true"}, {"ForceHELO", "true"}},
     .code = ERR_CONFLICT,
     .says = {"DomainSecureEnabled", "set ForceHELO $false"}},
    {"binary without chunking",
     RC,
     {{"ChunkingEnabled", "false"}},
     .code = ERR_CONFLICT,
     .says = {"BinaryMimeEnabled", "ChunkingEnabled"}},
    {"neither", RC, {{"ChunkingEnabled", "false"}, {"BinaryMimeEnabled", "false"}}},
    {"equal timeouts",
     RC,
     {{"ConnectionTimeout", "00:05:00"}},
     .code = ERR_CONFLICT,
     .says = {"ConnectionInactivityTimeout", "ConnectionTimeout"}},
    {"one second less", RC, {{"ConnectionTimeout", "00:05:01"}}},
    {"suppress",
     RC,
     {{"SuppressXAnonymousTls", "true"}},
     .code = ERR_CONFLICT,
     .says = {"UseDowngradedExchangeServerAuth"}},
    {"suppress, allowed", RC, {{"SuppressXAnonymousTls", "true"}}, .downgraded = true},
    {"Edge: users",
     RC,
     {{"PermissionGroups", "ExchangeUsers"}},
     .edge = true,
     .code = ERR_DENIED,
     .says = {"ExchangeUsers", "Edge"}},
    {"Edge: legacy",
     RC,
     {{"PermissionGroups", "AnonymousUsers,ExchangeLegacyServers"}},
     .edge = true,
     .code = ERR_DENIED,
     .says = {"ExchangeLegacyServers", "Edge"}},
    {"Edge: its groups",
     RC,
     {{"PermissionGroups", "AnonymousUsers,ExchangeServers,Partners,Custom"}},
     .edge = true},
    {"Hub: all",
     RC,
     {{"PermissionGroups", "AnonymousUsers,ExchangeUsers,ExchangeServers,ExchangeLegacyServers,Partners"}}},
    {"proxies",
     RC,
     {{"ProxyProtocol", "V1,V2"},
      {"ProxyProtocolSources", "10.0.0.5,10.0.1.0/24"},
      {"RemoteIPRanges", "10.0.0.0/8"}}},
    {"proxies none and more",
     RC,
     {{"ProxyProtocol", "None,V1"}},
     .code = ERR_CONFLICT,
     .says = {"ProxyProtocol", "None stands alone"}},
    {"proxies without a list",
     RC,
     {{"ProxyProtocol", "V2"}},
     .code = ERR_CONFLICT,
     .says = {"ProxyProtocolSources", "-ProxyProtocolSources"}},
    {"a list without proxies", RC, {{"ProxyProtocolSources", "192.0.2.1"}, {"RemoteIPRanges", "10.0.0.0/8"}}},
    {"everybody a proxy",
     RC,
     {{"ProxyProtocol", "V2"}, {"ProxyProtocolSources", "0.0.0.0/0"}},
     .code = ERR_CONFLICT,
     .says = {"0.0.0.0-255.255.255.255", "10.0.0.0/8", "load balancers alone"}},
    {"everybody of IPv6 a proxy",
     RC,
     {{"ProxyProtocol", "V2"}, {"ProxyProtocolSources", "10.0.0.1,::/0"}},
     .code = ERR_CONFLICT,
     .says = {"ProxyProtocolSources: ::", "fc00::/7"}},
    {"the widest lists of proxies",
     RC,
     {{"ProxyProtocol", "V2"},
      {"ProxyProtocolSources", "10.0.0.0/8,fc00::/7"},
      {"RemoteIPRanges", "0.0.0.0/0,::/0"}}},
    {"one address wider",
     RC,
     {{"ProxyProtocol", "V2"}, {"ProxyProtocolSources", "10.0.0.0-11.0.0.0"}},
     .code = ERR_CONFLICT,
     .says = {"10.0.0.0-11.0.0.0"}},
    {"a proxy that another connector serves",
     RC,
     {{"ProxyProtocol", "V2"}, {"ProxyProtocolSources", "10.0.0.5"}, {"RemoteIPRanges", "10.0.0.6-10.0.0.9"}},
     .code = ERR_CONFLICT,
     .says = {"10.0.0.5", "RemoteIPRanges"}},
    {"a proxy at the edge of the ranges",
     RC,
     {{"ProxyProtocol", "V2"},
      {"ProxyProtocolSources", "10.0.0.1-10.0.0.6"},
      {"RemoteIPRanges", "10.0.0.6-10.0.0.9"}}},
    {"banner", RC, {{"Banner", "220 mail.example.com"}}},
    {"banner without code", RC, {{"Banner", "hello there"}}, .code = ERR_CONFLICT, .says = {"hello there", "220"}},
    {"banner without text", RC, {{"Banner", "220 "}}, .code = ERR_CONFLICT, .says = {"220"}},
    {"banner of several lines", RC, {{"Banner", "220-mail"}}, .code = ERR_CONFLICT, .says = {"220"}},
    {"banner beyond ASCII", RC, {{"Banner", "220 m\xc3\xa4il"}}, .code = ERR_CONFLICT, .says = {"ASCII"}},
    {"no bindings", RC, {{"Bindings", NULL}}, .code = ERR_INVALID, .says = {"Bindings"}},
    {"no ranges", RC, {{"RemoteIPRanges", NULL}}, .code = ERR_INVALID, .says = {"RemoteIPRanges"}},
    {"by DNS", SC},
    {"DNS and hosts",
     SC,
     {{"SmartHosts", "a.example"}},
     .code = ERR_CONFLICT,
     .says = {"SmartHosts", "-DNSRoutingEnabled $false"}},
    {"hosts", SC, {{"SmartHosts", "a.example"}, {"DNSRoutingEnabled", "false"}}},
    {"no hosts", SC, {{"DNSRoutingEnabled", "false"}}, .code = ERR_CONFLICT, .says = {"-SmartHosts"}},
    {"TLS and none",
     SC,
     {{"RequireTLS", "true"}, {"IgnoreSTARTTLS", "true"}},
     .code = ERR_CONFLICT,
     .says = {"RequireTLS", "IgnoreSTARTTLS"}},
    {"no user",
     SC,
     {{"SmartHosts", "a.example"},
      {"DNSRoutingEnabled", "false"},
      {"SmartHostAuthMechanism", "BasicAuth"},
      {"AuthenticationPassword", "p"}},
     .code = ERR_CONFLICT,
     .says = {"AuthenticationUserName"}},
    {"no password",
     SC,
     {{"SmartHosts", "a.example"},
      {"DNSRoutingEnabled", "false"},
      {"SmartHostAuthMechanism", "BasicAuth"},
      {"AuthenticationUserName", "u"}},
     .code = ERR_CONFLICT,
     .says = {"AuthenticationPassword"}},
    {"complete",
     SC,
     {{"SmartHosts", "a.example"},
      {"DNSRoutingEnabled", "false"},
      {"SmartHostAuthMechanism", "BasicAuth"},
      {"AuthenticationUserName", "u"},
      {"AuthenticationPassword", "p"}}},
    {"auth by DNS",
     SC,
     {{"SmartHostAuthMechanism", "ExchangeServer"}},
     .code = ERR_CONFLICT,
     .says = {"-SmartHosts"}},
    {"password without TLS",
     SC,
     {{"SmartHosts", "a.example"},
      {"SmartHostAuthMechanism", "BasicAuthRequireTLS"},
      {"AuthenticationUserName", "u"},
      {"AuthenticationPassword", "p"},
      {"IgnoreSTARTTLS", "true"}},
     .code = ERR_CONFLICT},
    {"HELO and TLS",
     SC,
     {{"ForceHELO", "true"}, {"RequireTLS", "true"}},
     .code = ERR_CONFLICT,
     .says = {"ForceHELO"}},
    {"servers without TLS",
     SC,
     {{"SmartHostAuthMechanism", "ExchangeServer"},
      {"DNSRoutingEnabled", "false"},
      {"SmartHosts", "hub.example.com"},
      {"IgnoreSTARTTLS", "true"}},
     .code = ERR_CONFLICT,
     .says = {"ExchangeServer", "IgnoreSTARTTLS"}},
    {"servers by HELO",
     SC,
     {{"SmartHostAuthMechanism", "ExchangeServer"},
      {"DNSRoutingEnabled", "false"},
      {"SmartHosts", "hub.example.com"},
      {"ForceHELO", "true"}},
     .code = ERR_CONFLICT,
     .says = {"ForceHELO"}},
    {"HELO", SC, {{"ForceHELO", "true"}}},
    {"no space", SC, {{"AddressSpaces", NULL}}, .code = ERR_INVALID, .says = {"AddressSpaces"}},
    {"domain", &schema_accepted_domain, {{"DomainName", "*.example.com"}}},
    {"lone wildcard", &schema_accepted_domain, {{"DomainName", "*"}}, .code = ERR_CONFLICT, .says = {"open relay"}},
    {"Maildir", &schema_transport_server},
    {"Lmtp",
     &schema_transport_server,
     {{"MailboxDeliveryProtocol", "Lmtp"}},
     .code = ERR_CONFLICT,
     .says = {"MailboxDeliveryHost"}},
    {"Lmtp and host",
     &schema_transport_server,
     {{"MailboxDeliveryProtocol", "Lmtp"}, {"MailboxDeliveryHost", "h:24"}}},
    {"Lmtp and socket",
     &schema_transport_server,
     {{"MailboxDeliveryProtocol", "Lmtp"}, {"MailboxDeliveryHost", "/run/lmtp"}}},
    {"host without port",
     &schema_transport_server,
     {{"MailboxDeliveryHost", "h"}},
     .code = ERR_CONFLICT,
     .says = {"no port", "127.0.0.1:24"}},
    {"host with a port that is none",
     &schema_transport_server,
     {{"MailboxDeliveryHost", "h:x"}},
     .code = ERR_CONFLICT,
     .says = {"no port"}},
    {"folders below",
     &schema_transport_server,
     {{"PickupDirectoryPath", "pickup/printers"}, {"ReplayDirectoryPath", "replay/archive/2026"}}},
    {"no folders", &schema_transport_server, {{"PickupDirectoryPath", NULL}, {"ReplayDirectoryPath", NULL}}},
    {"folder elsewhere",
     &schema_transport_server,
     {{"PickupDirectoryPath", "/var/spool/pickup"}},
     .code = ERR_CONFLICT,
     .says = {"PickupDirectoryPath", "pickup/NAME", "$null"}},
    {"folder of another kind",
     &schema_transport_server,
     {{"ReplayDirectoryPath", "pickup"}},
     .code = ERR_CONFLICT,
     .says = {"ReplayDirectoryPath", "replay/NAME"}},
    {"folder with a way out",
     &schema_transport_server,
     {{"PickupDirectoryPath", "pickup/../certs"}},
     .code = ERR_CONFLICT,
     .says = {"pickup/../certs"}},
    {"folder that is hidden",
     &schema_transport_server,
     {{"PickupDirectoryPath", "pickup/.x"}},
     .code = ERR_CONFLICT,
     .says = {"pickup/.x"}},
    {"folder whose name only begins so",
     &schema_transport_server,
     {{"PickupDirectoryPath", "pickups"}},
     .code = ERR_CONFLICT,
     .says = {"pickups"}},
    {"folder with an empty part",
     &schema_transport_server,
     {{"PickupDirectoryPath", "pickup//x"}},
     .code = ERR_CONFLICT,
     .says = {"pickup//x"}},
#define TRACKING(path)                                                                                             \
    &schema_transport_server,                                                                                      \
    {                                                                                                              \
        {                                                                                                          \
            "MessageTrackingLogPath", path                                                                         \
        }                                                                                                          \
    }
    {"a folder for tracking", TRACKING("log/elsewhere/Tracking.2")},
    {"above the state folder", TRACKING("log/../../outside"), .code = ERR_CONFLICT,
     .says = {"MessageTrackingLogPath", "log/../../outside", "log/MessageTracking"}},
    {"from the root", TRACKING("/var/log"), .code = ERR_CONFLICT, .says = {"below the state folder"}},
    {"a hidden folder", TRACKING("log/.tracking"), .code = ERR_CONFLICT, .says = {"dot"}},
    {"a name that is empty", TRACKING("log//tracking"), .code = ERR_CONFLICT, .says = {"log//tracking"}},
    {"beyond ASCII", TRACKING("log/\xc3\xa4"), .code = ERR_CONFLICT, .says = {"below the state folder"}},
#undef TRACKING
    {"copies of reports", &schema_transport_config, {{"GenerateCopyOfDSNFor", "5.4.6"}}},
    {"copies of delays", &schema_transport_config, {{"GenerateCopyOfDSNFor", "4.4.7"}}},
    {"copies of what is no code",
     &schema_transport_config,
     {{"GenerateCopyOfDSNFor", "54.6.1"}},
     .code = ERR_CONFLICT,
     .says = {"GenerateCopyOfDSNFor", "54.6.1", "5.4.6"}},
    {"copies of successes",
     &schema_transport_config,
     {{"GenerateCopyOfDSNFor", "2.1.5"}},
     .code = ERR_CONFLICT,
     .says = {"2.1.5"}},
};

static void set(const char *row, struct record *r, const struct schema_class *c, const char *property,
                const char *value)
{
    struct err err = {0};
    struct value v = value_list(NULL, 0);
    const struct schema_property *p = schema_property(c, span_of(property));
    CHECK(row, p);
    if (value)
        CHECK_INT(row, schema_parse_property(p, value_of(value), NULL, r->arena, &v, &err), ERR_NONE);
    CHECK(row, record_set(r, span_of(p->name), v));
}

/* The object of a row, complete. */
static struct record *object_of(size_t i, struct arena *arena)
{
    const struct schema_class *c = rows[i].class;
    struct record *r = record_new(arena, span_of(c->name));
    struct err err = {0};
    if (c == RC) {
        set(rows[i].name, r, c, "Bindings", "0.0.0.0:25");
        set(rows[i].name, r, c, "RemoteIPRanges", "192.0.2.1");
        set(rows[i].name, r, c, "PermissionGroups", "None");
    }
    if (c == SC)
        set(rows[i].name, r, c, "AddressSpaces", "*");
    for (size_t k = 0; k < ARRAY_LEN(rows[i].changes) && rows[i].changes[k].property; k++)
        set(rows[i].name, r, c, rows[i].changes[k].property, rows[i].changes[k].value);
    CHECK_INT(rows[i].name, schema_complete(c, false, r, &err), ERR_NONE);
    return r;
}

static struct schema_facts facts_of(size_t i)
{
    return (struct schema_facts){rows[i].edge, rows[i].downgraded, rows[i].secure_domains};
}

static void test_rules(void **state UNUSED)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct schema_facts facts = facts_of(i);
        struct err err = {0};
        struct record *r = object_of(i, &arena);
        CHECK_INT(rows[i].name, schema_check(rows[i].class, r, &facts, &err), rows[i].code);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].says) && rows[i].says[k]; k++)
            CHECK(rows[i].name, strstr(err.text, rows[i].says[k]));
    }
    arena_clear(&arena);
}

/* No rule is dead: each refuses the object of some row. */
static void test_every_rule_refuses(void **state UNUSED)
{
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t c = 0; c < SCHEMA_CLASSES; c++)
        for (size_t k = 0; k < schema_classes[c]->rule_count; k++) {
            const struct schema_rule *rule = &schema_classes[c]->rules[k];
            bool refused = false;
            for (size_t i = 0; i < ARRAY_LEN(rows) && !refused; i++) {
                const struct schema_facts facts = facts_of(i);
                refused = rows[i].class == schema_classes[c] &&
                          rule->check(object_of(i, &arena), &facts, NULL) != ERR_NONE;
            }
            CHECK(rule->name, refused);
        }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_every_rule_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
