/*
 * syntax.h: the shell's language as a tree, in an arena: a small subset of PowerShell. Words of the language are
 * recognised without regard to case; typographic dashes, quotes and blanks act as the plain ones.
 */
#pragma once

#include "base/err.h"
#include "base/value.h"
#include "shell/operator.h"

enum {
    SYNTAX_DEPTH_MAX = 32,       /* brackets, and -not, inside each other */
    SYNTAX_ITEMS_MAX = 1 << 20,  /* elements of one list, arguments of one command, statements */
    SYNTAX_KEYS_MAX = 256,       /* of one hashtable */
    SYNTAX_PIPELINE_MAX = 32,    /* commands of one pipeline */
    SYNTAX_SCRIPT_MAX = 64 << 20 /* bytes */
};

enum expr_kind {
    EXPR_LITERAL,   /* value */
    EXPR_LIST,      /* items */
    EXPR_HASH,      /* items[i] under names[i] */
    EXPR_CURRENT,   /* $_ */
    EXPR_MEMBER,    /* items[0] and then each of names: a.b.c */
    EXPR_BLOCK,     /* { items[0] } */
    EXPR_PIPELINE,  /* ( pipeline ) */
    EXPR_NOT,       /* -not items[0] */
    EXPR_OPERATORS, /* items[0] operators[0] items[1] operators[1] items[2] ..., from left to right */
};

struct expr {
    enum expr_kind kind;
    struct value value;
    struct expr **items;
    size_t count;
    struct span *names;
    size_t name_count;
    struct operator* operators;
    size_t operator_count;
    struct pipeline *pipeline;
};

struct argument {
    struct span name;   /* of the parameter, without the dash; empty: a value by itself */
    struct expr *value; /* NULL for a parameter whose value, if any, is the next argument */
    struct span text;   /* as typed */
};

struct command_call {
    struct span name;
    struct argument *arguments;
    size_t count;
};

struct pipeline {
    struct expr *head; /* an expression whose values flow into the first command; or NULL */
    struct command_call *calls;
    size_t count; /* 0 only with a head */
};

struct statement {
    struct pipeline pipeline;
    struct span source; /* as typed: parses to this statement alone */
};

struct script {
    struct statement *statements;
    size_t count;
};

/*
 * Parses a whole script (UTF-8, with or without BOM, LF or CRLF). The tree is in the arena and refers to text,
 * which must live as long. ERR_INVALID: err says line, column and what was expected, and shows the line with a
 * caret below (the line as typed: do not log it). ret_incomplete (may be NULL) is set when the text only ends too
 * early: inside quotes or brackets, or behind a pipe, a comma or a backtick.
 */
NODISCARD enum err_code syntax_parse(struct span text, struct arena *arena, struct script *ret,
                                     bool *ret_incomplete, struct err *err);

/* False when more lines must follow before text can be run, as a prompt wants to know. */
bool shell_complete(struct span text);
