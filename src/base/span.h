/*
 * span.h: a view of bytes that somebody else owns, passed by value. All text inside the protocol core is spans;
 * nothing there is NUL-terminated. A span is valid as long as its owner says; storing one means knowing the owner.
 */
#pragma once

#include "base/compiler.h"

struct span {
    const char *ptr; /* may be NULL only when len is 0 */
    size_t len;
};

/* A span over a string literal, its length known to the compiler. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
/* The same as a constant initialiser in a static table. */
#define SPAN_INIT(literal)                                                                                         \
    {                                                                                                              \
        "" literal, sizeof(literal) - 1                                                                            \
    }
/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), ((s).ptr ? (s).ptr : "")

struct span span_of(const char *cstr); /* NULL gives the empty span */
struct span span_make(const void *ptr, size_t len);

bool span_eq(struct span a, struct span b);
bool span_ieq(struct span a, struct span b); /* ASCII case folded */
int span_cmp(struct span a, struct span b);  /* as memcmp, the shorter first */
int span_icmp(struct span a, struct span b); /* the same, ASCII case folded */
bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix); /* ASCII case folded */
bool span_ends(struct span s, struct span suffix);
bool span_iends(struct span s, struct span suffix); /* ASCII case folded */

/* Index of the first (or last) c, or SIZE_MAX. */
size_t span_find(struct span s, char c);
size_t span_rfind(struct span s, char c);

/* s from index `from` on; beyond the end gives the empty span. */
struct span span_from(struct span s, size_t from);
/* At most n bytes from the start. */
struct span span_head(struct span s, size_t n);
/* Without spaces and tabs (and CR, LF) at both ends. */
struct span span_trim(struct span s);

/*
 * Cuts the next field off *rest at sep: gives what stands before sep and leaves what follows. Without a sep the
 * whole rest is the field and *rest becomes empty with ptr NULL. False when *rest is already used up (ptr NULL).
 *   struct span rest = s, field;
 *   while (span_split(&rest, ',', &field)) ...
 */
bool span_split(struct span *rest, char sep, struct span *ret_field);

/* True when every byte is in 0x20..0x7e. */
bool span_is_printable_ascii(struct span s);

/* ASCII only, whatever the locale. */
char ascii_lower(char c);
char ascii_upper(char c);
bool ascii_is_digit(char c);
bool ascii_is_alpha(char c);
bool ascii_is_alnum(char c);

/* Case-folded 64-bit hash of the bytes (FNV-1a), the same on every machine; not for untrusted hash tables. */
uint64_t span_ihash(struct span s);
