/*
 * maildir.c: Maildir jobs: maildir_store on the loop's thread pool, one call for all recipients of a job.
 *
 * The pool thread reads the job and writes `outcomes`, nothing else; the loop touches neither until it is back. A
 * cancel therefore takes effect only while the work waits for a thread.
 */
#include "delivery/internal.h"
#include "delivery/maildir_store.h"

#include <stdlib.h>

enum { NAME_MAX_OCTETS = 255 };

struct maildir_task {
    struct delivery_task task;
    uv_work_t work;
    const char *directory;
    const char **names;               /* of each recipient's file */
    struct maildir_outcome *outcomes; /* of each recipient */
};

static void on_work(uv_work_t *work)
{
    struct maildir_task *m = work->data;
    const struct delivery_job *job = &m->task.job;
    for (size_t i = 0; i < job->recipient_count; i++) {
        struct maildir_letter letter = {
            .root = m->task.engine->mail_root,
            .directory = m->directory,
            .mailbox = job->to.mailbox,
            .sender = job->sender,
            .name = m->names[i],
            .first_attempt = job->first_attempt,
            .front = job->front,
            .body_from = job->body_from,
            .body = job->body,
            .body_fd = job->body_fd,
            .size = job->size,
        };
        maildir_store(&letter, &m->outcomes[i]);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct maildir_task *m = work->data;
    if (status == UV_ECANCELED) {
        delivery_task_decide_rest(&m->task, &delivery_cancelled);
    } else {
        for (size_t i = 0; i < m->task.report.count; i++) {
            struct delivery_result r = {
                .outcome = m->outcomes[i].outcome,
                .enhanced = span_of(m->outcomes[i].enhanced),
                .text = span_of(m->outcomes[i].text),
                .stage = "Maildir",
            };
            delivery_task_decide(&m->task, i, &r);
        }
    }
    delivery_task_finish(&m->task);
}

static void refuse(struct maildir_task *m, enum delivery_outcome outcome, struct span enhanced, struct span text)
{
    struct delivery_result r = {.outcome = outcome, .enhanced = enhanced, .text = text, .stage = "Maildir"};
    delivery_task_decide_rest(&m->task, &r);
    delivery_task_finish(&m->task);
}

/* Names that the pool thread needs, in the task's arena. */
static bool prepare(struct maildir_task *m, struct span directory)
{
    struct delivery_task *t = &m->task;
    size_t count = t->report.count;
    m->directory = arena_cstr(&t->arena, directory);
    m->names = ARENA_ARRAY(&t->arena, count, const char *);
    m->outcomes = ARENA_ARRAY(&t->arena, count, struct maildir_outcome);
    if (!m->directory || !m->names || !m->outcomes)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct buf name;
        buf_init(&name, 2 * NAME_MAX_OCTETS + 1);
        maildir_store_name(t->job.received_ms, t->job.message_id, t->job.recipients[i].index,
                           t->engine->options.hostname, &name);
        m->names[i] = name.failed ? NULL : arena_cstr(&t->arena, buf_span(&name));
        buf_done(&name);
        if (!m->names[i])
            return false;
    }
    return true;
}

static void maildir_start(struct delivery_task *t)
{
    struct maildir_task *m = (struct maildir_task *)t;
    struct buf directory;
    buf_init(&directory, 4096);
    if (!maildir_store_directory(t->job.to.mailbox, &directory))
        refuse(m, DELIVERY_PERMANENT, SPAN("5.1.3"), SPAN("the mailbox's address is too long to name a directory"));
    else if (!prepare(m, buf_span(&directory)))
        refuse(m, DELIVERY_TEMPORARY, SPAN("4.3.0"), SPAN("there is no memory for a delivery"));
    else {
        m->work.data = m;
        int rc = uv_queue_work(t->engine->options.loop, &m->work, on_work, on_worked);
        ASSERT(rc == 0); /* fails only without a work function */
    }
    buf_done(&directory);
}

static void maildir_cancel(struct delivery_task *t)
{
    struct maildir_task *m = (struct maildir_task *)t;
    uv_cancel((uv_req_t *)&m->work); /* refused when a thread has it already: then its results count */
}

struct delivery_task *maildir_task_new(void)
{
    static const struct delivery_task_kind kind = {.start = maildir_start, .cancel = maildir_cancel};
    struct maildir_task *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->task.kind = &kind;
    return &m->task;
}
