/* plan_text.c: a plan for people, and as JSON. */
#include "cmdlet/plan_internal.h"
#include "shell/json.h"

enum { NAME_WIDTH = PLAN_ITEM_COLUMN - 5 };

static const struct {
    const char *sign, *word;
} actions[] = {[PLAN_ADD] = {"+", "Add"}, [PLAN_SET] = {"~", "Set"}, [PLAN_REMOVE] = {"-", "Remove"}};

static void put_value(struct buf *out, struct value v)
{
    if (v.kind == VALUE_NULL)
        buf_add(out, SPAN("(none)"));
    else if (v.kind == VALUE_SECRET)
        buf_add(out, SPAN("(secret)"));
    else if (v.kind == VALUE_STRING && (!v.s.len || span_find(v.s, ' ') != SIZE_MAX))
        buf_addf(out, "\"%.*s\"", SPAN_ARG(v.s));
    else
        value_print(out, v);
}

static bool has_item(struct value list, struct value item)
{
    for (size_t i = 0; i < list.list.count; i++)
        if (value_eq(list.list.items[i], item, true))
            return true;
    return false;
}

static void put_name(struct buf *out, const char *name)
{
    buf_addf(out, "    %-*s ", NAME_WIDTH, name);
}

/* The items that only one of two lists has; their number. */
static size_t put_items(struct buf *out, enum plan_action a, const char *name, struct value has, struct value other,
                        size_t before)
{
    for (size_t i = 0; i < has.list.count; i++) {
        struct buf text;
        if (has_item(other, has.list.items[i]))
            continue;
        buf_init(&text, 64 * 1024);
        value_print(&text, has.list.items[i]);
        put_name(out, before++ ? "" : name);
        buf_addf(out, "%s %.*s\n", actions[a].sign, SPAN_ARG(buf_span(&text)));
        buf_done(&text);
    }
    return before;
}

static void put_property(struct buf *out, enum plan_action action, const struct plan_property *q)
{
    static const struct value none = {.kind = VALUE_LIST};
    struct value old = q->old_value, new = q->new_value;
    if (action == PLAN_SET && (old.kind == VALUE_LIST || new.kind == VALUE_LIST)) {
        old = old.kind == VALUE_LIST ? old : none;
        new = new.kind == VALUE_LIST ? new : none;
        size_t n = put_items(out, PLAN_REMOVE, q->name, old, new, 0);
        if (put_items(out, PLAN_ADD, q->name, new, old, n))
            return;
    }
    put_name(out, q->name);
    if (new.kind == VALUE_SECRET) {
        buf_add(out, SPAN("(secret, changed)\n"));
        return;
    }
    if (action == PLAN_SET) {
        put_value(out, old);
        buf_add(out, SPAN(" -> "));
    }
    put_value(out, new);
    buf_add_char(out, '\n');
}

static void put_change(struct buf *out, const struct plan_change *c, struct arena *arena)
{
    bool entry = c->class == &schema_ad_permission;
    struct span what = entry ? arena_printf(arena, "%s: %.*s", c->class->label, SPAN_ARG(c->name))
                             : arena_printf(arena, "%s \"%.*s\"", c->class->label, SPAN_ARG(c->name));
    buf_addf(out, "%s %.*s\n", actions[c->action].sign, SPAN_ARG(what));
    for (size_t i = 0; i < c->count; i++)
        put_property(out, c->action, &c->properties[i]);
}

static void put_finding(struct buf *out, const struct plan_finding *f)
{
    const struct schema_class *c = schema_class(span_of(f->class_name));
    buf_addf(out, "! %s: %s \"%.*s\": %.*s\n", f->severity, c ? c->label : f->class_name, SPAN_ARG(f->object),
             SPAN_ARG(f->text));
    if (f->remedy.len)
        buf_addf(out, "    %-*s %.*s\n", NAME_WIDTH, "to mend it", SPAN_ARG(f->remedy));
}

void plan_print_text(struct buf *out, const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!plan->changes[i].implied)
            put_change(out, &plan->changes[i], plan->arena);
    for (size_t i = 0; i < plan->finding_count; i++)
        put_finding(out, &plan->findings[i]);
    if (plan->count == 0)
        buf_add(out, SPAN("No differences: the policy is what the script says."));
    else
        buf_addf(out, "%s%zu to add, %zu to change, %zu to remove.", out->len ? "\n" : "", plan->added, plan->set,
                 plan->removed);
    if (plan->replay)
        plan_replay_print(out, plan);
}

/* ---- JSON ---- */

static struct value shown(struct value v)
{
    return v.kind == VALUE_SECRET ? value_of("(secret)") : v;
}

static struct record *property_record(struct arena *a, const struct plan_property *q)
{
    struct record *r = record_new(a, SPAN("ModifiedProperty"));
    bool ok = r && record_set(r, SPAN("Name"), value_of(q->name)) &&
              record_set(r, SPAN("OldValue"), shown(q->old_value)) &&
              record_set(r, SPAN("NewValue"), shown(q->new_value));
    return ok ? r : NULL;
}

static struct record *change_record(struct arena *a, const struct plan_change *c)
{
    struct record *r = record_new(a, SPAN("PolicyChange"));
    struct value *items = ARENA_ARRAY(a, c->count, struct value);
    bool ok = r && items;
    for (size_t i = 0; ok && i < c->count; i++) {
        items[i] = value_record(property_record(a, &c->properties[i]));
        ok = items[i].record;
    }
    ok = ok && record_set(r, SPAN("Action"), value_of(actions[c->action].word)) &&
         record_set(r, SPAN("Class"), value_of(c->class->name)) &&
         record_set(r, SPAN("Name"), value_string(c->name)) &&
         record_set(r, SPAN("Implied"), value_bool(c->implied)) &&
         record_set(r, SPAN("Properties"), value_list(items, c->count));
    return ok ? r : NULL;
}

static struct record *finding_record(struct arena *a, const struct plan_finding *f)
{
    struct record *r = record_new(a, SPAN("AuditFinding"));
    bool ok = r && record_set(r, SPAN("Severity"), value_of(f->severity)) &&
              record_set(r, SPAN("Kind"), value_of(f->kind)) &&
              record_set(r, SPAN("Class"), value_of(f->class_name)) &&
              record_set(r, SPAN("Object"), value_string(f->object)) &&
              record_set(r, SPAN("Text"), value_string(f->text)) &&
              record_set(r, SPAN("Remedy"), f->remedy.len ? value_string(f->remedy) : value_null());
    return ok ? r : NULL;
}

static bool put_json(struct buf *out, const struct plan *plan)
{
    struct record *r = record_new(plan->arena, SPAN("PolicyPlan"));
    struct value *items = ARENA_ARRAY(plan->arena, plan->count, struct value),
                 *findings = ARENA_ARRAY(plan->arena, plan->finding_count, struct value);
    bool ok = r && items && findings;
    for (size_t i = 0; ok && i < plan->count; i++) {
        items[i] = value_record(change_record(plan->arena, &plan->changes[i]));
        ok = items[i].record;
    }
    for (size_t i = 0; ok && i < plan->finding_count; i++) {
        findings[i] = value_record(finding_record(plan->arena, &plan->findings[i]));
        ok = findings[i].record;
    }
    ok = ok && record_set(r, SPAN("Added"), value_int((int64_t)plan->added)) &&
         record_set(r, SPAN("Changed"), value_int((int64_t)plan->set)) &&
         record_set(r, SPAN("Removed"), value_int((int64_t)plan->removed)) &&
         record_set(r, SPAN("Changes"), value_list(items, plan->count)) &&
         record_set(r, SPAN("NewFindings"), value_list(findings, plan->finding_count));
    if (ok && plan->replay) {
        struct value report = value_record(plan_replay_record(plan->arena, plan));
        ok = report.record && record_set(r, SPAN("Replay"), report);
    }
    if (ok)
        json_print(out, value_record(r), (struct json_options){.depth = 8});
    return ok;
}

void plan_print_json(struct buf *out, const struct plan *p)
{
    out->failed |= !put_json(out, p);
}
