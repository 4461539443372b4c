/*
 * table.c: the table of all cmdlets. New-, Get-, Set- and Remove- of a noun get a parameter for each property of
 * its class, so a property that the schema has is a parameter with help at once.
 */
#include "cmdlet/table.h"

#include "cmdlet/internal.h"

enum { COMMANDS_MAX = 64 };

struct builder {
    struct arena *arena;
    const struct shell_command **list;
    size_t count;
    bool failed; /* no memory */
};

static void add(struct builder *b, const struct shell_command *c)
{
    ASSERT(b->count < COMMANDS_MAX);
    b->list[b->count++] = c;
}

static const char *joined(struct builder *b, const char *before, const char *between, const char *text,
                          const char *after)
{
    struct span s = arena_printf(b->arena, "%s%s%s%s", before, between, text, after);
    b->failed = b->failed || !s.ptr;
    return s.ptr;
}

static const struct {
    const char *name, *does;
    enum err_code (*run)(struct shell_call *call, struct err *err);
    const char *description;
    bool changes, confirms;
} verbs[VERB_COUNT] = {
    [VERB_NEW] = {"New-", "Makes", cmdlet_run_new,
                  "The new object is checked as a whole before it is stored; an error changes nothing.", true,
                  false},
    [VERB_GET] = {"Get-", "Shows", cmdlet_run_get, "Without -Identity all are shown. * and ? in it are wildcards.",
                  false, false},
    [VERB_SET] = {"Set-", "Changes", cmdlet_run_set,
                  "Only what is given is changed, all of it or nothing. A list takes a whole value, or "
                  "@{Add='x';Remove='y'}.",
                  true, false},
    [VERB_REMOVE] = {"Remove-", "Removes", cmdlet_run_remove,
                     "Asks for confirmation unless -Confirm:$false is given.", true, true},
};

static struct shell_parameter property_parameter(struct builder *b, const struct schema_property *p, enum verb v)
{
    unsigned flags = 0;
    bool name = span_eq(span_of(p->name), SPAN("Name"));
    if (v == VERB_NEW && name)
        flags |= PARAMETER_POSITION_0;
    if (v == VERB_NEW && (p->flags & SCHEMA_REQUIRED))
        flags |= PARAMETER_REQUIRED;
    const char *syntax = schema_syntax(p, b->arena), *help = schema_help(p, b->arena);
    b->failed = b->failed || !syntax || !help;
    return (struct shell_parameter){p->name, NULL, flags, syntax, help};
}

static bool is_parameter(const struct schema_property *p, enum verb v)
{
    bool settable = v == VERB_NEW || (v == VERB_SET && !(p->flags & SCHEMA_CREATE_ONLY));
    return settable && !(p->flags & SCHEMA_READ_ONLY);
}

static void add_verb(struct builder *b, const struct noun *n, enum verb v)
{
    const struct schema_class *k = n->class;
    struct shell_parameter *p = ARENA_ARRAY(b->arena, k->count + n->parameter_count + 3, struct shell_parameter);
    struct shell_command *c = ARENA_NEW(b->arena, struct shell_command);
    size_t count = 0;
    if (!p || !c) {
        b->failed = true;
        return;
    }
    if (v != VERB_NEW)
        p[count++] = (struct shell_parameter){"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Name>",
                                              n->recipients ? "Its name, address or Guid." : "Its name or Guid."};
    for (size_t i = 0; i < k->count; i++)
        if (is_parameter(&k->properties[i], v))
            p[count++] = property_parameter(b, &k->properties[i], v);
    for (size_t i = 0; i < n->parameter_count; i++)
        if (n->parameters[i].verbs & VERB_BIT(v))
            p[count++] = n->parameters[i].parameter;
    if (verbs[v].changes && !n->recipients && !n->singleton)
        p[count++] = (struct shell_parameter)CMDLET_FORCE;
    p[count++] = (struct shell_parameter){"DomainController", NULL, PARAMETER_HIDDEN, "<Fqdn>", "Accepted."};
    const char *article = n->singleton ? " the " : k->label[0] == 'a' ? " an " : " a ";
    *c = (struct shell_command){
        .name = joined(b, verbs[v].name, "", k->name, ""),
        .parameters = p,
        .parameter_count = count,
        .synopsis = joined(b, verbs[v].does, article, k->label, v == VERB_GET && !n->singleton ? ", or all." : "."),
        .description = n->singleton && v == VERB_GET ? "There is one." : verbs[v].description,
        .examples = n->examples[v],
        .changes = verbs[v].changes,
        .confirms = verbs[v].confirms,
        .run = verbs[v].run,
        .data = n,
    };
    add(b, c);
}

#define VIEW(type, ...)                                                                                            \
    {                                                                                                              \
        type, (const char *const[])                                                                                \
        {                                                                                                          \
            __VA_ARGS__, NULL                                                                                      \
        }                                                                                                          \
    }

static const struct shell_view views[] = {
    VIEW("ReceiveConnector", "Name", "Bindings", "Enabled", "RemoteIPRanges", "PermissionGroups"),
    VIEW("SendConnector", "Name", "AddressSpaces", "SmartHosts", "Port", "Enabled"),
    VIEW("AcceptedDomain", "Name", "DomainName", "DomainType", "Default"),
    VIEW("Mailbox", "Name", "PrimarySmtpAddress", "Enabled"),
    VIEW("MailContact", "Name", "PrimarySmtpAddress", "ExternalEmailAddress"),
    VIEW("DistributionGroup", "Name", "PrimarySmtpAddress", "EmailAddresses"),
    VIEW("Recipient", "Name", "RecipientType", "PrimarySmtpAddress"),
    VIEW("ADPermission", "Identity", "User", "Deny", "ExtendedRights", "Origin"),
    VIEW("Queue", "Identity", "DeliveryType", "Status", "MessageCount", "NextHopDomain"),
    VIEW("Message", "Identity", "FromAddress", "Status", "Queue", "Subject"),
    VIEW("Denial", "Time", "Code", "Connector", "RemoteEndpoint", "Sender", "Recipient", "Reply"),
    VIEW("ClientInventory", "RemoteIP", "User", "HeloName", "Connector", "TlsWeakest", "TlsNewest", "AuthMechanism",
         "MessagesAccepted", "MessagesRefused", "LastSeen"),
    VIEW("ResourcePressure", "Resource", "Level", "Value", "Medium", "High", "Since"),
    VIEW("MessageTrackingEvent", "Timestamp", "EventId", "Source", "Sender", "Recipients", "MessageSubject"),
    VIEW("ExchangeCertificate", "Thumbprint", "Services", "Status", "Name", "NotAfter"),
    VIEW("Command", "Name", "Synopsis"),
    VIEW("AdminAuditLogEvent", "RunDate", "Caller", "CmdletName", "ObjectModified", "Changes"),
};

enum err_code cmdlet_table(struct arena *arena, struct shell_table *ret, struct err *err)
{
    static const struct noun *const nouns[] = {
        &noun_receive_connector, &noun_send_connector,     &noun_accepted_domain,  &noun_mailbox,
        &noun_mail_contact,      &noun_distribution_group, &noun_transport_server, &noun_transport_config,
    };
    struct builder b = {.arena = arena, .list = ARENA_ARRAY(arena, COMMANDS_MAX, const struct shell_command *)};
    if (!b.list)
        return cmdlet_no_memory(err);
    for (size_t i = 0; i < ARRAY_LEN(nouns); i++)
        for (unsigned v = 0; v < VERB_COUNT; v++)
            if (!nouns[i]->singleton || v == VERB_GET || v == VERB_SET)
                add_verb(&b, nouns[i], (enum verb)v);
    for (size_t i = 0; i < PERMISSION_COMMANDS; i++)
        add(&b, &permission_commands[i]);
    for (size_t i = 0; i < MEMBER_COMMANDS; i++)
        add(&b, &member_commands[i]);
    for (size_t i = 0; i < QUEUE_COMMANDS; i++)
        add(&b, &queue_commands[i]);
    for (size_t i = 0; i < QUEUE_CHANGE_COMMANDS; i++)
        add(&b, &queue_change_commands[i]);
    for (size_t i = 0; i < DENIAL_COMMANDS; i++)
        add(&b, &denial_commands[i]);
    for (size_t i = 0; i < PRESSURE_COMMANDS; i++)
        add(&b, &pressure_commands[i]);
    for (size_t i = 0; i < PLAN_COMMANDS; i++)
        add(&b, &plan_commands[i]);
    for (size_t i = 0; i < AUDIT_COMMANDS; i++)
        add(&b, &audit_commands[i]);
    for (size_t i = 0; i < INVENTORY_COMMANDS; i++)
        add(&b, &inventory_commands[i]);
    for (size_t i = 0; i < TRACKING_COMMANDS; i++)
        add(&b, &tracking_commands[i]);
    for (size_t i = 0; i < CERTIFICATE_COMMANDS; i++)
        add(&b, &certificate_commands[i]);
    if (b.failed)
        return cmdlet_no_memory(err);
    *ret = (struct shell_table){
        .commands = b.list, .command_count = b.count, .views = views, .view_count = ARRAY_LEN(views)};
    return ERR_NONE;
}
