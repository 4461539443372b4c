/*
 * arena.h: memory by lifetime. What belongs to a session, a transaction or a command is allocated from its arena
 * and freed with it at once. Memory is zeroed. An arena has a ceiling given at creation: beyond it allocation
 * gives NULL, which the caller turns into its error (452, a cmdlet error), so no peer can grow us without bound.
 */
#pragma once

#include "base/span.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest; older ones are chained behind it */
    size_t used;               /* bytes taken from the system in all */
    size_t max;                /* ceiling of used */
};

/* An empty arena that will hold at most max bytes (0: no ceiling). Takes nothing from the system yet. */
void arena_init(struct arena *a, size_t max);
/* Frees everything; the arena can be used again. Safe on a zeroed arena. */
void arena_clear(struct arena *a);
/* The same, but keeps one block (the first) for reuse: for transactions that follow each other. */
void arena_reset(struct arena *a);

/* n zeroed bytes aligned for any type; NULL at the ceiling or when memory is out. n = 0 gives a valid pointer. */
NODISCARD void *arena_alloc(struct arena *a, size_t n);
/* count * size with the multiplication checked. */
NODISCARD void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy of the bytes, with a NUL behind them that the span does not count. On failure ptr is NULL and len 0. */
NODISCARD struct span arena_dup(struct arena *a, struct span s);
/* The same as a C string (embedded NULs are kept; do not pass such spans). NULL on failure. */
NODISCARD char *arena_cstr(struct arena *a, struct span s);
/* Formats into the arena; the empty span with ptr NULL on failure. */
NODISCARD struct span arena_printf(struct arena *a, const char *format, ...) PRINTF(2, 3);

#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, count, type) ((type *)arena_array((a), (count), sizeof(type)))
