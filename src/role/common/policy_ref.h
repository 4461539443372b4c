/*
 * policy_ref.h: the policy that a role works by: the newest snapshot that manage published. Whoever needs one
 * policy for longer (a session) takes a reference; the mapping goes with the last one.
 */
#pragma once

#include "base/err.h"
#include "policy/policy.h"
#include "runtime/frame.h"

struct policy_ref;

/* Takes a POLICY_SNAPSHOT frame: maps, checks, and makes it the current one. The old one stays on any error. */
enum err_code policy_ref_publish(struct frame *f, struct err *err);
/* The current policy with a reference of its own, or NULL before the first was published. */
struct policy_ref *policy_ref_current(void);
struct policy_ref *policy_ref_take(struct policy_ref *r);
void policy_ref_drop(struct policy_ref *r); /* NULL allowed */
const struct policy *policy_ref_policy(const struct policy_ref *r);
uint64_t policy_ref_version(const struct policy_ref *r);
