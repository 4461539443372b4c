/*
 * plan.c: the objects of the present state beside those that a script makes. First all are matched, by name; then
 * the Guids in them are those of the real objects; then entries of ACLs are matched, by what they are about, and
 * all are compared.
 *
 * Invariants: nothing is written. An object that is matched keeps its Guid, its secrets and what it was made.
 */
#include "cmdlet/acl.h"
#include "cmdlet/export_internal.h"
#include "cmdlet/plan_internal.h"

#include <stdlib.h>

const struct plan_class plan_classes[PLAN_CLASSES] = {
    {&noun_transport_config, &schema_transport_config},
    {&noun_transport_server, &schema_transport_server},
    {&noun_accepted_domain, &schema_accepted_domain},
    {&noun_mailbox, &schema_mailbox},
    {&noun_mail_contact, &schema_mail_contact},
    {&noun_distribution_group, &schema_distribution_group},
    {&noun_receive_connector, &schema_receive_connector},
    {&noun_send_connector, &schema_send_connector},
    {NULL, &schema_ad_permission},
};

/* One object of one side: as stored (but with the real objects' Guids in it), and as it is compared. */
struct object {
    struct record *stored, *view;
    struct span guid; /* on its own side */
    struct span key;  /* what it is matched by */
    struct span rest; /* of an entry: what it is narrowed by */
    bool alone;       /* no other object of its side has the key */
};

struct objects {
    struct object *items;
    size_t count;
};

/* What an ACL was written by. */
struct groups {
    struct span connector; /* its real Guid */
    unsigned origins, complete;
};

struct match {
    struct object *old, *new; /* either may be NULL */
};

struct matches {
    struct match *items;
    size_t count;
};

struct side {
    struct cmdlet_context *context;
    struct groups *groups; /* by Guid, when the connectors were seen */
    size_t group_count, group_cap;
};

struct planner {
    struct plan *plan;
    struct arena *arena;
    struct cmdlet_context *real;
    struct desired *desired;
    struct side present, wanted;
    struct plan_map map, names; /* of Guids to Guids; of Guids to what members are called */
    struct schema_facts facts;  /* of the desired state */
    const struct plan_class *class;
    size_t without_password;
    struct span first_without;
    struct shell_host *host;
    struct err *err;
};

static bool is_entry(const struct planner *p)
{
    return !p->class->noun;
}

static bool is_connector(const struct planner *p)
{
    return p->class->noun == &noun_receive_connector || p->class->noun == &noun_send_connector;
}

/* ---- what ACLs were written by ---- */

static int by_connector(const void *a, const void *b)
{
    return span_icmp(((const struct groups *)a)->connector, ((const struct groups *)b)->connector);
}

static const struct groups *groups_of(struct side *s, struct span connector)
{
    const struct groups wanted = {.connector = connector};
    return s->group_count ? bsearch(&wanted, s->groups, s->group_count, sizeof *s->groups, by_connector) : NULL;
}

static enum err_code note_groups(struct planner *p, struct side *s, struct object *o, struct err *err)
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

/* Whether an entry that only one side has follows from what is shown of its connector anyway. */
static bool is_implied(struct side *has, struct side *other, const struct record *entry)
{
    struct span connector = record_string(entry, SPAN("Connector"));
    enum permission_group g = group_from_name(record_string(entry, SPAN("Origin")));
    const struct groups *here = groups_of(has, connector), *there = groups_of(other, connector);
    bool usual = span_ieq(record_string(entry, SPAN("Origin")), SPAN("Default"));
    if (usual)
        return !there;
    return here && g < GROUP_COUNT && (here->complete & GROUP_BIT(g)) &&
           !(there && (there->origins & GROUP_BIT(g)));
}

/* ---- reading ---- */

static enum err_code map_property(struct planner *p, struct record *r, const char *name)
{
    struct span text = plan_map_text(&p->map, record_string(r, span_of(name)));
    return text.ptr ? cmdlet_set(r, name, value_string(text), p->err) : cmdlet_no_memory(p->err);
}

/* Entries of the script's ACLs, with the Guids of the real connectors and recipients. */
static enum err_code map_entry(struct planner *p, struct record *r)
{
    enum err_code code = map_property(p, r, "Connector");
    return code ? code : map_property(p, r, "User");
}

/* An entry is what it allows or denies to whom, and where; what narrows it tells it from others of that kind. */
static enum err_code set_keys(struct planner *p, struct object *o)
{
    const struct record *r = o->stored;
    struct buf b;
    o->key = record_string(r, SPAN("Name"));
    o->rest = SPAN("");
    if (!is_entry(p))
        return ERR_NONE;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < schema_ad_permission.count; i++) {
        const struct schema_property *q = &schema_ad_permission.properties[i];
        const struct value *v = record_get(r, span_of(q->name));
        if (v && permission_is_narrowing(q) && v->kind != VALUE_NULL) {
            value_print(&b, *v);
            buf_add_char(&b, ';');
        }
    }
    o->key = arena_printf(p->arena, "%.*s;%.*s;%.*s;%d", SPAN_ARG(record_string(r, SPAN("Connector"))),
                          SPAN_ARG(record_string(r, SPAN("User"))),
                          SPAN_ARG(record_string(r, SPAN("ExtendedRight"))), record_bool(r, SPAN("Deny"), false));
    o->rest = arena_dup(p->arena, buf_span(&b));
    bool failed = b.failed || !o->key.ptr || !o->rest.ptr;
    buf_done(&b);
    return failed ? cmdlet_no_memory(p->err) : ERR_NONE;
}

/* Group and group differ in nothing that shows. */
static enum err_code plain_origin(struct planner *p, struct record *view)
{
    struct span origin = record_string(view, SPAN("Origin"));
    bool written = group_from_name(origin) < GROUP_COUNT || span_ieq(origin, SPAN("Default"));
    return written ? cmdlet_set(view, "Origin", value_of("Group"), p->err) : ERR_NONE;
}

static enum err_code read_object(struct planner *p, const struct side *s, struct record *r, struct object *ret)
{
    ret->stored = r;
    ret->guid = record_string(r, SPAN("Guid"));
    enum err_code code = schema_complete(p->class->class, p->real->edge, r, p->err);
    if (!code && is_entry(p) && s == &p->wanted)
        code = map_entry(p, r);
    ret->view = record_new(p->arena, r->type);
    if (!code && !ret->view)
        code = cmdlet_no_memory(p->err);
    for (size_t i = 0; !code && i < r->count; i++)
        if (!record_set(ret->view, r->fields[i].name, r->fields[i].value))
            code = cmdlet_no_memory(p->err);
    if (!code && is_entry(p))
        code = plain_origin(p, ret->view);
    return code ? code : set_keys(p, ret);
}

static int by_key(const void *a, const void *b)
{
    const struct object *x = a, *y = b;
    int n = span_icmp(x->key, y->key);
    return n ? n : span_icmp(x->rest, y->rest);
}

static bool same_key(const struct objects *o, size_t i, size_t k)
{
    return i < o->count && k < o->count && span_ieq(o->items[i].key, o->items[k].key);
}

static enum err_code read_class(struct planner *p, const struct side *s, struct objects *ret)
{
    struct record **all;
    const struct noun *n = p->class->noun;
    struct object_store *store = n ? cmdlet_store(s->context, n) : s->context->policy;
    enum err_code code =
        object_store_list(store, span_of(p->class->class->name), p->arena, &all, &ret->count, p->err);
    ret->items = code ? NULL : ARENA_ARRAY(p->arena, ret->count, struct object);
    if (!code && !ret->items)
        code = cmdlet_no_memory(p->err);
    for (size_t i = 0; !code && i < ret->count; i++)
        code = read_object(p, s, all[i], &ret->items[i]);
    if (!code && ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, by_key);
    for (size_t i = 0; !code && i < ret->count; i++)
        ret->items[i].alone = !same_key(ret, i, i + 1) && !same_key(ret, i, i - 1);
    return code;
}

/* ---- recipients in recipients ---- */

static int by_text(const void *a, const void *b)
{
    return span_icmp(((const struct value *)a)->s, ((const struct value *)b)->s);
}

/* A list with Guids in its items: those of the real objects in what is stored, names in what is compared. */
static enum err_code set_references(struct planner *p, struct object *o, const char *property)
{
    const struct value *v = record_get(o->stored, span_of(property));
    size_t count = v && v->kind == VALUE_LIST ? v->list.count : 0;
    struct value *guids = ARENA_ARRAY(p->arena, count, struct value),
                 *names = ARENA_ARRAY(p->arena, count, struct value);
    if (!v)
        return ERR_NONE;
    if (!guids || !names)
        return cmdlet_no_memory(p->err);
    for (size_t i = 0; i < count; i++) {
        guids[i] = value_string(plan_map_text(&p->map, v->list.items[i].s));
        names[i] = value_string(plan_map_text(&p->names, guids[i].s));
        if (!guids[i].s.ptr || !names[i].s.ptr)
            return cmdlet_no_memory(p->err);
    }
    if (count)
        qsort(names, count, sizeof *names, by_text);
    enum err_code code = cmdlet_set(o->stored, property, value_list(guids, count), p->err);
    return code ? code : cmdlet_set(o->view, property, value_list(names, count), p->err);
}

/* ---- changes ---- */

/* "allow RIGHT to USER on CONNECTOR". */
static struct span entry_name(struct planner *p, const struct record *r)
{
    struct span connector = plan_map_guid(&p->names, record_string(r, SPAN("Connector")));
    return arena_printf(
        p->arena, "%s %.*s %s %.*s on \"%.*s\"", record_bool(r, SPAN("Deny"), false) ? "deny" : "allow",
        SPAN_ARG(record_string(r, SPAN("ExtendedRight"))), record_bool(r, SPAN("Deny"), false) ? "for" : "to",
        SPAN_ARG(record_string(r, SPAN("UserName"))), SPAN_ARG(connector));
}

static enum err_code add_change(struct planner *p, struct plan_change c)
{
    struct plan *plan = p->plan;
    if (plan->count == plan->cap) {
        size_t cap = plan->cap ? plan->cap * 2 : 32;
        struct plan_change *grown = ARENA_ARRAY(p->arena, cap, struct plan_change);
        if (!grown)
            return cmdlet_no_memory(p->err);
        for (size_t i = 0; i < plan->count; i++)
            grown[i] = plan->changes[i];
        plan->changes = grown;
        plan->cap = cap;
    }
    plan->changes[plan->count++] = c;
    if (!c.implied) {
        plan->added += c.action == PLAN_ADD;
        plan->set += c.action == PLAN_SET;
        plan->removed += c.action == PLAN_REMOVE;
    }
    return ERR_NONE;
}

/* What stays of an object that is changed: who it is, what nobody can write into a script, where it came from. */
static enum err_code keep(struct planner *p, const struct object *old, struct record *put, bool same_origin)
{
    static const char *const kept[] = {"Guid", "WhenCreated"};
    const struct schema_class *c = p->class->class;
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < ARRAY_LEN(kept); i++) {
        const struct value *v = record_get(old->stored, span_of(kept[i]));
        if (v)
            code = cmdlet_set(put, kept[i], *v, p->err);
    }
    for (size_t i = 0; !code && i < c->count; i++) {
        const struct schema_property *q = &c->properties[i];
        const struct value *v = record_get(old->stored, span_of(q->name)), *n = record_get(put, span_of(q->name));
        bool secret = q->type == SCHEMA_SECRET && v && (!n || n->kind != VALUE_SECRET);
        bool origin = same_origin && span_eq(span_of(q->name), SPAN("Origin"));
        bool own = p->class->noun && p->class->noun->singleton && (q->flags & SCHEMA_READ_ONLY) &&
                   !span_eq(span_of(q->name), SPAN("WhenChanged"));
        if (v && (secret || origin || own))
            code = cmdlet_set(put, q->name, *v, p->err);
    }
    return code;
}

static enum err_code take_password(struct planner *p, const struct object *new, struct record *put)
{
    const struct value *given = desired_password(p->desired, new->guid);
    struct value copy;
    if (given)
        return value_copy(p->arena, *given, &copy) ? cmdlet_set(put, "Password", copy, p->err)
                                                   : cmdlet_no_memory(p->err);
    if (p->without_password++ == 0)
        p->first_without = new->key;
    return ERR_NONE;
}

static enum err_code check_put(struct planner *p, const struct record *put)
{
    enum err_code code = p->class->noun ? schema_check(p->class->class, put, &p->facts, p->err) : ERR_NONE;
    if (code) {
        struct err inner = *p->err;
        err_set(p->err, code, "%s \"%.*s\": %s (what the script leaves out is nowhere else either)",
                p->class->class->label, SPAN_ARG(span_head(record_string(put, SPAN("Name")), 64)), inner.text);
    }
    return code;
}

static enum err_code change_object(struct planner *p, const struct object *old, const struct object *new)
{
    struct plan_change c = {.action = !old   ? PLAN_ADD
                                      : !new ? PLAN_REMOVE
                                             : PLAN_SET,
                            .class = p->class->class,
                            .old = old ? old->stored : NULL};
    const struct record *any = old ? old->stored : new->stored;
    c.name = is_entry(p) ? entry_name(p, any) : record_string(any, SPAN("Name"));
    enum err_code code = plan_compare(c.class, p->real->edge, old ? old->view : NULL, new ? new->view : NULL,
                                      p->arena, &c.properties, &c.count, p->err);
    if (code || (c.action == PLAN_SET && c.count == 0))
        return code;
    if (is_entry(p) && c.action != PLAN_SET)
        c.implied = is_implied(old ? &p->present : &p->wanted, old ? &p->wanted : &p->present, any) ||
                    (old && !groups_of(&p->wanted, record_string(any, SPAN("Connector"))));
    if (new) {
        bool same_origin =
            old && span_eq(record_string(old->view, SPAN("Origin")), record_string(new->view, SPAN("Origin")));
        c.put = record_copy(p->arena, new->stored);
        code = !c.put ? cmdlet_no_memory(p->err) : old ? keep(p, old, c.put, same_origin) : ERR_NONE;
        if (!code && !old && p->class->noun == &noun_mailbox)
            code = take_password(p, new, c.put);
        if (!code && is_entry(p)) /* with the real Guids, its own as well */
            code = map_property(p, c.put, "Name");
        const struct value *groups = record_get(new->view, SPAN("PermissionGroups")); /* rules look at it */
        if (!code && groups)
            code = cmdlet_set(c.put, "PermissionGroups", *groups, p->err);
        if (!code)
            code = check_put(p, c.put);
    }
    return code ? code : add_change(p, c);
}

/* ---- matching ---- */

/* Entries that are the only ones of their kind on both sides are one entry, however narrowed. */
static int order_of(const struct planner *p, const struct object *old, const struct object *new)
{
    if (p->class->noun && p->class->noun->singleton) /* the only one, whatever it is called */
        return 0;
    return old->alone && new->alone ? span_icmp(old->key, new->key) : by_key(old, new);
}

/* Both sides are sorted. */
static size_t match_objects(const struct planner *p, struct objects *old, struct objects *new, struct match *ret)
{
    size_t n = 0;
    for (size_t i = 0, k = 0; i < old->count || k < new->count; n++) {
        int order = i == old->count ? 1 : k == new->count ? -1 : order_of(p, &old->items[i], &new->items[k]);
        ret[n] = (struct match){order <= 0 ? &old->items[i] : NULL, order >= 0 ? &new->items[k] : NULL};
        i += order <= 0;
        k += order >= 0;
    }
    return n;
}

static enum err_code note_match(struct planner *p, struct match *m)
{
    enum err_code code = ERR_NONE;
    bool recipient = p->class->noun && p->class->noun->recipients;
    struct object *any = m->old ? m->old : m->new;
    struct span name = record_string(any->stored, recipient ? SPAN("PrimarySmtpAddress") : SPAN("Name"));
    if (p->class->noun && p->class->noun->singleton && m->old && m->new)
        code = cmdlet_set(m->new->view, "Name", value_string(name), p->err);
    if (m->old && m->new && !plan_map_add(&p->map, m->new->guid, m->old->guid))
        return cmdlet_no_memory(p->err);
    if ((recipient || is_connector(p)) && !plan_map_add(&p->names, any->guid, name))
        return cmdlet_no_memory(p->err);
    return code;
}

/* Reads and matches a class; entries when all others are matched. */
static enum err_code match_class(struct planner *p, struct matches *ret)
{
    struct objects old = {0}, new = {0};
    enum err_code code = read_class(p, &p->present, &old);
    if (!code)
        code = read_class(p, &p->wanted, &new);
    ret->items = code ? NULL : ARENA_ARRAY(p->arena, old.count + new.count, struct match);
    if (!code && !ret->items)
        code = cmdlet_no_memory(p->err);
    ret->count = code ? 0 : match_objects(p, &old, &new, ret->items);
    for (size_t i = 0; !code && i < ret->count; i++)
        code = note_match(p, &ret->items[i]);
    if (!code && p->real->edge && p->class->noun == &noun_receive_connector && new.count == 0)
        code = err_set(p->err, ERR_DENIED,
                       "the script has no receive connector, and an Edge server must keep one; disable it instead");
    return code;
}

/* What needs the Guids of other objects. */
static enum err_code complete_view(struct planner *p, struct side *s, struct object *o)
{
    static const char *const references[] = {"Members", "SendAs"};
    enum err_code code = ERR_NONE;
    bool recipient = p->class->noun && p->class->noun->recipients;
    for (size_t i = 0; !code && o && recipient && i < ARRAY_LEN(references); i++)
        code = set_references(p, o, references[i]);
    return !code && o && is_connector(p) ? note_groups(p, s, o, p->err) : code;
}

static enum err_code compare_class(struct planner *p, const struct matches *m)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < m->count; i++) {
        code = complete_view(p, &p->present, m->items[i].old);
        if (!code)
            code = complete_view(p, &p->wanted, m->items[i].new);
    }
    for (struct side *s = &p->present; s; s = s == &p->present ? &p->wanted : NULL)
        if (s->group_count)
            qsort(s->groups, s->group_count, sizeof *s->groups, by_connector);
    for (size_t i = 0; !code && i < m->count; i++)
        code = change_object(p, m->items[i].old, m->items[i].new);
    return code;
}

static enum err_code plan_all(struct planner *p, bool recipients)
{
    struct matches matches[PLAN_CLASSES] = {0};
    enum err_code code = ERR_NONE;
    for (size_t step = 0; !code && step < 2 * PLAN_CLASSES; step++) {
        p->class = &plan_classes[step % PLAN_CLASSES];
        bool left_out = !recipients && p->class->noun && p->class->noun->recipients,
             compares = step >= PLAN_CLASSES;
        if (!left_out && (!compares || is_entry(p)) && !(is_entry(p) && !compares))
            code = match_class(p, &matches[step % PLAN_CLASSES]);
        if (!code && !left_out && compares)
            code = compare_class(p, &matches[step % PLAN_CLASSES]);
    }
    return code;
}

static void warn_of_passwords(const struct planner *p)
{
    struct span text =
        arena_printf(p->arena,
                     "%zu mailbox%s made without a password, first \"%.*s\": nobody can log on "
                     "there until Set-Mailbox NAME -Password.",
                     p->without_password, p->without_password == 1 ? " is" : "es are", SPAN_ARG(p->first_without));
    if (p->without_password && p->host && text.ptr)
        p->host->warn(p->host, text);
}

enum err_code plan_make(struct cmdlet_context *c, const struct plan_script *script, struct shell_host *host,
                        struct arena *arena, struct plan *ret, struct err *err)
{
    struct desired d;
    struct planner p = {.plan = ret,
                        .arena = arena,
                        .real = c,
                        .desired = &d,
                        .present = {.context = c},
                        .wanted = {.context = &d.context},
                        .map = {.arena = arena},
                        .names = {.arena = arena},
                        .host = host,
                        .err = err};
    *ret = (struct plan){.arena = arena};
    enum err_code code = desired_run(&d, c, script, host, err);
    if (!code)
        code = cmdlet_facts(&d.context, arena, &p.facts, err);
    p.facts.secrets_elsewhere = false;
    if (!code)
        code = plan_all(&p, script->recipients);
    if (!code)
        code = plan_find(ret, c, &d.context, err);
    if (!code)
        warn_of_passwords(&p);
    ret->forced = d.context.forced != NULL;
    desired_done(&d);
    return code;
}
