/*
 * openssl_context.c: what all connections of a kind share: protocol versions, ciphers, identity or trust.
 *
 * Invariants: every option that weakens is here and nowhere else. Renegotiation and compression are off, no session
 * is kept in memory. A ticket is only good for contexts with the same identity and the same demands, because the
 * session id context is computed from them.
 */
#include "runtime/clock.h"
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { SESSION_SECONDS = 2 * 60 * 60 };

/*
 * A server insists on forward secrecy by elliptic curves (finite-field Diffie-Hellman costs it far more than its
 * peer): AEAD first, CBC last for Windows servers that know nothing newer. A client that delivers would otherwise
 * send in the clear, so to it every encryption is better than none.
 */
#define CIPHERS_SERVER "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!AESCCM:!aNULL:!eNULL:!PSK:!SRP"
#define CIPHERS_CLIENT CIPHERS_SERVER ":DHE+AESGCM:DHE+CHACHA20:DHE+AES:RSA+AESGCM:RSA+AES"
#define CIPHERS_MODERN "ECDHE+AESGCM:ECDHE+CHACHA20:!AESCCM:!aNULL:!eNULL:!PSK:!SRP"
/* For devices of long ago; below TLS 1.2 signatures are SHA-1's, which OpenSSL ties to level 0. */
#define CIPHERS_LEGACY CIPHERS_SERVER ":RSA+AESGCM:RSA+AES:@SECLEVEL=0"

static const char *const ciphers_of[] = {
    [TLS_PROFILE_INTERMEDIATE] = CIPHERS_SERVER,
    [TLS_PROFILE_MODERN] = CIPHERS_MODERN,
    [TLS_PROFILE_LEGACY] = CIPHERS_LEGACY,
};

static char groups[] = "X25519:P-256:P-384:P-521"; /* OpenSSL's macro takes no const */

static const int protocol_of[] = {
    [TLS_VERSION_1_0] = TLS1_VERSION,
    [TLS_VERSION_1_1] = TLS1_1_VERSION,
    [TLS_VERSION_1_2] = TLS1_2_VERSION,
    [TLS_VERSION_1_3] = TLS1_3_VERSION,
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
    if (!ctx->bio || !ctx->ssl || SSL_CTX_set_min_proto_version(ctx->ssl, protocol_of[minimum]) != 1 ||
        SSL_CTX_set_max_proto_version(ctx->ssl, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx->ssl, ciphers) != 1 || SSL_CTX_set1_groups_list(ctx->ssl, groups) != 1) {
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

/* True when a bundle of the system was read: at once, since a sandboxed process cannot read files later. */
static bool load_system_trust(struct tls_context *ctx)
{
    const char *path = tls_system_trust_path();
    bool loaded = path && SSL_CTX_load_verify_file(ctx->ssl, path) == 1;
    ERR_clear_error();
    return loaded;
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
    unsigned char bytes[EVP_MAX_MD_SIZE + 3], id[EVP_MAX_MD_SIZE];
    unsigned n = 0, id_len = 0;
    if (X509_digest(o->identity->leaf, EVP_sha256(), bytes, &n) != 1)
        return false;
    bytes[n] = (unsigned char)o->minimum;
    bytes[n + 1] = o->request_client_certificate;
    bytes[n + 2] = (unsigned char)o->profile;
    return EVP_Digest(bytes, n + 3, id, &id_len, EVP_sha256(), NULL) == 1 &&
           SSL_CTX_set_session_id_context(ctx->ssl, id, id_len) == 1;
}

/* What a context keeps of the identities, and the best one of another kind of key beside the chosen one. */
static enum err_code use_identities(struct tls_context *ctx, const struct tls_server_options *o, struct err *err)
{
    enum err_code code = use_identity(ctx, o->identity, err);
    ctx->identity = tls_identity_share(o->identity);
    if (code || !o->other_count)
        return code;
    ctx->others = calloc(2 * o->other_count, sizeof(struct tls_identity *));
    struct tls_identity **unlike = ctx->others ? ctx->others + o->other_count : NULL;
    size_t unlike_count = 0;
    if (!unlike)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a TLS context");
    for (size_t i = 0; i < o->other_count; i++) {
        ctx->others[ctx->other_count++] = tls_identity_share(o->others[i]);
        if (EVP_PKEY_get_base_id(o->others[i]->key) != EVP_PKEY_get_base_id(o->identity->key))
            unlike[unlike_count++] = o->others[i];
    }
    tls_sni_enable(ctx);
    struct tls_identity *beside = tls_identity_choose(unlike, unlike_count, o->host, clock_wall_ms());
    return beside ? use_identity(ctx, beside, err) : ERR_NONE;
}

static bool set_tickets(struct tls_context *ctx, const struct tls_server_options *o)
{
    if (!o->ticket_keys || o->request_client_certificate) {
        SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ctx->ssl, 0) == 1;
    }
    memcpy(ctx->ticket_keys, o->ticket_keys, sizeof ctx->ticket_keys);
    return tls_tickets_enable(ctx) && SSL_CTX_set_num_tickets(ctx->ssl, 1) == 1;
}

/*
 * Purpose "any": public authorities issue certificates of mail servers for serverAuth alone, and it is those that
 * partners present. Without authorities none is "verified"; its fingerprint still counts.
 */
static bool ask_client(struct tls_context *ctx, struct tls_trust *trust)
{
    SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER, accept_any);
    if (trust)
        SSL_CTX_set1_cert_store(ctx->ssl, trust->store);
    return X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(ctx->ssl), X509_PURPOSE_ANY) == 1;
}

enum err_code tls_server_context_new(const struct tls_server_options *options, struct tls_context **ret,
                                     struct err *err)
{
    ASSERT(options->identity && options->identity->key);
    struct tls_server_options o = *options;
    if (o.minimum < TLS_VERSION_1_2)
        o.profile = TLS_PROFILE_LEGACY;
    ASSERT((size_t)o.profile < ARRAY_LEN(ciphers_of));
    struct tls_context *ctx = context_new(TLS_server_method(), o.minimum, ciphers_of[o.profile], err);
    if (!ctx)
        return err ? err->code : ERR_INTERNAL;
    SSL_CTX_set_timeout(ctx->ssl, SESSION_SECONDS);
    enum err_code code = use_identities(ctx, &o, err);
    if (code == ERR_NONE && (!set_session_context(ctx, &o) || !set_tickets(ctx, &o) ||
                             (o.request_client_certificate && !ask_client(ctx, o.trust))))
        code = tls_openssl_err(err, ERR_INTERNAL, "a TLS context cannot be set up");
    if (code != ERR_NONE) {
        tls_context_free(ctx);
        return code;
    }
    *ret = ctx;
    return ERR_NONE;
}

enum err_code tls_client_context_new(const struct tls_client_options *options, struct tls_context **ret,
                                     struct err *err)
{
    bool old = options->minimum < TLS_VERSION_1_2;
    struct tls_context *ctx = context_new(TLS_client_method(), options->minimum,
                                          old ? CIPHERS_CLIENT ":@SECLEVEL=0" : CIPHERS_CLIENT, err);
    if (!ctx)
        return err ? err->code : ERR_INTERNAL;
    enum err_code code = ERR_NONE;
    if (options->identity)
        code = use_identity(ctx, options->identity, err);
    if (code == ERR_NONE && options->use_system_trust && !load_system_trust(ctx))
        code = err_set(err, ERR_NOT_FOUND,
                       "the system has no bundle of trusted certificates where it is usually kept, such as "
                       "/etc/ssl/certs/ca-certificates.crt");
    if (code == ERR_NONE && options->trust_pem.len)
        code = add_trust(ctx, options->trust_pem, err);
    if (code == ERR_NONE && !tls_dane_enable(ctx))
        code = tls_openssl_err(err, ERR_INTERNAL, "a TLS context cannot be set up");
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
    tls_identity_free(ctx->identity);
    for (size_t i = 0; i < ctx->other_count; i++)
        tls_identity_free(ctx->others[i]);
    free(ctx->others);
    BIO_meth_free(ctx->bio);
    explicit_bzero(ctx->ticket_keys, sizeof ctx->ticket_keys);
    free(ctx);
}
