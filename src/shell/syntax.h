/* syntax.h: the shell's language as a tree, in an arena. */
#pragma once

#include "base/err.h"
#include "base/value.h"

enum expr_kind {
    EXPR_LITERAL,  /* value */
    EXPR_LIST,     /* items */
    EXPR_HASH,     /* names and items */
    EXPR_MEMBER,   /* $_ and names after dots; none: $_ itself */
    EXPR_BLOCK,    /* { items[0] } */
    EXPR_PIPELINE, /* ( pipeline ) */
    EXPR_UNARY,    /* -not, ! */
    EXPR_BINARY,   /* items[0] op items[1] */
};

struct pipeline;

struct expr {
    enum expr_kind kind;
    struct value value;
    struct span op; /* "-eq", without regard to case or kind of dash */
    struct span *names;
    struct expr **items;
    size_t count;
    struct pipeline *pipeline;
};

struct argument {
    struct span name;   /* of the parameter, without dash; empty: positional */
    struct expr *value; /* NULL: a bare parameter (a switch, or its value is the next argument) */
    bool attached;      /* -Name:value */
    struct span text;   /* as typed, for errors */
};

struct command_call {
    struct span name;
    struct argument *arguments;
    size_t count;
};

struct pipeline {
    struct command_call *calls;
    size_t count;
};

struct statement {
    struct pipeline pipeline;
    struct span source; /* its text in the script */
};

struct script {
    struct statement *statements;
    size_t count;
};

/*
 * Parses a whole script. ERR_INVALID: err names line, column and what was expected, with the line and a caret
 * below. What ends too early (an open quote, brace, pipe) sets *ret_incomplete (may be NULL).
 */
enum err_code syntax_parse(struct span text, struct arena *arena, struct script *ret, bool *ret_incomplete,
                           struct err *err);
