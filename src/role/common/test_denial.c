/* Codes of refusals, their records in the ring, and the view over a ring in a folder of the test's own. */
#include "check.h"

#include "role/common/denial.h"
#include "store/ring/ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void codes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } rows[] = {
        {"mr-0123abcd", true},  {"MR-0123ABCD", true},  {"mr-0123abc", false},  {"mr-0123abcde", false},
        {"mr-0123abcl", false}, {"mr-0123ab d", false}, {"xx-0123abcd", false}, {"", false},
    };
    struct buf b;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].text, denial_is_code(span_of(rows[i].text)), rows[i].is);
    for (uint64_t i = 0; i < 64; i++) {
        buf_init(&b, 64);
        denial_print_code(&b, i * UINT64_C(0x9e3779b97f4a7c15));
        assert_true(denial_is_code(buf_span(&b)));
        buf_done(&b);
    }
}

/* However long its fields are, a record fits, and its beginning is what was said. */
static void records_fit(void **state)
{
    (void)state;
    static char text[EVENT_FIELD_MAX];
    struct event e = {.kind = EVENT_DENIAL, .at_ms = 1795000000123}, back;
    struct arena a;
    struct buf b;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < DENIAL_FIELDS; i++)
        e.field[i] = span_make(text, sizeof text);
    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    denial_put(&b, &e);
    assert_true(b.len <= RING_RECORD_MAX);
    assert_true(denial_get(buf_span(&b), &back));
    assert_true(back.at_ms == e.at_ms);
    assert_true(back.field[DENIAL_TRACE].len > 1000);
    struct record *r = denial_record(&back, &a);
    assert_non_null(r);
    CHECK_SPAN("code", record_string(r, SPAN("Code")), back.field[DENIAL_CODE]);
    CHECK_SPAN("trace", record_string(r, SPAN("Trace")), back.field[DENIAL_TRACE]);
    for (size_t cut = 0; cut < b.len; cut += 7)
        assert_false(denial_get(span_head(buf_span(&b), cut), &back));
    arena_clear(&a);
    buf_done(&b);
}

static bool count(void *context, const struct record *r)
{
    size_t *n = context;
    assert_true(span_starts(record_string(r, SPAN("Code")), SPAN("mr-")));
    return ++*n < 3;
}

static void view(void **state)
{
    (void)state;
    char folder[] = "/tmp/mailreeve-denials-XXXXXX", path[256], log[256];
    struct denials d;
    struct ring *ring;
    struct buf b;
    size_t n = 0;
    assert_non_null(mkdtemp(folder));
    denials_init(&d, folder);
    assert_int_equal(d.view.visit(&d.view, count, &n, NULL), ERR_NONE); /* there is no file yet */
    assert_int_equal(n, 0);
    assert_true(denials_path(folder, path, sizeof path));
    snprintf(log, sizeof log, "%s/log", folder);
    assert_int_equal(mkdir(log, 0700), 0);
    assert_int_equal(ring_open(path, 10, &ring, NULL), ERR_NONE);
    buf_init(&b, 8192);
    for (int i = 0; i < 5; i++) {
        struct event e = {.kind = EVENT_DENIAL, .field[DENIAL_CODE] = SPAN("mr-0123abcd")};
        buf_clear(&b);
        denial_put(&b, &e);
        assert_int_equal(ring_add(ring, e.field[DENIAL_CODE], buf_span(&b), NULL), ERR_NONE);
    }
    assert_int_equal(ring_add(ring, SPAN("mr-0123abcd"), SPAN("no record"), NULL), ERR_NONE); /* passed over */
    assert_int_equal(d.view.visit(&d.view, count, &n, NULL), ERR_NONE);
    assert_int_equal(n, 3);
    ring_close(ring);
    buf_done(&b);
    unlink(path);
    rmdir(log);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(codes), cmocka_unit_test(records_fit),
                                       cmocka_unit_test(view)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
