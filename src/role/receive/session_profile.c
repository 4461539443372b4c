/* session_profile.c: what the session's connector offers, with the certificates and keys at hand. */
#include "role/receive/certificates.h"
#include "role/receive/kerberos.h"
#include "role/receive/session_internal.h"

void session_profile(struct session *s, int64_t wall_ms)
{
    const struct receive_connector *c = s->connector;
    struct gate_place place = {.host = span_of(s->role->host), .client_address = span_of(s->remote_text)};
    /* Shared, since STARTTLS may come long after the certificates were replaced. */
    struct certificates_use use = {.fqdn = gate_fqdn(s->policy, c, place.host),
                                   .minimum = (enum tls_version)c->tls_minimum,
                                   .profile = (enum tls_profile)c->tls_profile,
                                   .ask_client = gate_asks_certificate(s->policy, c)};
    s->tls = gate_uses_tls(c) ? tls_context_share(certificates_context(&use, wall_ms)) : NULL;
    place.certificate = s->tls;
    place.keytab = gate_uses_gssapi(c) && kerberos_usable(policy_text(s->policy, c->name));
    s->profile = gate_profile(s->policy, c, &place);
}
