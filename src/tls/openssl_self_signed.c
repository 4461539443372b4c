/*
 * openssl_self_signed.c: the certificate with which a new installation can offer TLS from its first minute.
 *
 * Names go into the certificate as objects, never through OpenSSL's configuration syntax, so no name can add
 * anything but itself.
 */
#include "base/ip.h"
#include "tls/openssl.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { COMMON_NAME_MAX = 64, HOST_NAME_MAX_LEN = 253, NAMES_MAX = 100, SERIAL_BITS = 159 };

static bool name_ok(struct span name)
{
    return name.len > 0 && name.len <= HOST_NAME_MAX_LEN && span_is_printable_ascii(name) &&
           span_find(name, ' ') == SIZE_MAX;
}

static GENERAL_NAME *general_name(struct span name)
{
    struct ip_addr addr;
    bool is_ip = ip_parse(name, &addr);
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_STRING *text = is_ip ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    int ok = 0;
    if (general && text) {
        if (!is_ip)
            ok = ASN1_STRING_set(text, name.ptr, (int)name.len);
        else if (ip_is_v4(addr))
            ok = ASN1_STRING_set(text, addr.bytes + 12, 4);
        else
            ok = ASN1_STRING_set(text, addr.bytes, 16);
    }
    if (!ok) {
        GENERAL_NAME_free(general);
        ASN1_STRING_free(text);
        return NULL;
    }
    GENERAL_NAME_set0_value(general, is_ip ? GEN_IPADD : GEN_DNS, text);
    return general;
}

static bool add_names(X509 *cert, const struct span *names, size_t count)
{
    GENERAL_NAMES *san = GENERAL_NAMES_new();
    bool ok = san != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        GENERAL_NAME *general = general_name(names[i]);
        ok = general && sk_GENERAL_NAME_push(san, general);
        if (general && !ok)
            GENERAL_NAME_free(general);
    }
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, san, 0, X509V3_ADD_APPEND) == 1;
    GENERAL_NAMES_free(san);
    if (!ok)
        return false;
    if (names[0].len > COMMON_NAME_MAX) /* RFC 5280's upper bound; the SAN is what counts */
        return true;
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                      (const unsigned char *)names[0].ptr, (int)names[0].len, -1, 0) == 1;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool add_serial(X509 *cert)
{
    BIGNUM *serial = BN_new();
    bool ok = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;
    BN_free(serial);
    return ok;
}

static bool fill(X509 *cert, EVP_PKEY *key, const struct span *names, size_t count, int64_t now_ms, unsigned days)
{
    time_t from = (time_t)(now_ms / 1000);
    time_t until = from + (time_t)days * 86400;
    return X509_set_version(cert, X509_VERSION_3) == 1 && add_serial(cert) &&
           ASN1_TIME_set(X509_getm_notBefore(cert), from) && ASN1_TIME_set(X509_getm_notAfter(cert), until) &&
           X509_set_pubkey(cert, key) == 1 && add_names(cert, names, count) &&
           X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* Appends what a BIO in secure or ordinary memory has gathered. */
static bool take(BIO *bio, struct buf *out)
{
    char *bytes = NULL;
    long n = BIO_get_mem_data(bio, &bytes);
    if (n <= 0)
        return false;
    buf_add(out, span_make(bytes, (size_t)n));
    return !out->failed;
}

enum err_code tls_make_self_signed(const struct span *names, size_t count, int64_t now_ms, unsigned days,
                                   struct buf *chain_pem, struct buf *key_pem, struct err *err)
{
    if (count == 0 || count > NAMES_MAX)
        return err_set(err, ERR_INVALID, "a certificate needs 1 to %d names", NAMES_MAX);
    for (size_t i = 0; i < count; i++)
        if (!name_ok(names[i]))
            return err_set(err, ERR_INVALID, "a certificate name must be a host name of 1 to %d ASCII characters",
                           HOST_NAME_MAX_LEN);
    size_t chain_len = chain_pem->len, key_len = key_pem->len;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    bool ok = key && cert && cert_bio && key_bio && fill(cert, key, names, count, now_ms, days) &&
              PEM_write_bio_X509(cert_bio, cert) == 1 &&
              PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 && take(cert_bio, chain_pem) &&
              take(key_bio, key_pem);
    enum err_code code = ERR_NONE;
    if (!ok) {
        chain_pem->len = chain_len;
        key_pem->len = key_len;
        code = tls_openssl_err(err, ERR_INTERNAL, "no self-signed certificate can be made");
    }
    BIO_free(key_bio);
    BIO_free(cert_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return code;
}
