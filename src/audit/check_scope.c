/* check_scope.c: connectors and ranges that answer nobody, and servers that the wrong connector answers. */
#include "audit/internal.h"

#include "policy/select.h"

/* ---- unreachable, shadowed, disabled ---- */

/* An address that the connector is for, at a local class that it is bound to; false: it has none. */
static bool wanted(const struct audit *a, const struct receive_connector *c, struct audit_session *ret)
{
    const struct ip_endpoint *b = policy_bindings(a->policy, c->bindings);
    const struct ip_range *r = policy_ranges(a->policy, c->ranges);
    for (size_t l = 0; l < a->partition.local_count; l++)
        for (uint32_t i = 0; i < c->bindings.count; i++) {
            const struct audit_local *local = &a->partition.locals[l];
            bool v4 = ip_is_v4(local->at.addr);
            bool fits =
                b[i].port == local->at.port && (local->every ? ip_is_any(b[i].addr) && ip_is_v4(b[i].addr) == v4
                                                             : ip_cmp(b[i].addr, local->at.addr) == 0);
            for (uint32_t k = 0; fits && k < c->ranges.count; k++)
                if (ip_is_v4(r[k].first) == v4) {
                    *ret = (struct audit_session){.local = l, .remote = audit_example(r[k])};
                    return true;
                }
        }
    return false;
}

static void add_unreachable(struct audit *a, size_t i, const struct receive_connector *c)
{
    struct audit_session s;
    struct span text = SPAN("no binding and range of it are of the same family"), witness = SPAN("");
    if (wanted(a, c, &s)) {
        const struct receive_connector *winner =
            policy_select(a->policy, a->partition.locals[s.local].at, s.remote);
        text =
            audit_format(a, "more specific ranges of others answer all of its clients, such as those of \"%.*s\"",
                         SPAN_ARG(winner ? policy_text(a->policy, winner->name) : SPAN("?")));
        witness = audit_witness(a, &s);
    }
    audit_add_connector(a, AUDIT_UNREACHABLE, AUDIT_WARNING, i,
                        (struct audit_text){text, witness,
                                            audit_format(a, "Set-ReceiveConnector %.*s -Enabled $false",
                                                         SPAN_ARG(audit_quoted_name(a, c)))});
}

static void check_ranges(struct audit *a, size_t i, const struct receive_connector *c)
{
    const struct ip_range *ranges = policy_ranges(a->policy, c->ranges);
    bool *won = ARENA_ARRAY(a->arena, c->ranges.count, bool);
    char text[IP_RANGE_TEXT_MAX];
    a->failed = a->failed || !won;
    for (size_t k = a->partition.first[i]; won && k < a->partition.first[i + 1]; k++)
        won[a->partition.cells[k].range] = true;
    for (uint32_t k = 0; won && k < c->ranges.count; k++)
        if (!won[k])
            audit_add_connector(
                a, AUDIT_SHADOWED_RANGE, AUDIT_NOTE, i,
                (struct audit_text){
                    audit_format(a, "its range %s answers nobody", ip_print_range(ranges[k], text)), SPAN(""),
                    audit_format(a, "Set-ReceiveConnector %.*s -RemoteIPRanges @{Remove='%s'}",
                                 SPAN_ARG(audit_quoted_name(a, c)), ip_print_range(ranges[k], text))});
}

void audit_check_connectors(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        if (!(c->flags & CONNECTOR_ENABLED))
            audit_add_connector(a, AUDIT_DISABLED, AUDIT_NOTE, i,
                                (struct audit_text){SPAN("it is disabled"), SPAN(""),
                                                    audit_format(a, "Remove-ReceiveConnector %.*s -Confirm:$false",
                                                                 SPAN_ARG(audit_quoted_name(a, c)))});
        else if (!a->reach[i].example)
            add_unreachable(a, i, c);
        else
            check_ranges(a, i, c);
    }
}

/* ---- known servers ---- */

static bool is_for_servers(const struct receive_connector *c)
{
    return c->auth & (AUTH_EXCHANGE_SERVER | AUTH_EXTERNAL_AUTHORITATIVE);
}

/* Whether a connector for servers would answer if the winner did not. */
static bool stolen_from_servers(const struct audit *a, const struct selection *s)
{
    for (size_t i = 0; i < s->candidate_count; i++)
        if (s->candidates[i].result == CANDIDATE_MATCHED &&
            is_for_servers(policy_receive_connector(a->policy, s->candidates[i].connector)))
            return true;
    return false;
}

static void check_server(struct audit *a, struct ip_addr server, struct span sender)
{
    for (size_t l = 0; l < a->partition.local_count; l++) {
        struct selection s;
        char text[IP_TEXT_MAX];
        policy_select_traced(a->policy, a->partition.locals[l].at, server, &s);
        if (!s.connector || is_for_servers(s.connector) || audit_at_most(s.range, 1) || !stolen_from_servers(a, &s))
            continue;
        const struct audit_session session = {.local = l, .remote = server};
        struct span remedy = audit_exclude(a, s.connector, &server, 1);
        if (!remedy.len)
            continue;
        audit_add_connector(
            a, AUDIT_KNOWN_SERVER, AUDIT_WARNING, s.index,
            (struct audit_text){audit_format(a,
                                             "its range has %s, a smart host of \"%.*s\", which a connector for "
                                             "servers would answer",
                                             ip_print(server, text), SPAN_ARG(sender)),
                                audit_witness(a, &session), remedy});
        return;
    }
}

void audit_check_known_servers(struct audit *a)
{
    for (size_t i = 0; i < policy_send_connector_count(a->policy); i++) {
        const struct send_connector *c = policy_send_connector(a->policy, i);
        const struct policy_text *hosts = policy_hosts(a->policy, c->hosts);
        for (uint32_t k = 0; k < c->hosts.count; k++) {
            struct ip_addr server;
            if (ip_parse(policy_text(a->policy, hosts[k]), &server))
                check_server(a, server, policy_text(a->policy, c->name));
        }
    }
}
