/*
 * guard.h: both stores of a statement with a check in front of their commit, so that a statement that would leave
 * a policy that cannot be used fails with the reason and changes nothing.
 */
#pragma once

#include "store/objects.h"

struct guard;

/* One of the two stores as the cmdlets get it; closing it closes nothing. */
struct guarded {
    struct object_store store;
    struct object_store *inner;
    struct guard *guard;
};

struct guard {
    struct guarded policy, recipients;
    bool changed; /* the policy, in this transaction */
    enum err_code (*check)(void *context, struct err *err);
    void *context;
};

/* Both stores stay the caller's. check is called before the first of the two commits when the policy was changed.
 */
void guard_init(struct guard *g, struct object_store *policy, struct object_store *recipients,
                enum err_code (*check)(void *context, struct err *err), void *context);
