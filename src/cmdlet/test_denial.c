/* test_denial.c: Get-Denial over a fake view: 250 refusals, the newest first. */
#include "check.h"
#include "cmdlet/test_support.h"

#include <stdio.h>

enum { KEPT = 250 };

static enum err_code visit(struct denial_view *view UNUSED, bool (*each)(void *context, const struct record *r),
                           void *context, struct err *err UNUSED)
{
    struct arena arena;
    bool on = true;
    arena_init(&arena, 0);
    for (int i = KEPT; on && i > 0; i--) {
        arena_reset(&arena);
        struct record *r = record_new(&arena, SPAN("Denial"));
        bool ok = record_set(r, SPAN("Time"), value_time(i)) &&
                  record_set(r, SPAN("Code"), value_string(arena_printf(&arena, "mr-%08d", i))) &&
                  record_set(r, SPAN("Connector"), value_of(i % 2 ? "Default mail" : "Apps")) &&
                  record_set(r, SPAN("RemoteEndpoint"), value_string(arena_printf(&arena, "192.0.2.%d:4000", i))) &&
                  record_set(r, SPAN("Sender"), value_of("a@example.com")) &&
                  record_set(r, SPAN("Recipient"), value_of(i == 7 ? "b@far.test" : "")) &&
                  record_set(r, SPAN("Trace"), value_of("RCPT on Apps: refused"));
        assert_true(ok);
        on = each(context, r);
    }
    arena_clear(&arena);
    return ERR_NONE;
}

static void test_cmdlet(void **state UNUSED)
{
#define COUNT " | Measure-Object | fl Count"
    static const struct bench_row rows[] = {
        {"the newest hundred", "Get-Denial" COUNT, .has = {"100"}, .warns = "more than 100"},
        {"the newest first", "Get-Denial -ResultSize 2 | ft", .has = {"mr-00000250", "mr-00000249"},
         .lacks = {"mr-00000248"}},
        {"all", "Get-Denial -ResultSize Unlimited" COUNT, .has = {"250"}},
        {"by code", "Get-Denial mr-00000007 | fl", .has = {"mr-00000007", "RCPT on Apps: refused", "b@far.test"}},
        {"by code as in the reply", "Get-Denial -Code '[MR-00000007]' | fl", .has = {"mr-00000007"}},
        {"by connector", "Get-Denial -Connector apps -ResultSize Unlimited" COUNT, .has = {"125"}},
        {"by address", "Get-Denial -RemoteIP 192.0.2.9 | ft", .has = {"mr-00000009"}, .lacks = {"mr-00000010"}},
        {"by address and port", "Get-Denial -RemoteEndpoint 192.0.2.9:4000" COUNT, .has = {"1"}},
        {"by pattern", "Get-Denial -Recipient *@far.test" COUNT, .has = {"1"}},
        {"nobody", "Get-Denial -Sender x@example.com" COUNT, .has = {"0"}},
        {"no such code", "Get-Denial mr-99999999", ERR_NOT_FOUND, .has = {"mr-99999999", "lists the newest"}},
        {"bad size", "Get-Denial -ResultSize 0", ERR_INVALID, .has = {"ResultSize"}},
        {"bad text", "Get-Denial -Sender 7", ERR_INVALID, .has = {"Get-Denial -Sender", "text"}},
    };
    struct denial_view view = {visit};
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    b.context.denials = &view;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench_check(&b, &rows[i]);
    b.context.denials = NULL;
    static const struct bench_row none = {"none are kept", "Get-Denial" COUNT, .has = {"0"}};
    bench_check(&b, &none);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cmdlet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
