/*
 * test_server.h: an SMTP or LMTP server for tests, on the test's own loop. It answers as a server does, except
 * where a rule says otherwise, and notes what it was told.
 */
#pragma once

#include "base/buf.h"
#include "tls/tls.h"

#include <uv.h>

struct test_rule {
    const char *at; /* "connect", a verb, "dot" */
    /* without CRLF; NULL: silence; "CLOSE": close; to STARTTLS: "GARBAGE" (220, then no TLS), "MUTE" (220, then
     * nothing) */
    const char *reply;
    unsigned uses; /* 0: always; otherwise only so often */
    unsigned skip; /* not the first so many times */
};

struct test_server {
    uv_loop_t *loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } listener;
    bool local, lmtp;
    uint16_t port;
    struct tls_context *tls;
    const char *extensions; /* further EHLO lines, separated by blanks; AUTH=PLAIN means "AUTH PLAIN" */
    struct test_rule rules[6];
    struct test_peer *peers;
    unsigned connections, messages;
    struct buf said; /* commands, one a line; "(tls)" where TLS began; content is not in it */
    struct buf body; /* of the last message as it came, with its dots */
};

/* Listens on 127.0.0.1, or on a unix socket when path is not NULL. Aborts when it cannot. */
void test_server_start(struct test_server *s, uv_loop_t *loop, const char *path);
void test_server_stop(struct test_server *s);
/* A server TLS context for localhost with a certificate made for it, in PEM in *ret_trust (to be freed by
 * buf_done). */
struct tls_context *test_server_tls(struct tls_identity **ret_identity, struct buf *ret_trust);
