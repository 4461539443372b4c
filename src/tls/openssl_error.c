/*
 * openssl_error.c: OpenSSL's error queue as our errors.
 *
 * Invariant: whoever reads a reason leaves the thread's queue empty, so that no later call is blamed for it.
 */
#include "tls/openssl.h"

#include <openssl/err.h>

const char *tls_openssl_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return reason ? reason : "no reason given";
}

enum err_code tls_openssl_err(struct err *err, enum err_code code, const char *text)
{
    return err_set(err, code, "%s: %s", text, tls_openssl_reason());
}
