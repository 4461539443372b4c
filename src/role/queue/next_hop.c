/* next_hop.c: see next_hop.h. Nothing here is tried: it says where to and how, from the policy alone. */
#include "role/queue/next_hop.h"

#include "base/num.h"
#include "mail/header_exit.h"
#include "policy/decide.h"
#include "policy/secure.h"

static enum delivery_tls tls_of(const struct send_connector *c)
{
    static const enum delivery_tls of_level[SEND_TLS_LEVELS] = {
        [SEND_TLS_UNSET] = DELIVERY_TLS_OPPORTUNISTIC,
        [SEND_TLS_ENCRYPTION] = DELIVERY_TLS_REQUIRED,
        [SEND_TLS_CERTIFICATE] = DELIVERY_TLS_TRUSTED,
        [SEND_TLS_DOMAIN] = DELIVERY_TLS_DOMAIN,
    };
    if (c->tls_level != SEND_TLS_UNSET)
        return of_level[c->tls_level];
    if (c->flags & SEND_REQUIRE_TLS)
        return DELIVERY_TLS_REQUIRED;
    return c->flags & SEND_IGNORE_STARTTLS ? DELIVERY_TLS_NONE : DELIVERY_TLS_OPPORTUNISTIC;
}

static enum delivery_dane dane_of(const struct send_connector *c)
{
    static const enum delivery_dane of_mode[SEND_DANES] = {
        [SEND_DANE_NONE] = DELIVERY_DANE_NONE,
        [SEND_DANE_OPPORTUNISTIC] = DELIVERY_DANE_OPPORTUNISTIC,
        [SEND_DANE_MANDATORY] = DELIVERY_DANE_MANDATORY,
    };
    return of_mode[c->dane];
}

/* "host", "host:port", "[address]:port" or the path of a unix socket. */
static struct delivery_host host_of(struct span text, uint16_t port)
{
    size_t colon = span_rfind(text, ':');
    uint32_t given;
    bool bare_ipv6 = colon != SIZE_MAX && span_find(text, ':') != colon && !span_starts(text, SPAN("["));
    if (span_starts(text, SPAN("/")) || colon == SIZE_MAX || bare_ipv6 ||
        !num_parse_u32(span_from(text, colon + 1), UINT16_MAX, &given))
        return (struct delivery_host){text, port};
    return (struct delivery_host){span_head(text, colon), (uint16_t)given};
}

/* From a server that has proved to be one of these kinds. */
static unsigned removed_for(const struct policy *p, const struct send_connector *c, unsigned servers)
{
    static const struct {
        enum right right;
        unsigned without;
    } classes[] = {
        {RIGHT_SEND_HEADERS_ROUTING, HEADER_EXIT_ROUTING},
        {RIGHT_SEND_HEADERS_ORGANIZATION, HEADER_EXIT_ORGANIZATION},
        {RIGHT_SEND_HEADERS_FOREST, HEADER_EXIT_FOREST},
    };
    const struct session_facts facts = {.external_authoritative = c->flags & SEND_EXTERNAL_AUTHORITATIVE,
                                        .servers = servers};
    struct token token = token_build(&facts);
    unsigned rights = decide_send_rights(p, c, &token), remove = 0;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (!(rights & RIGHT_BIT(classes[i].right)))
            remove |= classes[i].without;
    return remove;
}

/*
 * By what the next server is to us: ExternalAuthoritative vouches for it; with Exchange Server authentication it is
 * one of those that are pinned, of whatever kind, or it gets nothing; otherwise it is anybody.
 */
static unsigned headers_to_remove(const struct policy *p, const struct send_connector *c)
{
    const struct transport_settings *s = policy_settings(p);
    unsigned remove = 0;
    if (!(c->flags & SEND_EXCHANGE_SERVER))
        return removed_for(p, c, 0);
    if (s->hub_servers.count)
        remove |= removed_for(p, c, PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS));
    if (s->edge_servers.count)
        remove |= removed_for(p, c, PRINCIPAL_BIT(PRINCIPAL_EDGE_SERVERS));
    return remove;
}

static void add_pins(struct delivery_destination *to, const struct policy *p, struct policy_list l,
                     struct span pins[static NEXT_HOP_PINS_MAX])
{
    for (uint32_t i = 0; i < l.count && to->pin_count < NEXT_HOP_PINS_MAX; i++)
        pins[to->pin_count++] = policy_text(p, policy_hosts(p, l)[i]);
    to->pins = pins;
}

static void fill_relay(struct delivery_destination *to, const struct policy *p, const struct route *r,
                       struct delivery_host hosts[static NEXT_HOP_HOSTS_MAX],
                       struct span pins[static NEXT_HOP_PINS_MAX], struct secret *password)
{
    const struct send_connector *c = r->connector;
    to->kind = DELIVERY_SMTP;
    if (c->flags & SEND_DNS_ROUTING) {
        to->mx_domain = r->domain;
        to->mx_port = (uint16_t)c->port;
    } else {
        for (size_t i = 0; i < c->hosts.count && i < NEXT_HOP_HOSTS_MAX; i++)
            hosts[to->host_count++] =
                (struct delivery_host){policy_text(p, policy_hosts(p, c->hosts)[i]), (uint16_t)c->port};
        to->hosts = hosts;
    }
    to->tls = tls_of(c);
    to->tls_domain = policy_text(p, c->tls_domain);
    to->dane = dane_of(c);
    to->mta_sts = c->mta_sts && (c->flags & SEND_DNS_ROUTING);
    to->domain_secure = policy_secure_recipient(p, c, r->domain);
    to->remove_headers = headers_to_remove(p, c);
    if (c->flags & SEND_EXCHANGE_SERVER) {
        to->exchange_server = true;
        to->tls = DELIVERY_TLS_REQUIRED;
        add_pins(to, p, policy_settings(p)->hub_servers, pins);
        add_pins(to, p, policy_settings(p)->edge_servers, pins);
    }
    to->force_helo = c->flags & SEND_FORCE_HELO;
    to->inactivity_ms = c->inactivity_timeout_ms;
    if (c->flags & SEND_VERBOSE_LOG)
        to->log_name = policy_text(p, c->name);
    to->helo_name = policy_text(p, c->fqdn);
    if (c->flags & (SEND_BASIC_AUTH | SEND_BASIC_AUTH_REQUIRE_TLS)) {
        to->user = policy_text(p, c->user);
        to->auth_without_tls = !(c->flags & SEND_BASIC_AUTH_REQUIRE_TLS);
        if (to->user.len && secret_set(password, policy_text(p, c->password)))
            to->password = password;
    }
}

void next_hop_fill(struct delivery_destination *to, const struct policy *p, const struct route *r,
                   struct delivery_host hosts[static NEXT_HOP_HOSTS_MAX],
                   struct span pins[static NEXT_HOP_PINS_MAX], struct secret *password)
{
    const struct transport_settings *s = policy_settings(p);
    if (r->kind == ROUTE_RELAY) {
        fill_relay(to, p, r, hosts, pins, password);
    } else if (s->lmtp) {
        hosts[0] = host_of(policy_text(p, s->mailbox_host), 24);
        *to = (struct delivery_destination){
            .kind = DELIVERY_LMTP, .hosts = hosts, .host_count = 1, .tls = DELIVERY_TLS_OPPORTUNISTIC};
    } else {
        *to = (struct delivery_destination){.kind = DELIVERY_MAILDIR, .mailbox = r->target};
    }
    if (r->kind != ROUTE_RELAY)
        to->remove_headers = HEADER_EXIT_INTERNAL | HEADER_EXIT_FOREST;
    if (to->helo_name.len == 0)
        to->helo_name = policy_text(p, s->host);
}
