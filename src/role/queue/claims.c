/*
 * claims.c: what the store holds and is due comes into hand, as long as there is room.
 *
 * Invariant: one timer stands for the next time that something is due; it is set again by whatever may change that.
 */
#include "role/queue/poison.h"

#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>

enum { CLAIM_MAX = 1000, CLAIM_ARENA_MAX = 256 << 20, RETRY_MS = 1000, IDLE_MS = 60 * 60 * 1000 };

struct claims {
    struct transport *transport;
    uv_timer_t timer;
};

/* Claimed messages become mails in hand, all of them before the first is routed: routing may claim further ones. */
static void take(struct transport *t, const struct queue_message *messages, size_t count)
{
    struct mail **mails = calloc(count, sizeof *mails);
    ASSERT(mails);
    for (size_t i = 0; i < count; i++) {
        mails[i] = mail_new(t, &messages[i], SPAN(""));
        ASSERT(mails[i]);
        mail_hold(mails[i]);
    }
    for (size_t i = 0; i < count; i++)
        categorize(mails[i]);
    free(mails);
}

/* True when there may be more that is due. */
static bool claim(struct transport *t, struct err *err)
{
    struct arena arena;
    struct queue_message *messages;
    size_t count = 0, room = transport_held_max(t) - t->held, recipients = 0;
    int64_t now = clock_wall_ms();
    if (room > CLAIM_MAX)
        room = CLAIM_MAX;
    arena_init(&arena, CLAIM_ARENA_MAX);
    if (!queue_claim(t->store, now, room, now + TRANSPORT_LEASE_MS, &arena, &messages, &count, err) && count) {
        for (size_t i = 0; i < count; i++)
            recipients += messages[i].recipient_count;
        take(t, messages, count);
    }
    arena_clear(&arena);
    return recipients == room;
}

static uint64_t until_due(struct transport *t, struct err *err)
{
    int64_t due, now = clock_wall_ms();
    if (queue_next_due(t->store, now, &due, err))
        return RETRY_MS;
    return due <= now ? 0 : due - now > IDLE_MS ? IDLE_MS : (uint64_t)(due - now);
}

static void on_timer(uv_timer_t *timer)
{
    struct claims *c = timer->data;
    struct transport *t = c->transport;
    struct err err = {0};
    if (t->held >= transport_held_max(t) / 2 || t->draining || poison_is_judging(t))
        return; /* recipient_release of the half that is in hand wakes us */
    bool more = claim(t, &err);
    uint64_t wait = err.code ? RETRY_MS : more ? 0 : until_due(t, &err);
    if (err.code) {
        log_text(LOG_ERROR, "queue-read-failed", "%s; tried again", err.text);
        wait = RETRY_MS;
    }
    uv_timer_start(timer, on_timer, wait, 0);
    destinations_pump(t);
}

struct claims *claims_new(struct transport *t)
{
    struct claims *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->transport = t;
    uv_timer_init(&t->role->loop, &c->timer);
    c->timer.data = c;
    return c;
}

void claims_due(struct transport *t, int64_t wall_ms)
{
    uv_timer_t *timer = &t->claims->timer;
    int64_t now = clock_wall_ms();
    uint64_t wait = wall_ms <= now ? 0 : (uint64_t)(wall_ms - now);
    struct policy_ref *p = policy_ref_current();
    if (p && (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > wait))
        uv_timer_start(timer, on_timer, wait, 0);
    policy_ref_drop(p); /* nothing can be routed before the first policy */
}

void claims_wake(struct transport *t)
{
    claims_due(t, 0);
}
