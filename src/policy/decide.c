/*
 * decide.c: from a question to a decision.
 *
 * Invariants: every way to "allow" is a step that says why (nothing is allowed by absence); the verdict found here
 * is the one that decision_replay finds from the steps.
 */
#include "policy/decide.h"

#include "policy/domain.h"

static struct decision begin(enum question q, struct policy_text connector, const struct token *t)
{
    return (struct decision){.question = q,
                             .verdict = VERDICT_DENY,
                             .right = RIGHT_COUNT,
                             .connector = connector,
                             .anonymous = token_is_anonymous(t)};
}

static struct decision_step *add_step(struct decision *d, enum step_kind kind)
{
    ASSERT(d->step_count < DECISION_STEPS_MAX);
    struct decision_step *s = &d->steps[d->step_count++];
    *s = (struct decision_step){.kind = kind, .right = RIGHT_COUNT};
    return s;
}

static bool applies(const struct policy *p, const struct token *t, const struct policy_ace *e)
{
    return token_has(t, (enum principal)e->kind, policy_text(p, e->guid));
}

/* Index of the first entry for a right: lists are sorted by right. */
static uint32_t first_for(const struct policy_ace *acl, uint32_t count, enum right right)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (acl[middle].right < right)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Asks for one right; true when it is granted. Denying entries stand first, so the first that applies decides. */
static bool ask_right(const struct policy *p, struct policy_list list, const struct token *t, enum right right,
                      struct decision *d)
{
    const struct policy_ace *acl = policy_acl(p, list);
    uint32_t i = first_for(acl, list.count, right);
    while (i < list.count && acl[i].right == right && !applies(p, t, &acl[i]))
        i++;
    bool found = i < list.count && acl[i].right == right;
    struct decision_step *s = add_step(d, !found        ? STEP_RIGHT_MISSING
                                          : acl[i].deny ? STEP_RIGHT_DENIED
                                                        : STEP_RIGHT_ALLOWED);
    s->right = d->right = right;
    s->entry = d->entry = found ? &acl[i] : NULL;
    s->index = found ? i : 0;
    return s->kind == STEP_RIGHT_ALLOWED;
}

static struct decision finish(struct decision d, enum verdict v, int code, const char *enhanced, const char *text)
{
    d.verdict = v;
    d.code = v == VERDICT_ALLOW ? 0 : code;
    d.enhanced = v == VERDICT_ALLOW ? "" : enhanced;
    d.text = v == VERDICT_ALLOW ? "" : text;
    return d;
}

static enum verdict verdict_of(bool allowed)
{
    return allowed ? VERDICT_ALLOW : VERDICT_DENY;
}

static struct decision finish_submit(struct decision d, bool allowed)
{
    if (d.anonymous)
        return finish(d, verdict_of(allowed), 530, "5.7.1", "Client was not authenticated");
    return finish(d, verdict_of(allowed), 550, "5.7.1",
                  "Client does not have permissions to submit to this server");
}

static struct decision finish_sender(struct decision d, enum verdict v)
{
    if (v == VERDICT_DEFER)
        return finish(d, v, 451, "4.3.0", "Permissions of this sender cannot be checked now, try again later");
    return finish(d, v, 550, "5.7.1",
                  d.anonymous ? "Anonymous client does not have permissions to send as this sender"
                              : "Client does not have permissions to send as this sender");
}

static bool is_one_of(const struct span *addresses, size_t count, struct span address)
{
    for (size_t i = 0; i < count; i++)
        if (span_ieq(addresses[i], address))
            return true;
    return false;
}

static enum verdict ask_owner(struct span address, struct owned_addresses owned, struct decision *d)
{
    if (is_one_of(owned.addresses, owned.count, address)) {
        add_step(d, STEP_OWNER);
        return VERDICT_ALLOW;
    }
    if (is_one_of(owned.send_as, owned.send_as_count, address)) {
        add_step(d, STEP_SEND_AS);
        return VERDICT_ALLOW;
    }
    add_step(d, owned.unavailable ? STEP_OWNER_UNKNOWN : STEP_NOT_OWNER);
    return owned.unavailable ? VERDICT_DEFER : VERDICT_DENY;
}

/*
 * The sender rule: the right for the kind of domain that the sender is in, or else an authenticated user's own
 * address. So taking Accept-Authoritative-Domain-Sender away stops only our own domains from being used by others.
 */
static enum verdict ask_sender(const struct policy *p, const struct receive_connector *c, const struct token *t,
                               struct span address, struct owned_addresses owned, struct decision *d)
{
    if (address.len == 0) {
        add_step(d, STEP_NULL_SENDER);
        return VERDICT_ALLOW;
    }
    const struct accepted_domain *domain = policy_find_domain(p, policy_address_domain(address));
    bool local = domain && domain->type == DOMAIN_AUTHORITATIVE;
    add_step(d, local ? STEP_SENDER_LOCAL : STEP_SENDER_FOREIGN)->domain = domain;
    enum right right = local ? RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER : RIGHT_ACCEPT_ANY_SENDER;
    if (ask_right(p, c->acl, t, right, d))
        return VERDICT_ALLOW;
    return token_is_user(t) ? ask_owner(address, owned, d) : VERDICT_DENY;
}

struct decision decide_submit_at_auth(const struct policy *p, const struct receive_connector *c,
                                      const struct token *t)
{
    struct decision d = begin(QUESTION_AUTH, c->name, t);
    bool allowed = ask_right(p, c->acl, t, RIGHT_SUBMIT, &d);
    return finish_submit(d, allowed);
}

struct decision decide_mail(const struct policy *p, const struct receive_connector *c, const struct token *t,
                            struct span address, struct owned_addresses owned)
{
    struct decision d = begin(QUESTION_MAIL, c->name, t);
    if (!ask_right(p, c->acl, t, RIGHT_SUBMIT, &d))
        return finish_submit(d, false);
    enum verdict v = ask_sender(p, c, t, address, owned, &d);
    return finish_sender(d, v);
}

struct decision decide_header_sender(const struct policy *p, const struct receive_connector *c,
                                     const struct token *t, struct span address, struct owned_addresses owned)
{
    struct decision d = begin(QUESTION_HEADER_SENDER, c->name, t);
    enum verdict v = ask_sender(p, c, t, address, owned, &d);
    return finish_sender(d, v);
}

struct decision decide_rcpt(const struct policy *p, const struct receive_connector *c, const struct token *t,
                            struct span address)
{
    struct decision d = begin(QUESTION_RCPT, c->name, t);
    const struct accepted_domain *domain = policy_find_domain(p, policy_address_domain(address));
    add_step(&d, domain ? STEP_ACCEPTED_DOMAIN : STEP_NOT_ACCEPTED)->domain = domain;
    bool allowed = domain || ask_right(p, c->acl, t, RIGHT_ACCEPT_ANY_RECIPIENT, &d);
    return finish(d, verdict_of(allowed), 550, "5.7.1", "Unable to relay");
}

struct decision decide_right(const struct policy *p, const struct receive_connector *c, const struct token *t,
                             enum right right)
{
    struct decision d = begin(QUESTION_RIGHT, c->name, t);
    bool allowed = ask_right(p, c->acl, t, right, &d);
    return finish(d, verdict_of(allowed), 0, "", "");
}

struct decision decide_send_right(const struct policy *p, const struct send_connector *c, const struct token *t,
                                  enum right right)
{
    struct decision d = begin(QUESTION_RIGHT, c->name, t);
    bool allowed = ask_right(p, c->acl, t, right, &d);
    return finish(d, verdict_of(allowed), 0, "", "");
}

static unsigned rights(const struct policy *p, struct policy_list list, const struct token *t)
{
    const struct policy_ace *acl = policy_acl(p, list);
    unsigned allow = 0, deny = 0;
    for (uint32_t i = 0; i < list.count; i++)
        if (applies(p, t, &acl[i]))
            *(acl[i].deny ? &deny : &allow) |= RIGHT_BIT(acl[i].right);
    return allow & ~deny;
}

unsigned decide_rights(const struct policy *p, const struct receive_connector *c, const struct token *t)
{
    return rights(p, c->acl, t);
}

unsigned decide_send_rights(const struct policy *p, const struct send_connector *c, const struct token *t)
{
    return rights(p, c->acl, t);
}
