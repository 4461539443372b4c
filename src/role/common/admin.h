/*
 * admin.h: the shell over the stores, in one process: in manage while the server runs, in the CLI while it is
 * stopped. A statement is one transaction over both stores (cmdlet/transaction.h).
 */
#pragma once

#include "cmdlet/context.h"
#include "cmdlet/trail.h"
#include "shell/shell.h"

struct admin {
    struct arena arena;
    struct shell_table table;
    struct cmdlet_context context;
    struct trail trail; /* of admin_watch */
};

/* The context's stores, queues and node facts are the caller's to fill in and to keep; clock and random are set. */
enum err_code admin_init(struct admin *a, struct err *err);
void admin_done(struct admin *a);
/*
 * Wraps the stores into the audit trail and makes them those of the context. They stay the caller's, to be closed
 * after admin_done. The struct must not be moved any more.
 */
void admin_watch(struct admin *a, struct object_store *policy, struct object_store *recipients, const char *caller);
/*
 * Rolls a policy back whose time to be confirmed is over (cmdlet/pending.h). *ret_done: that was so.
 * *ret_deadline_ms: when the next one is, since 1970; 0: none waits. On an error it is to be tried again.
 */
enum err_code admin_roll_back_due(struct admin *a, bool *ret_done, int64_t *ret_deadline_ms, struct err *err);
/*
 * Runs the statements of a text, each on its own; stops at the first that fails. A syntax error is found before
 * anything runs. ERR_UNAVAILABLE: see shell_execute.
 */
enum err_code admin_run(struct admin *a, struct span text, struct shell_host *host,
                        const struct shell_output *output, struct err *err);
