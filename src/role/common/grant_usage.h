/*
 * grant_usage.h: how often and when entries of ACLs were used, kept by manage in a file of the state folder
 * (grants.usage) and shown by Get-ADPermission. The file is text, a line for each entry: its Guid, when it was last
 * used (milliseconds since 1970), how often.
 */
#pragma once

#include "cmdlet/context.h"

enum { GRANT_USAGE_MAX = 16384, GRANT_USAGE_ID_MAX = 64 };

struct grant_use {
    char id[GRANT_USAGE_ID_MAX]; /* the Guid in lower case */
    size_t len;
    int64_t last_ms;
    uint64_t count;
};

struct grant_usage {
    struct grant_usage_view view; /* first */
    struct grant_use *uses;       /* sorted by Guid, none twice */
    size_t count, cap;
};

void grant_usage_init(struct grant_usage *u);
void grant_usage_done(struct grant_usage *u); /* safe on a zeroed one */
/*
 * Adds uses of an entry. What is no Guid is dropped; of more than GRANT_USAGE_MAX entries the one that was not used
 * for the longest time is forgotten. Counts stop at their largest value.
 */
void grant_usage_note(struct grant_usage *u, struct span entry, uint64_t count, int64_t at_ms);
/* Takes in what grant_usage_print gave; lines that are none are passed over. */
void grant_usage_parse(struct grant_usage *u, struct span text);
void grant_usage_print(const struct grant_usage *u, struct buf *out);

/* The file in a state folder. One that is not there is empty. ERR_IO, ERR_LIMIT. */
enum err_code grant_usage_load(struct grant_usage *u, const char *state, struct err *err);
/* Replaces it as a whole; not flushed, as the last second may be lost. ERR_IO, ERR_LIMIT. */
enum err_code grant_usage_save(const struct grant_usage *u, const char *state, struct err *err);
