/*
 * block_check.c: is a block sound. Sections first, then the records in them, then how the lists divide the
 * sections, then the orders: each stage relies on what those before it found, and on nothing else.
 */
#include "policy/block.h"

#include <string.h>

/* ---- records ---- */

static bool text_ok(const struct policy *p, struct policy_text t)
{
    size_t n = block_count(p, SECTION_TEXT);
    return t.offset <= n && t.len <= n - t.offset;
}

static bool texts_ok(const struct policy *p, const struct policy_text *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!text_ok(p, t[i]))
            return false;
    return true;
}

static bool receive_ok(const struct policy *p, const struct receive_connector *c)
{
    const struct policy_text texts[] = {c->guid, c->name, c->fqdn, c->banner, c->default_domain};
    return texts_ok(p, texts, ARRAY_LEN(texts)) && !(c->flags & ~(uint32_t)CONNECTOR_FLAGS_ALL) &&
           !(c->auth & ~(uint32_t)AUTH_ALL) && c->size_mode <= SIZE_WITHOUT_VALUE && c->tls_minimum <= 3 &&
           c->rate_source < RATE_SOURCES && c->tls_profile <= 2;
}

/* No client of the network reaches it. */
static bool local_ok(const struct policy *p, const struct receive_connector *c)
{
    return receive_ok(p, c) && !c->bindings.count && !c->ranges.count && !c->proxies.count && c->auth == 0;
}

static bool range_ok(const struct ip_range *r)
{
    return ip_is_v4(r->first) == ip_is_v4(r->last) && ip_cmp(r->first, r->last) <= 0;
}

static bool pattern_list_ok(const struct policy *p, struct policy_list l)
{
    size_t n = block_count(p, SECTION_PATTERNS);
    return l.count <= POLICY_PATTERNS_MAX && l.first <= n && l.count <= n - l.first;
}

static bool ace_ok(const struct policy *p, const struct policy_ace *e)
{
    const struct policy_text texts[] = {e->id, e->principal, e->guid, e->name, e->origin};
    return texts_ok(p, texts, ARRAY_LEN(texts)) && e->kind < PRINCIPAL_KINDS && e->right < RIGHT_COUNT &&
           e->deny <= 1 && e->require_tls <= 1 && e->rate > 0 && (!e->deny || e->rate == POLICY_UNLIMITED) &&
           e->reserved == 0 && (e->kind >= PRINCIPAL_WELL_KNOWN) == (e->guid.len != 0) &&
           pattern_list_ok(p, e->senders) && pattern_list_ok(p, e->recipients);
}

static bool pattern_ok(const struct policy *p, const struct policy_pattern *t)
{
    return text_ok(p, t->domain) && text_ok(p, t->local) && t->kind < PATTERN_KINDS && t->reserved == 0 &&
           (t->kind == PATTERN_NULL) == (t->domain.len == 0) && (t->kind == PATTERN_ADDRESS) == (t->local.len != 0);
}

static bool domain_ok(const struct policy *p, const struct accepted_domain *d)
{
    return text_ok(p, d->name) && text_ok(p, d->domain) && d->domain.len && d->type < DOMAIN_TYPES &&
           d->wildcard <= 1 && d->is_default <= 1 && d->reserved == 0;
}

static bool send_ok(const struct policy *p, const struct send_connector *c)
{
    const struct policy_text texts[] = {c->guid, c->name, c->fqdn, c->user, c->password, c->tls_domain};
    return texts_ok(p, texts, ARRAY_LEN(texts)) && !(c->flags & ~(uint32_t)SEND_FLAGS_ALL) && c->port <= 65535 &&
           c->tls_level < SEND_TLS_LEVELS && c->dane < SEND_DANES && c->mta_sts <= 1 && c->reserved == 0;
}

static bool space_ok(const struct policy *p, const struct address_space *s)
{
    return text_ok(p, s->domain) && s->kind < SPACE_KINDS && (s->kind == SPACE_ALL) == (s->domain.len == 0) &&
           s->cost >= 1 && s->cost <= 100;
}

static bool settings_ok(const struct policy *p, const struct transport_settings *t)
{
    const struct policy_text texts[] = {t->host, t->postmaster, t->mailbox_host, t->pickup_folder,
                                        t->replay_folder};
    return texts_ok(p, texts, ARRAY_LEN(texts)) && t->edge <= 1 && t->lmtp <= 1 &&
           t->local_submission < LOCAL_SUBMISSIONS && t->pickup_rate > 0 && pressure_limits_ok(&t->pressure) &&
           !(t->dsn_flags & ~(uint32_t)DSN_FLAGS_ALL) && t->dsn_reserved == 0;
}

static bool index_entry_ok(const struct policy *p, const struct index_entry *e, enum section of)
{
    if (of == SECTION_RANGES) {
        if (e->connector >= block_count(p, SECTION_RECEIVE))
            return false;
        struct policy_list l = policy_receive_connector(p, e->connector)->ranges;
        return e->item >= l.first && e->item - l.first < l.count;
    }
    if (e->connector >= block_count(p, SECTION_SEND))
        return false;
    struct policy_list l = policy_send_connector(p, e->connector)->spaces;
    return e->item >= l.first && e->item - l.first < l.count;
}

static bool record_ok(const struct policy *p, enum section s, const void *r)
{
    switch (s) {
    case SECTION_RECEIVE: return receive_ok(p, r);
    case SECTION_BINDINGS: return ((const struct ip_endpoint *)r)->port != 0;
    case SECTION_RANGES:
    case SECTION_PROXIES: return range_ok(r);
    case SECTION_RANGE_ORDER: return index_entry_ok(p, r, SECTION_RANGES);
    case SECTION_ACL: return ace_ok(p, r);
    case SECTION_PATTERNS: return pattern_ok(p, r);
    case SECTION_DOMAINS: return domain_ok(p, r);
    case SECTION_SEND: return send_ok(p, r);
    case SECTION_SPACES: return space_ok(p, r);
    case SECTION_SPACE_ORDER: return index_entry_ok(p, r, SECTION_SPACES);
    case SECTION_HOSTS: return text_ok(p, *(const struct policy_text *)r);
    case SECTION_SETTINGS: return settings_ok(p, r);
    case SECTION_LOCAL: return local_ok(p, r);
    case SECTION_TEXT:
    case SECTION_COUNT: break;
    }
    return true;
}

static bool records_ok(const struct policy *p)
{
    for (unsigned s = 0; s < SECTION_TEXT; s++)
        for (size_t i = 0; i < block_count(p, (enum section)s); i++)
            if (!record_ok(p, (enum section)s, block_record(p, (enum section)s, i)))
                return false;
    return true;
}

/* ---- lists ---- */

/* Takes the next list off a section: they follow each other without gap or overlap. */
static bool take(struct policy_list l, uint64_t *at)
{
    if (l.first != *at)
        return false;
    *at += l.count;
    return true;
}

static bool lists_ok(const struct policy *p)
{
    uint64_t bindings = 0, ranges = 0, proxies = 0, acl = 0, spaces = 0, hosts = 0;
    for (size_t i = 0; i < policy_receive_connector_count(p); i++) {
        const struct receive_connector *c = policy_receive_connector(p, i);
        if (!take(c->bindings, &bindings) || !take(c->ranges, &ranges) || !take(c->proxies, &proxies) ||
            !take(c->acl, &acl))
            return false;
    }
    if (!take(policy_local_connector(p)->acl, &acl))
        return false;
    for (size_t i = 0; i < policy_send_connector_count(p); i++) {
        const struct send_connector *c = policy_send_connector(p, i);
        if (!take(c->spaces, &spaces) || !take(c->hosts, &hosts) || !take(c->acl, &acl))
            return false;
    }
    const struct transport_settings *t = policy_settings(p);
    if (!take(t->secure_domains, &hosts) || !take(t->secure_send_domains, &hosts) ||
        !take(t->hub_servers, &hosts) || !take(t->edge_servers, &hosts) || !take(t->dsn_copies, &hosts))
        return false;
    return bindings == block_count(p, SECTION_BINDINGS) && ranges == block_count(p, SECTION_RANGES) &&
           proxies == block_count(p, SECTION_PROXIES) && acl == block_count(p, SECTION_ACL) &&
           spaces == block_count(p, SECTION_SPACES) && hosts == block_count(p, SECTION_HOSTS) &&
           ranges == block_count(p, SECTION_RANGE_ORDER) && spaces == block_count(p, SECTION_SPACE_ORDER);
}

/* ---- orders ---- */

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int order_text(const struct policy *p, struct policy_text a, struct policy_text b)
{
    return span_icmp(policy_text(p, a), policy_text(p, b));
}

int block_order_ranges(const void *a, const void *b, void *policy)
{
    const struct policy *p = policy;
    const struct index_entry *x = a, *y = b;
    const struct ip_range *ranges = block_record(p, SECTION_RANGES, 0);
    int c = ip_range_cmp_size(ranges[x->item], ranges[y->item]);
    if (c == 0)
        c = order_text(p, policy_receive_connector(p, x->connector)->guid,
                       policy_receive_connector(p, y->connector)->guid);
    return c ? c : order(x->item, y->item);
}

int block_order_spaces(const void *a, const void *b, void *policy)
{
    const struct policy *p = policy;
    const struct index_entry *x = a, *y = b;
    const struct address_space *spaces = block_record(p, SECTION_SPACES, 0);
    const struct send_connector *of_x = policy_send_connector(p, x->connector);
    const struct send_connector *of_y = policy_send_connector(p, y->connector);
    int c = order(spaces[x->item].kind, spaces[y->item].kind);
    if (c == 0)
        c = order_text(p, spaces[x->item].domain, spaces[y->item].domain);
    if (c == 0)
        c = order(spaces[x->item].cost, spaces[y->item].cost);
    if (c == 0)
        c = order_text(p, of_x->name, of_y->name);
    if (c == 0)
        c = order_text(p, of_x->guid, of_y->guid);
    return c ? c : order(x->item, y->item);
}

int block_order_aces(const void *a, const void *b, void *policy)
{
    const struct policy *p = policy;
    const struct policy_ace *x = a, *y = b;
    int c = order(x->right, y->right);
    if (c == 0)
        c = order(y->deny, x->deny);
    if (c == 0)
        c = order(y->rate, x->rate);
    if (c == 0)
        c = order(x->kind, y->kind);
    if (c == 0)
        c = order_text(p, x->guid, y->guid);
    if (c == 0)
        c = order_text(p, x->origin, y->origin);
    return c ? c : order_text(p, x->id, y->id);
}

int block_order_patterns(const void *a, const void *b, void *policy)
{
    const struct policy *p = policy;
    const struct policy_pattern *x = a, *y = b;
    int c = order(x->kind, y->kind);
    if (c == 0)
        c = order_text(p, x->domain, y->domain);
    return c ? c : order_text(p, x->local, y->local);
}

int block_order_domains(const void *a, const void *b, void *policy)
{
    const struct accepted_domain *x = a, *y = b;
    int c = order(x->wildcard, y->wildcard);
    return c ? c : order_text(policy, x->domain, y->domain);
}

typedef int order_fn(const void *a, const void *b, void *policy);

/* Each of n records from `first` on is behind the one before it, or equal where `equals` allows it. */
static bool sorted(const struct policy *p, enum section s, size_t first, size_t n, order_fn *fn, bool equals)
{
    struct policy copy = *p; /* the comparisons are also qsort_r's and take it without const */
    for (size_t i = 1; i < n; i++) {
        int c = fn(block_record(p, s, first + i - 1), block_record(p, s, first + i), &copy);
        if (c > 0 || (c == 0 && !equals))
            return false;
    }
    return true;
}

/* The patterns of an ACL's entries; send connectors have none, nor anything else that narrows. */
static bool narrowings_ok(const struct policy *p, struct policy_list l, bool receive)
{
    for (uint32_t i = 0; i < l.count; i++) {
        const struct policy_ace *e = &policy_acl(p, l)[i];
        bool narrowed = e->senders.count || e->recipients.count || e->require_tls || e->rate != POLICY_UNLIMITED ||
                        e->expires_ms != POLICY_NEVER;
        if (narrowed && !receive)
            return false;
        if (!sorted(p, SECTION_PATTERNS, e->senders.first, e->senders.count, block_order_patterns, false) ||
            !sorted(p, SECTION_PATTERNS, e->recipients.first, e->recipients.count, block_order_patterns, false))
            return false;
    }
    return true;
}

static bool acl_ok(const struct policy *p, struct policy_list l, bool receive)
{
    return l.count <= POLICY_ACL_MAX && sorted(p, SECTION_ACL, l.first, l.count, block_order_aces, true) &&
           narrowings_ok(p, l, receive);
}

static bool orders_ok(const struct policy *p)
{
    for (size_t i = 0; i < policy_receive_connector_count(p); i++)
        if (!acl_ok(p, policy_receive_connector(p, i)->acl, true))
            return false;
    if (!acl_ok(p, policy_local_connector(p)->acl, true))
        return false;
    for (size_t i = 0; i < policy_send_connector_count(p); i++)
        if (!acl_ok(p, policy_send_connector(p, i)->acl, false))
            return false;
    return sorted(p, SECTION_RANGE_ORDER, 0, block_count(p, SECTION_RANGE_ORDER), block_order_ranges, false) &&
           sorted(p, SECTION_SPACE_ORDER, 0, block_count(p, SECTION_SPACE_ORDER), block_order_spaces, false) &&
           sorted(p, SECTION_DOMAINS, 0, block_count(p, SECTION_DOMAINS), block_order_domains, false);
}

/* ---- the block ---- */

static bool sections_ok(const struct policy *p)
{
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        const struct block_section *sec = &p->header->sections[s];
        if (sec->offset < sizeof *p->header || sec->offset % BLOCK_ALIGN || sec->offset > p->block.len ||
            sec->count > (p->block.len - sec->offset) / block_record_size((enum section)s))
            return false;
    }
    return block_count(p, SECTION_SETTINGS) == 1 && block_count(p, SECTION_LOCAL) == 1;
}

const char *block_check(const struct policy *p)
{
    const struct block_header *h = p->header;
    if (p->block.len < sizeof *h)
        return "too short";
    if ((uintptr_t)p->block.ptr % BLOCK_ALIGN)
        return "not aligned";
    if (memcmp(h->magic, BLOCK_MAGIC, sizeof h->magic) != 0)
        return "of another kind";
    if (h->layout != BLOCK_LAYOUT)
        return "of another version";
    if (h->size != p->block.len || h->checksum != block_checksum(span_from(p->block, sizeof *h)))
        return "damaged";
    if (!sections_ok(p))
        return "a section reaches beyond it";
    if (!records_ok(p))
        return "a record refers beyond it or holds an unknown value";
    if (!lists_ok(p))
        return "the lists do not fit the sections";
    if (!orders_ok(p))
        return "it is out of order";
    return NULL;
}
