/* dane.h: TLSA records as they come out of the DNS (RFC 6698, 2.1), and which of them SMTP can use (RFC 7672, 3.1).
 */
#pragma once

#include "tls/tls.h"

/* No host of mail needs more; further ones are not looked at, so that a certificate's check stays cheap. */
enum { DANE_RECORDS_MAX = 32, DANE_DATA_MAX = 8192 };

/* Reads a record; its data stays a view. False when it is malformed, or nothing that SMTP can use: another usage
 * than DANE-TA(2) or DANE-EE(3), an unknown selector or matching type, a digest of the wrong length. */
bool dane_parse(struct span rdata, struct tls_tlsa *ret);
