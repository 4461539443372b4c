/* compile_send.c: send connectors with their address spaces, accepted domains, and the settings of the server. */
#include "policy/compile_internal.h"

#include "base/num.h"
#include "mail/domain.h"

/* ---- send connectors ---- */

/* "SMTP:*.example.com;5", "example.com", "*"; false when it is none of these. */
static bool parse_space(struct compiler *c, struct span s, struct address_space *ret)
{
    size_t semicolon = span_rfind(s, ';');
    struct span domain = span_head(s, semicolon);
    *ret = (struct address_space){.kind = SPACE_DOMAIN, .cost = 1};
    if (semicolon != SIZE_MAX && (!num_parse_u32(span_from(s, semicolon + 1), 100, &ret->cost) || ret->cost == 0))
        return false;
    if (span_istarts(domain, SPAN("SMTP:")))
        domain = span_from(domain, 5);
    if (span_eq(domain, SPAN("*"))) {
        ret->kind = SPACE_ALL;
        return true;
    }
    if (span_starts(domain, SPAN("*."))) {
        ret->kind = SPACE_SUBDOMAINS;
        domain = span_from(domain, 2);
    }
    ret->domain = compile_lower_text(c, domain);
    return domain_valid(domain, DOMAIN_ALLOW_UTF8);
}

static struct policy_list spaces_of(struct compiler *c, const struct record *r)
{
    const struct value *list = NULL;
    struct index_entry e = {.connector = compile_count(c, SECTION_SEND)};
    uint32_t first = compile_count(c, SECTION_SPACES), n = (uint32_t)compile_list(c, r, "AddressSpaces", &list);
    for (uint32_t i = 0; i < n; i++) {
        struct address_space s;
        if (!parse_space(c, list[i].s, &s))
            compile_bad(c, r, "AddressSpaces", "a list of SMTP address spaces, such as *.example.com;5");
        e.item = first + i;
        compile_add(c, SECTION_SPACES, &s);
        compile_add(c, SECTION_SPACE_ORDER, &e);
    }
    return (struct policy_list){first, n};
}

static struct policy_list texts_of(struct compiler *c, const struct record *r, const char *property)
{
    const struct value *list = NULL;
    uint32_t first = compile_count(c, SECTION_HOSTS), n = (uint32_t)compile_list(c, r, property, &list);
    for (uint32_t i = 0; i < n; i++) {
        struct policy_text t = compile_text(c, list[i].s);
        compile_add(c, SECTION_HOSTS, &t);
    }
    return (struct policy_list){first, n};
}

static uint32_t smart_host_auth_of(struct compiler *c, const struct record *r)
{
    static const char *const names[] = {"None", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer",
                                        "ExternalAuthoritative"};
    static const uint32_t flags[] = {0, SEND_BASIC_AUTH, SEND_BASIC_AUTH | SEND_BASIC_AUTH_REQUIRE_TLS,
                                     SEND_EXCHANGE_SERVER, SEND_EXTERNAL_AUTHORITATIVE};
    return flags[compile_enum(c, r, "SmartHostAuthMechanism", names, ARRAY_LEN(names), 0)];
}

static uint8_t tls_level_of(struct compiler *c, const struct record *r)
{
    static const char *const names[] = {"EncryptionOnly", "CertificateValidation", "DomainValidation"};
    uint32_t n = compile_enum(c, r, "TlsAuthLevel", names, ARRAY_LEN(names), UINT32_MAX);
    return n == UINT32_MAX ? SEND_TLS_UNSET : (uint8_t)(SEND_TLS_ENCRYPTION + n);
}

static struct policy_text password_of(struct compiler *c, const struct record *r)
{
    const struct value *v = record_get(r, SPAN("AuthenticationPassword"));
    if (v && v->kind != VALUE_SECRET && v->kind != VALUE_NULL && !c->code) /* not compile_bad: it would show it */
        c->code = err_set(c->err, ERR_INVALID, "%.*s \"%.*s\": AuthenticationPassword is not a secret",
                          SPAN_ARG(r->type), SPAN_ARG(record_string(r, SPAN("Name"))));
    return compile_text(c, v && v->kind == VALUE_SECRET ? v->s : SPAN(""));
}

static const struct compile_flag send_flags[] = {
    {"Enabled", SEND_ENABLED, true},         {"DNSRoutingEnabled", SEND_DNS_ROUTING, true},
    {"RequireTLS", SEND_REQUIRE_TLS, false}, {"IgnoreSTARTTLS", SEND_IGNORE_STARTTLS, false},
    {"ForceHELO", SEND_FORCE_HELO, false},   {"DomainSecureEnabled", SEND_DOMAIN_SECURE, false},
};

static const struct compile_number send_numbers[] = {
    {"MaxMessageSize", offsetof(struct send_connector, max_message_size), true, 10 << 20},
    {"Port", offsetof(struct send_connector, port), false, 25},
    {"ConnectionInactivityTimeOut", offsetof(struct send_connector, inactivity_timeout_ms), false, 600000},
};

void compile_send_connector(struct compiler *c, const struct record *r)
{
    static const char *const logging[] = {"None", "Verbose"};
    static const char *const danes[] = {"None", "Opportunistic", "Mandatory"};
    static const char *const sts[] = {"None", "Opportunistic"};
    struct send_connector k = {
        .guid = compile_text_of(c, r, "Guid"),
        .name = compile_text_of(c, r, "Name"),
        .fqdn = compile_text_of(c, r, "Fqdn"),
        .user = compile_text_of(c, r, "AuthenticationUserName"),
        .password = password_of(c, r),
        .tls_domain = compile_lower_text(c, record_string(r, SPAN("TlsDomain"))),
        .spaces = spaces_of(c, r),
        .hosts = texts_of(c, r, "SmartHosts"),
        .acl = compile_acl(c, record_string(r, SPAN("Guid")), false),
        .flags = compile_flags(c, r, send_flags, ARRAY_LEN(send_flags)) | smart_host_auth_of(c, r),
        .tls_level = tls_level_of(c, r),
        .dane = (uint8_t)compile_enum(c, r, "SmtpDaneMode", danes, ARRAY_LEN(danes), SEND_DANE_OPPORTUNISTIC),
        .mta_sts = (uint8_t)compile_enum(c, r, "MtaStsMode", sts, ARRAY_LEN(sts), 1),
    };
    compile_numbers(c, r, send_numbers, ARRAY_LEN(send_numbers), &k);
    if (k.port > 65535)
        compile_bad(c, r, "Port", "a port");
    if (compile_enum(c, r, "ProtocolLoggingLevel", logging, ARRAY_LEN(logging), 0))
        k.flags |= SEND_VERBOSE_LOG;
    compile_add(c, SECTION_SEND, &k);
}

/* ---- accepted domains ---- */

void compile_domain(struct compiler *c, const struct record *r)
{
    static const char *const types[] = {[DOMAIN_AUTHORITATIVE] = "Authoritative",
                                        [DOMAIN_INTERNAL_RELAY] = "InternalRelay",
                                        [DOMAIN_EXTERNAL_RELAY] = "ExternalRelay"};
    static const struct compile_flag is_default[] = {{"Default", 1, false}};
    struct span domain = compile_string(c, r, "DomainName");
    bool wildcard = span_starts(domain, SPAN("*."));
    if (wildcard)
        domain = span_from(domain, 2);
    if (!domain_valid(domain, DOMAIN_ALLOW_UTF8))
        compile_bad(c, r, "DomainName", "a domain, or *. and a domain");
    struct accepted_domain d = {
        .name = compile_text_of(c, r, "Name"),
        .domain = compile_lower_text(c, domain),
        .type = compile_enum(c, r, "DomainType", types, ARRAY_LEN(types), DOMAIN_AUTHORITATIVE),
        .wildcard = wildcard,
        .is_default = compile_flags(c, r, is_default, ARRAY_LEN(is_default)),
    };
    compile_add(c, SECTION_DOMAINS, &d);
}

/* ---- settings ---- */

#define SETTING(property, field, wide, otherwise)                                                                  \
    {                                                                                                              \
        property, offsetof(struct transport_settings, field), wide, otherwise                                      \
    }

static const struct compile_number server_numbers[] = {
    SETTING("QueueGlitchRetryCount", glitch_count, false, 4),
    SETTING("QueueGlitchRetryInterval", glitch_interval_ms, false, 60000),
    SETTING("TransientFailureRetryCount", transient_count, false, 6),
    SETTING("TransientFailureRetryInterval", transient_interval_ms, false, 300000),
    SETTING("OutboundConnectionFailureRetryInterval", failure_interval_ms, false, 600000),
    SETTING("MessageRetryInterval", message_interval_ms, false, 60000),
    SETTING("MailboxDeliveryQueueRetryInterval", mailbox_interval_ms, false, 300000),
    SETTING("MaxOutboundConnections", max_outbound, false, 1000),
    SETTING("MaxPerDomainOutboundConnections", max_per_domain, false, 20),
    SETTING("PoisonThreshold", poison_threshold, false, 2),
    SETTING("PickupDirectoryMaxMessagesPerMinute", pickup_rate, false, 100),
    SETTING("PickupDirectoryMaxHeaderSize", pickup_max_header, false, 64 << 10),
    SETTING("PickupDirectoryMaxRecipientsPerMessage", pickup_max_recipients, false, 100),
    SETTING("MessageExpirationTimeout", expiration_ms, true, UINT64_C(172800000)),
    SETTING("DelayNotificationTimeout", delay_notice_ms, true, 14400000),
    SETTING("InternalDsnMaxMessageAttachSize", dsn_attach_internal, true, 512 << 10),
    SETTING("ExternalDsnMaxMessageAttachSize", dsn_attach_external, true, 512 << 10),
};

static const struct compile_flag dsn_flags[] = {
    {"InternalDelayDsnEnabled", DSN_DELAY_INTERNAL, true},
    {"ExternalDelayDsnEnabled", DSN_DELAY_EXTERNAL, true},
    {"InternalDsnSendHtml", DSN_HTML_INTERNAL, true},
    {"ExternalDsnSendHtml", DSN_HTML_EXTERNAL, true},
};

/* Absent numbers are what pressure_default_limits says. */
static void compile_pressure(struct compiler *c, const struct record *server, struct pressure_limits *ret)
{
    const struct pressure_limits defaults = pressure_default_limits();
    for (enum pressure_resource r = 0; r < PRESSURE_RESOURCES; r++) {
        const struct compile_number numbers[] = {
            {pressure_property(r, PRESSURE_MEDIUM), offsetof(struct pressure_limits, of[r].medium), true,
             defaults.of[r].medium},
            {pressure_property(r, PRESSURE_HIGH), offsetof(struct pressure_limits, of[r].high), true,
             defaults.of[r].high},
        };
        compile_numbers(c, server, numbers, ARRAY_LEN(numbers), ret);
    }
    if (!pressure_limits_ok(ret))
        compile_bad(c, server, pressure_property(PRESSURE_MEMORY, PRESSURE_HIGH),
                    "a percentage, as its MemoryMediumThreshold must be");
}

static const struct compile_number config_numbers[] = {
    SETTING("MaxReceiveSize", max_receive_size, true, POLICY_UNLIMITED_WIDE),
    SETTING("MaxSendSize", max_send_size, true, POLICY_UNLIMITED_WIDE),
    SETTING("MaxRecipientEnvelopeLimit", max_recipients, false, POLICY_UNLIMITED),
};

/* Null is a choice: the folder is not read. */
static struct policy_text folder_of(struct compiler *c, const struct record *r, const char *property,
                                    struct span otherwise)
{
    bool said = record_get(r, span_of(property));
    return said ? compile_text_of(c, r, property) : compile_text(c, otherwise);
}

void compile_settings(struct compiler *c, const struct record *server, const struct record *config)
{
    static const char *const roles[] = {"Hub", "Edge"};
    static const char *const protocols[] = {"Maildir", "Lmtp"};
    const struct record none = {.type = SPAN("TransportServer")};
    const struct record *s = server ? server : &none, *o = config ? config : &none;
    struct transport_settings t = {
        .host = compile_text_of(c, s, "Name"),
        .postmaster = compile_text_of(c, o, "ExternalPostmasterAddress"),
        .mailbox_host = compile_text_of(c, s, "MailboxDeliveryHost"),
        .pickup_folder = folder_of(c, s, "PickupDirectoryPath", SPAN("pickup")),
        .replay_folder = folder_of(c, s, "ReplayDirectoryPath", SPAN("replay")),
        .local_submission = compile_local_submission(c, s),
        .secure_domains = texts_of(c, o, "TLSReceiveDomainSecureList"),
        .secure_send_domains = texts_of(c, o, "TLSSendDomainSecureList"),
        .hub_servers = texts_of(c, o, "HubTransportServerCertificates"),
        .edge_servers = texts_of(c, o, "EdgeTransportServerCertificates"),
        .dsn_copies = texts_of(c, o, "GenerateCopyOfDSNFor"),
        .dsn_flags = compile_flags(c, s, dsn_flags, ARRAY_LEN(dsn_flags)),
        .edge = compile_enum(c, s, "Role", roles, ARRAY_LEN(roles), 0),
        .lmtp = compile_enum(c, s, "MailboxDeliveryProtocol", protocols, ARRAY_LEN(protocols), 0),
    };
    compile_numbers(c, s, server_numbers, ARRAY_LEN(server_numbers), &t);
    compile_numbers(c, o, config_numbers, ARRAY_LEN(config_numbers), &t);
    compile_pressure(c, s, &t.pressure);
    compile_add(c, SECTION_SETTINGS, &t);
}
