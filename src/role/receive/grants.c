/*
 * grants.c: see grants.h. Invariants: the timer runs exactly while something is gathered; the table is told and
 * emptied when it is full, so that it never grows and no use is lost here.
 */
#include "role/receive/grants.h"

#include "role/common/event_sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENTRIES_MAX = 256, ENTRY_LEN_MAX = 64, GATHER_MS = 1000 };

static struct {
    uv_timer_t timer;
    bool ready;
    struct {
        char id[ENTRY_LEN_MAX];
        size_t len;
        uint64_t count;
    } used[ENTRIES_MAX];
    size_t count;
} grants;

void grants_flush(void)
{
    for (size_t i = 0; i < grants.count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%" PRIu64, grants.used[i].count);
        event_send((struct event){.kind = EVENT_GRANT_USED,
                                  .field = {[GRANT_ENTRY] = span_make(grants.used[i].id, grants.used[i].len),
                                            [GRANT_COUNT] = span_of(number)}});
    }
    grants.count = 0;
}

static void on_timer(uv_timer_t *t)
{
    (void)t;
    grants_flush();
}

void grants_init(struct role *role)
{
    uv_timer_init(&role->loop, &grants.timer);
    uv_unref((uv_handle_t *)&grants.timer);
    grants.ready = true;
}

void grants_used(struct span entry)
{
    size_t i = 0;
    if (!grants.ready || !entry.len || entry.len > ENTRY_LEN_MAX)
        return;
    while (i < grants.count && !span_eq(span_make(grants.used[i].id, grants.used[i].len), entry))
        i++;
    if (i == ENTRIES_MAX) {
        grants_flush();
        i = 0;
    }
    if (i == grants.count) {
        if (grants.count == 0)
            uv_timer_start(&grants.timer, on_timer, GATHER_MS, 0);
        memcpy(grants.used[i].id, entry.ptr, entry.len);
        grants.used[i].len = entry.len;
        grants.used[i].count = 0;
        grants.count++;
    }
    grants.used[i].count++;
}
