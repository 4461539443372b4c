/*
 * openssl_context.c: what all connections of a kind share: protocol versions, ciphers, identity or trust.
 *
 * Invariants: every option that weakens is here and nowhere else. Renegotiation and compression are off, no session
 * is kept in memory. A ticket is only good for contexts with the same identity and the same demands, because the
 * session id context is computed from them.
 */
#include "tls/openssl.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSION_SECONDS = 2 * 60 * 60 };

/*
 * A server insists on forward secrecy by elliptic curves (finite-field Diffie-Hellman costs it far more than its
 * peer): AEAD first, CBC last for Windows servers that know nothing newer. A client that delivers would otherwise
 * send in the clear, so to it every encryption is better than none.
 */
#define CIPHERS_SERVER "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!AESCCM:!aNULL:!eNULL:!PSK:!SRP"
#define CIPHERS_CLIENT CIPHERS_SERVER ":DHE+AESGCM:DHE+CHACHA20:DHE+AES:RSA+AESGCM:RSA+AES"
/* With a minimum below TLS 1.2 its SHA-1 signatures and ciphers must be allowed, which OpenSSL ties to level 0. */
#define CIPHERS_OLD ":RSA+AESGCM:RSA+AES:@SECLEVEL=0"

static char groups[] = "X25519:P-256:P-384:P-521"; /* OpenSSL's macro takes no const */

static const int protocol_of[] = {
    [TLS_VERSION_1_0] = TLS1_VERSION,
    [TLS_VERSION_1_1] = TLS1_1_VERSION,
    [TLS_VERSION_1_2] = TLS1_2_VERSION,
    [TLS_VERSION_1_3] = TLS1_3_VERSION,
};

/* Where distributions keep the bundle; read at once, since a sandboxed process cannot read files later. */
static const char *const trust_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static struct tls_context *context_new(const SSL_METHOD *method, enum tls_version minimum, const char *ciphers,
                                       struct err *err)
{
    ASSERT((size_t)minimum < ARRAY_LEN(protocol_of));
    struct tls_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx) {
        err_set(err, ERR_NO_MEMORY, "out of memory for a TLS context");
        return NULL;
    }
    ctx->references = 1;
    ctx->bio = tls_bio_method_new();
    ctx->ssl = SSL_CTX_new(method);
    bool old = minimum < TLS_VERSION_1_2;
    char list[512];
    snprintf(list, sizeof list, "%s%s", ciphers, old ? CIPHERS_OLD : "");
    if (!ctx->bio || !ctx->ssl || SSL_CTX_set_min_proto_version(ctx->ssl, protocol_of[minimum]) != 1 ||
        SSL_CTX_set_max_proto_version(ctx->ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx->ssl, list) != 1 || SSL_CTX_set1_groups_list(ctx->ssl, groups) != 1) {
        tls_openssl_err(err, ERR_INTERNAL, "no TLS context can be made");
        tls_context_free(ctx);
        return NULL;
    }
    SSL_CTX_set_app_data(ctx->ssl, ctx);
    /* Cleansing: a password must not stay in a record buffer that goes back to the heap. */
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                      SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    return ctx;
}

static enum err_code use_identity(struct tls_context *ctx, struct tls_identity *id, struct err *err)
{
    if (SSL_CTX_use_cert_and_key(ctx->ssl, id->leaf, id->key, id->chain, 1) != 1)
        return tls_openssl_err(err, ERR_INVALID, "the certificate cannot be used");
    return ERR_NONE;
}

/* True when a bundle of the system was read. */
static bool load_system_trust(struct tls_context *ctx)
{
    for (size_t i = 0; i < ARRAY_LEN(trust_files); i++) {
        if (access(trust_files[i], R_OK) == 0 && SSL_CTX_load_verify_file(ctx->ssl, trust_files[i]) == 1) {
            ERR_clear_error();
            return true;
        }
    }
    ERR_clear_error();
    return false;
}

static enum err_code add_trust(struct tls_context *ctx, struct span pem, struct err *err)
{
    STACK_OF(X509) *certs = tls_read_certificates(pem, err);
    if (!certs)
        return err ? err->code : ERR_INVALID;
    enum err_code code = ERR_NONE;
    X509_STORE *store = SSL_CTX_get_cert_store(ctx->ssl);
    if (sk_X509_num(certs) == 0)
        code = err_set(err, ERR_INVALID, "there is no certificate (PEM, BEGIN CERTIFICATE) to trust");
    for (int i = 0; code == ERR_NONE && i < sk_X509_num(certs); i++)
        if (X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1)
            code = tls_openssl_err(err, ERR_INVALID, "a trusted certificate cannot be used");
    sk_X509_pop_free(certs, X509_free);
    return code;
}

/* Goes on whatever was found: the result is reported in tls_info, and policy decides what it is worth. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

/* A ticket must not carry a session from a context that demands less into one that demands more. */
static bool set_session_context(struct tls_context *ctx, const struct tls_server_options *o)
{
    unsigned char bytes[EVP_MAX_MD_SIZE + 2], id[EVP_MAX_MD_SIZE];
    unsigned n = 0, id_len = 0;
    if (X509_digest(o->identity->leaf, EVP_sha256(), bytes, &n) != 1)
        return false;
    bytes[n] = (unsigned char)o->minimum;
    bytes[n + 1] = o->request_client_certificate;
    return EVP_Digest(bytes, n + 2, id, &id_len, EVP_sha256(), NULL) == 1 &&
           SSL_CTX_set_session_id_context(ctx->ssl, id, id_len) == 1;
}

enum err_code tls_server_context_new(const struct tls_server_options *options, struct tls_context **ret,
                                     struct err *err)
{
    ASSERT(options->identity);
    struct tls_context *ctx = context_new(TLS_server_method(), options->minimum, CIPHERS_SERVER, err);
    if (!ctx)
        return err ? err->code : ERR_INTERNAL;
    enum err_code code = use_identity(ctx, options->identity, err);
    if (code != ERR_NONE)
        goto failed;
    SSL_CTX_set_timeout(ctx->ssl, SESSION_SECONDS);
    bool ok = set_session_context(ctx, options);
    if (options->ticket_keys) {
        memcpy(ctx->ticket_keys, options->ticket_keys, sizeof ctx->ticket_keys);
        ok = ok && tls_tickets_enable(ctx) && SSL_CTX_set_num_tickets(ctx->ssl, 1) == 1;
    } else {
        SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET);
        ok = ok && SSL_CTX_set_num_tickets(ctx->ssl, 0) == 1;
    }
    if (!ok) {
        code = tls_openssl_err(err, ERR_INTERNAL, "session tickets cannot be set up");
        goto failed;
    }
    if (options->request_client_certificate) {
        load_system_trust(ctx); /* without one no client certificate is "verified"; its fingerprint still counts */
        SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, accept_any);
    }
    *ret = ctx;
    return ERR_NONE;
failed:
    tls_context_free(ctx);
    return code;
}

enum err_code tls_client_context_new(const struct tls_client_options *options, struct tls_context **ret,
                                     struct err *err)
{
    struct tls_context *ctx = context_new(TLS_client_method(), options->minimum, CIPHERS_CLIENT, err);
    if (!ctx)
        return err ? err->code : ERR_INTERNAL;
    enum err_code code = ERR_NONE;
    if (options->identity)
        code = use_identity(ctx, options->identity, err);
    if (code == ERR_NONE && options->use_system_trust && !load_system_trust(ctx))
        code = err_set(err, ERR_NOT_FOUND,
                       "the system has no bundle of trusted certificates (looked for %s and %zu others)",
                       trust_files[0], ARRAY_LEN(trust_files) - 1);
    if (code == ERR_NONE && options->trust_pem.len)
        code = add_trust(ctx, options->trust_pem, err);
    if (code != ERR_NONE) {
        tls_context_free(ctx);
        return code;
    }
    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, accept_any);
    *ret = ctx;
    return ERR_NONE;
}

struct tls_context *tls_context_share(struct tls_context *ctx)
{
    if (ctx)
        ctx->references++;
    return ctx;
}

void tls_context_free(struct tls_context *ctx)
{
    if (!ctx || --ctx->references > 0)
        return;
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    explicit_bzero(ctx->ticket_keys, sizeof ctx->ticket_keys);
    free(ctx);
}
