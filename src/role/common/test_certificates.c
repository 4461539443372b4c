/* Certificates between manage and the supervisor: round trips, every truncation, counts out of range. */
#include "check.h"

#include "role/common/certificates.h"

static const struct certificate list[] = {
    {.name = SPAN_INIT("a"), .chain = SPAN_INIT("PEM"), .enabled = true},
    {.name = SPAN_INIT("b"), .request = SPAN_INIT("CSR")},
    {.name = SPAN_INIT("c"), .chain = SPAN_INIT("x"), .problem = SPAN_INIT("it does not fit")},
};

static void lists(void **state UNUSED)
{
    struct arena a;
    struct buf b;
    struct certificate *back = NULL;
    size_t count = 0;
    arena_init(&a, 0);
    buf_init(&b, 4096);
    certificates_put_list(&b, list, ARRAY_LEN(list));
    struct cursor c = cursor_of(buf_span(&b));
    assert_true(certificates_get_list(&c, &a, &back, &count));
    assert_int_equal(count, ARRAY_LEN(list));
    for (size_t i = 0; i < count; i++) {
        CHECK_SPAN("name", back[i].name, list[i].name);
        CHECK_SPAN("chain", back[i].chain, list[i].chain);
        CHECK_SPAN("request", back[i].request, list[i].request);
        CHECK_SPAN("problem", back[i].problem, list[i].problem);
        CHECK_INT("enabled", back[i].enabled, list[i].enabled);
    }
    for (size_t cut = 0; cut < b.len; cut++) {
        c = cursor_of(span_head(buf_span(&b), cut));
        assert_false(certificates_get_list(&c, &a, &back, &count));
    }
    buf_clear(&b);
    put_u32(&b, CERTIFICATES_MAX + 1);
    c = cursor_of(buf_span(&b));
    assert_false(certificates_get_list(&c, &a, &back, &count));
    buf_done(&b);
    arena_clear(&a);
}

static void changes(void **state UNUSED)
{
    static const struct certificate_change sent[] = {
        {CERTIFICATE_ADD, SPAN_INIT("a"), SPAN_INIT("PEM"), SPAN_INIT("KEY")},
        {CERTIFICATE_REMOVE, SPAN_INIT("b"), SPAN_INIT(""), SPAN_INIT("")},
    };
    struct certificate_change back[CERTIFICATE_CHANGES_MAX];
    struct buf b;
    size_t count = 0;
    buf_init(&b, 4096);
    certificates_put_changes(&b, sent, ARRAY_LEN(sent));
    assert_int_equal(b.len, certificates_changes_size(sent, ARRAY_LEN(sent)));
    struct cursor c = cursor_of(buf_span(&b));
    assert_true(certificates_get_changes(&c, back, &count));
    assert_int_equal(count, 2);
    CHECK_SPAN("key", back[0].key, SPAN("KEY"));
    CHECK_INT("kind", back[1].kind, CERTIFICATE_REMOVE);
    for (size_t cut = 0; cut < b.len; cut++) {
        c = cursor_of(span_head(buf_span(&b), cut));
        assert_false(certificates_get_changes(&c, back, &count));
    }
    b.ptr[4] = CERTIFICATE_CHANGES;
    c = cursor_of(buf_span(&b));
    assert_false(certificates_get_changes(&c, back, &count));
    buf_clear(&b);
    put_u32(&b, CERTIFICATE_CHANGES_MAX + 1);
    c = cursor_of(buf_span(&b));
    assert_false(certificates_get_changes(&c, back, &count));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
