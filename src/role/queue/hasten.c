/*
 * hasten.c: what waits in the store under a queue's name becomes due: Retry-Queue and Resume-Queue.
 *
 * The store is read page by page on the thread pool, and the next page when all of the last one is written: so a
 * queue of any length costs the memory of a page. A message that is claimed, delivered or suspended meanwhile is
 * not found, which refuses its unit alone and is as good.
 */
#include "role/queue/changes.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, PAGE_ARENA_MAX = 256 << 20 };

struct hasten {
    uv_work_t work;
    struct transport *transport;
    struct span name; /* allocated; empty: what was never routed */
    void (*first)(void *context, enum err_code code, const struct err *err); /* NULL: was called */
    void *context;
    uint64_t after;
    struct arena arena; /* of the page */
    struct queue_page page;
    enum err_code code;
    struct err err;
    size_t open; /* changes not answered */
    size_t total;
};

static void next_page(struct hasten *h);

static void end(struct hasten *h)
{
    struct log_line l = log_begin(h->code ? LOG_ERROR : LOG_INFO, h->code ? "queue-read-failed" : "queue-hastened");
    log_span(&l, "queue", h->name);
    log_int(&l, "messages", (int64_t)h->total);
    if (h->code)
        log_err(&l, &h->err);
    log_end(&l);
    free((char *)(uintptr_t)h->name.ptr);
    free(h);
}

static void page_done(struct hasten *h)
{
    if (h->first)
        h->first(h->context, h->code, &h->err);
    h->first = NULL;
    if (h->total)
        claims_wake(h->transport);
    if (h->code || !h->page.more || h->transport->draining)
        end(h);
    else
        next_page(h);
}

static void on_written(struct change *c)
{
    struct hasten *h = c->context;
    h->total += !c->unit.unit.result;
    change_free(c);
    if (--h->open == 0)
        page_done(h);
}

static bool is_meant(const struct hasten *h, const struct queue_recipient *r)
{
    return r->state == QUEUE_PENDING && !r->leased && !r->suspended && span_eq(r->queue_name, h->name);
}

static void hasten_message(struct hasten *h, const struct queue_message *m)
{
    size_t n = 0;
    int64_t now = clock_wall_ms();
    for (size_t i = 0; i < m->recipient_count; i++)
        n += is_meant(h, &m->recipients[i]);
    if (n == 0)
        return;
    struct change *c = change_new(h->transport, n, on_written, h);
    ASSERT(c);
    for (size_t i = 0; i < m->recipient_count; i++)
        if (is_meant(h, &m->recipients[i])) {
            struct queue_op *op = change_op(c, QUEUE_OP_HASTEN);
            op->message = m->id;
            op->index = m->recipients[i].index;
            op->when_ms = now;
        }
    h->open++;
    change_insist(c);
}

static void on_work(uv_work_t *w)
{
    struct hasten *h = w->data;
    h->code = queue_list(h->transport->store, h->after, PAGE, &h->arena, &h->page, &h->err);
}

static void on_read(uv_work_t *w, int status)
{
    struct hasten *h = w->data;
    (void)status;
    h->open = 1; /* until all are begun */
    for (size_t i = 0; !h->code && i < h->page.count; i++) {
        h->after = h->page.messages[i].id;
        hasten_message(h, &h->page.messages[i]);
    }
    if (h->page.count == 0)
        h->page.more = false;
    arena_clear(&h->arena);
    if (--h->open == 0)
        page_done(h);
}

static void next_page(struct hasten *h)
{
    h->page = (struct queue_page){0};
    arena_init(&h->arena, PAGE_ARENA_MAX);
    uv_queue_work(&h->transport->role->loop, &h->work, on_work, on_read);
}

void hasten_queue(struct transport *t, struct span name,
                  void (*first)(void *context, enum err_code code, const struct err *err), void *context)
{
    struct hasten *h = calloc(1, sizeof *h);
    char *copy = strndup(name.len ? name.ptr : "", name.len);
    ASSERT(h && copy);
    *h = (struct hasten){.transport = t, .name = span_make(copy, name.len), .first = first, .context = context};
    h->work.data = h;
    next_page(h);
}
