/*
 * recipient.c: mailboxes, mail contacts, distribution groups and their members.
 *
 * Invariants: every address lies in an accepted domain; EmailAddresses holds the primary address, first; the store
 * refuses an address that somebody else has.
 */
#include "cmdlet/internal.h"

static enum err_code check_domain(struct shell_call *call, struct span address, struct err *err)
{
    struct record **all;
    size_t count, at = span_rfind(address, '@');
    struct span domain = span_from(address, at == SIZE_MAX ? address.len : at + 1);
    enum err_code code = cmdlet_all(call, cmdlet_context(call)->policy, "AcceptedDomain", &all, &count, err);
    for (size_t i = 0; !code && i < count; i++) {
        struct span name = record_string(all[i], SPAN("DomainName"));
        if (span_ieq(name, domain) ||
            (span_starts(name, SPAN("*.")) && span_iends(domain, span_from(name, 1)) && domain.len > name.len - 1))
            return ERR_NONE;
    }
    return code ? code
                : err_set(err, ERR_INVALID,
                          "%.*s is not in an accepted domain; make one first: New-AcceptedDomain -Name %.*s "
                          "-DomainName %.*s",
                          SPAN_ARG(address), SPAN_ARG(domain), SPAN_ARG(domain));
}

/* EmailAddresses: the primary first, then the others, each in an accepted domain. */
static enum err_code settle_addresses(struct shell_call *call, const struct record *old, struct record *r,
                                      struct err *err)
{
    struct span primary = record_string(r, SPAN("PrimarySmtpAddress")),
                before = old ? record_string(old, SPAN("PrimarySmtpAddress")) : SPAN("");
    const struct value *list = record_get(r, SPAN("EmailAddresses"));
    size_t n = list && list->kind == VALUE_LIST ? list->list.count : 0, out = 1;
    struct value *items = ARENA_ARRAY(call->arena, n + 1, struct value);
    if (!items)
        return cmdlet_no_memory(err);
    items[0] = value_string(primary);
    for (size_t i = 0; i < n; i++) {
        struct span s = list->list.items[i].s;
        bool replaced = before.len && !span_ieq(before, primary) && span_ieq(s, before) &&
                        !cmdlet_argument(call, "EmailAddresses");
        if (!span_ieq(s, primary) && !replaced)
            items[out++] = list->list.items[i];
    }
    enum err_code code = ERR_NONE;
    for (size_t i = 0; !code && i < out; i++)
        code = check_domain(call, items[i].s, err);
    if (!code && !record_set(r, SPAN("EmailAddresses"), value_list(items, out)))
        code = cmdlet_no_memory(err);
    return code;
}

static const struct shell_parameter mailbox_parameters[] = {
    {"Password", NULL, 0, "<String>", "The password."},
    {"PasswordFile", NULL, 0, "<File>", "A file whose first line is the password; read with your own rights."},
    {"Alias", NULL, PARAMETER_HIDDEN, NULL, NULL},
    {"Database", NULL, PARAMETER_HIDDEN, NULL, NULL},
};

/* The password given in any way; ptr NULL: none was. */
static enum err_code find_password(struct shell_call *call, bool needed, struct span *ret, struct err *err)
{
    const struct value *given = cmdlet_argument(call, "Password"), *file = cmdlet_argument(call, "PasswordFile");
    *ret = (struct span){NULL, 0};
    if (given && file)
        return err_set(err, ERR_INVALID, "%s: -Password and -PasswordFile exclude each other", call->command->name);
    if (given && given->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "-Password takes one text");
    if (given)
        *ret = given->s;
    if (!given && (file || needed)) {
        struct span text = file && file->kind == VALUE_STRING
                               ? file->s
                               : arena_printf(call->arena, "Password for the new mailbox");
        enum err_code code =
            call->host->ask(call->host, file ? SHELL_ASK_FILE : SHELL_ASK_SECRET, text, call->arena, ret, err);
        if (code == ERR_UNAVAILABLE && !err->text[0])
            err_set(err, code, "%s: a password is needed: -Password 'text', or -PasswordFile FILE",
                    call->command->name);
        if (code)
            return code;
        *ret = span_head(*ret, span_find(*ret, '\n'));
        if (ret->len && ret->ptr[ret->len - 1] == '\r')
            ret->len--;
    }
    if (ret->ptr && (ret->len == 0 || ret->len > 1024))
        return err_set(err, ERR_INVALID, "the password must have 1 to 1024 octets");
    return ERR_NONE;
}

static enum err_code prepare_mailbox(struct shell_call *call, const struct record *old, struct record *r,
                                     struct err *err)
{
    struct span primary = record_string(r, SPAN("PrimarySmtpAddress")),
                upn = record_string(r, SPAN("UserPrincipalName")), password;
    if (!primary.len && upn.len)
        primary = upn;
    if (!primary.len)
        return err_set(err, ERR_INVALID,
                       "New-Mailbox: -PrimarySmtpAddress must be given, such as alice@example.com");
    if (!record_string(r, SPAN("Name")).len &&
        !record_set(r, SPAN("Name"), value_string(span_head(primary, span_rfind(primary, '@')))))
        return cmdlet_no_memory(err);
    if (!record_set(r, SPAN("PrimarySmtpAddress"), value_string(primary)))
        return cmdlet_no_memory(err);
    enum err_code code = schema_complete(&class_mailbox, r, err);
    if (!code)
        code = settle_addresses(call, old, r, err);
    if (!code)
        code = find_password(call, !old && !call->what_if, &password, err);
    if (!code && password.ptr &&
        !record_set(r, SPAN("Password"), (struct value){.kind = VALUE_SECRET, .s = password}))
        code = cmdlet_no_memory(err);
    return code;
}

static enum err_code prepare_contact(struct shell_call *call, const struct record *old, struct record *r,
                                     struct err *err)
{
    enum err_code code = schema_complete(&class_mail_contact, r, err);
    return code ? code : settle_addresses(call, old, r, err);
}

static enum err_code prepare_group(struct shell_call *call, const struct record *old, struct record *r,
                                   struct err *err)
{
    enum err_code code = schema_complete(&class_distribution_group, r, err);
    return code ? code : settle_addresses(call, old, r, err);
}

const struct noun noun_mailbox = {.class = &class_mailbox,
                                  .recipients = true,
                                  .extra = mailbox_parameters,
                                  .extra_count = ARRAY_LEN(mailbox_parameters),
                                  .prepare = prepare_mailbox};
const struct noun noun_mail_contact = {
    .class = &class_mail_contact, .recipients = true, .prepare = prepare_contact};
const struct noun noun_distribution_group = {
    .class = &class_distribution_group, .recipients = true, .prepare = prepare_group};

/* ---- members ---- */

static const struct shell_parameter member_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE | PARAMETER_REQUIRED, "<Group>",
     "The distribution group."},
    {"Member", NULL, PARAMETER_POSITION_1, "<Recipient>", "A mailbox, contact or group."},
};

struct membership {
    struct record *group, *member;
    struct value members;
    size_t at; /* of the member in the list; its length when it is not there */
};

static enum err_code read_membership(struct shell_call *call, struct membership *m, struct err *err)
{
    struct span name = record_string(call->arguments, SPAN("Member"));
    enum err_code code = cmdlet_target(call, &noun_distribution_group, &m->group, err);
    if (!code && !name.len)
        return err_set(err, ERR_INVALID, "%s: -Member must be given", call->command->name);
    if (!code)
        code = cmdlet_find_recipient(call, name, &m->member, err);
    if (code)
        return code;
    const struct value *v = record_get(m->group, SPAN("Members"));
    m->members = v && v->kind == VALUE_LIST ? *v : value_list(NULL, 0);
    m->at = 0;
    while (m->at < m->members.list.count &&
           !span_ieq(m->members.list.items[m->at].s, record_string(m->member, SPAN("Guid"))))
        m->at++;
    return ERR_NONE;
}

static enum err_code store_members(struct shell_call *call, struct membership *m, const struct value *items,
                                   size_t count, struct err *err)
{
    if (call->what_if)
        return ERR_NONE;
    if (!record_set(m->group, SPAN("Members"), value_list(items, count)))
        return cmdlet_no_memory(err);
    return object_store_put(cmdlet_context(call)->recipients, m->group, err);
}

static enum err_code add_member(struct shell_call *call, struct err *err)
{
    struct membership m;
    enum err_code code = read_membership(call, &m, err);
    if (code)
        return code;
    if (span_ieq(record_string(m.group, SPAN("Guid")), record_string(m.member, SPAN("Guid"))))
        return err_set(err, ERR_INVALID, "a group cannot be its own member");
    if (m.at < m.members.list.count)
        return err_set(err, ERR_EXISTS, "%.*s is a member of %.*s already",
                       SPAN_ARG(record_string(m.member, SPAN("Name"))),
                       SPAN_ARG(record_string(m.group, SPAN("Name"))));
    struct value *items = ARENA_ARRAY(call->arena, m.at + 1, struct value);
    if (!items)
        return cmdlet_no_memory(err);
    for (size_t i = 0; i < m.at; i++)
        items[i] = m.members.list.items[i];
    items[m.at] = value_string(record_string(m.member, SPAN("Guid")));
    return store_members(call, &m, items, m.at + 1, err);
}

static enum err_code remove_member(struct shell_call *call, struct err *err)
{
    struct membership m;
    enum err_code code = read_membership(call, &m, err);
    if (code)
        return code;
    size_t n = m.members.list.count, out = 0;
    if (m.at == n)
        return err_set(err, ERR_NOT_FOUND, "%.*s is no member of %.*s",
                       SPAN_ARG(record_string(m.member, SPAN("Name"))),
                       SPAN_ARG(record_string(m.group, SPAN("Name"))));
    struct value *items = ARENA_ARRAY(call->arena, n, struct value);
    for (size_t i = 0; items && i < n; i++)
        if (i != m.at)
            items[out++] = m.members.list.items[i];
    return items ? store_members(call, &m, items, out, err) : cmdlet_no_memory(err);
}

static enum err_code get_members(struct shell_call *call, struct err *err)
{
    static const struct noun *const kinds[] = {&noun_mailbox, &noun_mail_contact, &noun_distribution_group};
    struct record *group;
    enum err_code code = cmdlet_target(call, &noun_distribution_group, &group, err);
    const struct value *members = code ? NULL : record_get(group, SPAN("Members"));
    for (size_t k = 0; !code && k < ARRAY_LEN(kinds); k++) {
        struct record **all;
        size_t count;
        code = cmdlet_all(call, cmdlet_context(call)->recipients, kinds[k]->class->name, &all, &count, err);
        for (size_t i = 0; !code && i < count; i++)
            for (size_t m = 0; members && members->kind == VALUE_LIST && m < members->list.count; m++)
                if (span_ieq(members->list.items[m].s, record_string(all[i], SPAN("Guid")))) {
                    struct record *view = schema_view(kinds[k]->class, all[i], call->arena);
                    if (!view)
                        return cmdlet_no_memory(err);
                    call->emit(call, value_record(view));
                }
    }
    return code;
}

const struct shell_command member_commands[3] = {
    {.name = "Add-DistributionGroupMember",
     .parameters = member_parameters,
     .parameter_count = 2,
     .synopsis = "Adds a recipient to a group.",
     .changes = true,
     .run = add_member},
    {.name = "Get-DistributionGroupMember",
     .parameters = member_parameters,
     .parameter_count = 1,
     .synopsis = "Shows the members of a group.",
     .run = get_members},
    {.name = "Remove-DistributionGroupMember",
     .parameters = member_parameters,
     .parameter_count = 2,
     .synopsis = "Removes a recipient from a group.",
     .changes = true,
     .confirms = true,
     .run = remove_member},
};
