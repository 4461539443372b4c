/*
 * listener.c: sockets in, sessions out.
 *
 * Invariant: accepting stops when the process is out of descriptors and goes on a little later, so that a flood of
 * connections cannot make the loop spin. libuv calls back again and again as long as accepting fails and the handle
 * is open, and its own way out needs to open a file, which this process may not. So the handle is closed, while
 * `spare`, a duplicate that is taken when there are descriptors, keeps the socket and its backlog.
 */
#include "role/receive/listener.h"

#include "base/cursor.h"
#include "base/ip.h"
#include "role/receive/session.h"
#include "runtime/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTENERS_MAX = 1024, BACKLOG = 4096, ACCEPT_PAUSE_MS = 100, ACCEPT_SAID_MS = 10000 };

struct listener {
    uv_tcp_t tcp;
    uv_timer_t pause;
    int handles; /* not closed yet */
    int spare;   /* the socket once more */
    bool open;   /* tcp is, and is not closing */
    bool removed;
    uint64_t said; /* when the log was told last */
    struct role *role;
    char endpoint[IP_ENDPOINT_TEXT_MAX];
};

static struct listener *listeners[LISTENERS_MAX];
static size_t listener_count;
static bool accepting;

static void on_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    if (--l->handles == 0)
        free(l);
}

static void on_connection(uv_stream_t *stream, int status);

static void begin(struct listener *l)
{
    int rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (rc < 0)
        log_text(LOG_ERROR, "listen-failed", "%s: %s", l->endpoint, uv_strerror(rc));
}

/* Takes over the socket, unless there is no descriptor for the duplicate. */
static bool listener_open(struct listener *l, int fd)
{
    int spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (spare < 0)
        return false;
    uv_tcp_init(&l->role->loop, &l->tcp);
    l->tcp.data = l;
    l->handles++;
    if (uv_tcp_open(&l->tcp, fd) < 0) {
        close(spare);
        uv_close((uv_handle_t *)&l->tcp, on_closed);
        return false;
    }
    l->spare = spare;
    l->open = true;
    return true;
}

static void on_pause_over(uv_timer_t *t)
{
    struct listener *l = t->data;
    if (listener_open(l, l->spare))
        begin(l);
    else
        uv_timer_start(&l->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

static void on_left(uv_handle_t *h)
{
    struct listener *l = h->data;
    if (!l->removed)
        uv_timer_start(&l->pause, on_pause_over, ACCEPT_PAUSE_MS, 0);
    on_closed(h);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    if (status < 0) {
        uint64_t now = uv_now(stream->loop);
        if (!l->said || now - l->said >= ACCEPT_SAID_MS) {
            log_text(LOG_ERROR, "accept-failed", "%s: %s", l->endpoint, uv_strerror(status));
            l->said = now;
        }
        l->open = false;
        uv_close((uv_handle_t *)&l->tcp, on_left);
        return;
    }
    session_accept(l->role, stream);
}

static void listener_close(struct listener *l)
{
    l->removed = true;
    if (l->spare >= 0)
        close(l->spare);
    if (l->open)
        uv_close((uv_handle_t *)&l->tcp, on_closed);
    l->open = false;
    uv_close((uv_handle_t *)&l->pause, on_closed);
}

void listener_add(struct role *role, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct span endpoint = cursor_bytes(&c, IP_ENDPOINT_TEXT_MAX - 1);
    struct listener *l =
        cursor_done(&c) && f->fd_count == 1 && listener_count < LISTENERS_MAX ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        role_bad_frame(ROLE_KINDS, f, "cannot take a listening socket");
        return;
    }
    l->role = role;
    l->spare = -1;
    memcpy(l->endpoint, endpoint.ptr, endpoint.len);
    uv_timer_init(&role->loop, &l->pause);
    l->pause.data = l;
    l->handles = 1;
    int fd = frame_take_fd(f, 0);
    if (!listener_open(l, fd)) {
        log_text(LOG_ERROR, "listen-failed", "%s: the socket cannot be taken", l->endpoint);
        close(fd);
        listener_close(l);
        return;
    }
    listeners[listener_count++] = l;
    if (accepting)
        begin(l);
}

void listener_remove(struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct span endpoint = cursor_bytes(&c, IP_ENDPOINT_TEXT_MAX - 1);
    for (size_t i = 0; cursor_done(&c) && i < listener_count; i++)
        if (span_eq(endpoint, span_of(listeners[i]->endpoint))) {
            listener_close(listeners[i]);
            listeners[i] = listeners[--listener_count];
            return;
        }
}

void listeners_open(void)
{
    if (accepting)
        return;
    accepting = true;
    for (size_t i = 0; i < listener_count; i++)
        begin(listeners[i]);
}

void listeners_close_all(void)
{
    accepting = false;
    while (listener_count)
        listener_close(listeners[--listener_count]);
}
