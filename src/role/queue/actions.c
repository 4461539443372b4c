/*
 * actions.c: QUEUE_CHANGE: an administrator suspends, resumes, retries and removes.
 *
 * Invariants: an answer comes when the change is durable and has reached what is in hand. What is in hand is marked
 * (enum withdrawal) and let go of where it waits; what is being sent or written ends by itself, and outcome.c heeds
 * the mark. Group commit writes and answers in order, which the steps of a removal rest on:
 *
 *   1. the messages are suspended: nothing of them is claimed any more
 *   2. what is in hand of them is marked and let go of
 *   3. they are suspended again, which is answered behind all that was on its way to the store at 2
 *   4. what lies in the store and in nobody's hand is recorded as removed, with the report that is asked for
 *   5. once more, behind that
 *
 * To suspend takes 1 to 3. A message that ended meanwhile is not found, which refuses its unit alone.
 */
#include "base/cursor.h"
#include "role/queue/changes.h"
#include "role/queue/poison.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "store/queue_action.h"

#include <stdlib.h>

enum { LOAD_ARENA_MAX = 64 << 20 };

struct action {
    struct transport *transport;
    struct role_asker asker;
    enum queue_action what;
    char name[QUEUE_TEXT_MAX + 1];
    uint64_t *ids; /* sorted; those that the first step found */
    size_t count, found;
    size_t open;                    /* changes not answered */
    void (*next)(struct action *a); /* when none is open */
};

static void answer(struct action *a, enum err_code code, const char *text)
{
    struct buf b;
    buf_init(&b, sizeof(struct err) + 64);
    put_u8(&b, (uint8_t)code);
    put_bytes(&b, span_of(text));
    role_answer(&a->asker, buf_span(&b), SPAN(""), NULL, 0);
    buf_done(&b);
    free(a->ids);
    free(a);
}

static void succeed(struct action *a)
{
    answer(a, ERR_NONE, "");
}

/* ---- messages ---- */

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void on_written(struct change *c)
{
    struct action *a = c->context;
    if (!c->unit.unit.result)
        a->ids[a->found++] = c->unit.unit.ops[0].message; /* never ahead of what was answered */
    change_free(c);
    if (--a->open == 0) {
        a->count = a->found;
        qsort(a->ids, a->count, sizeof *a->ids, compare_ids);
        a->next(a);
    }
}

/* Writes the op for each message; those that are found stay in a->ids. */
static void write_each(struct action *a, enum queue_op_kind kind, void (*next)(struct action *a))
{
    a->next = next;
    a->found = 0;
    a->open = a->count;
    if (a->count == 0) {
        next(a); /* which may be its end */
        return;
    }
    for (size_t i = 0, n = a->open; i < n; i++) {
        struct change *c = change_new(a->transport, 1, on_written, a);
        ASSERT(c);
        struct queue_op *op = change_op(c, kind);
        op->message = a->ids[i];
        op->index = QUEUE_EVERY;
        op->when_ms = kind == QUEUE_OP_RESUME ? clock_wall_ms() : 0;
        change_insist(c);
    }
}

static bool is_meant(const struct action *a, const struct mail *m)
{
    return bsearch(&m->envelope.id, a->ids, a->count, sizeof *a->ids, compare_ids) != NULL;
}

/* A removal that waits for the end of an attempt stays one. */
static void mark(struct action *a, enum withdrawal as)
{
    for (struct mail *m = a->transport->mails; m; m = m->next)
        if (is_meant(a, m) && m->withdrawal < as)
            m->withdrawal = as;
}

static void unmark_suspended(struct action *a)
{
    for (struct mail *m = a->transport->mails; m; m = m->next)
        if (is_meant(a, m) && m->withdrawal == WITHDRAWN_SUSPENDED)
            m->withdrawal = WITHDRAWN_NOT;
}

/* The recipients that wait in the store alone, as a mail in hand; NULL: there are none. */
static struct mail *take(struct transport *t, struct queue_message *stored)
{
    size_t n = 0;
    for (size_t i = 0; i < stored->recipient_count; i++)
        if (stored->recipients[i].state == QUEUE_PENDING && !stored->recipients[i].leased)
            stored->recipients[n++] = stored->recipients[i];
    stored->recipient_count = n;
    struct mail *m = n ? mail_new(t, stored, SPAN("")) : NULL;
    ASSERT(!n || m);
    if (m)
        mail_hold(m);
    return m;
}

static void remove_stored(struct action *a, uint64_t id, enum withdrawal as)
{
    struct queue_message stored;
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, LOAD_ARENA_MAX);
    enum err_code code = queue_load(a->transport->store, id, QUEUE_RECIPIENTS, &arena, &stored, &err);
    struct mail *m = code ? NULL : take(a->transport, &stored);
    arena_clear(&arena);
    if (code && code != ERR_NOT_FOUND)
        log_text(LOG_ERROR, "queue-read-failed", "%s; message %llu stays suspended", err.text,
                 (unsigned long long)id);
    if (!m)
        return;
    struct verdict *list = NULL;
    m->withdrawal = as;
    for (size_t i = m->envelope.recipient_count; i-- > 0;) {
        struct verdict *v = ARENA_NEW(&m->arena, struct verdict);
        ASSERT(v);
        *v = (struct verdict){.recipient = &m->recipients[i], .kind = VERDICT_POSTPONED, .next = list};
        list = v;
    }
    outcomes_record(m, list);
}

static enum withdrawal removal_of(const struct action *a)
{
    return a->what == QUEUE_ACTION_REMOVE_REPORTED ? WITHDRAWN_REPORTED : WITHDRAWN_REMOVED;
}

static void remove_what_is_left(struct action *a)
{
    for (size_t i = 0; i < a->count; i++)
        remove_stored(a, a->ids[i], removal_of(a));
    write_each(a, QUEUE_OP_SUSPEND, succeed);
}

static void remove_messages(struct action *a)
{
    mark(a, removal_of(a));
    destinations_withdraw(a->transport);
    write_each(a, QUEUE_OP_SUSPEND, remove_what_is_left);
}

static void suspend_messages(struct action *a)
{
    mark(a, WITHDRAWN_SUSPENDED);
    destinations_withdraw(a->transport);
    write_each(a, QUEUE_OP_SUSPEND, succeed);
}

static void resume_messages(struct action *a)
{
    unmark_suspended(a);
    for (size_t i = 0; i < a->count; i++)
        poison_acquit(a->transport, a->ids[i]);
    claims_wake(a->transport);
    succeed(a);
}

static void start_messages(struct action *a)
{
    qsort(a->ids, a->count, sizeof *a->ids, compare_ids);
    if (a->what == QUEUE_ACTION_RESUME_MESSAGES)
        write_each(a, QUEUE_OP_RESUME, resume_messages);
    else
        write_each(a, QUEUE_OP_SUSPEND,
                   a->what == QUEUE_ACTION_SUSPEND_MESSAGES ? suspend_messages : remove_messages);
}

/* ---- queues ---- */

static void on_hastened(void *context, enum err_code code, const struct err *err)
{
    answer(context, code, code ? err->text : "");
}

/* What was never routed has no queue's name yet. */
static void hasten(struct action *a)
{
    struct span name = span_of(a->name);
    destinations_end_retry(a->transport, name);
    hasten_queue(a->transport, span_ieq(name, SPAN("submission")) ? SPAN("") : name, on_hastened, a);
}

static void on_held(struct change *c)
{
    struct action *a = c->context;
    enum err_code code = c->unit.unit.result;
    char text[sizeof c->unit.unit.err.text];
    snprintf(text, sizeof text, "%s", code ? c->unit.unit.err.text : "");
    change_free(c);
    if (code) {
        answer(a, code, text);
        return;
    }
    held_set(a->transport, span_of(a->name), a->what == QUEUE_ACTION_SUSPEND_QUEUE);
    destinations_hold(a->transport, span_of(a->name));
    if (a->what == QUEUE_ACTION_RESUME_QUEUE)
        hasten(a);
    else
        succeed(a);
}

static void hold(struct action *a)
{
    struct change *c = change_new(a->transport, 1, on_held, a);
    ASSERT(c);
    struct queue_op *op =
        change_op(c, a->what == QUEUE_ACTION_SUSPEND_QUEUE ? QUEUE_OP_HOLD_QUEUE : QUEUE_OP_FREE_QUEUE);
    op->queue_name = span_of(a->name);
    change_insist(c);
}

/* Queues that stand for no next hop have nothing that could be held back. */
static bool has_next_hop(struct span name)
{
    return span_find(name, ':') != SIZE_MAX || span_eq(name, SPAN("mailbox"));
}

static void start_queue(struct action *a)
{
    struct err err = {0};
    struct span name = span_of(a->name);
    if (a->what == QUEUE_ACTION_SUSPEND_QUEUE && !has_next_hop(name))
        err_set(
            &err, ERR_INVALID,
            "%s has no next hop that it could be kept from: suspend its messages instead (Get-Message -Queue %s "
            "| Suspend-Message)",
            a->name, a->name);
    else if (a->what == QUEUE_ACTION_RETRY_QUEUE && held_has(a->transport, name))
        err_set(&err, ERR_CONFLICT, "%s is suspended: Resume-Queue lets it go on, and tries it at once", a->name);
    if (err.code)
        answer(a, err.code, err.text);
    else if (a->what == QUEUE_ACTION_RETRY_QUEUE)
        hasten(a);
    else
        hold(a);
}

/* ---- the question ---- */

static bool read_ids(struct cursor *c, struct action *a)
{
    uint32_t count = cursor_u32(c);
    if (count > QUEUE_ACTION_IDS_MAX || count * sizeof(uint64_t) != c->rest.len)
        return false;
    a->ids = calloc(count + 1, sizeof *a->ids);
    for (; a->ids && a->count < count; a->count++)
        a->ids[a->count] = cursor_u64(c);
    return a->ids && cursor_done(c);
}

static bool read_question(const struct frame *f, struct action *a)
{
    struct cursor c = cursor_of(f->body);
    uint8_t what = cursor_u8(&c);
    struct span name = cursor_bytes(&c, QUEUE_TEXT_MAX);
    if (!cursor_ok(&c) || what >= QUEUE_ACTIONS || span_find(name, '\0') != SIZE_MAX || !read_ids(&c, a))
        return false;
    a->what = (enum queue_action)what;
    snprintf(a->name, sizeof a->name, "%.*s", SPAN_ARG(name));
    return queue_action_is_of_queue(a->what) ? name.len > 0 && a->count == 0 : name.len == 0 && a->count > 0;
}

static void log_action(const struct action *a)
{
    static const char *const names[QUEUE_ACTIONS] = {
        [QUEUE_ACTION_SUSPEND_QUEUE] = "suspend-queue",       [QUEUE_ACTION_RESUME_QUEUE] = "resume-queue",
        [QUEUE_ACTION_RETRY_QUEUE] = "retry-queue",           [QUEUE_ACTION_SUSPEND_MESSAGES] = "suspend-messages",
        [QUEUE_ACTION_RESUME_MESSAGES] = "resume-messages",   [QUEUE_ACTION_REMOVE_MESSAGES] = "remove-messages",
        [QUEUE_ACTION_REMOVE_REPORTED] = "remove-and-report",
    };
    struct log_line l = log_begin(LOG_NOTICE, "queue-action");
    log_str(&l, "action", names[a->what]);
    if (queue_action_is_of_queue(a->what)) {
        log_str(&l, "queue", a->name);
    } else {
        log_int(&l, "first", (int64_t)a->ids[0]);
        log_int(&l, "messages", (int64_t)a->count);
    }
    log_end(&l);
}

void actions_on_frame(struct transport *t, struct link *link, const struct frame *f)
{
    struct policy_ref *policy = policy_ref_current();
    bool known = policy != NULL;
    policy_ref_drop(policy);
    struct action *a = calloc(1, sizeof *a);
    ASSERT(a);
    *a = (struct action){.transport = t, .asker = role_asker(link, f)};
    if (!read_question(f, a)) {
        role_bad_frame(ROLE_MANAGE, f, "malformed question");
        free(a->ids);
        free(a);
        return; /* the asker's time limit ends its wait */
    }
    log_action(a);
    if (!known)
        answer(a, ERR_UNAVAILABLE, "the queue has no policy yet; try again");
    else if (queue_action_is_of_queue(a->what))
        start_queue(a);
    else
        start_messages(a);
}
