/* session_profile.c: from a receive connector to what the SMTP machine offers. */
#include "role/receive/certificates.h"
#include "role/receive/session_internal.h"

static const struct span mechanisms[SESSION_MECHANISMS] = {SPAN_INIT("LOGIN"), SPAN_INIT("PLAIN")};

static uint32_t limit(uint32_t n)
{
    return n == POLICY_UNLIMITED ? SMTP_UNLIMITED : n;
}

static enum smtp_size_mode size_mode(const struct receive_connector *c)
{
    return c->size_mode == SIZE_DISABLED        ? SMTP_SIZE_OFF
           : c->size_mode == SIZE_WITHOUT_VALUE ? SMTP_SIZE_NO_VALUE
                                                : SMTP_SIZE_VALUE;
}

void session_profile(struct session *s, int64_t wall_ms)
{
    const struct receive_connector *c = s->connector;
    struct span fqdn = policy_text(s->policy, c->fqdn);
    bool basic = c->auth & AUTH_BASIC, after_tls_only = c->auth & AUTH_BASIC_REQUIRE_TLS,
         implicit = c->flags & CONNECTOR_IMPLICIT_TLS;
    if (fqdn.len == 0)
        fqdn = span_of(s->role->host);
    /* Shared, since STARTTLS may come long after the certificates were replaced. */
    s->tls = (c->auth & AUTH_TLS) || implicit
                 ? tls_context_share(certificates_context(fqdn, (enum tls_version)c->tls_minimum, wall_ms))
                 : NULL;
    s->profile = (struct smtp_server_profile){
        .fqdn = fqdn,
        .banner = policy_text(s->policy, c->banner),
        .client_address = span_of(s->remote_text),
        .default_domain = policy_text(s->policy, c->default_domain),
        .size_mode = size_mode(c),
        .max_message_size = c->max_message_size == POLICY_UNLIMITED_WIDE ? 0 : c->max_message_size,
        .pipelining = c->flags & CONNECTOR_PIPELINING,
        .dsn = c->flags & CONNECTOR_DSN,
        .enhanced_status_codes = c->flags & CONNECTOR_ENHANCED_CODES,
        .eight_bit_mime = c->flags & CONNECTOR_EIGHT_BIT_MIME,
        .chunking = c->flags & CONNECTOR_CHUNKING,
        .smtp_utf8 = c->flags & CONNECTOR_SMTP_UTF8,
        .binary_mime = c->flags & CONNECTOR_BINARY_MIME,
        .starttls_available = s->tls && !implicit,
        .tls_active = implicit,
        .require_tls = c->flags & CONNECTOR_REQUIRE_TLS,
        .require_ehlo_domain = c->flags & CONNECTOR_REQUIRE_EHLO_DOMAIN,
        .auth_before_tls = mechanisms,
        .auth_before_tls_count = basic && !after_tls_only ? SESSION_MECHANISMS : 0,
        .auth_after_tls = mechanisms,
        .auth_after_tls_count = basic ? SESSION_MECHANISMS : 0,
        .max_recipients = limit(c->max_recipients),
        .max_protocol_errors = limit(c->max_protocol_errors),
        .max_logon_failures = c->max_logon_failures,
        .connection_timeout_ms = c->connection_timeout_ms,
        .inactivity_timeout_ms = c->inactivity_timeout_ms,
        .tarpit_ms = c->tarpit_ms,
        .auth_tarpit_ms = c->auth_tarpit_ms,
    };
}
