/*
 * poison.c: see poison.h.
 *
 * Invariants: the file is written by this process alone, in place, and holds numbers only; whatever it holds is
 * usable, a file of another size or kind is begun anew. A message has one count. `lost` is what deliver had in hand
 * when its link went; whether that was a death by a fault is known when the next one is there.
 */
#include "role/queue/poison.h"

#include "base/cursor.h"
#include "role/queue/changes.h"
#include "role/queue/track.h"
#include "runtime/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARKS_MAGIC UINT64_C(0x314b52414d52494d)
#define NAME        SPAN("poison")

enum { COUNTS_MAX = 4096, LOAD_ARENA_MAX = 64 << 20 };

struct count {
    uint64_t id;
    uint64_t deaths;
};

/* The mapped file. */
struct marks {
    uint64_t magic;
    volatile uint64_t current; /* the message that is worked on; 0: none */
    uint64_t count;
    struct count counts[COUNTS_MAX];
};

struct poison {
    struct marks *marks;
    uint64_t sending; /* the suspect that is being sent; 0: none */
    uint64_t *lost;
    size_t lost_count, lost_cap;
    bool deliver_fault;
    size_t judging; /* convictions not durable yet */
};

/* ---- counts ---- */

static struct count *count_of(const struct transport *t, uint64_t id)
{
    struct marks *m = t->poison->marks;
    for (uint64_t i = 0; i < m->count; i++)
        if (m->counts[i].id == id)
            return &m->counts[i];
    return NULL;
}

/* When there is no room the oldest message goes: it is the likeliest to be done with. */
static struct count *make_count(struct transport *t, uint64_t id)
{
    struct marks *m = t->poison->marks;
    size_t at = m->count;
    if (m->count == COUNTS_MAX) {
        at = 0;
        for (size_t i = 1; i < COUNTS_MAX; i++)
            if (m->counts[i].id < m->counts[at].id)
                at = i;
    } else {
        m->count++;
    }
    m->counts[at] = (struct count){id, 0};
    return &m->counts[at];
}

static void blame(struct transport *t, uint64_t id, enum role_kind dead)
{
    struct count *c = count_of(t, id);
    if (!c)
        c = make_count(t, id);
    c->deaths++;
    struct log_line l = log_begin(LOG_WARNING, "poison-suspected");
    log_int(&l, "message", (int64_t)id);
    log_str(&l, "ended", role_name(dead));
    log_int(&l, "deaths", (int64_t)c->deaths);
    log_end(&l);
}

void poison_acquit(struct transport *t, uint64_t id)
{
    struct marks *m = t->poison->marks;
    struct count *c = count_of(t, id);
    if (c)
        *c = m->counts[--m->count];
}

/* ---- conviction ---- */

static void on_convicted(struct change *c)
{
    struct transport *t = c->transport;
    if (--t->poison->judging == 0)
        claims_wake(t);
    change_free(c);
}

/* All that is pending of it goes into the queue `poison`, suspended; what is in hand of it is let go of. */
static void add_ops(struct change *c, const struct queue_message *m, struct span why)
{
    for (size_t i = 0; i < m->recipient_count; i++) {
        if (m->recipients[i].state != QUEUE_PENDING)
            continue;
        struct queue_op *op = change_op(c, QUEUE_OP_RETRY);
        struct queue_recipient *values = ARENA_NEW(&c->arena, struct queue_recipient);
        ASSERT(values);
        *values = m->recipients[i];
        values->queue_name = NAME;
        values->last_error = why;
        op->message = m->id;
        op->index = m->recipients[i].index;
        op->recipient = values;
    }
    struct queue_op *op = change_op(c, QUEUE_OP_SUSPEND);
    op->message = m->id;
    op->index = QUEUE_EVERY;
}

static void let_go(struct transport *t, uint64_t id)
{
    for (struct mail *m = t->mails; m; m = m->next)
        if (m->envelope.id == id && m->withdrawal < WITHDRAWN_SUSPENDED)
            m->withdrawal = WITHDRAWN_SUSPENDED;
    destinations_withdraw(t);
}

/* False: there is no such message any more. */
static bool convict(struct transport *t, uint64_t id, uint64_t deaths)
{
    struct queue_message stored;
    struct err err = {0};
    struct arena arena;
    arena_init(&arena, LOAD_ARENA_MAX);
    enum err_code code = queue_load(t->store, id, QUEUE_RECIPIENTS, &arena, &stored, &err);
    if (!code) {
        struct log_line l = log_begin(LOG_ERROR, "poison-message");
        log_int(&l, "message", (int64_t)id);
        log_span(&l, "message-id", stored.message_id);
        log_span(&l, "sender", stored.sender);
        log_int(&l, "deaths", (int64_t)deaths);
        log_end(&l);
        let_go(t, id);
        struct change *c = change_new(t, stored.recipient_count + 1, on_convicted, NULL);
        ASSERT(c);
        struct span why =
            arena_printf(&c->arena,
                         "450 5.3.0 a process died over it %llu times; Resume-Message tries it again, "
                         "Remove-Message gives it up",
                         (unsigned long long)deaths);
        struct queue_message kept = stored;
        kept.recipients = ARENA_ARRAY(&c->arena, stored.recipient_count, struct queue_recipient);
        ASSERT(why.ptr && kept.recipients);
        memcpy(kept.recipients, stored.recipients, stored.recipient_count * sizeof *kept.recipients);
        add_ops(c, &kept, why);
        track_poison(t, &stored, why);
        t->poison->judging++;
        change_insist(c);
    } else if (code != ERR_NOT_FOUND) {
        log_text(LOG_ERROR, "queue-read-failed", "%s", err.text);
    }
    arena_clear(&arena);
    return code != ERR_NOT_FOUND;
}

static void judge(struct transport *t)
{
    struct marks *m = t->poison->marks;
    struct policy_ref *ref = policy_ref_current();
    uint64_t threshold = ref ? policy_settings(policy_ref_policy(ref))->poison_threshold : UINT64_MAX;
    for (uint64_t i = m->count; ref && i-- > 0;) {
        struct count c = m->counts[i];
        if (c.deaths < threshold)
            continue;
        convict(t, c.id, c.deaths);
        poison_acquit(t, c.id); /* when it is let go of, it begins anew */
    }
    policy_ref_drop(ref);
}

bool poison_begin(struct transport *t)
{
    judge(t);
    return poison_is_judging(t);
}

bool poison_is_judging(const struct transport *t)
{
    return t->poison->judging > 0;
}

/* ---- the queue's own work ---- */

uint64_t poison_enter(struct transport *t, uint64_t id)
{
    uint64_t before = t->poison->marks->current;
    t->poison->marks->current = id;
    return before;
}

void poison_leave(struct transport *t, uint64_t before)
{
    t->poison->marks->current = before;
}

/* ---- deliver's ---- */

bool poison_may_send(const struct transport *t, uint64_t id)
{
    return !t->poison->sending || !count_of(t, id);
}

void poison_sends(struct transport *t, uint64_t id)
{
    if (!t->poison->sending && count_of(t, id))
        t->poison->sending = id;
}

static void keep_lost(struct poison *p, uint64_t id)
{
    if (p->lost_count == p->lost_cap) {
        p->lost_cap = p->lost_cap ? 2 * p->lost_cap : 64;
        p->lost = reallocarray(p->lost, p->lost_cap, sizeof *p->lost);
        ASSERT(p->lost);
    }
    p->lost[p->lost_count++] = id;
}

bool poison_sent(struct transport *t, uint64_t id, bool lost)
{
    struct poison *p = t->poison;
    bool suspect = p->sending == id;
    if (suspect)
        p->sending = 0;
    if (lost)
        keep_lost(p, id);
    else if (suspect)
        poison_acquit(t, id);
    return suspect;
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void poison_on_deliver(struct transport *t)
{
    struct poison *p = t->poison;
    if (p->deliver_fault && p->lost_count) {
        qsort(p->lost, p->lost_count, sizeof *p->lost, compare_ids);
        for (size_t i = 0; i < p->lost_count; i++)
            if (i == 0 || p->lost[i] != p->lost[i - 1]) /* several attempts of one message count once */
                blame(t, p->lost[i], ROLE_DELIVER);
        judge(t);
    }
    p->lost_count = 0;
    p->deliver_fault = false;
}

void poison_on_fault(struct transport *t, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    uint8_t dead = cursor_u8(&c);
    struct marks *m = t->poison->marks;
    if (!cursor_done(&c) || (dead != ROLE_QUEUE && dead != ROLE_DELIVER)) {
        role_bad_frame(ROLE_KINDS, f, "malformed fault");
        return;
    }
    if (dead == ROLE_DELIVER)
        t->poison->deliver_fault = true;
    else if (m->current)
        blame(t, m->current, ROLE_QUEUE);
    if (dead == ROLE_QUEUE)
        m->current = 0;
}

/* ---- the file ---- */

static struct marks *map(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct marks *m = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof *m) == 0)
        m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m == MAP_FAILED)
        err_errno(err, errno, "cannot open %s", path);
    if (fd >= 0)
        close(fd);
    return m == MAP_FAILED ? NULL : m;
}

enum err_code poison_open(struct transport *t, struct err *err)
{
    char path[1200];
    if (!role_state_path(t->role, "queue.marks", path, sizeof path))
        return err_set(err, ERR_LIMIT, "the path of the state folder is too long");
    t->poison = calloc(1, sizeof *t->poison);
    if (!t->poison)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    struct marks *m = t->poison->marks = map(path, err);
    if (!m)
        return err->code;
    if (m->magic != MARKS_MAGIC || m->count > COUNTS_MAX)
        *m = (struct marks){.magic = MARKS_MAGIC};
    return ERR_NONE;
}
