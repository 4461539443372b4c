/* policy_block.h: from the objects of the policy store to the block that decisions are made from. */
#pragma once

#include "base/buf.h"
#include "store/objects.h"

enum { POLICY_BLOCK_MAX = 256 << 20 /* bytes of a block */ };

/*
 * Appends the block of all objects to out, which must be empty and may grow to POLICY_BLOCK_MAX. Inside a
 * transaction it is the policy that a commit would give. On failure out stays empty; the errors are those of
 * policy_compile and of the store. A block may hold passwords: buf_wipe.
 */
enum err_code cmdlet_policy_block(struct object_store *policy, uint64_t version, struct buf *out, struct err *err);
