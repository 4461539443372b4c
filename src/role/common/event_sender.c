/*
 * event_sender.c: a buffer, a timer, a count.
 *
 * Invariants: the timer runs exactly while the batch holds something. A batch is sent as soon as it has BATCH_FULL
 * bytes, so that one more event of whatever size always fits into the frame; the link's backlog is not added to
 * beyond BACKLOG_MAX, so that events take no memory and no room from what a session waits for.
 */
#include "role/common/event_sender.h"

#include "runtime/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    BATCH_FULL = 16 * 1024,
    BATCH_AGE_MS = 200,
    BACKLOG_MAX = 1024 * 1024,
    LOST_SIZE_MAX = 64,
};
static_assert(LOST_SIZE_MAX + BATCH_FULL + EVENT_SIZE_MAX <= FRAME_BODY_MAX, "a batch is one frame");

static struct {
    struct role *role;
    uv_timer_t timer;
    struct buf batch;
    uint64_t events; /* in the batch */
    uint64_t lost;   /* not told yet */
} sender;

static void drop_batch(void)
{
    sender.lost += sender.events;
    sender.events = 0;
    buf_clear(&sender.batch);
}

void event_sender_flush(void)
{
    if (!sender.role || !sender.batch.len)
        return;
    struct link *manage = role_link(sender.role, ROLE_MANAGE, 0);
    uv_timer_stop(&sender.timer);
    if (manage && link_backlog(manage) <= BACKLOG_MAX &&
        !link_send(manage, EVENTS, 0, buf_span(&sender.batch), NULL, 0))
        sender.events = sender.lost = 0;
    drop_batch();
}

static void on_timer(uv_timer_t *t)
{
    (void)t;
    event_sender_flush();
}

void event_sender_init(struct role *role)
{
    sender.role = role;
    buf_init(&sender.batch, FRAME_BODY_MAX);
    uv_timer_init(&role->loop, &sender.timer);
    uv_unref((uv_handle_t *)&sender.timer);
}

/* What was dropped is told before anything newer. */
static void begin_batch(void)
{
    char number[24];
    uv_timer_start(&sender.timer, on_timer, BATCH_AGE_MS, 0);
    if (!sender.lost)
        return;
    snprintf(number, sizeof number, "%" PRIu64, sender.lost);
    struct event e = {.kind = EVENT_LOST, .at_ms = clock_wall_ms(), .field[LOST_COUNT] = span_of(number)};
    event_put(&sender.batch, &e);
}

void event_send(struct event e)
{
    if (!sender.role)
        return;
    if (!e.at_ms)
        e.at_ms = clock_wall_ms();
    if (!sender.batch.len)
        begin_batch();
    event_put(&sender.batch, &e);
    sender.events++;
    if (sender.batch.failed)
        drop_batch();
    else if (sender.batch.len >= BATCH_FULL)
        event_sender_flush();
}
