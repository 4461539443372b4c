/*
 * group.c: the contents of the permission groups and the usage types, and the way back from an ACL to its groups.
 *
 * Invariant: the groups overlap nowhere (no right of a principal is in two of them), so detecting one never depends
 * on another.
 */
#include "policy/group.h"

#define B(r) RIGHT_BIT(RIGHT_##r)

/* What externally secured and legacy servers hold: every receive right but the two guarded header classes. */
#define NINE_RIGHTS                                                                                                \
    (B(SUBMIT) | B(ACCEPT_ANY_RECIPIENT) | B(ACCEPT_ANY_SENDER) | B(ACCEPT_AUTHORITATIVE_DOMAIN_SENDER) |          \
     B(ACCEPT_AUTHENTICATION_FLAG) | B(ACCEPT_EXCH50) | B(ACCEPT_HEADERS_ROUTING) | B(BYPASS_ANTI_SPAM) |          \
     B(BYPASS_MESSAGE_SIZE_LIMIT))
#define GUARDED_HEADERS (B(ACCEPT_HEADERS_ORGANIZATION) | B(ACCEPT_HEADERS_FOREST))

static const struct group_entry anonymous_users[] = {
    {.principal = PRINCIPAL_ANONYMOUS,
     .allow = B(SUBMIT) | B(ACCEPT_ANY_SENDER) | B(ACCEPT_AUTHORITATIVE_DOMAIN_SENDER) | B(ACCEPT_HEADERS_ROUTING)},
};
static const struct group_entry exchange_users[] = {
    {.principal = PRINCIPAL_AUTHENTICATED_USERS,
     .allow = B(SUBMIT) | B(ACCEPT_ANY_RECIPIENT) | B(BYPASS_ANTI_SPAM) | B(ACCEPT_HEADERS_ROUTING)},
};
static const struct group_entry exchange_servers[] = {
    {.principal = PRINCIPAL_EXCHANGE_SERVERS, .allow = NINE_RIGHTS | GUARDED_HEADERS, .hub_only = true},
    {.principal = PRINCIPAL_HUB_SERVERS, .allow = NINE_RIGHTS | GUARDED_HEADERS},
    {.principal = PRINCIPAL_EDGE_SERVERS, .allow = NINE_RIGHTS | GUARDED_HEADERS},
    {.principal = PRINCIPAL_EXTERNALLY_SECURED, .allow = NINE_RIGHTS},
};
static const struct group_entry legacy_servers[] = {
    {.principal = PRINCIPAL_LEGACY_INTEROP, .allow = NINE_RIGHTS, .deny = GUARDED_HEADERS},
};
static const struct group_entry partners[] = {
    {.principal = PRINCIPAL_PARTNER_SERVERS, .allow = B(SUBMIT) | B(ACCEPT_HEADERS_ROUTING)},
};

#define G(n, l, edge, e)                                                                                           \
    {                                                                                                              \
        .name = SPAN_INIT(n), .label = SPAN_INIT(l), .on_edge = edge, .entries = e, .entry_count = ARRAY_LEN(e)    \
    }

static const struct group_info groups[GROUP_COUNT] = {
    [GROUP_ANONYMOUS_USERS] = G("AnonymousUsers", "Anonymous users", true, anonymous_users),
    [GROUP_EXCHANGE_USERS] = G("ExchangeUsers", "Exchange users", false, exchange_users),
    [GROUP_EXCHANGE_SERVERS] = G("ExchangeServers", "Exchange servers", true, exchange_servers),
    [GROUP_EXCHANGE_LEGACY_SERVERS] = G("ExchangeLegacyServers", "Legacy Exchange Servers", false, legacy_servers),
    [GROUP_PARTNERS] = G("Partners", "Partners", true, partners),
};

const struct group_info *group_info(enum permission_group g)
{
    ASSERT((unsigned)g < GROUP_COUNT);
    return &groups[g];
}

enum permission_group group_from_name(struct span name)
{
    for (unsigned i = 0; i < GROUP_COUNT; i++)
        if (span_ieq(name, groups[i].name))
            return (enum permission_group)i;
    return GROUP_COUNT;
}

static bool entry_exists(const struct group_entry *e, bool edge)
{
    return !edge || !e->hub_only;
}

size_t group_acl(enum permission_group g, bool edge, struct acl_entry ret[static GROUP_ACL_MAX])
{
    const struct group_info *info = group_info(g);
    size_t n = 0;
    for (size_t i = 0; i < info->entry_count && (info->on_edge || !edge); i++) {
        const struct group_entry *e = &info->entries[i];
        for (unsigned r = 0; r < RIGHT_COUNT && entry_exists(e, edge); r++) {
            if (!((e->allow | e->deny) & RIGHT_BIT(r)))
                continue;
            ASSERT(n < GROUP_ACL_MAX);
            ret[n++] = (struct acl_entry){e->principal, (enum right)r, e->deny & RIGHT_BIT(r)};
        }
    }
    return n;
}

/* The well-known part of an ACL as sets of rights by principal. */
struct acl_sets {
    unsigned allow[PRINCIPAL_WELL_KNOWN], deny[PRINCIPAL_WELL_KNOWN];
};

static bool holds(const struct acl_sets *acl, const struct group_info *g, bool edge)
{
    if (edge && !g->on_edge)
        return false;
    for (size_t i = 0; i < g->entry_count; i++) {
        const struct group_entry *e = &g->entries[i];
        bool complete = !(e->allow & ~acl->allow[e->principal]) && !(e->deny & ~acl->deny[e->principal]);
        if (entry_exists(e, edge) && !complete)
            return false;
    }
    return true;
}

unsigned group_detect(const struct acl_entry *entries, size_t count, bool edge, bool *ret_custom)
{
    struct acl_sets acl = {0};
    unsigned found = 0;
    bool custom = false;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].principal >= PRINCIPAL_WELL_KNOWN)
            custom = true;
        else if (entries[i].deny)
            acl.deny[entries[i].principal] |= RIGHT_BIT(entries[i].right);
        else
            acl.allow[entries[i].principal] |= RIGHT_BIT(entries[i].right);
    }
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        if (!holds(&acl, &groups[g], edge))
            continue;
        found |= GROUP_BIT(g);
        for (size_t k = 0; k < groups[g].entry_count; k++) {
            acl.allow[groups[g].entries[k].principal] &= ~groups[g].entries[k].allow;
            acl.deny[groups[g].entries[k].principal] &= ~groups[g].entries[k].deny;
        }
    }
    for (unsigned p = 0; p < PRINCIPAL_WELL_KNOWN; p++)
        custom = custom || acl.allow[p] || acl.deny[p];
    *ret_custom = custom;
    return found;
}

size_t group_names(unsigned set, bool custom, struct span ret[static GROUP_COUNT + 1])
{
    size_t n = 0;
    for (unsigned g = 0; g < GROUP_COUNT; g++)
        if (set & GROUP_BIT(g))
            ret[n++] = groups[g].name;
    if (custom)
        ret[n++] = SPAN("Custom");
    if (n == 0)
        ret[n++] = SPAN("None");
    return n;
}

#define GB(g) GROUP_BIT(GROUP_##g)

static const struct usage_info usages[USAGE_COUNT] = {
    [USAGE_CLIENT] = {.name = SPAN_INIT("Client"),
                      .on_edge = false,
                      .groups_hub = GB(EXCHANGE_USERS),
                      .mechanisms = SPAN_INIT("Tls,Integrated,BasicAuth,BasicAuthRequireTLS"),
                      .port = 587},
    [USAGE_CUSTOM] = {.name = SPAN_INIT("Custom"), .on_edge = true, .mechanisms = SPAN_INIT("Tls")},
    [USAGE_INTERNAL] = {.name = SPAN_INIT("Internal"),
                        .on_edge = true,
                        .groups_hub = GB(EXCHANGE_SERVERS) | GB(EXCHANGE_LEGACY_SERVERS),
                        .groups_edge = GB(EXCHANGE_SERVERS),
                        .mechanisms = SPAN_INIT("Tls,ExchangeServer"),
                        .port = 25},
    [USAGE_INTERNET] = {.name = SPAN_INIT("Internet"),
                        .on_edge = true,
                        .groups_hub = GB(ANONYMOUS_USERS),
                        .groups_edge = GB(ANONYMOUS_USERS),
                        .mechanisms = SPAN_INIT("Tls"),
                        .ranges_fixed = true},
    [USAGE_PARTNER] = {.name = SPAN_INIT("Partner"),
                       .on_edge = true,
                       .groups_hub = GB(PARTNERS),
                       .groups_edge = GB(PARTNERS),
                       .mechanisms = SPAN_INIT("Tls")},
};

const struct usage_info *usage_info(enum usage u)
{
    ASSERT((unsigned)u < USAGE_COUNT);
    return &usages[u];
}

enum usage usage_from_name(struct span name)
{
    for (unsigned i = 0; i < USAGE_COUNT; i++)
        if (span_ieq(name, usages[i].name))
            return (enum usage)i;
    return USAGE_COUNT;
}
