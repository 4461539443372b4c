/*
 * receive.c: the receive role: SMTP sessions from the network. It has no file of its own and asks other roles for
 * whatever needs a secret, a disk or the network: directory (passwords, recipients), queue (storing).
 *
 * It takes: CONTROL_LISTEN, CONTROL_UNLISTEN, CONTROL_IDENTITY, CONTROL_TRUST, CONTROL_TICKET_KEYS,
 * CONTROL_COUNTERS, CONTROL_RESOURCES, CONTROL_GSSAPI from the supervisor; POLICY_SNAPSHOT from manage; answers
 * from directory and queue.
 */
#include "role/receive/receive.h"

#include "role/common/event_sender.h"
#include "role/common/identity_set.h"
#include "role/common/metrics.h"
#include "role/common/policy_ref.h"
#include "role/common/pressure_page.h"
#include "role/common/roles.h"
#include "role/receive/admission.h"
#include "role/receive/certificates.h"
#include "role/receive/fact_table.h"
#include "role/receive/grants.h"
#include "role/receive/kerberos.h"
#include "role/receive/listener.h"
#include "role/receive/session.h"
#include "runtime/log.h"

#include <stdlib.h>

static struct {
    size_t sessions;
    bool ready, draining;
} receive;

static void finish(struct role *role)
{
    fact_table_flush();
    grants_flush();
    event_sender_flush();
    role_exit(role, EXIT_SUCCESS);
}

void receive_session_opened(void)
{
    receive.sessions++;
    metric_set(METRIC_SESSIONS_OPEN, receive.sessions);
}

void receive_session_closed(struct role *role)
{
    receive.sessions--;
    metric_set(METRIC_SESSIONS_OPEN, receive.sessions);
    if (receive.draining && receive.sessions == 0)
        finish(role);
}

static void on_policy(struct role *role, struct frame *f)
{
    struct err err = {0};
    if (policy_ref_publish(f, &err)) {
        struct log_line l = log_begin(LOG_ERROR, "policy-refused");
        log_err(&l, &err);
        log_end(&l);
        return;
    }
    if (!receive.ready) {
        receive.ready = true;
        listeners_open();
        role_ready(role);
    }
}

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    (void)index;
    (void)link;
    if (peer == ROLE_MANAGE && f->type == POLICY_SNAPSHOT)
        on_policy(role, f);
    else
        role_bad_frame(peer, f, "not expected by receive");
}

static void on_control(struct role *role, struct frame *f)
{
    switch (f->type) {
    case CONTROL_LISTEN: listener_add(role, f); break;
    case CONTROL_UNLISTEN: listener_remove(f); break;
    case CONTROL_IDENTITY:
        if (identity_set_receive(f))
            certificates_changed();
        break;
    case CONTROL_TICKET_KEYS:
        identity_set_tickets(f);
        certificates_changed();
        break;
    case CONTROL_COUNTERS: admission_take_counters(role, f); break;
    case CONTROL_RESOURCES: pressure_page_take(f); break;
    case CONTROL_TRUST: certificates_take_trust(f); break;
    case CONTROL_GSSAPI: kerberos_take(f); break;
    case CONTROL_RELOAD: break; /* the certificates came before it */
    default: role_bad_frame(ROLE_KINDS, f, "not expected by receive"); break;
    }
}

static void on_drain(struct role *role)
{
    receive.draining = true;
    listeners_close_all();
    sessions_drain();
    if (receive.sessions == 0)
        finish(role);
}

static enum err_code start(struct role *role, struct err *err)
{
    (void)err;
    event_sender_init(role);
    fact_table_init(role);
    grants_init(role);
    return ERR_NONE; /* it serves when the first policy has come */
}

const struct role_main receive_role = {
    .kind = ROLE_RECEIVE,
    .start = start,
    .on_frame = on_frame,
    .on_control = on_control,
    .on_drain = on_drain,
};
