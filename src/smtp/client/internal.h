/* internal.h: what the files of the client machine share. Private to src/smtp/client. */
#pragma once

#include "smtp/client/client.h"
#include "smtp/client/reply.h"

enum client_phase {
    PHASE_GREETING,
    PHASE_HELLO,
    PHASE_STARTTLS,
    PHASE_TLS, /* the driver's handshake */
    PHASE_AUTH,
    PHASE_IDLE,
    PHASE_ENVELOPE, /* RSET, MAIL, RCPT and DATA: see transaction.c */
    PHASE_BODY,
    PHASE_END,
    PHASE_QUIT,
    PHASE_CLOSED,
    PHASES,
};

enum client_capability {
    CAN_PIPELINING = 1 << 0,
    CAN_SIZE = 1 << 1,
    CAN_8BITMIME = 1 << 2,
    CAN_BINARYMIME = 1 << 3,
    CAN_CHUNKING = 1 << 4,
    CAN_SMTPUTF8 = 1 << 5,
    CAN_DSN = 1 << 6,
    CAN_STARTTLS = 1 << 7,
    CAN_AUTH_PLAIN = 1 << 8,
    CAN_AUTH_LOGIN = 1 << 9,
    CAN_REQUIRETLS = 1 << 10,
};

enum recipient_state { RCPT_PENDING, RCPT_SKIPPED, RCPT_ACCEPTED, RCPT_DECIDED };

struct smtp_client {
    struct smtp_client_options options;
    const struct smtp_client_output *output;
    void *context;
    enum client_phase phase;
    int64_t now, deadline;
    struct client_reply_parser parser;
    struct buf out;    /* commands of this call, sent together at its end */
    struct buf text;   /* of the result being reported */
    char enhanced[16]; /* the same */
    unsigned capabilities;
    uint64_t size_limit; /* of SIZE; 0: none stated */
    bool helo;           /* the last greeting was HELO */
    unsigned auth_step;

    bool message_given; /* from smtp_client_send to done or failed */
    struct smtp_client_message message;
    uint8_t *states; /* enum recipient_state of each recipient */
    size_t states_cap;
    size_t accepted;                    /* recipients in RCPT_ACCEPTED */
    size_t sent, answered, outstanding; /* transaction.c */
    bool mail_refused, mail_accepted, data_sent;
    bool rset_needed; /* the server may still hold the last transaction */
    size_t end_next;  /* LMTP: recipient whose final reply comes next */

    bool chunking;            /* the body goes by BDAT */
    size_t chunks_unanswered; /* BDAT commands but the last */
    bool line_start, held_cr; /* body.c */
    bool hidden;              /* what is written now was shown in other words */
};

/* client.c */
void smtp_client_enter(struct smtp_client *c, enum client_phase phase);
/* Restarts the deadline of the phase. */
void smtp_client_rearm(struct smtp_client *c);
/* Writes what was gathered: before every other action. */
void smtp_client_write_out(struct smtp_client *c);
/* The same at the end of a call, and breaks the session when a command did not fit into memory. */
void smtp_client_flush(struct smtp_client *c);
enum smtp_client_stage smtp_client_stage_now(const struct smtp_client *c);

/* show.c: for `line` of the actions; nothing where that is not wanted */
void smtp_client_show_sent(struct smtp_client *c, struct span lines);
void smtp_client_show_reply(struct smtp_client *c, const struct client_reply *r);
/* As it is, or as AUTH PLAIN and LOGIN send it. */
bool smtp_client_repeats_password(const struct smtp_client *c, struct span text);

/* outcome.c: results, and the ways a message and a session end */
struct smtp_client_result smtp_client_from_reply(struct smtp_client *c, const struct client_reply *r,
                                                 enum smtp_client_stage stage);
struct smtp_client_result smtp_client_from_cause(struct smtp_client *c, enum smtp_client_cause cause,
                                                 enum smtp_client_outcome outcome, const char *enhanced,
                                                 struct span text);
void smtp_client_decide(struct smtp_client *c, size_t recipient, const struct smtp_client_result *result);
/* All recipients that are not decided yet; only those that the server accepted. */
void smtp_client_decide_rest(struct smtp_client *c, const struct smtp_client_result *result);
void smtp_client_decide_accepted(struct smtp_client *c, const struct smtp_client_result *result);
/* Reports done and makes the session idle. */
void smtp_client_finish(struct smtp_client *c);
/* Nothing more can be said on this connection: the message ends with this result, then close(). */
void smtp_client_break(struct smtp_client *c, const struct smtp_client_result *result);
/* The same for something the server should not have said. */
void smtp_client_break_protocol(struct smtp_client *c, const char *what);

/* hello.c, auth.c: up to PHASE_IDLE */
void smtp_client_on_greeting(struct smtp_client *c, const struct client_reply *r);
void smtp_client_on_hello(struct smtp_client *c, const struct client_reply *r);
void smtp_client_on_starttls(struct smtp_client *c, const struct client_reply *r);
void smtp_client_say_hello(struct smtp_client *c);
/* Refuses to use this server: failed(), QUIT, close(). */
void smtp_client_refuse(struct smtp_client *c, const struct smtp_client_result *result);
void smtp_client_auth(struct smtp_client *c);
void smtp_client_on_auth(struct smtp_client *c, const struct client_reply *r);
/* The server promised REQUIRETLS, under TLS. */
bool smtp_client_can_require_tls(const struct smtp_client *c);
/* The session is ready: begins the message that waits, or rests. */
void smtp_client_ready(struct smtp_client *c);

/* transaction.c */
void smtp_client_begin(struct smtp_client *c);
enum smtp_client_stage smtp_client_envelope_stage(const struct smtp_client *c);
void smtp_client_on_envelope(struct smtp_client *c, const struct client_reply *r);
void smtp_client_on_end(struct smtp_client *c, const struct client_reply *r);

/* body.c */
void smtp_client_begin_body(struct smtp_client *c);
void smtp_client_on_body(struct smtp_client *c, const struct client_reply *r);
