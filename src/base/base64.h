/* base64.h: RFC 4648 section 4, strict: no blanks, padding required and canonical. */
#pragma once

#include "base/buf.h"

/* Appends the encoding of s. */
void base64_encode(struct buf *out, struct span s);
/* Appends the decoding; false on anything but strict base64 (out may then hold a part). "" decodes to nothing. */
NODISCARD bool base64_decode(struct buf *out, struct span s);
