/*
 * buf.h: a growing byte buffer with a ceiling given at creation and sticky overflow: once something did not fit,
 * `failed` stays set, later appends do nothing, and the caller checks once at the end.
 */
#pragma once

#include "base/span.h"

struct buf {
    char *ptr;
    size_t len, cap, max;
    bool failed;
};

/* An empty buffer that may grow to max bytes. Takes no memory yet. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer is empty and usable again. Safe on a zeroed buffer. */
void buf_done(struct buf *b);
/* Wipes and frees: for buffers that held a secret. */
void buf_wipe(struct buf *b);
/* Empties it and forgets a failure, keeping the memory. */
void buf_clear(struct buf *b);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

void buf_add(struct buf *b, struct span s);
void buf_add_char(struct buf *b, char c);
void buf_addf(struct buf *b, const char *format, ...) PRINTF(2, 3);
/* Room for n more bytes to be written at the result, then counted with buf_commit; NULL (and failed) if it cannot
 * be. */
NODISCARD char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

struct span buf_span(const struct buf *b);
