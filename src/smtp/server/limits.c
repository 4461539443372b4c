/*
 * limits.c: the limits that end something here: a message, a recipient, the session. Each is defined once: the
 * property that sets it, the reply, the event.
 *
 * Invariant: the documented text is the beginning of the reply, whatever follows.
 */
#include "smtp/server/internal.h"

static const struct {
    struct smtp_reply reply;
    enum smtp_event event;
    struct span name;   /* of the connector's property */
    struct span detail; /* of the event, where the profile does not name the connector */
} limits[LIMITS] = {
    [LIMIT_MESSAGE_SIZE] = {{552, SPAN_INIT("5.3.4"), SPAN_INIT("Message size exceeds fixed maximum message size")},
                            SMTP_EVENT_LIMIT,
                            SPAN_INIT("MaxMessageSize"),
                            SPAN_INIT("message size")},
    [LIMIT_RECIPIENTS] = {{452, SPAN_INIT("4.5.3"), SPAN_INIT("Too many recipients")},
                          SMTP_EVENT_LIMIT,
                          SPAN_INIT("MaxRecipientsPerMessage"),
                          SPAN_INIT("recipients")},
    [LIMIT_ERRORS] = {{421, SPAN_INIT("4.7.0"),
                       SPAN_INIT("Too many errors on this connection, closing transmission channel")},
                      SMTP_EVENT_TOO_MANY_ERRORS,
                      SPAN_INIT("MaxProtocolErrors"),
                      SPAN_INIT("")},
    [LIMIT_LOGON_FAILURES] = {{421, SPAN_INIT("4.7.0"),
                               SPAN_INIT("Too many failed logon attempts, closing transmission channel")},
                              SMTP_EVENT_TOO_MANY_FAILURES,
                              SPAN_INIT("MaxLogonFailures"),
                              SPAN_INIT("")},
    [LIMIT_CONNECTION_TIME] = {{421, SPAN_INIT("4.4.1"), SPAN_INIT("Connection timed out")},
                               SMTP_EVENT_TIMEOUT,
                               SPAN_INIT("ConnectionTimeout"),
                               SPAN_INIT("connection")},
    [LIMIT_INACTIVITY] = {{421, SPAN_INIT("4.4.1"), SPAN_INIT("Connection timed out")},
                          SMTP_EVENT_TIMEOUT,
                          SPAN_INIT("ConnectionInactivityTimeout"),
                          SPAN_INIT("inactivity")},
    [LIMIT_LONG_ADDRESS] = {{501, SPAN_INIT("5.1.7"), SPAN_INIT("Invalid address")},
                            SMTP_EVENT_LIMIT,
                            SPAN_INIT("LongAddressesEnabled"),
                            SPAN_INIT("long address")},
};

static bool is_limit(uint64_t n)
{
    return n && n != UINT64_MAX;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t own_message_size(const struct smtp_server *s)
{
    return is_limit(s->profile->max_message_size) ? s->profile->max_message_size : UINT64_MAX;
}

static uint64_t organisation_message_size(const struct smtp_server *s)
{
    return is_limit(s->tx.max_receive_size) ? s->tx.max_receive_size : UINT64_MAX;
}

uint64_t limit_message_size(const struct smtp_server *s)
{
    return s->tx.no_size_limit ? UINT64_MAX : smaller(own_message_size(s), organisation_message_size(s));
}

static uint32_t or_unlimited(uint32_t n)
{
    return n ? n : SMTP_UNLIMITED;
}

uint32_t limit_recipients(const struct smtp_server *s)
{
    return (uint32_t)smaller(or_unlimited(s->profile->max_recipients),
                             or_unlimited(s->profile->organisation_max_recipients));
}

/* The organisation's limit is named only where it is smaller than the connector's own. */
static struct smtp_limit limit_of(const struct smtp_server *s, enum limit limit)
{
    const struct smtp_server_profile *p = s->profile;
    struct smtp_limit l = {.name = limits[limit].name, .connector = p->connector};
    switch (limit) {
    case LIMIT_MESSAGE_SIZE:
        if (organisation_message_size(s) < own_message_size(s))
            l = (struct smtp_limit){.name = SPAN("MaxReceiveSize")};
        l.value = value_size((int64_t)smaller(own_message_size(s), organisation_message_size(s)));
        break;
    case LIMIT_RECIPIENTS:
        if (or_unlimited(p->organisation_max_recipients) < or_unlimited(p->max_recipients))
            l = (struct smtp_limit){.name = SPAN("MaxRecipientEnvelopeLimit")};
        l.value = value_int(limit_recipients(s));
        break;
    case LIMIT_ERRORS: l.value = value_int(p->max_protocol_errors); break;
    case LIMIT_LOGON_FAILURES: l.value = value_int(p->max_logon_failures); break;
    case LIMIT_CONNECTION_TIME: l.value = value_timespan(p->connection_timeout_ms); break;
    case LIMIT_INACTIVITY: l.value = value_timespan(p->inactivity_timeout_ms); break;
    case LIMIT_LONG_ADDRESS: l.value = value_bool(p->long_addresses); break;
    case LIMITS: break;
    }
    return l;
}

static void tell(struct smtp_server *s, enum limit limit, const struct smtp_limit *l)
{
    enum { DETAIL_MAX = 512 };
    struct buf detail;
    buf_init(&detail, DETAIL_MAX);
    smtp_limit_print(&detail, l);
    session_event(s, limits[limit].event, detail.failed ? limits[limit].detail : buf_span(&detail));
    buf_done(&detail);
}

struct smtp_reply limit_exceeded(struct smtp_server *s, enum limit limit, struct arena *arena)
{
    struct smtp_reply r = limits[limit].reply;
    if (s->profile->connector.len == 0) {
        session_event(s, limits[limit].event, limits[limit].detail);
        return r;
    }
    struct smtp_limit l = limit_of(s, limit);
    tell(s, limit, &l);
    r.text = smtp_limit_text(arena, r.text, &l);
    return r;
}
