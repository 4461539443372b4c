/* snapshot.h: from the objects of the policy store to what the other processes work by. */
#pragma once

#include "policy/policy.h"
#include "store/objects.h"

enum { SNAPSHOT_MAX = 256 << 20 /* bytes of a block */ };

/*
 * Appends the block of all objects to out, which must be empty and may grow to SNAPSHOT_MAX. Inside a transaction
 * it is the policy that a commit would give. On failure out stays empty; the errors are those of policy_compile
 * and of the store.
 */
enum err_code snapshot_compile(struct object_store *policy, uint64_t version, struct buf *out, struct err *err);

/*
 * Appends the body of CONTROL_BINDINGS: the endpoints of all enabled receive connectors, each once, in order.
 * ERR_LIMIT: more than a frame holds.
 */
enum err_code snapshot_bindings(const struct policy *policy, struct buf *out, struct err *err);
