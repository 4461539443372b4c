/* tracking.h: the message tracking log of a state folder behind the port of the cmdlets. */
#pragma once

#include "cmdlet/context.h"

struct tracking_reader {
    struct tracking_view view; /* first */
    const char *state;         /* must outlive it */
};
void tracking_reader_init(struct tracking_reader *r, const char *state);
