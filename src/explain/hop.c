/* hop.c: the recipient's route, station by station, as the queue's categorizer goes it. */
#include "explain/internal.h"

#include "mail/address.h"
#include "policy/domain.h"

enum { HOPS_MAX = 21, QUEUE_NAME_MAX = 1024 }; /* as many redirections as the categorizer follows, and the last */

static struct span queue_of(struct explanation *e, const struct route *r)
{
    struct buf name;
    buf_init(&name, QUEUE_NAME_MAX);
    if (r->kind == ROUTE_MAILBOX || r->kind == ROUTE_RELAY || r->kind == ROUTE_UNREACHABLE)
        route_queue_name(&name, e->policy, r);
    struct span kept = arena_dup(e->arena, buf_span(&name));
    buf_done(&name);
    return kept;
}

static void find_route(struct explanation *e, const struct explain_facts *facts, struct explain_hop *h)
{
    struct resolved unknown = {.kind = RESOLVED_UNKNOWN};
    h->domain = policy_find_domain(e->policy, policy_address_domain(h->address));
    h->route = route_recipient(e->policy, h->address, &unknown);
    if (h->route.kind == ROUTE_ASK) {
        facts->recipient(facts->context, h->address, e->arena, &h->found);
        /* Who the sender is, is known from MAIL on. */
        bool anonymous = e->stage >= EXPLAIN_MAIL && !e->internal;
        struct resolved found = {.kind = h->found.kind,
                                 .target = h->found.target,
                                 .auth_required = h->found.authenticated_only && anonymous};
        h->resolved = true;
        h->route = route_recipient(e->policy, h->address, &found);
    }
    h->queue = queue_of(e, &h->route);
}

/* The address as the envelope would have it, or as it was given where it is none. */
static struct span first_address(struct explanation *e)
{
    struct mail_address a;
    struct span given = e->session->recipient;
    const struct receive_connector *c = e->connector;
    unsigned flags = ADDRESS_ALLOW_POSTMASTER | ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_NO_DOMAIN;
    if (address_parse(given, flags, e->arena, &a))
        return given;
    struct span domain = c ? policy_text(e->policy, c->default_domain) : SPAN("");
    if (!a.domain.len && domain.len)
        return explain_text(e, "%.*s@%.*s", SPAN_ARG(a.text), SPAN_ARG(domain));
    return span_ieq(a.text, SPAN("postmaster")) ? gate_recipient_address(e->policy, &a, e->arena) : a.text;
}

bool explain_route(struct explanation *e, const struct explain_facts *facts)
{
    struct explain_hop *hops = EXPLAIN_ARRAY(e, HOPS_MAX, struct explain_hop);
    struct span address = first_address(e);
    if (!hops || !address.ptr)
        return false;
    e->hops = hops;
    for (bool more = true; more && e->hop_count < HOPS_MAX;) {
        struct explain_hop *h = &hops[e->hop_count++];
        h->address = address;
        find_route(e, facts, h);
        more = h->route.kind == ROUTE_REDIRECT;
        address = h->route.target;
    }
    enum route_kind last = hops[e->hop_count - 1].route.kind;
    e->undeliverable = e->verdict == EXPLAIN_ALLOWED &&
                       (last == ROUTE_REPORT || last == ROUTE_UNREACHABLE || last == ROUTE_REDIRECT);
    return true;
}
