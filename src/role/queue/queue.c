/*
 * queue.c: the queue role: the only writer of the queue. It takes messages over, decides where each recipient goes,
 * and sees to it that each one is delivered or reported. transport.h says how.
 *
 * It tells the supervisor how many recipients wait (shortage.c), and learns from it what is short.
 *
 * It takes: QUEUE_STORE, QUEUE_ENVELOPE_PART, QUEUE_SPOOL, QUEUE_SPOOL_DROP from receive and pickup;
 * POLICY_SNAPSHOT, QUEUE_LIST, QUEUE_CHANGE, QUEUE_EXPORT from manage; answers from directory and deliver.
 */
#include "role/common/event_sender.h"
#include "role/common/pressure_page.h"
#include "role/common/roles.h"
#include "role/queue/changes.h"
#include "role/queue/measure.h"
#include "role/queue/poison.h"
#include "runtime/log.h"
#include "store/queue_sqlite.h"

#include <stdlib.h>

enum { DRAIN_MS = 15000 };

static struct transport transport;
static uv_timer_t upkeep;
static bool ready;

static void on_policy(struct role *role, struct frame *f)
{
    struct err err = {0};
    if (policy_ref_publish(f, &err)) {
        struct log_line l = log_begin(LOG_ERROR, "policy-refused");
        log_err(&l, &err);
        log_end(&l);
        return;
    }
    bool judging = !ready && poison_begin(&transport);
    if (!ready)
        role_ready(role);
    ready = true;
    unreachable_resume(&transport);
    destinations_wake(&transport);
    if (!judging)
        claims_wake(&transport);
}

static void on_manage(struct role *role, struct link *link, struct frame *f)
{
    switch (f->type) {
    case POLICY_SNAPSHOT: on_policy(role, f); break;
    case QUEUE_LIST: view_on_frame(&transport, link, f); break;
    case QUEUE_CHANGE: actions_on_frame(&transport, link, f); break;
    case QUEUE_EXPORT: export_on_frame(&transport, link, f); break;
    default: role_bad_frame(ROLE_MANAGE, f, "not expected by queue");
    }
}

static void on_frame(struct role *role, enum role_kind peer, uint32_t index, struct link *link, struct frame *f)
{
    if (peer == ROLE_RECEIVE)
        submissions_on_frame(&transport, index, link, f);
    else if (peer == ROLE_PICKUP)
        submissions_on_frame(&transport, SUBMISSIONS_OF_PICKUP, link, f);
    else if (peer == ROLE_MANAGE)
        on_manage(role, link, f);
    else
        role_bad_frame(peer, f, "not expected by queue");
}

static void on_link(struct role *role, enum role_kind peer, uint32_t index, struct link *link)
{
    (void)role;
    if (peer == ROLE_RECEIVE)
        submissions_peer_lost(&transport, index); /* also when it was made anew: that is another process */
    else if (peer == ROLE_PICKUP)
        submissions_peer_lost(&transport, SUBMISSIONS_OF_PICKUP);
    else if (peer == ROLE_DELIVER && link) {
        poison_on_deliver(&transport);
        destinations_pump(&transport);
    }
}

static void on_control(struct role *role, struct frame *f)
{
    (void)role;
    if (f->type == CONTROL_FAULT)
        poison_on_fault(&transport, f);
    else if (f->type == CONTROL_RESOURCES)
        pressure_page_take(f);
    else if (f->type != CONTROL_RELOAD)
        role_bad_frame(ROLE_KINDS, f, "not expected by queue");
}

static void on_upkeep(uv_timer_t *timer)
{
    (void)timer;
    mails_renew_leases(&transport);
    destinations_sweep(&transport);
}

static enum err_code is_named(void *context, struct span name, bool *ret, struct err *err)
{
    return queue_names_spool(context, name, ret, err);
}

static enum err_code open_store(struct role *role, struct err *err)
{
    char queue_db[1200], spool[1200];
    size_t removed = 0;
    enum err_code code;
    if (!role_state_path(role, "queue.db", queue_db, sizeof queue_db) ||
        !role_state_path(role, "spool", spool, sizeof spool))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    if ((code = queue_sqlite_open(queue_db, &transport.store, err)) ||
        (code = spool_open(spool, &transport.spool, err)) ||
        (code = spool_sweep(&transport.spool, is_named, transport.store, &removed, err)))
        return code;
    if (removed)
        log_text(LOG_NOTICE, "spool-swept", "%zu bodies of messages that were never accepted", removed);
    return ERR_NONE;
}

static enum err_code start(struct role *role, struct err *err)
{
    transport.role = role;
    event_sender_init(role);
    enum err_code code = open_store(role, err);
    if (code)
        return code;
    transport.changes = changes_new(&transport, err);
    if (!transport.changes)
        return err->code;
    transport.submissions = submissions_new(&transport);
    transport.destinations = destinations_new(&transport);
    transport.claims = claims_new(&transport);
    transport.shortage = shortage_new(&transport, err);
    if (!transport.shortage)
        return err->code;
    if (!transport.submissions || !transport.destinations || !transport.claims)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if ((code = held_read(&transport, err)) || (code = poison_open(&transport, err)))
        return code;
    measure_start(&transport);
    uv_timer_init(&role->loop, &upkeep);
    uv_timer_start(&upkeep, on_upkeep, TRANSPORT_RENEW_MS, TRANSPORT_RENEW_MS);
    return ERR_NONE; /* it serves when the first policy has come */
}

/*
 * The store stays open: a listing may be reading it on its thread, and frames of this turn of the loop come yet.
 * Nothing is lost by that.
 */
static void end(uv_timer_t *timer)
{
    (void)timer;
    changes_stop(&transport);
    event_sender_flush();
    role_exit(transport.role, EXIT_SUCCESS);
}

void transport_settled(struct transport *t)
{
    if (t->draining && destinations_active(t) == 0 && changes_pending(t) == 0)
        end(NULL);
}

/*
 * What the deliver process has under way is waited for, so that it is not delivered a second time after the next
 * start; it ends its attempts at the same moment. All else is in the store.
 */
static void on_drain(struct role *role)
{
    (void)role;
    transport.draining = true;
    uv_timer_stop(&upkeep);
    uv_timer_start(&upkeep, end, DRAIN_MS, 0);
    transport_settled(&transport);
}

static const char *const state_paths[] = {"", NULL};

const struct role_main queue_role = {.kind = ROLE_QUEUE,
                                     .start = start,
                                     .on_frame = on_frame,
                                     .on_link = on_link,
                                     .on_control = on_control,
                                     .on_drain = on_drain,
                                     .state_paths = state_paths};
