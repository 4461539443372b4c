/*
 * line.h: lines from a peer, strictly: a line ends in CRLF and holds no other CR or LF and no NUL. What is wrong
 * with a line is told apart. A line that is too long is passed over without being kept.
 *
 * A bare LF is told at once, so that a peer that never sends CR gets an answer. What follows it up to the CRLF
 * still belongs to that line: it is refused as well and never taken for a line of its own.
 */
#pragma once

#include "base/buf.h"

enum line_defect { LINE_OK, LINE_BARE_LF, LINE_BARE_CR, LINE_NUL, LINE_TOO_LONG, LINE_NO_MEMORY, LINE_DEFECT_MAX };

struct line {
    struct span text; /* without its CRLF; empty with a defect. Valid until the reader's next call. */
    enum line_defect defect;
};

/* Fields are for line.c only. */
struct line_reader {
    struct buf held; /* the beginning of a line whose end has not come */
    size_t max;
    enum line_defect skipping; /* LINE_TOO_LONG or LINE_NO_MEMORY: nothing of the present line is kept */
    bool skipped_cr;           /* the last octet passed over was CR */
    bool behind_lf;            /* the present piece follows a bare LF */
};

/* max: octets of a line with its CRLF. Takes no memory yet. */
void line_init(struct line_reader *r, size_t max);
/* Wipes: a line may hold a secret. */
void line_done(struct line_reader *r);
/*
 * Takes octets off *input up to the end of a line; all of them when there is none yet. True when a line is
 * complete. Its text points into *input where the whole line lies there, else into the reader.
 */
NODISCARD bool line_take(struct line_reader *r, struct span *input, struct line *ret);
/* Forgets the line that line_take gave; wiped where it was held here and the caller says that it is a secret. */
void line_release(struct line_reader *r, bool secret);
/* What is wrong, such as "bare LF". */
struct span line_defect_text(enum line_defect d);
