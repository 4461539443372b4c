/*
 * measure.h: what the queue role counts for monitoring (role/common/metrics.h): outcomes as they become durable,
 * and, now and then, how long the queue is.
 */
#pragma once

#include "role/queue/track.h"

/* Begins to measure the queue: what is in hand every MEASURE_MS, the store less often when counting it takes long.
 */
void measure_start(struct transport *t);
/* These became durable. */
void measure_outcomes(const struct mail *m, const struct track_list *l);

enum { MEASURE_MS = 5000, MEASURE_COST = 50 };
