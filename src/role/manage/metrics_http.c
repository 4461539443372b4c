/*
 * metrics_http.c: libmicrohttpd without threads: its epoll descriptor is watched by the loop, and its next deadline
 * is a timer.
 */
#include "role/manage/metrics_http.h"

#include "role/common/metrics.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 256 * 1024 };

struct metrics_http {
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open; /* handles */
};

/* ---- a request ---- */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type, struct span body)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result reply_metrics(struct MHD_Connection *connection)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    metrics_print(&text, clock_wall_ms());
    if (text.failed)
        return reply(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", SPAN("out of memory\n"));
    return reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buf_span(&text));
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload, size_t *upload_size,
                                  void **state)
{
    static char head_seen;
    (void)context;
    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", SPAN("GET and HEAD only\n"));
    if (!*state) { /* a reply comes with the second call, behind the head */
        *state = &head_seen;
        return MHD_YES;
    }
    if (*upload_size)
        return MHD_NO; /* nobody asked for a body */
    if (strcmp(url, "/metrics") != 0)
        return reply(connection, MHD_HTTP_NOT_FOUND, "text/plain", SPAN("There is /metrics, and nothing else.\n"));
    return reply_metrics(connection);
}

__attribute__((format(printf, 2, 0))) static void on_error(void *context, const char *format, va_list args)
{
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, args);
    log_text(LOG_DEBUG, "console-http", "%.*s", (int)strcspn(text, "\r\n"), text);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *t);

static unsigned connections(struct metrics_http *h)
{
    return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/*
 * At its limit of connections the library does not listen, and when some of them end it begins to again in its next
 * run only: for which nothing would wake it.
 */
static void run(struct metrics_http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    unsigned before;
    do {
        before = connections(h);
        MHD_run(h->daemon);
    } while (connections(h) < before);
    if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
        uv_timer_start(&h->timer, on_timer, ms, 0);
    else
        uv_timer_stop(&h->timer);
}

static void on_timer(uv_timer_t *t)
{
    run(t->data);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    (void)status;
    (void)events;
    run(p->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct metrics_http *h = handle->data;
    if (--h->open == 0)
        free(h);
}

static struct MHD_Daemon *start_daemon(int fd)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, NULL,
                            MHD_OPTION_EXTERNAL_LOGGER, on_error, NULL,                           /* first */
                            MHD_OPTION_LISTEN_SOCKET, fd,                                         /* */
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_HTTP_CONNECTIONS,      /* */
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)METRICS_HTTP_REQUEST_MAX, /* */
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)METRICS_HTTP_SECONDS, MHD_OPTION_END);
}

enum err_code metrics_http_open(uv_loop_t *loop, int fd, struct metrics_http **ret, struct err *err)
{
    struct metrics_http *h = calloc(1, sizeof *h);
    const union MHD_DaemonInfo *info = NULL;
    if (h)
        h->daemon = start_daemon(fd);
    if (h && h->daemon)
        info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || uv_poll_init(loop, &h->poll, info->epoll_fd) < 0) {
        if (h && h->daemon)
            MHD_stop_daemon(h->daemon);
        else
            close(fd);
        free(h);
        return err_set(err, ERR_IO, "cannot serve HTTP on the console's socket");
    }
    uv_timer_init(loop, &h->timer);
    h->open = 2;
    h->poll.data = h->timer.data = h;
    uv_poll_start(&h->poll, UV_READABLE, on_ready);
    *ret = h;
    return ERR_NONE;
}

void metrics_http_close(struct metrics_http *h)
{
    if (!h)
        return;
    uv_poll_stop(&h->poll);
    MHD_stop_daemon(h->daemon);
    uv_close((uv_handle_t *)&h->poll, on_closed);
    uv_close((uv_handle_t *)&h->timer, on_closed);
}
