/*
 * receive_connector.c: the noun ReceiveConnector: usage types as presets, permission groups as entries of the ACL,
 * and the rule that no two connectors answer for the same binding and range.
 *
 * Invariant: PermissionGroups is nowhere stored; the ACL is, and the property is computed from it.
 */
#include "base/ip.h"
#include "cmdlet/acl.h"
#include "cmdlet/certificate.h"
#include "cmdlet/internal.h"
#include "policy/select.h"

#define EVERY_IPV4 "0.0.0.0-255.255.255.255"

/* ---- usage ---- */

static enum err_code chosen_usage(struct shell_call *call, enum usage *ret, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "Usage");
    enum usage chosen = given ? usage_from_name(given->kind == VALUE_STRING ? given->s : SPAN("")) : USAGE_COUNT;
    size_t count = given != NULL;
    if (given && chosen == USAGE_COUNT)
        return err_set(
            err, ERR_INVALID,
            "New-ReceiveConnector -Usage: \"%.*s\" is not one of Client, Custom, Internal, Internet, Partner",
            SPAN_ARG(given->kind == VALUE_STRING ? span_head(given->s, 60) : SPAN("?")));
    for (unsigned u = 0; u < USAGE_COUNT; u++)
        if (cmdlet_switch(call, usage_info((enum usage)u)->name.ptr)) {
            chosen = (enum usage)u;
            count++;
        }
    if (count > 1)
        return err_set(err, ERR_CONFLICT,
                       "New-ReceiveConnector: more than one usage type is given; give -Usage or one "
                       "of the switches");
    *ret = count ? chosen : USAGE_CUSTOM;
    return ERR_NONE;
}

/* What a usage type fixes cannot be given, and what it does not fix must be. */
static enum err_code check_companions(struct shell_call *call, const struct usage_info *u, bool template,
                                      struct err *err)
{
    bool bindings = cmdlet_argument(call, "Bindings"), ranges = cmdlet_argument(call, "RemoteIPRanges");
    if (u->port && bindings)
        return err_set(
            err, ERR_CONFLICT,
            "New-ReceiveConnector: with usage %.*s Bindings are fixed to 0.0.0.0:%u and cannot be given; leave "
            "-Bindings out, and change them with Set-ReceiveConnector afterwards",
            SPAN_ARG(u->name), u->port + cmdlet_context(call)->port_offset);
    if (u->ranges_fixed && ranges)
        return err_set(err, ERR_CONFLICT,
                       "New-ReceiveConnector: with usage %.*s RemoteIPRanges are fixed to " EVERY_IPV4
                       " and cannot be given; leave -RemoteIPRanges out, and change them with Set-ReceiveConnector "
                       "afterwards",
                       SPAN_ARG(u->name));
    bool no_bindings = !u->port && !bindings && !template, no_ranges = !u->ranges_fixed && !ranges && !template;
    if (no_bindings || no_ranges)
        return err_set(err, ERR_INVALID, "New-ReceiveConnector: usage %.*s needs%s%s%s", SPAN_ARG(u->name),
                       no_bindings ? " -Bindings (such as 0.0.0.0:25)" : "", no_bindings && no_ranges ? " and" : "",
                       no_ranges ? " -RemoteIPRanges (the clients, such as 192.0.2.0/24)" : "");
    return ERR_NONE;
}

static enum err_code set_text(struct shell_call *call, struct record *r, const char *property, struct span text,
                              struct err *err)
{
    struct value v;
    const struct schema_property *p = schema_property(&schema_receive_connector, span_of(property));
    enum err_code code = schema_parse_property(p, value_string(text), NULL, call->arena, &v, err);
    return code ? code : cmdlet_set(r, property, v, err);
}

static enum err_code set_groups(struct shell_call *call, struct record *r, unsigned groups, struct err *err)
{
    struct span names[GROUP_COUNT + 1];
    size_t n = group_names(groups, false, names);
    struct value *items = ARENA_ARRAY(call->arena, n, struct value);
    for (size_t i = 0; items && i < n; i++)
        items[i] = value_string(names[i]);
    return items ? cmdlet_set(r, "PermissionGroups", value_list(items, n), err) : cmdlet_no_memory(err);
}

/* The settings of another connector, but for what identifies it. */
static enum err_code copy_template(struct shell_call *call, const struct record *from, struct record *r,
                                   struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; code == ERR_NONE && i < schema_receive_connector.count; i++) {
        const struct schema_property *p = &schema_receive_connector.properties[i];
        const struct value *v = record_get(from, span_of(p->name));
        struct value typed;
        if (!v || (p->flags & (SCHEMA_READ_ONLY | SCHEMA_REQUIRED)))
            continue;
        code = cmdlet_parse(call, p, *v, NULL, &typed, err);
        if (code == ERR_NONE)
            code = cmdlet_set(r, p->name, typed, err);
    }
    return code;
}

static enum err_code preset(struct shell_call *call, struct record *r, struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    const struct value *template = cmdlet_argument(call, "TemplateInstance");
    enum usage chosen;
    enum err_code code = chosen_usage(call, &chosen, err);
    if (code)
        return code;
    const struct usage_info *u = usage_info(chosen);
    if (c->edge && !u->on_edge)
        return err_set(
            err, ERR_DENIED,
            "New-ReceiveConnector: usage %.*s is not available on an Edge server, which knows no mailbox users "
            "to log on; use a Hub server, or -Usage Custom",
            SPAN_ARG(u->name));
    if (template && (template->kind != VALUE_RECORD || !span_ieq(template->record->type, SPAN("ReceiveConnector"))))
        return err_set(err, ERR_INVALID,
                       "New-ReceiveConnector -TemplateInstance: a receive connector is expected, such "
                       "as (Get-ReceiveConnector NAME)");
    code = check_companions(call, u, template, err);
    if (code == ERR_NONE && c->host.len)
        code = set_text(call, r, "Fqdn", c->host, err);
    if (code == ERR_NONE)
        code = set_text(call, r, "AuthMechanism", u->mechanisms, err);
    if (code == ERR_NONE)
        code = set_groups(call, r, c->edge ? u->groups_edge : u->groups_hub, err);
    if (code == ERR_NONE && template)
        code = copy_template(call, template->record, r, err);
    if (code == ERR_NONE && u->port)
        code =
            set_text(call, r, "Bindings", arena_printf(call->arena, "0.0.0.0:%u", u->port + c->port_offset), err);
    if (code == ERR_NONE && u->ranges_fixed)
        code = set_text(call, r, "RemoteIPRanges", SPAN(EVERY_IPV4), err);
    return code;
}

static bool has_integrated(const struct record *connector)
{
    const struct value *v = record_get(connector, SPAN("AuthMechanism"));
    for (size_t i = 0; v && v->kind == VALUE_LIST && i < v->list.count; i++)
        if (span_ieq(v->list.items[i].s, SPAN("Integrated")))
            return true;
    return false;
}

/* Always a text, also where the keytab cannot be read. */
static struct value keytab_property(struct cmdlet_context *c, const struct record *connector, struct arena *arena)
{
    const struct value *on = record_get(connector, SPAN("EnableAuthGSSAPI"));
    struct span text = SPAN("");
    struct err err = {0};
    bool usable = false;
    if (!has_integrated(connector))
        return value_of("none: AuthMechanism has no Integrated");
    if (!on || on->kind != VALUE_BOOL || !on->b)
        return value_of("none: EnableAuthGSSAPI is $false");
    if (!c->keytab)
        err_set(&err, ERR_UNAVAILABLE, "the keytab cannot be read from here");
    else if (!c->keytab->describe(c->keytab, arena, &usable, &text, &err))
        return value_string(
            usable ? text : arena_printf(arena, "none: %.*s, so AUTH GSSAPI is not offered", SPAN_ARG(text)));
    return value_string(arena_printf(arena, "unknown: %s", err.text));
}

static enum err_code compute(struct shell_call *call, struct record *r, struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    struct acl acl;
    struct value groups;
    struct span server = span_head(c->host, span_find(c->host, '.'));
    struct span identity =
        arena_printf(call->arena, "%.*s\\%.*s", SPAN_ARG(server), SPAN_ARG(record_string(r, SPAN("Name"))));
    enum err_code code = acl_load(&acl, c, call->arena, record_string(r, SPAN("Guid")), err);
    if (code == ERR_NONE)
        code = acl_groups(&acl, &groups, err);
    if (code == ERR_NONE)
        code = cmdlet_set(r, "PermissionGroups", groups, err);
    if (code == ERR_NONE)
        code = cmdlet_set(r, "Identity", value_string(identity), err);
    if (code == ERR_NONE)
        code = cmdlet_set(r, "TlsCertificate", certificate_property(c, r, call->arena), err);
    if (code == ERR_NONE)
        code = cmdlet_set(r, "GssapiKeytab", keytab_property(c, r, call->arena), err);
    return code ? code : cmdlet_set(r, "Server", value_string(c->host), err);
}

/* ---- checks against the other connectors ---- */

static enum err_code scope_of(const struct record *r, struct arena *arena, struct connector_scope *ret,
                              struct err *err)
{
    const struct value none = value_list(NULL, 0);
    const struct value *b = record_get(r, SPAN("Bindings")), *g = record_get(r, SPAN("RemoteIPRanges"));
    b = b && b->kind == VALUE_LIST ? b : &none;
    g = g && g->kind == VALUE_LIST ? g : &none;
    struct ip_endpoint *bindings = ARENA_ARRAY(arena, b->list.count, struct ip_endpoint);
    struct ip_range *ranges = ARENA_ARRAY(arena, g->list.count, struct ip_range);
    if (!bindings || !ranges)
        return cmdlet_no_memory(err);
    *ret = (struct connector_scope){bindings, 0, ranges, 0};
    for (size_t i = 0; i < b->list.count; i++)
        ret->binding_count += ip_parse_endpoint(b->list.items[i].s, &bindings[ret->binding_count]);
    for (size_t i = 0; i < g->list.count; i++)
        ret->range_count += ip_parse_range(g->list.items[i].s, &ranges[ret->range_count]);
    return ERR_NONE;
}

static enum err_code check_conflicts(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **all;
    size_t count = 0;
    struct connector_scope mine, other;
    enum err_code code = scope_of(r, call->arena, &mine, err);
    if (code == ERR_NONE)
        code = object_store_list(cmdlet_context(call)->policy, SPAN("ReceiveConnector"), call->arena, &all, &count,
                                 err);
    for (size_t i = 0; code == ERR_NONE && i < count; i++) {
        struct ip_endpoint binding;
        struct ip_range range;
        char b[IP_ENDPOINT_TEXT_MAX], g[IP_RANGE_TEXT_MAX];
        if (span_ieq(record_string(all[i], SPAN("Guid")), record_string(r, SPAN("Guid"))))
            continue;
        code = scope_of(all[i], call->arena, &other, err);
        if (code == ERR_NONE && policy_conflict(&mine, &other, &binding, &range))
            code = err_set(
                err, ERR_CONFLICT,
                "The values that you specified for the Bindings and RemoteIPRanges parameters conflict with "
                "the settings on Receive connector \"%.*s\": both have %s with %s. A receive connector must "
                "have a unique combination of a binding and a remote range; change at least one of them.",
                SPAN_ARG(span_head(record_string(all[i], SPAN("Name")), 64)), ip_print_endpoint(binding, b),
                ip_print_range(range, g));
    }
    return code;
}

/* The ACL as it will be. */
static enum err_code planned_acl(struct shell_call *call, const struct record *old, const struct record *r,
                                 struct acl *ret, struct err *err)
{
    bool custom;
    unsigned groups = acl_groups_named(record_get(r, SPAN("PermissionGroups")), &custom);
    enum err_code code = acl_load(ret, cmdlet_context(call), call->arena, record_string(r, SPAN("Guid")), err);
    bool set = !old || cmdlet_argument(call, "PermissionGroups");
    return code || !set ? code : acl_set_groups(ret, groups, custom, err);
}

static enum err_code prepare(struct shell_call *call, const struct record *old UNUSED, struct record *r,
                             struct err *err)
{
    return check_conflicts(call, r, err);
}

static enum err_code stored(struct shell_call *call, const struct record *old, struct record *r, struct err *err)
{
    struct acl acl;
    enum err_code code = planned_acl(call, old, r, &acl, err);
    return code ? code : acl_save(&acl, err);
}

static enum err_code removing(struct shell_call *call, const struct record *r, struct err *err)
{
    struct record **all;
    size_t count = 0;
    struct cmdlet_context *c = cmdlet_context(call);
    enum err_code code = object_store_list(c->policy, SPAN("ReceiveConnector"), call->arena, &all, &count, err);
    if (code == ERR_NONE && c->edge && count == 1)
        code = err_set(err, ERR_DENIED,
                       "Remove-ReceiveConnector: \"%.*s\" is the last receive connector, and an Edge server "
                       "must keep one; disable it instead",
                       SPAN_ARG(record_string(r, SPAN("Name"))));
    return code;
}

static enum err_code removed(struct shell_call *call, const struct record *r, struct err *err)
{
    return acl_delete(cmdlet_context(call), call->arena, record_string(r, SPAN("Guid")), err);
}

#define USAGE(name, help)                                                                                          \
    {                                                                                                              \
        VERB_BIT(VERB_NEW),                                                                                        \
        {                                                                                                          \
            name, NULL, PARAMETER_SWITCH, NULL, help                                                               \
        }                                                                                                          \
    }

static const struct noun_parameter parameters[] = {
    {VERB_BIT(VERB_NEW),
     {"Usage", NULL, 0, "Client | Custom | Internal | Internet | Partner",
      "The preset of permissions, mechanisms, bindings and ranges. Without it: Custom. Also as a switch: "
      "-Client."}},
    USAGE("Client", "For users who log on: port 587, passwords under TLS. Needs RemoteIPRanges; not on Edge."),
    USAGE("Custom", "No permissions. Needs Bindings and RemoteIPRanges."),
    USAGE("Internal", "For Exchange servers: port 25. Needs RemoteIPRanges."),
    USAGE("Internet", "For anybody on the Internet. Needs Bindings; serves every IPv4 address."),
    USAGE("Partner", "For partners' servers. Needs Bindings and RemoteIPRanges."),
    {VERB_BIT(VERB_NEW),
     {"TemplateInstance", NULL, 0, "<ReceiveConnector>",
      "A connector whose settings are taken where none are given."}},
    {VERB_BIT(VERB_NEW) | VERB_BIT(VERB_GET), {"Server", NULL, PARAMETER_HIDDEN, "<Server>", "This server."}},
};

const struct noun noun_receive_connector = {
    .class = &schema_receive_connector,
    .parameters = parameters,
    .parameter_count = ARRAY_LEN(parameters),
    .examples =
        {
            [VERB_NEW] = "    # Applications on one host may submit; relaying is granted with Add-ADPermission\n"
                         "    New-ReceiveConnector -Name Apps -Usage Custom -Bindings 0.0.0.0:25 -RemoteIPRanges "
                         "192.0.2.7 -PermissionGroups AnonymousUsers\n",
            [VERB_GET] = "    Get-ReceiveConnector \"Default mail\" | Format-List\n",
            [VERB_SET] = "    Set-ReceiveConnector Apps -RemoteIPRanges @{Add='192.0.2.8'} -MaxMessageSize 25MB\n",
            [VERB_REMOVE] = "    Remove-ReceiveConnector Apps -Confirm:$false\n",
        },
    .preset = preset,
    .compute = compute,
    .prepare = prepare,
    .stored = stored,
    .removing = removing,
    .removed = removed,
};
