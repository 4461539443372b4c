/*
 * ledger.h: which ids were acknowledged, or arrived, and how often. Two ledgers held against each other say what
 * was lost, doubled or invented. As a file: a number a line.
 */
#pragma once

#include "base/err.h"

enum { LEDGER_MAX = 1 << 27 }; /* ids; each takes one byte */

struct ledger {
    uint8_t *times; /* by number; stays at 255 */
    uint64_t room;
    uint64_t different, all; /* ids; entries */
};

void ledger_done(struct ledger *l);
/* ERR_LIMIT beyond LEDGER_MAX. */
NODISCARD enum err_code ledger_add(struct ledger *l, uint64_t number, struct err *err);
NODISCARD enum err_code ledger_write(const struct ledger *l, const char *path, struct err *err);
/* Reads a file into an empty ledger. */
NODISCARD enum err_code ledger_read(struct ledger *l, const char *path, struct err *err);

struct ledger_difference {
    uint64_t lost;           /* acknowledged, did not arrive */
    uint64_t duplicates;     /* arrivals beyond the first of an id */
    uint64_t unacknowledged; /* arrived without a 250: its answer was lost, or nobody sent it */
};
struct ledger_difference ledger_compare(const struct ledger *acknowledged, const struct ledger *received);
