/*
 * narrowing.h: what an entry of an ACL is narrowed by, as the cmdlets take, keep, compare and show it. What it
 * means is policy/narrow.h's.
 */
#pragma once

#include "shell/command.h"

enum {
    NARROWING_SENDERS,
    NARROWING_RECIPIENTS,
    NARROWING_RATE,
    NARROWING_TLS,
    NARROWING_EXPIRES,
    NARROWING_COMMENT, /* narrows nothing; no two entries differ by it alone */
    NARROWING_COUNT,
};

/* Typed values as the schema has them; of what is not narrowed the default. */
struct narrowing {
    struct value values[NARROWING_COUNT];
    bool given[NARROWING_COUNT];
};

extern const struct narrowing narrowing_none;

/* The parameters of a call. ERR_INVALID names the parameter, the value and what would be right. */
enum err_code narrowing_read(struct shell_call *call, struct narrowing *ret, struct err *err);
/*
 * Whether it can be applied to these rights (a set of RIGHT_BIT) of a new entry: not to a send connector's, not
 * past its expiry, no rate for a denial, no recipients for what is asked before there are any. ERR_INVALID.
 */
enum err_code narrowing_check(struct shell_call *call, const struct narrowing *n, unsigned rights, bool send_side,
                              bool deny, struct err *err);
/* What a stored entry is narrowed by; all of it counts as given. */
struct narrowing narrowing_of(const struct record *entry);
bool narrowing_is_narrowed(const struct narrowing *n);
/* It has expired by then (milliseconds since 1970). */
bool narrowing_has_expired(const struct narrowing *n, int64_t now_ms);
/* The same, but for the comment; lists in any order. */
bool narrowing_equal(const struct narrowing *a, const struct narrowing *b);
/* Whether what is given of n is so in an entry; where nothing is given, whether the entry is not narrowed. */
bool narrowing_fits(const struct narrowing *n, const struct narrowing *entry);
/* Sets the properties of an entry that is stored (defaults are left out) or shown. False: memory is out. */
bool narrowing_store(struct record *r, const struct narrowing *n);
bool narrowing_show(struct record *r, const struct narrowing *n);
