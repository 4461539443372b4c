/*
 * fuzz_exchange.c: responses cut out of the input at 0x0a. Properties: credentials are never empty, never hold NUL,
 * keep their limits, and an authorization identity is the authentication identity; after the end nothing goes on.
 */
#include "base/utf8.h"
#include "sasl/sasl.h"

#include <string.h>

static void check_credentials(struct sasl *s)
{
    struct sasl_credentials c = sasl_credentials(s);
    struct span password = secret_reveal(c.password);
    ASSERT(c.authentication_id.len && c.authentication_id.len <= SASL_USER_MAX);
    ASSERT(password.len && password.len <= SASL_PASSWORD_MAX);
    ASSERT(!memchr(c.authentication_id.ptr, '\0', c.authentication_id.len));
    ASSERT(!memchr(password.ptr, '\0', password.len));
    ASSERT(utf8_valid(c.authentication_id) && utf8_valid(password));
    ASSERT(!c.authorization_id.len || span_ieq(c.authorization_id, c.authentication_id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct sasl *s = sasl_start(data[0] & 1 ? SPAN("PLAIN") : SPAN("LOGIN"));
    ASSERT(s);
    struct buf challenge;
    buf_init(&challenge, 64);
    struct span rest = span_make(data + 1, size - 1), response;
    enum sasl_status st = SASL_CONTINUE;
    if (data[0] & 2)
        st = sasl_step(s, NULL, &challenge);
    while (st == SASL_CONTINUE && span_split(&rest, '\n', &response)) {
        buf_clear(&challenge);
        st = sasl_step(s, &response, &challenge);
        ASSERT(st == SASL_CONTINUE || challenge.len == 0);
    }
    if (st == SASL_CREDENTIALS)
        check_credentials(s);
    if (st != SASL_CONTINUE) {
        struct span more = SPAN("more");
        ASSERT(sasl_step(s, &more, &challenge) == SASL_FAILED);
    }
    buf_done(&challenge);
    sasl_free(s);
    return 0;
}
