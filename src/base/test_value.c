/* Values: text forms both ways, records, and the codec's round trip. */
#include "check.h"

#include "base/value_codec.h"

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
        const char *print;
    } rows[] = {
        {"10MB", 10 << 20, "10MB"},
        {"10 mb", 10 << 20, "10MB"},
        {"10 MB (10,485,760 bytes)", 10 << 20, "10MB"},
        {"64KB", 65536, "64KB"},
        {"1.5KB", 1536, "1536B"},
        {"1024", 1024, "1KB"},
        {"7B", 7, "7B"},
        {"0", 0, "0B"},
        {"2GB", INT64_C(2) << 30, "2GB"},
        {"MB", -1, NULL},
        {"", -1, NULL},
        {"-1", -1, NULL},
        {"10XB", -1, NULL},
        {"1.2345KB", -1, NULL},
        {"99999999999TB", -1, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v;
        struct buf b;
        buf_init(&b, 64);
        CHECK_INT(rows[i].text, value_parse_size(span_of(rows[i].text), &v), rows[i].bytes >= 0);
        if (rows[i].bytes >= 0) {
            CHECK_INT(rows[i].text, v, rows[i].bytes);
            value_print(&b, value_size(v));
            CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].print));
        }
        buf_done(&b);
    }
}

static void timespans(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *print;
    } rows[] = {
        {"00:00:05", 5000, "00:00:05"},
        {"00:10:00", 600000, "00:10:00"},
        {"1.00:00:00", 86400000, "1.00:00:00"},
        {"2.03:04:05.678", 183845678, "2.03:04:05.678"},
        {"0:0:1", 1000, "00:00:01"},
        {"24:00:00", -1, NULL},
        {"00:60:00", -1, NULL},
        {"00:00", -1, NULL},
        {"5", -1, NULL},
        {"00:00:00:00", -1, NULL},
        {"-00:00:01", -1, NULL},
        {"", -1, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v;
        struct buf b;
        buf_init(&b, 64);
        CHECK_INT(rows[i].text, value_parse_timespan(span_of(rows[i].text), &v), rows[i].ms >= 0);
        if (rows[i].ms >= 0) {
            CHECK_INT(rows[i].text, v, rows[i].ms);
            value_print(&b, value_timespan(v));
            CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].print));
        }
        buf_done(&b);
    }
}

static struct record *sample(struct arena *a)
{
    struct record *r = record_new(a, SPAN("ReceiveConnector"));
    static const struct value words[] = {{.kind = VALUE_STRING, .s = {"Tls", 3}},
                                         {.kind = VALUE_STRING, .s = {"BasicAuth", 9}}};
    struct record *inner = record_new(a, SPAN("Hashtable"));
    assert_true(record_set(inner, SPAN("Add"), value_of("x")));
    assert_true(record_set(r, SPAN("Name"), value_of("Default")) &&
                record_set(r, SPAN("Enabled"), value_bool(true)) &&
                record_set(r, SPAN("AuthMechanism"), value_list(words, 2)) &&
                record_set(r, SPAN("MaxMessageSize"), value_size(10 << 20)) &&
                record_set(r, SPAN("TarpitInterval"), value_timespan(5000)) &&
                record_set(r, SPAN("Limit"), value_unlimited()) && record_set(r, SPAN("Banner"), value_null()) &&
                record_set(r, SPAN("Count"), value_int(-3)) && record_set(r, SPAN("When"), value_time(1)) &&
                record_set(r, SPAN("Inner"), value_record(inner)));
    return r;
}

static void records(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    struct record *r = sample(&a);
    assert_true(record_set(r, SPAN("NAME"), value_of("Other"))); /* replaced, not added */
    assert_int_equal(r->count, 10);
    CHECK_SPAN("name", record_string(r, SPAN("name")), SPAN("Other"));
    assert_int_equal(record_int(r, SPAN("maxmessagesize"), 0), 10 << 20);
    assert_null(record_get(r, SPAN("absent")));
    struct record *copy = record_copy(&a, r);
    assert_true(value_eq(value_record(copy), value_record(r), false));
    assert_true(record_set(copy, SPAN("Count"), value_int(4)));
    assert_false(value_eq(value_record(copy), value_record(r), false));
    arena_clear(&a);
}

static void codec_round_trip_and_truncation(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, 4096);
    struct record *r = sample(&a);
    record_encode(&b, r);
    assert_false(b.failed);
    struct cursor c = cursor_of(buf_span(&b));
    struct record *back = record_decode(&c, &a);
    assert_non_null(back);
    assert_true(cursor_done(&c));
    assert_true(value_eq(value_record(back), value_record(r), false));
    for (size_t cut = 0; cut < b.len; cut++) {
        c = cursor_of(span_head(buf_span(&b), cut));
        assert_null(record_decode(&c, &a));
        assert_false(cursor_ok(&c));
    }
    buf_clear(&b);
    value_encode(&b, (struct value){.kind = VALUE_BLOCK});
    assert_true(b.failed);
    buf_done(&b);
    arena_clear(&a);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *print;
    } rows[] = {
        {"1970-01-01", 0, "1970-01-01T00:00:00.000Z"},
        {"2026-12-31", INT64_C(1798675200000), "2026-12-31T00:00:00.000Z"},
        {"2026-12-31 18:30", INT64_C(1798741800000), "2026-12-31T18:30:00.000Z"},
        {"2026-12-31t18:30:05.250z", INT64_C(1798741805250), "2026-12-31T18:30:05.250Z"},
        {"2026-12-31T18:30:00+02:00", INT64_C(1798734600000), "2026-12-31T16:30:00.000Z"},
        {"2026-12-31T18:30:00-05:30", INT64_C(1798761600000), "2027-01-01T00:00:00.000Z"},
        {"2024-02-29", INT64_C(1709164800000), "2024-02-29T00:00:00.000Z"},
        {"2026-02-29", -1, NULL},
        {"2026-13-01", -1, NULL},
        {"2026-00-01", -1, NULL},
        {"2026-01-32", -1, NULL},
        {"2026-04-31", -1, NULL},
        {"1969-12-31", -1, NULL},
        {"1970-01-01T00:00+01:00", -1, NULL},
        {"2026-1-1", -1, NULL},
        {"31.12.2026", -1, NULL},
        {"12/31/2026", -1, NULL},
        {"2026-12-31T", -1, NULL},
        {"2026-12-31T24:00", -1, NULL},
        {"2026-12-31T18:30x", -1, NULL},
        {"2026-12-31Z", -1, NULL},
        {"2026-12-31T18:30+2:00", -1, NULL},
        {"2026-12-31T18:30+15:00", -1, NULL},
        {"", -1, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v;
        struct buf b;
        buf_init(&b, 64);
        CHECK_INT(rows[i].text, value_parse_time(span_of(rows[i].text), &v), rows[i].ms >= 0);
        if (rows[i].ms >= 0) {
            CHECK_INT(rows[i].text, v, rows[i].ms);
            value_print(&b, value_time(v));
            CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].print));
        }
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(timespans),
                                       cmocka_unit_test(times), cmocka_unit_test(records),
                                       cmocka_unit_test(codec_round_trip_and_truncation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
