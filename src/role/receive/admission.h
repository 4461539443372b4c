/*
 * admission.h: who may connect and submit now: MaxInboundConnection, ...PerSource and ...PercentagePerSource when a
 * connection is accepted, MessageRateLimit at MAIL, counted over all receive processes (runtime/counters.h).
 *
 * A source is an IPv4 address or an IPv6 /64. The percentage is of the connections that all other sources leave
 * free, rounded up: with 100 a source may take what is there, and the first connection is never refused by it.
 */
#pragma once

#include "policy/policy.h"
#include "role/common/role.h"
#include "runtime/counters.h"
#include "smtp/limit.h"
#include "smtp/reply.h"

/* What a connection counts for, from admission_enter to admission_leave. */
struct admission {
    uint64_t connector, source;
    bool counted;
    bool logged; /* it was refused, and the log has it: of a flood not each has */
};

/* Takes a CONTROL_COUNTERS frame. */
void admission_take_counters(struct role *role, struct frame *f);
/*
 * The table that all receive processes share; before it was handed over, or when it cannot be used, one of this
 * process alone. NULL when memory is out: nothing can be counted then.
 */
struct counters *admission_table(void);

/*
 * Counts a connection of the connector. False: it exceeds a limit, which *ret_limit names (its connector's name
 * points into the policy); it is logged, as far as a flood of such connections does not flood the log, and not
 * counted.
 */
NODISCARD bool admission_enter(struct admission *a, const struct policy *policy, const struct receive_connector *c,
                               struct ip_addr remote, struct smtp_limit *ret_limit);
/* The connection is closed. Safe to call again. */
void admission_leave(struct admission *a);

/*
 * Counts a message. user: who logged on (a GUID), or empty. False: it exceeds MessageRateLimit, which *ret_limit
 * names; it is not counted.
 *
 * MessageRateSource says by what is counted: IPAddress by the source; User by the user, and by the source where
 * nobody has logged on; All by both, and each must be within the limit; None not at all.
 */
NODISCARD bool admission_message(const struct policy *policy, const struct receive_connector *c,
                                 struct ip_addr remote, struct span user, int64_t now_ms,
                                 struct smtp_limit *ret_limit);

/* The reply to a connection that is refused: 421 4.3.2 and the limit. Its text lives in the arena. */
struct smtp_reply admission_refusal(struct arena *arena, const struct smtp_limit *limit);
