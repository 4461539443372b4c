/*
 * destinations.c: all destinations: by name in a tree, and those with something to start in a ring that gives each
 * its turn.
 *
 * Invariant: a destination with parcels that may be started is in the ring once. One that has reached its limit
 * leaves it, and comes back when an attempt of it ends.
 */
#include "role/queue/destination.h"

#include "runtime/clock.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 600, FORGET_MS = 10 * 60 * 1000 };

static int compare(const void *a, const void *b)
{
    const struct destination *x = a, *y = b;
    return span_cmp(x->name, y->name);
}

struct destinations *destinations_new(struct transport *t)
{
    (void)t;
    return calloc(1, sizeof(struct destinations));
}

/* ---- finding and making ---- */

static struct destination *named(struct transport *t, struct span name)
{
    struct destination key = {.name = name};
    void *node = tfind(&key, &t->destinations->tree, compare);
    return node ? *(struct destination **)node : NULL;
}

static char *text_copy(struct span s)
{
    char *p = strndup(s.len ? s.ptr : "", s.len);
    ASSERT(p);
    return p;
}

static const char *delivery_type(const struct policy *p, const struct route *r)
{
    if (r->kind == ROUTE_MAILBOX)
        return policy_settings(p)->lmtp ? "LmtpDelivery" : "MailboxDelivery";
    return r->connector->flags & SEND_DNS_ROUTING ? "DnsConnectorDelivery" : "SmartHostConnectorDelivery";
}

static struct span next_hop(const struct policy *p, const struct route *r)
{
    if (r->kind == ROUTE_MAILBOX)
        return policy_settings(p)->lmtp ? policy_text(p, policy_settings(p)->mailbox_host)
                                        : policy_text(p, policy_settings(p)->host);
    if (r->connector->flags & SEND_DNS_ROUTING || r->connector->hosts.count == 0)
        return r->domain;
    return policy_text(p, policy_hosts(p, r->connector->hosts)[0]);
}

static struct destination *make(struct transport *t, struct span name, const struct policy *p,
                                const struct route *r)
{
    struct destination *d = calloc(1, sizeof *d);
    ASSERT(d);
    *d = (struct destination){.transport = t,
                              .name = {text_copy(name), name.len},
                              .domain = text_copy(next_hop(p, r)),
                              .connector =
                                  text_copy(r->kind == ROUTE_RELAY ? policy_text(p, r->connector->name) : SPAN("")),
                              .suspended = held_has(t, name)};
    ASSERT(tsearch(d, &t->destinations->tree, compare));
    return d;
}

struct destination *destinations_find(struct transport *t, const struct policy *p, const struct route *r)
{
    struct buf name;
    buf_init(&name, NAME_MAX_BYTES);
    route_queue_name(&name, p, r);
    ASSERT(!name.failed); /* a connector's name and a domain are bounded by the schema */
    struct destination *d = named(t, buf_span(&name));
    if (!d)
        d = make(t, buf_span(&name), p, r);
    d->delivery_type = delivery_type(p, r); /* the administrator may have changed from Maildir to LMTP */
    d->maildir = r->kind == ROUTE_MAILBOX && !policy_settings(p)->lmtp;
    buf_done(&name);
    return d;
}

static void forget(struct destination *d)
{
    tdelete(d, &d->transport->destinations->tree, compare);
    free((char *)(uintptr_t)d->name.ptr);
    free(d->domain);
    free(d->connector);
    free(d);
}

/* ---- the ring ---- */

void destinations_make_runnable(struct destination *d)
{
    struct destinations *all = d->transport->destinations;
    if (d->runnable)
        return;
    if (!all->ring) {
        d->runnable = d;
    } else {
        d->runnable = all->ring->runnable;
        all->ring->runnable = d;
    }
    all->ring = d;
}

/* Takes the destination after `before` out of the ring. */
static void leave_ring(struct destinations *all, struct destination *before)
{
    struct destination *d = before->runnable;
    before->runnable = d->runnable;
    if (all->ring == d)
        all->ring = d == before ? NULL : before;
    d->runnable = NULL;
}

void destinations_pump(struct transport *t)
{
    struct destinations *all = t->destinations;
    struct policy_ref *current = policy_ref_current();
    if (all->pumping || t->draining || !current || !role_link(t->role, ROLE_DELIVER, 0)) {
        policy_ref_drop(current);
        return;
    }
    const struct transport_settings *s = policy_settings(policy_ref_policy(current));
    all->pumping = true;
    while (all->ring && all->active < s->max_outbound) {
        struct destination *d = all->ring->runnable;
        if (!destination_may_start(d, current))
            leave_ring(all, all->ring);
        else if (destination_start_one(d, current))
            all->ring = d;
        else
            break;
    }
    all->pumping = false;
    policy_ref_drop(current);
}

/* ---- what an administrator does ---- */

void destinations_hold(struct transport *t, struct span name)
{
    struct destination *d = named(t, name);
    if (d)
        destination_hold(d, held_has(t, name));
}

void destinations_end_retry(struct transport *t, struct span name)
{
    struct destination *d = named(t, name);
    if (d)
        d->retry_at_ms = 0;
}

/* ---- upkeep and view ---- */

struct sweep {
    struct destination **list;
    size_t count, cap;
};

static void collect(const void *node, VISIT which, void *context)
{
    struct sweep *s = context;
    if (which != postorder && which != leaf)
        return;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->list = reallocarray(s->list, s->cap, sizeof(struct destination *));
        ASSERT(s->list);
    }
    s->list[s->count++] = *(struct destination *const *)node;
}

void destinations_wake(struct transport *t)
{
    struct sweep s = {0};
    twalk_r(t->destinations->tree, collect, &s);
    for (size_t i = 0; i < s.count; i++)
        if (s.list[i]->first)
            destinations_make_runnable(s.list[i]);
    free(s.list);
    destinations_pump(t);
}

void destinations_withdraw(struct transport *t)
{
    struct sweep s = {0};
    twalk_r(t->destinations->tree, collect, &s);
    for (size_t i = 0; i < s.count; i++)
        destination_withdraw(s.list[i]);
    free(s.list);
}

size_t destinations_active(const struct transport *t)
{
    return t->destinations->active;
}

void destinations_sweep(struct transport *t)
{
    struct sweep s = {0};
    int64_t now = clock_wall_ms();
    twalk_r(t->destinations->tree, collect, &s);
    for (size_t i = 0; i < s.count; i++) {
        struct destination *d = s.list[i];
        if (!d->first && !d->active && !d->runnable && now - d->retry_at_ms > FORGET_MS &&
            now - d->last_retry_ms > FORGET_MS)
            forget(d);
    }
    free(s.list);
}

void destinations_list(struct transport *t, void (*each)(void *context, const struct destination_facts *f),
                       void *context)
{
    struct sweep s = {0};
    twalk_r(t->destinations->tree, collect, &s);
    for (size_t i = 0; i < s.count; i++) {
        const struct destination *d = s.list[i];
        struct destination_facts f = {.name = d->name,
                                      .next_hop_domain = span_of(d->domain),
                                      .connector = span_of(d->connector),
                                      .last_error = span_of(d->error),
                                      .delivery_type = d->delivery_type,
                                      .waiting = destination_messages(d),
                                      .active = d->active,
                                      .suspended = d->suspended,
                                      .failures = d->failures,
                                      .retry_at_ms = d->retry_at_ms,
                                      .last_retry_ms = d->last_retry_ms};
        each(context, &f);
    }
    free(s.list);
}
