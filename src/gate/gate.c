/*
 * gate.c: who the session is, and what AUTH, MAIL and RCPT are answered with.
 *
 * Told at once that there is no such mailbox are programs of this machine (cron could not read a report) and
 * sessions that neither may relay nor bypass anti-spam (they are the Internet: a refusal here spares a report to a
 * forged sender). The others, a user or an application, are told by a report.
 */
#include "gate/gate.h"

#include "gate/internal.h"
#include "policy/domain.h"

#include <string.h>

struct token gate_token(const struct gate *g, const struct gate_user *user)
{
    struct session_facts facts = {.external_authoritative = g->connector->auth & AUTH_EXTERNAL_AUTHORITATIVE,
                                  .user = user->guid,
                                  .groups = user->groups,
                                  .group_count = user->group_count,
                                  .servers = g->servers,
                                  .peer = g->peer,
                                  .partners = g->partners,
                                  .partner_count = g->partner_count};
    return token_build(&facts);
}

void gate_begin(struct gate *g, const struct policy *p, const struct receive_connector *c, unsigned servers,
                uint8_t *marks)
{
    *g = (struct gate){.policy = p, .connector = c, .servers = servers, .now_ms = INT64_MAX, .tx.marks = marks};
    memset(marks, 0, c->acl.count);
    g->token = gate_token(g, &g->user);
}

void gate_now(struct gate *g, bool tls, int64_t now_ms)
{
    g->tls = tls;
    g->now_ms = now_ms;
}

struct conditions gate_conditions(const struct gate *g, const struct span *sender)
{
    return (struct conditions){.tls = g->tls,
                               .now_ms = g->now_ms,
                               .sender = sender,
                               .marks = g->tx.recipients ? g->tx.marks : NULL,
                               .pending = g->tx.pending};
}

void gate_use(struct gate *g, const struct decision *d)
{
    marks_use_decision(g->connector, g->tx.marks, d, g->used, g->used_context);
}

struct gate_verdict gate_verdict(const struct decision *d)
{
    struct gate_verdict v = {.decision = *d, .answer = {.verdict = SMTP_ANSWER_OK}, .short_of = PRESSURE_RESOURCES};
    if (d->verdict != VERDICT_ALLOW) {
        v.answer.verdict = SMTP_ANSWER_REFUSE;
        v.answer.reply = (struct smtp_reply){d->code, span_of(d->enhanced), span_of(d->text)};
    }
    return v;
}

struct gate_verdict gate_log_on(struct gate *g, const struct gate_user *user)
{
    struct token token = gate_token(g, user);
    struct conditions when = gate_conditions(g, NULL);
    struct decision d = decide_submit_at_auth(g->policy, g->connector, &token, &when);
    if (d.verdict == VERDICT_ALLOW) {
        g->user = *user;
        g->token = token;
    }
    return gate_verdict(&d);
}

void gate_local_user(struct gate *g, const struct gate_user *user, bool trusted)
{
    g->local = true;
    g->servers = trusted ? PRINCIPAL_BIT(PRINCIPAL_EXTERNALLY_SECURED) : 0;
    g->token = gate_token(g, user);
    g->user = *user;
}

/* ---- senders ---- */

/* What the directory has said about an address in this transaction. */
static enum gate_send_as find_known(const struct gate *g, struct span address)
{
    if (span_ieq(g->tx.sender, address))
        return g->tx.sender_known;
    for (size_t i = 0; i < g->tx.known_count; i++)
        if (span_ieq(g->tx.known[i].address, address))
            return g->tx.known[i].verdict;
    return GATE_SEND_AS_UNKNOWN;
}

void gate_know(struct gate *g, struct span address, enum gate_send_as verdict)
{
    if (span_ieq(g->tx.sender, address)) {
        g->tx.sender_known = verdict;
    } else if (g->tx.known_count < GATE_AUTHORS_MAX) {
        g->tx.known[g->tx.known_count].address = address;
        g->tx.known[g->tx.known_count++].verdict = verdict;
    }
}

struct owned_addresses gate_owned(const struct gate *g, const struct span *address)
{
    struct owned_addresses owned = {.addresses = g->user.addresses, .count = g->user.address_count};
    enum gate_send_as known = find_known(g, *address);
    owned.send_as = address;
    owned.send_as_count = known == GATE_SEND_AS_YES;
    owned.unavailable = known == GATE_SEND_AS_UNAVAILABLE;
    return owned;
}

struct gate_verdict gate_sender_verdict(const struct gate *g, const struct decision *d, struct span address)
{
    struct gate_verdict v = gate_verdict(d);
    bool not_owner = d->step_count && d->steps[d->step_count - 1].kind == STEP_NOT_OWNER;
    bool room = g->tx.known_count < GATE_AUTHORS_MAX || span_ieq(g->tx.sender, address);
    if (d->verdict == VERDICT_DENY && not_owner && room && find_known(g, address) == GATE_SEND_AS_UNKNOWN)
        v.ask_send_as = address;
    return v;
}

/* A new transaction, unless this is the same MAIL again, behind the directory's word about its sender. */
static void begin_transaction(struct gate *g, struct span sender)
{
    if (!g->tx.asked)
        g->tx.sender_known = GATE_SEND_AS_UNKNOWN;
    g->tx.sender = sender;
    g->tx.asked = g->tx.recipients = false;
    g->tx.pending = 0;
    g->tx.known_count = 0;
    memset(g->tx.marks, 0, g->connector->acl.count);
}

/*
 * MaxReceiveSize is about the organisation's recipients: a message to them alone, which is what a client without
 * the right to relay sends, is refused at once. The others may have recipients to whom it does not apply; the queue
 * decides for each.
 */
static uint64_t max_receive_size(const struct gate *g, const struct conditions *when)
{
    uint64_t max = policy_settings(g->policy)->max_receive_size;
    bool relays = max != POLICY_UNLIMITED_WIDE &&
                  decide_may_at_all(g->policy, g->connector, &g->token, when, RIGHT_ACCEPT_ANY_RECIPIENT);
    return max == POLICY_UNLIMITED_WIDE || relays ? 0 : max;
}

struct gate_verdict gate_mail(struct gate *g, const struct smtp_mail *mail)
{
    begin_transaction(g, mail->address.text);
    struct span sender = g->tx.sender;
    struct conditions when = gate_conditions(g, &sender);
    struct decision d = decide_mail(g->policy, g->connector, &g->token, &when, sender, gate_owned(g, &sender));
    struct gate_verdict v = gate_sender_verdict(g, &d, sender);
    g->tx.asked = v.ask_send_as.len;
    if (!g->tx.asked)
        gate_use(g, &d);
    if (d.verdict == VERDICT_ALLOW) {
        g->tx.pending = d.pending;
        v.second = decide_right(g->policy, g->connector, &g->token, &when, RIGHT_BYPASS_MESSAGE_SIZE_LIMIT);
        v.answer.no_size_limit = v.second.verdict == VERDICT_ALLOW;
        gate_use(g, &v.second);
        v.answer.max_receive_size = max_receive_size(g, &when);
        v.short_of = gate_short_of(g);
    }
    if (v.short_of != PRESSURE_RESOURCES)
        v.answer = (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE,
                                        .reply = SMTP_REPLY(452, "4.3.1", "Insufficient system resources")};
    return v;
}

/* ---- recipients ---- */

/* The directory has the last word about it: it is in a domain of ours, and no postmaster's. */
static bool is_known_by_directory(const struct policy *p, struct span address)
{
    const struct accepted_domain *d = policy_find_domain(p, policy_address_domain(address));
    bool postmaster =
        span_istarts(address, SPAN("postmaster@")) && policy_text(p, policy_settings(p)->postmaster).len;
    return d && d->type == DOMAIN_AUTHORITATIVE && !postmaster;
}

/* Exchange's Recipient Filter: who may relay, or bypasses anti-spam, is told by a report. */
static struct decision pass_recipient_filter(const struct gate *g, const struct conditions *when,
                                             struct span address)
{
    static const enum right rights[] = {RIGHT_ACCEPT_ANY_RECIPIENT, RIGHT_BYPASS_ANTI_SPAM};
    struct decision d = {0};
    for (size_t i = 0; i < ARRAY_LEN(rights) && d.verdict != VERDICT_ALLOW; i++)
        d = decide_right_to(g->policy, g->connector, &g->token, when, rights[i], address);
    return d;
}

struct gate_verdict gate_rcpt(struct gate *g, struct span sender, struct span address)
{
    g->tx.sender = sender;
    struct conditions when = gate_conditions(g, &sender);
    struct decision d = decide_rcpt(g->policy, g->connector, &g->token, &when, address, gate_owned(g, &sender));
    struct gate_verdict v = gate_sender_verdict(g, &d, sender);
    if (!v.ask_send_as.len)
        gate_use(g, &d);
    if (d.verdict == VERDICT_ALLOW && is_known_by_directory(g->policy, address)) {
        v.second = pass_recipient_filter(g, &when, address);
        v.ask_directory = g->local || v.second.verdict != VERDICT_ALLOW;
        gate_use(g, &v.second);
    }
    return v;
}

/* As the message will be stamped, as far as this recipient is concerned. */
static bool is_authenticated(const struct gate *g, const struct smtp_mail *mail, struct span recipient)
{
    struct span sender = mail->address.text;
    struct conditions when = gate_conditions(g, &sender);
    struct decision d =
        decide_right_to(g->policy, g->connector, &g->token, &when, RIGHT_ACCEPT_AUTHENTICATION_FLAG, recipient);
    unsigned rights = d.verdict == VERDICT_ALLOW ? RIGHT_BIT(RIGHT_ACCEPT_AUTHENTICATION_FLAG) : 0;
    return gate_auth_as(g, rights, mail) == GATE_INTERNAL;
}

struct smtp_answer gate_resolved(const struct gate *g, const struct smtp_mail *mail, struct span address,
                                 enum gate_recipient recipient)
{
    struct smtp_answer a = {.verdict = SMTP_ANSWER_REFUSE};
    if (recipient == GATE_RECIPIENT_UNAVAILABLE)
        a.verdict = SMTP_ANSWER_UNAVAILABLE;
    else if (recipient == GATE_RECIPIENT_UNKNOWN)
        a.reply = SMTP_REPLY(550, "5.1.1", "User unknown");
    else if (recipient == GATE_RECIPIENT_GUARDED && !is_authenticated(g, mail, address))
        a.reply = SMTP_REPLY(550, "5.7.1", "RESOLVER.RST.AuthRequired; authentication required");
    else
        a.verdict = SMTP_ANSWER_OK;
    return a;
}

struct span gate_recipient_address(const struct policy *p, const struct mail_address *address, struct arena *arena)
{
    const struct accepted_domain *own = policy_default_domain(p);
    if (address->domain.len || !own)
        return address->text;
    return arena_printf(arena, "%.*s@%.*s", SPAN_ARG(address->text), SPAN_ARG(policy_text(p, own->domain)));
}
