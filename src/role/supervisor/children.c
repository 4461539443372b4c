/*
 * children.c: starting the roles, joining them, starting anew what dies.
 *
 * Invariants: a child is its own binary executed again (/proc/self/exe, so an upgrade on disk does not mix
 * versions) with one descriptor, 3, its control link; everything else it gets through that. When a child starts,
 * every link it takes part in is made anew and both sides get their end. A child that dies is started again after a
 * back-off that doubles from BACKOFF_FIRST_MS to BACKOFF_LAST_MS and is forgotten after it has lived for STABLE_MS.
 * While stopping nothing is started anew, and the others are asked to drain only when neither receive nor pickup is
 * left: one that hangs costs its own sessions, not the deliveries under way.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKOFF_FIRST_MS = 100, BACKOFF_LAST_MS = 10000, STABLE_MS = 30000 };
/* The second is longer than what queue and deliver take for themselves (15 s). */
enum { DRAIN_RECEIVE_MS = 25000, DRAIN_OTHERS_MS = 20000 };

/* Which roles are joined, and for what. `receive` stands for each receive process. */
static const struct {
    enum role_kind a, b;
    enum link_purpose purpose;
} joints[] = {
    {ROLE_RECEIVE, ROLE_DIRECTORY, LINK_WORK}, {ROLE_RECEIVE, ROLE_QUEUE, LINK_WORK},
    {ROLE_RECEIVE, ROLE_MANAGE, LINK_WORK},    {ROLE_QUEUE, ROLE_DIRECTORY, LINK_WORK},
    {ROLE_QUEUE, ROLE_DELIVER, LINK_WORK},     {ROLE_QUEUE, ROLE_MANAGE, LINK_WORK},
    {ROLE_DELIVER, ROLE_MANAGE, LINK_WORK},    {ROLE_MANAGE, ROLE_QUEUE, LINK_CALL},
    {ROLE_MANAGE, ROLE_DIRECTORY, LINK_CALL},  {ROLE_PICKUP, ROLE_QUEUE, LINK_WORK},
    {ROLE_PICKUP, ROLE_MANAGE, LINK_WORK},
};

static void child_start(struct child *c);

static void send_link(struct child *to, const struct child *peer, enum link_purpose purpose, int fd)
{
    struct buf b;
    buf_init(&b, 64);
    put_u8(&b, (uint8_t)peer->kind);
    put_u32(&b, peer->index);
    put_u8(&b, (uint8_t)purpose);
    if (b.failed || link_send(to->control, CONTROL_LINK, 0, buf_span(&b), &fd, 1))
        log_text(LOG_ERROR, "link-failed", "%s did not get its link to %s", role_name(to->kind),
                 role_name(peer->kind));
    buf_done(&b);
}

static void join(struct child *a, struct child *b, enum link_purpose purpose)
{
    int fds[2];
    struct err err = {0};
    if (!a->running || !b->running)
        return;
    if (frame_pair(fds, &err)) {
        log_text(LOG_ERROR, "link-failed", "%s", err.text);
        return;
    }
    send_link(a, b, purpose, fds[0]);
    send_link(b, a, purpose, fds[1]);
    close(fds[0]);
    close(fds[1]);
}

/* Makes every link of a child that has just started, to those peers that run. */
static void join_all(struct child *c)
{
    struct supervisor *s = c->supervisor;
    for (size_t j = 0; j < ARRAY_LEN(joints); j++)
        for (size_t i = 0; i < s->child_count; i++) {
            struct child *other = &s->children[i];
            if (joints[j].a == c->kind && joints[j].b == other->kind)
                join(c, other, joints[j].purpose);
            else if (joints[j].b == c->kind && joints[j].a == other->kind)
                join(other, c, joints[j].purpose);
        }
}

static void on_child_frame(void *context, struct frame *f)
{
    struct child *c = context;
    if (f->type == CONTROL_READY && !c->ready) {
        c->ready = true;
        supervisor_check_ready(c->supervisor);
    } else if (f->type == CONTROL_BINDINGS && c->kind == ROLE_MANAGE) {
        supervisor_on_bindings(c->supervisor, f->body);
    } else if (!pressure_on_frame(c->supervisor, c, f)) {
        role_bad_frame(c->kind, f, "not expected by the supervisor");
    }
}

static void on_child_link_lost(void *context)
{
    struct child *c = context;
    c->control = NULL; /* its exit follows, and is handled there */
}

static void on_restart(uv_timer_t *t)
{
    struct child *c = t->data;
    if (!c->supervisor->stopping)
        child_start(c);
}

static bool any_running(const struct supervisor *s, enum role_kind kind)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].running && (kind == ROLE_KINDS || s->children[i].kind == kind))
            return true;
    return false;
}

/* What brings new mail: receive processes and pickup end first, so that whatever they have taken is stored. */
static bool is_entrance(const struct child *c)
{
    return c->kind == ROLE_RECEIVE || c->kind == ROLE_PICKUP;
}

static bool any_entrance(const struct supervisor *s)
{
    return any_running(s, ROLE_RECEIVE) || any_running(s, ROLE_PICKUP);
}

static void child_kill(struct child *c)
{
    log_text(LOG_WARNING, "role-killed", "%s %u did not end when it was asked to", role_name(c->kind), c->index);
    c->supervisor->killed = true;
    uv_process_kill(&c->process, SIGKILL);
}

void children_drain_over(struct supervisor *s)
{
    bool entrances = any_entrance(s);
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].running && is_entrance(&s->children[i]) == entrances)
            child_kill(&s->children[i]);
}

static void on_drain_over(uv_timer_t *t)
{
    children_drain_over(t->data);
}

static void stop_others(struct supervisor *s)
{
    if (any_entrance(s))
        return;
    uv_timer_start(&s->drain, on_drain_over, DRAIN_OTHERS_MS, 0);
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];
        if (c->running && c->control && link_send(c->control, CONTROL_DRAIN, 0, SPAN(""), NULL, 0))
            child_kill(c);
    }
}

static void on_process_closed(uv_handle_t *h)
{
    struct child *c = h->data;
    struct supervisor *s = c->supervisor;
    c->running = false;
    if (s->stopping) {
        if (is_entrance(c))
            stop_others(s);
        if (!any_running(s, ROLE_KINDS))
            supervisor_children_gone(s);
        return;
    }
    c->backoff_ms =
        clock_mono_ms() - c->started_ms >= STABLE_MS || !c->backoff_ms ? BACKOFF_FIRST_MS : c->backoff_ms * 2;
    if (c->backoff_ms > BACKOFF_LAST_MS)
        c->backoff_ms = BACKOFF_LAST_MS;
    uv_timer_start(&c->restart, on_restart, (uint64_t)c->backoff_ms, 0);
}

/* Signals that a bug raises, or the sandbox. */
static bool is_fault(int signal_number)
{
    static const int faults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (faults[i] == signal_number)
            return true;
    return false;
}

static void tell_queue(struct supervisor *s, enum role_kind dead)
{
    const char body = (char)dead;
    children_tell(s, ROLE_QUEUE, CONTROL_FAULT, span_make(&body, 1));
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *c = process->data;
    c->fault = is_fault(signal_number);
    if (c->fault && c->kind == ROLE_DELIVER)
        tell_queue(c->supervisor, ROLE_DELIVER);
    struct log_line l = log_begin(c->supervisor->stopping ? LOG_INFO : LOG_ERROR, "role-ended");
    log_str(&l, "ended", role_name(c->kind));
    log_int(&l, "index", c->index);
    log_int(&l, "status", status);
    log_int(&l, "signal", signal_number);
    log_end(&l);
    c->ready = false;
    link_close(c->control);
    c->control = NULL;
    if (c->kind == ROLE_RECEIVE)
        counting_forget(c->supervisor, c);
    uv_close((uv_handle_t *)process, on_process_closed);
}

static void send_config(struct child *c)
{
    const struct supervisor *s = c->supervisor;
    struct buf b;
    buf_init(&b, 4096);
    put_u32(&b, c->index);
    put_u32(&b, s->receivers);
    put_bytes(&b, span_of(s->state));
    put_bool(&b, s->user.change);
    put_u32(&b, (uint32_t)s->user.uid);
    put_u32(&b, (uint32_t)s->user.gid);
    put_bytes(&b, span_of(s->user.name));
    supervisor_put_node(s, &b);
    ASSERT(!b.failed);
    if (link_send(c->control, CONTROL_CONFIG, 0, buf_span(&b), NULL, 0))
        log_text(LOG_ERROR, "role-failed", "%s cannot be configured", role_name(c->kind));
    buf_done(&b);
}

static int spawn(struct child *c, int control_fd)
{
    char title[64];
    snprintf(title, sizeof title, "mailreeve: %s", role_name(c->kind));
    char *args[] = {title, NULL};
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
        {.flags = UV_INHERIT_FD, .data.fd = control_fd},
    };
    uv_process_options_t options = {
        .exit_cb = on_process_exit, .file = "/proc/self/exe", .args = args, .stdio_count = 4, .stdio = stdio};
    c->process.data = c;
    return uv_spawn(&c->supervisor->loop, &c->process, &options);
}

static void child_start(struct child *c)
{
    struct supervisor *s = c->supervisor;
    int fds[2], rc;
    struct err err = {0};
    c->started_ms = clock_mono_ms();
    if (frame_pair(fds, &err)) {
        log_text(LOG_ERROR, "role-failed", "%s", err.text);
        uv_timer_start(&c->restart, on_restart, BACKOFF_LAST_MS, 0);
        return;
    }
    rc = spawn(c, fds[1]);
    close(fds[1]);
    if (rc < 0) {
        log_text(LOG_ERROR, "role-failed", "cannot start %s: %s", role_name(c->kind), uv_strerror(rc));
        close(fds[0]);
        uv_timer_start(&c->restart, on_restart, BACKOFF_LAST_MS, 0);
        return;
    }
    c->running = true;
    c->control = link_open(&s->loop, fds[0], on_child_frame, on_child_link_lost, c);
    if (!c->control) {
        uv_process_kill(&c->process, SIGKILL);
        return;
    }
    send_config(c);
    metering_hand_over(s, c);
    if (c->fault && c->kind == ROLE_QUEUE)
        tell_queue(s, ROLE_QUEUE);
    if (c->kind == ROLE_RECEIVE)
        counting_hand_over(s, c);
    if (c->kind == ROLE_RECEIVE || c->kind == ROLE_PICKUP || c->kind == ROLE_QUEUE || c->kind == ROLE_MANAGE)
        pressure_hand_over(s, c);
    if (c->kind == ROLE_RECEIVE || c->kind == ROLE_DELIVER)
        keys_hand_over(s, c);
    keytab_hand_over(s, c);
    join_all(c);
    if (c->kind == ROLE_MANAGE)
        certificate_calls_open(s, c);
    if (c->kind == ROLE_RECEIVE)
        listeners_hand_over(s, c);
    if (c->kind == ROLE_RECEIVE)
        submit_hand_over(s, c);
}

static void child_add(struct supervisor *s, enum role_kind kind, uint32_t index)
{
    struct child *c = &s->children[s->child_count++];
    *c = (struct child){.supervisor = s, .kind = kind, .index = index};
    uv_timer_init(&s->loop, &c->restart);
    c->restart.data = c;
}

enum err_code children_start(struct supervisor *s, struct err *err)
{
    for (unsigned kind = 0; kind < ROLE_KINDS; kind++)
        for (uint32_t i = 0; i < (kind == ROLE_RECEIVE ? s->receivers : 1); i++)
            child_add(s, (enum role_kind)kind, i);
    for (size_t i = 0; i < s->child_count; i++) {
        child_start(&s->children[i]);
        if (!s->children[i].running)
            return err_set(err, ERR_IO, "cannot start the %s process", role_name(s->children[i].kind));
    }
    return ERR_NONE;
}

void children_stop(struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        uv_timer_stop(&s->children[i].restart);
    if (!any_running(s, ROLE_KINDS))
        supervisor_children_gone(s);
    else if (any_entrance(s)) {
        uv_timer_start(&s->drain, on_drain_over, DRAIN_RECEIVE_MS, 0);
        children_tell(s, ROLE_RECEIVE, CONTROL_DRAIN, SPAN(""));
        children_tell(s, ROLE_PICKUP, CONTROL_DRAIN, SPAN(""));
    } else
        stop_others(s);
}

bool children_all_ready(const struct supervisor *s)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (!s->children[i].ready)
            return false;
    return true;
}

void children_tell(struct supervisor *s, enum role_kind kind, uint16_t type, struct span body)
{
    for (size_t i = 0; i < s->child_count; i++) {
        struct child *c = &s->children[i];
        if (c->running && c->control && (kind == ROLE_KINDS || c->kind == kind) &&
            link_send(c->control, type, 0, body, NULL, 0))
            log_text(LOG_ERROR, "control-failed", "%s does not take control messages", role_name(c->kind));
    }
}
