/*
 * test_model.c: see test_model.h. The model is plain data without a pointer: undoing a unit is assigning a copy
 * back.
 */
#include "store/test_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 24, RECIPIENTS = 12, OPS = 3, CLAIMS = MESSAGES * RECIPIENTS };

struct model_recipient {
    enum queue_state state;
    uint32_t attempts;
    int64_t next_ms, leased_until; /* 0: not leased */
    bool suspended;
};

struct model_message {
    uint64_t id; /* 0: free */
    size_t count;
    bool spooled;
    struct model_recipient r[RECIPIENTS];
};

struct model {
    struct model_message m[MESSAGES];
    size_t removed; /* spool files */
};

struct run {
    struct queue *q;
    struct span bytes;
    int64_t now_ms;
    struct model model;
    struct arena arena;
    struct buf removed;
    size_t removed_seen;
};

#define EXPECT(cond)                                                                                               \
    do {                                                                                                           \
        if (!(cond)) {                                                                                             \
            fprintf(stderr, "%s:%d: queue and model differ: %s\n", __FILE__, __LINE__, #cond);                     \
            abort();                                                                                               \
        }                                                                                                          \
    } while (0)

static unsigned next_byte(struct run *r)
{
    if (r->bytes.len == 0)
        return 0;
    unsigned b = (unsigned char)r->bytes.ptr[0];
    r->bytes = span_from(r->bytes, 1);
    return b;
}

static unsigned choose(struct run *r, unsigned below)
{
    return next_byte(r) % below;
}

static struct model_message *model_find(struct model *m, uint64_t id)
{
    for (size_t i = 0; id && i < MESSAGES; i++)
        if (m->m[i].id == id)
            return &m->m[i];
    return NULL;
}

/* ---- what the model makes of an op ---- */

static void model_add(struct model_message *m, const struct queue_recipient *r, size_t count, int64_t lease)
{
    for (size_t i = 0; i < count; i++)
        m->r[m->count++] = (struct model_recipient){.attempts = r[i].attempts,
                                                    .next_ms = r[i].next_attempt_ms,
                                                    .suspended = r[i].suspended,
                                                    .leased_until = lease};
}

static void model_change(struct model_message *m, struct model_recipient *r, const struct queue_op *op)
{
    int64_t lease = r->leased_until;
    if (op->index != QUEUE_EVERY)
        r->leased_until = 0;
    switch (op->kind) {
    case QUEUE_OP_RETRY:
        r->attempts = op->recipient->attempts;
        r->next_ms = op->recipient->next_attempt_ms;
        break;
    case QUEUE_OP_DONE: r->state = op->recipient->state; break;
    case QUEUE_OP_EXPAND:
        r->state = QUEUE_EXPANDED;
        model_add(m, op->members, op->member_count, op->lease_until_ms);
        break;
    case QUEUE_OP_REMOVE: r->state = QUEUE_REMOVED; break;
    case QUEUE_OP_HASTEN:
        r->next_ms = op->when_ms;
        r->leased_until = lease;
        break;
    case QUEUE_OP_SUSPEND:
    case QUEUE_OP_RESUME:
        r->suspended = op->kind == QUEUE_OP_SUSPEND;
        r->next_ms = op->kind == QUEUE_OP_RESUME && op->when_ms ? op->when_ms : r->next_ms;
        r->leased_until = lease;
        break;
    case QUEUE_OP_ENQUEUE:
    case QUEUE_OP_HOLD_QUEUE:
    case QUEUE_OP_FREE_QUEUE: break;
    }
}

static enum err_code model_apply(struct model *model, const struct queue_op *op)
{
    bool enqueue = op->kind == QUEUE_OP_ENQUEUE, found = false, pending = false;
    struct model_message *m = model_find(model, op->message);
    if (enqueue) {
        for (m = model->m; m->id; m++)
            ;
        *m = (struct model_message){.id = op->message, .spooled = op->enqueue->spool.len};
        model_add(m, op->enqueue->recipients, op->enqueue->recipient_count, op->lease_until_ms);
        return ERR_NONE;
    }
    for (size_t i = 0, n = m ? m->count : 0; i < n; i++)
        if (m->r[i].state == QUEUE_PENDING && (op->index == QUEUE_EVERY || op->index == i) &&
            !(op->kind == QUEUE_OP_HASTEN && m->r[i].suspended)) {
            found = true;
            model_change(m, &m->r[i], op);
        }
    for (size_t i = 0; found && i < m->count; i++)
        pending = pending || m->r[i].state == QUEUE_PENDING;
    if (found && !pending) {
        model->removed += m->spooled;
        m->id = 0;
    }
    return found ? ERR_NONE : ERR_NOT_FOUND;
}

/* ---- writing ---- */

struct op_memory {
    struct queue_message message;
    struct queue_recipient r[4];
};

/* Fills an op from the bytes, valid or not; false when the model has no room for it. */
static bool make_op(struct run *r, struct queue_op *op, struct op_memory *memory, size_t planned)
{
    static const struct span address = SPAN_INIT("a@example.com"), spool = SPAN_INIT("00/0000000000000000");
    struct model_message *m = &r->model.m[choose(r, MESSAGES)];
    size_t used = 0, n = 1 + choose(r, 4);
    *op = (struct queue_op){
        .kind = choose(r, QUEUE_OP_REMOVE + 1), .message = m->id ? m->id : 77, .index = choose(r, 5)};
    for (size_t i = 0; i < MESSAGES; i++)
        used += r->model.m[i].id != 0;
    for (size_t i = 0; i < n; i++)
        memory->r[i] = (struct queue_recipient){.address = address,
                                                .state = QUEUE_DELIVERED + choose(r, 4),
                                                .attempts = choose(r, 9),
                                                .suspended = choose(r, 8) == 0,
                                                .next_attempt_ms = r->now_ms + (int64_t)choose(r, 64) - 20};
    op->recipient = op->members = memory->r;
    op->lease_until_ms = choose(r, 3) ? 0 : r->now_ms + 1 + choose(r, 50);
    op->when_ms = choose(r, 2) ? r->now_ms + choose(r, 30) : 0;
    if (op->kind == QUEUE_OP_ENQUEUE) {
        memory->message = (struct queue_message){.recipients = memory->r, .recipient_count = n};
        memory->message.spool = choose(r, 2) ? spool : SPAN("");
        op->enqueue = &memory->message;
        return used + planned < MESSAGES;
    }
    if (op->kind == QUEUE_OP_EXPAND)
        op->member_count = n - 1; /* none, too */
    if (op->kind >= QUEUE_OP_SUSPEND && op->index == 4)
        op->index = QUEUE_EVERY;
    return op->kind != QUEUE_OP_EXPAND || m->count + (planned + 1) * 4 <= RECIPIENTS;
}

static void write_unit(struct run *r)
{
    struct queue_op ops[OPS];
    struct op_memory memory[OPS];
    size_t n = 1 + choose(r, OPS);
    for (size_t i = 0; i < n; i++)
        if (!make_op(r, &ops[i], &memory[i], i))
            return;
    struct queue_unit unit = {.ops = ops, .op_count = n}, *list[] = {&unit};
    struct err err = {0};
    struct model before = r->model;
    enum err_code want = ERR_NONE;
    EXPECT(queue_commit(r->q, list, 1, &r->removed, &err) == ERR_NONE);
    for (size_t i = 0; i < n && want == ERR_NONE; i++)
        want = model_apply(&r->model, &ops[i]);
    EXPECT(unit.result == want);
    if (want != ERR_NONE)
        r->model = before;
    EXPECT(!r->removed.failed && r->removed.len == r->model.removed * (sizeof "00/0000000000000000"));
    EXPECT(queue_maintain(r->q, choose(r, 2), &err) == ERR_NONE);
}

/* ---- claiming ---- */

struct model_key {
    uint64_t id;
    size_t index;
    int64_t at_ms;
};

static int by_time(const void *a, const void *b)
{
    const struct model_key *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* What can be claimed until a time, the most urgent first. Ends the leases that have run out. */
static size_t model_due(struct run *r, int64_t until_ms, struct model_key *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < MESSAGES; i++)
        for (size_t k = 0; r->model.m[i].id && k < r->model.m[i].count; k++) {
            struct model_recipient *x = &r->model.m[i].r[k];
            if (x->leased_until <= r->now_ms)
                x->leased_until = 0;
            if (x->state == QUEUE_PENDING && !x->suspended && !x->leased_until && x->next_ms <= until_ms)
                ret[n++] = (struct model_key){r->model.m[i].id, k, x->next_ms};
        }
    qsort(ret, n, sizeof *ret, by_time);
    return n;
}

static void claim(struct run *r)
{
    struct model_key due[CLAIMS];
    struct queue_message *m = NULL;
    struct err err = {0};
    size_t limit = choose(r, 20), count = 0, got = 0, want = model_due(r, r->now_ms, due);
    int64_t until = r->now_ms + 1 + choose(r, 60);
    want = want < limit ? want : limit;
    EXPECT(queue_claim(r->q, r->now_ms, limit, until, &r->arena, &m, &count, &err) == ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            EXPECT(m[k].id != m[i].id);
        for (size_t k = 0; k < m[i].recipient_count; k++, got++) {
            size_t at = 0;
            while (at < want && (due[at].id != m[i].id || due[at].index != m[i].recipients[k].index))
                at++;
            EXPECT(at < want && m[i].recipients[k].next_attempt_ms == due[at].at_ms);
            model_find(&r->model, m[i].id)->r[due[at].index].leased_until = until;
        }
    }
    EXPECT(got == want && (count == 0 || m[0].id == due[0].id));
}

static void check_next_due(struct run *r)
{
    struct model_key due[CLAIMS];
    struct err err = {0};
    int64_t got = 0, want = model_due(r, INT64_MAX, due) ? due[0].at_ms : INT64_MAX;
    for (size_t i = 0; i < MESSAGES; i++)
        for (size_t k = 0; r->model.m[i].id && k < r->model.m[i].count; k++)
            if (r->model.m[i].r[k].leased_until && r->model.m[i].r[k].leased_until < want)
                want = r->model.m[i].r[k].leased_until;
    EXPECT(queue_next_due(r->q, r->now_ms, &got, &err) == ERR_NONE);
    EXPECT(got == want || (got < want && got > r->now_ms)); /* early is allowed, the past is not: it would spin */
}

static void lease(struct run *r)
{
    struct model_message *m = &r->model.m[choose(r, MESSAGES)];
    struct queue_key key = {m->id ? m->id : 99, choose(r, 5)};
    int64_t until = choose(r, 2) ? r->now_ms + 1 + choose(r, 90) : 0;
    queue_lease(r->q, &key, 1, until);
    if (m->id && key.index < m->count && m->r[key.index].leased_until)
        m->r[key.index].leased_until = until;
}

/* ---- the whole ---- */

static void check_recipient(const struct queue_recipient *got, const struct model_recipient *want)
{
    EXPECT(got->state == want->state && got->attempts == want->attempts && got->next_attempt_ms == want->next_ms &&
           got->suspended == want->suspended);
    EXPECT(want->state != QUEUE_PENDING || got->leased == (want->leased_until != 0));
}

static void check_all(struct run *r)
{
    struct queue_page page = {.more = true};
    struct queue_counts counts = {0};
    struct err err = {0};
    size_t seen = 0, pending = 0, limit = 1 + choose(r, 9);
    for (uint64_t after = 0; page.more; after = page.count ? page.messages[page.count - 1].id : after) {
        EXPECT(queue_list(r->q, after, limit, &r->arena, &page, &err) == ERR_NONE && page.count <= limit);
        for (size_t i = 0; i < page.count; i++, seen++) {
            const struct queue_message *got = &page.messages[i];
            const struct model_message *want = model_find(&r->model, got->id);
            EXPECT(got->id > after && want && got->recipient_count == want->count);
            for (size_t k = 0; k < want->count; k++) {
                EXPECT(got->recipients[k].index == k);
                check_recipient(&got->recipients[k], &want->r[k]);
                pending += want->r[k].state == QUEUE_PENDING;
            }
        }
    }
    size_t messages = 0;
    for (size_t i = 0; i < MESSAGES; i++)
        messages += r->model.m[i].id != 0;
    EXPECT(queue_counts(r->q, &counts, &err) == ERR_NONE);
    EXPECT(seen == messages && counts.messages == messages && counts.pending == pending);
}

void model_run(struct queue *q, const uint8_t *bytes, size_t size)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        abort();
    r->q = q;
    r->bytes = span_make(bytes, size);
    r->now_ms = 1000;
    arena_init(&r->arena, 0);
    buf_init(&r->removed, 1 << 20);
    while (r->bytes.len) {
        switch (choose(r, 8)) {
        case 0: r->now_ms += choose(r, 40); break;
        case 1: claim(r); break;
        case 2: check_next_due(r); break;
        case 3: lease(r); break;
        case 4: check_all(r); break;
        default: write_unit(r); break;
        }
        arena_reset(&r->arena);
    }
    check_all(r);
    buf_done(&r->removed);
    arena_clear(&r->arena);
    free(r);
}
