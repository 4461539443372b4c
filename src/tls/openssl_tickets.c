/*
 * openssl_tickets.c: session tickets (RFC 5077, RFC 8446 4.6.1) sealed with keys that all processes share, so that
 * a client's next connection resumes wherever it lands and no process keeps a session.
 *
 * A key is 16 bytes of name, 32 of HMAC-SHA-256 and 32 of AES-256-CBC, encrypt-then-MAC as OpenSSL lays it out. Key
 * 0 seals; key 1, the one before, still opens and asks for a fresh ticket.
 */
#include "tls/openssl.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

enum { NAME_LEN = 16, HMAC_LEN = 32, AES_LEN = 32, IV_LEN = 16 };
_Static_assert(NAME_LEN + HMAC_LEN + AES_LEN == TLS_TICKET_KEY_LEN, "the three parts make the key");

enum { TICKET_ERROR = -1, TICKET_UNKNOWN = 0, TICKET_USE = 1, TICKET_USE_AND_RENEW = 2 };

static bool init_mac(EVP_MAC_CTX *mac, uint8_t *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, HMAC_LEN),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int seal)
{
    struct tls_context *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    size_t i = 0;
    if (!seal) {
        while (i < TLS_TICKET_KEYS && memcmp(name, ctx->ticket_keys[i], NAME_LEN) != 0)
            i++;
        if (i == TLS_TICKET_KEYS)
            return TICKET_UNKNOWN;
    }
    uint8_t *key = ctx->ticket_keys[i];
    if (seal) {
        memcpy(name, key, NAME_LEN);
        if (RAND_bytes(iv, IV_LEN) != 1)
            return TICKET_ERROR;
    }
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + NAME_LEN + HMAC_LEN, iv, seal) != 1 ||
        !init_mac(mac, key + NAME_LEN))
        return TICKET_ERROR;
    return i == 0 ? TICKET_USE : TICKET_USE_AND_RENEW;
}

bool tls_tickets_enable(struct tls_context *ctx)
{
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket) == 1;
}
