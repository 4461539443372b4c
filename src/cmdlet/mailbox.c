/*
 * mailbox.c: the nouns Mailbox and MailContact. A password comes from a parameter, a file that the person in front
 * can read, or is asked for; it goes to the store as a secret and is seen nowhere else.
 */
#include "cmdlet/internal.h"

/* Without the line end that editors put at a file's end. */
static struct span without_line_end(struct span s)
{
    if (s.len && s.ptr[s.len - 1] == '\n')
        s.len--;
    if (s.len && s.ptr[s.len - 1] == '\r')
        s.len--;
    return s;
}

static enum err_code ask(struct shell_call *call, enum shell_ask_kind kind, struct span text, struct span *ret,
                         struct err *err)
{
    struct err why = {0};
    enum err_code code = call->host->ask(call->host, kind, text, call->arena, ret, &why);
    if (code && why.text[0])
        return err_set(err, code, "%s: %s", call->command->name, why.text);
    if (code)
        return err_set(err, code,
                       "%s: a password is needed, and nobody is there to give it; add -Password 'text' or "
                       "-PasswordFile FILE",
                       call->command->name);
    return ERR_NONE;
}

/* Puts the new password into the record, if there is one. */
static enum err_code take_password(struct shell_call *call, const struct record *old, struct record *r,
                                   struct err *err)
{
    const struct schema_property *p = schema_property(&schema_mailbox, SPAN("Password"));
    const struct value *file = cmdlet_argument(call, "PasswordFile");
    struct span text;
    struct value v;
    enum err_code code;
    if (file && record_get(r, SPAN("Password")))
        return err_set(err, ERR_CONFLICT, "%s: give -Password or -PasswordFile, not both", call->command->name);
    if (record_get(r, SPAN("Password")) || (!file && old) || call->what_if)
        return ERR_NONE;
    if (file && file->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "%s -PasswordFile: the name of a file is expected", call->command->name);
    if (file)
        code = ask(call, SHELL_ASK_FILE, file->s, &text, err);
    else
        code = ask(
            call, SHELL_ASK_SECRET,
            arena_printf(call->arena, "Password for %.*s", SPAN_ARG(record_string(r, SPAN("PrimarySmtpAddress")))),
            &text, err);
    if (code == ERR_NONE)
        code = cmdlet_parse(call, p, value_string(file ? without_line_end(text) : text), NULL, &v, err);
    return code ? code : cmdlet_set(r, "Password", v, err);
}

static enum err_code prepare_mailbox(struct shell_call *call, const struct record *old, struct record *r,
                                     struct err *err)
{
    enum err_code code = recipient_prepare(call, old, r, err);
    return code ? code : take_password(call, old, r, err);
}

static enum err_code prepare_contact(struct shell_call *call, const struct record *old, struct record *r,
                                     struct err *err)
{
    struct span external = record_string(r, SPAN("ExternalEmailAddress"));
    enum err_code code = recipient_prepare(call, old, r, err);
    const struct value *all = record_get(r, SPAN("EmailAddresses"));
    for (size_t i = 0; code == ERR_NONE && i < all->list.count; i++)
        if (span_ieq(all->list.items[i].s, external))
            code = err_set(err, ERR_CONFLICT,
                           "%s: %.*s is the contact's own address; its mail would go in a circle, so give "
                           "another -ExternalEmailAddress",
                           call->command->name, SPAN_ARG(external));
    return code;
}

#define RESULT_SIZE                                                                                                \
    {                                                                                                              \
        VERB_BIT(VERB_GET),                                                                                        \
        {                                                                                                          \
            "ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most."                                        \
        }                                                                                                          \
    }

static const struct noun_parameter mailbox_parameters[] = {
    {VERB_BIT(VERB_NEW) | VERB_BIT(VERB_SET),
     {"PasswordFile", NULL, 0, "<File>", "A file that holds the password, as whoever runs the shell can read it."}},
    RESULT_SIZE,
};
static const struct noun_parameter contact_parameters[] = {RESULT_SIZE};

const struct noun noun_mailbox = {
    .class = &schema_mailbox,
    .recipients = true,
    .keys = recipient_keys,
    .parameters = mailbox_parameters,
    .parameter_count = ARRAY_LEN(mailbox_parameters),
    .examples =
        {
            [VERB_NEW] = "    New-Mailbox -Name alice -PrimarySmtpAddress alice@example.com\n",
            [VERB_GET] = "    Get-Mailbox a* | Format-List\n",
            [VERB_SET] = "    Set-Mailbox alice -EmailAddresses @{Add='a.smith@example.com'}\n"
                         "    Set-Mailbox alice -PasswordFile new.txt\n",
            [VERB_REMOVE] = "    Remove-Mailbox alice -Confirm:$false\n",
        },
    .prepare = prepare_mailbox,
    .removed = recipient_removed,
};

const struct noun noun_mail_contact = {
    .class = &schema_mail_contact,
    .recipients = true,
    .keys = recipient_keys,
    .parameters = contact_parameters,
    .parameter_count = ARRAY_LEN(contact_parameters),
    .examples =
        {
            [VERB_NEW] =
                "    New-MailContact -Name carol -PrimarySmtpAddress carol@example.com -ExternalEmailAddress "
                "carol@partner.example\n",
            [VERB_GET] = "    Get-MailContact | Format-Table Name,ExternalEmailAddress\n",
            [VERB_SET] = "    Set-MailContact carol -ExternalEmailAddress carol@new.example\n",
            [VERB_REMOVE] = "    Remove-MailContact carol -Confirm:$false\n",
        },
    .prepare = prepare_contact,
    .removed = recipient_removed,
};
