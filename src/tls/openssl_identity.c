/*
 * openssl_identity.c: reading certificates and keys, and which of them serves a host name.
 *
 * Invariant: what an identity says about itself (names, dates, thumbprint) is that of the leaf, and the key fits
 * it.
 */
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PEM_MAX = TLS_PEM_MAX, CHAIN_MAX = 16, TRUST_MAX = 4096, RSA_BITS_MIN = TLS_RSA_BITS_MIN };

static void close_bio(BIO **bio)
{
    BIO_free(*bio);
}

/* Gives no pass phrase, so that OpenSSL does not ask the terminal, and notes that one was wanted. */
static int refuse_pass_phrase(char *out, int size, int writing, void *wanted)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)wanted = true;
    return -1;
}

STACK_OF(X509) * tls_read_certificates(struct span pem, struct err *err)
{
    if (pem.len > PEM_MAX) {
        err_set(err, ERR_INVALID, "the certificates are larger than %d bytes", PEM_MAX);
        return NULL;
    }
    CLEANUP(close_bio) BIO *bio = BIO_new_mem_buf(pem.len ? pem.ptr : "", (int)pem.len);
    STACK_OF(X509) *stack = sk_X509_new_null();
    X509 *cert = NULL;
    if (!bio || !stack)
        goto no_memory;
    ERR_clear_error();
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_num(stack) >= TRUST_MAX) {
            X509_free(cert);
            err_set(err, ERR_INVALID, "more than %d certificates", TRUST_MAX);
            goto failed;
        }
        if (!sk_X509_push(stack, cert)) {
            X509_free(cert);
            goto no_memory;
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        tls_openssl_err(err, ERR_INVALID, "a certificate cannot be read");
        goto failed;
    }
    ERR_clear_error();
    return stack;
no_memory:
    err_set(err, ERR_NO_MEMORY, "out of memory while reading certificates");
failed:
    sk_X509_pop_free(stack, X509_free);
    return NULL;
}

static enum err_code read_key(struct span pem, EVP_PKEY **ret, struct err *err)
{
    bool encrypted = false;
    if (pem.len > PEM_MAX)
        return err_set(err, ERR_INVALID, "the private key is larger than %d bytes", PEM_MAX);
    CLEANUP(close_bio) BIO *bio = BIO_new_mem_buf(pem.len ? pem.ptr : "", (int)pem.len);
    if (!bio)
        return err_set(err, ERR_NO_MEMORY, "out of memory while reading a private key");
    ERR_clear_error();
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, &encrypted);
    if (!key && encrypted) {
        ERR_clear_error();
        return err_set(err, ERR_INVALID, "the private key is encrypted; it must be stored without a pass phrase");
    }
    if (!key)
        return tls_openssl_err(err, ERR_INVALID, "no private key can be read");
    ERR_clear_error();
    int kind = EVP_PKEY_get_base_id(key);
    if (kind != EVP_PKEY_EC && kind != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        return err_set(err, ERR_INVALID, "the private key is neither ECDSA nor RSA");
    }
    if (kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
        int bits = EVP_PKEY_get_bits(key);
        EVP_PKEY_free(key);
        return err_set(err, ERR_INVALID, "an RSA key of %d bits is too short; at least %d are needed", bits,
                       RSA_BITS_MIN);
    }
    *ret = key;
    return ERR_NONE;
}

static bool to_ms(const ASN1_TIME *t, int64_t *ret)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret = (int64_t)timegm(&tm) * 1000;
    return true;
}

/* The certificate's hash as hex into exactly len characters. */
static bool hash_text(const X509 *cert, const EVP_MD *md, const char *digits, char *out, size_t len)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (X509_digest(cert, md, hash, &n) != 1 || n * 2 != len)
        return false;
    for (unsigned i = 0; i < n; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    return true;
}

static enum err_code describe(struct tls_identity *id, struct err *err)
{
    if (!to_ms(X509_get0_notBefore(id->leaf), &id->not_before) ||
        !to_ms(X509_get0_notAfter(id->leaf), &id->not_after))
        return err_set(err, ERR_INVALID, "the certificate's dates cannot be read");
    if (!hash_text(id->leaf, EVP_sha1(), "0123456789ABCDEF", id->thumbprint, sizeof id->thumbprint) ||
        !hash_text(id->leaf, EVP_sha256(), "0123456789abcdef", id->fingerprint, sizeof id->fingerprint))
        return tls_openssl_err(err, ERR_INTERNAL, "no thumbprint can be computed");
    id->self_signed = X509_self_signed(id->leaf, 1) == 1;
    ERR_clear_error(); /* a signature that does not verify leaves its reason behind */
    return ERR_NONE;
}

static enum err_code load_chain(struct tls_identity *id, struct span pem, struct err *err)
{
    struct err why = {.code = ERR_NONE};
    id->chain = tls_read_certificates(pem, &why);
    if (!id->chain)
        return err_set(err, why.code, "%s", why.text);
    if (sk_X509_num(id->chain) == 0)
        return err_set(err, ERR_INVALID, "there is no certificate (PEM, BEGIN CERTIFICATE) in the chain");
    if (sk_X509_num(id->chain) > CHAIN_MAX)
        return err_set(err, ERR_INVALID, "the chain has more than %d certificates", CHAIN_MAX);
    id->leaf = sk_X509_shift(id->chain);
    return ERR_NONE;
}

static enum err_code load_key(struct tls_identity *id, struct span pem, struct err *err)
{
    enum err_code code = read_key(pem, &id->key, err);
    if (code == ERR_NONE && X509_check_private_key(id->leaf, id->key) != 1)
        code = tls_openssl_err(err, ERR_INVALID, "the private key does not fit the first certificate");
    return code;
}

/* key_pem: NULL for none. */
static enum err_code load(struct span chain_pem, const struct span *key_pem, struct tls_identity **ret,
                          struct err *err)
{
    struct tls_identity *id = calloc(1, sizeof *id);
    if (!id)
        return err_set(err, ERR_NO_MEMORY, "out of memory while reading a certificate");
    id->references = 1;
    enum err_code code = load_chain(id, chain_pem, err);
    if (code == ERR_NONE && key_pem)
        code = load_key(id, *key_pem, err);
    if (code == ERR_NONE)
        code = describe(id, err);
    if (code != ERR_NONE) {
        tls_identity_free(id);
        return code;
    }
    *ret = id;
    return ERR_NONE;
}

enum err_code tls_identity_load(struct span chain_pem, struct span key_pem, struct tls_identity **ret,
                                struct err *err)
{
    return load(chain_pem, &key_pem, ret, err);
}

enum err_code tls_identity_load_public(struct span chain_pem, struct tls_identity **ret, struct err *err)
{
    return load(chain_pem, NULL, ret, err);
}

struct tls_identity *tls_identity_share(struct tls_identity *id)
{
    id->references++;
    return id;
}

void tls_identity_free(struct tls_identity *id)
{
    if (!id || --id->references > 0)
        return;
    X509_free(id->leaf);
    sk_X509_pop_free(id->chain, X509_free);
    EVP_PKEY_free(id->key);
    free(id);
}

bool tls_identity_matches(const struct tls_identity *id, struct span host)
{
    if (span_ends(host, SPAN(".")))
        host.len--;
    if (host.len == 0)
        return false;
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    if (X509_get_ext_by_NID(id->leaf, NID_subject_alt_name, -1) >= 0)
        flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    bool matches = X509_check_host(id->leaf, host.ptr, host.len, flags, NULL) == 1;
    ERR_clear_error();
    return matches;
}

static void add_name(struct buf *out, const ASN1_STRING *s)
{
    struct span name = span_make(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    if (name.len && span_is_printable_ascii(name) && span_find(name, ' ') == SIZE_MAX &&
        span_find(name, ',') == SIZE_MAX)
        buf_addf(out, "%s%.*s", out->len ? ", " : "", SPAN_ARG(name));
}

void tls_identity_names(const struct tls_identity *id, struct buf *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(id->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_DNS)
            add_name(out, n->d.dNSName);
    }
    X509_NAME *subject = X509_get_subject_name(id->leaf);
    int cn = names ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (cn >= 0)
        add_name(out, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, cn)));
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}

int64_t tls_identity_not_before(const struct tls_identity *id)
{
    return id->not_before;
}

int64_t tls_identity_not_after(const struct tls_identity *id)
{
    return id->not_after;
}

bool tls_identity_self_signed(const struct tls_identity *id)
{
    return id->self_signed;
}

struct span tls_identity_thumbprint(const struct tls_identity *id)
{
    return span_make(id->thumbprint, sizeof id->thumbprint);
}

struct span tls_identity_fingerprint(const struct tls_identity *id)
{
    return span_make(id->fingerprint, sizeof id->fingerprint);
}

static bool better(const struct tls_identity *a, const struct tls_identity *b)
{
    if (a->self_signed != b->self_signed)
        return !a->self_signed;
    return a->not_before > b->not_before;
}

struct tls_identity *tls_identity_choose(struct tls_identity *const *ids, size_t count, struct span host,
                                         int64_t now_ms)
{
    struct tls_identity *best = NULL;
    for (size_t i = 0; i < count; i++) {
        struct tls_identity *id = ids[i];
        if (X509_get_version(id->leaf) != X509_VERSION_3 || now_ms < id->not_before || now_ms > id->not_after ||
            !tls_identity_matches(id, host))
            continue;
        if (!best || better(id, best))
            best = id;
    }
    return best;
}
