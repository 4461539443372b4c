/*
 * role.c: the frame around every role.
 *
 * Invariants: no frame from a peer is read before the sandbox is entered; when the control link is gone the
 * supervisor is gone, and the role ends at once (what was acknowledged is durable; everything else its clients will
 * send again).
 */
#include "role/common/role.h"

#include "base/cursor.h"
#include "role/common/metrics.h"
#include "runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_FD = 3, PATHS_MAX = 16 };

/* What a link's callbacks need: the role and which peer is at the other end. */
struct peer {
    struct role *role;
    enum role_kind kind;
    uint32_t index;
    enum link_purpose purpose;
    struct link *link;
};

static struct peer peers[LINK_PURPOSES][ROLE_KINDS][ROLE_RECEIVE_MAX];

struct link *role_link(struct role *role, enum role_kind peer, uint32_t index)
{
    return index < ROLE_RECEIVE_MAX ? role->links[peer][index] : NULL;
}

struct role_asker role_asker(struct link *link, const struct frame *f)
{
    return (struct role_asker){link, link_serial(link), f->id, f->type};
}

static bool asker_lives(const struct role_asker *asker)
{
    for (size_t purpose = 0; purpose < LINK_PURPOSES; purpose++)
        for (size_t k = 0; k < ROLE_KINDS; k++)
            for (size_t i = 0; i < ROLE_RECEIVE_MAX; i++)
                if (peers[purpose][k][i].link && peers[purpose][k][i].link == asker->link)
                    return link_serial(asker->link) == asker->serial;
    return false;
}

void role_answer(const struct role_asker *asker, struct span head, struct span tail, const int *fds,
                 size_t fd_count)
{
    if (!asker_lives(asker))
        return;
    enum err_code code = link_send2(asker->link, asker->type | LINK_ANSWER, asker->id, head, tail, fds, fd_count);
    if (code && code != ERR_UNAVAILABLE)
        log_text(LOG_ERROR, "answer-lost", "an answer of type %d could not be sent: %s", asker->type,
                 err_code_name(code));
}

void role_bad_frame(enum role_kind peer, const struct frame *f, const char *why)
{
    struct log_line l = log_begin(LOG_ERROR, "bad-frame");
    log_str(&l, "peer", role_name(peer));
    log_int(&l, "type", f->type);
    log_str(&l, "why", why);
    log_end(&l);
}

void role_ready(struct role *role)
{
    if (link_send(role->control, CONTROL_READY, 0, SPAN(""), NULL, 0))
        role_exit(role, EXIT_FAILURE);
}

void role_exit(struct role *role, int status)
{
    role->exit_status = status;
    uv_stop(&role->loop);
}

bool role_state_path(const struct role *role, const char *name, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s/%s", role->state, name);
    return n > 0 && (size_t)n < cap;
}

static void on_peer_frame(void *context, struct frame *f)
{
    struct peer *p = context;
    p->role->main->on_frame(p->role, p->kind, p->index, p->link, f);
}

static void on_peer_lost(void *context)
{
    struct peer *p = context;
    p->link = NULL;
    if (p->purpose == LINK_WORK) {
        p->role->links[p->kind][p->index] = NULL;
        if (p->role->main->on_link)
            p->role->main->on_link(p->role, p->kind, p->index, NULL);
    }
}

/* The asking side of a LINK_CALL is manage; it calls on the bare descriptor. */
static bool asks_on_calls(const struct role *role)
{
    return role->main->kind == ROLE_MANAGE;
}

static void take_call_fd(struct role *role, enum role_kind kind, int fd)
{
    if (role->call_fds[kind] >= 0)
        close(role->call_fds[kind]);
    role->call_fds[kind] = fd;
}

static void take_link(struct role *role, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    enum role_kind kind = (enum role_kind)cursor_u8(&c);
    uint32_t index = cursor_u32(&c);
    enum link_purpose purpose = (enum link_purpose)cursor_u8(&c);
    if (!cursor_done(&c) || (unsigned)kind >= ROLE_KINDS || index >= ROLE_RECEIVE_MAX ||
        (unsigned)purpose >= LINK_PURPOSES || f->fd_count != 1) {
        role_bad_frame(ROLE_KINDS, f, "malformed link");
        return;
    }
    int fd = frame_take_fd(f, 0);
    if (purpose == LINK_CALL && asks_on_calls(role)) {
        take_call_fd(role, kind, fd);
        return;
    }
    struct peer *p = &peers[purpose][kind][index];
    link_close(p->link); /* the peer died and lives again: its old questions are lost */
    *p = (struct peer){role, kind, index, purpose, NULL};
    p->link = link_open(&role->loop, fd, on_peer_frame, on_peer_lost, p);
    if (purpose == LINK_WORK) {
        role->links[kind][index] = p->link;
        if (role->main->on_link)
            role->main->on_link(role, kind, index, p->link);
    }
}

static void on_control_lost(void *context)
{
    struct role *role = context;
    role->control = NULL;
    role_exit(role, EXIT_FAILURE);
}

/* What node.conf says and a reload may change. */
static bool take_node(struct role *role, struct cursor *c)
{
    struct span host = cursor_bytes(c, sizeof role->host - 1);
    bool debug = cursor_bool(c);
    struct span nameservers = cursor_bytes(c, sizeof role->nameservers - 1);
    struct span anchors = cursor_bytes(c, sizeof role->dnssec_anchors - 1);
    if (!cursor_done(c))
        return false;
    snprintf(role->dnssec_anchors, sizeof role->dnssec_anchors, "%.*s", SPAN_ARG(anchors));
    snprintf(role->host, sizeof role->host, "%.*s", SPAN_ARG(host));
    snprintf(role->nameservers, sizeof role->nameservers, "%.*s", SPAN_ARG(nameservers));
    log_set_threshold(debug ? LOG_DEBUG : LOG_INFO);
    return true;
}

static bool take_config(struct role *role, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    role->index = cursor_u32(&c);
    role->receive_count = cursor_u32(&c);
    struct span state = cursor_bytes(&c, sizeof role->state - 1);
    role->user.change = cursor_bool(&c);
    role->user.uid = cursor_u32(&c);
    role->user.gid = cursor_u32(&c);
    struct span user = cursor_bytes(&c, sizeof role->user.name - 1);
    if (!take_node(role, &c) || role->receive_count > ROLE_RECEIVE_MAX)
        return false;
    snprintf(role->state, sizeof role->state, "%.*s", SPAN_ARG(state));
    snprintf(role->user.name, sizeof role->user.name, "%.*s", SPAN_ARG(user));
    return true;
}

static bool take_reload(struct role *role, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    return take_node(role, &c);
}

static void take_metrics(struct role *role, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct err err = {0};
    uint32_t columns = cursor_u32(&c), own = cursor_u32(&c);
    if (!cursor_done(&c) || f->fd_count != 1) {
        role_bad_frame(ROLE_KINDS, f, "malformed memory of the metrics");
        return;
    }
    int fd = frame_take_fd(f, 0);
    if (metrics_attach(fd, columns, own, role->main->kind, &err))
        log_text(LOG_ERROR, "metrics-failed", "%s; what this process counts is not shown", err.text);
    close(fd);
}

static void on_control(void *context, struct frame *f)
{
    struct role *role = context;
    if (f->type == CONTROL_LINK)
        take_link(role, f);
    else if (f->type == CONTROL_METRICS)
        take_metrics(role, f);
    else if (f->type == CONTROL_DRAIN && role->main->on_drain)
        role->main->on_drain(role);
    else if (f->type == CONTROL_DRAIN)
        role_exit(role, EXIT_SUCCESS);
    else if (f->type == CONTROL_RELOAD && !take_reload(role, f))
        role_bad_frame(ROLE_KINDS, f, "malformed node settings");
    else if (role->main->on_control)
        role->main->on_control(role, f);
}

/* Reads the first control message, CONTROL_CONFIG, before there is a loop. */
static bool receive_config(struct role *role)
{
    static char buffer[FRAME_BUFFER];
    struct frame f;
    enum frame_status st;
    while ((st = frame_receive(CONTROL_FD, buffer, &f)) == FRAME_AGAIN) {
        struct pollfd p = {.fd = CONTROL_FD, .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return false;
    }
    return st == FRAME_OK && f.type == CONTROL_CONFIG && take_config(role, &f);
}

static enum err_code enter_sandbox(struct role *role, struct err *err)
{
    static char text[PATHS_MAX][1280];
    struct sandbox_path paths[PATHS_MAX];
    size_t n = 0;
    for (const char *const *p = role->main->state_paths; p && *p && n < PATHS_MAX; p++, n++) {
        snprintf(text[n], sizeof text[n], "%s/%s", role->state, *p);
        paths[n] = (struct sandbox_path){text[n], true};
    }
    for (const char *const *p = role->main->system_paths; p && *p && n < PATHS_MAX; p++)
        paths[n++] = (struct sandbox_path){*p, false};
    struct sandbox box = {&role->user, paths, n, role->main->sandbox_calls};
    struct sandbox_report report;
    enum err_code code = sandbox_enter(&box, &report, err);
    if (code)
        return code;
    struct log_line l = log_begin(LOG_INFO, "role-start");
    log_int(&l, "index", role->index);
    log_int(&l, "pid", getpid());
    log_str(&l, "user", role->user.change ? role->user.name : "unchanged");
    log_str(&l, "landlock", report.landlock ? "yes" : "no");
    log_str(&l, "seccomp", report.seccomp ? "yes" : "no");
    log_end(&l);
    return ERR_NONE;
}

/*
 * Before the sandbox, because a loop's first stream has libuv open a descriptor that it keeps in reserve for when
 * there are no more; inside it could not, and would try again for each connection.
 */
static enum err_code make_loop(struct role *role, struct err *err)
{
    static uv_tcp_t first;
    if (uv_loop_init(&role->loop) < 0 || uv_tcp_init(&role->loop, &first) < 0)
        return err_set(err, ERR_NO_MEMORY, "cannot make an event loop");
    uv_close((uv_handle_t *)&first, NULL);
    return ERR_NONE;
}

static void on_turn(uv_prepare_t *p)
{
    (void)p;
    log_flush();
}

/* A role's lines are written when its loop is about to wait. */
static void gather_log(struct role *role)
{
    static uv_prepare_t turn;
    uv_prepare_init(&role->loop, &turn);
    uv_prepare_start(&turn, on_turn);
    uv_unref((uv_handle_t *)&turn);
    log_gather();
}

static enum err_code role_begin(struct role *role, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (role->main->prepare)
        code = role->main->prepare(role, err);
    if (!code)
        code = make_loop(role, err);
    if (!code)
        code = enter_sandbox(role, err);
    if (code)
        return code;
    gather_log(role);
    role->control = link_open(&role->loop, CONTROL_FD, on_control, on_control_lost, role);
    if (!role->control)
        return err_set(err, ERR_NO_MEMORY, "cannot open the control link");
    return role->main->start(role, err);
}

int role_run(const struct role_main *main)
{
    static struct role role;
    role = (struct role){.main = main, .exit_status = -1};
    for (size_t i = 0; i < ROLE_KINDS; i++)
        role.call_fds[i] = -1;
    log_init(role_name(main->kind));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; the supervisor decides */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0 || !receive_config(&role)) {
        fprintf(stderr, "mailreeve: a role is started by `mailreeve serve` only\n");
        return 2;
    }
    struct err err = {0};
    if (role_begin(&role, &err)) {
        struct log_line l = log_begin(LOG_ERROR, "role-failed");
        log_err(&l, &err);
        log_end(&l);
        return EXIT_FAILURE;
    }
    while (role.exit_status < 0)
        uv_run(&role.loop, UV_RUN_DEFAULT);
    log_flush();
    return role.exit_status;
}
