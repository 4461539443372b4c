/*
 * token.h: who a session is: the set of principals that rights can be granted to. It begins as anonymous and is
 * made anew by authentication; what ANONYMOUS LOGON is granted does not apply to an authenticated session (as on
 * Windows).
 */
#pragma once

#include "policy/principal.h"

/* What TLS has proved of a client, for the domains whose mail must come by mutual TLS. */
enum token_peer {
    PEER_IN_CLEAR,       /* no TLS */
    PEER_NO_CERTIFICATE, /* it presented none, or was not asked */
    PEER_NOT_TRUSTED,    /* a certificate that is expired or of no trusted authority */
    PEER_TRUSTED,        /* a valid one; for which domains it speaks is in `partners` */
};

/* What is known of a session (or, on the send side, of the server that we talk to). */
struct session_facts {
    bool external_authoritative; /* the connector vouches for its clients */
    struct span user;            /* GUID of the authenticated user; empty: nobody logged on */
    const struct span *groups;   /* GUIDs of the user's groups, direct or not */
    size_t group_count;
    unsigned
        servers; /* what a verified certificate or server logon proves: a set of PRINCIPAL_BIT of server kinds */
    enum token_peer peer;
    const struct span *partners; /* domains of the secure list that its certificate names */
    size_t partner_count;
};

struct token {
    unsigned well_known; /* set of PRINCIPAL_BIT */
    struct span user;
    const struct span *groups;
    size_t group_count;
    enum token_peer peer;
    const struct span *partners;
    size_t partner_count;
};

/*
 * The token of a session. Everyone is always in it; ANONYMOUS LOGON only when nothing was proved; Externally
 * Secured Servers from the first byte on an ExternalAuthoritative connector. The spans and the array must outlive
 * the token.
 */
struct token token_build(const struct session_facts *facts);
bool token_is_anonymous(const struct token *t);
bool token_is_user(const struct token *t);
/* Whether its certificate names this domain of the secure list. */
bool token_is_partner(const struct token *t, struct span domain);
/* Whether an entry for this principal applies. guid counts for users and groups, without regard to case. */
bool token_has(const struct token *t, enum principal kind, struct span guid);
