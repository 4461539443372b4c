/*
 * check_acl.c: entries of ACLs without effect: for nobody, denying nothing, expired, not used. Those that a
 * permission group wrote are left out: they belong to the group, which says the same on every connector.
 */
#include "audit/internal.h"

#define DAY_MS INT64_C(86400000)
enum { UNUSED_DAYS = 90 };

static bool is_explicit(const struct audit *a, const struct policy_ace *e)
{
    return span_ieq(policy_text(a->policy, e->origin), SPAN("Explicit"));
}

/* The entries about one right: those that deny are [first, middle), those that allow [middle, end). */
struct run {
    uint32_t first, middle, end;
    unsigned allowed; /* the kinds of principals that are granted it and can occur: a set of PRINCIPAL_BIT */
};

static struct run run_at(const struct receive_connector *c, const struct policy_ace *acl, uint32_t first)
{
    struct run r = {first, first, first, 0};
    while (r.end < c->acl.count && acl[r.end].right == acl[first].right)
        r.end++;
    while (r.middle < r.end && acl[r.middle].deny)
        r.middle++;
    for (uint32_t i = r.middle; i < r.end; i++)
        if (session_can_hold(c, (enum principal)acl[i].kind))
            r.allowed |= PRINCIPAL_BIT(acl[i].kind);
    return r;
}

/* Whether the principal itself is granted the right. */
static bool is_granted(const struct audit *a, const struct policy_ace *acl, const struct run *r,
                       struct span principal)
{
    for (uint32_t i = r->middle; i < r->end; i++)
        if (span_ieq(policy_text(a->policy, acl[i].principal), principal))
            return true;
    return false;
}

/*
 * Whether a session can hold both what the entry denies and something that grants it. Any user can be in any group,
 * and be a server; but nobody is two users, and who is anonymous is nothing else.
 */
static bool denies_something(const struct audit *a, const struct policy_ace *acl, const struct run *r,
                             const struct policy_ace *deny)
{
    const unsigned anonymous = PRINCIPAL_BIT(PRINCIPAL_ANONYMOUS), user = PRINCIPAL_BIT(PRINCIPAL_USER);
    if (deny->kind == PRINCIPAL_EVERYONE)
        return r->allowed;
    if (deny->kind == PRINCIPAL_ANONYMOUS)
        return r->allowed & (anonymous | PRINCIPAL_BIT(PRINCIPAL_EVERYONE));
    if (deny->kind == PRINCIPAL_USER)
        return (r->allowed & ~(anonymous | user)) ||
               ((r->allowed & user) && is_granted(a, acl, r, policy_text(a->policy, deny->principal)));
    return r->allowed & ~anonymous;
}

static void add_entry(struct audit *a, enum audit_kind kind, size_t i, const struct policy_ace *e, struct span what)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    audit_add_connector(
        a, kind, AUDIT_NOTE, i,
        (struct audit_text){audit_format(a, "the entry that %s %.*s %.*s %.*s", e->deny ? "denies" : "grants",
                                         SPAN_ARG(policy_text(a->policy, e->name)),
                                         SPAN_ARG(right_info((enum right)e->right)->name), SPAN_ARG(what)),
                            SPAN(""), audit_remove_entry(a, c, e)});
}

/* ---- expired, unused ---- */

static bool has_expired(const struct audit *a, const struct policy_ace *e)
{
    return e->expires_ms != POLICY_NEVER && e->expires_ms <= a->facts->now_ms;
}

static const struct audit_use *use_of(const struct audit *a, const struct policy_ace *e)
{
    struct span id = policy_text(a->policy, e->id);
    size_t low = 0, high = a->facts->use_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_icmp(a->facts->uses[middle].entry, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->facts->use_count && span_ieq(a->facts->uses[low].entry, id) ? &a->facts->uses[low] : NULL;
}

static void check_use(struct audit *a, size_t i, const struct policy_ace *e)
{
    const struct audit_use *use = use_of(a, e);
    int64_t since = use ? use->last_ms > use->made_ms ? use->last_ms : use->made_ms : a->facts->now_ms;
    long long days = (long long)((a->facts->now_ms - since) / DAY_MS);
    if (days > UNUSED_DAYS)
        add_entry(
            a, AUDIT_UNUSED_GRANT, i, e,
            audit_format(a, use->last_ms ? "was not used for %lld days" : "was never used in %lld days", days));
}

static void check_entry(struct audit *a, size_t i, const struct policy_ace *acl, const struct run *r,
                        const struct policy_ace *e)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    if (has_expired(a, e))
        add_entry(a, AUDIT_EXPIRED_ENTRY, i, e, SPAN("has expired"));
    else if (!session_can_hold(c, (enum principal)e->kind))
        add_entry(a, e->deny ? AUDIT_DENY_WITHOUT_EFFECT : AUDIT_GRANT_WITHOUT_EFFECT, i, e,
                  SPAN("is for nobody who can be here"));
    else if (e->deny && !denies_something(a, acl, r, e))
        add_entry(a, AUDIT_DENY_WITHOUT_EFFECT, i, e, SPAN("denies what nothing grants"));
    else if (!e->deny)
        check_use(a, i, e);
}

static void check_connector(struct audit *a, size_t i)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct policy_ace *acl = policy_acl(a->policy, c->acl);
    struct run r;
    for (uint32_t first = 0; first < c->acl.count; first = r.end) {
        r = run_at(c, acl, first);
        for (uint32_t k = r.first; k < r.end; k++)
            if (is_explicit(a, &acl[k]))
                check_entry(a, i, acl, &r, &acl[k]);
    }
}

void audit_check_entries(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++)
        check_connector(a, i);
}
