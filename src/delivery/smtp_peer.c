/*
 * smtp_peer.c: Exchange Server authentication towards a next hop: this server presents its certificate, and the
 * next hop is known by its own, which is pinned. Without that nothing is sent: internal mail must not go to whoever
 * answers at the address.
 */
#include "delivery/smtp_internal.h"

struct tls_conn *smtp_peer_connect(struct smtp_connection *c, struct span name)
{
    const struct delivery_options *o = &c->engine->options;
    struct tls_context *own = c->exchange_server && o->identified
                                  ? o->identified(o->identified_context, c->client_options.helo_name)
                                  : NULL;
    struct tls_conn *tls = tls_connect_new(own ? own : o->tls, name);
    tls_context_free(own);
    return tls;
}

bool smtp_peer_is_pinned(const struct smtp_connection *c)
{
    bool found = false;
    struct buf print;
    buf_init(&print, 128);
    if (tls_peer_fingerprint(c->tls, &print))
        for (size_t i = 0; i < c->load.pin_count && !found; i++)
            found = span_ieq(c->load.pins[i], buf_span(&print));
    buf_done(&print);
    return found;
}
