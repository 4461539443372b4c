/*
 * session_begin.c: from the addresses of a connection to its greeting: which connector serves it, whether its
 * limits admit it, what is offered.
 */
#include "role/receive/session_internal.h"

#include "policy/select.h"
#include "role/common/metrics.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>

/* True when the connection has a connector that serves it. */
static bool choose_connector(struct session *s)
{
    if (!s->policy_ref)
        s->policy_ref = policy_ref_current();
    s->policy = policy_ref_policy(s->policy_ref);
    s->connector =
        s->is_local ? policy_local_connector(s->policy) : policy_select(s->policy, s->local, s->remote.addr);
    ip_print(s->remote.addr, s->remote_text);
    if (!s->connector) {
        log_text(LOG_NOTICE, "no-connector", "no receive connector serves %s on port %u", s->remote_text,
                 s->local.port);
        return false;
    }
    return true;
}

/* Counts the connection and makes ready what the connector offers; true when it can be offered. */
static bool prepare(struct session *s)
{
    if (!session_admit(s))
        return false;
    session_profile(s, clock_wall_ms());
    if (!gate_can_greet(s->connector, s->tls)) {
        log_text(LOG_ERROR, "no-certificate", "implicit TLS without a certificate: the connection of %s is closed",
                 s->remote_text);
        return false;
    }
    return true;
}

static void log_start(const struct session *s)
{
    char local[IP_ENDPOINT_TEXT_MAX], remote[IP_ENDPOINT_TEXT_MAX];
    struct log_line l = log_begin(LOG_INFO, "session-start");
    log_id(&l, "session", s->id);
    log_str(&l, "remote", ip_print_endpoint(s->remote, remote));
    log_str(&l, "local", ip_print_endpoint(s->local, local));
    if (s->proxy_peer.port)
        log_str(&l, "proxy", ip_print_endpoint(s->proxy_peer, remote));
    if (s->published.port)
        log_str(&l, "published", ip_print_endpoint(s->published, remote));
    log_span(&l, "connector", policy_text(s->policy, s->connector->name));
    log_int(&l, "policy", (int64_t)policy_ref_version(s->policy_ref));
    log_end(&l);
}

static void begin(struct session *s)
{
    s->began_ms = clock_mono_ms();
    s->marks = malloc(s->connector->acl.count ? s->connector->acl.count : 1);
    s->smtp = s->marks ? smtp_server_new(&s->profile, &session_output, s, clock_mono_ms()) : NULL;
    if (!s->smtp) {
        session_end(s);
        return;
    }
    session_gate_begin(s);
    log_start(s);
    metric_add(METRIC_SESSIONS, 1);
    session_protocol_begin(s);
    session_facts_begin(s);
    connection_begin(s->connection, s->profile.tls_active ? s->tls : NULL);
    if (!s->profile.tls_active)
        smtp_server_start(s->smtp, clock_mono_ms(), clock_wall_ms());
    session_set_timer(s);
}

void session_open(struct session *s)
{
    if (session_local_begin(s))
        return;
    if (!choose_connector(s))
        session_end(s);
    else if (session_proxy_begin(s))
        return;
    else if (!prepare(s))
        session_end(s);
    else
        begin(s);
}
