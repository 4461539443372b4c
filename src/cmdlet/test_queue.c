/* test_queue.c: -Filter, and the cmdlets of the queue over a fake view. */
#include "check.h"
#include "cmdlet/filter.h"
#include "cmdlet/test_support.h"

#include <string.h>

static const char *const properties[] = {"Status", "MessageCount", "Size", "DateReceived",
                                         "Age",    "Recipients",   "Flag", NULL};

static struct record *sample(struct arena *arena)
{
    static const struct value recipients[] = {{.kind = VALUE_STRING, .s = SPAN_INIT("a@example.com")},
                                              {.kind = VALUE_STRING, .s = SPAN_INIT("b@example.net")}};
    struct record *r = record_new(arena, SPAN("Queue"));
    assert_true(r && record_set(r, SPAN("Status"), value_of("Retry")) &&
                record_set(r, SPAN("MessageCount"), value_int(12)) &&
                record_set(r, SPAN("Size"), value_size(2 << 20)) &&
                record_set(r, SPAN("DateReceived"), value_time(INT64_C(1709208000000))) && /* 2024-02-29 12:00 */
                record_set(r, SPAN("Age"), value_timespan(90000)) &&
                record_set(r, SPAN("Recipients"), value_list(recipients, 2)) &&
                record_set(r, SPAN("Flag"), value_bool(true)));
    return r;
}

static void test_filter_matches(void **state UNUSED)
{
    static const struct {
        const char *filter;
        bool want;
    } rows[] = {
        {"Status -eq 'Retry'", true},
        {"status -EQ \"retry\"", true},
        {"{Status -eq 'Retry'}", true},
        {"(Status -ne 'Retry')", false},
        {"MessageCount -gt 11 -and MessageCount -lt 13", true},
        {"MessageCount -ge 12 -and MessageCount -le 12", true},
        {"MessageCount -gt 12", false},
        {"MessageCount -eq '12'", true},
        {"MessageCount -gt 'many'", false},
        {"MessageCount -ne 'many'", true},
        {"Size -ge 2MB", true},
        {"Size -gt 2097152", false},
        {"Age -ge 00:01:30", true},
        {"Age -gt 00:01:30", false},
        {"DateReceived -ge '2024-02-29'", true},
        {"DateReceived -lt '2024-02-29T12:00:00Z'", false},
        {"DateReceived -le '2024-02-29 12:00:00'", true},
        {"DateReceived -lt '2024-03-01'", true},
        {"Status -like 'R*'", true},
        {"Status -notlike 'R*'", false},
        {"Status -contains 'etr'", true},
        {"Status -contains 'x'", false},
        {"Recipients -contains 'B@example.net'", true},
        {"Recipients -contains 'b@'", false},
        {"Recipients -like '*@example.com'", true},
        {"Recipients -ne 'c@example.com'", true},
        {"Recipients -ne 'a@example.com'", false},
        {"Flag -eq $true", true},
        {"Flag -eq $false", false},
        {"Status -eq 'it''s' -and MessageCount -gt 0", false},
    };
    struct arena arena;
    arena_init(&arena, 0);
    struct record *r = sample(&arena);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct filter f;
        struct err err = {0};
        enum err_code code = filter_parse(span_of(rows[i].filter), properties, &arena, &f, &err);
        CHECK_INT(rows[i].filter, code, ERR_NONE);
        CHECK_INT(rows[i].filter, filter_matches(&f, r), rows[i].want);
    }
    arena_clear(&arena);
}

static void test_filter_errors(void **state UNUSED)
{
    static const struct {
        const char *filter, *says;
    } rows[] = {
        {"", "a property is expected"},
        {"Colour -eq 'x'", "there is no property Colour"},
        {"Status", "an operator"},
        {"Status eq 'x'", "an operator"},
        {"Status -matches 'x'", "an operator"},
        {"Status -eq", "a number, or a text in quotes"},
        {"Status -eq Retry", "a number, or a text in quotes"},
        {"Status -eq 'Retry", "closing quote"},
        {"Status -eq 'x' -or Status -eq 'y'", "-and"},
        {"Status -eq 'x' -andStatus -eq 'y'", "-and"},
        {"Status -eq 'x' Status", "-and"},
        {"Status -eq 'x' -and", "-and"},
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct filter f;
        struct err err = {0};
        CHECK_INT(rows[i].filter, filter_parse(span_of(rows[i].filter), properties, &arena, &f, &err), ERR_INVALID);
        if (!strstr(err.text, rows[i].says))
            print_error("row `%s`: %s\n", rows[i].filter, err.text);
        CHECK(rows[i].filter, strstr(err.text, rows[i].says));
    }
    arena_clear(&arena);
}

static void test_filter_limit(void **state UNUSED)
{
    struct arena arena;
    struct buf b;
    struct filter f;
    struct err err = {0};
    arena_init(&arena, 0);
    buf_init(&b, 1 << 16);
    buf_add(&b, SPAN("Flag -eq $true"));
    for (size_t i = 1; i < FILTER_TERMS_MAX; i++)
        buf_add(&b, SPAN(" -and Flag -eq $true"));
    CHECK_INT("at the limit", filter_parse(buf_span(&b), properties, &arena, &f, &err), ERR_NONE);
    buf_add(&b, SPAN(" -and Flag -eq $true"));
    CHECK_INT("one past", filter_parse(buf_span(&b), properties, &arena, &f, &err), ERR_LIMIT);
    buf_done(&b);
    arena_clear(&arena);
}

/* Two queues, and 1200 messages in pages. */
enum { MESSAGES = 1200 };

static enum err_code list_queues(struct queue_view *v UNUSED, uint64_t after, size_t limit UNUSED,
                                 struct arena *arena, struct record ***ret, size_t *ret_count, uint64_t *ret_next,
                                 struct err *err UNUSED)
{
    static const char *const names[] = {"mail\\Submission", "mail\\partner.example"};
    struct record **page = ARENA_ARRAY(arena, 1, struct record *);
    page[0] = record_new(arena, SPAN("Queue"));
    bool ok = record_set(page[0], SPAN("Identity"), value_of(names[after])) &&
              record_set(page[0], SPAN("Status"), value_of(after ? "Retry" : "Ready")) &&
              record_set(page[0], SPAN("MessageCount"), value_int((int64_t)after * MESSAGES));
    assert_true(ok);
    *ret = page;
    *ret_count = 1;
    *ret_next = after ? 0 : 1;
    return ERR_NONE;
}

static enum err_code list_messages(struct queue_view *v UNUSED, uint64_t after, size_t limit, struct arena *arena,
                                   struct record ***ret, size_t *ret_count, uint64_t *ret_next,
                                   struct err *err UNUSED)
{
    struct record **page = ARENA_ARRAY(arena, limit, struct record *);
    struct value *to = ARENA_NEW(arena, struct value);
    size_t n = 0;
    *to = value_of("far@partner.example");
    for (; n < limit && after < MESSAGES; n++, after++) {
        page[n] = record_new(arena, SPAN("Message"));
        bool ok =
            record_set(page[n], SPAN("Identity"),
                       value_string(arena_printf(arena, "mail\\partner.example\\%d", (int)after + 1))) &&
            record_set(page[n], SPAN("Queue"), value_of("mail\\partner.example")) &&
            record_set(page[n], SPAN("FromAddress"), value_of(after % 2 ? "a@example.com" : "b@example.com")) &&
            record_set(page[n], SPAN("Size"), value_size((int64_t)after)) &&
            record_set(page[n], SPAN("Recipients"), value_list(to, 1));
        assert_true(ok);
    }
    *ret = page;
    *ret_count = n;
    *ret_next = after < MESSAGES ? after : 0;
    return ERR_NONE;
}

/* What the queue was asked to do: "0 mx:a; 3 1 2; ". */
static struct buf done;

static enum err_code change_queue(struct queue_view *v UNUSED, enum queue_action what, struct span name,
                                  struct err *err)
{
    if (span_eq(name, SPAN("Submission")))
        return err_set(err, ERR_INVALID, "Submission has no next hop");
    buf_addf(&done, "%d %.*s; ", (int)what, SPAN_ARG(name));
    return ERR_NONE;
}

static enum err_code change_messages(struct queue_view *v UNUSED, enum queue_action what, const uint64_t *ids,
                                     size_t count, struct err *err UNUSED)
{
    assert_in_range(count, 1, QUEUE_ACTION_IDS_MAX);
    buf_addf(&done, "%d %llu..%llu %zu; ", (int)what, (unsigned long long)ids[0],
             (unsigned long long)ids[count - 1], count);
    return ERR_NONE;
}

static enum err_code export_message(struct queue_view *v UNUSED, uint64_t id, struct arena *arena, struct span *ret,
                                    struct err *err)
{
    if (id == 8)
        return err_set(err, ERR_CONFLICT, "message 8 is not suspended");
    *ret = arena_printf(arena, "X-Sender: <%llu@example.com>\r\n", (unsigned long long)id);
    return ERR_NONE;
}

static struct queue_view view = {list_queues, list_messages, change_queue, change_messages, export_message};

static void test_changes(void **state UNUSED)
{
    static const struct {
        struct bench_row row;
        const char *done;
    } rows[] = {
        {{"suspend", "Suspend-Queue partner.example"}, "0 partner.example; "},
        {{"with the server", "Suspend-Queue mail\\partner.example"}, "0 partner.example; "},
        {{"resume by filter", "Resume-Queue -Filter \"Status -eq 'Retry'\""}, "1 partner.example; "},
        {{"retry from the pipeline", "Get-Queue partner* | Retry-Queue -Resubmit $true"}, "2 partner.example; "},
        {{"resubmit what", "Retry-Queue partner.example -Resubmit x", ERR_INVALID, .has = {"$true or $false"}}, ""},
        {{"what the queue says", "Suspend-Queue Submission", ERR_INVALID, .has = {"Suspend-Queue", "no next hop"}},
         ""},
        {{"no such queue", "Suspend-Queue elsewhere", ERR_NOT_FOUND, .has = {"elsewhere", "Get-Queue"}}, ""},
        {{"nothing waits yet", "Suspend-Queue mail\\mx:far.test", .warns = "Nothing waits"}, "0 mx:far.test; "},
        {{"a pattern of nothing", "Suspend-Queue mx:*"}, ""},
        {{"only to stop it", "Resume-Queue mx:far.test", ERR_NOT_FOUND, .has = {"mx:far.test"}}, ""},
        {{"all of them, by mistake", "Suspend-Queue", ERR_INVALID, .has = {"-Identity or -Filter"}}, ""},
        {{"all of them, by mistake", "Remove-Message -Confirm:$false", ERR_INVALID, .has = {"-Identity"}}, ""},
        {{"what if", "Suspend-Queue partner.example -WhatIf", .warns = "What if"}, ""},
        {{"one message", "Suspend-Message 7"}, "3 7..7 1; "},
        {{"the first", "Suspend-Message 1"}, "3 1..1 1; "},
        {{"its identity", "Resume-Message mail\\partner.example\\7"}, "4 7..7 1; "},
        {{"some", "Get-Message -ResultSize 3 | Resume-Message"}, "4 1..3 3; "},
        {{"many", "Suspend-Message -Filter \"Size -ge 0\""}, "3 1..1000 1000; 3 1001..1200 200; "},
        {{"no such message", "Suspend-Message 1201", ERR_NOT_FOUND, .has = {"1201", "Get-Message"}}, ""},
        {{"removed and told", "Remove-Message 7 -Confirm:$false"}, "6 7..7 1; "},
        {{"told by wish", "Remove-Message 7 -WithNDR $true -Confirm:$false"}, "6 7..7 1; "},
        {{"removed quietly", "Remove-Message 7 -WithNDR $false -Confirm:$false"}, "5 7..7 1; "},
        {{"told how", "Remove-Message 7 -WithNDR maybe -Confirm:$false", ERR_INVALID, .has = {"-WithNDR"}}, ""},
        {{"not confirmed", "Remove-Message 7", ERR_UNAVAILABLE, .has = {"-Confirm:$false"}}, ""},
        {{"each statement by itself", "Suspend-Message 7; Suspend-Message 9999", ERR_NOT_FOUND}, "3 7..7 1; "},
        {{"shown", "Export-Message 7", .has = {"X-Sender: <7@example.com>"}}, ""},
        {{"not suspended", "Export-Message 8", ERR_CONFLICT, .has = {"Export-Message", "not suspended"}}, ""},
        {{"several in a file", "Get-Message -ResultSize 2 | Export-Message -Path x.eml", ERR_INVALID,
          .has = {"one message"}},
         ""},
        {{"a file of what", "Export-Message 7 -Path ''", ERR_INVALID, .has = {"-Path"}}, ""},
    };
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    buf_init(&done, 1 << 16);
    b.context.queues = &view;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&done);
        bench_check(&b, &rows[i].row);
        CHECK_SPAN(rows[i].row.name, buf_span(&done), span_of(rows[i].done));
    }
    buf_done(&done);
    bench_done(&b);
}

static void test_cmdlets(void **state UNUSED)
{
#define COUNT " | Measure-Object | fl Count"
    static const struct bench_row rows[] = {
        {"queues", "Get-Queue | ft", .has = {"Submission", "partner.example", "Retry"}},
        {"filter",
         "Get-Queue -Filter \"Status -eq 'Retry' -and MessageCount -gt 10\" | Select-Object -ExpandProperty "
         "Identity",
         .has = {"partner"}, .lacks = {"Submission"}},
        {"identity", "Get-Queue submission | ConvertTo-Json", .has = {"mail\\\\Submission"}, .lacks = {"partner"}},
        {"identity with the server", "Get-Queue mail\\sub* | ConvertTo-Json", .has = {"Submission"},
         .lacks = {"partner"}},
        {"no such queue", "Get-Queue elsewhere", ERR_NOT_FOUND, .has = {"elsewhere"}},
        {"bad filter", "Get-Queue -Filter \"Status -is 'x'\"", ERR_INVALID,
         .has = {"Get-Queue -Filter", "operator"}},
        {"thousand", "Get-Message" COUNT, .has = {"1000"}, .warns = "more than 1000"},
        {"all", "Get-Message -ResultSize Unlimited" COUNT, .has = {"1200"}},
        {"exactly as many", "Get-Message -ResultSize 1200" COUNT, .has = {"1200"}},
        {"some", "Get-Message -Filter {FromAddress -eq 'a@example.com' -and Size -lt 100B}" COUNT, ERR_INVALID},
        {"some, as text", "Get-Message -Filter \"FromAddress -eq 'a@example.com' -and Size -lt 100\"" COUNT,
         .has = {"50"}},
        {"one", "Get-Message 7 | ConvertTo-Json", .has = {"\\\\7\""}, .lacks = {"far@"}},
        {"with recipients", "Get-Message 7 -IncludeRecipientInfo | ConvertTo-Json", .has = {"far@partner.example"}},
        {"of a queue", "Get-Queue partner.example | Get-Message -ResultSize 3" COUNT, .has = {"3"}},
        {"of another", "Get-Message -Queue Submission" COUNT, .has = {"0"}},
        {"bad size", "Get-Message -ResultSize 0", ERR_INVALID, .has = {"ResultSize"}},
    };
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    b.context.queues = &view;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench_check(&b, &rows[i]);
    b.context.queues = NULL;
    static const struct bench_row stopped = {"stopped", "Get-Queue", ERR_UNAVAILABLE, .has = {"not running"}};
    bench_check(&b, &stopped);
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_matches), cmocka_unit_test(test_filter_errors),
        cmocka_unit_test(test_filter_limit),   cmocka_unit_test(test_cmdlets),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
