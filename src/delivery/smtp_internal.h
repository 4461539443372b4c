/* smtp_internal.h: the connection as its files see it: smtp_connection.c, smtp_stream.c, smtp_pool.c. */
#pragma once

#include "delivery/smtp_connection.h"
#include "tls/tls.h"

enum connection_state {
    CONNECTION_CONNECTING,
    CONNECTION_TALKING,
    CONNECTION_CLOSING, /* what is written may still leave */
    CONNECTION_CLOSED,  /* the handles are closing */
};

enum connection_end { ENDED_NOT, ENDED_DONE, ENDED_FAILED };

struct smtp_connection {
    struct delivery_engine *engine;
    struct smtp_connection *idle_prev, *idle_next; /* in the pool */
    bool resting;                                  /* it is there */
    enum connection_state state;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    uv_timer_t timer;
    unsigned handles; /* not closed yet */
    uv_connect_t connect;
    uv_write_t write;
    int64_t deadline; /* of connecting, the TLS handshake, resting, closing; else the machine's counts */

    struct arena arena; /* the target's text */
    struct span key, host;
    bool local;
    struct hop_tls hop;
    struct ip_endpoint endpoint;
    struct secret password;
    struct smtp_client_options client_options;
    struct smtp_client *client;

    struct tls_conn *tls;
    bool tls_done;
    struct tls_outcome tls_outcome; /* when tls_done */

    bool writing;      /* `sending` is in flight */
    bool broken;       /* the socket is of no use any more */
    bool write_failed; /* TLS took no more */
    struct buf out, sending;

    struct smtp_load load;
    bool body_open; /* the machine wants the body */
    uint64_t body_at;
    unsigned messages; /* carried to their end */
    bool reused;

    struct smtp_log {
        struct span name, remote; /* name: of the connector; empty: the connection is not logged */
        char local[IP_ENDPOINT_TEXT_MAX];
        uint64_t session, rows;
        bool connected;
        const char *end; /* who ended it, where it was not we */
    } log;
    int64_t idle_ms; /* how long it may rest */

    const struct smtp_owner *calls;
    void *owner;
    bool tls_wanted, close_wanted; /* the machine's marks */
    enum connection_end ended;
    struct delivery_result failure;
    struct buf failure_text;
    char failure_enhanced[16];
    bool tls_broke;
};

/* smtp_connection.c */
int64_t smtp_connection_now(const struct smtp_connection *c);
/* Acts on the machine's marks: to be called after every call into it. */
void smtp_connection_after(struct smtp_connection *c);

/* smtp_stream.c: octets between the socket, TLS, the body and the machine */
const struct smtp_client_output *smtp_stream_actions(const struct smtp_connection *c);
int smtp_stream_start(struct smtp_connection *c); /* begins to read; 0 or a uv error */
void smtp_stream_start_tls(struct smtp_connection *c);
void smtp_stream_pump_body(struct smtp_connection *c);
/* Sends what waits, if the socket is free. False when it cannot be. */
bool smtp_stream_flush(struct smtp_connection *c);

/* smtp_log.c: rows of the protocol log; nothing where the connection is not logged */
/* False when memory is out. */
NODISCARD bool smtp_log_open(struct smtp_connection *c, struct span name);
void smtp_log_connected(struct smtp_connection *c);
void smtp_log_line(struct smtp_connection *c, bool sent, struct span shown);
void smtp_log_secured(struct smtp_connection *c);
/* Why the dialogue ends, where no line says so. */
void smtp_log_trouble(struct smtp_connection *c, struct span text);
void smtp_log_closed(struct smtp_connection *c);

/* smtp_peer.c */
/* A TLS session as the hop asks for it, the name being the server's. NULL: it cannot be, for the static reason. */
struct tls_conn *smtp_peer_connect(struct smtp_connection *c, struct span name, const char **ret_why);
/* Under TLS: what the server has proved, into tls_outcome. NULL; or what is wrong with the proof that the hop asks
 * for, in the connection's arena. */
const char *smtp_peer_check(struct smtp_connection *c);

/* What a policy in mode testing would refuse the hop for; NULL: nothing, or there is none. */
const char *smtp_peer_testing(const struct smtp_connection *c);

/* smtp_pool.c: connections that rest, the oldest first */
/* Adds one; gives the oldest when there are more than may rest now: the caller ends it. */
struct smtp_connection *smtp_pool_add(struct smtp_connection *c);
/* The youngest with this key (its peer is the least likely to have given up), out of the pool; or NULL. */
struct smtp_connection *smtp_pool_take(struct delivery_engine *e, struct span key);
void smtp_pool_remove(struct smtp_connection *c); /* nothing when it does not rest */
