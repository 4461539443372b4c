/*
 * reply.h: what an SMTP or LMTP server answers (RFC 5321, 4.2), cut out of a byte stream that may arrive in any
 * pieces. Bounded: a server cannot make us keep more than CLIENT_REPLY_BYTES_MAX.
 *
 * Strict: three digits, 2xx to 5xx, the same code on every line, '-' or ' ' behind it, no NUL and no bare CR.
 * Tolerant: the text (and the blank before it) may be missing, a line may end with a bare LF.
 */
#pragma once

#include "base/buf.h"

enum {
    CLIENT_REPLY_LINE_MAX = 4096,   /* octets of a line without its LF; RFC 5321 allows 511 */
    CLIENT_REPLY_LINES_MAX = 256,   /* lines of one reply */
    CLIENT_REPLY_BYTES_MAX = 32768, /* text of one reply */
};

enum client_reply_status {
    CLIENT_REPLY_MORE,      /* all input is taken and the reply is not complete */
    CLIENT_REPLY_COMPLETE,  /* client_reply_get gives it; the rest of the input belongs to the next one */
    CLIENT_REPLY_MALFORMED, /* not a reply: nothing that follows can be trusted */
    CLIENT_REPLY_TOO_LONG,  /* a limit above is passed: the same */
};

struct client_reply {
    uint16_t code;        /* 200..599 */
    struct span enhanced; /* "4.7.1" at the start of the first line when its class fits the code, else empty */
    struct span text;     /* all lines as they came behind the reply code, separated by LF */
};

struct client_reply_parser {
    struct buf line; /* the line being gathered */
    struct buf text; /* the lines before it */
    unsigned lines;
    uint16_t code;
    enum client_reply_status status;
};

void client_reply_init(struct client_reply_parser *p);
void client_reply_done(struct client_reply_parser *p); /* safe on a zeroed one */

/*
 * Takes input up to the end of one reply: the number of octets taken, *ret_status as above. After COMPLETE the next
 * call begins the next reply; MALFORMED and TOO_LONG last until client_reply_init.
 */
size_t client_reply_feed(struct client_reply_parser *p, struct span in, enum client_reply_status *ret_status);
/* Only after COMPLETE; the spans are valid until the next feed. */
struct client_reply client_reply_get(const struct client_reply_parser *p);

/*
 * Appends the text as one line of printable UTF-8: lines joined with blanks, the enhanced code that each line may
 * repeat left out, other octets as '?', at most max octets cut at a character.
 */
void client_reply_print_text(const struct client_reply *r, size_t max, struct buf *out);
