/* test_relay_guard.c: whatever makes an open relay is refused without -Force, and nothing else is. */
#include "check.h"
#include "cmdlet/test_support.h"

#define ANONYMOUS "'NT AUTHORITY\\ANONYMOUS LOGON'"
#define RELAY     "ms-Exch-SMTP-Accept-Any-Recipient"
#define CUSTOM(name, port, ranges)                                                                                 \
    "New-ReceiveConnector " name " -Custom -Bindings 0.0.0.0:" port " -RemoteIPRanges " ranges
#define GRANT(name, more) "Add-ADPermission " name " -User " ANONYMOUS " -ExtendedRights " RELAY more
#define SHOW(name, property)                                                                                       \
    "; Get-ReceiveConnector " name " | Select-Object " property " | ConvertTo-Json -Compress"
#define REFUSED(name)                                                                                              \
    ERR_DENIED, .has = {"\"" name "\" would be an open relay", "-Force", "mailreeve explain --remote"}

/* Each way to make one: what is there before, and the statement. */
static const struct {
    const char *name, *before, *statement, *says;
} ways[] = {
    {"a grant", CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers", GRANT("c", ""),
     "\"c\" would be an open relay"},
    {"a grant to everyone", CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers",
     "Add-ADPermission c -User Everyone -ExtendedRights " RELAY, "\"c\" would be"},
    {"groups", CUSTOM("c", "99", "0.0.0.0/0") "; " GRANT("c", ""),
     "Set-ReceiveConnector c -PermissionGroups AnonymousUsers", "\"c\" would be"},
    {"ranges", CUSTOM("c", "99", "10.0.0.0/8") " -PermissionGroups AnonymousUsers; " GRANT("c", ""),
     "Set-ReceiveConnector c -RemoteIPRanges 0.0.0.0/0", "RemoteIPRanges"},
    {"ranges one by one", CUSTOM("c", "99", "20.0.0.0/16") " -PermissionGroups AnonymousUsers; " GRANT("c", ""),
     "Set-ReceiveConnector c -RemoteIPRanges @{Add='20.1.0.0/24'}", "65792 public"},
    {"trust", CUSTOM("c", "99", "0.0.0.0/0"),
     "Set-ReceiveConnector c -AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers",
     "trusted as Externally Secured Servers"},
    {"a new one", "Get-Help",
     CUSTOM("c", "99", "0.0.0.0/0") " -AuthMechanism ExternalAuthoritative -PermissionGroups ExchangeServers",
     "\"c\" would be"},
    {"enabled", CUSTOM("c", "99", "0.0.0.0/0") " -Enabled $false -PermissionGroups AnonymousUsers; " GRANT("c", ""),
     "Set-ReceiveConnector c -Enabled $true", "\"c\" would be"},
    {"a binding",
     CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; " CUSTOM(
         "low", "99", "0.0.0.0/1") "; " CUSTOM("high", "99", "128.0.0.0/1") "; " GRANT("c", ""),
     "Set-ReceiveConnector c -Bindings 0.0.0.0:98", "--local 127.0.0.1:98"},
    {"a deny that goes",
     CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; Add-ADPermission c -User Everyone "
                                    "-ExtendedRights " RELAY " -Deny; " GRANT("c", ""),
     "Remove-ADPermission c -User Everyone -ExtendedRights " RELAY " -Deny -Confirm:$false", "\"c\" would be"},
    {"a deny that goes down the pipeline",
     CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; Add-ADPermission c -User Everyone "
                                    "-ExtendedRights " RELAY " -Deny; " GRANT("c", ""),
     "Get-ADPermission c -User Everyone | Remove-ADPermission -Confirm:$false", "\"c\" would be"},
    {"a shield that goes",
     CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; " CUSTOM(
         "low", "99", "0.0.0.0/1") "; " CUSTOM("high", "99", "128.0.0.0/1") "; " GRANT("c", ""),
     "Remove-ReceiveConnector high -Confirm:$false", "\"c\" would be"},
    {"a shield that shrinks",
     CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; " CUSTOM(
         "low", "99", "0.0.0.0/1") "; " CUSTOM("high", "99", "128.0.0.0/1") "; " GRANT("c", ""),
     "Set-ReceiveConnector high -RemoteIPRanges 129.0.0.0-255.255.255.255", "\"c\" would be"},
    {"a shield that is disabled",
     CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; " CUSTOM(
         "low", "99", "0.0.0.0/1") "; " CUSTOM("high", "99", "128.0.0.0/1") "; " GRANT("c", ""),
     "Set-ReceiveConnector low -Enabled $false", "\"c\" would be"},
    {"strangers as load balancers",
     CUSTOM("c", "99", "0.0.0.0/0") " -ProxyProtocol V1,V2 -ProxyProtocolSources 192.0.2.1; " CUSTOM(
         "one", "99", "10.1.0.7") " -PermissionGroups AnonymousUsers; " GRANT("one", ""),
     "Set-ReceiveConnector c -ProxyProtocolSources 20.0.0.0/8", "\"c\" would be"},
    {"a wildcard", CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers",
     "New-AcceptedDomain w -DomainName '*.org'", "\"w\" would make an open relay"},
    {"a wildcard that is there", CUSTOM("c", "99", "0.0.0.0/0") "; New-AcceptedDomain w -DomainName '*.com'",
     "Set-ReceiveConnector c -PermissionGroups AnonymousUsers", "every domain below com"},
};

static const char snapshot[] = "Get-ReceiveConnector | ConvertTo-Json; Get-AcceptedDomain | ConvertTo-Json; "
                               "Get-ReceiveConnector | Get-ADPermission | ConvertTo-Json";

static void take_snapshot(struct bench *b, const char *row, struct buf *ret)
{
    buf_init(ret, 16 << 20);
    CHECK_INT(row, bench_run(b, snapshot), ERR_NONE);
    buf_add(ret, buf_span(&b->out));
}

static void check_way(size_t i, unsigned flags)
{
    struct bench b;
    struct buf before, after;
    char forced[512];
    bench_init(&b, flags);
    const struct bench_row prepared = {ways[i].name, ways[i].before};
    const struct bench_row refused = {ways[i].name, ways[i].statement, ERR_DENIED,
                                      .has = {ways[i].says, "-Force", "mailreeve explain --remote"}};
    bench_check(&b, &prepared);
    take_snapshot(&b, ways[i].name, &before);
    bench_check(&b, &refused);
    snprintf(forced, sizeof forced, "%s -WhatIf", ways[i].statement);
    const struct bench_row tried = {ways[i].name, forced, ERR_DENIED, .has = {ways[i].says}};
    bench_check(&b, &tried);
    take_snapshot(&b, ways[i].name, &after);
    CHECK_SPAN(ways[i].name, buf_span(&after), buf_span(&before));
    snprintf(forced, sizeof forced, "%s -Force", ways[i].statement);
    const struct bench_row done = {ways[i].name, forced, .warns = "an open relay now"};
    bench_check(&b, &done);
    /* It is there: neither other changes nor the same again are in its way, and it is not said again. */
    static const char *const others[] = {"Set-ReceiveConnector c -MaxHopCount 20",
                                         "New-AcceptedDomain other -DomainName other.test",
                                         "Set-ReceiveConnector 'Client mail' -RemoteIPRanges 10.0.0.0/8"};
    for (size_t k = 0; k < ARRAY_LEN(others); k++) {
        const struct bench_row other = {ways[i].name, others[k]};
        bench_check(&b, &other);
        CHECK_INT(ways[i].name, b.warnings.len, 0);
    }
    buf_done(&before);
    buf_done(&after);
    bench_done(&b);
}

static void test_ways(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        check_way(i, 0);
        check_way(i, BENCH_SQLITE);
    }
}

static void test_limits(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"private",
         CUSTOM("n", "99", "10.0.0.0/8,192.168.0.0/16,127.0.0.1") " -PermissionGroups AnonymousUsers; " GRANT("n",
                                                                                                              "")},
        {"public hosts", CUSTOM("h", "98", "20.0.0.0/16") " -PermissionGroups AnonymousUsers; " GRANT("h", "")},
        {"one's own wildcard", "New-AcceptedDomain w -DomainName '*.app.test'"},
        {"a wildcard for nobody",
         "New-AcceptedDomain o -DomainName '*.org'; Remove-AcceptedDomain o -Confirm:$false"},
        {"forced",
         CUSTOM("f", "97", "16.0.0.0/7") " -PermissionGroups AnonymousUsers -AuthMechanism None; " GRANT("f",
                                                                                                         " -Force"),
         .warns = "\"f\" is an open relay now"},
        {"it grows", "Set-ReceiveConnector f -RemoteIPRanges @{Add='18.0.0.0/8'}", REFUSED("f")},
        {"it is renamed", "Set-ReceiveConnector f -Name g"},
        {"it shrinks", "Set-ReceiveConnector g -RemoteIPRanges 16.0.0.0/8"},
        {"and grows back", "Set-ReceiveConnector g -RemoteIPRanges 16.0.0.0/7", REFUSED("g")},
        {"it is closed", "Set-ReceiveConnector g -RemoteIPRanges 10.0.0.0/8"},
        {"and opened again", "Set-ReceiveConnector g -RemoteIPRanges 16.0.0.0/8", REFUSED("g")},
        {"in a pipeline as a whole",
         "Get-ReceiveConnector g | Set-ReceiveConnector -Force -RemoteIPRanges 16.0.0.0/8" SHOW("g",
                                                                                                "RemoteIPRanges"),
         .has = {"16.0.0.0-16.255.255.255"}},
        {"another one beside it", "Set-ReceiveConnector h -RemoteIPRanges 20.0.0.0/8", REFUSED("h")},
        {"nothing was done", "Get-ReceiveConnector h | Select-Object RemoteIPRanges | ConvertTo-Json -Compress",
         .has = {"20.0.0.0-20.0.255.255"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

/* -WhatIf checks as the change would, and changes nothing. */
static void test_what_if(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"new", CUSTOM("c", "99", "10.0.0.0/8") " -WhatIf", .warns = "What if: New-ReceiveConnector on \"c\""},
        {"not made", "Get-ReceiveConnector c", ERR_NOT_FOUND},
        {"made", CUSTOM("c", "99", "10.0.0.0/8")},
        {"grant", GRANT("c", " -WhatIf"), .warns = "What if: Add-ADPermission"},
        {"not granted", "Get-ADPermission c | ConvertTo-Json -AsArray -Compress", .has = {"[]"}},
        {"remove", "Remove-ReceiveConnector c -WhatIf", .warns = "What if: Remove-ReceiveConnector"},
        {"behind a real change",
         "Get-ReceiveConnector c | Add-ADPermission -User Everyone -ExtendedRights ms-Exch-SMTP-Submit | "
         "Remove-ADPermission -Confirm:$false -WhatIf"},
        {"which is kept", "Get-ADPermission c | ConvertTo-Json -AsArray -Compress", .has = {"ms-Exch-SMTP-Submit"}},
        {"and other statements change again", "Set-ReceiveConnector c -MaxHopCount 7" SHOW("c", "MaxHopCount"),
         .has = {"7"}},
    };
    bench_check_rows(0, rows, ARRAY_LEN(rows));
    bench_check_rows(BENCH_SQLITE, rows, ARRAY_LEN(rows));
}

/* On each changing cmdlet of connectors, permissions and domains, and in its help. */
static void test_force(void **state UNUSED)
{
    static const char *const cmdlets[] = {"New-ReceiveConnector", "Set-ReceiveConnector", "Remove-ReceiveConnector",
                                          "New-SendConnector",    "Set-SendConnector",    "Remove-SendConnector",
                                          "New-AcceptedDomain",   "Set-AcceptedDomain",   "Remove-AcceptedDomain",
                                          "Add-ADPermission",     "Remove-ADPermission"};
    for (size_t i = 0; i < ARRAY_LEN(cmdlets); i++) {
        char script[64];
        snprintf(script, sizeof script, "Get-Help %s", cmdlets[i]);
        const struct bench_row row = {cmdlets[i], script, .has = {"-Force", "open relay"}};
        bench_check_rows(0, &row, 1);
    }
}

/* A policy that cannot be used is refused, unless it could not be used before. */
static void test_unsound(void **state UNUSED)
{
    struct bench b;
    static const struct bench_row repaired = {
        "repaired", "Get-ReceiveConnector 'Client mail' | Set-ReceiveConnector -Bindings 127.0.0.1:99"};
    static const struct bench_row again = {
        "again", CUSTOM("c", "99", "0.0.0.0/0") " -PermissionGroups AnonymousUsers; " GRANT("c", ""), REFUSED("c")};
    struct record **found;
    size_t count;
    bench_init(&b, 0);
    assert_int_equal(object_store_begin(b.context.policy, &b.err), ERR_NONE);
    assert_int_equal(object_store_find(b.context.policy, SPAN("ReceiveConnector"), SPAN("Name"),
                                       SPAN("Client mail"), &b.arena, &found, &count, &b.err),
                     ERR_NONE);
    assert_true(record_set(found[0], SPAN("Bindings"), value_of("nonsense")));
    assert_int_equal(object_store_put(b.context.policy, found[0], &b.err), ERR_NONE);
    assert_int_equal(object_store_commit(b.context.policy, &b.err), ERR_NONE);
    bench_check(&b, &repaired);
    bench_check(&b, &again);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),  cmocka_unit_test(test_limits),  cmocka_unit_test(test_what_if),
        cmocka_unit_test(test_force), cmocka_unit_test(test_unsound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
