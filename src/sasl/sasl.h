/*
 * sasl.h: the server side of SASL (RFC 4422) as a port: a mechanism turns what a client says into credentials, and
 * somebody else checks them. So a session never waits in here, and no secret is looked up in the process that talks
 * to the network.
 *
 * Mechanisms: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login, the form that clients in the field speak).
 * All bytes are decoded: base64 and its line limits belong to SMTP.
 */
#pragma once

#include "base/buf.h"
#include "base/secret.h"

/* Octets; one more is SASL_FAILED. */
enum { SASL_USER_MAX = 320, SASL_PASSWORD_MAX = 1024 };

struct sasl; /* one exchange; holds what was said until it is freed, and wipes it then */

enum sasl_status {
    SASL_CONTINUE,    /* send the challenge, come back with the client's response */
    SASL_CREDENTIALS, /* complete: check what sasl_credentials gives */
    SASL_FAILED,      /* malformed, empty, too long, or asks for another's identity: refuse like a wrong password */
};

struct sasl_credentials {
    struct span authorization_id;  /* whom to act as; empty: the same as below */
    struct span authentication_id; /* whose password this is; not empty, valid UTF-8 without NUL */
    const struct secret *password; /* not empty, likewise */
};

/* True when sasl_start knows the mechanism, whatever its case. */
bool sasl_supported(struct span mechanism);
/* Begins an exchange. NULL when the mechanism is unknown or memory is out. */
struct sasl *sasl_start(struct span mechanism);
/* Wipes and frees; NULL allowed. */
void sasl_free(struct sasl *s);

/*
 * Goes one step on with what the client sent. response is NULL where it sent nothing, which is legal once, at the
 * start ("AUTH PLAIN" without initial response); an empty initial response ("=") is a span of length 0. Appends the
 * challenge for SASL_CONTINUE to challenge, which may be empty, and nothing otherwise. After SASL_CREDENTIALS or
 * SASL_FAILED a further step is SASL_FAILED.
 */
enum sasl_status sasl_step(struct sasl *s, const struct span *response, struct buf *challenge);

/* Only after SASL_CREDENTIALS; valid until sasl_free. */
struct sasl_credentials sasl_credentials(const struct sasl *s);
