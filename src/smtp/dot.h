/*
 * dot.h: message content as it comes in. content_scan looks at lines and notes what may not be in them; struct
 * dot_reader takes the content of DATA out of its dots (RFC 5321 4.5.2).
 *
 * CRLF "." CRLF ends DATA and nothing else does. A bare CR, a bare LF, a NUL or an over-long line ends nothing: it
 * is noted, so that the message can be refused as a whole when its end has come.
 */
#pragma once

#include "base/span.h"

enum content_defect {
    CONTENT_BARE_LF = 1 << 0,
    CONTENT_BARE_CR = 1 << 1,
    CONTENT_NUL = 1 << 2,
    CONTENT_LONG_LINE = 1 << 3,
};

struct content_scan {
    size_t max_line;   /* octets of a line without its CRLF */
    size_t line;       /* octets of the present line so far; a CR that may end it is not counted yet */
    bool lf_ends_line; /* for its length alone: a bare LF is a defect all the same, and no dot counts behind it */
    size_t after_lf;   /* with lf_ends_line: octets of `line` up to its last LF */
    bool cr;           /* the last octet was CR */
    unsigned defects;  /* enum content_defect */
};

/* At the beginning of the content. */
struct content_scan content_scan_start(size_t max_line);
/*
 * Goes over octets and gives how many: all of them, or with stop_at_dot up to a CRLF that a dot follows. At least
 * one when there is one.
 */
size_t content_scan(struct content_scan *c, struct span s, bool stop_at_dot);
/* Behind a CRLF, or at the very beginning. */
bool content_scan_at_line_start(const struct content_scan *c);
/* The content has ended: a CR at its end is bare. */
void content_scan_end(struct content_scan *c);
/* The gravest of defects (not 0), such as "bare LF". */
struct span content_defect_text(unsigned defects);

enum dot_state {
    DOT_TEXT,
    DOT_DOT,    /* a dot at the start of a line, not passed on */
    DOT_DOT_CR, /* the same and a CR */
};

struct dot_reader {
    enum dot_state state;
    struct content_scan scan;
};

typedef void dot_out_fn(void *context, struct span bytes);

void dot_init(struct dot_reader *r, size_t max_line);
/*
 * Takes octets off *input and gives the content among them to out, in sub-spans of *input as long as can be (a
 * single CR excepted). True when the end of the content was reached; *input is then what follows it.
 */
NODISCARD bool dot_take(struct dot_reader *r, struct span *input, dot_out_fn *out, void *context);
