/*
 * plan.h: what applying a policy script would change, and changing it. The desired state is what the script makes
 * when it is run on an empty policy of this node; objects are matched by class and name, entries of ACLs by
 * connector, principal and right.
 */
#pragma once

#include "cmdlet/context.h"
#include "shell/command.h"

enum plan_action { PLAN_ADD, PLAN_SET, PLAN_REMOVE };

struct plan_property {
    const char *name;
    struct value old_value, new_value; /* VALUE_SECRET: not shown */
};

struct plan_change {
    enum plan_action action;
    const struct schema_class *class;
    struct span name; /* for people */
    bool implied;     /* an entry of an ACL that follows from the permission groups, which are shown */
    struct plan_property *properties;
    size_t count;
    const struct record *old; /* as stored; NULL for PLAN_ADD */
    struct record *put;       /* to be stored; NULL for PLAN_REMOVE */
};

/* What the audit finds in the policy that the script makes, and not in the present one. */
struct plan_finding {
    const char *severity, *kind, *class_name;
    struct span object, text, remedy;
};

struct plan {
    struct arena *arena;
    struct plan_change *changes; /* in the order of classes and names */
    size_t count, cap;
    size_t added, set, removed;    /* changes that are not implied */
    struct plan_finding *findings; /* warnings and dangers, the worst first */
    size_t finding_count;
    bool forced; /* a statement of the script says -Force */
    /* What the script's policy would have made of what clients did; NULL: it was not asked for. */
    struct plan_replay *replay;
};

/* A script as it was given. */
struct plan_script {
    struct span name; /* of its file, for errors */
    struct span text;
    bool recipients; /* it says all recipients too, and not the policy alone */
};

enum { PLAN_REPLAY_MIN_MS = 60 * 1000 };
#define PLAN_REPLAY_MAX_MS (INT64_C(30) * 24 * 3600 * 1000) /* facts are kept so long */
/* "7d", "12h", "5m", "90s" or [d.]hh:mm:ss. */
bool plan_parse_time(struct span s, int64_t *ret_ms);

/*
 * Runs the script on an empty policy in memory and compares. The plan lives in the arena. host: warned of what the
 * script's statements warn of; never asked. replay_ms: what clients did so long back is run against both policies
 * (replay/replay.h; host: told how far that is); 0: nothing is. Errors of the script begin with its name, line and
 * column. Whatever the script does, the context's stores are only read; they should be inside a transaction, so
 * that they do not change meanwhile. *ret needs plan_done in any case.
 */
enum err_code plan_make(struct cmdlet_context *c, const struct plan_script *script, int64_t replay_ms,
                        struct shell_host *host, struct arena *arena, struct plan *ret, struct err *err);
void plan_done(struct plan *p);
/*
 * Stores the changes, inside the transaction of both stores, in which the plan was made as well. ERR_DENIED: what
 * a server must keep would go; else the errors of the stores. After an error the transaction must be rolled back.
 */
enum err_code plan_apply(struct cmdlet_context *c, const struct plan *p, struct err *err);

/*
 * Appends the plan for people: a line for each object, which begins with +, - or ~, and one for each property,
 * where + or - in front of the value (at PLAN_ITEM_COLUMN, counted from 0) is an item of a list that comes or goes.
 */
enum { PLAN_ITEM_COLUMN = 33 };
void plan_print_text(struct buf *out, const struct plan *p);
void plan_print_json(struct buf *out, const struct plan *p);
