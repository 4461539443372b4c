/* test_support.c: an authority, its certificates, and a wire of two buffers. */
#include "tls/test_support.h"

#include "check.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

static EVP_PKEY *authority_key;
static X509 *authority;
static char authority_pem[4096];
static size_t authority_len;

struct tls_identity *test_self_signed(const char *name, int64_t now_ms)
{
    struct buf chain, key;
    struct err err = {0};
    struct tls_identity *id = NULL;
    struct span names[] = {span_of(name)};
    buf_init(&chain, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_int_equal(tls_make_self_signed(names, 1, now_ms, 365, &chain, &key, &err), ERR_NONE);
    assert_int_equal(tls_identity_load(buf_span(&chain), buf_span(&key), &id, &err), ERR_NONE);
    buf_done(&chain);
    buf_wipe(&key);
    return id;
}

static X509 *certificate(const char *name, EVP_PKEY *key, int64_t now_ms)
{
    X509 *x = X509_new();
    assert_non_null(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_ms / 1000));
    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_ms / 1000) + 365 * 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_pubkey(x, key);
    return x;
}

static void extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

static struct span pem_of(BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    return span_make(p, (size_t)n);
}

static void make_authority(void)
{
    authority_key = EVP_EC_gen("P-256");
    authority = certificate("Test Authority", authority_key, TEST_NOW - 3650 * TEST_DAY);
    ASN1_TIME_set(X509_getm_notAfter(authority), (time_t)(TEST_NOW / 1000) + 3650 * 86400);
    extend(authority, NID_basic_constraints, "critical,CA:TRUE");
    X509_set_issuer_name(authority, X509_get_subject_name(authority));
    assert_true(X509_sign(authority, authority_key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, authority);
    struct span pem = pem_of(bio);
    assert_true(pem.len < sizeof authority_pem);
    memcpy(authority_pem, pem.ptr, pem.len);
    authority_len = pem.len;
    BIO_free(bio);
}

struct span test_authority(void)
{
    if (!authority)
        make_authority();
    return span_make(authority_pem, authority_len);
}

struct tls_identity *test_issued(const char *name, int64_t now_ms, bool rsa, bool cn_only)
{
    test_authority();
    EVP_PKEY *key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *x = certificate(name, key, now_ms);
    char san[300];
    snprintf(san, sizeof san, "DNS:%s", name);
    if (!cn_only)
        extend(x, NID_subject_alt_name, san);
    X509_set_issuer_name(x, X509_get_subject_name(authority));
    assert_true(X509_sign(x, authority_key, EVP_sha256()) > 0);
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert_bio, x);
    PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
    struct tls_identity *id = NULL;
    struct err err = {0};
    assert_int_equal(tls_identity_load(pem_of(cert_bio), pem_of(key_bio), &id, &err), ERR_NONE);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(x);
    EVP_PKEY_free(key);
    return id;
}

size_t test_tlsa_data(const struct tls_identity *id, int selector, int matching, char *out, size_t cap)
{
    test_authority();
    unsigned char *der = NULL, *to = (unsigned char *)out;
    X509 *x = id ? id->leaf : authority;
    int len = selector ? i2d_PUBKEY(X509_get0_pubkey(x), &der) : i2d_X509(x, &der);
    unsigned n = 0;
    assert_true(len > 0 && (size_t)len <= cap && cap >= EVP_MAX_MD_SIZE);
    if (matching == 0)
        memcpy(out, der, n = (unsigned)len);
    else
        EVP_Digest(der, (size_t)len, to, &n, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL);
    OPENSSL_free(der);
    return n;
}

void test_support_done(void)
{
    X509_free(authority);
    EVP_PKEY_free(authority_key);
    authority = NULL;
    authority_key = NULL;
}

void test_exchange(struct tls_conn *client, struct tls_conn *server, enum tls_status *ret_client,
                   enum tls_status *ret_server)
{
    struct buf wire;
    buf_init(&wire, 8 << 20);
    *ret_client = *ret_server = TLS_OK;
    if (!tls_handshake_done(client))
        *ret_client = tls_input(client, SPAN(""));
    for (int i = 0; i < 20; i++) {
        bool moved = false;
        buf_clear(&wire);
        if (tls_output(client, &wire)) {
            *ret_server = tls_input(server, buf_span(&wire));
            moved = true;
        }
        buf_clear(&wire);
        if (tls_output(server, &wire)) {
            *ret_client = tls_input(client, buf_span(&wire));
            moved = true;
        }
        if (!moved)
            break;
    }
    buf_done(&wire);
}
