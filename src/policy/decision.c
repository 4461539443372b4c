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

/* The next step that answers something; entries that do not apply only say so about the right that follows. */
static enum step_kind next(struct replay *r)
{
    enum right about = RIGHT_COUNT;
    for (; r->at < r->d->step_count && r->d->steps[r->at].kind == STEP_ENTRY_UNMET; r->at++) {
        r->bad = r->bad || !r->d->steps[r->at].unmet || (about != RIGHT_COUNT && about != r->d->steps[r->at].right);
        about = r->d->steps[r->at].right;
    }
    if (about != RIGHT_COUNT && r->at < r->d->step_count && r->d->steps[r->at].right != about)
        r->bad = true;
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
    if (kind == STEP_NULL_SENDER || kind == STEP_SECURE_PROVEN)
        return VERDICT_ALLOW;
    r->bad = r->bad || (kind != STEP_SENDER_LOCAL && kind != STEP_SENDER_FOREIGN);
    bool granted = replay_right(r, kind == STEP_SENDER_LOCAL ? RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER
                                                             : RIGHT_ACCEPT_ANY_SENDER);
    return granted ? VERDICT_ALLOW : replay_owner(r);
}

/* The right that the next answer is about; RIGHT_COUNT: about none, or there is no answer. */
static enum right coming_right(const struct replay *r)
{
    return r->at < r->d->step_count ? r->d->steps[r->at].right : RIGHT_COUNT;
}

static bool sender_is_coming(const struct replay *r)
{
    enum step_kind kind = r->at < r->d->step_count ? r->d->steps[r->at].kind : STEP_RIGHT_MISSING;
    return kind == STEP_NULL_SENDER || kind == STEP_SECURE_PROVEN || kind == STEP_SENDER_LOCAL ||
           kind == STEP_SENDER_FOREIGN;
}

/* RCPT: what MAIL left open stands in front. */
static enum verdict replay_pending(struct replay *r)
{
    if (coming_right(r) == RIGHT_SUBMIT && !replay_right(r, RIGHT_SUBMIT))
        return VERDICT_DENY;
    return sender_is_coming(r) ? replay_sender(r) : VERDICT_ALLOW;
}

static enum verdict replay_rcpt(struct replay *r)
{
    enum verdict v = replay_pending(r);
    if (v != VERDICT_ALLOW)
        return v;
    enum step_kind kind = next(r);
    if (kind == STEP_ACCEPTED_DOMAIN)
        return VERDICT_ALLOW;
    r->bad = r->bad || kind != STEP_NOT_ACCEPTED;
    return replay_right(r, RIGHT_ACCEPT_ANY_RECIPIENT) ? VERDICT_ALLOW : VERDICT_DENY;
}

/* Mail of a domain in the secure list is refused before anything else is asked. */
static bool replay_secure_missing(struct replay *r)
{
    bool missing = r->d->step_count && r->d->steps[0].kind == STEP_SECURE_MISSING;
    r->at += missing;
    return missing;
}

static enum verdict replay_mail(struct replay *r)
{
    if (replay_secure_missing(r))
        return VERDICT_DENY;
    return replay_right(r, RIGHT_SUBMIT) ? replay_sender(r) : VERDICT_DENY;
}

static enum verdict replay_question(struct replay *r)
{
    switch (r->d->question) {
    case QUESTION_AUTH: return replay_right(r, RIGHT_SUBMIT) ? VERDICT_ALLOW : VERDICT_DENY;
    case QUESTION_MAIL: return replay_mail(r);
    case QUESTION_HEADER_SENDER: return replay_secure_missing(r) ? VERDICT_DENY : replay_sender(r);
    case QUESTION_RIGHT: return replay_right(r, r->d->right) ? VERDICT_ALLOW : VERDICT_DENY;
    case QUESTION_RCPT: return replay_rcpt(r);
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
        buf_add(out, SPAN("granted to nobody that this session is"));
    } else {
        struct span name = policy_text(p, s->entry->name), origin = policy_text(p, s->entry->origin);
        buf_addf(out, "%s %.*s by ", s->kind == STEP_RIGHT_ALLOWED ? "granted to" : "denied to", SPAN_ARG(name));
        if (!span_ieq(origin, SPAN("Explicit")))
            buf_addf(out, "permission group %.*s", SPAN_ARG(origin));
        else
            buf_add(out, narrow_is_narrowed(s->entry) ? SPAN("a narrowed entry") : SPAN("an entry of its own"));
    }
    if (s->unmet)
        buf_add(out, SPAN(", as far as can be said now"));
    if (s->more)
        buf_addf(out, "; %u more entries do not apply", s->more);
    buf_add_char(out, '\n');
}

static void print_unmet(struct buf *out, const struct policy *p, const struct decision_step *s)
{
    buf_addf(out, "%.*s: the entry that %s it to %.*s does not apply: ", SPAN_ARG(right_info(s->right)->name),
             s->entry->deny ? "denies" : "grants", SPAN_ARG(policy_text(p, s->entry->name)));
    narrow_print(out, s->unmet);
    buf_add_char(out, '\n');
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
    case STEP_SECURE_PROVEN:
        buf_add(out, SPAN("the sender's domain is in the secure list, and the client's certificate names it\n"));
        break;
    case STEP_SECURE_MISSING:
        buf_add(out,
                SPAN("the sender's domain is in TLSReceiveDomainSecureList, and mutual TLS did not prove it\n"));
        break;
    case STEP_RIGHT_ALLOWED:
    case STEP_RIGHT_DENIED:
    case STEP_RIGHT_MISSING: print_right(out, p, s); break;
    case STEP_ENTRY_UNMET: print_unmet(out, p, s); break;
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
