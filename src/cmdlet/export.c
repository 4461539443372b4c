/*
 * export.c: objects as statements. Which properties there are is the schema's business alone; here is only what
 * stands around them.
 *
 * Invariants: run on an empty policy of the same node, the script makes the same objects, and exporting those gives
 * the same text. What has its default is left out, but for what says what an object is for.
 */
#include "cmdlet/export_internal.h"

#include <stdlib.h>

enum { LINE_MAX_LEN = 100 /* beyond it each item of a list has a line of its own */ };

static const char *const receive_always[] = {"AuthMechanism", NULL};
static const char *const recipient_always[] = {"PrimarySmtpAddress", NULL};

struct part {
    const struct noun *noun;
    const char *heading;
    const char *const *always; /* written even where it is the default, beside what New- requires; or NULL */
    enum err_code (*flags)(struct export *e, const struct record *r); /* further parameters; or NULL */
    enum err_code (*after)(struct export *e, const struct record *r); /* further statements; or NULL */
};

/* ---- text ---- */

static void put_list(struct buf *out, struct value v, const char *between)
{
    for (size_t i = 0; i < v.list.count; i++) {
        buf_addf(out, "%s%s", i ? "," : "", between);
        shell_quote(out, v.list.items[i]);
    }
}

void export_parameter(struct export *e, const char *name, struct value v)
{
    size_t start = e->out->len;
    buf_addf(e->out, " `\n    -%s ", name);
    if (v.kind != VALUE_LIST || v.list.count == 0) {
        shell_quote(e->out, v);
        return;
    }
    put_list(e->out, v, "");
    if (e->out->len - start > LINE_MAX_LEN && v.list.count > 1) {
        e->out->len = start;
        buf_addf(e->out, " `\n    -%s", name);
        put_list(e->out, v, " `\n        ");
    }
}

void export_flag(struct export *e, const char *name)
{
    buf_addf(e->out, " `\n    -%s", name);
}

void export_end(struct export *e)
{
    buf_add_char(e->out, '\n');
}

/* ---- an object ---- */

static bool is_named(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (span_eq(span_of(*names), span_of(name)))
            return true;
    return false;
}

/* Where New- begins beyond the schema's defaults. */
static enum err_code defaults(struct export *e, const struct schema_class *class, struct record **ret)
{
    struct record *r = record_new(&e->arena, span_of(class->name));
    if (!r)
        return cmdlet_no_memory(e->err);
    enum err_code code = schema_complete(class, e->context->edge, r, e->err);
    if (!code && class == &schema_receive_connector && e->context->host.len)
        code = cmdlet_set(r, "Fqdn", value_string(e->context->host), e->err);
    *ret = r;
    return code;
}

static bool is_primary_alone(const struct record *r, const struct schema_property *p, const struct value *v)
{
    return span_eq(span_of(p->name), SPAN("EmailAddresses")) && v->kind == VALUE_LIST && v->list.count == 1 &&
           span_ieq(v->list.items[0].s, record_string(r, SPAN("PrimarySmtpAddress")));
}

static enum err_code put_properties(struct export *e, const struct part *p, struct record *r, bool *ret_any)
{
    const struct schema_class *class = p->noun->class;
    const unsigned never = SCHEMA_READ_ONLY | SCHEMA_COMPUTED | SCHEMA_WRITE_ONLY;
    struct record *initial = NULL;
    enum err_code code = defaults(e, class, &initial);
    for (size_t i = 0; !code && i < class->count; i++) {
        const struct schema_property *q = &class->properties[i];
        const struct value *v = record_get(r, span_of(q->name)), *d = record_get(initial, span_of(q->name));
        bool wanted = (q->flags & (SCHEMA_REQUIRED | SCHEMA_NOT_EMPTY)) || is_named(p->always, q->name);
        if ((q->flags & never) || q->type == SCHEMA_SECRET || span_eq(span_of(q->name), SPAN("Name")) || !v ||
            is_primary_alone(r, q, v) || (!wanted && d && value_eq(*v, *d, false)))
            continue;
        export_parameter(e, q->name, *v);
        *ret_any = true;
    }
    return code;
}

static void note_secrets(struct export *e, const struct schema_class *class, const struct record *r)
{
    for (size_t i = 0; i < class->count; i++) {
        const struct schema_property *p = &class->properties[i];
        const struct value *v = record_get(r, span_of(p->name));
        if (p->type == SCHEMA_SECRET && v && v->kind == VALUE_SECRET && v->s.len)
            buf_addf(e->out, "# %s is kept where the %s has one; it is never exported.\n", p->name, class->label);
    }
}

static enum err_code put_object(struct export *e, const struct part *p, struct record *r)
{
    const struct noun *n = p->noun;
    size_t start = e->out->len;
    bool any = !n->singleton;
    enum err_code code = schema_complete(n->class, e->context->edge, r, e->err);
    note_secrets(e, n->class, r);
    buf_addf(e->out, "%s-%s", n->singleton ? "Set" : "New", n->class->name);
    if (any) {
        buf_add(e->out, SPAN(" -Name "));
        shell_quote(e->out, value_string(record_string(r, SPAN("Name"))));
    }
    if (!code)
        code = put_properties(e, p, r, &any);
    if (!code && p->flags)
        code = p->flags(e, r);
    export_end(e);
    if (!any)
        e->out->len = start; /* a setting that has its defaults */
    return code || !p->after ? code : p->after(e, r);
}

/* ---- domains and recipients ---- */

static enum err_code domain_flags(struct export *e, const struct record *r)
{
    if (record_bool(r, SPAN("Default"), false))
        export_parameter(e, "MakeDefault", value_bool(true));
    if (audited_is_open(&e->relays, r->type, record_string(r, SPAN("Name"))))
        export_flag(e, "Force");
    return ERR_NONE;
}

static const struct noun *const kinds[] = {&noun_mailbox, &noun_mail_contact, &noun_distribution_group};

/* True when another recipient is called what this one's address is. */
static enum err_code is_taken(struct export *e, struct span text, struct span guid, bool *ret)
{
    struct record **found;
    size_t count = 0;
    enum err_code code = ERR_NONE;
    *ret = false;
    for (size_t k = 0; !code && k < ARRAY_LEN(kinds); k++) {
        code = object_store_find(e->context->recipients, span_of(kinds[k]->class->name), SPAN("Name"), text,
                                 &e->arena, &found, &count, e->err);
        for (size_t i = 0; !code && i < count; i++)
            *ret |= !span_ieq(record_string(found[i], SPAN("Guid")), guid);
    }
    return code;
}

enum err_code export_recipient(struct export *e, struct span guid, struct span *ret)
{
    struct record *r = NULL;
    enum err_code code = ERR_NOT_FOUND;
    bool taken = false;
    for (size_t k = 0; code == ERR_NOT_FOUND && k < ARRAY_LEN(kinds); k++)
        code =
            object_store_get(e->context->recipients, span_of(kinds[k]->class->name), guid, &e->arena, &r, e->err);
    if (!code)
        code = is_taken(e, record_string(r, SPAN("PrimarySmtpAddress")), guid, &taken);
    if (!code)
        *ret = record_string(r, taken ? SPAN("Name") : SPAN("PrimarySmtpAddress"));
    return code;
}

static int by_text(const void *a, const void *b)
{
    return span_icmp(((const struct value *)a)->s, ((const struct value *)b)->s);
}

/* What the recipients of a list of Guids, or of user:GUID and group:GUID, are called, in order. */
static enum err_code name_all(struct export *e, const struct value *v, struct value *ret)
{
    size_t count = v && v->kind == VALUE_LIST ? v->list.count : 0, n = 0;
    struct value *names = ARENA_ARRAY(&e->arena, count, struct value);
    enum err_code code = names ? ERR_NONE : cmdlet_no_memory(e->err);
    for (size_t i = 0; !code && i < count; i++) {
        struct span item = v->list.items[i].s, name;
        size_t colon = span_find(item, ':');
        code = export_recipient(e, span_from(item, colon == SIZE_MAX ? 0 : colon + 1), &name);
        if (!code)
            names[n++] = value_string(name);
        if (code == ERR_NOT_FOUND) /* gone behind our back: it means nobody */
            code = ERR_NONE;
    }
    if (code)
        return code;
    if (n)
        qsort(names, n, sizeof *names, by_text);
    *ret = value_list(names, n);
    return ERR_NONE;
}

static enum err_code put_members(struct export *e, const struct record *group)
{
    struct value names;
    enum err_code code = name_all(e, record_get(group, SPAN("Members")), &names);
    if (code || !names.list.count)
        return code;
    buf_add(e->out, SPAN("Add-DistributionGroupMember "));
    shell_quote(e->out, value_string(record_string(group, SPAN("Name"))));
    export_parameter(e, "Member", names);
    export_end(e);
    return ERR_NONE;
}

/* Who may send as a recipient. */
static enum err_code put_send_as(struct export *e, const struct record *r)
{
    struct value names;
    enum err_code code = name_all(e, record_get(r, SPAN("SendAs")), &names);
    for (size_t i = 0; !code && i < names.list.count; i++) {
        buf_addf(e->out, "Get-%.*s ", SPAN_ARG(r->type));
        shell_quote(e->out, value_string(record_string(r, SPAN("Name"))));
        buf_add(e->out, SPAN(" | Add-ADPermission"));
        export_parameter(e, "User", names.list.items[i]);
        export_parameter(e, "ExtendedRights", value_of("Send-As"));
        export_end(e);
    }
    return code;
}

static enum err_code put_all_send_as(struct export *e)
{
    enum err_code code = ERR_NONE;
    for (size_t k = 0; !code && k < ARRAY_LEN(kinds); k++) {
        struct record **all;
        size_t count = 0;
        code = object_store_list(e->context->recipients, span_of(kinds[k]->class->name), &e->arena, &all, &count,
                                 e->err);
        for (size_t i = 0; !code && i < count; i++)
            code = put_send_as(e, all[i]);
    }
    return code;
}

/* ---- the whole ---- */

static const struct part parts[] = {
    {&noun_transport_config, "The organisation", NULL, NULL, NULL},
    {&noun_transport_server, "This server", NULL, NULL, NULL},
    {&noun_accepted_domain, "Accepted domains", NULL, domain_flags, NULL},
    {&noun_mailbox, "Mailboxes", recipient_always, NULL, NULL},
    {&noun_mail_contact, "Contacts", recipient_always, NULL, NULL},
    {&noun_distribution_group, "Groups", recipient_always, NULL, NULL},
    {&noun_receive_connector, "Receive connectors and their permissions", receive_always, export_connector_flags,
     export_permissions},
    {&noun_send_connector, "Send connectors and their permissions", NULL, NULL, export_permissions},
};

static enum err_code put_part(struct export *e, const struct part *p)
{
    struct record **all;
    size_t count = 0, start = e->out->len;
    enum err_code code = object_store_list(cmdlet_store(e->context, p->noun), span_of(p->noun->class->name),
                                           &e->arena, &all, &count, e->err);
    buf_addf(e->out, "\n# %s\n", p->heading);
    size_t empty = e->out->len;
    for (size_t i = 0; !code && i < count; i++)
        code = put_object(e, p, all[i]);
    for (size_t i = 0; !code && p->noun == &noun_distribution_group && i < count; i++)
        code = put_members(e, all[i]); /* behind all groups, which may hold each other */
    if (!code && p->noun == &noun_distribution_group)
        code = put_all_send_as(e);
    if (e->out->len == empty)
        e->out->len = start;
    return code;
}

enum err_code export_policy(struct cmdlet_context *c, bool recipients, struct buf *out, struct err *err)
{
    struct export e = {.context = c, .out = out, .err = err};
    enum err_code code = ERR_NONE;
    arena_init(&e.arena, SHELL_STATEMENT_ARENA_MAX);
    e.plain_entry = record_new(&e.arena, SPAN("ADPermission"));
    code =
        e.plain_entry ? schema_complete(&schema_ad_permission, c->edge, e.plain_entry, err) : cmdlet_no_memory(err);
    struct err unusable; /* a policy that cannot be used opens nothing */
    IGNORE_RESULT(audited_run(&e.relays, c, AUDIT_RELAYS, &e.arena, &unusable));
    buf_add(out, recipients ? SPAN("# The policy with its recipients: mailreeve export --recipients\n")
                            : SPAN("# The policy without its recipients: mailreeve export\n"));
    buf_add(out, SPAN("# What is not here has its default. Passwords are never exported: those there are stay.\n"));
    buf_addf(out, "# mailreeve plan FILE%s shows what applying it would change, mailreeve apply FILE%s does it.\n",
             recipients ? " --recipients" : "", recipients ? " --recipients" : "");
    for (size_t i = 0; !code && i < ARRAY_LEN(parts); i++)
        if (recipients || !parts[i].noun->recipients)
            code = put_part(&e, &parts[i]);
    audited_done(&e.relays);
    arena_clear(&e.arena);
    if (!code && out->failed)
        code = err_set(err, ERR_LIMIT,
                       "the policy is too large to be exported as one script, or an object's text "
                       "cannot be written as one");
    return code;
}
