/*
 * schedule.h: when a failed delivery is tried again, when its sender is told of the delay, and when it is given up.
 * Pure: times are milliseconds since 1970, given by the caller.
 */
#pragma once

#include "policy/policy.h"

enum failure_scope {
    FAILURE_CONNECTION, /* the next hop could not be reached: glitch, then transient, then long intervals */
    FAILURE_MESSAGE,    /* it answered, but not to this message */
    FAILURE_MAILBOX,    /* local delivery */
};

/* A time that never comes. */
#define SCHEDULE_NEVER INT64_MAX

/* Milliseconds until the next attempt; attempts counts those made, 1 after the first failure. */
int64_t schedule_delay(const struct transport_settings *s, enum failure_scope scope, uint32_t attempts);
/*
 * The time of the next attempt at a message received then, after one that failed now. Never later than its expiry,
 * so that the last thing that happens to it happens on time.
 */
int64_t schedule_next(const struct transport_settings *s, enum failure_scope scope, uint32_t attempts,
                      int64_t received_ms, int64_t now_ms);
/* When a message received then is given up; SCHEDULE_NEVER when messages do not expire. */
int64_t schedule_expiry(const struct transport_settings *s, int64_t received_ms);
/* When its sender is told that it is late; SCHEDULE_NEVER when it would have expired by then. */
int64_t schedule_delay_notice(const struct transport_settings *s, int64_t received_ms);
/* True when a message received then is no longer tried now. */
bool schedule_expired(const struct transport_settings *s, int64_t received_ms, int64_t now_ms);
/* True when its delay notice is due now (the caller knows whether it was sent). */
bool schedule_delayed(const struct transport_settings *s, int64_t received_ms, int64_t now_ms);
