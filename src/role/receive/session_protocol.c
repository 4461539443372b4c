/*
 * session_protocol.c: what of a session goes to the protocol log, on a connector whose ProtocolLoggingLevel is
 * Verbose. The rows and their order are Exchange's: connect, permissions, the dialogue, disconnect.
 */
#include "role/receive/session_internal.h"

#include "base/num.h"
#include "runtime/clock.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 1024 };

static struct protocol_log *begin(const struct session *s)
{
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX];
    struct buf connector;
    buf_init(&connector, TEXT_MAX);
    buf_addf(&connector, "%s\\%.*s", s->role->host, SPAN_ARG(policy_text(s->policy, s->connector->name)));
    struct protocol_log *l = protocol_log_new(EVENT_PROTOCOL_RECEIVE, buf_span(&connector), s->id,
                                              span_of(ip_print_endpoint(s->local, local)),
                                              span_of(ip_print_endpoint(s->remote, remote)));
    buf_done(&connector);
    return l;
}

void session_protocol_begin(struct session *s)
{
    if (!(s->connector->flags & CONNECTOR_VERBOSE_LOG))
        return;
    s->protocol = begin(s);
    protocol_log_row(s->protocol, PROTOCOL_ROW_CONNECT, SPAN(""), SPAN(""));
    if (s->proxy_peer.port) {
        char proxy[IP_ENDPOINT_TEXT_MAX];
        protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, span_of(ip_print_endpoint(s->proxy_peer, proxy)),
                         SPAN("Received PROXY header"));
    }
    session_protocol_permissions(s);
}

void session_protocol_turned_away(struct session *s, struct span reply)
{
    if (!(s->connector->flags & CONNECTOR_VERBOSE_LOG))
        return;
    s->protocol = begin(s);
    protocol_log_row(s->protocol, PROTOCOL_ROW_CONNECT, SPAN(""), SPAN(""));
    if (reply.len)
        protocol_log_lines(s->protocol, PROTOCOL_ROW_SENT, reply);
}

void session_protocol_permissions(struct session *s)
{
    struct buf b;
    if (!s->protocol)
        return;
    buf_init(&b, TEXT_MAX);
    rights_print(&b, gate_session_rights(session_gate(s)));
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, b.len ? buf_span(&b) : SPAN("None"),
                     SPAN("Set Session Permissions"));
    buf_done(&b);
}

void session_protocol_logged_on(struct session *s)
{
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, s->user, SPAN("authenticated"));
    session_protocol_permissions(s);
}

static void log_certificate(struct session *s, struct span what, struct span thumbprint)
{
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, SPAN(""), what);
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, thumbprint, SPAN("Certificate thumbprint"));
}

void session_protocol_secured(struct session *s)
{
    struct buf b;
    if (!s->protocol)
        return;
    struct tls_info info = connection_tls(s->connection);
    buf_init(&b, TEXT_MAX);
    if (tls_sent_fingerprint(connection_peer(s->connection), &b))
        log_certificate(s, SPAN("Sending certificate"), buf_span(&b));
    buf_clear(&b);
    if (connection_fingerprint(s->connection, &b))
        log_certificate(s, SPAN("Received certificate"), buf_span(&b));
    buf_clear(&b);
    buf_addf(&b, "TLS protocol %s negotiation succeeded using bulk encryption algorithm %s", info.version,
             info.cipher);
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, SPAN(""), buf_span(&b));
    buf_done(&b);
}

/* "Tarpit for '0.00:00:05'" */
static void log_tarpit(struct session *s, struct span detail)
{
    struct buf b;
    uint64_t ms, seconds;
    if (!num_parse_u64(detail, UINT64_MAX, &ms))
        return;
    seconds = ms / 1000;
    buf_init(&b, TEXT_MAX);
    buf_addf(&b, "Tarpit for '%" PRIu64 ".%02u:%02u:%02u", seconds / 86400, (unsigned)(seconds / 3600 % 24),
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    if (ms % 1000)
        buf_addf(&b, ".%03u", (unsigned)(ms % 1000));
    buf_add_char(&b, '\'');
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, buf_span(&b), SPAN(""));
    buf_done(&b);
}

void session_protocol_event(struct session *s, enum smtp_event event, struct span detail)
{
    if (!s->protocol)
        return;
    if (event == SMTP_EVENT_TARPIT)
        log_tarpit(s, detail);
    else if (event == SMTP_EVENT_AUTH_FAILED)
        protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, detail, SPAN("Inbound authentication failed"));
    else if (event == SMTP_EVENT_DISCARDED)
        protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, detail, SPAN("Discarded behind STARTTLS"));
}

void session_protocol_message(struct session *s)
{
    struct buf b;
    struct tm tm = {0};
    char date[32];
    int64_t now = clock_wall_ms();
    time_t t = (time_t)(now / 1000);
    if (!s->protocol)
        return;
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_init(&b, TEXT_MAX);
    buf_addf(&b, "%016" PRIX64 ";%s.%03dZ;%u", s->id, date, (int)(now % 1000), ++s->messages);
    protocol_log_row(s->protocol, PROTOCOL_ROW_INFORMATION, buf_span(&b), SPAN("receiving message"));
    buf_done(&b);
}

void session_protocol_end(struct session *s, const char *reason)
{
    const char *who = s->ending && !s->input_ended ? "Local" : "Remote";
    if (reason && strstr(reason, "reset"))
        who = "Remote(ConnectionReset)";
    else if (reason)
        who = "Local";
    protocol_log_row(s->protocol, PROTOCOL_ROW_DISCONNECT, SPAN(""), span_of(who));
    protocol_log_free(s->protocol);
    s->protocol = NULL;
}
