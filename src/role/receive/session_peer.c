/*
 * session_peer.c: who a client is by its certificate, where the connector asks for one. What is wrong with a
 * certificate is logged; the session goes on as whoever it is without.
 */
#include "role/receive/session_internal.h"

#include "runtime/log.h"

static bool names_domain(void *context, struct span domain)
{
    const struct session *s = context;
    return tls_peer_names_domain(connection_peer(s->connection), domain);
}

static void log_peer(const struct session *s, const char *problem, struct span fingerprint)
{
    static const struct {
        enum principal kind;
        const char *name;
    } kinds[] = {
        {PRINCIPAL_HUB_SERVERS, "hub"}, {PRINCIPAL_EDGE_SERVERS, "edge"}, {PRINCIPAL_PARTNER_SERVERS, "partner"}};
    const char *proved = "nothing";
    struct buf names;
    buf_init(&names, 1024);
    tls_peer_describe(connection_peer(s->connection), &names);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (s->gate.servers & PRINCIPAL_BIT(kinds[i].kind))
            proved = kinds[i].name;
    struct log_line l = log_begin(LOG_INFO, "client-certificate");
    log_id(&l, "session", s->id);
    log_str(&l, "remote", s->remote_text);
    log_span(&l, "names", buf_span(&names));
    log_span(&l, "sha256", fingerprint);
    log_str(&l, "problem", problem ? problem : "none");
    log_str(&l, "proves", proved);
    if (gate_partner(&s->gate).len)
        log_span(&l, "domain", gate_partner(&s->gate));
    log_end(&l);
    buf_done(&names);
}

void session_peer_secured(struct session *s)
{
    const struct tls_conn *peer = connection_peer(s->connection);
    const char *problem = tls_peer_problem(peer);
    struct buf print;
    buf_init(&print, 128);
    bool certificate = tls_peer_fingerprint(peer, &print);
    struct gate_tls tls = {.certificate = certificate,
                           .trusted = certificate && !problem,
                           .fingerprint = buf_span(&print),
                           .names_domain = names_domain,
                           .context = s};
    gate_secured(&s->gate, &tls, &s->arena);
    if (gate_asks_certificate(s->policy, s->connector))
        log_peer(s, problem, buf_span(&print));
    buf_done(&print);
}
