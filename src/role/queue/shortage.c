/*
 * shortage.c: the queue's part in back pressure. It tells the supervisor, which watches all resources, how many
 * recipients wait; and while memory is short it takes less into hand. Delivery itself goes on at every level.
 *
 * The store is counted at the start, before anything else uses it; then what becomes durable is added and
 * subtracted, so that a long queue costs nothing to count. Only after a removal of all recipients of a message,
 * which an administrator makes and which does not say how many they were, all is counted anew, on the thread pool.
 * When something becomes durable at that moment it may have been counted or not; then it is counted again, later.
 */
#include "role/queue/transport.h"

#include "base/cursor.h"
#include "role/common/pressure_page.h"
#include "role/queue/changes.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>

enum { RECOUNT_MS = 30 * 1000 }; /* it reads all there is */

struct shortage {
    struct transport *transport;
    uv_timer_t timer;
    int64_t waiting;
    uint64_t told;
    bool ever_told;
    bool stale, counting, disturbed; /* something became durable, or may have, while it is counted */
    int64_t recount_at;
    uv_work_t work;
    struct queue_counts counts;
    struct err err;
};

static int64_t change_of(const struct queue_op *op)
{
    switch (op->kind) {
    case QUEUE_OP_ENQUEUE: return (int64_t)op->enqueue->recipient_count;
    case QUEUE_OP_EXPAND: return (int64_t)op->member_count - 1;
    case QUEUE_OP_DONE:
    case QUEUE_OP_REMOVE: return -1;
    case QUEUE_OP_RETRY:
    case QUEUE_OP_SUSPEND:
    case QUEUE_OP_RESUME: break;
    }
    return 0;
}

void shortage_committed(struct transport *t, const struct queue_unit *unit)
{
    struct shortage *s = t->shortage;
    int64_t change = 0;
    for (size_t i = 0; i < unit->op_count; i++) {
        const struct queue_op *op = &unit->ops[i];
        if (op->kind == QUEUE_OP_REMOVE && op->index == QUEUE_EVERY)
            s->stale = true;
        else
            change += change_of(op);
    }
    s->waiting += change;
    s->disturbed = true;
}

static void count(uv_work_t *w)
{
    struct shortage *s = w->data;
    IGNORE_RESULT(queue_counts(s->transport->store, &s->counts, &s->err));
}

static void counted(uv_work_t *w, int status)
{
    struct shortage *s = w->data;
    (void)status;
    s->counting = false;
    s->recount_at = clock_mono_ms() + RECOUNT_MS;
    if (s->err.code)
        log_text(LOG_WARNING, "queue-not-counted", "%s", s->err.text);
    else
        s->waiting = (int64_t)s->counts.pending;
    s->stale = s->stale || s->err.code || s->disturbed || changes_pending(s->transport);
}

static void recount(struct shortage *s)
{
    s->stale = false;
    s->counting = true;
    s->disturbed = changes_pending(s->transport);
    s->err = (struct err){0};
    uv_queue_work(&s->transport->role->loop, &s->work, count, counted);
}

static void tell(struct shortage *s)
{
    uint64_t n = s->waiting > 0 ? (uint64_t)s->waiting : 0;
    struct buf b;
    if (s->ever_told && s->told == n)
        return;
    buf_init(&b, 8);
    put_u64(&b, n);
    if (!link_send(s->transport->role->control, CONTROL_QUEUE_LENGTH, 0, buf_span(&b), NULL, 0)) {
        s->told = n;
        s->ever_told = true;
    }
    buf_done(&b);
}

/* What a level that has fallen leaves room for may be waiting. */
static void look(struct transport *t)
{
    struct pressure p;
    bool was = t->memory_short;
    t->memory_short = pressure_page_read(&p) && p.of[PRESSURE_MEMORY].level == PRESSURE_HIGH;
    if (was && !t->memory_short)
        claims_wake(t);
}

static void on_timer(uv_timer_t *timer)
{
    struct shortage *s = timer->data;
    look(s->transport);
    if (s->stale && !s->counting && clock_mono_ms() >= s->recount_at)
        recount(s);
    tell(s);
}

struct shortage *shortage_new(struct transport *t, struct err *err)
{
    struct queue_counts counts;
    if (queue_counts(t->store, &counts, err))
        return NULL;
    struct shortage *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_NO_MEMORY, "out of memory");
        return NULL;
    }
    *s = (struct shortage){.transport = t, .waiting = (int64_t)counts.pending};
    s->work.data = s->timer.data = s;
    uv_timer_init(&t->role->loop, &s->timer);
    uv_timer_start(&s->timer, on_timer, PRESSURE_POLL_MS, PRESSURE_POLL_MS);
    tell(s);
    return s;
}
