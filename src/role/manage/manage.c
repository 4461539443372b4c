/*
 * manage.c: the manage role: the policy, and the shells that change it.
 *
 * It takes: statements over control.sock (role/common/console.h), CONTROL_RELOAD, CONTROL_CALLS and
 * CONTROL_RESOURCES from the supervisor, EVENTS from the roles that talk to the network. It asks directory
 * (OBJECTS_*), queue (QUEUE_LIST) and the supervisor (CERTIFICATES_*), blocking, and sends POLICY_SNAPSHOT to
 * receive and queue, and CONTROL_BINDINGS and CONTROL_LIMITS to the supervisor.
 */
#include "role/common/denial.h"
#include "role/common/pressure_page.h"
#include "role/common/roles.h"
#include "role/common/state.h"
#include "role/common/tracking.h"
#include "role/manage/console_server.h"
#include "role/manage/denials.h"
#include "role/manage/events.h"
#include "role/manage/fact_keeper.h"
#include "role/manage/grants.h"
#include "role/manage/guard.h"
#include "role/manage/metrics_http.h"
#include "role/manage/protocol_logs.h"
#include "role/manage/publish.h"
#include "role/manage/queue_remote.h"
#include "role/manage/remote_certificates.h"
#include "role/manage/remote_objects.h"
#include "role/manage/tracking_log.h"
#include "runtime/log.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    struct node_settings node;
    struct object_store *policy, *recipients;
    struct guard guard;
    struct queue_remote queues;
    struct denials denials;
    struct tracking_reader tracking;
    struct metrics_http *metrics; /* NULL: there is no console */
    struct remote_certificates certificates;
    struct remote_keytab keytab;
    int supervisor; /* on which it is asked about certificates; -1: not yet */
    struct admin admin;
    struct publish publish;
    struct console_server *console;
    uv_timer_t rollback; /* when a policy's time to be confirmed is over */
    char own_name[64];   /* of the user that manage runs as */
    uid_t own_uid;
    bool ready;
} manage = {.supervisor = -1};

enum { ROLLBACK_RETRY_MS = 5000, ROLLBACK_WAIT_MAX_MS = 3600 * 1000 };

static enum err_code load_node(const struct role *role, struct err *err)
{
    enum err_code code = state_load(role->state, &manage.node, err);
    if (code)
        return code;
    struct cmdlet_context *c = &manage.admin.context;
    c->edge = manage.node.edge;
    c->host = span_of(manage.node.host);
    c->port_offset = manage.node.port_offset;
    return ERR_NONE;
}

/* ---- resources ---- */

static bool read_pressure(struct pressure_view *v UNUSED, struct pressure *ret)
{
    return pressure_page_read(ret);
}

static struct pressure_view pressure_view = {.read = read_pressure};

/* ---- policies on trial ---- */

static void on_rollback(uv_timer_t *timer);

/* Rolls back what is due, and waits for what will be: the clock of the wall may be set meanwhile. */
static void watch_pending(struct role *role)
{
    struct err err = {0};
    bool done = false;
    int64_t deadline = 0, now = manage.admin.context.now_ms(), wait;
    enum err_code code = admin_roll_back_due(&manage.admin, &done, &deadline, &err);
    if (code)
        log_text(LOG_ERROR, "policy-not-rolled-back", "%s", err.text);
    if (done)
        log_text(LOG_WARNING, "policy-rolled-back", "the policy that was applied was not confirmed in time");
    uv_timer_stop(&manage.rollback);
    wait = code ? ROLLBACK_RETRY_MS : deadline > now ? deadline - now : 1;
    if (code || deadline)
        uv_timer_start(&manage.rollback, on_rollback,
                       (uint64_t)(wait < ROLLBACK_WAIT_MAX_MS ? wait : ROLLBACK_WAIT_MAX_MS), 0);
    publish_update(&manage.publish);
    protocol_logs_configure(manage.policy);
    tracking_log_configure(manage.policy);
    if (!manage.ready && manage.publish.sound) {
        manage.ready = true;
        role_ready(role);
    }
}

static void on_rollback(uv_timer_t *timer)
{
    watch_pending(timer->data);
}

/* ---- the role ---- */

/* Behind each statement. */
static void after_statement(void *context)
{
    watch_pending(context);
}

static const char *name_of(void *context UNUSED, uid_t uid)
{
    static char text[32];
    if (uid == 0)
        return "root";
    if (uid == manage.own_uid && manage.own_name[0])
        return manage.own_name;
    snprintf(text, sizeof text, "uid %lu", (unsigned long)uid);
    return text;
}

/* While the file of the users can still be read. */
static enum err_code prepare(struct role *role, struct err *err UNUSED)
{
    manage.own_uid = role->user.change ? role->user.uid : geteuid();
    const struct passwd *user = getpwuid(manage.own_uid);
    if (user)
        snprintf(manage.own_name, sizeof manage.own_name, "%s", user->pw_name);
    return ERR_NONE;
}

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    (void)role;
    (void)index;
    (void)link;
    if (f->type == EVENTS && (peer == ROLE_RECEIVE || peer == ROLE_QUEUE || peer == ROLE_DELIVER))
        events_take(peer, f);
    else
        role_bad_frame(peer, f, "not expected by manage");
}

static void on_link(struct role *role, enum role_kind peer, uint32_t index, struct link *link)
{
    (void)role;
    (void)index;
    if (peer == ROLE_RECEIVE || peer == ROLE_QUEUE || peer == ROLE_PICKUP)
        publish_send(&manage.publish, peer, link);
}

static void serve_metrics(struct role *role, struct frame *f)
{
    struct err err = {0};
    metrics_http_close(manage.metrics);
    manage.metrics = NULL;
    if (metrics_http_open(&role->loop, frame_take_fd(f, 0), &manage.metrics, &err))
        log_text(LOG_ERROR, "console-failed", "%s", err.text);
}

static void on_control(struct role *role, struct frame *f)
{
    struct err err = {0};
    if (f->type == CONTROL_CONSOLE && f->fd_count == 1) {
        serve_metrics(role, f);
        return;
    }
    if (f->type == CONTROL_CALLS && f->fd_count == 1) {
        if (manage.supervisor >= 0)
            close(manage.supervisor);
        manage.supervisor = frame_take_fd(f, 0);
    } else if (f->type == CONTROL_RESOURCES) {
        pressure_page_take(f);
    } else if (f->type != CONTROL_RELOAD)
        role_bad_frame(ROLE_KINDS, f, "not expected by manage");
    else if (load_node(role, &err))
        log_text(LOG_ERROR, "reload-failed", "%s", err.text);
}

static void on_drain(struct role *role)
{
    uv_timer_stop(&manage.rollback);
    console_server_close(manage.console);
    metrics_http_close(manage.metrics);
    manage.console = NULL;
    manage.metrics = NULL;
    protocol_logs_close();
    tracking_log_close();
    denials_close();
    fact_keeper_close();
    grants_close();
    role_exit(role, EXIT_SUCCESS);
}

static enum err_code open_stores(struct role *role, struct err *err)
{
    char path[1200];
    if (!role_state_path(role, "policy.db", path, sizeof path))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    enum err_code code = object_store_sqlite_open(path, &manage.policy, err);
    if (code)
        return code;
    manage.recipients = remote_objects_new(&role->call_fds[ROLE_DIRECTORY]);
    if (!manage.recipients)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    publish_init(&manage.publish, role, manage.policy);
    struct trail *trail = &manage.admin.trail; /* below the guard: what it refuses is not written down */
    admin_watch(&manage.admin, manage.policy, manage.recipients, "mailreeve");
    guard_init(&manage.guard, &trail->policy.store, &trail->recipients.store, publish_check, &manage.publish);
    queue_remote_init(&manage.queues, &role->call_fds[ROLE_QUEUE]);
    return ERR_NONE;
}

static enum err_code start(struct role *role, struct err *err)
{
    enum err_code code = admin_init(&manage.admin, err);
    if (!code)
        code = open_stores(role, err);
    if (!code)
        code = load_node(role, err);
    if (!code)
        code = protocol_logs_open(role, err);
    if (code)
        return code;
    denials_open(role);
    fact_keeper_open(role);
    grants_open(role);
    tracking_log_open(role);
    denials_init(&manage.denials, role->state);
    tracking_reader_init(&manage.tracking, role->state);
    manage.admin.context.policy = &manage.guard.policy.store;
    manage.admin.context.recipients = &manage.guard.recipients.store;
    manage.admin.context.queues = &manage.queues.view;
    manage.admin.context.denials = &manage.denials.view;
    manage.admin.context.pressure = &pressure_view;
    manage.admin.context.facts = fact_keeper_view();
    manage.admin.context.usage = grants_view();
    manage.admin.context.tracking = &manage.tracking.view;
    manage.certificates.fd = &manage.supervisor;
    remote_keytab_init(&manage.keytab, &manage.certificates);
    manage.admin.context.keytab = &manage.keytab.view;
    manage.admin.context.certificates = certificate_store_new(&remote_certificates, &manage.certificates);
    if (!manage.admin.context.certificates)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    uv_timer_init(&role->loop, &manage.rollback);
    manage.rollback.data = role;
    code = console_server_open(&role->loop, role->state, &manage.admin, after_statement, name_of, role,
                               &manage.console, err);
    if (!code)
        watch_pending(role);
    return code;
}

static const char *const state_paths[] = {"", NULL};
static const char *const system_paths[] = {"/dev/urandom", NULL};

const struct role_main manage_role = {.kind = ROLE_MANAGE,
                                      .prepare = prepare,
                                      .start = start,
                                      .on_frame = on_frame,
                                      .on_link = on_link,
                                      .on_control = on_control,
                                      .on_drain = on_drain,
                                      .state_paths = state_paths,
                                      .system_paths = system_paths};
