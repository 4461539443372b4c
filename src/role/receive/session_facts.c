/*
 * session_facts.c: what a session's client does, for the table of facts: each recipient with its verdict, each
 * message that was stored or not, each attempt to log on, each session.
 *
 * A message is refused when its sender is, all its recipients are, or its content is; what the client gives up
 * itself (RSET, QUIT) is neither. Refusals of the protocol (a syntax error, one recipient too many) are no verdicts
 * of the policy and are not told. A name under which somebody failed to log on is never told: it could be a
 * password.
 */
#include "role/receive/fact_table.h"
#include "role/receive/session_internal.h"

#include <string.h>

enum { ADDRESS_TEXT_MAX = 1024, CODE_NO_CONTENT = 550, CODE_TOO_LARGE = 552, CODE_TURNED_AWAY = 421 };

static struct fact begin_fact(const struct session *s, enum fact_question question, uint32_t code)
{
    static char local[IP_ENDPOINT_TEXT_MAX]; /* the fact is copied before the next one */
    const struct fact_notes *k = &s->facts;
    return (struct fact){.question = question,
                         .code = code,
                         .text = {
                             [FACT_CONNECTOR] = policy_text(s->policy, s->connector->name),
                             [FACT_LOCAL] = span_of(ip_print_endpoint(s->local, local)),
                             [FACT_REMOTE] = span_of(s->remote_text),
                             [FACT_HELO] = s->smtp ? smtp_server_helo(s->smtp) : SPAN(""),
                             [FACT_TLS] = span_of(k->tls.version),
                             [FACT_CIPHER] = span_of(k->tls.cipher),
                             [FACT_MECHANISM] = s->user.len ? k->mechanism : SPAN(""),
                             [FACT_USER] = s->user,
                             [FACT_CERTIFICATE] = k->certificate,
                         }};
}

static void tell(const struct session *s, const struct fact *f)
{
    fact_table_add(f, span_of(s->facts.network));
}

/* About the message in hand. */
static void tell_envelope(const struct session *s, enum fact_question question, uint32_t code)
{
    struct fact f = begin_fact(s, question, code);
    f.text[FACT_SENDER] = buf_span(&s->facts.sender);
    f.size = question == FACT_OF_MESSAGE ? s->facts.octets : 0;
    if (question == FACT_OF_RCPT)
        f.text[FACT_RECIPIENT] = buf_span(&s->facts.recipient);
    tell(s, &f);
}

/* The message in hand ends, without content if it had none. */
static void end_message(struct session *s)
{
    struct fact_notes *k = &s->facts;
    if (k->refused && !k->taken)
        tell_envelope(s, FACT_OF_MESSAGE, k->refused);
    k->refused = 0;
    k->octets = 0;
    k->taken = k->content = false;
}

/* ... with this verdict. */
static void tell_message(struct session *s, uint32_t code)
{
    s->facts.taken = true;
    tell_envelope(s, FACT_OF_MESSAGE, code);
    end_message(s);
}

void session_facts_begin(struct session *s)
{
    struct buf network;
    buf_init(&network, sizeof s->facts.network - 1);
    fact_print_network(&network, span_of(s->remote_text));
    if (network.len)
        memcpy(s->facts.network, network.ptr, network.len); /* all else is NULs */
    buf_done(&network);
    buf_init(&s->facts.sender, ADDRESS_TEXT_MAX);
    buf_init(&s->facts.recipient, ADDRESS_TEXT_MAX);
}

void session_facts_secured(struct session *s)
{
    struct buf b;
    buf_init(&b, 256);
    end_message(s);
    s->facts.tls = connection_tls(s->connection);
    if (connection_fingerprint(s->connection, &b))
        s->facts.certificate = arena_dup(&s->arena, buf_span(&b));
    buf_done(&b);
}

static void keep(struct buf *b, struct span text)
{
    buf_clear(b);
    buf_add(b, span_head(text, ADDRESS_TEXT_MAX));
}

void session_facts_ask(struct session *s, const struct smtp_ask *ask)
{
    struct fact_notes *k = &s->facts;
    if (ask->kind == SMTP_ASK_AUTH_CANCEL)
        return;
    if (ask->kind == SMTP_ASK_MESSAGE_ABORT) { /* told, not asked */
        k->content = false;
        return;
    }
    k->asked = true;
    k->ask = ask->kind;
    if (ask->kind == SMTP_ASK_AUTH_START) {
        k->mechanism = ask->auth_start.mechanism;
    } else if (ask->kind == SMTP_ASK_MAIL) {
        end_message(s);
        keep(&k->sender, ask->mail->address.text);
    } else if (ask->kind == SMTP_ASK_RCPT) {
        keep(&k->recipient, ask->rcpt->address.text);
    }
}

/* What the machine makes of an answer: see enum smtp_verdict. */
static uint32_t code_of(const struct smtp_answer *a, uint32_t accepted, uint32_t unavailable)
{
    if (a->verdict == SMTP_ANSWER_OK)
        return accepted;
    if (a->verdict == SMTP_ANSWER_AUTH_FAILED)
        return 535;
    return a->verdict == SMTP_ANSWER_REFUSE && a->reply.code > 0 ? (uint32_t)a->reply.code : unavailable;
}

static void answer_auth(struct session *s, const struct smtp_answer *a)
{
    if (a->verdict == SMTP_ANSWER_CONTINUE)
        return;
    struct fact f = begin_fact(s, FACT_OF_AUTH, code_of(a, 235, 454));
    f.text[FACT_MECHANISM] = s->facts.mechanism;
    tell(s, &f);
}

static void answer_rcpt(struct session *s, const struct smtp_answer *a)
{
    struct fact_notes *k = &s->facts;
    uint32_t code = code_of(a, 250, 451);
    tell_envelope(s, FACT_OF_RCPT, code);
    if (a->verdict == SMTP_ANSWER_OK)
        k->taken = true;
    else
        k->refused = (uint16_t)code;
}

void session_facts_answer(struct session *s, const struct smtp_answer *a)
{
    if (!s->facts.asked)
        return;
    s->facts.asked = false;
    switch (s->facts.ask) {
    case SMTP_ASK_AUTH_START:
    case SMTP_ASK_AUTH_STEP: answer_auth(s, a); break;
    case SMTP_ASK_MAIL:
        if (a->verdict != SMTP_ANSWER_OK)
            tell_envelope(s, FACT_OF_MAIL, code_of(a, 0, 451));
        break;
    case SMTP_ASK_RCPT: answer_rcpt(s, a); break;
    case SMTP_ASK_MESSAGE_BEGIN:
        if (a->verdict != SMTP_ANSWER_OK)
            tell_message(s, code_of(a, 0, 451));
        s->facts.content = a->verdict == SMTP_ANSWER_OK;
        break;
    case SMTP_ASK_MESSAGE_END: tell_message(s, code_of(a, 250, 451)); break;
    case SMTP_ASK_VRFY:
    case SMTP_ASK_AUTH_CANCEL:
    case SMTP_ASK_MESSAGE_ABORT:
    case SMTP_ASK_KINDS: break;
    }
}

void session_facts_event(struct session *s, enum smtp_event event)
{
    /* The machine refuses content by itself when it is too large or has a defect, and says so before it drops it.
     */
    if (s->facts.content && event == SMTP_EVENT_LIMIT)
        tell_message(s, CODE_TOO_LARGE);
    else if (s->facts.content && event == SMTP_EVENT_BAD_CONTENT)
        tell_message(s, CODE_NO_CONTENT);
}

void session_facts_mistake(struct session *s, struct span what)
{
    s->facts.mistake = what;
}

void session_facts_end(struct session *s)
{
    if (s->turned_away)
        session_facts_begin(s);
    if (!s->facts.network[0])
        return; /* it never began */
    end_message(s);
    struct fact f = begin_fact(s, FACT_OF_SESSION, s->turned_away ? CODE_TURNED_AWAY : 0);
    f.text[FACT_MISTAKE] = s->facts.mistake;
    if (!s->facts.mistake.len && s->profile.tls_active && !s->facts.tls.version)
        f.text[FACT_MISTAKE] = SPAN("no-tls-handshake");
    tell(s, &f);
    buf_done(&s->facts.sender);
    buf_done(&s->facts.recipient);
}
