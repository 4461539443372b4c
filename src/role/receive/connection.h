/*
 * connection.h: one client's TCP connection on the loop, in the clear or under TLS. It moves bytes and knows
 * nothing of SMTP: what arrives is offered to its owner, who takes as much as it can use now; the rest is kept, and
 * reading from the network stops until the owner wants more. An idle connection holds no buffer of its own.
 */
#pragma once

#include "base/ip.h"
#include "tls/tls.h"

#include <uv.h>

struct connection;

struct connection_owner {
    /* Plaintext has arrived; gives how many bytes were taken. Not called again before connection_resume if not all.
     */
    size_t (*input)(void *context, struct span bytes);
    /*
     * The first octets have come where a TLS handshake is due; nothing of them was used yet. True: they are none,
     * and the owner has said so in the clear and ended the connection. NULL: TLS is tried whatever they are.
     */
    bool (*no_handshake)(void *context, struct span first);
    /* The TLS handshake is done; plaintext follows. */
    void (*secured)(void *context);
    /*
     * The client will say nothing more (TCP's end, or close_notify), and all that it said was taken. It may still
     * read: the owner writes what is due, then calls connection_close. Comes once, and never during a handshake.
     */
    void (*input_ended)(void *context);
    /*
     * The connection is over: after connection_close, or by the peer during a handshake (reason NULL), or by an
     * error (a sentence). The last call that the owner gets; the connection is freed afterwards.
     */
    void (*closed)(void *context, const char *reason);
};

/* What of a client's output may wait; a client that does not read its replies is cut off. */
enum { CONNECTION_OUTPUT_MAX = 256 * 1024 };

/*
 * Accepts a waiting connection of the listening stream. NULL when there is none or it broke already. Endpoints are
 * filled in. No callback runs before connection_begin.
 */
struct connection *connection_accept(uv_stream_t *listener, const struct connection_owner *owner, void *context,
                                     struct ip_endpoint *ret_local, struct ip_endpoint *ret_remote);
/*
 * A program of this machine that came by a UNIX socket: its user, as the kernel says. Its remote endpoint is the
 * loopback address then, both ports are 0.
 */
bool connection_local_user(const struct connection *c, uint32_t *ret_uid);
/*
 * Starts reading; with a TLS context the handshake comes first (implicit TLS). Once more, with a TLS context, by an
 * owner that has taken a header in the clear: the handshake comes behind it, and begins with what is kept.
 */
void connection_begin(struct connection *c, struct tls_context *tls);
/*
 * From the next byte on everything is TLS (STARTTLS): output written before goes out in the clear first; kept
 * plaintext input is thrown away, its length is the result.
 */
size_t connection_start_tls(struct connection *c, struct tls_context *tls);
/* Queues output; it goes out at once where the socket takes it. */
void connection_write(struct connection *c, struct span bytes);
/* The owner can use input again: kept bytes are offered (from within this call), then reading goes on. */
void connection_resume(struct connection *c);
/*
 * Flushes what is queued, ends TLS properly, closes. `closed` is called later, never from within: as late as the
 * client likes, when it does not read; the owner bounds that with connection_abort.
 */
void connection_close(struct connection *c);
/* Closes without sending anything more; `closed` is called later with the reason, a literal. */
void connection_abort(struct connection *c, const char *reason);
/* True while a TLS handshake is under way: nothing can be said to the client. */
bool connection_handshaking(const struct connection *c);
/* Facts of the TLS session; only after `secured`. */
struct tls_info connection_tls(const struct connection *c);
bool connection_fingerprint(const struct connection *c, struct buf *out);
/* The TLS session itself, for what tls.h has to say of both certificates. */
const struct tls_conn *connection_peer(const struct connection *c);
