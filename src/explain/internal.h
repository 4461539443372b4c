/* internal.h: what the files of the explanation share. */
#pragma once

#include "explain/explain.h"

/* explain.c: a sentence in the explanation's arena; when memory is out the empty span, and *failed is set. */
struct span explain_text(struct explanation *e, const char *format, ...) PRINTF(2, 3);
/* An array of count zeroed items of a type in the arena; NULL when memory is out. */
#define EXPLAIN_ARRAY(e, count, type) ARENA_ARRAY((e)->arena, (count) ? (count) : 1, type)

/* dialogue.c: the client's session up to a stage: fills in steps, verdict, cause, stage, tokens, user, max_size. */
bool explain_dialogue(struct explanation *e, const struct explain_facts *facts, enum explain_stage last);
/* The reply to EHLO in the clear and, where STARTTLS or ImplicitTls lead there, under TLS; empty where not. */
bool explain_probe(struct explanation *e, struct span *ret_clear, struct span *ret_tls);

/* offer.c: what the connector offers, from the replies to EHLO; empty ones for a state that cannot come about. */
bool explain_offers(struct explanation *e, struct span clear, struct span tls);
/* Why STARTTLS, or AUTH in a state, is not offered. */
struct span explain_why_no_starttls(struct explanation *e);
struct span explain_why_no_auth(struct explanation *e, bool tls);
struct span explain_why_no_gssapi(struct explanation *e);
/* Whether the client insists on GSSAPI, or has taken it as what is offered. */
bool explain_by_gssapi(const struct explanation *e);

/* hop.c: the recipient's route. */
bool explain_route(struct explanation *e, const struct explain_facts *facts);
/* limit.c: behind the route, whose limits count. */
bool explain_limits(struct explanation *e);

/* reason.c: the sentence for e->reason. */
struct span explain_reason(struct explanation *e);
/* A step of a decision, without its line end. */
struct span explain_step_text(struct explanation *e, const struct decision_step *s);

/* ---- proposals ---- */

enum { PROPOSALS_MAX = 12 };

/* What would take one refusal away; another may lie behind it. */
struct proposal {
    enum explain_remedy_kind kind;
    struct span text, opens;
    uint32_t weight; /* WEIGHT_* and what is added to them */
};
struct proposals {
    struct proposal items[PROPOSALS_MAX];
    size_t count;
};

/* How much a change opens, in rising order. */
enum {
    WEIGHT_CLIENT = 0,   /* nothing: the client does something else */
    WEIGHT_USER = 10,    /* one user */
    WEIGHT_ADDRESS = 20, /* one client address */
    WEIGHT_USERS = 40,   /* all users of a connector */
    WEIGHT_RANGE = 60,   /* all clients of a connector */
    WEIGHT_DOMAIN = 80,  /* everybody, for one domain */
    WEIGHT_CLEAR = 100,  /* something readable on the wire */
    WEIGHT_FORCE = 200,  /* an open relay */
};
enum { WEIGHT_NARROWED = 5 }; /* so much less than the same for all senders and recipients */

/* For e's refusal, or for its route where it is taken and undeliverable. */
void explain_propose(struct explanation *e, struct proposals *ret);
/* proposal_connection.c: connectors, TLS and logon; proposal_right.c: rights; proposal_address.c: the rest. */
void propose_connection(struct explanation *e, struct proposals *ret);
void propose_right(struct explanation *e, struct proposals *ret);
void propose_address(struct explanation *e, struct proposals *ret);

/* Adds one; text and opens as explain_text gives them. */
void propose(struct proposals *p, enum explain_remedy_kind kind, uint32_t weight, struct span text,
             struct span opens);
/* A text as the shell's own argument. */
struct span explain_quote(struct explanation *e, struct span text);
/* The winning connector's name so quoted, and its clients for people: "10.0.0.0/8 on port 25". */
struct span explain_connector_argument(struct explanation *e);
struct span explain_clients(struct explanation *e, const struct receive_connector *c);
/* Adds a connector for the session's client alone, with a permission group and further settings (or empty). */
void propose_own_connector(struct explanation *e, struct proposals *p, const char *group, struct span settings);
