/*
 * test_recipient.c: mailboxes, contacts, groups, accepted domains and settings. The rows of a table build on each
 * other.
 */
#include "check.h"
#include "cmdlet/test_support.h"

#define JSON " | ConvertTo-Json -Compress"

static void test_mailboxes(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"name and address", "New-Mailbox -Name alice -PrimarySmtpAddress Alice@Example.COM -Password 'pw-1'" JSON,
         .has = {"\"Name\":\"alice\"", "\"PrimarySmtpAddress\":\"Alice@example.com\"",
                 "\"EmailAddresses\":[\"Alice@example.com\"]", "\"Enabled\":true"},
         .lacks = {"pw-1", "Password"}},
        {"principal alone", "New-Mailbox -UserPrincipalName bob@example.com -Password 'pw-1'" JSON,
         .has = {"\"Name\":\"bob\"", "\"PrimarySmtpAddress\":\"bob@example.com\""}},
        {"name alone", "New-Mailbox carl -Password 'pw-1'" JSON, .has = {"carl@example.com"}},
        {"name that is an address", "New-Mailbox dora@example.com -Password 'pw-1'" JSON,
         .has = {"\"PrimarySmtpAddress\":\"dora@example.com\""}},
        {"several addresses",
         "New-Mailbox -Name eve -EmailAddresses e@example.com,SMTP:eve@example.com -Password 'pw-1'" JSON,
         .has = {"\"PrimarySmtpAddress\":\"eve@example.com\"", "[\"eve@example.com\",\"e@example.com\"]"}},
        {"numbers as password", "New-Mailbox frank -Password 12345"},
        {"foreign domain", "New-Mailbox x -PrimarySmtpAddress x@elsewhere.test -Password 'pw-X1'", ERR_INVALID,
         .has = {"elsewhere.test", "New-AcceptedDomain", "example.com"}, .lacks = {"pw-X1"}},
        {"address taken", "New-Mailbox x -PrimarySmtpAddress ALICE@example.com -Password 'pw'", ERR_EXISTS,
         .has = {"ALICE@example.com", "the mailbox \"alice\""}},
        {"address taken as principal",
         "New-Mailbox x -UserPrincipalName e@example.com -PrimarySmtpAddress x@example.com "
         "-Password 'pw'",
         ERR_EXISTS, .has = {"\"eve\""}},
        {"name taken", "New-Mailbox ALICE -PrimarySmtpAddress a2@example.com -Password 'pw'", ERR_EXISTS,
         .has = {"\"ALICE\""}},
        {"no password", "New-Mailbox x -PrimarySmtpAddress x@example.com", ERR_UNAVAILABLE,
         .has = {"password", "-PasswordFile"}},
        {"empty password", "New-Mailbox x -PrimarySmtpAddress x@example.com -Password ''", ERR_INVALID,
         .has = {"-Password"}},
        {"no address", "New-Mailbox 'two words' -Password 'pw'", ERR_INVALID, .has = {"-PrimarySmtpAddress"}},
        {"not an address", "New-Mailbox x -PrimarySmtpAddress nonsense -Password 'pw'", ERR_INVALID,
         .has = {"New-Mailbox -PrimarySmtpAddress", "nonsense", "alice@example.com"}},
        {"what if", "New-Mailbox x -PrimarySmtpAddress x@example.com -WhatIf; Get-Mailbox x", ERR_NOT_FOUND,
         .warns = "What if"},
        {"add an address",
         "Set-Mailbox alice -EmailAddresses @{Add='a.smith@example.com'}; Get-Mailbox a.smith@example.com" JSON,
         .has = {"[\"Alice@example.com\",\"a.smith@example.com\"]"}},
        {"add one that is taken", "Set-Mailbox alice -EmailAddresses @{Add='bob@example.com'}", ERR_EXISTS,
         .has = {"\"bob\""}},
        {"add a foreign one", "Set-Mailbox alice -EmailAddresses @{Add='a@elsewhere.test'}", ERR_INVALID,
         .has = {"New-AcceptedDomain"}},
        {"the primary one stays", "Set-Mailbox alice -EmailAddresses @{Remove='alice@example.com'}", ERR_CONFLICT,
         .has = {"primary", "-PrimarySmtpAddress"}},
        {"new primary", "Set-Mailbox alice -PrimarySmtpAddress alice.smith@example.com; Get-Mailbox alice" JSON,
         .has = {"[\"alice.smith@example.com\",\"Alice@example.com\",\"a.smith@example.com\"]"}},
        {"now it can go", "Set-Mailbox alice -EmailAddresses @{Remove='alice@example.com'}; Get-Mailbox alice" JSON,
         .has = {"[\"alice.smith@example.com\",\"a.smith@example.com\"]"}},
        {"whole list", "Set-Mailbox alice -EmailAddresses new@example.com; Get-Mailbox alice" JSON,
         .has = {"[\"alice.smith@example.com\",\"new@example.com\"]"}},
        {"password", "Set-Mailbox alice -Password 'hush-9'; Get-Mailbox alice | fl *", .lacks = {"hush"}},
        {"by pipeline", "Get-Mailbox | Set-Mailbox -Enabled $false; Get-Mailbox alice" JSON,
         .has = {"\"Enabled\":false"}},
        {"wildcard", "Get-Mailbox *@example.com -ResultSize 2 | Measure-Object | fl Count", .has = {"2"}},
        {"wildcard of none", "Get-Mailbox zz* | ConvertTo-Json -AsArray", .has = {"[]"}},
        {"anybody may write to it", "Get-Mailbox alice" JSON,
         .has = {"\"RequireSenderAuthenticationEnabled\":false"}},
        {"users may", "Set-Mailbox alice -RequireSenderAuthenticationEnabled $true; Get-Mailbox alice" JSON,
         .has = {"\"RequireSenderAuthenticationEnabled\":true"}},
        {"remove", "Remove-Mailbox alice -Confirm:$false; Get-Mailbox alice", ERR_NOT_FOUND,
         .has = {"the mailbox \"alice\" could not be found", "\"bob\""}},
        {"asks", "Remove-Mailbox bob", ERR_UNAVAILABLE, .has = {"-Confirm:$false"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

/* The password reaches the store as a secret, from wherever it comes. */
static char stored_password[64];

static enum err_code see_password(struct object_store *s UNUSED, const struct record *r, struct err *err UNUSED)
{
    const struct value *v = record_get(r, SPAN("Password"));
    struct span password = v && v->kind == VALUE_SECRET ? v->s : SPAN("");
    snprintf(stored_password, sizeof(stored_password), "%.*s", SPAN_ARG(password));
    return ERR_NONE;
}

static void test_password_sources(void **state UNUSED)
{
    static const struct {
        const char *name, *script, *secret, *file, *want;
        enum err_code code;
    } rows[] = {
        {"parameter", "New-Mailbox a -Password 'from here'", "s", "f", "from here"},
        {"file", "New-Mailbox a -PasswordFile /some/file", "s", " from file \n", " from file "},
        {"file, CRLF", "New-Mailbox a -PasswordFile /some/file", "s", "two\r\n", "two"},
        {"file, empty lines stay", "New-Mailbox a -PasswordFile /some/file", "s", "two\n\n", "two\n"},
        {"asked", "New-Mailbox a", "typed", "f", "typed"},
        {"both", "New-Mailbox a -Password x -PasswordFile /f", "s", "f", "", ERR_CONFLICT},
        {"empty file", "New-Mailbox a -PasswordFile /f", "s", "\n", "", ERR_INVALID},
        {"nobody there", "New-Mailbox a", NULL, NULL, "", ERR_UNAVAILABLE},
        {"not asked for in vain", "New-Mailbox a -PrimarySmtpAddress a@elsewhere.test", "s", "f", "", ERR_INVALID},
        {"changed", "Set-Mailbox old -PasswordFile /f", "s", "fresh", "fresh"},
        {"not changed", "Set-Mailbox old -DisplayName 'Old One'", "s", "f", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        bench_init(&b, 0);
        CHECK_INT(rows[i].name, bench_run(&b, "New-Mailbox old -Password x"), ERR_NONE);
        struct object_store_ops ops = *b.context.recipients->ops;
        const struct object_store_ops *before = b.context.recipients->ops;
        ops.put = see_password;
        b.context.recipients->ops = &ops;
        stored_password[0] = 0;
        b.secret = rows[i].secret;
        b.file = rows[i].file;
        CHECK_INT(rows[i].name, bench_run(&b, rows[i].script), rows[i].code);
        CHECK_STR(rows[i].name, stored_password, rows[i].want);
        b.context.recipients->ops = before;
        bench_done(&b);
    }
}

static void test_contacts_and_groups(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"contact",
         "New-MailContact -Name carol -PrimarySmtpAddress carol@example.com -ExternalEmailAddress "
         "carol@partner.example" JSON,
         .has = {"\"ExternalEmailAddress\":\"carol@partner.example\"",
                 "\"PrimarySmtpAddress\":\"carol@example.com\""}},
        {"contact of itself",
         "New-MailContact x -PrimarySmtpAddress x@example.com -ExternalEmailAddress X@example.com", ERR_CONFLICT,
         .has = {"circle"}},
        {"no external address", "New-MailContact x", ERR_INVALID, .has = {"ExternalEmailAddress"}},
        {"unique over classes", "New-DistributionGroup x -PrimarySmtpAddress carol@example.com", ERR_EXISTS,
         .has = {"the mail contact \"carol\""}},
        {"groups",
         "New-Mailbox alice -Password p; New-Mailbox bob -Password p; New-DistributionGroup -Name team "
         "-PrimarySmtpAddress team@example.com; New-DistributionGroup inner",
         .has = {"inner@example.com"}, .lacks = {"Members"}},
        {"members",
         "Add-DistributionGroupMember team -Member alice; Add-DistributionGroupMember -Identity team@example.com "
         "-Member carol@example.com,inner; Get-DistributionGroupMember team" JSON,
         .has = {"\"Name\":\"alice\"", "\"RecipientType\":\"MailContact\"",
                 "\"RecipientType\":\"DistributionGroup\""}},
        {"by pipeline",
         "Get-Mailbox bob | Add-DistributionGroupMember inner; Get-DistributionGroup inner | "
         "Get-DistributionGroupMember | Select-Object -ExpandProperty PrimarySmtpAddress",
         .has = {"bob@example.com"}},
        {"member onwards",
         "Get-DistributionGroupMember inner | Set-Mailbox -DisplayName Bobby; Get-Mailbox bob" JSON,
         .has = {"Bobby"}},
        {"twice", "Add-DistributionGroupMember team -Member ALICE@example.com", ERR_EXISTS,
         .has = {"alice", "team"}},
        {"itself", "Add-DistributionGroupMember team -Member team", ERR_CONFLICT, .has = {"itself"}},
        {"nobody", "Add-DistributionGroupMember team -Member nobody", ERR_NOT_FOUND, .has = {"nobody"}},
        {"half is nothing", "Add-DistributionGroupMember inner -Member alice,nobody", ERR_NOT_FOUND},
        {"still", "Get-DistributionGroupMember inner" JSON, .lacks = {"alice"}},
        {"group that is none", "Add-DistributionGroupMember alice -Member bob", ERR_NOT_FOUND, .has = {"\"team\""}},
        {"remove a member",
         "Remove-DistributionGroupMember team -Member inner -Confirm:$false; Get-DistributionGroupMember "
         "team" JSON,
         .has = {"alice"}, .lacks = {"inner"}},
        {"not a member", "Remove-DistributionGroupMember team -Member bob -Confirm:$false", ERR_NOT_FOUND,
         .has = {"bob"}},
        {"goes with the mailbox", "Remove-Mailbox alice -Confirm:$false; Get-DistributionGroupMember team" JSON,
         .has = {"carol"}, .lacks = {"alice"}},
        {"remove a group", "Remove-DistributionGroup team -Confirm:$false; Get-DistributionGroup" JSON,
         .lacks = {"team"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

static void test_domains(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"new", "New-AcceptedDomain -Name app.test -DomainName App.test" JSON,
         .has = {"\"DomainType\":\"Authoritative\"", "\"Default\":false"}},
        {"wildcard", "New-AcceptedDomain -Name below -DomainName '*.app.test' -DomainType internalrelay" JSON,
         .has = {"\"*.app.test\"", "\"InternalRelay\""}},
        {"its addresses", "New-Mailbox x -PrimarySmtpAddress x@a.b.app.test -Password p" JSON,
         .has = {"x@a.b.app.test"}},
        {"lone wildcard", "New-AcceptedDomain -Name all -DomainName '*'", ERR_CONFLICT, .has = {"*", "open relay"}},
        {"wildcard inside", "New-AcceptedDomain -Name w -DomainName 'a.*.test'", ERR_INVALID, .has = {"a.*.test"}},
        {"twice", "New-AcceptedDomain -Name again -DomainName APP.TEST", ERR_EXISTS, .has = {"\"app.test\""}},
        {"type", "Set-AcceptedDomain app.test -DomainType ExternalRelay; Get-AcceptedDomain app.test" JSON,
         .has = {"ExternalRelay"}},
        {"unknown type", "Set-AcceptedDomain app.test -DomainType Any", ERR_INVALID,
         .has = {"Any", "ExternalRelay"}},
        {"the name stays", "Set-AcceptedDomain app.test -DomainName b.test", ERR_INVALID, .has = {"-DomainName"}},
        {"default stays", "Remove-AcceptedDomain example.com -Confirm:$false", ERR_DENIED, .has = {"-MakeDefault"}},
        {"wildcard default", "Set-AcceptedDomain below -MakeDefault $true", ERR_CONFLICT, .has = {"wildcard"}},
        {"new default",
         "Set-AcceptedDomain app.test -MakeDefault $true; Get-AcceptedDomain | where {$_.Default} | "
         "Select-Object -ExpandProperty Name",
         .has = {"app.test"}, .lacks = {"example.com"}},
        {"now it can go", "Remove-AcceptedDomain example.com -Confirm:$false; Get-AcceptedDomain" JSON,
         .lacks = {"example.com"}},
        {"all or nothing", "Get-AcceptedDomain | Remove-AcceptedDomain -Confirm:$false", ERR_DENIED},
        {"nothing", "Get-AcceptedDomain" JSON, .has = {"app.test", "below"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

static void test_settings(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"server",
         "Set-TransportServer -MessageExpirationTimeout 1.00:00:00 -MaxOutboundConnections unlimited; "
         "Get-TransportServer" JSON,
         .has = {"\"MessageExpirationTimeout\":\"1.00:00:00\"", "\"MaxOutboundConnections\":\"Unlimited\""}},
        {"by name", "Set-TransportServer mail.example.com -QueueGlitchRetryCount 0; Get-TransportServer MAIL" JSON,
         .has = {"\"QueueGlitchRetryCount\":0"}},
        {"another server", "Set-TransportServer other -QueueGlitchRetryCount 0", ERR_NOT_FOUND,
         .has = {"mail.example.com"}},
        {"range", "Set-TransportServer -QueueGlitchRetryCount 16", ERR_INVALID, .has = {"16", "0 to 15"}},
        {"lmtp", "Set-TransportServer -MailboxDeliveryProtocol Lmtp", ERR_CONFLICT, .has = {"MailboxDeliveryHost"}},
        {"lmtp host", "Set-TransportServer -MailboxDeliveryProtocol Lmtp -MailboxDeliveryHost 127.0.0.1:24"},
        {"read only", "Set-TransportServer -Role Edge", ERR_INVALID, .has = {"-Role"}},
        {"config",
         "Set-TransportConfig -MaxReceiveSize 25MB -ExternalPostmasterAddress pm@example.com; "
         "Get-TransportConfig" JSON,
         .has = {"\"MaxReceiveSize\":26214400", "pm@example.com"}},
        {"suppress", "Set-ReceiveConnector 'Client mail' -SuppressXAnonymousTls $true", ERR_CONFLICT,
         .has = {"UseDowngradedExchangeServerAuth"}},
        {"suppress, allowed",
         "Set-TransportServer -UseDowngradedExchangeServerAuth $true; Set-ReceiveConnector 'Client mail' "
         "-SuppressXAnonymousTls $true"},
    };
    static const struct bench_row empty[] = {
        {"none", "Get-TransportServer", ERR_NOT_FOUND, .has = {"no transport server"}},
        {"first domain is the default", "New-AcceptedDomain a.test -DomainName a.test" JSON,
         .has = {"\"Default\":true"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_EMPTY, empty, ARRAY_LEN(empty));
}

static bool begins_with_one(const char *name, const char *const *verbs)
{
    for (; *verbs; verbs++)
        if (span_starts(span_of(name), span_of(*verbs)))
            return true;
    return false;
}

/* Every cmdlet has help, and every parameter of it. */
static void test_help(void **state UNUSED)
{
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    CHECK_INT("count", b.table.command_count, 58);
    for (size_t i = 0; i < b.table.command_count; i++) {
        const struct shell_command *c = b.table.commands[i];
        CHECK(c->name, c->synopsis && *c->synopsis && c->description && *c->description && c->run);
        CHECK_INT(c->name, c->confirms, begins_with_one(c->name, (const char *const[]){"Remove-", "Undo-", NULL}));
        CHECK_INT(c->name, c->changes,
                  !begins_with_one(c->name, (const char *const[]){"Get-", "Export-", "Compare-", NULL}));
        for (size_t p = 0; p < c->parameter_count; p++) {
            const struct shell_parameter *q = &c->parameters[p];
            CHECK(q->name, q->help && *q->help && ((q->flags & PARAMETER_SWITCH) || q->syntax));
            for (size_t k = 0; k < p; k++)
                CHECK(q->name, !span_ieq(span_of(q->name), span_of(c->parameters[k].name)));
        }
    }
    CHECK_INT("help", bench_run(&b, "Get-Help New-ReceiveConnector"), ERR_NONE);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailboxes),
        cmocka_unit_test(test_password_sources),
        cmocka_unit_test(test_contacts_and_groups),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
