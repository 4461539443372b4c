/* test_support.h: cmdlets run through the real shell over stores in memory: scripts in, text and errors out. */
#pragma once

#include "cmdlet/context.h"
#include "cmdlet/table.h"

enum bench_flag {
    BENCH_EDGE = 1 << 0,
    BENCH_EMPTY = 1 << 1,  /* no objects: not what init makes */
    BENCH_SQLITE = 1 << 2, /* policy and recipients in one SQLite file */
};

struct bench {
    struct arena arena;
    struct shell_table table;
    struct cmdlet_context context;
    struct shell_host host;
    struct buf out, warnings;
    struct err err;
    const char *secret, *file; /* what an ask is answered with; NULL: nobody is there */
    char folder[32];           /* BENCH_SQLITE */
};

/* example.com on mail.example.com with port offset 2000. */
void bench_init(struct bench *b, unsigned flags);
void bench_done(struct bench *b);
/* Runs the statements one by one, each in a transaction, until one fails. What was printed before is forgotten. */
enum err_code bench_run(struct bench *b, const char *script);

/* A row: a script, and what must be in its output, or in its error. */
struct bench_row {
    const char *name, *script;
    enum err_code code;
    const char *has[8];   /* parts of the output, or of the error */
    const char *lacks[4]; /* what must not be in it */
    const char *warns;    /* a part of the warnings */
};
void bench_check(struct bench *b, const struct bench_row *row);
/* All rows in their order on a bench of their own. */
void bench_check_rows(unsigned flags, const struct bench_row *rows, size_t count);
