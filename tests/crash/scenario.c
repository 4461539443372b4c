/*
 * scenario.c: see scenario.h.
 *
 * A batch is made of drawn units; they stay in one place (struct batch) from which they can be applied to the model
 * after the queue has answered, or after a reopening has shown that they are there.
 */
#include "scenario.h"

#include "base/keyed_hash.h"
#include "check.h"
#include "store/queue_memory.h"
#include "store/queue_sqlite.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    UNITS_MAX = 4,
    RECIPIENTS_MAX = 3,
    LIVE_MAX = 24,
    BODY_MAX = 20000,
    DUMP_MAX = 4 << 20,
    MAINTAIN_EVERY = 5,
    SPOOLED_EVERY = 3,
};

struct live {
    uint64_t id;
    uint32_t recipients; /* indexes that were ever given */
};

struct unit {
    struct queue_unit unit;
    struct queue_op op;
    struct queue_message message;
    struct queue_recipient recipients[RECIPIENTS_MAX];
    char body[BODY_MAX], spool[SPOOL_NAME_MAX];
    bool lost; /* its body could not be published: it is not committed */
};

static struct batch {
    struct unit units[UNITS_MAX];
    struct queue_unit *list[UNITS_MAX];
    size_t count; /* of list */
    bool unknown; /* nobody knows whether it was written */
} batch;

static enum err_code open_sqlite(const char *folder, struct queue **ret, struct err *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/queue.db", folder);
    return queue_sqlite_open(path, ret, err);
}

const struct crash_adapter crash_adapters[] = {{"sqlite", open_sqlite}};
const size_t crash_adapter_count = ARRAY_LEN(crash_adapters);

/* ---- what a queue holds ---- */

static struct span body_of(struct draw *d, char out[static BODY_MAX])
{
    size_t n = 1 + draw(d, draw(d, 4) ? 600 : BODY_MAX - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)draw(d, 256);
    return span_make(out, n);
}

static uint64_t hash(struct span s)
{
    return keyed_hash((struct hash_key){1, 2}, s);
}

/* The hash of a spooled body, read from its file. */
static uint64_t hash_spooled(const struct spool *spool, struct span name)
{
    static char bytes[BODY_MAX + 1];
    struct err err = {0};
    int fd;
    CHECK_INT(err.text, spool_open_read(spool, name, &fd, &err), ERR_NONE);
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(n >= 0);
    return hash(span_make(bytes, (size_t)n));
}

/*
 * A spooled message carries the hash of its body in its subject, so that the model, which has no spool, says what
 * the file must hold.
 */
static void dump_message(struct buf *out, struct queue *q, const struct spool *spool, uint64_t id)
{
    struct arena arena;
    struct queue_message m;
    struct err err = {0};
    char found[40];
    arena_init(&arena, 0);
    CHECK_INT(err.text, queue_load(q, id, QUEUE_BODY | QUEUE_RECIPIENTS, &arena, &m, &err), ERR_NONE);
    snprintf(found, sizeof found, "%016llx",
             (unsigned long long)(m.spool.len ? spool ? hash_spooled(spool, m.spool) : 0 : hash(m.body)));
    if (spool || !m.spool.len)
        CHECK_SPAN("a body's hash", span_of(found), m.subject);
    buf_addf(out, "%llu from %.*s id %.*s size %llu flags %u body %.*s spool %.*s\n", (unsigned long long)m.id,
             SPAN_ARG(m.sender), SPAN_ARG(m.message_id), (unsigned long long)m.size, m.flags, SPAN_ARG(m.subject),
             SPAN_ARG(m.spool));
    for (size_t i = 0; i < m.recipient_count; i++) {
        const struct queue_recipient *r = &m.recipients[i];
        buf_addf(out, "  %u %.*s state %d attempts %u next %lld delayed %d suspended %d error %.*s\n", r->index,
                 SPAN_ARG(r->address), (int)r->state, r->attempts, (long long)r->next_attempt_ms, r->delay_noticed,
                 r->suspended, SPAN_ARG(r->last_error));
    }
    arena_clear(&arena);
}

struct buf scenario_dump(struct queue *q, const struct spool *spool)
{
    struct arena arena;
    struct queue_page page;
    struct span *held;
    size_t held_count = 0;
    struct err err = {0};
    struct buf out;
    arena_init(&arena, 0);
    buf_init(&out, DUMP_MAX);
    CHECK_INT(err.text, queue_list(q, 0, 10000, &arena, &page, &err), ERR_NONE);
    assert_false(page.more);
    CHECK_INT(err.text, queue_held(q, &arena, &held, &held_count, &err), ERR_NONE);
    for (size_t i = 0; i < held_count; i++)
        buf_addf(&out, "held %.*s\n", SPAN_ARG(held[i]));
    for (size_t i = 0; i < page.count; i++)
        dump_message(&out, q, spool, page.messages[i].id);
    assert_false(out.failed);
    arena_clear(&arena);
    return out;
}

struct buf scenario_model(struct scenario *s)
{
    return scenario_dump(s->model, NULL);
}

static enum err_code named(void *q, struct span name, bool *ret, struct err *err)
{
    return queue_names_spool(q, name, ret, err);
}

struct buf scenario_dump_folder(const struct crash_adapter *a, const char *folder, const char *row)
{
    struct queue *q = NULL;
    struct spool spool;
    struct err err = {0};
    size_t removed;
    if (a->open(folder, &q, &err) != ERR_NONE || spool_open(folder, &spool, &err) != ERR_NONE ||
        spool_sweep(&spool, named, q, &removed, &err) != ERR_NONE) {
        print_error("row `%s`: %s\n", row, err.text);
        fail();
    }
    struct buf out = scenario_dump(q, &spool);
    CHECK_INT(row, spool_sweep(&spool, named, q, &removed, &err), ERR_NONE);
    CHECK_INT(row, removed, 0);
    spool_close(&spool);
    queue_close(q);
    return out;
}

/* ---- a batch ---- */

static bool make_spooled(struct scenario *s, struct unit *u, struct span body)
{
    struct err err;
    int fd;
    if (spool_create(&s->spool, u->message.id, &fd, &err) != ERR_NONE)
        return false;
    bool written = write(fd, body.ptr, body.len) == (ssize_t)body.len;
    if (written && spool_publish(&s->spool, fd, u->message.id, u->spool, &err) == ERR_NONE) {
        close(fd);
        u->message.spool = span_of(u->spool);
        return true;
    }
    spool_discard(&s->spool, fd, u->message.id);
    return false;
}

static void make_recipients(struct draw *d, struct unit *u, size_t *ret_count)
{
    static const char *const addresses[] = {"a@example.com", "b@partner.test", "c@far.example"};
    *ret_count = 1 + draw(d, RECIPIENTS_MAX);
    for (size_t i = 0; i < *ret_count; i++)
        u->recipients[i] = (struct queue_recipient){.address = span_of(addresses[i]),
                                                    .notify = (uint32_t)draw(d, 4),
                                                    .next_attempt_ms = (int64_t)draw(d, 99)};
}

static void draw_enqueue(struct scenario *s, struct unit *u)
{
    static char subjects[UNITS_MAX][40];
    char *subject = subjects[u - batch.units];
    size_t count;
    uint64_t id = ++s->last_id;
    while (queue_reserve_id(s->queue) < id)
        ;
    while (queue_reserve_id(s->model) < id)
        ;
    struct span body = body_of(&s->draw, u->body);
    snprintf(subject, sizeof subjects[0], "%016llx", (unsigned long long)hash(body));
    make_recipients(&s->draw, u, &count);
    u->message = (struct queue_message){.id = id,
                                        .message_id = SPAN("<m@example.com>"),
                                        .sender = SPAN("s@example.com"),
                                        .size = body.len,
                                        .subject = span_of(subject),
                                        .recipients = u->recipients,
                                        .recipient_count = count};
    if (draw(&s->draw, SPOOLED_EVERY))
        u->message.body = body;
    else
        u->lost = !make_spooled(s, u, body);
    u->op = (struct queue_op){.kind = QUEUE_OP_ENQUEUE, .enqueue = &u->message};
}

/* Something that happens to a message: also to a recipient that is final, which both sides must refuse. */
static void draw_change(struct scenario *s, struct unit *u)
{
    static const enum queue_op_kind kinds[] = {QUEUE_OP_DONE,   QUEUE_OP_DONE,   QUEUE_OP_DONE,
                                               QUEUE_OP_RETRY,  QUEUE_OP_EXPAND, QUEUE_OP_SUSPEND,
                                               QUEUE_OP_RESUME, QUEUE_OP_HASTEN, QUEUE_OP_REMOVE};
    static const char *const queues[] = {"mx:a.test", "mx:b.test", "smtp:out"};
    const struct live *l = &s->live[draw(&s->draw, s->live_count)];
    size_t count;
    if (draw(&s->draw, 8) == 0) {
        u->op = (struct queue_op){.kind = draw(&s->draw, 2) ? QUEUE_OP_HOLD_QUEUE : QUEUE_OP_FREE_QUEUE,
                                  .queue_name = span_of(queues[draw(&s->draw, ARRAY_LEN(queues))])};
        return;
    }
    make_recipients(&s->draw, u, &count);
    u->op = (struct queue_op){.kind = kinds[draw(&s->draw, ARRAY_LEN(kinds))],
                              .message = l->id,
                              .index = (uint32_t)draw(&s->draw, l->recipients),
                              .recipient = u->recipients,
                              .when_ms = (int64_t)draw(&s->draw, 3)};
    u->recipients[0].state = draw(&s->draw, 3) ? QUEUE_DELIVERED : QUEUE_FAILED;
    u->recipients[0].attempts = (uint32_t)draw(&s->draw, 9);
    u->recipients[0].last_error = draw(&s->draw, 2) ? SPAN("451 4.4.1 no answer") : SPAN("550 5.1.1 nobody");
    if (u->op.kind == QUEUE_OP_EXPAND) {
        u->op.members = u->recipients;
        u->op.member_count = count;
    }
    if (u->op.kind == QUEUE_OP_REMOVE || u->op.kind == QUEUE_OP_SUSPEND)
        u->op.index = draw(&s->draw, 2) ? QUEUE_EVERY : u->op.index;
}

static void draw_batch(struct scenario *s)
{
    batch.count = 0;
    batch.unknown = false;
    size_t wanted = 1 + draw(&s->draw, UNITS_MAX);
    for (size_t i = 0; i < wanted; i++) {
        struct unit *u = &batch.units[i];
        u->lost = false;
        bool enqueues = s->live_count == 0 || (s->live_count + wanted < LIVE_MAX && draw(&s->draw, 2));
        if (enqueues)
            draw_enqueue(s, u);
        else
            draw_change(s, u);
        u->unit = (struct queue_unit){.ops = &u->op, .op_count = 1};
        if (!u->lost)
            batch.list[batch.count++] = &u->unit;
        s->refused += u->lost;
    }
}

static bool is_own_refusal(enum err_code code)
{
    return code == ERR_NOT_FOUND || code == ERR_EXISTS || code == ERR_INVALID || code == ERR_LIMIT;
}

/* What is live now, as the model says. */
static void follow_model(struct scenario *s)
{
    struct arena arena;
    struct queue_page page;
    struct err err = {0};
    arena_init(&arena, 0);
    CHECK_INT(err.text, queue_list(s->model, 0, 10000, &arena, &page, &err), ERR_NONE);
    assert_in_range(page.count, 0, LIVE_MAX);
    s->live_count = page.count;
    for (size_t i = 0; i < page.count; i++)
        s->live[i] = (struct live){page.messages[i].id, (uint32_t)page.messages[i].recipient_count};
    arena_clear(&arena);
}

/* The model does what the queue acknowledged, and refuses what the queue refused for the unit's own sake. */
static void apply_to_model(struct scenario *s, const enum err_code answers[static UNITS_MAX])
{
    struct queue_unit *list[UNITS_MAX];
    struct buf removed;
    size_t n = 0;
    struct err err;
    buf_init(&removed, DUMP_MAX);
    for (size_t i = 0; i < batch.count; i++)
        if (answers[i] == ERR_NONE || is_own_refusal(answers[i])) {
            batch.list[i]->result = ERR_NONE;
            list[n++] = batch.list[i];
        }
    queue_commit(s->model, list, n, &removed, &err);
    for (size_t i = 0; i < batch.count; i++)
        CHECK_INT("the model's answer", batch.list[i]->result, answers[i]);
    buf_done(&removed);
    follow_model(s);
}

static void remove_spooled(struct scenario *s, const struct buf *removed)
{
    struct err err;
    for (size_t at = 0; at < removed->len; at += strlen(removed->ptr + at) + 1)
        spool_remove(&s->spool, span_of(removed->ptr + at), &err); /* what stays is swept at the next start */
}

/* ---- steps ---- */

static bool commit_batch(struct scenario *s)
{
    enum err_code answers[UNITS_MAX];
    struct buf removed;
    struct err err = {0};
    bool again = false;
    enum err_code whole = ERR_NONE;
    buf_init(&removed, DUMP_MAX);
    draw_batch(s);
    if (batch.count)
        whole = queue_commit(s->queue, batch.list, batch.count, &removed, &err);
    for (size_t i = 0; i < batch.count; i++) {
        answers[i] = batch.list[i]->result;
        batch.unknown = batch.unknown || answers[i] == ERR_UNKNOWN;
        again = again || answers[i] == ERR_UNKNOWN || answers[i] == ERR_UNAVAILABLE;
        s->acknowledged += answers[i] == ERR_NONE;
        s->refused += answers[i] != ERR_NONE && !is_own_refusal(answers[i]);
    }
    if (batch.count && whole == ERR_NONE)
        apply_to_model(s, answers);
    remove_spooled(s, &removed);
    buf_done(&removed);
    return !again;
}

bool scenario_step(struct scenario *s)
{
    struct err err;
    if (draw(&s->draw, MAINTAIN_EVERY))
        return commit_batch(s);
    queue_maintain(s->queue, draw(&s->draw, 2), &err); /* a failure harms nothing */
    return true;
}

void scenario_start(struct scenario *s, const struct crash_adapter *a, const char *folder, uint64_t seed)
{
    struct err err = {0};
    *s = (struct scenario){.adapter = a, .folder = folder, .draw = {seed * 2 + 1}, .spool = {.folder_fd = -1}};
    s->live = calloc(LIVE_MAX, sizeof *s->live);
    s->model = queue_memory_new();
    assert_true(s->live && s->model);
    CHECK_INT(err.text, spool_open(folder, &s->spool, &err), ERR_NONE);
    if (a->open(folder, &s->queue, &err) != ERR_NONE)
        s->queue = NULL;
}

void scenario_end(struct scenario *s)
{
    queue_close(s->queue);
    queue_close(s->model);
    spool_close(&s->spool);
    free(s->live);
}

/* The batch of unknown outcome is applied to a model that had not seen it. */
static void apply_unknown(struct scenario *s)
{
    enum err_code answers[UNITS_MAX];
    for (size_t i = 0; i < batch.count; i++)
        answers[i] = batch.list[i]->result == ERR_UNKNOWN ? ERR_NONE : batch.list[i]->result;
    apply_to_model(s, answers);
}

void scenario_reopen(struct scenario *s, const char *row)
{
    struct err err = {0};
    queue_close(s->queue);
    s->queue = NULL;
    struct buf real = scenario_dump_folder(s->adapter, s->folder, row), model = scenario_model(s);
    if (batch.unknown && !span_eq(buf_span(&real), buf_span(&model))) {
        apply_unknown(s);
        buf_done(&model);
        model = scenario_model(s);
    }
    batch.unknown = false;
    CHECK_SPAN(row, buf_span(&real), buf_span(&model));
    buf_done(&real);
    buf_done(&model);
    CHECK_INT(err.text, s->adapter->open(s->folder, &s->queue, &err), ERR_NONE);
}
