/* test_line_ends.c: every kind of line end, and that cutting the input anywhere changes nothing. */
#include "check.h"
#include "mail/line_ends.h"

#include "base/buf.h"

static const struct {
    const char *name, *in, *out;
} rows[] = {
    {"nothing", "", ""},
    {"one line", "a", "a\r\n"},
    {"LF", "a\nb\n", "a\r\nb\r\n"},
    {"CRLF", "a\r\nb\r\n", "a\r\nb\r\n"},
    {"CR", "a\rb\r", "a\r\nb\r\n"},
    {"mixed", "a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd\r\n"},
    {"empty lines", "\n\r\n\r", "\r\n\r\n\r\n"},
    {"LF CR is two ends", "a\n\rb", "a\r\n\r\nb\r\n"},
    {"CR CR LF is two ends", "a\r\r\nb\n", "a\r\n\r\nb\r\n"},
    {"a CR at the end", "a\r\nb\r", "a\r\nb\r\n"},
    {"a dot line", ".\n", ".\r\n"},
};

static void add(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static void check(const char *name, struct span in, size_t piece, struct span want)
{
    struct line_ends l = {0};
    struct buf out;
    buf_init(&out, 256);
    for (; in.len; in = span_from(in, piece))
        line_ends_feed(&l, span_head(in, piece), add, &out);
    line_ends_finish(&l, add, &out);
    CHECK_SPAN(name, buf_span(&out), want);
    CHECK(name, !l.behind_cr && !l.in_line);
    buf_done(&out);
}

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct span want = span_of(rows[i].out);
        for (size_t piece = 1; piece < 8; piece++)
            check(rows[i].name, span_of(rows[i].in), piece, want);
        check(rows[i].name, want, 3, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
