/*
 * outcome.c: results, and the ways a message and a session end.
 *
 * Invariants: a recipient is reported once, when its state becomes RCPT_DECIDED (or RCPT_SKIPPED); `message_given`
 * falls with exactly one done() or failed(); close() is the last action of a session.
 */
#include "smtp/client/internal.h"

#include <stdio.h>
#include <string.h>

/* What a result's enhanced code begins with. */
static const char class_of[] = {
    [SMTP_CLIENT_DELIVERED] = '2', [SMTP_CLIENT_TEMPORARY] = '4', [SMTP_CLIENT_PERMANENT] = '5'};

static struct span fit_enhanced(struct smtp_client *c, struct span enhanced, enum smtp_client_outcome outcome)
{
    if (enhanced.len == 0 || enhanced.len >= sizeof c->enhanced)
        enhanced = SPAN("x.0.0");
    memcpy(c->enhanced, enhanced.ptr, enhanced.len);
    c->enhanced[0] = class_of[outcome];
    return span_make(c->enhanced, enhanced.len);
}

/* RFC 5321, 4.5.3.1.10: 552 is what old servers say to one recipient too many. */
static bool means_too_many(const struct client_reply *r, enum smtp_client_stage stage)
{
    return stage == SMTP_CLIENT_RCPT && r->code == 552 &&
           (r->enhanced.len == 0 || span_eq(r->enhanced, SPAN("5.5.3")));
}

struct smtp_client_result smtp_client_from_reply(struct smtp_client *c, const struct client_reply *r,
                                                 enum smtp_client_stage stage)
{
    enum smtp_client_outcome outcome = r->code < 400   ? SMTP_CLIENT_DELIVERED
                                       : r->code < 500 ? SMTP_CLIENT_TEMPORARY
                                                       : SMTP_CLIENT_PERMANENT;
    if (means_too_many(r, stage) || (stage == SMTP_CLIENT_AUTH && outcome == SMTP_CLIENT_PERMANENT))
        outcome = SMTP_CLIENT_TEMPORARY;
    buf_clear(&c->text);
    client_reply_print_text(r, SMTP_CLIENT_TEXT_MAX, &c->text);
    return (struct smtp_client_result){
        .outcome = outcome,
        .stage = stage,
        .cause = SMTP_CLIENT_REPLY,
        .code = r->code,
        .enhanced = fit_enhanced(c, r->enhanced, outcome),
        .text = buf_span(&c->text),
    };
}

struct smtp_client_result smtp_client_from_cause(struct smtp_client *c, enum smtp_client_cause cause,
                                                 enum smtp_client_outcome outcome, const char *enhanced,
                                                 struct span text)
{
    buf_clear(&c->text);
    buf_add(&c->text, span_head(text, SMTP_CLIENT_TEXT_MAX));
    return (struct smtp_client_result){
        .outcome = outcome,
        .stage = smtp_client_stage_now(c),
        .cause = cause,
        .enhanced = fit_enhanced(c, span_of(enhanced), outcome),
        .text = buf_span(&c->text),
    };
}

void smtp_client_decide(struct smtp_client *c, size_t recipient, const struct smtp_client_result *result)
{
    ASSERT(recipient < c->message.recipient_count);
    if (c->states[recipient] == RCPT_ACCEPTED)
        c->accepted--;
    c->states[recipient] = RCPT_DECIDED;
    smtp_client_write_out(c);
    c->output->result(c->context, recipient, result);
}

void smtp_client_decide_rest(struct smtp_client *c, const struct smtp_client_result *result)
{
    for (size_t i = 0; i < c->message.recipient_count; i++)
        if (c->states[i] == RCPT_PENDING || c->states[i] == RCPT_ACCEPTED)
            smtp_client_decide(c, i, result);
}

void smtp_client_decide_accepted(struct smtp_client *c, const struct smtp_client_result *result)
{
    for (size_t i = 0; i < c->message.recipient_count && c->accepted; i++)
        if (c->states[i] == RCPT_ACCEPTED)
            smtp_client_decide(c, i, result);
}

void smtp_client_finish(struct smtp_client *c)
{
    c->message_given = false;
    smtp_client_write_out(c);
    smtp_client_enter(c, PHASE_IDLE);
    c->output->done(c->context);
}

void smtp_client_break(struct smtp_client *c, const struct smtp_client_result *result)
{
    bool begun = c->phase == PHASE_ENVELOPE || c->phase == PHASE_BODY || c->phase == PHASE_END;
    bool given = c->message_given;
    if (begun)
        smtp_client_decide_rest(c, result);
    smtp_client_write_out(c);
    c->message_given = false;
    smtp_client_enter(c, PHASE_CLOSED);
    if (begun)
        c->output->done(c->context);
    else if (given)
        c->output->failed(c->context, result);
    c->output->close(c->context);
}

void smtp_client_break_protocol(struct smtp_client *c, const char *what)
{
    char text[160];
    snprintf(text, sizeof text, "the server sent %s (%s)", what, smtp_client_stage_name(smtp_client_stage_now(c)));
    struct smtp_client_result r =
        smtp_client_from_cause(c, SMTP_CLIENT_PROTOCOL, SMTP_CLIENT_TEMPORARY, "4.5.0", span_of(text));
    smtp_client_break(c, &r);
}
