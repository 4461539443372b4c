/*
 * pickup.c: the pickup role: mail that programs of this machine leave in files. A process of its own, because
 * reading files blocks, and because what it may touch is two folders and nothing else: neither the network's bytes
 * (receive) nor the queue (queue) share a process with what a local user has written.
 *
 * It takes: CONTROL_RESOURCES from the supervisor; POLICY_SNAPSHOT from manage; answers from queue. Files are
 * looked for every POLL_MS, and sooner where the kernel says that a folder has changed.
 */
#include "role/common/pressure_page.h"
#include "role/common/roles.h"
#include "role/pickup/allowance.h"
#include "role/pickup/message.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 5000,
    QUIET_MS = 50,      /* between the kernel's word of a change and the look */
    HOLD_MS = 2000,     /* without trying where it could not go on: until a poll behind that */
    ENTRIES_MAX = 4096, /* looked at in one turn */
    ACTIVE_MAX = 16,    /* messages under way */
    PATH_MAX_BYTES = 1300
};

/* A folder as it is watched. */
struct station {
    enum message_kind kind;
    char path[PATH_MAX_BYTES]; /* of the open folder; empty: none is */
    struct folder folder;
    struct allowance allowance;
    bool removed;          /* files, since the folder was flushed */
    int64_t hold_until_ms; /* the queue takes nothing now */
    uv_fs_event_t watch;
    bool watching;
    char complaint[sizeof((struct err *)0)->text]; /* logged once */
};

static struct {
    struct role *role;
    struct policy_ref *policy;
    struct station stations[2];
    uv_timer_t poll, soon;
    bool draining;
} pickup = {.stations = {{.kind = MESSAGE_PICKUP, .folder.fd = -1}, {.kind = MESSAGE_REPLAY, .folder.fd = -1}}};

static void on_soon(uv_timer_t *t);

/* Everybody asks to look again here. */
static void look_in(uint64_t ms)
{
    if (!pickup.draining && !uv_is_active((uv_handle_t *)&pickup.soon))
        uv_timer_start(&pickup.soon, on_soon, ms, 0);
}

/* ---- folders ---- */

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    (void)watch;
    (void)name;
    (void)events;
    if (status == 0)
        look_in(QUIET_MS);
}

static void shut(struct station *s)
{
    folder_close(&s->folder);
    s->path[0] = '\0';
    if (s->watching)
        uv_fs_event_stop(&s->watch);
    s->watching = false;
}

static void complain(struct station *s, const char *why)
{
    if (strcmp(s->complaint, why) == 0)
        return;
    snprintf(s->complaint, sizeof s->complaint, "%s", why);
    if (*why)
        log_text(LOG_ERROR, "pickup-folder", "it is not read: %s", why);
}

/* True when the folder that the policy names is open. */
static bool is_open(struct station *s)
{
    const struct transport_settings *t = policy_settings(policy_ref_policy(pickup.policy));
    struct span name = policy_text(policy_ref_policy(pickup.policy),
                                   s->kind == MESSAGE_PICKUP ? t->pickup_folder : t->replay_folder);
    char path[PATH_MAX_BYTES];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/%.*s", pickup.role->state, SPAN_ARG(name));
    if (s->path[0] && name.len && strcmp(path, s->path) == 0 && folder_is_current(&s->folder, path))
        return true;
    shut(s);
    if (!name.len)
        return false;
    if (folder_open(path, &s->folder, &err)) {
        complain(s, err.text);
        return false;
    }
    complain(s, "");
    snprintf(s->path, sizeof s->path, "%s", path);
    s->watching = uv_fs_event_start(&s->watch, on_change, path, 0) == 0;
    log_text(LOG_INFO, "pickup-folder", "%s is read%s", path, s->watching ? "" : ", every five seconds only");
    return true;
}

/* ---- files ---- */

/*
 * The one place that decides whether mail may come in this way now: what may not waits in its file. While resources
 * are short, the folders count as outside (policy/pressure.h).
 */
static bool may_take(const struct station *s)
{
    return clock_mono_ms() >= s->hold_until_ms && pressure_admits(pressure_page_level(), PRESSURE_FROM_OUTSIDE);
}

/*
 * Before more is taken: what a power cut brings back, and so sends twice, is no more than what was under way at one
 * time. One flush for all that were sent since the last look.
 */
static void flush(struct station *s)
{
    struct err err = {0};
    if (!s->removed)
        return;
    s->removed = false;
    if (folder_flush(&s->folder, &err))
        log_text(LOG_ERROR, "pickup-folder", "what was sent may be sent again after a power cut: %s", err.text);
}

static void finish(void)
{
    if (!pickup.draining || messages_active())
        return;
    for (size_t i = 0; i < ARRAY_LEN(pickup.stations); i++)
        if (pickup.stations[i].folder.dir)
            flush(&pickup.stations[i]);
    role_exit(pickup.role, EXIT_SUCCESS);
}

static void on_settled(void *context, bool again_later)
{
    struct station *s = context;
    if (again_later)
        s->hold_until_ms = clock_mono_ms() + HOLD_MS;
    s->removed = s->removed || !again_later;
    look_in(QUIET_MS); /* for more, and to flush */
    finish();
}

static void log_refused(const struct station *s, const char *name, const struct err *err)
{
    struct log_line l = log_begin(LOG_ERROR, err->code == ERR_INVALID ? "pickup-bad" : "pickup-deferred");
    log_str(&l, "folder", s->kind == MESSAGE_PICKUP ? "Pickup" : "Replay");
    log_str(&l, "file", name);
    log_str(&l, "why", err->text);
    log_end(&l);
}

/* False: no further now. */
static bool take(struct station *s, const char *name)
{
    struct folder_file file;
    struct err err = {0};
    const struct message_owner owner = {on_settled, s};
    enum err_code code = folder_claim(&s->folder, name, &file, &err);
    if (code == ERR_NOT_FOUND || code == ERR_EXISTS)
        return true;
    allowance_use(&s->allowance);
    if (code) {
        log_refused(s, name, &err);
        if (code != ERR_INVALID)
            s->hold_until_ms = clock_mono_ms() + HOLD_MS;
        return code == ERR_INVALID;
    }
    return message_start(pickup.role, pickup.policy, s->kind, &file, &owner) != NULL;
}

static void look(struct station *s)
{
    char name[FOLDER_NAME_MAX + 1];
    unsigned budget = ENTRIES_MAX;
    uint32_t rate = policy_settings(policy_ref_policy(pickup.policy))->pickup_rate;
    if (!is_open(s))
        return;
    flush(s);
    if (!may_take(s))
        return;
    enum folder_step step = FOLDER_FILE;
    while (messages_active() < ACTIVE_MAX && allowance_now(&s->allowance, rate, clock_mono_ms()) &&
           (step = folder_next(&s->folder, &budget, name)) == FOLDER_FILE)
        if (!take(s, name))
            return;
    if (step == FOLDER_LATER)
        look_in(QUIET_MS);
}

static void look_everywhere(void)
{
    for (size_t i = 0; !pickup.draining && i < ARRAY_LEN(pickup.stations); i++)
        look(&pickup.stations[i]);
}

static void on_soon(uv_timer_t *t)
{
    (void)t;
    look_everywhere();
}

static void on_poll(uv_timer_t *t)
{
    (void)t;
    look_everywhere();
}

/* ---- the role ---- */

static void on_policy(struct role *role, struct frame *f)
{
    struct err err = {0};
    bool first = !pickup.policy;
    if (policy_ref_publish(f, &err)) {
        struct log_line l = log_begin(LOG_ERROR, "policy-refused");
        log_err(&l, &err);
        log_end(&l);
        return;
    }
    policy_ref_drop(pickup.policy);
    pickup.policy = policy_ref_current();
    if (first) {
        role_ready(role);
        uv_timer_start(&pickup.poll, on_poll, POLL_MS, POLL_MS);
    }
    look_in(0);
}

static void on_control(struct role *role, struct frame *f)
{
    (void)role;
    if (f->type == CONTROL_RESOURCES)
        pressure_page_take(f);
    else if (f->type != CONTROL_RELOAD)
        role_bad_frame(ROLE_KINDS, f, "not expected by pickup");
}

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    (void)index;
    (void)link;
    if (peer == ROLE_MANAGE && f->type == POLICY_SNAPSHOT)
        on_policy(role, f);
    else
        role_bad_frame(peer, f, "not expected by pickup");
}

static void on_drain(struct role *role)
{
    (void)role;
    pickup.draining = true;
    uv_timer_stop(&pickup.poll);
    uv_timer_stop(&pickup.soon);
    messages_drain();
    finish();
}

static enum err_code start(struct role *role, struct err *err)
{
    (void)err;
    pickup.role = role;
    uv_timer_init(&role->loop, &pickup.poll);
    uv_timer_init(&role->loop, &pickup.soon);
    for (size_t i = 0; i < ARRAY_LEN(pickup.stations); i++)
        uv_fs_event_init(&role->loop, &pickup.stations[i].watch);
    return ERR_NONE; /* it serves when the first policy has come */
}

static const char *const state_paths[] = {"pickup", "replay", NULL};

const struct role_main pickup_role = {.kind = ROLE_PICKUP,
                                      .start = start,
                                      .on_frame = on_frame,
                                      .on_control = on_control,
                                      .on_drain = on_drain,
                                      .state_paths = state_paths};
