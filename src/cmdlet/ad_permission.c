/*
 * ad_permission.c: Add-, Get- and Remove-ADPermission: single rights on receive and send connectors. Entries are
 * shown as Exchange shows them, one right each; those that a permission group wrote are entries like any other.
 */
#include "cmdlet/acl.h"
#include "cmdlet/internal.h"
#include "cmdlet/permission.h"

enum { ADD, GET, REMOVE };

/* ---- the connector ---- */

static enum err_code find_in(struct shell_call *call, const struct noun *n, struct value identity,
                             struct record **ret, struct err *err)
{
    struct err why = {0};
    enum err_code code = cmdlet_find(call, n, identity, ret, &why);
    if (code == ERR_NOT_FOUND) {
        *ret = NULL;
        return ERR_NONE;
    }
    return code ? err_set(err, code, "%s", why.text) : ERR_NONE;
}

static enum err_code find_connector(struct shell_call *call, struct value identity, struct record **ret,
                                    struct err *err)
{
    struct record *receive, *send;
    bool record = identity.kind == VALUE_RECORD;
    if (record && span_ieq(identity.record->type, SPAN("SendConnector")))
        return cmdlet_find(call, &noun_send_connector, identity, ret, err);
    if (record)
        return cmdlet_find(call, &noun_receive_connector, identity, ret, err);
    enum err_code code = find_in(call, &noun_receive_connector, identity, &receive, err);
    if (code == ERR_NONE)
        code = find_in(call, &noun_send_connector, identity, &send, err);
    if (code)
        return code;
    if (receive && send)
        return err_set(err, ERR_CONFLICT,
                       "%s -Identity: a receive connector and a send connector have this name; say which with "
                       "Get-ReceiveConnector NAME | %s or Get-SendConnector NAME | %s",
                       call->command->name, call->command->name, call->command->name);
    if (!receive && !send) /* the error lists the receive connectors */
        return cmdlet_find(call, &noun_receive_connector, identity, ret, err);
    *ret = receive ? receive : send;
    return ERR_NONE;
}

static enum err_code target(struct shell_call *call, struct record **ret, struct acl *ret_acl, struct err *err)
{
    const struct value *identity = cmdlet_argument(call, "Identity");
    identity = identity ? identity : call->input;
    if (!identity)
        return err_set(err, ERR_INVALID,
                       "%s: which connector? Give -Identity NAME, or pipe it in: Get-ReceiveConnector NAME "
                       "| %s",
                       call->command->name, call->command->name);
    enum err_code code = find_connector(call, *identity, ret, err);
    return code ? code
                : acl_load(ret_acl, cmdlet_context(call), call->arena, record_string(*ret, SPAN("Guid")), err);
}

/* ---- Add ---- */

static enum err_code add_rights(struct shell_call *call, struct acl *acl, const struct permission_user *user,
                                unsigned rights, const struct record *connector, struct err *err)
{
    bool deny = cmdlet_switch(call, "Deny");
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        bool added;
        if (!(rights & RIGHT_BIT(r)))
            continue;
        enum err_code code =
            acl_add(acl, user->stored, user->name, (enum right)r, deny, SPAN("Explicit"), &added, err);
        if (code)
            return code;
        if (!added)
            cmdlet_warn(call, "%.*s is %s %.*s on \"%.*s\" already; nothing was changed.", SPAN_ARG(user->name),
                        deny ? "denied" : "granted", SPAN_ARG(right_info((enum right)r)->name),
                        SPAN_ARG(record_string(connector, SPAN("Name"))));
    }
    return ERR_NONE;
}

/* What Get-ADPermission shows of an entry. */
static struct record *view(struct shell_call *call, const struct record *connector, const struct record *entry)
{
    static const struct value access = {.kind = VALUE_STRING, .s = SPAN_INIT("ExtendedRight")};
    struct cmdlet_context *c = cmdlet_context(call);
    struct record *v = record_new(call->arena, SPAN("ADPermission"));
    struct value *right = ARENA_NEW(call->arena, struct value);
    struct span server = span_head(c->host, span_find(c->host, '.')), name = record_string(connector, SPAN("Name"));
    bool receive = span_ieq(connector->type, SPAN("ReceiveConnector"));
    struct span identity = arena_printf(call->arena, "%.*s%s%.*s", SPAN_ARG(receive ? server : SPAN("")),
                                        receive ? "\\" : "", SPAN_ARG(name));
    if (!v || !right || !identity.ptr)
        return NULL;
    *right = value_string(record_string(entry, SPAN("ExtendedRight")));
    const struct {
        const char *property;
        struct value value;
    } fields[] = {
        {"Identity", value_string(identity)},
        {"User", value_string(permission_user_name(call, entry))},
        {"ExtendedRights", value_list(right, 1)},
        {"Deny", value_bool(record_bool(entry, SPAN("Deny"), false))},
        {"IsInherited", value_bool(false)},
        {"AccessRights", value_list(&access, 1)},
        {"InheritanceType", value_of("None")},
        {"Origin", value_string(record_string(entry, SPAN("Origin")))},
        {"Guid", value_string(record_string(entry, SPAN("Guid")))},
        {"Connector", value_string(record_string(entry, SPAN("Connector")))},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!record_set(v, span_of(fields[i].property), fields[i].value))
            return NULL;
    return v;
}

static enum err_code emit_fresh(struct shell_call *call, const struct acl *acl, const struct record *connector,
                                struct err *err)
{
    for (size_t i = 0; i < acl->count; i++) {
        struct record *v = acl->items[i].fresh ? view(call, connector, acl->items[i].record) : NULL;
        if (acl->items[i].fresh && !v)
            return cmdlet_no_memory(err);
        if (v)
            call->emit(call, value_record(v));
    }
    return ERR_NONE;
}

static enum err_code run_add(struct shell_call *call, struct err *err)
{
    struct record *connector;
    struct acl acl;
    struct permission_user user;
    unsigned rights;
    const struct value *who = cmdlet_argument(call, "User");
    enum err_code code = target(call, &connector, &acl, err);
    bool send_side = code == ERR_NONE && span_ieq(connector->type, SPAN("SendConnector"));
    if (code == ERR_NONE)
        code = permission_check_access_rights(call, err);
    if (code == ERR_NONE)
        code = permission_rights(call, send_side, &rights, err);
    if (code == ERR_NONE && (!who || !rights))
        code = err_set(err, ERR_INVALID, "Add-ADPermission: %s must be given", who ? "-ExtendedRights" : "-User");
    if (code == ERR_NONE)
        code = permission_find_user(call, *who, &user, err);
    if (code == ERR_NONE)
        code = add_rights(call, &acl, &user, rights, connector, err);
    if (code == ERR_NONE && !send_side && !cmdlet_switch(call, "Force"))
        code = acl_check_open_relay(&acl, connector, err);
    if (code)
        return code;
    if (call->what_if) {
        cmdlet_say_what_if(call, record_string(connector, SPAN("Name")));
        return ERR_NONE;
    }
    code = acl_save(&acl, err);
    return code ? code : emit_fresh(call, &acl, connector, err);
}

/* ---- Get ---- */

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct record *connector;
    struct acl acl;
    struct permission_user user = {0};
    const struct value *who = cmdlet_argument(call, "User");
    enum err_code code = target(call, &connector, &acl, err);
    if (code == ERR_NONE && who)
        code = permission_find_user(call, *who, &user, err);
    for (size_t i = 0; code == ERR_NONE && i < acl.count; i++) {
        if (who && !span_ieq(record_string(acl.items[i].record, SPAN("User")), user.stored))
            continue;
        struct record *v = view(call, connector, acl.items[i].record);
        if (!v)
            return cmdlet_no_memory(err);
        call->emit(call, value_record(v));
    }
    return code;
}

/* ---- Remove ---- */

/* An entry that came down the pipeline, or was given as -Instance. */
static enum err_code remove_entry(struct shell_call *call, const struct record *entry, struct err *err)
{
    if (call->what_if) {
        cmdlet_say_what_if(call, record_string(entry, SPAN("Identity")));
        return ERR_NONE;
    }
    enum err_code code = object_store_remove(cmdlet_context(call)->policy, SPAN("ADPermission"),
                                             record_string(entry, SPAN("Guid")), err);
    return code == ERR_NOT_FOUND ? err_set(err, code, "Remove-ADPermission: the entry is gone already") : code;
}

static enum err_code mark_removed(struct shell_call *call, struct acl *acl, const struct permission_user *user,
                                  unsigned rights, const struct record *connector, struct err *err)
{
    bool deny = cmdlet_switch(call, "Deny");
    size_t removed = 0;
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        struct acl_item *item = rights & RIGHT_BIT(r) ? acl_find(acl, user->stored, (enum right)r, deny) : NULL;
        if (item)
            item->removed = true;
        removed += item != NULL;
        if (!item && (rights & RIGHT_BIT(r)))
            cmdlet_warn(call, "\"%.*s\" has no entry that %s %.*s %.*s; nothing was removed.",
                        SPAN_ARG(record_string(connector, SPAN("Name"))), deny ? "denies" : "grants",
                        SPAN_ARG(user->name), SPAN_ARG(right_info((enum right)r)->name));
    }
    if (call->what_if && removed) {
        cmdlet_say_what_if(call, record_string(connector, SPAN("Name")));
        return ERR_NONE;
    }
    return acl_save(acl, err);
}

static enum err_code run_remove(struct shell_call *call, struct err *err)
{
    const struct value *identity = cmdlet_argument(call, "Identity"), *who = cmdlet_argument(call, "User");
    struct record *connector;
    struct acl acl;
    struct permission_user user;
    unsigned rights;
    identity = identity ? identity : call->input;
    if (identity && identity->kind == VALUE_RECORD && span_ieq(identity->record->type, SPAN("ADPermission")))
        return remove_entry(call, identity->record, err);
    enum err_code code = target(call, &connector, &acl, err);
    if (code == ERR_NONE)
        code = permission_check_access_rights(call, err);
    if (code == ERR_NONE)
        code = permission_rights(call, span_ieq(connector->type, SPAN("SendConnector")), &rights, err);
    if (code == ERR_NONE && (!who || !rights))
        code =
            err_set(err, ERR_INVALID, "Remove-ADPermission: %s must be given", who ? "-ExtendedRights" : "-User");
    if (code == ERR_NONE)
        code = permission_find_user(call, *who, &user, err);
    return code ? code : mark_removed(call, &acl, &user, rights, connector, err);
}

/* ---- the table ---- */

#define IDENTITY(help)                                                                                             \
    {                                                                                                              \
        "Identity", "Instance", PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Connector>", help                     \
    }
#define USER                                                                                                       \
    {                                                                                                              \
        "User", NULL, 0, "<Principal>",                                                                            \
            "Who: a well-known name such as \"NT AUTHORITY\\ANONYMOUS LOGON\", its SID, a mailbox or a group."     \
    }
#define CHANGE                                                                                                     \
    USER, {"ExtendedRights", NULL, 0, "<Right>[,...]", "The rights, such as ms-Exch-SMTP-Accept-Any-Recipient."},  \
        {"Deny", NULL, PARAMETER_SWITCH, NULL, "An entry that denies; it wins over every one that grants."},       \
        {"AccessRights", NULL, 0, "ExtendedRight", "Accepted for scripts; only ExtendedRight has a meaning."},     \
        {"InheritanceType", NULL, PARAMETER_HIDDEN, "<Word>", "Connectors have nothing below them."},              \
    {                                                                                                              \
        "DomainController", NULL, PARAMETER_HIDDEN, "<Fqdn>", "Accepted."                                          \
    }

static const struct shell_parameter add_parameters[] = {
    IDENTITY("The receive or send connector."),
    CHANGE,
    {"Force", NULL, PARAMETER_SWITCH, NULL, "Also where the result is an open relay."},
};
static const struct shell_parameter get_parameters[] = {
    IDENTITY("The receive or send connector."),
    USER,
    {"DomainController", NULL, PARAMETER_HIDDEN, "<Fqdn>", "Accepted."},
};
static const struct shell_parameter remove_parameters[] = {
    IDENTITY("The receive or send connector, or an entry of Get-ADPermission."),
    CHANGE,
};

const struct shell_command permission_commands[PERMISSION_COMMANDS] = {
    [ADD] = {.name = "Add-ADPermission",
             .parameters = add_parameters,
             .parameter_count = ARRAY_LEN(add_parameters),
             .synopsis = "Grants or denies rights on a connector.",
             .description =
                 "Adding an entry that is there already changes nothing. What would make an open relay is "
                 "refused without -Force.",
             .examples = "    # Lets the clients of a connector relay without logging on\n"
                         "    Get-ReceiveConnector \"Receive Connector Name\" | Add-ADPermission -User \"NT "
                         "AUTHORITY\\ANONYMOUS LOGON\" -ExtendedRights \"Ms-Exch-SMTP-Accept-Any-Recipient\"\n",
             .changes = true,
             .run = run_add},
    [GET] = {.name = "Get-ADPermission",
             .parameters = get_parameters,
             .parameter_count = ARRAY_LEN(get_parameters),
             .synopsis = "Shows the permissions of a connector.",
             .description = "One object for each entry. Origin is the permission group that wrote it, or Explicit.",
             .examples = "    Get-ReceiveConnector Apps | Get-ADPermission | ft User,ExtendedRights,Deny\n",
             .run = run_get},
    [REMOVE] =
        {.name = "Remove-ADPermission",
         .parameters = remove_parameters,
         .parameter_count = ARRAY_LEN(remove_parameters),
         .synopsis = "Takes permissions away from a connector.",
         .description = "Entries that a permission group wrote can go as well; the connector then shows Custom. "
                        "Asks for confirmation unless -Confirm:$false is given.",
         .examples =
             "    Get-ReceiveConnector Internet | Get-ADPermission -User \"NT AUTHORITY\\ANONYMOUS LOGON\" | "
             "where {$_.ExtendedRights -like \"*authoritative-domain-sender\"} | Remove-ADPermission\n",
         .confirms = true,
         .changes = true,
         .run = run_remove},
};
