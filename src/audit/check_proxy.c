/*
 * check_proxy.c: load balancers that are believed about the client's address (the PROXY protocol). Whoever is one
 * chooses the address, and so the connector: where any connector at the same local address lets clients relay for
 * their address alone, all of them may relay.
 */
#include "audit/internal.h"

enum { FIXED_ADDRESSES_MAX = 256 };

/* At each local class, a cell from which anybody may relay; NULL: there is none. */
struct relays {
    const struct audit_cell **at;
    struct session_path *paths; /* of the connectors that let clients relay */
    bool *may;
};

static bool find_relays(struct audit *a, struct relays *ret)
{
    size_t n = policy_receive_connector_count(a->policy);
    *ret = (struct relays){ARENA_ARRAY(a->arena, a->partition.local_count, const struct audit_cell *),
                           ARENA_ARRAY(a->arena, n, struct session_path), ARENA_ARRAY(a->arena, n, bool)};
    if (!ret->at || !ret->paths || !ret->may)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        const struct session_kind k = session_unproved(c);
        ret->may[i] = a->reach[i].example &&
                      session_may_send(a->policy, c, &k, &a->probes, a->probes.foreign, &ret->paths[i]);
    }
    for (size_t k = 0; k < a->partition.cell_count; k++) {
        const struct audit_cell *cell = &a->partition.cells[k];
        if (ret->may[cell->connector] && !ret->at[cell->local])
            ret->at[cell->local] = cell;
    }
    return true;
}

/* Who is believed. */
struct sources {
    struct audit_extent extent;
    bool many;                          /* a range that is no list of single hosts */
    const struct audit_address *router; /* a gateway or bridge of this host; NULL: none is among them */
};

static struct sources sources_of(const struct audit *a, const struct receive_connector *c)
{
    const struct ip_range *r = policy_proxies(a->policy, c->proxies);
    struct sources s = {.many = false};
    for (uint32_t i = 0; i < c->proxies.count; i++) {
        audit_extent_add(&s.extent, r[i]);
        s.many = s.many || !audit_at_most(r[i], FIXED_ADDRESSES_MAX);
        for (size_t k = 0; k < a->facts->address_count && !s.router; k++)
            if ((a->facts->addresses[k].flags & (AUDIT_GATEWAY | AUDIT_BRIDGE)) &&
                ip_range_contains(r[i], a->facts->addresses[k].addr))
                s.router = &a->facts->addresses[k];
    }
    return s;
}

static struct span who(struct audit *a, const struct sources *s)
{
    char text[IP_TEXT_MAX];
    if (audit_extent_is_wide(s->extent))
        return SPAN("far more addresses than there are load balancers are believed");
    if (s->router)
        return audit_format(a, "%s, %s, is believed", ip_print(s->router->addr, text),
                            s->router->flags & AUDIT_GATEWAY ? "the gateway of this host"
                                                             : "a bridge of this host");
    return audit_format(a, "a range of more than %d addresses is believed", FIXED_ADDRESSES_MAX);
}

static void add(struct audit *a, size_t i, const struct sources *s, const struct audit_cell *relay,
                const struct session_path *path)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct receive_connector *to = policy_receive_connector(a->policy, relay->connector);
    const struct audit_session session = {.local = relay->local,
                                          .remote = audit_example(relay->remote),
                                          .tls = path->tls,
                                          .from = path->from,
                                          .to = a->probes.foreign};
    bool wide = audit_extent_is_wide(s->extent);
    audit_add_connector(
        a, AUDIT_PROXY_SOURCES, wide || s->router ? AUDIT_DANGER : AUDIT_WARNING, i,
        (struct audit_text){
            audit_format(
                a,
                "%.*s about the client's address, and may claim one from which \"%.*s\" lets anybody send to "
                "any domain; narrow ProxyProtocolSources to the load balancers",
                SPAN_ARG(who(a, s)), SPAN_ARG(policy_text(a->policy, to->name))),
            audit_witness(a, &session),
            audit_format(a, "Set-ReceiveConnector %.*s -ProxyProtocol None", SPAN_ARG(audit_quoted_name(a, c)))})
        ->extent = s->extent;
}

void audit_check_proxies(struct audit *a)
{
    struct relays relays = {0};
    for (size_t i = 0; i < policy_receive_connector_count(a->policy) && !a->failed; i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        const struct audit_cell *relay = NULL;
        if (!(c->flags & (CONNECTOR_PROXY_V1 | CONNECTOR_PROXY_V2)) || !a->reach[i].example)
            continue;
        const struct sources s = sources_of(a, c);
        bool wide = audit_extent_is_wide(s.extent);
        if (!wide && (a->scope == AUDIT_RELAYS || !(s.many || s.router)))
            continue;
        if (!relays.at && !find_relays(a, &relays))
            a->failed = true;
        for (size_t k = a->partition.first[i]; !a->failed && !relay && k < a->partition.first[i + 1]; k++)
            relay = relays.at[a->partition.cells[k].local];
        if (relay)
            add(a, i, &s, relay, &relays.paths[relay->connector]);
    }
}
