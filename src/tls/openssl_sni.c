/*
 * openssl_sni.c: the certificate by the name that the client asks for (RFC 6066, 3).
 *
 * Invariant: a name that no certificate fits, and one that the connector's own fits, leave the connector's in
 * place: a client is never refused for the name it gave (an old one gives what its user typed).
 */
#include "runtime/clock.h"
#include "tls/openssl.h"

#include <openssl/err.h>

static int on_server_name(SSL *ssl, int *alert UNUSED, void *argument)
{
    struct tls_context *ctx = argument;
    const char *given = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct span name = span_of(given ? given : "");
    if (!name.len || tls_identity_matches(ctx->identity, name))
        return SSL_TLSEXT_ERR_OK;
    struct tls_identity *id = tls_identity_choose(ctx->others, ctx->other_count, name, clock_wall_ms());
    if (id && SSL_use_cert_and_key(ssl, id->leaf, id->key, id->chain, 1) != 1)
        ERR_clear_error();
    return SSL_TLSEXT_ERR_OK;
}

void tls_sni_enable(struct tls_context *ctx)
{
    SSL_CTX_set_tlsext_servername_callback(ctx->ssl, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx->ssl, ctx);
}
