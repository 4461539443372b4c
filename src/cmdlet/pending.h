/*
 * pending.h: a policy that was applied on trial: what it was before is kept in a note of the policy store until the
 * new one is confirmed or its time is over.
 */
#pragma once

#include "cmdlet/context.h"

enum { PENDING_WITHIN_MIN_MS = 1000, PENDING_WITHIN_MAX_MS = 7 * 86400000 };

/* What waits for its confirmation. */
struct pending {
    int64_t deadline_ms; /* since 1970; 0: nothing waits */
    int64_t applied_ms;
};

enum err_code pending_read(struct object_store *policy, struct pending *ret, struct err *err);
/* Keeps what the policy is now, inside the transaction that is about to change it. ERR_CONFLICT: one waits already.
 */
enum err_code pending_begin(struct cmdlet_context *c, int64_t within_ms, struct err *err);
/*
 * Makes the policy what it was before and forgets the trial, inside a transaction of the policy store. What others
 * have changed in the policy since then is undone as well. ERR_NOT_FOUND: nothing waits.
 */
enum err_code pending_roll_back(struct cmdlet_context *c, struct err *err);
/* Keeps the policy as it is. ERR_NOT_FOUND: nothing waits; ERR_CONFLICT: the time is over. */
enum err_code pending_confirm(struct cmdlet_context *c, struct err *err);
