/*
 * stream.c: sockets, OpenSSL on them, epoll. Output is gathered in one buffer and written in as few calls as the
 * peer's window allows; a write that would block is finished when epoll says so.
 */
#include "stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t stream_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

enum err_code stream_open(struct stream *s, int epoll, int fd, void *owner, struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = owner};
    *s = (struct stream){.fd = fd, .epoll = epoll, .watching_out = true, .owner = owner};
    buf_init(&s->out, STREAM_OUT_MAX);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return ERR_NONE;
    int why = errno;
    close(fd);
    s->fd = -1;
    return err_errno(err, why, "watching a connection");
}

void stream_close(struct stream *s)
{
    if (s->ssl) {
        /* else OpenSSL takes the missing good-bye for an attack and spoils the ticket */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(s->ssl);
    }
    if (s->fd >= 0)
        close(s->fd);
    buf_done(&s->out);
    s->ssl = NULL;
    s->fd = -1;
}

static void watch_out(struct stream *s, bool on)
{
    if (s->watching_out == on)
        return;
    struct epoll_event event = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = s->owner};
    if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->fd, &event) == 0)
        s->watching_out = on;
}

static enum stream_state tls_state(struct stream *s, int result)
{
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_WRITE: watch_out(s, true); return STREAM_AGAIN;
    case SSL_ERROR_WANT_READ: return STREAM_AGAIN;
    default: return STREAM_ENDED;
    }
}

static enum stream_state write_some(struct stream *s, struct span from, size_t *ret_len)
{
    if (s->ssl) {
        ERR_clear_error();
        int r = SSL_write_ex(s->ssl, from.ptr, from.len, ret_len);
        return r == 1 ? STREAM_OK : tls_state(s, r);
    }
    ssize_t n = send(s->fd, from.ptr, from.len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        watch_out(s, true);
        return STREAM_AGAIN;
    }
    *ret_len = n > 0 ? (size_t)n : 0;
    return n > 0 ? STREAM_OK : STREAM_ENDED;
}

enum stream_state stream_flush(struct stream *s)
{
    enum stream_state state = STREAM_OK;
    size_t done = 0;
    ASSERT(!s->out.failed);
    while (state == STREAM_OK && done < s->out.len) {
        size_t n = 0;
        state = write_some(s, span_from(buf_span(&s->out), done), &n);
        done += n;
    }
    buf_consume(&s->out, done);
    if (state == STREAM_OK)
        watch_out(s, false);
    return state;
}

enum stream_state stream_read(struct stream *s, char *at, size_t room, size_t *ret_len)
{
    if (s->ssl) {
        ERR_clear_error();
        int r = SSL_read_ex(s->ssl, at, room, ret_len);
        return r == 1 ? STREAM_OK : tls_state(s, r);
    }
    ssize_t n = recv(s->fd, at, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return STREAM_AGAIN;
    *ret_len = n > 0 ? (size_t)n : 0;
    return n > 0 ? STREAM_OK : STREAM_ENDED;
}

bool stream_has_more(const struct stream *s)
{
    return s->ssl && SSL_has_pending(s->ssl);
}

bool stream_start_tls(struct stream *s, SSL_CTX *ctx, bool server, SSL_SESSION *session)
{
    s->ssl = SSL_new(ctx);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
        return false;
    if (server)
        SSL_set_accept_state(s->ssl);
    else
        SSL_set_connect_state(s->ssl);
    return !session || SSL_set_session(s->ssl, session) == 1;
}

enum stream_state stream_handshake(struct stream *s)
{
    ERR_clear_error();
    int r = SSL_do_handshake(s->ssl);
    return r == 1 ? STREAM_OK : tls_state(s, r);
}

static enum err_code context(const SSL_METHOD *method, SSL_CTX **ret, struct err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(ctx);
        return err_set(err, ERR_NO_MEMORY, "no memory for TLS");
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF); /* as above: the ticket is still good */
    *ret = ctx;
    return ERR_NONE;
}

enum err_code stream_client_context(bool resume, SSL_CTX **ret, struct err *err)
{
    enum err_code code = context(TLS_client_method(), ret, err);
    if (code != ERR_NONE)
        return code;
    SSL_CTX_set_verify(*ret, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(*ret, resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                : SSL_SESS_CACHE_OFF);
    return ERR_NONE;
}

enum err_code stream_server_context(const char *certificate, const char *key, SSL_CTX **ret, struct err *err)
{
    SSL_CTX *ctx;
    enum err_code code = context(TLS_server_method(), &ctx, err);
    if (code != ERR_NONE)
        return code;
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        SSL_CTX_free(ctx);
        return err_set(err, ERR_INVALID, "%s and %s are not a certificate and its key in PEM", certificate, key);
    }
    *ret = ctx;
    return ERR_NONE;
}
