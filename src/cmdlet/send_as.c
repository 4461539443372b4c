/*
 * send_as.c: the list SendAs of a recipient, edited. Each item is a principal in its stored form: user:GUID or
 * group:GUID.
 */
#include "cmdlet/send_as.h"

#include "cmdlet/internal.h"
#include "cmdlet/permission.h"

enum { HOLDERS_MAX = 1000 };

static const char *const classes[] = {"Mailbox", "MailContact", "DistributionGroup"};

/* ---- arguments ---- */

static bool names_send_as(struct span name)
{
    return span_ieq(name, SPAN("Send-As")) || span_ieq(name, SPAN("Send As")) || span_ieq(name, SPAN("SendAs"));
}

enum err_code send_as_is_asked(struct shell_call *call, bool *ret, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "ExtendedRights");
    bool list = given && given->kind == VALUE_LIST, others = false;
    *ret = false;
    for (size_t i = 0; given && i < (list ? given->list.count : 1); i++) {
        struct value v = list ? given->list.items[i] : *given;
        struct span rest = v.kind == VALUE_STRING ? v.s : SPAN("?"), part;
        while (span_split(&rest, ',', &part))
            *(names_send_as(span_trim(part)) ? ret : &others) = true;
    }
    if (*ret && others)
        return err_set(
            err, ERR_INVALID,
            "%s -ExtendedRights: Send-As is a right on a mailbox, contact or group, the others are rights on "
            "connectors; give them in two commands",
            call->command->name);
    return ERR_NONE;
}

bool send_as_is_owner(const struct value *identity)
{
    for (size_t i = 0; identity && identity->kind == VALUE_RECORD && i < ARRAY_LEN(classes); i++)
        if (span_ieq(identity->record->type, span_of(classes[i])))
            return true;
    return false;
}

static enum err_code find_owner(struct shell_call *call, const struct value *identity, struct record **ret,
                                struct err *err)
{
    const struct noun *kind;
    if (identity)
        return cmdlet_find_recipient(call, *identity, ret, &kind, err);
    return err_set(
        err, ERR_INVALID,
        "%s: whose addresses? Give -Identity with a mailbox, contact or group, or pipe it in: Get-Mailbox "
        "NAME | %s",
        call->command->name, call->command->name);
}

static enum err_code find_holder(struct shell_call *call, struct permission_user *ret, struct err *err)
{
    const struct value *who = cmdlet_argument(call, "User");
    if (!who)
        return err_set(err, ERR_INVALID, "%s: -User must be given", call->command->name);
    enum err_code code = permission_find_user(call, *who, ret, err);
    if (code == ERR_NONE && span_find(ret->stored, ':') == SIZE_MAX)
        return err_set(err, ERR_INVALID, "%s -User: \"%.*s\" cannot hold Send-As; give a mailbox or a group",
                       call->command->name, SPAN_ARG(ret->name));
    return code;
}

/* What means something on connectors only. */
static enum err_code check_parameters(struct shell_call *call, struct err *err)
{
    static const char *const foreign[] = {"Deny",       "Senders", "Recipients", "MessageRate",
                                          "RequireTls", "Expires", "Comment",    "Force"};
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
        if (cmdlet_argument(call, foreign[i]))
            return err_set(
                err, ERR_INVALID,
                "%s -%s: Send-As cannot be denied or narrowed, only granted and taken away; leave -%s out",
                call->command->name, foreign[i], foreign[i]);
    return permission_check_access_rights(call, err);
}

/* ---- the list ---- */

static const struct value *holders(const struct record *owner, size_t *ret_count)
{
    const struct value *v = record_get(owner, SPAN("SendAs"));
    bool list = v && v->kind == VALUE_LIST;
    *ret_count = list ? v->list.count : 0;
    return list ? v->list.items : NULL;
}

static bool holds(const struct record *owner, struct span stored)
{
    size_t count;
    const struct value *items = holders(owner, &count);
    for (size_t i = 0; i < count; i++)
        if (span_ieq(items[i].s, stored))
            return true;
    return false;
}

/* Stores the owner with the holder added, or taken away. */
static enum err_code change(struct shell_call *call, struct record *owner, struct span stored, bool add,
                            struct err *err)
{
    size_t count, n = 0;
    const struct value *items = holders(owner, &count);
    struct value *kept = ARENA_ARRAY(call->arena, count + 1, struct value);
    if (!kept)
        return cmdlet_no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (!span_ieq(items[i].s, stored))
            kept[n++] = items[i];
    if (add)
        kept[n++] = value_string(stored);
    enum err_code code = cmdlet_set(owner, "SendAs", value_list(kept, n), err);
    return code ? code : object_store_put(cmdlet_context(call)->recipients, owner, err);
}

/* ---- views ---- */

/* "OWNER;user:GUID": where the entry is, for Remove-ADPermission. */
static struct record *view(struct shell_call *call, const struct record *owner, struct span stored)
{
    static const struct value access = {.kind = VALUE_STRING, .s = SPAN_INIT("ExtendedRight")},
                              right = {.kind = VALUE_STRING, .s = SPAN_INIT("Send-As")};
    struct record *entry = record_new(call->arena, SPAN("ADPermission")),
                  *v = record_new(call->arena, SPAN("ADPermission"));
    struct span guid =
        arena_printf(call->arena, "%.*s;%.*s", SPAN_ARG(record_string(owner, SPAN("Guid"))), SPAN_ARG(stored));
    if (!entry || !v || !guid.ptr || !record_set(entry, SPAN("User"), value_string(stored)) ||
        !record_set(entry, SPAN("UserName"), value_string(stored)))
        return NULL;
    const struct {
        const char *property;
        struct value value;
    } fields[] = {
        {"Identity", value_string(record_string(owner, SPAN("Name")))},
        {"User", value_string(permission_user_name(call, entry))},
        {"ExtendedRights", value_list(&right, 1)},
        {"Deny", value_bool(false)},
        {"IsInherited", value_bool(false)},
        {"AccessRights", value_list(&access, 1)},
        {"InheritanceType", value_of("None")},
        {"Origin", value_of("Explicit")},
        {"Guid", value_string(guid)},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!record_set(v, span_of(fields[i].property), fields[i].value))
            return NULL;
    return v;
}

static enum err_code emit(struct shell_call *call, const struct record *owner, struct span stored, struct err *err)
{
    struct record *v = view(call, owner, stored);
    if (!v)
        return cmdlet_no_memory(err);
    call->emit(call, value_record(v));
    return ERR_NONE;
}

/* ---- the cmdlets ---- */

static enum err_code check_new(struct shell_call *call, const struct record *owner,
                               const struct permission_user *user, struct err *err)
{
    size_t count;
    holders(owner, &count);
    if (count < HOLDERS_MAX)
        return ERR_NONE;
    return err_set(
        err, ERR_LIMIT,
        "%s: %d may send as \"%.*s\" already, and \"%.*s\" would be one more; grant it to a group instead",
        call->command->name, HOLDERS_MAX, SPAN_ARG(record_string(owner, SPAN("Name"))), SPAN_ARG(user->name));
}

enum err_code send_as_add(struct shell_call *call, const struct value *identity, struct err *err)
{
    struct record *owner;
    struct permission_user user;
    enum err_code code = check_parameters(call, err);
    if (code == ERR_NONE)
        code = find_owner(call, identity, &owner, err);
    if (code == ERR_NONE)
        code = find_holder(call, &user, err);
    if (code == ERR_NONE && holds(owner, user.stored)) {
        cmdlet_warn(call, "%.*s may send as \"%.*s\" already; nothing was changed.", SPAN_ARG(user.name),
                    SPAN_ARG(record_string(owner, SPAN("Name"))));
        return ERR_NONE;
    }
    if (code == ERR_NONE)
        code = check_new(call, owner, &user, err);
    if (code == ERR_NONE && call->what_if) {
        cmdlet_say_what_if(call, record_string(owner, SPAN("Name")));
        return ERR_NONE;
    }
    if (code == ERR_NONE)
        code = change(call, owner, user.stored, true, err);
    return code ? code : emit(call, owner, user.stored, err);
}

enum err_code send_as_get(struct shell_call *call, const struct value *identity, struct err *err)
{
    struct record *owner;
    struct permission_user user = {0};
    size_t count = 0;
    const struct value *items = NULL;
    enum err_code code = find_owner(call, identity, &owner, err);
    if (code == ERR_NONE && cmdlet_argument(call, "User"))
        code = find_holder(call, &user, err);
    if (code == ERR_NONE)
        items = holders(owner, &count);
    for (size_t i = 0; code == ERR_NONE && i < count; i++)
        if (!user.stored.len || span_ieq(items[i].s, user.stored))
            code = emit(call, owner, items[i].s, err);
    return code;
}

enum err_code send_as_remove(struct shell_call *call, const struct value *identity, struct err *err)
{
    struct record *owner;
    struct permission_user user;
    enum err_code code = check_parameters(call, err);
    if (code == ERR_NONE)
        code = find_owner(call, identity, &owner, err);
    if (code == ERR_NONE)
        code = find_holder(call, &user, err);
    if (code)
        return code;
    if (!holds(owner, user.stored)) {
        cmdlet_warn(call, "\"%.*s\" has not granted %.*s Send-As; nothing was removed.",
                    SPAN_ARG(record_string(owner, SPAN("Name"))), SPAN_ARG(user.name));
        return ERR_NONE;
    }
    if (call->what_if) {
        cmdlet_say_what_if(call, record_string(owner, SPAN("Name")));
        return ERR_NONE;
    }
    return change(call, owner, user.stored, false, err);
}

bool send_as_is_entry(const struct record *entry)
{
    return span_find(record_string(entry, SPAN("Guid")), ';') != SIZE_MAX;
}

enum err_code send_as_remove_entry(struct shell_call *call, const struct record *entry, struct err *err)
{
    struct record *owner;
    const struct noun *kind;
    struct span guid = record_string(entry, SPAN("Guid"));
    size_t semicolon = span_find(guid, ';');
    enum err_code code = cmdlet_recipient_by_guid(call, span_head(guid, semicolon), &owner, &kind, err);
    if (code == ERR_NOT_FOUND || (code == ERR_NONE && !holds(owner, span_from(guid, semicolon + 1))))
        return err_set(err, ERR_NOT_FOUND, "Remove-ADPermission: the entry is gone already");
    if (code == ERR_NONE && call->what_if) {
        cmdlet_say_what_if(call, record_string(owner, SPAN("Name")));
        return ERR_NONE;
    }
    return code ? code : change(call, owner, span_from(guid, semicolon + 1), false, err);
}

enum err_code send_as_forget(struct shell_call *call, const struct record *gone, struct err *err)
{
    bool group = span_ieq(gone->type, SPAN("DistributionGroup"));
    struct span stored =
        arena_printf(call->arena, "%s:%.*s", group ? "group" : "user", SPAN_ARG(record_string(gone, SPAN("Guid"))));
    enum err_code code = stored.ptr ? ERR_NONE : cmdlet_no_memory(err);
    for (size_t k = 0; code == ERR_NONE && k < ARRAY_LEN(classes); k++) {
        struct record **owners;
        size_t count = 0;
        code = object_store_find(cmdlet_context(call)->recipients, span_of(classes[k]), SPAN("SendAs"), stored,
                                 call->arena, &owners, &count, err);
        for (size_t i = 0; code == ERR_NONE && i < count; i++)
            code = change(call, owners[i], stored, false, err);
    }
    return code;
}
