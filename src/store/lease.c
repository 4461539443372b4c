/*
 * lease.c: leases in an open-addressed table with linear probing.
 *
 * Invariants: at most half of the slots are used; no slot between a lease's home and its place is free (removal
 * moves the followers up, there are no tombstones); next_expiry_ms is at most the smallest until_ms. Ids are our
 * own, so the hash need not resist anybody.
 */
#include "store/lease.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

void lease_init(struct lease_table *t)
{
    *t = (struct lease_table){.next_expiry_ms = INT64_MAX};
}

void lease_done(struct lease_table *t)
{
    free(t->slots);
    lease_init(t);
}

static size_t home(const struct lease_table *t, struct queue_key key)
{
    uint64_t h = (key.message ^ (uint64_t)key.index << 40) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ h >> 32) & (t->cap - 1);
}

/* The key's slot, or the free one where it would go. There is always a free one. */
static struct lease *slot_of(const struct lease_table *t, struct queue_key key)
{
    size_t i = home(t, key);
    while (t->slots[i].key.message &&
           (t->slots[i].key.message != key.message || t->slots[i].key.index != key.index))
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

bool lease_reserve(struct lease_table *t, size_t n)
{
    size_t cap = t->cap ? t->cap : FIRST_CAP;
    if (n > SIZE_MAX / 4 - t->count)
        return false;
    while (cap < 2 * (t->count + n))
        cap *= 2;
    if (cap == t->cap)
        return true;
    struct lease *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return false;
    struct lease_table grown = *t;
    grown.slots = slots;
    grown.cap = cap;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].key.message)
            *slot_of(&grown, t->slots[i].key) = t->slots[i];
    free(t->slots);
    *t = grown;
    return true;
}

void lease_set(struct lease_table *t, struct queue_key key, int64_t due_ms, int64_t until_ms)
{
    ASSERT(key.message && t->cap);
    struct lease *l = slot_of(t, key);
    if (!l->key.message) {
        t->count++;
        ASSERT(t->count < t->cap);
    }
    *l = (struct lease){key, due_ms, until_ms};
    if (until_ms < t->next_expiry_ms)
        t->next_expiry_ms = until_ms;
}

const struct lease *lease_find(const struct lease_table *t, struct queue_key key)
{
    const struct lease *l = t->count ? slot_of(t, key) : NULL;
    return l && l->key.message ? l : NULL;
}

bool lease_extend(struct lease_table *t, struct queue_key key, int64_t until_ms)
{
    const struct lease *l = lease_find(t, key);
    if (l)
        lease_set(t, key, l->due_ms, until_ms);
    return l;
}

/* Frees a slot and moves up those behind it that were pushed on. */
static void remove_slot(struct lease_table *t, size_t hole)
{
    size_t mask = t->cap - 1;
    for (size_t i = (hole + 1) & mask; t->slots[i].key.message; i = (i + 1) & mask) {
        size_t h = home(t, t->slots[i].key);
        if (((i - h) & mask) >= ((i - hole) & mask)) {
            t->slots[hole] = t->slots[i];
            hole = i;
        }
    }
    t->slots[hole] = (struct lease){0};
    t->count--;
}

bool lease_drop(struct lease_table *t, struct queue_key key, int64_t *ret_due_ms)
{
    const struct lease *l = lease_find(t, key);
    if (!l)
        return false;
    *ret_due_ms = l->due_ms;
    remove_slot(t, (size_t)(l - t->slots));
    if (t->count == 0)
        t->next_expiry_ms = INT64_MAX;
    return true;
}

int64_t lease_expire(struct lease_table *t, int64_t now_ms)
{
    int64_t earliest = INT64_MAX, next = INT64_MAX;
    if (now_ms < t->next_expiry_ms)
        return earliest;
    for (size_t i = 0; i < t->cap;) {
        const struct lease *l = &t->slots[i];
        if (l->key.message && l->until_ms <= now_ms) {
            if (l->due_ms < earliest)
                earliest = l->due_ms;
            remove_slot(t, i); /* another one may stand here now: look again */
            continue;
        }
        if (l->key.message && l->until_ms < next)
            next = l->until_ms;
        i++;
    }
    t->next_expiry_ms = next;
    return earliest;
}

/* The recipients that an op makes, and the index of the first. */
static const struct queue_recipient *made_by(const struct queue_op *op, size_t *ret_count, uint32_t *ret_first)
{
    bool enqueue = op->kind == QUEUE_OP_ENQUEUE;
    *ret_count = enqueue ? op->enqueue->recipient_count : op->kind == QUEUE_OP_EXPAND ? op->member_count : 0;
    *ret_first = enqueue ? 0 : op->ret_first;
    return enqueue ? op->enqueue->recipients : op->members;
}

bool lease_prepare(struct lease_table *t, const struct queue_op *op)
{
    size_t count;
    uint32_t first;
    const struct queue_recipient *r = made_by(op, &count, &first);
    if (op->lease_until_ms == 0)
        return true;
    if (!lease_reserve(t, count))
        return false;
    for (size_t i = 0; i < count; i++)
        lease_set(t, (struct queue_key){op->message, first + (uint32_t)i}, r[i].next_attempt_ms,
                  op->lease_until_ms);
    return true;
}

void lease_cancel(struct lease_table *t, const struct queue_op *op)
{
    size_t count;
    uint32_t first;
    int64_t due;
    made_by(op, &count, &first);
    for (size_t i = 0; op->lease_until_ms && i < count; i++)
        lease_drop(t, (struct queue_key){op->message, first + (uint32_t)i}, &due);
}

/* What was leased at due_ms is found at when_ms from now on: there the search must begin when the lease ends. */
static void move(struct lease_table *t, const struct queue_op *op)
{
    struct queue_key key = {op->message, op->index};
    if (op->index != QUEUE_EVERY) {
        struct lease *l = t->count ? slot_of(t, key) : NULL;
        if (l && l->key.message && op->when_ms < l->due_ms)
            l->due_ms = op->when_ms;
        return;
    }
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].key.message == op->message && op->when_ms < t->slots[i].due_ms)
            t->slots[i].due_ms = op->when_ms;
}

int64_t lease_settle(struct lease_table *t, const struct queue_op *op)
{
    int64_t earliest = INT64_MAX, due;
    size_t count;
    uint32_t first;
    const struct queue_recipient *r = made_by(op, &count, &first);
    for (size_t i = 0; op->lease_until_ms == 0 && i < count; i++)
        if (r[i].next_attempt_ms < earliest)
            earliest = r[i].next_attempt_ms;
    switch (op->kind) {
    case QUEUE_OP_RETRY: earliest = op->recipient->next_attempt_ms; FALLTHROUGH;
    case QUEUE_OP_DONE:
    case QUEUE_OP_EXPAND:
    case QUEUE_OP_REMOVE: lease_drop(t, (struct queue_key){op->message, op->index}, &due); break;
    case QUEUE_OP_RESUME:
        if (op->when_ms == 0)
            return INT64_MIN; /* due when it was suspended: unknown */
        FALLTHROUGH;
    case QUEUE_OP_HASTEN: move(t, op); return op->when_ms;
    case QUEUE_OP_ENQUEUE:
    case QUEUE_OP_SUSPEND:
    case QUEUE_OP_HOLD_QUEUE:
    case QUEUE_OP_FREE_QUEUE: break;
    }
    return earliest;
}
