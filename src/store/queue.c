/*
 * queue.c: the queue port: what is the same behind every adapter: limits, refusals and their words, grouping.
 *
 * Invariant: an adapter never sees a unit that breaks a limit of queue.h, so the adapters cannot differ about them.
 */
#include "store/queue_adapter.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>

static struct span cut(struct span s, size_t max)
{
    size_t n = s.len < max ? s.len : max;
    while (n < s.len && n > 0 && max - n < 3 && (s.ptr[n] & 0xc0) == 0x80)
        n--; /* in the middle of a character: back to its start */
    return span_head(s, n);
}

struct span queue_subject(struct span s)
{
    return cut(s, QUEUE_SUBJECT_MAX);
}

struct span queue_error_text(struct span s)
{
    return cut(s, QUEUE_ERROR_MAX);
}

enum err_code queue_no_message(uint64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "the queue has no message %" PRIu64, id);
}

enum err_code queue_no_recipient(uint64_t id, uint32_t index, struct err *err)
{
    if (index == QUEUE_EVERY)
        return queue_no_message(id, err);
    return err_set(err, ERR_NOT_FOUND, "message %" PRIu64 " has no pending recipient %" PRIu32, id, index);
}

enum err_code queue_id_taken(uint64_t id, struct err *err)
{
    return err_set(err, ERR_EXISTS, "the queue has a message %" PRIu64 " already", id);
}

enum err_code queue_no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory in the queue");
}

/* ---- limits ---- */

static enum err_code check_text(const char *what, struct span s, size_t max, struct err *err)
{
    return s.len <= max ? ERR_NONE
                        : err_set(err, ERR_LIMIT, "the %s has %zu bytes, the queue takes %zu", what, s.len, max);
}

static enum err_code check_recipients(const struct queue_recipient *r, size_t count, struct err *err)
{
    enum err_code code = ERR_NONE;
    if (count >= QUEUE_EVERY)
        return err_set(err, ERR_LIMIT, "too many recipients");
    for (size_t i = 0; i < count && code == ERR_NONE; i++) {
        const struct {
            const char *what;
            struct span text;
        } texts[] = {{"recipient", r[i].address}, {"ORCPT", r[i].orcpt}, {"queue's name", r[i].queue_name}};
        for (size_t k = 0; k < ARRAY_LEN(texts) && code == ERR_NONE; k++)
            code = check_text(texts[k].what, texts[k].text, QUEUE_TEXT_MAX, err);
    }
    return code;
}

static enum err_code check_message(const struct queue_message *m, struct err *err)
{
    const struct {
        const char *what;
        struct span text;
        size_t max;
    } texts[] = {
        {"message id", m->message_id, QUEUE_TEXT_MAX},
        {"sender", m->sender, QUEUE_TEXT_MAX},
        {"source", m->source, QUEUE_TEXT_MAX},
        {"source address", m->source_ip, QUEUE_TEXT_MAX},
        {"user", m->user, QUEUE_TEXT_MAX},
        {"ENVID", m->envid, QUEUE_TEXT_MAX},
        {"AUTH", m->auth, QUEUE_TEXT_MAX},
        {"spool file's name", m->spool, QUEUE_SPOOL_MAX},
        {"inline body", m->body, QUEUE_INLINE_MAX},
    };
    enum err_code code = ERR_NONE;
    for (size_t k = 0; k < ARRAY_LEN(texts) && code == ERR_NONE; k++)
        code = check_text(texts[k].what, texts[k].text, texts[k].max, err);
    if (code != ERR_NONE)
        return code;
    if (m->recipient_count == 0)
        return err_set(err, ERR_INVALID, "a message needs a recipient");
    if (m->spool.len && m->body.len)
        return err_set(err, ERR_INVALID, "a message has an inline body or a spool file, not both");
    if (m->id > INT64_MAX || m->size > INT64_MAX)
        return err_set(err, ERR_LIMIT, "the message's id or size is above 2^63");
    return check_recipients(m->recipients, m->recipient_count, err);
}

static enum err_code check_op(const struct queue_op *op, struct err *err)
{
    bool every = false;
    enum err_code code = ERR_NONE;
    switch (op->kind) {
    case QUEUE_OP_ENQUEUE: return check_message(op->enqueue, err);
    case QUEUE_OP_RETRY: code = check_recipients(op->recipient, 1, err); break;
    case QUEUE_OP_DONE:
        if (op->recipient->state <= QUEUE_PENDING || op->recipient->state >= QUEUE_STATES)
            code = err_set(err, ERR_INVALID, "a recipient is done with a final state only");
        break;
    case QUEUE_OP_EXPAND: code = check_recipients(op->members, op->member_count, err); break;
    case QUEUE_OP_SUSPEND:
    case QUEUE_OP_RESUME:
    case QUEUE_OP_HASTEN:
    case QUEUE_OP_REMOVE: every = true; break;
    case QUEUE_OP_HOLD_QUEUE:
    case QUEUE_OP_FREE_QUEUE:
        return op->queue_name.len ? check_text("queue's name", op->queue_name, QUEUE_TEXT_MAX, err)
                                  : err_set(err, ERR_INVALID, "a queue has a name");
    }
    if (code != ERR_NONE)
        return code;
    if (op->message == 0 || op->message > INT64_MAX)
        return queue_no_message(op->message, err);
    return op->index == QUEUE_EVERY && !every ? queue_no_recipient(op->message, op->index, err) : ERR_NONE;
}

/* ---- the port ---- */

enum err_code queue_commit(struct queue *q, struct queue_unit *const *units, size_t count, struct buf *removed,
                           struct err *err)
{
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        struct queue_unit *u = units[i];
        u->result = ERR_NONE;
        for (size_t k = 0; k < u->op_count && u->result == ERR_NONE; k++)
            u->result = check_op(&u->ops[k], &u->err);
        good += u->result == ERR_NONE;
    }
    return good ? q->class->commit(q, units, count, removed, err) : ERR_NONE;
}

enum err_code queue_maintain(struct queue *q, bool idle, struct err *err)
{
    return q->class->maintain(q, idle, err);
}

uint64_t queue_reserve_id(struct queue *q)
{
    return q->class->reserve_id(q);
}

enum err_code queue_claim(struct queue *q, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                          struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err)
{
    return q->class->claim(q, now_ms, limit, lease_until_ms, arena, ret, ret_count, err);
}

enum err_code queue_next_due(struct queue *q, int64_t now_ms, int64_t *ret, struct err *err)
{
    return q->class->next_due(q, now_ms, ret, err);
}

void queue_lease(struct queue *q, const struct queue_key *keys, size_t count, int64_t until_ms)
{
    q->class->lease(q, keys, count, until_ms);
}

enum err_code queue_load(struct queue *q, uint64_t id, unsigned parts, struct arena *arena,
                         struct queue_message *ret, struct err *err)
{
    if (id == 0 || id > INT64_MAX)
        return queue_no_message(id, err);
    return q->class->load(q, id, parts, arena, ret, err);
}

enum err_code queue_list(struct queue *q, uint64_t after, size_t limit, struct arena *arena, struct queue_page *ret,
                         struct err *err)
{
    ASSERT(limit > 0);
    return q->class->list(q, after < INT64_MAX ? after : INT64_MAX, limit, arena, ret, err);
}

enum err_code queue_counts(struct queue *q, struct queue_counts *ret, struct err *err)
{
    return q->class->counts(q, ret, err);
}

enum err_code queue_waiting(struct queue *q, queue_waiting_fn *each, void *context, struct err *err)
{
    return q->class->waiting(q, each, context, err);
}

enum err_code queue_held(struct queue *q, struct arena *arena, struct span **ret, size_t *ret_count,
                         struct err *err)
{
    return q->class->held(q, arena, ret, ret_count, err);
}

enum err_code queue_names_spool(struct queue *q, struct span name, bool *ret, struct err *err)
{
    return q->class->names_spool(q, name, ret, err);
}

void queue_close(struct queue *q)
{
    if (q)
        q->class->close(q);
}

/* ---- grouping ---- */

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_message(const void *a, const void *b)
{
    const struct queue_claimed *x = a, *y = b;
    int c = compare(x->key.message, y->key.message);
    return c ? c : compare(x->order, y->order);
}

static int by_order(const void *a, const void *b)
{
    const struct queue_claimed *x = a, *y = b;
    int c = compare(x->order, y->order);
    return c ? c : compare(x->key.index, y->key.index);
}

size_t queue_group(struct queue_claimed *claimed, size_t count)
{
    size_t groups = 0;
    if (count == 0)
        return 0;
    qsort(claimed, count, sizeof *claimed, by_message);
    for (size_t i = 0; i < count; i++) {
        if (i && claimed[i].key.message == claimed[i - 1].key.message)
            claimed[i].order = claimed[i - 1].order; /* the group's place is its first one's */
        else
            groups++;
    }
    qsort(claimed, count, sizeof *claimed, by_order);
    return groups;
}
