/*
 * client.h: the client's side of an SMTP (RFC 5321) or LMTP (RFC 2033) session, sans-I/O: the server's octets, the
 * body and the time go in; actions come out through a table of functions. Splitting the input at any octet gives
 * the same actions. Extensions used when offered: STARTTLS (3207), AUTH PLAIN and LOGIN (4954), PIPELINING (2920),
 * SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), DSN (3461), CHUNKING with BINARYMIME (3030),
 * REQUIRETLS (8689).
 *
 * One session carries one message after another. A message ends in exactly one of two ways:
 *   done    every recipient had its result() before;
 *   failed  the session was refused before MAIL was sent (greeting, EHLO, TLS, AUTH): no recipient is decided and
 *           another host may be tried.
 * Both may be followed by close(), after which the session does nothing any more.
 *
 * Choices where the standards leave one:
 * - 8-bit content goes as it is to a server without 8BITMIME: every server of today passes it on, and recoding
 *   breaks signatures. Binary content without CHUNKING and BINARYMIME is a permanent 5.6.3.
 * - A message that needs SMTPUTF8 where it is not offered is a permanent 5.6.7.
 * - A refused AUTH, and TLS that is required and missing, are temporary: they are faults of configuration, and mail
 *   must not come back because of one.
 * - A stray CR or LF of the body is sent as a blank, so that no server sees a line where the sender had none.
 * - 552 to RCPT without another reason means "too many recipients" and is temporary (RFC 5321, 4.5.3.1.10).
 */
#pragma once

#include "base/secret.h"
#include "base/span.h"

struct smtp_client;

enum smtp_client_tls {
    SMTP_CLIENT_TLS_NONE,          /* STARTTLS is ignored */
    SMTP_CLIENT_TLS_OPPORTUNISTIC, /* used when offered; refused by a reply: on in the clear */
    SMTP_CLIENT_TLS_REQUIRED,      /* no MAIL and no AUTH without it */
};

/* Milliseconds; 0 takes the default, which is RFC 5321, 4.5.3.2. */
struct smtp_client_timeouts {
    int64_t greeting;   /* 5 min */
    int64_t command;    /* 5 min: EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET */
    int64_t data_init;  /* 2 min: reply to DATA */
    int64_t data_block; /* 3 min: between two pieces of the body */
    int64_t data_end;   /* 10 min: reply to the final dot */
    int64_t quit;       /* 10 s: reply to QUIT */
};

struct smtp_client_options {
    bool lmtp;
    bool force_helo;       /* greet with HELO, so no extension is ever used */
    bool tls_active;       /* the connection is encrypted already (implicit TLS) */
    bool require_tls;      /* no MAIL to a server that does not offer REQUIRETLS under TLS (RFC 8689) */
    bool auth_without_tls; /* credentials may go over a connection in the clear */
    enum smtp_client_tls tls;
    struct span helo_name;         /* ours: a domain or an address literal */
    struct span own_name;          /* a server that answers EHLO with this name or helo_name is we; empty: it may */
    struct span user;              /* empty: no AUTH */
    const struct secret *password; /* borrowed for the life of the session */
    struct smtp_client_timeouts timeouts;
};

enum {
    SMTP_CLIENT_NOTIFY_NEVER = 1 << 0,
    SMTP_CLIENT_NOTIFY_SUCCESS = 1 << 1,
    SMTP_CLIENT_NOTIFY_FAILURE = 1 << 2,
    SMTP_CLIENT_NOTIFY_DELAY = 1 << 3,
};

struct smtp_client_recipient {
    struct span address; /* without angle brackets */
    struct span orcpt;   /* "rfc822;a+2Bb@c" as it came in ORCPT=; may be empty */
    unsigned notify;     /* SMTP_CLIENT_NOTIFY_*; 0: not given */
};

enum smtp_client_ret { SMTP_CLIENT_RET_NONE, SMTP_CLIENT_RET_FULL, SMTP_CLIENT_RET_HDRS };

/* Borrowed from smtp_client_send until done() or failed(). */
struct smtp_client_message {
    struct span sender; /* empty: the null sender */
    const struct smtp_client_recipient *recipients;
    size_t recipient_count; /* at least 1 */
    uint64_t size;          /* octets of the body with CRLF line ends */
    struct span envid;      /* xtext as it came; may be empty */
    enum smtp_client_ret ret;
    bool eight_bit, utf8, binary;
    bool require_tls; /* REQUIRETLS is said where it is offered under TLS */
};

enum smtp_client_outcome { SMTP_CLIENT_DELIVERED, SMTP_CLIENT_TEMPORARY, SMTP_CLIENT_PERMANENT };

enum smtp_client_stage {
    SMTP_CLIENT_GREETING,
    SMTP_CLIENT_HELLO,
    SMTP_CLIENT_STARTTLS, /* the command, the TLS handshake, and TLS missing where it is required */
    SMTP_CLIENT_AUTH,
    SMTP_CLIENT_MAIL,
    SMTP_CLIENT_RCPT,
    SMTP_CLIENT_DATA,
    SMTP_CLIENT_BODY,
    SMTP_CLIENT_END, /* the final reply or replies */
    SMTP_CLIENT_STAGES,
};

/* Why there is a result. */
enum smtp_client_cause {
    SMTP_CLIENT_REPLY,    /* the server said so */
    SMTP_CLIENT_LOST,     /* the connection broke */
    SMTP_CLIENT_TIMEOUT,  /* the server was silent */
    SMTP_CLIENT_PROTOCOL, /* the server said something that is no reply, or none that fits */
    SMTP_CLIENT_LOCAL,    /* we refuse: the server lacks what the message needs, or an address cannot be sent */
};

struct smtp_client_result {
    enum smtp_client_outcome outcome;
    enum smtp_client_stage stage;
    enum smtp_client_cause cause;
    uint16_t code;        /* the reply's, 0 without one */
    struct span enhanced; /* "5.1.1": the server's, else a fitting one; its class always fits the outcome */
    struct span text;     /* one line of printable UTF-8 without the codes */
};

enum { SMTP_CLIENT_TEXT_MAX = 512 };

/*
 * The actions. None of them may call back into the session; the driver notes what is to do and does it when the
 * call into the session has returned. Spans and results are valid during the call only.
 */
struct smtp_client_output {
    void (*write)(void *context, struct span bytes);
    /* The server agreed: hand what follows to TLS, then call smtp_client_tls_started. */
    void (*start_tls)(void *context);
    /* The server takes the body: call smtp_client_body while smtp_client_wants_body, then smtp_client_body_end. */
    void (*need_body)(void *context);
    void (*result)(void *context, size_t recipient, const struct smtp_client_result *result);
    void (*done)(void *context);
    void (*failed)(void *context, const struct smtp_client_result *result);
    /* Send what was written, then close the connection. */
    void (*close)(void *context);
    /*
     * A line that was sent, or that came, as it may be shown to people: of an AUTH exchange what could be a secret
     * is named, not quoted; content and its end are not shown. Before what it causes. NULL: not wanted.
     */
    void (*line)(void *context, bool sent, struct span shown);
};

/*
 * A session on a connection that was just made; it waits for the greeting. Options are copied, their spans and the
 * password are borrowed. NULL when memory is out, or when the HELO name or the user holds a control character or
 * the name a blank.
 */
struct smtp_client *smtp_client_new(const struct smtp_client_options *options,
                                    const struct smtp_client_output *output, void *context, int64_t now_ms);
void smtp_client_free(struct smtp_client *c); /* wipes; NULL allowed */

/* Gives the next message: before the greeting, or when the session is idle. False when memory is out or the session
 * is closed. */
NODISCARD bool smtp_client_send(struct smtp_client *c, const struct smtp_client_message *message, int64_t now_ms);

/* Octets from the server. All are taken. */
void smtp_client_feed(struct smtp_client *c, struct span bytes, int64_t now_ms);
/* The handshake is done: what was known about the server is forgotten, and EHLO is sent again (RFC 3207, 4.2). */
void smtp_client_tls_started(struct smtp_client *c, int64_t now_ms);
/* The connection is gone, or TLS failed; the text says why. Ends in close(). */
void smtp_client_lost(struct smtp_client *c, struct span text, int64_t now_ms);

/* True when a piece of the body can be taken now. */
bool smtp_client_wants_body(const struct smtp_client *c);
/* The next piece, of any length. */
void smtp_client_body(struct smtp_client *c, struct span bytes, int64_t now_ms);
/* The body is complete. */
void smtp_client_body_end(struct smtp_client *c, int64_t now_ms);
/* The body cannot be read to its end: the message is temporarily failed and the connection closed. */
void smtp_client_body_failed(struct smtp_client *c, struct span text, int64_t now_ms);

/* Ends an idle session with QUIT; close() follows the reply. In any other state the connection is just closed. */
void smtp_client_quit(struct smtp_client *c, int64_t now_ms);

/* When smtp_client_tick must be called if nothing else happens; INT64_MAX: never (idle or closed). */
int64_t smtp_client_deadline(const struct smtp_client *c);
void smtp_client_tick(struct smtp_client *c, int64_t now_ms);

/* Between two messages: smtp_client_send starts at once. */
bool smtp_client_idle(const struct smtp_client *c);
bool smtp_client_closed(const struct smtp_client *c);
/* The last EHLO offered DSN: NOTIFY and the rest were passed on (RFC 3461, 5.2). */
bool smtp_client_offers_dsn(const struct smtp_client *c);
/* For logs: "RCPT TO" and so on. */
const char *smtp_client_stage_name(enum smtp_client_stage stage);
