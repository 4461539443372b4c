/*
 * proxy.c: the PROXY header in front of a session.
 *
 * A connection whose own addresses select a connector with ProxyProtocol, from a peer of its ProxyProtocolSources,
 * must begin with a header. Until it is complete nothing is said and no SMTP machine exists. Then the connector is
 * selected anew, for the client's address and the local endpoint as it is; what that gives never reads a header.
 * Whatever is wrong ends the connection: it is never served as if it were the proxy's own.
 *
 * Invariants: s->proxy lives from the first selection to the second; meanwhile the session's timer is ours, until
 * session_end takes it. The second selection runs from the timer, when the connection keeps what stands behind the
 * header: that may be a TLS handshake.
 */
#include "smtp/proxy.h"
#include "policy/select.h"
#include "role/receive/session_internal.h"
#include "runtime/log.h"

#include <stdlib.h>

/* Proxies send it at once; this leaves room for a segment that is lost twice. */
enum { HEADER_WAIT_MS = 10000 };

struct session_proxy {
    struct proxy_reader reader;
    struct proxy_header header;
    unsigned versions; /* CONNECTOR_PROXY_V1, _V2: those that are taken */
    bool complete;
};

void session_proxy_free(struct session *s)
{
    if (s->proxy)
        proxy_reader_done(&s->proxy->reader);
    free(s->proxy);
    s->proxy = NULL;
}

/* The line that says that a header was not taken, and why. */
static void log_refusal(const struct session *s, enum log_level level, const char *event, const char *reason)
{
    static int64_t refused; /* by this process */
    char local[IP_ENDPOINT_TEXT_MAX], peer[IP_ENDPOINT_TEXT_MAX];
    struct log_line l = log_begin(level, event);
    log_id(&l, "session", s->id);
    log_str(&l, "remote", ip_print_endpoint(s->remote, peer));
    log_str(&l, "local", ip_print_endpoint(s->local, local));
    log_span(&l, "connector", policy_text(s->policy, s->connector->name));
    log_str(&l, "reason", reason);
    log_int(&l, "refused", ++refused);
    log_end(&l);
}

static void refuse(struct session *s, enum log_level level, const char *reason)
{
    log_refusal(s, level, "proxy-header-refused", reason);
    session_end(s);
}

/* The client takes the place of the proxy. */
static void take_addresses(struct session *s)
{
    const struct proxy_header *h = &s->proxy->header;
    s->proxy_peer = s->remote;
    if (!h->local) {
        s->remote = h->source;
        s->published = h->destination;
    }
}

static void on_timer(uv_timer_t *t)
{
    struct session *s = t->data;
    if (!s->proxy->complete) {
        refuse(s, LOG_NOTICE, "it was not complete within 10 s");
        return;
    }
    if (s->input_ended) {
        refuse(s, LOG_INFO, "nothing but the header came");
        return;
    }
    session_ref(s);
    take_addresses(s);
    session_proxy_free(s);
    session_open(s);
    if (s->smtp && !s->ending)
        session_settle(s);
    session_unref(s);
}

bool session_proxy_begin(struct session *s)
{
    unsigned versions = s->proxy_peer.port ? 0 : policy_proxy_versions(s->policy, s->connector, s->remote.addr);
    if (!versions)
        return false;
    s->proxy = calloc(1, sizeof *s->proxy);
    if (!s->proxy) {
        refuse(s, LOG_ERROR, "out of memory");
        return true;
    }
    s->proxy->versions = versions;
    proxy_reader_init(&s->proxy->reader);
    uv_timer_start(&s->timer, on_timer, HEADER_WAIT_MS, 0);
    connection_begin(s->connection, NULL);
    return true;
}

size_t session_proxy_input(struct session *s, struct span bytes)
{
    struct session_proxy *p = s->proxy;
    struct span rest = bytes;
    if (p->complete || s->ending)
        return 0;
    enum proxy_status status = proxy_take(&p->reader, &rest, &p->header);
    if (status == PROXY_MORE)
        return bytes.len;
    if (status != PROXY_DONE) {
        refuse(s, LOG_NOTICE, proxy_status_text(status));
    } else if (!(p->versions & (p->header.version == 1 ? CONNECTOR_PROXY_V1 : CONNECTOR_PROXY_V2))) {
        refuse(s, LOG_NOTICE, "ProxyProtocol of the connector does not list its version");
    } else {
        p->complete = true;
        uv_timer_start(&s->timer, on_timer, 0, 0);
    }
    return bytes.len - rest.len;
}

void session_proxy_input_ended(struct session *s)
{
    /* A connection without an octet is how some load balancers look whether a server is there. */
    if (!s->proxy->complete)
        refuse(s, s->proxy->reader.held.len ? LOG_NOTICE : LOG_INFO,
               "the connection ended before the header was complete");
}

bool session_proxy_uninvited(struct session *s, struct span first)
{
    const struct span refusal = SPAN("554 5.7.1 No PROXY header is taken from this address\r\n");
    if (s->heard)
        return false;
    s->heard = true;
    if (!proxy_looks_like(first))
        return false;
    log_refusal(s, LOG_WARNING, "proxy-header-uninvited",
                s->proxy_peer.port
                    ? "a second header; a session has one"
                    : "the connector takes none from this address; if it is a load balancer's, add it to "
                      "ProxyProtocolSources of the connector that serves it and set ProxyProtocol");
    protocol_log_row(s->protocol, PROTOCOL_ROW_RECEIVED, SPAN("PROXY ..."), SPAN(""));
    protocol_log_lines(s->protocol, PROTOCOL_ROW_SENT, refusal);
    connection_write(s->connection, refusal);
    session_end(s);
    return true;
}
