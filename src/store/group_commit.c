/*
 * group_commit.c: the writer thread.
 *
 * Invariants: units are committed, and handed back, in the order in which they were submitted. The mutex guards
 * lists and numbers only and is never held over a commit or a callback. A batch that failed as a whole without a
 * trace (no space, no memory) is tried again unit by unit, so that one impossible write does not refuse its
 * neighbours; what is unknown, or what another process holds up, is not tried again.
 */
#include "store/group_commit.h"

#include <pthread.h>
#include <stdlib.h>

enum { REMOVED_MAX = 16 << 20 };

struct list {
    struct commit_unit *first, **last;
};

struct group_commit {
    struct group_commit_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct list waiting, finished;
    size_t waiting_bytes;
    bool ending, joined;
    struct group_commit_stats stats;
    /* the thread's own */
    struct queue_unit **batch; /* options.batch_units */
    struct buf removed;
};

static void list_init(struct list *l)
{
    l->first = NULL;
    l->last = &l->first;
}

static void list_add(struct list *l, struct commit_unit *u)
{
    u->next = NULL;
    *l->last = u;
    l->last = &u->next;
}

/* ---- the thread ---- */

/* Takes the next batch off the waiting list, waiting for one. NULL: ending, and nothing is left. */
static struct commit_unit *take_batch(struct group_commit *g)
{
    struct list batch;
    size_t units = 0, bytes = 0;
    list_init(&batch);
    pthread_mutex_lock(&g->mutex);
    while (!g->waiting.first && !g->ending)
        pthread_cond_wait(&g->work, &g->mutex);
    for (struct commit_unit *u; (u = g->waiting.first); units++) {
        if (units == g->options.batch_units || (units && u->bytes > g->options.batch_bytes - bytes))
            break;
        bytes += u->bytes < g->options.batch_bytes - bytes ? u->bytes : g->options.batch_bytes - bytes;
        g->waiting.first = u->next;
        list_add(&batch, u);
    }
    if (!g->waiting.first)
        g->waiting.last = &g->waiting.first;
    pthread_mutex_unlock(&g->mutex);
    return batch.first;
}

static enum err_code commit(struct group_commit *g, size_t count)
{
    buf_clear(&g->removed);
    enum err_code code = queue_commit(g->options.queue, g->batch, count, &g->removed, NULL);
    struct span rest = buf_span(&g->removed), name;
    while (rest.len && span_split(&rest, '\0', &name))
        g->options.spool_removed(g->options.context, name.ptr); /* the NUL that was split at ends it */
    return code;
}

static void commit_batch(struct group_commit *g, struct commit_unit *first)
{
    size_t count = 0;
    for (struct commit_unit *u = first; u; u = u->next)
        g->batch[count++] = &u->unit;
    enum err_code code = commit(g, count);
    if (count == 1 || (code != ERR_IO && code != ERR_NO_MEMORY))
        return;
    for (struct commit_unit *u = first; u; u = u->next)
        if (u->unit.result == code) {
            g->batch[0] = &u->unit;
            commit(g, 1);
        }
}

/* Gives the batch back; true when no other waits. */
static bool hand_back(struct group_commit *g, struct commit_unit *batch)
{
    pthread_mutex_lock(&g->mutex);
    g->stats.batches++;
    for (struct commit_unit *u = batch, *next; u; u = next) {
        next = u->next;
        g->stats.units++;
        g->waiting_bytes -= u->bytes;
        list_add(&g->finished, u);
    }
    bool idle = !g->waiting.first;
    pthread_mutex_unlock(&g->mutex);
    g->options.wake(g->options.context);
    return idle;
}

static void *thread_main(void *context)
{
    struct group_commit *g = context;
    for (struct commit_unit *batch; (batch = take_batch(g));) {
        struct err err;
        commit_batch(g, batch);
        bool idle = hand_back(g, batch);
        if (queue_maintain(g->options.queue, idle, &err) != ERR_NONE && g->options.failed)
            g->options.failed(g->options.context, &err);
    }
    return NULL;
}

/* ---- for the others ---- */

static void set_default(size_t *n, size_t otherwise)
{
    *n = *n ? *n : otherwise;
}

enum err_code group_commit_new(const struct group_commit_options *options, struct group_commit **ret,
                               struct err *err)
{
    struct group_commit *g = calloc(1, sizeof *g);
    if (!g)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    g->options = *options;
    set_default(&g->options.batch_units, GROUP_COMMIT_BATCH_UNITS);
    set_default(&g->options.batch_bytes, GROUP_COMMIT_BATCH_BYTES);
    set_default(&g->options.waiting_bytes, GROUP_COMMIT_WAITING_BYTES);
    list_init(&g->waiting);
    list_init(&g->finished);
    buf_init(&g->removed, REMOVED_MAX);
    g->batch = calloc(g->options.batch_units, sizeof(struct queue_unit *));
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->work, NULL);
    int rc = g->batch ? pthread_create(&g->thread, NULL, thread_main, g) : 0;
    if (g->batch && rc == 0) {
        *ret = g;
        return ERR_NONE;
    }
    g->joined = true; /* there is no thread */
    bool memory = !g->batch;
    group_commit_free(g);
    return memory ? err_set(err, ERR_NO_MEMORY, "out of memory")
                  : err_errno(err, rc, "cannot start the queue's writer thread");
}

void group_commit_stop(struct group_commit *g)
{
    pthread_mutex_lock(&g->mutex);
    g->ending = true;
    pthread_cond_signal(&g->work);
    pthread_mutex_unlock(&g->mutex);
    if (!g->joined)
        pthread_join(g->thread, NULL);
    g->joined = true;
}

void group_commit_free(struct group_commit *g)
{
    if (!g)
        return;
    group_commit_stop(g);
    pthread_mutex_destroy(&g->mutex);
    pthread_cond_destroy(&g->work);
    buf_done(&g->removed);
    free(g->batch);
    free(g);
}

enum err_code group_commit_submit(struct group_commit *g, struct commit_unit *unit)
{
    pthread_mutex_lock(&g->mutex);
    enum err_code code = g->ending                                                   ? ERR_UNAVAILABLE
                         : unit->bytes > g->options.waiting_bytes - g->waiting_bytes ? ERR_LIMIT
                                                                                     : ERR_NONE;
    if (code == ERR_NONE) {
        list_add(&g->waiting, unit);
        g->waiting_bytes += unit->bytes;
        pthread_cond_signal(&g->work);
    }
    pthread_mutex_unlock(&g->mutex);
    return code;
}

struct commit_unit *group_commit_take(struct group_commit *g)
{
    pthread_mutex_lock(&g->mutex);
    struct commit_unit *first = g->finished.first;
    list_init(&g->finished);
    pthread_mutex_unlock(&g->mutex);
    return first;
}

struct group_commit_stats group_commit_stats(struct group_commit *g)
{
    pthread_mutex_lock(&g->mutex);
    struct group_commit_stats s = g->stats;
    s.waiting_bytes = g->waiting_bytes;
    pthread_mutex_unlock(&g->mutex);
    return s;
}
