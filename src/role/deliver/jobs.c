/*
 * jobs.c: see jobs.h. A job under way owns all that its delivery borrows: the text, the password, the body.
 *
 * Invariant: every DELIVER_JOB gets one answer. When the queue is gone by then its answer is dropped: the queue
 * that was started anew repeats the job after its lease.
 */
#include "role/deliver/jobs.h"

#include "role/common/job.h"
#include "role/deliver/exit.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOB_ARENA_MAX = 2 * 1024 * 1024 };

struct running {
    struct jobs *jobs;
    struct role_asker asker;
    struct arena arena;
    struct secret password;
    struct buf front;
    struct delivery_job job;
};

static void running_free(struct running *r)
{
    if (r->job.body_fd >= 0)
        close(r->job.body_fd);
    secret_done(&r->password);
    buf_done(&r->front);
    arena_clear(&r->arena);
    free(r);
}

/* ---- the log ---- */

/* Who takes the mail: a mailbox, a host, or a domain. */
static struct span destination_name(const struct delivery_destination *to)
{
    if (to->kind == DELIVERY_MAILDIR)
        return to->mailbox;
    return to->host_count ? to->hosts[0].name : to->mx_domain;
}

static struct log_line job_line(enum log_level level, const char *event, const struct delivery_job *job)
{
    static const char *const kinds[] = {
        [DELIVERY_MAILDIR] = "maildir", [DELIVERY_LMTP] = "lmtp", [DELIVERY_SMTP] = "smtp"};
    struct log_line l = log_begin(level, event);
    log_int(&l, "message", (int64_t)job->message_id);
    log_str(&l, "transport", kinds[job->to.kind]);
    log_span(&l, "to", destination_name(&job->to));
    log_int(&l, "recipients", (int64_t)job->recipient_count);
    return l;
}

static void log_report(const struct delivery_job *job, const struct delivery_report *report)
{
    const struct delivery_result *failure = NULL;
    int64_t counts[DELIVERY_PERMANENT + 1] = {0};
    for (size_t i = 0; i < report->count; i++) {
        const struct delivery_result *r = &report->results[i];
        counts[r->outcome]++;
        if (!failure && r->outcome != DELIVERY_DELIVERED)
            failure = r;
    }
    struct log_line l = job_line(LOG_INFO, "delivery", job);
    log_int(&l, "delivered", counts[DELIVERY_DELIVERED]);
    log_int(&l, "temporary", counts[DELIVERY_TEMPORARY]);
    log_int(&l, "permanent", counts[DELIVERY_PERMANENT]);
    if (job->to.kind != DELIVERY_MAILDIR) {
        log_span(&l, "remote-host", report->remote_host);
        log_span(&l, "remote-ip", report->remote_ip);
        log_span(&l, "tls", report->tls.version.len ? report->tls.version : SPAN("none"));
        if (report->tls.version.len) {
            log_span(&l, "cipher", report->tls.cipher);
            log_str(&l, "verified-by", tls_verified_name(report->tls.verified));
            log_span(&l, "certificate", report->tls.peer);
        }
    }
    if (report->tls.policy_failure.len)
        log_span(&l, "mta-sts-testing", report->tls.policy_failure);
    if (failure) {
        log_str(&l, "stage", failure->stage);
        log_int(&l, "code", failure->code);
        log_span(&l, "enhanced", failure->enhanced);
        log_span(&l, "text", failure->text);
    }
    log_end(&l);
}

/* ---- answers ---- */

/* No attempt was made. */
static void answer_not_begun(const struct jobs *j, const struct role_asker *asker, enum err_code code)
{
    char outcome = (char)code;
    j->answer(asker, span_make(&outcome, 1), SPAN(""), NULL, 0);
}

static void answer_report(const struct jobs *j, const struct role_asker *asker,
                          const struct delivery_report *report)
{
    struct buf b;
    buf_init(&b, FRAME_BODY_MAX);
    put_u8(&b, ERR_NONE);
    job_put_report(&b, report);
    if (b.failed) /* only for want of memory */
        answer_not_begun(j, asker, ERR_UNKNOWN);
    else
        j->answer(asker, buf_span(&b), SPAN(""), NULL, 0);
    buf_done(&b);
}

static void on_report(void *context, const struct delivery_report *report)
{
    struct running *r = context;
    struct jobs *j = r->jobs;
    answer_report(j, &r->asker, report);
    log_report(&r->job, report);
    running_free(r);
    j->running--;
    if (j->running == 0 && j->refusing)
        j->idle(j);
}

/* ---- taking a job ---- */

/*
 * The parts of a job that the frame holds only during its call. The body must be a file, since reading anything
 * else could block the thread. NULL: the reason why not is in *ret_why.
 */
static struct running *running_new(struct jobs *j, const struct role_asker *asker, struct frame *f,
                                   enum err_code *ret_why)
{
    struct stat st;
    bool has_fd = f->fd_count > 0;
    struct running *r = calloc(1, sizeof *r);
    *ret_why = r ? ERR_INVALID : ERR_NO_MEMORY;
    if (!r)
        return NULL;
    r->jobs = j;
    r->asker = *asker;
    r->job.body_fd = -1;
    arena_init(&r->arena, JOB_ARENA_MAX);
    if (f->fd_count > 1 || !job_get(f->body, has_fd, &r->arena, &r->job, &r->password))
        goto failed;
    if (has_fd) {
        r->job.body_fd = frame_take_fd(f, 0);
        if (fstat(r->job.body_fd, &st) < 0 || !S_ISREG(st.st_mode))
            goto failed;
        return r;
    }
    r->job.body = arena_dup(&r->arena, r->job.body);
    if (r->job.body.ptr)
        return r;
    *ret_why = ERR_NO_MEMORY;
failed:
    running_free(r);
    return NULL;
}

void jobs_begin(struct jobs *j, struct link *link, struct frame *f)
{
    struct role_asker asker = role_asker(link, f);
    enum err_code code = ERR_UNAVAILABLE;
    if (j->refusing) {
        answer_not_begun(j, &asker, code);
        return;
    }
    struct running *r = running_new(j, &asker, f, &code);
    if (!r) {
        role_bad_frame(ROLE_QUEUE, f, code == ERR_INVALID ? "malformed job" : "no memory for a job");
        answer_not_begun(j, &asker, code);
        return;
    }
    struct err err = {0};
    code = exit_apply(&r->job, &r->front, &err);
    if (!code)
        code = delivery_start(j->engine, &r->job, on_report, r, NULL, &err);
    if (!code) {
        j->running++;
        return;
    }
    struct log_line l = job_line(LOG_WARNING, "delivery-not-begun", &r->job);
    log_err(&l, &err);
    log_end(&l);
    answer_not_begun(j, &asker, code);
    running_free(r);
}

void jobs_refuse(struct jobs *j, void (*idle)(struct jobs *j))
{
    j->refusing = true;
    j->idle = idle;
    if (j->running == 0)
        idle(j);
}
