/*
 * measure.c: see measure.h. The store is counted on the thread pool, through its reader, which holds up nobody;
 * after a count that took long there is a pause MEASURE_COST times as long, so that a queue of millions costs 2 %
 * at most.
 */
#include "role/queue/measure.h"

#include "role/common/metrics.h"
#include "runtime/clock.h"
#include "runtime/log.h"

static struct {
    struct transport *transport;
    uv_timer_t timer;
    uv_work_t work;
    bool counting;
    int64_t count_again_ms; /* clock_mono_ms */
    /* the work's */
    int64_t took_ms;
    struct queue_counts counts;
    int64_t oldest_ms;
    enum err_code code;
    struct err err;
} measure;

/* ---- the store ---- */

/* Ids ever increase, so the first message is the oldest. */
static enum err_code read_oldest(struct queue *store, int64_t *ret_ms, struct err *err)
{
    struct arena arena;
    struct queue_page page = {0};
    arena_init(&arena, 64 << 20);
    enum err_code code = queue_list(store, 0, 1, &arena, &page, err);
    if (!code)
        *ret_ms = page.count ? page.messages[0].received_ms : 0;
    arena_clear(&arena);
    return code;
}

static void on_work(uv_work_t *w)
{
    struct queue *store = measure.transport->store;
    int64_t began = clock_mono_ms();
    (void)w;
    measure.code = queue_counts(store, &measure.counts, &measure.err);
    if (!measure.code)
        measure.code = read_oldest(store, &measure.oldest_ms, &measure.err);
    measure.took_ms = clock_mono_ms() - began;
}

static void on_counted(uv_work_t *w, int status)
{
    (void)w;
    (void)status; /* it is never cancelled */
    measure.counting = false;
    measure.count_again_ms = clock_mono_ms() + MEASURE_COST * measure.took_ms;
    if (measure.code) {
        log_text(LOG_WARNING, "queue-not-counted", "%s; its metrics are those of before", measure.err.text);
        return;
    }
    metric_set(METRIC_QUEUED, measure.counts.messages);
    metric_set(METRIC_QUEUED_RECIPIENTS, measure.counts.pending);
    metric_set(METRIC_QUEUED_BYTES, measure.counts.bytes);
    metric_set(METRIC_OLDEST, (uint64_t)measure.oldest_ms);
}

/* ---- what is in hand ---- */

struct hand {
    uint64_t waiting[METRIC_HOPS], active[METRIC_HOPS], retrying[METRIC_HOPS];
    int64_t now_ms;
};

static enum metric_hop hop_of(struct span delivery_type)
{
    if (span_starts(delivery_type, SPAN("Mailbox")))
        return METRIC_HOP_MAILBOX;
    return span_starts(delivery_type, SPAN("SmartHost")) ? METRIC_HOP_SMART_HOST : METRIC_HOP_DNS;
}

static void add_destination(void *context, const struct destination_facts *f)
{
    struct hand *h = context;
    enum metric_hop hop = hop_of(span_of(f->delivery_type));
    h->waiting[hop] += f->waiting;
    h->active[hop] += f->active;
    h->retrying[hop] += f->retry_at_ms > h->now_ms;
}

static void on_timer(uv_timer_t *timer)
{
    struct transport *t = measure.transport;
    struct hand h = {.now_ms = clock_wall_ms()};
    (void)timer;
    destinations_list(t, add_destination, &h);
    for (unsigned i = 0; i < METRIC_HOPS; i++) {
        metric_set(METRIC_WAITING + i, h.waiting[i]);
        metric_set(METRIC_ACTIVE + i, h.active[i]);
        metric_set(METRIC_RETRYING + i, h.retrying[i]);
    }
    if (!measure.counting && clock_mono_ms() >= measure.count_again_ms)
        measure.counting = uv_queue_work(&t->role->loop, &measure.work, on_work, on_counted) == 0;
}

void measure_start(struct transport *t)
{
    measure.transport = t;
    uv_timer_init(&t->role->loop, &measure.timer);
    uv_timer_start(&measure.timer, on_timer, 0, MEASURE_MS);
    uv_unref((uv_handle_t *)&measure.timer);
}

/* ---- outcomes ---- */

static enum metric_verdict verdict_of(enum tracking_event e)
{
    return e == TRACKING_SEND    ? METRIC_SENT
           : e == TRACKING_FAIL  ? METRIC_FAILED
           : e == TRACKING_DEFER ? METRIC_DEFERRED
                                 : METRIC_DELIVERED;
}

void measure_outcomes(const struct mail *m, const struct track_list *l)
{
    int64_t age = clock_wall_ms() - m->envelope.received_ms;
    for (const struct track_entry *e = l->first; e; e = e->next) {
        metric_add(METRIC_OUTCOMES + verdict_of(e->event), 1);
        if (e->event == TRACKING_DELIVER || e->event == TRACKING_SEND)
            metric_observe(METRIC_DELIVERY_TIME, age);
    }
}
