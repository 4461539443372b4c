/*
 * tracking_log.h: writes the message tracking log (store/tracking/tracking.h) out of events, and keeps its index:
 * on a thread of its own, a stretch at a time, so that manage's loop never waits for it.
 */
#pragma once

#include "role/common/role.h"
#include "store/objects.h"

/* From now on. */
void tracking_log_open(struct role *role);
/* The properties MessageTrackingLog... of TransportServer, read again; what cannot be read stays. */
void tracking_log_configure(struct object_store *policy);
/* An index that is being made is given up. */
void tracking_log_close(void);
