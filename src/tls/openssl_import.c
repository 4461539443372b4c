/*
 * openssl_import.c: certificate files as others hand them out: PEM in any order, or PKCS#12.
 *
 * Invariants: a file is at most TLS_FILE_MAX bytes. The chain comes out leaf first: the leaf is the certificate
 * that the key fits, or the first one where there is no key.
 */
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

enum { CERTIFICATES_MAX = 16 };

struct contents {
    EVP_PKEY *key;
    STACK_OF(X509) * certs;
};

static void contents_free(struct contents *c)
{
    EVP_PKEY_free(c->key);
    sk_X509_pop_free(c->certs, X509_free);
    ERR_clear_error();
}

/* ---- PEM ---- */

struct pass_phrase {
    struct span password;
    bool wanted;
};

static int give_pass_phrase(char *out, int size, int writing UNUSED, void *context)
{
    struct pass_phrase *p = context;
    p->wanted = true;
    if (p->password.len == 0 || p->password.len > (size_t)size)
        return -1;
    memcpy(out, p->password.ptr, p->password.len);
    return (int)p->password.len;
}

static enum err_code read_pem(struct span file, struct span password, struct contents *ret, struct err *err)
{
    struct pass_phrase phrase = {password, false};
    struct err why = {0};
    ret->certs = tls_read_certificates(file, &why);
    if (!ret->certs)
        return err_set(err, why.code, "%s", why.text);
    if (!memmem(file.ptr, file.len, "PRIVATE KEY-----", 16))
        return ERR_NONE;
    BIO *bio = BIO_new_mem_buf(file.ptr, (int)file.len);
    ret->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_pass_phrase, &phrase) : NULL;
    BIO_free(bio);
    if (ret->key) {
        ERR_clear_error();
        return ERR_NONE;
    }
    if (!phrase.wanted)
        return tls_openssl_err(err, ERR_INVALID, "the private key cannot be read");
    ERR_clear_error();
    return password.len ? err_set(err, ERR_DENIED, "the password does not open the private key")
                        : err_set(err, ERR_DENIED, "the private key is encrypted, and needs the password");
}

/* ---- the file ---- */

/* The leaf to the front. False: the key fits none of the certificates. */
static bool put_leaf_first(struct contents *c)
{
    for (int i = 0; c->key && i < sk_X509_num(c->certs); i++)
        if (X509_check_private_key(sk_X509_value(c->certs, i), c->key) == 1) {
            X509 *leaf = sk_X509_delete(c->certs, i);
            return sk_X509_unshift(c->certs, leaf) > 0;
        }
    return !c->key;
}

static enum err_code print(struct contents *c, struct buf *chain_pem, struct buf *key_pem, struct err *err)
{
    int count = sk_X509_num(c->certs);
    if (count <= 0)
        return err_set(err, ERR_INVALID, "there is no certificate in it");
    if (count > CERTIFICATES_MAX)
        return err_set(err, ERR_LIMIT, "there are more than %d certificates in it", CERTIFICATES_MAX);
    if (!put_leaf_first(c))
        return err_set(err, ERR_INVALID, "its private key fits none of its certificates");
    bool ok = true;
    for (int i = 0; ok && i < count; i++)
        ok = tls_print_certificate(sk_X509_value(c->certs, i), chain_pem);
    ok = ok && (!c->key || tls_print_key(c->key, key_pem));
    return ok ? ERR_NONE : tls_openssl_err(err, ERR_INTERNAL, "the certificate cannot be written as PEM");
}

enum err_code tls_read_certificate_file(struct span file, struct span password, struct buf *chain_pem,
                                        struct buf *key_pem, bool *ret_has_key, struct err *err)
{
    struct contents c = {NULL, NULL};
    if (file.len == 0)
        return err_set(err, ERR_INVALID, "it is empty");
    if (file.len > TLS_FILE_MAX)
        return err_set(err, ERR_LIMIT, "it is larger than %d bytes", TLS_FILE_MAX);
    ERR_clear_error();
    bool pem = memmem(file.ptr, file.len, "-----BEGIN ", 11) != NULL;
    enum err_code code =
        pem ? read_pem(file, password, &c, err) : tls_read_pkcs12(file, password, &c.key, &c.certs, err);
    bool has_key = c.key != NULL;
    size_t chain_len = chain_pem->len, key_len = key_pem->len;
    if (!code)
        code = print(&c, chain_pem, key_pem, err);
    contents_free(&c);
    if (code) {
        chain_pem->len = chain_len;
        key_pem->len = key_len;
        return code;
    }
    *ret_has_key = has_key;
    return ERR_NONE;
}
