/*
 * test_plan.c: the policy as a script: what it looks like, that it makes the same policy again whatever the objects
 * hold, what a plan says, and that applying changes exactly that.
 */
#include "check.h"
#include "cmdlet/export.h"
#include "cmdlet/plan.h"
#include "cmdlet/test_support.h"
#include "cmdlet/transaction.h"

#include <stdlib.h>
#include <string.h>

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define RELAY     "ms-Exch-SMTP-Accept-Any-Recipient"

/* The script of a bench, to be freed. */
static char *export_of(struct bench *b, bool recipients)
{
    struct buf out;
    buf_init(&out, EXPORT_MAX);
    if (export_policy(&b->context, recipients, &out, &b->err))
        fail_msg("export: %s", b->err.text);
    buf_add_char(&out, '\0');
    return out.ptr;
}

static void run_ok(struct bench *b, const char *script)
{
    if (bench_run(b, script))
        fail_msg("`%s`: %s", script, b->err.text);
}

static enum err_code import(struct bench *b, const char *script, bool recipients)
{
    b->file = script;
    return bench_run(b, recipients ? "Import-Policy f -Recipients -Confirm:$false"
                                   : "Import-Policy f -Confirm:$false");
}

static void import_ok(struct bench *b, const char *script, bool recipients)
{
    if (import(b, script, recipients))
        fail_msg("import: %s\n%s", b->err.text, script);
}

static void check_compare(const char *row, struct bench *b, const char *script, bool recipients, const char *want)
{
    b->file = script;
    enum err_code code = bench_run(b, recipients ? "Compare-Policy f -Recipients" : "Compare-Policy f");
    if (code)
        fail_msg("%s: compare: %s", row, b->err.text);
    if (!memmem(b->out.ptr, b->out.len, want, strlen(want)))
        fail_msg("%s: no `%s` in:\n%.*s", row, want, (int)b->out.len, b->out.ptr);
}

static void check_same(const char *row, struct bench *b, const char *script, bool recipients)
{
    check_compare(row, b, script, recipients, "No differences");
}

/* Export, apply on an empty state, export: the same text; and neither state has anything to change. */
static void check_round(const char *row, struct bench *b, unsigned flags)
{
    struct bench other;
    char *first = export_of(b, true);
    check_same(row, b, first, true);
    bench_init(&other, flags | BENCH_EMPTY);
    run_ok(&other, "Get-ReceiveConnector | ft");
    import_ok(&other, first, true);
    char *second = export_of(&other, true);
    CHECK_STR(row, second, first);
    check_same(row, &other, first, true);
    free(first);
    free(second);
    bench_done(&other);
}

/* ---- round trips ---- */

static void test_default_round(void **state UNUSED)
{
    static const unsigned flags[] = {0, BENCH_EDGE, BENCH_SQLITE};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct bench b;
        bench_init(&b, flags[i]);
        check_round("default", &b, flags[i]);
        bench_done(&b);
    }
}

static void test_round(void **state UNUSED)
{
    static const struct {
        const char *name, *script;
    } rows[] = {
        {"grants", "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.7 "
                   "-PermissionGroups "
                   "AnonymousUsers -Comment 'it''s \"mine\" $x `n {a} # no'; Get-ReceiveConnector Apps | "
                   "Add-ADPermission -User " ANONYMOUS " -ExtendedRights " RELAY},
        {"a group less an entry",
         "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.7 "
         "-PermissionGroups "
         "AnonymousUsers; Remove-ADPermission Apps -User " ANONYMOUS
         " -ExtendedRights ms-Exch-SMTP-Accept-Authoritative-Domain-Sender -Confirm:$false"},
        {"explicit before the group",
         "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.7; "
         "Add-ADPermission Apps "
         "-User " ANONYMOUS " -ExtendedRights ms-Exch-SMTP-Submit; Set-ReceiveConnector Apps -PermissionGroups "
         "AnonymousUsers"},
        {"an open relay that was forced",
         "New-ReceiveConnector Open -Usage Custom -Bindings 0.0.0.0:2999 -RemoteIPRanges 0.0.0.0-255.255.255.255 "
         "-PermissionGroups AnonymousUsers; Add-ADPermission Open -User " ANONYMOUS " -ExtendedRights " RELAY
         " -Force"},
        {"an entry that denies",
         "New-ReceiveConnector Deny -Usage Custom -Bindings 0.0.0.0:2999 -RemoteIPRanges 0.0.0.0-255.255.255.255 "
         "-PermissionGroups AnonymousUsers; Add-ADPermission Deny -User Everyone -ExtendedRights " RELAY
         " -Deny; Add-ADPermission Deny -User " ANONYMOUS " -ExtendedRights " RELAY},
        {"forced by a group",
         "New-ReceiveConnector Ext -Usage Custom -Bindings 0.0.0.0:2999 -RemoteIPRanges 0.0.0.0-255.255.255.255 "
         "-AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers -Force"},
        {"no name of its own", "New-ReceiveConnector n -Usage Custom -Bindings '[::]:2999',127.0.0.1:2998 "
                               "-RemoteIPRanges 10.0.0.0/8,192.0.2.1,"
                               "192.0.2.2,192.0.2.3,2001:db8::/32 -Fqdn $null -Banner '220 ready' -MaxMessageSize "
                               "10485761 -TarpitInterval "
                               "00:00:00 -Enabled $false -MessageRateLimit 7 -AuthMechanism None"},
        {"send connectors",
         "New-SendConnector -Name out -AddressSpaces '*;5',*.partner.test -DNSRoutingEnabled $false -SmartHosts "
         "127.0.0.1,smtp.example.net -Port 2526; Add-ADPermission out -User " ANONYMOUS
         " -ExtendedRights ms-Exch-Send-Headers-Forest; Remove-ADPermission out -User 'MS Exchange\\Partner "
         "Servers' "
         "-ExtendedRights ms-Exch-Send-Headers-Routing -Confirm:$false"},
        {"both kinds of one name",
         "New-SendConnector -Name x -AddressSpaces '*'; New-ReceiveConnector x -Usage Custom -Bindings "
         "0.0.0.0:2999 "
         "-RemoteIPRanges 10.0.0.1; Get-SendConnector x | Add-ADPermission -User " ANONYMOUS
         " -ExtendedRights ms-Exch-Send-Headers-Forest"},
        {"domains",
         "New-AcceptedDomain -Name zz -DomainName zz.example -DomainType ExternalRelay; New-AcceptedDomain -Name "
         "aa "
         "-DomainName aa.example; Set-AcceptedDomain zz -MakeDefault $true; New-AcceptedDomain -Name w -DomainName "
         "*.w.example -DomainType InternalRelay"},
        {"settings",
         "Set-TransportConfig -MaxReceiveSize 25MB -ExternalPostmasterAddress pm@example.com "
         "-TLSSendDomainSecureList "
         "a.example,b.example; Set-TransportServer -MessageExpirationTimeout 1.00:00:00 -MaxOutboundConnections "
         "Unlimited -MailboxDeliveryProtocol Lmtp -MailboxDeliveryHost 127.0.0.1:24"},
        {"recipients",
         "New-Mailbox alice -Password secret -DisplayName 'Älice “quoted” ''x''' -EmailAddresses "
         "a.smith@example.com,alice@example.com -PrimarySmtpAddress alice@example.com -UserPrincipalName "
         "al@example.com; New-Mailbox 'b o b' -PrimarySmtpAddress bob@example.com -Password p -Enabled $false; "
         "New-MailContact carol -ExternalEmailAddress carol@partner.test; New-DistributionGroup team; "
         "New-DistributionGroup all; Add-DistributionGroupMember team -Member alice,'b o b',carol; "
         "Add-DistributionGroupMember all -Member team; Add-DistributionGroupMember team -Member all"},
        {"users in an ACL",
         "New-Mailbox alice -Password p; New-Mailbox 'The $Other' -PrimarySmtpAddress o@example.com -Password p; "
         "New-DistributionGroup team; Get-ReceiveConnector 'Client mail' | Add-ADPermission -User alice "
         "-ExtendedRights ms-Exch-SMTP-Accept-Any-Sender; Get-ReceiveConnector 'Client mail' | Add-ADPermission "
         "-User team "
         "-ExtendedRights ms-Exch-Bypass-Message-Size-Limit; Get-ReceiveConnector 'Client mail' | Add-ADPermission "
         "-User "
         "'The $Other' -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender -Deny"},
        {"narrowed grants",
         "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.7 "
         "-PermissionGroups "
         "AnonymousUsers; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
         " -Senders printer@example.com,*@example.com -Recipients *@partner.test -MessageRate 5 -RequireTls "
         "-Expires "
         "2099-12-31T18:00 -Comment 'the printer''s'; Add-ADPermission Apps -User " ANONYMOUS
         " -ExtendedRights " RELAY " -Recipients *@other.test; Add-ADPermission Apps -User " ANONYMOUS
         " -ExtendedRights ms-Exch-SMTP-Submit -Comment 'a note alone'; Add-ADPermission Apps -User " ANONYMOUS
         " -ExtendedRights ms-Exch-SMTP-Submit -Senders '<>'"},
        {"Send-As",
         "New-Mailbox alice -Password p; New-Mailbox bob -Password p; New-DistributionGroup team; New-MailContact "
         "carol "
         "-ExternalEmailAddress c@partner.test; Add-ADPermission alice -User bob -ExtendedRights Send-As; "
         "Add-ADPermission alice -User team -ExtendedRights Send-As; Add-ADPermission team -User alice "
         "-ExtendedRights "
         "Send-As; Add-ADPermission carol -User bob -ExtendedRights Send-As"},
        {"a recipient called like another's address",
         "New-Mailbox x -PrimarySmtpAddress x@example.com -Password p; New-Mailbox x@example.com "
         "-PrimarySmtpAddress "
         "y@example.com -Password p; New-DistributionGroup g; Add-DistributionGroupMember g -Member x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        bench_init(&b, i % 2 ? BENCH_SQLITE : 0);
        if (bench_run(&b, rows[i].script))
            fail_msg("%s: %s", rows[i].name, b.err.text);
        check_round(rows[i].name, &b, 0);
        bench_done(&b);
    }
}

/* ---- random policies ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Texts made of what a script must quote. */
static void put_text(struct buf *out, struct arena *a, bool unique)
{
    static const char *const pieces[] = {"'",  "\"",   "`", "$x", "$(", "“",   "‘",        "–",    " ",
                                         ",",  ";",    "|", "#",  "@{", "}",   "ä",        "日本", "-Name",
                                         "\\", "true", "1", "%",  "&",  "0x1", "\xc2\xa0", "é",    "null"};
    struct buf text;
    buf_init(&text, 256);
    for (uint32_t n = 1 + draw(5); n; n--)
        buf_add(&text, span_of(pieces[draw(ARRAY_LEN(pieces))]));
    if (unique)
        buf_addf(&text, "%u", draw(1000000));
    shell_quote(out, value_string(arena_dup(a, buf_span(&text))));
    buf_done(&text);
}

static const char *const some_rights[] = {RELAY, "ms-Exch-SMTP-Accept-Any-Sender", "ms-Exch-SMTP-Submit",
                                          "ms-Exch-Bypass-Anti-Spam", "ms-Exch-Accept-Headers-Routing"};
static const char *const some_users[] = {"Everyone", ANONYMOUS, "'NT AUTHORITY\\Authenticated Users'", "user",
                                         "group"};
static const char *const some_groups[] = {"None", "AnonymousUsers", "ExchangeUsers,AnonymousUsers",
                                          "ExchangeServers,Partners", "ExchangeUsers"};

static void random_script(struct buf *out, struct arena *a)
{
    buf_add(out, SPAN("New-Mailbox user -Password p -DisplayName "));
    put_text(out, a, false);
    buf_add(out, SPAN("; New-DistributionGroup group -DisplayName "));
    put_text(out, a, false);
    for (uint32_t n = 1 + draw(3), i = 0; i < n; i++) {
        struct buf name;
        buf_init(&name, 512);
        put_text(&name, a, true);
        struct span x = arena_dup(a, buf_span(&name));
        buf_done(&name);
        buf_addf(
            out,
            "; New-ReceiveConnector -Name %.*s -Usage Custom -Bindings 0.0.0.0:%u -RemoteIPRanges 10.0.%u.0/24 "
            "-Force -PermissionGroups %s -MaxMessageSize %u -ConnectionTimeout 00:%02u:%02u -Comment ",
            SPAN_ARG(x), 3000 + i, draw(200), some_groups[draw(ARRAY_LEN(some_groups))], 65536 + draw(1 << 24),
            6 + draw(50), draw(60));
        put_text(out, a, false);
        for (uint32_t k = draw(4); k; k--)
            buf_addf(out, "; Get-ReceiveConnector %.*s | %s-ADPermission -User %s -ExtendedRights %s %s %s",
                     SPAN_ARG(x), draw(3) ? "Add" : "Remove", some_users[draw(ARRAY_LEN(some_users))],
                     some_rights[draw(ARRAY_LEN(some_rights))], draw(3) ? "" : "-Deny", "-Confirm:$false");
        for (uint32_t k = draw(4); k; k--)
            buf_addf(
                out,
                "; Get-ReceiveConnector %.*s | Add-ADPermission -User %s -ExtendedRights %s -Recipients *@r%u.test",
                SPAN_ARG(x), some_users[draw(ARRAY_LEN(some_users))], RELAY, draw(6));
        if (draw(2))
            buf_addf(out, "; Get-ReceiveConnector %.*s | Set-ReceiveConnector -PermissionGroups %s", SPAN_ARG(x),
                     some_groups[draw(ARRAY_LEN(some_groups))]);
    }
}

static void test_random(void **state UNUSED)
{
    for (uint32_t round = 0; round < 25; round++) {
        struct bench b;
        struct buf script;
        seed = round;
        bench_init(&b, 0);
        buf_init(&script, 1 << 20);
        random_script(&script, &b.arena);
        buf_add_char(&script, '\0');
        run_ok(&b, script.ptr);
        check_round(script.ptr, &b, 0);
        buf_done(&script);
        bench_done(&b);
    }
}

/* ---- what a plan says ---- */

#define DOMAIN    "New-AcceptedDomain example.com -DomainName example.com -MakeDefault $true\n"
#define APPS      "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.7"
#define APPS_ANON APPS " -PermissionGroups AnonymousUsers"
#define GRANT     "\nAdd-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY "\n"

static void test_plans(void **state UNUSED)
{
    static const struct {
        const char *name, *from, *to;
        const char *has[6], *lacks[3];
    } rows[] = {
        {"nothing", DOMAIN APPS_ANON, DOMAIN APPS_ANON, .has = {"No differences"}},
        {"what would be", DOMAIN, DOMAIN "New-AcceptedDomain x -DomainName x.example -WhatIf",
         .has = {"No differences"}},
        {"spelled otherwise", DOMAIN APPS_ANON,
         DOMAIN
         "# new-receiveconnector\nNew-receiveConnector -Custom -name apps -Bind 0.0.0.0:2025 -RemoteIPRanges "
         "192.0.2.7-192.0.2.7; Set-ReceiveConnector APPS -PermissionGroups AnonymousUsers -Name Apps",
         .has = {"No differences"}},
        {"a property", DOMAIN APPS_ANON, DOMAIN APPS_ANON " -MaxMessageSize 25MB -Comment 'a note'",
         .has = {"~ receive connector \"Apps\"\n", "MaxMessageSize               10MB -> 25MB",
                 "Comment                      \"\" -> \"a note\"", "0 to add, 1 to change, 0 to remove."},
         .lacks = {"permission:", "RemoteIPRanges"}},
        {"items of a list", DOMAIN APPS,
         DOMAIN APPS ",10.0.0.0/8; Set-ReceiveConnector Apps -RemoteIPRanges @{Remove='192.0.2.7'}",
         .has = {"RemoteIPRanges               - 192.0.2.7\n",
                 "                             + 10.0.0.0-10.255.255.255\n"}},
        {"the order of a list", DOMAIN APPS ",192.0.2.9",
         DOMAIN
         "New-ReceiveConnector Apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.9,192.0.2.7",
         .has = {"{192.0.2.7, 192.0.2.9} -> {192.0.2.9, 192.0.2.7}"}},
        {"an object more", DOMAIN, DOMAIN APPS_ANON,
         .has = {"+ receive connector \"Apps\"", "Bindings                     {0.0.0.0:2025}",
                 "PermissionGroups             {AnonymousUsers}", "1 to add, 0 to change, 0 to remove."},
         .lacks = {"permission:", "MaxMessageSize"}},
        {"an object less", DOMAIN APPS_ANON GRANT, DOMAIN,
         .has = {"- receive connector \"Apps\"", "0 to add, 0 to change, 1 to remove."}, .lacks = {"permission:"}},
        {"a grant", DOMAIN APPS_ANON, DOMAIN APPS_ANON GRANT,
         .has = {"+ permission: allow " RELAY " to NT AUTHORITY\\ANONYMOUS LOGON on \"Apps\"",
                 "PermissionGroups             + Custom", "1 to add, 1 to change"}},
        {"a grant less", DOMAIN APPS_ANON GRANT, DOMAIN APPS_ANON,
         .has = {"- permission: allow " RELAY, "PermissionGroups             - Custom"}},
        {"another group", DOMAIN APPS_ANON, DOMAIN APPS " -PermissionGroups Partners",
         .has = {"- AnonymousUsers", "+ Partners", "0 to add, 1 to change, 0 to remove"}, .lacks = {"permission:"}},
        {"an entry of a group less", DOMAIN APPS_ANON,
         DOMAIN APPS_ANON "; Remove-ADPermission Apps -User " ANONYMOUS
                          " -ExtendedRights ms-Exch-SMTP-Submit -Confirm:$false",
         .has = {"- permission: allow ms-Exch-SMTP-Submit"}},
        {"a narrowed grant, wider",
         DOMAIN APPS_ANON "; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
                          " -Recipients *@a.test",
         DOMAIN APPS_ANON "; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
                          " -Recipients *@a.test,*@b.test -Expires 2099-01-01",
         .has = {"~ permission: allow " RELAY, "Recipients                   + *@b.test\n",
                 "Expires                      (none) -> 2099-01-01T00:00:00.000Z",
                 "0 to add, 1 to change, 0 to remove"},
         .lacks = {"*@a.test"}},
        {"one of several narrowed grants",
         DOMAIN APPS_ANON "; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
                          " -Recipients *@a.test; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
                          " -Recipients *@b.test",
         DOMAIN APPS_ANON "; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
                          " -Recipients *@c.test; Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
                          " -Recipients *@b.test",
         .has = {"+ permission: allow " RELAY, "- permission: allow " RELAY,
                 "Recipients                   {*@c.test}", "1 to add, 0 to change, 1 to remove"}},
        {"a setting", DOMAIN, DOMAIN "Set-TransportConfig -MaxSendSize 5MB",
         .has = {"~ transport configuration", "MaxSendSize                  Unlimited -> 5MB"}},
        {"another default domain", DOMAIN "New-AcceptedDomain b -DomainName b.example",
         DOMAIN "New-AcceptedDomain b -DomainName b.example -MakeDefault $true",
         .has = {"~ accepted domain \"b\"", "Default                      False -> True", "True -> False"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b;
        bench_init(&b, i % 2 ? BENCH_SQLITE : 0);
        import_ok(&b, rows[i].from, false);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].has) && rows[i].has[k]; k++)
            check_compare(rows[i].name, &b, rows[i].to, false, rows[i].has[k]);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].lacks) && rows[i].lacks[k]; k++)
            if (memmem(b.out.ptr, b.out.len, rows[i].lacks[k], strlen(rows[i].lacks[k])))
                fail_msg("%s: there is `%s` in:\n%.*s", rows[i].name, rows[i].lacks[k], (int)b.out.len, b.out.ptr);
        import_ok(&b, rows[i].to, false);
        check_same(rows[i].name, &b, rows[i].to, false);
        import_ok(&b, rows[i].from, false); /* and back */
        check_same(rows[i].name, &b, rows[i].from, false);
        bench_done(&b);
    }
}

/* ---- what a script may be ---- */

static void test_errors(void **state UNUSED)
{
    static const struct {
        const char *name, *script;
        enum err_code code;
        const char *has[3];
    } rows[] = {
        {"syntax", "# one\nNew-AcceptedDomain 'a", ERR_INVALID, {"f, line 2, column"}},
        {"no such cmdlet", "\n  New-Nothing x", ERR_NOT_FOUND, {"f, line 2, column 3: there is no command"}},
        {"a bad value",
         DOMAIN APPS " `\n -MaxMessageSize lots",
         ERR_INVALID,
         {"f, line 2, column 1: ", "MaxMessageSize"}},
        {"behind characters of several bytes",
         "Write-Output 'ä日本'; New-Nothing",
         ERR_NOT_FOUND,
         {"line 1, column 21"}},
        {"a conflict",
         DOMAIN APPS "; New-ReceiveConnector B -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 192.0.2.7",
         ERR_CONFLICT,
         {"line 2", "conflict"}},
        {"an open relay",
         DOMAIN "New-ReceiveConnector B -Usage Custom -Bindings 0.0.0.0:2999 -RemoteIPRanges 0.0.0.0/0 "
                "-PermissionGroups AnonymousUsers; Add-ADPermission B -User " ANONYMOUS " -ExtendedRights " RELAY,
         ERR_DENIED,
         {"open relay", "-Force"}},
        {"recipients", DOMAIN "New-Mailbox x -Password p", ERR_DENIED, {"line 2", "--recipients"}},
        {"the removal of one", DOMAIN "Remove-Mailbox alice -Confirm:$false", ERR_DENIED, {"--recipients"}},
        {"itself", "Import-Policy f -Confirm:$false", ERR_DENIED, {"cannot read other files"}},
        {"a password that is nowhere",
         DOMAIN "New-SendConnector new -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts 127.0.0.1 "
                "-SmartHostAuthMechanism BasicAuth -AuthenticationUserName u",
         ERR_CONFLICT,
         {"AuthenticationPassword"}},
    };
    struct bench b;
    bench_init(&b, 0);
    run_ok(&b, "New-Mailbox alice -Password p");
    char *before = export_of(&b, true);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err_code code = import(&b, rows[i].script, false);
        if (code != rows[i].code)
            print_error("%s\n", b.err.text);
        CHECK_INT(rows[i].name, code, rows[i].code);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].has) && rows[i].has[k]; k++)
            if (!strstr(b.err.text, rows[i].has[k]))
                fail_msg("%s: no `%s` in: %s", rows[i].name, rows[i].has[k], b.err.text);
        char *after = export_of(&b, true);
        CHECK_STR(rows[i].name, after, before);
        free(after);
    }
    free(before);
    bench_done(&b);
}

/* What has expired could not be granted anew: it is in no script, and a script takes it away. */
static void test_expired(void **state UNUSED)
{
    struct bench b;
    bench_init(&b, 0);
    import_ok(&b, DOMAIN APPS_ANON, false);
    run_ok(&b, "Add-ADPermission Apps -User " ANONYMOUS " -ExtendedRights " RELAY
               " -Recipients *@a.test -Expires 2023-11-14T23:59");
    int64_t end = INT64_C(1700006340000);
    while (b.context.now_ms() < end) /* the bench's clock */
        ;
    char *script = export_of(&b, false);
    assert_null(strstr(script, RELAY));
    check_compare("it goes", &b, script, false, "- permission: allow " RELAY);
    import_ok(&b, script, false);
    check_same("gone", &b, script, false);
    free(script);
    bench_done(&b);
}

/* What becomes dangerous is said, and takes -Force: of the script itself, or of whoever applies it. */
static void test_findings(void **state UNUSED)
{
#define OPEN                                                                                                       \
    DOMAIN "New-ReceiveConnector B -Usage Custom -Bindings 0.0.0.0:2999 -RemoteIPRanges 0.0.0.0/0 "                \
           "-PermissionGroups AnonymousUsers; Add-ADPermission B -User " ANONYMOUS " -ExtendedRights " RELAY
    struct bench b;
    bench_init(&b, 0);
    check_compare("found", &b, OPEN, false, "! danger: receive connector \"B\": ");
    check_compare("with the remedy", &b, OPEN, false, "    to mend it                   ");
    CHECK_INT("refused", import(&b, OPEN, false), ERR_DENIED);
    assert_int_equal(bench_run(&b, "Compare-Policy f -AsJson"), ERR_NONE);
    assert_non_null(memmem(b.out.ptr, b.out.len, "\"Kind\": \"open-relay\"", 20));
    run_ok(&b, "Import-Policy f -Confirm:$false -Force");
    check_same("forced", &b, OPEN, false);
    char *script = export_of(&b, false);
    assert_non_null(strstr(script, "-Force"));
    import_ok(&b, DOMAIN, false);
    import_ok(&b, script, false);
    check_compare("nothing new", &b, OPEN "; Set-ReceiveConnector B -Comment x", false, "1 to change");
    assert_null(memmem(b.out.ptr, b.out.len, "! danger", 8));
    import_ok(&b, DOMAIN, false);
    script = (free(script), export_of(&b, false));
    assert_null(strstr(script, "-Force"));
    free(script);
    bench_done(&b);
}

static void test_edge_keeps_one(void **state UNUSED)
{
    struct bench b;
    bench_init(&b, BENCH_EDGE);
    CHECK_INT("none left", import(&b, DOMAIN, false), ERR_DENIED);
    assert_non_null(strstr(b.err.text, "Edge"));
    bench_done(&b);
}

/* A smart host's password is in no script, stays where it is, and can be given. */
static void test_secrets(void **state UNUSED)
{
    static const char with[] =
        DOMAIN "New-SendConnector out -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts "
               "127.0.0.1 -SmartHostAuthMechanism BasicAuth -AuthenticationUserName u "
               "-AuthenticationPassword ";
    struct bench b;
    struct record **all;
    size_t count;
    char script[400];
    bench_init(&b, 0);
    snprintf(script, sizeof script, "%s%s", with, "'first'");
    import_ok(&b, script, false);
    char *exported = export_of(&b, false);
    assert_null(strstr(exported, "first"));
    check_same("its own export", &b, exported, false);
    snprintf(script, sizeof script, "%s%s -Port 2526", with, "'second'");
    check_compare("another", &b, script, false, "AuthenticationPassword       (secret, changed)");
    assert_null(memmem(b.out.ptr, b.out.len, "second", 6));
    import_ok(&b, script, false);
    import_ok(&b, exported, false); /* the port goes back, the password stays */
    assert_int_equal(object_store_list(b.context.policy, SPAN("SendConnector"), &b.arena, &all, &count, &b.err), 0);
    assert_int_equal(count, 1);
    CHECK_SPAN("kept", record_get(all[0], SPAN("AuthenticationPassword"))->s, SPAN("second"));
    assert_int_equal(record_int(all[0], SPAN("Port"), 0), 25);
    free(exported);
    bench_done(&b);
}

/* Addresses that change hands, Guids that stay, members and entries that go with whom they are for. */
static void test_recipients(void **state UNUSED)
{
    static const char first[] =
        DOMAIN "New-Mailbox a -PrimarySmtpAddress one@example.com -UserPrincipalName u1@example.com\n"
               "New-Mailbox b -PrimarySmtpAddress two@example.com\n"
               "New-DistributionGroup g; Add-DistributionGroupMember g -Member a,b\n" APPS "\n"
               "Add-ADPermission Apps -User a -ExtendedRights ms-Exch-SMTP-Submit\n";
    static const char second[] =
        DOMAIN "New-Mailbox a -PrimarySmtpAddress two@example.com\n"
               "New-Mailbox b -PrimarySmtpAddress one@example.com -UserPrincipalName u1@example.com\n"
               "New-MailContact c -ExternalEmailAddress c@partner.test\n"
               "New-DistributionGroup g; Add-DistributionGroupMember g -Member c,b\n" APPS "\n"
               "Add-ADPermission Apps -User a -ExtendedRights ms-Exch-SMTP-Submit\n";
    static const char third[] = DOMAIN "New-Mailbox b -PrimarySmtpAddress one@example.com\n" APPS;
    struct bench b;
    struct record **before, **after;
    size_t count;
    bench_init(&b, BENCH_SQLITE);
    import_ok(&b, first, true);
    assert_non_null(memmem(b.warnings.ptr, b.warnings.len, "2 mailboxes are made without a password", 39));
    assert_int_equal(object_store_list(b.context.recipients, SPAN("Mailbox"), &b.arena, &before, &count, &b.err),
                     0);
    check_compare("swapped", &b, second, true, "~ mailbox \"a\"");
    check_compare("members", &b, second, true, "Members                      - one@example.com\n");
    import_ok(&b, second, true);
    check_same("swapped", &b, second, true);
    assert_int_equal(object_store_list(b.context.recipients, SPAN("Mailbox"), &b.arena, &after, &count, &b.err), 0);
    for (size_t i = 0; i < count; i++)
        CHECK_SPAN("stays", record_string(after[i], SPAN("Guid")), record_string(before[i], SPAN("Guid")));
    import_ok(&b, third, true);
    check_same("removed", &b, third, true);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_default_round), cmocka_unit_test(test_round),
                                       cmocka_unit_test(test_random),        cmocka_unit_test(test_plans),
                                       cmocka_unit_test(test_errors),        cmocka_unit_test(test_edge_keeps_one),
                                       cmocka_unit_test(test_expired),       cmocka_unit_test(test_findings),
                                       cmocka_unit_test(test_secrets),       cmocka_unit_test(test_recipients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
