/* secret.h: bytes that must not be printed, logged or left behind in memory. */
#pragma once

#include "base/buf.h"

/* Wiped before it is freed. It has no conversion to a span but secret_reveal, so each use of the bytes is a grep.
 */
struct secret {
    struct buf bytes;
};

void secret_init(struct secret *s, size_t max);
/* Replaces the content; false when it does not fit. */
NODISCARD bool secret_set(struct secret *s, struct span bytes);
void secret_done(struct secret *s);
struct span secret_reveal(const struct secret *s);

/* Compares in time that depends on the lengths only. */
NODISCARD bool secret_equal(struct span a, struct span b);
