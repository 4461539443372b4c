/*
 * route.h: the next hop of one recipient, from the policy and what the directory says of its address. Pure: the
 * same input gives the same route, so a route is never stored.
 */
#pragma once

#include "base/buf.h"
#include "policy/policy.h"

/* What the directory says of an address. */
enum resolved_kind {
    RESOLVED_UNKNOWN, /* not asked yet */
    RESOLVED_NOT_FOUND,
    RESOLVED_MAILBOX,
    RESOLVED_CONTACT,
    RESOLVED_GROUP,
    RESOLVED_LATER, /* the directory cannot say now */
};

struct resolved {
    enum resolved_kind kind;
    struct span target; /* mailbox: its delivery address; contact: the external address */
    bool auth_required; /* it takes mail of authenticated senders only, and this is none */
};

enum route_kind {
    ROUTE_ASK,      /* the directory must be asked first (only for RESOLVED_UNKNOWN) */
    ROUTE_MAILBOX,  /* deliver to mailbox `target`: into its Maildir, or by LMTP to `mailbox_host` (the settings) */
    ROUTE_REDIRECT, /* the mail goes on to address `target` instead, which needs a route of its own */
    ROUTE_EXPAND,   /* to the members of a group, each with a route of its own */
    ROUTE_RELAY,    /* by send connector `connector`: to its smart hosts, or by the MX of `domain` */
    ROUTE_REPORT,   /* cannot be delivered: status and text for the report */
    ROUTE_UNREACHABLE, /* no send connector covers `domain`: wait until one does */
    ROUTE_LATER,       /* the directory cannot say: ask again later */
};

struct route {
    enum route_kind kind;
    struct span target; /* a view into what was given, as is domain */
    struct span domain;
    const struct send_connector *connector;
    const char *status; /* ROUTE_REPORT, ROUTE_UNREACHABLE: "5.1.1" */
    const char *text;   /* ROUTE_REPORT, ROUTE_UNREACHABLE: what stands behind "550 5.1.1 " */
};

/*
 * The route of a recipient address (local@domain). By the type of the accepted domain: Authoritative: the directory
 * is the whole truth, but for a postmaster that it does not know: that is the ExternalPostmasterAddress of the
 * settings where there is one. InternalRelay: the directory first, what it does not know goes on by a send
 * connector. ExternalRelay: goes on without asking it, unless the caller knows of a contact. Not accepted: goes on.
 */
struct route route_recipient(const struct policy *p, struct span address, const struct resolved *resolved);

/* The least of the size limits that a message meets on a route, and the report on one that is larger. */
struct route_limit {
    uint64_t bytes; /* POLICY_UNLIMITED_WIDE: none */
    const char *status, *text;
};
/* internal: the message is the organisation's own (MaxSendSize). */
struct route_limit route_size_limit(const struct policy *p, const struct route *r, bool internal);

/* The send connector for a domain, as policy_find_space chooses it. NULL: none. */
const struct send_connector *route_send_connector(const struct policy *p, struct span domain);

/*
 * Appends the name of the queue that mail with this route waits in: "mailbox", "smtp:NAME" (the smart hosts of a
 * send connector), "mx:DOMAIN", "unreachable", and "submission" for what has no next hop yet. What has the same
 * name shares connections and retries.
 */
void route_queue_name(struct buf *out, const struct policy *p, const struct route *r);
