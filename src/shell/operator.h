/*
 * operator.h: the operators of expressions, such as -eq and -notlike, and what comparing two values means. A value
 * is compared as what it is: counts and sizes as numbers (against "10MB"), time spans (against "00:05:00"), times
 * (against "2026-01-31" or "2026-01-31T10:00:00Z"), everything else as text, ASCII case folded unless the operator
 * begins with c. Unlimited is above every number.
 */
#pragma once

#include "base/err.h"
#include "base/value.h"

enum operator_kind {
    OPERATOR_EQ,
    OPERATOR_GT,
    OPERATOR_GE,
    OPERATOR_LT,
    OPERATOR_LE,
    OPERATOR_LIKE,
    OPERATOR_MATCH,
    OPERATOR_CONTAINS,
    OPERATOR_IN,
    OPERATOR_AND, /* the logical ones from here on */
    OPERATOR_OR,
    OPERATOR_XOR,
};

struct operator
{
    enum operator_kind kind;
    bool negated; /* -ne, -notlike, ... */
    bool cased;   /* -ceq, ... */
};

/* By its name without the dash. False: there is none. */
NODISCARD bool operator_find(struct span name, struct operator* ret);
bool operator_is_logical(struct operator op);
/* "-eq, -ne, ...": for errors. */
const char *operator_names(void);
