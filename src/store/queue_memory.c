/*
 * queue_memory.c: the queue in memory, the reference for the other adapters.
 *
 * Invariants: messages stand by ascending id, each in an arena of its own. An op never changes a stored message: it
 * puts a changed copy in its place and keeps the old one until the unit has succeeded, so undoing a unit is putting
 * those back. That makes an op linear in the message's recipients: for tests, not for mail. One mutex guards
 * everything.
 */
#include "store/queue_memory.h"

#include "store/queue_memory_internal.h"

#include <stdlib.h>
#include <string.h>

/* What stood under an id before an op (NULL: nothing), or whether a queue was held. */
struct before {
    uint64_t id; /* 0: a queue */
    struct stored *message;
    struct span queue;
    bool held;
};

static void stored_free(struct stored *s)
{
    if (s)
        arena_clear(&s->arena);
    free(s);
}

/* ---- copies ---- */

static bool dup_text(struct arena *a, struct span *s)
{
    *s = arena_dup(a, *s);
    return s->ptr;
}

bool memory_dup_recipient(struct arena *a, struct queue_recipient *r)
{
    return dup_text(a, &r->address) && dup_text(a, &r->orcpt) && dup_text(a, &r->last_error) &&
           dup_text(a, &r->queue_name);
}

bool memory_dup_envelope(struct arena *a, struct queue_message *m)
{
    struct span *texts[] = {&m->message_id, &m->sender, &m->subject, &m->source, &m->source_ip,
                            &m->user,       &m->envid,  &m->auth,    &m->spool};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!dup_text(a, texts[i]))
            return false;
    return true;
}

/* A deep copy with room for more recipients. NULL: memory is out. */
static struct stored *stored_copy(const struct queue_message *from, size_t more)
{
    struct stored *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    arena_init(&s->arena, 0);
    s->m = *from;
    s->m.recipients = ARENA_ARRAY(&s->arena, from->recipient_count + more, struct queue_recipient);
    bool ok = s->m.recipients && memory_dup_envelope(&s->arena, &s->m) && dup_text(&s->arena, &s->m.body);
    for (size_t i = 0; ok && i < from->recipient_count; i++) {
        s->m.recipients[i] = from->recipients[i];
        ok = memory_dup_recipient(&s->arena, &s->m.recipients[i]);
    }
    if (!ok) {
        stored_free(s);
        return NULL;
    }
    return s;
}

/* ---- the table ---- */

size_t memory_place(const struct memory *q, uint64_t id)
{
    size_t low = 0, high = q->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->messages[middle]->m.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct stored *memory_find(const struct memory *q, uint64_t id)
{
    size_t i = memory_place(q, id);
    return i < q->count && q->messages[i]->m.id == id ? q->messages[i] : NULL;
}

/* Puts s (NULL: nothing) under the id and gives what stood there. There must be room. */
static struct stored *replace(struct memory *q, uint64_t id, struct stored *s)
{
    size_t i = memory_place(q, id);
    struct stored *old = i < q->count && q->messages[i]->m.id == id ? q->messages[i] : NULL;
    if (old && s) {
        q->messages[i] = s;
    } else if (old) {
        memmove(q->messages + i, q->messages + i + 1, (q->count - i - 1) * sizeof *q->messages);
        q->count--;
    } else if (s) {
        ASSERT(q->count < q->cap);
        memmove(q->messages + i + 1, q->messages + i, (q->count - i) * sizeof *q->messages);
        q->messages[i] = s;
        q->count++;
    }
    return old;
}

/* ---- writing ---- */

static void init_recipient(struct queue_recipient *r, size_t index)
{
    r->index = (uint32_t)index;
    r->state = QUEUE_PENDING;
    r->leased = false;
    r->last_error = queue_error_text(r->last_error);
}

static enum err_code enqueue(struct memory *q, struct queue_op *op, struct stored **ret, struct err *err)
{
    uint64_t id = op->enqueue->id ? op->enqueue->id : ++q->last_id;
    if (id > q->last_id)
        return err_set(err, ERR_INVALID, "the message's id was not reserved");
    if (memory_find(q, id))
        return queue_id_taken(id, err);
    struct queue_message m = *op->enqueue;
    m.id = op->message = id;
    m.subject = queue_subject(m.subject);
    if (!(*ret = stored_copy(&m, 0)))
        return queue_no_memory(err);
    for (size_t i = 0; i < m.recipient_count; i++)
        init_recipient(&(*ret)->m.recipients[i], i);
    return ERR_NONE;
}

static bool retry(struct stored *s, struct queue_recipient *r, const struct queue_recipient *values)
{
    r->attempts = values->attempts;
    r->next_attempt_ms = values->next_attempt_ms;
    r->delay_noticed = values->delay_noticed;
    r->last_error = queue_error_text(values->last_error);
    r->queue_name = values->queue_name;
    return dup_text(&s->arena, &r->last_error) && dup_text(&s->arena, &r->queue_name);
}

/* Changes one pending recipient of the copy. */
static bool change(struct stored *s, struct queue_recipient *r, const struct queue_op *op)
{
    switch (op->kind) {
    case QUEUE_OP_RETRY: return retry(s, r, op->recipient);
    case QUEUE_OP_DONE:
        r->state = op->recipient->state;
        r->last_error = queue_error_text(op->recipient->last_error);
        return dup_text(&s->arena, &r->last_error);
    case QUEUE_OP_EXPAND: r->state = QUEUE_EXPANDED; return true;
    case QUEUE_OP_SUSPEND: r->suspended = true; return true;
    case QUEUE_OP_RESUME:
        r->suspended = false;
        r->next_attempt_ms = op->when_ms ? op->when_ms : r->next_attempt_ms;
        return true;
    case QUEUE_OP_HASTEN: r->next_attempt_ms = op->when_ms; return true;
    case QUEUE_OP_REMOVE: r->state = QUEUE_REMOVED; return true;
    case QUEUE_OP_ENQUEUE:
    case QUEUE_OP_HOLD_QUEUE:
    case QUEUE_OP_FREE_QUEUE: break;
    }
    return false;
}

/* Holds a queue or frees it; *ret_was: what it was. False: memory is out. */
static bool set_held(struct memory *q, struct span name, bool held, bool *ret_was)
{
    size_t i = 0;
    while (i < q->held_count && span_cmp(q->held[i], name) < 0)
        i++;
    *ret_was = i < q->held_count && span_eq(q->held[i], name);
    if (*ret_was == held)
        return true;
    size_t behind = q->held_count - i;
    if (!held) {
        free((char *)(uintptr_t)q->held[i].ptr);
        memmove(q->held + i, q->held + i + 1, (behind - 1) * sizeof *q->held);
        q->held_count--;
        return true;
    }
    struct span *grown = realloc(q->held, (q->held_count + 1) * sizeof *grown);
    q->held = grown ? grown : q->held;
    char *copy = grown ? strndup(name.ptr, name.len) : NULL;
    if (!copy)
        return false;
    memmove(q->held + i + 1, q->held + i, behind * sizeof *q->held);
    q->held[i] = span_make(copy, name.len);
    q->held_count++;
    return true;
}

static bool add_members(struct stored *s, struct queue_op *op)
{
    op->ret_first = (uint32_t)s->m.recipient_count;
    for (size_t i = 0; i < op->member_count; i++) {
        struct queue_recipient *r = &s->m.recipients[s->m.recipient_count];
        *r = op->members[i];
        init_recipient(r, s->m.recipient_count++);
        if (!memory_dup_recipient(&s->arena, r))
            return false;
    }
    return true;
}

static bool is_meant(const struct queue_recipient *r, const struct queue_op *op)
{
    return r->state == QUEUE_PENDING && (op->index == QUEUE_EVERY || op->index == r->index) &&
           !(op->kind == QUEUE_OP_HASTEN && r->suspended);
}

/* What the op makes of its message: a changed copy. */
static enum err_code alter(struct memory *q, struct queue_op *op, struct stored **ret, struct err *err)
{
    const struct stored *old = memory_find(q, op->message);
    if (!old)
        return queue_no_message(op->message, err);
    bool adds = op->kind == QUEUE_OP_EXPAND;
    struct stored *s = stored_copy(&old->m, adds ? op->member_count : 0);
    bool ok = s, found = false;
    for (size_t i = 0; ok && i < s->m.recipient_count; i++) {
        struct queue_recipient *r = &s->m.recipients[i];
        if (is_meant(r, op)) {
            found = true;
            ok = change(s, r, op);
        }
    }
    if (ok && found && adds)
        ok = add_members(s, op);
    if (!ok || !found) {
        stored_free(s);
        return ok ? queue_no_recipient(op->message, op->index, err) : queue_no_memory(err);
    }
    *ret = s;
    return ERR_NONE;
}

static bool is_final(const struct queue_message *m)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].state == QUEUE_PENDING)
            return false;
    return true;
}

static enum err_code apply(struct memory *q, struct queue_op *op, struct buf *removed, struct before *before,
                           struct err *err)
{
    struct stored *s = NULL;
    if (op->kind == QUEUE_OP_HOLD_QUEUE || op->kind == QUEUE_OP_FREE_QUEUE) {
        *before = (struct before){.queue = op->queue_name};
        bool ok = set_held(q, op->queue_name, op->kind == QUEUE_OP_HOLD_QUEUE, &before->held);
        return ok ? ERR_NONE : queue_no_memory(err);
    }
    enum err_code code = op->kind == QUEUE_OP_ENQUEUE ? enqueue(q, op, &s, err) : alter(q, op, &s, err);
    if (code != ERR_NONE)
        return code;
    if (is_final(&s->m)) {
        if (s->m.spool.len) {
            buf_add(removed, s->m.spool);
            buf_add_char(removed, '\0');
        }
        stored_free(s);
        s = NULL;
    }
    *before = (struct before){.id = op->message, .message = replace(q, op->message, s)};
    return ERR_NONE;
}

static void take_back(struct memory *q, const struct before *b)
{
    bool was;
    if (b->id)
        stored_free(replace(q, b->id, b->message));
    else
        ASSERT(set_held(q, b->queue, b->held, &was)); /* holding it again finds the room that it had */
}

/* Room for everything that a unit may need, so that nothing fails once it is written. */
static struct before *reserve(struct memory *q, const struct queue_unit *u)
{
    size_t leases = 0;
    for (size_t i = 0; i < u->op_count; i++)
        leases += u->ops[i].kind == QUEUE_OP_ENQUEUE ? u->ops[i].enqueue->recipient_count : u->ops[i].member_count;
    if (q->count + u->op_count > q->cap) {
        size_t cap = 2 * (q->count + u->op_count);
        struct stored **grown = realloc(q->messages, cap * sizeof *grown);
        if (!grown)
            return NULL;
        q->messages = grown;
        q->cap = cap;
    }
    return lease_reserve(&q->leases, leases) ? calloc(u->op_count + 1, sizeof(struct before)) : NULL;
}

static enum err_code commit_unit(struct memory *q, struct queue_unit *u, struct buf *removed)
{
    struct before *before = reserve(q, u);
    size_t done = 0, names = removed->len;
    enum err_code code = before ? ERR_NONE : queue_no_memory(&u->err);
    for (; code == ERR_NONE && done < u->op_count; done += code == ERR_NONE)
        code = apply(q, &u->ops[done], removed, &before[done], &u->err);
    if (code != ERR_NONE) {
        removed->len = names;
        while (done-- > 0)
            take_back(q, &before[done]);
    } else {
        for (size_t i = 0; i < u->op_count; i++) {
            stored_free(before[i].message);
            bool room = lease_prepare(&q->leases, &u->ops[i]);
            ASSERT(room); /* reserved above */
            lease_settle(&q->leases, &u->ops[i]);
        }
    }
    free(before);
    return code;
}

static enum err_code memory_commit(struct queue *base, struct queue_unit *const *units, size_t count,
                                   struct buf *removed, struct err *err)
{
    struct memory *q = (struct memory *)base;
    (void)err; /* there is no transaction that could fail as a whole */
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < count; i++)
        if (units[i]->result == ERR_NONE)
            units[i]->result = commit_unit(q, units[i], removed);
    pthread_mutex_unlock(&q->mutex);
    return ERR_NONE;
}

static enum err_code memory_maintain(struct queue *base, bool idle, struct err *err)
{
    (void)base, (void)idle, (void)err;
    return ERR_NONE;
}

static uint64_t memory_reserve_id(struct queue *base)
{
    struct memory *q = (struct memory *)base;
    pthread_mutex_lock(&q->mutex);
    uint64_t id = ++q->last_id;
    pthread_mutex_unlock(&q->mutex);
    return id;
}

static void memory_close(struct queue *base)
{
    struct memory *q = (struct memory *)base;
    for (size_t i = 0; i < q->count; i++)
        stored_free(q->messages[i]);
    for (size_t i = 0; i < q->held_count; i++)
        free((char *)(uintptr_t)q->held[i].ptr);
    free(q->held);
    free(q->messages);
    lease_done(&q->leases);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

static const struct queue_class memory_class = {
    .commit = memory_commit,
    .maintain = memory_maintain,
    .reserve_id = memory_reserve_id,
    .claim = memory_claim,
    .next_due = memory_next_due,
    .lease = memory_lease,
    .load = memory_load,
    .list = memory_list,
    .waiting = memory_waiting,
    .counts = memory_counts,
    .held = memory_held,
    .names_spool = memory_names_spool,
    .close = memory_close,
};

struct queue *queue_memory_new(void)
{
    struct memory *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->base.class = &memory_class;
    lease_init(&q->leases);
    if (pthread_mutex_init(&q->mutex, NULL)) {
        free(q);
        return NULL;
    }
    return &q->base;
}
