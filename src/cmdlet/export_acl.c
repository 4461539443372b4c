/*
 * export_acl.c: the ACL of a connector as statements. What a group (or a new send connector) writes follows from
 * one word; what differs from that is written entry by entry.
 *
 * Invariants: a group is named when it has written an entry that is there, so entries keep their origin; what it
 * would write and is not there is removed again. Entries that deny come first. Where the result is an open relay,
 * and only there, statements say -Force.
 */
#include "cmdlet/acl.h"
#include "cmdlet/export_internal.h"
#include "policy/principal.h"

#include <stdlib.h>

static bool is_receive(const struct record *connector)
{
    return span_ieq(connector->type, SPAN("ReceiveConnector"));
}

static struct span text_of(const struct acl_item *item, const char *property)
{
    return record_string(item->record, span_of(property));
}

static unsigned origins(const struct acl *acl)
{
    unsigned groups = 0;
    for (size_t i = 0; i < acl->count; i++) {
        enum permission_group g = group_from_name(text_of(&acl->items[i], "Origin"));
        groups |= g < GROUP_COUNT ? GROUP_BIT(g) : 0;
    }
    return groups;
}

/* The ACL as it is, and as the New- statement makes it. */
static enum err_code load(struct export *e, const struct record *connector, struct acl *ret, struct acl *ret_made)
{
    enum err_code code = acl_load(ret, e->context, &e->arena, record_string(connector, SPAN("Guid")), e->err);
    *ret_made = (struct acl){.context = e->context, .arena = &e->arena, .connector = SPAN("")};
    if (code)
        return code;
    return is_receive(connector) ? acl_set_groups(ret_made, origins(ret), false, e->err)
                                 : acl_add_send_defaults(ret_made, e->err);
}

static bool is_open(const struct export *e, const struct record *connector)
{
    return audited_is_open(&e->relays, connector->type, record_string(connector, SPAN("Name")));
}

enum err_code export_connector_flags(struct export *e, const struct record *connector)
{
    struct acl acl, made;
    struct span names[GROUP_COUNT + 1];
    struct value items[GROUP_COUNT + 1];
    enum err_code code = load(e, connector, &acl, &made);
    if (code)
        return code;
    size_t n = group_names(origins(&acl), false, names);
    for (size_t i = 0; i < n; i++)
        items[i] = value_string(names[i]);
    export_parameter(e, "PermissionGroups", value_list(items, n));
    if (is_receive(connector) && is_open(e, connector))
        export_flag(e, "Force");
    return ERR_NONE;
}

/* ---- entries ---- */

bool permission_is_narrowing(const struct schema_property *p)
{
    static const char *const identifying[] = {"Name", "Connector", "User", "UserName",    "ExtendedRight",
                                              "Deny", "Origin",    "Guid", "WhenCreated", "WhenChanged"};
    for (size_t i = 0; i < ARRAY_LEN(identifying); i++)
        if (span_eq(span_of(p->name), span_of(identifying[i])))
            return false;
    return !(p->flags & (SCHEMA_COMPUTED | SCHEMA_HIDDEN));
}

/* The i-th property of an entry where it narrows it, or notes something about it; NULL where it does not. */
static const struct value *narrowing_at(const struct export *e, const struct record *entry, size_t i)
{
    const struct schema_property *p = &schema_ad_permission.properties[i];
    const struct value *v = record_get(entry, span_of(p->name)),
                       *initial = record_get(e->plain_entry, span_of(p->name));
    bool differs = v && !(initial && value_eq(*v, *initial, false));
    return permission_is_narrowing(p) && differs ? v : NULL;
}

static bool is_plain(const struct export *e, const struct record *entry)
{
    for (size_t i = 0; i < schema_ad_permission.count; i++)
        if (narrowing_at(e, entry, i) &&
            !span_eq(span_of(schema_ad_permission.properties[i].name), SPAN("Comment")))
            return false;
    return true;
}

/* The plain entry of the ACL for the same principal, right and kind as a plain one; or NULL. */
static const struct acl_item *same_entry(const struct export *e, const struct acl *acl, const struct acl_item *item)
{
    bool deny = record_bool(item->record, SPAN("Deny"), false);
    for (size_t i = 0; i < acl->count && is_plain(e, item->record); i++) {
        const struct acl_item *other = &acl->items[i];
        if (span_ieq(text_of(other, "User"), text_of(item, "User")) &&
            span_ieq(text_of(other, "ExtendedRight"), text_of(item, "ExtendedRight")) &&
            record_bool(other->record, SPAN("Deny"), false) == deny && is_plain(e, other->record))
            return other;
    }
    return NULL;
}

static void put_narrowings(struct export *e, const struct record *entry)
{
    for (size_t i = 0; i < schema_ad_permission.count; i++) {
        const char *name = schema_ad_permission.properties[i].name;
        const struct value *v = narrowing_at(e, entry, i);
        if (v && v->kind == VALUE_BOOL) /* a switch may have it so as well */
            buf_addf(e->out, " `\n    -%s:%s", name, v->b ? "$true" : "$false");
        else if (v)
            export_parameter(e, name, *v);
    }
}

/* What has expired grants nothing any more, and could not be granted anew. */
static bool has_expired(const struct export *e, const struct record *entry)
{
    const struct value *v = record_get(entry, SPAN("Expires"));
    return v && v->kind == VALUE_TIME && v->i <= e->context->now_ms();
}

/* An entry with what its principal is called in a script. */
struct named_entry {
    struct span user;
    const struct acl_item *item;
    struct span narrowing; /* as text */
};

/* ERR_NOT_FOUND: the recipient is gone. */
static enum err_code user_of(struct export *e, const struct acl_item *item, struct span *ret)
{
    struct span user = text_of(item, "User"), guid;
    enum principal p = principal_parse(user, &guid);
    *ret = user;
    return p == PRINCIPAL_USER || p == PRINCIPAL_GROUP ? export_recipient(e, guid, ret) : ERR_NONE;
}

/* Of narrowed entries the name has the Guid; what they are narrowed by decides before it. */
static int by_user_and_right(const void *a, const void *b)
{
    const struct named_entry *x = a, *y = b;
    int n = span_icmp(x->user, y->user);
    n = n ? n : span_icmp(text_of(x->item, "ExtendedRight"), text_of(y->item, "ExtendedRight"));
    n = n ? n
          : record_bool(x->item->record, SPAN("Deny"), false) - record_bool(y->item->record, SPAN("Deny"), false);
    return n ? n : span_cmp(x->narrowing, y->narrowing);
}

/* What narrows an entry, and the note; ptr NULL when memory is out. */
static struct span print_narrowing(struct export *e, const struct record *entry)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < schema_ad_permission.count; i++) {
        const struct value *v = narrowing_at(e, entry, i);
        if (v)
            value_print(&b, *v);
        buf_add_char(&b, ';');
    }
    struct span text = b.failed ? (struct span){0} : arena_dup(&e->arena, buf_span(&b));
    buf_done(&b);
    return text;
}

/* The entries in an order that does not hang on Guids. */
static enum err_code name_entries(struct export *e, const struct acl *acl, struct named_entry **ret,
                                  size_t *ret_count)
{
    struct named_entry *named = ARENA_ARRAY(&e->arena, acl->count, struct named_entry);
    enum err_code code = named ? ERR_NONE : cmdlet_no_memory(e->err);
    size_t n = 0;
    for (size_t i = 0; !code && i < acl->count; i++) {
        struct span user;
        code = user_of(e, &acl->items[i], &user);
        if (!code) {
            named[n] = (struct named_entry){user, &acl->items[i], print_narrowing(e, acl->items[i].record)};
            if (!named[n++].narrowing.ptr)
                return cmdlet_no_memory(e->err);
        }
        if (code == ERR_NOT_FOUND) { /* whoever it was for cannot log on any more */
            buf_addf(e->out, "# An entry for a recipient that is gone is left out: %.*s\n",
                     SPAN_ARG(text_of(&acl->items[i], "ExtendedRight")));
            code = ERR_NONE;
        }
    }
    if (code)
        return code;
    qsort(named, n, sizeof *named, by_user_and_right);
    *ret = named;
    *ret_count = n;
    return ERR_NONE;
}

static void put_entry(struct export *e, const struct record *connector, const struct named_entry *n, bool remove,
                      bool force)
{
    buf_addf(e->out, "Get-%.*s ", SPAN_ARG(connector->type));
    shell_quote(e->out, value_string(record_string(connector, SPAN("Name"))));
    buf_addf(e->out, " | %s-ADPermission", remove ? "Remove" : "Add");
    export_parameter(e, "User", value_string(n->user));
    export_parameter(e, "ExtendedRights", value_string(text_of(n->item, "ExtendedRight")));
    if (record_bool(n->item->record, SPAN("Deny"), false))
        export_flag(e, "Deny");
    if (remove)
        export_flag(e, "Confirm:$false");
    else
        put_narrowings(e, n->item->record);
    if (!remove && force)
        export_flag(e, "Force");
    export_end(e);
}

/* Not written by a group: it stays when groups are set anew. */
static bool is_explicit(const struct acl_item *item)
{
    return group_from_name(text_of(item, "Origin")) == GROUP_COUNT &&
           !span_ieq(text_of(item, "Origin"), SPAN("Default"));
}

/* What is written about one connector. */
struct entries {
    const struct record *connector;
    struct acl acl, made; /* as it is; as the New- statement makes it */
    struct named_entry *named;
    size_t count;
    bool force;
};

static void put_entries(struct export *e, const struct entries *x, bool deny)
{
    for (size_t i = 0; i < x->count; i++) {
        const struct acl_item *item = x->named[i].item, *there = same_entry(e, &x->made, item);
        bool wanted = record_bool(item->record, SPAN("Deny"), false) == deny;
        if (!wanted || (there && !is_explicit(item)) || has_expired(e, item->record))
            continue;
        if (there) /* so that the new one is explicit */
            put_entry(e, x->connector, &x->named[i], true, false);
        put_entry(e, x->connector, &x->named[i], false, x->force);
    }
}

static void put_removals(struct export *e, const struct entries *x)
{
    for (size_t i = 0; i < x->made.count; i++) {
        const struct named_entry n = {text_of(&x->made.items[i], "User"), &x->made.items[i], SPAN("")};
        if (!same_entry(e, &x->acl, n.item))
            put_entry(e, x->connector, &n, true, false);
    }
}

enum err_code export_permissions(struct export *e, const struct record *connector)
{
    struct entries x = {.connector = connector};
    enum err_code code = load(e, connector, &x.acl, &x.made);
    if (!code)
        code = name_entries(e, &x.acl, &x.named, &x.count);
    if (code)
        return code;
    x.force = is_open(e, connector);
    put_entries(e, &x, true);
    put_removals(e, &x);
    put_entries(e, &x, false);
    return ERR_NONE;
}
