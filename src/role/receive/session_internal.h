/* session_internal.h: a session's state, for the files that answer its asks. */
#pragma once

#include "gate/gate.h"
#include "role/common/content.h"
#include "role/common/messages.h"
#include "role/common/policy_ref.h"
#include "role/common/protocol_log.h"
#include "role/receive/admission.h"
#include "role/receive/connection.h"
#include "role/receive/session.h"
#include "sasl/sasl.h"

enum { SESSION_ARENA_MAX = 4 << 20 };

/* What session_facts.c remembers. */
struct fact_notes {
    bool asked; /* `ask` waits for its answer */
    enum smtp_ask_kind ask;
    char network[IP_TEXT_MAX + 4]; /* fact_print_network of the client; empty: no session has begun */
    struct tls_info tls;           /* of the handshake; all 0: none */
    struct span certificate;       /* the client's fingerprint, in the session's arena */
    struct span mechanism;         /* by which the user has logged on, or tries to */
    struct buf sender, recipient;  /* of the last MAIL and RCPT */
    uint64_t octets;               /* of the content, as far as it has come */
    uint16_t refused;              /* the last recipient's code, while none of the message was accepted */
    bool taken;                    /* one was */
    bool content;                  /* it is on its way */
    struct span mistake;           /* see session_facts_mistake; empty: none */
};

struct session {
    struct session *next, *previous; /* in the list of all */
    struct role *role;
    uint64_t id;
    unsigned references; /* the connection, and each question that is under way */
    bool input_ended;    /* the client says nothing more; it is told what is due, then the session ends */
    bool ending;         /* the last reply is on its way */
    bool closed;
    bool heard;                    /* the client has said something */
    int64_t began_ms;              /* clock_mono_ms */
    int64_t content_end_ms;        /* likewise: of the message in hand */
    struct connection *connection; /* NULL when closed */
    struct smtp_server *smtp;
    struct smtp_server_profile profile;
    uv_timer_t timer;
    struct policy_ref *policy_ref;
    const struct policy *policy;
    const struct receive_connector *connector;
    struct tls_context *tls; /* a reference to what STARTTLS or implicit TLS would use; NULL: not offered */
    struct ip_endpoint local, remote;
    struct session_proxy *proxy;   /* while a PROXY header is awaited */
    struct ip_endpoint proxy_peer; /* who sent one, for `remote`; port 0: none was read */
    struct ip_endpoint published;  /* what it says that the client connected to; port 0: nothing */
    struct admission admission;    /* what it counts for */
    bool is_local;                 /* a program of this machine, at submit.sock */
    uint32_t uid;                  /* then: whose */
    struct span local_name;        /* its user's name, or "uid-N"; empty: not asked yet */
    bool turned_away;              /* it exceeded a limit when it came */
    char remote_text[IP_TEXT_MAX];
    struct arena arena; /* identity, profile */
    struct gate gate;
    uint8_t *marks;   /* the gate's, for the entries that the connector has; from the greeting on */
    struct span user; /* the address of who has logged on; empty: nobody */
    struct sasl *sasl;
    struct {
        bool active;          /* the AUTH under way is GSSAPI's */
        uint64_t exchange;    /* that the directory keeps for us between two steps; 0: none */
        struct buf challenge; /* of the answer under way */
    } gssapi;
    /* the answer that a callback worked out, given when the machine's call has returned */
    bool answer_ready;
    struct smtp_answer answer;
    /* the question to the directory whether the user may send as an address's owner, and what it was asked for */
    struct {
        struct span address;
        void (*again)(struct session *s);
        const struct smtp_mail *mail;
        struct span recipient;
    } send_as;
    /* transaction */
    struct arena transaction;
    struct intake intake;
    bool intake_open;
    struct intake_result intake_result; /* from MESSAGE_END on */
    struct content *content;
    struct session_denial *denial; /* NULL: nothing was refused yet */
    struct protocol_log *protocol; /* NULL: the session is not logged */
    unsigned messages;             /* begun */
    enum gate_auth_as auth_as;     /* from MESSAGE_BEGIN on */
    unsigned rights;               /* gate_rights, asked for once at MESSAGE_BEGIN */
    struct fact_notes facts;
};

/* Keeps the answer until the machine's call has returned (session_settle gives it). Texts must outlive that. */
void session_reply(struct session *s, const struct smtp_answer *answer);
/* Gives a kept answer, feeds what waits, sets the timer: after every call of the machine. */
void session_settle(struct session *s);
/* The timer is the machine's, until the session ends; then it bounds the end. */
void session_set_timer(struct session *s);
void session_ref(struct session *s);
void session_unref(struct session *s);
/* Says what is due, then closes. More than once is once. */
void session_end(struct session *s);

/* ---- session_output.c ---- */
/* The machine's callbacks; their context is the session. */
extern const struct smtp_server_output session_output;
/* ---- session_begin.c ---- */
/*
 * Selects the connector for the addresses and begins: with the greeting, with TLS, or by awaiting a PROXY header.
 * The session ends where it cannot be served.
 */
void session_open(struct session *s);
/* ---- proxy.c ---- */
/* True when a PROXY header has to come first; it is awaited then, and session_open is called again behind it. */
bool session_proxy_begin(struct session *s);
/* For the connection's calls while s->proxy is not NULL. */
size_t session_proxy_input(struct session *s, struct span bytes);
void session_proxy_input_ended(struct session *s);
/* Whether the first that a client says is a PROXY header that nobody asked for: the session ends then. */
bool session_proxy_uninvited(struct session *s, struct span first);
void session_proxy_free(struct session *s);
/* ---- session_local.c: programs of this machine ---- */
/* True when the session is one and its user's name must be asked first; session_open is called again behind it. */
bool session_local_begin(struct session *s);
/* What its connections are counted by: an address of the loopback network that stands for the user. */
struct ip_addr session_local_source(const struct session *s);
/* It is that user who has connected. */
void session_local_log_on(struct session *s);
/* ---- session_grants.c ---- */
/* Nobody has logged on: at the start, and again behind STARTTLS, when all that was said before is forgotten (RFC
 * 3207 4.2). */
void session_gate_begin(struct session *s);
/* The gate as it is to be asked now. */
struct gate *session_gate(struct session *s);
/*
 * Asks the directory what a gate_verdict wants to know; `again` is called, at once or later, when the gate knows.
 * Not when the session has ended by then.
 */
void session_ask_send_as(struct session *s, struct span address, void (*again)(struct session *s));
/* Counts the message for each entry that limits them; false: one of them is exhausted. */
bool session_rates_allow(struct session *s, struct smtp_answer *ret_refusal);
/* ---- session_peer.c ---- */
/* TLS has come about: what the client's certificate proves. */
void session_peer_secured(struct session *s);
/* ---- misplaced.c: TLS where text is due, and the other way round ---- */
/* The first octets where text is due; true: they are a TLS hello, and the session ends. */
bool session_misplaced_tls(struct session *s, struct span first);
/* The first octets where a handshake is due; true: they are text, which was answered, and the session ends. */
bool session_misplaced_text(struct session *s, struct span first);
/* Nothing came in all the time that there was for a handshake: says what is due, and ends the session. */
void session_misplaced_silence(struct session *s);
/* The connection is gone: notes a client that had waited in vain for a greeting. */
void session_misplaced_left(struct session *s);
/* ---- session_auth.c ---- */
void session_auth_start(struct session *s, const struct smtp_ask *ask);
void session_auth_step(struct session *s, struct span response);
void session_auth_end(struct session *s);
/* It is known who the user is: may it log on here? Replies. */
void session_logged_on(struct session *s, const struct directory_identity *identity);
/* ---- session_gssapi.c: the mechanism GSSAPI, whose tokens the directory reads ---- */
/* initial: NULL where the client sent none. */
void session_gssapi_start(struct session *s, const struct span *initial);
void session_gssapi_step(struct session *s, struct span token);
/* Lets the directory forget an exchange under way. */
void session_gssapi_end(struct session *s);
/* ---- session_message.c ---- */
void session_message_begin(struct session *s);
void session_message_body(struct session *s, struct span bytes);
void session_message_end(struct session *s);
void session_message_abort(struct session *s);
/* True while the content must not be fed (its spool file is awaited). */
bool session_message_paused(const struct session *s);
/* ---- session_limit.c ---- */
/* The refusal that a limit makes: logs it, and names it behind the reply's text, in the transaction's arena. */
struct smtp_answer session_limit(struct session *s, struct smtp_reply reply, const struct smtp_limit *limit);
/*
 * Counts the connection. False: it exceeds a limit; the client was told so, and the connection is to be ended. With
 * implicit TLS it is told nothing: a handshake would cost more than the connection that is refused.
 */
bool session_admit(struct session *s);
/* ---- session_pressure.c: what is refused while resources are short ---- */
/* Shows the gate what the server is short of now, for the transaction that begins. */
void session_pressure(struct session *s);
/* The refusal of a sender's MAIL for want of a resource, whose numbers are added to the text of the verdict's
 * reply. */
void session_short_of(struct session *s, struct span sender, struct gate_verdict *v);
/* ---- session_profile.c ---- */
/* What the session's connector offers, from the policy and the certificates at hand. */
void session_profile(struct session *s, int64_t wall_ms);
/* ---- session_envelope.c ---- */
void session_mail(struct session *s, const struct smtp_mail *mail);
void session_rcpt(struct session *s, const struct smtp_recipient *rcpt);
/* ---- denial.c: refusals, their codes and traces ---- */
/* What the next refusal is about; d, or its steps, may be missing. note: a sentence, a literal, or NULL. */
void session_deny(struct session *s, const struct decision *d, struct span address, const char *note);
/* The limit that the next refusal is for, as smtp_limit_print has it. */
void session_deny_limit(struct session *s, struct span limit);
/* What the machine says before it refuses by itself. */
void session_denial_event(struct session *s, enum smtp_event event, struct span detail);
/* Logs and tells the refusal; gives its code, which lives until the next one. */
struct span session_refused(struct session *s, const struct smtp_reply *reply);
void session_denial_free(struct session *s);
/* ---- session_protocol.c: rows of the protocol log, where the connector has it ---- */
void session_protocol_begin(struct session *s);
/* Instead of it: the connection exceeds a limit; reply: what it is told, or empty. */
void session_protocol_turned_away(struct session *s, struct span reply);
void session_protocol_permissions(struct session *s);
void session_protocol_logged_on(struct session *s);
void session_protocol_secured(struct session *s);
void session_protocol_event(struct session *s, enum smtp_event event, struct span detail);
void session_protocol_message(struct session *s);
/* reason: as the connection gave it. */
void session_protocol_end(struct session *s, const char *reason);
/* ---- session_facts.c: what the client does, for the inventory and for replays ---- */
void session_facts_begin(struct session *s);
void session_facts_secured(struct session *s);
/* What the machine asks, what it is answered (before it is), and what it tells. */
void session_facts_ask(struct session *s, const struct smtp_ask *ask);
void session_facts_answer(struct session *s, const struct smtp_answer *answer);
void session_facts_event(struct session *s, enum smtp_event event);
/* The client did something that it cannot have meant, and the session is of no use: a word for it, a literal. */
void session_facts_mistake(struct session *s, struct span what);
void session_facts_end(struct session *s);
