/* plan_findings.c: the audit of the policy that a script makes beside that of the present one. */
#include "cmdlet/audited.h"
#include "cmdlet/plan_internal.h"

static enum err_code copy_finding(struct arena *arena, const struct audit_finding *f, struct plan_finding *ret,
                                  struct err *err)
{
    *ret = (struct plan_finding){.severity = audit_severity_name(f->severity),
                                 .kind = audit_kind_info(f->kind)->name,
                                 .class_name = f->class_name,
                                 .object = arena_dup(arena, f->object),
                                 .text = arena_dup(arena, f->text),
                                 .remedy = arena_dup(arena, f->remedy)};
    return ret->object.ptr && ret->text.ptr && ret->remedy.ptr ? ERR_NONE : cmdlet_no_memory(err);
}

enum err_code plan_find(struct plan *p, struct cmdlet_context *present, struct cmdlet_context *wanted,
                        struct err *err)
{
    struct audited old, new;
    struct arena arena;
    struct err unusable;
    enum err_code code = ERR_NONE;
    arena_init(&arena, 0);
    IGNORE_RESULT(audited_run(&old, present, AUDIT_ALL, &arena, &unusable));
    IGNORE_RESULT(audited_run(&new, wanted, AUDIT_ALL, &arena, &unusable));
    p->findings = ARENA_ARRAY(p->arena, new.report.count, struct plan_finding);
    if (!p->findings)
        code = cmdlet_no_memory(err);
    for (size_t i = 0; !code && i < new.report.count; i++) {
        const struct audit_finding *f = &new.report.findings[i];
        if (f->severity >= AUDIT_WARNING && !audited_has(&old, f))
            code = copy_finding(p->arena, f, &p->findings[p->finding_count++], err);
    }
    audited_done(&old);
    audited_done(&new);
    arena_clear(&arena);
    return code;
}
