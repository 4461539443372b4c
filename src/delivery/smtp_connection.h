/*
 * smtp_connection.h: one connection to an SMTP or LMTP server: socket, TLS and the client machine. It carries one
 * message after another, each for an owner (a task); between two it rests in the engine's pool. Private to
 * delivery.
 */
#pragma once

#include "base/ip.h"
#include "delivery/hop_tls.h"
#include "delivery/internal.h"
#include "smtp/client/client.h"
#include "tls/tls.h"

/* Where to, and how. Everything is copied. */
struct smtp_target {
    struct span key;  /* connections with the same key serve the same jobs */
    struct span host; /* the name: for TLS and the report; of a unix socket its path */
    bool local;       /* a unix socket */
    struct ip_endpoint endpoint;
    bool lmtp, force_helo, auth_without_tls;
    struct hop_tls hop;
    struct span helo_name, user;
    struct span own_name; /* a host that says it has this name is refused: it is we; empty: it may */
    const struct secret *password;
    int64_t inactivity_ms; /* 0: the engine's timeouts */
    struct span log_name;  /* empty: not logged */
};

/* What is sent: borrowed until done or failed, or smtp_connection_abandon. */
struct smtp_load {
    uint64_t id; /* the message's, for the protocol log */
    struct smtp_client_message message;
    struct span front; /* instead of the body's first body_from octets */
    uint64_t body_from;
    struct span body; /* when body_fd is negative */
    int body_fd;
    uint64_t size;           /* of what the descriptor has */
    const struct span *pins; /* as the destination has them */
    size_t pin_count;
    /* HOP_PROOF_DANE: the host's TLSA records, and the name that they belong to. */
    const struct tls_tlsa *tlsa;
    size_t tlsa_count;
    struct span tlsa_base, next_hop_domain;
};

/* Calls to the owner. Of done and failed exactly one comes; then the connection is not its own. */
struct smtp_owner {
    void (*result)(void *owner, size_t recipient, const struct smtp_client_result *result);
    void (*done)(void *owner);
    /* No recipient is decided. tls_broke: TLS began and did not come about, so that it may do without. */
    void (*failed)(void *owner, const struct delivery_result *result, bool tls_broke);
};

struct smtp_connection;

/* True for what can stand behind EHLO: printable ASCII without blanks, not empty. */
bool smtp_connection_name_valid(struct span name);

/* Begins to connect; NULL when it cannot even begin, with the reason in *ret_failure (its text static). */
struct smtp_connection *smtp_connection_open(struct delivery_engine *e, const struct smtp_target *target,
                                             const struct smtp_load *load, const struct smtp_owner *calls,
                                             void *owner, struct delivery_result *ret_failure);
/* Takes a resting connection with this key out of the pool, to be given to smtp_connection_send. NULL: there is
 * none. */
struct smtp_connection *smtp_connection_take(struct delivery_engine *e, struct span key);
/* Sends the load. The owner may be called from in here (but the engine's caller never is). */
void smtp_connection_send(struct smtp_connection *c, const struct smtp_load *load, const struct smtp_owner *calls,
                          void *owner);
/* The owner lets go: no call comes any more and the connection is closed. */
void smtp_connection_abandon(struct smtp_connection *c);
void smtp_connection_close_idle(struct delivery_engine *e);

/* Fills in the remote side's part of a report, copied into the arena. */
void smtp_connection_describe(const struct smtp_connection *c, struct arena *arena, struct delivery_report *ret);
