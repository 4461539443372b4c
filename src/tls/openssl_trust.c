/* openssl_trust.c: the authorities that peers are verified against, read once and shared by contexts. */
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

/* Where distributions keep the bundle. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

const char *tls_system_trust_path(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bundles); i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    return NULL;
}

static enum err_code fill(X509_STORE *store, STACK_OF(X509) * certs, struct err *err)
{
    if (sk_X509_num(certs) == 0)
        return err_set(err, ERR_INVALID, "there is no certificate (PEM, BEGIN CERTIFICATE) to trust");
    for (int i = 0; i < sk_X509_num(certs); i++)
        if (X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1)
            return tls_openssl_err(err, ERR_INVALID, "a trusted certificate cannot be used");
    return ERR_NONE;
}

enum err_code tls_trust_new(struct span pem, struct tls_trust **ret, struct err *err)
{
    struct err why = {0};
    STACK_OF(X509) *certs = tls_read_certificates(pem, &why);
    if (!certs)
        return err_set(err, why.code, "%s", why.text);
    struct tls_trust *t = calloc(1, sizeof *t);
    X509_STORE *store = t ? X509_STORE_new() : NULL;
    enum err_code code = store ? fill(store, certs, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
    sk_X509_pop_free(certs, X509_free);
    if (code) {
        X509_STORE_free(store);
        free(t);
        return code;
    }
    *t = (struct tls_trust){.references = 1, .store = store};
    *ret = t;
    return ERR_NONE;
}

struct tls_trust *tls_trust_share(struct tls_trust *t)
{
    t->references++;
    return t;
}

const char *tls_trust_problem(const struct tls_trust *t, const struct tls_identity *id, int64_t now_ms)
{
    X509_STORE *nobody = t ? NULL : X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    const char *problem = "out of memory";
    if (ctx && (t || nobody) && X509_STORE_CTX_init(ctx, t ? t->store : nobody, id->leaf, id->chain) == 1) {
        X509_STORE_CTX_set_time(ctx, 0, (time_t)(now_ms / 1000));
        X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(ctx), X509_PURPOSE_ANY);
        problem = X509_verify_cert(ctx) == 1 ? NULL : X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(nobody);
    ERR_clear_error();
    return problem;
}

void tls_trust_free(struct tls_trust *t)
{
    if (!t || --t->references > 0)
        return;
    X509_STORE_free(t->store);
    free(t);
}
