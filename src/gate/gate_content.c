/* gate_content.c: what the connector and the session's rights mean for a message's content. */
#include "gate/gate.h"

#include "gate/internal.h"
#include "policy/domain.h"
#include "policy/secure.h"

#include <stdio.h>

/* A recipient as it was asked about at RCPT. */
static void mark_recipient(struct gate *g, const struct mail_address *address)
{
    char room[ADDRESS_LONG_MAX + ADDRESS_DOMAIN_MAX + 2];
    const struct accepted_domain *own = policy_default_domain(g->policy);
    struct span text = address->text;
    if (!address->domain.len && own) {
        int n =
            snprintf(room, sizeof room, "%.*s@%.*s", SPAN_ARG(text), SPAN_ARG(policy_text(g->policy, own->domain)));
        text = span_make(room, n > 0 && (size_t)n < sizeof room ? (size_t)n : 0);
    }
    marks_add_recipient(g->policy, g->connector, g->tx.marks, text);
}

static bool depends_on_recipients(const struct gate *g)
{
    const struct policy_ace *acl = policy_acl(g->policy, g->connector->acl);
    for (uint32_t i = 0; i < g->connector->acl.count; i++)
        if (acl[i].recipients.count)
            return true;
    return false;
}

/* Of all rights that are looked up only those to header fields decide something now. */
static void use_header_right(void *context, uint32_t index, const struct policy_ace *entry)
{
    static const unsigned header_rights = RIGHT_BIT(RIGHT_ACCEPT_HEADERS_ROUTING) |
                                          RIGHT_BIT(RIGHT_ACCEPT_HEADERS_ORGANIZATION) |
                                          RIGHT_BIT(RIGHT_ACCEPT_HEADERS_FOREST);
    struct gate *g = context;
    if (header_rights & RIGHT_BIT(entry->right))
        marks_use(g->connector, g->tx.marks, index, entry, g->used, g->used_context);
}

unsigned gate_rights(struct gate *g, const struct smtp_envelope *e)
{
    struct span sender = g->tx.sender = e->mail.address.text;
    bool depends = depends_on_recipients(g);
    for (const struct smtp_recipient *r = e->recipients; depends && r; r = r->next)
        mark_recipient(g, &r->address);
    g->tx.recipients = true;
    struct conditions when = gate_conditions(g, &sender);
    return decide_rights(g->policy, g->connector, &g->token, &when, use_header_right, g);
}

struct decision gate_message_right(const struct gate *g, enum right right)
{
    struct conditions when = gate_conditions(g, &g->tx.sender);
    return decide_right(g->policy, g->connector, &g->token, &when, right);
}

unsigned gate_session_rights(const struct gate *g)
{
    struct conditions when = {.tls = g->tls, .now_ms = g->now_ms};
    return decide_rights(g->policy, g->connector, &g->token, &when, NULL, NULL);
}

const struct policy_ace *gate_next_rated(struct gate *g, uint32_t *at)
{
    return marks_next_rated(g->policy, g->connector, g->tx.marks, at);
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
        .default_domain = policy_text(g->policy, g->connector->default_domain),
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

void gate_stamp(struct buf *out, enum gate_auth_as as, struct span host, struct span partner)
{
    static const char *const words[] = {
        [GATE_ANONYMOUS] = "Anonymous", [GATE_INTERNAL] = "Internal", [GATE_PARTNER] = "Partner"};
    buf_addf(out,
             "X-MS-Exchange-Organization-AuthAs: %s\r\n"
             "X-MS-Exchange-Organization-AuthSource: %.*s\r\n",
             words[as], SPAN_ARG(host));
    if (as == GATE_PARTNER && partner.len)
        buf_addf(out, "X-MS-Exchange-Organization-AuthDomain: %.*s\r\n", SPAN_ARG(partner));
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
    return (struct gate_verdict){.answer = {.verdict = SMTP_ANSWER_REFUSE, .reply = reply},
                                 .short_of = PRESSURE_RESOURCES};
}

/*
 * Whether the authors do not matter, since the session may send as anybody. A right that is narrowed to certain
 * senders is none to anybody, whoever stands in the envelope; and where some domains' mail must prove itself, any
 * author may be of one.
 */
static bool may_be_anybody(const struct gate *g)
{
    struct conditions when = gate_conditions(g, NULL);
    if (policy_secures_senders(g->policy, g->connector, &g->token))
        return false;
    static const enum right both[] = {RIGHT_ACCEPT_ANY_SENDER, RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER};
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        if (decide_right(g->policy, g->connector, &g->token, &when, both[i]).verdict != VERDICT_ALLOW)
            return false;
    return true;
}

struct gate_verdict gate_message(struct gate *g, const struct intake_result *r)
{
    struct gate_verdict v = {.answer = {.verdict = SMTP_ANSWER_OK}};
    struct conditions when = gate_conditions(g, &g->tx.sender);
    if (r->problem)
        return refuse(problem_reply(r->problem));
    if (!r->authors_complete && !may_be_anybody(g)) /* a header that cannot be read to the end may hide an author */
        return refuse(
            token_is_anonymous(&g->token)
                ? SMTP_REPLY(550, "5.7.1", "Anonymous client does not have permissions to send as this sender")
                : SMTP_REPLY(550, "5.7.1", "Client does not have permissions to send as this sender"));
    for (size_t i = 0; v.answer.verdict == SMTP_ANSWER_OK && i <= r->from_count; i++) {
        struct span author = i < r->from_count ? r->from[i] : r->sender;
        if (!author.len)
            continue;
        struct decision d =
            decide_header_sender(g->policy, g->connector, &g->token, &when, author, gate_owned(g, &author));
        v = gate_sender_verdict(g, &d, author);
        if (!v.ask_send_as.len)
            gate_use(g, &d);
    }
    return v;
}
