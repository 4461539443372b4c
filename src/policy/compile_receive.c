/* compile_receive.c: receive connectors. */
#include "policy/compile_internal.h"

struct word {
    const char *name;
    uint32_t bits;
};

static const struct word mechanisms[] = {
    {"None", 0},
    {"Tls", AUTH_TLS},
    {"BasicAuth", AUTH_BASIC},
    {"BasicAuthRequireTLS", AUTH_BASIC_REQUIRE_TLS},
    {"Integrated", AUTH_INTEGRATED},
    {"ExchangeServer", AUTH_EXCHANGE_SERVER},
    {"ExternalAuthoritative", AUTH_EXTERNAL_AUTHORITATIVE},
};

static const struct word proxy_versions[] = {{"None", 0}, {"V1", CONNECTOR_PROXY_V1}, {"V2", CONNECTOR_PROXY_V2}};

/* The bits of all the words that the property lists; want says what words there are. */
static uint32_t words_of(struct compiler *c, const struct record *r, const char *property, const struct word *words,
                         size_t count, const char *want)
{
    const struct value *list = NULL;
    size_t n = compile_list(c, r, property, &list);
    uint32_t set = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < count && !span_ieq(list[i].s, span_of(words[k].name)))
            k++;
        if (k == count)
            compile_bad(c, r, property, want);
        else
            set |= words[k].bits;
    }
    return set;
}

static struct policy_list bindings_of(struct compiler *c, const struct record *r)
{
    const struct value *list = NULL;
    uint32_t first = compile_count(c, SECTION_BINDINGS);
    uint32_t n = (uint32_t)compile_list(c, r, "Bindings", &list);
    for (uint32_t i = 0; i < n; i++) {
        struct ip_endpoint e = {0};
        if (!ip_parse_endpoint(list[i].s, &e))
            compile_bad(c, r, "Bindings", "a list of addresses with ports, such as 0.0.0.0:25");
        compile_add(c, SECTION_BINDINGS, &e);
    }
    return (struct policy_list){first, n};
}

static struct policy_list ranges_of(struct compiler *c, const struct record *r)
{
    const struct value *list = NULL;
    struct index_entry e = {.connector = compile_count(c, SECTION_RECEIVE)};
    uint32_t first = compile_count(c, SECTION_RANGES);
    uint32_t n = (uint32_t)compile_list(c, r, "RemoteIPRanges", &list);
    for (uint32_t i = 0; i < n; i++) {
        struct ip_range range = {0};
        if (!ip_parse_range(list[i].s, &range))
            compile_bad(c, r, "RemoteIPRanges", "a list of address ranges, such as 192.0.2.0-192.0.2.255");
        e.item = first + i;
        compile_add(c, SECTION_RANGES, &range);
        compile_add(c, SECTION_RANGE_ORDER, &e);
    }
    return (struct policy_list){first, n};
}

static struct policy_list proxies_of(struct compiler *c, const struct record *r)
{
    const struct value *list = NULL;
    uint32_t first = compile_count(c, SECTION_PROXIES);
    uint32_t n = (uint32_t)compile_list(c, r, "ProxyProtocolSources", &list);
    for (uint32_t i = 0; i < n; i++) {
        struct ip_range range = {0};
        if (!ip_parse_range(list[i].s, &range))
            compile_bad(c, r, "ProxyProtocolSources", "a list of address ranges, such as 192.0.2.1");
        compile_add(c, SECTION_PROXIES, &range);
    }
    return (struct policy_list){first, n};
}

static const struct compile_flag connector_flags[] = {
    {"Enabled", CONNECTOR_ENABLED, true},
    {"PipeliningEnabled", CONNECTOR_PIPELINING, true},
    {"ChunkingEnabled", CONNECTOR_CHUNKING, true},
    {"BinaryMimeEnabled", CONNECTOR_BINARY_MIME, true},
    {"EightBitMimeEnabled", CONNECTOR_EIGHT_BIT_MIME, true},
    {"DeliveryStatusNotificationEnabled", CONNECTOR_DSN, true},
    {"EnhancedStatusCodesEnabled", CONNECTOR_ENHANCED_CODES, true},
    {"SmtpUtf8Enabled", CONNECTOR_SMTP_UTF8, true},
    {"RequireTLS", CONNECTOR_REQUIRE_TLS, false},
    {"RequireEHLODomain", CONNECTOR_REQUIRE_EHLO_DOMAIN, false},
    {"DomainSecureEnabled", CONNECTOR_DOMAIN_SECURE, false},
    {"ImplicitTls", CONNECTOR_IMPLICIT_TLS, false},
    {"BareLinefeedRejectionEnabled", CONNECTOR_BARE_LF_REJECTION, true},
    {"LongAddressesEnabled", CONNECTOR_LONG_ADDRESSES, false},
    {"OrarEnabled", CONNECTOR_ORAR, false},
    {"EnableAuthGSSAPI", CONNECTOR_AUTH_GSSAPI, false},
    {"RequireTlsExtensionEnabled", CONNECTOR_OFFERS_REQUIRE_TLS, true},
};

#define NARROW(property, field, otherwise)                                                                         \
    {                                                                                                              \
        property, offsetof(struct receive_connector, field), false, otherwise                                      \
    }

static const struct compile_number connector_numbers[] = {
    {"MaxMessageSize", offsetof(struct receive_connector, max_message_size), true, 10 << 20},
    NARROW("MaxHeaderSize", max_header_size, 64 << 10),
    NARROW("MaxRecipientsPerMessage", max_recipients, 200),
    NARROW("MaxHopCount", max_hops, 30),
    NARROW("MaxLocalHopCount", max_local_hops, 8),
    NARROW("MaxInboundConnection", max_connections, 5000),
    NARROW("MaxInboundConnectionPerSource", max_connections_per_source, 20),
    NARROW("MaxInboundConnectionPercentagePerSource", max_percentage_per_source, 2),
    NARROW("MaxProtocolErrors", max_protocol_errors, 5),
    NARROW("MaxLogonFailures", max_logon_failures, 3),
    NARROW("MessageRateLimit", message_rate_limit, POLICY_UNLIMITED),
    NARROW("ConnectionTimeout", connection_timeout_ms, 600000),
    NARROW("ConnectionInactivityTimeout", inactivity_timeout_ms, 300000),
    NARROW("TarpitInterval", tarpit_ms, 5000),
    NARROW("AuthTarpitInterval", auth_tarpit_ms, 5000),
};

void compile_receive_connector(struct compiler *c, const struct record *r)
{
    static const char *const logging[] = {"None", "Verbose"};
    static const char *const size_modes[] = {
        [SIZE_DISABLED] = "Disabled", [SIZE_ENABLED] = "Enabled", [SIZE_WITHOUT_VALUE] = "EnabledWithoutValue"};
    static const char *const rate_sources[] = {
        [RATE_BY_NONE] = "None", [RATE_BY_ADDRESS] = "IPAddress", [RATE_BY_USER] = "User", [RATE_BY_ALL] = "All"};
    static const char *const tls_profiles[] = {"Intermediate", "Modern", "Legacy"};
    static const char *const tls_versions[] = {"Tls10", "Tls11", "Tls12", "Tls13"};
    struct receive_connector k = {
        .guid = compile_text_of(c, r, "Guid"),
        .name = compile_text_of(c, r, "Name"),
        .fqdn = compile_text_of(c, r, "Fqdn"),
        .banner = compile_text_of(c, r, "Banner"),
        .default_domain = compile_text_of(c, r, "DefaultDomain"),
        .bindings = bindings_of(c, r),
        .ranges = ranges_of(c, r),
        .proxies = proxies_of(c, r),
        .acl = compile_acl(c, record_string(r, SPAN("Guid")), true),
        .flags = compile_flags(c, r, connector_flags, ARRAY_LEN(connector_flags)),
        .auth = words_of(c, r, "AuthMechanism", mechanisms, ARRAY_LEN(mechanisms), "a list of known mechanisms"),
        .size_mode = compile_enum(c, r, "SizeEnabled", size_modes, ARRAY_LEN(size_modes), SIZE_ENABLED),
        .tls_profile = compile_enum(c, r, "TlsCipherProfile", tls_profiles, ARRAY_LEN(tls_profiles), 0),
        .tls_minimum = compile_enum(c, r, "TlsMinimumVersion", tls_versions, ARRAY_LEN(tls_versions), 2),
        .rate_source =
            compile_enum(c, r, "MessageRateSource", rate_sources, ARRAY_LEN(rate_sources), RATE_BY_ADDRESS),
    };
    compile_numbers(c, r, connector_numbers, ARRAY_LEN(connector_numbers), &k);
    k.flags |= words_of(c, r, "ProxyProtocol", proxy_versions, ARRAY_LEN(proxy_versions), "a list of V1 and V2");
    if (compile_enum(c, r, "ProtocolLoggingLevel", logging, ARRAY_LEN(logging), 0))
        k.flags |= CONNECTOR_VERBOSE_LOG;
    compile_add(c, SECTION_RECEIVE, &k);
}
