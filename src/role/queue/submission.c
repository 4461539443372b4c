/*
 * submission.c: what receive processes and the pickup process hand over: envelopes (in parts where they are large),
 * bodies inline or in spool files that were opened for them.
 *
 * Invariants: a receive process holds at most OPEN_MAX spool files and one unfinished envelope. "Stored" is
 * answered from the change's answer only, after the flush; what is refused leaves nothing behind.
 */
#include "role/common/submission.h"
#include "role/common/metrics.h"
#include "role/queue/changes.h"
#include "role/queue/track.h"
#include "runtime/clock.h"
#include "runtime/large_body.h"
#include "runtime/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_MAX = 4096, ENVELOPE_ARENA_MAX = 32 << 20, STORE_BODY_MAX = QUEUE_INLINE_MAX + FRAME_BODY_MAX };

/* A body that a receive process is writing. */
struct spool_file {
    struct spool_file *next;
    uint64_t id;
    int fd;
};

struct peer {
    struct spool_file *files;
    size_t file_count;
    uint64_t token; /* of the envelope that comes in parts; 0: none */
    struct buf parts;
    const char *source; /* of its messages, for people and the tracking */
};

struct submissions {
    struct peer peers[SUBMISSIONS_OF_PICKUP + 1];
};

/* A message on its way into the store. */
struct incoming {
    uv_work_t work; /* publishing its spool file */
    struct transport *transport;
    struct role_asker asker;
    struct mail *mail;
    struct track_session session;
    struct spool_file *file; /* or NULL: inline */
    char name[SPOOL_NAME_MAX];
    enum err_code published;
    struct err err;
};

struct submissions *submissions_new(struct transport *t)
{
    struct submissions *s = calloc(1, sizeof *s);
    (void)t;
    for (size_t i = 0; s && i < ARRAY_LEN(s->peers); i++) {
        buf_init(&s->peers[i].parts, SUBMISSION_MAX);
        s->peers[i].source = i == SUBMISSIONS_OF_PICKUP ? "PICKUP" : "SMTP";
    }
    return s;
}

/* ---- answers ---- */

static void discard(struct transport *t, struct spool_file *file)
{
    spool_discard(&t->spool, file->fd, file->id);
    free(file);
}

static void answer(const struct role_asker *asker, enum content_outcome outcome, uint64_t id, const char *text)
{
    struct buf b;
    buf_init(&b, 1024);
    put_u8(&b, (uint8_t)outcome);
    put_u64(&b, id);
    put_bytes(&b, span_of(text));
    ASSERT(!b.failed);
    role_answer(asker, buf_span(&b), SPAN(""), NULL, 0);
    buf_done(&b);
}

static void incoming_free(struct incoming *in)
{
    if (in->file && in->name[0]) {
        close(in->file->fd); /* it has its name */
        free(in->file);
    } else if (in->file) {
        discard(in->transport, in->file);
    }
    free(in);
}

static void refuse(struct incoming *in, const struct err *err)
{
    struct log_line l = log_begin(LOG_ERROR, "store-refused");
    log_err(&l, err);
    log_end(&l);
    answer(&in->asker, CONTENT_REFUSED, 0, err->code == ERR_LIMIT ? "Queue busy" : "Insufficient system resources");
    if (in->name[0]) {
        struct err ignored; /* what stays behind, the sweep at the next start finds */
        IGNORE_RESULT(spool_remove(&in->transport->spool, span_of(in->name), &ignored));
    }
    if (in->mail)
        mail_discard(in->mail);
    incoming_free(in);
}

/* ---- storing ---- */

static void on_stored(struct change *c)
{
    struct incoming *in = c->context;
    const struct queue_op *op = c->unit.unit.ops;
    if (c->unit.unit.result) {
        refuse(in, &c->unit.unit.err);
    } else {
        struct mail *m = in->mail;
        m->envelope.id = op->message;
        struct log_line l = mail_log(m, "received");
        log_span(&l, "source", m->envelope.source);
        log_span(&l, "remote", m->envelope.source_ip);
        log_span(&l, "user", m->envelope.user);
        log_int(&l, "size", (int64_t)m->envelope.size);
        log_int(&l, "recipients", (int64_t)m->envelope.recipient_count);
        log_end(&l);
        answer(&in->asker, CONTENT_STORED, op->message, "");
        track_received(m, &in->session);
        incoming_free(in);
        mail_enqueued(m, op);
    }
    change_free(c);
}

static void store(struct incoming *in)
{
    struct change *c = change_new(in->transport, 1, on_stored, in);
    enum err_code code = c ? ERR_NONE : err_set(&in->err, ERR_NO_MEMORY, "out of memory");
    if (c) {
        mail_enqueue(in->mail, c);
        code = change_submit(c);
        if (code)
            err_set(&in->err, code, code == ERR_LIMIT ? "too much waits to be written" : "the queue is ending");
    }
    if (code) {
        change_free(c);
        refuse(in, &in->err);
    }
}

static void on_publish(uv_work_t *w)
{
    struct incoming *in = w->data;
    metric_add(METRIC_FLUSHED + METRIC_FLUSH_SPOOL, 2); /* the file, and the folder that names it */
    in->published = spool_publish(&in->transport->spool, in->file->fd, in->file->id, in->name, &in->err);
}

static void on_published(uv_work_t *w, int status)
{
    struct incoming *in = w->data;
    (void)status; /* it is never cancelled */
    if (in->published) {
        in->name[0] = '\0';
        refuse(in, &in->err);
        return;
    }
    in->mail->envelope.id = in->file->id;
    in->mail->envelope.spool = arena_dup(&in->mail->arena, span_of(in->name));
    ASSERT(in->mail->envelope.spool.ptr);
    store(in);
}

/* ---- envelopes ---- */

static unsigned flags_of(const struct submission *s)
{
    return (s->eight_bit ? QUEUE_8BIT : 0u) | (s->body == SMTP_BODY_BINARY ? QUEUE_BINARY : 0u) |
           (s->smtp_utf8 ? QUEUE_UTF8 : 0u) | (s->ret == SMTP_RET_FULL ? QUEUE_RET_FULL : 0u) |
           (s->ret == SMTP_RET_HDRS ? QUEUE_RET_HDRS : 0u) | (s->internal ? QUEUE_INTERNAL : 0u) |
           (s->require_tls ? QUEUE_REQUIRE_TLS : 0u) | (s->tls_optional ? QUEUE_TLS_OPTIONAL : 0u);
}

static struct mail *mail_of(struct transport *t, const char *source, const struct submission *s, struct span body,
                            struct arena *arena)
{
    int64_t now = clock_wall_ms();
    struct queue_recipient *list = ARENA_ARRAY(arena, s->recipient_count, struct queue_recipient);
    struct queue_message m = {.message_id = s->message_id,
                              .sender = s->sender,
                              .received_ms = now,
                              .size = s->size,
                              .flags = flags_of(s),
                              .subject = s->subject,
                              .source = arena_printf(arena, "%s:%.*s", source, SPAN_ARG(s->connector)),
                              .source_ip = s->remote_ip,
                              .user = s->user,
                              .envid = s->envid,
                              .recipients = list,
                              .recipient_count = s->recipient_count};
    if (!list || !m.source.ptr)
        return NULL;
    for (size_t i = 0; i < s->recipient_count; i++)
        list[i] = (struct queue_recipient){.address = s->recipients[i].address,
                                           .orcpt = s->recipients[i].orcpt,
                                           .notify = s->recipients[i].notify,
                                           .next_attempt_ms = now};
    return mail_new(t, &m, body);
}

/* The whole envelope: what came ahead under this token, and the rest. Empty when the parts are missing. */
static struct span join(struct peer *p, uint64_t token, struct span rest)
{
    if (!token)
        return rest;
    if (p->token != token)
        return SPAN("");
    buf_add(&p->parts, rest);
    return p->parts.failed ? SPAN("") : buf_span(&p->parts);
}

static void drop_parts(struct peer *p)
{
    p->token = 0;
    buf_done(&p->parts);
    buf_init(&p->parts, SUBMISSION_MAX);
}

static struct spool_file *take_file(struct peer *p, uint64_t id)
{
    for (struct spool_file **at = &p->files; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            struct spool_file *f = *at;
            *at = f->next;
            p->file_count--;
            return f;
        }
    return NULL;
}

/* The file is whole by then: what its receive process wrote, it wrote before it asked. */
static bool size_fits(const struct spool_file *file, uint64_t size, struct span body)
{
    struct stat st;
    return file ? fstat(file->fd, &st) == 0 && (uint64_t)st.st_size == size : size == body.len;
}

static void on_store(struct transport *t, struct peer *p, struct link *link, struct frame *f)
{
    struct large_body_view view = {0};
    struct err unwanted;
    bool open = large_body_open(f, STORE_BODY_MAX, &view, &unwanted) == ERR_NONE;
    struct cursor c = cursor_of(view.bytes);
    uint64_t token = cursor_u64(&c), spool_id = cursor_u64(&c);
    struct span envelope = cursor_bytes(&c, SUBMISSION_MAX), body = cursor_bytes(&c, QUEUE_INLINE_MAX);
    struct submission s;
    struct arena arena;
    struct incoming *in = calloc(1, sizeof *in);
    ASSERT(in);
    *in = (struct incoming){.transport = t, .asker = role_asker(link, f)};
    in->work.data = in;
    arena_init(&arena, ENVELOPE_ARENA_MAX);
    envelope = join(p, token, envelope);
    in->file = spool_id ? take_file(p, spool_id) : NULL;
    if (!open || !cursor_done(&c) || !submission_get(envelope, &arena, &s) || (spool_id && !in->file) ||
        !size_fits(in->file, s.size, body)) {
        role_bad_frame(ROLE_RECEIVE, f, "malformed message");
        err_set(&in->err, ERR_INVALID, "malformed message");
    } else if (!(in->mail = mail_of(t, p->source, &s, body, &arena))) {
        err_set(&in->err, ERR_NO_MEMORY, "out of memory");
    } else {
        in->session = track_session_of(&s, &in->mail->arena);
    }
    if (token)
        drop_parts(p);
    arena_clear(&arena);
    large_body_close(&view);
    if (in->err.code)
        refuse(in, &in->err);
    else if (in->file)
        uv_queue_work(&t->role->loop, &in->work, on_publish, on_published);
    else
        store(in);
}

static void on_part(struct peer *p, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    uint64_t token = cursor_u64(&c);
    if (!cursor_ok(&c) || !token) {
        role_bad_frame(ROLE_RECEIVE, f, "malformed part");
        return;
    }
    if (p->token != token)
        drop_parts(p);
    p->token = token;
    buf_add(&p->parts, c.rest); /* too much fails, and the message with it */
}

/* ---- spool files ---- */

static void on_spool(struct transport *t, struct peer *p, struct link *link, const struct frame *f)
{
    struct role_asker asker = role_asker(link, f);
    struct err err = {0};
    struct buf b;
    struct spool_file *file = p->file_count < OPEN_MAX ? calloc(1, sizeof *file) : NULL;
    buf_init(&b, 8);
    if (file) {
        file->id = queue_reserve_id(t->store);
        if (spool_create(&t->spool, file->id, &file->fd, &err)) {
            log_text(LOG_ERROR, "spool-failed", "%s", err.text);
            free(TAKE_PTR(file));
        }
    }
    if (file) {
        file->next = p->files;
        p->files = file;
        p->file_count++;
        put_u64(&b, file->id);
    }
    role_answer(&asker, buf_span(&b), SPAN(""), file ? &file->fd : NULL, file ? 1 : 0);
    buf_done(&b);
}

static void on_spool_drop(struct transport *t, struct peer *p, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct spool_file *file = take_file(p, cursor_u64(&c));
    if (file)
        discard(t, file);
}

void submissions_on_frame(struct transport *t, uint32_t index, struct link *link, struct frame *f)
{
    struct peer *p = &t->submissions->peers[index];
    switch (f->type) {
    case QUEUE_STORE: on_store(t, p, link, f); break;
    case QUEUE_ENVELOPE_PART: on_part(p, f); break;
    case QUEUE_SPOOL: on_spool(t, p, link, f); break;
    case QUEUE_SPOOL_DROP: on_spool_drop(t, p, f); break;
    default: role_bad_frame(ROLE_RECEIVE, f, "not expected by queue"); break;
    }
}

void submissions_peer_lost(struct transport *t, uint32_t index)
{
    struct peer *p = &t->submissions->peers[index];
    drop_parts(p);
    while (p->files)
        discard(t, take_file(p, p->files->id));
}
