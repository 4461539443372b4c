/* tls_outcome.h: how a delivery was encrypted, and by what the other side was known: for reports, logs and message
 * tracking. */
#pragma once

#include "base/span.h"

/* By what the server's certificate was verified: the rule that asked for it, else whatever succeeded. */
enum tls_verified {
    TLS_VERIFIED_NONE, /* by nothing: encrypted for anybody, or not at all */
    TLS_VERIFIED_CA,   /* a trusted authority issued it (and it names what TlsAuthLevel, or the host, asks for) */
    TLS_VERIFIED_DANE,
    TLS_VERIFIED_MTA_STS,
    TLS_VERIFIED_DOMAIN_SECURE,
    TLS_VERIFIED_PINNED, /* it is one of TransportConfig's Hub or Edge server certificates */
    TLS_VERIFIED_COUNT,
};

/* Printable, whatever the other side sent. In the clear all but the last is empty. */
struct tls_outcome {
    struct span version; /* "TLSv1.3" */
    struct span cipher;
    enum tls_verified verified;
    struct span peer; /* the first names of the server's certificate, separated by commas */
    /* For what an MTA-STS policy in mode testing would have refused the hop; in the clear too. Empty: for nothing.
     */
    struct span policy_failure;
};

/* "none", "ca", "dane", "mta-sts", "domain-secure", "pinned". */
const char *tls_verified_name(enum tls_verified v);
