/* session_envelope.c: MAIL and RCPT: the gate decides; where it says so, the directory is asked as well. */
#include "role/receive/session_internal.h"

#include "runtime/clock.h"

enum { RESOLVE_WAIT_MS = 20000, QUESTION_MAX = ADDRESS_XLONG_MAX + 16 };

/* Again when the directory has said whose sender it is: what was asked stays valid until it is answered. */
static void decide_sender(struct session *s)
{
    const struct smtp_mail *mail = s->send_as.mail;
    struct smtp_limit limit;
    struct gate_verdict v = gate_mail(session_gate(s), mail);
    if (v.ask_send_as.len) {
        session_ask_send_as(s, v.ask_send_as, decide_sender);
        return;
    }
    if (v.short_of != PRESSURE_RESOURCES)
        session_short_of(s, mail->address.text, &v);
    else if (v.answer.verdict != SMTP_ANSWER_OK)
        session_deny(s, &v.decision, mail->address.text, NULL);
    else if (!admission_message(s->policy, s->connector, s->remote.addr, s->gate.user.guid, clock_mono_ms(),
                                &limit))
        v.answer = session_limit(s,
                                 SMTP_REPLY(421, "4.4.2",
                                            "Message submission rate for this client has exceeded the configured "
                                            "limit"),
                                 &limit);
    session_reply(s, &v.answer);
}

void session_mail(struct session *s, const struct smtp_mail *mail)
{
    arena_reset(&s->transaction);
    session_pressure(s);
    s->send_as.mail = mail;
    decide_sender(s);
}

static enum gate_recipient recipient_of(enum err_code outcome, const struct directory_recipient *r)
{
    if (outcome)
        return GATE_RECIPIENT_UNAVAILABLE;
    if (r->kind == DIRECTORY_NOT_FOUND)
        return GATE_RECIPIENT_UNKNOWN;
    return r->authenticated_only ? GATE_RECIPIENT_GUARDED : GATE_RECIPIENT_KNOWN;
}

static void on_resolved(void *context, struct frame *f)
{
    struct session *s = context;
    struct directory_recipient r = {0};
    struct arena arena;
    arena_init(&arena, 16 << 20);
    enum err_code code = message_take_resolution(f, &arena, &r);
    enum gate_recipient recipient = recipient_of(code, &r);
    struct span address = s->send_as.recipient;
    struct smtp_answer answer =
        gate_resolved(session_gate(s), &smtp_server_envelope(s->smtp)->mail, address, recipient);
    arena_clear(&arena);
    if (answer.verdict == SMTP_ANSWER_OK)
        session_deny(s, NULL, SPAN(""), NULL);
    else if (recipient == GATE_RECIPIENT_GUARDED)
        session_deny(s, NULL, address,
                     "RequireSenderAuthenticationEnabled of the recipient is $true, and the sender is not "
                     "authenticated");
    if (!s->closed)
        session_reply(s, &answer);
    session_settle(s);
    session_unref(s);
}

static void decide_recipient(struct session *s)
{
    struct span address = s->send_as.recipient;
    struct gate_verdict v = gate_rcpt(session_gate(s), smtp_server_envelope(s->smtp)->mail.address.text, address);
    if (v.ask_send_as.len) {
        session_ask_send_as(s, v.ask_send_as, decide_recipient);
        return;
    }
    if (v.answer.verdict != SMTP_ANSWER_OK)
        session_deny(s, &v.decision, address, NULL);
    if (!v.ask_directory) {
        session_reply(s, &v.answer);
        return;
    }
    struct buf b;
    session_deny(s, &v.decision, address, "the directory knows no such recipient, or could not be asked");
    buf_init(&b, QUESTION_MAX);
    put_bytes(&b, address);
    if (b.failed || link_ask(role_link(s->role, ROLE_DIRECTORY, 0), DIRECTORY_RESOLVE, buf_span(&b), SPAN(""), NULL,
                             0, RESOLVE_WAIT_MS, on_resolved, s)) {
        session_reply(s, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE});
    } else {
        session_ref(s);
    }
    buf_done(&b);
}

void session_rcpt(struct session *s, const struct smtp_recipient *rcpt)
{
    s->send_as.recipient = gate_recipient_address(s->policy, &rcpt->address, &s->transaction);
    decide_recipient(s);
}
