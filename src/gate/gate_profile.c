/* gate_profile.c: from a receive connector to what the SMTP machine offers. */
#include "gate/gate.h"

enum { LONG_COMMAND_LINE = 8000 }; /* with XLONGADDR */

/* In the order of EHLO. GSSAPI or the two with passwords may be missing, so what is offered is a part of this. */
static const struct span mechanisms[] = {SPAN_INIT("GSSAPI"), SPAN_INIT("LOGIN"), SPAN_INIT("PLAIN")};
enum { GSSAPI_COUNT = 1, PASSWORD_COUNT = 2 };

static const struct span *first_mechanism(bool gssapi)
{
    return gssapi ? mechanisms : mechanisms + GSSAPI_COUNT;
}

static size_t mechanism_count(bool gssapi, bool passwords)
{
    size_t n = gssapi ? GSSAPI_COUNT : 0;
    return passwords ? n + PASSWORD_COUNT : n;
}

static uint32_t limit(uint32_t n)
{
    return n == POLICY_UNLIMITED ? SMTP_UNLIMITED : n;
}

/* The most that the organisation takes from anybody: to its own recipients, or from its users to others. */
static uint64_t any_size(const struct transport_settings *t)
{
    uint64_t most = t->max_receive_size > t->max_send_size ? t->max_receive_size : t->max_send_size;
    return most == POLICY_UNLIMITED_WIDE ? 0 : most;
}

static enum smtp_size_mode size_mode(const struct receive_connector *c)
{
    return c->size_mode == SIZE_DISABLED        ? SMTP_SIZE_OFF
           : c->size_mode == SIZE_WITHOUT_VALUE ? SMTP_SIZE_NO_VALUE
                                                : SMTP_SIZE_VALUE;
}

static bool is_implicit(const struct receive_connector *c)
{
    return c->flags & CONNECTOR_IMPLICIT_TLS;
}

struct span gate_fqdn(const struct policy *p, const struct receive_connector *c, struct span host)
{
    struct span fqdn = policy_text(p, c->fqdn);
    return fqdn.len ? fqdn : host;
}

bool gate_uses_tls(const struct receive_connector *c)
{
    return (c->auth & AUTH_TLS) || is_implicit(c);
}

bool gate_uses_gssapi(const struct receive_connector *c)
{
    return (c->auth & AUTH_INTEGRATED) && (c->flags & CONNECTOR_AUTH_GSSAPI);
}

bool gate_can_greet(const struct receive_connector *c, bool certificate)
{
    return certificate || !is_implicit(c);
}

struct smtp_server_profile gate_profile(const struct policy *p, const struct receive_connector *c,
                                        const struct gate_place *place)
{
    bool basic = c->auth & AUTH_BASIC, after_tls_only = c->auth & AUTH_BASIC_REQUIRE_TLS;
    bool gssapi = place->keytab && gate_uses_gssapi(c);
    bool long_addresses = c->flags & CONNECTOR_LONG_ADDRESSES;
    return (struct smtp_server_profile){
        .fqdn = gate_fqdn(p, c, place->host),
        .banner = policy_text(p, c->banner),
        .client_address = place->client_address,
        .default_domain = policy_text(p, c->default_domain),
        .size_mode = size_mode(c),
        .max_message_size = c->max_message_size == POLICY_UNLIMITED_WIDE ? 0 : c->max_message_size,
        .pipelining = c->flags & CONNECTOR_PIPELINING,
        .dsn = c->flags & CONNECTOR_DSN,
        .enhanced_status_codes = c->flags & CONNECTOR_ENHANCED_CODES,
        .eight_bit_mime = c->flags & CONNECTOR_EIGHT_BIT_MIME,
        .chunking = c->flags & CONNECTOR_CHUNKING,
        .smtp_utf8 = c->flags & CONNECTOR_SMTP_UTF8,
        .binary_mime = c->flags & CONNECTOR_BINARY_MIME,
        .starttls_available = place->certificate && gate_uses_tls(c) && !is_implicit(c),
        .tls_active = is_implicit(c),
        .require_tls = c->flags & CONNECTOR_REQUIRE_TLS,
        .offers_require_tls = c->flags & CONNECTOR_OFFERS_REQUIRE_TLS,
        .require_ehlo_domain = c->flags & CONNECTOR_REQUIRE_EHLO_DOMAIN,
        .auth_before_tls = first_mechanism(gssapi),
        .auth_before_tls_count = mechanism_count(gssapi, basic && !after_tls_only),
        .auth_after_tls = first_mechanism(gssapi),
        .auth_after_tls_count = mechanism_count(gssapi, basic),
        .connector = policy_text(p, c->name),
        .max_any_size = any_size(policy_settings(p)),
        .long_addresses = long_addresses,
        .orar = c->flags & CONNECTOR_ORAR,
        .repair_bare_lf = !(c->flags & CONNECTOR_BARE_LF_REJECTION),
        .max_command_line = long_addresses ? LONG_COMMAND_LINE : 0,
        .max_recipients = limit(c->max_recipients),
        .organisation_max_recipients = limit(policy_settings(p)->max_recipients),
        .max_protocol_errors = limit(c->max_protocol_errors),
        .max_logon_failures = c->max_logon_failures,
        .connection_timeout_ms = c->connection_timeout_ms,
        .inactivity_timeout_ms = c->inactivity_timeout_ms,
        .tarpit_ms = c->tarpit_ms,
        .auth_tarpit_ms = c->auth_tarpit_ms,
    };
}
