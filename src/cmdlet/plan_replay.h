/* plan_replay.h: a plan's replay, for the files that make and print it. */
#pragma once

#include "cmdlet/plan_internal.h"
#include "replay/replay.h"

struct plan_replay {
    struct replay *engine; /* which the report lives in */
    struct replay_report report;
    int64_t window_ms;
    int64_t since_ms;    /* the window's beginning */
    int64_t recorded_ms; /* the oldest that is recorded, in the window or before it */
};
