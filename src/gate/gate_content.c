/* gate_content.c: what the connector and the session's rights mean for a message's content. */
#include "gate/gate.h"

#include "gate/internal.h"

unsigned gate_rights(const struct gate *g)
{
    return decide_rights(g->policy, g->connector, &g->token);
}

bool gate_is_submission(const struct gate *g, unsigned rights)
{
    return token_is_user(&g->token) ||
           (token_is_anonymous(&g->token) && (rights & RIGHT_BIT(RIGHT_ACCEPT_ANY_RECIPIENT)));
}

struct intake_options gate_intake_options(const struct gate *g, unsigned rights)
{
    bool submission = gate_is_submission(g, rights);
    return (struct intake_options){
        .remove_routing = !(rights & RIGHT_BIT(RIGHT_ACCEPT_HEADERS_ROUTING)),
        .remove_organization = !(rights & RIGHT_BIT(RIGHT_ACCEPT_HEADERS_ORGANIZATION)),
        .remove_forest = !(rights & RIGHT_BIT(RIGHT_ACCEPT_HEADERS_FOREST)),
        .remove_bcc = submission,
        .add_message_id = true, /* the reply, the log and reports name it, so the message must bear it */
        .add_date = submission,
        .max_header = g->connector->max_header_size,
        .max_hops = g->connector->max_hops,
        .max_local_hops = g->connector->max_local_hops,
        .local_names = {policy_text(g->policy, policy_settings(g->policy)->host),
                        policy_text(g->policy, g->connector->fqdn)},
    };
}

enum gate_auth_as gate_auth_as(const struct gate *g, unsigned rights, const struct smtp_mail *mail)
{
    const unsigned ours = PRINCIPAL_BIT(PRINCIPAL_EXCHANGE_SERVERS) | PRINCIPAL_BIT(PRINCIPAL_HUB_SERVERS) |
                          PRINCIPAL_BIT(PRINCIPAL_EDGE_SERVERS) | PRINCIPAL_BIT(PRINCIPAL_EXTERNALLY_SECURED);
    bool vouched = (rights & RIGHT_BIT(RIGHT_ACCEPT_AUTHENTICATION_FLAG)) && mail->auth.len &&
                   !span_eq(mail->auth, SPAN("<>"));
    if (token_is_user(&g->token) || (g->token.well_known & ours) || vouched)
        return GATE_INTERNAL;
    return g->token.well_known & PRINCIPAL_BIT(PRINCIPAL_PARTNER_SERVERS) ? GATE_PARTNER : GATE_ANONYMOUS;
}

void gate_stamp(struct buf *out, enum gate_auth_as as, struct span host)
{
    static const char *const words[] = {
        [GATE_ANONYMOUS] = "Anonymous", [GATE_INTERNAL] = "Internal", [GATE_PARTNER] = "Partner"};
    buf_addf(out,
             "X-MS-Exchange-Organization-AuthAs: %s\r\n"
             "X-MS-Exchange-Organization-AuthSource: %.*s\r\n",
             words[as], SPAN_ARG(host));
}

static struct smtp_reply problem_reply(enum intake_problem p)
{
    switch (p) {
    case INTAKE_TOO_MANY_HOPS:
    case INTAKE_TOO_MANY_LOCAL_HOPS: return SMTP_REPLY(554, "5.4.6", "Hop count exceeded - possible mail loop");
    case INTAKE_HEADER_TOO_LARGE: return SMTP_REPLY(552, "5.3.4", "Header size exceeds fixed maximum size");
    case INTAKE_BAD_LINE_END:
        return SMTP_REPLY(550, "5.6.0", "Message refused: its header has a bare CR, a bare LF or a NUL");
    case INTAKE_OK:
    case INTAKE_NO_MEMORY:
    case INTAKE_PROBLEM_MAX: break;
    }
    return SMTP_REPLY(452, "4.3.1", "Insufficient system resources");
}

bool gate_message_limit(const struct gate *g, enum intake_problem p, struct smtp_limit *ret)
{
    const struct receive_connector *c = g->connector;
    *ret = (struct smtp_limit){.connector = policy_text(g->policy, c->name)};
    switch (p) {
    case INTAKE_TOO_MANY_HOPS:
        ret->name = SPAN("MaxHopCount");
        ret->value = value_int(c->max_hops);
        return true;
    case INTAKE_TOO_MANY_LOCAL_HOPS:
        ret->name = SPAN("MaxLocalHopCount");
        ret->value = value_int(c->max_local_hops);
        return true;
    case INTAKE_HEADER_TOO_LARGE:
        ret->name = SPAN("MaxHeaderSize");
        ret->value = value_size(c->max_header_size);
        return true;
    case INTAKE_OK:
    case INTAKE_BAD_LINE_END:
    case INTAKE_NO_MEMORY:
    case INTAKE_PROBLEM_MAX: break;
    }
    return false;
}

static struct gate_verdict refuse(struct smtp_reply reply)
{
    return (struct gate_verdict){.answer = {.verdict = SMTP_ANSWER_REFUSE, .reply = reply}};
}

struct gate_verdict gate_message(const struct gate *g, unsigned rights, const struct intake_result *r)
{
    struct gate_verdict v = {.answer = {.verdict = SMTP_ANSWER_OK}};
    bool anyone = (rights & RIGHT_BIT(RIGHT_ACCEPT_ANY_SENDER)) &&
                  (rights & RIGHT_BIT(RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER));
    if (r->problem)
        return refuse(problem_reply(r->problem));
    if (!anyone && !r->authors_complete) /* a header that cannot be read to the end may hide an author */
        return refuse(SMTP_REPLY(550, "5.7.1", "Client does not have permissions to send as this sender"));
    for (size_t i = 0; v.answer.verdict == SMTP_ANSWER_OK && i <= r->from_count; i++) {
        struct span author = i < r->from_count ? r->from[i] : r->sender;
        if (!author.len)
            continue;
        struct decision d = decide_header_sender(g->policy, g->connector, &g->token, author, gate_owned(g));
        v = gate_verdict(&d);
    }
    return v;
}
