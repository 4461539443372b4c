/* date.h: the date-time of RFC 5322 3.3, and message identifiers (3.6.4). */
#pragma once

#include "base/buf.h"

/* Appends "Fri, 05 Aug 2016 16:24:41 +0000" from milliseconds since 1970 UTC, any value. */
void date_print(struct buf *out, int64_t ms);
/*
 * Appends "<hex digits@host>". random: 16 bytes or more from a random source, so that ids do not collide; host: a
 * domain or an address literal of ours.
 */
void message_id_print(struct buf *out, struct span random, struct span host);
