/*
 * fact_keeper.c: facts from events into the file, in one transaction a second. The timer runs exactly while one is
 * open. A file that cannot be written is said in the log once, until it can again.
 */
#include "role/manage/fact_keeper.h"

#include "role/common/fact.h"
#include "role/manage/events.h"
#include "runtime/clock.h"
#include "runtime/log.h"

enum { COMMIT_MS = 1000 };

static struct {
    struct facts *facts;
    struct facts_reader reader;
    uv_timer_t timer;
    bool failing;
} keeper;

static void note(enum err_code code, const struct err *err)
{
    if (code && !keeper.failing)
        log_text(LOG_ERROR, "facts-not-kept", "%s; Get-ClientInventory lacks what clients do meanwhile", err->text);
    keeper.failing = code != ERR_NONE;
}

static void on_timer(uv_timer_t *t)
{
    struct err err = {0};
    (void)t;
    note(facts_commit(keeper.facts, clock_wall_ms(), &err), &err);
}

static void take(void *context, const struct event *e)
{
    struct fact f;
    struct err err = {0};
    (void)context;
    if (!fact_of_event(e, &f))
        return;
    enum err_code code = facts_add(keeper.facts, &f, &err);
    if (code)
        note(code, &err);
    if (!uv_is_active((uv_handle_t *)&keeper.timer))
        uv_timer_start(&keeper.timer, on_timer, COMMIT_MS, 0);
}

void fact_keeper_open(struct role *role)
{
    char path[1400];
    struct err err = {0};
    facts_reader_init(&keeper.reader, role->state);
    if (!facts_path(role->state, path, sizeof path))
        return;
    if (facts_open(path, &keeper.facts, &err)) {
        log_text(LOG_ERROR, "facts-not-kept", "%s; Get-ClientInventory shows nothing new", err.text);
        return;
    }
    keeper.reader.open = keeper.facts;
    uv_timer_init(&role->loop, &keeper.timer);
    events_subscribe(EVENT_FACT, take, NULL, NULL);
}

struct fact_view *fact_keeper_view(void)
{
    return &keeper.reader.view;
}

void fact_keeper_close(void)
{
    events_subscribe(EVENT_FACT, NULL, NULL, NULL);
    facts_close(keeper.facts);
    keeper.facts = keeper.reader.open = NULL;
}
