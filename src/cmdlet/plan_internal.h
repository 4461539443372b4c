/* plan_internal.h: what the files of the plan share. */
#pragma once

#include "cmdlet/internal.h"
#include "cmdlet/plan.h"

/* A password that a script gives to a mailbox. */
struct desired_password {
    struct span guid;
    struct value value;
    size_t order;
};

/* What a script makes. */
struct desired {
    struct cmdlet_context context; /* of its own stores; the recipients are the real ones where it says none */
    struct object_store *policy, *recipients; /* to be closed */
    struct arena arena;
    struct desired_password *passwords; /* by Guid, when it has run */
    size_t password_count, password_cap;
    char nobody[33]; /* stands for a password that it does not give */
};

/* Runs the script; plan_make has the contract. Needs desired_done in any case. */
enum err_code desired_run(struct desired *d, struct cmdlet_context *real, const struct plan_script *script,
                          struct shell_host *host, struct err *err);
void desired_done(struct desired *d);
/* The password that the script gives to a mailbox, or NULL. */
const struct value *desired_password(const struct desired *d, struct span guid);

/* The classes in the order in which they are shown and stored; those of recipients are marked. */
struct plan_class {
    const struct noun *noun; /* NULL: entries of ACLs */
    const struct schema_class *class;
};
enum { PLAN_CLASSES = 9 };
extern const struct plan_class plan_classes[PLAN_CLASSES];

/* ---- plan_map.c: Guids of the script's objects to those of the objects that they become ---- */

struct plan_map {
    struct arena *arena;
    struct plan_pair {
        struct span from, to;
    } * pairs;
    size_t count, cap;
    bool sorted;
};

NODISCARD bool plan_map_add(struct plan_map *m, struct span from, struct span to);
/* Where it is not mapped, itself. */
struct span plan_map_guid(struct plan_map *m, struct span guid);
/* Every Guid inside a text; ptr NULL when memory is out. */
struct span plan_map_text(struct plan_map *m, struct span text);

/* ---- plan_compare.c: the properties of two states of one object ---- */

/*
 * Both views are complete records with names in the place of Guids; either may be NULL for an object that is not
 * there. Gives the properties that differ; what a new object has by default is left out.
 */
enum err_code plan_compare(const struct schema_class *class, bool edge, const struct record *old_view,
                           const struct record *new_view, struct arena *arena, struct plan_property **ret,
                           size_t *ret_count, struct err *err);

/* ---- plan_replay.c, plan_replay_text.c: what becomes of what clients did ---- */

/*
 * Fills in p->replay. own_recipients: the wanted state has its own. host: told how far it has come; may be NULL.
 * ERR_INVALID: the policy that the script makes cannot be used; ERR_NOT_FOUND: nothing is recorded in the window;
 * the errors of the stores and of fact_view.
 */
enum err_code plan_replay_run(struct plan *p, struct cmdlet_context *present, struct cmdlet_context *wanted,
                              bool own_recipients, int64_t window_ms, struct shell_host *host, struct err *err);
void plan_replay_free(struct plan_replay *r); /* NULL allowed */
/* Appends the report for people, and gives it as an object (NULL: memory is out). */
void plan_replay_print(struct buf *out, const struct plan *p);
struct record *plan_replay_record(struct arena *a, const struct plan *p);

/* ---- plan_findings.c: what becomes dangerous ---- */

/* Fills in the plan's findings. A policy that cannot be used has none. */
enum err_code plan_find(struct plan *p, struct cmdlet_context *present, struct cmdlet_context *wanted,
                        struct err *err);
