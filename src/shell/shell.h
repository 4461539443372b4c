/*
 * shell.h: running the statements of the management shell. Arguments are bound to parameters, objects flow down the
 * pipeline, and what reaches its end is printed. A statement is all or nothing: a transaction is around it, and its
 * output appears only when all of it has succeeded.
 *
 *   syntax_parse(text, ..., &script, ...)      syntax.h: every syntax error is found before anything runs
 *   for each statement: shell_execute(&shell, statement, &err)
 */
#pragma once

#include "shell/command.h"
#include "shell/syntax.h"

enum {
    SHELL_STATEMENT_ARENA_MAX = 512 << 20, /* bytes of objects that one statement may hold */
    SHELL_OUTPUT_MAX = 256 << 20,          /* bytes that one statement may print */
    SHELL_WIDTH = 120,                     /* characters of a table's line, unless said otherwise */
};

/* Which properties of a type of objects are shown as a table when nothing else was asked for. */
struct shell_view {
    const char *type;
    const char *const *columns; /* NULL-terminated */
};

struct shell_table {
    const struct shell_command *const *commands; /* the cmdlets; the shell adds its own behind them */
    size_t command_count;
    const struct shell_view *views;
    size_t view_count;
};

/* Where text goes. Each function may be called several times, with a part of it each time. */
struct shell_output {
    void (*out)(void *context, struct span bytes); /* what a statement printed, once it has succeeded */
    void *context;
    void (*err)(void *context, struct span bytes); /* lines of -Verbose, and errors that -ErrorAction Continue
                                                      passed over; NULL: nowhere */
    size_t width;                                  /* of tables, in characters; 0: SHELL_WIDTH */
};

/* What is put around each statement. */
struct shell_transaction {
    enum err_code (*begin)(void *context, struct err *err);
    enum err_code (*commit)(void *context, struct err *err); /* when it fails, rollback is called as well */
    void (*rollback)(void *context);
};

/* All that running needs; filled in by the caller, who keeps what it points to. */
struct shell {
    const struct shell_table *table;
    struct shell_host *host;                     /* NULL: nobody can be asked or warned */
    void *context;                               /* for the cmdlets and the transaction */
    const struct shell_transaction *transaction; /* NULL: the caller has one open, and undoes it on any error */
    struct shell_output output;
};

/*
 * Runs one statement in a transaction. On an error nothing has changed and nothing was printed; err (never NULL)
 * holds a sentence for a person. ERR_UNAVAILABLE: the host could not answer an ask; the statement may be run again
 * with the answer. A script stops at the first error, an interactive session goes on: that is the caller's loop.
 */
NODISCARD enum err_code shell_execute(const struct shell *shell, const struct statement *statement,
                                      struct err *err);

/* The i-th command, the shell's own included; NULL behind the last. */
const struct shell_command *shell_command_at(const struct shell_table *table, size_t i);
/* By name or alias, without regard to case; NULL: none. */
const struct shell_command *shell_find_command(const struct shell_table *table, struct span name);

/* True when text fits a pattern of * (any characters) and ? (one), ASCII case folded. */
bool shell_like(struct span text, struct span pattern);

/*
 * Appends a value as the shell's own text, so that parsing it as an argument gives the value again: null, booleans,
 * integers, strings, lists and hashtables exactly; sizes, time spans, times and Unlimited as the strings that
 * cmdlets read back. A secret or a script block has no such form: out->failed.
 */
void shell_quote(struct buf *out, struct value v);

/*
 * What the word at the end of text may become: names of commands, or parameters (with their dash) of the command
 * that it belongs to. The word begins at *ret_from; the names are views of the table or in the arena. Returns their
 * number; 0 also when memory is out.
 */
size_t shell_completions(const struct shell_table *table, struct span text, struct arena *arena, struct span **ret,
                         size_t *ret_from);
