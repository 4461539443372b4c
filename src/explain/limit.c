/* limit.c: the limits that apply to the session and its message, and which of several for the size decides. */
#include "explain/internal.h"

enum { LIMITS_MAX = 24 };

struct list {
    struct explanation *e;
    struct explain_limit *items;
};

static struct explain_limit *add(struct list *l, const char *name, const char *unit, struct span of, uint64_t value)
{
    ASSERT(l->e->limit_count < LIMITS_MAX);
    struct explain_limit *limit = &l->items[l->e->limit_count++];
    *limit = (struct explain_limit){.name = name, .unit = unit, .of = of, .value = value};
    return limit;
}

/* What the session was when it ended. */
static struct conditions conditions_of(const struct explanation *e)
{
    return (struct conditions){.tls = e->session->tls, .now_ms = e->session->now_ms, .sender = &e->session->sender};
}

static bool may_bypass(const struct explanation *e)
{
    struct conditions when = conditions_of(e);
    return decide_right(e->policy, e->connector, &e->last_token, &when, RIGHT_BYPASS_MESSAGE_SIZE_LIMIT).verdict ==
           VERDICT_ALLOW;
}

static bool may_relay(const struct explanation *e)
{
    struct conditions when = conditions_of(e);
    return decide_may_at_all(e->policy, e->connector, &e->last_token, &when, RIGHT_ACCEPT_ANY_RECIPIENT);
}

/* How a size limit is obeyed. */
enum obeyed { AT_ONCE, LIFTED, LATER };

static void add_size(struct list *l, const char *name, struct span of, uint64_t value, enum obeyed obeyed)
{
    struct explain_limit *limit = add(l, name, "bytes", of, value);
    if (obeyed == LIFTED)
        limit->note = SPAN("lifted by ms-Exch-Bypass-Message-Size-Limit");
    limit->late = obeyed == LATER;
    if (obeyed == LATER && value != POLICY_UNLIMITED_WIDE)
        limit->note = SPAN("a larger message is taken, and returned to its sender");
    limit->wins = obeyed != LIFTED && value != POLICY_UNLIMITED_WIDE;
}

/* Of those that apply only the least wins. */
static void choose_size(struct list *l)
{
    struct explain_limit *least = NULL;
    for (size_t i = 0; i < l->e->limit_count; i++) {
        struct explain_limit *limit = &l->items[i];
        if (limit->wins && (!least || limit->value < least->value))
            least = limit;
        limit->wins = false;
    }
    if (least)
        least->wins = true;
}

/* The connector refuses at once; what comes behind it returns the message to its sender. */
static void add_sizes(struct list *l, struct span connector)
{
    struct explanation *e = l->e;
    const struct transport_settings *s = policy_settings(e->policy);
    const struct explain_hop *last = &e->hops[e->hop_count - 1];
    bool bypass = may_bypass(e), relays = may_relay(e);
    add_size(l, "MaxMessageSize", connector, e->connector->max_message_size, bypass ? LIFTED : AT_ONCE);
    if (e->internal)
        add_size(l, "MaxSendSize", SPAN("the organisation, for mail of its own"), s->max_send_size, LATER);
    if (!relays && !bypass)
        add_size(l, "MaxReceiveSize", SPAN("the organisation, for who may not relay"), s->max_receive_size,
                 AT_ONCE);
    else if (last->route.kind == ROUTE_MAILBOX)
        add_size(l, "MaxReceiveSize", SPAN("the organisation, for its mailboxes"), s->max_receive_size, LATER);
    if (last->route.kind == ROUTE_RELAY)
        add_size(l, "MaxMessageSize",
                 explain_text(e, "send connector \"%.*s\"",
                              SPAN_ARG(policy_text(e->policy, last->route.connector->name))),
                 last->route.connector->max_message_size, LATER);
    choose_size(l);
}

/* As the queue will judge it. */
static void judge_delivery(struct explanation *e)
{
    struct route_limit least = route_size_limit(e->policy, &e->hops[e->hop_count - 1].route, e->internal);
    for (size_t i = 0; i < e->limit_count && e->session->size > least.bytes && !e->returned_by; i++)
        if (e->limits[i].late && e->limits[i].value == least.bytes)
            e->returned_by = &e->limits[i];
    e->undeliverable |= e->verdict == EXPLAIN_ALLOWED && e->returned_by;
}

static uint64_t wide(uint32_t value)
{
    return value == POLICY_UNLIMITED ? POLICY_UNLIMITED_WIDE : value;
}

bool explain_limits(struct explanation *e)
{
    const struct receive_connector *c = e->connector;
    struct list l = {e, EXPLAIN_ARRAY(e, LIMITS_MAX, struct explain_limit)};
    e->limits = l.items;
    if (!c || !l.items)
        return l.items;
    struct span own = explain_text(e, "receive connector \"%.*s\"", SPAN_ARG(policy_text(e->policy, c->name)));
    const struct {
        const char *name, *unit;
        uint64_t value;
        bool live;
    } rows[] = {
        {"MaxHeaderSize", "bytes", c->max_header_size, false},
        {"MaxRecipientsPerMessage", "recipients", wide(c->max_recipients), false},
        {"MaxHopCount", "Received fields", c->max_hops, false},
        {"MaxLocalHopCount", "Received fields of this server", c->max_local_hops, false},
        {"MaxProtocolErrors", "errors", wide(c->max_protocol_errors), false},
        {"MaxLogonFailures", "failed logons", c->max_logon_failures, false},
        {"ConnectionTimeout", "ms", c->connection_timeout_ms, false},
        {"ConnectionInactivityTimeout", "ms", c->inactivity_timeout_ms, false},
        {"MaxInboundConnection", "connections", wide(c->max_connections), true},
        {"MaxInboundConnectionPerSource", "connections of one address", wide(c->max_connections_per_source), true},
        {"MaxInboundConnectionPercentagePerSource", "% of the connections that are free",
         c->max_percentage_per_source, true},
        {"MessageRateLimit", "messages a minute", wide(c->message_rate_limit), true},
    };
    add_sizes(&l, own);
    judge_delivery(e);
    add(&l, "MaxRecipientEnvelopeLimit", "recipients", SPAN("the organisation"),
        wide(policy_settings(e->policy)->max_recipients));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct explain_limit *limit = add(&l, rows[i].name, rows[i].unit, own, rows[i].value);
        limit->live = rows[i].live && rows[i].value != POLICY_UNLIMITED_WIDE;
        if (limit->live)
            limit->note = SPAN("depends on the other sessions of the moment: it cannot be known here");
    }
    return own.ptr;
}
