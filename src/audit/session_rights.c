/*
 * session_rights.c: what a kind of session may do: the decision engine, asked with addresses that stand for all of
 * their kind.
 *
 * Invariant: an address that an entry is narrowed to is a kind of its own, since the patterns of entries either
 * contain each other or have nothing in common: so the smallest ones stand for every way in which they overlap.
 */
#include "audit/session.h"

#include "policy/domain.h"

static const struct owned_addresses nobody;

/* ---- addresses ---- */

/* *ret is empty where no domain is authoritative. */
static bool own_address(const struct policy *p, struct arena *arena, struct span *ret)
{
    const struct accepted_domain *d = policy_default_domain(p);
    for (size_t i = 0; (!d || d->type != DOMAIN_AUTHORITATIVE) && i < policy_accepted_domain_count(p); i++)
        d = policy_accepted_domain(p, i);
    *ret = SPAN("");
    if (!d || d->type != DOMAIN_AUTHORITATIVE)
        return true;
    *ret = arena_printf(arena, "somebody@%s%.*s", d->wildcard ? "below." : "", SPAN_ARG(policy_text(p, d->domain)));
    return ret->ptr;
}

static bool is_named(const struct policy *p, const struct receive_connector *c, struct span address)
{
    const struct policy_ace *acl = policy_acl(p, c->acl);
    for (uint32_t i = 0; i < c->acl.count; i++)
        if (narrow_covers(p, acl[i].senders, address) || narrow_covers(p, acl[i].recipients, address))
            return true;
    return false;
}

/* Neither in an accepted domain nor in one that an entry is narrowed to. */
static bool is_foreign(const struct policy *p, struct span address)
{
    if (policy_find_domain(p, policy_address_domain(address)))
        return false;
    for (size_t i = 0; i < policy_receive_connector_count(p); i++)
        if (is_named(p, policy_receive_connector(p, i), address))
            return false;
    return true;
}

/* Each accepted domain and each pattern covers at most one of the top-level domains tried, so it comes to an end.
 */
static struct span foreign_address(const struct policy *p, struct arena *arena)
{
    struct span address = SPAN("somebody@elsewhere.example");
    for (unsigned i = 0; address.ptr && !is_foreign(p, address); i++)
        address = arena_printf(arena, "somebody@elsewhere.nowhere%u", i);
    return address;
}

enum err_code session_probes_make(const struct policy *p, struct session_probes *ret, struct err *err)
{
    ret->foreign = foreign_address(p, ret->arena);
    return own_address(p, ret->arena, &ret->own) && ret->foreign.ptr ? ERR_NONE
                                                                     : err_set(err, ERR_NO_MEMORY, "out of memory");
}

/* ---- senders and moments that make a difference ---- */

static bool counts(const struct policy *p, const struct session_kind *k, const struct policy_ace *e)
{
    return token_has(&k->token, (enum principal)e->kind, policy_text(p, e->guid));
}

static struct span address_of(const struct policy *p, const struct policy_pattern *t, struct arena *arena)
{
    struct span domain = policy_text(p, t->domain), local = policy_text(p, t->local);
    if (t->kind == PATTERN_NULL)
        return SPAN("");
    if (t->kind == PATTERN_ADDRESS)
        return arena_printf(arena, "%.*s@%.*s", SPAN_ARG(local), SPAN_ARG(domain));
    return arena_printf(arena, "somebody@%s%.*s", t->kind == PATTERN_SUBDOMAINS ? "below." : "", SPAN_ARG(domain));
}

struct senders {
    struct span *items;
    size_t count;
};

/* First those that need no entry of their own. */
static struct senders senders_for(const struct policy *p, const struct receive_connector *c,
                                  const struct session_kind *k, struct session_probes *probes)
{
    const struct policy_ace *acl = policy_acl(p, c->acl);
    struct senders s = {NULL, 3};
    for (uint32_t i = 0; i < c->acl.count; i++)
        s.count += !acl[i].deny && counts(p, k, &acl[i]) ? acl[i].senders.count : 0;
    s.items = ARENA_ARRAY(probes->arena, s.count, struct span);
    size_t n = 0;
    if (s.items) {
        s.items[n++] = probes->foreign;
        if (probes->own.len)
            s.items[n++] = probes->own;
        s.items[n++] = SPAN("");
    }
    for (uint32_t i = 0; s.items && i < c->acl.count; i++)
        for (uint32_t t = 0; !acl[i].deny && counts(p, k, &acl[i]) && t < acl[i].senders.count; t++) {
            s.items[n] = address_of(p, &policy_patterns(p, acl[i].senders)[t], probes->arena);
            probes->failed = probes->failed || !s.items[n].ptr;
            n++;
        }
    probes->failed = probes->failed || !s.items;
    s.count = n;
    return s;
}

/* Now, and when something that denies does so no longer. */
static int64_t next_moment(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                           int64_t after)
{
    const struct policy_ace *acl = policy_acl(p, c->acl);
    int64_t next = POLICY_NEVER;
    for (uint32_t i = 0; i < c->acl.count; i++)
        if (acl[i].deny && acl[i].expires_ms > after && acl[i].expires_ms < next && counts(p, k, &acl[i]))
            next = acl[i].expires_ms;
    return next;
}

/* ---- decisions ---- */

static bool may_use(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                    struct conditions *when, struct span from)
{
    struct decision d = decide_mail(p, c, &k->token, when, from, nobody);
    when->pending = d.pending;
    return d.verdict == VERDICT_ALLOW;
}

/* As a session asks: MAIL, then RCPT. */
static bool may_send(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                     bool tls, int64_t at_ms, struct span from, struct span to)
{
    struct conditions when = {.tls = tls, .now_ms = at_ms};
    if (!may_use(p, c, k, &when, from))
        return false;
    when.sender = &from;
    return decide_rcpt(p, c, &k->token, &when, to, nobody).verdict == VERDICT_ALLOW;
}

static bool may_send_from_any(const struct policy *p, const struct receive_connector *c,
                              const struct session_kind *k, const struct senders *senders, struct span to,
                              struct session_path *path)
{
    for (size_t i = 0; i < senders->count; i++)
        if (may_send(p, c, k, path->tls, path->at_ms, senders->items[i], to)) {
            path->from = senders->items[i];
            return true;
        }
    return false;
}

bool session_may_send(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                      struct session_probes *probes, struct span to, struct session_path *ret)
{
    const struct senders senders = senders_for(p, c, k, probes);
    for (int64_t at = probes->now_ms; !probes->failed && at != POLICY_NEVER; at = next_moment(p, c, k, at))
        for (int tls = 0; tls < 2; tls++) {
            struct session_path path = {.tls = tls, .at_ms = at};
            if (!session_exists(c, k->kind, tls) || !may_send_from_any(p, c, k, &senders, to, &path))
                continue;
            *ret = path;
            return true;
        }
    return false;
}

unsigned session_rights(const struct policy *p, const struct receive_connector *c, const struct session_kind *k,
                        bool tls, struct session_probes *probes)
{
    struct conditions when = {.tls = tls, .now_ms = probes->now_ms};
    struct session_path path = {.tls = tls, .at_ms = probes->now_ms};
    unsigned set = SESSION_SUBMIT;
    if (!session_exists(c, k->kind, tls) || !decide_may_at_all(p, c, &k->token, &when, RIGHT_SUBMIT))
        return 0;
    const struct senders senders = senders_for(p, c, k, probes);
    if (!probes->failed && may_send_from_any(p, c, k, &senders, probes->foreign, &path))
        set |= SESSION_RELAY;
    if (probes->own.len && may_use(p, c, k, &when, probes->own))
        set |= SESSION_OWN_SENDER;
    if (may_use(p, c, k, &when, probes->foreign))
        set |= SESSION_OTHER_SENDER;
    return set;
}

unsigned session_rights_ever(const struct policy *p, const struct receive_connector *c,
                             const struct session_kind *k, struct session_probes *probes)
{
    return session_rights(p, c, k, false, probes) | session_rights(p, c, k, true, probes);
}
