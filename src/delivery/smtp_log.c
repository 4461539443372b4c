/*
 * smtp_log.c: what of a connection goes to the protocol log of its send connector. Its rows are those of the
 * receive side: connecting, connected, TLS, the dialogue with each message's number, disconnected.
 */
#include "delivery/smtp_internal.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { TEXT_MAX = 1024 };

static void row(struct smtp_connection *c, char event, struct span data, struct span context)
{
    const struct delivery_options *o = &c->engine->options;
    struct smtp_log *l = &c->log;
    if (!l->name.len)
        return;
    o->log(o->log_context, &(struct delivery_log_row){.connector = l->name,
                                                      .session = l->session,
                                                      .sequence = l->rows++,
                                                      .local = span_of(l->local),
                                                      .remote = l->remote,
                                                      .event = event,
                                                      .data = data,
                                                      .context = context});
}

bool smtp_log_open(struct smtp_connection *c, struct span name)
{
    char remote[IP_ENDPOINT_TEXT_MAX];
    struct smtp_log *l = &c->log;
    if (!name.len || !c->engine->options.log)
        return true;
    if (getrandom(&l->session, sizeof l->session, 0) != (ssize_t)sizeof l->session)
        l->session = c->engine->connects; /* it need not be a secret, only another one */
    l->name = arena_dup(&c->arena, name);
    l->remote = arena_dup(&c->arena, c->local ? c->host : span_of(ip_print_endpoint(c->endpoint, remote)));
    if (!l->name.ptr || !l->remote.ptr)
        return false;
    row(c, '*', SPAN(""), SPAN("attempting to connect"));
    return true;
}

static void find_local(struct smtp_connection *c)
{
    struct sockaddr_storage at = {0};
    struct ip_endpoint e = {0};
    int len = sizeof at;
    if (c->local || uv_tcp_getsockname(&c->socket.tcp, (struct sockaddr *)&at, &len))
        return;
    if (at.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&at;
        const uint8_t *a = (const uint8_t *)&in->sin_addr;
        e = (struct ip_endpoint){ip_v4(a[0], a[1], a[2], a[3]), ntohs(in->sin_port)};
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&at;
        memcpy(e.addr.bytes, &in6->sin6_addr, sizeof e.addr.bytes);
        e.port = ntohs(in6->sin6_port);
    }
    ip_print_endpoint(e, c->log.local);
}

void smtp_log_connected(struct smtp_connection *c)
{
    if (!c->log.name.len)
        return;
    find_local(c);
    c->log.connected = true;
    row(c, '+', SPAN(""), SPAN(""));
}

void smtp_log_line(struct smtp_connection *c, bool sent, struct span shown)
{
    if (sent && span_starts(shown, SPAN("MAIL FROM:"))) {
        char id[24];
        snprintf(id, sizeof id, "%" PRIu64, c->load.id);
        row(c, '*', span_of(id), SPAN("sending message"));
    }
    row(c, sent ? '>' : '<', shown, SPAN(""));
}

void smtp_log_secured(struct smtp_connection *c)
{
    struct buf b;
    if (!c->log.name.len)
        return;
    buf_init(&b, TEXT_MAX);
    if (tls_peer_fingerprint(c->tls, &b)) {
        row(c, '*', SPAN(""), SPAN("Received certificate"));
        row(c, '*', buf_span(&b), SPAN("Certificate thumbprint"));
        buf_clear(&b);
        if (c->tls_outcome.verified)
            buf_addf(&b, "Certificate verified by %s", tls_verified_name(c->tls_outcome.verified));
        else
            buf_add(&b, SPAN("Certificate not verified"));
        row(c, '*', c->tls_outcome.peer, buf_span(&b));
    }
    buf_clear(&b);
    buf_addf(&b, "TLS protocol %.*s negotiation succeeded using bulk encryption algorithm %.*s",
             SPAN_ARG(c->tls_outcome.version), SPAN_ARG(c->tls_outcome.cipher));
    row(c, '*', SPAN(""), buf_span(&b));
    buf_done(&b);
}

void smtp_log_trouble(struct smtp_connection *c, struct span text)
{
    row(c, '*', SPAN(""), text);
}

void smtp_log_closed(struct smtp_connection *c)
{
    if (c->log.connected)
        row(c, '-', SPAN(""), c->log.end ? span_of(c->log.end) : SPAN("Local"));
    c->log.connected = false;
}
