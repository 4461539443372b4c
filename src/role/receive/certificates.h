/*
 * certificates.h: which certificate a connector presents (by its Fqdn), as a TLS context that is made once and kept
 * until the certificates change.
 */
#pragma once

#include "tls/tls.h"

/* The certificates or ticket keys were replaced: contexts are made anew from here on; open sessions keep theirs. */
void certificates_changed(void);
/*
 * The context for a connector's Fqdn, borrowed until the next call (tls_context_share keeps it); NULL when no
 * certificate fits it (TLS is then not offered; the log says so, once for each name and set of certificates).
 */
struct tls_context *certificates_context(struct span fqdn, enum tls_version minimum, int64_t now_ms);
