/*
 * ad_permission.c: Add-, Get- and Remove-ADPermission: single rights on receive and send connectors. Entries are
 * shown as Exchange shows them, one right each; those that a permission group wrote are entries like any other.
 * What mailboxes, contacts and groups have of permissions, the right Send-As, is in send_as.c.
 */
#include "cmdlet/acl.h"
#include "cmdlet/internal.h"
#include "cmdlet/narrowing.h"
#include "cmdlet/permission.h"
#include "cmdlet/send_as.h"

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

static const struct value *identity_of(const struct shell_call *call)
{
    const struct value *identity = cmdlet_argument(call, "Identity");
    return identity ? identity : call->input;
}

static enum err_code target(struct shell_call *call, struct record **ret, struct acl *ret_acl, struct err *err)
{
    const struct value *identity = identity_of(call);
    if (!identity)
        return err_set(err, ERR_INVALID,
                       "%s: which connector? Give -Identity NAME, or pipe it in: Get-ReceiveConnector NAME "
                       "| %s",
                       call->command->name, call->command->name);
    if (send_as_is_owner(identity))
        return err_set(
            err, ERR_INVALID,
            "%s -ExtendedRights: a mailbox, contact or group has one right, Send-As; the others are rights on "
            "connectors",
            call->command->name);
    enum err_code code = find_connector(call, *identity, ret, err);
    return code ? code
                : acl_load(ret_acl, cmdlet_context(call), call->arena, record_string(*ret, SPAN("Guid")), err);
}

/* ---- Add ---- */

static enum err_code add_rights(struct shell_call *call, struct acl *acl, const struct permission_user *user,
                                unsigned rights, const struct narrowing *n, const struct record *connector,
                                struct err *err)
{
    bool deny = cmdlet_switch(call, "Deny");
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        bool added;
        if (!(rights & RIGHT_BIT(r)))
            continue;
        enum err_code code =
            acl_add(acl, user->stored, user->name, (enum right)r, deny, n, SPAN("Explicit"), &added, err);
        if (code)
            return code;
        if (!added)
            cmdlet_warn(call, "%.*s is %s %.*s on \"%.*s\" already%s; nothing was changed.", SPAN_ARG(user->name),
                        deny ? "denied" : "granted", SPAN_ARG(right_info((enum right)r)->name),
                        SPAN_ARG(record_string(connector, SPAN("Name"))),
                        narrowing_is_narrowed(n) ? ", narrowed in the same way" : "");
    }
    return ERR_NONE;
}

static enum err_code emit_fresh(struct shell_call *call, const struct acl *acl, const struct record *connector,
                                struct err *err)
{
    for (size_t i = 0; i < acl->count; i++) {
        struct record *v = acl->items[i].fresh ? permission_view(call, connector, acl->items[i].record) : NULL;
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
    struct narrowing narrowing;
    unsigned rights;
    bool send_as;
    const struct value *who = cmdlet_argument(call, "User");
    cmdlet_note_force(call);
    enum err_code code = send_as_is_asked(call, &send_as, err);
    if (code == ERR_NONE && send_as)
        return send_as_add(call, identity_of(call), err);
    if (code == ERR_NONE)
        code = target(call, &connector, &acl, err);
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
        code = narrowing_read(call, &narrowing, err);
    if (code == ERR_NONE)
        code = narrowing_check(call, &narrowing, rights, send_side, cmdlet_switch(call, "Deny"), err);
    if (code == ERR_NONE)
        code = add_rights(call, &acl, &user, rights, &narrowing, connector, err);
    if (code || (call->what_if && !cmdlet_try_what_if(call, record_string(connector, SPAN("Name")))))
        return code;
    code = acl_save(&acl, err);
    return code || call->what_if ? code : emit_fresh(call, &acl, connector, err);
}

/* ---- Get ---- */

/*
 * Whether the permissions of a recipient are meant: one that was piped in, or a name that no connector has.
 * ERR_CONFLICT: a connector has it as well.
 */
static enum err_code is_recipient(struct shell_call *call, bool *ret, struct err *err)
{
    struct record *connector = NULL, *owner;
    struct err ignored = {0};
    const struct noun *kind;
    const struct value *identity = identity_of(call);
    *ret = send_as_is_owner(identity);
    if (!identity || identity->kind != VALUE_STRING)
        return ERR_NONE;
    enum err_code code = find_in(call, &noun_receive_connector, *identity, &connector, err);
    if (code == ERR_NONE && !connector)
        code = find_in(call, &noun_send_connector, *identity, &connector, err);
    if (code)
        return code;
    *ret = cmdlet_find_recipient(call, *identity, &owner, &kind, &ignored) == ERR_NONE;
    if (*ret && connector)
        return err_set(
            err, ERR_CONFLICT,
            "%s -Identity: a connector and a %s have this name; say which: Get-ReceiveConnector NAME | %s, "
            "or Get-%s NAME | %s",
            call->command->name, kind->class->label, call->command->name, kind->class->name, call->command->name);
    return ERR_NONE;
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct record *connector;
    struct acl acl;
    struct permission_user user = {0};
    bool recipient;
    const struct value *who = cmdlet_argument(call, "User");
    enum err_code code = is_recipient(call, &recipient, err);
    if (code == ERR_NONE && recipient)
        return send_as_get(call, identity_of(call), err);
    if (code == ERR_NONE)
        code = target(call, &connector, &acl, err);
    if (code == ERR_NONE && who)
        code = permission_find_user(call, *who, &user, err);
    for (size_t i = 0; code == ERR_NONE && i < acl.count; i++) {
        if (who && !span_ieq(record_string(acl.items[i].record, SPAN("User")), user.stored))
            continue;
        struct record *v = permission_view(call, connector, acl.items[i].record);
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
    if (send_as_is_entry(entry))
        return send_as_remove_entry(call, entry, err);
    if (call->what_if && !cmdlet_try_what_if(call, record_string(entry, SPAN("Identity"))))
        return ERR_NONE;
    enum err_code code = object_store_remove(cmdlet_context(call)->policy, SPAN("ADPermission"),
                                             record_string(entry, SPAN("Guid")), err);
    return code == ERR_NOT_FOUND ? err_set(err, code, "Remove-ADPermission: the entry is gone already") : code;
}

static size_t mark(const struct acl *acl, const struct permission_user *user, enum right right, bool deny,
                   const struct narrowing *n)
{
    size_t marked = 0, at = 0;
    for (struct acl_item *item; (item = acl_find(acl, user->stored, right, deny, n, &at)); marked++)
        item->removed = true;
    return marked;
}

static void warn_nothing_removed(struct shell_call *call, const struct acl *acl, const struct permission_user *user,
                                 enum right right, bool deny, const struct record *connector)
{
    bool narrowed = false;
    for (size_t i = 0; i < acl->count; i++) {
        const struct record *e = acl->items[i].record;
        narrowed = narrowed || (span_ieq(record_string(e, SPAN("User")), user->stored) &&
                                right_from_name(record_string(e, SPAN("ExtendedRight"))) == right &&
                                record_bool(e, SPAN("Deny"), false) == deny);
    }
    cmdlet_warn(call, "\"%.*s\" has no entry that %s %.*s %.*s%s; nothing was removed.",
                SPAN_ARG(record_string(connector, SPAN("Name"))), deny ? "denies" : "grants", SPAN_ARG(user->name),
                SPAN_ARG(right_info(right)->name),
                narrowed ? " in this way, only one that is narrowed otherwise: say how with -Senders, -Recipients, "
                           "-MessageRate, -RequireTls or -Expires, or pipe it in from Get-ADPermission"
                         : "");
}

static enum err_code remove_rights(struct shell_call *call, struct acl *acl, const struct permission_user *user,
                                   unsigned rights, const struct record *connector, struct err *err)
{
    bool deny = cmdlet_switch(call, "Deny");
    size_t removed = 0;
    struct narrowing n;
    enum err_code code = narrowing_read(call, &n, err);
    for (unsigned r = 0; code == ERR_NONE && r < RIGHT_COUNT; r++) {
        size_t marked = rights & RIGHT_BIT(r) ? mark(acl, user, (enum right)r, deny, &n) : 0;
        removed += marked;
        if (!marked && (rights & RIGHT_BIT(r)))
            warn_nothing_removed(call, acl, user, (enum right)r, deny, connector);
    }
    if (code)
        return code;
    if (call->what_if && removed && !cmdlet_try_what_if(call, record_string(connector, SPAN("Name"))))
        return ERR_NONE;
    return acl_save(acl, err);
}

static enum err_code run_remove(struct shell_call *call, struct err *err)
{
    const struct value *identity = identity_of(call), *who = cmdlet_argument(call, "User");
    struct record *connector;
    struct acl acl;
    struct permission_user user;
    unsigned rights;
    bool send_as;
    cmdlet_note_force(call);
    if (identity && identity->kind == VALUE_RECORD && span_ieq(identity->record->type, SPAN("ADPermission")))
        return remove_entry(call, identity->record, err);
    enum err_code code = send_as_is_asked(call, &send_as, err);
    if (code == ERR_NONE && send_as)
        return send_as_remove(call, identity, err);
    if (code == ERR_NONE)
        code = target(call, &connector, &acl, err);
    if (code == ERR_NONE)
        code = permission_check_access_rights(call, err);
    if (code == ERR_NONE)
        code = permission_rights(call, span_ieq(connector->type, SPAN("SendConnector")), &rights, err);
    if (code == ERR_NONE && (!who || !rights))
        code =
            err_set(err, ERR_INVALID, "Remove-ADPermission: %s must be given", who ? "-ExtendedRights" : "-User");
    if (code == ERR_NONE)
        code = permission_find_user(call, *who, &user, err);
    return code ? code : remove_rights(call, &acl, &user, rights, connector, err);
}

/* ---- the table ---- */

#define IDENTITY(help)                                                                                             \
    {                                                                                                              \
        "Identity", "Instance", PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Connector or recipient>", help        \
    }
#define USER                                                                                                       \
    {                                                                                                              \
        "User", NULL, 0, "<Principal>",                                                                            \
            "Who: a well-known name such as \"NT AUTHORITY\\ANONYMOUS LOGON\", its SID, a mailbox or a group."     \
    }
#define CHANGE                                                                                                     \
    USER,                                                                                                          \
        {"ExtendedRights", NULL, 0, "<Right>[,...]",                                                               \
         "The rights: such as ms-Exch-SMTP-Accept-Any-Recipient on connectors, Send-As on recipients."},           \
        {"Deny", NULL, PARAMETER_SWITCH, NULL, "An entry that denies; it wins over every one that grants."},       \
        {"AccessRights", NULL, 0, "ExtendedRight", "Accepted for scripts; only ExtendedRight has a meaning."},     \
        {"Senders", NULL, 0, "<Address pattern>[,...]",                                                            \
         "Narrows the entry to these senders: alice@example.com, *@example.com, *@*.example.com for the domains "  \
         "below, <> for the null sender. At the end of the data it is about each address in From and Sender."},    \
        {"Recipients", NULL, 0, "<Address pattern>[,...]", "Narrows it to these recipients, in the same forms."},  \
        {"MessageRate", NULL, 0, "<Int> | Unlimited",                                                              \
         "How many messages a minute may be sent by it, over all who use it. More are put off with 450."},         \
        {"RequireTls", NULL, PARAMETER_SWITCH, NULL, "Narrows it to connections under TLS."},                      \
        {"Expires", NULL, 0, "<DateTime>",                                                                         \
         "It applies until then: 2026-12-31 (its first moment), 2026-12-31T18:00 (UTC), 2026-12-31T18:00+02:00."}, \
        {"InheritanceType", NULL, PARAMETER_HIDDEN, "<Word>", "Connectors have nothing below them."},              \
    {                                                                                                              \
        "DomainController", NULL, PARAMETER_HIDDEN, "<Fqdn>", "Accepted."                                          \
    }

static const struct shell_parameter add_parameters[] = {
    IDENTITY("The receive or send connector; or the mailbox, contact or group."),
    CHANGE,
    {"Comment", NULL, 0, "<String>", "A note for administrators."},
    CMDLET_FORCE,
};
static const struct shell_parameter get_parameters[] = {
    IDENTITY("The receive or send connector; or the mailbox, contact or group."),
    USER,
    {"DomainController", NULL, PARAMETER_HIDDEN, "<Fqdn>", "Accepted."},
};
static const struct shell_parameter remove_parameters[] = {
    IDENTITY("The connector or recipient, or an entry of Get-ADPermission."),
    CHANGE,
    CMDLET_FORCE,
};

const struct shell_command permission_commands[PERMISSION_COMMANDS] = {
    [ADD] = {.name = "Add-ADPermission",
             .parameters = add_parameters,
             .parameter_count = ARRAY_LEN(add_parameters),
             .synopsis = "Grants or denies rights on a connector, or Send-As on a recipient.",
             .description =
                 "Adding an entry that is there already changes nothing. What would make an open relay is "
                 "refused without -Force. An entry that is narrowed by -Senders, -Recipients, -RequireTls or "
                 "-Expires applies only where all of that is met; one that denies likewise. Send-As on a mailbox, "
                 "contact or group lets a user, or the members of a group, send as any of its addresses.",
             .examples = "    # Lets the clients of a connector relay without logging on\n"
                         "    Get-ReceiveConnector \"Receive Connector Name\" | Add-ADPermission -User \"NT "
                         "AUTHORITY\\ANONYMOUS LOGON\" -ExtendedRights \"Ms-Exch-SMTP-Accept-Any-Recipient\"\n"
                         "    # What a scanner needs, and nothing more\n"
                         "    Add-ADPermission Scanners -User 'ANONYMOUS LOGON' -ExtendedRights "
                         "ms-Exch-SMTP-Submit,ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Senders "
                         "scanner@example.com -Recipients *@example.com -MessageRate 10 -RequireTls\n"
                         "    # Alice may send as sales\n"
                         "    Add-ADPermission sales -User alice -ExtendedRights Send-As\n",
             .changes = true,
             .run = run_add},
    [GET] = {.name = "Get-ADPermission",
             .parameters = get_parameters,
             .parameter_count = ARRAY_LEN(get_parameters),
             .synopsis = "Shows the permissions of a connector, or who may send as a recipient.",
             .description =
                 "One object for each entry. Origin is the permission group that wrote it, or Explicit. LastUsed "
                 "and UseCount tell in how many transactions an explicit entry decided something, and when "
                 "it last did.",
             .examples = "    Get-ReceiveConnector Apps | Get-ADPermission | ft User,ExtendedRights,Deny\n",
             .run = run_get},
    [REMOVE] =
        {.name = "Remove-ADPermission",
         .parameters = remove_parameters,
         .parameter_count = ARRAY_LEN(remove_parameters),
         .synopsis = "Takes permissions away from a connector or a recipient.",
         .description = "Entries that a permission group wrote can go as well; the connector then shows Custom. "
                        "A narrowed entry is meant when what is given of its narrowing is so; without any, entries "
                        "that are not narrowed are. Asks for confirmation unless -Confirm:$false is given.",
         .examples =
             "    Get-ReceiveConnector Internet | Get-ADPermission -User \"NT AUTHORITY\\ANONYMOUS LOGON\" | "
             "where {$_.ExtendedRights -like \"*authoritative-domain-sender\"} | Remove-ADPermission\n",
         .confirms = true,
         .changes = true,
         .run = run_remove},
};
