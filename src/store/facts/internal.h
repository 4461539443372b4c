/* internal.h: what the files of the store of facts share. Private to src/store/facts. */
#pragma once

#include "store/facts/facts.h"

#include <sqlite3.h>

enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_UPDATE,
    ST_COUNT,
    ST_INSERT,
    ST_AGED,
    ST_OLDEST,
    ST_STRANGERS,
    ST_ROWS,
    ST_VISIT,
    STATEMENTS
};

/* Where the parameters of ST_UPDATE, ST_COUNT and ST_INSERT stand. */
enum {
    P_NETWORK = 1,
    P_USER,
    P_LEVEL,
    P_KEY,
    P_COUNT,
    P_FIRST,
    P_LAST,
    P_SIZE,
    P_TEXTS,
    P_QUESTION = P_TEXTS + FACT_TEXTS,
    P_CODE,
    P_SERVED
};
/* And the columns of ST_VISIT. */
enum { C_NETWORK, C_LEVEL, C_QUESTION, C_CODE, C_COUNT, C_FIRST, C_LAST, C_SIZE, C_TEXTS };

struct facts {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct facts_limits limits;
    uint64_t rows;
    struct buf network, key; /* of the fact in hand */
};

/* The error that SQLite has just given. */
enum err_code facts_fail(struct facts *f, struct err *err);
/* Runs a statement and resets it; *ret_number (may be NULL) is the first column of its row, if it gives one. */
enum err_code facts_run(struct facts *f, enum statement id, uint64_t *ret_number, struct err *err);
