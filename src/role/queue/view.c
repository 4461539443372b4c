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
#include <string.h>

enum { LIMIT_MAX = 1000, VIEW_ARENA_MAX = 256 << 20 };

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

/* In the place of the last one where it fits: a queue that is read from its end would take memory for each. */
static void keep_error(struct view *v, struct waiting *w, struct span error)
{
    if (error.len > w->room)
        w->error.ptr = arena_alloc(&v->arena, w->room = error.len);
    w->error.len = w->error.ptr ? error.len : 0;
    if (w->error.len)
        memcpy((char *)(uintptr_t)w->error.ptr, error.ptr, error.len);
}

static void count_recipient(void *context, uint64_t message, const struct queue_recipient *r)
{
    struct view *v = context;
    struct waiting *w = view_waiting_at(v, r->queue_name.len ? r->queue_name : SPAN("submission"));
    if (!w) {
        v->code = err_set(&v->err, ERR_NO_MEMORY, "out of memory");
        return;
    }
    w->messages += w->last_message != (int64_t)message;
    w->last_message = (int64_t)message;
    if (r->next_attempt_ms < w->next_ms) {
        w->next_ms = r->next_attempt_ms;
        w->attempts = r->attempts;
        keep_error(v, w, r->last_error);
    }
}

/* What is leased is in hand, and counted there. */
static void read_queues(struct view *v)
{
    enum err_code code = queue_waiting(v->transport->store, count_recipient, v, &v->err);
    v->code = code ? code : v->code;
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
