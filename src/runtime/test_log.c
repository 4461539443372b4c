/* The log: what a hostile value can and cannot do to a line. */
#include "check.h"

#include "runtime/log.h"

static void values_cannot_forge(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span value;
        const char *want;
    } rows[] = {
        {"bare", SPAN_INIT("mail.example.com"), "k=mail.example.com"},
        {"address", SPAN_INIT("<a@b.c>"), "k=<a@b.c>"},
        {"empty", SPAN_INIT(""), "k=\"\""},
        {"blank", SPAN_INIT("a b"), "k=\"a b\""},
        {"equals", SPAN_INIT("a=b"), "k=\"a=b\""},
        {"newline", SPAN_INIT("a\nlevel=error"), "k=\"a\\x0alevel=error\""},
        {"carriage return and NUL", SPAN_INIT("a\r\0"), "k=\"a\\x0d\\x00\""},
        {"quote and backslash", SPAN_INIT("\"\\"), "k=\"\\\"\\\\\""},
        {"utf-8 stays", SPAN_INIT("Gr\xc3\xbc\xc3\x9f"), "k=\"Gr\xc3\xbc\xc3\x9f\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct log_line l = log_begin(LOG_ERROR, "test");
        log_span(&l, "k", rows[i].value);
        struct span line = span_make(l.text, l.len);
        CHECK(rows[i].name, span_ends(line, span_of(rows[i].want)));
    }
}

static void lines_are_bounded(void **state)
{
    (void)state;
    struct log_line l = log_begin(LOG_ERROR, "test");
    static char big[8192];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = '\n';
    for (int i = 0; i < 4; i++)
        log_span(&l, "k", span_make(big, sizeof big));
    assert_true(l.len < LOG_LINE_MAX);
    l = log_begin(LOG_DEBUG, "below the threshold");
    log_int(&l, "n", 1);
    assert_true(l.off);
    assert_int_equal(l.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_cannot_forge), cmocka_unit_test(lines_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
