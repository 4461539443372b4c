/* dsn_internal.h: between dsn.c (the structure of a report) and dsn_text.c (what people read in it). */
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
/* The recipient's status code, or the general one of its action where it is malformed. */
struct span dsn_status(const struct dsn_recipient *r);
/* Whether a field of the original may be shown to the report's reader. */
bool dsn_shows_field(struct span name);
/* What the subject begins with, "Undeliverable: ", by the report's most important action. */
struct span dsn_subject_prefix(const struct dsn *d);
/* The body of the human part. */
void dsn_print_text(struct buf *out, const struct dsn *d);
