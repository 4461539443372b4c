/*
 * hop_tls.h: the TLS that one hop needs, decided in one place from all that has a say. Pure: the same facts give
 * the same answer; the transport obeys it and takes every reason that it tells from here.
 *
 * Whoever asks for the most definite proof decides; the order is a table in hop_tls.c
 * (docs/decisions/0009-tls-towards-others.md says why).
 */
#pragma once

#include "base/buf.h"
#include "delivery/delivery.h"

enum hop_level {
    HOP_CLEAR,   /* STARTTLS is not used */
    HOP_ENCRYPT, /* when it is offered; where TLS does not come about, in the clear */
    HOP_MUST,    /* no mail without TLS and the proof */
};

/* What the server's certificate must be. */
enum hop_proof {
    HOP_PROOF_NONE,
    HOP_PROOF_TRUSTED, /* issued by a trusted authority, and valid */
    HOP_PROOF_DOMAIN,  /* that, and its names have `domain`, or a host or wildcard below it */
    HOP_PROOF_PINNED,  /* one of the destination's pins */
};

struct hop_tls {
    enum hop_level level;
    enum hop_proof proof; /* other than NONE with HOP_MUST only */
    struct span domain;   /* HOP_PROOF_DOMAIN; a view into the destination */
    bool partner; /* trusted are the authorities for partners (certs/trusted), as for their mail coming in */
    bool present; /* this server proves itself as well: without a certificate of its own, no mail */
    enum tls_verified verified; /* what a hop that gave the proof is verified by */
    const char *rule;           /* who asks for it, in an administrator's words */
};

/* The destination is SMTP's or LMTP's. */
struct hop_tls hop_tls_decide(const struct delivery_destination *to);

/* What is asked for and by whom, as the beginning of a sentence: "RequireTLS asks for TLS". */
void hop_tls_explain(const struct hop_tls *h, struct buf *out);
