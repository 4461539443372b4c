/*
 * value_codec.h: values and records as bytes between processes. Decoding trusts nothing: kinds, counts and lengths
 * are checked against the input before memory is taken, nesting is bounded. Script blocks have no byte form.
 */
#pragma once

#include "base/cursor.h"
#include "base/value.h"

enum { VALUE_CODEC_DEPTH = 8 };

/* Appends the value; a VALUE_BLOCK, or nesting beyond VALUE_CODEC_DEPTH, sets out->failed. */
void value_encode(struct buf *out, struct value v);
/* Reads one value, its bytes copied into the arena. On anything malformed the cursor is bad and *ret untouched. */
void value_decode(struct cursor *in, struct arena *arena, struct value *ret);
void record_encode(struct buf *out, const struct record *r);
/* NULL (and the cursor bad) on anything malformed. */
struct record *record_decode(struct cursor *in, struct arena *arena);
