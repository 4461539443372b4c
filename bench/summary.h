/* summary.h: what was measured, as one JSON object on one line. Times are milliseconds unless they say otherwise.
 */
#pragma once

#include "session.h"

/* start, end: stream_now() of the run. */
void summary_load(struct buf *out, const struct load *load, uint64_t start, uint64_t end, bool complete);

/* Appends s as a JSON string with its quotes; bytes beyond ASCII become U+FFFD. */
void summary_string(struct buf *out, struct span s);
/* CPU seconds that this process has used. */
double summary_cpu(void);
