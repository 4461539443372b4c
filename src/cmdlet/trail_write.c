/*
 * trail_write.c: from changed objects to entries of the trail: one for each object, with its properties before and
 * after; what changed in an ACL stands with its connector.
 *
 * Invariant: secrets are there as "changed" alone.
 */
#include "cmdlet/export_internal.h"
#include "cmdlet/internal.h"
#include "cmdlet/trail_internal.h"

#include <stdlib.h>

enum { VALUE_MAX = 4096, STATEMENT_MAX = 4096, DAYS_90 = 90 };

/* What will be one entry. */
struct entry {
    struct span class_name, guid, name;
    const char *action;
    struct value *rows;
    size_t count, cap;
};

struct writer {
    struct trail *trail;
    struct trailed *store;
    struct arena arena;
    struct err *err;
};

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory for the audit trail");
}

/* ---- values ---- */

static struct value text_of(struct writer *w, const struct value *v)
{
    struct buf b;
    struct span text;
    if (!v || v->kind == VALUE_NULL)
        return value_null();
    buf_init(&b, 1 << 20);
    value_print(&b, *v);
    text = span_head(buf_span(&b), VALUE_MAX);
    while (text.len < b.len && text.len && ((unsigned char)b.ptr[text.len] & 0xc0) == 0x80)
        text.len--; /* not within a character */
    struct span copy = text.len < b.len || b.failed ? arena_printf(&w->arena, "%.*s...", SPAN_ARG(text))
                                                    : arena_dup(&w->arena, text);
    buf_done(&b);
    return value_string(copy);
}

static enum err_code add_row(struct writer *w, struct entry *e, struct span name, struct value old,
                             struct value new)
{
    struct record *r = record_new(&w->arena, SPAN("ModifiedProperty"));
    if (e->count == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 16;
        struct value *grown = ARENA_ARRAY(&w->arena, cap, struct value);
        if (!grown)
            return no_memory(w->err);
        for (size_t i = 0; i < e->count; i++)
            grown[i] = e->rows[i];
        e->rows = grown;
        e->cap = cap;
    }
    if (!r || !record_set(r, SPAN("Name"), value_string(name)) || !record_set(r, SPAN("OldValue"), old) ||
        !record_set(r, SPAN("NewValue"), new))
        return no_memory(w->err);
    e->rows[e->count++] = value_record(r);
    return ERR_NONE;
}

static bool is_secret(const struct value *v)
{
    return v && v->kind == VALUE_SECRET;
}

/* Properties that differ; of an object that comes or goes those that are not as they begin. */
static enum err_code add_properties(struct writer *w, struct entry *e, const struct schema_class *class,
                                    const struct trail_change *c)
{
    static const struct value none = {.kind = VALUE_NULL};
    struct record *initial = record_new(&w->arena, span_of(class->name));
    enum err_code code =
        initial ? schema_complete(class, w->trail->context->edge, initial, w->err) : no_memory(w->err);
    for (size_t i = 0; !code && i < class->count; i++) {
        const struct schema_property *p = &class->properties[i];
        struct span name = span_of(p->name);
        const struct value *old = record_get(c->before ? c->before : initial, name),
                           *new = record_get(c->after ? c->after : initial, name);
        bool stamp = span_istarts(name, SPAN("When")) || span_eq(name, SPAN("Guid"));
        bool unsaid = (p->flags & SCHEMA_WRITE_ONLY) && !new; /* a password that is not set stays */
        old = old ? old : &none;
        new = new ? new : &none;
        if (stamp || unsaid || (p->flags & SCHEMA_COMPUTED) || value_eq(*old, *new, false))
            continue;
        if (is_secret(old) || is_secret(new))
            code = add_row(w, e, name, value_null(), value_of(is_secret(new) ? "changed" : "removed"));
        else
            code = add_row(w, e, name, c->before ? text_of(w, old) : value_null(),
                           c->after ? text_of(w, new) : value_null());
    }
    return code;
}

/* "Allow RIGHT to USER", with what narrows it: "(Recipients: {*@a.test})". */
static struct value permission_text(struct writer *w, const struct record *r)
{
    struct buf b;
    bool deny = r && record_bool(r, SPAN("Deny"), false);
    struct record *initial = record_new(&w->arena, SPAN("ADPermission"));
    size_t narrowed = 0;
    if (!r || !initial || schema_complete(&schema_ad_permission, w->trail->context->edge, initial, w->err))
        return value_null();
    buf_init(&b, 2 * VALUE_MAX);
    buf_addf(&b, "%s %.*s %s %.*s", deny ? "Deny" : "Allow", SPAN_ARG(record_string(r, SPAN("ExtendedRight"))),
             deny ? "for" : "to", SPAN_ARG(record_string(r, SPAN("UserName"))));
    for (size_t i = 0; i < schema_ad_permission.count; i++) {
        const struct schema_property *p = &schema_ad_permission.properties[i];
        const struct value *v = record_get(r, span_of(p->name)), *plain = record_get(initial, span_of(p->name));
        if (!permission_is_narrowing(p) || !v || (plain && value_eq(*v, *plain, false)))
            continue;
        struct value text = text_of(w, v);
        buf_addf(&b, "%s%s: %.*s", narrowed++ ? ", " : " (", p->name, SPAN_ARG(text.s));
    }
    buf_add(&b, narrowed ? SPAN(")") : SPAN(""));
    struct span text = arena_dup(&w->arena, buf_span(&b));
    buf_done(&b);
    return value_string(text);
}

static enum err_code add_permission(struct writer *w, struct entry *e, const struct trail_change *c)
{
    struct entry rest = {0};
    if (!c->before != !c->after)
        return add_row(w, e, SPAN("ADPermission"), permission_text(w, c->before), permission_text(w, c->after));
    enum err_code code = add_properties(w, &rest, &schema_ad_permission, c);
    for (size_t i = 0; !code && i < rest.count; i++) {
        const struct record *r = rest.rows[i].record;
        struct value text = permission_text(w, c->after);
        struct span name = arena_printf(&w->arena, "ADPermission (%.*s): %.*s", SPAN_ARG(text.s),
                                        SPAN_ARG(record_string(r, SPAN("Name"))));
        code = add_row(w, e, name, *record_get(r, SPAN("OldValue")), *record_get(r, SPAN("NewValue")));
    }
    return code;
}

/* ---- entries ---- */

static enum err_code put_statement(struct writer *w, struct record *r)
{
    struct trail *t = w->trail;
    const struct pipeline *p = t->statement ? &t->statement->pipeline : NULL;
    struct span name = span_of(t->cmdlet), given, value;
    struct value *parameters = NULL;
    size_t count = 0;
    struct buf b;
    for (size_t i = 0; p && i < p->count; i++) { /* the last command that changes something */
        const struct shell_command *c = shell_find_command(t->table, p->calls[i].name);
        if (!c || !(c->changes || c->confirms))
            continue;
        name = span_of(c->name);
        count = 0;
        parameters = ARENA_ARRAY(&w->arena, p->calls[i].count, struct value);
        for (size_t k = 0; parameters && trail_next_argument(t->table, &p->calls[i], &k, &given, &value);)
            parameters[count++] = value_string(arena_printf(&w->arena, "%s%.*s%s%.*s", given.len ? "-" : "",
                                                            SPAN_ARG(given), given.len && value.len ? " " : "",
                                                            SPAN_ARG(span_head(value, VALUE_MAX))));
    }
    buf_init(&b, 1 << 20);
    if (p)
        trail_print_statement(&b, t->table, t->statement);
    else
        buf_add(&b, span_of(t->text));
    struct span text = arena_dup(&w->arena, span_head(buf_span(&b), STATEMENT_MAX));
    buf_done(&b);
    return text.ptr && record_set(r, SPAN("CmdletName"), value_string(name)) &&
                   record_set(r, SPAN("CmdletParameters"), value_list(parameters, count)) &&
                   record_set(r, SPAN("Statement"), value_string(text))
               ? ERR_NONE
               : no_memory(w->err);
}

static enum err_code write_entry(struct writer *w, const struct entry *e, const struct record *by, int64_t now,
                                 int64_t since)
{
    struct record *r = record_new(&w->arena, SPAN("AdminAuditLogEvent"));
    unsigned char id[8];
    w->trail->context->random(id, sizeof id);
    struct span identity = arena_printf(&w->arena, "%02x%02x%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3],
                                        id[4], id[5], id[6], id[7]);
    struct span object = arena_printf(&w->arena, "%.*s\\%.*s", SPAN_ARG(e->class_name), SPAN_ARG(e->name));
    if (!r || !identity.ptr || !object.ptr || !record_set(r, SPAN("RunDate"), value_time(now)) ||
        !record_set(r, SPAN("Caller"), value_of(w->trail->caller)) ||
        !record_set(r, SPAN("CmdletName"), *record_get(by, SPAN("CmdletName"))) ||
        !record_set(r, SPAN("ObjectModified"), value_string(object)) ||
        !record_set(r, SPAN("Action"), value_of(e->action)) ||
        !record_set(r, SPAN("CmdletParameters"), *record_get(by, SPAN("CmdletParameters"))) ||
        !record_set(r, SPAN("ModifiedProperties"), value_list(e->rows, e->count)) ||
        !record_set(r, SPAN("Succeeded"), value_bool(true)) ||
        !record_set(r, SPAN("Statement"), *record_get(by, SPAN("Statement"))) ||
        !record_set(r, SPAN("OriginatingServer"), value_string(w->trail->context->host)) ||
        !record_set(r, SPAN("Identity"), value_string(identity)))
        return no_memory(w->err);
    return object_store_trail_add(w->store->inner, r, now, since, w->err);
}

/* ---- grouping ---- */

static struct span owner_of(const struct trail_change *c)
{
    const struct record *r = c->after ? c->after : c->before;
    bool permission = span_ieq(c->class_name, SPAN("ADPermission"));
    return permission && r ? record_string(r, SPAN("Connector")) : c->guid;
}

/* Changes of one owner stand together, that of the object itself first. */
static int by_owner(const void *a, const void *b)
{
    const struct trail_change *const *x = a, *const *y = b;
    int n = span_icmp(owner_of(*x), owner_of(*y));
    bool px = span_ieq((*x)->class_name, SPAN("ADPermission")),
         py = span_ieq((*y)->class_name, SPAN("ADPermission"));
    return n ? n : px != py ? px - py : *x < *y ? -1 : *x > *y;
}

static enum err_code name_connector(struct writer *w, struct entry *e)
{
    static const char *const classes[] = {"ReceiveConnector", "SendConnector"};
    struct record *r;
    struct err unwanted;
    e->class_name = SPAN("Connector");
    e->name = e->guid; /* of one that is gone */
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (object_store_get(w->store->inner, span_of(classes[i]), e->guid, &w->arena, &r, &unwanted) == ERR_NONE) {
            e->class_name = span_of(classes[i]);
            e->name = record_string(r, SPAN("Name"));
        }
    return ERR_NONE;
}

static enum err_code collect(struct writer *w, struct entry *e, const struct trail_change *c)
{
    const struct schema_class *class = schema_class(c->class_name);
    const struct record *r = c->after ? c->after : c->before;
    if (class == &schema_ad_permission) {
        if (!e->action) {
            name_connector(w, e);
            e->action = "Set";
        }
        return add_permission(w, e, c);
    }
    e->class_name = class ? span_of(class->name) : c->class_name;
    e->name = record_string(r, SPAN("Name"));
    bool removed =
        !c->after || (!class && !record_bool(c->after, SPAN("Set"), true)); /* a note is set to nothing */
    e->action = removed ? "Remove" : !c->before ? "New" : "Set";
    return class ? add_properties(w, e, class, c) : ERR_NONE;
}

static bool is_written(const struct trail_change *c, bool recipients)
{
    return c->recipients == recipients && !c->over && (c->before || c->after);
}

static enum err_code write_all(struct writer *w, const struct trail_change **sorted, size_t n, int64_t since)
{
    struct record *by = record_new(&w->arena, SPAN("Statement"));
    int64_t now = w->trail->context->now_ms();
    enum err_code code = by ? put_statement(w, by) : no_memory(w->err);
    for (size_t i = 0; !code && i < n;) {
        struct entry e = {.guid = owner_of(sorted[i])};
        size_t k = i;
        for (; !code && k < n && span_ieq(owner_of(sorted[k]), e.guid); k++)
            code = collect(w, &e, sorted[k]);
        if (!code && (e.count || !schema_class(e.class_name))) /* otherwise it was put again as it was */
            code = write_entry(w, &e, by, now, since);
        i = k;
    }
    return code;
}

/* Before when entries go: TransportConfig AdminAuditLogAgeLimit. */
static enum err_code keep_since(struct writer *w, int64_t *ret)
{
    struct record **all;
    size_t count = 0;
    enum err_code code =
        object_store_list(w->trail->policy.inner, SPAN("TransportConfig"), &w->arena, &all, &count, w->err);
    const struct value *v = !code && count ? record_get(all[0], SPAN("AdminAuditLogAgeLimit")) : NULL;
    int64_t age = v && v->kind == VALUE_TIMESPAN ? v->i : DAYS_90 * INT64_C(86400000);
    *ret = w->trail->context->now_ms() - age;
    return code;
}

enum err_code trail_write(struct trail *t, struct trailed *store, struct err *err)
{
    struct writer w = {.trail = t, .store = store, .err = err};
    bool recipients = store == &t->recipients;
    size_t n = 0;
    int64_t since;
    arena_init(&w.arena, SHELL_STATEMENT_ARENA_MAX);
    const struct trail_change **sorted = ARENA_ARRAY(&w.arena, t->count, const struct trail_change *);
    for (size_t i = 0; sorted && i < t->count; i++)
        if (is_written(&t->changes[i], recipients))
            sorted[n++] = &t->changes[i];
    enum err_code code = !sorted ? no_memory(err) : n ? keep_since(&w, &since) : ERR_NONE;
    if (!code && n) {
        qsort(sorted, n, sizeof(*sorted), by_owner);
        code = write_all(&w, sorted, n, since);
    }
    arena_clear(&w.arena);
    return code;
}
