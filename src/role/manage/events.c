/* events.c: batches apart, each event to its sink. Events that a sender had to drop are said in the log. */
#include "role/manage/events.h"

#include "base/num.h"
#include "role/common/metrics.h"
#include "runtime/log.h"

static struct {
    event_sink_fn *take;
    void (*batch_end)(void *context);
    void *context;
} sinks[EVENT_KINDS];

void events_subscribe(enum event_kind kind, event_sink_fn *sink, void (*batch_end)(void *context), void *context)
{
    sinks[kind].take = sink;
    sinks[kind].batch_end = batch_end;
    sinks[kind].context = context;
}

static void say_lost(enum role_kind peer, struct span count)
{
    uint64_t n;
    if (num_parse_u64(count, UINT32_MAX, &n))
        metric_add(METRIC_EVENTS_LOST, n);
    struct log_line l = log_begin(LOG_WARNING, "events-lost");
    log_str(&l, "from", role_name(peer));
    log_span(&l, "count", count);
    log_str(&l, "text",
            "rows of the protocol logs or of message tracking, denials, uses of grants or facts are missing; no "
            "mail is");
    log_end(&l);
}

void events_take(enum role_kind peer, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct event e;
    unsigned seen = 0;
    while (c.rest.len && event_get(&c, &e)) {
        seen |= 1u << e.kind;
        if (e.kind == EVENT_LOST)
            say_lost(peer, e.field[LOST_COUNT]);
        if (sinks[e.kind].take)
            sinks[e.kind].take(sinks[e.kind].context, &e);
    }
    if (!cursor_done(&c))
        role_bad_frame(peer, f, "not a list of events");
    for (unsigned k = 0; k < EVENT_KINDS; k++)
        if ((seen & 1u << k) && sinks[k].batch_end)
            sinks[k].batch_end(sinks[k].context);
}
