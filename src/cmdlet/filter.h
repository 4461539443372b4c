/*
 * filter.h: the language of -Filter: Property -op 'value', joined with -and. Operators: -eq -ne -gt -ge -lt -le
 * -like -notlike -contains. Numbers stand without quotes; property names, operators and texts have no case. Around
 * the whole, { } or ( ) may stand.
 */
#pragma once

#include "base/err.h"
#include "base/value.h"

enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_GT,
    FILTER_GE,
    FILTER_LT,
    FILTER_LE,
    FILTER_LIKE,
    FILTER_NOT_LIKE,
    FILTER_CONTAINS,
    FILTER_OPS,
};

enum { FILTER_TERMS_MAX = 32 };

struct filter_term {
    struct span property; /* as `properties` spells it */
    enum filter_op op;
    struct span value; /* without quotes */
};

struct filter {
    struct filter_term terms[FILTER_TERMS_MAX];
    size_t count;
};

/*
 * Parses text; properties: the names that may be used, NULL-terminated. Texts are views into it, or in the arena
 * where quotes are doubled. ERR_INVALID says what was expected and where; ERR_LIMIT.
 */
enum err_code filter_parse(struct span text, const char *const *properties, struct arena *arena, struct filter *ret,
                           struct err *err);
/*
 * Whether a record fulfils every term. Numbers, sizes, times and time spans are compared by value, everything else
 * as text; a property that the record does not have fulfils none but -ne and -notlike.
 */
bool filter_matches(const struct filter *f, const struct record *r);
