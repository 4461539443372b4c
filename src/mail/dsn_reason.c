/*
 * dsn_reason.c: what a status code (RFC 3463) means to somebody who has sent a message: why it did not arrive, and
 * what can be done. One table; the most particular row counts.
 */
#include "mail/dsn_internal.h"
#include "mail/status.h"

#include <string.h>

struct row {
    uint16_t subject, detail;
    const char *token; /* what the diagnostic begins with behind its codes; NULL: anything */
    struct dsn_reason reason;
};

#define TELL_ADMINISTRATOR "Tell your administrator."
#define MAKE_SMALLER       "Make it smaller, or send a link to the file."

/* A row with a token stands before that without. */
static const struct row rows[] = {
    {1,
     1,
     NULL,
     {"there is no such mailbox", "Check the address for a typing error, or ask for the right one another way."}},
    {1, 2, NULL, {"the domain of the address does not exist", "Check what stands behind the @."}},
    {1, 3, NULL, {"the address is not well formed", "Check the address for a typing error."}},
    {1, 4, NULL, {"the address stands for several recipients", TELL_ADMINISTRATOR}},
    {1, 6, NULL, {"the recipient has moved and left no new address", "Ask for the new address another way."}},
    {1,
     7,
     NULL,
     {"the sender's address is not well formed", "Check which sender's address your mail program uses."}},
    {1,
     8,
     NULL,
     {"the domain of the sender's address is not accepted",
      "Check which sender's address your mail program uses."}},
    {1, 10, NULL, {"the domain of the address accepts no mail at all", "Check what stands behind the @."}},
    {2, 1, NULL, {"the recipient's mailbox is disabled", "Reach the recipient another way."}},
    {2, 2, NULL, {"the recipient's mailbox is full", "Try again later, or reach the recipient another way."}},
    {2, 3, "RESOLVER.RST.SendSizeLimit", {"it is larger than your organisation allows", MAKE_SMALLER}},
    {2, 3, NULL, {"the message is too large for this recipient", MAKE_SMALLER}},
    {2, 4, NULL, {"the members of the group could not be found", TELL_ADMINISTRATOR}},
    {3, 1, NULL, {"the recipient's mail system has no room left", "Send it again later."}},
    {3,
     2,
     "QUEUE.Deleted",
     {"an administrator removed it before it was delivered", "Ask your administrator before you send it again."}},
    {3, 2, NULL, {"the recipient's mail system takes no mail at the moment", "Send it again later."}},
    {3, 4, NULL, {"the message is too large", MAKE_SMALLER}},
    {3, 5, NULL, {"a mail server on its way is not set up to pass it on", TELL_ADMINISTRATOR}},
    {4,
     1,
     NULL,
     {"the recipient's mail server does not answer", "Send it again later, or reach the recipient another way."}},
    {4,
     2,
     NULL,
     {"the connection to the recipient's mail server broke",
      "Send it again later, or reach the recipient another way."}},
    {4,
     3,
     NULL,
     {"it could not be found out which server takes the recipient's mail",
      "Send it again later, or tell your administrator."}},
    {4,
     4,
     NULL,
     {"no way to the recipient's domain is known", "Check what stands behind the @, or tell your administrator."}},
    {4, 6, NULL, {"it went round in a loop", TELL_ADMINISTRATOR}},
    {4,
     7,
     NULL,
     {"the recipient's mail server could not be reached, or did not take it, for too long",
      "Send it again later, or reach the recipient another way."}},
    {5,
     3,
     NULL,
     {"it has more recipients than a mail server on its way takes", "Send it to fewer recipients at a time."}},
    {6, 3, NULL, {"the recipient's mail server cannot take its form", TELL_ADMINISTRATOR}},
    {6,
     7,
     NULL,
     {"the recipient's mail server cannot take an address with such letters",
      "Use an address without letters beyond English, where there is one."}},
    {7, 1, NULL, {"the rules of a mail server on its way do not allow it", "What that server said stands below."}},
    {7, 3, NULL, {"a mail server on its way does not know who is sending it", TELL_ADMINISTRATOR}},
    {7,
     4,
     NULL,
     {"it must travel encrypted, which the recipient's mail server does not offer", TELL_ADMINISTRATOR}},
    {7,
     5,
     NULL,
     {"it must travel encrypted, and no connection that can be trusted came about", TELL_ADMINISTRATOR}},
    {7, 10, NULL, {"a mail server on its way takes it only encrypted", TELL_ADMINISTRATOR}},
    {7, 26, NULL, {"the recipient's mail server cannot see that it comes from your domain", TELL_ADMINISTRATOR}},
    {7,
     30,
     NULL,
     {"you asked that it travel encrypted all the way, which the recipient's mail server does not "
      "promise",
      "Send it without that demand where it may be read on its way, or reach the recipient another "
      "way."}},
};

/* By the subject of the status alone, where the table above has no row. */
static const struct dsn_reason general[] = {
    [0] = {"of the reason below", NULL},
    [1] = {"something is wrong with the address", "Check the address."},
    [2] = {"the recipient's mailbox cannot take it", "Reach the recipient another way."},
    [3] = {"the recipient's mail system cannot take it",
           "Send it again later, or reach the recipient another way."},
    [4] = {"the recipient's mail system could not be reached",
           "Send it again later, or reach the recipient another way."},
    [5] = {"the mail servers on its way did not understand each other", TELL_ADMINISTRATOR},
    [6] = {"the recipient's mail system cannot take its form", TELL_ADMINISTRATOR},
    [7] = {"the rules of a mail server on its way do not allow it", "What that server said stands below."},
};

static const struct dsn_action_words actions[DSN_ACTION_MAX] = {
    [DSN_FAILED] = {SPAN_INIT("Undeliverable: "), "5.0.0", "could not be delivered", true},
    [DSN_DELAYED] = {SPAN_INIT("Delivery delayed: "), "4.0.0", "has not been delivered yet", true},
    [DSN_EXPANDED] = {SPAN_INIT("Expanded: "), "2.0.0",
                      "was passed on to the members of a group; whether it reached each of them is not reported",
                      false},
    [DSN_RELAYED] = {SPAN_INIT("Relayed: "), "2.0.0",
                     "was handed to a mail server that reports no delivery; nothing more is known", false},
    [DSN_DELIVERED] = {SPAN_INIT("Delivered: "), "2.0.0", "was delivered", false},
};

const struct dsn_action_words *dsn_action_words(enum dsn_action a)
{
    ASSERT((unsigned)a < DSN_ACTION_MAX);
    return &actions[a];
}

enum dsn_action dsn_chief_action(const struct dsn *d)
{
    enum dsn_action first = DSN_DELIVERED;
    for (size_t i = 0; i < d->recipient_count; i++)
        if (d->recipients[i].action < first)
            first = d->recipients[i].action;
    return first;
}

struct span dsn_status(const struct dsn_recipient *r)
{
    struct status ignored;
    return status_parse(r->status, &ignored) ? r->status : span_of(actions[r->action].general_status);
}

/* "550 5.1.1 words": what stands behind the codes, either of which may be missing; *ret_status only where it is. */
static struct span without_codes(struct span s, struct status *ret_status)
{
    struct span rest = s;
    if (s.len > 3 && ascii_is_digit(s.ptr[0]) && ascii_is_digit(s.ptr[1]) && ascii_is_digit(s.ptr[2]) &&
        s.ptr[3] == ' ')
        rest = span_from(s, 4);
    return status_parse_start(rest, ret_status, &s) ? s : rest;
}

static struct dsn_reason look_up(struct status s, struct span words)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].subject == s.subject && rows[i].detail == s.detail &&
            (!rows[i].token || span_starts(words, span_of(rows[i].token))))
            return rows[i].reason;
    return general[s.subject < ARRAY_LEN(general) ? s.subject : 0];
}

struct dsn_reason dsn_reason_of(const struct dsn_recipient *r)
{
    struct status s = {STATUS_PERMANENT, 0, 0}, ignored;
    IGNORE_RESULT(status_parse(dsn_status(r), &s));
    return look_up(s, without_codes(r->diagnostic, &ignored));
}

bool dsn_last_reason_of(const struct dsn_recipient *r, struct dsn_reason *ret)
{
    static const struct span mark = SPAN_INIT(DSN_LAST_ERROR);
    struct status s = {STATUS_PERMANENT, 0, 0};
    const char *at = r->diagnostic.len ? memmem(r->diagnostic.ptr, r->diagnostic.len, mark.ptr, mark.len) : NULL;
    if (!at || !span_eq(dsn_status(r), SPAN("4.4.7")))
        return false;
    struct span words = without_codes(span_from(r->diagnostic, (size_t)(at - r->diagnostic.ptr) + mark.len), &s);
    if (s.subject == 0)
        return false;
    *ret = look_up(s, words);
    return true;
}
