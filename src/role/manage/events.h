/* events.h: what the other roles tell (role/common/event.h), handed to whoever keeps that kind. */
#pragma once

#include "role/common/event.h"
#include "role/common/role.h"

/* Keeps one event. Its texts come from a role that talks to the network: data, never trusted. */
typedef void event_sink_fn(void *context, const struct event *e);

/*
 * All events of a kind go to this sink from now on; NULL: to none. batch_end(context) follows the last event of
 * each batch that had one of the kind; may be NULL.
 */
void events_subscribe(enum event_kind kind, event_sink_fn *sink, void (*batch_end)(void *context), void *context);
/* Takes an EVENTS frame from a peer. What does not parse is logged, the events before it count. */
void events_take(enum role_kind peer, const struct frame *f);
