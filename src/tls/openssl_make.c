/*
 * openssl_make.c: new keys with a self-signed certificate, with which a new installation can offer TLS from its
 * first minute, or with a request to an authority.
 *
 * Names go into the certificate as objects, never through OpenSSL's configuration syntax, so no name can add
 * anything but itself. A key is nowhere written but into the caller's buffer, through memory that is wiped.
 */
#include "base/ip.h"
#include "base/utf8.h"
#include "tls/openssl.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { COMMON_NAME_MAX = 64, HOST_NAME_MAX_LEN = 253, NAMES_MAX = 100, SERIAL_BITS = 159, SUBJECT_MAX = 1024 };

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

static GENERAL_NAMES *san_of(const struct tls_make *m)
{
    GENERAL_NAMES *san = GENERAL_NAMES_new();
    bool ok = san != NULL;
    for (size_t i = 0; ok && i < m->count; i++) {
        GENERAL_NAME *general = general_name(m->names[i]);
        ok = general && sk_GENERAL_NAME_push(san, general);
        if (general && !ok)
            GENERAL_NAME_free(general);
    }
    if (ok)
        return san;
    GENERAL_NAMES_free(san);
    return NULL;
}

/* ---- the subject ---- */

static const char *attribute_of(struct span name)
{
    static const struct {
        const char *given, *field;
    } known[] = {{"CN", "CN"}, {"O", "O"},   {"OU", "OU"}, {"C", "C"},
                 {"L", "L"},   {"ST", "ST"}, {"S", "ST"},  {"DC", "DC"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (span_ieq(name, span_of(known[i].given)))
            return known[i].field;
    return NULL;
}

/* Takes "ATTRIBUTE=value" up to the next comma that has no backslash before it. */
static bool add_attribute(X509_NAME *subject, struct span *rest)
{
    char value[256];
    size_t n = 0, eq = span_find(*rest, '=');
    const char *field = eq == SIZE_MAX ? NULL : attribute_of(span_trim(span_head(*rest, eq)));
    struct span left = eq == SIZE_MAX ? SPAN("") : span_from(*rest, eq + 1);
    while (left.len && left.ptr[0] != ',') {
        if (left.ptr[0] == '\\' && left.len > 1)
            left = span_from(left, 1);
        if (n == sizeof value || (unsigned char)left.ptr[0] < 0x20)
            return false;
        value[n++] = left.ptr[0];
        left = span_from(left, 1);
    }
    *rest = left.len ? span_from(left, 1) : left;
    struct span text = span_trim(span_make(value, n));
    return field && text.len && utf8_valid(text) &&
           X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, (const unsigned char *)text.ptr, (int)text.len,
                                      -1, 0) == 1;
}

static enum err_code fill_subject(X509_NAME *subject, const struct tls_make *m, struct err *err)
{
    struct span rest = span_trim(m->subject);
    if (rest.len > SUBJECT_MAX)
        return err_set(err, ERR_LIMIT, "the subject is longer than %d bytes", SUBJECT_MAX);
    while (rest.len)
        if (!add_attribute(subject, &rest)) {
            ERR_clear_error();
            return err_set(err, ERR_INVALID,
                           "the subject \"%.*s\" is not understood; give attributes as in \"C=US, O=Example, "
                           "CN=mail.example.com\" (C has two letters; known are CN, O, OU, C, L, ST, DC; a comma "
                           "within a value has a backslash before it)",
                           SPAN_ARG(span_head(m->subject, 100)));
        }
    /* Longer names are left out by RFC 5280's upper bound; the SAN is what counts. */
    if (X509_NAME_entry_count(subject) == 0 && m->names[0].len <= COMMON_NAME_MAX &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)m->names[0].ptr,
                                   (int)m->names[0].len, -1, 0) != 1)
        return tls_openssl_err(err, ERR_INTERNAL, "the subject cannot be made");
    return ERR_NONE;
}

/* ---- keys ---- */

static EVP_PKEY *make_key(const struct tls_make *m)
{
    switch (m->key) {
    case TLS_KEY_ECDSA_P256: return EVP_EC_gen("P-256");
    case TLS_KEY_ECDSA_P384: return EVP_EC_gen("P-384");
    case TLS_KEY_RSA: return EVP_RSA_gen(m->rsa_bits);
    }
    return NULL;
}

bool tls_take_bio(BIO *bio, struct buf *out)
{
    char *bytes = NULL;
    long n = BIO_get_mem_data(bio, &bytes);
    if (n <= 0)
        return false;
    buf_add(out, span_make(bytes, (size_t)n));
    return !out->failed;
}

bool tls_print_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    bool ok = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 && tls_take_bio(bio, out);
    BIO_free(bio);
    return ok;
}

/* ---- certificates ---- */

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

static bool fill(X509 *cert, EVP_PKEY *key, const struct tls_make *m)
{
    time_t from = (time_t)(m->now_ms / 1000);
    time_t until = from + (time_t)m->days * 86400;
    GENERAL_NAMES *san = san_of(m);
    bool ok = san && X509_set_version(cert, X509_VERSION_3) == 1 && add_serial(cert) &&
              ASN1_TIME_set(X509_getm_notBefore(cert), from) && ASN1_TIME_set(X509_getm_notAfter(cert), until) &&
              X509_set_pubkey(cert, key) == 1 &&
              X509_add1_ext_i2d(cert, NID_subject_alt_name, san, 0, X509V3_ADD_APPEND) == 1 &&
              X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
              add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
              /* The second is for clients that exchange keys by RSA. */
              add_extension(cert, NID_key_usage,
                            m->key == TLS_KEY_RSA ? "critical,digitalSignature,keyEncipherment"
                                                  : "critical,digitalSignature") &&
              add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
              X509_sign(cert, key, EVP_sha256()) > 0;
    GENERAL_NAMES_free(san);
    return ok;
}

static enum err_code check(const struct tls_make *m, struct err *err)
{
    if (m->count == 0 || m->count > NAMES_MAX)
        return err_set(err, ERR_INVALID, "a certificate needs 1 to %d names", NAMES_MAX);
    for (size_t i = 0; i < m->count; i++)
        if (!name_ok(m->names[i]))
            return err_set(err, ERR_INVALID, "a certificate name must be a host name of 1 to %d ASCII characters",
                           HOST_NAME_MAX_LEN);
    if (m->key == TLS_KEY_RSA && (m->rsa_bits < TLS_RSA_BITS_MIN || m->rsa_bits > TLS_RSA_BITS_MAX))
        return err_set(err, ERR_INVALID, "an RSA key has %d to %d bits", TLS_RSA_BITS_MIN, TLS_RSA_BITS_MAX);
    return ERR_NONE;
}

bool tls_print_certificate(X509 *cert, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_X509(bio, cert) == 1 && tls_take_bio(bio, out);
    BIO_free(bio);
    return ok;
}

static bool print_request(X509_REQ *request, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_X509_REQ(bio, request) == 1 && tls_take_bio(bio, out);
    BIO_free(bio);
    return ok;
}

/* Both at once or neither. */
static enum err_code finish(bool ok, struct buf *public, size_t public_len, struct buf *key, size_t key_len,
                            const char *what, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (!ok) {
        public->len = public_len;
        key->len = key_len;
        code = tls_openssl_err(err, ERR_INTERNAL, what);
    }
    ERR_clear_error();
    return code;
}

enum err_code tls_make_certificate(const struct tls_make *m, struct buf *chain_pem, struct buf *key_pem,
                                   struct err *err)
{
    enum err_code code = check(m, err);
    if (code)
        return code;
    size_t chain_len = chain_pem->len, key_len = key_pem->len;
    EVP_PKEY *key = make_key(m);
    X509 *cert = X509_new();
    if (cert)
        code = fill_subject(X509_get_subject_name(cert), m, err);
    bool ok = !code && key && cert && fill(cert, key, m) && tls_print_certificate(cert, chain_pem) &&
              tls_print_key(key, key_pem);
    if (!code)
        code = finish(ok, chain_pem, chain_len, key_pem, key_len, "no certificate can be made", err);
    X509_free(cert);
    EVP_PKEY_free(key);
    return code;
}

static bool fill_request(X509_REQ *request, EVP_PKEY *key, const struct tls_make *m)
{
    GENERAL_NAMES *san = san_of(m);
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    bool ok = san && X509V3_add1_i2d(&extensions, NID_subject_alt_name, san, 0, X509V3_ADD_APPEND) == 1 &&
              X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
              X509_REQ_add_extensions(request, extensions) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    GENERAL_NAMES_free(san);
    return ok;
}

enum err_code tls_make_request(const struct tls_make *m, struct buf *request_pem, struct buf *key_pem,
                               struct err *err)
{
    enum err_code code = check(m, err);
    if (code)
        return code;
    size_t request_len = request_pem->len, key_len = key_pem->len;
    EVP_PKEY *key = make_key(m);
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject = X509_NAME_new();
    if (subject)
        code = fill_subject(subject, m, err);
    bool ok = !code && key && request && subject && X509_REQ_set_subject_name(request, subject) == 1 &&
              fill_request(request, key, m) && print_request(request, request_pem) && tls_print_key(key, key_pem);
    if (!code)
        code = finish(ok, request_pem, request_len, key_pem, key_len, "no request can be made", err);
    X509_NAME_free(subject);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return code;
}

enum err_code tls_make_self_signed(const struct span *names, size_t count, int64_t now_ms, unsigned days,
                                   struct buf *chain_pem, struct buf *key_pem, struct err *err)
{
    struct tls_make m = {.names = names, .count = count, .now_ms = now_ms, .days = days};
    return tls_make_certificate(&m, chain_pem, key_pem, err);
}

bool tls_identity_answers(const struct tls_identity *id, struct span request_pem)
{
    if (request_pem.len > TLS_FILE_MAX)
        return false;
    BIO *bio = BIO_new_mem_buf(request_pem.len ? request_pem.ptr : "", (int)request_pem.len);
    X509_REQ *request = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *wanted = request ? X509_REQ_get0_pubkey(request) : NULL, *given = X509_get0_pubkey(id->leaf);
    bool same = wanted && given && EVP_PKEY_eq(wanted, given) == 1;
    X509_REQ_free(request);
    BIO_free(bio);
    ERR_clear_error();
    return same;
}
