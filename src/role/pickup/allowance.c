/* allowance.c: a bucket that fills with per_minute parts each millisecond; a file takes a minute's milliseconds. */
#include "role/pickup/allowance.h"

enum { MINUTE_MS = 60000, POLLS_A_MINUTE = 12 };

uint32_t allowance_now(struct allowance *a, uint32_t per_minute, int64_t now_ms)
{
    uint64_t files = (per_minute + POLLS_A_MINUTE - 1) / POLLS_A_MINUTE, most = files * MINUTE_MS;
    int64_t passed = now_ms - a->at_ms;
    bool full = a->at_ms == 0 || passed >= MINUTE_MS;
    if (full)
        a->parts = most;
    else if (passed > 0)
        a->parts += (uint64_t)passed * per_minute;
    if (a->parts > most)
        a->parts = most;
    a->at_ms = now_ms;
    return (uint32_t)(a->parts / MINUTE_MS);
}

void allowance_use(struct allowance *a)
{
    ASSERT(a->parts >= MINUTE_MS);
    a->parts -= MINUTE_MS;
}
