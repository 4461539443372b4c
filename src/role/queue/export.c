/*
 * export.c: QUEUE_EXPORT: a message that waits, with its envelope, as a file for the replay folder.
 *
 * Invariant: the message is suspended when it is read, so that it is not sent at the same time.
 */
#include "base/cursor.h"
#include "role/queue/transport.h"
#include "runtime/large_body.h"
#include "runtime/log.h"
#include "smtp/params.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXPORT_MAX = 64 << 20, EXPORT_ARENA_MAX = 128 << 20, READ_PIECE = 256 * 1024 };

struct export
{
    uv_work_t work;
    struct transport *transport;
    struct role_asker asker;
    struct arena arena;
    struct queue_message message;
    struct buf file;
    enum err_code code;
    struct err err;
};

/* ---- the envelope ---- */

static void put_notify(struct buf *b, uint32_t notify)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{SMTP_NOTIFY_NEVER, "NEVER"},
                 {SMTP_NOTIFY_SUCCESS, "SUCCESS"},
                 {SMTP_NOTIFY_FAILURE, "FAILURE"},
                 {SMTP_NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (notify & names[i].bit) {
            buf_addf(b, "%s%s", before, names[i].name);
            before = ",";
        }
}

static void put_sender(struct buf *b, const struct queue_message *m)
{
    buf_addf(b, "X-Sender: <%.*s> BODY=%s", SPAN_ARG(m->sender),
             m->flags & QUEUE_BINARY ? "BINARYMIME"
             : m->flags & QUEUE_8BIT ? "8BITMIME"
                                     : "7BIT");
    if (m->flags & (QUEUE_RET_FULL | QUEUE_RET_HDRS))
        buf_addf(b, " RET=%s", m->flags & QUEUE_RET_FULL ? "FULL" : "HDRS");
    if (m->envid.len)
        buf_addf(b, " ENVID=%.*s", SPAN_ARG(m->envid));
    if (m->flags & QUEUE_UTF8)
        buf_add(b, SPAN(" SMTPUTF8"));
    if (m->flags & QUEUE_REQUIRE_TLS)
        buf_add(b, SPAN(" REQUIRETLS"));
    buf_add(b, SPAN("\r\n"));
}

/* Those that still wait. */
static void put_envelope(struct buf *b, const struct queue_message *m)
{
    put_sender(b, m);
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        if (r->state != QUEUE_PENDING)
            continue;
        buf_addf(b, "X-Receiver: <%.*s>", SPAN_ARG(r->address));
        put_notify(b, r->notify);
        if (r->orcpt.len)
            buf_addf(b, " ORcpt=%.*s", SPAN_ARG(r->orcpt));
        buf_add(b, SPAN("\r\n"));
    }
    buf_add(b, SPAN("X-CreatedBy: Mailreeve\r\n"));
    if (m->source_ip.len)
        buf_addf(b, "X-SourceIPAddress: %.*s\r\n", SPAN_ARG(m->source_ip));
    buf_add(b, SPAN("X-EndOfInjectedXHeaders:\r\n"));
}

/* ---- the message ---- */

static void read_spooled(struct export *e)
{
    int fd;
    ssize_t n = 1;
    e->code = spool_open_read(&e->transport->spool, e->message.spool, &fd, &e->err);
    if (e->code)
        return;
    while (n != 0 && !e->file.failed) {
        if (!buf_reserve(&e->file, READ_PIECE))
            break;
        n = read(fd, e->file.ptr + e->file.len, READ_PIECE);
        if (n < 0 && errno != EINTR) {
            e->code = err_errno(&e->err, errno, "the message's file cannot be read");
            break;
        }
        e->file.len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
}

static void on_work(uv_work_t *w)
{
    struct export *e = w->data;
    put_envelope(&e->file, &e->message);
    if (e->message.spool.len)
        read_spooled(e);
    else
        buf_add(&e->file, e->message.body);
    if (e->file.failed)
        e->code = err_set(&e->err, ERR_LIMIT, "the message is larger than the %d MB that can be exported",
                          EXPORT_MAX >> 20);
}

static void answer(struct export *e)
{
    struct large_body body;
    struct buf b;
    struct err err = {0};
    buf_init(&b, EXPORT_MAX + sizeof(struct err) + 64);
    put_u8(&b, (uint8_t)e->code);
    put_bytes(&b, span_of(e->code ? e->err.text : ""));
    if (!e->code)
        put_bytes(&b, buf_span(&e->file));
    if (large_body_pack(buf_span(&b), &body, &err))
        log_text(LOG_ERROR, "answer-lost", "%s", err.text); /* the asker's time limit ends its wait */
    else
        role_answer(&e->asker, body.part, SPAN(""), body.fds, body.fd_count);
    large_body_done(&body);
    buf_done(&b);
    buf_done(&e->file);
    arena_clear(&e->arena);
    free(e);
}

static void on_done(uv_work_t *w, int status)
{
    (void)status;
    answer(w->data);
}

static enum err_code check_suspended(const struct queue_message *m, struct err *err)
{
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].state == QUEUE_PENDING && (!m->recipients[i].suspended || m->recipients[i].leased))
            return err_set(err, ERR_CONFLICT, "message %" PRIu64 " %s", m->id,
                           m->recipients[i].suspended
                               ? "is being sent at the moment; try again when its Status is Suspended"
                               : "is not suspended: Suspend-Message comes first, so that it is not sent meanwhile");
    return ERR_NONE;
}

void export_on_frame(struct transport *t, struct link *link, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    uint64_t id = cursor_u64(&c);
    struct export *e = cursor_done(&c) ? calloc(1, sizeof *e) : NULL;
    if (!e) {
        role_bad_frame(ROLE_MANAGE, f, "malformed question");
        return; /* the asker's time limit ends its wait */
    }
    *e = (struct export){.transport = t, .asker = role_asker(link, f)};
    e->work.data = e;
    arena_init(&e->arena, EXPORT_ARENA_MAX);
    buf_init(&e->file, EXPORT_MAX);
    e->code = queue_load(t->store, id, QUEUE_BODY | QUEUE_RECIPIENTS, &e->arena, &e->message, &e->err);
    if (!e->code)
        e->code = check_suspended(&e->message, &e->err);
    if (e->code)
        answer(e);
    else
        uv_queue_work(&t->role->loop, &e->work, on_work, on_done);
}
