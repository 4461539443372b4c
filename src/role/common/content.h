/*
 * content.h: where a message's content goes while it arrives: into memory up to CONTENT_SMALL_MAX, then into a
 * spool file that the queue process opened and this one writes. At the end it is stored with its envelope, and the
 * answer says whether it is on stable storage.
 */
#pragma once

#include "role/common/role.h"

/* What travels with its envelope, in one frame or a memory file; above it, a file of its own
 * (docs/decisions/0004-small-bodies.md). */
enum { CONTENT_SMALL_MAX = 128 * 1024 };

struct content;

struct content_owner {
    /* The content can be fed again after content_paused was true. */
    void (*ready)(void *context);
    /* The answer to content_store, exactly once. text: for REFUSED, what the queue says. */
    void (*stored)(void *context, enum content_outcome outcome, uint64_t internal_id, struct span text);
};

/*
 * expected: the declared size, or 0. A large one asks for its spool file at once. NULL when memory is out. The
 * owner is called from the loop only, never from within these functions.
 */
struct content *content_new(struct role *role, uint64_t expected, const struct content_owner *owner, void *context);
/* Appends; failures are kept and come out as CONTENT_REFUSED of content_store. */
void content_add(struct content *c, struct span bytes);
/* True while a spool file was asked for and is not there yet: stop reading from the client. */
bool content_paused(const struct content *c);
/* Sends envelope (submission.h; copied) and content to the queue: as soon as the spool file is there, where it is
 * awaited. Nothing may be added after. */
void content_store(struct content *c, struct span envelope);
/* Lets go; what was written is dropped unless it was stored. Safe at any time; no callback comes after it. NULL
 * allowed. */
void content_free(struct content *c);
