/*
 * Any bytes as a certificate file, in both forms: bounded in time, and what is taken can be used: the chain loads,
 * and with its key where there is one. The password is what the corpus has.
 */
#include "tls/openssl.h"

#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf chain, key;
    struct tls_identity *id = NULL;
    struct err err = {0};
    bool has_key = false;
    buf_init(&chain, 1 << 20);
    buf_init(&key, 1 << 20);
    enum err_code code = tls_read_certificate_file(span_make(data, size), SPAN("pw"), &chain, &key, &has_key, &err);
    ASSERT(code ? err.text[0] && !chain.len && !key.len : chain.len && has_key == (key.len != 0));
    if (!code) {
        code = has_key ? tls_identity_load(buf_span(&chain), buf_span(&key), &id, &err)
                       : tls_identity_load_public(buf_span(&chain), &id, &err);
        ASSERT(code == ERR_NONE || err.text[0]); /* a short RSA key, for example */
    }
    tls_identity_free(id);
    ASSERT(ERR_peek_error() == 0);
    buf_done(&chain);
    buf_wipe(&key);
    return 0;
}
