/*
 * notify.h: what the sender of a message wants to be told of each recipient (RFC 3461 4.1, 5.2), and what the
 * settings allow.
 */
#pragma once

#include "mail/dsn.h"
#include "role/queue/transport.h"

/* The sender is the organisation's: its domain is an accepted one, but for ExternalRelay. */
bool notify_is_internal(const struct policy *p, struct span sender);
/*
 * What a report says of a recipient, for a verdict that is to be written; error is verdict_error. False: nothing,
 * for that is what the sender wants, or there is none. Views into the verdict and its recipient.
 */
bool notify_tells(const struct policy *p, const struct verdict *v, struct span error, int64_t now_ms,
                  struct dsn_recipient *ret);
/* When the sender of a message is told that it is late, of those recipients of which it wants that; SCHEDULE_NEVER:
 * not at all. */
int64_t notify_delay_ms(const struct policy *p, const struct queue_message *m);
/* NOTIFY of a group's member, from that of the group. */
uint32_t notify_of_member(uint32_t notify);
/*
 * ORCPT of a recipient as the next server gets it: what the sender gave, else the address that it gave (RFC 3461
 * 5.2.1 (d)), made in the arena. Empty: none, for nobody would get a report.
 */
struct span notify_orcpt(const struct recipient *r, struct arena *arena);
