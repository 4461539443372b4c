/*
 * connection.c: libuv and the TLS engine under one session.
 *
 * Invariants: `kept` holds plaintext that the owner did not take, at most one read; while it is not empty the
 * socket is not read; so the end of input is seen only when all before it was taken, and nothing is read after it.
 * Output goes through one uv_write at a time, so bytes leave in the order they were queued.
 * Callbacks of the owner run from the loop or from connection_resume only, and check `closing` afterwards.
 */
#include "role/receive/connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_MAX = 64 * 1024 };

struct connection {
    uv_tcp_t tcp; /* a UNIX socket as well: as a stream they are the same to libuv */
    uv_write_t write;
    const struct connection_owner *owner;
    void *context;
    struct tls_conn *tls;
    struct buf kept;   /* plaintext not taken yet */
    struct buf out;    /* bytes for the socket, not handed to it yet */
    struct buf flight; /* bytes of the uv_write under way */
    bool reading, writing, secured, closing, ended, in_input;
    bool tls_heard;   /* something has come where TLS was due */
    bool input_ended; /* the client's end of TCP or TLS was seen */
    bool local;       /* a UNIX socket */
    uint32_t uid;     /* then: whose */
    const char *reason;
};

/* One for the process: libuv reads and we consume before the next read. */
static char read_buffer[READ_MAX];
static char plain_buffer[READ_MAX];

static void conn_flush(struct connection *c);
static void conn_end(struct connection *c, const char *reason);

static bool to_endpoint(const struct sockaddr_storage *a, struct ip_endpoint *ret)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        const uint8_t *b = (const uint8_t *)&in->sin_addr;
        *ret = (struct ip_endpoint){ip_v4(b[0], b[1], b[2], b[3]), ntohs(in->sin_port)};
        return true;
    }
    if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
        memcpy(ret->addr.bytes, &in6->sin6_addr, 16);
        ret->port = ntohs(in6->sin6_port);
        return true;
    }
    return false;
}

static void on_closed(uv_handle_t *h)
{
    struct connection *c = h->data;
    c->owner->closed(c->context, c->reason);
    tls_conn_free(c->tls);
    buf_done(&c->kept);
    buf_done(&c->out);
    buf_done(&c->flight);
    free(c);
}

/* The end, once: nothing is sent any more. */
static void conn_end(struct connection *c, const char *reason)
{
    if (c->ended)
        return;
    c->ended = c->closing = true;
    c->reason = reason;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* The other end of a UNIX socket; it has no address that says anything. */
static bool take_local(struct connection *c, struct ip_endpoint *ret_local, struct ip_endpoint *ret_remote)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    c->local = true;
    c->uid = peer.uid;
    *ret_local = *ret_remote = (struct ip_endpoint){ip_v4(127, 0, 0, 1), 0};
    return true;
}

static bool take_addresses(struct connection *c, struct ip_endpoint *ret_local, struct ip_endpoint *ret_remote)
{
    struct sockaddr_storage local, remote;
    int local_len = sizeof local, remote_len = sizeof remote;
    if (uv_tcp_getsockname(&c->tcp, (struct sockaddr *)&local, &local_len) < 0)
        return false;
    if (local.ss_family == AF_UNIX)
        return take_local(c, ret_local, ret_remote);
    return uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&remote, &remote_len) == 0 &&
           to_endpoint(&local, ret_local) && to_endpoint(&remote, ret_remote);
}

bool connection_local_user(const struct connection *c, uint32_t *ret_uid)
{
    if (c->local)
        *ret_uid = c->uid;
    return c->local;
}

struct connection *connection_accept(uv_stream_t *listener, const struct connection_owner *owner, void *context,
                                     struct ip_endpoint *ret_local, struct ip_endpoint *ret_remote)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    uv_tcp_init(listener->loop, &c->tcp);
    c->tcp.data = c;
    c->owner = owner;
    c->context = context;
    buf_init(&c->kept, READ_MAX);
    buf_init(&c->out, CONNECTION_OUTPUT_MAX);
    buf_init(&c->flight, CONNECTION_OUTPUT_MAX);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 || !take_addresses(c, ret_local, ret_remote)) {
        uv_close((uv_handle_t *)&c->tcp, (uv_close_cb)free); /* tcp is the first member */
        return NULL;
    }
    if (!c->local)
        uv_tcp_nodelay(&c->tcp, 1);
    return c;
}

static void give_buffer(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)h;
    (void)suggested;
    *buf = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void conn_read(struct connection *c, bool on)
{
    if (on == c->reading || c->ended || (on && c->input_ended))
        return;
    c->reading = on;
    if (on)
        uv_read_start((uv_stream_t *)&c->tcp, give_buffer, on_read);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

/* Offers plaintext; what is not taken is kept and stops the reading. */
static void offer(struct connection *c, struct span bytes)
{
    c->in_input = true;
    size_t taken = c->kept.len || c->closing ? 0 : c->owner->input(c->context, bytes);
    c->in_input = false;
    if (taken < bytes.len && !c->closing) {
        buf_add(&c->kept, span_from(bytes, taken));
        conn_read(c, false);
        if (c->kept.failed)
            conn_end(c, "out of memory");
    }
}

/* The client has ended its side. That is no reason to withhold the replies that it waits for. */
static void end_input(struct connection *c)
{
    if (c->closing || c->input_ended)
        return;
    ASSERT(c->kept.len == 0);
    conn_read(c, false);
    c->input_ended = true;
    if (connection_handshaking(c))
        conn_end(c, NULL);
    else
        c->owner->input_ended(c->context);
}

/* Reads plaintext out of the TLS engine as long as the owner takes it. */
static void pump_tls(struct connection *c)
{
    enum tls_status st = TLS_OK;
    if (!c->secured && tls_handshake_done(c->tls)) {
        c->secured = true;
        c->owner->secured(c->context);
    }
    while (!c->closing && !c->kept.len && c->secured) {
        size_t n = tls_read(c->tls, plain_buffer, sizeof plain_buffer, &st);
        if (n == 0)
            break;
        offer(c, span_make(plain_buffer, n));
    }
    conn_flush(c);
    if (!c->closing && !c->kept.len && st == TLS_CLOSED)
        end_input(c);
    else if (!c->closing && st == TLS_FAILED)
        conn_end(c, tls_error(c->tls));
}

static void input_tls(struct connection *c, struct span bytes)
{
    bool first = !c->tls_heard;
    c->tls_heard = true;
    if (c->closing || (first && c->owner->no_handshake && c->owner->no_handshake(c->context, bytes)))
        return;
    enum tls_status st = tls_input(c->tls, bytes);
    pump_tls(c);
    if (st == TLS_FAILED && !c->ended) {
        conn_flush(c); /* the alert */
        conn_end(c, tls_error(c->tls));
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (n == UV_EOF) {
        end_input(c);
    } else if (n < 0) {
        conn_end(c, uv_strerror((int)n));
    } else if (n > 0 && !c->tls) {
        offer(c, span_make(buf->base, (size_t)n));
        conn_flush(c);
    } else if (n > 0) {
        input_tls(c, span_make(buf->base, (size_t)n));
    }
}

void connection_begin(struct connection *c, struct tls_context *tls)
{
    if (tls) {
        c->tls = tls_accept_new(tls);
        if (!c->tls) {
            conn_end(c, "out of memory");
            return;
        }
        struct buf taken = c->kept; /* behind what the owner took, the handshake */
        buf_init(&c->kept, READ_MAX);
        if (taken.len)
            input_tls(c, buf_span(&taken));
        buf_done(&taken);
    }
    if (!c->kept.len)
        conn_read(c, true);
}

size_t connection_start_tls(struct connection *c, struct tls_context *tls)
{
    size_t dropped = c->kept.len;
    buf_done(&c->kept);
    buf_init(&c->kept, READ_MAX);
    c->tls = tls_accept_new(tls);
    if (!c->tls)
        conn_end(c, "out of memory");
    return dropped;
}

static void on_written(uv_write_t *w, int status)
{
    struct connection *c = w->data;
    c->writing = false;
    buf_done(&c->flight);
    buf_init(&c->flight, CONNECTION_OUTPUT_MAX);
    if (status < 0)
        conn_end(c, uv_strerror(status));
    else
        conn_flush(c);
}

/* Hands queued bytes to the socket: at once where it takes them, by a uv_write otherwise. */
static void conn_flush(struct connection *c)
{
    if (c->ended)
        return;
    if (c->tls)
        tls_output(c->tls,
                   &c->out); /* also while a write is under way, so that one bound holds for all that waits */
    if (c->out.failed) {
        conn_end(c, "the client does not read its replies");
        return;
    }
    if (c->writing)
        return;
    if (c->out.len) {
        uv_buf_t b = uv_buf_init(c->out.ptr, (unsigned)c->out.len);
        int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
        if (n > 0)
            buf_consume(&c->out, (size_t)n);
        else if (n < 0 && n != UV_EAGAIN) {
            conn_end(c, uv_strerror(n));
            return;
        }
    }
    if (c->out.len) {
        struct buf swap = c->flight;
        c->flight = c->out;
        c->out = swap;
        c->write.data = c;
        c->writing = true;
        uv_buf_t b = uv_buf_init(c->flight.ptr, (unsigned)c->flight.len);
        if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) < 0)
            conn_end(c, "cannot write");
    } else {
        buf_done(&c->out); /* idle connections hold no buffer */
        buf_init(&c->out, CONNECTION_OUTPUT_MAX);
        if (c->closing)
            conn_end(c, NULL);
    }
}

void connection_write(struct connection *c, struct span bytes)
{
    if (c->ended)
        return;
    if (c->tls && c->secured)
        tls_write(c->tls, bytes);
    else
        buf_add(&c->out, bytes);
    if (!c->in_input || c->out.len > READ_MAX)
        conn_flush(c);
}

void connection_resume(struct connection *c)
{
    if (c->closing)
        return;
    if (c->kept.len) {
        struct buf taken = c->kept;
        buf_init(&c->kept, READ_MAX);
        offer(c, buf_span(&taken));
        buf_done(&taken);
    }
    conn_flush(c);
    if (c->closing || c->kept.len)
        return;
    if (c->tls)
        pump_tls(c);
    if (!c->closing && !c->kept.len)
        conn_read(c, true);
}

void connection_close(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    conn_read(c, false);
    if (c->tls && c->secured)
        tls_shutdown(c->tls);
    conn_flush(c);
}

void connection_abort(struct connection *c, const char *reason)
{
    conn_end(c, reason);
}

bool connection_handshaking(const struct connection *c)
{
    return c->tls && !c->secured;
}

struct tls_info connection_tls(const struct connection *c)
{
    return tls_info(c->tls);
}

const struct tls_conn *connection_peer(const struct connection *c)
{
    return c->tls;
}

bool connection_fingerprint(const struct connection *c, struct buf *out)
{
    return tls_peer_fingerprint(c->tls, out);
}
