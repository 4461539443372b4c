/*
 * check_relay.c: who may send to any domain for his address alone.
 *
 * Invariant: of a connector that is an open relay nothing further is said about relaying, since one remedy ends it
 * all.
 */
#include "audit/internal.h"

#include <string.h>

/* A range of more addresses than this is no list of single hosts. */
enum { FIXED_ADDRESSES_MAX = 256 };

static struct span extent_text(struct audit *a, struct audit_extent e)
{
    if (e.v6 == 0)
        return audit_format(a, "%llu public IPv4 addresses", (unsigned long long)e.v4);
    return audit_format(a, "%llu public IPv4 addresses and %llu IPv6 networks", (unsigned long long)e.v4,
                        (unsigned long long)e.v6);
}

static struct audit_session session_at(const struct audit_cell *cell, struct ip_addr remote,
                                       const struct session_path *path, struct span to)
{
    return (struct audit_session){
        .local = cell->local, .remote = remote, .tls = path->tls, .from = path->from, .to = to};
}

/* ---- domains that belong to everybody ---- */

static bool is_one_of(struct span label, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_ieq(label, span_of(words[i])))
            return true;
    return false;
}

/*
 * Whether the names below a domain belong to everybody: a top-level domain, or one such as co.uk under that of a
 * country.
 */
static bool is_registry(struct span domain)
{
    static const char *const second_level[] = {"ac", "co", "com", "edu", "go", "gob", "gov",
                                               "gv", "ne", "net", "nom", "or", "org"};
    size_t dot = span_find(domain, '.');
    struct span top = span_from(domain, dot == SIZE_MAX ? domain.len : dot + 1);
    return dot == SIZE_MAX || (top.len == 2 && span_find(top, '.') == SIZE_MAX &&
                               is_one_of(span_head(domain, dot), second_level, ARRAY_LEN(second_level)));
}

/*
 * Somebody below such a domain to whom an entry lets relay although it is narrowed to certain recipients; the empty
 * span where there is none.
 */
static struct span registry_recipient(struct audit *a, const struct receive_connector *c,
                                      const struct session_kind *k, struct span *ret_domain)
{
    const struct policy_ace *acl = policy_acl(a->policy, c->acl);
    for (uint32_t i = 0; i < c->acl.count; i++) {
        const struct policy_pattern *t = policy_patterns(a->policy, acl[i].recipients);
        bool relays = acl[i].right == RIGHT_ACCEPT_ANY_RECIPIENT && !acl[i].deny &&
                      token_has(&k->token, (enum principal)acl[i].kind, policy_text(a->policy, acl[i].guid));
        for (uint32_t n = 0; relays && n < acl[i].recipients.count; n++) {
            *ret_domain = policy_text(a->policy, t[n].domain);
            if (t[n].kind == PATTERN_SUBDOMAINS && is_registry(*ret_domain))
                return audit_format(a, "somebody@elsewhere.%.*s", SPAN_ARG(*ret_domain));
        }
    }
    return SPAN("");
}

/* ---- by connector ---- */

/* From the whole Internet, or from more addresses than single hosts. to_what: "any domain". */
static void add_relay(struct audit *a, size_t i, const struct session_path *path, struct span to,
                      struct span to_what)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct audit_reach *reach = &a->reach[i];
    const struct audit_session s = session_at(reach->example, reach->remote, path, to);
    const struct session_kind k = session_unproved(c);
    audit_add_connector(
        a, reach->wide ? AUDIT_OPEN_RELAY : AUDIT_PUBLIC_RELAY, reach->wide ? AUDIT_DANGER : AUDIT_WARNING, i,
        (struct audit_text){
            audit_format(a,
                         "anybody may send to %.*s, from %.*s%.*s; narrow RemoteIPRanges to the hosts that must "
                         "relay, or take the right away",
                         SPAN_ARG(to_what), SPAN_ARG(extent_text(a, reach->extent)),
                         SPAN_ARG(audit_moment(a, path->at_ms))),
            audit_witness(a, &s), audit_take_right(a, c, &k, RIGHT_ACCEPT_ANY_RECIPIENT)})
        ->extent = reach->extent;
}

static void check_anonymous(struct audit *a, size_t i)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct session_kind k = session_unproved(c);
    struct session_path path;
    struct span domain;
    if (!a->reach[i].wide && (a->scope == AUDIT_RELAYS || !audit_extent_is_large(a->reach[i].extent)))
        return;
    if (session_may_send(a->policy, c, &k, &a->probes, a->probes.foreign, &path)) {
        add_relay(a, i, &path, a->probes.foreign, SPAN("any domain"));
        return;
    }
    struct span to = registry_recipient(a, c, &k, &domain);
    if (to.len && session_may_send(a->policy, c, &k, &a->probes, to, &path))
        add_relay(a, i, &path, to, audit_format(a, "every domain below %.*s", SPAN_ARG(domain)));
}

static void add_externally_secured(struct audit *a, size_t i, const struct session_path *path, struct span to)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct audit_reach *reach = &a->reach[i];
    const struct audit_session s = session_at(reach->example, reach->remote, path, to);
    struct span text =
        reach->wide ? audit_format(a,
                                   "every client is trusted as Externally Secured Servers, from %.*s; narrow "
                                   "RemoteIPRanges to the fixed addresses of those servers",
                                   SPAN_ARG(extent_text(a, reach->extent)))
                    : audit_format(a,
                                   "a range of more than %d addresses is trusted as Externally Secured Servers; "
                                   "narrow RemoteIPRanges to the fixed addresses of those servers",
                                   FIXED_ADDRESSES_MAX);
    audit_add_connector(a, AUDIT_EXTERNALLY_SECURED, reach->wide ? AUDIT_DANGER : AUDIT_WARNING, i,
                        (struct audit_text){text, audit_witness(a, &s), audit_distrust(a, c)})
        ->extent = reach->extent;
}

static bool has_large_cell(const struct audit *a, size_t connector)
{
    for (size_t k = a->partition.first[connector]; k < a->partition.first[connector + 1]; k++)
        if (!audit_at_most(a->partition.cells[k].remote, FIXED_ADDRESSES_MAX))
            return true;
    return false;
}

static void check_trusted(struct audit *a, size_t i)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct session_kind k = session_unproved(c);
    struct session_path path;
    if (!a->reach[i].wide && (a->scope == AUDIT_RELAYS || !has_large_cell(a, i)))
        return;
    if (session_may_send(a->policy, c, &k, &a->probes, a->probes.foreign, &path))
        add_externally_secured(a, i, &path, a->probes.foreign);
    else if (a->probes.own.len && session_may_send(a->policy, c, &k, &a->probes, a->probes.own, &path))
        add_externally_secured(a, i, &path, a->probes.own);
}

static void check_connector(struct audit *a, size_t i)
{
    if (!a->reach[i].example)
        return;
    if (policy_receive_connector(a->policy, i)->auth & AUTH_EXTERNAL_AUTHORITATIVE)
        check_trusted(a, i);
    else
        check_anonymous(a, i);
}

/* ---- partners ---- */

static void check_partners(struct audit *a, size_t i)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct session_kind k = session_server(PRINCIPAL_PARTNER_SERVERS);
    const struct audit_reach *reach = &a->reach[i];
    struct session_path path;
    if (!reach->example || !session_may_send(a->policy, c, &k, &a->probes, a->probes.foreign, &path))
        return;
    const struct audit_session s = session_at(reach->example, reach->remote, &path, a->probes.foreign);
    audit_add_connector(
        a, AUDIT_PARTNER_RELAY, AUDIT_WARNING, i,
        (struct audit_text){SPAN("every partner whose certificate is verified may send to any domain"),
                            audit_witness(a, &s), audit_take_right(a, c, &k, RIGHT_ACCEPT_ANY_RECIPIENT)});
}

/* ---- by accepted domain ---- */

static void check_registry(struct audit *a, const struct accepted_domain *d)
{
    struct span domain = policy_text(a->policy, d->domain);
    struct span to = audit_format(a, "somebody@elsewhere.%.*s", SPAN_ARG(domain));
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        const struct audit_reach *reach = &a->reach[i];
        const struct session_kind k = session_unproved(c);
        struct session_path path;
        if (!reach->wide || !session_may_send(a->policy, c, &k, &a->probes, to, &path))
            continue;
        const struct audit_session s = session_at(reach->example, reach->remote, &path, to);
        audit_add_domain(
            a, AUDIT_OPEN_RELAY, AUDIT_DANGER, d,
            (struct audit_text){
                audit_format(a,
                             "anybody may send to every domain below %.*s through \"%.*s\"; accept the domains "
                             "of your own by name",
                             SPAN_ARG(domain), SPAN_ARG(policy_text(a->policy, c->name))),
                audit_witness(a, &s),
                audit_format(a, "Remove-AcceptedDomain %.*s -Confirm:$false",
                             SPAN_ARG(audit_quote(a, policy_text(a->policy, d->name))))})
            ->extent = reach->extent;
        return;
    }
}

void audit_check_relays(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++)
        check_connector(a, i);
    for (size_t i = 0; i < policy_accepted_domain_count(a->policy); i++) {
        const struct accepted_domain *d = policy_accepted_domain(a->policy, i);
        if (d->wildcard && is_registry(policy_text(a->policy, d->domain)))
            check_registry(a, d);
    }
}

void audit_check_partners(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++)
        check_partners(a, i);
}

void audit_check_domains(struct audit *a)
{
    for (size_t i = 0; i < policy_accepted_domain_count(a->policy); i++) {
        const struct accepted_domain *d = policy_accepted_domain(a->policy, i);
        struct span domain = policy_text(a->policy, d->domain);
        if (d->wildcard)
            audit_add_domain(
                a, AUDIT_WILDCARD_DOMAIN, AUDIT_NOTE, d,
                (struct audit_text){audit_format(a, "*.%.*s accepts mail for every name below %.*s",
                                                 SPAN_ARG(domain), SPAN_ARG(domain)),
                                    SPAN(""),
                                    audit_format(a, "Remove-AcceptedDomain %.*s -Confirm:$false",
                                                 SPAN_ARG(audit_quote(a, policy_text(a->policy, d->name))))});
    }
}

/* ---- gateways and bridges of this host ---- */

enum { NAMED_MAX = 16 };

/* Those of its addresses that stand for many others. They are few: a host has as many as it has interfaces. */
struct translators {
    struct ip_addr addresses[NAMED_MAX];
    const struct audit_address *first;
    const struct audit_cell *cell; /* where the first was found */
    size_t count;
};

static void note_translator(struct translators *t, const struct audit_address *f, const struct audit_cell *cell)
{
    for (size_t i = 0; i < t->count; i++)
        if (ip_cmp(t->addresses[i], f->addr) == 0)
            return;
    if (t->count == 0) {
        t->first = f;
        t->cell = cell;
    }
    if (t->count < NAMED_MAX)
        t->addresses[t->count++] = f->addr;
}

static void find_translators(const struct audit *a, size_t connector, struct translators *ret)
{
    for (size_t k = a->partition.first[connector]; k < a->partition.first[connector + 1]; k++)
        for (size_t i = 0; i < a->facts->address_count; i++) {
            const struct audit_address *f = &a->facts->addresses[i];
            if ((f->flags & (AUDIT_GATEWAY | AUDIT_BRIDGE)) &&
                ip_range_contains(a->partition.cells[k].remote, f->addr))
                note_translator(ret, f, &a->partition.cells[k]);
        }
}

static void add_gateway(struct audit *a, size_t i, const struct translators *found, const struct session_path *path)
{
    const struct receive_connector *c = policy_receive_connector(a->policy, i);
    const struct audit_session s = session_at(found->cell, found->first->addr, path, a->probes.foreign);
    const struct session_kind k = session_unproved(c);
    struct span remedy = audit_exclude(a, c, found->addresses, found->count);
    char text[IP_TEXT_MAX];
    if (!remedy.len)
        remedy = c->auth & AUTH_EXTERNAL_AUTHORITATIVE ? audit_distrust(a, c)
                                                       : audit_take_right(a, c, &k, RIGHT_ACCEPT_ANY_RECIPIENT);
    audit_add_connector(
        a, AUDIT_GATEWAY_RELAY, AUDIT_DANGER, i,
        (struct audit_text){
            audit_format(a, "%s, %s (%.*s)%s, may send to any domain without logging on",
                         ip_print(found->first->addr, text),
                         found->first->flags & AUDIT_GATEWAY ? "the gateway of this host" : "a bridge of this host",
                         SPAN_ARG(found->first->interface), found->count > 1 ? " among others" : ""),
            audit_witness(a, &s), remedy});
}

void audit_check_gateways(struct audit *a)
{
    for (size_t i = 0; i < policy_receive_connector_count(a->policy); i++) {
        const struct receive_connector *c = policy_receive_connector(a->policy, i);
        const struct session_kind k = session_unproved(c);
        struct translators found = {.count = 0};
        struct session_path path;
        if (a->reach[i].wide || !a->reach[i].example ||
            !session_may_send(a->policy, c, &k, &a->probes, a->probes.foreign, &path))
            continue;
        find_translators(a, i, &found);
        if (found.count)
            add_gateway(a, i, &found, &path);
    }
}
