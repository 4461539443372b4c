/*
 * gate.h: the policy and the SMTP machine, put together: what a connector offers, and what the machine's asks are
 * answered with. The live server and `explain` run this very code; they differ in where the facts come from (a
 * connection, a command line) and in what they do with a verdict (log it, print it).
 *
 * Pure: no I/O. Whatever needs a secret, a disk or the network is a fact that the caller brings.
 */
#pragma once

#include "mail/intake.h"
#include "policy/decide.h"
#include "policy/marks.h"
#include "smtp/limit.h"
#include "smtp/server/server.h"

/* A user as the directory describes it. The spans must outlive the gate. */
struct gate_user {
    struct span guid;
    const struct span *addresses; /* all that it owns */
    size_t address_count;
    const struct span *groups; /* GUIDs, direct or not */
    size_t group_count;
};

/* Whether a user may send as the owner of an address: what the directory says. */
enum gate_send_as { GATE_SEND_AS_UNKNOWN, GATE_SEND_AS_NO, GATE_SEND_AS_YES, GATE_SEND_AS_UNAVAILABLE };

/* Those whom a header names. */
enum { GATE_AUTHORS_MAX = INTAKE_FROM_MAX + 1 };

/* What the policy must know of a mail transaction, from MAIL to the end of the data. For gate*.c only. */
struct gate_transaction {
    struct span sender; /* of the envelope, a view that each ask renews */
    enum gate_send_as sender_known;
    bool asked;       /* MAIL waits for the directory's word about the sender */
    unsigned pending; /* what MAIL's decision left open */
    bool recipients;  /* the marks know all of them */
    struct {
        struct span address;
        enum gate_send_as verdict;
    } known[GATE_AUTHORS_MAX];
    size_t known_count;
    uint8_t *marks; /* of each entry (policy/marks.h); the caller's */
};

/* A session at its connector. */
struct gate {
    const struct policy *policy;
    const struct receive_connector *connector;
    unsigned servers;     /* what a verified certificate proved: a set of PRINCIPAL_BIT of server kinds */
    enum token_peer peer; /* what TLS proved besides */
    const struct span *partners;
    size_t partner_count;
    bool local;            /* a user of this machine: gate_local_user */
    struct gate_user user; /* who logged on; all empty: nobody */
    struct token token;    /* made of these */
    /* gate_now sets these; until then nothing that expires applies any more. */
    bool tls;
    int64_t now_ms;
    struct gate_transaction tx;
    const struct pressure *pressure; /* what the server is short of; NULL: nothing, or not known. The caller's */
    /* Called for each entry of the ACL that a transaction uses, once; NULL: nobody wants to know. The caller's. */
    marks_used_fn *used;
    void *used_context;
};

/* An ask's answer, and the decisions that it came from. */
struct gate_verdict {
    struct smtp_answer answer;
    struct decision decision; /* step_count 0: none was needed, the answer follows from what the client sent */
    /*
     * A second right that was asked for once the first decision allowed (step_count 0: none was). MAIL:
     * Bypass-Message-Size-Limit. RCPT: Accept-Any-Recipient, or otherwise Bypass-Anti-Spam, which spare their
     * holder the question to the directory.
     */
    struct decision second;
    /*
     * Not empty: refused unless the directory says that the user may send as this address's owner. The caller asks
     * it, says the answer to gate_know, and asks the gate the same once more.
     */
    struct span ask_send_as;
    /*
     * MAIL: allowed by the policy, and refused since this is short, whose numbers belong behind the reply's text
     * (gate_pressure_text). PRESSURE_RESOURCES: nothing is.
     */
    enum pressure_resource short_of;
    bool ask_directory; /* RCPT: allowed if the directory knows the address: gate_resolved has the answer then */
};

/*
 * Begins a session on a connector, which must be of the policy: nobody has logged on. Also behind STARTTLS, when
 * all that was said before is forgotten (RFC 3207 4.2). servers: as in struct gate. marks: c->acl.count octets,
 * which must outlive the gate and belong to it alone; their contents do not matter.
 */
void gate_begin(struct gate *g, const struct policy *p, const struct receive_connector *c, unsigned servers,
                uint8_t *marks);

/* What narrowed entries are measured against, before every ask: TLS is active, and the time since 1970. */
void gate_now(struct gate *g, bool tls, int64_t now_ms);

/* ---- gate_peer.c: who the client is by its certificate ---- */

/* Whether the connector asks its clients for certificates. */
bool gate_asks_certificate(const struct policy *p, const struct receive_connector *c);
/* A TLS session as it was established. */
struct gate_tls {
    bool certificate;        /* the client presented one */
    bool trusted;            /* and it is valid by the authorities that are trusted */
    struct span fingerprint; /* its SHA-256 in hex */
    /* True when a name of the certificate is the domain or lies below it. */
    bool (*names_domain)(void *context, struct span domain);
    void *context;
};
/*
 * TLS has come about: the token is made anew with what the certificate proves on this connector: a server that is
 * pinned (ExchangeServer), a partner (DomainSecureEnabled). A list of domains is made in the arena; when that is
 * full, nothing is proved.
 */
void gate_secured(struct gate *g, const struct gate_tls *tls, struct arena *arena);
/* The domain for which a partner speaks, for the mark on its mail; empty: it is no partner. */
struct span gate_partner(const struct gate *g);

/* ---- gate_profile.c: what the connector offers ---- */

/* What the connection and the machine it arrives at add to the connector. The spans must outlive the profile. */
struct gate_place {
    struct span host;           /* this server's name, where the connector has no Fqdn */
    struct span client_address; /* as text */
    bool certificate;           /* there is one for gate_fqdn */
    bool keytab;                /* there is a usable one, for GSSAPI */
};

/* The name that the connector greets with, and that its certificate must have. */
struct span gate_fqdn(const struct policy *p, const struct receive_connector *c, struct span host);
/* Whether the connector would use a certificate if there is one: for STARTTLS, or implicitly. */
bool gate_uses_tls(const struct receive_connector *c);
/* Whether the connector would offer AUTH GSSAPI if there is a usable keytab: in the clear as well, as no password
 * travels by it. */
bool gate_uses_gssapi(const struct receive_connector *c);
/* False: the connection must be closed without a word, as TLS from the first byte is due and there is no
 * certificate. */
bool gate_can_greet(const struct receive_connector *c, bool certificate);
/* Its spans are views into the policy and the place. */
struct smtp_server_profile gate_profile(const struct policy *p, const struct receive_connector *c,
                                        const struct gate_place *place);

/* ---- the asks ---- */

/*
 * The password is right: becomes the user if there is anything that the user could do on this connector. Refused,
 * the gate is as before.
 */
struct gate_verdict gate_log_on(struct gate *g, const struct gate_user *user);
/*
 * At the connector of submit.sock, behind gate_begin: the user of this machine whose program has connected. guid: a
 * text that is no mailbox's. trusted: root and the server's own user, who count as Externally Secured Servers too.
 */
void gate_local_user(struct gate *g, const struct gate_user *user, bool trusted);
/* Begins a transaction. Back pressure comes last: who may not send at all is not told to come again. */
struct gate_verdict gate_mail(struct gate *g, const struct smtp_mail *mail);
/* sender: the envelope's; address: as gate_recipient_address gives it. */
struct gate_verdict gate_rcpt(struct gate *g, struct span sender, struct span address);
/* The directory's answer about ask_send_as, for the transaction. address: that very span. */
void gate_know(struct gate *g, struct span address, enum gate_send_as verdict);
/* What the directory says of a recipient. */
enum gate_recipient {
    GATE_RECIPIENT_UNAVAILABLE, /* nothing now */
    GATE_RECIPIENT_UNKNOWN,
    GATE_RECIPIENT_KNOWN,
    GATE_RECIPIENT_GUARDED, /* it takes mail of authenticated senders only */
};
/* The answer where gate_rcpt said ask_directory, of the same address. */
struct smtp_answer gate_resolved(const struct gate *g, const struct smtp_mail *mail, struct span address,
                                 enum gate_recipient recipient);
/*
 * A recipient as the policy and the queue see it: <postmaster> belongs to the default domain. A view, or a copy in
 * the arena (ptr NULL when that is full).
 */
struct span gate_recipient_address(const struct policy *p, const struct mail_address *address, struct arena *arena);

/* ---- gate_pressure.c: what is refused while resources are short (policy/pressure.h) ---- */

/*
 * Whose mail this is, as far as back pressure goes. Who only vouches for others with AUTH= is outside: that is said
 * by whoever connects.
 */
enum pressure_source gate_pressure_source(const struct gate *g);
/* What refuses its mail now; PRESSURE_RESOURCES: nothing. */
enum pressure_resource gate_short_of(const struct gate *g);
/*
 * The text of a reply with the resource, its value and its threshold in brackets, in the arena; when that is full
 * the text alone.
 */
struct span gate_pressure_text(const struct gate *g, struct arena *arena, struct span text,
                               enum pressure_resource r);

/* ---- gate_content.c: the content of a message ---- */

/*
 * All rights of the session for this message, whose envelope is complete and stays until its end, as a set of
 * RIGHT_BIT. For the functions below, so that they are asked for once.
 */
unsigned gate_rights(struct gate *g, const struct smtp_envelope *e);
/* One of them, with its reasons: behind gate_rights. */
struct decision gate_message_right(const struct gate *g, enum right right);
/* The rights that the session has now, whatever it may send: those that no narrowed entry depends on. */
unsigned gate_session_rights(const struct gate *g);
/*
 * Steps through the entries that count their messages (MessageRate) and were used in this transaction, each once:
 * at the beginning of the data and again at its end. The caller counts one message for each, over all processes,
 * and refuses where there were too many. *at begins with 0. NULL: no further.
 */
const struct policy_ace *gate_next_rated(struct gate *g, uint32_t *at);
/*
 * What is submitted is completed (RFC 6409, 8): what users send, and what comes from printers and web applications,
 * which do not log on but may send to anybody. Externally secured servers relay.
 */
bool gate_is_submission(const struct gate *g, unsigned rights);
/* What the connector and the rights say of the intake. Trace, Message-ID and date are left to the caller. */
struct intake_options gate_intake_options(const struct gate *g, unsigned rights);
/* As whom the sender is stamped (X-MS-Exchange-Organization-AuthAs). */
enum gate_auth_as { GATE_ANONYMOUS, GATE_INTERNAL, GATE_PARTNER };
/*
 * Internal are users, our servers and those that the connector vouches for; so is a client with
 * ms-Exch-SMTP-Accept-Authentication-Flag that says with AUTH= (RFC 4954 5) whom it has authenticated.
 */
enum gate_auth_as gate_auth_as(const struct gate *g, unsigned rights, const struct smtp_mail *mail);
/* Appends the stamp's fields; host: this server's name; partner: the domain that a partner has proved, or empty. */
void gate_stamp(struct buf *out, enum gate_auth_as as, struct span host, struct span partner);
/*
 * At the end of the data, behind gate_rights: the intake's problem, and whether the session may send as those whom
 * From and Sender name. OK leaves the message to be stored. The decision is that about the author who was refused,
 * else about the last one.
 */
struct gate_verdict gate_message(struct gate *g, const struct intake_result *r);
/* The connector's limit behind a problem; false: none is. */
bool gate_message_limit(const struct gate *g, enum intake_problem p, struct smtp_limit *ret);
