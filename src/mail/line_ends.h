/*
 * line_ends.h: text of this machine, whose lines end as they like, as text of mail, whose lines end in CRLF. LF, CR
 * and CRLF end a line alike; what comes out holds no other CR or LF and, unless it is empty, ends in CRLF. How the
 * input is cut does not matter, and what is in order already passes unchanged.
 */
#pragma once

#include "base/span.h"

typedef void line_ends_out_fn(void *context, struct span bytes);

/* Zeroed: at the start of a text. Fields are for line_ends.c only. */
struct line_ends {
    bool behind_cr; /* the last octet was a CR, for which CRLF is out already */
    bool in_line;   /* something has come since the last line end */
};

/* Hands sub-spans of bytes, and line ends, to out. */
void line_ends_feed(struct line_ends *l, struct span bytes, line_ends_out_fn *out, void *context);
/* The end of the text. */
void line_ends_finish(struct line_ends *l, line_ends_out_fn *out, void *context);
