/*
 * changes.c: between the loop and group commit.
 *
 * Invariants: a change is in group commit, or in `again` (an insisting one that the store could not take now), or
 * the caller's. After ERR_UNKNOWN nobody can say what the store holds: the process ends without a further answer,
 * and the one started in its place reads what is there.
 */
#include "role/queue/changes.h"

#include "role/common/metrics.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>

enum { AGAIN_MS = 1000, QUIET_MS = 10000 };

struct changes {
    struct transport *transport;
    struct group_commit *group;
    uv_async_t finished;
    uv_timer_t timer;
    struct change *again, **again_last;
    uint64_t batches;              /* counted so far */
    size_t pending;                /* in group commit or in `again` */
    int64_t maintenance_logged_ms; /* group commit's thread's */
};

/* From group commit's thread. */
static void on_wake(void *context)
{
    struct changes *c = context;
    uv_async_send(&c->finished);
}

/* From group commit's thread; the spool keeps no state. What is left behind here, the sweep at the next start
 * finds.
 */
static void on_spool_removed(void *context, const char *name)
{
    struct changes *c = context;
    struct err err = {0};
    if (spool_remove(&c->transport->spool, span_of(name), &err))
        log_text(LOG_WARNING, "spool-remove-failed", "%s: %s", name, err.text);
}

/* From group commit's thread. It comes again with every batch, as on a full disk, and is said now and then. */
static void on_failed(void *context, const struct err *err)
{
    struct changes *c = context;
    int64_t now = clock_mono_ms();
    if (c->maintenance_logged_ms && now - c->maintenance_logged_ms < QUIET_MS)
        return;
    c->maintenance_logged_ms = now;
    log_text(LOG_WARNING, "queue-maintenance", "%s", err->text);
}

static bool may_pass(enum err_code code)
{
    return code == ERR_IO || code == ERR_UNAVAILABLE || code == ERR_NO_MEMORY || code == ERR_LIMIT;
}

static void on_again(uv_timer_t *t);

static void keep_for_later(struct change *c)
{
    struct changes *all = c->transport->changes;
    all->pending++;
    c->next = NULL;
    *all->again_last = c;
    all->again_last = &c->next;
    if (!uv_is_active((uv_handle_t *)&all->timer))
        uv_timer_start(&all->timer, on_again, AGAIN_MS, 0);
}

static void on_again(uv_timer_t *t)
{
    struct changes *all = t->data;
    struct change *c = all->again, *next;
    all->again = NULL;
    all->again_last = &all->again;
    for (; c; c = next) {
        next = c->next;
        all->pending--;
        change_insist(c);
    }
}

/* A transaction is a flush. */
static void count_flushes(struct changes *all)
{
    uint64_t batches = group_commit_stats(all->group).batches;
    metric_add(METRIC_FLUSHED + METRIC_FLUSH_QUEUE, batches - all->batches);
    all->batches = batches;
}

static void on_finished(uv_async_t *h)
{
    struct changes *all = h->data;
    count_flushes(all);
    struct commit_unit *unit = group_commit_take(all->group), *next;
    for (; unit; unit = next) {
        struct change *c = (struct change *)unit;
        next = unit->next;
        if (unit->unit.result == ERR_UNKNOWN) {
            log_text(LOG_ERROR, "queue-failed", "%s; the queue is opened anew", unit->unit.err.text);
            role_exit(all->transport->role, EXIT_FAILURE);
            return;
        }
        if (c->insists && may_pass(unit->unit.result)) {
            if (!all->again) /* the first of those that wait speaks for them all */
                log_text(LOG_ERROR, "queue-write-failed", "%s; tried again", unit->unit.err.text);
            all->pending--;
            keep_for_later(c);
        } else {
            all->pending--;
            if (unit->unit.result == ERR_NONE)
                shortage_committed(all->transport, &unit->unit);
            c->done(c);
        }
    }
    transport_settled(all->transport);
}

struct changes *changes_new(struct transport *t, struct err *err)
{
    struct changes *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(err, ERR_NO_MEMORY, "out of memory");
        return NULL;
    }
    *c = (struct changes){.transport = t};
    c->again_last = &c->again;
    uv_async_init(&t->role->loop, &c->finished, on_finished);
    uv_timer_init(&t->role->loop, &c->timer);
    c->finished.data = c->timer.data = c;
    struct group_commit_options options = {
        .queue = t->store, .wake = on_wake, .spool_removed = on_spool_removed, .failed = on_failed, .context = c};
    return group_commit_new(&options, &c->group, err) ? NULL : c;
}

void changes_stop(struct transport *t)
{
    group_commit_stop(t->changes->group);
}

struct change *change_new(struct transport *t, size_t op_max, void (*done)(struct change *c), void *context)
{
    struct change *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct change){.transport = t, .op_max = op_max, .done = done, .context = context};
    arena_init(&c->arena, 0);
    c->unit.unit.ops = ARENA_ARRAY(&c->arena, op_max, struct queue_op);
    if (!c->unit.unit.ops) {
        change_free(c);
        return NULL;
    }
    return c;
}

struct queue_op *change_op(struct change *c, enum queue_op_kind kind)
{
    ASSERT(c->unit.unit.op_count < c->op_max);
    struct queue_op *op = &c->unit.unit.ops[c->unit.unit.op_count++];
    *op = (struct queue_op){.kind = kind};
    return op;
}

static size_t op_bytes(const struct queue_op *op)
{
    size_t n = sizeof *op;
    if (op->kind == QUEUE_OP_ENQUEUE)
        n += op->enqueue->body.len + op->enqueue->recipient_count * 200;
    return n + op->member_count * 200;
}

enum err_code change_submit(struct change *c)
{
    c->unit.bytes = 0;
    for (size_t i = 0; i < c->unit.unit.op_count; i++)
        c->unit.bytes += op_bytes(&c->unit.unit.ops[i]);
    enum err_code code = group_commit_submit(c->transport->changes->group, &c->unit);
    if (!code)
        c->transport->changes->pending++;
    return code;
}

void change_insist(struct change *c)
{
    c->insists = true;
    if (change_submit(c))
        keep_for_later(c);
}

size_t changes_pending(const struct transport *t)
{
    return t->changes->pending;
}

void change_free(struct change *c)
{
    if (!c)
        return;
    arena_clear(&c->arena);
    free(c);
}
