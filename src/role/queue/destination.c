/*
 * destination.c: a queue for each next hop: what waits for it, how much goes to it at once, and when it is tried
 * again after it could not be used at all.
 *
 * Invariants: while it is in its retry time or suspended it has no parcels: they are in the store, to be claimed
 * then. After a failure one attempt probes it.
 */
#include "role/queue/destination.h"
#include "role/queue/poison.h"

#include "runtime/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAILDIR_ATTEMPTS_MAX = 64 };

struct span destination_name(const struct destination *d)
{
    return d->name;
}

struct span destination_connector(const struct destination *d)
{
    return span_of(d->connector);
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

/* ---- retry times ---- */

/* A suspended queue is left by being resumed, or by expiry. A withdrawn message is held by the store, or final
 * there.
 */
static struct verdict put_off(const struct destination *d, struct recipient *r)
{
    bool withdrawn = r->mail->withdrawal != WITHDRAWN_NOT;
    struct span why =
        withdrawn || !d->suspended || d->error[0] ? span_of(d->error) : SPAN("the queue is suspended");
    return (struct verdict){.recipient = r,
                            .kind = VERDICT_POSTPONED,
                            .source = TRACKING_OF_QUEUE,
                            .text = withdrawn && r->record->last_error.len ? r->record->last_error : why,
                            .next_ms = withdrawn      ? clock_wall_ms()
                                       : d->suspended ? INT64_MAX
                                                      : d->retry_at_ms};
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

static bool is_any(const struct parcel *p)
{
    (void)p;
    return true;
}

static bool is_withdrawn(const struct parcel *p)
{
    return p->mail->withdrawal != WITHDRAWN_NOT;
}

static void postpone_those(struct destination *d, bool (*meant)(const struct parcel *p))
{
    struct parcel *p = d->first, *next;
    d->first = d->newest = NULL;
    for (; p; p = next) {
        next = p->next;
        p->next = NULL;
        if (meant(p)) {
            postpone(d, p->mail, p->recipients);
            parcel_free(p);
        } else {
            append(d, p);
        }
    }
}

void destination_withdraw(struct destination *d)
{
    postpone_those(d, is_withdrawn);
}

void destination_hold(struct destination *d, bool suspended)
{
    d->suspended = suspended;
    if (suspended)
        postpone_those(d, is_any);
}

static bool in_retry(const struct destination *d)
{
    return d->failures > 0 && d->retry_at_ms > clock_wall_ms();
}

/* With this one; attempts that were under way together and met the same outage count once. */
static uint32_t failures_now(const struct destination *d)
{
    return in_retry(d) ? d->failures : d->failures + 1;
}

uint32_t destination_failures(const struct destination *d, uint32_t attempts)
{
    uint32_t failures = failures_now(d);
    return failures > attempts ? failures : attempts;
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
            destinations_make_runnable(d);
        return;
    }
    d->failures = failures_now(d);
    d->retry_at_ms = retry_at_ms;
    snprintf(d->error, sizeof d->error, "%.*s", SPAN_ARG(error));
    postpone_those(d, is_any);
}

/* ---- adding and starting ---- */

bool destination_add(struct recipient *r, const struct route *route, struct verdict *ret_postponed)
{
    struct transport *t = r->mail->transport;
    struct policy_ref *ref = policy_ref_current();
    struct destination *d = destinations_find(t, policy_ref_policy(ref), route);
    policy_ref_drop(ref);
    r->destination = d;
    if (d->suspended || in_retry(d) || r->mail->withdrawal != WITHDRAWN_NOT) {
        *ret_postponed = put_off(d, r);
        return false;
    }
    if (!joins_last(d, d->newest, r->mail))
        append(d, parcel_new(r, d, route));
    parcel_add(d->newest, r);
    destinations_make_runnable(d);
    return true;
}

static size_t limit(const struct destination *d, const struct policy_ref *current)
{
    if (d->failures > 0)
        return 1;
    return d->maildir ? MAILDIR_ATTEMPTS_MAX : policy_settings(policy_ref_policy(current))->max_per_domain;
}

/* Recipients whose policy is not the current one any more are routed again. */
static bool is_stale(const struct parcel *p, const struct policy_ref *current)
{
    return policy_ref_version(p->policy) != policy_ref_version(current);
}

bool destination_may_start(const struct destination *d, const struct policy_ref *current)
{
    const struct parcel *p = d->first;
    return p && (is_stale(p, current) ||
                 (d->active < limit(d, current) && poison_may_send(d->transport, p->mail->envelope.id)));
}

static struct parcel *take_first(struct destination *d)
{
    struct parcel *p = d->first;
    d->first = p->next;
    if (!d->first)
        d->newest = NULL;
    p->next = NULL;
    return p;
}

static void put_back(struct destination *d, struct parcel *p)
{
    p->next = d->first;
    if (!d->first)
        d->newest = p;
    d->first = p;
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

bool destination_start_one(struct destination *d, const struct policy_ref *current)
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

/* The parcels of one message for a mailbox each follow each other. */
size_t destination_messages(const struct destination *d)
{
    size_t n = 0;
    const struct mail *last = NULL;
    for (const struct parcel *p = d->first; p; last = p->mail, p = p->next)
        n += p->mail != last;
    return n;
}
