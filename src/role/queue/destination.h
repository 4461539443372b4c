/* destination.h: a destination, for destination.c and the set of them (destinations.c) only. */
#pragma once

#include "role/queue/transport.h"

struct destination {
    struct transport *transport;
    struct span name; /* allocated */
    char *domain, *connector;
    const char *delivery_type;
    bool maildir;
    bool suspended;
    struct parcel *first, *newest;
    size_t active;
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

/* ---- destination.c ---- */

/* It has something to start, and may. */
bool destination_may_start(const struct destination *d, const struct policy_ref *current);
/* Starts one attempt, or routes again what was routed by an older policy; false: nothing can be started now. */
bool destination_start_one(struct destination *d, const struct policy_ref *current);
size_t destination_messages(const struct destination *d); /* that wait in it */
/* As held_has; what waits is put off when it is suspended. */
void destination_hold(struct destination *d, bool suspended);
/* Lets go of what waits of withdrawn mails. */
void destination_withdraw(struct destination *d);

/* ---- destinations.c ---- */

/* That of a route, made when there is none. */
struct destination *destinations_find(struct transport *t, const struct policy *p, const struct route *r);
/* It has parcels that may be started. */
void destinations_make_runnable(struct destination *d);
