/*
 * group_commit.h: many small writes, few flushes. A thread of its own is the queue's writer; while it commits one
 * batch, others gather the next from whatever is submitted. No timer: a single unit commits at once.
 */
#pragma once

#include "store/queue.h"

struct group_commit;

/* A unit on its way through the engine. From submit until it is taken it and all it points to is the engine's. */
struct commit_unit {
    struct queue_unit unit;                 /* the ops, and afterwards the answer */
    size_t bytes;                           /* roughly what it writes, for the bounds */
    void (*done)(struct commit_unit *unit); /* for whoever takes it back; the engine does not call it */
    struct commit_unit *next;               /* the engine's; then the list of group_commit_take */
};

enum {
    GROUP_COMMIT_BATCH_UNITS = 512,
    GROUP_COMMIT_BATCH_BYTES = 4 << 20,
    GROUP_COMMIT_WAITING_BYTES = 256 << 20,
};

/*
 * The queue stays the caller's: it is opened before and closed after, and the writer's functions are the thread's.
 * The callbacks come from the thread, without a lock held.
 */
struct group_commit_options {
    struct queue *queue;
    void (*wake)(void *context);                            /* there is something to take (uv_async_send) */
    void (*spool_removed)(void *context, const char *name); /* a message that had this spool file is final */
    void (*failed)(void *context, const struct err *err);   /* queue_maintain failed; NULL allowed */
    void *context;
    size_t batch_units, batch_bytes, waiting_bytes; /* 0: the numbers above */
};

/* Starts the thread. The options are copied. */
enum err_code group_commit_new(const struct group_commit_options *options, struct group_commit **ret,
                               struct err *err);
/* Commits what waits and ends the thread. From here on submit gives ERR_UNAVAILABLE; finished units can be taken.
 */
void group_commit_stop(struct group_commit *g);
/* Stops and frees; NULL allowed. Units not taken by then are the caller's again: take them between stop and free.
 */
void group_commit_free(struct group_commit *g);
/*
 * Hands a unit over. ERR_LIMIT: too much waits already; the unit stays the caller's. Submitted units are committed
 * in their order, any thread may submit.
 */
enum err_code group_commit_submit(struct group_commit *g, struct commit_unit *unit);
/* The finished units in the order of their submission, as a list by `next`; NULL: none. */
struct commit_unit *group_commit_take(struct group_commit *g);

struct group_commit_stats {
    uint64_t units, batches; /* handed back; batches: transactions tried */
    size_t waiting_bytes;
};
struct group_commit_stats group_commit_stats(struct group_commit *g);
