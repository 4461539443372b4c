/*
 * categorizer.c: the route of each recipient, from the policy and, where it is ours, from the directory.
 *
 * Invariant: verdicts and groups are gathered in the mail until its last recipient is routed, so that one message
 * has one report and its recipients at one destination travel together.
 */
#include "role/common/messages.h"
#include "role/queue/poison.h"
#include "role/queue/track.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>

enum { REDIRECTIONS_MAX = 20, RESOLVE_WAIT_MS = 30000, LATER_MS = 5000, RESOLVE_ARENA_MAX = 64 << 20 };

static void route(struct recipient *r, const struct resolved *resolved);

static void gather(struct recipient *r, struct verdict verdict)
{
    struct verdict *v = ARENA_NEW(&r->mail->arena, struct verdict);
    ASSERT(v);
    *v = verdict;
    v->recipient = r;
    v->next = r->mail->verdicts;
    r->mail->verdicts = v;
}

static void gather_group(struct recipient *r, const struct directory_recipient *found)
{
    struct arena *a = &r->mail->arena;
    struct group *g = ARENA_NEW(a, struct group);
    struct span *members = ARENA_ARRAY(a, found->member_count, struct span);
    ASSERT(g && members);
    for (size_t i = 0; i < found->member_count; i++) {
        members[i] = arena_dup(a, found->members[i]);
        ASSERT(members[i].ptr);
    }
    *g = (struct group){r, members, found->member_count, r->mail->groups};
    r->mail->groups = g;
}

/* All recipients are routed: what was gathered is acted upon. The mail may be gone afterwards. */
static void finish(struct mail *m)
{
    struct verdict *verdicts = m->verdicts;
    struct group *groups = m->groups;
    if (m->unresolved > 0)
        return;
    m->verdicts = NULL;
    m->groups = NULL;
    if (groups)
        expansion_start(m, groups);
    if (verdicts)
        outcomes_record(m, verdicts);
    destinations_pump(m->transport);
}

static const struct verdict later = {.kind = VERDICT_POSTPONED,
                                     .status = SPAN_INIT("4.3.2"),
                                     .text = SPAN_INIT("the directory cannot be asked at the moment")};

static enum resolved_kind resolved_kind(enum directory_kind kind)
{
    switch (kind) {
    case DIRECTORY_NOT_FOUND: return RESOLVED_NOT_FOUND;
    case DIRECTORY_MAILBOX: return RESOLVED_MAILBOX;
    case DIRECTORY_CONTACT: return RESOLVED_CONTACT;
    case DIRECTORY_GROUP: return RESOLVED_GROUP;
    }
    return RESOLVED_NOT_FOUND;
}

/* Who was authenticated, and our own reports, reach everybody. */
static bool is_authentic(const struct mail *m)
{
    return m->envelope.flags & (QUEUE_INTERNAL | QUEUE_REPORT);
}

static void on_resolved(void *context, struct frame *f)
{
    struct recipient *r = context;
    struct mail *m = r->mail;
    struct transport *t = m->transport;
    uint64_t before = poison_enter(t, m->envelope.id);
    struct directory_recipient found = {0};
    struct resolved resolved = {.kind = RESOLVED_LATER};
    struct arena arena;
    arena_init(&arena, RESOLVE_ARENA_MAX);
    if (!message_take_resolution(f, &arena, &found)) {
        resolved = (struct resolved){resolved_kind(found.kind), arena_dup(&m->arena, found.target),
                                     found.authenticated_only && !is_authentic(m)};
        if (!resolved.target.ptr)
            resolved.kind = RESOLVED_LATER;
    }
    m->unresolved--;
    if (resolved.kind == RESOLVED_GROUP && !resolved.auth_required)
        gather_group(r, &found);
    else
        route(r, &resolved);
    arena_clear(&arena);
    finish(m);
    poison_leave(t, before);
}

static void ask(struct recipient *r)
{
    struct transport *t = r->mail->transport;
    struct buf b;
    buf_init(&b, 8192);
    put_bytes(&b, r->address);
    if (b.failed || link_ask(role_link(t->role, ROLE_DIRECTORY, 0), DIRECTORY_RESOLVE, buf_span(&b), SPAN(""), NULL,
                             0, RESOLVE_WAIT_MS, on_resolved, r)) {
        struct verdict v = later;
        v.next_ms = clock_wall_ms() + LATER_MS;
        gather(r, v);
    } else {
        r->mail->unresolved++;
    }
    buf_done(&b);
}

/* It has another address from now on. Said when it is first routed, not at each retry. */
static void track_address(const struct recipient *r, enum tracking_event event, struct span target)
{
    if (r->record->attempts == 0 && r->record->queue_name.len == 0)
        track_now(r->mail,
                  &(struct track_entry){
                      .event = event, .source = TRACKING_OF_ROUTING, .recipient = target, .related = r->address});
}

static void redirect(struct recipient *r, struct span target)
{
    if (++r->redirections > REDIRECTIONS_MAX) {
        gather(r, (struct verdict){.kind = VERDICT_PERMANENT,
                                   .status = SPAN("5.4.6"),
                                   .text = SPAN("RESOLVER.FWD.Loop; contacts that point to each other")});
        return;
    }
    target = arena_dup(&r->mail->arena, target);
    ASSERT(target.ptr);
    track_address(r, TRACKING_REDIRECT, target);
    r->address = target;
    route(r, &(struct resolved){.kind = RESOLVED_UNKNOWN});
}

/* Waits until a send connector covers the domain, or until it expires. */
static void unreachable(struct recipient *r, const struct policy *p, const struct route *found)
{
    const struct transport_settings *s = policy_settings(p);
    int64_t now = clock_wall_ms();
    gather(r, (struct verdict){.kind = VERDICT_TEMPORARY,
                               .status = SPAN("4.4.4"), /* the route's own is for when it is final */
                               .text = span_of(found->text),
                               .next_ms = schedule_next(s, FAILURE_MESSAGE, r->record->attempts + 1,
                                                        r->mail->envelope.received_ms, now)});
    r->record->queue_name = SPAN("unreachable");
}

/* Notifications pass: they are never larger than what they tell of was allowed to be. */
static bool is_too_large(const struct recipient *r, const struct policy *p, const struct route *found,
                         struct verdict *ret)
{
    const struct queue_message *m = &r->mail->envelope;
    struct route_limit limit = route_size_limit(p, found, m->flags & QUEUE_INTERNAL);
    *ret =
        (struct verdict){.kind = VERDICT_PERMANENT, .status = span_of(limit.status), .text = span_of(limit.text)};
    return !(m->flags & QUEUE_REPORT) && m->size > limit.bytes;
}

/* To the next hop that was found, unless the destination or a size is in the way. */
static void dispatch(struct recipient *r, const struct policy *p, const struct route *found)
{
    struct verdict v;
    if (found->kind == ROUTE_MAILBOX && !span_ieq(found->target, r->address))
        track_address(r, TRACKING_RESOLVE, found->target);
    enum companion c = found->kind == ROUTE_MAILBOX ? companions_join(r, found->target, &v) : COMPANION_FIRST;
    if (c == COMPANION_WAITS)
        return;
    if (c == COMPANION_FIRST && !is_too_large(r, p, found, &v) && destination_add(r, found, &v))
        return;
    gather(r, v);
}

static void route(struct recipient *r, const struct resolved *resolved)
{
    struct policy_ref *ref = policy_ref_current();
    const struct policy *p = policy_ref_policy(ref);
    struct route found = route_recipient(p, r->address, resolved);
    struct verdict v = later;
    switch (found.kind) {
    case ROUTE_ASK: ask(r); break;
    case ROUTE_MAILBOX:
    case ROUTE_RELAY: dispatch(r, p, &found); break;
    case ROUTE_REDIRECT: redirect(r, found.target); break;
    case ROUTE_REPORT:
        gather(r, (struct verdict){
                      .kind = VERDICT_PERMANENT, .status = span_of(found.status), .text = span_of(found.text)});
        break;
    case ROUTE_UNREACHABLE: unreachable(r, p, &found); break;
    case ROUTE_EXPAND: /* only with its members, which on_resolved has */
    case ROUTE_LATER:
        v.next_ms = clock_wall_ms() + LATER_MS;
        gather(r, v);
        break;
    }
    policy_ref_drop(ref);
}

void categorize(struct mail *m)
{
    static const struct resolved unknown = {.kind = RESOLVED_UNKNOWN};
    struct transport *t = m->transport;
    uint64_t before = poison_enter(t, m->envelope.id);
    m->unresolved++; /* until the last one was begun */
    for (size_t i = 0; i < m->envelope.recipient_count; i++)
        route(&m->recipients[i], &unknown);
    m->unresolved--;
    finish(m);
    poison_leave(t, before);
}

static void route_again(struct recipient *r)
{
    r->destination = NULL;
    r->address = r->record->address;
    r->redirections = 0;
    route(r, &(struct resolved){.kind = RESOLVED_UNKNOWN});
}

void categorize_again(struct recipient *r)
{
    struct mail *m = r->mail;
    struct recipient *companions = companions_part(r), *next;
    m->unresolved++;
    route_again(r);
    for (; companions; companions = next) {
        next = companions->next;
        route_again(companions);
    }
    m->unresolved--;
    finish(m);
}
