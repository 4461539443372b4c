/*
 * gate_peer.c: what a client certificate proves. A pin is the certificate itself; a partner's is worth what the
 * trusted authorities say of it, and speaks for those domains of the secure list that it names.
 */
#include "gate/gate.h"

#include "gate/internal.h"
#include "policy/secure.h"

bool gate_asks_certificate(const struct policy *p, const struct receive_connector *c)
{
    return policy_asks_certificate(p, c);
}

static void find_partners(struct gate *g, const struct gate_tls *tls, struct arena *arena)
{
    struct policy_list l = policy_settings(g->policy)->secure_domains;
    const struct policy_text *domains = policy_hosts(g->policy, l);
    struct span *found = ARENA_ARRAY(arena, l.count, struct span);
    size_t n = 0;
    for (uint32_t i = 0; found && i < l.count; i++) {
        struct span domain = policy_text(g->policy, domains[i]);
        if (tls->names_domain(tls->context, domain))
            found[n++] = domain;
    }
    g->partners = found;
    g->partner_count = n;
    if (n)
        g->servers |= PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS);
}

void gate_secured(struct gate *g, const struct gate_tls *tls, struct arena *arena)
{
    const struct receive_connector *c = g->connector;
    g->peer = !tls->certificate ? PEER_NO_CERTIFICATE : tls->trusted ? PEER_TRUSTED : PEER_NOT_TRUSTED;
    if (tls->certificate && (c->auth & AUTH_EXCHANGE_SERVER))
        g->servers |= policy_pinned_servers(g->policy, tls->fingerprint);
    if (g->peer == PEER_TRUSTED && (c->flags & CONNECTOR_DOMAIN_SECURE))
        find_partners(g, tls, arena);
    g->token = gate_token(g, &g->user);
}

struct span gate_partner(const struct gate *g)
{
    return g->partner_count ? g->partners[0] : SPAN("");
}
