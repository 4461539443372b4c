/*
 * dsn_internal.h: between dsn.c (the structure of a report), dsn_text.c (what people read in it) and dsn_reason.c
 * (what a status means to them).
 */
#pragma once

#include "mail/dsn.h"

/* Longest piece of a value that is shown on one line; with a field name in front the line stays below 998 octets.
 */
enum { DSN_VALUE_MAX = 600 };

/*
 * Appends a value as part of one line: at most DSN_VALUE_MAX octets, control characters as blanks, what is not
 * UTF-8 as
 * "?"; with `ascii` everything beyond ASCII too.
 */
void dsn_put_value(struct buf *out, struct span value, bool ascii);
/* Whether a field of the original may be shown to the report's reader. */
bool dsn_shows_field(struct span name);
/* The body of the human part, as plain text or as HTML. */
void dsn_print_text(struct buf *out, const struct dsn *d, bool html);

/* ---- dsn_reason.c ---- */

/* The recipient's status code, or the general one of its action where it is malformed. */
struct span dsn_status(const struct dsn_recipient *r);

struct dsn_reason {
    const char *because; /* completes "could not be delivered because", in words that need no knowledge of mail */
    const char *advice;  /* what the reader can do, sentences; NULL: nothing but to wait, or to read on */
};

/* Why it was not delivered, and what its sender can do. */
struct dsn_reason dsn_reason_of(const struct dsn_recipient *r);
/* Of what has expired: why the last attempt failed. False: it has not expired, or nothing is known of that. */
bool dsn_last_reason_of(const struct dsn_recipient *r, struct dsn_reason *ret);

struct dsn_action_words {
    struct span subject; /* what the subject begins with: "Undeliverable: " */
    const char *general_status;
    const char *verdict; /* completes "Your message to <x>" */
    bool has_reason;
};
const struct dsn_action_words *dsn_action_words(enum dsn_action a);
/* Of a report that has several, the most important one. */
enum dsn_action dsn_chief_action(const struct dsn *d);
