/*
 * rules.c: what the properties of one object demand of each other, a rule a function. Each refusal names both sides
 * and the remedy. The objects are complete when they are checked.
 */
#include "schema/internal.h"

#include "base/num.h"
#include "policy/group.h"

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

const struct schema_rule schema_receive_rules[SCHEMA_RECEIVE_RULES] = {
    {"auth-none-alone", auth_none_alone},
    {"groups-none-alone", groups_none_alone},
    {"basic-auth-require-tls", basic_require_tls},
    {"external-alone", external_alone},
    {"external-needs-exchange-servers", external_groups},
    {"require-tls", require_tls},
    {"implicit-tls", implicit_tls},
    {"domain-secure", domain_secure},
    {"binary-mime", binary_mime},
    {"timeouts", timeouts},
    {"suppress-anonymous-tls", suppress_anonymous_tls},
    {"edge-groups", edge_groups},
    {"banner", banner},
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
    if (basic && !complete)
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
    if (span_ieq(smart_host_mechanism(r), SPAN("BasicAuthRequireTLS")) && on(r, "IgnoreSTARTTLS"))
        REFUSE("SmartHostAuthMechanism BasicAuthRequireTLS and IgnoreSTARTTLS $true exclude each other; set "
               "IgnoreSTARTTLS $false");
    return ERR_NONE;
}

RULE(force_helo)
{
    if (on(r, "ForceHELO") && (on(r, "RequireTLS") || span_istarts(smart_host_mechanism(r), SPAN("BasicAuth"))))
        REFUSE(
            "ForceHELO $true leaves neither TLS nor AUTH, which RequireTLS and SmartHostAuthMechanism ask for; set "
            "ForceHELO $false");
    return ERR_NONE;
}

const struct schema_rule schema_send_rules[SCHEMA_SEND_RULES] = {
    {"smart-hosts", smart_hosts},         {"send-tls", send_tls},
    {"smart-host-auth", smart_host_auth}, {"smart-host-auth-tls", smart_host_auth_tls},
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

const struct schema_rule schema_domain_rules[SCHEMA_DOMAIN_RULES] = {{"lone-wildcard", lone_wildcard}};
const struct schema_rule schema_server_rules[SCHEMA_SERVER_RULES] = {{"lmtp-host", lmtp_host}};
