/*
 * manage.c: the manage role: the policy, and the shells that change it.
 *
 * It takes: statements over control.sock (role/common/console.h), CONTROL_RELOAD from the supervisor, EVENTS from
 * the roles that talk to the network. It asks
 * directory (OBJECTS_*) and queue (QUEUE_LIST), blocking, and sends POLICY_SNAPSHOT to receive and queue and
 * CONTROL_BINDINGS to the supervisor.
 */
#include "role/common/denial.h"
#include "role/common/roles.h"
#include "role/common/state.h"
#include "role/manage/console_server.h"
#include "role/manage/denials.h"
#include "role/manage/events.h"
#include "role/manage/grants.h"
#include "role/manage/guard.h"
#include "role/manage/protocol_logs.h"
#include "role/manage/publish.h"
#include "role/manage/queue_remote.h"
#include "role/manage/remote_objects.h"
#include "runtime/log.h"

#include <stdlib.h>

static struct {
    struct node_settings node;
    struct object_store *policy, *recipients;
    struct guard guard;
    struct queue_remote queues;
    struct denials denials;
    struct admin admin;
    struct publish publish;
    struct console_server *console;
    bool ready;
} manage;

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

static void publish(void *context)
{
    struct role *role = context;
    publish_update(&manage.publish);
    protocol_logs_configure(manage.policy);
    if (!manage.ready && manage.publish.sound) {
        manage.ready = true;
        role_ready(role);
    }
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
    if (peer == ROLE_RECEIVE || peer == ROLE_QUEUE)
        publish_send(&manage.publish, peer, link);
}

static void on_control(struct role *role, struct frame *f)
{
    struct err err = {0};
    if (f->type != CONTROL_RELOAD)
        role_bad_frame(ROLE_KINDS, f, "not expected by manage");
    else if (load_node(role, &err))
        log_text(LOG_ERROR, "reload-failed", "%s", err.text);
}

static void on_drain(struct role *role)
{
    console_server_close(manage.console);
    manage.console = NULL;
    protocol_logs_close();
    denials_close();
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
    guard_init(&manage.guard, manage.policy, manage.recipients, publish_check, &manage.publish);
    queue_remote_init(&manage.queues, &role->call_fds[ROLE_QUEUE]);
    return ERR_NONE;
}

static enum err_code start(struct role *role, struct err *err)
{
    enum err_code code = open_stores(role, err);
    if (!code)
        code = admin_init(&manage.admin, err);
    if (!code)
        code = load_node(role, err);
    if (!code)
        code = protocol_logs_open(role, err);
    if (code)
        return code;
    denials_open(role);
    grants_open(role);
    denials_init(&manage.denials, role->state);
    manage.admin.context.policy = &manage.guard.policy.store;
    manage.admin.context.recipients = &manage.guard.recipients.store;
    manage.admin.context.queues = &manage.queues.view;
    manage.admin.context.denials = &manage.denials.view;
    manage.admin.context.usage = grants_view();
    code = console_server_open(&role->loop, role->state, &manage.admin, publish, role, &manage.console, err);
    if (!code)
        publish(role);
    return code;
}

static const char *const state_paths[] = {"", NULL};
static const char *const system_paths[] = {"/dev/urandom", NULL};

const struct role_main manage_role = {.kind = ROLE_MANAGE,
                                      .start = start,
                                      .on_frame = on_frame,
                                      .on_link = on_link,
                                      .on_control = on_control,
                                      .on_drain = on_drain,
                                      .state_paths = state_paths,
                                      .system_paths = system_paths};
