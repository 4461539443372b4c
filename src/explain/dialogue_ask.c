/*
 * dialogue_ask.c: what the machine asks is answered by the gate, as in role/receive, and each decision is kept with
 * the step that it belongs to.
 */
#include "explain/dialogue.h"

static void note_decision(struct dialogue *d, const struct decision *decision)
{
    if (decision->step_count && d->step && d->step->decision_count < EXPLAIN_DECISIONS_MAX)
        d->step->decisions[d->step->decision_count++] = *decision;
}

static void give(struct dialogue *d, const struct smtp_answer *a, enum explain_cause cause)
{
    d->answer = *a;
    d->cause = a->verdict == SMTP_ANSWER_OK            ? EXPLAIN_CAUSE_NONE
               : a->verdict == SMTP_ANSWER_UNAVAILABLE ? EXPLAIN_CAUSE_UNAVAILABLE
                                                       : cause;
    d->asked = true;
}

static void give_verdict(struct dialogue *d, const struct gate_verdict *v, enum explain_cause without_decision)
{
    note_decision(d, &v->decision);
    note_decision(d, &v->second);
    give(d, &v->answer, v->decision.step_count ? EXPLAIN_CAUSE_RIGHT : without_decision);
    if (v->decision.step_count && v->decision.verdict == VERDICT_DEFER)
        d->cause = EXPLAIN_CAUSE_UNAVAILABLE;
}

/* ---- asks ---- */

/* The gate as it is to be asked now. */
static struct gate *gate_of(struct dialogue *d)
{
    gate_now(&d->gate, smtp_server_tls(d->server), d->e->session->now_ms);
    return &d->gate;
}

/* True when the verdict is to be asked for again: whether the user may send as somebody is known now. */
static bool find_out(struct dialogue *d, const struct gate_verdict *v)
{
    if (!v->ask_send_as.len)
        return false;
    gate_know(&d->gate, v->ask_send_as, d->facts->send_as(d->facts->context, &d->gate.user, v->ask_send_as));
    return true;
}

static void ask_logon(struct dialogue *d, struct span mechanism)
{
    struct explain_user *u = &d->e->user;
    d->e->by_ticket = span_ieq(mechanism, SPAN("GSSAPI"));
    d->facts->user(d->facts->context, d->e->session->user, d->e->by_ticket, d->e->arena, u);
    if (u->state == EXPLAIN_USER_FOUND) {
        struct gate_verdict v = gate_log_on(gate_of(d), &u->gate);
        give_verdict(d, &v, EXPLAIN_CAUSE_LOGON);
    } else if (u->state == EXPLAIN_USER_UNAVAILABLE) {
        give(d, &(struct smtp_answer){.verdict = SMTP_ANSWER_UNAVAILABLE}, EXPLAIN_CAUSE_UNAVAILABLE);
        d->step->note = u->text;
    } else {
        give(d, &(struct smtp_answer){.verdict = SMTP_ANSWER_AUTH_FAILED}, EXPLAIN_CAUSE_LOGON);
    }
}

static void ask_mail(struct dialogue *d, const struct smtp_mail *mail)
{
    struct gate_verdict v;
    do
        v = gate_mail(gate_of(d), mail);
    while (find_out(d, &v));
    if (v.short_of != PRESSURE_RESOURCES) {
        note_decision(d, &v.decision);
        d->e->short_of = v.short_of;
        v.answer.reply.text = gate_pressure_text(&d->gate, &d->transaction, v.answer.reply.text, v.short_of);
        give(d, &v.answer, EXPLAIN_CAUSE_PRESSURE);
        return;
    }
    uint64_t own = d->profile.max_message_size, organisation = v.answer.max_receive_size;
    d->max_size = v.answer.no_size_limit                             ? 0
                  : own == 0 || (organisation && organisation < own) ? organisation
                                                                     : own;
    give_verdict(d, &v, EXPLAIN_CAUSE_ADDRESS);
}

static enum gate_recipient recipient_of(const struct explain_recipient *r)
{
    if (r->kind == RESOLVED_LATER)
        return GATE_RECIPIENT_UNAVAILABLE;
    if (r->kind == RESOLVED_NOT_FOUND)
        return GATE_RECIPIENT_UNKNOWN;
    return r->authenticated_only ? GATE_RECIPIENT_GUARDED : GATE_RECIPIENT_KNOWN;
}

static void ask_rcpt(struct dialogue *d, const struct smtp_recipient *rcpt)
{
    struct span address = gate_recipient_address(d->gate.policy, &rcpt->address, &d->transaction);
    struct gate_verdict v;
    do
        v = gate_rcpt(gate_of(d), smtp_server_envelope(d->server)->mail.address.text, address);
    while (find_out(d, &v));
    struct explain_recipient found = {0};
    give_verdict(d, &v, EXPLAIN_CAUSE_ADDRESS);
    if (!v.ask_directory)
        return;
    d->facts->recipient(d->facts->context, address, d->e->arena, &found);
    enum gate_recipient recipient = recipient_of(&found);
    struct smtp_answer a = gate_resolved(&d->gate, &smtp_server_envelope(d->server)->mail, address, recipient);
    give(d, &a, recipient == GATE_RECIPIENT_GUARDED ? EXPLAIN_CAUSE_AUTH_WANTED : EXPLAIN_CAUSE_NO_MAILBOX);
    d->step->note = recipient == GATE_RECIPIENT_UNAVAILABLE
                        ? found.text
                        : SPAN("who neither may relay nor bypasses anti-spam is told at once whether the directory "
                               "knows the address");
}

static void take_content(void *context UNUSED, struct span bytes UNUSED)
{
}

/* What becomes of the content on its way in. */
static void note_message(struct dialogue *d)
{
    static const char *const words[] = {
        [GATE_ANONYMOUS] = "Anonymous", [GATE_INTERNAL] = "Internal", [GATE_PARTNER] = "Partner"};
    enum gate_auth_as as = gate_auth_as(&d->gate, d->rights, &smtp_server_envelope(d->server)->mail);
    d->step->note = explain_text(d->e, "%s; the sender counts as %s",
                                 gate_is_submission(&d->gate, d->rights)
                                     ? "a submission: Bcc is removed, a missing Date is added"
                                     : "relayed mail: Bcc stays, a missing Date is not added",
                                 words[as]);
}

static void ask_message_begin(struct dialogue *d)
{
    static const enum right rights[] = {RIGHT_ACCEPT_ANY_RECIPIENT,        RIGHT_ACCEPT_HEADERS_ROUTING,
                                        RIGHT_ACCEPT_HEADERS_ORGANIZATION, RIGHT_ACCEPT_HEADERS_FOREST,
                                        RIGHT_ACCEPT_AUTHENTICATION_FLAG,  RIGHT_BYPASS_ANTI_SPAM};
    const struct smtp_envelope *envelope = smtp_server_envelope(d->server);
    d->rights = gate_rights(gate_of(d), envelope);
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        struct decision one = gate_message_right(&d->gate, rights[i]);
        note_decision(d, &one);
    }
    struct intake_options options = gate_intake_options(&d->gate, d->rights);
    options.message_id = SPAN("<explain@mailreeve.invalid>");
    options.date = SPAN("Thu, 1 Jan 1970 00:00:00 +0000");
    options.local_names[INTAKE_NAMES_MAX - 1] = d->profile.fqdn;
    intake_init(&d->intake, &options, &d->transaction, take_content, d);
    d->intake_open = true;
    note_message(d);
    give(d, &(struct smtp_answer){.verdict = SMTP_ANSWER_OK}, EXPLAIN_CAUSE_CONTENT);
}

static void ask_message_end(struct dialogue *d)
{
    struct intake_result r;
    struct smtp_limit limit;
    intake_finish(&d->intake, &r);
    struct gate_verdict v;
    do
        v = gate_message(gate_of(d), &r);
    while (find_out(d, &v));
    if (gate_message_limit(&d->gate, r.problem, &limit))
        v.answer.reply.text = smtp_limit_text(&d->transaction, v.answer.reply.text, &limit);
    if (v.answer.verdict == SMTP_ANSWER_OK)
        v.answer.reply = (struct smtp_reply){
            250, SPAN("2.6.0"),
            arena_printf(&d->transaction, "%.*s [InternalId=N] Queued mail for delivery", SPAN_ARG(r.message_id))};
    give_verdict(d, &v, EXPLAIN_CAUSE_CONTENT);
}

void dialogue_drop_content(struct dialogue *d)
{
    if (d->intake_open)
        intake_done(&d->intake);
    d->intake_open = false;
}

void dialogue_ask(struct dialogue *d, const struct smtp_ask *ask)
{
    switch (ask->kind) {
    case SMTP_ASK_AUTH_START: ask_logon(d, ask->auth_start.mechanism); break;
    case SMTP_ASK_MAIL: ask_mail(d, ask->mail); break;
    case SMTP_ASK_RCPT: ask_rcpt(d, ask->rcpt); break;
    case SMTP_ASK_MESSAGE_BEGIN: ask_message_begin(d); break;
    case SMTP_ASK_MESSAGE_END: ask_message_end(d); break;
    case SMTP_ASK_MESSAGE_ABORT: dialogue_drop_content(d); break;
    case SMTP_ASK_VRFY: give(d, &(struct smtp_answer){.verdict = SMTP_ANSWER_OK}, EXPLAIN_CAUSE_NONE); break;
    case SMTP_ASK_AUTH_STEP: /* nothing is asked for by a challenge */
    case SMTP_ASK_AUTH_CANCEL:
    case SMTP_ASK_KINDS: break;
    }
}
