/*
 * attempt.c: one try to deliver: DELIVER_JOB, and what its report says of each recipient.
 *
 * Invariant: an attempt ends in exactly one answer, or in its loss (the deliver process died, nobody knows what it
 * did): then the recipients are tried again soon, which is where "at least once" comes from.
 */
#include "role/common/job.h"
#include "role/common/metrics.h"
#include "role/queue/next_hop.h"
#include "role/queue/notify.h"
#include "role/queue/poison.h"
#include "role/queue/track.h"
#include "role/queue/transport.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    RECIPIENTS_MAX = 100,              /* of one transaction: what every server takes (RFC 5321, 4.5.3.1.8) */
    RECIPIENT_BYTES_MAX = 40 * 1024,   /* what they may take of a job's head */
    ATTEMPT_WAIT_MS = 4 * 3600 * 1000, /* deliver's own time limits end it long before ... */
    SILENCES = 24,                     /* ... also where a connector allows longer ones: so many are waited for */
    INLINE_MAX = 64 * 1024,            /* a larger body goes as a file */
    SOON_MS = 1000,                    /* the supervisor slows down a process that dies again and again */
    BODY_ARENA_MAX = 8 << 20,
};

/* One DELIVER_JOB. */
struct attempt {
    struct transport *transport;
    struct mail *mail;
    struct destination *destination;
    enum failure_scope scope; /* of failures that are the message's own */
    bool local;               /* the last stop: a mailbox */
    size_t count;
    struct recipient *recipients[RECIPIENTS_MAX];
};

/* ---- the job ---- */

static size_t take_recipients(struct parcel *p, struct attempt *a, struct arena *arena,
                              struct delivery_recipient *list)
{
    size_t bytes = 0;
    struct recipient *r;
    while ((r = p->recipients) && a->count < RECIPIENTS_MAX) {
        struct span orcpt = a->local ? r->record->orcpt : notify_orcpt(r, arena);
        bytes += r->address.len + orcpt.len + 32;
        if (a->count > 0 && bytes > RECIPIENT_BYTES_MAX)
            break;
        list[a->count] = (struct delivery_recipient){
            .address = r->address, .orcpt = orcpt, .notify = r->record->notify, .index = r->record->index};
        a->recipients[a->count++] = r;
        p->recipients = r->next;
        p->count--;
    }
    if (!p->recipients)
        p->last = &p->recipients;
    return a->count;
}

/* The other way round: nothing was begun. */
static void give_back(struct parcel *p, struct attempt *a)
{
    for (size_t i = a->count; i-- > 0;) {
        struct recipient *r = a->recipients[i];
        if (!p->recipients)
            p->last = &r->next;
        r->next = p->recipients;
        p->recipients = r;
        p->count++;
    }
}

static struct delivery_job job_of(const struct mail *m, const struct delivery_recipient *list, size_t count)
{
    const struct queue_message *e = &m->envelope;
    return (struct delivery_job){.message_id = e->id,
                                 .received_ms = e->received_ms,
                                 .sender = e->sender,
                                 .recipients = list,
                                 .recipient_count = count,
                                 .eight_bit = e->flags & QUEUE_8BIT,
                                 .utf8 = e->flags & QUEUE_UTF8,
                                 .binary = e->flags & QUEUE_BINARY,
                                 .envid = e->envid,
                                 .ret = e->flags & QUEUE_RET_FULL   ? DELIVERY_RET_FULL
                                        : e->flags & QUEUE_RET_HDRS ? DELIVERY_RET_HDRS
                                                                    : DELIVERY_RET_NONE,
                                 .size = e->size,
                                 .body_fd = -1,
                                 .first_attempt = m->fresh};
}

/* ---- what became of it ---- */

static void record_all(struct attempt *a, const struct verdict *same)
{
    struct verdict *list = NULL;
    for (size_t i = a->count; i-- > 0;) {
        struct verdict *v = ARENA_NEW(&a->mail->arena, struct verdict);
        ASSERT(v);
        *v = *same;
        v->recipient = a->recipients[i];
        v->next = list;
        list = v;
    }
    outcomes_record(a->mail, list);
}

static enum tracking_source source_of(const struct attempt *a, const struct delivery_result *r)
{
    if (a->local)
        return TRACKING_OF_STOREDRIVER;
    return r->stage && span_eq(span_of(r->stage), SPAN("DNS")) ? TRACKING_OF_DNS : TRACKING_OF_SMTP;
}

static struct verdict verdict_of(const struct attempt *a, const struct delivery_report *report,
                                 const struct delivery_result *r, struct span security)
{
    static const enum verdict_kind kinds[] = {[DELIVERY_DELIVERED] = VERDICT_DELIVERED,
                                              [DELIVERY_TEMPORARY] = VERDICT_TEMPORARY,
                                              [DELIVERY_PERMANENT] = VERDICT_PERMANENT};
    return (struct verdict){.kind = kinds[r->outcome],
                            .status = r->enhanced,
                            .text = r->text,
                            .code = r->code,
                            .remote = report->remote_host,
                            .remote_ip = report->remote_ip,
                            .source = source_of(a, r),
                            .security = security,
                            .scope = r->connection_fault ? FAILURE_CONNECTION : a->scope,
                            .relayed = !a->local && !report->dsn_offered,
                            .by_next_hop = !a->local && report->dsn_offered};
}

/* The next hop could not be used at all when that is what failed each recipient. */
static bool is_fault(const struct delivery_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (!report->results[i].connection_fault || report->results[i].outcome != DELIVERY_TEMPORARY)
            return false;
    return true;
}

static int64_t retry_time(const struct attempt *a)
{
    struct policy_ref *ref = policy_ref_current();
    const struct transport_settings *s = policy_settings(policy_ref_policy(ref));
    uint32_t attempts = a->recipients[0]->record->attempts + 1;
    int64_t delay = schedule_delay(s, FAILURE_CONNECTION, destination_failures(a->destination, attempts));
    policy_ref_drop(ref);
    return clock_wall_ms() + delay;
}

static void on_report(struct attempt *a, const struct delivery_report *report)
{
    bool fault = is_fault(report);
    int64_t retry_at = fault ? retry_time(a) : 0;
    struct span security = track_security(report, &a->mail->arena);
    if (!a->local && report->remote_host.len)
        metric_add(METRIC_DELIVERY_TLS + metric_tls_of(report->tls.version), 1);
    struct verdict *list = NULL;
    for (size_t i = a->count; i-- > 0;) {
        struct verdict *v = ARENA_NEW(&a->mail->arena, struct verdict);
        ASSERT(v);
        *v = verdict_of(a, report, &report->results[i], security);
        v->recipient = a->recipients[i];
        v->next_ms = fault ? retry_at : 0;
        v->next = list;
        list = v;
    }
    destination_done(a->destination, fault, retry_at, verdict_error(&a->mail->arena, list));
    outcomes_record(a->mail, list);
}

/* It failed on our side, not the next hop's. wait_ms 0: by the schedule. */
static void on_own_failure(struct attempt *a, const char *why, int64_t wait_ms)
{
    struct log_line l = mail_log(a->mail, "attempt-failed");
    log_str(&l, "error", why);
    log_end(&l);
    destination_done(a->destination, false, 0, SPAN(""));
    record_all(a, &(struct verdict){.kind = VERDICT_TEMPORARY,
                                    .source = TRACKING_OF_QUEUE,
                                    .status = SPAN("4.3.0"),
                                    .text = arena_dup(&a->mail->arena, span_of(why)),
                                    .scope = a->scope,
                                    .next_ms = wait_ms ? clock_wall_ms() + wait_ms : 0});
}

static void on_answer(void *context, struct frame *f)
{
    struct attempt *a = context;
    struct transport *t = a->transport;
    struct delivery_report report;
    struct arena arena;
    struct cursor c = cursor_of(f ? f->body : SPAN(""));
    uint8_t outcome = cursor_u8(&c);
    uint64_t id = a->mail->envelope.id, before = poison_enter(t, id);
    arena_init(&arena, FRAME_BODY_MAX * 4);
    bool others_wait = poison_sent(t, id, !f);
    if (!f)
        on_own_failure(a, "the deliver process ended", SOON_MS); /* nobody knows what it did */
    else if (c.bad || outcome != 0)
        on_own_failure(a, "the deliver process did not begin it", SOON_MS);
    else if (!job_get_report(c.rest, a->count, &arena, &report))
        on_own_failure(a, "the report of the deliver process is malformed", 0);
    else
        on_report(a, &report);
    arena_clear(&arena);
    free(a);
    poison_leave(t, before);
    if (others_wait)
        destinations_wake(t);
    else
        destinations_pump(t);
    transport_settled(t);
}

/* ---- starting ---- */

static enum err_code send_job(struct attempt *a, const struct buf *head, int64_t inactivity_ms, struct err *err)
{
    struct arena arena;
    struct span body;
    int fd = -1;
    arena_init(&arena, BODY_ARENA_MAX);
    enum err_code code = mail_body(a->mail, &arena, &body, &fd, err);
    if (!code && fd < 0 && body.len > INLINE_MAX) {
        code = memory_file_make("mailreeve-body", body, &fd, err);
        body = SPAN("");
    }
    if (!code)
        code = link_ask(role_link(a->transport->role, ROLE_DELIVER, 0), DELIVER_JOB, buf_span(head), body, &fd,
                        fd >= 0, ATTEMPT_WAIT_MS + SILENCES * inactivity_ms, on_answer, a);
    if (fd >= 0)
        close(fd);
    arena_clear(&arena);
    return code;
}

static bool start(struct parcel *p)
{
    struct delivery_recipient list[RECIPIENTS_MAX];
    struct delivery_host hosts[NEXT_HOP_HOSTS_MAX];
    struct span pins[NEXT_HOP_PINS_MAX];
    struct secret password;
    struct buf head;
    struct arena arena;
    struct err err = {0};
    struct attempt *a = calloc(1, sizeof *a);
    ASSERT(a);
    bool local = p->route.kind == ROUTE_MAILBOX;
    *a = (struct attempt){.transport = p->mail->transport,
                          .mail = p->mail,
                          .destination = p->destination,
                          .local = local,
                          .scope = local ? FAILURE_MAILBOX : FAILURE_MESSAGE};
    arena_init(&arena, 0); /* until the job is printed */
    struct delivery_job job = job_of(a->mail, list, take_recipients(p, a, &arena, list));
    secret_init(&password, 4096);
    next_hop_fill(&job.to, policy_ref_policy(p->policy), &p->route, hosts, pins, &password);
    job.to.carry_require_tls = a->mail->envelope.flags & QUEUE_REQUIRE_TLS;
    job.to.require_tls = job.to.carry_require_tls && job.sender.len; /* a report is better sent than lost */
    job.to.tls_optional = a->mail->envelope.flags & QUEUE_TLS_OPTIONAL;
    buf_init(&head, JOB_HEAD_MAX);
    job_put(&head, &job);
    arena_clear(&arena);
    enum err_code code = head.failed ? err_set(&err, ERR_INTERNAL, "the job does not fit into a frame")
                                     : send_job(a, &head, job.to.inactivity_ms, &err);
    buf_wipe(&head);
    secret_done(&password);
    if (!code) {
        poison_sends(a->transport, a->mail->envelope.id);
        return true;
    }
    bool busy = !err.code && (code == ERR_LIMIT || code == ERR_UNAVAILABLE); /* of the link: it says nothing else */
    if (busy)
        give_back(p, a);
    else
        on_own_failure(a, err.text, 0);
    free(a);
    return !busy;
}

bool attempt_start(struct parcel *p)
{
    struct transport *t = p->mail->transport;
    uint64_t before = poison_enter(t, p->mail->envelope.id);
    bool begun = start(p);
    poison_leave(t, before);
    return begun;
}
