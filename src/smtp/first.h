/*
 * first.h: what the first octets of a connection are, where TLS and text are mixed up: a client that begins with
 * TLS where STARTTLS is due, and one that speaks in the clear where TLS comes first (RFC 8314). Judged by what is
 * there, however little; never waited for.
 */
#pragma once

#include "base/span.h"

/*
 * True for the beginning of a TLS ClientHello: a handshake record of any version (RFC 8446, 5.1), or the hello of
 * SSL 2 that very old clients send. No SMTP command begins so.
 */
bool first_is_tls(struct span octets);
/* True for text: what can be no TLS record, and is printable ASCII with line ends as far as it is looked at. */
bool first_is_text(struct span octets);
