/*
 * openssl_dane.c: a server verified by TLSA records (RFC 7672), which is OpenSSL's work.
 *
 * Invariant: with `dane` set nothing but a record that matched verifies the server. OpenSSL falls back to
 * authorities where it was given no record that it can use; tls_dane_problem looks for the match itself.
 */
#include "tls/openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { NAME_MAX_LEN = 255 };

bool tls_dane_enable(struct tls_context *ctx)
{
    return SSL_CTX_dane_enable(ctx->ssl) == 1;
}

static bool copy_name(struct span name, char out[static NAME_MAX_LEN + 1])
{
    if (span_ends(name, SPAN(".")))
        name.len--;
    if (name.len == 0 || name.len > NAME_MAX_LEN || memchr(name.ptr, '\0', name.len))
        return false;
    memcpy(out, name.ptr, name.len);
    out[name.len] = '\0';
    return true;
}

bool tls_use_dane(struct tls_conn *c, struct span base, struct span also_named, const struct tls_tlsa *records,
                  size_t count)
{
    char name[NAME_MAX_LEN + 1];
    ASSERT(!c->established);
    c->dane = true;
    ERR_clear_error();
    bool ok = copy_name(base, name) && SSL_dane_enable(c->ssl, name) == 1;
    if (ok)
        SSL_dane_set_flags(c->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    if (ok && copy_name(also_named, name))
        ok = SSL_add1_host(c->ssl, name) == 1;
    for (size_t i = 0; ok && i < count; i++) {
        const struct tls_tlsa *r = &records[i];
        int added = SSL_dane_tlsa_add(c->ssl, r->usage, r->selector, r->matching,
                                      (const unsigned char *)r->data.ptr, r->data.len);
        ok = added >= 0;
        c->dane_records |= added > 0;
    }
    ERR_clear_error();
    return ok;
}

const char *tls_dane_problem(const struct tls_conn *c, long result)
{
    bool matched = result == X509_V_OK && SSL_get0_dane_authority(c->ssl, NULL, NULL) >= 0;
    if (matched)
        return NULL;
    return X509_verify_cert_error_string(result == X509_V_OK || !c->dane_records ? X509_V_ERR_DANE_NO_MATCH
                                                                                 : result);
}
