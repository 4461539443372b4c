/* denials.c: see denials.h. */
#include "role/manage/denials.h"

#include "role/common/denial.h"
#include "role/manage/events.h"
#include "runtime/log.h"
#include "store/ring/ring.h"

#include <sys/stat.h>

static struct ring *ring;

static void take(void *context, const struct event *e)
{
    struct buf b;
    struct err err = {0};
    static bool failing;
    (void)context;
    buf_init(&b, 2 * RING_RECORD_MAX);
    denial_put(&b, e);
    bool failed = b.failed || ring_add(ring, e->field[DENIAL_CODE], buf_span(&b), &err);
    if (failed && !failing) /* once, not for each of a flood */
        log_text(LOG_ERROR, "denial-not-kept", "%s", b.failed ? "out of memory" : err.text);
    failing = failed;
    buf_done(&b);
}

void denials_open(const struct role *role)
{
    char path[1400], folder[1400];
    struct err err = {0};
    if (!role_state_path(role, "log", folder, sizeof folder) || !denials_path(role->state, path, sizeof path))
        return;
    mkdir(folder, 0750); /* where it is there already, or cannot be made, opening says so */
    if (ring_open(path, DENIALS_KEPT, &ring, &err)) {
        log_text(LOG_ERROR, "denials-not-kept", "%s; codes of refusals cannot be looked up", err.text);
        return;
    }
    events_subscribe(EVENT_DENIAL, take, NULL, NULL);
}

void denials_close(void)
{
    events_subscribe(EVENT_DENIAL, NULL, NULL, NULL);
    ring_close(ring);
    ring = NULL;
}
