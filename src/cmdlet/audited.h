/* audited.h: what the audit finds in a policy that is in a store, as far as the policy itself tells. */
#pragma once

#include "audit/audit.h"
#include "cmdlet/context.h"

struct audited {
    struct buf block;
    struct policy *policy;
    struct audit_report report; /* views of the policy and the arena */
};

/*
 * Audits the policy of the context's store, its open transaction included. The errors are those of a policy that
 * cannot be used, and of audit_run. Needs audited_done in any case.
 */
enum err_code audited_run(struct audited *a, struct cmdlet_context *c, enum audit_scope scope, struct arena *arena,
                          struct err *err);
void audited_done(struct audited *a); /* safe on a zeroed one */
/* Whether the report has the finding, of an object that is called the same. */
bool audited_has(const struct audited *a, const struct audit_finding *f);
/* Whether it is found to be an open relay, or to make one. */
bool audited_is_open(const struct audited *a, struct span class_name, struct span name);
