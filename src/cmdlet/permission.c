/* permission.c: the arguments of the ADPermission cmdlets: who, and which rights. */
#include "cmdlet/permission.h"

#include "cmdlet/internal.h"

/* ---- the principal ---- */

enum err_code permission_find_user(struct shell_call *call, struct value given, struct permission_user *ret,
                                   struct err *err)
{
    struct record *r;
    const struct noun *kind;
    struct span text = given.kind == VALUE_STRING ? given.s : SPAN(""), guid;
    enum principal p = text.len ? principal_parse(text, &guid) : PRINCIPAL_KINDS;
    if (p < PRINCIPAL_WELL_KNOWN) {
        *ret = (struct permission_user){principal_name(p), principal_name(p)};
        return ERR_NONE;
    }
    /* "user:GUID" is how entries are stored; people give names. */
    struct value identity = p < PRINCIPAL_KINDS ? value_string(guid) : given;
    if (given.kind != VALUE_STRING && given.kind != VALUE_RECORD)
        return err_set(err, ERR_INVALID, "%s -User: a name is expected", call->command->name);
    enum err_code code = cmdlet_find_recipient(call, identity, &r, &kind, err);
    if (code == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND,
                       "%s -User: \"%.*s\" is no mailbox or group and no well-known principal; such are \"NT "
                       "AUTHORITY\\ANONYMOUS LOGON\", \"NT AUTHORITY\\Authenticated Users\", Everyone, \"MS "
                       "Exchange\\Partner Servers\"",
                       call->command->name, SPAN_ARG(span_head(text, 80)));
    if (code)
        return code;
    if (kind == &noun_mail_contact)
        return err_set(err, ERR_INVALID,
                       "%s -User: \"%.*s\" is a mail contact, which cannot log on; give a mailbox or a group",
                       call->command->name, SPAN_ARG(record_string(r, SPAN("Name"))));
    ret->stored = arena_printf(call->arena, "%s:%.*s", kind == &noun_mailbox ? "user" : "group",
                               SPAN_ARG(record_string(r, SPAN("Guid"))));
    ret->name = record_string(r, SPAN("Name"));
    return ret->stored.ptr ? ERR_NONE : cmdlet_no_memory(err);
}

/* ---- the rights ---- */

static enum err_code unknown_right(struct shell_call *call, struct span given, bool send_side, struct err *err)
{
    struct buf b;
    buf_init(&b, 1024);
    for (unsigned r = 0; r < RIGHT_COUNT; r++)
        if (right_info((enum right)r)->send_side == send_side)
            buf_addf(&b, "%s%.*s", b.len ? ", " : "", SPAN_ARG(right_info((enum right)r)->name));
    struct span names = buf_span(&b);
    err_set(err, ERR_INVALID, "%s -ExtendedRights: \"%.*s\" is not a right of a %s connector; there are %.*s",
            call->command->name, SPAN_ARG(span_head(given, 60)), send_side ? "send" : "receive", SPAN_ARG(names));
    buf_done(&b);
    return ERR_INVALID;
}

static enum err_code add_right(struct shell_call *call, struct span name, bool send_side, unsigned *rights,
                               struct err *err)
{
    enum right r = right_from_name(name);
    if (r == RIGHT_COUNT || right_info(r)->send_side != send_side)
        return unknown_right(call, name, send_side, err);
    *rights |= RIGHT_BIT(r);
    return ERR_NONE;
}

enum err_code permission_rights(struct shell_call *call, bool send_side, unsigned *ret, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "ExtendedRights");
    bool list = given && given->kind == VALUE_LIST;
    enum err_code code = ERR_NONE;
    *ret = 0;
    for (size_t i = 0; given && code == ERR_NONE && i < (list ? given->list.count : 1); i++) {
        struct value v = list ? given->list.items[i] : *given;
        struct span rest = v.kind == VALUE_STRING ? v.s : SPAN("?"), part;
        while (code == ERR_NONE && span_split(&rest, ',', &part))
            code = add_right(call, span_trim(part), send_side, ret, err);
    }
    return code;
}

enum err_code permission_check_access_rights(struct shell_call *call, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "AccessRights");
    bool list = given && given->kind == VALUE_LIST;
    for (size_t i = 0; given && i < (list ? given->list.count : 1); i++) {
        struct value v = list ? given->list.items[i] : *given;
        if (v.kind != VALUE_STRING || !span_ieq(v.s, SPAN("ExtendedRight")))
            return err_set(
                err, ERR_INVALID,
                "%s -AccessRights: \"%.*s\" has no meaning on a connector, where there are only extended rights; "
                "leave -AccessRights out, and give -ExtendedRights",
                call->command->name, SPAN_ARG(v.kind == VALUE_STRING ? span_head(v.s, 60) : SPAN("?")));
    }
    return ERR_NONE;
}

static struct span live_name(struct shell_call *call, const struct noun *n, struct span guid)
{
    struct record *r;
    struct err ignored;
    enum err_code code = object_store_get(cmdlet_context(call)->recipients, span_of(n->class->name), guid,
                                          call->arena, &r, &ignored);
    return code == ERR_NONE ? record_string(r, SPAN("Name")) : SPAN("");
}

struct span permission_user_name(struct shell_call *call, const struct record *entry)
{
    struct span guid, name = SPAN("");
    enum principal p = principal_parse(record_string(entry, SPAN("User")), &guid);
    if (p == PRINCIPAL_USER)
        name = live_name(call, &noun_mailbox, guid);
    else if (p == PRINCIPAL_GROUP)
        name = live_name(call, &noun_distribution_group, guid);
    return name.len ? name : record_string(entry, SPAN("UserName"));
}
