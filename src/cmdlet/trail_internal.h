/* trail_internal.h: what the files of the trail share. */
#pragma once

#include "cmdlet/trail.h"

/* An object that the open transaction has changed. */
struct trail_change {
    bool recipients; /* in that store */
    bool over;       /* its transaction has ended, that of the other store not yet */
    struct span class_name, guid;
    struct record *before, *after; /* NULL: it was, or is, not there */
};

/*
 * The argument at *i, which then stands behind it and its value: the parameter's name (empty for one by position)
 * and the value as typed, *** for a secret. False at the end.
 */
bool trail_next_argument(const struct shell_table *table, const struct command_call *call, size_t *i,
                         struct span *ret_name, struct span *ret_value);
/* Writes the entries of what was changed in the store. */
enum err_code trail_write(struct trail *t, struct trailed *store, struct err *err);
