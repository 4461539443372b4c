/* Arenas, buffers, cursors, secrets, errors: their ceilings and their sticky failures. */
#include "check.h"

#include "base/arena.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/secret.h"

#include <string.h>

static void arena_has_a_ceiling(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 16 * 1024);
    size_t n = 0;
    while (arena_alloc(&a, 100))
        n++;
    assert_true(n > 100 && n < 16 * 1024 / 100);
    assert_true(a.used <= a.max);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    arena_reset(&a);
    char *p = arena_alloc(&a, 64);
    assert_non_null(p);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(p[i], 0); /* zeroed also after reuse */
    assert_int_equal((uintptr_t)p % 16, 0);
    CHECK_SPAN("printf", arena_printf(&a, "%s-%d", "x", 7), SPAN("x-7"));
    arena_clear(&a);
    assert_int_equal(a.used, 0);
}

static void buf_overflow_is_sticky(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    buf_add(&b, SPAN("12345678"));
    assert_false(b.failed);
    buf_add_char(&b, '9');
    assert_true(b.failed);
    CHECK_SPAN("unchanged", buf_span(&b), SPAN("12345678"));
    buf_consume(&b, 8);
    buf_add(&b, SPAN("x"));
    assert_int_equal(b.len, 0); /* still failed */
    buf_clear(&b);
    buf_addf(&b, "%d", 1234567);
    assert_false(b.failed);
    CHECK_SPAN("format", buf_span(&b), SPAN("1234567"));
    buf_consume(&b, 3);
    CHECK_SPAN("consume", buf_span(&b), SPAN("4567"));
    buf_done(&b);
}

static void cursor_reads_what_was_put(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 256);
    put_u8(&b, 0xfe);
    put_u16(&b, 0xfedc);
    put_u32(&b, 0xfedcba98);
    put_u64(&b, UINT64_C(0xfedcba9876543210));
    put_bool(&b, true);
    put_bytes(&b, SPAN("text"));
    struct cursor c = cursor_of(buf_span(&b));
    assert_int_equal(cursor_u8(&c), 0xfe);
    assert_int_equal(cursor_u16(&c), 0xfedc);
    assert_int_equal(cursor_u32(&c), 0xfedcba98);
    assert_true(cursor_u64(&c) == UINT64_C(0xfedcba9876543210));
    assert_true(cursor_bool(&c));
    CHECK_SPAN("bytes", cursor_bytes(&c, 4), SPAN("text"));
    assert_true(cursor_done(&c));
    for (size_t cut = 0; cut < b.len; cut++) { /* every truncation is noticed */
        c = cursor_of(span_head(buf_span(&b), cut));
        cursor_u8(&c), cursor_u16(&c), cursor_u32(&c), cursor_u64(&c), cursor_bool(&c), cursor_bytes(&c, 4);
        assert_false(cursor_ok(&c));
        assert_int_equal(cursor_u64(&c), 0);
    }
    c = cursor_of(buf_span(&b));
    assert_false(cursor_done(&c)); /* bytes left */
    c = cursor_of(SPAN("\2"));
    cursor_bool(&c);
    assert_false(cursor_ok(&c));
    c = cursor_of(SPAN("\5\0\0\0hello"));
    cursor_bytes(&c, 4); /* longer than allowed */
    assert_false(cursor_ok(&c));
    buf_done(&b);
}

static void secrets_compare(void **state)
{
    (void)state;
    struct secret s;
    secret_init(&s, 16);
    assert_true(secret_set(&s, SPAN("pass\0word")));
    assert_true(secret_equal(secret_reveal(&s), SPAN("pass\0word")));
    assert_false(secret_equal(secret_reveal(&s), SPAN("pass\0worD")));
    assert_false(secret_equal(secret_reveal(&s), SPAN("pass")));
    assert_false(secret_set(&s, SPAN("longer than sixteen")));
    assert_true(secret_set(&s, SPAN("")));
    assert_int_equal(secret_reveal(&s).len, 0);
    secret_done(&s);
}

static void errors_are_cut_at_a_character(void **state)
{
    (void)state;
    struct err e;
    char text[600];
    memset(text, 'x', sizeof text);
    memcpy(text + 502, "\xc3\xbc", 2); /* the cut falls into this character */
    text[599] = '\0';
    assert_int_equal(err_set(&e, ERR_LIMIT, "%s", text), ERR_LIMIT);
    assert_int_equal(strlen(e.text), 502);
    assert_int_equal(err_set(NULL, ERR_DENIED, "x"), ERR_DENIED);
    err_errno(&e, 2, "cannot open %s", "f");
    CHECK_STR("errno", e.text, "cannot open f: No such file or directory");
    for (unsigned i = 0; i < ERR_CODE_MAX; i++)
        assert_non_null(err_code_name((enum err_code)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_has_a_ceiling), cmocka_unit_test(buf_overflow_is_sticky),
        cmocka_unit_test(cursor_reads_what_was_put), cmocka_unit_test(secrets_compare),
        cmocka_unit_test(errors_are_cut_at_a_character)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
