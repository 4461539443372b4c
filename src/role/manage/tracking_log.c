/*
 * tracking_log.c: entries from events into files (log_files.h), and steps of the index on a thread that yields to
 * everything else: mail is accepted on the same cores.
 *
 * Invariants: one step at a time. A step is begun when an earlier one has left work behind, and once in INDEX_MS
 * while entries come; a step finds out by itself what there is to do. The folder is changed between steps only.
 */
#include "role/manage/tracking_log.h"

#include "role/common/metrics.h"
#include "role/manage/events.h"
#include "role/manage/log_files.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "store/tracking/tracking.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { PATH_MAX_ = 1400, INDEX_MS = 10000, RETRY_MS = 60000, PROGRESS_MS = 5000, NICE = 10 };

static struct {
    struct role *role;
    char folder[PATH_MAX_];
    struct log_format format;
    struct log_files *files; /* NULL: not yet, or not enabled */
    bool subjects;

    uv_thread_t thread;
    uv_async_t stepped; /* the thread has ended */
    uv_timer_t timer;
    atomic_bool stop;
    bool working, failing;
    char work_folder[PATH_MAX_]; /* what the step works on */
    struct tracking_step step;
    enum err_code code;
    struct err err;
    /* Of steps that follow each other: what is said about them. */
    uint64_t rows, steps;
    int64_t begun_ms, said_ms;
} tracker = {.format = {"MSGTRK", "Message Tracking Log", NULL}};

/* ---- the index ---- */

static void begin_step(void);

static void say(const char *event, uint64_t left)
{
    struct log_line l = log_begin(LOG_NOTICE, event);
    log_str(&l, "folder", tracker.work_folder);
    log_int(&l, "entries", (int64_t)tracker.rows);
    log_int(&l, "bytes-left", (int64_t)left);
    log_int(&l, "ms", clock_mono_ms() - tracker.begun_ms);
    log_end(&l);
    tracker.said_ms = clock_mono_ms();
}

/* One file at its turn is not worth a line; many of them are a rebuild, which people wait for. */
static void follow(const struct tracking_step *s)
{
    tracker.rows += s->rows;
    tracker.steps += s->built;
    if (s->left && clock_mono_ms() - tracker.said_ms >= PROGRESS_MS)
        say("tracking-index-progress", s->left);
    else if (!s->left && tracker.steps > 1)
        say("tracking-index-made", 0);
}

static void run_step(void *context)
{
    (void)context;
    setpriority(PRIO_PROCESS, 0, NICE); /* the thread's own, on Linux */
    tracker.code = tracking_index_step(tracker.work_folder, &tracker.stop, &tracker.step, &tracker.err);
    uv_async_send(&tracker.stepped);
}

static void on_timer(uv_timer_t *t)
{
    (void)t;
    begin_step();
}

static void on_stepped(uv_async_t *a)
{
    (void)a;
    if (!tracker.working)
        return;
    uv_thread_join(&tracker.thread);
    tracker.working = false;
    if (atomic_load(&tracker.stop))
        return;
    if (tracker.code && !tracker.failing)
        log_text(LOG_ERROR, "tracking-index-failed", "%s; Get-MessageTrackingLog reads the files instead",
                 tracker.err.text);
    tracker.failing = tracker.code != ERR_NONE;
    if (!tracker.code)
        follow(&tracker.step);
    if (tracker.step.removed)
        log_text(LOG_DEBUG, "tracking-index-removed", "%zu indexes of files that are gone", tracker.step.removed);
    bool more = !tracker.code && tracker.step.built && tracker.step.left;
    if (more)
        begin_step();
    else
        uv_timer_start(&tracker.timer, on_timer, tracker.code ? RETRY_MS : INDEX_MS, 0);
}

static void begin_step(void)
{
    if (tracker.working || !tracker.folder[0])
        return;
    bool goes_on = tracker.step.built && tracker.step.left;
    if (!goes_on) {
        tracker.rows = tracker.steps = 0;
        tracker.begun_ms = tracker.said_ms = clock_mono_ms();
    }
    tracker.step = (struct tracking_step){0};
    memcpy(tracker.work_folder, tracker.folder, sizeof tracker.folder);
    tracker.working = uv_thread_create(&tracker.thread, run_step, NULL) == 0;
    if (!tracker.working)
        uv_timer_start(&tracker.timer, on_timer, RETRY_MS, 0);
}

/* ---- the files ---- */

static void take(void *context, const struct event *e)
{
    struct event copy = *e;
    (void)context;
    if (!tracker.files)
        return;
    if (!tracker.subjects)
        copy.field[TRACKING_MESSAGE_SUBJECT] = SPAN("");
    metric_add(METRIC_TRACKED, 1);
    log_files_add(tracker.files, copy.at_ms, copy.field, TRACKING_FIELDS);
}

static void flush(void *context)
{
    (void)context;
    if (tracker.files)
        log_files_flush(tracker.files);
}

void tracking_log_open(struct role *role)
{
    tracker.role = role;
    tracker.format.fields = tracking_columns;
    uv_timer_init(&role->loop, &tracker.timer);
    uv_async_init(&role->loop, &tracker.stepped, on_stepped);
    uv_unref((uv_handle_t *)&tracker.timer);
    uv_unref((uv_handle_t *)&tracker.stepped);
    events_subscribe(EVENT_TRACKING, take, flush, NULL);
}

static uint64_t size_of(const struct record *r, const char *property, int64_t otherwise)
{
    const struct value *v = record_get(r, span_of(property));
    return v && v->kind == VALUE_UNLIMITED ? UINT64_MAX : (uint64_t)record_int(r, span_of(property), otherwise);
}

/* Files in another folder, or none any more. */
static void move(const char *folder, bool enabled)
{
    bool same = strcmp(folder, tracker.folder) == 0;
    if (!same || !enabled) {
        log_files_free(tracker.files);
        tracker.files = NULL;
    }
    snprintf(tracker.folder, sizeof tracker.folder, "%s", folder);
    if (enabled && !tracker.files) {
        tracker.files = log_files_new(folder, &tracker.format);
        if (!tracker.files)
            log_text(LOG_ERROR, "tracking-not-kept", "out of memory; messages are not tracked");
    }
    if (!same)
        begin_step();
}

static void apply(const struct record *r)
{
    char path[PATH_MAX_];
    struct span below = record_string(r, SPAN("MessageTrackingLogPath"));
    below = below.len ? below : SPAN(TRACKING_FOLDER);
    int n = snprintf(path, sizeof path, "%s/%.*s", tracker.role->state, SPAN_ARG(below));
    if (n < 0 || (size_t)n >= sizeof path - 200) {
        log_text(LOG_ERROR, "tracking-not-kept", "the path of the folder is too long; messages are not tracked");
        return;
    }
    move(path, record_bool(r, SPAN("MessageTrackingLogEnabled"), true));
    tracker.subjects = record_bool(r, SPAN("MessageTrackingLogSubjectLoggingEnabled"), true);
    if (tracker.files)
        log_files_limit(
            tracker.files,
            &(struct log_limits){
                .file_bytes = size_of(r, "MessageTrackingLogMaxFileSize", 10 << 20),
                .folder_bytes = size_of(r, "MessageTrackingLogMaxDirectorySize", 250 << 20),
                .age_ms = record_int(r, SPAN("MessageTrackingLogMaxAge"), INT64_C(30) * 24 * 3600 * 1000),
            });
}

void tracking_log_configure(struct object_store *policy)
{
    struct arena a;
    struct record **servers;
    size_t count;
    arena_init(&a, 1 << 20);
    if (object_store_list(policy, SPAN("TransportServer"), &a, &servers, &count, NULL) == ERR_NONE && count == 1)
        apply(servers[0]);
    arena_clear(&a);
}

void tracking_log_close(void)
{
    events_subscribe(EVENT_TRACKING, NULL, NULL, NULL);
    atomic_store(&tracker.stop, true);
    uv_timer_stop(&tracker.timer);
    log_files_free(tracker.files);
    tracker.files = NULL;
}
