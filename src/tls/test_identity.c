/* test_identity.c: reading certificates, which names they serve, and which one is chosen. */
#include "check.h"
#include "tls/test_support.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { CHOICE_MAX = 3 };

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool cn_only;
        const char *host;
        bool want;
    } rows[] = {
        {"mail.example.com", false, "mail.example.com", true},
        {"mail.example.com", false, "MAIL.Example.COM", true},
        {"mail.example.com", false, "mail.example.com.", true},
        {"mail.example.com", false, "example.com", false},
        {"mail.example.com", false, "", false},
        {"mail.example.com", false, "mail.example.com.evil.test", false},
        {"*.example.com", false, "a.example.com", true},
        {"*.example.com", false, "a.b.example.com", false},
        {"*.example.com", false, "example.com", false},
        {"m*.example.com", false, "mail.example.com", false},
        {"mail.example.com", true, "mail.example.com", true},
        {"mail.example.com", true, "other.example.com", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_identity *id = test_issued(rows[i].name, TEST_NOW, false, rows[i].cn_only);
        CHECK_INT(rows[i].host, tls_identity_matches(id, span_of(rows[i].host)), rows[i].want);
        tls_identity_free(id);
    }
    struct tls_identity *id = test_issued("mail.example.com", TEST_NOW, false, false);
    assert_false(tls_identity_matches(id, SPAN("mail.example.com\0.evil.test")));
    tls_identity_free(id);
}

static void test_describe(void **state)
{
    (void)state;
    struct tls_identity *own = test_self_signed("a.example", TEST_NOW);
    struct tls_identity *issued = test_issued("a.example", TEST_NOW + TEST_DAY, false, false);
    assert_int_equal(tls_identity_not_before(own), TEST_NOW);
    assert_int_equal(tls_identity_not_after(own), TEST_NOW + 365 * TEST_DAY);
    assert_true(tls_identity_self_signed(own));
    assert_false(tls_identity_self_signed(issued));
    struct span thumb = tls_identity_thumbprint(own);
    assert_int_equal(thumb.len, 40);
    for (size_t i = 0; i < thumb.len; i++)
        assert_true(ascii_is_digit(thumb.ptr[i]) || (thumb.ptr[i] >= 'A' && thumb.ptr[i] <= 'F'));
    assert_false(span_eq(thumb, tls_identity_thumbprint(issued)));
    static const struct {
        const char *name;
        bool cn_only;
        const char *want;
    } names[] = {
        {"mail.example.com", false, "mail.example.com"},
        {"*.example.com", true, "*.example.com"},
        {"a b.example.com", true, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct tls_identity *id = test_issued(names[i].name, TEST_NOW, false, names[i].cn_only);
        struct buf b;
        buf_init(&b, 1024);
        tls_identity_names(id, &b);
        CHECK_SPAN(names[i].name, buf_span(&b), span_of(names[i].want));
        buf_done(&b);
        tls_identity_free(id);
    }
    tls_identity_free(own);
    tls_identity_free(issued);
    tls_identity_free(NULL);
}

struct candidate {
    const char *name;
    bool issued;
    int from_day; /* relative to now */
};

static void test_choose(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        struct candidate ids[CHOICE_MAX];
        int want; /* index, -1 for none */
    } rows[] = {
        {"none at all", {{0}}, -1},
        {"no name fits", {{"x.test", true, -1}, {"y.test", false, -1}}, -1},
        {"the one that fits", {{"x.test", true, -1}, {"mx.mail.test", true, -1}}, 1},
        {"issued before self-signed though older", {{"mx.mail.test", false, -1}, {"mx.mail.test", true, -9}}, 1},
        {"self-signed when there is nothing else", {{"x.test", true, -1}, {"mx.mail.test", false, -1}}, 1},
        {"newest of issued",
         {{"mx.mail.test", true, -9}, {"mx.mail.test", true, -1}, {"mx.mail.test", true, -5}},
         1},
        {"newest of self-signed", {{"mx.mail.test", false, -1}, {"mx.mail.test", false, -5}}, 0},
        {"not valid yet", {{"mx.mail.test", true, 1}, {"mx.mail.test", true, -5}}, 1},
        {"expired", {{"mx.mail.test", true, -400}, {"mx.mail.test", false, -5}}, 1},
        {"expired alone", {{"mx.mail.test", true, -400}}, -1},
        {"wildcard counts", {{"*.mail.test", true, -1}}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_identity *ids[CHOICE_MAX];
        size_t n = 0;
        for (; n < CHOICE_MAX && rows[i].ids[n].name; n++) {
            const struct candidate *c = &rows[i].ids[n];
            int64_t from = TEST_NOW + c->from_day * TEST_DAY;
            ids[n] = c->issued ? test_issued(c->name, from, false, false) : test_self_signed(c->name, from);
        }
        struct tls_identity *got = tls_identity_choose(ids, n, SPAN("mx.mail.test"), TEST_NOW);
        int index = -1;
        for (size_t k = 0; k < n; k++)
            if (ids[k] == got)
                index = (int)k;
        CHECK_INT(rows[i].row, index, rows[i].want);
        for (size_t k = 0; k < n; k++)
            tls_identity_free(ids[k]);
    }
}

/* PEM of a new key of the given kind. */
static void key_pem(struct buf *out, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char pass[] = "secret", *p = NULL;
    PEM_write_bio_PrivateKey(bio, key, cipher, (unsigned char *)pass, cipher ? 6 : 0, NULL, NULL);
    long n = BIO_get_mem_data(bio, &p);
    buf_add(out, span_make(p, (size_t)n));
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static void test_load_errors(void **state)
{
    (void)state;
    struct buf chain, key, other, locked, small, edwards;
    struct buf *all[] = {&chain, &key, &other, &locked, &small, &edwards};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_init(all[i], 1 << 20);
    struct span names[] = {SPAN("a.test"), SPAN("192.0.2.1"), SPAN("2001:db8::1")};
    assert_int_equal(tls_make_self_signed(names, 3, TEST_NOW, 30, &chain, &key, NULL), ERR_NONE);
    key_pem(&other, EVP_EC_gen("P-256"), NULL);
    key_pem(&locked, EVP_EC_gen("P-256"), EVP_aes_128_cbc());
    key_pem(&small, EVP_RSA_gen(1024), NULL);
    key_pem(&edwards, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
    struct span good = buf_span(&chain);
    const struct {
        const char *row;
        struct span chain, key;
        const char *says;
    } rows[] = {
        {"no certificate", SPAN(""), buf_span(&key), "no certificate"},
        {"text", SPAN("hello\n"), buf_span(&key), "no certificate"},
        {"broken certificate", span_head(good, good.len - 60), buf_span(&key), "cannot be read"},
        {"no key", good, SPAN(""), "no private key"},
        {"a certificate as key", good, good, "no private key"},
        {"another's key", good, buf_span(&other), "does not fit"},
        {"encrypted key", good, buf_span(&locked), "encrypted"},
        {"short RSA", good, buf_span(&small), "1024 bits"},
        {"Ed25519", good, buf_span(&edwards), "neither ECDSA nor RSA"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_identity *id = NULL;
        struct err err = {0};
        CHECK_INT(rows[i].row, tls_identity_load(rows[i].chain, rows[i].key, &id, &err), ERR_INVALID);
        CHECK_INT(rows[i].row, err.code, ERR_INVALID);
        CHECK(rows[i].row, id == NULL);
        CHECK(err.text, strstr(err.text, rows[i].says) != NULL);
    }
    struct tls_identity *id = NULL;
    assert_int_equal(tls_identity_load(good, buf_span(&key), &id, NULL), ERR_NONE);
    tls_identity_free(id);
    id = NULL;
    assert_int_equal(tls_identity_load_public(good, &id, NULL), ERR_NONE); /* without its key */
    tls_identity_free(id);
    assert_int_equal(tls_identity_load_public(SPAN("none"), &id, NULL), ERR_INVALID);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_wipe(all[i]);
}

static void test_self_signed_names(void **state)
{
    (void)state;
    char longest[254];
    memset(longest, 'a', sizeof longest);
    const struct {
        const char *row;
        struct span name;
        enum err_code want;
    } rows[] = {
        {"longest", {longest, 253}, ERR_NONE},
        {"one too long", {longest, 254}, ERR_INVALID},
        {"empty", SPAN(""), ERR_INVALID},
        {"blank", SPAN("a b"), ERR_INVALID},
        {"comma adds nothing", SPAN("a.test,DNS:evil.test"), ERR_NONE},
        {"newline", SPAN("a\nb"), ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf chain, key;
        buf_init(&chain, 1 << 16);
        buf_init(&key, 1 << 16);
        CHECK_INT(rows[i].row, tls_make_self_signed(&rows[i].name, 1, TEST_NOW, 1, &chain, &key, NULL),
                  rows[i].want);
        struct tls_identity *id = NULL;
        if (rows[i].want == ERR_NONE) {
            CHECK_INT(rows[i].row, tls_identity_load(buf_span(&chain), buf_span(&key), &id, NULL), ERR_NONE);
            CHECK(rows[i].row, !tls_identity_matches(id, SPAN("evil.test")));
        }
        tls_identity_free(id);
        buf_done(&chain);
        buf_wipe(&key);
    }
    struct buf tiny, key;
    buf_init(&tiny, 10);
    buf_init(&key, 1 << 16);
    struct span name = SPAN("a.test");
    assert_int_equal(tls_make_self_signed(&name, 1, TEST_NOW, 1, &tiny, &key, NULL), ERR_INTERNAL);
    assert_int_equal(key.len, 0);
    buf_done(&tiny);
    buf_done(&key);
}

static int teardown(void **state)
{
    (void)state;
    test_support_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),     cmocka_unit_test(test_describe),          cmocka_unit_test(test_choose),
        cmocka_unit_test(test_load_errors), cmocka_unit_test(test_self_signed_names),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
