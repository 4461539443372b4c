/*
 * transaction.c: the envelope of one message (RSET where needed, MAIL, RCPT, DATA), pipelined (RFC 2920) when the
 * server can, and the replies at its end.
 *
 * The commands of an envelope are numbered in the order they are sent: STEP_RSET, STEP_MAIL, STEP_RCPT + recipient,
 * then DATA. Invariants: `answered` <= `sent` <= data_step + 1, both skip the same steps, and `outstanding`
 * commands lie between them; a reply belongs to the step `answered`. At most WINDOW commands are unanswered, so
 * that neither side's buffers decide about progress. DATA is sent with the last RCPT, and a server that says 354
 * although it took no recipient gets an empty body (RFC 2920, 3.1); an LMTP server that does so cannot be
 * understood.
 */
#include "smtp/client/internal.h"

#include "base/utf8.h"

#include <stdio.h>

enum { STEP_RSET, STEP_MAIL, STEP_RCPT };
enum { WINDOW = 64, ADDRESS_MAX = 2048, ORCPT_MAX = 2048, ENVID_MAX = 1024 };

static size_t data_step(const struct smtp_client *c)
{
    return STEP_RCPT + c->message.recipient_count;
}

static size_t step_after(const struct smtp_client *c, size_t step)
{
    do
        step++;
    while (step >= STEP_RCPT && step < data_step(c) && c->states[step - STEP_RCPT] == RCPT_SKIPPED);
    return step;
}

enum smtp_client_stage smtp_client_envelope_stage(const struct smtp_client *c)
{
    return c->answered < STEP_RCPT      ? SMTP_CLIENT_MAIL
           : c->answered < data_step(c) ? SMTP_CLIENT_RCPT
                                        : SMTP_CLIENT_DATA;
}

/* ---- what can be sent at all ---- */

/* No octet that ends a command or the address in it. */
static bool sendable_address(struct span a)
{
    bool quoted = a.len && a.ptr[0] == '"';
    for (size_t i = 0; i < a.len; i++) {
        unsigned char ch = (unsigned char)a.ptr[i];
        if (ch < 0x20 || ch == 0x7f || (!quoted && (ch == '<' || ch == '>' || ch == ' ')))
            return false;
    }
    return a.len <= ADDRESS_MAX;
}

/* A parameter's value: an octet that does not fit makes the parameter be left out, which loses no mail. */
static bool sendable_value(const struct smtp_client *c, struct span v, size_t max)
{
    for (size_t i = 0; i < v.len; i++) {
        unsigned char ch = (unsigned char)v.ptr[i];
        if (ch <= 0x20 || ch == 0x7f || (ch >= 0x80 && !c->message.utf8))
            return false;
    }
    return v.len && v.len <= max;
}

static struct smtp_client_result local(struct smtp_client *c, const char *enhanced, const char *text)
{
    return smtp_client_from_cause(c, SMTP_CLIENT_LOCAL, SMTP_CLIENT_PERMANENT, enhanced, span_of(text));
}

/* Why the server cannot get this message at all; false when it can. */
static bool unsendable(struct smtp_client *c, struct smtp_client_result *ret)
{
    const struct smtp_client_message *m = &c->message;
    char text[160];
    const unsigned binary = CAN_CHUNKING | CAN_BINARYMIME;
    if (m->binary && (c->capabilities & binary) != binary)
        *ret = local(c, "5.6.3", "the message has binary content, which the server does not offer to take");
    else if (m->utf8 && !(c->capabilities & CAN_SMTPUTF8))
        *ret = local(c, "5.6.7", "the message needs SMTPUTF8, which the server does not offer");
    else if (!m->utf8 && !utf8_is_ascii(m->sender))
        *ret = local(c, "5.6.7", "the sender's address needs SMTPUTF8, which the message was not sent with");
    else if (!sendable_address(m->sender))
        *ret = local(c, "5.1.7", "the sender's address cannot be sent");
    else if (c->size_limit && m->size > c->size_limit) {
        snprintf(text, sizeof text, "the message has %llu octets, the server takes at most %llu",
                 (unsigned long long)m->size, (unsigned long long)c->size_limit);
        *ret = local(c, "5.3.4", text);
    } else
        return false;
    return true;
}

static void skip(struct smtp_client *c, size_t i, const char *enhanced, const char *text)
{
    struct smtp_client_result r = local(c, enhanced, text);
    r.stage = SMTP_CLIENT_RCPT;
    smtp_client_decide(c, i, &r);
    c->states[i] = RCPT_SKIPPED;
}

/* Decides recipients that cannot be named to the server; gives the number of the others. */
static size_t skip_unsendable(struct smtp_client *c)
{
    size_t left = 0;
    for (size_t i = 0; i < c->message.recipient_count; i++) {
        struct span address = c->message.recipients[i].address;
        if (address.len == 0 || !sendable_address(address))
            skip(c, i, "5.1.3", "the address cannot be sent");
        else if (!c->message.utf8 && !utf8_is_ascii(address))
            skip(c, i, "5.6.7", "the address needs SMTPUTF8, which the message was not sent with");
        else
            left++;
    }
    return left;
}

/* ---- commands ---- */

static void say_mail(struct smtp_client *c)
{
    const struct smtp_client_message *m = &c->message;
    buf_addf(&c->out, "MAIL FROM:<%.*s>", SPAN_ARG(m->sender));
    if (c->capabilities & CAN_SIZE)
        buf_addf(&c->out, " SIZE=%llu", (unsigned long long)m->size);
    if (m->binary)
        buf_add(&c->out, SPAN(" BODY=BINARYMIME"));
    else if (m->eight_bit && (c->capabilities & CAN_8BITMIME))
        buf_add(&c->out, SPAN(" BODY=8BITMIME"));
    if (m->utf8)
        buf_add(&c->out, SPAN(" SMTPUTF8"));
    if (m->require_tls && smtp_client_can_require_tls(c))
        buf_add(&c->out, SPAN(" REQUIRETLS"));
    if (c->capabilities & CAN_DSN) {
        if (m->ret != SMTP_CLIENT_RET_NONE)
            buf_addf(&c->out, " RET=%s", m->ret == SMTP_CLIENT_RET_FULL ? "FULL" : "HDRS");
        if (sendable_value(c, m->envid, ENVID_MAX))
            buf_addf(&c->out, " ENVID=%.*s", SPAN_ARG(m->envid));
    }
    buf_add(&c->out, SPAN("\r\n"));
}

static void say_notify(struct smtp_client *c, unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {
        {SMTP_CLIENT_NOTIFY_NEVER, "NEVER"},
        {SMTP_CLIENT_NOTIFY_SUCCESS, "SUCCESS"},
        {SMTP_CLIENT_NOTIFY_FAILURE, "FAILURE"},
        {SMTP_CLIENT_NOTIFY_DELAY, "DELAY"},
    };
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(notify & names[i].bit))
            continue;
        buf_addf(&c->out, "%s%s", before, names[i].name);
        before = ",";
        if (names[i].bit == SMTP_CLIENT_NOTIFY_NEVER) /* stands alone */
            return;
    }
}

static void say_rcpt(struct smtp_client *c, const struct smtp_client_recipient *to)
{
    buf_addf(&c->out, "RCPT TO:<%.*s>", SPAN_ARG(to->address));
    if (c->capabilities & CAN_DSN) {
        say_notify(c, to->notify);
        if (sendable_value(c, to->orcpt, ORCPT_MAX))
            buf_addf(&c->out, " ORCPT=%.*s", SPAN_ARG(to->orcpt));
    }
    buf_add(&c->out, SPAN("\r\n"));
}

/* True when this step must wait for replies although the window has room. */
static bool must_wait(const struct smtp_client *c, size_t step)
{
    return step == data_step(c) && c->outstanding && c->message.binary;
}

static void send_more(struct smtp_client *c)
{
    size_t window = c->capabilities & CAN_PIPELINING ? WINDOW : 1;
    while (!c->mail_refused && c->sent <= data_step(c) && c->outstanding < window && !must_wait(c, c->sent)) {
        if (c->sent == STEP_RSET)
            buf_add(&c->out, SPAN("RSET\r\n"));
        else if (c->sent == STEP_MAIL)
            say_mail(c);
        else if (c->sent < data_step(c))
            say_rcpt(c, &c->message.recipients[c->sent - STEP_RCPT]);
        else if (c->message.binary || (c->outstanding == 0 && c->accepted == 0))
            return; /* no command: BDAT begins without one, and without recipients there is no DATA */
        else
            buf_add(&c->out, SPAN("DATA\r\n")), c->data_sent = true;
        c->sent = step_after(c, c->sent);
        c->outstanding++;
    }
}

void smtp_client_begin(struct smtp_client *c)
{
    struct smtp_client_result r;
    c->accepted = c->outstanding = c->end_next = c->chunks_unanswered = 0;
    c->mail_refused = c->mail_accepted = c->data_sent = false;
    if (unsendable(c, &r)) {
        smtp_client_decide_rest(c, &r);
        smtp_client_finish(c);
        return;
    }
    if (skip_unsendable(c) == 0) {
        smtp_client_finish(c);
        return;
    }
    c->sent = c->answered = c->rset_needed ? STEP_RSET : STEP_MAIL;
    c->chunking = c->message.binary;
    c->rset_needed = false;
    send_more(c);
    smtp_client_enter(c, PHASE_ENVELOPE);
}

/* ---- replies ---- */

static void break_reply(struct smtp_client *c, const struct client_reply *r, enum smtp_client_stage stage)
{
    struct smtp_client_result result = smtp_client_from_reply(c, r, stage);
    smtp_client_break(c, &result);
}

/* 354, or a refusal. False when the phase was left. */
static bool on_data(struct smtp_client *c, const struct client_reply *r)
{
    if (r->code >= 400) {
        struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_DATA);
        smtp_client_decide_accepted(c, &result);
        return true;
    }
    if (r->code != 354 || (c->accepted == 0 && c->options.lmtp)) {
        smtp_client_break_protocol(c, "a reply that does not fit");
    } else if (c->accepted == 0) {
        buf_add(&c->out, SPAN(".\r\n"));
        smtp_client_enter(c, PHASE_END);
    } else {
        smtp_client_begin_body(c);
    }
    return false;
}

static bool on_step(struct smtp_client *c, size_t step, const struct client_reply *r)
{
    if (step == data_step(c))
        return on_data(c, r);
    if (r->code >= 300 && r->code < 400) {
        smtp_client_break_protocol(c, "a reply that does not fit");
        return false;
    }
    bool refused = r->code >= 400;
    if (step == STEP_RSET) {
        if (refused) /* every server must know it: not a word about this message */
            smtp_client_break_protocol(c, "a refusal of RSET");
        return !refused;
    }
    if (step == STEP_MAIL) {
        c->mail_refused = refused;
        c->mail_accepted = !refused;
        if (refused) {
            struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_MAIL);
            smtp_client_decide_rest(c, &result);
        }
    } else if (!c->mail_refused && refused) {
        struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_RCPT);
        smtp_client_decide(c, step - STEP_RCPT, &result);
    } else if (!c->mail_refused) {
        c->states[step - STEP_RCPT] = RCPT_ACCEPTED;
        c->accepted++;
    }
    return true;
}

void smtp_client_on_envelope(struct smtp_client *c, const struct client_reply *r)
{
    ASSERT(c->outstanding > 0 && c->answered < c->sent);
    if (r->code == 421) {
        break_reply(c, r, smtp_client_envelope_stage(c));
        return;
    }
    size_t step = c->answered;
    if (!on_step(c, step, r))
        return;
    c->answered = step_after(c, step);
    c->outstanding--;
    send_more(c);
    if (c->outstanding > 0) {
        smtp_client_rearm(c);
    } else if (c->message.binary && c->accepted > 0) {
        smtp_client_begin_body(c);
    } else {
        c->rset_needed = c->mail_accepted; /* the server still has a sender, and perhaps recipients */
        smtp_client_finish(c);
    }
}

/* The final reply, or with LMTP one for each accepted recipient in order (RFC 2033, 4.2). */
void smtp_client_on_end(struct smtp_client *c, const struct client_reply *r)
{
    if (c->chunks_unanswered) {
        smtp_client_on_body(c, r);
        return;
    }
    if (r->code == 421 || (r->code >= 300 && r->code < 400)) {
        if (r->code == 421)
            break_reply(c, r, SMTP_CLIENT_END);
        else
            smtp_client_break_protocol(c, "a reply that does not fit");
        return;
    }
    struct smtp_client_result result = smtp_client_from_reply(c, r, SMTP_CLIENT_END);
    if (c->options.lmtp) {
        while (c->states[c->end_next] != RCPT_ACCEPTED)
            c->end_next++;
        smtp_client_decide(c, c->end_next, &result);
    } else {
        smtp_client_decide_accepted(c, &result);
    }
    if (c->accepted == 0)
        smtp_client_finish(c);
    else
        smtp_client_rearm(c);
}
