/*
 * proposal_right.c: what to do about a right that is denied or missing. The least that helps is a grant to the
 * user, or a connector for the one client; the most is a grant to all clients of the connector.
 */
#include "explain/internal.h"

#include "policy/group.h"

/* What the holder of a right could do. */
static const char *meaning(enum right right)
{
    switch ((int)right) {
    case RIGHT_SUBMIT: return "could submit mail";
    case RIGHT_ACCEPT_ANY_RECIPIENT: return "could send to any domain";
    case RIGHT_ACCEPT_ANY_SENDER: return "could send as any address that is not of our own domains";
    case RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER: return "could send as anybody of our own domains";
    default: return "would have the right";
    }
}

/* Whom a grant would be for: the user, or the narrowest well-known principal of the token. */
static struct span grantee(struct explanation *e, const struct token *t)
{
    static const enum principal order[] = {PRINCIPAL_ANONYMOUS,          PRINCIPAL_PARTNER_SERVERS,
                                           PRINCIPAL_LEGACY_SERVERS,     PRINCIPAL_LEGACY_INTEROP,
                                           PRINCIPAL_EXTERNALLY_SECURED, PRINCIPAL_EDGE_SERVERS,
                                           PRINCIPAL_HUB_SERVERS,        PRINCIPAL_EXCHANGE_SERVERS};
    if (e->session->auth && e->user.state == EXPLAIN_USER_FOUND)
        return e->user.primary;
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (token_has(t, order[i], SPAN("")))
            return principal_name(order[i]);
    return principal_name(PRINCIPAL_EVERYONE);
}

static bool is_one_address(const struct explanation *e, const struct receive_connector *c)
{
    const struct ip_range *r = policy_ranges(e->policy, c->ranges);
    return c->ranges.count == 1 && ip_cmp(r->first, r->last) == 0;
}

static bool is_user(const struct explanation *e)
{
    return e->session->auth && e->user.state == EXPLAIN_USER_FOUND;
}

/* How far a change at the connector reaches, and for whom. */
static uint32_t reach(const struct explanation *e)
{
    return is_one_address(e, e->connector) ? WEIGHT_ADDRESS : WEIGHT_RANGE;
}

static void propose_grant(struct explanation *e, struct proposals *p, enum right right)
{
    struct span who = grantee(e, &e->last_token), clients = explain_clients(e, e->connector);
    struct span text = explain_text(e, "Add-ADPermission -Identity %.*s -User %.*s -ExtendedRights %.*s",
                                    SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(explain_quote(e, who)),
                                    SPAN_ARG(right_info(right)->name));
    if (is_user(e))
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER + 1, text,
                explain_text(e, "%.*s alone, from %.*s, %s", SPAN_ARG(who), SPAN_ARG(clients), meaning(right)));
    else
        propose(p, EXPLAIN_COMMANDS, reach(e), text,
                explain_text(e, "%s %.*s %s%s", is_one_address(e, e->connector) ? "the client" : "every client of",
                             SPAN_ARG(clients), meaning(right),
                             token_is_anonymous(&e->last_token) ? ", without logging on" : ""));
}

/* The same, for what the session wanted alone: narrowing is a parameter, what is what it can do then. */
static void propose_narrowed(struct explanation *e, struct proposals *p, enum right right, struct span narrowing,
                             struct span what)
{
    struct span who = grantee(e, &e->last_token), clients = explain_clients(e, e->connector);
    struct span text = explain_text(e, "Add-ADPermission -Identity %.*s -User %.*s -ExtendedRights %.*s %.*s",
                                    SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(explain_quote(e, who)),
                                    SPAN_ARG(right_info(right)->name), SPAN_ARG(narrowing));
    if (is_user(e))
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER, text,
                explain_text(e, "%.*s alone, from %.*s, %.*s", SPAN_ARG(who), SPAN_ARG(clients), SPAN_ARG(what)));
    else
        propose(p, EXPLAIN_COMMANDS, reach(e) - WEIGHT_NARROWED, text,
                explain_text(e, "%s %.*s %.*s%s",
                             is_one_address(e, e->connector) ? "the client" : "every client of", SPAN_ARG(clients),
                             SPAN_ARG(what), token_is_anonymous(&e->last_token) ? ", without logging on" : ""));
}

static void propose_group(struct explanation *e, struct proposals *p, enum permission_group g)
{
    bool users = g == GROUP_EXCHANGE_USERS;
    struct span clients = explain_clients(e, e->connector);
    propose(p, EXPLAIN_COMMANDS, users ? WEIGHT_USERS : reach(e) + 1,
            explain_text(e, "Set-ReceiveConnector %.*s -PermissionGroups @{Add='%.*s'}",
                         SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(group_info(g)->name)),
            users ? explain_text(e, "every user could log on and send to any domain from %.*s", SPAN_ARG(clients))
                  : explain_text(e, "%s %.*s could submit mail to our domains, without logging on",
                                 is_one_address(e, e->connector) ? "the client" : "every client of",
                                 SPAN_ARG(clients)));
}

static void propose_removal(struct explanation *e, struct proposals *p)
{
    const struct policy_ace *entry = e->blame->entry;
    struct span name = policy_text(e->policy, entry->name);
    struct span by_guid = explain_text(
        e,
        "Get-ADPermission -Identity %.*s | where {$_.Guid -eq %.*s} | Remove-ADPermission "
        "-Confirm:$false",
        SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(explain_quote(e, policy_text(e->policy, entry->id))));
    struct span by_name =
        explain_text(e, "Remove-ADPermission -Identity %.*s -User %.*s -ExtendedRights %.*s -Deny -Confirm:$false",
                     SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(explain_quote(e, name)),
                     SPAN_ARG(right_info((enum right)entry->right)->name));
    propose(p, EXPLAIN_COMMANDS, entry->kind == PRINCIPAL_USER ? WEIGHT_USER : reach(e),
            narrow_is_narrowed(entry) ? by_guid : by_name,
            explain_text(e, "%.*s is no longer denied it on \"%.*s\": whoever of them is granted it %s",
                         SPAN_ARG(name), SPAN_ARG(policy_text(e->policy, e->connector->name)),
                         meaning((enum right)entry->right)));
}

static void advise_logon(struct explanation *e, struct proposals *p)
{
    for (size_t i = 0; i < e->before_tls.keyword_count; i++)
        if (span_istarts(e->before_tls.keywords[i], SPAN("AUTH "))) {
            propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
                    SPAN("Let the client log on: AUTH is offered. Explain it with --user NAME."), SPAN(""));
            return;
        }
    for (size_t i = 0; i < e->after_tls.keyword_count; i++)
        if (span_istarts(e->after_tls.keywords[i], SPAN("AUTH ")))
            propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
                    SPAN("Let the client start TLS and log on: AUTH is offered there. Explain it with --tls --user "
                         "NAME."),
                    SPAN(""));
}

static void submit(struct explanation *e, struct proposals *p)
{
    if (is_user(e)) {
        propose_grant(e, p, RIGHT_SUBMIT);
        propose_group(e, p, GROUP_EXCHANGE_USERS);
    } else if (token_is_anonymous(&e->last_token)) {
        advise_logon(e, p);
        propose_own_connector(e, p, "AnonymousUsers", SPAN(""));
        propose_group(e, p, GROUP_ANONYMOUS_USERS);
    } else {
        propose_grant(e, p, RIGHT_SUBMIT);
    }
}

static void relay(struct explanation *e, struct proposals *p)
{
    struct span address = e->hops[0].address;
    size_t at = span_rfind(address, '@');
    if (!is_user(e) && token_is_anonymous(&e->last_token)) {
        advise_logon(e, p);
        propose_own_connector(e, p, "AnonymousUsers", SPAN(""));
    }
    propose_grant(e, p, RIGHT_ACCEPT_ANY_RECIPIENT);
    if (at == SIZE_MAX)
        return;
    struct span domain = span_from(address, at + 1), quoted = explain_quote(e, domain);
    struct span pattern = explain_text(e, "*@%.*s", SPAN_ARG(domain));
    propose_narrowed(e, p, RIGHT_ACCEPT_ANY_RECIPIENT,
                     explain_text(e, "-Recipients %.*s", SPAN_ARG(explain_quote(e, pattern))),
                     explain_text(e, "could send to %.*s", SPAN_ARG(domain)));
    propose(p, EXPLAIN_COMMANDS, WEIGHT_DOMAIN,
            explain_text(e, "New-AcceptedDomain -Name %.*s -DomainName %.*s -DomainType ExternalRelay",
                         SPAN_ARG(quoted), SPAN_ARG(quoted)),
            explain_text(e, "everybody who may submit, on every connector, could send to %.*s", SPAN_ARG(domain)));
}

static void sender(struct explanation *e, struct proposals *p, enum right right)
{
    bool header = e->blame->question == QUESTION_HEADER_SENDER;
    struct span address = header ? e->session->header_from : e->session->sender;
    if (is_user(e))
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER - 1,
                explain_text(e, "Add-ADPermission -Identity %.*s -User %.*s -ExtendedRights Send-As",
                             SPAN_ARG(explain_quote(e, address)), SPAN_ARG(explain_quote(e, e->user.primary))),
                explain_text(e, "%.*s could send as any address of the owner of %.*s", SPAN_ARG(e->user.primary),
                             SPAN_ARG(address)));
    if (is_user(e))
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER,
                explain_text(e, "Set-Mailbox %.*s -EmailAddresses @{Add=%.*s}",
                             SPAN_ARG(explain_quote(e, e->user.primary)), SPAN_ARG(explain_quote(e, address))),
                explain_text(e, "mail to %.*s goes to %.*s as well", SPAN_ARG(address), SPAN_ARG(e->user.primary)));
    else if (token_is_anonymous(&e->last_token))
        propose_own_connector(e, p, "AnonymousUsers", SPAN(""));
    propose_narrowed(e, p, right, explain_text(e, "-Senders %.*s", SPAN_ARG(explain_quote(e, address))),
                     explain_text(e, "could send as %.*s", SPAN_ARG(address)));
    propose_grant(e, p, right);
}

void propose_right(struct explanation *e, struct proposals *ret)
{
    if (!e->blame || e->blame->right == RIGHT_COUNT)
        return;
    if (e->blame->entry && e->blame->entry->deny)
        propose_removal(e, ret);
    if (e->blame->code == 530 && span_eq(span_of(e->blame->enhanced), SPAN("5.7.0")))
        propose(ret, EXPLAIN_ADVICE, WEIGHT_CLIENT,
                SPAN("Let the client start TLS: there is a permission for it there. Explain it with --tls."),
                SPAN(""));
    switch ((int)e->blame->right) {
    case RIGHT_SUBMIT: submit(e, ret); break;
    case RIGHT_ACCEPT_ANY_RECIPIENT: relay(e, ret); break;
    case RIGHT_ACCEPT_ANY_SENDER:
    case RIGHT_ACCEPT_AUTHORITATIVE_DOMAIN_SENDER: sender(e, ret, e->blame->right); break;
    default: break;
    }
}
