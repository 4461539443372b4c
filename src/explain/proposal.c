/*
 * proposal.c: what would take a refusal away: the tools, and which file knows about which cause.
 *
 * Invariant: a proposal is text of its own; it outlives the policy that it was made for.
 */
#include "explain/internal.h"

#include "shell/shell.h"

enum { COMMAND_MAX = 8192 };

void propose(struct proposals *p, enum explain_remedy_kind kind, uint32_t weight, struct span text,
             struct span opens)
{
    if (p->count < PROPOSALS_MAX && text.len && opens.ptr)
        p->items[p->count++] = (struct proposal){kind, text, opens, weight};
}

struct span explain_quote(struct explanation *e, struct span text)
{
    struct buf b;
    buf_init(&b, COMMAND_MAX);
    shell_quote(&b, value_string(text));
    struct span quoted = b.failed ? (struct span){NULL, 0} : arena_dup(e->arena, buf_span(&b));
    buf_done(&b);
    return quoted;
}

struct span explain_connector_argument(struct explanation *e)
{
    return explain_quote(e, policy_text(e->policy, e->connector->name));
}

struct span explain_clients(struct explanation *e, const struct receive_connector *c)
{
    enum { SHOWN = 4 };
    const struct ip_range *r = policy_ranges(e->policy, c->ranges);
    struct buf b;
    buf_init(&b, 1024);
    for (uint32_t i = 0; i < c->ranges.count && i < SHOWN; i++) {
        char text[IP_RANGE_TEXT_MAX];
        buf_addf(&b, "%s%s", i ? ", " : "", ip_print_range(r[i], text));
    }
    buf_addf(&b, "%s on port %u", c->ranges.count > SHOWN ? " and others" : "", e->session->local.port);
    struct span text = arena_dup(e->arena, buf_span(&b));
    buf_done(&b);
    return text;
}

static bool covers(const struct ip_endpoint *binding, struct ip_endpoint local)
{
    bool any = ip_is_any(binding->addr) && ip_is_v4(binding->addr) == ip_is_v4(local.addr);
    return binding->port == local.port && (any || ip_cmp(binding->addr, local.addr) == 0);
}

/* An endpoint that is listened on already, if there is one: two sockets on one port would be in each other's way.
 */
static struct ip_endpoint binding_for(const struct explanation *e)
{
    for (size_t i = 0; i < policy_receive_connector_count(e->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(e->policy, i);
        const struct ip_endpoint *b = policy_bindings(e->policy, c->bindings);
        for (uint32_t k = 0; k < c->bindings.count && (!e->connector || c == e->connector); k++)
            if (covers(&b[k], e->session->local))
                return b[k];
    }
    return e->session->local;
}

void propose_own_connector(struct explanation *e, struct proposals *p, const char *group, struct span settings)
{
    char remote[IP_TEXT_MAX], binding[IP_ENDPOINT_TEXT_MAX];
    struct ip_range own = {e->session->remote, e->session->remote};
    if (e->connector && ip_range_eq(e->selection.range, own))
        return;
    ip_print(e->session->remote, remote);
    ip_print_endpoint(binding_for(e), binding);
    struct span name = explain_quote(e, explain_text(e, "Client %s", remote));
    bool implicit = e->connector && (e->connector->flags & CONNECTOR_IMPLICIT_TLS);
    propose(p, EXPLAIN_COMMANDS, WEIGHT_ADDRESS,
            explain_text(e,
                         "New-ReceiveConnector -Name %.*s -Usage Custom -Bindings %.*s -RemoteIPRanges %.*s "
                         "-PermissionGroups %s%.*s%s",
                         SPAN_ARG(name), SPAN_ARG(explain_quote(e, span_of(binding))),
                         SPAN_ARG(explain_quote(e, span_of(remote))), group, SPAN_ARG(settings),
                         implicit ? " -ImplicitTls $true" : ""),
            explain_text(e, "%s alone, on a connector of its own", remote));
}

/* A threshold that lets the message through today would only move the day on which nothing is left. */
static void propose_resource(struct explanation *e, struct proposals *ret)
{
    propose(ret, EXPLAIN_ADVICE, WEIGHT_CLIENT, explain_text(e, "%s", pressure_remedy(e->short_of)), SPAN(""));
    if (pressure_overall(e->pressure) == PRESSURE_MEDIUM)
        propose(ret, EXPLAIN_ADVICE, WEIGHT_USER,
                SPAN("log on, or come from a server of the organisation: their mail is taken at this level"),
                SPAN(""));
}

void explain_propose(struct explanation *e, struct proposals *ret)
{
    ret->count = 0;
    switch (e->cause) {
    case EXPLAIN_CAUSE_NO_CONNECTOR:
    case EXPLAIN_CAUSE_PROXY:
    case EXPLAIN_CAUSE_NO_CERTIFICATE:
    case EXPLAIN_CAUSE_PLAIN_ON_TLS:
    case EXPLAIN_CAUSE_HELLO:
    case EXPLAIN_CAUSE_NO_STARTTLS:
    case EXPLAIN_CAUSE_TLS_REQUIRED:
    case EXPLAIN_CAUSE_AUTH_NOT_OFFERED:
    case EXPLAIN_CAUSE_LOGON: propose_connection(e, ret); break;
    case EXPLAIN_CAUSE_RIGHT: propose_right(e, ret); break;
    case EXPLAIN_CAUSE_PRESSURE: propose_resource(e, ret); break;
    case EXPLAIN_CAUSE_SIZE:
    case EXPLAIN_CAUSE_ADDRESS:
    case EXPLAIN_CAUSE_NO_MAILBOX:
    case EXPLAIN_CAUSE_AUTH_WANTED:
    case EXPLAIN_CAUSE_NONE: propose_address(e, ret); break;
    case EXPLAIN_CAUSE_CONTENT:
    case EXPLAIN_CAUSE_UNAVAILABLE:
    case EXPLAIN_CAUSES: break;
    }
}
