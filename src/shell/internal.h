/* internal.h: what the shell's files share. */
#pragma once

#include "shell/shell.h"

enum { OUTPUT_TEXT_MAX = 256 << 20 };

struct run {
    const struct shell_table *table;
    struct arena arena;
    struct shell_host *host;
    void *context;
    struct err *err;
    enum err_code code;
};

/* One command of a pipeline, bound. */
struct stage {
    struct run *run;
    struct stage *next;
    const struct shell_command *command;
    struct record *arguments;
    bool what_if, no_confirm;
    void *state;
};

struct collector {
    struct arena *arena;
    struct value *items;
    size_t count, cap;
    bool failed;
};
void collector_add(struct collector *c, struct value v);

/* ---- bind.c ---- */
enum err_code bind_call(struct run *run, const struct command_call *call, struct stage *ret);
/* ---- eval.c ---- */
enum err_code eval_expr(struct run *run, const struct expr *e, const struct value *current, struct value *ret);
enum err_code run_pipeline(struct run *run, const struct pipeline *p, struct collector *ret);
/* A script block's verdict about an object. */
enum err_code eval_filter(struct shell_call *call, const struct expr *block, struct value current, bool *ret,
                          struct err *err);
/* ---- compare.c ---- */
enum err_code compare_values(struct span op, struct value a, struct value b, bool *ret, struct err *err);
/* Order for sorting and -lt: numbers, sizes and times by size, Unlimited last, otherwise text without regard to
 * case. */
int compare_order(struct value a, struct value b);
/* ---- format.c ---- */
void format_default(struct buf *out, const struct shell_table *table, const struct value *items, size_t count);
void format_table(struct buf *out, const struct value *items, size_t count, const struct span *columns,
                  size_t column_count);
void format_list(struct buf *out, const struct value *items, size_t count, const struct span *columns,
                 size_t column_count);
/* Property names given as a list or string, wildcards expanded against a record. */
size_t format_columns(struct arena *arena, const struct value *names, const struct record *sample,
                      struct span **ret);
/* ---- json.c ---- */
void json_print(struct buf *out, struct value v, int indent, bool compress);
/* ---- builtin.c, help.c ---- */
extern const struct shell_command *const builtin_commands[];
extern const size_t builtin_count;
extern const struct shell_command help_command, get_command_command;
