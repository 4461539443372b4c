/*
 * shell.h: running statements: arguments are bound to parameters, objects flow down the pipeline, what reaches its
 * end is printed. A statement runs as a whole: the caller's transaction is around it, so nothing is half-applied.
 */
#pragma once

#include "shell/command.h"
#include "shell/syntax.h"

/* Which properties of a type its table shows by default. */
struct shell_view {
    const char *type;
    const char *const *columns; /* NULL-terminated */
};

struct shell_table {
    const struct shell_command *const *commands; /* the cmdlets; the shell adds its own */
    size_t command_count;
    const struct shell_view *views;
    size_t view_count;
};

struct shell_output {
    void (*out)(void *context, struct span bytes);
    void *context;
};

enum { SHELL_STATEMENT_ARENA_MAX = 512 << 20, SHELL_TABLE_WIDTH = 160 };

/*
 * Runs one statement; what it prints goes to output once all of it has succeeded. The error is one line or more for
 * a person. ERR_UNAVAILABLE may mean that the host could not answer an ask.
 */
enum err_code shell_run(const struct shell_table *table, const struct statement *statement, struct shell_host *host,
                        void *context, const struct shell_output *output, struct err *err);

/* The i-th command, the shell's own included; NULL behind the last. */
const struct shell_command *shell_command_at(const struct shell_table *table, size_t i);
/* By name or alias, without regard to case; NULL: none. */
const struct shell_command *shell_find_command(const struct shell_table *table, struct span name);
/* Wildcards * and ?, without regard to case. */
bool shell_like(struct span text, struct span pattern);
