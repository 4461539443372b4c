/* test_credentials.c: password hashes and the cache of verified credentials. */
#include "check.h"
#include "directory/credential_cache.h"
#include "directory/password.h"

#include <argon2.h>
#include <string.h>

#define MARKER "m4rk3r-S3cret"

static void test_password(void **state)
{
    (void)state;
    struct buf hash, again;
    buf_init(&hash, PASSWORD_HASH_MAX);
    buf_init(&again, PASSWORD_HASH_MAX);
    assert_int_equal(password_hash(SPAN(MARKER), &hash, NULL), ERR_NONE);
    assert_int_equal(password_hash(SPAN(MARKER), &again, NULL), ERR_NONE);
    assert_true(span_starts(buf_span(&hash), SPAN("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_false(span_eq(buf_span(&hash), buf_span(&again))); /* salted */
    assert_int_equal(password_verify(buf_span(&hash), SPAN(MARKER)), PASSWORD_RIGHT);
    assert_int_equal(password_verify(buf_span(&hash), SPAN(MARKER "x")), PASSWORD_WRONG);
    /* another cost, as a newer or older program may have stored it (of the password "password") */
    char other[PASSWORD_HASH_MAX];
    assert_int_equal(argon2id_hash_encoded(1, 64, 1, "password", 8, "somesalt", 8, 32, other, sizeof other),
                     ARGON2_OK);
    assert_int_equal(password_verify(span_of(other), SPAN("password")), PASSWORD_RIGHT);
    assert_int_equal(password_verify(span_of(other), SPAN("passwore")), PASSWORD_WRONG);
    static const char *const broken[] = {"", "x", "$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$",
                                         "$2b$12$abcdefghijklmnopqrstuv"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        CHECK_INT(broken[i], password_verify(span_of(broken[i]), SPAN("password")), PASSWORD_WRONG);
    buf_wipe(&hash);
    buf_wipe(&again);
}

/* The decoy is read to its end and costs what a new hash costs: only the comparison fails. */
static void test_decoy(void **state)
{
    (void)state;
    struct buf decoy;
    buf_init(&decoy, PASSWORD_HASH_MAX);
    password_decoy(&decoy);
    buf_add_char(&decoy, '\0');
    assert_false(decoy.failed);
    assert_true(span_starts(buf_span(&decoy), SPAN("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_int_equal(argon2id_verify(decoy.ptr, MARKER, strlen(MARKER)), ARGON2_VERIFY_MISMATCH);
    buf_done(&decoy);
}

static void test_password_limits(void **state)
{
    (void)state;
    static char text[PASSWORD_MAX + 1];
    memset(text, 'p', sizeof text);
    const struct {
        const char *row;
        struct span password;
        enum err_code want;
    } rows[] = {
        {"longest", {text, PASSWORD_MAX}, ERR_NONE},
        {"one too long", {text, PASSWORD_MAX + 1}, ERR_INVALID},
        {"empty", SPAN(""), ERR_INVALID},
        {"NUL", SPAN(MARKER "\0x"), ERR_INVALID},
        {"latin-1", SPAN(MARKER "\xe4"), ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf hash;
        struct err err = {0};
        buf_init(&hash, PASSWORD_HASH_MAX);
        CHECK_INT(rows[i].row, password_hash(rows[i].password, &hash, &err), rows[i].want);
        CHECK(rows[i].row, !strstr(err.text, MARKER));
        CHECK_INT(rows[i].row, hash.len > 0, rows[i].want == ERR_NONE);
        buf_done(&hash);
    }
}

static void test_cache(void **state)
{
    (void)state;
    struct credential_cache *c = credential_cache_new(8, 100);
    credential_cache_add(c, SPAN("guid"), SPAN("hash"), SPAN(MARKER), 1000);
    static const struct {
        const char *row;
        struct span guid, hash, password;
        int64_t now;
        bool want;
    } rows[] = {
        {"the same", SPAN_INIT("guid"), SPAN_INIT("hash"), SPAN_INIT(MARKER), 1000, true},
        {"just before the end", SPAN_INIT("guid"), SPAN_INIT("hash"), SPAN_INIT(MARKER), 1099, true},
        {"at the end", SPAN_INIT("guid"), SPAN_INIT("hash"), SPAN_INIT(MARKER), 1100, false},
        {"the clock ran backwards", SPAN_INIT("guid"), SPAN_INIT("hash"), SPAN_INIT(MARKER), 999, false},
        {"another password", SPAN_INIT("guid"), SPAN_INIT("hash"), SPAN_INIT("x"), 1000, false},
        {"the password has changed", SPAN_INIT("guid"), SPAN_INIT("hash2"), SPAN_INIT(MARKER), 1000, false},
        {"another account", SPAN_INIT("guid2"), SPAN_INIT("hash"), SPAN_INIT(MARKER), 1000, false},
        {"parts moved over", SPAN_INIT("guidh"), SPAN_INIT("ash"), SPAN_INIT(MARKER), 1000, false},
        {"empty", SPAN_INIT(""), SPAN_INIT(""), SPAN_INIT(""), 1000, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].row, credential_cache_has(c, rows[i].guid, rows[i].hash, rows[i].password, rows[i].now),
                  rows[i].want);
    credential_cache_add(c, SPAN("other"), SPAN("hash"), SPAN(MARKER), 1000);
    credential_cache_forget(c, SPAN("GUID"));
    assert_false(credential_cache_has(c, SPAN("guid"), SPAN("hash"), SPAN(MARKER), 1000));
    assert_true(credential_cache_has(c, SPAN("other"), SPAN("hash"), SPAN(MARKER), 1000));
    credential_cache_clear(c);
    assert_false(credential_cache_has(c, SPAN("other"), SPAN("hash"), SPAN(MARKER), 1000));
    credential_cache_free(c);
    credential_cache_free(NULL);
}

/* However much goes in, it stays as large as it was made, and the newest is there. */
static void test_cache_bounded(void **state)
{
    (void)state;
    enum { ENTRIES = 16, ADDED = 1000 };
    struct credential_cache *c = credential_cache_new(ENTRIES, 1000000);
    char guid[16];
    int kept = 0;
    for (int i = 0; i < ADDED; i++) {
        snprintf(guid, sizeof guid, "%d", i);
        credential_cache_add(c, span_of(guid), SPAN("hash"), SPAN(MARKER), i);
        CHECK(guid, credential_cache_has(c, span_of(guid), SPAN("hash"), SPAN(MARKER), i));
    }
    for (int i = 0; i < ADDED; i++) {
        snprintf(guid, sizeof guid, "%d", i);
        kept += credential_cache_has(c, span_of(guid), SPAN("hash"), SPAN(MARKER), ADDED);
    }
    assert_true(kept > 0 && kept <= ENTRIES);
    credential_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_password),        cmocka_unit_test(test_decoy),
        cmocka_unit_test(test_password_limits), cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
