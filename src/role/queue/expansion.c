/*
 * expansion.c: groups become their members, which are recipients of the message from then on.
 *
 * Invariants: a member that is a recipient of the message already, whatever became of it, is not added again: so
 * nobody gets two copies, and groups that contain each other end. For that, one message has one expansion at a
 * time; further ones wait behind it.
 */
#include "role/queue/address_set.h"
#include "role/queue/changes.h"
#include "role/queue/notify.h"
#include "role/queue/track.h"

#include "runtime/clock.h"
#include "runtime/log.h"
#include "smtp/params.h"

#include <stdlib.h>

enum { EXPANSION_ARENA_MAX = 512 << 20 };

struct expansion {
    struct expansion *next;    /* of the transport */
    struct expansion *waiting; /* of the same message */
    struct mail *mail;
    struct group *groups;
    struct reports reports; /* that a group was expanded */
    struct mail *members;   /* all members, as a mail; NULL when there are none */
    bool claimed;
};

/* A mailbox that another recipient of the mail, an alias, goes to already. */
static void add_mailbox(void *context, const struct span *address)
{
    IGNORE_RESULT(address_set_add(context, address));
}

static size_t count_members(const struct group *groups, size_t *ret_groups)
{
    size_t n = 0;
    *ret_groups = 0;
    for (const struct group *g = groups; g; g = g->next) {
        n += g->count;
        ++*ret_groups;
    }
    return n;
}

static void release(struct expansion *e);

/* Once it is durable, and before the groups are let go of. */
static void track_expansion(const struct expansion *e, const struct queue_unit *u)
{
    const struct queue_op *op = u->ops;
    for (const struct group *g = e->groups; g; g = g->next, op++)
        track_expanded(e->mail, g->recipient->record->address, op->members, op->member_count);
    reports_track(&e->reports, e->mail, u);
}

static void on_expanded(struct change *c)
{
    struct expansion *e = c->context;
    struct transport *t = c->transport;
    const struct queue_unit *u = &c->unit.unit;
    size_t at = 0;
    if (u->result) { /* removed by an administrator meanwhile */
        struct log_line l = mail_log(e->mail, "expansion-refused");
        log_err(&l, &u->err);
        log_end(&l);
    }
    for (size_t i = 0; !u->result && i < u->op_count && u->ops[i].kind == QUEUE_OP_EXPAND; i++)
        for (size_t k = 0; k < u->ops[i].member_count; k++)
            e->members->envelope.recipients[at++].index = u->ops[i].ret_first + (uint32_t)k;
    if (!u->result)
        track_expansion(e, u);
    if (u->result && e->members)
        mail_discard(TAKE_PTR(e->members));
    if (u->result)
        reports_discard(&e->reports);
    struct mail *members = e->members;
    const struct reports reports = e->reports;
    if (members)
        members->withdrawal = e->mail->withdrawal;
    bool claimed = e->claimed;
    release(e);
    if (members && claimed) {
        members->fresh = true;
        mail_hold(members);
        categorize(members);
    } else if (members) {
        mail_discard(members);
        claims_wake(t);
    }
    if (!u->result)
        reports_enqueued(&reports, u);
    change_free(c);
}

/* The members of all groups that are not recipients yet, each with its op. */
static void add_members(struct expansion *e, struct change *c, struct address_set *seen, size_t total)
{
    struct queue_recipient *list = ARENA_ARRAY(&c->arena, total, struct queue_recipient);
    size_t n = 0;
    ASSERT(list);
    e->claimed = transport_may_hold(c->transport);
    for (struct group *g = e->groups; g; g = g->next) {
        struct queue_op *op = change_op(c, QUEUE_OP_EXPAND);
        struct span orcpt = notify_orcpt(g->recipient, &c->arena);
        op->message = e->mail->envelope.id;
        op->index = g->recipient->record->index;
        op->members = &list[n];
        op->lease_until_ms = e->claimed ? clock_wall_ms() + TRANSPORT_LEASE_MS : 0;
        for (size_t i = 0; i < g->count; i++)
            if (address_set_add(seen, &g->members[i])) {
                list[n++] = (struct queue_recipient){.address = g->members[i],
                                                     .orcpt = orcpt,
                                                     .suspended = e->mail->withdrawal == WITHDRAWN_SUSPENDED,
                                                     .notify = notify_of_member(g->recipient->record->notify)};
                op->member_count++;
            }
        struct log_line l = mail_log(e->mail, "expand");
        log_span(&l, "recipient", g->recipient->record->address);
        log_int(&l, "members", (int64_t)op->member_count);
        log_end(&l);
    }
    struct queue_message m = e->mail->envelope;
    m.recipients = list;
    m.recipient_count = n;
    e->members = n ? mail_new(c->transport, &m, SPAN("")) : NULL;
    ASSERT(!n || e->members);
}

static void add_report(struct expansion *e, struct change *c, size_t groups)
{
    struct dsn_recipient *list = ARENA_ARRAY(&c->arena, groups, struct dsn_recipient);
    size_t n = 0;
    ASSERT(list);
    for (const struct group *g = e->groups; g; g = g->next)
        if (g->recipient->record->notify & SMTP_NOTIFY_SUCCESS)
            list[n++] = (struct dsn_recipient){.action = DSN_EXPANDED,
                                               .address = g->recipient->record->address,
                                               .original = g->recipient->record->orcpt,
                                               .status = SPAN("2.1.5"),
                                               .last_attempt_ms = clock_wall_ms()};
    if (n && e->mail->envelope.sender.len)
        reports_add(c, e->mail, list, n, &e->reports);
}

static void postpone(struct expansion *e, const struct err *err)
{
    struct verdict *list = NULL;
    log_text(LOG_ERROR, "queue-read-failed", "%s", err->text);
    for (struct group *g = e->groups; g; g = g->next) {
        struct verdict *v = ARENA_NEW(&e->mail->arena, struct verdict);
        ASSERT(v);
        *v = (struct verdict){.recipient = g->recipient,
                              .kind = VERDICT_POSTPONED,
                              .status = SPAN("4.3.0"),
                              .text = SPAN("the queue cannot be read at the moment"),
                              .next_ms = clock_wall_ms() + 60000,
                              .next = list};
        list = v;
    }
    e->groups = NULL; /* released with their verdicts */
    struct mail *m = e->mail;
    release(e);
    outcomes_record(m, list);
}

static void run(struct expansion *e)
{
    struct transport *t = e->mail->transport;
    struct queue_message stored;
    struct arena arena;
    struct err err = {0};
    struct address_set seen = {0};
    size_t groups, total = count_members(e->groups, &groups);
    arena_init(&arena, EXPANSION_ARENA_MAX);
    if (queue_load(t->store, e->mail->envelope.id, QUEUE_RECIPIENTS, &arena, &stored, &err)) {
        arena_clear(&arena);
        postpone(e, &err);
        return;
    }
    for (size_t i = 0; i < stored.recipient_count; i++)
        IGNORE_RESULT(address_set_add(&seen, &stored.recipients[i].address));
    address_set_each(&e->mail->mailboxes, add_mailbox, &seen);
    struct change *c = change_new(t, groups + reports_max(groups), on_expanded, e);
    ASSERT(c);
    add_members(e, c, &seen, total);
    add_report(e, c, groups);
    address_set_clear(&seen);
    arena_clear(&arena);
    change_insist(c);
}

/* The expansion is over: its groups are let go of, and the next of the message runs. */
static void release(struct expansion *e)
{
    struct expansion **at = &e->mail->transport->expansions;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    struct expansion *next = e->waiting;
    if (next) {
        next->next = *at;
        *at = next;
    }
    for (struct group *g = e->groups, *following; g; g = following) {
        following = g->next; /* the mail, in whose arena it lives, goes with the last */
        recipient_release(g->recipient);
    }
    free(e);
    if (next)
        run(next);
}

void expansion_start(struct mail *m, struct group *groups)
{
    struct transport *t = m->transport;
    struct expansion *e = calloc(1, sizeof *e);
    ASSERT(e);
    e->mail = m;
    e->groups = groups;
    for (struct expansion *other = t->expansions; other; other = other->next)
        if (other->mail->envelope.id == m->envelope.id) {
            while (other->waiting)
                other = other->waiting;
            other->waiting = e;
            return;
        }
    e->next = t->expansions;
    t->expansions = e;
    run(e);
}
