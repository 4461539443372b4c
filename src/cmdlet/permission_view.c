/* permission_view.c: an entry of a connector's ACL as Get-ADPermission shows it: Exchange's properties, then ours.
 */
#include "cmdlet/internal.h"
#include "cmdlet/narrowing.h"
#include "cmdlet/permission.h"

static bool show_usage(struct cmdlet_context *c, struct record *v, struct span entry)
{
    int64_t last = 0;
    uint64_t count = 0;
    bool used = c->usage && c->usage->find(c->usage, entry, &last, &count);
    return record_set(v, SPAN("LastUsed"), used ? value_time(last) : value_null()) &&
           record_set(v, SPAN("UseCount"), c->usage ? value_int((int64_t)count) : value_null());
}

static struct span identity_of(struct shell_call *call, const struct record *connector)
{
    struct cmdlet_context *c = cmdlet_context(call);
    struct span server = span_head(c->host, span_find(c->host, '.')), name = record_string(connector, SPAN("Name"));
    bool receive = span_ieq(connector->type, SPAN("ReceiveConnector"));
    return arena_printf(call->arena, "%.*s%s%.*s", SPAN_ARG(receive ? server : SPAN("")), receive ? "\\" : "",
                        SPAN_ARG(name));
}

struct record *permission_view(struct shell_call *call, const struct record *connector, const struct record *entry)
{
    static const struct value access = {.kind = VALUE_STRING, .s = SPAN_INIT("ExtendedRight")};
    struct record *v = record_new(call->arena, SPAN("ADPermission"));
    struct value *right = ARENA_NEW(call->arena, struct value);
    struct span identity = identity_of(call, connector);
    struct narrowing narrowing = narrowing_of(entry);
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
    bool ok =
        narrowing_show(v, &narrowing) && show_usage(cmdlet_context(call), v, record_string(entry, SPAN("Guid")));
    return ok ? v : NULL;
}
