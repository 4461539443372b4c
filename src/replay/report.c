/*
 * report.c: clients, and what changes for them. Facts come client by client (store/facts/facts.h), so only the
 * clients of one network and user are searched, of which there are few; those without changes are let go of behind
 * them.
 */
#include "replay/internal.h"

#include <stdlib.h>

void replay_clients_init(struct replay_clients *c)
{
    *c = (struct replay_clients){0};
    arena_init(&c->arena, REPLAY_MEMORY_MAX);
    arena_init(&c->run_arena, REPLAY_MEMORY_MAX);
}

void replay_clients_done(struct replay_clients *c)
{
    free(c->items);
    free(c->rooms);
    arena_clear(&c->arena);
    arena_clear(&c->run_arena);
    *c = (struct replay_clients){0};
}

/* The run is over: of its clients only those with changes stay. */
static void end_run(struct replay_clients *c)
{
    size_t kept = c->run;
    for (size_t i = c->run; i < c->count; i++)
        if (c->items[i].count) {
            c->items[kept] = c->items[i];
            c->rooms[kept++] = c->rooms[i];
        }
    c->count = c->run = kept;
    arena_reset(&c->run_arena);
}

static bool grow(struct replay_clients *c)
{
    if (c->count < c->cap)
        return true;
    size_t cap = c->cap ? 2 * c->cap : 64;
    struct replay_client *items = reallocarray(c->items, cap, sizeof *items);
    if (items)
        c->items = items;
    struct replay_room *rooms = items ? reallocarray(c->rooms, cap, sizeof *rooms) : NULL;
    if (!rooms)
        return false;
    c->rooms = rooms;
    c->cap = cap;
    return true;
}

static struct replay_client *add_client(struct replay_clients *c, const struct fact *f)
{
    if (!grow(c))
        return NULL;
    struct replay_client *k = &c->items[c->count];
    *k = (struct replay_client){.remote = arena_dup(&c->run_arena, f->text[FACT_REMOTE]),
                                .user = arena_dup(&c->run_arena, f->text[FACT_USER]),
                                .last_ms = f->last_ms};
    c->rooms[c->count] = (struct replay_room){0};
    if (!k->remote.ptr || !k->user.ptr)
        return NULL;
    c->count++;
    c->seen++;
    return k;
}

static struct replay_client *find_client(struct replay_clients *c, struct span network, const struct fact *f)
{
    if (c->run == c->count || !span_eq(c->run_network, network) || !span_eq(c->run_user, f->text[FACT_USER])) {
        end_run(c);
        c->run_network = arena_dup(&c->run_arena, network);
        c->run_user = arena_dup(&c->run_arena, f->text[FACT_USER]);
    }
    for (size_t i = c->run; i < c->count; i++)
        if (span_eq(c->items[i].remote, f->text[FACT_REMOTE]))
            return &c->items[i];
    return c->run_network.ptr && c->run_user.ptr ? add_client(c, f) : NULL;
}

struct replay_client *replay_client_of(struct replay_clients *c, struct span network, const struct fact *f)
{
    struct replay_client *k = find_client(c, network, f);
    if (!k) {
        c->full = true;
        return NULL;
    }
    if (f->last_ms > k->last_ms)
        k->last_ms = f->last_ms;
    if (f->question == FACT_OF_SESSION)
        k->sessions += f->count;
    return k;
}

/* ---- changes ---- */

bool replay_same_outcome(const struct replay_outcome *a, const struct replay_outcome *b)
{
    return a->accepted == b->accepted && span_eq(a->reply, b->reply) && span_eq(a->connector, b->connector);
}

static struct replay_change *find_change(struct replay_client *k, const struct replay_verdict *before,
                                         const struct replay_verdict *after)
{
    for (size_t i = 0; i < k->count; i++)
        if (replay_same_outcome(&k->changes[i].before, &before->outcome) &&
            replay_same_outcome(&k->changes[i].after, &after->outcome))
            return &k->changes[i];
    return NULL;
}

static struct span copy(struct replay_clients *c, struct span s)
{
    struct span kept = arena_dup(&c->arena, s);
    c->full |= !kept.ptr;
    return kept;
}

static struct replay_outcome copy_outcome(struct replay_clients *c, const struct replay_outcome *o)
{
    return (struct replay_outcome){copy(c, o->connector), o->accepted, copy(c, o->reply)};
}

static bool make_room(struct replay_clients *c, struct replay_client *k)
{
    struct replay_room *room = &c->rooms[k - c->items];
    if (!room->kept) {
        k->remote = copy(c, k->remote);
        k->user = copy(c, k->user);
        room->kept = true;
    }
    if (k->count < room->change_cap)
        return !c->full;
    size_t cap = room->change_cap ? 2 * room->change_cap : 2;
    struct replay_change *grown = ARENA_ARRAY(&c->arena, cap, struct replay_change);
    if (!grown)
        return false;
    for (size_t i = 0; i < k->count; i++)
        grown[i] = k->changes[i];
    k->changes = grown;
    room->change_cap = cap;
    return !c->full;
}

static struct replay_change *add_change(struct replay_clients *c, struct replay_client *k,
                                        const struct replay_verdict *before, const struct replay_verdict *after)
{
    const struct replay_verdict *refusal = !after->outcome.accepted ? after : before;
    bool moved = before->outcome.accepted && after->outcome.accepted;
    if (!make_room(c, k))
        return NULL;
    struct replay_change *x = &k->changes[k->count++];
    *x = (struct replay_change){
        .direction = before->outcome.accepted == after->outcome.accepted ? REPLAY_OTHERWISE
                     : after->outcome.accepted                           ? REPLAY_ACCEPTED
                                                                         : REPLAY_REFUSED,
        .before = copy_outcome(c, &before->outcome),
        .after = copy_outcome(c, &after->outcome),
        .decided_by = moved ? SPAN("RemoteIPRanges, Bindings, Enabled") : refusal->decided_by,
        .why = moved ? SPAN("another receive connector serves the client") : copy(c, refusal->why),
        .last_ms = INT64_MIN};
    return x;
}

void replay_client_change(struct replay_clients *c, struct replay_client *k, const struct replay_session *t,
                          const struct replay_verdict *before, const struct replay_verdict *after)
{
    const struct fact *f = t->fact;
    struct replay_change *x = find_change(k, before, after);
    if (!x)
        x = add_change(c, k, before, after);
    if (!x) {
        c->full = true;
        return;
    }
    x->sessions += f->question == FACT_OF_SESSION ? f->count : 0;
    x->messages += f->question == FACT_OF_MESSAGE || f->question == FACT_OF_MAIL ? f->count : 0;
    x->recipients += f->question == FACT_OF_RCPT ? f->count : 0;
    if (f->last_ms > x->last_ms)
        x->last_ms = f->last_ms;
    bool names = f->question == FACT_OF_MAIL || f->question == FACT_OF_MESSAGE || f->question == FACT_OF_RCPT;
    if (names && (!x->has_sender || (f->text[FACT_RECIPIENT].len && !x->recipient.len))) {
        x->has_sender = true;
        x->sender = copy(c, f->text[FACT_SENDER]);
        x->recipient = copy(c, f->text[FACT_RECIPIENT]);
    }
}

/* ---- the end ---- */

static int by_direction(const void *a, const void *b)
{
    const struct replay_change *x = a, *y = b;
    int n = (x->direction > y->direction) - (x->direction < y->direction);
    return n ? n : (x->last_ms < y->last_ms) - (x->last_ms > y->last_ms);
}

static int by_address(struct span a, struct span b)
{
    struct ip_addr x, y;
    return ip_parse(a, &x) && ip_parse(b, &y) ? ip_cmp(x, y) : span_cmp(a, b);
}

/* By their first changes, which are their worst. */
static int worst_first(const void *a, const void *b)
{
    const struct replay_client *x = a, *y = b;
    int n = (x->changes->direction > y->changes->direction) - (x->changes->direction < y->changes->direction);
    if (!n)
        n = by_address(x->remote, y->remote);
    return n ? n : span_cmp(x->user, y->user);
}

void replay_clients_finish(struct replay_clients *c)
{
    end_run(c);
    for (size_t i = 0; i < c->count; i++)
        qsort(c->items[i].changes, c->items[i].count, sizeof *c->items[i].changes, by_direction);
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, worst_first);
}
