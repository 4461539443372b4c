/*
 * changes.h: what the queue role writes: units of the store's group commit, on the loop. A change is answered once,
 * from the loop, never from within a call.
 */
#pragma once

#include "role/queue/transport.h"
#include "store/group_commit.h"

struct change {
    struct commit_unit unit; /* first: group commit gives units back */
    struct transport *transport;
    struct arena arena; /* for what the ops point to */
    size_t op_max;
    bool insists; /* it is written again and again until the store can take it */
    void (*done)(struct change *c);
    void *context; /* the caller's */
    struct change *next;
};

struct changes *changes_new(struct transport *t, struct err *err);
/* Changes handed over and not answered yet. */
size_t changes_pending(const struct transport *t);
/* Commits what waits; nothing is answered any more. */
void changes_stop(struct transport *t);

/* op_max ops at most. NULL when memory is out. */
struct change *change_new(struct transport *t, size_t op_max, void (*done)(struct change *c), void *context);
/* The next op, zeroed but for its kind. */
struct queue_op *change_op(struct change *c, enum queue_op_kind kind);
/*
 * Hands it over; done(c) follows with c->unit.unit.result, and frees it (change_free). On an error (ERR_LIMIT: too
 * much waits) it stays the caller's.
 */
NODISCARD enum err_code change_submit(struct change *c);
/* The same for what must not be lost sight of (a delivery that happened): tried until the store answers. */
void change_insist(struct change *c);
void change_free(struct change *c);
