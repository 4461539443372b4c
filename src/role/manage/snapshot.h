/* snapshot.h: what the supervisor needs of a policy. */
#pragma once

#include "base/buf.h"
#include "policy/policy.h"

/*
 * Appends the body of CONTROL_BINDINGS: the endpoints of all enabled receive connectors, each once, in order.
 * ERR_LIMIT: more than a frame holds.
 */
enum err_code snapshot_bindings(const struct policy *policy, struct buf *out, struct err *err);
