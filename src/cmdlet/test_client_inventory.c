/* test_client_inventory.c: Get-ClientInventory over a fake view: facts in the order of their clients. */
#include "check.h"
#include "cmdlet/test_support.h"

#include <stdio.h>

enum { MANY = 1500 };

#define HELO(name, tls_version)                                                                                    \
    [FACT_CONNECTOR] = SPAN_INIT("Default mail"), [FACT_HELO] = SPAN_INIT(name), [FACT_TLS] = SPAN_INIT(tls_version)

static const struct {
    const char *network;
    struct fact fact;
} facts[] = {
    {"192.0.2.1",
     {FACT_OF_MESSAGE, .code = 250, .count = 5, .first_ms = 2000, .last_ms = 9000,
      .text = {HELO("new.test", "TLSv1.3"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1")}}},
    {"192.0.2.1",
     {FACT_OF_MESSAGE, .code = 552, .count = 2, .first_ms = 1000, .last_ms = 8000,
      .text = {HELO("old.test", "TLSv1.1"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1")}}},
    {"192.0.2.1",
     {FACT_OF_MAIL, .code = 550, .count = 4, .first_ms = 3000, .last_ms = 3000,
      .text = {HELO("old.test", "TLSv1.2"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1")}}},
    {"192.0.2.1",
     {FACT_OF_RCPT, .code = 550, .count = 30, .first_ms = 3000, .last_ms = 3000,
      .text = {HELO("old.test", "TLSv1.2"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1")}}},
    {"192.0.2.1",
     {FACT_OF_RCPT, .code = 250, .count = 900, .first_ms = 3000, .last_ms = 3000,
      .text = {HELO("old.test", "TLSv1.2"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1")}}},
    {"192.0.2.1",
     {FACT_OF_AUTH, .code = 535, .count = 11, .first_ms = 3000, .last_ms = 3000,
      .text = {HELO("old.test", "TLSv1.2"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1"),
               [FACT_MECHANISM] = SPAN_INIT("LOGIN")}}},
    {"192.0.2.1",
     {FACT_OF_SESSION, .count = 7, .first_ms = 3000, .last_ms = 3500,
      .text = {[FACT_CONNECTOR] = SPAN_INIT("Apps"),
               [FACT_TLS] = SPAN_INIT(""),
               [FACT_REMOTE] = SPAN_INIT("192.0.2.1"),
               [FACT_MISTAKE] = SPAN_INIT("TLS where there is none")}}},
    {"192.0.2.1",
     {FACT_OF_SESSION, .code = 421, .count = 8, .first_ms = 3000, .last_ms = 3500,
      .text = {[FACT_CONNECTOR] = SPAN_INIT("Apps"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1")}}},
    {"192.0.2.1",
     {FACT_OF_AUTH, .code = 235, .count = 1, .first_ms = 4000, .last_ms = 4000,
      .text = {HELO("laptop", "TLSv1.2"), [FACT_REMOTE] = SPAN_INIT("192.0.2.1"),
               [FACT_USER] = SPAN_INIT("alice@example.com"), [FACT_MECHANISM] = SPAN_INIT("PLAIN")}}},
    {"2001:db8::/64",
     {FACT_OF_SESSION, .count = 1, .first_ms = 5000, .last_ms = 5000,
      .text = {HELO("a.test", ""), [FACT_REMOTE] = SPAN_INIT("2001:db8::a")}}},
    {"2001:db8::/64",
     {FACT_OF_SESSION, .count = 1, .first_ms = 5000, .last_ms = 5000,
      .text = {HELO("b.test", ""), [FACT_REMOTE] = SPAN_INIT("2001:db8::b")}}},
    {"2001:db8::/64",
     {FACT_OF_SESSION, .count = 3, .first_ms = 5000, .last_ms = 6000,
      .text = {HELO("a.test", "TLSv1.2"), [FACT_REMOTE] = SPAN_INIT("2001:db8::a")}}},
};

static enum err_code visit(struct fact_view *view UNUSED, int64_t since_ms UNUSED, facts_each_fn *each,
                           void *context, struct err *err UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        if (!each(context, span_of(facts[i].network), &facts[i].fact))
            return ERR_NONE;
    return ERR_NONE;
}

static enum err_code visit_many(struct fact_view *view UNUSED, int64_t since_ms UNUSED, facts_each_fn *each,
                                void *context, struct err *err UNUSED)
{
    for (int i = 0; i < MANY; i++) {
        char remote[40];
        snprintf(remote, sizeof remote, "10.0.%d.%d", i / 250, i % 250);
        struct fact f = {FACT_OF_SESSION, .count = 1, .first_ms = i, .last_ms = i,
                         .text = {[FACT_REMOTE] = span_of(remote)}};
        if (!each(context, span_of(remote), &f))
            break;
    }
    return ERR_NONE;
}

static enum err_code visit_fails(struct fact_view *view UNUSED, int64_t since_ms UNUSED, facts_each_fn *each UNUSED,
                                 void *context UNUSED, struct err *err)
{
    return err_set(err, ERR_IO, "the disk is gone");
}

static void check(struct fact_view *view, const struct bench_row *rows, size_t count)
{
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    b.context.facts = view;
    for (size_t i = 0; i < count; i++)
        bench_check(&b, &rows[i]);
    bench_done(&b);
}

#define COUNT " | Measure-Object | fl Count"
#define JSON  " | ConvertTo-Json"

static void test_cmdlet(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"by client address and user", "Get-ClientInventory" COUNT, .has = {"4"}},
        {"the columns", "Get-ClientInventory 192.0.2.1 -User '' | ft",
         .has = {"RemoteIP", "TlsWeakest", "192.0.2.1", "new.test", "TLSv1.1", "TLSv1.3"}, .lacks = {"laptop"}},
        {"messages", "Get-ClientInventory 192.0.2.1 -User ''" JSON,
         .has = {"\"MessagesAccepted\": 5", "\"MessagesRefused\": 6", "\"RecipientsRefused\": 30",
                 "\"LogonsFailed\": 11", "\"Sessions\": 7", "\"SessionsRefused\": 8"}},
        {"the names", "Get-ClientInventory 192.0.2.1 -User '' | fl",
         .has = {"{Default mail, Apps}", "{LOGIN}", "{TLS where there is none}", "new.test"}},
        {"the times", "Get-ClientInventory 192.0.2.1 -User '' | fl FirstSeen,LastSeen",
         .has = {"1970-01-01T00:00:01", "1970-01-01T00:00:09"}},
        {"a user", "Get-ClientInventory -User alice@*" JSON, .has = {"alice@example.com", "PLAIN", "laptop"},
         .lacks = {"new.test", "LOGIN"}},
        {"one connector", "Get-ClientInventory -Connector apps" JSON,
         .has = {"\"Sessions\": 7", "\"MessagesAccepted\": 0"}, .lacks = {"Default mail"}},
        {"a session that never spoke has no TLS", "Get-ClientInventory -Connector apps | fl TlsWeakest",
         .lacks = {"None"}},
        {"a range", "Get-ClientInventory 192.0.2.0/24" COUNT, .has = {"2"}},
        {"another range", "Get-ClientInventory -RemoteIP 2001:db8::/32" COUNT, .has = {"2"}},
        {"wildcards", "Get-ClientInventory *::b" JSON, .has = {"b.test", "\"TlsWeakest\": \"None\""}},
        {"in the clear, and not", "Get-ClientInventory 2001:db8::a" JSON,
         .has = {"\"TlsWeakest\": \"None\"", "\"TlsNewest\": \"TLSv1.2\"", "\"Sessions\": 4"}},
        {"nobody", "Get-ClientInventory 198.51.100.1" COUNT, .has = {"0"}},
        {"the newest first", "Get-ClientInventory -ResultSize 1" JSON, .has = {"new.test"},
         .warns = "more than 1;"},
        {"bad size", "Get-ClientInventory -ResultSize 0", ERR_INVALID, .has = {"ResultSize"}},
        {"bad text", "Get-ClientInventory -User 7", ERR_INVALID, .has = {"Get-ClientInventory -User", "text"}},
    };
    static const struct bench_row many[] = {
        {"so many by default", "Get-ClientInventory" COUNT, .has = {"1000"}, .warns = "more than 1000"},
        {"all", "Get-ClientInventory -ResultSize Unlimited" COUNT, .has = {"1500"}},
        {"the last", "Get-ClientInventory -ResultSize 1 | fl RemoteIP", .has = {"10.0.5.249"}},
    };
    static const struct bench_row none = {"none are kept", "Get-ClientInventory" COUNT, .has = {"0"}};
    static const struct bench_row fails = {"the error is told", "Get-ClientInventory", ERR_IO,
                                           .has = {"the disk is gone"}};
    check(&(struct fact_view){visit}, rows, ARRAY_LEN(rows));
    check(&(struct fact_view){visit_many}, many, ARRAY_LEN(many));
    check(NULL, &none, 1);
    check(&(struct fact_view){visit_fails}, &fails, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cmdlet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
