/*
 * connector.c: what receive and send connectors do beyond the generic cmdlets: usage types, permission groups as
 * ACL entries, the uniqueness rule.
 */
#include "cmdlet/internal.h"

#include "base/ip.h"
#include "policy/group.h"
#include "policy/select.h"

enum { ENDPOINTS_MAX = 4096 };

static const struct shell_parameter usage_parameters[] = {
    {"Usage", NULL, 0, "Client | Custom | Internal | Internet | Partner",
     "The preset to begin with; Custom when none is given."},
    {"Client", NULL, PARAMETER_SWITCH, NULL, "-Usage Client: users submit on port 587. Not on an Edge server."},
    {"Custom", NULL, PARAMETER_SWITCH, NULL, "-Usage Custom: nobody has rights until they are given."},
    {"Internal", NULL, PARAMETER_SWITCH, NULL, "-Usage Internal: for the organisation's own servers, on port 25."},
    {"Internet", NULL, PARAMETER_SWITCH, NULL, "-Usage Internet: anonymous servers from everywhere."},
    {"Partner", NULL, PARAMETER_SWITCH, NULL, "-Usage Partner: partner domains with mutual TLS."},
    {"Server", NULL, PARAMETER_HIDDEN, NULL, NULL},
    {"DomainController", NULL, PARAMETER_HIDDEN, NULL, NULL},
};

static enum err_code usage_of(struct shell_call *call, enum usage *ret, struct err *err)
{
    struct span name = record_string(call->arguments, SPAN("Usage"));
    enum usage found = name.len ? usage_from_name(name) : USAGE_COUNT;
    if (name.len && found == USAGE_COUNT)
        return err_set(err, ERR_INVALID,
                       "-Usage: \"%.*s\" is not one of Client, Custom, Internal, Internet, Partner",
                       SPAN_ARG(span_head(name, 60)));
    for (unsigned u = 0; u < USAGE_COUNT; u++)
        if (record_bool(call->arguments, usage_info((enum usage)u)->name, false)) {
            if (found != USAGE_COUNT && found != u)
                return err_set(err, ERR_INVALID, "%s: more than one usage type is given; choose one",
                               call->command->name);
            found = (enum usage)u;
        }
    *ret = found == USAGE_COUNT ? USAGE_CUSTOM : found;
    return ERR_NONE;
}

static enum err_code set_text_list(struct record *r, const char *property, const char *text, struct err *err)
{
    struct value v;
    enum err_code code = schema_parse(schema_property(&class_receive_connector, span_of(property)), value_of(text),
                                      NULL, r->arena, &v, err);
    return code ? code : record_set(r, span_of(property), v) ? ERR_NONE : cmdlet_no_memory(err);
}

/* What a usage type demands, forbids and sets (reference 1.1). */
static enum err_code apply_usage(struct shell_call *call, const struct usage_info *u, struct record *r,
                                 struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    bool bindings = cmdlet_argument(call, "Bindings"), ranges = cmdlet_argument(call, "RemoteIPRanges");
    if (c->edge && !u->on_edge)
        return err_set(err, ERR_INVALID,
                       "Usage %.*s is not available on an Edge server: it has no mailbox users who could log on; "
                       "use a Hub server, or another usage type",
                       SPAN_ARG(u->name));
    if (u->port ? bindings : !bindings)
        return err_set(err, ERR_INVALID,
                       u->port ? "Usage %.*s has fixed Bindings at creation; leave -Bindings out, and change them "
                                 "with Set-ReceiveConnector"
                               : "Usage %.*s needs -Bindings, such as -Bindings 0.0.0.0:25",
                       SPAN_ARG(u->name));
    if (u->ranges_fixed ? ranges : !ranges)
        return err_set(err, ERR_INVALID,
                       u->ranges_fixed
                           ? "Usage %.*s has fixed RemoteIPRanges at creation; leave -RemoteIPRanges out"
                           : "Usage %.*s needs -RemoteIPRanges, such as -RemoteIPRanges 192.0.2.1",
                       SPAN_ARG(u->name));
    enum err_code code = ERR_NONE;
    if (u->port) {
        struct span text = arena_printf(call->arena, "0.0.0.0:%u", u->port + c->port_offset);
        code = set_text_list(r, "Bindings", text.ptr, err);
    }
    if (!code && u->ranges_fixed)
        code = set_text_list(r, "RemoteIPRanges", "0.0.0.0-255.255.255.255", err);
    if (!code && !cmdlet_argument(call, "AuthMechanism"))
        code = set_text_list(r, "AuthMechanism", arena_cstr(call->arena, u->mechanisms), err);
    if (!code && !cmdlet_argument(call, "PermissionGroups")) {
        struct span names[GROUP_COUNT + 1];
        size_t n = group_names(c->edge ? u->groups_edge : u->groups_hub, false, names);
        struct value *items = ARENA_ARRAY(call->arena, n, struct value);
        for (size_t i = 0; items && i < n; i++)
            items[i] = value_string(names[i]);
        if (!items || !record_set(r, SPAN("PermissionGroups"), value_list(items, n)))
            return cmdlet_no_memory(err);
    }
    return code;
}

struct scope {
    struct ip_endpoint *bindings;
    struct ip_range *ranges;
    struct connector_scope scope;
};

static bool read_scope(struct arena *arena, const struct record *r, struct scope *ret)
{
    const struct value *b = record_get(r, SPAN("Bindings")), *g = record_get(r, SPAN("RemoteIPRanges"));
    size_t nb = b && b->kind == VALUE_LIST ? b->list.count : 0, ng = g && g->kind == VALUE_LIST ? g->list.count : 0;
    ret->bindings = ARENA_ARRAY(arena, nb, struct ip_endpoint);
    ret->ranges = ARENA_ARRAY(arena, ng, struct ip_range);
    if (!ret->bindings || !ret->ranges || nb > ENDPOINTS_MAX || ng > ENDPOINTS_MAX)
        return false;
    for (size_t i = 0; i < nb; i++)
        if (!ip_parse_endpoint(b->list.items[i].s, &ret->bindings[i]))
            return false;
    for (size_t i = 0; i < ng; i++)
        if (!ip_parse_range(g->list.items[i].s, &ret->ranges[i]))
            return false;
    ret->scope = (struct connector_scope){ret->bindings, nb, ret->ranges, ng};
    return true;
}

/* The uniqueness rule of reference 5, against every other connector. */
static enum err_code check_conflicts(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **all;
    size_t count;
    struct scope mine, other;
    enum err_code code = cmdlet_all(call, cmdlet_context(call)->policy, "ReceiveConnector", &all, &count, err);
    if (!code && !read_scope(call->arena, r, &mine))
        code = cmdlet_no_memory(err);
    for (size_t i = 0; !code && i < count; i++) {
        struct ip_endpoint binding;
        struct ip_range range;
        char b[IP_ENDPOINT_TEXT_MAX], g[IP_RANGE_TEXT_MAX];
        if (span_ieq(record_string(all[i], SPAN("Guid")), record_string(r, SPAN("Guid"))))
            continue;
        if (!read_scope(call->arena, all[i], &other))
            return cmdlet_no_memory(err);
        if (policy_conflict(&mine.scope, &other.scope, &binding, &range))
            return err_set(err, ERR_CONFLICT,
                           "The values of Bindings and RemoteIPRanges conflict with the receive connector "
                           "\"%.*s\": both have %s and %s. A connector must have a "
                           "unique combination of local endpoint and remote range; change one of these values",
                           SPAN_ARG(record_string(all[i], SPAN("Name"))), ip_print_endpoint(binding, b),
                           ip_print_range(range, g));
    }
    return code;
}

static enum err_code prepare_receive(struct shell_call *call, const struct record *old, struct record *r,
                                     struct err *err)
{
    enum usage u = USAGE_CUSTOM;
    enum err_code code = ERR_NONE;
    if (!old) {
        code = usage_of(call, &u, err);
        if (!code)
            code = apply_usage(call, usage_info(u), r, err);
    } else if (!cmdlet_argument(call, "PermissionGroups")) {
        struct value groups;
        code = permission_names(call, record_string(r, SPAN("Guid")), &groups, err);
        if (!code && !record_set(r, SPAN("PermissionGroups"), groups))
            code = cmdlet_no_memory(err);
    }
    if (!code)
        code = schema_complete(&class_receive_connector, r, err);
    const struct value *fqdn = record_get(r, SPAN("Fqdn"));
    if (!code && (!fqdn || fqdn->kind == VALUE_NULL) &&
        !record_set(r, SPAN("Fqdn"), value_string(cmdlet_context(call)->host)))
        code = cmdlet_no_memory(err);
    return code ? code : check_conflicts(call, r, err);
}

/* The groups that the property names, as a set. "Custom" asks for nothing: those entries stay anyway. */
static enum err_code groups_of(struct cmdlet_context *c, const struct record *r, unsigned *ret, struct err *err)
{
    const struct value *v = record_get(r, SPAN("PermissionGroups"));
    *ret = 0;
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->list.count; i++) {
        enum permission_group g = group_from_name(v->list.items[i].s);
        if (g == GROUP_COUNT)
            continue;
        if (c->edge && !group_info(g)->on_edge)
            return err_set(err, ERR_INVALID, "-PermissionGroups: %.*s is not available on an Edge server",
                           SPAN_ARG(v->list.items[i].s));
        *ret |= GROUP_BIT(g);
    }
    return ERR_NONE;
}

static enum err_code stored_receive(struct shell_call *call, const struct record *old, struct record *r,
                                    struct err *err)
{
    unsigned groups;
    if (old && !cmdlet_argument(call, "PermissionGroups"))
        return ERR_NONE;
    enum err_code code = groups_of(cmdlet_context(call), r, &groups, err);
    return code ? code
                : permission_set_groups(cmdlet_context(call), call->arena, record_string(r, SPAN("Guid")), groups,
                                        err);
}

static enum err_code removing_receive(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **all;
    size_t count;
    enum err_code code = cmdlet_all(call, cmdlet_context(call)->policy, "ReceiveConnector", &all, &count, err);
    if (!code && cmdlet_context(call)->edge && count == 1)
        return err_set(err, ERR_CONFLICT, "an Edge server must keep at least one receive connector");
    if (code || call->what_if)
        return code;
    return permission_remove_all(call, record_string(r, SPAN("Guid")), err);
}

/* PermissionGroups is what the ACL says. */
static enum err_code show_receive(struct shell_call *call, const struct record *r, struct record *view,
                                  struct err *err)
{
    struct value groups;
    enum err_code code = permission_names(call, record_string(r, SPAN("Guid")), &groups, err);
    if (!code && !record_set(view, SPAN("PermissionGroups"), groups))
        code = cmdlet_no_memory(err);
    struct span identity = arena_printf(call->arena, "%.*s\\%.*s", SPAN_ARG(cmdlet_context(call)->host),
                                        SPAN_ARG(record_string(r, SPAN("Name"))));
    if (!code && !record_set(view, SPAN("Identity"), value_string(identity)))
        code = cmdlet_no_memory(err);
    return code;
}

const struct noun noun_receive_connector = {.class = &class_receive_connector,
                                            .extra = usage_parameters,
                                            .extra_count = ARRAY_LEN(usage_parameters),
                                            .prepare = prepare_receive,
                                            .stored = stored_receive,
                                            .removing = removing_receive,
                                            .show = show_receive};

static enum err_code prepare_send(struct shell_call *call, const struct record *old, struct record *r,
                                  struct err *err)
{
    (void)call;
    (void)old;
    return schema_complete(&class_send_connector, r, err);
}

const struct noun noun_send_connector = {.class = &class_send_connector, .prepare = prepare_send};
