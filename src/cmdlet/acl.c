/* acl.c: a connector's ACL in memory and in the store. What groups consist of is policy/group.h's; here is only
 * when. */
#include "cmdlet/acl.h"

#include "cmdlet/internal.h"
#include "policy/policy.h"

static struct span text_of(const struct acl_item *item, const char *property)
{
    return record_string(item->record, span_of(property));
}

static bool is_deny(const struct acl_item *item)
{
    return record_bool(item->record, SPAN("Deny"), false);
}

static enum err_code append(struct acl *acl, struct record *r, bool fresh, struct err *err)
{
    if (acl->count == acl->cap) {
        size_t cap = acl->cap ? acl->cap * 2 : 64;
        struct acl_item *grown = ARENA_ARRAY(acl->arena, cap, struct acl_item);
        if (!grown)
            return cmdlet_no_memory(err);
        for (size_t i = 0; i < acl->count; i++)
            grown[i] = acl->items[i];
        acl->items = grown;
        acl->cap = cap;
    }
    acl->items[acl->count++] = (struct acl_item){.record = r, .fresh = fresh};
    return ERR_NONE;
}

enum err_code acl_load(struct acl *ret, struct cmdlet_context *c, struct arena *arena, struct span connector,
                       struct err *err)
{
    struct record **found;
    size_t count = 0;
    *ret = (struct acl){.context = c, .arena = arena, .connector = connector};
    enum err_code code = object_store_find(c->policy, SPAN("ADPermission"), SPAN("Connector"), connector, arena,
                                           &found, &count, err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        code = append(ret, found[i], false, err);
    return code;
}

static bool is_about(const struct acl_item *item, struct span user, enum right right, bool deny)
{
    return !item->removed && is_deny(item) == deny && span_ieq(text_of(item, "User"), user) &&
           right_from_name(text_of(item, "ExtendedRight")) == right;
}

struct acl_item *acl_find(const struct acl *acl, struct span user, enum right right, bool deny,
                          const struct narrowing *n, size_t *at)
{
    while (*at < acl->count) {
        struct acl_item *item = &acl->items[(*at)++];
        struct narrowing of = narrowing_of(item->record);
        if (is_about(item, user, right, deny) && narrowing_fits(n, &of))
            return item;
    }
    return NULL;
}

static bool has(const struct acl *acl, struct span user, enum right right, bool deny, const struct narrowing *n)
{
    for (size_t i = 0; i < acl->count; i++) {
        struct narrowing of = narrowing_of(acl->items[i].record);
        if (is_about(&acl->items[i], user, right, deny) && narrowing_equal(n, &of))
            return true;
    }
    return false;
}

/* Names are unique in the store; a narrowed entry is told apart by its Guid. */
static struct span name_entry(const struct acl *acl, const struct record *r, struct span user, enum right right,
                              bool deny, bool narrowed)
{
    return arena_printf(acl->arena, "%.*s;%.*s;%.*s;%s%s%.*s", SPAN_ARG(acl->connector), SPAN_ARG(user),
                        SPAN_ARG(right_info(right)->name), deny ? "Deny" : "Allow", narrowed ? ";" : "",
                        SPAN_ARG(narrowed ? record_string(r, SPAN("Guid")) : SPAN("")));
}

enum err_code acl_add(struct acl *acl, struct span user, struct span user_name, enum right right, bool deny,
                      const struct narrowing *n, struct span origin, bool *ret_added, struct err *err)
{
    struct span right_name = right_info(right)->name;
    *ret_added = !has(acl, user, right, deny, n);
    if (!*ret_added)
        return ERR_NONE;
    struct record *r = cmdlet_new_record(acl->context, &schema_ad_permission, acl->arena);
    struct span name = r ? name_entry(acl, r, user, right, deny, narrowing_is_narrowed(n)) : SPAN("");
    if (!r || !name.ptr || !record_set(r, SPAN("Name"), value_string(name)) ||
        !record_set(r, SPAN("Connector"), value_string(acl->connector)) ||
        !record_set(r, SPAN("User"), value_string(user)) ||
        !record_set(r, SPAN("UserName"), value_string(user_name)) ||
        !record_set(r, SPAN("ExtendedRight"), value_string(right_name)) ||
        !record_set(r, SPAN("Deny"), value_bool(deny)) || !record_set(r, SPAN("Origin"), value_string(origin)) ||
        !narrowing_store(r, n))
        return cmdlet_no_memory(err);
    return append(acl, r, true, err);
}

/* ---- permission groups ---- */

unsigned acl_groups_named(const struct value *groups, bool *ret_custom)
{
    unsigned set = 0;
    *ret_custom = false;
    for (size_t i = 0; groups && groups->kind == VALUE_LIST && i < groups->list.count; i++) {
        struct span name = groups->list.items[i].s;
        enum permission_group g = group_from_name(name);
        if (g < GROUP_COUNT)
            set |= GROUP_BIT(g);
        else if (span_ieq(name, SPAN("Custom")))
            *ret_custom = true;
    }
    return set;
}

enum err_code acl_set_groups(struct acl *acl, unsigned groups, bool keep_others, struct err *err)
{
    for (size_t i = 0; i < acl->count && !keep_others; i++) {
        enum permission_group g = group_from_name(text_of(&acl->items[i], "Origin"));
        if (g < GROUP_COUNT && !(groups & GROUP_BIT(g)))
            acl->items[i].removed = true;
    }
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        struct acl_entry entries[GROUP_ACL_MAX];
        size_t n = groups & GROUP_BIT(g) ? group_acl((enum permission_group)g, acl->context->edge, entries) : 0;
        for (size_t i = 0; i < n; i++) {
            struct span user = principal_name(entries[i].principal);
            bool added;
            enum err_code code = acl_add(acl, user, user, entries[i].right, entries[i].deny, &narrowing_none,
                                         group_info((enum permission_group)g)->name, &added, err);
            if (code)
                return code;
        }
    }
    return ERR_NONE;
}

/*
 * The entries as permission groups know them: those that are narrowed belong to none. What the policy layer cannot
 * read grants nothing and is left out.
 */
static size_t entries_of(const struct acl *acl, struct acl_entry *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < acl->count; i++) {
        struct span guid;
        const struct acl_item *item = &acl->items[i];
        enum principal p = principal_parse(text_of(item, "User"), &guid);
        enum right right = right_from_name(text_of(item, "ExtendedRight"));
        struct narrowing of = narrowing_of(item->record);
        if (!item->removed && !narrowing_is_narrowed(&of) && p < PRINCIPAL_KINDS && right < RIGHT_COUNT)
            ret[n++] = (struct acl_entry){p, right, is_deny(item)};
    }
    return n;
}

static bool has_narrowed(const struct acl *acl)
{
    for (size_t i = 0; i < acl->count; i++) {
        struct narrowing of = narrowing_of(acl->items[i].record);
        if (!acl->items[i].removed && narrowing_is_narrowed(&of))
            return true;
    }
    return false;
}

enum err_code acl_groups(const struct acl *acl, struct value *ret, struct err *err)
{
    struct acl_entry *entries = ARENA_ARRAY(acl->arena, acl->count, struct acl_entry);
    struct value *items = ARENA_ARRAY(acl->arena, GROUP_COUNT + 1, struct value);
    struct span names[GROUP_COUNT + 1];
    bool custom;
    if (!entries || !items)
        return cmdlet_no_memory(err);
    unsigned groups = group_detect(entries, entries_of(acl, entries), acl->context->edge, &custom);
    size_t n = group_names(groups, custom || has_narrowed(acl), names);
    for (size_t i = 0; i < n; i++)
        items[i] = value_string(names[i]);
    *ret = value_list(items, n);
    return ERR_NONE;
}

/* ---- send connectors ---- */

#define SEND(right) RIGHT_BIT(RIGHT_SEND_##right)

enum err_code acl_add_send_defaults(struct acl *acl, struct err *err)
{
    static const struct {
        enum principal principal;
        unsigned rights;
        bool hub_only;
    } defaults[] = {
        {PRINCIPAL_ANONYMOUS, SEND(HEADERS_ROUTING), false},
        {PRINCIPAL_PARTNER_SERVERS, SEND(HEADERS_ROUTING), false},
        {PRINCIPAL_HUB_SERVERS,
         SEND(HEADERS_ROUTING) | SEND(HEADERS_ORGANIZATION) | SEND(HEADERS_FOREST) | SEND(EXCH50), false},
        {PRINCIPAL_EDGE_SERVERS,
         SEND(HEADERS_ROUTING) | SEND(HEADERS_ORGANIZATION) | SEND(HEADERS_FOREST) | SEND(EXCH50), false},
        {PRINCIPAL_EXCHANGE_SERVERS,
         SEND(HEADERS_ROUTING) | SEND(HEADERS_ORGANIZATION) | SEND(HEADERS_FOREST) | SEND(EXCH50), true},
        {PRINCIPAL_EXTERNALLY_SECURED, SEND(HEADERS_ROUTING) | SEND(EXCH50), false},
        {PRINCIPAL_LEGACY_SERVERS, SEND(HEADERS_ROUTING) | SEND(EXCH50), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        for (unsigned r = 0; r < RIGHT_COUNT; r++) {
            struct span user = principal_name(defaults[i].principal);
            bool added, wanted = !(defaults[i].hub_only && acl->context->edge);
            if (!wanted || !(defaults[i].rights & RIGHT_BIT(r)))
                continue;
            enum err_code code =
                acl_add(acl, user, user, (enum right)r, false, &narrowing_none, SPAN("Default"), &added, err);
            if (code)
                return code;
        }
    return ERR_NONE;
}

/* ---- saving ---- */

static enum err_code check_size(const struct acl *acl, struct err *err)
{
    size_t n = 0;
    bool grows = false;
    for (size_t i = 0; i < acl->count; i++) {
        n += !acl->items[i].removed;
        grows = grows || (acl->items[i].fresh && !acl->items[i].removed);
    }
    if (!grows || n <= POLICY_ACL_MAX)
        return ERR_NONE;
    return err_set(err, ERR_LIMIT,
                   "the connector would have %zu permissions, and %d are allowed; grant to a group instead of its "
                   "members, or take unused ones away (Get-ADPermission shows LastUsed)",
                   n, POLICY_ACL_MAX);
}

enum err_code acl_save(const struct acl *acl, struct err *err)
{
    enum err_code code = check_size(acl, err);
    for (size_t i = 0; code == ERR_NONE && i < acl->count; i++) {
        const struct acl_item *item = &acl->items[i];
        if (item->removed && !item->fresh)
            code = object_store_remove(acl->context->policy, SPAN("ADPermission"), text_of(item, "Guid"), err);
        else if (item->fresh && !item->removed)
            code = object_store_put(acl->context->policy, item->record, err);
    }
    return code;
}

enum err_code acl_delete(struct cmdlet_context *c, struct arena *arena, struct span connector, struct err *err)
{
    struct acl acl;
    enum err_code code = acl_load(&acl, c, arena, connector, err);
    if (code)
        return code;
    for (size_t i = 0; i < acl.count; i++)
        acl.items[i].removed = true;
    return acl_save(&acl, err);
}
