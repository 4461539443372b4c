/*
 * smtp_transport.h: a job for SMTP or LMTP as its two files see it: smtp_transport.c decides which connection to
 * use, smtp_route.c which hosts and addresses there are.
 */
#pragma once

#include "delivery/resolver.h"
#include "delivery/smtp_connection.h"
#include "delivery/sts.h"

struct smtp_task {
    struct delivery_task task;
    uv_timer_t timer; /* of a question to the DNS */
    bool ended;
    struct span key;
    struct smtp_load load;
    const struct delivery_host *hosts; /* the job's, or those of the domain */
    size_t host_count, host_next;
    struct delivery_host host; /* the one in hand, and its addresses */
    bool local;                /* it is a unix socket, the only "address" */
    struct ip_addr addresses[RESOLVER_ADDRESSES_MAX];
    size_t address_count, address_next;
    bool mx_secure;                  /* DNSSEC proves which hosts these are */
    struct hop_facts facts;          /* about the host in hand */
    struct hop_tls hop;              /* what it needs */
    bool without_tls;                /* once more to the same address, after TLS did not come about */
    struct span tlsa_base;           /* whose TLSA records are asked for, or were */
    const struct sts_policy *policy; /* of the domain; NULL: it has none */
    struct resolver_question *question;
    struct sts_question *sts_question;
    struct smtp_connection *connection;
    bool reused, stale;
    struct delivery_result failure; /* the best so far; stage NULL: none */
};

/* Goes on to the next thing that can be tried, or ends. */
void smtp_transport_advance(struct smtp_task *s);

/* Asks for what is to be known of the job's domain: its policy, where that decides, then its exchangers;
 * smtp_transport_advance follows. */
void smtp_route_ask_domain(struct smtp_task *s);
/* Takes the next host in hand. False when its addresses are being asked for: then smtp_transport_advance follows.
 */
bool smtp_route_next_host(struct smtp_task *s);
/* Notes that a question is under way, and for how long; with NULL, that it could not be asked: then false. */
bool smtp_route_asked(struct smtp_task *s, struct resolver_question *q, struct span subject);
/*
 * smtp_dane.c: asks for the TLSA records of the host in hand, whose name and addresses DNSSEC proves; canonical:
 * where its CNAMEs end, or empty. True when the question is under way: then smtp_transport_advance follows. False
 * when nothing that decides about this hop wants to know, or nobody can be asked (the host is passed over then).
 */
bool smtp_dane_ask(struct smtp_task *s, struct span canonical);
/* Keeps a failure if it is better to report than what there is. */
void smtp_route_note(struct smtp_task *s, const struct delivery_result *r);
/* A failure in our own words, "<subject>: <text>"; the code's class must fit the outcome. */
struct delivery_result smtp_route_failure(struct smtp_task *s, enum delivery_outcome outcome, const char *enhanced,
                                          const char *stage, struct span subject, const char *text);
