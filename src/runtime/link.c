/*
 * link.c: frames on a libuv loop.
 *
 * Invariants: frames leave in the order they were sent; while the backlog is not empty nothing bypasses it; a
 * question's slot is freed before its callback runs, and ids carry a generation, so a late answer meets no
 * question.
 */
#include "runtime/link.h"

#include "runtime/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES_PER_TURN = 64, SWEEP_MS = 500 };

struct pending {
    struct pending *next;
    uint16_t type;
    uint64_t id;
    size_t len;
    int fds[FRAME_FDS_MAX];
    size_t fd_count;
    char body[];
};

struct question {
    link_answer_fn *answer; /* NULL: free */
    void *context;
    int64_t deadline;
    uint32_t generation;
    uint32_t next_free;
};

struct link {
    uv_poll_t poll;
    uv_timer_t sweep;
    int handles_open;
    int fd;
    uint64_t serial;
    bool closed;
    link_frame_fn *on_frame;
    link_lost_fn *on_lost;
    void *context;
    struct pending *first, **last;
    size_t backlog;
    struct question *questions;
    uint32_t question_cap, question_count, free_head; /* free_head: index + 1, 0 = none */
    char *buffer;
};

static void link_on_poll(uv_poll_t *poll, int status, int events);

static void link_watch(struct link *l)
{
    if (!l->closed)
        uv_poll_start(&l->poll, UV_READABLE | (l->first ? UV_WRITABLE : 0), link_on_poll);
}

static void link_free_when_closed(uv_handle_t *h)
{
    struct link *l = h->data;
    if (--l->handles_open > 0)
        return;
    free(l->questions);
    free(l->buffer);
    free(l);
}

static void pending_free(struct pending *p)
{
    for (size_t i = 0; i < p->fd_count; i++)
        close(p->fds[i]);
    free(p);
}

/* Answers one question; NULL frame means lost. */
static void question_answer(struct link *l, uint32_t i, struct frame *f)
{
    link_answer_fn *answer = l->questions[i].answer;
    void *context = l->questions[i].context;
    l->questions[i].answer = NULL;
    l->questions[i].generation++;
    l->questions[i].next_free = l->free_head;
    l->free_head = i + 1;
    l->question_count--;
    answer(context, f);
}

void link_close(struct link *l)
{
    if (!l || l->closed)
        return;
    l->closed = true;
    uv_poll_stop(&l->poll);
    uv_timer_stop(&l->sweep);
    close(l->fd);
    while (l->first) {
        struct pending *p = l->first;
        l->first = p->next;
        pending_free(p);
    }
    l->backlog = 0;
    for (uint32_t i = 0; i < l->question_cap; i++)
        if (l->questions[i].answer)
            question_answer(l, i, NULL);
    uv_close((uv_handle_t *)&l->poll, link_free_when_closed);
    uv_close((uv_handle_t *)&l->sweep, link_free_when_closed);
}

static void link_lose(struct link *l)
{
    link_lost_fn *lost = l->on_lost;
    void *context = l->context;
    if (l->closed)
        return;
    link_close(l);
    if (lost)
        lost(context);
}

static bool link_flush(struct link *l)
{
    while (l->first) {
        struct pending *p = l->first;
        struct span body = span_make(p->body, p->len);
        enum frame_status st = frame_send(l->fd, p->type, p->id, &body, 1, p->fds, p->fd_count);
        if (st == FRAME_AGAIN)
            return true;
        if (st != FRAME_OK)
            return false;
        l->first = p->next;
        if (!l->first)
            l->last = &l->first;
        l->backlog -= sizeof *p + p->len;
        pending_free(p);
    }
    return true;
}

static void link_dispatch(struct link *l, struct frame *f)
{
    uint32_t i = (uint32_t)(f->id & 0xffffffff), generation = (uint32_t)(f->id >> 32);
    bool answers = f->id && (f->type & LINK_ANSWER);
    if (!answers)
        l->on_frame(l->context, f);
    else if (i >= 1 && i <= l->question_cap && l->questions[i - 1].answer &&
             l->questions[i - 1].generation == generation)
        question_answer(l, i - 1, f);
    frame_close_fds(f);
}

static bool link_drain_input(struct link *l)
{
    for (int n = 0; n < FRAMES_PER_TURN && !l->closed; n++) {
        struct frame f;
        enum frame_status st = frame_receive(l->fd, l->buffer, &f);
        if (st == FRAME_AGAIN)
            return true;
        if (st != FRAME_OK)
            return false;
        link_dispatch(l, &f);
    }
    return true;
}

static void link_on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *l = poll->data;
    bool alive = status == 0;
    if (alive && (events & UV_WRITABLE)) {
        alive = link_flush(l);
        if (alive)
            link_watch(l);
    }
    if (alive && (events & UV_READABLE))
        alive = link_drain_input(l);
    if (!alive)
        link_lose(l);
}

static void link_on_sweep(uv_timer_t *t)
{
    struct link *l = t->data;
    int64_t now = clock_mono_ms();
    for (uint32_t i = 0; l->question_count && i < l->question_cap && !l->closed; i++)
        if (l->questions[i].answer && l->questions[i].deadline <= now)
            question_answer(l, i, NULL);
    if (l->question_count == 0 && !l->closed)
        uv_timer_stop(&l->sweep);
}

struct link *link_open(uv_loop_t *loop, int fd, link_frame_fn *on_frame, link_lost_fn *on_lost, void *context)
{
    struct link *l = calloc(1, sizeof *l);
    char *buffer = malloc(FRAME_BUFFER);
    if (!l || !buffer || uv_poll_init(loop, &l->poll, fd) < 0) {
        free(l);
        free(buffer);
        close(fd);
        return NULL;
    }
    uv_timer_init(loop, &l->sweep);
    l->handles_open = 2;
    l->poll.data = l->sweep.data = l;
    static uint64_t serials;
    l->serial = ++serials;
    l->fd = fd;
    l->buffer = buffer;
    l->on_frame = on_frame;
    l->on_lost = on_lost;
    l->context = context;
    l->last = &l->first;
    link_watch(l);
    return l;
}

static enum err_code link_queue(struct link *l, uint16_t type, uint64_t id, struct span head, struct span tail,
                                const int *fds, size_t fd_count)
{
    size_t len = head.len + tail.len, cost = sizeof(struct pending) + len;
    if (cost > LINK_BACKLOG_MAX - l->backlog)
        return ERR_LIMIT;
    struct pending *p = malloc(cost);
    if (!p)
        return ERR_NO_MEMORY;
    *p = (struct pending){.type = type, .id = id, .len = len};
    if (head.len)
        memcpy(p->body, head.ptr, head.len);
    if (tail.len)
        memcpy(p->body + head.len, tail.ptr, tail.len);
    for (; p->fd_count < fd_count; p->fd_count++) {
        p->fds[p->fd_count] = dup(fds[p->fd_count]);
        if (p->fds[p->fd_count] < 0) {
            pending_free(p);
            return ERR_IO;
        }
    }
    *l->last = p;
    l->last = &p->next;
    l->backlog += cost;
    link_watch(l);
    return ERR_NONE;
}

enum err_code link_send2(struct link *l, uint16_t type, uint64_t id, struct span head, struct span tail,
                         const int *fds, size_t fd_count)
{
    if (!l || l->closed)
        return ERR_UNAVAILABLE;
    if (head.len > FRAME_BODY_MAX || tail.len > FRAME_BODY_MAX - head.len)
        return ERR_INTERNAL;
    if (!l->first) {
        struct span parts[2] = {head, tail};
        enum frame_status st = frame_send(l->fd, type, id, parts, 2, fds, fd_count);
        if (st == FRAME_OK)
            return ERR_NONE;
        if (st != FRAME_AGAIN) /* the poll handle will report the loss; no callback from within a send */
            return ERR_UNAVAILABLE;
    }
    return link_queue(l, type, id, head, tail, fds, fd_count);
}

enum err_code link_send(struct link *l, uint16_t type, uint64_t id, struct span body, const int *fds,
                        size_t fd_count)
{
    return link_send2(l, type, id, body, (struct span){NULL, 0}, fds, fd_count);
}

static bool questions_grow(struct link *l)
{
    uint32_t cap = l->question_cap ? l->question_cap * 2 : 64;
    if (cap > LINK_QUESTIONS_MAX)
        return false;
    struct question *q = realloc(l->questions, cap * sizeof *q);
    if (!q)
        return false;
    memset(q + l->question_cap, 0, (cap - l->question_cap) * sizeof *q);
    for (uint32_t i = cap; i-- > l->question_cap;) {
        q[i].generation = 1;
        q[i].next_free = l->free_head;
        l->free_head = i + 1;
    }
    l->questions = q;
    l->question_cap = cap;
    return true;
}

enum err_code link_ask(struct link *l, uint16_t type, struct span head, struct span tail, const int *fds,
                       size_t fd_count, int64_t timeout_ms, link_answer_fn *on_answer, void *context)
{
    if (!l || l->closed)
        return ERR_UNAVAILABLE;
    if (!l->free_head && !questions_grow(l))
        return ERR_LIMIT;
    uint32_t i = l->free_head - 1;
    struct question *q = &l->questions[i];
    enum err_code code = link_send2(l, type, (uint64_t)q->generation << 32 | (i + 1), head, tail, fds, fd_count);
    if (code)
        return code;
    l->free_head = q->next_free;
    q->answer = on_answer;
    q->context = context;
    q->deadline = clock_mono_ms() + timeout_ms;
    if (l->question_count++ == 0)
        uv_timer_start(&l->sweep, link_on_sweep, SWEEP_MS, SWEEP_MS);
    return ERR_NONE;
}

size_t link_backlog(const struct link *l)
{
    return l ? l->backlog : 0;
}

uint64_t link_serial(const struct link *l)
{
    return l->serial;
}
