/*
 * route.c: accepted domains first, then the directory, then send connectors.
 *
 * Invariant: a route never leads back to the address that it was asked for. Longer circles (contacts that point to
 * each other) are bounded by whoever follows the redirections.
 */
#include "routing/route.h"

#include "policy/domain.h"

static struct route report(const char *status, const char *text)
{
    return (struct route){.kind = ROUTE_REPORT, .status = status, .text = text};
}

const struct send_connector *route_send_connector(const struct policy *p, struct span domain)
{
    size_t i;
    return policy_find_space(p, domain, &i) ? policy_send_connector(p, i) : NULL;
}

static struct route relay(const struct policy *p, struct span domain)
{
    const struct send_connector *c = route_send_connector(p, domain);
    if (!c)
        return (struct route){.kind = ROUTE_UNREACHABLE,
                              .domain = domain,
                              .status = "5.4.4",
                              .text = "ROUTING.NoConnectorForAddressType; no send connector covers the domain"};
    return (struct route){.kind = ROUTE_RELAY, .connector = c, .domain = domain};
}

/*
 * A contact may have the address that it points to (a name in our address list for somebody in a shared domain):
 * that is no redirection, the mail goes on.
 */
static struct route contact(const struct policy *p, const struct accepted_domain *accepted, struct span address,
                            struct span target)
{
    if (!span_ieq(address, target))
        return (struct route){.kind = ROUTE_REDIRECT, .target = target};
    if (accepted->type == DOMAIN_AUTHORITATIVE)
        return report("5.4.6", "RESOLVER.FWD.Loop; the contact points to itself");
    return relay(p, policy_address_domain(address));
}

/* RFC 5321, 4.5.1: a domain of ours has a postmaster, though nobody may have that address. */
static bool goes_to_postmaster(const struct policy *p, struct span address, struct span *ret)
{
    *ret = policy_text(p, policy_settings(p)->postmaster);
    return ret->len && span_istarts(address, SPAN("postmaster@")) && !span_ieq(address, *ret);
}

static struct route unknown(const struct policy *p, const struct accepted_domain *accepted, struct span address)
{
    struct span domain = policy_address_domain(address), postmaster;
    if (accepted->type == DOMAIN_AUTHORITATIVE && goes_to_postmaster(p, address, &postmaster))
        return (struct route){.kind = ROUTE_REDIRECT, .target = postmaster};
    if (accepted->type == DOMAIN_AUTHORITATIVE)
        return report("5.1.1", "RESOLVER.ADR.RecipNotFound; not found");
    return relay(p, domain);
}

struct route route_recipient(const struct policy *p, struct span address, const struct resolved *resolved)
{
    struct span domain = policy_address_domain(address);
    const struct accepted_domain *accepted = policy_find_domain(p, domain);
    if (domain.len == 0)
        return report("5.1.3", "RESOLVER.ADR.InvalidInSmtp; the address has no domain");
    if (!accepted || (accepted->type == DOMAIN_EXTERNAL_RELAY && resolved->kind != RESOLVED_CONTACT))
        return relay(p, domain);
    if (resolved->auth_required)
        return report("5.7.1", "RESOLVER.RST.AuthRequired; authentication required");
    switch (resolved->kind) {
    case RESOLVED_UNKNOWN: return (struct route){.kind = ROUTE_ASK};
    case RESOLVED_LATER: return (struct route){.kind = ROUTE_LATER};
    case RESOLVED_MAILBOX: return (struct route){.kind = ROUTE_MAILBOX, .target = resolved->target};
    case RESOLVED_CONTACT: return contact(p, accepted, address, resolved->target);
    case RESOLVED_GROUP: return (struct route){.kind = ROUTE_EXPAND};
    case RESOLVED_NOT_FOUND: break;
    }
    return unknown(p, accepted, address);
}

struct route_limit route_size_limit(const struct policy *p, const struct route *r, bool internal)
{
    const struct transport_settings *s = policy_settings(p);
    struct route_limit least = {internal ? s->max_send_size : POLICY_UNLIMITED_WIDE, "5.2.3",
                                "RESOLVER.RST.SendSizeLimit.Org; message too large for this organization"};
    if (r->kind == ROUTE_MAILBOX && s->max_receive_size < least.bytes)
        least = (struct route_limit){s->max_receive_size, "5.2.3",
                                     "RESOLVER.RST.RecipSizeLimit; message too large for this recipient"};
    if (r->kind == ROUTE_RELAY && r->connector->max_message_size < least.bytes)
        least = (struct route_limit){r->connector->max_message_size, "5.3.4",
                                     "ROUTING.SizeLimit; message size exceeds fixed maximum size for route"};
    return least;
}

static void add_lower(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, ascii_lower(s.ptr[i]));
}

void route_queue_name(struct buf *out, const struct policy *p, const struct route *r)
{
    switch (r->kind) {
    case ROUTE_MAILBOX: buf_add(out, SPAN("mailbox")); break;
    case ROUTE_UNREACHABLE: buf_add(out, SPAN("unreachable")); break;
    case ROUTE_RELAY:
        if (r->connector->flags & SEND_DNS_ROUTING) {
            buf_add(out, SPAN("mx:"));
            add_lower(out, r->domain);
        } else {
            buf_add(out, SPAN("smtp:"));
            buf_add(out, policy_text(p, r->connector->name));
        }
        break;
    case ROUTE_ASK:
    case ROUTE_REDIRECT:
    case ROUTE_EXPAND:
    case ROUTE_REPORT:
    case ROUTE_LATER: buf_add(out, SPAN("submission")); break;
    }
}
