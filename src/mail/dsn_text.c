/*
 * dsn_text.c: the human part of a report: one sentence of what happened and why for each recipient, in words that
 * need no knowledge of mail, then the block that administrators look for.
 */
#include "mail/date.h"
#include "mail/dsn_internal.h"
#include "mail/header.h"
#include "mail/status.h"

struct reason {
    uint16_t subject, detail;
    const char *because; /* completes "could not be delivered because" */
    const char *advice;
};

static const struct reason reasons[] = {
    {1, 1, "there is no such mailbox",
     "Check the address for a typing error, or ask for the right one another way."},
    {1, 2, "the domain of the address does not exist", "Check what stands behind the @."},
    {1, 3, "the address is not well formed", "Check the address for a typing error."},
    {1, 4, "the address stands for several recipients", "Tell your administrator."},
    {1, 10, "the domain of the address accepts no mail at all", "Check what stands behind the @."},
    {2, 1, "the recipient's mailbox is disabled", "Reach the recipient another way."},
    {2, 2, "the recipient's mailbox is full", "Try again later, or reach the recipient another way."},
    {2, 3, "the message is too large for this recipient", "Make it smaller, or send a link to the file."},
    {2, 4, "the members of the group could not be found", "Tell your administrator."},
    {3, 4, "the message is too large", "Make it smaller, or send a link to the file."},
    {4, 1, "the recipient's mail server does not answer", NULL},
    {4, 2, "the connection to the recipient's mail server broke", NULL},
    {4, 4, "no way to the recipient's domain is known",
     "Check what stands behind the @, or tell your administrator."},
    {4, 6, "it went round in a loop", "Tell your administrator."},
    {4, 7, "the recipient's mail server could not be reached, or did not take it, for too long",
     "Send it again later, or reach the recipient another way."},
    {6, 3, "the recipient's mail server cannot take its form", "Tell your administrator."},
    {7, 1, "the rules of a mail server on its way do not allow it", "What that server said stands below."},
};

/* By the subject of the status alone, where the table above has no row. */
static const char *const general_reasons[] = {
    [0] = "of the reason below",
    [1] = "something is wrong with the address",
    [2] = "the recipient's mailbox cannot take it",
    [3] = "the recipient's mail system cannot take it",
    [4] = "the recipient's mail system could not be reached",
    [5] = "the mail servers on its way did not understand each other",
    [6] = "the recipient's mail system cannot take its form",
    [7] = "the rules of a mail server on its way do not allow it",
};

static const struct {
    struct span subject;
    const char *general_status;
    const char *verdict; /* completes "Your message to <x>" */
    bool has_reason;
} actions[DSN_ACTION_MAX] = {
    [DSN_FAILED] = {SPAN_INIT("Undeliverable: "), "5.0.0", "could not be delivered", true},
    [DSN_DELAYED] = {SPAN_INIT("Delivery delayed: "), "4.0.0", "has not been delivered yet", true},
    [DSN_EXPANDED] = {SPAN_INIT("Expanded: "), "2.0.0",
                      "was passed on to the members of a group; whether it reached each of them is not reported",
                      false},
    [DSN_RELAYED] = {SPAN_INIT("Relayed: "), "2.0.0",
                     "was handed to a mail server that reports no delivery; nothing more is known", false},
    [DSN_DELIVERED] = {SPAN_INIT("Delivered: "), "2.0.0", "was delivered", false},
};

struct span dsn_subject_prefix(const struct dsn *d)
{
    enum dsn_action first = DSN_DELIVERED;
    for (size_t i = 0; i < d->recipient_count; i++)
        if (d->recipients[i].action < first)
            first = d->recipients[i].action;
    return actions[first].subject;
}

struct span dsn_status(const struct dsn_recipient *r)
{
    struct status ignored;
    return status_parse(r->status, &ignored) ? r->status : span_of(actions[r->action].general_status);
}

static struct reason reason_of(const struct dsn_recipient *r)
{
    struct status s = {STATUS_PERMANENT, 0, 0};
    if (!status_parse(dsn_status(r), &s) || s.subject >= ARRAY_LEN(general_reasons))
        s.subject = 0;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].subject == s.subject && reasons[i].detail == s.detail)
            return reasons[i];
    return (struct reason){s.subject, s.detail, general_reasons[s.subject], NULL};
}

static void print_sentence(struct buf *out, const struct dsn_recipient *r)
{
    struct reason why = reason_of(r);
    buf_add(out, SPAN("Your message to "));
    dsn_put_value(out, r->address, false);
    buf_addf(out, " %s", actions[r->action].verdict);
    if (actions[r->action].has_reason)
        buf_addf(out, " because %s", why.because);
    buf_add(out, SPAN(".\r\n"));
    if (r->action == DSN_DELAYED) {
        buf_add(out, SPAN("It is being tried again"));
        if (r->retry_until_ms) {
            buf_add(out, SPAN(" until "));
            date_print(out, r->retry_until_ms);
        }
        buf_add(out, SPAN("; you need not send it again.\r\n"));
    } else if (r->action == DSN_FAILED && why.advice) {
        buf_addf(out, "%s\r\n", why.advice);
    }
    buf_add(out, SPAN("\r\n"));
}

static bool begins_with_reply_code(struct span s)
{
    return s.len > 3 && ascii_is_digit(s.ptr[0]) && ascii_is_digit(s.ptr[1]) && ascii_is_digit(s.ptr[2]) &&
           s.ptr[3] == ' ';
}

/* "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", the form that administrators search for. */
static void print_diagnostic(struct buf *out, const struct dsn_recipient *r)
{
    struct status ignored;
    struct span text = r->diagnostic, rest, status = dsn_status(r);
    buf_add_char(out, '#');
    if (begins_with_reply_code(text)) {
        buf_add(out, span_head(text, 4));
        text = span_from(text, 4);
    } else {
        buf_addf(out, "%c50 ", status.ptr[0]);
    }
    if (!status_parse_start(text, &ignored, &rest)) {
        buf_add(out, status);
        buf_add_char(out, ' ');
    }
    dsn_put_value(out, text, false);
    buf_add(out, text.len ? SPAN(" ##\r\n") : SPAN("##\r\n"));
}

static void print_original_header(struct buf *out, struct span section)
{
    struct header_field f;
    while (header_next(&section, &f)) {
        struct span rest = f.whole, line;
        if (!dsn_shows_field(f.name))
            continue;
        while (span_split(&rest, '\n', &line) && (line.len || rest.ptr)) {
            if (span_ends(line, SPAN("\r")))
                line.len--;
            dsn_put_value(out, line, false);
            buf_add(out, SPAN("\r\n"));
        }
    }
}

void dsn_print_text(struct buf *out, const struct dsn *d)
{
    for (size_t i = 0; i < d->recipient_count; i++)
        print_sentence(out, &d->recipients[i]);
    buf_add(out, SPAN("\r\nDiagnostic information for administrators:\r\n\r\nGenerating server: "));
    dsn_put_value(out, d->host, false);
    buf_add(out, SPAN("\r\n"));
    for (size_t i = 0; i < d->recipient_count; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        buf_add(out, SPAN("\r\n"));
        dsn_put_value(out, r->address, false);
        buf_add(out, SPAN("\r\n"));
        if (r->remote.len) {
            buf_add(out, SPAN("Remote server: "));
            dsn_put_value(out, r->remote, false);
            buf_add(out, SPAN("\r\n"));
        }
        print_diagnostic(out, r);
    }
    buf_add(out, SPAN("\r\nOriginal message headers:\r\n\r\n"));
    print_original_header(out, d->original_header);
}
