/* schedule.c: sums of times that end at SCHEDULE_NEVER instead of wrapping around. */
#include "routing/schedule.h"

static int64_t later(int64_t time_ms, uint64_t delay_ms)
{
    int64_t sum;
    return delay_ms > INT64_MAX || __builtin_add_overflow(time_ms, (int64_t)delay_ms, &sum) ? SCHEDULE_NEVER : sum;
}

int64_t schedule_delay(const struct transport_settings *s, enum failure_scope scope, uint32_t attempts)
{
    if (scope == FAILURE_MESSAGE)
        return s->message_interval_ms;
    if (scope == FAILURE_MAILBOX)
        return s->mailbox_interval_ms;
    if (attempts <= s->glitch_count)
        return s->glitch_interval_ms;
    if (attempts - s->glitch_count <= s->transient_count)
        return s->transient_interval_ms;
    return s->failure_interval_ms;
}

int64_t schedule_next(const struct transport_settings *s, enum failure_scope scope, uint32_t attempts,
                      int64_t received_ms, int64_t now_ms)
{
    int64_t next = later(now_ms, (uint64_t)schedule_delay(s, scope, attempts));
    int64_t expiry = schedule_expiry(s, received_ms);
    return next < expiry ? next : expiry > now_ms ? expiry : now_ms;
}

int64_t schedule_expiry(const struct transport_settings *s, int64_t received_ms)
{
    return later(received_ms, s->expiration_ms);
}

int64_t schedule_delay_notice(const struct transport_settings *s, int64_t received_ms)
{
    return s->delay_notice_ms < s->expiration_ms ? later(received_ms, s->delay_notice_ms) : SCHEDULE_NEVER;
}

bool schedule_expired(const struct transport_settings *s, int64_t received_ms, int64_t now_ms)
{
    return now_ms >= schedule_expiry(s, received_ms);
}

bool schedule_delayed(const struct transport_settings *s, int64_t received_ms, int64_t now_ms)
{
    return now_ms >= schedule_delay_notice(s, received_ms);
}
