/* cmd_rcpt.c: RCPT (RFC 5321 4.1.1.3) with the options of DSN. Invariant: only accepted recipients are counted and
 * kept. */
#include "smtp/server/internal.h"

static enum option_result take_notify(struct smtp_server *s, struct span value)
{
    if (!s->profile->dsn)
        return OPTION_UNSUPPORTED;
    return smtp_notify_parse(value, &s->said.rcpt.notify) ? OPTION_OK : OPTION_INVALID;
}

static enum option_result take_orcpt(struct smtp_server *s, struct span value)
{
    if (!s->profile->dsn)
        return OPTION_UNSUPPORTED;
    if (!smtp_orcpt_valid(value, s->tx.envelope.mail.smtp_utf8))
        return OPTION_INVALID;
    return envelope_say(s, value, &s->said.rcpt.orcpt);
}

/* XORAR: to whom the message should go if it cannot be delivered. It is checked, and a report is made all the same:
 * mail is never sent to where only its sender wants it. */
static enum option_result take_orar(struct smtp_server *s, struct span value)
{
    if (!s->profile->orar)
        return OPTION_UNSUPPORTED;
    return smtp_orcpt_valid(value, s->tx.envelope.mail.smtp_utf8) ? OPTION_OK : OPTION_INVALID;
}

static const struct option options[] = {
    {SPAN_INIT("NOTIFY"), true, take_notify},
    {SPAN_INIT("ORCPT"), true, take_orcpt},
    {SPAN_INIT("ORAR"), true, take_orar},
};

/* Replies unless the line is a good one. */
static bool parse_rcpt(struct smtp_server *s, struct span argument)
{
    struct smtp_recipient *r = &s->said.rcpt;
    struct span rest;
    *r = (struct smtp_recipient){0};
    if (!envelope_keyword(&argument, SPAN("TO:"))) {
        respond_error(s, SMTP_REPLY(501, "5.5.4", "Syntax: RCPT TO:<address>"));
        return false;
    }
    unsigned flags = ADDRESS_ALLOW_POSTMASTER | (s->profile->smtp_utf8 ? ADDRESS_ALLOW_UTF8 : 0);
    enum address_defect d = envelope_path(s, argument, flags, &r->address, &rest);
    if (d) {
        envelope_refuse_path(s, d, SPAN("5.1.3"));
        return false;
    }
    if (r->address.utf8 && !s->tx.envelope.mail.smtp_utf8) {
        respond_error(s, SMTP_REPLY(553, "5.6.7", "The address needs the option SMTPUTF8 with MAIL"));
        return false;
    }
    return envelope_options(s, rest, options, ARRAY_LEN(options));
}

void cmd_rcpt(struct smtp_server *s, struct span argument)
{
    if (!parse_rcpt(s, argument)) {
        s->tx.excused = true;
    } else if (s->tx.envelope.recipient_count >= limit_recipients(s)) {
        respond(s, refusal_coded(s, limit_exceeded(s, LIMIT_RECIPIENTS, &s->scratch)));
    } else {
        session_ask(s, &(struct smtp_ask){.kind = SMTP_ASK_RCPT, .rcpt = &s->said.rcpt});
    }
}

static bool keep_recipient(struct smtp_server *s)
{
    struct smtp_recipient said = s->said.rcpt, *r = ARENA_NEW(&s->envelope, struct smtp_recipient);
    if (!r || !envelope_keep_address(s, &said.address) || !envelope_keep(s, &said.orcpt))
        return false;
    *r = said;
    *s->tx.tail = r;
    s->tx.tail = &r->next;
    s->tx.envelope.recipient_count++;
    return true;
}

void rcpt_answer(struct smtp_server *s, const struct smtp_answer *a)
{
    session_enter(s, PHASE_COMMAND);
    if (a->verdict != SMTP_ANSWER_OK) {
        s->tx.excused = true;
        respond_answer(s, a);
    } else if (!keep_recipient(s)) {
        s->tx.excused = true;
        respond_no_memory(s, SPAN("envelope"));
    } else {
        respond(s, SMTP_REPLY(250, "2.1.5", "Recipient OK"));
    }
}
