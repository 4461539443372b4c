/* audited.c: see audited.h. Addresses of the host and certificates are the matter of `mailreeve audit` alone. */
#include "cmdlet/audited.h"

#include "cmdlet/policy_block.h"

enum err_code audited_run(struct audited *a, struct cmdlet_context *c, enum audit_scope scope, struct arena *arena,
                          struct err *err)
{
    const struct audit_facts facts = {.now_ms = c->now_ms(), .host = c->host};
    *a = (struct audited){0};
    buf_init(&a->block, POLICY_BLOCK_MAX);
    enum err_code code = cmdlet_policy_block(c->policy, 0, &a->block, err);
    if (!code)
        code = policy_open(buf_span(&a->block), &a->policy, err);
    if (!code)
        code = audit_run(a->policy, &facts, scope, arena, &a->report, err);
    if (code)
        a->report = (struct audit_report){0};
    return code;
}

void audited_done(struct audited *a)
{
    policy_close(a->policy);
    buf_wipe(&a->block); /* it holds the passwords of smart hosts */
    *a = (struct audited){0};
}

bool audited_has(const struct audited *a, const struct audit_finding *f)
{
    for (size_t i = 0; i < a->report.count; i++) {
        const struct audit_finding *g = &a->report.findings[i];
        if (g->kind == f->kind && g->severity >= f->severity &&
            span_eq(span_of(g->class_name), span_of(f->class_name)) && span_ieq(g->object, f->object))
            return true;
    }
    return false;
}

bool audited_is_open(const struct audited *a, struct span class_name, struct span name)
{
    for (size_t i = 0; i < a->report.count; i++)
        if (span_ieq(span_of(a->report.findings[i].class_name), class_name) &&
            span_ieq(a->report.findings[i].object, name))
            return true;
    return false;
}
