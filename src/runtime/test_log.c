/* The log: what a hostile value can and cannot do to a line. */
#include "check.h"

#include "runtime/log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* What is in the file that the log goes to. */
static size_t read_log(char *out, size_t cap)
{
    ssize_t n = pread(STDERR_FILENO, out, cap - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    return (size_t)n;
}

static void tell(enum log_level level, const char *event)
{
    struct log_line l = log_begin(level, event);
    log_end(&l);
}

static void lines_are_gathered(void **state)
{
    (void)state;
    static char text[256 * 1024];
    int old = dup(STDERR_FILENO), file = memfd_create("log", 0);
    assert_true(old >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    log_init("test");
    tell(LOG_INFO, "before");
    size_t before = read_log(text, sizeof text);
    log_gather();
    tell(LOG_INFO, "first");
    tell(LOG_INFO, "second");
    size_t gathered = read_log(text, sizeof text);
    tell(LOG_WARNING, "third");
    size_t warned = read_log(text, sizeof text);
    const char *first = strstr(text, "event=first\n"), *second = strstr(text, "event=second\n"),
               *third = strstr(text, "event=third\n");
    bool in_order = first && second && third && first < second && second < third;
    tell(LOG_INFO, "fourth");
    size_t again = read_log(text, sizeof text);
    log_flush();
    bool flushed = read_log(text, sizeof text) > again && strstr(text, "event=fourth\n");
    for (size_t i = 0; i < 1000; i++)
        tell(LOG_INFO, "many");
    size_t many = read_log(text, sizeof text);
    dup2(old, STDERR_FILENO);
    log_init("test");
    close(old);
    close(file);
    assert_true(before > 0);
    assert_int_equal(gathered, before);
    assert_true(warned > before && in_order);
    assert_int_equal(again, warned);
    assert_true(flushed);
    assert_true(many > warned + 10000); /* what is gathered is bounded */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_cannot_forge), cmocka_unit_test(lines_are_bounded),
                                       cmocka_unit_test(lines_are_gathered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
