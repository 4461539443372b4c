/*
 * allowance.h: so many files a minute (PickupDirectoryMaxMessagesPerMinute), spread over the minute: what was not
 * used adds up to a twelfth of it, which is what one poll of five seconds stands for.
 */
#pragma once

#include "base/compiler.h"

struct allowance {
    int64_t at_ms;  /* when it was last counted; 0: never */
    uint64_t parts; /* sixty-thousandths of a file that may be taken */
};

/* How many files may be taken now. */
uint32_t allowance_now(struct allowance *a, uint32_t per_minute, int64_t now_ms);
/* One was taken; allowance_now has said that it may be. */
void allowance_use(struct allowance *a);
