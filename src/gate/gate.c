/*
 * gate.c: who the session is, and what AUTH, MAIL and RCPT are answered with.
 *
 * Told at once that there is no such mailbox are sessions that may not relay (they are the Internet: a refusal here
 * spares a report to a forged sender). Who may relay, a user or an application, is told by a report.
 */
#include "gate/gate.h"

#include "gate/internal.h"
#include "policy/domain.h"

static struct token make_token(const struct gate *g, const struct gate_user *user)
{
    struct session_facts facts = {.external_authoritative = g->connector->auth & AUTH_EXTERNAL_AUTHORITATIVE,
                                  .user = user->guid,
                                  .groups = user->groups,
                                  .group_count = user->group_count,
                                  .servers = g->servers};
    return token_build(&facts);
}

void gate_begin(struct gate *g, const struct policy *p, const struct receive_connector *c, unsigned servers)
{
    *g = (struct gate){.policy = p, .connector = c, .servers = servers};
    g->token = make_token(g, &g->user);
}

struct gate_verdict gate_verdict(const struct decision *d)
{
    struct gate_verdict v = {.decision = *d, .answer = {.verdict = SMTP_ANSWER_OK}};
    if (d->verdict != VERDICT_ALLOW) {
        v.answer.verdict = SMTP_ANSWER_REFUSE;
        v.answer.reply = (struct smtp_reply){d->code, span_of(d->enhanced), span_of(d->text)};
    }
    return v;
}

struct gate_verdict gate_log_on(struct gate *g, const struct gate_user *user)
{
    struct token token = make_token(g, user);
    struct decision d = decide_submit_at_auth(g->policy, g->connector, &token);
    if (d.verdict == VERDICT_ALLOW) {
        g->user = *user;
        g->token = token;
    }
    return gate_verdict(&d);
}

struct owned_addresses gate_owned(const struct gate *g)
{
    return (struct owned_addresses){.addresses = g->user.addresses, .count = g->user.address_count};
}

/*
 * MaxReceiveSize is about the organisation's recipients: a message to them alone, which is what a client without
 * the right to relay sends, is refused at once. The others may have recipients to whom it does not apply; the queue
 * decides for each.
 */
static uint64_t max_receive_size(const struct gate *g)
{
    uint64_t max = policy_settings(g->policy)->max_receive_size;
    bool relays =
        max != POLICY_UNLIMITED_WIDE &&
        decide_right(g->policy, g->connector, &g->token, RIGHT_ACCEPT_ANY_RECIPIENT).verdict == VERDICT_ALLOW;
    return max == POLICY_UNLIMITED_WIDE || relays ? 0 : max;
}

struct gate_verdict gate_mail(const struct gate *g, const struct smtp_mail *mail)
{
    struct decision d = decide_mail(g->policy, g->connector, &g->token, mail->address.text, gate_owned(g));
    struct gate_verdict v = gate_verdict(&d);
    if (d.verdict == VERDICT_ALLOW) {
        v.second = decide_right(g->policy, g->connector, &g->token, RIGHT_BYPASS_MESSAGE_SIZE_LIMIT);
        v.answer.no_size_limit = v.second.verdict == VERDICT_ALLOW;
        v.answer.max_receive_size = max_receive_size(g);
    }
    return v;
}

/* The directory has the last word about it: it is in a domain of ours, and no postmaster's. */
static bool is_known_by_directory(const struct policy *p, struct span address)
{
    const struct accepted_domain *d = policy_find_domain(p, policy_address_domain(address));
    bool postmaster =
        span_istarts(address, SPAN("postmaster@")) && policy_text(p, policy_settings(p)->postmaster).len;
    return d && d->type == DOMAIN_AUTHORITATIVE && !postmaster;
}

struct gate_verdict gate_rcpt(const struct gate *g, struct span address)
{
    struct decision d = decide_rcpt(g->policy, g->connector, &g->token, address);
    struct gate_verdict v = gate_verdict(&d);
    if (d.verdict == VERDICT_ALLOW && is_known_by_directory(g->policy, address)) {
        v.second = decide_right(g->policy, g->connector, &g->token, RIGHT_ACCEPT_ANY_RECIPIENT);
        v.ask_directory = v.second.verdict != VERDICT_ALLOW;
    }
    return v;
}

struct smtp_answer gate_resolved(enum err_code outcome, bool found)
{
    if (outcome)
        return (struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE};
    if (!found)
        return (struct smtp_answer){.verdict = SMTP_ANSWER_REFUSE,
                                    .reply = SMTP_REPLY(550, "5.1.1", "User unknown")};
    return (struct smtp_answer){.verdict = SMTP_ANSWER_OK};
}

struct span gate_recipient_address(const struct policy *p, const struct mail_address *address, struct arena *arena)
{
    const struct accepted_domain *own = policy_default_domain(p);
    if (address->domain.len || !own)
        return address->text;
    return arena_printf(arena, "%.*s@%.*s", SPAN_ARG(address->text), SPAN_ARG(policy_text(p, own->domain)));
}
