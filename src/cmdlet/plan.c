/*
 * plan.c: the objects of the present state beside those that a script makes. First all are matched, by name; then
 * the Guids in them are those of the real objects; then entries of ACLs are matched, by what they are about, and
 * all are compared.
 *
 * Invariants: nothing is written. An object that is matched keeps its Guid, its secrets and what it was made.
 */
#include "cmdlet/plan_objects.h"

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
        c.implied = plan_is_implied(old ? &p->present : &p->wanted, old ? &p->wanted : &p->present, any) ||
                    (old && !plan_groups_of(&p->wanted, record_string(any, SPAN("Connector"))));
    if (new) {
        bool same_origin =
            old && span_eq(record_string(old->view, SPAN("Origin")), record_string(new->view, SPAN("Origin")));
        c.put = record_copy(p->arena, new->stored);
        code = !c.put ? cmdlet_no_memory(p->err) : old ? keep(p, old, c.put, same_origin) : ERR_NONE;
        if (!code && !old && p->class->noun == &noun_mailbox)
            code = take_password(p, new, c.put);
        if (!code && is_entry(p)) /* with the real Guids, its own as well */
            code = plan_map_property(p, c.put, "Name");
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
    return old->alone && new->alone ? span_icmp(old->key, new->key) : plan_by_key(old, new);
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
    enum err_code code = plan_read_class(p, &p->present, &old);
    if (!code)
        code = plan_read_class(p, &p->wanted, &new);
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
        code = plan_set_references(p, o, references[i]);
    return !code && o && is_connector(p) ? plan_note_groups(p, s, o, p->err) : code;
}

static enum err_code compare_class(struct planner *p, const struct matches *m)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < m->count; i++) {
        code = complete_view(p, &p->present, m->items[i].old);
        if (!code)
            code = complete_view(p, &p->wanted, m->items[i].new);
    }
    plan_sort_groups(&p->present);
    plan_sort_groups(&p->wanted);
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

enum err_code plan_make(struct cmdlet_context *c, const struct plan_script *script, int64_t replay_ms,
                        struct shell_host *host, struct arena *arena, struct plan *ret, struct err *err)
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
    if (!code && replay_ms)
        code = plan_replay_run(ret, c, &d.context, script->recipients, replay_ms, host, err);
    if (!code)
        warn_of_passwords(&p);
    ret->forced = d.context.forced != NULL;
    desired_done(&d);
    return code;
}

void plan_done(struct plan *p)
{
    plan_replay_free(TAKE_PTR(p->replay));
}
