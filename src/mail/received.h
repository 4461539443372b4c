/* received.h: the trace field of RFC 5321 4.4, with the protocol names of RFC 3848 and RFC 6531; and who wrote one.
 */
#pragma once

#include "base/buf.h"

struct received {
    struct span helo;      /* what the client said; made harmless here */
    struct span client_ip; /* as ip_print gives it */
    struct span host;      /* us */
    struct span id;        /* of the message or the session */
    struct span recipient; /* canonical, for "for <...>" where there is exactly one; or empty */
    struct span tls;       /* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384", or empty */
    bool esmtp, secured, authenticated, utf8;
    bool local;   /* a program of this machine: helo is its user's name, and there is no address */
    uint32_t uid; /* then */
    int64_t now_ms;
};

/*
 * Appends the protocol name: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP, ..., UTF8SMTPSA. Without esmtp it is
 * SMTP: RFC 3848 has no names for the rest.
 */
void received_protocol(struct buf *out, const struct received *r);
/*
 * Appends the whole field, folded, ending in CRLF. Every line is below 998 octets whatever the values are. A
 * recipient beyond ASCII is left out unless utf8 is set.
 */
void received_print(struct buf *out, const struct received *r);
/*
 * The server that wrote a Received field: the word behind the first "by" of its raw value (folded or not) that is
 * no other clause's word, without a dot at its end; empty where there is none. Comments (nested) and quoted strings
 * are passed over, and nothing counts behind the semicolon. Anybody can write such a field: what it says is a hint.
 */
struct span received_by(struct span value);
