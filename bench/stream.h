/*
 * stream.h: a non-blocking connection, in clear or with TLS, and the epoll that it is registered with.
 * Level-triggered; writing is watched only while something could not be written.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <openssl/ssl.h>

enum { STREAM_OUT_MAX = 4 << 20 };

enum stream_state {
    STREAM_OK,
    STREAM_AGAIN, /* wait for the next event */
    STREAM_ENDED, /* the peer closed, or the connection broke */
};

struct stream {
    int fd, epoll;
    SSL *ssl;
    struct buf out;
    bool watching_out;
    void *owner; /* what events on it bring back */
};

/* A monotonic clock, nanoseconds. */
uint64_t stream_now(void);

/* Takes over fd (non-blocking) and watches it; on failure the fd is closed. */
NODISCARD enum err_code stream_open(struct stream *s, int epoll, int fd, void *owner, struct err *err);
/* Closes at once, without a TLS good-bye. Safe on a closed one. */
void stream_close(struct stream *s);

/* Writes what is in s->out. OK: all of it. */
enum stream_state stream_flush(struct stream *s);
/* At most room bytes. OK: *ret_len > 0. */
enum stream_state stream_read(struct stream *s, char *at, size_t room, size_t *ret_len);
/* More may be read although the socket is silent. */
bool stream_has_more(const struct stream *s);

/* From here on the connection is TLS; session (or NULL) is resumed by a client. False when out of memory. */
NODISCARD bool stream_start_tls(struct stream *s, SSL_CTX *ctx, bool server, SSL_SESSION *session);
enum stream_state stream_handshake(struct stream *s);

/*
 * TLS 1.2 and later. A client verifies nothing (it measures). A server needs both files. Offers and takes tickets
 * only with resume.
 */
NODISCARD enum err_code stream_client_context(bool resume, SSL_CTX **ret, struct err *err);
NODISCARD enum err_code stream_server_context(const char *certificate, const char *key, SSL_CTX **ret,
                                              struct err *err);
