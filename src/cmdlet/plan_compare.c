/* plan_compare.c: two states of an object, property by property in the order of the schema. */
#include "cmdlet/plan_internal.h"

static const char *const never[] = {"Guid", "WhenCreated", "WhenChanged"};
/* What identifies an entry of an ACL: entries that differ in it are two. */
static const char *const of_entries[] = {"Name", "Connector", "User", "UserName"};

static bool is_compared(const struct schema_class *c, const struct schema_property *p)
{
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (span_eq(span_of(p->name), span_of(never[i])))
            return false;
    for (size_t i = 0; c == &schema_ad_permission && i < ARRAY_LEN(of_entries); i++)
        if (span_eq(span_of(p->name), span_of(of_entries[i])))
            return false;
    return true;
}

/* A secret that the script does not give is the one that is there. */
static bool is_same(const struct schema_property *p, const struct value *old, const struct value *new)
{
    static const struct value none = {.kind = VALUE_NULL};
    old = old ? old : &none;
    new = new ? new : &none;
    return value_eq(*old, *new, false) || (p->type == SCHEMA_SECRET && new->kind != VALUE_SECRET);
}

static struct value shown(const struct schema_property *p, const struct value *v)
{
    if (p->type == SCHEMA_SECRET)
        return (struct value){.kind = VALUE_SECRET};
    return v ? *v : value_null();
}

enum err_code plan_compare(const struct schema_class *class, bool edge, const struct record *old_view,
                           const struct record *new_view, struct arena *arena, struct plan_property **ret,
                           size_t *ret_count, struct err *err)
{
    struct record *initial = record_new(arena, span_of(class->name));
    struct plan_property *list = ARENA_ARRAY(arena, class->count, struct plan_property);
    enum err_code code = initial && list ? schema_complete(class, edge, initial, err) : cmdlet_no_memory(err);
    size_t n = 0;
    for (size_t i = 0; !code && new_view && i < class->count; i++) {
        const struct schema_property *p = &class->properties[i];
        struct span name = span_of(p->name);
        const struct value *old = record_get(old_view ? old_view : initial, name),
                           *new = record_get(new_view, name);
        bool label = !old_view && span_eq(name, SPAN("Name"));
        if (is_compared(class, p) && !label && !is_same(p, old, new))
            list[n++] = (struct plan_property){p->name, old_view ? shown(p, old) : value_null(), shown(p, new)};
    }
    if (code)
        return code;
    *ret = list;
    *ret_count = n;
    return ERR_NONE;
}
