/* test_schedule.c: the order of retries, expiry and the delay notice. */
#include "check.h"
#include "routing/schedule.h"

static const struct transport_settings hub = {
    .glitch_count = 4,
    .glitch_interval_ms = 60000,
    .transient_count = 6,
    .transient_interval_ms = 300000,
    .failure_interval_ms = 600000,
    .message_interval_ms = 900000,
    .mailbox_interval_ms = 1000,
    .expiration_ms = 172800000,
    .delay_notice_ms = 14400000,
};

static const struct transport_settings no_glitches = {.transient_count = 1,
                                                      .transient_interval_ms = 5,
                                                      .failure_interval_ms = 7,
                                                      .expiration_ms = UINT64_MAX,
                                                      .delay_notice_ms = 100};

static const struct transport_settings short_lived = {
    .failure_interval_ms = 100, .expiration_ms = 50, .delay_notice_ms = 50};

static void test_delays(void **state UNUSED)
{
    static const struct {
        const char *name;
        const struct transport_settings *settings;
        enum failure_scope scope;
        uint32_t attempts;
        int64_t want;
    } rows[] = {
        {"first glitch", &hub, FAILURE_CONNECTION, 1, 60000},
        {"last glitch", &hub, FAILURE_CONNECTION, 4, 60000},
        {"first transient", &hub, FAILURE_CONNECTION, 5, 300000},
        {"last transient", &hub, FAILURE_CONNECTION, 10, 300000},
        {"first long one", &hub, FAILURE_CONNECTION, 11, 600000},
        {"any after it", &hub, FAILURE_CONNECTION, UINT32_MAX, 600000},
        {"a message", &hub, FAILURE_MESSAGE, 1, 900000},
        {"a message for the tenth time", &hub, FAILURE_MESSAGE, 10, 900000},
        {"a mailbox", &hub, FAILURE_MAILBOX, 3, 1000},
        {"no glitches: transient at once", &no_glitches, FAILURE_CONNECTION, 1, 5},
        {"no glitches: then long", &no_glitches, FAILURE_CONNECTION, 2, 7},
        {"neither", &short_lived, FAILURE_CONNECTION, 1, 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, schedule_delay(rows[i].settings, rows[i].scope, rows[i].attempts), rows[i].want);
}

static void test_next(void **state UNUSED)
{
    static const struct {
        const char *name;
        const struct transport_settings *settings;
        uint32_t attempts;
        int64_t received, now, want;
    } rows[] = {
        {"a minute later", &hub, 1, 1000, 5000, 65000},
        {"not beyond the expiry", &hub, 11, 0, 172800000 - 1, 172800000},
        {"exactly at the expiry", &hub, 11, 0, 172800000 - 600000, 172800000},
        {"after the expiry: now", &hub, 11, 0, 200000000, 200000000},
        {"without expiry", &no_glitches, 9, 0, 1000, 1007},
        {"at the end of time", &no_glitches, 9, 0, INT64_MAX - 1, SCHEDULE_NEVER},
        {"short-lived", &short_lived, 1, 1000, 1000, 1050},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(
            rows[i].name,
            schedule_next(rows[i].settings, FAILURE_CONNECTION, rows[i].attempts, rows[i].received, rows[i].now),
            rows[i].want);
}

static void test_expiry_and_notice(void **state UNUSED)
{
    static const struct {
        const char *name;
        const struct transport_settings *settings;
        int64_t received, now;
        bool expired, delayed;
    } rows[] = {
        {"just received", &hub, 1000, 1000, false, false},
        {"before the notice", &hub, 1000, 14400999, false, false},
        {"at the notice", &hub, 1000, 14401000, false, true},
        {"before the expiry", &hub, 1000, 172800999, false, true},
        {"at the expiry", &hub, 1000, 172801000, true, true},
        {"the clock went back", &hub, 1000000, 0, false, false},
        {"never expires", &no_glitches, 0, INT64_MAX - 1, false, true},
        {"no notice at the expiry", &short_lived, 0, 50, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].name, schedule_expired(rows[i].settings, rows[i].received, rows[i].now), rows[i].expired);
        CHECK_INT(rows[i].name, schedule_delayed(rows[i].settings, rows[i].received, rows[i].now), rows[i].delayed);
    }
    assert_int_equal(schedule_expiry(&hub, 1000), 172801000);
    assert_int_equal(schedule_delay_notice(&hub, 1000), 14401000);
    assert_int_equal(schedule_expiry(&no_glitches, 1000), SCHEDULE_NEVER);
    assert_int_equal(schedule_delay_notice(&short_lived, 1000), SCHEDULE_NEVER);
}

/* A message that always fails: its attempts go forward, and the last one is at its expiry. */
static void test_whole_life(void **state UNUSED)
{
    int64_t now = 5000;
    uint32_t attempts = 0;
    while (!schedule_expired(&hub, 5000, now)) {
        int64_t next = schedule_next(&hub, FAILURE_CONNECTION, ++attempts, 5000, now);
        assert_true(next > now);
        now = next;
    }
    assert_int_equal(now, 5000 + 172800000);
    /* 4 x 1 min, 6 x 5 min, then every 10 min of the remaining 2846 */
    assert_int_equal(attempts, 4 + 6 + 285);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_expiry_and_notice),
        cmocka_unit_test(test_whole_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
