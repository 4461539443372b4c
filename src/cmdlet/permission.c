/*
 * permission.c: the ACL of a connector: one object of class ADPermission an entry (one right for one principal).
 *
 * Invariant: there is one entry for (connector, principal, right, deny) at most. Its Origin is a permission group,
 * or "Explicit".
 */
#include "cmdlet/internal.h"

#include "policy/group.h"

static enum err_code entries_of(struct object_store *s, struct arena *arena, struct span connector,
                                struct record ***ret, size_t *ret_count, struct err *err)
{
    struct record **all;
    size_t count, n = 0;
    enum err_code code = object_store_list(s, SPAN("ADPermission"), arena, &all, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        if (span_ieq(record_string(all[i], SPAN("Connector")), connector))
            all[n++] = all[i];
    if (!code) {
        *ret = all;
        *ret_count = n;
    }
    return code;
}

static bool same_entry(const struct record *r, struct span user, struct span right, bool deny)
{
    return span_ieq(record_string(r, SPAN("User")), user) &&
           span_ieq(record_string(r, SPAN("ExtendedRight")), right) && record_bool(r, SPAN("Deny"), false) == deny;
}

/* The name makes an entry unique: the store keeps names unique within a class. */
static enum err_code put_entry(struct cmdlet_context *c, struct arena *arena, struct span connector,
                               struct span user, struct span user_name, struct span right, bool deny,
                               struct span origin, struct err *err)
{
    struct record *r = record_new(arena, SPAN("ADPermission"));
    struct span name =
        arena_printf(arena, "%.*s|%.*s|%.*s|%d", SPAN_ARG(connector), SPAN_ARG(user), SPAN_ARG(right), deny);
    if (!r || !name.ptr || !record_set(r, SPAN("Guid"), value_string(name)) ||
        !record_set(r, SPAN("Name"), value_string(name)) ||
        !record_set(r, SPAN("Connector"), value_string(connector)) ||
        !record_set(r, SPAN("User"), value_string(user)) ||
        !record_set(r, SPAN("UserName"), value_string(user_name)) ||
        !record_set(r, SPAN("ExtendedRight"), value_string(right)) ||
        !record_set(r, SPAN("Deny"), value_bool(deny)) || !record_set(r, SPAN("Origin"), value_string(origin)))
        return cmdlet_no_memory(err);
    return object_store_put(c->policy, r, err);
}

static enum err_code remove_entry(struct cmdlet_context *c, const struct record *r, struct err *err)
{
    return object_store_remove(c->policy, SPAN("ADPermission"), record_string(r, SPAN("Guid")), err);
}

enum err_code permission_set_groups(struct cmdlet_context *c, struct arena *arena, struct span connector,
                                    unsigned groups, struct err *err)
{
    struct record **have;
    size_t count;
    enum err_code code = entries_of(c->policy, arena, connector, &have, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        if (!span_ieq(record_string(have[i], SPAN("Origin")), SPAN("Explicit")))
            code = remove_entry(c, have[i], err);
    for (unsigned g = 0; g < GROUP_COUNT; g++) {
        struct acl_entry entries[GROUP_ACL_MAX];
        size_t n = groups & GROUP_BIT(g) ? group_acl((enum permission_group)g, c->edge, entries) : 0;
        for (size_t i = 0; !code && i < n; i++) {
            struct span user = principal_name(entries[i].principal), right = right_info(entries[i].right)->name;
            bool there = false;
            for (size_t k = 0; k < count && !there; k++)
                there = span_ieq(record_string(have[k], SPAN("Origin")), SPAN("Explicit")) &&
                        same_entry(have[k], user, right, entries[i].deny);
            if (!there)
                code = put_entry(c, arena, connector, user, user, right, entries[i].deny,
                                 group_info((enum permission_group)g)->name, err);
        }
    }
    return code;
}

enum err_code permission_names(struct shell_call *call, struct span connector, struct value *ret, struct err *err)
{
    struct record **have;
    size_t count;
    struct span names[GROUP_COUNT + 1];
    bool custom;
    enum err_code code = entries_of(cmdlet_context(call)->policy, call->arena, connector, &have, &count, err);
    struct acl_entry *entries = code ? NULL : ARENA_ARRAY(call->arena, count, struct acl_entry);
    if (code || !entries)
        return code ? code : cmdlet_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        struct span guid;
        entries[i] = (struct acl_entry){principal_parse(record_string(have[i], SPAN("User")), &guid),
                                        right_from_name(record_string(have[i], SPAN("ExtendedRight"))),
                                        record_bool(have[i], SPAN("Deny"), false)};
    }
    size_t n = group_names(group_detect(entries, count, cmdlet_context(call)->edge, &custom), custom, names);
    struct value *items = ARENA_ARRAY(call->arena, n, struct value);
    if (!items)
        return cmdlet_no_memory(err);
    for (size_t i = 0; i < n; i++)
        items[i] = value_string(names[i]);
    *ret = value_list(items, n);
    return ERR_NONE;
}

enum err_code permission_remove_all(struct shell_call *call, struct span connector, struct err *err)
{
    struct record **have;
    size_t count;
    enum err_code code = entries_of(cmdlet_context(call)->policy, call->arena, connector, &have, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        code = remove_entry(cmdlet_context(call), have[i], err);
    return code;
}

/* ---- the cmdlets ---- */

static const struct shell_parameter parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Connector>", "The receive connector."},
    {"User", NULL, 0, "<Principal>",
     "NT AUTHORITY\\ANONYMOUS LOGON, NT AUTHORITY\\Authenticated Users, a SID, a mailbox or a group."},
    {"ExtendedRights", NULL, 0, "<Right>[,...]", "Such as ms-Exch-SMTP-Accept-Any-Recipient."},
    {"Deny", NULL, PARAMETER_SWITCH, NULL, "The entry denies instead of allowing."},
    {"AccessRights", NULL, 0, "ExtendedRight", "Accepted with the value ExtendedRight only."},
    {"InheritanceType", NULL, PARAMETER_HIDDEN, NULL, NULL},
    {"DomainController", NULL, PARAMETER_HIDDEN, NULL, NULL},
};

/* The connector meant by -Identity or the pipeline; an entry from the pipeline means its own. */
static enum err_code find_connector(struct shell_call *call, struct record **ret, struct err *err)
{
    const struct value *identity = cmdlet_argument(call, "Identity");
    if (!identity && call->input && call->input->kind == VALUE_RECORD &&
        span_ieq(call->input->record->type, SPAN("ADPermission")))
        return cmdlet_find(call, &noun_receive_connector,
                           value_string(record_string(call->input->record, SPAN("Connector"))), ret, err);
    return cmdlet_target(call, &noun_receive_connector, ret, err);
}

/* -User to the stored form and its name for people. */
static enum err_code find_user(struct shell_call *call, struct span text, struct span *ret_user,
                               struct span *ret_name, struct err *err)
{
    enum principal p = principal_from_name(text);
    struct record *r;
    if (p < PRINCIPAL_WELL_KNOWN) {
        *ret_user = *ret_name = principal_name(p);
        return ERR_NONE;
    }
    enum err_code code = cmdlet_find_recipient(call, text, &r, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND,
                       "-User: \"%.*s\" is neither a well-known principal (such as NT AUTHORITY\\ANONYMOUS LOGON) "
                       "nor a mailbox or group",
                       SPAN_ARG(span_head(text, 100)));
    if (code)
        return code;
    bool group = span_ieq(r->type, SPAN("DistributionGroup"));
    *ret_user =
        arena_printf(call->arena, "%s:%.*s", group ? "group" : "user", SPAN_ARG(record_string(r, SPAN("Guid"))));
    *ret_name = record_string(r, SPAN("Name"));
    return ret_user->ptr ? ERR_NONE : cmdlet_no_memory(err);
}

static enum err_code unknown_right(struct span name, struct err *err)
{
    struct buf b;
    buf_init(&b, 440);
    for (unsigned i = 0; i < RIGHT_COUNT; i++)
        buf_addf(&b, "%s%.*s", i ? ", " : "", SPAN_ARG(right_info((enum right)i)->name));
    err_set(err, ERR_INVALID, "-ExtendedRights: there is no right \"%.*s\"; known are %.*s",
            SPAN_ARG(span_head(name, 50)), (int)b.len, b.ptr ? b.ptr : "");
    buf_done(&b);
    return ERR_INVALID;
}

/* The rights given, as a set; none given: 0. */
static enum err_code rights_of(const struct value *v, unsigned *ret, struct err *err)
{
    const struct value *items = v && v->kind == VALUE_LIST ? v->list.items : v;
    size_t n = !v ? 0 : v->kind == VALUE_LIST ? v->list.count : 1;
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        struct span rest = items[i].kind == VALUE_STRING ? items[i].s : SPAN("?"), one;
        while (span_split(&rest, ',', &one)) {
            enum right right = right_from_name(span_trim(one));
            if (right == RIGHT_COUNT)
                return unknown_right(span_trim(one), err);
            *ret |= RIGHT_BIT(right);
        }
    }
    return ERR_NONE;
}

struct grant {
    struct record *connector;
    struct span user, name;
    unsigned rights;
    bool deny;
};

static enum err_code read_grant(struct shell_call *call, struct grant *g, struct err *err)
{
    const struct record *piped = call->input && call->input->kind == VALUE_RECORD &&
                                         span_ieq(call->input->record->type, SPAN("ADPermission"))
                                     ? call->input->record
                                     : NULL;
    struct span user = record_string(call->arguments, SPAN("User")),
                access = record_string(call->arguments, SPAN("AccessRights"));
    const struct value *rights = cmdlet_argument(call, "ExtendedRights");
    if (piped && !user.len)
        user = record_string(piped, SPAN("User"));
    if (piped && !rights)
        rights = record_get(piped, SPAN("ExtendedRights"));
    g->deny = record_bool(call->arguments, SPAN("Deny"), piped ? record_bool(piped, SPAN("Deny"), false) : false);
    if (access.len && !span_ieq(access, SPAN("ExtendedRight")))
        return err_set(err, ERR_INVALID,
                       "-AccessRights: only ExtendedRight has a meaning on connectors; use -ExtendedRights");
    if (!user.len || !rights)
        return err_set(err, ERR_INVALID, "%s: -User and -ExtendedRights must be given", call->command->name);
    enum err_code code = find_connector(call, &g->connector, err);
    if (!code)
        code = find_user(call, user, &g->user, &g->name, err);
    return code ? code : rights_of(rights, &g->rights, err);
}

static enum err_code show_entry(struct shell_call *call, const struct record *connector, const struct record *e,
                                struct err *err)
{
    struct record *v = record_new(call->arena, SPAN("ADPermission"));
    struct value *right = ARENA_NEW(call->arena, struct value), *access = ARENA_NEW(call->arena, struct value);
    struct span name = record_string(e, SPAN("UserName"));
    if (!v || !right || !access)
        return cmdlet_no_memory(err);
    *right = value_string(record_string(e, SPAN("ExtendedRight")));
    *access = value_of("ExtendedRight");
    if (!record_set(v, SPAN("Identity"), value_string(record_string(connector, SPAN("Name")))) ||
        !record_set(v, SPAN("User"), value_string(name.len ? name : record_string(e, SPAN("User")))) ||
        !record_set(v, SPAN("Deny"), value_bool(record_bool(e, SPAN("Deny"), false))) ||
        !record_set(v, SPAN("IsInherited"), value_bool(false)) ||
        !record_set(v, SPAN("AccessRights"), value_list(access, 1)) ||
        !record_set(v, SPAN("ExtendedRights"), value_list(right, 1)) ||
        !record_set(v, SPAN("Origin"), value_string(record_string(e, SPAN("Origin")))) ||
        !record_set(v, SPAN("Connector"), value_string(record_string(connector, SPAN("Guid")))))
        return cmdlet_no_memory(err);
    call->emit(call, value_record(v));
    return ERR_NONE;
}

static enum err_code add_run(struct shell_call *call, struct err *err)
{
    struct grant g;
    struct record **have;
    size_t count;
    enum err_code code = read_grant(call, &g, err);
    struct span connector = code ? SPAN("") : record_string(g.connector, SPAN("Guid"));
    if (!code)
        code = entries_of(cmdlet_context(call)->policy, call->arena, connector, &have, &count, err);
    for (unsigned i = 0; !code && i < RIGHT_COUNT; i++) {
        struct span right = right_info((enum right)i)->name;
        size_t k = 0;
        if (!(g.rights & RIGHT_BIT(i)))
            continue;
        while (k < count && !same_entry(have[k], g.user, right, g.deny))
            k++;
        if (k < count) {
            call->host->warn(call->host,
                             arena_printf(call->arena, "%.*s has %.*s already", SPAN_ARG(g.name), SPAN_ARG(right)));
            continue;
        }
        if (!call->what_if)
            code = put_entry(cmdlet_context(call), call->arena, connector, g.user, g.name, right, g.deny,
                             SPAN("Explicit"), err);
    }
    if (!code)
        code = entries_of(cmdlet_context(call)->policy, call->arena, connector, &have, &count, err);
    for (size_t k = 0; !code && k < count; k++)
        for (unsigned i = 0; !code && i < RIGHT_COUNT; i++)
            if ((g.rights & RIGHT_BIT(i)) && same_entry(have[k], g.user, right_info((enum right)i)->name, g.deny))
                code = show_entry(call, g.connector, have[k], err);
    return code;
}

static enum err_code get_run(struct shell_call *call, struct err *err)
{
    struct record *connector, **have;
    size_t count;
    struct span only = record_string(call->arguments, SPAN("User")), user = SPAN(""), name;
    enum err_code code = find_connector(call, &connector, err);
    if (!code && only.len)
        code = find_user(call, only, &user, &name, err);
    if (!code)
        code = entries_of(cmdlet_context(call)->policy, call->arena, record_string(connector, SPAN("Guid")), &have,
                          &count, err);
    for (size_t i = 0; !code && i < count; i++)
        if (!user.len || span_ieq(record_string(have[i], SPAN("User")), user))
            code = show_entry(call, connector, have[i], err);
    return code;
}

static enum err_code remove_run(struct shell_call *call, struct err *err)
{
    struct grant g;
    struct record **have;
    size_t count, removed = 0;
    enum err_code code = read_grant(call, &g, err);
    if (!code)
        code = entries_of(cmdlet_context(call)->policy, call->arena, record_string(g.connector, SPAN("Guid")),
                          &have, &count, err);
    for (size_t k = 0; !code && k < count; k++)
        for (unsigned i = 0; !code && i < RIGHT_COUNT; i++)
            if ((g.rights & RIGHT_BIT(i)) && same_entry(have[k], g.user, right_info((enum right)i)->name, g.deny)) {
                removed++;
                if (!call->what_if)
                    code = remove_entry(cmdlet_context(call), have[k], err);
            }
    if (!code && !removed)
        call->host->warn(
            call->host, arena_printf(call->arena, "%.*s has no such entry; nothing was removed", SPAN_ARG(g.name)));
    return code;
}

const struct shell_command permission_commands[3] = {
    {.name = "Add-ADPermission",
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Grants (or denies) rights on a connector.",
     .description = "Adds one entry a right to the connector's access control list.",
     .examples = "    Get-ReceiveConnector \"Receive Connector Name\" | Add-ADPermission -User \"NT "
                 "AUTHORITY\\ANONYMOUS LOGON\" "
                 "-ExtendedRights \"Ms-Exch-SMTP-Accept-Any-Recipient\"\n",
     .changes = true,
     .run = add_run},
    {.name = "Get-ADPermission",
     .parameters = parameters,
     .parameter_count = 2,
     .synopsis = "Shows the access control list of a connector.",
     .description = "One object an entry. Origin says which permission group made it; Explicit: Add-ADPermission.",
     .run = get_run},
    {.name = "Remove-ADPermission",
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Takes rights on a connector back.",
     .description = "Removes entries, those of permission groups too; Deny entries with -Deny.",
     .changes = true,
     .confirms = true,
     .run = remove_run},
};
