/*
 * test_grants.c: narrowed entries and Send-As, from a command line to the stores and back. The rows of a table
 * build on each other.
 */
#include "check.h"
#include "cmdlet/test_support.h"

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define SUBMIT    "ms-Exch-SMTP-Submit"
#define RELAY     "ms-Exch-SMTP-Accept-Any-Recipient"
#define PRINTERS  "New-ReceiveConnector p -Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.0/8"
#define ADD       "Add-ADPermission p -User " ANONYMOUS " -ExtendedRights " SUBMIT " "
#define REMOVE    "Remove-ADPermission p -User " ANONYMOUS " -ExtendedRights " SUBMIT " -Confirm:$false "
#define SHOW      "; Get-ADPermission p | ConvertTo-Json -Compress -AsArray"

static void test_narrowed(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"make", PRINTERS},
        {"all of it",
         ADD "-Senders Scanner@Example.com,'*@print.example.com','<>' -Recipients '*@example.com,*@*.partner.test' "
             "-MessageRate 3 -RequireTls -Expires 2099-12-31T18:00+02:00 -Comment 'the scanner in the hall'" SHOW,
         .has = {"\"Senders\":[\"Scanner@example.com\",\"*@print.example.com\",\"<>\"]",
                 "\"Recipients\":[\"*@example.com\",\"*@*.partner.test\"]", "\"MessageRate\":3",
                 "\"RequireTls\":true", "\"Expires\":\"2099-12-31T16:00:00.000Z\"",
                 "\"Comment\":\"the scanner in the hall\"", "\"Origin\":\"Explicit\""}},
        {"as a list", "Get-ADPermission p | fl",
         .has = {"Senders", "Recipients", "MessageRate", "RequireTls", "Expires", "Comment", "LastUsed",
                 "UseCount"}},
        {"what is emitted", "Add-ADPermission p -User Everyone -ExtendedRights " RELAY " -Recipients a@b.test | fl",
         .has = {"{a@b.test}", "Unlimited"}},
        {"the same again, in another order and with another comment",
         ADD "-Senders '<>','*@PRINT.example.com',scanner@example.com -Recipients '*@*.partner.test,*@example.com' "
             "-MessageRate 3 -RequireTls -Expires 2099-12-31T16:00Z -Comment other" SHOW,
         .has = {"the scanner in the hall"}, .lacks = {"other"}, .warns = "already, narrowed in the same way"},
        {"another rate is another entry",
         ADD "-Senders '<>' -MessageRate 4; Get-ADPermission p | Measure-Object | fl Count", .has = {"3"}},
        {"one that is not narrowed", ADD "; Get-ADPermission p | Measure-Object | fl Count", .has = {"4"}},
        {"Custom", "Get-ReceiveConnector p | ConvertTo-Json -Compress",
         .has = {"\"PermissionGroups\":[\"Custom\"]"}},
        {"a denial",
         ADD
         "-Deny -Senders '*@bad.test' -Expires 2099-01-01; Get-ADPermission p | where {$_.Deny} | ConvertTo-Json "
         "-Compress",
         .has = {"\"Senders\":[\"*@bad.test\"]", "\"Expires\":\"2099-01-01T00:00:00.000Z\""}},
        /* taken away */
        {"remove without saying which", REMOVE "; Get-ADPermission p | Measure-Object | fl Count", .has = {"4"}},
        {"... and again", REMOVE SHOW, .has = {"scanner", "\"MessageRate\":4"}, .warns = "narrowed otherwise"},
        {"by what is given", REMOVE "-MessageRate 4; Get-ADPermission p | Measure-Object | fl Count", .has = {"3"}},
        {"no such", REMOVE "-MessageRate 5; Get-ADPermission p | Measure-Object | fl Count", .has = {"3"},
         .warns = "nothing was removed"},
        {"by the whole list only", REMOVE "-Senders '<>'; Get-ADPermission p | Measure-Object | fl Count",
         .has = {"3"}},
        {"the denial", REMOVE "-Deny -Senders '*@bad.test'; Get-ADPermission p | Measure-Object | fl Count",
         .has = {"2"}},
        {"by pipeline",
         "Get-ADPermission p | where {$_.MessageRate -eq 3} | Remove-ADPermission -Confirm:$false" SHOW,
         .lacks = {"Scanner"}, .has = {"a@b.test"}},
        {"what if", "Get-ADPermission p | Remove-ADPermission -WhatIf" SHOW, .has = {"a@b.test"},
         .warns = "What if"},
        /* refused */
        {"bad sender", ADD "-Senders 'scan*@example.com'", ERR_INVALID,
         .has = {"Add-ADPermission -Senders", "scan*@example.com", "*@example.com"}},
        {"bad recipient", ADD "-Recipients example.com", ERR_INVALID, .has = {"-Recipients", "example.com"}},
        {"null recipient", ADD "-Recipients '<>'", ERR_INVALID, .has = {"null sender"}},
        {"no sender", ADD "-Senders @()", ERR_INVALID, .has = {"-Senders", "empty"}},
        {"rate 0", ADD "-MessageRate 0", ERR_INVALID, .has = {"-MessageRate", "1 to 1000000"}},
        {"rate of a denial", ADD "-Deny -MessageRate 3", ERR_INVALID, .has = {"-MessageRate", "-Deny"}},
        {"past", ADD "-Expires 2020-01-01", ERR_INVALID,
         .has = {"-Expires", "2020-01-01T00:00:00.000Z is past", "after now"}},
        {"no time", ADD "-Expires tomorrow", ERR_INVALID, .has = {"-Expires", "tomorrow", "2026-12-31"}},
        {"no such day", ADD "-Expires 2099-02-30", ERR_INVALID, .has = {"-Expires"}},
        {"recipients too late",
         "Add-ADPermission p -User Everyone -ExtendedRights ms-Exch-Bypass-Message-Size-Limit -Recipients a@b.test",
         ERR_INVALID, .has = {"-Recipients", "ms-Exch-Bypass-Message-Size-Limit", "MAIL"}},
        {"send connector",
         "New-SendConnector out -AddressSpaces '*'; Add-ADPermission out -User Everyone -ExtendedRights "
         "ms-Exch-Send-Headers-Forest -RequireTls",
         ERR_INVALID, .has = {"receive connectors"}},
        {"nothing half-applied", "Get-ADPermission p | Measure-Object | fl Count", .has = {"1"}},
        /* groups stay what they are */
        {"a group beside it",
         "Set-ReceiveConnector p -PermissionGroups AnonymousUsers; Get-ReceiveConnector p | ConvertTo-Json "
         "-Compress",
         .has = {"[\"AnonymousUsers\",\"Custom\"]"}},
        {"a narrowed entry is no group's",
         "Set-ReceiveConnector p -PermissionGroups None; " ADD
         "-RequireTls; Set-ReceiveConnector p -PermissionGroups "
         "AnonymousUsers; Get-ADPermission p -User " ANONYMOUS " | where {$_.ExtendedRights -like '*Submit'} | "
         "Measure-Object | fl Count",
         .has = {"2"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

#define OPEN(narrowing) "Add-ADPermission w -User " ANONYMOUS " -ExtendedRights " RELAY " " narrowing
#define AWAY                                                                                                       \
    "; Get-ADPermission w | where {$_.ExtendedRights -like '*Any-Recipient'} | Remove-ADPermission "               \
    "-Confirm:$false"

static void test_open_relay(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"make", "New-ReceiveConnector w -Internet -Bindings 0.0.0.0:99"},
        {"to certain recipients", OPEN("-Recipients '*@partner.test'") AWAY},
        {"under TLS", OPEN("-RequireTls"), ERR_DENIED, .has = {"open relay"}},
        {"few", OPEN("-MessageRate 1"), ERR_DENIED, .has = {"open relay"}},
        {"for a while", OPEN("-Expires 2099-01-01"), ERR_DENIED, .has = {"open relay"}},
        {"a sender is easily made up", OPEN("-Senders a@example.com"), ERR_DENIED, .has = {"open relay"}},
        {"a narrowed denial is no protection",
         "Add-ADPermission w -User Everyone -ExtendedRights " RELAY " -Deny -Senders a@b.test; " OPEN(""),
         ERR_DENIED, .has = {"open relay"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
}

/* ---- usage ---- */

static bool find_usage(struct grant_usage_view *v UNUSED, struct span entry, int64_t *ret_last_ms,
                       uint64_t *ret_count)
{
    if (!entry.len)
        return false;
    *ret_last_ms = 1000;
    *ret_count = 7;
    return true;
}

static void test_usage(void **state UNUSED)
{
    struct bench b;
    struct grant_usage_view usage = {find_usage};
    static const struct bench_row unknown = {"not known", PRINTERS "; " ADD SHOW,
                                             .has = {"\"LastUsed\":null", "\"UseCount\":null"}},
                                  known = {"known", "Get-ADPermission p | ConvertTo-Json -Compress",
                                           .has = {"\"LastUsed\":\"1970-01-01T00:00:01.000Z\"", "\"UseCount\":7"}};
    bench_init(&b, 0);
    bench_check(&b, &unknown);
    b.context.usage = &usage;
    bench_check(&b, &known);
    bench_done(&b);
}

static void test_many(void **state UNUSED)
{
    struct bench b;
    static const struct bench_row make = {"make", PRINTERS},
                                  full = {"full", ADD "-Senders one.more@example.com", ERR_LIMIT,
                                          .has = {"1025", "1024", "group"}},
                                  less = {"less", "Get-ADPermission p | where {$_.MessageRate -eq 5} | "
                                                  "Remove-ADPermission -Confirm:$false; " ADD "-MessageRate 2000"};
    char script[512];
    bench_init(&b, BENCH_SQLITE);
    bench_check(&b, &make);
    for (int i = 1; i <= 1024; i++) {
        snprintf(script, sizeof script, ADD "-MessageRate %d", i);
        if (bench_run(&b, script))
            fail_msg("%d: %s", i, b.err.text);
    }
    bench_check(&b, &full);
    bench_check(&b, &less);
    bench_done(&b);
}

/* ---- Send-As ---- */

#define GRANTS(who) "Get-ADPermission " who " | ConvertTo-Json -Compress -AsArray"

static void test_send_as(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"people", "New-Mailbox alice -Password p1; New-Mailbox bob -Password p2; New-Mailbox dan -Password p3; "
                   "New-DistributionGroup team; New-DistributionGroup sales; New-MailContact carol "
                   "-ExternalEmailAddress c@partner.test"},
        {"user on a mailbox",
         "Add-ADPermission -Identity bob -User alice -ExtendedRights 'Send-As'; " GRANTS("bob"),
         .has = {"\"Identity\":\"bob\"", "\"User\":\"alice\"", "[\"Send-As\"]", "\"Deny\":false"}},
        {"by pipeline, to a group",
         "Get-Mailbox bob | Add-ADPermission -User team -ExtendedRights 'Send As'; " GRANTS("bob"),
         .has = {"alice", "team"}},
        {"on a group and a contact",
         "Add-ADPermission sales -User alice -ExtendedRights SendAs; Get-MailContact carol | Add-ADPermission "
         "-User "
         "alice -ExtendedRights send-as; " GRANTS("carol@example.com"),
         .has = {"\"Identity\":\"carol\"", "alice"}},
        {"again", "Add-ADPermission bob -User alice -ExtendedRights Send-As",
         .warns = "already; nothing was changed"},
        {"of one", "Get-Mailbox bob | Get-ADPermission -User team | ConvertTo-Json -Compress", .has = {"team"},
         .lacks = {"alice"}},
        {"renamed", "Set-Mailbox alice -Name alice.smith; " GRANTS("bob"), .has = {"\"User\":\"alice.smith\""}},
        {"not shown with the mailbox", "Get-Mailbox bob | ConvertTo-Json -Compress", .lacks = {"SendAs"}},
        {"kept when the mailbox changes", "Set-Mailbox bob -DisplayName Bob; " GRANTS("bob"),
         .has = {"alice", "team"}},
        {"remove by parameters",
         "Remove-ADPermission bob -User alice.smith -ExtendedRights Send-As -Confirm:$false; " GRANTS("bob"),
         .has = {"team"}, .lacks = {"alice"}},
        {"remove what is not there", "Remove-ADPermission bob -User dan -ExtendedRights Send-As -Confirm:$false",
         .warns = "nothing was removed"},
        {"remove by pipeline",
         "Get-Mailbox bob | Get-ADPermission | Remove-ADPermission -Confirm:$false; " GRANTS("bob"), .has = {"[]"}},
        {"what if", "Add-ADPermission bob -User dan -ExtendedRights Send-As -WhatIf; " GRANTS("bob"), .has = {"[]"},
         .warns = "What if"},
        /* refused */
        {"well-known", "Add-ADPermission bob -User Everyone -ExtendedRights Send-As", ERR_INVALID,
         .has = {"-User", "Everyone", "a mailbox or a group"}},
        {"a contact", "Add-ADPermission bob -User carol -ExtendedRights Send-As", ERR_INVALID,
         .has = {"carol", "cannot log on"}},
        {"denied", "Add-ADPermission bob -User dan -ExtendedRights Send-As -Deny", ERR_INVALID, .has = {"-Deny"}},
        {"narrowed", "Add-ADPermission bob -User dan -ExtendedRights Send-As -Expires 2099-01-01", ERR_INVALID,
         .has = {"-Expires"}},
        {"both kinds of right", "Add-ADPermission bob -User dan -ExtendedRights Send-As," SUBMIT, ERR_INVALID,
         .has = {"-ExtendedRights", "Send-As", "two commands"}},
        {"another right on a mailbox", "Get-Mailbox bob | Add-ADPermission -User dan -ExtendedRights " SUBMIT,
         ERR_INVALID, .has = {"Send-As"}},
        {"on a connector", "Add-ADPermission 'Client mail' -User dan -ExtendedRights Send-As", ERR_NOT_FOUND,
         .has = {"Client mail", "mailbox"}},
        {"no user", "Add-ADPermission bob -ExtendedRights Send-As", ERR_INVALID, .has = {"-User"}},
        {"a connector's name as well",
         "New-ReceiveConnector bob -Client -RemoteIPRanges 127.0.0.1; Get-ADPermission bob", ERR_CONFLICT,
         .has = {"Get-Mailbox NAME |", "Get-ReceiveConnector NAME |"}},
        {"said which", "Get-Mailbox bob | Get-ADPermission | ConvertTo-Json -AsArray", .has = {"[]"}},
        /* gone */
        {"two more", "Add-ADPermission sales -User dan -ExtendedRights Send-As; Add-ADPermission sales -User team "
                     "-ExtendedRights Send-As"},
        {"gone with the user",
         "Remove-Mailbox dan -Confirm:$false; "
         "Get-DistributionGroup sales | Get-ADPermission | ConvertTo-Json -Compress -AsArray",
         .has = {"alice.smith"}, .lacks = {"dan"}},
        {"gone with the group",
         "Remove-DistributionGroup team -Confirm:$false; "
         "Get-DistributionGroup sales | Get-ADPermission | ConvertTo-Json -Compress -AsArray",
         .has = {"alice.smith"}, .lacks = {"team"}},
        {"gone with the owner",
         "Remove-DistributionGroup sales -Confirm:$false; New-DistributionGroup sales; "
         "Get-DistributionGroup sales | Get-ADPermission | ConvertTo-Json -Compress -AsArray",
         .has = {"[]"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_narrowed), cmocka_unit_test(test_open_relay), cmocka_unit_test(test_usage),
        cmocka_unit_test(test_many),     cmocka_unit_test(test_send_as),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
