/*
 * dsn.h: delivery status notifications (RFC 3464; RFC 6533 beyond ASCII): facts in, a message out. Who gets one,
 * and when, is decided elsewhere.
 *
 * A report has three parts: what happened in plain words with the block that administrators look for, the
 * message/delivery-status, and the original's header section or the whole original. Nothing in a value can add a
 * line or end a part; guarded fields, Bcc and Return-Path of the
 * original are left out. Received fields stay: they tell where a loop goes.
 */
#pragma once

#include "base/buf.h"

/* In a failure's diagnostic with status 4.4.7: behind it stands, "451 4.3.0 busy", why the last attempt failed. */
#define DSN_LAST_ERROR "the last error was: "

/* In the order in which they decide the subject of a report that has several. */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_EXPANDED, DSN_RELAYED, DSN_DELIVERED, DSN_ACTION_MAX };

struct dsn_recipient {
    enum dsn_action action;
    struct span address;     /* final recipient */
    struct span original;    /* ORCPT= as given ("rfc822;x+2By@z"), or empty */
    struct span status;      /* "5.1.1"; anything else is shown as the x.0.0 of the action */
    struct span diagnostic;  /* what was said, "550 5.1.1 no such user", or our own words; or empty */
    struct span remote;      /* the host that said it; empty: this server decided */
    bool unanswered;         /* that host was tried and said nothing of it: the diagnostic is in our own words */
    int64_t last_attempt_ms; /* 0: none */
    int64_t retry_until_ms;  /* DSN_DELAYED; 0: not known */
};

struct dsn {
    struct span host;        /* reporting MTA */
    struct span from, to;    /* addresses; to is the original's sender */
    struct span message_id;  /* with brackets */
    struct span boundary;    /* letters and digits, from random bytes */
    struct span envelope_id; /* ENVID= as given, xtext; or empty */
    int64_t now_ms, arrival_ms;
    struct span subject;         /* of the original */
    struct span original_header; /* header section of the original, without the blank line */
    struct span original_body;
    bool full; /* the whole original (RET=FULL); otherwise its header section */
    bool html; /* the human part is HTML as well as plain text, as multipart/alternative */
    bool utf8; /* the original came with SMTPUTF8, so the report may use it */
    const struct dsn_recipient *recipients;
    size_t recipient_count; /* 1 or more */
};

enum { DSN_ORIGINAL_MAX = 1024 }; /* octets of an ORCPT= that are looked at */
/*
 * The type and the address, decoded and appended, that ORCPT= gave; *ret_type is a view. False: it gave none. May
 * be at most DSN_ORIGINAL_MAX octets.
 */
NODISCARD bool dsn_original_recipient(const struct dsn_recipient *r, struct span *ret_type, struct buf *address);
/* Appends the report's subject as it would stand in UTF-8: "Undeliverable: Hello". */
void dsn_print_subject(struct buf *out, const struct dsn *d);
/*
 * Whether the report has to be sent with SMTPUTF8: `to` is beyond ASCII, or `utf8` allows it and an address or the
 * original's header is. Otherwise addresses beyond ASCII are printed in the ASCII form of RFC 6533 section 3.
 */
bool dsn_needs_utf8(const struct dsn *d);
/* Appends the whole message, CRLF line ends, no dot-stuffing; out->failed when it does not fit. */
void dsn_print(struct buf *out, const struct dsn *d);
