/* utf8.h: well-formed UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF. */
#pragma once

#include "base/buf.h"

NODISCARD bool utf8_valid(struct span s);
/* True when every byte is below 0x80. */
NODISCARD bool utf8_is_ascii(struct span s);
/*
 * Decodes the character at the start of s: its code point into *ret_cp, its length in bytes as the result. 0 when
 * s is empty or does not begin with a well-formed character.
 */
NODISCARD size_t utf8_decode(struct span s, uint32_t *ret_cp);
/* Appends the encoding of a code point (must be valid). */
void utf8_encode(struct buf *out, uint32_t cp);
