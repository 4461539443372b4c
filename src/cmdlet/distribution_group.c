/*
 * distribution_group.c: the noun DistributionGroup, and its members: Guids of mailboxes, contacts and other groups.
 *
 * Invariant: no member twice, and no group in itself. Groups may hold each other in a circle; expansion ends all
 * the same.
 */
#include "cmdlet/internal.h"

static const struct noun_parameter parameters[] = {
    {VERB_BIT(VERB_GET), {"ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most."}},
};

const struct noun noun_distribution_group = {
    .class = &schema_distribution_group,
    .recipients = true,
    .keys = recipient_keys,
    .parameters = parameters,
    .parameter_count = ARRAY_LEN(parameters),
    .examples =
        {
            [VERB_NEW] = "    New-DistributionGroup -Name team -PrimarySmtpAddress team@example.com\n",
            [VERB_GET] = "    Get-DistributionGroup team | Format-List\n",
            [VERB_SET] = "    Set-DistributionGroup team -DisplayName 'The whole team'\n",
            [VERB_REMOVE] = "    Remove-DistributionGroup team -Confirm:$false\n",
        },
    .prepare = recipient_prepare,
    .removed = recipient_removed,
};

static struct object_store *store(struct shell_call *call)
{
    return cmdlet_context(call)->recipients;
}

static enum err_code find_group(struct shell_call *call, struct record **ret, struct err *err)
{
    const struct value *identity = cmdlet_argument(call, "Identity");
    /* For Add- and Remove- the pipeline brings members. */
    bool lists = call->command == &member_commands[1];
    identity = identity || !lists ? identity : call->input;
    if (!identity)
        return err_set(err, ERR_INVALID, "%s -Identity: which group?", call->command->name);
    return cmdlet_find(call, &noun_distribution_group, *identity, ret, err);
}

static const struct value *members_of(const struct record *group)
{
    static const struct value none = {.kind = VALUE_LIST};
    const struct value *v = record_get(group, SPAN("Members"));
    return v && v->kind == VALUE_LIST ? v : &none;
}

/* The members of a group while a statement changes them; they are stored once, however many it names. */
struct members {
    struct value *items;
    size_t count;
};

static size_t index_of(const struct members *m, struct span guid)
{
    for (size_t i = 0; i < m->count; i++)
        if (span_ieq(m->items[i].s, guid))
            return i;
    return SIZE_MAX;
}

static enum err_code add_one(struct shell_call *call, const struct record *group, struct value member,
                             struct members *m, struct err *err)
{
    struct record *r;
    const struct noun *kind;
    enum err_code code = cmdlet_find_recipient(call, member, &r, &kind, err);
    if (code)
        return code;
    struct span guid = record_string(r, SPAN("Guid")), name = record_string(r, SPAN("Name"));
    struct span group_name = record_string(group, SPAN("Name"));
    if (span_ieq(guid, record_string(group, SPAN("Guid"))))
        return err_set(err, ERR_CONFLICT,
                       "Add-DistributionGroupMember: the group \"%.*s\" cannot be a member of itself",
                       SPAN_ARG(group_name));
    if (index_of(m, guid) != SIZE_MAX)
        return err_set(err, ERR_EXISTS, "Add-DistributionGroupMember: \"%.*s\" is a member of \"%.*s\" already",
                       SPAN_ARG(name), SPAN_ARG(group_name));
    m->items[m->count++] = value_string(guid);
    return ERR_NONE;
}

static enum err_code remove_one(struct shell_call *call, const struct record *group, struct value member,
                                struct members *m, struct err *err)
{
    struct record *r;
    const struct noun *kind;
    enum err_code code = cmdlet_find_recipient(call, member, &r, &kind, err);
    if (code)
        return code;
    size_t at = index_of(m, record_string(r, SPAN("Guid")));
    if (at == SIZE_MAX)
        return err_set(err, ERR_NOT_FOUND, "Remove-DistributionGroupMember: \"%.*s\" is not a member of \"%.*s\"",
                       SPAN_ARG(record_string(r, SPAN("Name"))), SPAN_ARG(record_string(group, SPAN("Name"))));
    m->count--;
    for (size_t i = at; i < m->count; i++)
        m->items[i] = m->items[i + 1];
    return ERR_NONE;
}

static enum err_code save(struct shell_call *call, struct record *group, const struct members *m, struct err *err)
{
    if (call->what_if) {
        cmdlet_say_what_if(call, record_string(group, SPAN("Name")));
        return ERR_NONE;
    }
    enum err_code code = cmdlet_set(group, "Members", value_list(m->items, m->count), err);
    if (code == ERR_NONE)
        code = cmdlet_set(group, "WhenChanged", value_time(cmdlet_context(call)->now_ms()), err);
    return code ? code : object_store_put(store(call), group, err);
}

/* Each of -Member, or the pipeline object. */
static enum err_code each_member(struct shell_call *call,
                                 enum err_code (*change)(struct shell_call *, const struct record *, struct value,
                                                         struct members *, struct err *),
                                 struct err *err)
{
    struct record *group;
    const struct value *given = cmdlet_argument(call, "Member");
    given = given ? given : call->input;
    if (!given)
        return err_set(err, ERR_INVALID, "%s -Member: which member?", call->command->name);
    const struct value *named = given->kind == VALUE_LIST ? given->list.items : given;
    size_t named_count = given->kind == VALUE_LIST ? given->list.count : 1;
    enum err_code code = find_group(call, &group, err);
    if (code)
        return code;
    const struct value *present = members_of(group);
    struct members m = {ARENA_ARRAY(call->arena, present->list.count + named_count, struct value), 0};
    if (!m.items)
        return cmdlet_no_memory(err);
    while (m.count < present->list.count) {
        m.items[m.count] = present->list.items[m.count];
        m.count++;
    }
    for (size_t i = 0; code == ERR_NONE && i < named_count; i++)
        code = change(call, group, named[i], &m, err);
    return code || !named_count ? code : save(call, group, &m, err);
}

static enum err_code run_add(struct shell_call *call, struct err *err)
{
    return each_member(call, add_one, err);
}

static enum err_code run_remove(struct shell_call *call, struct err *err)
{
    return each_member(call, remove_one, err);
}

static enum err_code emit_member(struct shell_call *call, struct span guid, struct err *err)
{
    struct record *r, *view = record_new(call->arena, SPAN("Recipient"));
    const struct noun *kind;
    enum err_code code = cmdlet_recipient_by_guid(call, guid, &r, &kind, err);
    if (code == ERR_NOT_FOUND) /* removed behind our back: it receives nothing, so there is nothing to show */
        return ERR_NONE;
    if (code)
        return code;
    if (!view || !record_set(view, SPAN("Name"), value_string(record_string(r, SPAN("Name")))) ||
        !record_set(view, SPAN("RecipientType"), value_of(kind->class->name)) ||
        !record_set(view, SPAN("PrimarySmtpAddress"), value_string(record_string(r, SPAN("PrimarySmtpAddress")))) ||
        !record_set(view, SPAN("Guid"), value_string(guid)))
        return cmdlet_no_memory(err);
    call->emit(call, value_record(view));
    return ERR_NONE;
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct record *group;
    enum err_code code = find_group(call, &group, err);
    for (size_t i = 0; code == ERR_NONE && i < members_of(group)->list.count; i++)
        code = emit_member(call, members_of(group)->list.items[i].s, err);
    return code;
}

#define MEMBER                                                                                                     \
    {                                                                                                              \
        "Member", NULL, PARAMETER_POSITION_1 | PARAMETER_PIPELINE | PARAMETER_REQUIRED, "<Name>[,...]",            \
            "Mailboxes, contacts or groups, by name, address or Guid."                                             \
    }

static const struct shell_parameter change_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_REQUIRED, "<Name>", "The group, by name, address or Guid."},
    MEMBER,
};
static const struct shell_parameter get_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE | PARAMETER_REQUIRED, "<Name>",
     "The group, by name, address or Guid."},
};

const struct shell_command member_commands[MEMBER_COMMANDS] = {
    {.name = "Add-DistributionGroupMember",
     .parameters = change_parameters,
     .parameter_count = ARRAY_LEN(change_parameters),
     .synopsis = "Adds members to a distribution group.",
     .description = "Members may be groups themselves. Mail to the group goes to all of them, each person once.",
     .examples = "    Add-DistributionGroupMember team -Member alice,bob\n"
                 "    Get-Mailbox | Add-DistributionGroupMember everybody\n",
     .changes = true,
     .run = run_add},
    {.name = "Get-DistributionGroupMember",
     .parameters = get_parameters,
     .parameter_count = ARRAY_LEN(get_parameters),
     .synopsis = "Shows the members of a distribution group.",
     .description = "Only the direct members; a member that is a group stands for its own.",
     .examples = "    Get-DistributionGroupMember team | Format-Table Name,RecipientType\n",
     .run = run_get},
    {.name = "Remove-DistributionGroupMember",
     .parameters = change_parameters,
     .parameter_count = ARRAY_LEN(change_parameters),
     .synopsis = "Takes members out of a distribution group.",
     .description = "The members themselves stay. Asks for confirmation unless -Confirm:$false is given.",
     .examples = "    Remove-DistributionGroupMember team -Member bob -Confirm:$false\n",
     .confirms = true,
     .changes = true,
     .run = run_remove},
};
