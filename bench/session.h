/*
 * session.h: one SMTP client session of the generator, driven by events, and what all sessions share: the orders,
 * the tally, the measured times.
 */
#pragma once

#include "histogram.h"
#include "ledger.h"
#include "message.h"
#include "options.h"
#include "stream.h"

enum { SESSION_IN_MAX = 4096, REPLY_CODES = 600 };

/* What happened, over all sessions. Each message that was begun ends in one of the first three. */
struct tally {
    uint64_t acknowledged, refused, unknown; /* unknown: the connection ended between the dot and its answer */
    uint64_t recipients_refused;
    uint64_t opened, failed; /* sessions; failed: before their first MAIL */
    uint64_t resumed;
    uint64_t closed_by_server;   /* idle sessions that did not last */
    uint64_t codes[REPLY_CODES]; /* refusals by reply code */
    char first_refusal[256];
};

struct load {
    const struct options *options;
    int epoll;
    SSL_CTX *tls;
    SSL_SESSION *ticket; /* the newest, to be resumed */
    char address[16];
    uint16_t port;
    struct buf auth; /* the AUTH command */
    uint64_t next;   /* number of the next message */
    uint64_t until;  /* stream_now() from which no message is begun; UINT64_MAX: never */
    size_t arriving; /* sessions before their first MAIL, or before they are held */
    size_t held;     /* idle sessions that are up */
    struct tally tally;
    struct histogram connect, handshake, dot;
    struct ledger acknowledged;
};

enum phase {
    PHASE_CLOSED,
    PHASE_TLS_FIRST, /* the handshake of implicit TLS */
    PHASE_BANNER,
    PHASE_EHLO,
    PHASE_STARTTLS,
    PHASE_TLS,
    PHASE_EHLO_TLS,
    PHASE_AUTH,
    PHASE_ENVELOPE, /* MAIL, RCPT, DATA */
    PHASE_DOT,
    PHASE_RESET,
    PHASE_IDLE,
    PHASE_QUIT,
};

struct session {
    struct load *load;
    struct stream stream;
    enum phase phase;
    uint64_t began;          /* connect(), handshake or final dot: what is being timed */
    uint64_t messages;       /* of this connection */
    uint64_t number;         /* of the message in hand */
    uint64_t said, answered; /* commands of the envelope: 0 is MAIL, 1..n RCPT, n+1 DATA */
    uint64_t recipients_taken;
    bool refused;
    struct message_out content;
    size_t in_len;
    char in[SESSION_IN_MAX];
};

/* Whether no further message is to be begun. */
bool session_no_more(const struct load *load);
/* Connects. False (counted as failed) when the system refuses at once. */
NODISCARD bool session_open(struct session *s, struct load *load);
/* An event; afterwards phase says whether it is over (PHASE_CLOSED). */
void session_event(struct session *s);
/* The deadline or the end: closes, and counts what was in hand. */
void session_give_up(struct session *s);
