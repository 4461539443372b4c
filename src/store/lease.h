/*
 * lease.h: which recipients are claimed and until when: a hash table in memory. Not synchronised; an adapter guards
 * it.
 *
 * A lease remembers when its recipient was due, so that an adapter that searches from a position onwards knows how
 * far to go back when leases end.
 */
#pragma once

#include "store/queue.h"

struct lease {
    struct queue_key key; /* message 0: free */
    int64_t due_ms, until_ms;
};

struct lease_table {
    struct lease *slots;
    size_t count, cap;      /* cap: 0 or a power of two */
    int64_t next_expiry_ms; /* no lease ends before; INT64_MAX: none */
};

void lease_init(struct lease_table *t);
void lease_done(struct lease_table *t);
/* Room for n more leases, so that lease_set cannot fail; false when memory is out. */
NODISCARD bool lease_reserve(struct lease_table *t, size_t n);
/* Adds or replaces; there must be room. */
void lease_set(struct lease_table *t, struct queue_key key, int64_t due_ms, int64_t until_ms);
/* The lease, valid until the table changes; NULL: none. */
const struct lease *lease_find(const struct lease_table *t, struct queue_key key);
/* Extends a lease that is there; false: it is not. */
bool lease_extend(struct lease_table *t, struct queue_key key, int64_t until_ms);
/* Ends it; when it was there, true and when its recipient was due. */
bool lease_drop(struct lease_table *t, struct queue_key key, int64_t *ret_due_ms);
/* Ends the leases with until_ms <= now_ms. Gives when the earliest of their recipients was due, INT64_MAX: none
 * ended. */
int64_t lease_expire(struct lease_table *t, int64_t now_ms);

/*
 * What committing an op means for the leases. prepare: before the commit, the new recipients that the caller wants
 * leased (the op's id, or first index, is known); false when memory is out. cancel undoes it when the commit did
 * not happen. settle: after the commit, ends the recipient's lease; gives the earliest time at which something that
 * can be claimed from now on is or was due, INT64_MAX: nothing.
 */
NODISCARD bool lease_prepare(struct lease_table *t, const struct queue_op *op);
void lease_cancel(struct lease_table *t, const struct queue_op *op);
int64_t lease_settle(struct lease_table *t, const struct queue_op *op);
