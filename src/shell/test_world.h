/* test_world.h: a few commands over a handful of objects, and a shell that runs text on them, for tests. */
#pragma once

#include "shell/shell.h"

struct world {
    struct arena arena;
    struct buf out, err, warnings;
    int begun, committed, rolled_back;
    int changes;        /* by Set-Thing and Remove-Thing since the last commit or roll-back */
    int kept;           /* committed ones */
    const char *answer; /* to a confirmation; NULL: nobody is there */
    int asked;
    bool commit_fails;
    bool no_transaction; /* as if the caller had one open */
    size_t width;
    struct err error;
};

extern const struct shell_table world_table;

void world_init(struct world *w);
void world_done(struct world *w);
/* Parses text and runs its statements up to the first that fails; what they wrote is in out, err and error. */
enum err_code world_run(struct world *w, struct span text);
