/* Events as bytes: round trips of every kind, every truncation, what is no event, and what is too long. */
#include "check.h"

#include "role/common/event.h"

#include <stdlib.h>
#include <string.h>

static void fill(struct event *e, enum event_kind kind)
{
    static const char *const texts[] = {"", "mr-1", "two\r\nlines", "\"quoted\""};
    *e = (struct event){.kind = kind, .at_ms = 1795000000123};
    for (size_t i = 0; i < event_field_count(kind); i++)
        e->field[i] = span_of(texts[i % ARRAY_LEN(texts)]);
}

static void round_trips(void **state)
{
    (void)state;
    struct event e, back = {0};
    struct buf b;
    buf_init(&b, 65536);
    for (unsigned k = 0; k < EVENT_KINDS; k++) {
        buf_clear(&b);
        fill(&e, (enum event_kind)k);
        event_put(&b, &e);
        struct cursor c = cursor_of(buf_span(&b));
        assert_true(event_get(&c, &back));
        assert_true(cursor_done(&c));
        assert_int_equal(back.kind, k);
        assert_true(back.at_ms == e.at_ms);
        for (size_t i = 0; i < event_field_count((enum event_kind)k); i++)
            CHECK_SPAN("field", back.field[i], e.field[i]);
        for (size_t cut = 0; cut < b.len; cut++) {
            c = cursor_of(span_head(buf_span(&b), cut));
            assert_false(event_get(&c, &back));
            assert_false(cursor_ok(&c));
        }
    }
    buf_done(&b);
}

static void not_events(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span bytes;
    } rows[] = {
        {"unknown kind", SPAN_INIT("\x63\0\0\0\0\0\0\0\0")},
        {"a field longer than what there is", SPAN_INIT("\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff")},
        {"no field", SPAN_INIT("\0\0\0\0\0\0\0\0\0")},
    };
    struct event e;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cursor c = cursor_of(rows[i].bytes);
        CHECK_INT(rows[i].name, event_get(&c, &e), false);
    }
}

static void long_fields_are_cut(void **state)
{
    (void)state;
    static char text[EVENT_FIELD_MAX + 100];
    struct event e = {.kind = EVENT_LOST, .field[LOST_COUNT] = {text, sizeof text}}, back;
    struct buf b;
    memset(text, 'x', sizeof text);
    buf_init(&b, 65536);
    event_put(&b, &e);
    struct cursor c = cursor_of(buf_span(&b));
    assert_true(event_get(&c, &back));
    assert_int_equal(back.field[LOST_COUNT].len, EVENT_FIELD_MAX);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trips), cmocka_unit_test(not_events),
                                       cmocka_unit_test(long_fields_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
