/*
 * sendmail.h: the parts of `mailreeve sendmail`: the command line of sendmail(1), the message on its way from
 * standard input, the SMTP dialogue at submit.sock, and the file that is left where no server is running.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "mail/line_ends.h"

/* sysexits.h, as callers of sendmail(1) know them. */
enum sendmail_exit {
    SENDMAIL_OK = 0,
    SENDMAIL_USAGE = 64,       /* the command line is wrong */
    SENDMAIL_DATAERR = 65,     /* the message, or an address in it, is */
    SENDMAIL_NOUSER = 67,      /* a recipient does not exist; nobody gets the message */
    SENDMAIL_NOHOST = 68,      /* a recipient's domain does not */
    SENDMAIL_UNAVAILABLE = 69, /* refused for good, for another reason */
    SENDMAIL_SOFTWARE = 70,
    SENDMAIL_OSERR = 71,
    SENDMAIL_IOERR = 74,    /* the message could not be read, or the output not be written */
    SENDMAIL_TEMPFAIL = 75, /* not now: the same again later is right */
    SENDMAIL_NOPERM = 77,   /* this user may not, or not as this sender */
};

/* ---- options (sendmail_options.c) ---- */

enum sendmail_mode {
    SENDMAIL_SEND,
    SENDMAIL_SMTP,  /* -bs */
    SENDMAIL_QUEUE, /* -bp, mailq */
    SENDMAIL_IDLE,  /* -bi, newaliases, -q: there is nothing to be done, and that is success */
};

struct sendmail_options {
    enum sendmail_mode mode;
    const char *state;       /* --state; NULL: not given */
    bool from_header;        /* -t */
    bool dot_is_text;        /* -i, -oi */
    const char *sender;      /* -f, -r; NULL: not given; "" and "<>": the null sender */
    const char *full_name;   /* -F */
    const char *envid;       /* -V */
    const char *ret;         /* -R: "FULL" or "HDRS", or NULL */
    const char *notify;      /* -N, checked; or NULL */
    const char *body;        /* -B: "7BIT" or "8BITMIME", or NULL */
    char *const *recipients; /* what stands behind the options */
    int recipient_count;
};

/* name: argv[0] without folders. ERR_INVALID says what is wrong and what is known. */
enum err_code sendmail_parse(int argc, char **argv, struct sendmail_options *ret, struct err *err);

/* ---- the envelope and the header (sendmail_message.c) ---- */

enum { SENDMAIL_HEADER_MAX = 1 << 20, SENDMAIL_RECIPIENTS_MAX = 10000 };

struct sendmail_message {
    struct span sender; /* empty: <> */
    struct span *recipients;
    size_t recipient_count;
    bool utf8;            /* an address needs SMTPUTF8 */
    struct span header;   /* as it is to go out, with its blank line */
    struct span original; /* the same with Bcc: for a file that is picked up by its header */
    bool by_header;       /* sender and recipients are those that its header names */
};

/* Who calls. */
struct sendmail_user {
    struct span name, full_name;
    struct span domain; /* completes addresses; may be empty */
};

/*
 * section: the header as it came (CRLF), without the blank line. All is in the arena. ERR_INVALID: an address of
 * the command line or of the header is none, or there is no recipient; *ret_exit says which.
 */
enum err_code sendmail_build(const struct sendmail_options *o, const struct sendmail_user *user,
                             struct span section, struct arena *arena, struct sendmail_message *ret,
                             enum sendmail_exit *ret_exit, struct err *err);

/* ---- the input (sendmail_input.c) ---- */

/* A message from a descriptor: text of this machine in, lines with CRLF out, up to its end or a lone dot. */
struct sendmail_input {
    int fd;
    bool dot_is_text;
    bool ended;
    struct line_ends lines;
    struct buf ready; /* lines of which something is not taken yet */
    size_t line;      /* where the last line of `ready` begins */
};

void sendmail_input_init(struct sendmail_input *in, int fd, bool dot_is_text);
void sendmail_input_done(struct sendmail_input *in);
/*
 * Gives whole lines, at most what one read brings; empty: the end. They live until the next call. ERR_IO, ERR_LIMIT
 * (a line of more than a megabyte).
 */
enum err_code sendmail_input_next(struct sendmail_input *in, struct span *ret, struct err *err);

/* ---- the dialogue (sendmail_smtp.c) ---- */

struct sendmail_smtp {
    int fd;
    struct buf in;    /* of the server, not taken yet */
    struct buf reply; /* the last one, its lines without line ends */
    int code;
    bool dsn, utf8, eight_bit;
    bool at_line_start; /* of the data that goes out */
};

/* ERR_NOT_FOUND: no server listens there; ERR_IO otherwise. */
enum err_code sendmail_connect(const char *state, int *ret_fd, struct err *err);
void sendmail_smtp_init(struct sendmail_smtp *s, int fd);
void sendmail_smtp_done(struct sendmail_smtp *s);
/*
 * Up to 354: the envelope, all of it or nothing. SENDMAIL_OK, or the exit status with its sentence in err: the
 * server's own words where it said any.
 */
enum sendmail_exit sendmail_smtp_begin(struct sendmail_smtp *s, const struct sendmail_options *o,
                                       const struct sendmail_message *m, struct err *err);
/* Content, in whole lines; false: the connection is gone. */
NODISCARD bool sendmail_smtp_data(struct sendmail_smtp *s, struct span lines);
enum sendmail_exit sendmail_smtp_end(struct sendmail_smtp *s, struct err *err);
/* What a refusal means to the caller of sendmail(1). enhanced: "5.1.1", or empty. */
enum sendmail_exit sendmail_exit_of(int code, struct span enhanced);

/* Appends text as xtext (RFC 3461 4). */
void sendmail_put_xtext(struct buf *b, const char *text);

/* ---- without a server (sendmail_file.c) ---- */

struct sendmail_file {
    int folder, fd;
    char hidden[64], name[64];
};

/*
 * Begins a file in pickup/, or in replay/ with its envelope in front, where this user may write there. ERR_DENIED,
 * or what else the system says.
 */
enum err_code sendmail_file_begin(const char *state, const struct sendmail_options *o,
                                  const struct sendmail_message *m, struct sendmail_file *ret, struct err *err);
enum err_code sendmail_file_write(struct sendmail_file *f, struct span bytes, struct err *err);
/* Flushed and under its name: it will be sent. */
enum err_code sendmail_file_commit(struct sendmail_file *f, struct err *err);
/* Closes; removes what was not committed. */
void sendmail_file_done(struct sendmail_file *f);
