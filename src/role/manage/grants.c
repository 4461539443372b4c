/*
 * grants.c: see grants.h. Invariant: the timer runs exactly while something is not written; so the file is written
 * once a second at most.
 */
#include "role/manage/grants.h"

#include "base/num.h"
#include "role/common/grant_usage.h"
#include "role/manage/events.h"
#include "runtime/log.h"

enum { SAVE_MS = 1000 };

static struct {
    struct grant_usage usage;
    const char *state;
    uv_timer_t timer;
    bool dirty, failing;
} grants;

static void save(void)
{
    struct err err = {0};
    if (!grants.dirty)
        return;
    grants.dirty = false;
    bool failed = grant_usage_save(&grants.usage, grants.state, &err);
    if (failed && !grants.failing) /* once, not every second of a full disk */
        log_text(LOG_ERROR, "grants-not-kept", "%s; LastUsed and UseCount will be lost with this process",
                 err.text);
    grants.failing = failed;
}

static void on_timer(uv_timer_t *t)
{
    (void)t;
    save();
}

static void take(void *context, const struct event *e)
{
    uint64_t count;
    (void)context;
    if (!num_parse_u64(e->field[GRANT_COUNT], UINT32_MAX, &count) || count == 0)
        return;
    grant_usage_note(&grants.usage, e->field[GRANT_ENTRY], count, e->at_ms);
    if (!grants.dirty)
        uv_timer_start(&grants.timer, on_timer, SAVE_MS, 0);
    grants.dirty = true;
}

void grants_open(struct role *role)
{
    struct err err = {0};
    grants.state = role->state;
    grant_usage_init(&grants.usage);
    if (grant_usage_load(&grants.usage, role->state, &err))
        log_text(LOG_ERROR, "grants-not-read", "%s; LastUsed and UseCount begin anew", err.text);
    uv_timer_init(&role->loop, &grants.timer);
    uv_unref((uv_handle_t *)&grants.timer);
    events_subscribe(EVENT_GRANT_USED, take, NULL, NULL);
}

void grants_close(void)
{
    events_subscribe(EVENT_GRANT_USED, NULL, NULL, NULL);
    save();
    grant_usage_done(&grants.usage);
}

struct grant_usage_view *grants_view(void)
{
    return &grants.usage.view;
}
