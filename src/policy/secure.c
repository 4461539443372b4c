/* secure.c: see secure.h. */
#include "policy/secure.h"

#define P(p) PRINCIPAL_BIT(PRINCIPAL_##p)

/* Servers of this organisation pass on what they took from the partner. */
#define OUR_SERVERS (P(EXCHANGE_SERVERS) | P(HUB_SERVERS) | P(EDGE_SERVERS))

static bool is_listed(const struct policy *p, struct policy_list l, struct span text)
{
    const struct policy_text *items = policy_hosts(p, l);
    for (uint32_t i = 0; text.len && i < l.count; i++)
        if (span_ieq(policy_text(p, items[i]), text))
            return true;
    return false;
}

bool policy_secures_senders(const struct policy *p, const struct receive_connector *c, const struct token *t)
{
    return (c->flags & CONNECTOR_DOMAIN_SECURE) && !(t->well_known & OUR_SERVERS) &&
           policy_settings(p)->secure_domains.count;
}

enum secure_outcome policy_secure_sender(const struct policy *p, const struct receive_connector *c,
                                         const struct token *t, struct span domain)
{
    if (!policy_secures_senders(p, c, t) || !is_listed(p, policy_settings(p)->secure_domains, domain))
        return SECURE_NOT_LISTED;
    return t->peer == PEER_TRUSTED && token_is_partner(t, domain) ? SECURE_PROVEN : SECURE_MISSING;
}

bool policy_secure_recipient(const struct policy *p, const struct send_connector *c, struct span domain)
{
    return (c->flags & SEND_DOMAIN_SECURE) && is_listed(p, policy_settings(p)->secure_send_domains, domain);
}

const char *policy_secure_text(enum token_peer peer)
{
    static const char *const texts[] = {
        [PEER_IN_CLEAR] = "Mail from this domain must come by mutual TLS, and TLS was not started",
        [PEER_NO_CERTIFICATE] =
            "Mail from this domain must come by mutual TLS, and no client certificate was presented",
        [PEER_NOT_TRUSTED] =
            "Mail from this domain must come by mutual TLS, and the client certificate is not valid here",
        [PEER_TRUSTED] =
            "Mail from this domain must come by mutual TLS, and the client certificate does not name it",
    };
    return (unsigned)peer < ARRAY_LEN(texts) ? texts[peer] : texts[PEER_IN_CLEAR];
}

bool policy_asks_certificate(const struct policy *p, const struct receive_connector *c)
{
    const struct transport_settings *s = policy_settings(p);
    bool pins = s->hub_servers.count || s->edge_servers.count;
    return (c->flags & CONNECTOR_DOMAIN_SECURE) || ((c->auth & AUTH_EXCHANGE_SERVER) && pins);
}

unsigned policy_pinned_servers(const struct policy *p, struct span fingerprint)
{
    const struct transport_settings *s = policy_settings(p);
    return (is_listed(p, s->hub_servers, fingerprint) ? P(HUB_SERVERS) : 0) |
           (is_listed(p, s->edge_servers, fingerprint) ? P(EDGE_SERVERS) : 0);
}
