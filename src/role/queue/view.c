/*
 * view.c: QUEUE_LIST: the queues and the messages as records for Get-Queue and Get-Message.
 *
 * The store is read on the thread pool (its functions for readers may run beside the others); what is in hand is
 * added on the loop, where alone it may be looked at. Invariant: one answer to each question, which fits a frame.
 */
#include "role/queue/view.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <search.h>
#include <stdlib.h>

enum { PAGE = 1000, LIMIT_MAX = 1000, VIEW_ARENA_MAX = 256 << 20 };

/* ---- on the thread pool ---- */

struct waiting *view_waiting_at(struct view *v, struct span name)
{
    struct waiting key = {.name = name};
    void *node = tfind(&key, &v->tree, view_compare);
    if (node)
        return *(struct waiting **)node;
    struct waiting *w = ARENA_NEW(&v->arena, struct waiting);
    if (w) {
        *w = (struct waiting){.name = arena_dup(&v->arena, name), .next_ms = INT64_MAX, .last_message = -1};
        if (!w->name.ptr || !tsearch(w, &v->tree, view_compare))
            w = NULL;
    }
    return w;
}

static void count_recipient(struct view *v, const struct queue_message *m, const struct queue_recipient *r)
{
    if (r->state != QUEUE_PENDING || r->leased)
        return; /* what is leased is in hand, and counted there */
    struct waiting *w = view_waiting_at(v, r->queue_name.len ? r->queue_name : SPAN("submission"));
    if (!w) {
        v->code = err_set(&v->err, ERR_NO_MEMORY, "out of memory");
        return;
    }
    if (w->last_message != (int64_t)m->id)
        w->messages++;
    w->last_message = (int64_t)m->id;
    w->suspended += r->suspended;
    if (r->next_attempt_ms < w->next_ms) {
        w->next_ms = r->next_attempt_ms;
        w->attempts = r->attempts;
        w->error = arena_dup(&v->arena, r->last_error);
    }
}

static void read_queues(struct view *v)
{
    struct queue_page page = {.more = true};
    uint64_t after = 0;
    while (page.more && !v->code) {
        struct arena arena;
        arena_init(&arena, VIEW_ARENA_MAX);
        v->code = queue_list(v->transport->store, after, PAGE, &arena, &page, &v->err);
        for (size_t i = 0; !v->code && i < page.count; i++) {
            const struct queue_message *m = &page.messages[i];
            after = m->id;
            for (size_t k = 0; k < m->recipient_count; k++)
                count_recipient(v, m, &m->recipients[k]);
        }
        if (!v->code && page.count == 0)
            page.more = false;
        arena_clear(&arena);
    }
}

static void on_work(uv_work_t *w)
{
    struct view *v = w->data;
    if (v->what == QUEUE_LIST_QUEUES)
        read_queues(v);
    else
        v->code = queue_list(v->transport->store, v->after, v->limit, &v->arena, &v->page, &v->err);
}

/* ---- the question ---- */

static void keep(void *node)
{
    (void)node; /* lives in the arena */
}

static void on_read(uv_work_t *w, int status)
{
    struct view *v = w->data;
    struct buf head;
    (void)status;
    if (!v->code && v->what == QUEUE_LIST_QUEUES)
        view_show_queues(v);
    else if (!v->code)
        view_show_messages(v);
    if (v->code) {
        log_text(LOG_ERROR, "queue-view-failed", "%s", v->err.text);
        buf_clear(&v->answer);
        v->count = 0;
    }
    buf_init(&head, 64);
    put_u8(&head, (uint8_t)v->code);
    put_u64(&head, v->next);
    put_u32(&head, v->count);
    role_answer(&v->asker, buf_span(&head), buf_span(&v->answer), NULL, 0);
    buf_done(&head);
    tdestroy(v->tree, keep);
    buf_done(&v->answer);
    arena_clear(&v->arena);
    free(v);
}

void view_on_frame(struct transport *t, struct link *link, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    uint8_t what = cursor_u8(&c);
    uint64_t after = cursor_u64(&c);
    uint32_t limit = cursor_u32(&c);
    struct view *v = cursor_done(&c) && what <= QUEUE_LIST_MESSAGES && limit > 0 ? calloc(1, sizeof *v) : NULL;
    if (!v) {
        role_bad_frame(ROLE_MANAGE, f, "malformed question");
        return; /* the asker's time limit ends its wait */
    }
    *v = (struct view){.transport = t,
                       .asker = role_asker(link, f),
                       .what = (enum queue_list_what)what,
                       .after = after,
                       .limit = limit < LIMIT_MAX ? limit : LIMIT_MAX};
    v->work.data = v;
    arena_init(&v->arena, VIEW_ARENA_MAX);
    buf_init(&v->answer, FRAME_BODY_MAX);
    uv_queue_work(&t->role->loop, &v->work, on_work, on_read);
}
