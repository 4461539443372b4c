/*
 * server.h: the server's side of an SMTP session as a machine without I/O: octets, answers and the time go in,
 * actions come out through a table of functions. It knows neither sockets nor TLS nor policy: whatever needs a
 * decision is asked and answered. RFC 5321 with PIPELINING (2920), SIZE (1870), 8BITMIME (6152), BINARYMIME and
 * CHUNKING (3030), SMTPUTF8 (6531), DSN (3461), ENHANCEDSTATUSCODES (2034), STARTTLS (3207), AUTH (4954).
 *
 * Splitting the input at any octet gives the same actions: the same asks, events and the rest in the same order,
 * the same octets written, the same content.
 *
 * The driver's duties:
 *  - Feed what arrives. What was not taken is kept and fed again as soon as smtp_server_wants_input is true: after
 * an answer, a tick, a TLS start. Replies to a pipelined group may wait for that.
 *  - Call smtp_server_tick at smtp_server_deadline, which every call may change.
 *  - No callback may call back into the machine: note what is asked, and answer when the call has returned.
 * The session is over after close(); it is freed at any time, without callbacks.
 *
 * Choices where the standards leave one:
 *  - A refused DATA ends the transaction; so does every answer to MESSAGE_END.
 *  - The octets of a BDAT are passed over even when the command is refused, so that they are never read as
 * commands. A BDAT whose size cannot be read ends the session for that reason.
 *  - After one failed chunk the other chunks of the message get the same reply, until LAST or RSET.
 *  - A reply 421 from an answer ends the session.
 *  - 8-bit content is taken whether or not it was declared.
 */
#pragma once

#include "mail/address.h"
#include "smtp/params.h"
#include "smtp/reply.h"

enum smtp_size_mode {
    SMTP_SIZE_OFF,      /* not offered */
    SMTP_SIZE_VALUE,    /* SIZE with the limit */
    SMTP_SIZE_NO_VALUE, /* SIZE alone */
};

enum { SMTP_UNLIMITED = UINT32_MAX };

/* Limits that hold where the profile has 0. */
enum {
    SMTP_COMMAND_LINE_DEFAULT = 2048,  /* with its CRLF */
    SMTP_AUTH_LINE_DEFAULT = 12288,    /* AUTH and the client's responses (RFC 4954 4), with CRLF */
    SMTP_CONTENT_LINE_DEFAULT = 65536, /* a line of text, without CRLF */
};

/* What the connector offers in this session. Spans, and the profile itself, must outlive the session. */
struct smtp_server_profile {
    struct span fqdn;
    struct span banner;         /* the whole greeting, beginning with 220; empty: the usual one */
    struct span client_address; /* as text, for "Hello [...]" */
    struct span default_domain; /* completes an address without domain; empty: such an address is refused */

    enum smtp_size_mode size_mode;
    uint64_t max_message_size; /* octets of the content; 0: unlimited */
    uint64_t max_any_size; /* what the organisation takes at most from anybody; 0: unlimited. Only for SIZE: what
                              holds for a message stands in the answer to MAIL */
    bool pipelining, dsn, enhanced_status_codes, eight_bit_mime, chunking, smtp_utf8;
    bool binary_mime;    /* counts only with chunking */
    bool long_addresses; /* XLONGADDR: addresses of up to ADDRESS_XLONG_MAX octets, otherwise ADDRESS_LONG_MAX */
    bool orar;           /* XORAR: RCPT may name an alternate recipient, which is checked and not used */
    bool repair_bare_lf; /* a bare LF in text is passed on as CRLF; otherwise the message is refused for it */

    bool starttls_available;
    bool tls_active;         /* from the first octet */
    bool require_tls;        /* for MAIL, AUTH and the like */
    bool offers_require_tls; /* REQUIRETLS (RFC 8689), under TLS */
    bool require_ehlo_domain;
    /* The mechanisms that AUTH offers and accepts in the clear, and under TLS. */
    const struct span *auth_before_tls;
    size_t auth_before_tls_count;
    const struct span *auth_after_tls;
    size_t auth_after_tls_count;

    struct span connector;   /* its name: a refusal by a limit names the limit and it; empty: it does not */
    uint32_t max_recipients; /* accepted ones of a message; 0 or SMTP_UNLIMITED: no limit */
    uint32_t organisation_max_recipients;                 /* in the same way: the smaller one holds and is named */
    uint32_t max_protocol_errors;                         /* one more ends the session; SMTP_UNLIMITED: never */
    uint32_t max_logon_failures;                          /* that many end the session; 0: never */
    int64_t connection_timeout_ms, inactivity_timeout_ms; /* 0: none */
    int64_t tarpit_ms;      /* how long a permanent refusal is held back, unless the client has logged on */
    int64_t auth_tarpit_ms; /* the same for AUTH, where it is longer than tarpit_ms */

    size_t max_command_line, max_auth_line, max_content_line; /* 0: the defaults above */
};

enum smtp_body { SMTP_BODY_7BIT, SMTP_BODY_8BIT, SMTP_BODY_BINARY };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

/* MAIL as it was said. */
struct smtp_mail {
    struct mail_address address; /* text empty: the null sender */
    uint64_t size;               /* SIZE=; 0: not said */
    enum smtp_body body;
    bool smtp_utf8;
    bool require_tls; /* REQUIRETLS */
    enum smtp_ret ret;
    struct span envid; /* ENVID= as written; or empty */
    struct span auth;  /* AUTH= decoded: "<>" or a canonical address; or empty */
};

/* RCPT as it was said. */
struct smtp_recipient {
    struct smtp_recipient *next; /* in an envelope */
    struct mail_address address; /* without domain: <postmaster>, where there is no default domain */
    unsigned notify;             /* SMTP_NOTIFY_*; 0: not said */
    struct span orcpt;           /* ORCPT= as written; or empty */
};

/* The transaction under way: MAIL and the recipients that were accepted, in their order. */
struct smtp_envelope {
    struct smtp_mail mail;
    struct smtp_recipient *recipients;
    uint32_t recipient_count;
};

/*
 * What the driver is asked or told. Nothing is read until an ask is answered. AUTH_CANCEL and MESSAGE_ABORT are
 * told and have no answer.
 */
enum smtp_ask_kind {
    SMTP_ASK_AUTH_START,
    SMTP_ASK_AUTH_STEP,
    SMTP_ASK_AUTH_CANCEL, /* the exchange is over: cancelled, or the client sent what is no response */
    SMTP_ASK_MAIL,
    SMTP_ASK_RCPT,
    SMTP_ASK_VRFY,
    SMTP_ASK_MESSAGE_BEGIN, /* content follows, if the answer is OK */
    SMTP_ASK_MESSAGE_END,   /* all of it went to body(): what became of it? */
    SMTP_ASK_MESSAGE_ABORT, /* after MESSAGE_BEGIN: the content is dropped */
    SMTP_ASK_KINDS,
};

struct smtp_ask {
    enum smtp_ask_kind kind;
    /* Spans are valid during the callback only. */
    union {
        struct {
            struct span mechanism; /* as the profile spells it; this one outlives the callback */
            bool has_initial;
            struct span initial; /* initial response, decoded; a secret */
        } auth_start;
        struct span auth_step; /* response, decoded; a secret */
        const struct smtp_mail *mail;
        const struct smtp_recipient *rcpt;
        struct span vrfy;     /* the argument as it came */
        uint64_t message_end; /* octets of the content */
    };
};

enum smtp_verdict {
    SMTP_ANSWER_OK,          /* AUTH: 235. MESSAGE_END, VRFY: `reply`, or the usual one when its code is 0 */
    SMTP_ANSWER_REFUSE,      /* `reply`, 4xx or 5xx */
    SMTP_ANSWER_CONTINUE,    /* AUTH: `challenge` goes to the client */
    SMTP_ANSWER_AUTH_FAILED, /* AUTH: 535 */
    SMTP_ANSWER_UNAVAILABLE, /* cannot be said now: AUTH 454, else 451 */
};

struct smtp_answer {
    enum smtp_verdict verdict;
    struct smtp_reply reply;   /* a refusal that is not one (see smtp_reply_valid) becomes UNAVAILABLE */
    struct span challenge;     /* raw */
    bool no_size_limit;        /* MAIL: neither max_message_size nor max_receive_size holds for this message */
    uint64_t max_receive_size; /* MAIL: the organisation's limit for this message; 0: none */
};

/* For the log. A detail is our own words or names that may be shown; never anything a client could mean as secret.
 */
enum smtp_event {
    SMTP_EVENT_BAD_COMMAND,     /* a protocol error; detail: what was replied */
    SMTP_EVENT_BAD_LINE,        /* detail: "bare LF", ... */
    SMTP_EVENT_BAD_CONTENT,     /* the message was refused for it; detail: "bare LF", ... */
    SMTP_EVENT_DISCARDED,       /* plaintext behind STARTTLS; detail: "17 bytes" */
    SMTP_EVENT_AUTH_FAILED,     /* detail: the mechanism */
    SMTP_EVENT_AUTH_REFUSED,    /* not offered in this state; no detail, for it could be a password */
    SMTP_EVENT_LIMIT,           /* detail: as the next three, the limit (limit.h) or "recipients", "message size" */
    SMTP_EVENT_TOO_MANY_ERRORS, /* the session ends */
    SMTP_EVENT_TOO_MANY_FAILURES, /* ... of AUTH; the session ends */
    SMTP_EVENT_TIMEOUT,           /* the session ends; detail: the limit, or "inactivity", "connection" */
    SMTP_EVENT_TARPIT,            /* the reply that follows is held back; detail: how many milliseconds */
    SMTP_EVENT_NO_MEMORY,         /* detail: for what; without reply the session ends */
    SMTP_EVENT_BAD_ANSWER,        /* the driver's refusal was none */
    SMTP_EVENT_KINDS,
};

struct smtp_server_output {
    void (*write)(void *context, struct span bytes);
    /*
     * Behind what was written, TLS begins; then smtp_server_tls_started. Plaintext that was read before may still
     * be fed (it is discarded and reported) or thrown away.
     */
    void (*start_tls)(void *context);
    void (*ask)(void *context, const struct smtp_ask *ask);
    /* Content without dots or framing; mostly sub-spans of what is fed. */
    void (*body)(void *context, struct span bytes);
    /* Behind what was written the connection is closed. The last call of a session. */
    void (*close)(void *context);
    void (*event)(void *context, enum smtp_event event, struct span detail);
    /*
     * A line that the client sent, before it is carried out, as it may be shown: what could be a secret is named,
     * not quoted: all of an AUTH exchange, and whatever is no command. NULL: not wanted.
     */
    void (*line)(void *context, struct span shown);
    /*
     * A refusal is about to be replied: by an answer, a limit, or because TLS or a mechanism is missing; not a
     * protocol error, and not a timeout. Gives the code that the reply ends with, in brackets: at most 32
     * characters that live until the next call; empty: none. NULL: no codes.
     */
    struct span (*refused)(void *context, const struct smtp_reply *reply);
};

struct smtp_server;

/* now_ms: any clock that does not go back, the same for all calls. NULL when memory is out. */
struct smtp_server *smtp_server_new(const struct smtp_server_profile *profile,
                                    const struct smtp_server_output *output, void *context, int64_t now_ms);
/* Wipes what it holds; NULL allowed. */
void smtp_server_free(struct smtp_server *s);

/* Sends the greeting; once, before anything else. wall_ms: milliseconds since 1970 UTC, for its date. */
void smtp_server_start(struct smtp_server *s, int64_t now_ms, int64_t wall_ms);
/* Instead of smtp_server_start: a greeting 421 or 554, and close(). */
void smtp_server_reject(struct smtp_server *s, const struct smtp_reply *reply, int64_t now_ms);

/* Takes octets as far as it can go now; gives how many were taken. */
size_t smtp_server_feed(struct smtp_server *s, struct span bytes, int64_t now_ms);
/* False while an answer, the TLS start or the end of a tarpit is awaited, and when the session is over. */
bool smtp_server_wants_input(const struct smtp_server *s);
/* The answer to the ask under way. Spans are not kept. */
void smtp_server_answer(struct smtp_server *s, const struct smtp_answer *answer, int64_t now_ms);
/* The handshake is done. What the client said before is forgotten (RFC 3207 4.2). */
void smtp_server_tls_started(struct smtp_server *s, int64_t now_ms);

/* When smtp_server_tick must be called if nothing else happens; INT64_MAX: never. */
int64_t smtp_server_deadline(const struct smtp_server *s);
void smtp_server_tick(struct smtp_server *s, int64_t now_ms);
/* Ends the session with 421 as soon as no content, answer or handshake is under way. */
void smtp_server_shutdown(struct smtp_server *s, int64_t now_ms);

/* ---- Facts, for the trace field and the driver ---- */

/* What EHLO or HELO said; may be empty. */
struct span smtp_server_helo(const struct smtp_server *s);
bool smtp_server_esmtp(const struct smtp_server *s); /* it was EHLO */
bool smtp_server_tls(const struct smtp_server *s);
bool smtp_server_authenticated(const struct smtp_server *s);
/* Valid until the transaction ends: from the answer to MAIL to the answer to MESSAGE_END. NULL outside of one. */
const struct smtp_envelope *smtp_server_envelope(const struct smtp_server *s);
