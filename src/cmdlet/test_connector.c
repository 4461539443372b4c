/*
 * test_connector.c: receive and send connectors and their permissions, from a command line to the store and back.
 * The rows of a table build on each other.
 */
#include "check.h"
#include "cmdlet/test_support.h"

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define RELAY     "ms-Exch-SMTP-Accept-Any-Recipient"

static void test_defaults(void **state UNUSED)
{
    static const struct bench_row hub[] = {
        {"three", "Get-ReceiveConnector | Select-Object -ExpandProperty Name",
         .has = {"Default mail", "Client mail", "Client Implicit TLS mail"}},
        {"Default", "Get-ReceiveConnector 'Default mail' | ConvertTo-Json -Compress",
         .has = {"\"0.0.0.0:2025\"", "\"0.0.0.0-255.255.255.255\"",
                 "[\"ExchangeUsers\",\"ExchangeServers\",\"ExchangeLegacyServers\"]",
                 "[\"Tls\",\"Integrated\",\"BasicAuth\",\"BasicAuthRequireTLS\",\"ExchangeServer\"]",
                 "\"MaxRecipientsPerMessage\":5000", "\"MaxInboundConnectionPerSource\":\"Unlimited\"",
                 "\"MessageRateLimit\":\"Unlimited\"", "\"Identity\":\"mail\\\\Default mail\""},
         .lacks = {"AnonymousUsers"}},
        {"Client", "Get-ReceiveConnector 'Client mail' | ConvertTo-Json -Compress",
         .has = {"\"0.0.0.0:2587\"", "\"PermissionGroups\":[\"ExchangeUsers\"]", "\"TarpitInterval\":\"00:00:05\"",
                 "\"MaxInboundConnectionPerSource\":20", "\"MaxInboundConnectionPercentagePerSource\":2",
                 "\"MaxRecipientsPerMessage\":200", "\"ImplicitTls\":false", "\"Fqdn\":\"mail.example.com\""}},
        {"Implicit", "Get-ReceiveConnector 'Client Implicit TLS mail' | ConvertTo-Json -Compress",
         .has = {"\"0.0.0.0:2465\"", "\"ImplicitTls\":true"}},
        {"domain", "Get-AcceptedDomain | ConvertTo-Json -Compress",
         .has = {"\"DomainName\":\"example.com\"", "\"DomainType\":\"Authoritative\"", "\"Default\":true"}},
        {"server", "Get-TransportServer | ConvertTo-Json -Compress",
         .has = {"\"Name\":\"mail.example.com\"", "\"Role\":\"Hub\"",
                 "\"TransientFailureRetryInterval\":\"00:05:00\""}},
        {"config", "Get-TransportConfig | ConvertTo-Json -Compress", .has = {"\"MaxRecipientEnvelopeLimit\":5000"}},
        {"of this server", "Get-ReceiveConnector -Server MAIL | Measure-Object | fl Count", .has = {"3"}},
        {"of another", "Get-ReceiveConnector -Server other", ERR_NOT_FOUND, .has = {"other", "mail.example.com"}},
        {"no send connector", "Get-SendConnector | ConvertTo-Json -AsArray", .has = {"[]"}},
    };
    static const struct bench_row edge[] = {
        {"one", "Get-ReceiveConnector | ConvertTo-Json -Compress",
         .has = {"\"Name\":\"Default internal receive connector mail\"", "\"0.0.0.0:2025\"",
                 "[\"AnonymousUsers\",\"ExchangeServers\",\"Partners\"]", "[\"Tls\",\"ExchangeServer\"]",
                 "\"ConnectionTimeout\":\"00:05:00\"", "\"MessageRateLimit\":\"Unlimited\""},
         .lacks = {"2587"}},
        {"server", "Get-TransportServer | ConvertTo-Json -Compress",
         .has = {"\"Role\":\"Edge\"", "\"TransientFailureRetryInterval\":\"00:10:00\""}},
        {"the last one stays", "Get-ReceiveConnector | Remove-ReceiveConnector -Confirm:$false", ERR_DENIED,
         .has = {"Edge", "must keep one"}},
    };
    bench_check_rows(0, hub, ARRAY_LEN(hub));
    bench_check_rows(BENCH_EDGE, edge, ARRAY_LEN(edge));
    bench_check_rows(BENCH_SQLITE, hub, ARRAY_LEN(hub));
}

#define SHOW(name) "; Get-ReceiveConnector " name " | ConvertTo-Json -Compress"

static void test_usage(void **state UNUSED)
{
    static const struct bench_row hub[] = {
        {"Client", "New-ReceiveConnector a -Usage Client -RemoteIPRanges 127.0.9.1" SHOW("a"),
         .has = {"\"0.0.0.0:2587\"", "\"PermissionGroups\":[\"ExchangeUsers\"]",
                 "[\"Tls\",\"Integrated\",\"BasicAuth\",\"BasicAuthRequireTLS\"]", "[\"127.0.9.1\"]"}},
        {"-Client", "New-ReceiveConnector b -Client -RemoteIPRanges 127.0.9.2" SHOW("b"),
         .has = {"\"ExchangeUsers\""}},
        {"Custom", "New-ReceiveConnector c -Usage Custom -Bindings 0.0.0.0:99 -RemoteIPRanges 127.0.9.3" SHOW("c"),
         .has = {"\"0.0.0.0:99\"", "\"PermissionGroups\":[\"None\"]", "\"AuthMechanism\":[\"Tls\"]"}},
        {"Internal", "New-ReceiveConnector d -Internal -RemoteIPRanges 127.0.9.4" SHOW("d"),
         .has = {"\"0.0.0.0:2025\"", "[\"ExchangeServers\",\"ExchangeLegacyServers\"]",
                 "[\"Tls\",\"ExchangeServer\"]"}},
        {"Internet", "New-ReceiveConnector e -Usage Internet -Bindings 127.0.0.1:99" SHOW("e"),
         .has = {"[\"AnonymousUsers\"]", "\"0.0.0.0-255.255.255.255\""}},
        {"Partner",
         "New-ReceiveConnector f -Partner -Bindings '[::1]:99' -RemoteIPRanges ::1,2001:db8::/32" SHOW("f"),
         .has = {"[\"Partners\"]", "\"[::1]:99\"", "\"::1\"",
                 "\"2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\""}},
        {"none is Custom", "New-ReceiveConnector x", ERR_INVALID, .has = {"Custom", "Bindings", "RemoteIPRanges"}},
        {"Custom, no ranges", "New-ReceiveConnector x -Custom -Bindings 0.0.0.0:98", ERR_INVALID,
         .has = {"RemoteIPRanges"}, .lacks = {"-Bindings"}},
        {"Client, no ranges", "New-ReceiveConnector x -Usage Client", ERR_INVALID, .has = {"RemoteIPRanges"}},
        {"Internet, no bindings", "New-ReceiveConnector x -Internet", ERR_INVALID, .has = {"Bindings"}},
        {"Client, fixed", "New-ReceiveConnector x -Client -Bindings 0.0.0.0:98 -RemoteIPRanges 127.0.9.9",
         ERR_CONFLICT, .has = {"Bindings", "0.0.0.0:2587", "Set-ReceiveConnector"}},
        {"Internet, fixed", "New-ReceiveConnector x -Internet -Bindings 0.0.0.0:98 -RemoteIPRanges 127.0.9.9",
         ERR_CONFLICT, .has = {"RemoteIPRanges", "fixed"}},
        {"two", "New-ReceiveConnector x -Internet -Custom -Bindings 0.0.0.0:98", ERR_CONFLICT,
         .has = {"more than one"}},
        {"unknown", "New-ReceiveConnector x -Usage Anything", ERR_INVALID,
         .has = {"Anything", "Client, Custom, Internal"}},
        {"nothing was made", "Get-ReceiveConnector x", ERR_NOT_FOUND,
         .has = {"\"x\" could not be found", "\"Client mail\""}},
        {"template",
         "New-ReceiveConnector t -TemplateInstance (Get-ReceiveConnector c) -RemoteIPRanges 127.0.9.20 "
         "-MaxHopCount 7" SHOW("t"),
         .has = {"\"0.0.0.0:99\"", "\"127.0.9.20\"", "\"MaxHopCount\":7"}},
        {"a name twice", "New-ReceiveConnector A -Client -RemoteIPRanges 127.0.9.21", ERR_EXISTS,
         .has = {"New-ReceiveConnector -Name", "\"A\""}},
        {"what if", "New-ReceiveConnector y -Client -RemoteIPRanges 127.0.9.22 -WhatIf; Get-ReceiveConnector y",
         ERR_NOT_FOUND, .warns = "What if: New-ReceiveConnector on \"y\""},
    };
    static const struct bench_row edge[] = {
        {"Client", "New-ReceiveConnector x -Usage Client -RemoteIPRanges 127.0.9.1", ERR_DENIED,
         .has = {"Client", "Edge"}},
        {"-Client", "New-ReceiveConnector x -Client -RemoteIPRanges 127.0.9.1", ERR_DENIED, .has = {"Edge"}},
        {"Internal", "New-ReceiveConnector x -Internal -RemoteIPRanges 127.0.9.1" SHOW("x"),
         .has = {"\"PermissionGroups\":[\"ExchangeServers\"]"}},
        {"groups", "Set-ReceiveConnector x -PermissionGroups ExchangeUsers", ERR_DENIED,
         .has = {"ExchangeUsers", "Edge"}},
        {"rate", "New-ReceiveConnector r -Internet -Bindings 0.0.0.0:99" SHOW("r"),
         .has = {"\"MessageRateLimit\":600"}},
    };
    bench_check_rows(0, hub, ARRAY_LEN(hub));
    bench_check_rows(BENCH_EDGE, edge, ARRAY_LEN(edge));
}

static void test_change(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"make", "New-ReceiveConnector apps -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 127.0.0.2"},
        {"several",
         "Set-ReceiveConnector apps -MaxMessageSize 25MB -TarpitInterval 00:00:00 -MaxProtocolErrors unlimited "
         "-Comment 'for the printers'" SHOW("apps"),
         .has = {"\"MaxMessageSize\":26214400", "\"TarpitInterval\":\"00:00:00\"",
                 "\"MaxProtocolErrors\":\"Unlimited\"", "\"for the printers\""}},
        {"list",
         "Set-ReceiveConnector apps -RemoteIPRanges @{Add='127.0.0.4/31','127.0.0.9';Remove='127.0.0.2'}" SHOW(
             "apps"),
         .has = {"[\"127.0.0.4-127.0.0.5\",\"127.0.0.9\"]"}},
        {"flags", "Set-ReceiveConnector apps -AuthMechanism @{Add='BasicAuth,BasicAuthRequireTLS'}" SHOW("apps"),
         .has = {"[\"Tls\",\"BasicAuth\",\"BasicAuthRequireTLS\"]"}},
        {"by identity", "Set-ReceiveConnector 'MAIL\\apps' -Enabled $false" SHOW("apps"),
         .has = {"\"Enabled\":false"}},
        {"by pipeline", "Get-ReceiveConnector apps | Set-ReceiveConnector -Enabled $true" SHOW("apps"),
         .has = {"\"Enabled\":true"}},
        {"rename", "Set-ReceiveConnector apps -Name Applications" SHOW("Applications"),
         .has = {"\"Applications\""}},
        {"null", "Set-ReceiveConnector Applications -Fqdn $null" SHOW("Applications"), .has = {"\"Fqdn\":null"}},
        {"out of range", "Set-ReceiveConnector Applications -Comment half -MaxMessageSize 1KB", ERR_INVALID,
         .has = {"Set-ReceiveConnector -MaxMessageSize", "1KB", "64KB"}},
        {"nothing half-applied", "Get-ReceiveConnector Applications | ConvertTo-Json -Compress",
         .has = {"for the printers"}, .lacks = {"half"}},
        {"word", "Set-ReceiveConnector Applications -AuthMechanism Tls,Magic", ERR_INVALID,
         .has = {"Magic", "BasicAuthRequireTLS"}},
        {"rule", "Set-ReceiveConnector Applications -RequireTLS $true -AuthMechanism None", ERR_CONFLICT,
         .has = {"Set-ReceiveConnector \"Applications\"", "RequireTLS", "Tls"}},
        {"domain security", "Set-ReceiveConnector Applications -DomainSecureEnabled $true", ERR_CONFLICT,
         .has = {"Set-TransportConfig -TLSReceiveDomainSecureList"}},
        {"with a domain",
         "Set-TransportConfig -TLSReceiveDomainSecureList partner.example; Set-ReceiveConnector "
         "Applications -DomainSecureEnabled $true" SHOW("Applications"),
         .has = {"\"DomainSecureEnabled\":true"}},
        {"last range",
         "Set-ReceiveConnector Applications -RemoteIPRanges @{Remove='127.0.0.4-127.0.0.5','127.0.0.9'}",
         ERR_INVALID, .has = {"RemoteIPRanges", "at least one"}},
        {"not there", "Set-ReceiveConnector nobody -Enabled $false", ERR_NOT_FOUND,
         .has = {"nobody", "\"Default mail\""}},
        {"wrong object", "Get-AcceptedDomain | Set-ReceiveConnector -Enabled $false", ERR_INVALID,
         .has = {"a receive connector is expected, not an object of the type AcceptedDomain"}},
        {"what if", "Set-ReceiveConnector Applications -Enabled $false -WhatIf" SHOW("Applications"),
         .has = {"\"Enabled\":true"}, .warns = "What if"},
        {"remove", "Remove-ReceiveConnector Applications -Confirm:$false; Get-ReceiveConnector app*",
         .lacks = {"App"}},
        {"conflict", "New-ReceiveConnector twin -Usage Client -RemoteIPRanges 0.0.0.0-255.255.255.255",
         ERR_CONFLICT, .has = {"Client mail", "Bindings", "RemoteIPRanges", "0.0.0.0:2587"}},
        {"conflict by change",
         "New-ReceiveConnector one -Client -RemoteIPRanges 127.0.0.1; Set-ReceiveConnector one -RemoteIPRanges "
         "0.0.0.0/0",
         ERR_CONFLICT, .has = {"Client mail"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

static void test_permissions(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"make",
         "New-ReceiveConnector 'Receive Connector Name' -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges "
         "127.0.0.2; "
         "Get-ReceiveConnector 'Receive Connector Name' | Get-ADPermission | ConvertTo-Json -AsArray -Compress",
         .has = {"[]"}},
        {"groups",
         "Set-ReceiveConnector 'Receive Connector Name' -PermissionGroups AnonymousUsers; Get-ADPermission "
         "'Receive Connector Name' | ConvertTo-Json -Compress",
         .has = {"\"ExtendedRights\":[\"ms-Exch-SMTP-Submit\"]", "\"AccessRights\":[\"ExtendedRight\"]",
                 "\"IsInherited\":false", "\"Origin\":\"AnonymousUsers\"", "ms-Exch-Accept-Headers-Routing"},
         .lacks = {"Any-Recipient"}},
        {"the article's command",
         "Get-ReceiveConnector \"Receive Connector Name\" | Add-ADPermission -User \"NT AUTHORITY\\ANONYMOUS "
         "LOGON\" "
         "-ExtendedRights \"Ms-Exch-SMTP-Accept-Any-Recipient\"",
         .has = {"Explicit", RELAY}},
        {"the group stays", "Get-ReceiveConnector 'Receive Connector Name' | ConvertTo-Json -Compress",
         .has = {"\"PermissionGroups\":[\"AnonymousUsers\",\"Custom\"]"}},
        {"twice", "Add-ADPermission 'Receive Connector Name' -User S-1-5-7 -ExtendedRights " RELAY,
         .lacks = {"Explicit"}, .warns = "already"},
        {"deny",
         "Add-ADPermission 'Receive Connector Name' -User " ANONYMOUS " -ExtendedRights " RELAY " -Deny; "
         "Get-ADPermission 'Receive Connector Name' -User Everyone | Measure-Object | fl Count; Get-ADPermission "
         "'Receive Connector Name' -User 'ANONYMOUS LOGON' | where {$_.Deny} | ConvertTo-Json -Compress",
         .has = {"\"Deny\":true", RELAY}},
        {"several",
         "Add-ADPermission 'Receive Connector Name' -User Everyone -ExtendedRights ms-Exch-SMTP-Submit,"
         "ms-Exch-Bypass-Anti-Spam; Get-ADPermission 'Receive Connector Name' -User Everyone | Select-Object "
         "-ExpandProperty ExtendedRights",
         .has = {"ms-Exch-SMTP-Submit", "ms-Exch-Bypass-Anti-Spam"}},
        {"groups replace groups",
         "Set-ReceiveConnector 'Receive Connector Name' -PermissionGroups Partners" SHOW(
             "'Receive Connector Name'"),
         .has = {"\"PermissionGroups\":[\"Partners\",\"Custom\"]"}},
        {"explicit ones stay", "Get-ADPermission 'Receive Connector Name' -User Everyone | ft ExtendedRights",
         .has = {"ms-Exch-SMTP-Submit"}},
        {"add a group",
         "Set-ReceiveConnector 'Receive Connector Name' -PermissionGroups @{Add='AnonymousUsers'}" SHOW(
             "'Receive Connector Name'"),
         .has = {"[\"AnonymousUsers\",\"Partners\",\"Custom\"]"}},
        {"remove by filter",
         "Get-ReceiveConnector 'Receive Connector Name' | Get-ADPermission -User \"NT AUTHORITY\\Anonymous Logon\" "
         "| where "
         "{$_.ExtendedRights -like \"ms-exch-smtp-accept-authoritative-domain-sender\"} | Remove-ADPermission "
         "-Confirm:$false" SHOW("'Receive Connector Name'"),
         .has = {"\"PermissionGroups\":[\"Partners\",\"Custom\"]"}},
        {"remove",
         "Get-ReceiveConnector 'Receive Connector Name' | Remove-ADPermission -User " ANONYMOUS
         " -ExtendedRights ms-exch-smtp-accept-any-recipient -Confirm:$false; Get-ADPermission "
         "'Receive Connector Name' | where {$_.ExtendedRights -contains '" RELAY "' -and -not $_.Deny} | "
         "Measure-Object | fl",
         .has = {"Count", "0"}},
        {"the deny is left", "Get-ADPermission 'Receive Connector Name' | where {$_.Deny} | ft ExtendedRights",
         .has = {RELAY}},
        {"remove again",
         "Remove-ADPermission 'Receive Connector Name' -User " ANONYMOUS " -ExtendedRights " RELAY
         " -Confirm:$false",
         .warns = "nothing was removed"},
        {"all groups away",
         "Set-ReceiveConnector 'Receive Connector Name' -PermissionGroups None" SHOW("'Receive Connector Name'"),
         .has = {"\"PermissionGroups\":[\"Custom\"]"}},
        {"unknown user",
         "Add-ADPermission 'Receive Connector Name' -User nobody-here -ExtendedRights ms-Exch-SMTP-Submit",
         ERR_NOT_FOUND, .has = {"nobody-here", "ANONYMOUS LOGON"}},
        {"unknown right", "Add-ADPermission 'Receive Connector Name' -User Everyone -ExtendedRights ms-Exch-Fly",
         ERR_INVALID, .has = {"ms-Exch-Fly", "ms-Exch-SMTP-Submit"}},
        {"send right",
         "Add-ADPermission 'Receive Connector Name' -User Everyone -ExtendedRights ms-Exch-Send-Headers-Forest",
         ERR_INVALID, .has = {"receive connector"}},
        {"access rights",
         "Add-ADPermission 'Receive Connector Name' -User Everyone -AccessRights GenericAll -ExtendedRights "
         "ms-Exch-SMTP-Submit",
         ERR_INVALID, .has = {"-AccessRights", "ExtendedRight"}},
        {"no right", "Add-ADPermission 'Receive Connector Name' -User Everyone", ERR_INVALID,
         .has = {"-ExtendedRights"}},
        {"no such connector", "Add-ADPermission Nothing -User Everyone -ExtendedRights ms-Exch-SMTP-Submit",
         ERR_NOT_FOUND, .has = {"Nothing", "\"Default mail\""}},
        {"gone with the connector",
         "Remove-ReceiveConnector 'Receive Connector Name' -Confirm:$false; New-ReceiveConnector "
         "'Receive Connector Name' -Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 127.0.0.2; "
         "Get-ADPermission 'Receive Connector Name' | ConvertTo-Json -AsArray -Compress",
         .has = {"[]"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

static void test_users_in_acls(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"mailbox",
         "New-Mailbox alice -Password 'pw-1'; Add-ADPermission 'Client mail' -User alice@example.com "
         "-ExtendedRights ms-Exch-SMTP-Accept-Any-Sender; Get-ADPermission 'Client mail' -User alice | "
         "ConvertTo-Json -Compress",
         .has = {"\"User\":\"alice\"", "Accept-Any-Sender"}},
        {"renamed",
         "Set-Mailbox alice -Name alice.smith; Get-ADPermission 'Client mail' -User alice.smith | ft User",
         .has = {"alice.smith"}},
        {"group",
         "New-DistributionGroup apps; Add-ADPermission 'Client mail' -User apps -ExtendedRights "
         "ms-Exch-SMTP-Accept-Any-Sender -Deny; Get-ADPermission 'Client mail' -User apps | ft User,Deny",
         .has = {"apps", "True"}},
        {"contact",
         "New-MailContact carol -ExternalEmailAddress carol@partner.example; Add-ADPermission 'Client mail' -User "
         "carol -ExtendedRights ms-Exch-SMTP-Accept-Any-Sender",
         ERR_INVALID, .has = {"carol", "cannot log on"}},
        {"gone with the mailbox",
         "Remove-Mailbox alice.smith -Confirm:$false; Get-ADPermission 'Client mail' | where {$_.User -eq "
         "'alice.smith'} | ConvertTo-Json -AsArray -Compress",
         .has = {"[]"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

static void test_open_relay(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"no right to submit", "Add-ADPermission 'Default mail' -User " ANONYMOUS " -ExtendedRights " RELAY},
        {"by the group", "Set-ReceiveConnector 'Default mail' -PermissionGroups @{Add='AnonymousUsers'}",
         ERR_DENIED, .has = {"open relay", "RemoteIPRanges", "-Force"}},
        {"by the grant",
         "Remove-ADPermission 'Default mail' -User " ANONYMOUS " -ExtendedRights " RELAY " -Confirm:$false; "
         "Set-ReceiveConnector 'Default mail' -PermissionGroups @{Add='AnonymousUsers'}; "
         "Add-ADPermission 'Default mail' -User " ANONYMOUS " -ExtendedRights " RELAY,
         ERR_DENIED, .has = {"\"Default mail\" would be an open relay"}},
        {"a deny", "Add-ADPermission 'Default mail' -User Everyone -ExtendedRights " RELAY " -Deny; "
                   "Add-ADPermission 'Default mail' -User " ANONYMOUS " -ExtendedRights " RELAY},
        {"forced",
         "Remove-ADPermission 'Default mail' -User " ANONYMOUS " -ExtendedRights " RELAY " -Confirm:$false; "
         "Remove-ADPermission 'Default mail' -User Everyone -ExtendedRights " RELAY " -Deny -Confirm:$false; "
         "Add-ADPermission 'Default mail' -User " ANONYMOUS " -ExtendedRights " RELAY " -Force"},
        {"narrow",
         "New-ReceiveConnector n -Custom -Bindings 0.0.0.0:99 -RemoteIPRanges 10.0.0.0/8 -PermissionGroups "
         "AnonymousUsers; Add-ADPermission n -User " ANONYMOUS " -ExtendedRights " RELAY},
        {"widened", "Set-ReceiveConnector n -RemoteIPRanges @{Add='16.0.0.0-18.0.0.0'}", ERR_DENIED,
         .has = {"open relay"}},
        {"externally secured",
         "New-ReceiveConnector x -Custom -Bindings 0.0.0.0:98 -RemoteIPRanges 0.0.0.0/0 -AuthMechanism "
         "ExternalAuthoritative -PermissionGroups ExchangeServers",
         ERR_DENIED, .has = {"open relay"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
}

static void test_send_connectors(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"smart host",
         "New-SendConnector -Name out -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts 127.0.0.1,[::1] "
         "-Port 2526; Get-SendConnector out | ConvertTo-Json -Compress",
         .has = {"\"AddressSpaces\":[\"*\"]", "\"SmartHosts\":[\"127.0.0.1\",\"::1\"]", "\"Port\":2526",
                 "\"DNSRoutingEnabled\":false"},
         .lacks = {"Password"}},
        {"DNS", "New-SendConnector mx -AddressSpaces 'SMTP:*.partner.example;5',example.net -Usage Internet"},
        {"default rights",
         "Get-SendConnector mx | Get-ADPermission | where {$_.User -eq 'MS Exchange\\Partner Servers'} | "
         "ConvertTo-Json -Compress -AsArray",
         .has = {"ms-Exch-Send-Headers-Routing", "\"Origin\":\"Default\""}},
        {"a send right",
         "Get-SendConnector mx | Add-ADPermission -User Everyone -ExtendedRights ms-Exch-Send-Headers-Forest",
         .has = {"ms-Exch-Send-Headers-Forest"}},
        {"secret",
         "Set-SendConnector out -SmartHostAuthMechanism BasicAuthRequireTLS -AuthenticationUserName relay "
         "-AuthenticationPassword 'hush-7'; Get-SendConnector | ConvertTo-Json",
         .has = {"relay"}, .lacks = {"hush"}},
        {"kept", "Set-SendConnector out -Comment x; Get-SendConnector out | fl", .has = {"BasicAuthRequireTLS"},
         .lacks = {"hush"}},
        {"no hosts", "New-SendConnector s -AddressSpaces '*' -DNSRoutingEnabled $false", ERR_CONFLICT,
         .has = {"SmartHosts"}},
        {"both", "New-SendConnector s -AddressSpaces '*' -SmartHosts relay.example.net", ERR_CONFLICT,
         .has = {"DNSRoutingEnabled"}},
        {"no spaces", "New-SendConnector s", ERR_INVALID, .has = {"AddressSpaces"}},
        {"bad space", "New-SendConnector s -AddressSpaces '*contoso.com'", ERR_INVALID,
         .has = {"*contoso.com", "*.example.com"}},
        {"no password",
         "New-SendConnector s -AddressSpaces '*' -DNSRoutingEnabled $false -SmartHosts a.example "
         "-SmartHostAuthMechanism BasicAuth",
         ERR_CONFLICT, .has = {"AuthenticationPassword"}},
        {"the name of both", "New-ReceiveConnector out -Client -RemoteIPRanges 127.0.0.1; Get-ADPermission out",
         ERR_CONFLICT, .has = {"Get-SendConnector NAME |"}},
        {"remove",
         "Get-SendConnector | Remove-SendConnector -Confirm:$false; Get-SendConnector | ConvertTo-Json -AsArray",
         .has = {"[]"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_change),          cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_users_in_acls),   cmocka_unit_test(test_open_relay),
        cmocka_unit_test(test_send_connectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
