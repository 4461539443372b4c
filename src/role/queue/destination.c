/*
 * destination.c: a queue for each next hop: what waits for it, how much goes to it at once, and when it is tried
 * again after it could not be used at all.
 *
 * Invariants: a destination with parcels that may be started is in the ring of `runnable` once. While it is in its
 * retry time it has no parcels: they are in the store, to be claimed then. After a failure one attempt probes it.
 */
#include "role/queue/transport.h"

#include "runtime/clock.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { MAILDIR_ATTEMPTS_MAX = 64, NAME_MAX_BYTES = 600, FORGET_MS = 10 * 60 * 1000 };

struct destination {
    struct transport *transport;
    struct span name; /* allocated; first in the order of the tree */
    char *domain, *connector;
    const char *delivery_type;
    bool maildir;
    struct parcel *first, *newest;
    size_t waiting, active;
    struct destination *runnable; /* the next in the ring; NULL: not in it */
    uint32_t failures;
    int64_t retry_at_ms, last_retry_ms;
    char error[QUEUE_ERROR_MAX];
};

struct destinations {
    void *tree;
    struct destination *ring; /* the last started; the next one is its `runnable` */
    size_t active;
    bool pumping; /* starting may route again, which asks to pump */
};

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

struct span destination_name(const struct destination *d)
{
    return d->name;
}

/* ---- finding and making ---- */

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
    *d = (struct destination){
        .transport = t,
        .name = {text_copy(name), name.len},
        .domain = text_copy(next_hop(p, r)),
        .connector = text_copy(r->kind == ROUTE_RELAY ? policy_text(p, r->connector->name) : SPAN(""))};
    ASSERT(tsearch(d, &t->destinations->tree, compare));
    return d;
}

static struct destination *find(struct transport *t, const struct policy *p, const struct route *r)
{
    struct buf name;
    buf_init(&name, NAME_MAX_BYTES);
    route_queue_name(&name, p, r);
    ASSERT(!name.failed); /* a connector's name and a domain are bounded by the schema */
    struct destination key = {.name = buf_span(&name)};
    void *node = tfind(&key, &t->destinations->tree, compare);
    struct destination *d = node ? *(struct destination **)node : make(t, buf_span(&name), p, r);
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

/* ---- parcels ---- */

static struct parcel *parcel_new(struct recipient *r, struct destination *d, const struct route *route)
{
    struct parcel *p = calloc(1, sizeof *p);
    ASSERT(p);
    *p = (struct parcel){.mail = r->mail, .destination = d, .policy = policy_ref_current(), .route = *route};
    p->last = &p->recipients;
    return p;
}

static void parcel_free(struct parcel *p)
{
    policy_ref_drop(p->policy);
    free(p);
}

static void parcel_add(struct parcel *p, struct recipient *r)
{
    r->next = NULL;
    *p->last = r;
    p->last = &r->next;
    p->count++;
    p->destination->waiting++;
}

/* The recipients of one message for one next hop come one after the other, so looking at the last is enough. */
static bool joins_last(const struct destination *d, const struct parcel *last, const struct mail *m)
{
    return last && !d->maildir && last->mail == m;
}

static void append(struct destination *d, struct parcel *p)
{
    if (d->newest)
        d->newest->next = p;
    else
        d->first = p;
    d->newest = p;
}

static void make_runnable(struct destination *d)
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

/* ---- retry times ---- */

static struct verdict put_off(const struct destination *d, struct recipient *r)
{
    return (struct verdict){
        .recipient = r, .kind = VERDICT_POSTPONED, .text = span_of(d->error), .next_ms = d->retry_at_ms};
}

/* Puts recipients off until the destination's retry, as one change of their mail. */
static void postpone(const struct destination *d, struct mail *m, struct recipient *list)
{
    struct verdict *verdicts = NULL;
    for (; list; list = list->next) {
        struct verdict *v = ARENA_NEW(&m->arena, struct verdict);
        ASSERT(v);
        *v = put_off(d, list);
        v->next = verdicts;
        verdicts = v;
    }
    outcomes_record(m, verdicts);
}

static void postpone_all(struct destination *d)
{
    struct parcel *p = d->first;
    d->first = d->newest = NULL;
    d->waiting = 0;
    while (p) {
        struct parcel *next = p->next;
        postpone(d, p->mail, p->recipients);
        parcel_free(p);
        p = next;
    }
}

uint32_t destination_failures(const struct destination *d, uint32_t attempts)
{
    return d->failures + 1 > attempts ? d->failures + 1 : attempts;
}

void destination_done(struct destination *d, bool fault, int64_t retry_at_ms, struct span error)
{
    d->active--;
    d->transport->destinations->active--;
    d->last_retry_ms = clock_wall_ms();
    if (!fault) {
        d->failures = 0;
        d->retry_at_ms = 0;
        d->error[0] = '\0';
        if (d->first)
            make_runnable(d);
        return;
    }
    d->failures++;
    d->retry_at_ms = retry_at_ms;
    snprintf(d->error, sizeof d->error, "%.*s", SPAN_ARG(error));
    postpone_all(d);
}

static bool in_retry(const struct destination *d)
{
    return d->failures > 0 && d->retry_at_ms > clock_wall_ms();
}

/* ---- adding and starting ---- */

bool destination_add(struct recipient *r, const struct route *route, struct verdict *ret_postponed)
{
    struct transport *t = r->mail->transport;
    struct policy_ref *ref = policy_ref_current();
    struct destination *d = find(t, policy_ref_policy(ref), route);
    policy_ref_drop(ref);
    r->destination = d;
    if (in_retry(d)) {
        *ret_postponed = put_off(d, r);
        return false;
    }
    if (!joins_last(d, d->newest, r->mail))
        append(d, parcel_new(r, d, route));
    parcel_add(d->newest, r);
    make_runnable(d);
    return true;
}

static size_t limit(const struct destination *d, const struct transport_settings *s)
{
    if (d->failures > 0)
        return 1;
    return d->maildir ? MAILDIR_ATTEMPTS_MAX : s->max_per_domain;
}

/* Recipients whose policy is not the current one any more are routed again. */
static bool is_stale(const struct parcel *p, const struct policy_ref *current)
{
    return policy_ref_version(p->policy) != policy_ref_version(current);
}

static struct parcel *take_first(struct destination *d)
{
    struct parcel *p = d->first;
    d->first = p->next;
    if (!d->first)
        d->newest = NULL;
    p->next = NULL;
    d->waiting -= p->count;
    return p;
}

static void put_back(struct destination *d, struct parcel *p)
{
    p->next = d->first;
    if (!d->first)
        d->newest = p;
    d->first = p;
    d->waiting += p->count;
}

static void route_again(struct parcel *p)
{
    struct recipient *r = p->recipients, *next;
    for (; r; r = next) {
        next = r->next;
        categorize_again(r);
    }
    parcel_free(p);
}

/* One attempt of this destination; false when nothing can be started at all. */
static bool start_one(struct destination *d, const struct policy_ref *current)
{
    struct parcel *p = take_first(d);
    if (is_stale(p, current)) {
        route_again(p);
        return true;
    }
    d->active++; /* until destination_done */
    d->transport->destinations->active++;
    if (!attempt_start(p)) {
        d->active--;
        d->transport->destinations->active--;
        put_back(d, p);
        return false;
    }
    if (p->count > 0)
        put_back(d, p);
    else
        parcel_free(p);
    return true;
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
        if (!d->first || d->active >= limit(d, s))
            leave_ring(all, all->ring);
        else if (start_one(d, current))
            all->ring = d;
        else
            break;
    }
    all->pumping = false;
    policy_ref_drop(current);
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
                                      .waiting = d->waiting,
                                      .active = d->active,
                                      .failures = d->failures,
                                      .retry_at_ms = d->retry_at_ms,
                                      .last_retry_ms = d->last_retry_ms};
        each(context, &f);
    }
    free(s.list);
}
