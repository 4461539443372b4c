/*
 * certificates.h: which certificate a connector presents (by its Fqdn), as a TLS context that is made once and kept
 * until the certificates change.
 */
#pragma once

#include "runtime/frame.h"
#include "tls/tls.h"

/* What a connector asks of its TLS contexts. */
struct certificates_use {
    struct span fqdn;
    enum tls_version minimum;
    enum tls_profile profile;
    bool ask_client; /* for a certificate of its own */
};

/* The certificates or ticket keys were replaced: contexts are made anew from here on; open sessions keep theirs. */
void certificates_changed(void);
/* CONTROL_TRUST: the authorities of client certificates; contexts are made anew. What cannot be used leaves none.
 */
void certificates_take_trust(const struct frame *f);
/*
 * The context for a use, borrowed until the next call (tls_context_share keeps it); NULL when no certificate fits
 * its Fqdn (TLS is then not offered; the log says so, once for each name and set of certificates).
 */
struct tls_context *certificates_context(const struct certificates_use *use, int64_t now_ms);
