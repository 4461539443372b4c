/*
 * hop_tls.h: the TLS that one hop needs, decided in one place from all that has a say: the connector, what the DNS
 * and a policy of the receiving domain say of the host, and the message. Pure: the same facts give the same answer;
 * the transport obeys it and takes every reason that it tells from here.
 *
 * The first rule of a table in hop_tls.c that applies decides (docs/decisions/0012-tls-towards-others.md says why).
 */
#pragma once

#include "base/buf.h"
#include "delivery/delivery.h"

/* ---- what is known of a host ---- */

/* Its TLSA records (RFC 7672), where DNSSEC proves both them and the way to them. */
enum hop_dane {
    HOP_DANE_NONE,     /* there are none, or nothing proves them */
    HOP_DANE_UNUSABLE, /* there are some, but none that a mail server can use: TLS, with any certificate */
    HOP_DANE_RECORDS,
};

/* The policy of the domain (RFC 8461). */
enum hop_sts { HOP_STS_NONE, HOP_STS_TESTING, HOP_STS_ENFORCE };

struct hop_facts {
    struct span host; /* its name */
    enum hop_dane dane;
    enum hop_sts sts;
    bool sts_listed; /* the policy has the host among its mx */
    /* Nobody but the recipients' domain, or an administrator, can have named the host: DNSSEC proves the MX
     * records, or it is a smart host. */
    bool named_securely;
};

/* ---- what follows ---- */

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
    HOP_PROOF_HOST,    /* that, and it names the host */
    HOP_PROOF_DANE,    /* a TLSA record of the host matches it */
    HOP_PROOF_PINNED,  /* one of the destination's pins */
};

struct hop_tls {
    enum hop_level level;
    enum hop_proof proof; /* other than NONE with HOP_MUST only */
    struct span domain; /* HOP_PROOF_DOMAIN, HOP_PROOF_HOST: whose name; a view into the destination or the facts */
    bool partner;       /* trusted are the authorities for partners (certs/trusted), as for their mail coming in */
    bool present;       /* this server proves itself as well: without a certificate of its own, no mail */
    bool require_tls;   /* the server must offer REQUIRETLS, and gets it with MAIL (RFC 8689) */
    enum tls_verified verified; /* what a hop that gave the proof is verified by */
    /* A policy in mode testing, of which the hop is only to tell what it would have refused; the host is in it. */
    bool testing, testing_listed;
    const char *rule;    /* who asks for it, in an administrator's words */
    const char *refusal; /* not NULL: this host gets no mail, whatever it proves; why */
};

/* The destination is SMTP's or LMTP's. */
struct hop_tls hop_tls_decide(const struct delivery_destination *to, const struct hop_facts *facts);

/* What is asked for and by whom, as the beginning of a sentence: "RequireTLS asks for TLS". */
void hop_tls_explain(const struct hop_tls *h, struct buf *out);
