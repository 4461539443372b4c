/*
 * outcome.c: what became of each recipient, made durable together with the report that the sender is owed: one
 * change for all verdicts of a mail, so a crash can neither lose a report nor send it twice.
 */
#include "role/queue/changes.h"
#include "role/queue/measure.h"
#include "role/queue/notify.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>

/* What is carried from the verdicts to the answer of the store. */
struct outcome {
    struct mail *mail;
    struct reports reports;
    size_t count;
    struct recipient **recipients; /* in the change's arena */
    int64_t retry_ms;              /* the earliest; INT64_MAX: none */
    struct track_list track;
};

static const char *const events[] = {[VERDICT_DELIVERED] = "delivered",
                                     [VERDICT_TEMPORARY] = "deferred",
                                     [VERDICT_PERMANENT] = "failed",
                                     [VERDICT_POSTPONED] = "postponed",
                                     [VERDICT_REMOVED] = "removed"};

static bool is_pending(const struct verdict *v)
{
    return v->kind == VERDICT_TEMPORARY || v->kind == VERDICT_POSTPONED;
}

static uint16_t reply_code(const struct verdict *v)
{
    if (v->code)
        return v->code;
    return v->kind == VERDICT_DELIVERED ? 250 : is_pending(v) ? 450 : 550;
}

struct span verdict_error(struct arena *arena, const struct verdict *v)
{
    struct span s = v->status.len
                        ? arena_printf(arena, "%u %.*s %.*s", reply_code(v), SPAN_ARG(v->status), SPAN_ARG(v->text))
                        : arena_dup(arena, v->text);
    ASSERT(s.ptr);
    return s;
}

static void log_verdict(const struct recipient *r, const struct verdict *v, struct span error, int64_t next_ms)
{
    struct log_line l = mail_log(r->mail, events[v->kind]);
    log_span(&l, "recipient", r->record->address);
    if (!span_ieq(r->record->address, r->address))
        log_span(&l, "redirected-to", r->address);
    if (r->destination)
        log_span(&l, "queue", destination_name(r->destination));
    if (v->remote.len)
        log_span(&l, "remote-host", v->remote);
    log_span(&l, "reply", error);
    if (next_ms)
        log_int(&l, "retry-in-ms", next_ms - clock_wall_ms());
    log_end(&l);
}

/* A mailbox that another recipient of the message goes to is the only success without an attempt. */
static enum tracking_event event_of(const struct verdict *v)
{
    switch (v->kind) {
    case VERDICT_DELIVERED:
        return v->relayed || v->by_next_hop ? TRACKING_SEND
               : v->recipient->destination  ? TRACKING_DELIVER
                                            : TRACKING_DUPLICATEDELIVER;
    case VERDICT_PERMANENT:
    case VERDICT_REMOVED: return TRACKING_FAIL;
    case VERDICT_TEMPORARY:
    case VERDICT_POSTPONED: break;
    }
    return TRACKING_DEFER;
}

static void track_verdict(struct change *c, const struct verdict *v, struct span error)
{
    struct outcome *o = c->context;
    const struct recipient *r = v->recipient;
    const struct destination *d = r->destination;
    bool redirected = !span_ieq(r->record->address, r->address);
    if (v->kind == VERDICT_POSTPONED && r->mail->withdrawal != WITHDRAWN_NOT)
        return; /* an administrator took it out of our hands: nothing befell it */
    track_add(&o->track, &c->arena,
              &(struct track_entry){.event = event_of(v),
                                    .source = v->source,
                                    .recipient = r->mailbox ? r->mailbox->address : r->address,
                                    .related = redirected ? r->record->address : SPAN(""),
                                    .status = error,
                                    .host = v->remote,
                                    .ip = v->remote_ip,
                                    .connector = d ? destination_connector(d) : SPAN(""),
                                    .context = d ? destination_name(d) : SPAN(""),
                                    .custom = v->security});
}

/* ---- what is written ---- */

/* What was not delivered of a message that is removed or has expired will not be tried again. */
static struct verdict give_up(const struct verdict *v, const struct transport_settings *s, struct arena *arena,
                              int64_t now)
{
    struct verdict r = *v;
    const struct mail *m = v->recipient->mail;
    if (!is_pending(v))
        return r;
    if (m->withdrawal >= WITHDRAWN_REMOVED) {
        r.kind = VERDICT_REMOVED;
        r.source = TRACKING_OF_ADMIN;
        r.text = SPAN("QUEUE.Deleted; message deleted by administrative action");
        r.status = SPAN("4.3.2");
        r.code = 550;
    } else if (schedule_expired(s, m->envelope.received_ms, now)) {
        r.kind = VERDICT_PERMANENT;
        r.source = TRACKING_OF_QUEUE;
        r.text = arena_printf(arena, "QUEUE.Expired; message expired; " DSN_LAST_ERROR "%.*s",
                              SPAN_ARG(verdict_error(arena, v)));
        r.status = SPAN("4.4.7");
        r.code = 550;
        ASSERT(r.text.ptr);
    }
    return r;
}

/* Not later than the sender is told that it is late, or that it has expired: then all that waits of the message is
 * due together, whatever is wanted of each. */
static int64_t next_attempt(const struct verdict *v, const struct policy *p, int64_t now)
{
    const struct queue_message *m = &v->recipient->mail->envelope;
    const struct transport_settings *s = policy_settings(p);
    int64_t expiry = schedule_expiry(s, m->received_ms), notice = notify_delay_ms(p, m);
    int64_t next = v->next_ms ? v->next_ms
                              : schedule_next(s, v->scope, v->recipient->record->attempts + 1, m->received_ms, now);
    if (notice > now && notice < next)
        next = notice;
    return next < expiry ? next : expiry;
}

static struct span queue_name(struct arena *arena, const struct recipient *r)
{
    struct span name = r->destination              ? destination_name(r->destination)
                       : r->record->queue_name.len ? r->record->queue_name
                                                   : SPAN("submission");
    name = arena_dup(arena, name);
    ASSERT(name.ptr);
    return name;
}

static void add_op(struct change *c, const struct verdict *v, struct span error, int64_t next_ms, bool told_delay)
{
    static const enum queue_state finals[] = {[VERDICT_DELIVERED] = QUEUE_DELIVERED,
                                              [VERDICT_PERMANENT] = QUEUE_FAILED,
                                              [VERDICT_REMOVED] = QUEUE_REMOVED};
    bool pending = is_pending(v);
    struct queue_op *op = change_op(c, pending ? QUEUE_OP_RETRY : QUEUE_OP_DONE);
    struct queue_recipient *values = ARENA_NEW(&c->arena, struct queue_recipient);
    const struct recipient *r = v->recipient;
    ASSERT(values);
    *values = *r->record;
    values->last_error = error;
    if (pending) {
        values->attempts += v->kind == VERDICT_TEMPORARY;
        values->next_attempt_ms = next_ms;
        values->queue_name = queue_name(&c->arena, r);
        values->delay_noticed |= told_delay;
        if (span_eq(values->queue_name, SPAN("unreachable")))
            unreachable_add(c->transport, (struct queue_key){r->mail->envelope.id, r->record->index});
    } else {
        values->state = finals[v->kind];
    }
    op->message = r->mail->envelope.id;
    op->index = r->record->index;
    op->recipient = values;
}

static void on_recorded(struct change *c)
{
    struct outcome *o = c->context;
    struct transport *t = c->transport;
    const struct queue_unit *u = &c->unit.unit;
    if (u->result) { /* an administrator removed the message meanwhile, at the latest now */
        struct log_line l = mail_log(o->mail, "outcome-refused");
        log_err(&l, &u->err);
        log_end(&l);
        reports_discard(&o->reports);
    }
    if (!u->result) {
        measure_outcomes(o->mail, &o->track);
        track_send(o->mail, &o->track);
        reports_track(&o->reports, o->mail, u);
    }
    for (size_t i = 0; i < o->count; i++)
        recipient_release(o->recipients[i]);
    if (!u->result)
        reports_enqueued(&o->reports, u);
    if (o->retry_ms != INT64_MAX)
        claims_due(t, o->retry_ms);
    change_free(c);
}

static size_t count_verdicts(const struct verdict *list)
{
    size_t n = 0;
    for (; list; list = list->next)
        n++;
    return n;
}

/* One verdict: its op, and its part of the report. */
static void record(struct change *c, const struct verdict *given, const struct policy *p, int64_t now,
                   struct dsn_recipient *told, size_t *told_count)
{
    struct outcome *o = c->context;
    struct verdict v = give_up(given, policy_settings(p), &c->arena, now);
    bool pending = is_pending(&v);
    int64_t next_ms = pending ? next_attempt(&v, p, now) : 0;
    struct span error = verdict_error(&c->arena, &v);
    bool tells = notify_tells(p, &v, error, now, &told[*told_count]);
    *told_count += tells;
    log_verdict(v.recipient, &v, error, next_ms);
    track_verdict(c, &v, error);
    add_op(c, &v, error, next_ms, pending && tells);
    if (pending && next_ms < o->retry_ms)
        o->retry_ms = next_ms;
    v.recipient->destination = NULL;
    o->recipients[o->count++] = v.recipient;
}

void outcomes_record(struct mail *m, const struct verdict *list)
{
    list = companions_add(m, list);
    size_t n = count_verdicts(list), told_count = 0;
    int64_t now = clock_wall_ms(); /* one for all, so that what failed together is due together */
    struct change *c = change_new(m->transport, n + reports_max(n), on_recorded, NULL);
    ASSERT(c && n);
    struct outcome *o = ARENA_NEW(&c->arena, struct outcome);
    struct dsn_recipient *told = ARENA_ARRAY(&c->arena, n, struct dsn_recipient);
    struct policy_ref *ref = policy_ref_current();
    ASSERT(o && told);
    *o = (struct outcome){
        .mail = m, .recipients = ARENA_ARRAY(&c->arena, n, struct recipient *), .retry_ms = INT64_MAX};
    ASSERT(o->recipients);
    c->context = o;
    for (; list; list = list->next)
        record(c, list, policy_ref_policy(ref), now, told, &told_count);
    policy_ref_drop(ref);
    if (told_count)
        reports_add(c, m, told, told_count, &o->reports);
    change_insist(c);
}
