/* test_message_tracking.c: Get-MessageTrackingLog over a fake view, which notes what it is asked. */
#include "check.h"
#include "cmdlet/test_support.h"

#include <stdio.h>

static struct tracking_query asked;
static struct tracking_found answer;
static char asked_text[1024];

static enum err_code search(struct tracking_view *view UNUSED, struct span folder, const struct tracking_query *q,
                            tracking_each_fn *each, void *context, struct tracking_found *ret,
                            struct err *err UNUSED)
{
    asked = *q;
    struct span to = q->recipient_count ? q->recipients[0] : SPAN("");
    snprintf(asked_text, sizeof asked_text, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%lld|%lld", SPAN_ARG(folder),
             SPAN_ARG(q->event), SPAN_ARG(q->sender), SPAN_ARG(to), SPAN_ARG(q->message_id),
             SPAN_ARG(q->internal_id), SPAN_ARG(q->reference), SPAN_ARG(q->subject), (long long)q->start_ms,
             (long long)q->end_ms);
    struct tracking_row r = {.at_ms = INT64_C(1795478400123)};
    r.field[TRACKING_EVENT_ID] = SPAN("DELIVER");
    r.field[TRACKING_RECIPIENT_ADDRESS] = SPAN("a@example.com;b@example.com");
    r.field[TRACKING_RECIPIENT_STATUS] = SPAN("250 2.1.5 OK;250 2.1.5 OK");
    r.field[TRACKING_TOTAL_BYTES] = SPAN("4711");
    r.field[TRACKING_RECIPIENT_COUNT] = SPAN("2");
    r.field[TRACKING_SENDER_ADDRESS] = SPAN("c@example.com");
    each(context, &r);
    *ret = answer;
    return ERR_NONE;
}

static void test_entry(void **state UNUSED)
{
    static const struct bench_row rows[] = {
        {"as JSON", "Get-MessageTrackingLog | ConvertTo-Json",
         .has = {"\"Recipients\"", "\"a@example.com\"", "\"TotalBytes\": 4711", "\"RecipientCount\": 2",
                 "\"ClientIp\": \"\"", "\"CustomData\"", "\"Timestamp\": \"2026-11-24T00:00:00.123Z\""}},
        {"as a table", "Get-MessageTrackingLog", .has = {"Timestamp", "EventId", "DELIVER", "c@example.com"}},
        {"filtered further",
         "Get-MessageTrackingLog | ? { $_.Recipients -contains 'b@example.com' } | Measure-Object | fl Count",
         .has = {"1"}},
        {"no such event", "Get-MessageTrackingLog -EventId ARRIVE", ERR_INVALID,
         .has = {"-EventId", "ARRIVE", "RECEIVE, SEND, DELIVER", "DUPLICATEDELIVER"}},
        {"no date", "Get-MessageTrackingLog -Start yesterday", ERR_INVALID,
         .has = {"-Start", "yesterday", "2026-11-24"}},
        {"a wildcard", "Get-MessageTrackingLog -Sender *@example.com", ERR_INVALID,
         .has = {"-Sender", "wildcard", "Where-Object"}},
        {"no text", "Get-MessageTrackingLog -Recipients ''", ERR_INVALID, .has = {"-Recipients"}},
        {"a text that is none among several", "Get-MessageTrackingLog -Recipients a@b,''", ERR_INVALID,
         .has = {"-Recipients"}},
        {"too many recipients",
         "Get-MessageTrackingLog -Recipients a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
         ERR_LIMIT, .has = {"33", "up to 32"}},
        {"no size", "Get-MessageTrackingLog -ResultSize 0", ERR_INVALID, .has = {"ResultSize"}},
        {"another server", "Get-MessageTrackingLog -Server elsewhere", ERR_NOT_FOUND, .has = {"elsewhere"}},
    };
    struct tracking_view view = {search};
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    b.context.tracking = &view;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench_check(&b, &rows[i]);
    answer = (struct tracking_found){.more = true};
    static const struct bench_row more = {"more", "Get-MessageTrackingLog -ResultSize 1", .has = {"DELIVER"},
                                          .warns = "more than 1,"};
    bench_check(&b, &more);
    answer = (struct tracking_found){.stopped = true, .searched_ms = INT64_C(1795478400000)};
    static const struct bench_row part = {"stopped", "Get-MessageTrackingLog -MessageSubject x", .has = {"DELIVER"},
                                          .warns = "the day of 2026-11-24"};
    bench_check(&b, &part);
    answer = (struct tracking_found){0};
    b.context.tracking = NULL;
    static const struct bench_row none = {"none is kept", "Get-MessageTrackingLog | Measure-Object | fl Count",
                                          .has = {"0"}};
    bench_check(&b, &none);
    bench_done(&b);
}

static void test_query(void **state UNUSED)
{
#define ALWAYS "|-9223372036854775808|9223372036854775807"
    static const struct {
        const char *parameters, *asked;
    } rows[] = {
        {"", "log/MessageTracking|||||||" ALWAYS},
        {"-EventId deliver -Sender a@b -Recipients c@d", "log/MessageTracking|deliver|a@b|c@d||||" ALWAYS},
        {"-Recipients a@b,c@d", "log/MessageTracking|||a@b||||" ALWAYS},
        {"-MessageId '<x@y>'", "log/MessageTracking||||<x@y>|||" ALWAYS},
        {"-MessageId x@y -Reference z@y", "log/MessageTracking||||<x@y>||<z@y>|" ALWAYS},
        {"-InternalMessageId 42 -MessageSubject 'a part'", "log/MessageTracking|||||42||a part" ALWAYS},
        {"-Start 2026-11-24 -End '11/24/2026 01:00'", "log/MessageTracking||||||||1795478400000|1795482000000"},
    };
    struct tracking_view view = {search};
    struct bench b;
    bench_init(&b, BENCH_EMPTY);
    b.context.tracking = &view;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[256];
        snprintf(line, sizeof line, "Get-MessageTrackingLog %s", rows[i].parameters);
        struct bench_row row = {rows[i].parameters, line, .has = {"DELIVER"}};
        bench_check(&b, &row);
        CHECK_STR(rows[i].parameters, asked_text, rows[i].asked);
        CHECK_INT(rows[i].parameters, asked.limit, 1000);
    }
    bench_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_entry), cmocka_unit_test(test_query)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
