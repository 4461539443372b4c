/*
 * openssl_conn.c: one TLS session between the network's bytes and ours.
 *
 * Invariants: after `failed` or `closed` OpenSSL is not called again but to free; `error` is set exactly with
 * `failed`. OpenSSL's error queue is empty on entry of every SSL call and on return from every function here.
 * `established` is our own knowledge, since OpenSSL counts a ticket or key update half read as a handshake again.
 * TLS_CLOSED means that close_notify was received: a stream that ends without it was cut off, and nobody but the
 * socket's owner can see that.
 */
#include "base/ip.h"
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_MAX = 1 << 20,   /* ciphertext that was given but not read; the owner stops reading long before */
    OUTPUT_MAX = 64 << 20, /* the same for what the owner writes and does not fetch */
    RECORD_MAX = 16384,
    RECORD_EXTRA = 64, /* header, nonce, tag, padding: an upper guess to size the output once */
    HOST_MAX = 255,
};

static enum tls_status fail(struct tls_conn *c, const char *text)
{
    if (!c->failed) {
        c->failed = true;
        snprintf(c->error, sizeof c->error, "TLS %s failed: %s", c->established ? "session" : "handshake", text);
    }
    return TLS_FAILED;
}

/* What a call of OpenSSL that did not succeed means. */
static enum tls_status status_of(struct tls_conn *c, int result)
{
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ: return TLS_OK;
    case SSL_ERROR_ZERO_RETURN: c->closed = true; return TLS_CLOSED;
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return fail(c, c->out.failed ? "the output is not taken" : "the TLS stream broke off");
    default: return fail(c, tls_openssl_reason());
    }
}

static struct tls_conn *conn_new(struct tls_context *ctx)
{
    struct tls_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->ctx = ctx;
    ctx->references++;
    buf_init(&c->in, INPUT_MAX);
    buf_init(&c->out, OUTPUT_MAX);
    ERR_clear_error();
    c->ssl = SSL_new(ctx->ssl);
    BIO *bio = c->ssl ? tls_bio_new(c) : NULL;
    if (!bio) {
        ERR_clear_error();
        tls_conn_free(c);
        return NULL;
    }
    SSL_set_bio(c->ssl, bio, bio);
    return c;
}

struct tls_conn *tls_accept_new(struct tls_context *ctx)
{
    struct tls_conn *c = conn_new(ctx);
    if (c)
        SSL_set_accept_state(c->ssl);
    return c;
}

/* Asks for the name and checks it; an IP address is checked but not sent (RFC 6066, 3). */
static bool set_peer_name(struct tls_conn *c, struct span name)
{
    char host[HOST_MAX + 1];
    struct ip_addr addr;
    if (span_ends(name, SPAN(".")))
        name.len--;
    if (name.len == 0)
        return true;
    if (name.len > HOST_MAX || memchr(name.ptr, '\0', name.len))
        return false;
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    c->name_given = true;
    if (ip_parse(name, &addr))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host) == 1;
    SSL_set_hostflags(c->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(c->ssl, host) == 1 && SSL_set_tlsext_host_name(c->ssl, host) == 1;
}

struct tls_conn *tls_connect_new(struct tls_context *ctx, struct span sni)
{
    struct tls_conn *c = conn_new(ctx);
    if (!c)
        return NULL;
    SSL_set_connect_state(c->ssl);
    if (!set_peer_name(c, sni)) {
        ERR_clear_error();
        fail(c, "the server's name cannot be asked for");
    }
    return c;
}

bool tls_present(struct tls_conn *c, struct tls_identity *id)
{
    ASSERT(id->key && !c->established);
    bool used = SSL_use_cert_and_key(c->ssl, id->leaf, id->key, id->chain, 1) == 1;
    ERR_clear_error();
    return used;
}

bool tls_trust_only(struct tls_conn *c, struct tls_trust *trust)
{
    return SSL_set1_verify_cert_store(c->ssl, trust->store) == 1;
}

void tls_ignore_names(struct tls_conn *c)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(c->ssl);
    X509_VERIFY_PARAM_set1_host(p, NULL, 0);
    X509_VERIFY_PARAM_set1_ip(p, NULL, 0);
    c->name_given = false;
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    SSL_free(c->ssl);
    buf_done(&c->in);
    buf_done(&c->out);
    tls_context_free(c->ctx);
    free(c);
}

enum tls_status tls_input(struct tls_conn *c, struct span ciphertext)
{
    if (c->failed)
        return TLS_FAILED;
    if (c->closed)
        return TLS_CLOSED; /* what follows close_notify is ignored (RFC 8446, 6.1) */
    if (c->in_at) {
        buf_consume(&c->in, c->in_at);
        c->in_at = 0;
    }
    buf_add(&c->in, ciphertext);
    if (c->in.failed)
        return fail(c, "too much input is waiting");
    if (c->established)
        return TLS_OK;
    ERR_clear_error();
    int n = SSL_do_handshake(c->ssl);
    c->established = n == 1;
    return c->established ? TLS_OK : status_of(c, n);
}

size_t tls_read(struct tls_conn *c, char *out, size_t cap, enum tls_status *ret_status)
{
    size_t got = 0;
    enum tls_status st = c->failed ? TLS_FAILED : c->closed ? TLS_CLOSED : TLS_OK;
    ERR_clear_error();
    while (st == TLS_OK && got < cap && c->established) {
        size_t n = 0;
        int result = SSL_read_ex(c->ssl, out + got, cap - got, &n);
        if (result != 1) {
            st = status_of(c, result);
            break;
        }
        got += n;
    }
    *ret_status = st;
    return got;
}

enum tls_status tls_write(struct tls_conn *c, struct span plaintext)
{
    if (c->failed || !c->established)
        return TLS_FAILED;
    size_t records = plaintext.len / RECORD_MAX + 1;
    if (plaintext.len > OUTPUT_MAX || !buf_reserve(&c->out, plaintext.len + records * RECORD_EXTRA))
        return fail(c, "the output is not taken");
    ERR_clear_error();
    while (plaintext.len) {
        size_t n = 0;
        int result = SSL_write_ex(c->ssl, plaintext.ptr, plaintext.len, &n);
        if (result != 1) {
            enum tls_status st = status_of(c, result);
            return st == TLS_FAILED ? st : fail(c, "the session takes no data");
        }
        plaintext = span_from(plaintext, n);
    }
    return TLS_OK;
}

void tls_shutdown(struct tls_conn *c)
{
    if (c->failed || !c->established)
        return;
    ERR_clear_error();
    if (SSL_shutdown(c->ssl) < 0)
        ERR_clear_error(); /* close_notify is a courtesy */
}

bool tls_output(struct tls_conn *c, struct buf *out)
{
    if (c->out.len == 0)
        return false;
    if (out->len == 0 && !out->failed && c->out.cap <= out->max) {
        size_t max = out->max; /* the usual case hands the memory over instead of copying */
        buf_done(out);
        *out = c->out;
        out->max = max;
        c->out = (struct buf){.max = OUTPUT_MAX};
    } else {
        buf_add(out, buf_span(&c->out));
        buf_done(&c->out);
    }
    return true;
}

bool tls_handshake_done(const struct tls_conn *c)
{
    return !c->failed && c->established;
}

const char *tls_error(const struct tls_conn *c)
{
    return c->failed ? c->error : "the TLS session is not established";
}

struct tls_info tls_info(const struct tls_conn *c)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(c->ssl);
    bool named = SSL_is_server(c->ssl) || c->name_given;
    return (struct tls_info){
        .version = SSL_get_version(c->ssl),
        .cipher = cipher ? SSL_CIPHER_get_name(cipher) : "",
        .cipher_bits = cipher ? SSL_CIPHER_get_bits(cipher, NULL) : 0,
        .resumed = SSL_session_reused(c->ssl) == 1,
        .verified = named && c->established && !tls_peer_problem(c),
    };
}

static bool print_fingerprint(const X509 *cert, struct buf *out)
{
    unsigned char sha256[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!cert || X509_digest(cert, EVP_sha256(), sha256, &n) != 1)
        return false;
    for (unsigned i = 0; i < n; i++)
        buf_addf(out, "%02x", sha256[i]);
    return !out->failed;
}

bool tls_peer_fingerprint(const struct tls_conn *c, struct buf *out)
{
    return print_fingerprint(SSL_get0_peer_certificate(c->ssl), out);
}

bool tls_sent_fingerprint(const struct tls_conn *c, struct buf *out)
{
    return SSL_is_server(c->ssl) && !SSL_session_reused(c->ssl) &&
           print_fingerprint(SSL_get_certificate(c->ssl), out);
}
