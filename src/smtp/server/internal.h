/*
 * internal.h: the state of a session and what the files of the machine share. Private to src/smtp/server.
 *
 * Three machines: struct line_reader and struct dot_reader (octets), the command table with its gates (dispatch.c),
 * the phase (session.c).
 */
#pragma once

#include "base/arena.h"
#include "smtp/command.h"
#include "smtp/dot.h"
#include "smtp/limit.h"
#include "smtp/line.h"
#include "smtp/server/server.h"

/* So many octets of replies are gathered at most, and so large a buffer is kept by an idle session. */
enum { OUTPUT_GATHER = 4096 };

/* What the session is doing. What is known about the client (hello, tls, ...) is kept apart from it. */
enum phase {
    PHASE_NEW,     /* nothing was said yet */
    PHASE_COMMAND, /* reads command lines */
    PHASE_AUTH,    /* reads the client's response in an AUTH exchange */
    PHASE_DATA,    /* reads content with dots */
    PHASE_BDAT,    /* reads the octets of a chunk */
    PHASE_ASK,     /* waits for an answer */
    PHASE_TLS,     /* waits for the handshake */
    PHASE_CLOSED,
    PHASE_COUNT,
};

enum content_state {
    CONTENT_NONE,
    CONTENT_TAKEN,  /* MESSAGE_BEGIN was answered OK: it goes to body() */
    CONTENT_FAILED, /* refused: what comes is passed over; `failure` is the reply */
};

struct transaction {
    bool mail; /* MAIL was accepted; the envelope holds it */
    struct smtp_envelope envelope;
    struct smtp_recipient **tail;
    bool no_size_limit;
    uint64_t max_receive_size; /* 0: none */
    /* A MAIL or RCPT was refused: the commands pipelined behind it are out of order without being errors. */
    bool excused;

    enum content_state content;
    bool chunked;              /* it comes by BDAT */
    uint64_t size;             /* octets of content so far */
    bool after_cr;             /* the last of them was CR (repair of bare LF) */
    struct content_scan scan;  /* of chunks */
    struct smtp_reply failure; /* its spans are literals or in the transaction's arena */
};

/* A chunk on its way. */
struct chunk {
    uint64_t left;
    bool last;
    bool refused; /* its octets belong to no transaction */
    bool counted; /* the refusal is a protocol error */
    struct smtp_reply refusal;
};

struct smtp_server {
    const struct smtp_server_profile *profile;
    const struct smtp_server_output *output;
    void *context;

    enum phase phase;
    enum smtp_ask_kind asked; /* in PHASE_ASK */
    bool in_call;             /* no callback may call back */
    bool input_waits;         /* the last feed did not take all: another will follow */
    bool shutdown, close_told;

    bool hello, esmtp, tls, authenticated;
    struct buf helo;
    struct span mechanism; /* of the AUTH exchange under way */

    struct line_reader line;
    struct dot_reader dot;
    struct chunk chunk;
    struct buf out; /* replies that were not written yet */

    union {
        struct smtp_mail mail;
        struct smtp_recipient rcpt;
    } said;                /* in PHASE_ASK, with its spans in `scratch` */
    struct arena scratch;  /* of one command */
    struct arena envelope; /* of the transaction */
    struct transaction tx;

    uint32_t protocol_errors, logon_failures;
    int64_t now_ms, began_ms, active_ms;
    int64_t hold_until_ms; /* replies wait till then (tarpit); 0: they do not */
};

/* ---- session.c: the phase, and the ways in which things end ---- */

/* The only writer of the phase. */
void session_enter(struct smtp_server *s, enum phase phase);
void session_ask(struct smtp_server *s, const struct smtp_ask *ask);
/* For what has no answer. */
void session_tell(struct smtp_server *s, enum smtp_ask_kind kind);
void session_event(struct smtp_server *s, enum smtp_event event, struct span detail);
/* The content under way will not be used: the driver drops it, the rest of it is passed over, `reply` is its end.
 */
void session_fail_content(struct smtp_server *s, struct smtp_reply reply);
/* The transaction is over, whatever became of it. */
void session_reset(struct smtp_server *s);
/* Ends the session behind what was replied. */
void session_close(struct smtp_server *s);
/* Writes what was replied, unless it is held back. */
void session_flush(struct smtp_server *s);
/* The end of each call: lets out what may leave, and checks. */
void session_finish(struct smtp_server *s);

/* ---- respond.c: replies ---- */

void respond(struct smtp_server *s, struct smtp_reply reply);
/* A protocol error: counted; too many end the session. */
void respond_error(struct smtp_server *s, struct smtp_reply reply);
/* The same with "front: word" as its text. */
void respond_error_about(struct smtp_server *s, int code, const char *enhanced, const char *front,
                         struct span word);
/* The same reply with the driver's code for this refusal behind its text. */
struct smtp_reply refusal_coded(struct smtp_server *s, struct smtp_reply reply);
/* A refusal: coded, and held back by the tarpit. */
void respond_refusal(struct smtp_server *s, struct smtp_reply reply, int64_t delay_ms);
/* The refusal that an answer stands for; `unavailable` where it has none of its own. */
struct smtp_reply answered_refusal(struct smtp_server *s, const struct smtp_answer *a,
                                   struct smtp_reply unavailable);
/* Sends it; a 421 ends the session. */
void respond_answer(struct smtp_server *s, const struct smtp_answer *a);
/* The same for a refusal; otherwise the answer's own 2xx reply, or `usual` where it has none. */
void respond_answer_or(struct smtp_server *s, const struct smtp_answer *a, struct smtp_reply usual);
void respond_no_memory(struct smtp_server *s, struct span what);

/* ---- limits.c: what limits there are, and how their refusals name them ---- */

enum limit {
    LIMIT_MESSAGE_SIZE,
    LIMIT_RECIPIENTS,
    LIMIT_ERRORS,
    LIMIT_LOGON_FAILURES,
    LIMIT_CONNECTION_TIME,
    LIMIT_INACTIVITY,
    LIMIT_LONG_ADDRESS,
    LIMITS,
};

/* The limit was exceeded: says so in an event, and gives the reply that names it, its text in the arena. */
struct smtp_reply limit_exceeded(struct smtp_server *s, enum limit limit, struct arena *arena);
/* Octets of the message under way, and of one with these limits: UINT64_MAX where there is none. */
uint64_t limit_message_size(const struct smtp_server *s);
/* Recipients of a message; SMTP_UNLIMITED: no limit. */
uint32_t limit_recipients(const struct smtp_server *s);

/* ---- dispatch.c ---- */

/* A line has come, or a defective one. */
void dispatch_line(struct smtp_server *s, const struct line *line);

/* ---- show.c ---- */

/* Tells the driver of a line, as it may be shown. In the phase in which it came. */
void show_line(struct smtp_server *s, const struct line *line);

/* ---- envelope.c: what MAIL and RCPT have in common ---- */

enum option_result { OPTION_OK, OPTION_INVALID, OPTION_UNSUPPORTED, OPTION_NO_MEMORY };

struct option {
    struct span name;
    bool has_value;
    enum option_result (*take)(struct smtp_server *s, struct span value);
};

/* Cuts "FROM:" or "TO:" off, and one blank behind it, which devices send. */
bool envelope_keyword(struct span *argument, struct span keyword);
/* A path with its address completed by the default domain. *ret_options is what follows it. */
enum address_defect envelope_path(struct smtp_server *s, struct span argument, unsigned flags,
                                  struct mail_address *ret, struct span *ret_options);
/* Replies to a path that is none. */
void envelope_refuse_path(struct smtp_server *s, enum address_defect d, struct span enhanced);
/* Reads all options; false: replied. */
bool envelope_options(struct smtp_server *s, struct span text, const struct option *options, size_t count);
/* Keeps the value of an option in the scratch arena. */
enum option_result envelope_say(struct smtp_server *s, struct span value, struct span *ret);
/* Copies into the transaction's arena; false when that is full. */
bool envelope_keep_address(struct smtp_server *s, struct mail_address *a);
bool envelope_keep(struct smtp_server *s, struct span *text);

/* ---- content.c: what DATA and BDAT have in common ---- */

/* Content octets; a dot_out_fn. */
void content_take(void *session, struct span bytes);
/* True when so many more octets keep the message within its size. */
bool content_fits(const struct smtp_server *s, uint64_t more);
void content_fail_too_large(struct smtp_server *s);
/* All of the content has come. */
void content_end(struct smtp_server *s, unsigned defects);
size_t content_max_line(const struct smtp_server *s);
/* A bare LF of this message is passed on as CRLF. */
bool content_repairs(const struct smtp_server *s);
void content_begin_answer(struct smtp_server *s, const struct smtp_answer *a);
void content_end_answer(struct smtp_server *s, const struct smtp_answer *a);

/* ---- cmd_*.c: the verbs, and the answers to what they asked ---- */

void cmd_ehlo(struct smtp_server *s, struct span argument);
void cmd_helo(struct smtp_server *s, struct span argument);
void cmd_starttls(struct smtp_server *s, struct span argument);
void cmd_auth(struct smtp_server *s, struct span argument);
void auth_response(struct smtp_server *s, struct span line);
void auth_broken(struct smtp_server *s); /* what came is no response */
void auth_answer(struct smtp_server *s, const struct smtp_answer *a);
void cmd_mail(struct smtp_server *s, struct span argument);
void mail_answer(struct smtp_server *s, const struct smtp_answer *a);
void cmd_rcpt(struct smtp_server *s, struct span argument);
void rcpt_answer(struct smtp_server *s, const struct smtp_answer *a);
void cmd_data(struct smtp_server *s, struct span argument);
void data_begin(struct smtp_server *s);
void data_feed(struct smtp_server *s, struct span *input);
void cmd_bdat(struct smtp_server *s, struct span argument);
/* A gate was closed: the chunk is passed over, then the reply follows. */
void bdat_refuse(struct smtp_server *s, struct span argument, struct smtp_reply reply, bool counted);
void bdat_begin(struct smtp_server *s, const struct smtp_answer *a);
void bdat_feed(struct smtp_server *s, struct span *input);
void cmd_rset(struct smtp_server *s, struct span argument);
void cmd_noop(struct smtp_server *s, struct span argument);
void cmd_vrfy(struct smtp_server *s, struct span argument);
void vrfy_answer(struct smtp_server *s, const struct smtp_answer *a);
void cmd_expn(struct smtp_server *s, struct span argument);
void cmd_help(struct smtp_server *s, struct span argument);
void cmd_quit(struct smtp_server *s, struct span argument);
