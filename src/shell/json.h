/* json.h: values as JSON (RFC 8259). */
#pragma once

#include "base/value.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_options {
    bool compress; /* on one line */
    size_t depth;  /* records inside records; deeper ones are their printed text. At most JSON_DEPTH_MAX */
};

/*
 * Appends the value: counts and sizes as numbers, time spans, times and Unlimited as strings, secrets as null. What
 * is not UTF-8 becomes U+FFFD.
 */
void json_print(struct buf *out, struct value v, struct json_options options);
