/*
 * queue_memory_read.c: the queue in memory: claims, leases, pages. What is given out is copied into the caller's
 * arena, since the stored one may go at the next commit.
 */
#include "store/queue_memory_internal.h"

#include <stdlib.h>

static struct memory *locked(struct queue *base)
{
    struct memory *q = (struct memory *)base;
    pthread_mutex_lock(&q->mutex);
    return q;
}

static enum err_code unlocked(struct memory *q, enum err_code code)
{
    pthread_mutex_unlock(&q->mutex);
    return code;
}

static bool copy_recipient(const struct memory *q, const struct queue_message *m,
                           const struct queue_recipient *from, struct arena *arena, struct queue_recipient *ret)
{
    *ret = *from;
    ret->leased = lease_find(&q->leases, (struct queue_key){m->id, from->index});
    return memory_dup_recipient(arena, ret);
}

/* A copy without recipients; the body only where parts asks for it. */
static bool copy_envelope(const struct queue_message *from, unsigned parts, struct arena *arena,
                          struct queue_message *ret)
{
    *ret = *from;
    ret->recipients = NULL;
    ret->recipient_count = 0;
    ret->body = (struct span){0};
    if (!memory_dup_envelope(arena, ret))
        return false;
    if (parts & QUEUE_BODY)
        ret->body = arena_dup(arena, from->body);
    return !(parts & QUEUE_BODY) || ret->body.ptr;
}

static bool copy_message(const struct memory *q, const struct queue_message *from, unsigned parts,
                         struct arena *arena, struct queue_message *ret)
{
    if (!copy_envelope(from, parts, arena, ret))
        return false;
    if (!(parts & QUEUE_RECIPIENTS))
        return true;
    ret->recipients = ARENA_ARRAY(arena, from->recipient_count, struct queue_recipient);
    bool ok = ret->recipients;
    for (size_t i = 0; ok && i < from->recipient_count; i++)
        ok = copy_recipient(q, from, &from->recipients[i], arena, &ret->recipients[i]);
    ret->recipient_count = from->recipient_count;
    return ok;
}

/* ---- claims ---- */

static bool waits(const struct memory *q, const struct queue_message *m, const struct queue_recipient *r)
{
    return r->state == QUEUE_PENDING && !r->suspended &&
           !lease_find(&q->leases, (struct queue_key){m->id, r->index});
}

struct due {
    int64_t at_ms;
    struct queue_key key;
};

static int by_time(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->key.message != y->key.message)
        return x->key.message < y->key.message ? -1 : 1;
    return (x->key.index > y->key.index) - (x->key.index < y->key.index);
}

/* All that is due, the most urgent first. NULL: memory is out. */
static struct due *collect(const struct memory *q, int64_t now_ms, size_t *ret_count)
{
    size_t n = 0, most = 1;
    for (size_t i = 0; i < q->count; i++)
        most += q->messages[i]->m.recipient_count;
    struct due *list = calloc(most, sizeof *list);
    for (size_t i = 0; list && i < q->count; i++) {
        const struct queue_message *m = &q->messages[i]->m;
        for (size_t k = 0; k < m->recipient_count; k++)
            if (waits(q, m, &m->recipients[k]) && m->recipients[k].next_attempt_ms <= now_ms)
                list[n++] = (struct due){m->recipients[k].next_attempt_ms, {m->id, m->recipients[k].index}};
    }
    if (list)
        qsort(list, n, sizeof *list, by_time);
    *ret_count = n;
    return list;
}

static bool copy_claimed(const struct memory *q, const struct queue_claimed *claimed, size_t count, size_t groups,
                         struct arena *arena, struct queue_message **ret)
{
    struct queue_message *m = ARENA_ARRAY(arena, groups, struct queue_message);
    struct queue_recipient *r = ARENA_ARRAY(arena, count, struct queue_recipient);
    *ret = m;
    for (size_t i = 0; m && r && i < count; i++) {
        const struct queue_message *from = &memory_find(q, claimed[i].key.message)->m;
        if (i == 0 || claimed[i - 1].key.message != from->id) {
            m += i > 0;
            if (!copy_envelope(from, QUEUE_ENVELOPE, arena, m))
                return false;
            m->recipients = &r[i];
        }
        if (!copy_recipient(q, from, &from->recipients[claimed[i].key.index], arena, &r[i]))
            return false;
        r[i].leased = true;
        m->recipient_count++;
    }
    return m && r;
}

static enum err_code claim(struct memory *q, const struct due *due, size_t count, int64_t lease_until_ms,
                           struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err)
{
    struct queue_message *messages;
    struct queue_claimed *claimed = ARENA_ARRAY(arena, count, struct queue_claimed);
    if (!claimed || !lease_reserve(&q->leases, count))
        return queue_no_memory(err);
    for (size_t i = 0; i < count; i++)
        claimed[i] = (struct queue_claimed){due[i].key, i};
    size_t groups = queue_group(claimed, count);
    if (!copy_claimed(q, claimed, count, groups, arena, &messages))
        return queue_no_memory(err);
    for (size_t i = 0; i < count; i++)
        lease_set(&q->leases, due[i].key, due[i].at_ms, lease_until_ms);
    *ret = messages;
    *ret_count = groups;
    return ERR_NONE;
}

enum err_code memory_claim(struct queue *base, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                           struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err)
{
    struct memory *q = locked(base);
    size_t count;
    lease_expire(&q->leases, now_ms);
    struct due *due = collect(q, now_ms, &count);
    enum err_code code =
        due ? claim(q, due, count < limit ? count : limit, lease_until_ms, arena, ret, ret_count, err)
            : queue_no_memory(err);
    free(due);
    return unlocked(q, code);
}

enum err_code memory_next_due(struct queue *base, int64_t now_ms, int64_t *ret, struct err *err)
{
    struct memory *q = locked(base);
    (void)err;
    lease_expire(&q->leases, now_ms);
    int64_t next = q->leases.next_expiry_ms;
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_message *m = &q->messages[i]->m;
        for (size_t k = 0; k < m->recipient_count; k++)
            if (waits(q, m, &m->recipients[k]) && m->recipients[k].next_attempt_ms < next)
                next = m->recipients[k].next_attempt_ms;
    }
    *ret = next;
    return unlocked(q, ERR_NONE);
}

void memory_lease(struct queue *base, const struct queue_key *keys, size_t count, int64_t until_ms)
{
    struct memory *q = locked(base);
    int64_t due;
    for (size_t i = 0; i < count; i++) {
        if (until_ms)
            lease_extend(&q->leases, keys[i], until_ms);
        else
            lease_drop(&q->leases, keys[i], &due);
    }
    pthread_mutex_unlock(&q->mutex);
}

/* ---- the rest ---- */

enum err_code memory_load(struct queue *base, uint64_t id, unsigned parts, struct arena *arena,
                          struct queue_message *ret, struct err *err)
{
    struct memory *q = locked(base);
    const struct stored *s = memory_find(q, id);
    struct queue_message m;
    if (!s)
        return unlocked(q, queue_no_message(id, err));
    if (!copy_message(q, &s->m, parts, arena, &m))
        return unlocked(q, queue_no_memory(err));
    *ret = m;
    return unlocked(q, ERR_NONE);
}

enum err_code memory_list(struct queue *base, uint64_t after, size_t limit, struct arena *arena,
                          struct queue_page *ret, struct err *err)
{
    struct memory *q = locked(base);
    size_t first = memory_place(q, after + 1), recipients = 0, n = 0;
    size_t most = q->count - first < limit ? q->count - first : limit;
    struct queue_message *list = ARENA_ARRAY(arena, most, struct queue_message);
    if (!list)
        return unlocked(q, queue_no_memory(err));
    for (; n < most && recipients < QUEUE_PAGE_RECIPIENTS; n++) {
        if (!copy_message(q, &q->messages[first + n]->m, QUEUE_RECIPIENTS, arena, &list[n]))
            return unlocked(q, queue_no_memory(err));
        recipients += list[n].recipient_count;
    }
    *ret = (struct queue_page){list, n, first + n < q->count};
    return unlocked(q, ERR_NONE);
}

enum err_code memory_waiting(struct queue *base, queue_waiting_fn *each, void *context, struct err *err)
{
    struct memory *q = locked(base);
    (void)err;
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_message *m = &q->messages[i]->m;
        for (size_t k = 0; k < m->recipient_count; k++)
            if (m->recipients[k].state == QUEUE_PENDING &&
                !lease_find(&q->leases, (struct queue_key){m->id, m->recipients[k].index}))
                each(context, m->id, &m->recipients[k]);
    }
    return unlocked(q, ERR_NONE);
}

enum err_code memory_counts(struct queue *base, struct queue_counts *ret, struct err *err)
{
    struct memory *q = locked(base);
    struct queue_counts c = {.messages = q->count};
    (void)err;
    for (size_t i = 0; i < q->count; i++) {
        const struct queue_message *m = &q->messages[i]->m;
        c.bytes += m->size;
        for (size_t k = 0; k < m->recipient_count; k++) {
            c.pending += m->recipients[k].state == QUEUE_PENDING;
            c.suspended += m->recipients[k].state == QUEUE_PENDING && m->recipients[k].suspended;
        }
    }
    *ret = c;
    return unlocked(q, ERR_NONE);
}

enum err_code memory_held(struct queue *base, struct arena *arena, struct span **ret, size_t *ret_count,
                          struct err *err)
{
    struct memory *q = locked(base);
    struct span *list = ARENA_ARRAY(arena, q->held_count, struct span);
    bool ok = list;
    for (size_t i = 0; ok && i < q->held_count; i++) {
        list[i] = arena_dup(arena, q->held[i]);
        ok = list[i].ptr;
    }
    if (!ok)
        return unlocked(q, queue_no_memory(err));
    *ret = list;
    *ret_count = q->held_count;
    return unlocked(q, ERR_NONE);
}

enum err_code memory_names_spool(struct queue *base, struct span name, bool *ret, struct err *err)
{
    struct memory *q = locked(base);
    bool found = false;
    (void)err;
    for (size_t i = 0; i < q->count && !found; i++)
        found = name.len && span_eq(q->messages[i]->m.spool, name);
    *ret = found;
    return unlocked(q, ERR_NONE);
}
