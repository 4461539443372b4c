/*
 * decision.c: what can be done with a decision once it is made: computing its verdict again from the record, and
 * printing it for people. Nothing here decides.
 */
#include "policy/decide.h"

/* ---- replay ---- */

struct replay {
    const struct decision *d;
    size_t at;
    bool bad; /* the steps do not answer the question */
};

static enum step_kind next(struct replay *r)
{
    if (r->at == r->d->step_count) {
        r->bad = true;
        return STEP_RIGHT_MISSING;
    }
    return r->d->steps[r->at++].kind;
}

/* Reads the answer to one right. */
static bool replay_right(struct replay *r, enum right right)
{
    enum step_kind kind = next(r);
    if (r->bad || r->d->steps[r->at - 1].right != right)
        r->bad = true;
    else if (kind != STEP_RIGHT_ALLOWED && kind != STEP_RIGHT_DENIED && kind != STEP_RIGHT_MISSING)
        r->bad = true;
    return !r->bad && kind == STEP_RIGHT_ALLOWED;
}

static enum verdict replay_owner(struct replay *r)
{
    if (r->at == r->d->step_count) /* nobody who could own an address */
        return VERDICT_DENY;
    enum step_kind kind = next(r);
    r->bad = r->bad || r->d->anonymous;
    if (kind == STEP_OWNER || kind == STEP_SEND_AS)
        return VERDICT_ALLOW;
    if (kind == STEP_OWNER_UNKNOWN)
        return VERDICT_DEFER;
    r->bad = r->bad || kind != STEP_NOT_OWNER;
    return VERDICT_DENY;
}

static enum verdict replay_sender(struct replay *r)
{
    enum step_kind kind = next(r);
    if (kind == STEP_NULL_SENDER)
        return VERDICT_ALLOW;
    r->bad = r->bad || (kind != STEP_SENDER_LOCAL && kind != STEP_SENDER_FOREIGN);
    bool granted = replay_right(r, kind == STEP_SENDER_LOCAL ? RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER
                                                             : RIGHT_ACCEPT_ANY_SENDER);
    return granted ? VERDICT_ALLOW : replay_owner(r);
}

static enum verdict replay_question(struct replay *r)
{
    enum step_kind kind;
    switch (r->d->question) {
    case QUESTION_AUTH: return replay_right(r, RIGHT_SUBMIT) ? VERDICT_ALLOW : VERDICT_DENY;
    case QUESTION_MAIL: return replay_right(r, RIGHT_SUBMIT) ? replay_sender(r) : VERDICT_DENY;
    case QUESTION_HEADER_SENDER: return replay_sender(r);
    case QUESTION_RIGHT: return replay_right(r, r->d->right) ? VERDICT_ALLOW : VERDICT_DENY;
    case QUESTION_RCPT:
        kind = next(r);
        if (kind == STEP_ACCEPTED_DOMAIN)
            return VERDICT_ALLOW;
        r->bad = r->bad || kind != STEP_NOT_ACCEPTED;
        return replay_right(r, RIGHT_ACCEPT_ANY_RECIPIENT) ? VERDICT_ALLOW : VERDICT_DENY;
    }
    return VERDICT_DENY;
}

enum verdict decision_replay(const struct decision *d)
{
    struct replay r = {.d = d};
    enum verdict v = replay_question(&r);
    return r.bad || r.at != d->step_count ? VERDICT_DENY : v;
}

/* ---- print ---- */

static const char *const question_names[] = {
    [QUESTION_AUTH] = "AUTH", [QUESTION_MAIL] = "MAIL FROM",       [QUESTION_HEADER_SENDER] = "header sender",
    [QUESTION_RCPT] = "RCPT", [QUESTION_RIGHT] = "a single right",
};

static const char *const verdict_names[] = {
    [VERDICT_DENY] = "refused",
    [VERDICT_ALLOW] = "allowed",
    [VERDICT_DEFER] = "deferred",
};

static void print_right(struct buf *out, const struct policy *p, const struct decision_step *s)
{
    buf_addf(out, "%.*s: ", SPAN_ARG(right_info(s->right)->name));
    if (s->kind == STEP_RIGHT_MISSING) {
        buf_add(out, SPAN("granted to nobody that this session is\n"));
        return;
    }
    struct span name = policy_text(p, s->entry->name), origin = policy_text(p, s->entry->origin);
    buf_addf(out, "%s %.*s by ", s->kind == STEP_RIGHT_ALLOWED ? "granted to" : "denied to", SPAN_ARG(name));
    if (span_ieq(origin, SPAN("Explicit")))
        buf_add(out, SPAN("an entry of its own\n"));
    else
        buf_addf(out, "permission group %.*s\n", SPAN_ARG(origin));
}

static void print_domain(struct buf *out, const struct policy *p, const char *what, const struct accepted_domain *d)
{
    buf_addf(out, "%s %s%.*s\n", what, d->wildcard ? "*." : "", SPAN_ARG(policy_text(p, d->domain)));
}

void decision_step_print(struct buf *out, const struct policy *p, const struct decision_step *s)
{
    switch (s->kind) {
    case STEP_NULL_SENDER: buf_add(out, SPAN("the null sender <> needs no right to a sender\n")); break;
    case STEP_SENDER_LOCAL: print_domain(out, p, "the sender is in the authoritative domain", s->domain); break;
    case STEP_SENDER_FOREIGN:
        if (s->domain)
            print_domain(out, p, "the sender is in the relay domain", s->domain);
        else
            buf_add(out, SPAN("the sender is in no domain of ours\n"));
        break;
    case STEP_OWNER: buf_add(out, SPAN("the address belongs to the authenticated user\n")); break;
    case STEP_SEND_AS: buf_add(out, SPAN("the authenticated user may send as the owner of the address\n")); break;
    case STEP_NOT_OWNER: buf_add(out, SPAN("the address does not belong to the authenticated user\n")); break;
    case STEP_OWNER_UNKNOWN: buf_add(out, SPAN("whose address it is cannot be found out now\n")); break;
    case STEP_ACCEPTED_DOMAIN: print_domain(out, p, "the recipient is in the accepted domain", s->domain); break;
    case STEP_NOT_ACCEPTED:
        buf_add(out, SPAN("the recipient is in no accepted domain: this would be relaying\n"));
        break;
    case STEP_RIGHT_ALLOWED:
    case STEP_RIGHT_DENIED:
    case STEP_RIGHT_MISSING: print_right(out, p, s); break;
    }
}

void decision_print(struct buf *out, const struct policy *p, const struct decision *d)
{
    buf_addf(out, "%s on connector \"%.*s\": %s\n", question_names[d->question],
             SPAN_ARG(policy_text(p, d->connector)), verdict_names[d->verdict]);
    for (size_t i = 0; i < d->step_count; i++) {
        buf_add(out, SPAN("  "));
        decision_step_print(out, p, &d->steps[i]);
    }
    if (d->code)
        buf_addf(out, "  reply: %d %s %s\n", d->code, d->enhanced, d->text);
}
