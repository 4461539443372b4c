/* event.c: events as bytes: u8 kind, u64 time, then each field of the kind as a byte string. */
#include "role/common/event.h"

static const uint8_t counts[EVENT_KINDS] = {
    [EVENT_LOST] = LOST_FIELDS,
    [EVENT_PROTOCOL_RECEIVE] = PROTOCOL_FIELDS,
    [EVENT_PROTOCOL_SEND] = PROTOCOL_FIELDS,
    [EVENT_DENIAL] = DENIAL_FIELDS,
    [EVENT_GRANT_USED] = GRANT_FIELDS,
    [EVENT_FACT] = FACT_FIELDS,
    [EVENT_TRACKING] = TRACKING_FIELDS,
};

size_t event_field_count(enum event_kind kind)
{
    return (unsigned)kind < EVENT_KINDS ? counts[kind] : 0;
}

size_t event_field_max(enum event_kind kind)
{
    return kind == EVENT_TRACKING ? EVENT_TRACKING_FIELD_MAX : EVENT_FIELD_MAX;
}

void event_put(struct buf *out, const struct event *e)
{
    put_u8(out, (uint8_t)e->kind);
    put_u64(out, (uint64_t)e->at_ms);
    for (size_t i = 0; i < event_field_count(e->kind); i++)
        put_bytes(out, span_head(e->field[i], event_field_max(e->kind)));
}

bool event_get(struct cursor *c, struct event *ret)
{
    struct event e = {.kind = (enum event_kind)cursor_u8(c)};
    if (e.kind >= EVENT_KINDS)
        c->bad = true;
    e.at_ms = (int64_t)cursor_u64(c);
    for (size_t i = 0; i < event_field_count(e.kind); i++)
        e.field[i] = cursor_bytes(c, event_field_max(e.kind));
    if (!cursor_ok(c))
        return false;
    *ret = e;
    return true;
}
