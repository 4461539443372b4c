/* The table of facts: what is counted together, the room that one client and all have, and when it is told. */
#include "check.h"

#include "role/common/event_sender.h"
#include "role/common/fact.h"
#include "role/receive/fact_table.h"

#include <stdlib.h>
#include <string.h>

static struct told {
    size_t facts, of_level[FACT_LEVELS];
    uint64_t count, lost;
    char last_sender[400];
} told;

/* The far side, instead of the link to manage. */
void fact_send(const struct fact *f)
{
    told.facts++;
    told.of_level[f->level]++;
    told.count += f->count;
    snprintf(told.last_sender, sizeof told.last_sender, "%.*s", SPAN_ARG(f->text[FACT_SENDER]));
    assert_true(f->first_ms > 0 && f->last_ms >= f->first_ms);
}

void event_send(struct event e)
{
    assert_int_equal(e.kind, EVENT_LOST);
    told.lost += strtoull(e.field[LOST_COUNT].ptr, NULL, 10);
}

static struct role role;

static int begin(void **state UNUSED)
{
    uv_loop_init(&role.loop);
    fact_table_init(&role);
    return 0;
}

static void add(const char *network, const char *sender, const char *recipient)
{
    struct fact f = {.question = FACT_OF_RCPT,
                     .code = 250,
                     .text = {[FACT_REMOTE] = span_of(network),
                              [FACT_SENDER] = span_of(sender),
                              [FACT_RECIPIENT] = span_of(recipient)}};
    fact_table_add(&f, span_of(network));
}

static void flush(void)
{
    told = (struct told){0};
    fact_table_flush();
}

static void counts(void **state UNUSED)
{
    for (int i = 0; i < 1000; i++)
        add("192.0.2.1", "a@x.test", i % 2 ? "b@y.test" : "B@Y.test");
    add("192.0.2.2", "a@x.test", "b@y.test");
    flush();
    assert_int_equal(told.facts, 2);
    assert_int_equal(told.count, 1001);
    assert_int_equal(told.lost, 0);
    flush();
    assert_int_equal(told.facts, 0);
}

/* What a client gets that never says the same twice. */
static void rooms(void **state UNUSED)
{
    char sender[100], network[100];
    for (int round = 0; round < 2; round++) { /* a second later there is room again */
        for (unsigned i = 0; i < 10000; i++) {
            snprintf(sender, sizeof sender, "a@x%u.test", i);
            add("192.0.2.1", sender, "b@y.test");
        }
        add("192.0.2.2", "c@x.test", "d@y.test");
        flush();
        assert_int_equal(told.of_level[FACT_WHOLE], FACTS_OF_CLIENT + 1);
        assert_int_equal(told.of_level[FACT_DOMAINS], FACTS_OF_CLIENT);
        assert_int_equal(told.of_level[FACT_FOLDED], 1);
        assert_int_equal(told.count, 10001);
        assert_int_equal(told.lost, 0);
    }
    for (unsigned i = 0; i < 3 * FACTS_MAX; i++) { /* more clients than there is room for */
        snprintf(network, sizeof network, "10.0.%u.%u", i / 250, i % 250);
        add(network, "a@x.test", "b@y.test");
    }
    add("10.0.0.1", "a@x.test", "b@y.test"); /* who has a row goes on */
    flush();
    assert_int_equal(told.facts, FACTS_MAX);
    assert_int_equal(told.count, FACTS_MAX + 1);
    assert_int_equal(told.lost, 2 * FACTS_MAX);
}

static void the_texts_are_copies(void **state UNUSED)
{
    char sender[] = "a@x.test", long_one[2000];
    add("192.0.2.1", sender, "b@y.test");
    memset(sender, 'z', sizeof sender - 1);
    flush();
    assert_string_equal(told.last_sender, "a@x.test");
    memset(long_one, 'l', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    add("192.0.2.1", long_one, long_one);
    flush();
    assert_int_equal(strlen(told.last_sender), 320);
}

static void too_late(uv_timer_t *t UNUSED)
{
    fail_msg("nothing was told");
}

/* Without being asked, within a second or so of the first fact. */
static void told_in_time(void **state UNUSED)
{
    told = (struct told){0};
    add("192.0.2.1", "a@x.test", "b@y.test");
    uv_timer_t keep;
    uv_timer_init(&role.loop, &keep);
    uv_timer_start(&keep, too_late, 20000, 0);
    while (!told.facts)
        uv_run(&role.loop, UV_RUN_ONCE);
    assert_int_equal(told.facts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(rooms),
                                       cmocka_unit_test(the_texts_are_copies), cmocka_unit_test(told_in_time)};
    return cmocka_run_group_tests(tests, begin, NULL);
}
