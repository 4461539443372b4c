/*
 * engine.c: the engine and what tasks have in common: results, the report, cancel.
 *
 * Invariants: a task is in `tasks` until it is finished, then in `finished` until its report is given, which
 * happens only from the loop (on_wake), so no callback runs inside a call of the caller's. The engine ends when it
 * is closing and has neither tasks nor connections.
 */
#include "delivery/internal.h"
#include "delivery/smtp_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENGINE_ARENA_MAX = 65536, TASK_ARENA_MAX = 16 << 20 };

const struct delivery_result delivery_cancelled = {
    .outcome = DELIVERY_TEMPORARY,
    .enhanced = SPAN_INIT("4.3.2"),
    .text = SPAN_INIT("the delivery was broken off here"),
    .stage = "cancel",
};

/* ---- life ---- */

static void on_wake(uv_async_t *wake);

static void use_defaults(struct delivery_options *o)
{
    o->max_tasks = o->max_tasks ? o->max_tasks : 1000;
    o->max_idle = o->max_idle ? o->max_idle : 100;
    o->idle_ms = o->idle_ms ? o->idle_ms : 5000;
    o->max_messages = o->max_messages ? o->max_messages : 100;
    o->timeouts.resolve = o->timeouts.resolve ? o->timeouts.resolve : 60000;
    o->timeouts.connect = o->timeouts.connect ? o->timeouts.connect : 30000;
    o->timeouts.tls = o->timeouts.tls ? o->timeouts.tls : 60000;
    o->timeouts.quit = o->timeouts.quit ? o->timeouts.quit : 2000;
}

static enum err_code open_mail_root(struct delivery_engine *e, struct err *err)
{
    struct span path = e->options.mail_root;
    if (path.len == 0)
        return ERR_NONE;
    const char *cpath = arena_cstr(&e->arena, path);
    if (!cpath)
        return err_set(err, ERR_NO_MEMORY, "no memory for the delivery engine");
    e->mail_root = open(cpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return e->mail_root < 0 ? err_errno(err, errno, "cannot open the mail directory %s", cpath) : ERR_NONE;
}

enum err_code delivery_engine_new(const struct delivery_options *options, struct delivery_engine **ret,
                                  struct err *err)
{
    struct delivery_engine *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "no memory for the delivery engine");
    e->options = *options;
    e->mail_root = -1;
    e->finished_last = &e->finished;
    use_defaults(&e->options);
    arena_init(&e->arena, ENGINE_ARENA_MAX);
    e->options.hostname = arena_dup(&e->arena, options->hostname.len ? options->hostname : SPAN("localhost"));
    enum err_code code = ERR_NONE;
    if (!e->options.hostname.ptr)
        code = err_set(err, ERR_NO_MEMORY, "no memory for the delivery engine");
    else if (!smtp_connection_name_valid(e->options.hostname))
        code = err_set(err, ERR_INVALID, "the host name `%.*s` cannot be said in EHLO: it must be a domain name",
                       SPAN_ARG(e->options.hostname));
    if (code == ERR_NONE)
        code = open_mail_root(e, err);
    if (code == ERR_NONE && uv_async_init(options->loop, &e->wake, on_wake) < 0)
        code = err_set(err, ERR_IO, "the loop takes no further handle");
    if (code) {
        if (e->mail_root >= 0)
            close(e->mail_root);
        arena_clear(&e->arena);
        free(e);
        return code;
    }
    e->wake.data = e;
    *ret = e;
    return ERR_NONE;
}

static void on_wake_closed(uv_handle_t *h)
{
    struct delivery_engine *e = h->data;
    void (*closed)(void *context) = e->closed;
    void *context = e->closed_context;
    if (e->mail_root >= 0)
        close(e->mail_root);
    arena_clear(&e->arena);
    free(e);
    if (closed)
        closed(context);
}

void delivery_engine_settle(struct delivery_engine *e)
{
    if (e->closing && !e->wake_closing && e->task_count == 0 && e->connection_count == 0) {
        e->wake_closing = true;
        uv_close((uv_handle_t *)&e->wake, on_wake_closed);
    }
}

void delivery_engine_close(struct delivery_engine *e, void (*closed)(void *context), void *context)
{
    ASSERT(!e->closing);
    e->closing = true;
    e->closed = closed;
    e->closed_context = context;
    for (struct delivery_task *t = e->tasks, *next; t; t = next) {
        next = t->next;
        delivery_cancel(t);
    }
    smtp_connection_close_idle(e);
    uv_async_send(&e->wake);
}

struct delivery_stats delivery_stats(const struct delivery_engine *e)
{
    return (struct delivery_stats){.tasks = e->task_count,
                                   .connections = e->connection_count,
                                   .idle = e->idle_count,
                                   .connects = e->connects,
                                   .reuses = e->reuses};
}

/* ---- tasks ---- */

static void task_free(struct delivery_task *t)
{
    t->engine->task_count--;
    arena_clear(&t->arena);
    free(t);
}

static void on_wake(uv_async_t *wake)
{
    struct delivery_engine *e = wake->data;
    struct delivery_task *t = e->finished;
    e->finished = NULL; /* what finishes during the callbacks comes with the next wake-up */
    e->finished_last = &e->finished;
    while (t) {
        struct delivery_task *next = t->next;
        t->done(t->context, &t->report);
        task_free(t);
        t = next;
    }
    delivery_engine_settle(e);
}

static enum err_code check_job(const struct delivery_engine *e, const struct delivery_job *job, struct err *err)
{
    const struct delivery_destination *to = &job->to;
    if (job->recipient_count == 0)
        return err_set(err, ERR_INVALID, "a delivery needs a recipient");
    if (to->kind == DELIVERY_MAILDIR) {
        if (to->mailbox.len == 0)
            return err_set(err, ERR_INVALID, "a Maildir delivery needs a mailbox");
        return e->mail_root < 0 ? err_set(err, ERR_INVALID, "there is no mail directory to deliver to") : ERR_NONE;
    }
    if (to->host_count == 0 && (to->kind == DELIVERY_LMTP || to->mx_domain.len == 0))
        return err_set(err, ERR_INVALID, "a delivery needs a host or a domain to go to");
    if (to->user.len && !to->password)
        return err_set(err, ERR_INVALID, "a delivery that authenticates needs a password");
    if (to->helo_name.len && !smtp_connection_name_valid(to->helo_name))
        return err_set(err, ERR_INVALID, "`%.*s` cannot be said in EHLO: it must be a domain name",
                       SPAN_ARG(to->helo_name));
    return ERR_NONE;
}

enum err_code delivery_start(struct delivery_engine *e, const struct delivery_job *job, delivery_done_fn *done,
                             void *context, struct delivery_task **ret, struct err *err)
{
    if (e->closing)
        return err_set(err, ERR_UNAVAILABLE, "deliveries are being ended");
    if (e->task_count >= e->options.max_tasks)
        return err_set(err, ERR_LIMIT, "%zu deliveries are under way, which is the limit", e->task_count);
    enum err_code code = check_job(e, job, err);
    if (code)
        return code;
    struct delivery_task *t = job->to.kind == DELIVERY_MAILDIR ? maildir_task_new() : smtp_transport_new();
    if (!t)
        return err_set(err, ERR_NO_MEMORY, "no memory for a delivery");
    arena_init(&t->arena, TASK_ARENA_MAX);
    t->results = ARENA_ARRAY(&t->arena, job->recipient_count, struct delivery_result);
    if (!t->results) {
        arena_clear(&t->arena);
        free(t);
        return err_set(err, ERR_NO_MEMORY, "no memory for the results of %zu recipients", job->recipient_count);
    }
    t->engine = e;
    t->job = *job;
    t->done = done;
    t->context = context;
    t->undecided = job->recipient_count;
    t->report = (struct delivery_report){.results = t->results, .count = job->recipient_count};
    t->next = e->tasks;
    if (t->next)
        t->next->prev = t;
    e->tasks = t;
    e->task_count++;
    if (ret)
        *ret = t;
    t->kind->start(t);
    return ERR_NONE;
}

void delivery_cancel(struct delivery_task *t)
{
    if (t->cancelled || t->finished)
        return;
    t->cancelled = true;
    t->kind->cancel(t);
}

void delivery_task_decide(struct delivery_task *t, size_t recipient, const struct delivery_result *result)
{
    struct delivery_result *r = &t->results[recipient];
    ASSERT(recipient < t->report.count && result->stage && !t->finished);
    if (r->stage)
        return;
    *r = *result;
    r->enhanced = arena_dup(&t->arena, result->enhanced);
    r->text = arena_dup(&t->arena, result->text); /* at the ceiling a result has no text, but stands */
    t->undecided--;
}

void delivery_task_decide_rest(struct delivery_task *t, const struct delivery_result *result)
{
    struct delivery_result shared = *result;
    shared.enhanced = arena_dup(&t->arena, result->enhanced);
    shared.text = arena_dup(&t->arena, result->text);
    for (size_t i = 0; i < t->report.count; i++) {
        if (t->results[i].stage)
            continue;
        t->results[i] = shared;
        t->undecided--;
    }
}

void delivery_task_finish(struct delivery_task *t)
{
    struct delivery_engine *e = t->engine;
    ASSERT(!t->finished && t->undecided == 0);
    t->finished = true;
    if (t->prev)
        t->prev->next = t->next;
    else
        e->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = t->prev = NULL;
    *e->finished_last = t;
    e->finished_last = &t->next;
    uv_async_send(&e->wake);
}
