/* test_grant_usage.c: uses of entries: counted, printed and read back, bounded, and kept in a file. */
#include "check.h"
#include "role/common/grant_usage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_use(const char *row, struct grant_usage *u, const char *entry, int64_t last_ms, uint64_t count)
{
    int64_t last = -1;
    uint64_t n = 0;
    CHECK_INT(row, u->view.find(&u->view, span_of(entry), &last, &n), count != 0);
    if (count) {
        CHECK_INT(row, last, last_ms);
        CHECK_INT(row, n, count);
    }
}

static void test_notes(void **state UNUSED)
{
    struct grant_usage u;
    grant_usage_init(&u);
    grant_usage_note(&u, SPAN("b-2"), 1, 50);
    grant_usage_note(&u, SPAN("A-1"), 3, 70);
    grant_usage_note(&u, SPAN("B-2"), 4, 40); /* told late */
    grant_usage_note(&u, SPAN("a-1"), UINT64_MAX, 80);
    grant_usage_note(&u, SPAN(""), 1, 1);
    grant_usage_note(&u, SPAN("a b"), 1, 1);
    grant_usage_note(&u, SPAN("a\n1"), 1, 1);
    grant_usage_note(&u, SPAN("negative"), 1, -1);
    check_use("sum, last", &u, "b-2", 50, 5);
    check_use("the largest", &u, "a-1", 80, INT64_MAX);
    check_use("unknown", &u, "c", 0, 0);
    assert_int_equal(u.count, 2);
    grant_usage_done(&u);
}

static void test_text(void **state UNUSED)
{
    static const struct {
        const char *text, *print;
    } rows[] = {
        {"", ""},
        {"b 2 3\na 1 1\n", "a 1 1\nb 2 3\n"},
        {"a 1 1\na 2 2\n", "a 2 3\n"},
        {"a 1\nb\n\n 1 1\nc 1 1 1\nd x 1\ne 1 -1\nf -1 1\ng 1 1 \nh 99999999999999999999 1\nok 5 6", "ok 5 6\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct grant_usage u;
        struct buf b;
        grant_usage_init(&u);
        buf_init(&b, 1024);
        grant_usage_parse(&u, span_of(rows[i].text));
        grant_usage_print(&u, &b);
        CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].print));
        buf_done(&b);
        grant_usage_done(&u);
    }
}

static void test_bound(void **state UNUSED)
{
    struct grant_usage u;
    char id[32];
    grant_usage_init(&u);
    for (int i = 0; i <= GRANT_USAGE_MAX; i++) {
        snprintf(id, sizeof id, "e-%d", i);
        grant_usage_note(&u, span_of(id), 1, 1000 + i);
    }
    assert_int_equal(u.count, GRANT_USAGE_MAX);
    check_use("the oldest is forgotten", &u, "e-0", 0, 0);
    check_use("the next is not", &u, "e-1", 1001, 1);
    check_use("the newest is there", &u, id, 1000 + GRANT_USAGE_MAX, 1);
    grant_usage_done(&u);
}

static void test_file(void **state UNUSED)
{
    char folder[] = "/tmp/usage-XXXXXX", path[64];
    struct grant_usage u, back;
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/grants.usage", folder);
    grant_usage_init(&u);
    grant_usage_init(&back);
    assert_int_equal(grant_usage_load(&back, folder, &err), ERR_NONE);
    grant_usage_note(&u, SPAN("a-1"), 3, 70);
    assert_int_equal(grant_usage_save(&u, folder, &err), ERR_NONE);
    grant_usage_note(&u, SPAN("b-2"), 1, 80);
    assert_int_equal(grant_usage_save(&u, folder, &err), ERR_NONE);
    assert_int_equal(grant_usage_load(&back, folder, &err), ERR_NONE);
    check_use("kept", &back, "a-1", 70, 3);
    check_use("kept", &back, "b-2", 80, 1);
    unlink(path);
    rmdir(folder);
    assert_int_equal(grant_usage_save(&u, folder, &err), ERR_IO);
    assert_non_null(strstr(err.text, "grants.usage"));
    grant_usage_done(&u);
    grant_usage_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
