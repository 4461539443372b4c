/*
 * plan_objects.h: the planner's view of both sides: their objects, with what they are matched by, and what the ACLs
 * of each were written by. Private to plan.c, plan_groups.c and plan_read.c.
 */
#pragma once

#include "cmdlet/plan_internal.h"

/* One object of one side: as stored (but with the real objects' Guids in it), and as it is compared. */
struct object {
    struct record *stored, *view;
    struct span guid; /* on its own side */
    struct span key;  /* what it is matched by */
    struct span rest; /* of an entry: what it is narrowed by */
    bool alone;       /* no other object of its side has the key */
};

struct objects {
    struct object *items;
    size_t count;
};

/* What an ACL was written by. */
struct groups {
    struct span connector; /* its real Guid */
    unsigned origins, complete;
};

struct match {
    struct object *old, *new; /* either may be NULL */
};

struct matches {
    struct match *items;
    size_t count;
};

struct side {
    struct cmdlet_context *context;
    struct groups *groups; /* by Guid, when the connectors were seen */
    size_t group_count, group_cap;
};

struct planner {
    struct plan *plan;
    struct arena *arena;
    struct cmdlet_context *real;
    struct desired *desired;
    struct side present, wanted;
    struct plan_map map, names; /* of Guids to Guids; of Guids to what members are called */
    struct schema_facts facts;  /* of the desired state */
    const struct plan_class *class;
    size_t without_password;
    struct span first_without;
    struct shell_host *host;
    struct err *err;
};

static inline bool is_entry(const struct planner *p)
{
    return !p->class->noun;
}

static inline bool is_connector(const struct planner *p)
{
    return p->class->noun == &noun_receive_connector || p->class->noun == &noun_send_connector;
}

/* ---- plan_groups.c: what ACLs were written by ---- */

/* Of the side's connector with that Guid; NULL: it has none. For when all were noted and sorted. */
const struct groups *plan_groups_of(struct side *s, struct span connector);
/* Notes those of a connector, for which its view gets its PermissionGroups. */
enum err_code plan_note_groups(struct planner *p, struct side *s, struct object *o, struct err *err);
/* Behind the last note. */
void plan_sort_groups(struct side *s);
/* Whether an entry that only one side has follows from what is shown of its connector anyway. */
bool plan_is_implied(struct side *has, struct side *other, const struct record *entry);

/* ---- plan_read.c: objects out of the stores ---- */

/* All of the planner's class on one side, in the order of plan_by_key. */
enum err_code plan_read_class(struct planner *p, const struct side *s, struct objects *ret);
int plan_by_key(const void *a, const void *b);
/* A property with Guids in its text: those of the real objects from now on. */
enum err_code plan_map_property(struct planner *p, struct record *r, const char *name);
/* A list with Guids in its items: those of the real objects in what is stored, names in what is compared. */
enum err_code plan_set_references(struct planner *p, struct object *o, const char *property);
