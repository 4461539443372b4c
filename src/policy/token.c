/* token.c: assembling and asking tokens. */
#include "policy/token.h"

#define P(p) PRINCIPAL_BIT(PRINCIPAL_##p)

/* What can be proved by a server; anything else in session_facts.servers would be a way round the other facts. */
#define SERVER_KINDS                                                                                               \
    (P(EXCHANGE_SERVERS) | P(LEGACY_INTEROP) | P(PARTNER_SERVERS) | P(HUB_SERVERS) | P(EDGE_SERVERS) |             \
     P(EXTERNALLY_SECURED) | P(LEGACY_SERVERS))

struct token token_build(const struct session_facts *facts)
{
    ASSERT(!(facts->servers & ~SERVER_KINDS));
    unsigned proved = facts->servers | (facts->external_authoritative ? P(EXTERNALLY_SECURED) : 0);
    struct token t = {.user = facts->user,
                      .peer = facts->peer,
                      .partners = facts->partners,
                      .partner_count = facts->partner_count};
    if (facts->user.len) {
        proved |= P(AUTHENTICATED_USERS);
        t.groups = facts->groups;
        t.group_count = facts->group_count;
    }
    t.well_known = P(EVERYONE) | (proved ? proved : P(ANONYMOUS));
    return t;
}

bool token_is_anonymous(const struct token *t)
{
    return t->well_known & P(ANONYMOUS);
}

bool token_is_user(const struct token *t)
{
    return t->user.len != 0;
}

bool token_is_partner(const struct token *t, struct span domain)
{
    for (size_t i = 0; i < t->partner_count; i++)
        if (span_ieq(t->partners[i], domain))
            return true;
    return false;
}

bool token_has(const struct token *t, enum principal kind, struct span guid)
{
    if (kind < PRINCIPAL_WELL_KNOWN)
        return t->well_known & PRINCIPAL_BIT(kind);
    if (kind == PRINCIPAL_USER)
        return t->user.len && span_ieq(t->user, guid);
    for (size_t i = 0; i < t->group_count; i++)
        if (span_ieq(t->groups[i], guid))
            return true;
    return false;
}
