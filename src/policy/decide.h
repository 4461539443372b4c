/*
 * decide.h: the decision engine. Each question of a session (may it log on, send as, send to, keep its headers)
 * becomes a decision: a record of the verdict, the rights asked for, the ACL entry that decided each, and the
 * reply. The verdict can be computed again from the record alone (decision_replay), and printed for people.
 *
 * Of the entries for a right that apply to the token, one that denies beats all that allow; none means refused. The
 * order in which entries were made does not matter. Entries that are narrowed and whose narrowing is not met do not
 * apply (narrow.h); the record names those which would have counted otherwise.
 *
 * What is not known yet when a question comes: an entry that allows does not apply and one that denies does, so
 * that nothing is granted beyond what was meant and no denial is weaker. With two exceptions, where something is
 * asked again when it is known: at AUTH, Submit is not refused because of a sender (MAIL asks again); at MAIL,
 * Submit and the right to the sender are not refused because of recipients (each RCPT asks again what `pending`
 * says).
 *
 * An address without domain must be completed by the caller before it is asked about (the connector's
 * DefaultDomain, else policy_default_domain): here it lies in no domain of ours.
 */
#pragma once

#include "base/buf.h"
#include "policy/narrow.h"
#include "policy/policy.h"
#include "policy/token.h"

enum verdict {
    VERDICT_DENY,
    VERDICT_ALLOW,
    VERDICT_DEFER, /* cannot be said now: a temporary reply */
};

enum question {
    QUESTION_AUTH,          /* AUTH: would the user be able to do anything */
    QUESTION_MAIL,          /* MAIL FROM */
    QUESTION_HEADER_SENDER, /* From or Sender, at the end of the data */
    QUESTION_RCPT,          /* RCPT TO */
    QUESTION_RIGHT,         /* one right: header classes, size, authentication flag */
};

/* One step of a decision, in order. */
enum step_kind {
    STEP_NULL_SENDER,     /* <>: the sender rule does not apply; allows */
    STEP_SENDER_LOCAL,    /* the sender is in the authoritative `domain` */
    STEP_SENDER_FOREIGN,  /* it is in none; in the relay `domain`, if that is given */
    STEP_OWNER,           /* the address belongs to the user; allows */
    STEP_SEND_AS,         /* the user may send as the owner of the address; allows */
    STEP_NOT_OWNER,       /* neither */
    STEP_OWNER_UNKNOWN,   /* the directory cannot say now; defers */
    STEP_ACCEPTED_DOMAIN, /* the recipient is in the accepted `domain`; allows */
    STEP_NOT_ACCEPTED,    /* it is in none: relaying */
    STEP_SECURE_PROVEN,   /* mail of the sender's domain must come by mutual TLS, and does; allows the sender */
    STEP_SECURE_MISSING,  /* ... and does not; denies, before anything else is asked */
    STEP_RIGHT_ALLOWED,   /* `right` is granted by `entry` */
    STEP_RIGHT_DENIED,    /* ... denied by `entry` */
    STEP_RIGHT_MISSING,   /* ... mentioned for nobody in the token */
    STEP_ENTRY_UNMET,     /* `entry` does not apply; before the answer about its right */
};

/* What was allowed for certain senders or recipients, before they were known. */
enum pending {
    PENDING_SUBMIT = 1 << 0, /* Submit */
    PENDING_SENDER = 1 << 1, /* the right to the sender */
};

struct decision_step {
    enum step_kind kind;
    enum right right;               /* of STEP_RIGHT_* and STEP_ENTRY_UNMET, otherwise RIGHT_COUNT */
    uint32_t index;                 /* of `entry` in the connector's ACL */
    const struct policy_ace *entry; /* or NULL */
    unsigned unmet; /* enum unmet: what of the entry is not met; of one that decides, what is not known yet */
    uint32_t more;  /* of STEP_RIGHT_*: how many further entries do not apply and have no step */
    const struct accepted_domain *domain; /* or NULL */
};

/* UNMET: for each right asked for. RCPT asks for three rights at most, with a step or two beside them. */
enum { DECISION_UNMET_MAX = 4, DECISION_STEPS_MAX = 24 };

struct decision {
    enum question question;
    enum verdict verdict;
    enum right right;               /* the last right asked for: the one to grant; RIGHT_COUNT if none was */
    const struct policy_ace *entry; /* that decided about it; NULL: none */
    bool anonymous;                 /* the token was anonymous */
    unsigned pending;               /* MAIL: enum pending; give it to RCPT in its conditions */
    struct policy_text connector;   /* its name */
    struct decision_step steps[DECISION_STEPS_MAX];
    size_t step_count;
    /* The reply unless allowed; code 0 where a missing right has none (QUESTION_RIGHT). */
    int code;
    const char *enhanced; /* "5.7.1" */
    const char *text;
};

/* Whom an authenticated user may send as without further rights. Full addresses, compared without regard to case.
 */
struct owned_addresses {
    const struct span *addresses; /* the user's own */
    size_t count;
    const struct span *send_as; /* those of others, for whom the user has Send-As */
    size_t send_as_count;
    bool unavailable; /* the directory could not say: what is not listed here is deferred */
};

/* AUTH has succeeded: is there anything that the user could do. t is the token after the logon. */
struct decision decide_submit_at_auth(const struct policy *p, const struct receive_connector *c,
                                      const struct token *t, const struct conditions *when);
/* address: local@domain, or empty for the null sender. The conditions' sender does not count here. */
struct decision decide_mail(const struct policy *p, const struct receive_connector *c, const struct token *t,
                            const struct conditions *when, struct span address, struct owned_addresses owned);
/* The same rule, without Submit, for each address in From and Sender. */
struct decision decide_header_sender(const struct policy *p, const struct receive_connector *c,
                                     const struct token *t, const struct conditions *when, struct span address,
                                     struct owned_addresses owned);
/* The conditions have the sender. owned is for the sender rule, where that is pending. */
struct decision decide_rcpt(const struct policy *p, const struct receive_connector *c, const struct token *t,
                            const struct conditions *when, struct span address, struct owned_addresses owned);
struct decision decide_right(const struct policy *p, const struct receive_connector *c, const struct token *t,
                             const struct conditions *when, enum right right);
/* The same where a recipient is asked about: may the session send to any. */
struct decision decide_right_to(const struct policy *p, const struct receive_connector *c, const struct token *t,
                                const struct conditions *when, enum right right, struct span recipient);
/* Whether it is granted for some senders and recipients, if not for all: nothing follows from it for any of them.
 */
bool decide_may_at_all(const struct policy *p, const struct receive_connector *c, const struct token *t,
                       const struct conditions *when, enum right right);
/* A send right, for what the remote server proved to be. */
struct decision decide_send_right(const struct policy *p, const struct send_connector *c, const struct token *t,
                                  enum right right);

/*
 * All rights of a token, as a set of RIGHT_BIT: the same answers as decide_right gives one by one. deciding (NULL
 * allowed) is called for the entry that decides about each right that any is about.
 */
typedef void decide_entry_fn(void *context, uint32_t index, const struct policy_ace *entry);
unsigned decide_rights(const struct policy *p, const struct receive_connector *c, const struct token *t,
                       const struct conditions *when, decide_entry_fn *deciding, void *context);
unsigned decide_send_rights(const struct policy *p, const struct send_connector *c, const struct token *t);

/*
 * The verdict as it follows from the question and the steps, without the policy. Steps that do not answer the
 * question (too few, too many, another right) give VERDICT_DENY.
 */
enum verdict decision_replay(const struct decision *d);
/* Appends the line that decision_print has for a step. */
void decision_step_print(struct buf *out, const struct policy *p, const struct decision_step *s);
/* Appends one line for the verdict, one a step and one for the reply. The policy must be the one that decided. */
void decision_print(struct buf *out, const struct policy *p, const struct decision *d);
