/* marks.c: see marks.h. */
#include "policy/marks.h"

#include "policy/narrow.h"

void marks_add_recipient(const struct policy *p, const struct receive_connector *c, uint8_t *marks,
                         struct span address)
{
    const struct policy_ace *acl = policy_acl(p, c->acl);
    for (uint32_t i = 0; i < c->acl.count; i++)
        if (acl[i].recipients.count)
            marks[i] |= narrow_covers(p, acl[i].recipients, address) ? MARK_COVERED : MARK_MISSED;
}

void marks_use(const struct receive_connector *c, uint8_t *marks, uint32_t index, const struct policy_ace *entry,
               marks_used_fn *fresh, void *context)
{
    ASSERT(index < c->acl.count);
    if (!(marks[index] & MARK_USED) && fresh)
        fresh(context, entry);
    marks[index] |= MARK_USED;
}

void marks_use_decision(const struct receive_connector *c, uint8_t *marks, const struct decision *d,
                        marks_used_fn *fresh, void *context)
{
    for (size_t i = 0; i < d->step_count; i++) {
        const struct decision_step *s = &d->steps[i];
        if (s->kind == STEP_RIGHT_ALLOWED || s->kind == STEP_RIGHT_DENIED)
            marks_use(c, marks, s->index, s->entry, fresh, context);
    }
}

const struct policy_ace *marks_next_rated(const struct policy *p, const struct receive_connector *c, uint8_t *marks,
                                          uint32_t *at)
{
    const struct policy_ace *acl = policy_acl(p, c->acl);
    while (*at < c->acl.count) {
        uint32_t i = (*at)++;
        if (acl[i].rate == POLICY_UNLIMITED || acl[i].deny || !(marks[i] & MARK_USED) || (marks[i] & MARK_COUNTED))
            continue;
        marks[i] |= MARK_COUNTED;
        return &acl[i];
    }
    return NULL;
}
