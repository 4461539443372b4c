/* parser.h: the parser's two halves to each other. Everything gives NULL or false with the lexer's error set. */
#pragma once

#include "shell/lexer.h"

/* parse_expr.c: what stands behind a parameter: a value, or several with commas; bare words are text. */
struct expr *parse_argument(struct lexer *l);
/* Operators and values; a bare word is an error unless it is a number. */
struct expr *parse_expression(struct lexer *l);
/* True where an expression begins, rather than the name of a command. */
bool parse_at_expression(const struct lexer *l);

/* parse.c: commands with | between. */
bool parse_pipeline(struct lexer *l, struct pipeline *ret);
