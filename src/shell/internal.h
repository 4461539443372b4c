/* internal.h: what the shell's files share while a statement runs. */
#pragma once

#include "shell/compare.h"
#include "shell/shell.h"

/* One run of a statement. */
struct run {
    const struct shell *shell;
    struct arena arena;
    struct err *err;
    enum err_code code; /* the first error, which ends everything */
    bool passed_over; /* that error is not one of the statement: -ErrorAction of a command that changes something */
    struct buf notes; /* lines for shell_output.err */
    struct matcher match; /* of -match */
};

enum confirm { CONFIRM_AS_DECLARED, CONFIRM_ALWAYS, CONFIRM_NEVER };
enum error_action { ERROR_STOP, ERROR_CONTINUE, ERROR_SILENT };

/* Values in order, growing in an arena. */
struct collector {
    struct arena *arena;
    struct value *items;
    size_t count, cap;
    bool failed;
};

/* One command of a pipeline, bound; the last stage has none and collects. */
struct stage {
    struct run *run;
    struct stage *next;
    const struct shell_command *command;
    struct record *arguments;
    bool what_if, verbose;
    enum confirm confirm;
    enum error_action error_action;
    void *state;
    struct collector *collector;
};

void collector_add(struct collector *c, struct value v);

/* bind.c: finds the command and fills in its stage. current: what $_ is, or NULL. */
NODISCARD enum err_code bind_call(struct run *run, const struct command_call *call, const struct value *current,
                                  struct stage *ret);
/* The parameters that the shell handles for every command. */
extern const struct shell_parameter bind_common[];
extern const size_t bind_common_count;
/* True when a command has the i-th of them. */
bool bind_has_common(const struct shell_command *c, size_t i);

/* eval.c: what an expression means. */
NODISCARD enum err_code eval_expr(struct run *run, const struct expr *e, const struct value *current,
                                  struct value *ret);
/* The property of a value; of a list, the properties of its items. Null when there is none. */
struct value eval_member(struct arena *arena, struct value v, struct span name);
/* A script block's verdict about an object. */
NODISCARD enum err_code eval_filter(struct shell_call *call, struct value block, struct value current, bool *ret);

/* run.c: what a pipeline gives. */
NODISCARD enum err_code run_pipeline(struct run *run, const struct pipeline *p, const struct value *current,
                                     struct collector *ret);
struct run *run_of(const struct shell_call *call);
NODISCARD enum err_code run_no_memory(struct err *err);

/* match.c */
bool match_wildcards(struct span text, struct span pattern, bool cased);

/* suggest.c: the nearest of the names that are offered to what was typed, when it is near. */
struct suggestion {
    struct span typed;
    const char *best;
    size_t distance;
};
void suggest_offer(struct suggestion *s, const char *name);
/* "; did you mean X?" or nothing, into out; before: what stands in front of X. */
const char *suggest_text(const struct suggestion *s, const char *before, char out[static 96]);

/* builtin.c: what the shell's own commands share. */
const struct value *builtin_argument(const struct shell_call *call, const char *name);
bool builtin_flag(const struct shell_call *call, const char *name);
/* -First and the like: *ret is untouched when it was not given. */
NODISCARD enum err_code builtin_count(const struct shell_call *call, const char *name, size_t *ret,
                                      struct err *err);
/* run of a command that must see all objects first, and what it has gathered (NULL: out of memory). */
enum err_code builtin_gather(struct shell_call *call, struct err *err);
struct collector *builtin_gathered(struct shell_call *call);
/* Ends b and passes its content on as one string. */
NODISCARD enum err_code builtin_emit_text(struct shell_call *call, struct buf *b, struct err *err);

extern const struct shell_command builtin_where, builtin_select, builtin_sort, builtin_measure, builtin_table,
    builtin_list, builtin_json, builtin_write, builtin_help, builtin_commands;

/* One row of the table of parameters: name, alias, flags, syntax, help. */
#define BUILTIN(var, command_name, command_aliases, command_parameters, command_synopsis, command_description,     \
                command_examples, command_run, command_end)                                                        \
    const struct shell_command var = {.name = (command_name),                                                      \
                                      .aliases = (command_aliases),                                                \
                                      .parameters = (command_parameters),                                          \
                                      .parameter_count = ARRAY_LEN(command_parameters),                            \
                                      .synopsis = (command_synopsis),                                              \
                                      .description = (command_description),                                        \
                                      .examples = (command_examples),                                              \
                                      .run = (command_run),                                                        \
                                      .end = (command_end)}
