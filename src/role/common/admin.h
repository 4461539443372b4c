/*
 * admin.h: the shell over the stores, in one process: in manage while the server runs, in the CLI while it is
 * stopped. A statement is one transaction over both stores (cmdlet/transaction.h).
 */
#pragma once

#include "cmdlet/context.h"
#include "shell/shell.h"

struct admin {
    struct arena arena;
    struct shell_table table;
    struct cmdlet_context context;
};

/* The context's stores, queues and node facts are the caller's to fill in and to keep; clock and random are set. */
enum err_code admin_init(struct admin *a, struct err *err);
void admin_done(struct admin *a);
/*
 * Runs the statements of a text, each on its own; stops at the first that fails. A syntax error is found before
 * anything runs. ERR_UNAVAILABLE: see shell_execute.
 */
enum err_code admin_run(struct admin *a, struct span text, struct shell_host *host,
                        const struct shell_output *output, struct err *err);
