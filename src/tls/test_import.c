/* test_import.c: keys, certificates and requests of our own making; files that others made, and broken ones. */
#include "check.h"
#include "tls/test_support.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

static struct buf chain, key;

static int fresh(void **state UNUSED)
{
    buf_init(&chain, 1 << 18);
    buf_init(&key, 1 << 18);
    return 0;
}

static int done(void **state UNUSED)
{
    buf_done(&chain);
    buf_wipe(&key);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- making ---- */

static const struct span two[] = {SPAN_INIT("mail.test"), SPAN_INIT("*.mail.test")};

static void test_make(void **state UNUSED)
{
    static const struct {
        const char *row;
        struct tls_make make;
        const char *subject, *key; /* NULL: refused */
        const char *error;
    } rows[] = {
        {"plain", {.names = two, .count = 2}, "CN=mail.test", "ECDSA 256", NULL},
        {"P-384", {.names = two, .count = 2, .key = TLS_KEY_ECDSA_P384}, "CN=mail.test", "ECDSA 384", NULL},
        {"RSA", {.names = two, .count = 1, .key = TLS_KEY_RSA, .rsa_bits = 2048}, "CN=mail.test", "RSA 2048", NULL},
        {"subject",
         {.names = two, .count = 1, .subject = SPAN_INIT("C=US, O=A\\, B, cn=x.test")},
         "C=US,O=A\\, B,CN=x.test",
         "ECDSA 256",
         NULL},
        {"no name", {.names = two, .count = 0}, NULL, NULL, "1 to 100 names"},
        {"short RSA", {.names = two, .count = 1, .key = TLS_KEY_RSA, .rsa_bits = 1024}, NULL, NULL, "2048 to"},
        {"long RSA", {.names = two, .count = 1, .key = TLS_KEY_RSA, .rsa_bits = 16384}, NULL, NULL, "to 8192"},
        {"unknown attribute", {.names = two, .count = 1, .subject = SPAN_INIT("X=1")}, NULL, NULL, "understood"},
        {"no attribute", {.names = two, .count = 1, .subject = SPAN_INIT("mail")}, NULL, NULL, "understood"},
        {"empty value", {.names = two, .count = 1, .subject = SPAN_INIT("CN=")}, NULL, NULL, "understood"},
        {"long country", {.names = two, .count = 1, .subject = SPAN_INIT("C=USA")}, NULL, NULL, "understood"},
        {"control", {.names = two, .count = 1, .subject = SPAN_INIT("O=a\nb")}, NULL, NULL, "understood"},
        {"no UTF-8", {.names = two, .count = 1, .subject = SPAN_INIT("O=\xff")}, NULL, NULL, "understood"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_make m = rows[i].make;
        struct err err = {0};
        struct tls_identity *id = NULL;
        struct tls_facts facts;
        struct arena arena;
        m.now_ms = TEST_NOW;
        m.days = 10;
        buf_clear(&chain);
        buf_clear(&key);
        enum err_code code = tls_make_certificate(&m, &chain, &key, &err);
        if (!rows[i].subject) {
            CHECK(rows[i].row, code != ERR_NONE && has(err.text, rows[i].error));
            CHECK_INT(rows[i].row, chain.len + key.len, 0);
            continue;
        }
        CHECK_INT(rows[i].row, code, ERR_NONE);
        CHECK_INT(rows[i].row, tls_identity_load(buf_span(&chain), buf_span(&key), &id, &err), ERR_NONE);
        arena_init(&arena, 0);
        CHECK_INT(rows[i].row, tls_identity_facts(id, &arena, &facts, &err), ERR_NONE);
        CHECK_SPAN(rows[i].row, facts.subject, span_of(rows[i].subject));
        CHECK_SPAN(rows[i].row, facts.key, span_of(rows[i].key));
        CHECK_INT(rows[i].row, facts.name_count, m.count);
        CHECK_INT(rows[i].row, tls_identity_not_after(id), TEST_NOW + 10 * TEST_DAY);
        arena_clear(&arena);
        tls_identity_free(id);
    }
}

static void test_request(void **state UNUSED)
{
    struct tls_make m = {.names = two, .count = 2};
    struct buf other;
    struct err err = {0};
    buf_init(&other, 1 << 16);
    assert_int_equal(tls_make_request(&m, &chain, &key, &err), ERR_NONE);
    BIO *bio = BIO_new_mem_buf(chain.ptr, (int)chain.len);
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);

    /* An authority's answer has the request's public key; any other certificate has not. */
    X509 *answer = X509_new();
    X509_set_version(answer, X509_VERSION_3);
    X509_set_pubkey(answer, X509_REQ_get0_pubkey(request));
    ASN1_TIME_set(X509_getm_notBefore(answer), 0);
    ASN1_TIME_set(X509_getm_notAfter(answer), 86400);
    EVP_PKEY *authority = EVP_EC_gen("P-256");
    assert_true(X509_sign(answer, authority, EVP_sha256()) > 0);
    assert_true(tls_print_certificate(answer, &other));
    struct tls_identity *id = NULL, *stranger = test_self_signed("mail.test", TEST_NOW);
    assert_int_equal(tls_identity_load_public(buf_span(&other), &id, &err), ERR_NONE);
    assert_true(tls_identity_answers(id, buf_span(&chain)));
    assert_false(tls_identity_answers(stranger, buf_span(&chain)));
    assert_false(tls_identity_answers(id, SPAN("")));
    assert_false(tls_identity_answers(id, span_head(buf_span(&chain), 200)));
    tls_identity_free(id);
    tls_identity_free(stranger);
    X509_free(answer);
    X509_REQ_free(request);
    EVP_PKEY_free(authority);
    BIO_free(bio);
    buf_done(&other);
}

/* ---- reading ---- */

static struct span pem_of(BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    return span_make(p, (size_t)n);
}

/* All bytes of a PKCS#12 with one certificate, its key and the authority. */
static struct span make_pkcs12_with(const struct tls_identity *id, const char *password, int iterations,
                                    int mac_iterations, BIO *to)
{
    STACK_OF(X509) *others = tls_read_certificates(test_authority(), NULL);
    PKCS12 *p12 = PKCS12_create(password, "x", id->key, id->leaf, others, 0, 0, iterations, mac_iterations, 0);
    assert_non_null(p12);
    assert_int_equal(i2d_PKCS12_bio(to, p12), 1);
    PKCS12_free(p12);
    sk_X509_pop_free(others, X509_free);
    return pem_of(to);
}

static struct span make_pkcs12(const struct tls_identity *id, const char *password, int mac_iterations, BIO *to)
{
    return make_pkcs12_with(id, password, 2048, mac_iterations, to);
}

static struct tls_identity *take(const char *row, struct span file, const char *password)
{
    struct err err = {0};
    struct tls_identity *id = NULL;
    bool has_key = false;
    buf_clear(&chain);
    buf_clear(&key);
    enum err_code code = tls_read_certificate_file(file, span_of(password), &chain, &key, &has_key, &err);
    if (code)
        print_error("row `%s`: %s\n", row, err.text);
    CHECK_INT(row, code, ERR_NONE);
    CHECK(row, has_key);
    CHECK_INT(row, tls_identity_load(buf_span(&chain), buf_span(&key), &id, &err), ERR_NONE);
    return id;
}

static void test_pkcs12(void **state UNUSED)
{
    struct tls_identity *id = test_issued("mail.test", TEST_NOW, true, false);
    BIO *good = BIO_new(BIO_s_mem()), *empty = BIO_new(BIO_s_mem()), *costly = BIO_new(BIO_s_mem());
    struct span file = make_pkcs12(id, "pw\xc3\xa9", 2048, good);
    struct tls_identity *back = take("good", file, "pw\xc3\xa9");
    assert_int_equal(sk_X509_num(back->chain), 1);
    CHECK_SPAN("the same", tls_identity_thumbprint(back), tls_identity_thumbprint(id));
    tls_identity_free(back);
    back = take("no password", make_pkcs12(id, "", 2048, empty), "");
    tls_identity_free(back);

    struct span many = make_pkcs12(id, "x", 1000001, costly);
    BIO *late = BIO_new(BIO_s_mem());
    struct span slow = make_pkcs12_with(id, "x", 1000001, 1, late);
    char *broken = malloc(file.len);
    assert_non_null(broken);
    memcpy(broken, file.ptr, file.len);
    broken[file.len / 2] ^= 1;
    const struct {
        const char *row;
        struct span file;
        const char *password;
        enum err_code code;
        const char *says;
    } rows[] = {
        {"wrong password", file, "other", ERR_DENIED, "password"},
        {"none given", file, "", ERR_DENIED, "password"},
        {"iterations of the integrity check", many, "x", ERR_LIMIT, "iterations"},
        {"iterations of the encryption", slow, "x", ERR_LIMIT, "iterations"},
        {"damaged", span_make(broken, file.len), "pw\xc3\xa9", ERR_DENIED, "password"},
        {"cut", span_head(file, file.len / 2), "pw\xc3\xa9", ERR_INVALID, "neither PEM"},
        {"empty", SPAN(""), "", ERR_INVALID, "empty"},
        {"text", SPAN("hello"), "", ERR_INVALID, "neither PEM"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        bool has_key = false;
        buf_clear(&chain);
        buf_clear(&key);
        enum err_code code =
            tls_read_certificate_file(rows[i].file, span_of(rows[i].password), &chain, &key, &has_key, &err);
        CHECK_INT(rows[i].row, code, rows[i].code);
        CHECK(rows[i].row, has(err.text, rows[i].says));
        CHECK_INT(rows[i].row, chain.len + key.len, 0);
        CHECK_INT(rows[i].row, ERR_peek_error(), 0);
    }
    free(broken);
    tls_identity_free(id);
    BIO_free(good);
    BIO_free(empty);
    BIO_free(costly);
    BIO_free(late);
}

/* The leaf is found whatever the order, and the key may be encrypted. */
static void test_pem(void **state UNUSED)
{
    struct tls_identity *id = test_issued("mail.test", TEST_NOW, false, false), *back;
    struct buf file;
    struct err err = {0};
    bool has_key;
    BIO *secret = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(secret, id->key, EVP_aes_256_cbc(), (const unsigned char *)"pass", 4, NULL, NULL);
    buf_init(&file, 1 << 16);
    assert_true(tls_print_key(id->key, &file));
    buf_add(&file, test_authority());
    assert_true(tls_print_certificate(id->leaf, &file));
    back = take("key, authority, leaf", buf_span(&file), "");
    CHECK_SPAN("leaf", tls_identity_thumbprint(back), tls_identity_thumbprint(id));
    tls_identity_free(back);

    buf_clear(&file);
    assert_true(tls_print_certificate(id->leaf, &file));
    size_t certificate = file.len;
    buf_add(&file, pem_of(secret));
    back = take("encrypted key", buf_span(&file), "pass");
    tls_identity_free(back);

    struct tls_identity *other = test_self_signed("other.test", TEST_NOW);
    struct buf stranger;
    buf_init(&stranger, 1 << 16);
    assert_true(tls_print_certificate(other->leaf, &stranger) && tls_print_key(id->key, &stranger));
    const struct {
        const char *row;
        struct span file;
        const char *password;
        enum err_code code;
        const char *says;
    } rows[] = {
        {"no pass phrase", buf_span(&file), "", ERR_DENIED, "needs the password"},
        {"another pass phrase", buf_span(&file), "wrong", ERR_DENIED, "does not open"},
        {"a key cut off", span_head(buf_span(&file), file.len - 40), "pass", ERR_INVALID, "cannot be read"},
        {"a certificate cut off", span_head(buf_span(&file), 100), "", ERR_INVALID, "certificate"},
        {"only a key", span_from(buf_span(&stranger), stranger.len - 241), "", ERR_INVALID, ""},
        {"the key of another", buf_span(&stranger), "", ERR_INVALID, "fits none"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&chain);
        buf_clear(&key);
        enum err_code code =
            tls_read_certificate_file(rows[i].file, span_of(rows[i].password), &chain, &key, &has_key, &err);
        CHECK_INT(rows[i].row, code, rows[i].code);
        CHECK(rows[i].row, has(err.text, rows[i].says));
        CHECK_INT(rows[i].row, chain.len + key.len, 0);
    }
    buf_clear(&chain);
    assert_int_equal(
        tls_read_certificate_file(span_head(buf_span(&file), certificate), SPAN(""), &chain, &key, &has_key, &err),
        ERR_NONE);
    assert_false(has_key);
    assert_int_equal(key.len, 0);
    buf_done(&stranger);
    buf_done(&file);
    tls_identity_free(id);
    tls_identity_free(other);
    BIO_free(secret);
}

static int finish(void **state UNUSED)
{
    test_support_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_make, fresh, done),
        cmocka_unit_test_setup_teardown(test_request, fresh, done),
        cmocka_unit_test_setup_teardown(test_pkcs12, fresh, done),
        cmocka_unit_test_setup_teardown(test_pem, fresh, done),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
