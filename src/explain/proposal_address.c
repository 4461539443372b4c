/* proposal_address.c: what to do about sizes, addresses and routes. */
#include "explain/internal.h"

#include "policy/domain.h"

#include <inttypes.h>
#include <string.h>

enum { MB = 1 << 20, MB_MAX = 2047 /* more than the cmdlets take */ };

static uint64_t megabytes(uint64_t bytes)
{
    return bytes / MB + (bytes % MB != 0);
}

static bool is_user(const struct explanation *e)
{
    return e->session->auth && e->user.state == EXPLAIN_USER_FOUND;
}

/* Only the limit that is in the way now; another one comes behind it. */
static void raise_limit(struct explanation *e, struct proposals *p, uint64_t mb)
{
    if (e->connector->max_message_size < e->session->size)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_RANGE,
                explain_text(e, "Set-ReceiveConnector %.*s -MaxMessageSize %" PRIu64 "MB",
                             SPAN_ARG(explain_connector_argument(e)), mb),
                explain_text(e, "every client of %.*s could send messages of up to %" PRIu64 " MB",
                             SPAN_ARG(explain_clients(e, e->connector)), mb));
    else
        propose(p, EXPLAIN_COMMANDS, WEIGHT_DOMAIN,
                explain_text(e, "Set-TransportConfig -MaxReceiveSize %" PRIu64 "MB", mb),
                explain_text(e,
                             "messages of up to %" PRIu64 " MB are taken from everybody, as far as the connectors "
                             "let them",
                             mb));
}

static void size(struct explanation *e, struct proposals *p)
{
    uint64_t mb = megabytes(e->session->size);
    if (is_user(e))
        propose(p, EXPLAIN_COMMANDS, WEIGHT_USER,
                explain_text(e, "Add-ADPermission -Identity %.*s -User %.*s -ExtendedRights %.*s",
                             SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(explain_quote(e, e->user.primary)),
                             SPAN_ARG(right_info(RIGHT_BYPASS_MESSAGE_SIZE_LIMIT)->name)),
                explain_text(e, "%.*s alone, from %.*s, could send messages of any size", SPAN_ARG(e->user.primary),
                             SPAN_ARG(explain_clients(e, e->connector))));
    if (mb <= MB_MAX)
        raise_limit(e, p, mb);
}

static void no_domain(struct explanation *e, struct proposals *p)
{
    const struct accepted_domain *own = policy_default_domain(e->policy);
    struct span a = e->stage == EXPLAIN_MAIL ? e->session->sender : e->session->recipient;
    if (span_find(a, '@') == SIZE_MAX && own) {
        struct span domain = policy_text(e->policy, own->domain);
        propose(p, EXPLAIN_COMMANDS, WEIGHT_RANGE,
                explain_text(e, "Set-ReceiveConnector %.*s -DefaultDomain %.*s",
                             SPAN_ARG(explain_connector_argument(e)), SPAN_ARG(explain_quote(e, domain))),
                explain_text(e, "addresses without a domain, from every client of %.*s, get the domain %.*s",
                             SPAN_ARG(explain_clients(e, e->connector)), SPAN_ARG(domain)));
    }
    propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT, SPAN("Let the client give a whole address, as in alice@example.com."),
            SPAN(""));
}

static void no_mailbox(struct explanation *e, struct proposals *p)
{
    const struct explain_hop *last = &e->hops[e->hop_count - 1];
    struct span address = last->address;
    size_t at = span_rfind(address, '@');
    if (at == SIZE_MAX || !last->domain)
        return;
    struct span domain = policy_text(e->policy, last->domain->name);
    propose(p, EXPLAIN_COMMANDS, WEIGHT_USER,
            explain_text(e, "New-Mailbox -Name %.*s -PrimarySmtpAddress %.*s",
                         SPAN_ARG(explain_quote(e, span_head(address, at))), SPAN_ARG(explain_quote(e, address))),
            explain_text(e, "a new user %.*s, who may log on (the password is asked for)", SPAN_ARG(address)));
    propose(
        p, EXPLAIN_COMMANDS, WEIGHT_DOMAIN,
        explain_text(e, "Set-AcceptedDomain %.*s -DomainType InternalRelay", SPAN_ARG(explain_quote(e, domain))),
        explain_text(e,
                     "every address of %.*s is taken; what the directory does not know goes on by a send "
                     "connector",
                     SPAN_ARG(policy_text(e->policy, last->domain->domain))));
}

/* The recipient, or one that its mail is redirected to, wants an authenticated sender. */
static void open_recipient(struct explanation *e, struct proposals *p)
{
    static const char *const cmdlets[] = {[RESOLVED_MAILBOX] = "Set-Mailbox",
                                          [RESOLVED_CONTACT] = "Set-MailContact",
                                          [RESOLVED_GROUP] = "Set-DistributionGroup"};
    const struct explain_hop *last = &e->hops[e->hop_count - 1];
    enum resolved_kind kind = last->found.kind;
    if ((size_t)kind >= ARRAY_LEN(cmdlets) || !cmdlets[kind])
        return;
    propose(p, EXPLAIN_COMMANDS, WEIGHT_RANGE,
            explain_text(e, "%s %.*s -RequireSenderAuthenticationEnabled $false", cmdlets[kind],
                         SPAN_ARG(explain_quote(e, last->address))),
            explain_text(e, "everybody whose mail the connectors take, the Internet too, can send to %.*s",
                         SPAN_ARG(last->address)));
    propose(p, EXPLAIN_ADVICE, WEIGHT_CLIENT,
            SPAN("Let the client log on, where the connector offers it: mail of users is taken."), SPAN(""));
}

static void unreachable(struct explanation *e, struct proposals *p)
{
    struct span domain = e->hops[e->hop_count - 1].route.domain;
    propose(p, EXPLAIN_COMMANDS, WEIGHT_DOMAIN,
            explain_text(e, "New-SendConnector -Name %.*s -AddressSpaces %.*s",
                         SPAN_ARG(explain_quote(e, explain_text(e, "To %.*s", SPAN_ARG(domain)))),
                         SPAN_ARG(explain_quote(e, domain))),
            explain_text(e, "mail to %.*s leaves for the servers that its MX records name", SPAN_ARG(domain)));
}

/* The message is returned by a limit behind the 250. */
static void returned(struct explanation *e, struct proposals *p)
{
    const struct route *r = &e->hops[e->hop_count - 1].route;
    uint64_t mb = megabytes(e->session->size);
    bool connector = r->connector && strcmp(e->returned_by->name, "MaxMessageSize") == 0;
    if (mb > MB_MAX)
        return;
    if (connector)
        propose(p, EXPLAIN_COMMANDS, WEIGHT_RANGE,
                explain_text(e, "Set-SendConnector %.*s -MaxMessageSize %" PRIu64 "MB",
                             SPAN_ARG(explain_quote(e, policy_text(e->policy, r->connector->name))), mb),
                explain_text(e, "messages of up to %" PRIu64 " MB leave by it", mb));
    else
        propose(
            p, EXPLAIN_COMMANDS, WEIGHT_DOMAIN,
            explain_text(e, "Set-TransportConfig -%s %" PRIu64 "MB", e->returned_by->name, mb),
            explain_text(
                e, "messages of up to %" PRIu64 " MB pass for everybody, as far as the connectors let them", mb));
}

static void route(struct explanation *e, struct proposals *p)
{
    const struct explain_hop *last = &e->hops[e->hop_count - 1];
    if (e->returned_by)
        returned(e, p);
    else if (last->route.kind == ROUTE_UNREACHABLE)
        unreachable(e, p);
    else if (last->route.kind == ROUTE_REPORT && last->found.kind == RESOLVED_NOT_FOUND)
        no_mailbox(e, p);
    else if (last->route.kind == ROUTE_REPORT && last->found.authenticated_only && !e->internal)
        open_recipient(e, p);
}

void propose_address(struct explanation *e, struct proposals *ret)
{
    switch ((int)e->cause) {
    case EXPLAIN_CAUSE_SIZE: size(e, ret); break;
    case EXPLAIN_CAUSE_ADDRESS: no_domain(e, ret); break;
    case EXPLAIN_CAUSE_NO_MAILBOX: no_mailbox(e, ret); break;
    case EXPLAIN_CAUSE_AUTH_WANTED: open_recipient(e, ret); break;
    case EXPLAIN_CAUSE_NONE: route(e, ret); break;
    default: break;
    }
}
