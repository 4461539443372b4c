/*
 * shortage.c: the queue's part in back pressure. It tells the supervisor, which watches all resources, how many
 * recipients wait; and while memory is short it takes less into hand. Delivery itself goes on at every level.
 *
 * The store is counted at the start, before anything else uses it; then what becomes durable is added and
 * subtracted, so that a long queue costs nothing to count.
 */
#include "role/queue/transport.h"

#include "base/cursor.h"
#include "role/common/pressure_page.h"

#include <stdlib.h>

struct shortage {
    struct transport *transport;
    uv_timer_t timer;
    uint64_t waiting, told;
    bool ever_told;
};

static int64_t change_of(const struct queue_op *op)
{
    switch (op->kind) {
    case QUEUE_OP_ENQUEUE: return (int64_t)op->enqueue->recipient_count;
    case QUEUE_OP_EXPAND: return (int64_t)op->member_count - 1;
    case QUEUE_OP_REMOVE: ASSERT(op->index != QUEUE_EVERY); return -1; /* of all it would not say how many */
    case QUEUE_OP_DONE: return -1;
    case QUEUE_OP_RETRY:
    case QUEUE_OP_SUSPEND:
    case QUEUE_OP_RESUME:
    case QUEUE_OP_HASTEN:
    case QUEUE_OP_HOLD_QUEUE:
    case QUEUE_OP_FREE_QUEUE: break;
    }
    return 0;
}

void shortage_committed(struct transport *t, const struct queue_unit *unit)
{
    for (size_t i = 0; i < unit->op_count; i++)
        t->shortage->waiting += (uint64_t)change_of(&unit->ops[i]);
}

static void tell(struct shortage *s)
{
    struct buf b;
    if (s->ever_told && s->told == s->waiting)
        return;
    buf_init(&b, 8);
    put_u64(&b, s->waiting);
    if (!link_send(s->transport->role->control, CONTROL_QUEUE_LENGTH, 0, buf_span(&b), NULL, 0)) {
        s->told = s->waiting;
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
    *s = (struct shortage){.transport = t, .waiting = counts.pending};
    s->timer.data = s;
    uv_timer_init(&t->role->loop, &s->timer);
    uv_timer_start(&s->timer, on_timer, PRESSURE_POLL_MS, PRESSURE_POLL_MS);
    tell(s);
    return s;
}
