/*
 * event_sender.h: the sending end of events, one in a process: gathers them and sends a batch to manage when it is
 * large or a fifth of a second old. While manage is down, or slower than the events come, they are dropped and
 * counted; the next batch that goes out begins with their number.
 */
#pragma once

#include "role/common/event.h"
#include "role/common/role.h"

/* The gate for all the others: call it in the role's start. */
void event_sender_init(struct role *role);
/* Takes a copy. Never blocks, never fails. at_ms is filled in where it is 0. */
void event_send(struct event e);
/* Sends what has gathered: before the process ends. */
void event_sender_flush(void);
