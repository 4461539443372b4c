/* compare.h: what the comparison operators mean; operator.h says how values are compared. */
#pragma once

#include "shell/operator.h"

#include <regex.h>

enum {
    MATCH_PATTERN_MAX = 256,  /* bytes of a regular expression */
    MATCH_REPEATS_MAX = 1000, /* product of the counts in its {n,m}: bounds the compiled form */
    MATCH_TEXT_MAX = 4096,    /* bytes of the text that are looked at */
};

/* The regular expression that was used last, compiled. Starts zeroed. */
struct matcher {
    bool ready, cased;
    size_t len;
    char pattern[MATCH_PATTERN_MAX];
    regex_t regex;
    char text[MATCH_TEXT_MAX + 1]; /* what is looked at, as regexec wants it: up to a NUL */
};

void matcher_done(struct matcher *m);
/*
 * True in *ret when the text fits the extended POSIX expression; \d is known as well. ERR_INVALID: it is not one,
 * is too long, or has what could take unbounded time (references back, huge counts).
 */
NODISCARD enum err_code matcher_match(struct matcher *m, struct span text, struct span pattern, bool cased,
                                      bool *ret, struct err *err);

/*
 * a op b, for a comparison. A list on the left is true when it holds for one of its items, but for -contains, which
 * looks for b in it. ERR_INVALID: they cannot be compared so, with what they were.
 */
NODISCARD enum err_code compare_values(struct matcher *m, struct operator op, struct value a, struct value b,
                                       bool *ret, struct err *err);
/* A total order for sorting: null, booleans, numbers, Unlimited, time spans, times, text. */
int compare_sort(struct value a, struct value b);
