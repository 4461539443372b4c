/*
 * gssapi.h: the server's side of SASL GSSAPI (RFC 4752), that is Kerberos by a keytab. It stands apart from sasl.h,
 * since it needs a secret of the server's own: the tokens of an exchange go to the process that has the keytab, and
 * a session only passes them on.
 *
 * Offered is "no security layer" alone, without channel bindings. What comes out is an authenticated Kerberos
 * principal and the authorization identity that the client asks for; whom they mean is somebody else's to say.
 *
 * Steps take about a millisecond and may wait for a file (the replay cache), so they are meant for a thread of
 * their own. Acceptors are counted without locks: all but gssapi_exchange_step belongs to one thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Octets; one more is GSSAPI_REFUSED. */
enum { GSSAPI_TOKEN_MAX = 12288, GSSAPI_PRINCIPAL_MAX = 320, GSSAPI_AUTHORIZATION_MAX = 320 };

/* The keys, as a keytab in memory. */
struct gssapi_acceptor;

/*
 * Takes the usable keys (keytab.h) out of a keytab. replay_cache: the file that remembers which tickets were shown,
 * for as long as they could be shown again; made when needed, and kept over restarts. ERR_INVALID, ERR_LIMIT,
 * ERR_NOT_FOUND as keytab_read and keytab_describe; ERR_INTERNAL: what the Kerberos library says.
 */
NODISCARD enum err_code gssapi_acceptor_new(struct span keytab, const char *replay_cache,
                                            struct gssapi_acceptor **ret, struct err *err);
struct gssapi_acceptor *gssapi_acceptor_ref(struct gssapi_acceptor *a);
/* Exchanges hold references of their own: those under way go on with the keys that they began with. NULL allowed.
 */
void gssapi_acceptor_unref(struct gssapi_acceptor *a);

struct gssapi_exchange;

/* NULL when memory is out. */
struct gssapi_exchange *gssapi_exchange_new(struct gssapi_acceptor *a);
void gssapi_exchange_free(struct gssapi_exchange *x); /* NULL allowed; not during a step */

enum gssapi_status {
    GSSAPI_CONTINUE,    /* send the challenge, come back with the client's response */
    GSSAPI_DONE,        /* the client is gssapi_exchange_principal */
    GSSAPI_REFUSED,     /* as gssapi_exchange_why says */
    GSSAPI_UNAVAILABLE, /* cannot be said now (memory, the replay cache); likewise */
};

/* Why GSSAPI_REFUSED. */
enum gssapi_refusal {
    GSSAPI_BAD_TICKET,  /* not for one of our keys, expired, or not a ticket at all */
    GSSAPI_REPLAY,      /* a ticket's authenticator that was shown before */
    GSSAPI_BAD_MESSAGE, /* not what RFC 4752 has: a step too many, a security layer, an identity that is none */
};

/*
 * One step with what the client sent, decoded. The challenge of GSSAPI_CONTINUE is appended, and may be empty. May
 * run on any thread, on one at a time. After anything but GSSAPI_CONTINUE a further step is GSSAPI_REFUSED.
 */
enum gssapi_status gssapi_exchange_step(struct gssapi_exchange *x, struct span token, struct buf *challenge);
/* After GSSAPI_REFUSED or GSSAPI_UNAVAILABLE: a sentence for the log, printable, without any part of a token. */
const char *gssapi_exchange_why(const struct gssapi_exchange *x);
enum gssapi_refusal gssapi_exchange_refusal(const struct gssapi_exchange *x);
/* After GSSAPI_DONE, until gssapi_exchange_free: "alice@EXAMPLE.COM"; UTF-8 with one @, without \ and NUL. */
struct span gssapi_exchange_principal(const struct gssapi_exchange *x);
/* Likewise; whom to act as. Empty: the principal itself. UTF-8 without NUL. */
struct span gssapi_exchange_authorization_id(const struct gssapi_exchange *x);
