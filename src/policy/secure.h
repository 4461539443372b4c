/*
 * secure.h: domain security: whose mail must come by mutual TLS, to whom it must leave so, and which servers are
 * known by a pinned certificate.
 */
#pragma once

#include "policy/policy.h"
#include "policy/token.h"

enum secure_outcome {
    SECURE_NOT_LISTED, /* the rule does not apply: not this domain, not this connector, or a server of ours relays
                        */
    SECURE_PROVEN,     /* the client's certificate speaks for the domain */
    SECURE_MISSING,    /* it must be refused */
};

/* Whether the session's senders are held against the list at all: on a connector with DomainSecureEnabled. */
bool policy_secures_senders(const struct policy *p, const struct receive_connector *c, const struct token *t);
/* Of a sender's domain, in the envelope or in the header. Names are compared without regard to ASCII case. */
enum secure_outcome policy_secure_sender(const struct policy *p, const struct receive_connector *c,
                                         const struct token *t, struct span domain);
/* Whether mail to the domain must leave by mutual TLS where it leaves by this connector. */
bool policy_secure_recipient(const struct policy *p, const struct send_connector *c, struct span domain);
/* What is missing, for a reply; static. */
const char *policy_secure_text(enum token_peer peer);

/* Whether the connector asks its clients for certificates: for domain security, or to know servers by their pins.
 */
bool policy_asks_certificate(const struct policy *p, const struct receive_connector *c);
/* What a certificate with this SHA-256 fingerprint proves: a set of PRINCIPAL_BIT, empty for an unknown one. */
unsigned policy_pinned_servers(const struct policy *p, struct span fingerprint);
