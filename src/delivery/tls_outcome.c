/* tls_outcome.c: see tls_outcome.h. */
#include "delivery/tls_outcome.h"

const char *tls_verified_name(enum tls_verified v)
{
    static const char *const names[] = {
        [TLS_VERIFIED_NONE] = "none",
        [TLS_VERIFIED_CA] = "ca",
        [TLS_VERIFIED_DANE] = "dane",
        [TLS_VERIFIED_MTA_STS] = "mta-sts",
        [TLS_VERIFIED_DOMAIN_SECURE] = "domain-secure",
        [TLS_VERIFIED_PINNED] = "pinned",
    };
    _Static_assert(ARRAY_LEN(names) == TLS_VERIFIED_COUNT, "each has a name");
    return (size_t)v < ARRAY_LEN(names) ? names[v] : "none";
}
