/* reply.h: replies of an SMTP server (RFC 5321 4.2) with enhanced status codes (RFC 2034). */
#pragma once

#include "base/buf.h"

struct smtp_reply {
    int code;             /* three digits; 0 where a reply is optional: none */
    struct span enhanced; /* "5.7.1", or empty */
    struct span text;
};

/* A reply made of literals. */
#define SMTP_REPLY(code, enhanced, text) ((struct smtp_reply){(code), SPAN_INIT(enhanced), SPAN_INIT(text)})

enum { SMTP_REPLY_MAX = 512 }; /* octets of a reply line with its CRLF (RFC 5321 4.5.3.1.5) */

/*
 * Appends one reply line. Whatever the text was made of, it comes out as one line of printable ASCII (other octets
 * as blank or "?"), cut at SMTP_REPLY_MAX. enhanced_codes false leaves the enhanced code out.
 */
void smtp_reply_print(struct buf *out, const struct smtp_reply *r, bool enhanced_codes);
/* The code lies in min..max, and the enhanced code is empty or a status code of the same class. */
bool smtp_reply_valid(const struct smtp_reply *r, int min, int max);
