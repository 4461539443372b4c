/*
 * explain.h: what would happen to a session, and why. The SMTP machine is driven over a policy by the gate's code,
 * as the receive role drives it, with a client that says EHLO, STARTTLS, AUTH, MAIL, RCPT and DATA; every decision
 * on the way is kept. What the policy does not know (certificates, users, recipients) is asked of the caller.
 *
 * Pure: no I/O, no clock. The whole explanation lives in the arena given, beside views into the policy and the
 * session, which must outlive it.
 */
#pragma once

#include "gate/gate.h"
#include "policy/select.h"
#include "routing/route.h"

/* ---- what is asked ---- */

struct explain_session {
    struct ip_addr remote;
    struct ip_endpoint local;
    bool tls;                /* STARTTLS, or at once where the connector has ImplicitTls */
    struct gate_tls client;  /* its certificate; counts under TLS only, where the connector asks for one */
    struct span certificate; /* the client's, for people; or empty */
    bool auth;
    struct span user;      /* with auth: who logs on; the password, or the ticket, is taken to be right */
    struct span mechanism; /* with auth: by which; empty: PLAIN, or what is offered first */
    struct span helo;
    struct span sender; /* empty: the null sender */
    struct span recipient;
    struct span header_from; /* From in the header; empty: none */
    uint64_t size;           /* octets of the message that the client declares; 0: a small one, not declared */
    int64_t now_ms;          /* for the greeting's date and entries that expire: milliseconds since 1970 */
};

/* ---- where the other facts come from ---- */

struct explain_certificate {
    bool unknown;     /* the certificates cannot be read */
    bool found;       /* there is one for the name */
    struct span text; /* which, or why there is none; for people */
    /* Names of other certificates that could be used: an Fqdn that would have one. */
    const struct span *others;
    size_t other_count;
};

/* The keys for GSSAPI. */
struct explain_keytab {
    bool unknown;     /* they cannot be read */
    bool usable;      /* there are some */
    struct span text; /* for which principals, or why there are none; for people */
};

enum explain_user_state {
    EXPLAIN_USER_FOUND,
    EXPLAIN_USER_UNKNOWN,
    EXPLAIN_USER_DISABLED,
    EXPLAIN_USER_NO_PASSWORD,
    EXPLAIN_USER_UNAVAILABLE, /* the directory cannot say */
};

struct explain_user {
    enum explain_user_state state;
    struct span primary; /* address */
    struct gate_user gate;
    struct span text; /* EXPLAIN_USER_UNAVAILABLE: why */
};

struct explain_recipient {
    enum resolved_kind kind; /* RESOLVED_LATER: the directory cannot say, and text is why */
    struct span target;
    size_t member_count;
    struct span text;
    bool authenticated_only; /* it takes mail of authenticated senders only */
};

/* Each fills in all of *ret, in the arena. */
struct explain_facts {
    void *context;
    struct span host; /* this server's name */
    void (*certificate)(void *context, struct span fqdn, struct arena *arena, struct explain_certificate *ret);
    /* kerberos: the name is a principal, and the user needs no password. */
    void (*user)(void *context, struct span name, bool kerberos, struct arena *arena, struct explain_user *ret);
    void (*recipient)(void *context, struct span address, struct arena *arena, struct explain_recipient *ret);
    /* Whether the user may send as the owner of an address: never GATE_SEND_AS_UNKNOWN. */
    enum gate_send_as (*send_as)(void *context, const struct gate_user *user, struct span address);
    struct explain_keytab keytab;
    const struct pressure *pressure; /* of the running server; NULL: not known, and nothing is taken to be short */
};

/* ---- the explanation ---- */

enum explain_verdict {
    EXPLAIN_ALLOWED, /* the message would be taken */
    EXPLAIN_REFUSED,
    EXPLAIN_UNKNOWN, /* it depends on what cannot be read */
};

/* Why a session ends in a refusal. */
enum explain_cause {
    EXPLAIN_CAUSE_NONE,
    EXPLAIN_CAUSE_NO_CONNECTOR,     /* none serves the connection */
    EXPLAIN_CAUSE_PROXY,            /* the address is a load balancer's, of which a PROXY header is due */
    EXPLAIN_CAUSE_NO_CERTIFICATE,   /* ImplicitTls without one */
    EXPLAIN_CAUSE_PLAIN_ON_TLS,     /* ImplicitTls, and the client speaks in the clear */
    EXPLAIN_CAUSE_HELLO,            /* EHLO was refused */
    EXPLAIN_CAUSE_NO_STARTTLS,      /* the client wants TLS and it is not offered */
    EXPLAIN_CAUSE_TLS_REQUIRED,     /* RequireTLS, and the client goes on in the clear */
    EXPLAIN_CAUSE_AUTH_NOT_OFFERED, /* in this state */
    EXPLAIN_CAUSE_LOGON,            /* no such user, disabled, or without password */
    EXPLAIN_CAUSE_RIGHT,            /* a decision: its right is denied or missing */
    EXPLAIN_CAUSE_PRESSURE,         /* a resource is short at the moment */
    EXPLAIN_CAUSE_SIZE,
    EXPLAIN_CAUSE_ADDRESS,     /* MAIL's or RCPT's is none, or has no domain */
    EXPLAIN_CAUSE_NO_MAILBOX,  /* 550 5.1.1 */
    EXPLAIN_CAUSE_AUTH_WANTED, /* the recipient takes mail of authenticated senders only */
    EXPLAIN_CAUSE_CONTENT,     /* the content itself */
    EXPLAIN_CAUSE_UNAVAILABLE, /* cannot be said */
    EXPLAIN_CAUSES,
};

/* The stages of the dialogue, in order. */
enum explain_stage {
    EXPLAIN_CONNECT,
    EXPLAIN_HELLO,
    EXPLAIN_STARTTLS,
    EXPLAIN_HELLO_TLS,
    EXPLAIN_AUTH,
    EXPLAIN_MAIL,
    EXPLAIN_RCPT,
    EXPLAIN_DATA,
    EXPLAIN_CONTENT,
    EXPLAIN_STAGES,
};

/* "MAIL", ... */
const char *explain_stage_name(enum explain_stage stage);
/* A stable word: "no-connector", ...; "none". */
const char *explain_cause_name(enum explain_cause cause);

enum { EXPLAIN_DECISIONS_MAX = 10 };

/* One exchange: what the client says, what it is told, and the decisions in between. */
struct explain_step {
    enum explain_stage stage;
    struct span said;  /* lines without their CRLF, separated by LF; empty for EXPLAIN_CONNECT; secrets as *** */
    struct span reply; /* likewise; empty: the connection is closed without a word */
    int code;          /* of the reply; 0: none */
    int64_t delay_ms;  /* how long the reply is held back (TarpitInterval, AuthTarpitInterval) */
    struct decision decisions[EXPLAIN_DECISIONS_MAX];
    size_t decision_count;
    struct span note; /* what else decided, for people; or empty */
};

/* What EHLO offers in one state, and what is missing. */
struct explain_missing {
    const char *keyword; /* "STARTTLS" */
    struct span why;
};
struct explain_offer {
    bool reachable; /* the state can come about on this connector */
    const struct span *keywords;
    size_t keyword_count;
    const struct explain_missing *missing;
    size_t missing_count;
};

/* A limit that applies: of several for one thing, `wins` marks the one that decides. */
struct explain_limit {
    const char *name; /* the property: "MaxMessageSize" */
    const char *unit; /* "bytes", "recipients", ... */
    struct span of;   /* whose: connector or organisation */
    uint64_t value;   /* POLICY_UNLIMITED_WIDE: none */
    bool wins;
    bool late;        /* obeyed behind the 250: a message that exceeds it goes back to its sender */
    bool live;        /* depends on the other sessions of the moment, which nobody knows offline */
    struct span note; /* for people; or empty */
};

/* One station of the recipient's route. */
struct explain_hop {
    struct span address;
    const struct accepted_domain *domain; /* that covers it; NULL: none */
    bool resolved;                        /* the directory was asked */
    struct explain_recipient found;       /* with `resolved` */
    struct route route;
    struct span queue; /* name of the queue, or empty */
};

/* A way to another outcome. */
enum explain_remedy_kind {
    EXPLAIN_COMMANDS, /* cmdlets, proved on a copy of the policy: the message is then taken */
    EXPLAIN_ADVICE,   /* for the client, or outside the policy: not proved */
};
struct explain_remedy {
    enum explain_remedy_kind kind;
    struct span text;  /* complete lines for the shell, separated by LF; or a sentence */
    struct span opens; /* what else it would allow: sentences separated by LF; empty: nothing */
    struct span then;  /* the message is taken, and this is in the way of its delivery; or empty */
    uint32_t weight;   /* how much it opens: they come in this order */
};

struct explanation {
    const struct policy *policy;
    const struct explain_session *session;
    struct arena *arena;

    enum explain_verdict verdict;
    enum explain_cause cause;
    enum explain_stage stage;     /* the last one that was reached */
    const struct decision *blame; /* EXPLAIN_CAUSE_RIGHT: the decision that refused */
    struct span reason;           /* one sentence */

    struct selection selection;
    const struct receive_connector *connector; /* NULL: none */
    struct span fqdn;
    struct explain_certificate certificate; /* where the connector uses TLS */
    struct explain_keytab keytab;           /* where it uses GSSAPI */
    struct explain_offer before_tls, after_tls;

    struct token first_token, last_token; /* at the start, and when the session ended */
    bool internal;                        /* its mail counts as the organisation's own */
    struct explain_user user;             /* where AUTH was reached */
    uint64_t max_size;                    /* of the message, where MAIL was accepted; 0: unlimited */
    bool by_ticket;                       /* then: it is a principal that logged on, by GSSAPI */
    struct explain_step steps[EXPLAIN_STAGES];
    size_t step_count;

    const struct explain_limit *limits;
    size_t limit_count;
    const struct pressure *pressure; /* as the facts have it */
    enum pressure_resource short_of; /* EXPLAIN_CAUSE_PRESSURE: what is */
    const struct explain_hop *hops;  /* of the recipient, whether it is accepted or not */
    size_t hop_count;
    bool undeliverable;                      /* taken, and then returned to the sender, or kept until it expires */
    const struct explain_limit *returned_by; /* the late limit that it exceeds, or NULL */

    const struct explain_remedy *remedies; /* explain_search */
    size_t remedy_count;
};

/* False: memory is out. Fills in all of *ret but the remedies. */
NODISCARD bool explain(const struct policy *p, const struct explain_facts *facts, const struct explain_session *s,
                       struct arena *arena, struct explanation *ret);

/*
 * The verdict alone, of a session that goes on to `last` and no further: for many sessions. Filled in are the
 * connector and its certificate, verdict, cause, stage, blame, steps, tokens, user and max_size; all else is empty.
 * False: memory is out.
 */
NODISCARD bool explain_verdict(const struct policy *p, const struct explain_facts *facts,
                               const struct explain_session *s, enum explain_stage last, struct arena *arena,
                               struct explanation *ret);
/* The reason behind a refusal that explain_verdict gave. ptr NULL: memory is out. */
struct span explain_refusal(struct explanation *e);

/* ---- remedies ---- */

/*
 * A copy of the policy that changes can be tried on. apply begins anew with the policy as it is, runs the lines and
 * gives what comes of it; both policy and facts live until the next call. ERR_DENIED: a cmdlet wants -Force.
 */
struct explain_trial {
    void *context;
    enum err_code (*apply)(void *context, struct span lines, const struct policy **ret_policy,
                           const struct explain_facts **ret_facts, struct err *err);
};

/*
 * Looks for what would make a refused or undeliverable message go through, the least opening first, and puts it
 * into e. What is listed as commands was applied to the copy and explained again with that result.
 * False: memory is out.
 */
NODISCARD bool explain_search(struct explanation *e, const struct explain_trial *trial);

/* ---- printing ---- */

/* For people. */
void explain_print(struct buf *out, const struct explanation *e);
/* docs/explain.md describes the structure. */
void explain_print_json(struct buf *out, const struct explanation *e);
/* A principal set as names, separated by ", ". */
void explain_print_token(struct buf *out, const struct explanation *e, const struct token *t);
