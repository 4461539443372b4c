/*
 * rules.c: what the properties of one object demand of each other, a rule a function. Each refusal names both sides
 * and the remedy. The objects are complete when they are checked.
 */
#include "schema/internal.h"

#include "base/ip.h"
#include "base/num.h"
#include "mail/status.h"
#include "policy/group.h"

#include <stdio.h>

#define REFUSE(...) return err_set(err, ERR_CONFLICT, __VA_ARGS__)

static bool on(const struct record *r, const char *property)
{
    return record_bool(r, span_of(property), false);
}

static size_t count(const struct record *r, const char *property)
{
    const struct value *v = record_get(r, span_of(property));
    return v && v->kind == VALUE_LIST ? v->list.count : 0;
}

static bool has(const struct record *r, const char *property, const char *word)
{
    const struct value *v = record_get(r, span_of(property));
    for (size_t i = 0; i < count(r, property); i++)
        if (span_ieq(v->list.items[i].s, span_of(word)))
            return true;
    return false;
}

static bool mechanism(const struct record *r, const char *word)
{
    return has(r, "AuthMechanism", word);
}

/* Every rule has this form. */
#define RULE(name)                                                                                                 \
    static enum err_code name(const struct record *r, const struct schema_facts *f UNUSED, struct err *err)

/* ---- ReceiveConnector ---- */

RULE(auth_none_alone)
{
    if (mechanism(r, "None") && count(r, "AuthMechanism") > 1)
        REFUSE("AuthMechanism: None stands alone; give None, or the others without it");
    return ERR_NONE;
}

RULE(groups_none_alone)
{
    if (has(r, "PermissionGroups", "None") && count(r, "PermissionGroups") > 1)
        REFUSE("PermissionGroups: None stands alone; give None, or the others without it");
    return ERR_NONE;
}

RULE(basic_require_tls)
{
    if (mechanism(r, "BasicAuthRequireTLS") && !(mechanism(r, "BasicAuth") && mechanism(r, "Tls")))
        REFUSE("AuthMechanism: BasicAuthRequireTLS needs BasicAuth and Tls beside it; give "
               "Tls,BasicAuth,BasicAuthRequireTLS");
    return ERR_NONE;
}

RULE(external_alone)
{
    if (mechanism(r, "ExternalAuthoritative") && count(r, "AuthMechanism") > (mechanism(r, "Tls") ? 2u : 1u))
        REFUSE("AuthMechanism: ExternalAuthoritative goes together with Tls only; take the other mechanisms away");
    return ERR_NONE;
}

RULE(external_groups)
{
    if (mechanism(r, "ExternalAuthoritative") && !has(r, "PermissionGroups", "ExchangeServers"))
        REFUSE("AuthMechanism ExternalAuthoritative needs ExchangeServers in PermissionGroups, since its clients "
               "count as Externally Secured Servers; add -PermissionGroups ExchangeServers");
    return ERR_NONE;
}

RULE(require_tls)
{
    if (on(r, "RequireTLS") && !mechanism(r, "Tls"))
        REFUSE("RequireTLS $true needs Tls in AuthMechanism; add Tls to it, or set RequireTLS $false");
    return ERR_NONE;
}

RULE(implicit_tls)
{
    if (on(r, "ImplicitTls") && !mechanism(r, "Tls"))
        REFUSE("ImplicitTls $true needs Tls in AuthMechanism; add Tls to it, or set ImplicitTls $false");
    return ERR_NONE;
}

RULE(domain_secure)
{
    if (!on(r, "DomainSecureEnabled"))
        return ERR_NONE;
    if (!mechanism(r, "Tls"))
        REFUSE("DomainSecureEnabled $true needs Tls in AuthMechanism; add Tls to it, or set DomainSecureEnabled "
               "$false");
    if (mechanism(r, "ExternalAuthoritative"))
        REFUSE("DomainSecureEnabled $true and AuthMechanism ExternalAuthoritative exclude each other; set "
               "DomainSecureEnabled $false, or take ExternalAuthoritative away");
    if (f->secure_domains == 0)
        REFUSE("DomainSecureEnabled $true needs a domain that it is for; first Set-TransportConfig "
               "-TLSReceiveDomainSecureList partner.example");
    return ERR_NONE;
}

RULE(tls_legacy)
{
    struct span minimum = record_string(r, SPAN("TlsMinimumVersion"));
    bool old = span_ieq(minimum, SPAN("Tls10")) || span_ieq(minimum, SPAN("Tls11"));
    if (old && !span_ieq(record_string(r, SPAN("TlsCipherProfile")), SPAN("Legacy")))
        REFUSE(
            "TlsMinimumVersion %.*s needs TlsCipherProfile Legacy, since that version knows no other ciphers; add "
            "-TlsCipherProfile Legacy, on a connector for those devices alone",
            SPAN_ARG(minimum));
    return ERR_NONE;
}

RULE(binary_mime)
{
    if (on(r, "BinaryMimeEnabled") && !on(r, "ChunkingEnabled"))
        REFUSE(
            "BinaryMimeEnabled $true needs ChunkingEnabled $true; set ChunkingEnabled $true, or BinaryMimeEnabled "
            "$false as well");
    return ERR_NONE;
}

RULE(timeouts)
{
    if (record_int(r, SPAN("ConnectionInactivityTimeout"), 0) >= record_int(r, SPAN("ConnectionTimeout"), 0))
        REFUSE("ConnectionInactivityTimeout must be less than ConnectionTimeout; lower the one or raise the other");
    return ERR_NONE;
}

RULE(suppress_anonymous_tls)
{
    if (on(r, "SuppressXAnonymousTls") && !f->downgraded_server_auth)
        REFUSE("SuppressXAnonymousTls $true needs UseDowngradedExchangeServerAuth $true of the server; first "
               "Set-TransportServer -UseDowngradedExchangeServerAuth $true");
    return ERR_NONE;
}

RULE(edge_groups)
{
    const struct value *v = record_get(r, SPAN("PermissionGroups"));
    for (size_t i = 0; f->edge && i < count(r, "PermissionGroups"); i++) {
        enum permission_group g = group_from_name(v->list.items[i].s);
        if (g < GROUP_COUNT && !group_info(g)->on_edge)
            return err_set(err, ERR_DENIED,
                           "PermissionGroups: %.*s does not exist on an Edge server, which knows no mailbox users; "
                           "leave it out, or use a Hub server",
                           SPAN_ARG(v->list.items[i].s));
    }
    return ERR_NONE;
}

RULE(banner)
{
    const struct value *v = record_get(r, SPAN("Banner"));
    if (!v || v->kind != VALUE_STRING)
        return ERR_NONE;
    if (!span_starts(v->s, SPAN("220 ")) || v->s.len < 5 || !span_is_printable_ascii(v->s))
        REFUSE(
            "Banner: \"%.*s\" must begin with 220 and a blank, and be ASCII; give '220 mail.example.com', or $null "
            "for the standard one",
            SPAN_ARG(span_head(v->s, 80)));
    return ERR_NONE;
}

RULE(proxy_none_alone)
{
    if (has(r, "ProxyProtocol", "None") && count(r, "ProxyProtocol") > 1)
        REFUSE("ProxyProtocol: None stands alone; give None, or the versions without it");
    return ERR_NONE;
}

static bool reads_proxy_headers(const struct record *r)
{
    return count(r, "ProxyProtocol") && !has(r, "ProxyProtocol", "None");
}

RULE(proxy_needs_sources)
{
    if (reads_proxy_headers(r) && !count(r, "ProxyProtocolSources"))
        REFUSE("ProxyProtocol needs ProxyProtocolSources, the load balancers that are believed; add "
               "-ProxyProtocolSources 192.0.2.1, or set ProxyProtocol None");
    return ERR_NONE;
}

/* Whoever is believed chooses its address, and so its connector: a list that holds strangers is none. */
RULE(proxy_sources_width)
{
    const struct ip_range widest_v4 = {ip_v4(10, 0, 0, 0), ip_v4(10, 255, 255, 255)};
    struct ip_range range, widest_v6;
    bool parsed = ip_parse_range(SPAN("fc00::/7"), &widest_v6);
    ASSERT(parsed);
    for (size_t i = 0; i < count(r, "ProxyProtocolSources"); i++) {
        struct span text = record_get(r, SPAN("ProxyProtocolSources"))->list.items[i].s;
        if (ip_parse_range(text, &range) &&
            ip_range_cmp_size(range, ip_is_v4(range.first) ? widest_v4 : widest_v6) > 0)
            REFUSE(
                "ProxyProtocolSources: %.*s is wider than 10.0.0.0/8 or fc00::/7; whoever is in it could claim any "
                "address and so reach any connector. Give the addresses of the load balancers alone",
                SPAN_ARG(text));
    }
    return ERR_NONE;
}

static bool overlaps_any(struct ip_range range, const struct record *r, const char *property)
{
    for (size_t i = 0; i < count(r, property); i++) {
        struct ip_range other;
        if (ip_parse_range(record_get(r, span_of(property))->list.items[i].s, &other) &&
            ip_is_v4(other.first) == ip_is_v4(range.first) && ip_cmp(other.first, range.last) <= 0 &&
            ip_cmp(range.first, other.last) <= 0)
            return true;
    }
    return false;
}

/* The connector must serve the load balancer itself before it can read what that has to say. */
RULE(proxy_sources_in_ranges)
{
    for (size_t i = 0; reads_proxy_headers(r) && i < count(r, "ProxyProtocolSources"); i++) {
        struct span text = record_get(r, SPAN("ProxyProtocolSources"))->list.items[i].s;
        struct ip_range range;
        if (ip_parse_range(text, &range) && !overlaps_any(range, r, "RemoteIPRanges"))
            REFUSE("ProxyProtocolSources: %.*s is not in RemoteIPRanges, so that its connections never reach this "
                   "connector; add it to RemoteIPRanges, or set ProxyProtocol on the connector that serves it",
                   SPAN_ARG(text));
    }
    return ERR_NONE;
}

const struct schema_rule schema_receive_rules[SCHEMA_RECEIVE_RULES] = {
    {"auth-none-alone", auth_none_alone},
    {"groups-none-alone", groups_none_alone},
    {"basic-auth-require-tls", basic_require_tls},
    {"external-alone", external_alone},
    {"external-needs-exchange-servers", external_groups},
    {"require-tls", require_tls},
    {"implicit-tls", implicit_tls},
    {"domain-secure", domain_secure},
    {"tls-legacy", tls_legacy},
    {"binary-mime", binary_mime},
    {"timeouts", timeouts},
    {"suppress-anonymous-tls", suppress_anonymous_tls},
    {"edge-groups", edge_groups},
    {"banner", banner},
    {"proxy-none-alone", proxy_none_alone},
    {"proxy-needs-sources", proxy_needs_sources},
    {"proxy-sources-width", proxy_sources_width},
    {"proxy-sources-in-ranges", proxy_sources_in_ranges},
};

/* ---- SendConnector ---- */

RULE(smart_hosts)
{
    if (on(r, "DNSRoutingEnabled") && count(r, "SmartHosts"))
        REFUSE(
            "SmartHosts and DNSRoutingEnabled $true exclude each other; add -DNSRoutingEnabled $false to send to "
            "the smart hosts");
    if (!on(r, "DNSRoutingEnabled") && !count(r, "SmartHosts"))
        REFUSE("DNSRoutingEnabled $false needs SmartHosts; add -SmartHosts relay.example.com");
    return ERR_NONE;
}

RULE(send_tls)
{
    if (on(r, "RequireTLS") && on(r, "IgnoreSTARTTLS"))
        REFUSE("RequireTLS $true and IgnoreSTARTTLS $true exclude each other; set one of them $false");
    return ERR_NONE;
}

static struct span tls_auth_level(const struct record *r)
{
    return record_string(r, SPAN("TlsAuthLevel"));
}

RULE(send_tls_level)
{
    static const char *const excluded[] = {"IgnoreSTARTTLS", "ForceHELO"};
    struct span level = tls_auth_level(r);
    for (size_t i = 0; level.len && i < ARRAY_LEN(excluded); i++)
        if (on(r, excluded[i]))
            REFUSE("TlsAuthLevel %.*s and %s $true exclude each other; set %s $false, or TlsAuthLevel $null",
                   SPAN_ARG(level), excluded[i], excluded[i]);
    if (span_ieq(record_string(r, SPAN("SmtpDaneMode")), SPAN("Mandatory")) &&
        (on(r, "IgnoreSTARTTLS") || level.len))
        REFUSE(
            "SmtpDaneMode Mandatory excludes IgnoreSTARTTLS $true and TlsAuthLevel; set these $false and $null, or "
            "SmtpDaneMode Opportunistic");
    return ERR_NONE;
}

RULE(send_tls_domain)
{
    bool named = span_ieq(tls_auth_level(r), SPAN("DomainValidation"));
    struct span domain = record_string(r, SPAN("TlsDomain"));
    if (named && !domain.len && !on(r, "DNSRoutingEnabled"))
        REFUSE("TlsAuthLevel DomainValidation needs TlsDomain where mail goes to smart hosts; add -TlsDomain "
               "example.com");
    if (domain.len && !named)
        REFUSE("TlsDomain %.*s is read with TlsAuthLevel DomainValidation only; add it, or set TlsDomain $null",
               SPAN_ARG(domain));
    return ERR_NONE;
}

static struct span smart_host_mechanism(const struct record *r)
{
    return record_string(r, SPAN("SmartHostAuthMechanism"));
}

RULE(smart_host_auth)
{
    bool basic = span_istarts(smart_host_mechanism(r), SPAN("BasicAuth"));
    const struct value *password = record_get(r, SPAN("AuthenticationPassword"));
    bool complete = record_string(r, SPAN("AuthenticationUserName")).len && password &&
                    password->kind == VALUE_SECRET && password->s.len;
    bool later = f->secrets_elsewhere && record_string(r, SPAN("AuthenticationUserName")).len;
    if (basic && !complete && !later)
        REFUSE("SmartHostAuthMechanism %.*s needs AuthenticationUserName and AuthenticationPassword; give both, or "
               "None",
               SPAN_ARG(smart_host_mechanism(r)));
    if (!span_ieq(smart_host_mechanism(r), SPAN("None")) && on(r, "DNSRoutingEnabled"))
        REFUSE("SmartHostAuthMechanism %.*s is for smart hosts; add -DNSRoutingEnabled $false and -SmartHosts",
               SPAN_ARG(smart_host_mechanism(r)));
    return ERR_NONE;
}

RULE(smart_host_auth_tls)
{
    struct span mechanism = smart_host_mechanism(r);
    bool needs_tls =
        span_ieq(mechanism, SPAN("BasicAuthRequireTLS")) || span_ieq(mechanism, SPAN("ExchangeServer"));
    if (needs_tls && on(r, "IgnoreSTARTTLS"))
        REFUSE("SmartHostAuthMechanism %.*s and IgnoreSTARTTLS $true exclude each other; set IgnoreSTARTTLS $false",
               SPAN_ARG(mechanism));
    return ERR_NONE;
}

RULE(send_domain_secure)
{
    static const struct {
        const char *property;
        bool value;
        const char *why;
    } excluded[] = {
        {"DNSRoutingEnabled", false, "a smart host's certificate cannot speak for the recipients' domains"},
        {"IgnoreSTARTTLS", true, "it is about TLS"},
        {"ForceHELO", true, "without EHLO there is no TLS"},
    };
    for (size_t i = 0; on(r, "DomainSecureEnabled") && i < ARRAY_LEN(excluded); i++)
        if (on(r, excluded[i].property) == excluded[i].value)
            REFUSE(
                "DomainSecureEnabled $true and %s $%s exclude each other: %s; set %s $%s, or DomainSecureEnabled "
                "$false",
                excluded[i].property, excluded[i].value ? "true" : "false", excluded[i].why, excluded[i].property,
                excluded[i].value ? "false" : "true");
    return ERR_NONE;
}

RULE(force_helo)
{
    bool auth = span_istarts(smart_host_mechanism(r), SPAN("BasicAuth")) ||
                span_ieq(smart_host_mechanism(r), SPAN("ExchangeServer"));
    if (on(r, "ForceHELO") && (on(r, "RequireTLS") || auth))
        REFUSE(
            "ForceHELO $true leaves neither TLS nor AUTH, which RequireTLS and SmartHostAuthMechanism ask for; set "
            "ForceHELO $false");
    return ERR_NONE;
}

const struct schema_rule schema_send_rules[SCHEMA_SEND_RULES] = {
    {"smart-hosts", smart_hosts},
    {"send-tls", send_tls},
    {"send-tls-level", send_tls_level},
    {"send-tls-domain", send_tls_domain},
    {"smart-host-auth", smart_host_auth},
    {"smart-host-auth-tls", smart_host_auth_tls},
    {"send-domain-secure", send_domain_secure},
    {"force-helo", force_helo},
};

/* ---- AcceptedDomain, TransportServer ---- */

RULE(lone_wildcard)
{
    if (span_eq(record_string(r, SPAN("DomainName")), SPAN("*")))
        REFUSE("DomainName: a lone * would accept mail for every domain there is, which makes an open relay; give "
               "the domains by name, or *.example.com for all below one");
    return ERR_NONE;
}

static bool has_port(struct span host)
{
    uint32_t port;
    size_t colon = span_rfind(host, ':');
    return colon != SIZE_MAX && colon > 0 && num_parse_u32(span_from(host, colon + 1), UINT16_MAX, &port) && port;
}

static void print_short(struct value v, char *out, size_t cap)
{
    struct buf b;
    buf_init(&b, cap - 1);
    value_print(&b, v);
    snprintf(out, cap, "%.*s", SPAN_ARG(buf_span(&b)));
    buf_done(&b);
}

RULE(lmtp_host)
{
    bool lmtp = span_ieq(record_string(r, SPAN("MailboxDeliveryProtocol")), SPAN("Lmtp"));
    struct span host = record_string(r, SPAN("MailboxDeliveryHost"));
    if (lmtp && !host.len)
        REFUSE("MailboxDeliveryProtocol Lmtp needs MailboxDeliveryHost; add -MailboxDeliveryHost host:port");
    if (host.len && !span_starts(host, SPAN("/")) && !has_port(host))
        REFUSE("MailboxDeliveryHost \"%.*s\" has no port; host:port is expected, such as 127.0.0.1:24, or the path "
               "of a "
               "socket",
               SPAN_ARG(host));
    return ERR_NONE;
}

/* Whether path is the folder itself or one below it, without a way out. */
static bool folder_below(struct span path, struct span folder)
{
    struct span part, rest = path;
    bool first = true;
    for (; span_split(&rest, '/', &part); first = false)
        if (first ? !span_eq(part, folder) : !part.len || span_starts(part, SPAN(".")))
            return false;
    return !first && span_find(path, '\n') == SIZE_MAX;
}

RULE(pickup_folders)
{
    static const struct {
        const char *property, *folder;
    } folders[] = {{"PickupDirectoryPath", "pickup"}, {"ReplayDirectoryPath", "replay"}};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        struct span path = record_string(r, span_of(folders[i].property));
        if (path.len && !folder_below(path, span_of(folders[i].folder)))
            REFUSE(
                "%s \"%.*s\": the process that reads it can reach nothing but %s below the state folder; give %s, "
                "%s/NAME or $null (to have it elsewhere, mount that there)",
                folders[i].property, SPAN_ARG(path), folders[i].folder, folders[i].folder, folders[i].folder);
    }
    return ERR_NONE;
}

const struct schema_rule schema_domain_rules[SCHEMA_DOMAIN_RULES] = {{"lone-wildcard", lone_wildcard}};
/* A level that no value can have alone would be a mistake. Free space falls towards high, all else rises. */
RULE(pressure_order)
{
    static const struct {
        const char *medium, *high;
        bool falls;
    } pairs[] = {
        {"QueueDiskMediumThreshold", "QueueDiskHighThreshold", true},
        {"LogDiskMediumThreshold", "LogDiskHighThreshold", true},
        {"MemoryMediumThreshold", "MemoryHighThreshold", false},
        {"QueueLengthMediumThreshold", "QueueLengthHighThreshold", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        const struct value *m = record_get(r, span_of(pairs[i].medium)), *h = record_get(r, span_of(pairs[i].high));
        if (!m || !h || m->kind == VALUE_NULL || h->kind == VALUE_NULL || h->kind == VALUE_UNLIMITED)
            continue;
        if (m->kind != VALUE_UNLIMITED && (pairs[i].falls ? m->i >= h->i : m->i <= h->i))
            continue;
        char medium[32], high[32];
        print_short(*m, medium, sizeof medium);
        print_short(*h, high, sizeof high);
        REFUSE("%s %s is %s %s %s, so that medium would never come about; set both, medium %s", pairs[i].medium,
               medium, pairs[i].falls ? "less than" : "more than", pairs[i].high, high,
               pairs[i].falls ? "with more free space than high" : "no higher than high");
    }
    return ERR_NONE;
}

/* Names with / between, none of which leads elsewhere. */
RULE(tracking_path)
{
    struct span path = record_string(r, SPAN("MessageTrackingLogPath")), rest = path, name;
    bool good = true;
    while (span_split(&rest, '/', &name))
        good = good && name.len && name.ptr[0] != '.' && span_is_printable_ascii(name);
    if (!good)
        REFUSE("MessageTrackingLogPath \"%.*s\" is no folder below the state folder; names with / between are "
               "expected, none of which begins with a dot, such as log/MessageTracking",
               SPAN_ARG(path));
    return ERR_NONE;
}

const struct schema_rule schema_server_rules[SCHEMA_SERVER_RULES] = {{"lmtp-host", lmtp_host},
                                                                     {"pressure-order", pressure_order},
                                                                     {"pickup-folders", pickup_folders},
                                                                     {"tracking-path", tracking_path}};

/* ---- TransportConfig ---- */

enum { FINGERPRINT_LEN = 64 };

static bool is_fingerprint(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
              (ascii_lower(s.ptr[i]) >= 'a' && ascii_lower(s.ptr[i]) <= 'f')))
            return false;
    return s.len == FINGERPRINT_LEN;
}

RULE(server_certificates)
{
    static const char *const lists[] = {"HubTransportServerCertificates", "EdgeTransportServerCertificates"};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const struct value *v = record_get(r, span_of(lists[k]));
        if (count(r, lists[k]) > SCHEMA_SERVER_CERTIFICATES_MAX)
            REFUSE("%s: more than %d servers", lists[k], SCHEMA_SERVER_CERTIFICATES_MAX);
        for (size_t i = 0; i < count(r, lists[k]); i++)
            if (!is_fingerprint(v->list.items[i].s))
                REFUSE("%s: \"%.*s\" is no SHA-256 thumbprint; give the 64 hex digits that the server's "
                       "Get-ExchangeCertificate shows as Sha256Thumbprint",
                       lists[k], SPAN_ARG(span_head(v->list.items[i].s, 80)));
    }
    return ERR_NONE;
}

RULE(dsn_copies)
{
    const struct value *v = record_get(r, SPAN("GenerateCopyOfDSNFor"));
    struct status s;
    if (count(r, "GenerateCopyOfDSNFor") > SCHEMA_DSN_COPIES_MAX)
        REFUSE("GenerateCopyOfDSNFor: more than %d codes", SCHEMA_DSN_COPIES_MAX);
    for (size_t i = 0; i < count(r, "GenerateCopyOfDSNFor"); i++)
        if (!status_parse(v->list.items[i].s, &s) || s.class == STATUS_SUCCESS)
            REFUSE("GenerateCopyOfDSNFor: \"%.*s\" is no status code of a failure; give codes such as 5.4.6 or "
                   "4.4.7",
                   SPAN_ARG(v->list.items[i].s));
    return ERR_NONE;
}

const struct schema_rule schema_config_rules[SCHEMA_CONFIG_RULES] = {
    {"server-certificates", server_certificates},
    {"dsn-copies", dsn_copies},
};
