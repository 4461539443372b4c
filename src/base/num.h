/* num.h: numbers from text. The whole span must be the number: no sign unless allowed, no blanks, no overflow. */
#pragma once

#include "base/span.h"

/* Decimal digits only, value in 0..max. False (and *ret untouched) otherwise. */
NODISCARD bool num_parse_u64(struct span s, uint64_t max, uint64_t *ret);
NODISCARD bool num_parse_u32(struct span s, uint32_t max, uint32_t *ret);
/* An optional '-' and decimal digits, value in min..max. */
NODISCARD bool num_parse_i64(struct span s, int64_t min, int64_t max, int64_t *ret);
/* One hex digit's value, or -1. */
int num_hex_digit(char c);
