/*
 * denial.c: refusals: each gets a code, which ends its reply, a line in the log, and a place in the ring of denials
 * (role/common/denial.h), where its whole trace stands.
 *
 * Invariants: what is noted about a refusal (session_deny) belongs to the next reply that refuses, which takes it
 * up. Nothing here holds a session up; what a client says is cut by whoever keeps it.
 */
#include "role/receive/session_internal.h"

#include "role/common/denial.h"
#include "role/common/event_sender.h"
#include "role/common/metrics.h"
#include "role/receive/kerberos.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct session_denial {
    struct decision decision;
    bool has_decision;
    char limit[160];   /* as the machine named it, or empty */
    char address[400]; /* whom it was about */
    const char *note;  /* a sentence more, or NULL */
    char code[16];
};

void session_denial_free(struct session *s)
{
    free(s->denial);
    s->denial = NULL;
}

static struct session_denial *denial_of(struct session *s)
{
    if (!s->denial)
        s->denial = calloc(1, sizeof *s->denial);
    return s->denial;
}

void session_deny(struct session *s, const struct decision *d, struct span address, const char *note)
{
    struct session_denial *n = denial_of(s);
    if (!n)
        return;
    n->has_decision = d && d->step_count;
    if (n->has_decision)
        n->decision = *d;
    snprintf(n->address, sizeof n->address, "%.*s", SPAN_ARG(address));
    n->note = note;
}

void session_deny_limit(struct session *s, struct span limit)
{
    struct session_denial *n = denial_of(s);
    if (n)
        snprintf(n->limit, sizeof n->limit, "%.*s", SPAN_ARG(limit));
}

/* Why AUTH was refused before a mechanism was begun. */
static const char *auth_note(const struct session *s)
{
    unsigned auth = s->connector->auth;
    bool gssapi = gate_uses_gssapi(s->connector);
    if (gssapi && *kerberos_why_not())
        return "the mechanism is none of those that EHLO lists; GSSAPI is not among them, as there are no keys "
               "for it (GssapiKeytab of Get-ReceiveConnector says why)";
    if (!(auth & AUTH_BASIC) && gssapi)
        return "the mechanism is none of those that EHLO lists; the connector takes Kerberos tickets (GSSAPI) "
               "alone";
    if (!(auth & AUTH_BASIC) && (auth & AUTH_INTEGRATED))
        return "AuthMechanism of the connector has Integrated, which offers nothing without EnableAuthGSSAPI; NTLM "
               "is never offered";
    if (!(auth & AUTH_BASIC))
        return "AuthMechanism of the connector has no BasicAuth: it takes no passwords";
    if ((auth & AUTH_BASIC_REQUIRE_TLS) && !smtp_server_tls(s->smtp))
        return "AuthMechanism of the connector has BasicAuthRequireTLS: AUTH is there after STARTTLS only";
    return "the mechanism is none of those that EHLO lists";
}

void session_denial_event(struct session *s, enum smtp_event event, struct span detail)
{
    if (event == SMTP_EVENT_LIMIT || event == SMTP_EVENT_TOO_MANY_ERRORS || event == SMTP_EVENT_TOO_MANY_FAILURES)
        session_deny_limit(s, detail);
    else if (event == SMTP_EVENT_AUTH_REFUSED)
        session_deny(s, NULL, SPAN(""), auth_note(s));
    else if (event == SMTP_EVENT_BAD_CONTENT)
        session_deny(s, NULL, SPAN(""), "the content is not what may be relayed; the reply says what it has");
}

/* ---- the code ---- */

/* Numbers that cannot be guessed from one another: a counter, mixed (splitmix64), from a random start. */
static uint64_t next_number(void)
{
    static uint64_t at;
    if (!at && getrandom(&at, sizeof at, 0) != (ssize_t)sizeof at)
        at = (uint64_t)clock_wall_ms();
    uint64_t z = at += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void make_code(struct session_denial *n)
{
    struct buf b;
    buf_init(&b, sizeof n->code - 1);
    denial_print_code(&b, next_number());
    snprintf(n->code, sizeof n->code, "%.*s", SPAN_ARG(buf_span(&b)));
    buf_done(&b);
}

/* ---- telling ---- */

/* What was asked, as Get-Denial has it, and the line of the log. */
static const struct {
    const char *question, *event;
} words[] = {
    [QUESTION_AUTH] = {"Auth", "auth-refused"},
    [QUESTION_MAIL] = {"Mail", "mail-refused"},
    [QUESTION_HEADER_SENDER] = {"HeaderSender", "content-refused"},
    [QUESTION_RCPT] = {"Rcpt", "rcpt-refused"},
    [QUESTION_RIGHT] = {"Right", "session-refused"},
};

static const char *question_of(const struct session_denial *n)
{
    return n->has_decision ? words[n->decision.question].question : "Session";
}

static void log_denial(const struct session *s, const struct session_denial *n, struct span reply)
{
    struct log_line l =
        log_begin(LOG_NOTICE, n->has_decision ? words[n->decision.question].event : "session-refused");
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_span(&l, "connector", policy_text(s->policy, s->connector->name));
    if (*n->address)
        log_str(&l, "address", n->address);
    if (n->has_decision && n->decision.right != RIGHT_COUNT)
        log_span(&l, "right", right_info(n->decision.right)->name);
    if (*n->limit)
        log_str(&l, "limit", n->limit);
    log_span(&l, "reply", reply);
    log_str(&l, "denial", n->code);
    log_end(&l);
}

static void print_trace(struct buf *out, const struct session *s, const struct session_denial *n)
{
    if (n->has_decision)
        decision_print(out, s->policy, &n->decision);
    if (*n->limit)
        buf_addf(out, "the limit %s is exceeded\n", n->limit);
    if (n->note)
        buf_addf(out, "%s\n", n->note);
}

static void tell(const struct session *s, const struct session_denial *n, struct span reply)
{
    enum { TEXT_MAX = 4096 };
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX], session[17], version[24];
    const struct smtp_envelope *e = s->smtp ? smtp_server_envelope(s->smtp) : NULL;
    bool about_sender = n->has_decision && n->decision.question != QUESTION_RCPT;
    struct span address = span_of(n->address);
    struct buf trace;
    buf_init(&trace, TEXT_MAX);
    print_trace(&trace, s, n);
    snprintf(session, sizeof session, "%016" PRIx64, s->id);
    snprintf(version, sizeof version, "%" PRIu64, policy_ref_version(s->policy_ref));
    event_send((struct event){.kind = EVENT_DENIAL,
                              .field = {[DENIAL_CODE] = span_of(n->code),
                                        [DENIAL_SESSION] = span_of(session),
                                        [DENIAL_CONNECTOR] = policy_text(s->policy, s->connector->name),
                                        [DENIAL_LOCAL] = span_of(ip_print_endpoint(s->local, local)),
                                        [DENIAL_REMOTE] = span_of(ip_print_endpoint(s->remote, remote)),
                                        [DENIAL_HELO] = s->smtp ? smtp_server_helo(s->smtp) : SPAN(""),
                                        [DENIAL_TLS] = s->connection && s->smtp && smtp_server_tls(s->smtp)
                                                           ? span_of(connection_tls(s->connection).version)
                                                           : SPAN(""),
                                        [DENIAL_USER] = s->user,
                                        [DENIAL_QUESTION] = span_of(question_of(n)),
                                        [DENIAL_SENDER] = about_sender ? address
                                                          : e          ? e->mail.address.text
                                                                       : SPAN(""),
                                        [DENIAL_RECIPIENT] = about_sender ? SPAN("") : address,
                                        [DENIAL_REPLY] = reply,
                                        [DENIAL_LIMIT] = span_of(n->limit),
                                        [DENIAL_TRACE] = buf_span(&trace),
                                        [DENIAL_POLICY] = span_of(version)}});
    buf_done(&trace);
}

static enum metric_refusal reason_of(const struct session_denial *n)
{
    static const enum metric_refusal reasons[] = {
        [QUESTION_AUTH] = METRIC_REFUSED_AUTH,
        [QUESTION_MAIL] = METRIC_REFUSED_SENDER,
        [QUESTION_HEADER_SENDER] = METRIC_REFUSED_CONTENT,
        [QUESTION_RCPT] = METRIC_REFUSED_RECIPIENT,
        [QUESTION_RIGHT] = METRIC_REFUSED_RIGHT,
    };
    return *n->limit         ? METRIC_REFUSED_LIMIT
           : n->has_decision ? reasons[n->decision.question]
                             : METRIC_REFUSED_SESSION;
}

struct span session_refused(struct session *s, const struct smtp_reply *reply)
{
    struct session_denial *n = denial_of(s);
    struct buf line;
    if (!n)
        return SPAN(""); /* out of memory: the reply goes without a code */
    make_code(n);
    buf_init(&line, SMTP_REPLY_MAX);
    smtp_reply_print(&line, reply, true);
    struct span text = span_trim(buf_span(&line));
    metric_add(METRIC_REFUSED + reason_of(n), 1);
    if (!s->turned_away) /* of those the log has a line already (admission.c) */
        log_denial(s, n, text);
    tell(s, n, text);
    buf_done(&line);
    n->has_decision = false;
    n->limit[0] = n->address[0] = '\0';
    n->note = NULL;
    return span_of(n->code);
}
