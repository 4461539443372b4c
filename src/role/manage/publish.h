/*
 * publish.h: handing the policy to the processes that work by it, and to the supervisor what it must know of it:
 * the bindings, and when resources are short.
 */
#pragma once

#include "role/common/role.h"
#include "store/objects.h"

struct publish {
    struct role *role;
    struct object_store *policy;
    bool tried, sound;   /* a policy was compiled; the last try succeeded */
    uint64_t generation; /* of the store at the last try */
    uint64_t version;    /* of the snapshot in fd */
    int fd;              /* a sealed memory file; -1: none yet */
    struct buf bindings; /* the list that the supervisor has */
    struct buf limits;   /* those of the resources that it has */
};

/* Role and store stay the caller's. */
void publish_init(struct publish *p, struct role *role, struct object_store *policy);
void publish_done(struct publish *p);
/*
 * Compiles the policy and sends it where the store has changed since the last time. A policy that cannot be used is
 * logged, and everybody keeps the one before. The version is the store's generation.
 */
void publish_update(struct publish *p);
/* The present snapshot to a peer whose link has been made anew. */
void publish_send(struct publish *p, enum role_kind peer, struct link *link);
/*
 * Whether what the store's open transaction would give can be used: for guard.h, which refuses the commit
 * otherwise. Everything is, where the policy could not be used before: it must be possible to repair it in steps.
 */
enum err_code publish_check(void *publish, struct err *err);
