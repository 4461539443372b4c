/*
 * trail.h: the audit trail: both stores of a statement, wrapped so that each change is written down in the
 * transaction that makes it, in the store that it is made in: who, when, by which statement, before and after.
 * Get-AdminAuditLog reads it.
 */
#pragma once

#include "cmdlet/context.h"
#include "shell/shell.h"

struct trail;

/* One of the two stores as the cmdlets get it; closing it closes nothing. */
struct trailed {
    struct object_store store;
    struct object_store *inner;
    struct trail *trail;
};

enum { TRAIL_CALLER_MAX = 256 };

struct trail {
    struct trailed policy, recipients;
    struct cmdlet_context *context; /* the clock, the source of Guids, this server's name */
    char caller[TRAIL_CALLER_MAX];
    const struct shell_table *table;
    const struct statement *statement; /* under way; or NULL, and then: */
    const char *cmdlet, *text;         /* what stands in its place */
    struct arena arena;                /* of the changes of the open transaction */
    struct trail_change *changes;
    size_t count, cap;
    size_t *slots; /* of a hash of the changes by Guid: index + 1, or 0 */
    size_t slot_count;
};

/*
 * The stores stay the caller's; recipients may be the policy itself. The context is the one whose stores become
 * &t->policy.store and &t->recipients.store (or wrap them), or the policy twice. Give back with trail_done.
 */
void trail_init(struct trail *t, struct object_store *policy, struct object_store *recipients,
                struct cmdlet_context *context);
void trail_done(struct trail *t); /* safe on a zeroed one */
void trail_set_caller(struct trail *t, const char *caller);
/* What the next changes are made by. */
void trail_set_statement(struct trail *t, const struct shell_table *table, const struct statement *statement);
void trail_set_event(struct trail *t, const char *cmdlet, const char *text);

/*
 * The statement as it may be kept: in one line, with *** for every argument of a parameter that takes a secret. The
 * rest of a text that cannot be told apart is left out.
 */
void trail_print_statement(struct buf *out, const struct shell_table *table, const struct statement *statement);
