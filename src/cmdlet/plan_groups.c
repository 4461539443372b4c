/* plan_groups.c: the permission groups that the ACLs of each side were written by, and the entries that follow. */
#include "cmdlet/acl.h"
#include "cmdlet/export_internal.h"
#include "cmdlet/plan_objects.h"

#include <stdlib.h>

static int by_connector(const void *a, const void *b)
{
    return span_icmp(((const struct groups *)a)->connector, ((const struct groups *)b)->connector);
}

const struct groups *plan_groups_of(struct side *s, struct span connector)
{
    const struct groups wanted = {.connector = connector};
    return s->group_count ? bsearch(&wanted, s->groups, s->group_count, sizeof *s->groups, by_connector) : NULL;
}

enum err_code plan_note_groups(struct planner *p, struct side *s, struct object *o, struct err *err)
{
    struct acl acl;
    struct value complete;
    struct groups g = {.connector = plan_map_guid(&p->map, o->guid)};
    bool custom;
    enum err_code code = acl_load(&acl, s->context, p->arena, o->guid, err);
    if (!code)
        code = acl_groups(&acl, &complete, err);
    if (code)
        return code;
    for (size_t i = 0; i < acl.count; i++) {
        enum permission_group of = group_from_name(record_string(acl.items[i].record, SPAN("Origin")));
        g.origins |= of < GROUP_COUNT ? GROUP_BIT(of) : 0;
    }
    g.complete = acl_groups_named(&complete, &custom);
    if (s->group_count == s->group_cap) {
        size_t cap = s->group_cap ? s->group_cap * 2 : 16;
        struct groups *grown = ARENA_ARRAY(p->arena, cap, struct groups);
        if (!grown)
            return cmdlet_no_memory(err);
        for (size_t i = 0; i < s->group_count; i++)
            grown[i] = s->groups[i];
        s->groups = grown;
        s->group_cap = cap;
    }
    s->groups[s->group_count++] = g;
    return p->class->noun == &noun_receive_connector ? cmdlet_set(o->view, "PermissionGroups", complete, err)
                                                     : ERR_NONE;
}

bool plan_is_implied(struct side *has, struct side *other, const struct record *entry)
{
    struct span connector = record_string(entry, SPAN("Connector"));
    enum permission_group g = group_from_name(record_string(entry, SPAN("Origin")));
    const struct groups *here = plan_groups_of(has, connector), *there = plan_groups_of(other, connector);
    bool usual = span_ieq(record_string(entry, SPAN("Origin")), SPAN("Default"));
    if (usual)
        return !there;
    return here && g < GROUP_COUNT && (here->complete & GROUP_BIT(g)) &&
           !(there && (there->origins & GROUP_BIT(g)));
}

void plan_sort_groups(struct side *s)
{
    if (s->group_count)
        qsort(s->groups, s->group_count, sizeof *s->groups, by_connector);
}
