/*
 * decide.c: from a question to a decision.
 *
 * Invariants: every way to "allow" is a step that says why (nothing is allowed by absence); the verdict found here
 * is the one that decision_replay finds from the steps. An entry whose narrowing may still turn out to be unmet
 * decides only where `lenient` says that it is asked about again.
 */
#include "policy/decide.h"

#include "policy/domain.h"
#include "policy/secure.h"

/* One question for rights, and what it learns on the way. */
struct asking {
    const struct policy *p;
    const struct receive_connector *c; /* NULL for a send connector */
    struct policy_list acl;
    const struct token *t;
    const struct conditions *when;
    const struct span *sender, *recipient; /* asked about, or NULL */
    unsigned lenient;                      /* set of UNMET_*_OPEN that count as met */
    bool open;                             /* what the last right's answer was does depend on them */
    /* Of the entries that would have allowed: the only thing that was missing. */
    bool wants_tls, wants_sender;
    struct decision d;
};

static const struct conditions unconditional;

static struct asking begin(enum question q, const struct policy *p, const struct receive_connector *c,
                           const struct token *t, const struct conditions *when)
{
    return (struct asking){.p = p,
                           .c = c,
                           .acl = c->acl,
                           .t = t,
                           .when = when,
                           .sender = when->sender,
                           .d = {.question = q,
                                 .verdict = VERDICT_DENY,
                                 .right = RIGHT_COUNT,
                                 .connector = c->name,
                                 .anonymous = token_is_anonymous(t)}};
}

static struct decision_step *add_step(struct decision *d, enum step_kind kind)
{
    ASSERT(d->step_count < DECISION_STEPS_MAX);
    struct decision_step *s = &d->steps[d->step_count++];
    *s = (struct decision_step){.kind = kind, .right = RIGHT_COUNT};
    return s;
}

static bool is_for(const struct policy *p, const struct token *t, const struct policy_ace *e)
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

/* How an entry counts, from what is unmet of it. */
enum force { FORCE_NONE, FORCE_UNSURE, FORCE_FULL };

static enum force force_of(const struct policy_ace *e, unsigned unmet, unsigned lenient)
{
    unsigned open = unmet & ~(unsigned)UNMET_ALL;
    if (unmet & UNMET_ALL)
        return FORCE_NONE;
    if (!open)
        return FORCE_FULL;
    if (!(open & ~lenient)) /* asked again: an allowance counts for now, a denial not yet */
        return e->deny ? FORCE_NONE : FORCE_UNSURE;
    return e->deny ? FORCE_FULL : FORCE_NONE;
}

static void note_unmet(struct asking *q, uint32_t i, unsigned unmet, size_t *steps, uint32_t *more)
{
    const struct policy_ace *e = &policy_acl(q->p, q->acl)[i];
    q->open = q->open || !(unmet & UNMET_ALL);
    q->wants_tls = q->wants_tls || (!e->deny && (unmet & ~q->lenient) == UNMET_TLS);
    q->wants_sender = q->wants_sender || (!e->deny && (unmet & ~q->lenient) == UNMET_SENDER);
    if (*steps == DECISION_UNMET_MAX) {
        ++*more;
        return;
    }
    ++*steps;
    struct decision_step *s = add_step(&q->d, STEP_ENTRY_UNMET);
    s->right = (enum right)e->right;
    s->entry = e;
    s->index = i;
    s->unmet = unmet;
}

/*
 * Asks for one right; true when it is granted. Denying entries stand first, so the first that applies decides; but
 * one that applies for certain before one that may turn out not to.
 */
static bool ask_right(struct asking *q, enum right right)
{
    const struct policy_ace *acl = policy_acl(q->p, q->acl);
    uint32_t unsure = q->acl.count, i = first_for(acl, q->acl.count, right), more = 0;
    unsigned unsure_unmet = 0;
    size_t steps = 0;
    bool found = false;
    q->open = false;
    for (; i < q->acl.count && acl[i].right == right; i++) {
        if (!is_for(q->p, q->t, &acl[i]))
            continue;
        unsigned unmet = narrow_unmet(q->p, &acl[i], i, q->when, q->sender, q->recipient);
        enum force force = force_of(&acl[i], unmet, q->lenient);
        found = force == FORCE_FULL;
        if (found)
            break;
        if (force == FORCE_NONE)
            note_unmet(q, i, unmet, &steps, &more);
        else if (unsure == q->acl.count)
            unsure = i, unsure_unmet = unmet;
    }
    if (!found && unsure < q->acl.count) {
        i = unsure;
        found = q->open = true;
    } else {
        unsure_unmet = 0;
    }
    struct decision_step *s = add_step(&q->d, !found        ? STEP_RIGHT_MISSING
                                              : acl[i].deny ? STEP_RIGHT_DENIED
                                                            : STEP_RIGHT_ALLOWED);
    s->right = q->d.right = right;
    s->entry = q->d.entry = found ? &acl[i] : NULL;
    s->index = found ? i : 0;
    s->unmet = unsure_unmet;
    s->more = more;
    return s->kind == STEP_RIGHT_ALLOWED;
}

static struct decision finish(const struct asking *q, enum verdict v, int code, const char *enhanced,
                              const char *text)
{
    struct decision d = q->d;
    bool refused = v != VERDICT_ALLOW;
    if (v == VERDICT_DENY && code && q->wants_tls) {
        code = 530;
        enhanced = "5.7.0";
        text = "Must issue a STARTTLS command first";
    }
    d.verdict = v;
    d.code = refused ? code : 0;
    d.enhanced = refused ? enhanced : "";
    d.text = refused ? text : "";
    if (refused)
        d.pending = 0;
    return d;
}

static enum verdict verdict_of(bool allowed)
{
    return allowed ? VERDICT_ALLOW : VERDICT_DENY;
}

static struct decision finish_sender(const struct asking *q, enum verdict v)
{
    if (v == VERDICT_DEFER)
        return finish(q, v, 451, "4.3.0", "Permissions of this sender cannot be checked now, try again later");
    return finish(q, v, 550, "5.7.1",
                  q->d.anonymous ? "Anonymous client does not have permissions to send as this sender"
                                 : "Client does not have permissions to send as this sender");
}

/* Who may submit for other senders is told so: to log on would not help. */
static struct decision finish_submit(const struct asking *q, bool allowed)
{
    if (!allowed && q->wants_sender)
        return finish_sender(q, VERDICT_DENY);
    if (q->d.anonymous)
        return finish(q, verdict_of(allowed), 530, "5.7.1", "Client was not authenticated");
    return finish(q, verdict_of(allowed), 550, "5.7.1",
                  "Client does not have permissions to submit to this server");
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
 * The sender rule: a domain for which the client's certificate speaks; else the right for the kind of domain that
 * the sender is in, or an authenticated user's own address. So taking Accept-Authoritative-Domain-Sender away stops
 * only our own domains from being used by others.
 */
static enum verdict ask_sender(struct asking *q, struct span address, struct owned_addresses owned)
{
    q->open = false;
    if (address.len == 0) {
        add_step(&q->d, STEP_NULL_SENDER);
        return VERDICT_ALLOW;
    }
    if (policy_secure_sender(q->p, q->c, q->t, policy_address_domain(address)) == SECURE_PROVEN) {
        add_step(&q->d, STEP_SECURE_PROVEN);
        return VERDICT_ALLOW;
    }
    const struct accepted_domain *domain = policy_find_domain(q->p, policy_address_domain(address));
    bool local = domain && domain->type == DOMAIN_AUTHORITATIVE;
    add_step(&q->d, local ? STEP_SENDER_LOCAL : STEP_SENDER_FOREIGN)->domain = domain;
    if (ask_right(q, local ? RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER : RIGHT_ACCEPT_ANY_SENDER))
        return VERDICT_ALLOW;
    q->open = false; /* whoever owns the address needs no right to it, whomever it writes to */
    return token_is_user(q->t) ? ask_owner(address, owned, &q->d) : VERDICT_DENY;
}

struct decision decide_submit_at_auth(const struct policy *p, const struct receive_connector *c,
                                      const struct token *t, const struct conditions *when)
{
    struct asking q = begin(QUESTION_AUTH, p, c, t, when);
    q.sender = NULL;
    q.lenient = UNMET_SENDER_OPEN | UNMET_RECIPIENT_OPEN;
    return finish_submit(&q, ask_right(&q, RIGHT_SUBMIT));
}

/* False: mail of this sender must come by mutual TLS, and does not; the decision is made. */
static bool pass_secure_list(struct asking *q, struct span address, struct decision *ret)
{
    if (policy_secure_sender(q->p, q->c, q->t, policy_address_domain(address)) != SECURE_MISSING)
        return true;
    add_step(&q->d, STEP_SECURE_MISSING);
    *ret = finish(q, VERDICT_DENY, 550, "5.7.1", policy_secure_text(q->t->peer));
    return false;
}

struct decision decide_mail(const struct policy *p, const struct receive_connector *c, const struct token *t,
                            const struct conditions *when, struct span address, struct owned_addresses owned)
{
    struct asking q = begin(QUESTION_MAIL, p, c, t, when);
    struct decision denied;
    if (!pass_secure_list(&q, address, &denied))
        return denied;
    q.sender = &address;
    q.lenient = UNMET_RECIPIENT_OPEN;
    if (!ask_right(&q, RIGHT_SUBMIT))
        return finish_submit(&q, false);
    unsigned pending = q.open ? PENDING_SUBMIT : 0;
    q.wants_tls = false; /* Submit was found without it */
    enum verdict v = ask_sender(&q, address, owned);
    q.d.pending = pending | (q.open ? PENDING_SENDER : 0);
    return finish_sender(&q, v);
}

struct decision decide_header_sender(const struct policy *p, const struct receive_connector *c,
                                     const struct token *t, const struct conditions *when, struct span address,
                                     struct owned_addresses owned)
{
    struct asking q = begin(QUESTION_HEADER_SENDER, p, c, t, when);
    struct decision denied;
    if (!pass_secure_list(&q, address, &denied))
        return denied;
    q.sender = &address;
    enum verdict v = ask_sender(&q, address, owned);
    return finish_sender(&q, v);
}

/* What MAIL could not say for certain before this recipient. */
static enum verdict ask_pending(struct asking *q, struct owned_addresses owned)
{
    if ((q->when->pending & PENDING_SUBMIT) && !ask_right(q, RIGHT_SUBMIT))
        return VERDICT_DENY;
    return q->when->pending & PENDING_SENDER && q->when->sender ? ask_sender(q, *q->when->sender, owned)
                                                                : VERDICT_ALLOW;
}

struct decision decide_rcpt(const struct policy *p, const struct receive_connector *c, const struct token *t,
                            const struct conditions *when, struct span address, struct owned_addresses owned)
{
    struct asking q = begin(QUESTION_RCPT, p, c, t, when);
    q.recipient = &address;
    enum verdict v = ask_pending(&q, owned);
    if (v == VERDICT_DEFER)
        return finish_sender(&q, v);
    if (v == VERDICT_DENY)
        return finish(&q, v, 550, "5.7.1", "Client does not have permissions to send to this recipient");
    const struct accepted_domain *domain = policy_find_domain(p, policy_address_domain(address));
    q.wants_tls = false;
    add_step(&q.d, domain ? STEP_ACCEPTED_DOMAIN : STEP_NOT_ACCEPTED)->domain = domain;
    bool allowed = domain || ask_right(&q, RIGHT_ACCEPT_ANY_RECIPIENT);
    return finish(&q, verdict_of(allowed), 550, "5.7.1", "Unable to relay");
}

struct decision decide_right(const struct policy *p, const struct receive_connector *c, const struct token *t,
                             const struct conditions *when, enum right right)
{
    struct asking q = begin(QUESTION_RIGHT, p, c, t, when);
    bool allowed = ask_right(&q, right);
    return finish(&q, verdict_of(allowed), 0, "", "");
}

struct decision decide_right_to(const struct policy *p, const struct receive_connector *c, const struct token *t,
                                const struct conditions *when, enum right right, struct span recipient)
{
    struct asking q = begin(QUESTION_RIGHT, p, c, t, when);
    q.recipient = &recipient;
    bool allowed = ask_right(&q, right);
    return finish(&q, verdict_of(allowed), 0, "", "");
}

bool decide_may_at_all(const struct policy *p, const struct receive_connector *c, const struct token *t,
                       const struct conditions *when, enum right right)
{
    struct asking q = begin(QUESTION_RIGHT, p, c, t, when);
    q.lenient = UNMET_SENDER_OPEN | UNMET_RECIPIENT_OPEN;
    return ask_right(&q, right);
}

struct decision decide_send_right(const struct policy *p, const struct send_connector *c, const struct token *t,
                                  enum right right)
{
    struct receive_connector entries = {.acl = c->acl, .name = c->name};
    return decide_right(p, &entries, t, &unconditional, right);
}

/* Of the entries for a right, the first that counts decides; further ones are passed over. */
static unsigned rights(const struct policy *p, struct policy_list list, const struct token *t,
                       const struct conditions *when, decide_entry_fn *deciding, void *context)
{
    const struct policy_ace *acl = policy_acl(p, list);
    unsigned allowed = 0, decided = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        if ((decided & RIGHT_BIT(acl[i].right)) || !is_for(p, t, &acl[i]))
            continue;
        unsigned unmet = narrow_unmet(p, &acl[i], i, when, when->sender, NULL);
        if (force_of(&acl[i], unmet, 0) != FORCE_FULL)
            continue;
        decided |= RIGHT_BIT(acl[i].right);
        allowed |= acl[i].deny ? 0 : RIGHT_BIT(acl[i].right);
        if (deciding)
            deciding(context, i, &acl[i]);
    }
    return allowed;
}

unsigned decide_rights(const struct policy *p, const struct receive_connector *c, const struct token *t,
                       const struct conditions *when, decide_entry_fn *deciding, void *context)
{
    return rights(p, c->acl, t, when, deciding, context);
}

unsigned decide_send_rights(const struct policy *p, const struct send_connector *c, const struct token *t)
{
    return rights(p, c->acl, t, &unconditional, NULL, NULL);
}
