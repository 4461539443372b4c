/*
 * session.c: see session.h.
 *
 * Invariant: what is possible is never understated. A connector without a certificate counts as one with TLS, since
 * the certificate may come tomorrow; and so does one without a keytab as one with GSSAPI.
 */
#include "audit/session.h"

#include "policy/domain.h"

#include <stdlib.h>

#define ANY_USER SPAN("(any user)") /* no GUID */

bool session_starts_plain(const struct receive_connector *c)
{
    return !(c->flags & CONNECTOR_IMPLICIT_TLS);
}

bool session_can_use_tls(const struct receive_connector *c)
{
    return (c->auth & AUTH_TLS) || (c->flags & CONNECTOR_IMPLICIT_TLS);
}

/* Mail and logons are taken without TLS. */
static bool takes_plain(const struct receive_connector *c)
{
    return session_starts_plain(c) && !(c->flags & CONNECTOR_REQUIRE_TLS);
}

bool session_uses_gssapi(const struct receive_connector *c)
{
    return (c->auth & AUTH_INTEGRATED) && (c->flags & CONNECTOR_AUTH_GSSAPI);
}

bool session_can_log_on(const struct receive_connector *c)
{
    return (c->auth & AUTH_BASIC) || session_uses_gssapi(c);
}

bool session_password_in_clear(const struct receive_connector *c)
{
    return (c->auth & AUTH_BASIC) && !(c->auth & AUTH_BASIC_REQUIRE_TLS) && takes_plain(c);
}

bool session_can_hold(const struct receive_connector *c, enum principal kind)
{
    bool external = c->auth & AUTH_EXTERNAL_AUTHORITATIVE;
    switch (kind) {
    case PRINCIPAL_EVERYONE: return true;
    case PRINCIPAL_ANONYMOUS: return !external;
    case PRINCIPAL_EXTERNALLY_SECURED: return external;
    case PRINCIPAL_PARTNER_SERVERS: return (c->flags & CONNECTOR_DOMAIN_SECURE) && session_can_use_tls(c);
    case PRINCIPAL_EXCHANGE_SERVERS:
    case PRINCIPAL_LEGACY_INTEROP:
    case PRINCIPAL_HUB_SERVERS:
    case PRINCIPAL_EDGE_SERVERS:
    case PRINCIPAL_LEGACY_SERVERS: return c->auth & AUTH_EXCHANGE_SERVER;
    case PRINCIPAL_AUTHENTICATED_USERS:
    case PRINCIPAL_USER:
    case PRINCIPAL_GROUP: return session_can_log_on(c);
    case PRINCIPAL_KINDS: break;
    }
    return false;
}

/* ---- kinds of sessions ---- */

static struct session_kind kind_of(enum principal kind, const struct session_facts *facts)
{
    return (struct session_kind){.who = principal_name(kind), .kind = kind, .token = token_build(facts)};
}

struct session_kind session_unproved(const struct receive_connector *c)
{
    const struct session_facts facts = {.external_authoritative = c->auth & AUTH_EXTERNAL_AUTHORITATIVE};
    return kind_of(facts.external_authoritative ? PRINCIPAL_EXTERNALLY_SECURED : PRINCIPAL_ANONYMOUS, &facts);
}

struct session_kind session_any_user(void)
{
    return kind_of(PRINCIPAL_AUTHENTICATED_USERS, &(struct session_facts){.user = ANY_USER});
}

struct session_kind session_server(enum principal kind)
{
    return kind_of(kind, &(struct session_facts){.servers = PRINCIPAL_BIT(kind)});
}

static int by_principal(const void *a, const void *b)
{
    const struct session_kind *x = a, *y = b;
    return span_icmp(x->who, y->who);
}

/* The users and groups that entries name, each once, behind those that are there. */
static size_t add_named(const struct policy *p, const struct receive_connector *c, struct session_kind *list,
                        size_t n)
{
    const struct policy_ace *acl = policy_acl(p, c->acl);
    size_t first = n, count = n;
    for (uint32_t i = 0; i < c->acl.count; i++)
        if (acl[i].kind == PRINCIPAL_USER || acl[i].kind == PRINCIPAL_GROUP)
            list[n++] = (struct session_kind){.who = policy_text(p, acl[i].principal),
                                              .kind = (enum principal)acl[i].kind,
                                              .group = policy_text(p, acl[i].guid)};
    qsort(list + first, n - first, sizeof *list, by_principal);
    for (size_t i = first; i < n; i++)
        if (count == first || !span_ieq(list[count - 1].who, list[i].who))
            list[count++] = list[i];
    for (size_t i = first; i < count; i++) {
        bool group = list[i].kind == PRINCIPAL_GROUP;
        const struct session_facts facts = {.user = group ? ANY_USER : list[i].group,
                                            .groups = group ? &list[i].group : NULL,
                                            .group_count = group};
        list[i].token = token_build(&facts);
    }
    return count;
}

enum err_code session_kinds(const struct policy *p, const struct receive_connector *c, struct arena *arena,
                            struct session_kind **ret, size_t *ret_count, struct err *err)
{
    static const enum principal servers[] = {PRINCIPAL_PARTNER_SERVERS, PRINCIPAL_EXCHANGE_SERVERS,
                                             PRINCIPAL_HUB_SERVERS,     PRINCIPAL_EDGE_SERVERS,
                                             PRINCIPAL_LEGACY_INTEROP,  PRINCIPAL_LEGACY_SERVERS};
    struct session_kind *list = ARENA_ARRAY(arena, c->acl.count + ARRAY_LEN(servers) + 2, struct session_kind);
    size_t n = 0;
    if (!list)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    list[n++] = session_unproved(c);
    for (size_t i = 0; i < ARRAY_LEN(servers); i++)
        if (session_can_hold(c, servers[i]))
            list[n++] = session_server(servers[i]);
    if (session_can_log_on(c)) {
        list[n++] = session_any_user();
        n = add_named(p, c, list, n);
    }
    *ret = list;
    *ret_count = n;
    return ERR_NONE;
}

/* ---- with and without TLS ---- */

bool session_exists(const struct receive_connector *c, enum principal kind, bool tls)
{
    if (tls)
        return session_can_use_tls(c) && session_can_hold(c, kind);
    switch (kind) {
    case PRINCIPAL_ANONYMOUS:
    case PRINCIPAL_EXTERNALLY_SECURED:
    case PRINCIPAL_EVERYONE: return takes_plain(c) && session_can_hold(c, kind);
    case PRINCIPAL_AUTHENTICATED_USERS:
    case PRINCIPAL_USER:
    case PRINCIPAL_GROUP: return session_password_in_clear(c) || (takes_plain(c) && session_uses_gssapi(c));
    case PRINCIPAL_PARTNER_SERVERS: /* servers prove it with a certificate */
    case PRINCIPAL_EXCHANGE_SERVERS:
    case PRINCIPAL_LEGACY_INTEROP:
    case PRINCIPAL_HUB_SERVERS:
    case PRINCIPAL_EDGE_SERVERS:
    case PRINCIPAL_LEGACY_SERVERS:
    case PRINCIPAL_KINDS: break;
    }
    return false;
}
