/* Spans, numbers, base64, UTF-8. */
#include "check.h"

#include "base/base64.h"
#include "base/keyed_hash.h"
#include "base/num.h"
#include "base/utf8.h"

static void spans(void **state)
{
    (void)state;
    struct span s = SPAN("Mail.Example"), rest = SPAN("a,,b"), field;
    assert_true(span_ieq(s, SPAN("mail.EXAMPLE")));
    assert_false(span_eq(s, SPAN("mail.EXAMPLE")));
    assert_true(span_istarts(s, SPAN("MAIL.")));
    assert_true(span_iends(s, SPAN(".example")));
    assert_false(span_iends(SPAN("e"), SPAN(".example")));
    assert_int_equal(span_find(s, '.'), 4);
    assert_int_equal(span_find(s, '!'), SIZE_MAX);
    assert_int_equal(span_rfind(SPAN("a.b.c"), '.'), 3);
    assert_int_equal(span_from(s, 99).len, 0);
    assert_true(span_cmp(SPAN("ab"), SPAN("abc")) < 0);
    assert_true(span_icmp(SPAN("B"), SPAN("a")) > 0);
    CHECK_SPAN("trim", span_trim(SPAN(" \t x y\r\n")), SPAN("x y"));
    static const char *const fields[] = {"a", "", "b"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(span_split(&rest, ',', &field));
        CHECK_STR(fields[i], field.ptr ? "" : "x", "");
        CHECK_SPAN("field", field, span_of(fields[i]));
    }
    assert_false(span_split(&rest, ',', &field));
    rest = SPAN("");
    assert_true(span_split(&rest, ',', &field));
    assert_int_equal(field.len, 0);
    assert_int_equal(span_ihash(SPAN("AbC")), span_ihash(SPAN("aBc")));
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t want;
    } rows[] = {
        {"0", 10, true, 0},
        {"10", 10, true, 10},
        {"11", 10, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
        {"", 10, false, 0},
        {"-1", 10, false, 0},
        {"+1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1a", 10, false, 0},
        {"007", 10, true, 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 77;
        CHECK_INT(rows[i].text, num_parse_u64(span_of(rows[i].text), rows[i].max, &v), rows[i].ok);
        CHECK(rows[i].text, v == (rows[i].ok ? rows[i].want : 77));
    }
    int64_t n;
    assert_true(num_parse_i64(SPAN("-9223372036854775808"), INT64_MIN, INT64_MAX, &n) && n == INT64_MIN);
    assert_false(num_parse_i64(SPAN("9223372036854775808"), INT64_MIN, INT64_MAX, &n));
    assert_false(num_parse_i64(SPAN("-"), INT64_MIN, INT64_MAX, &n));
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span text, bytes;
        bool ok;
    } rows[] = {
        {"empty", SPAN_INIT(""), SPAN_INIT(""), true},
        {"one", SPAN_INIT("Zg=="), SPAN_INIT("f"), true},
        {"two", SPAN_INIT("Zm8="), SPAN_INIT("fo"), true},
        {"three", SPAN_INIT("Zm9v"), SPAN_INIT("foo"), true},
        {"NUL", SPAN_INIT("AGEAYg=="), SPAN_INIT("\0a\0b"), true},
        {"no padding", SPAN_INIT("Zg"), SPAN_INIT(""), false},
        {"padding inside", SPAN_INIT("Zg==Zg=="), SPAN_INIT(""), false},
        {"three pads", SPAN_INIT("Z==="), SPAN_INIT(""), false},
        {"pad then letter", SPAN_INIT("Zg=g"), SPAN_INIT(""), false},
        {"not canonical", SPAN_INIT("Zh=="), SPAN_INIT(""), false},
        {"blank", SPAN_INIT("Zm 9"), SPAN_INIT(""), false},
        {"line end", SPAN_INIT("Zm9v\r\n"), SPAN_INIT(""), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b, back;
        buf_init(&b, 64);
        buf_init(&back, 64);
        CHECK_INT(rows[i].name, base64_decode(&b, rows[i].text), rows[i].ok);
        if (rows[i].ok) {
            CHECK_SPAN(rows[i].name, buf_span(&b), rows[i].bytes);
            base64_encode(&back, buf_span(&b));
            CHECK_SPAN(rows[i].name, buf_span(&back), rows[i].text);
        }
        buf_done(&b);
        buf_done(&back);
    }
}

static void utf8_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span text;
        bool ok;
    } rows[] = {
        {"ascii", SPAN_INIT("abc\0"), true},
        {"two bytes", SPAN_INIT("\xc3\xbc"), true},
        {"three", SPAN_INIT("\xe6\x97\xa5"), true},
        {"four", SPAN_INIT("\xf0\x9f\x93\xa7"), true},
        {"the last", SPAN_INIT("\xf4\x8f\xbf\xbf"), true},
        {"beyond", SPAN_INIT("\xf4\x90\x80\x80"), false},
        {"overlong slash", SPAN_INIT("\xc0\xaf"), false},
        {"overlong three", SPAN_INIT("\xe0\x80\xaf"), false},
        {"surrogate", SPAN_INIT("\xed\xa0\x80"), false},
        {"cut", SPAN_INIT("\xe6\x97"), false},
        {"continuation first", SPAN_INIT("\x80"), false},
        {"latin-1", SPAN_INIT("\xe9"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, utf8_valid(rows[i].text), rows[i].ok);
    static const uint32_t points[] = {0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        struct buf b;
        uint32_t cp = 0;
        buf_init(&b, 8);
        utf8_encode(&b, points[i]);
        assert_int_equal(utf8_decode(buf_span(&b), &cp), b.len);
        assert_int_equal(cp, points[i]);
        buf_done(&b);
    }
}

/* The first vectors of the SipHash paper: the key 00 .. 0f, the text 00, 01, ... of so many octets. */
static void keyed_hashes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len;
        uint64_t want;
    } rows[] = {
        {"nothing", 0, UINT64_C(0x726fdb47dd0e0e31)},      {"one octet", 1, UINT64_C(0x74f839c593dc67fd)},
        {"seven octets", 7, UINT64_C(0xab0200f58b01d137)}, {"a whole word", 8, UINT64_C(0x93f5f5799a932462)},
        {"the paper's", 15, UINT64_C(0xa129ca6149be45e5)},
    };
    const struct hash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    char text[16];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK(rows[i].name, keyed_hash(key, span_make(text, rows[i].len)) == rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spans), cmocka_unit_test(numbers),
                                       cmocka_unit_test(base64_is_strict), cmocka_unit_test(utf8_is_strict),
                                       cmocka_unit_test(keyed_hashes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
