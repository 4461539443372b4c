/*
 * content.c: small contents in memory, large ones in the spool.
 *
 * Invariants: `small` holds everything until the spool file is there, then nothing. A question to the queue holds a
 * reference, so an answer that comes after content_free finds the object and drops what it brings. The end of a
 * message can come in the same read that made it large: then `envelope` waits for the spool file as the content
 * does.
 */
#include "role/common/content.h"

#include "base/cursor.h"
#include "role/common/submission.h"
#include "runtime/large_body.h"
#include "runtime/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* While the file is awaited one more read of the client may come in, and the header section that was held back. */
enum {
    CONTENT_BUFFER_MAX = CONTENT_SMALL_MAX + 1024 * 1024,
    SPOOL_WAIT_MS = 20000,
    STORE_WAIT_MS = 60000,
    ENVELOPE_PART_MAX = 60 * 1024
};

struct content {
    struct role *role;
    const struct content_owner *owner;
    void *context;
    unsigned references;
    struct buf small;
    struct buf envelope; /* of content_store, while the spool file is awaited */
    int fd;
    uint64_t spool_id;
    uint64_t size;
    bool waiting, freed, failed, stored;
    char why[128];
};

static void unref(struct content *c)
{
    if (--c->references > 0)
        return;
    buf_done(&c->small);
    buf_done(&c->envelope);
    free(c);
}

static void fail(struct content *c, const char *why)
{
    if (!c->failed) {
        c->failed = true;
        snprintf(c->why, sizeof c->why, "%s", why);
    }
}

static void write_file(struct content *c, struct span bytes)
{
    while (bytes.len && !c->failed) {
        ssize_t n = write(c->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR) {
            log_text(LOG_ERROR, "spool-write-failed", "%s", strerror(errno));
            fail(c, errno == ENOSPC || errno == EDQUOT ? "Insufficient system storage" : "Spool error");
        } else if (n > 0) {
            bytes = span_from(bytes, (size_t)n);
        }
    }
}

static void drop_spool(struct content *c, uint64_t id)
{
    struct buf b;
    buf_init(&b, 8);
    put_u64(&b, id);
    if (link_send(role_link(c->role, ROLE_QUEUE, 0), QUEUE_SPOOL_DROP, 0, buf_span(&b), NULL, 0))
        log_text(LOG_DEBUG, "spool-drop", "the queue process is away; it drops its open files by itself");
    buf_done(&b);
}

static void send_to_queue(struct content *c, struct span envelope);

static void on_spool(void *context, struct frame *f)
{
    struct content *c = context;
    struct cursor cur = cursor_of(f ? f->body : SPAN(""));
    uint64_t id = cursor_u64(&cur);
    c->waiting = false;
    if (!f || !cursor_done(&cur) || f->fd_count != 1) {
        fail(c, "Spool not available");
    } else if (c->freed) {
        drop_spool(c, id);
    } else {
        c->fd = frame_take_fd(f, 0);
        c->spool_id = id;
        write_file(c, buf_span(&c->small));
        buf_done(&c->small);
    }
    if (!c->freed && c->stored)
        send_to_queue(c, buf_span(&c->envelope));
    else if (!c->freed)
        c->owner->ready(c->context);
    unref(c);
}

static void ask_for_spool(struct content *c)
{
    if (link_ask(role_link(c->role, ROLE_QUEUE, 0), QUEUE_SPOOL, SPAN(""), SPAN(""), NULL, 0, SPOOL_WAIT_MS,
                 on_spool, c)) {
        fail(c, "Queue not available");
        return;
    }
    c->references++;
    c->waiting = true;
}

struct content *content_new(struct role *role, uint64_t expected, const struct content_owner *owner, void *context)
{
    struct content *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct content){.role = role, .owner = owner, .context = context, .references = 1, .fd = -1};
    buf_init(&c->small, CONTENT_BUFFER_MAX);
    buf_init(&c->envelope, SUBMISSION_MAX);
    if (expected > CONTENT_SMALL_MAX)
        ask_for_spool(c);
    return c;
}

void content_add(struct content *c, struct span bytes)
{
    ASSERT(!c->stored);
    if (c->failed)
        return;
    c->size += bytes.len;
    if (c->fd >= 0) {
        write_file(c, bytes);
        return;
    }
    buf_add(&c->small, bytes);
    if (c->small.failed)
        fail(c, "Out of memory");
    else if (c->small.len > CONTENT_SMALL_MAX && !c->waiting)
        ask_for_spool(c);
}

bool content_paused(const struct content *c)
{
    return c->waiting;
}

static void on_stored(void *context, struct frame *f)
{
    struct content *c = context;
    struct cursor cur = cursor_of(f ? f->body : SPAN(""));
    uint8_t outcome = cursor_u8(&cur);
    uint64_t id = cursor_u64(&cur);
    struct span text = cursor_bytes(&cur, 512);
    if (!f || !cursor_done(&cur) || outcome > CONTENT_UNKNOWN)
        outcome = CONTENT_UNKNOWN;
    if (!c->freed)
        c->owner->stored(c->context, (enum content_outcome)outcome, id, text);
    unref(c);
}

/* What could not even be asked is answered from the loop like everything else. */
static void on_failed_close(uv_handle_t *h)
{
    free(h);
}

static void on_failed(uv_timer_t *t)
{
    struct content *c = t->data;
    if (!c->freed)
        c->owner->stored(c->context, CONTENT_REFUSED, 0, span_of(c->why));
    unref(c);
    uv_close((uv_handle_t *)t, on_failed_close);
}

static void answer_failure(struct content *c)
{
    uv_timer_t *t = malloc(sizeof *t);
    ASSERT(t); /* a few bytes; without them no session of this process can go on either */
    uv_timer_init(&c->role->loop, t);
    t->data = c;
    c->references++;
    uv_timer_start(t, on_failed, 0, 0);
}

/*
 * An envelope with thousands of recipients does not fit into one frame: all but its last part goes ahead in frames
 * of its own, which the queue process joins by the token.
 */
static enum err_code send_ahead(struct link *queue, struct span *envelope, uint64_t *ret_token)
{
    static uint64_t tokens;
    enum err_code code = ERR_NONE;
    *ret_token = envelope->len > ENVELOPE_PART_MAX ? ++tokens : 0;
    while (!code && envelope->len > ENVELOPE_PART_MAX) {
        struct buf head;
        buf_init(&head, 8);
        put_u64(&head, *ret_token);
        code = link_send2(queue, QUEUE_ENVELOPE_PART, 0, buf_span(&head), span_head(*envelope, ENVELOPE_PART_MAX),
                          NULL, 0);
        buf_done(&head);
        *envelope = span_from(*envelope, ENVELOPE_PART_MAX);
    }
    return code;
}

/* head and body as one: in a frame, or where they do not fit into it in a memory file. */
static enum err_code ask_to_store(struct content *c, struct link *queue, struct buf *head, struct span body)
{
    struct large_body packed;
    struct buf all;
    struct err err;
    if (head->failed)
        return ERR_LIMIT;
    if (head->len + body.len <= FRAME_BODY_MAX)
        return link_ask(queue, QUEUE_STORE, buf_span(head), body, NULL, 0, STORE_WAIT_MS, on_stored, c);
    buf_init(&all, FRAME_BODY_MAX + CONTENT_BUFFER_MAX);
    buf_add(&all, buf_span(head));
    buf_add(&all, body);
    enum err_code code = all.failed ? ERR_NO_MEMORY : large_body_pack(buf_span(&all), &packed, &err);
    if (!code) {
        code = link_ask(queue, QUEUE_STORE, packed.part, SPAN(""), packed.fds, packed.fd_count, STORE_WAIT_MS,
                        on_stored, c);
        large_body_done(&packed);
    }
    buf_done(&all);
    return code;
}

static void send_to_queue(struct content *c, struct span envelope)
{
    if (c->failed) {
        answer_failure(c);
        return;
    }
    struct link *queue = role_link(c->role, ROLE_QUEUE, 0);
    uint64_t token;
    struct buf head;
    buf_init(&head, FRAME_BODY_MAX);
    enum err_code code = send_ahead(queue, &envelope, &token);
    put_u64(&head, token);
    put_u64(&head, c->fd >= 0 ? c->spool_id : 0);
    put_bytes(&head, envelope);
    put_u32(&head, (uint32_t)c->small.len);
    if (!code)
        code = ask_to_store(c, queue, &head, buf_span(&c->small));
    buf_done(&head);
    if (code) {
        fail(c, code == ERR_LIMIT ? "Queue busy" : "Queue not available");
        answer_failure(c);
        return;
    }
    c->references++;
}

void content_store(struct content *c, struct span envelope)
{
    ASSERT(!c->stored);
    c->stored = true;
    if (!c->waiting) {
        send_to_queue(c, envelope);
        return;
    }
    buf_add(&c->envelope, envelope);
    if (c->envelope.failed)
        fail(c, "Out of memory");
}

void content_free(struct content *c)
{
    if (!c)
        return;
    c->freed = true;
    if (c->fd >= 0) {
        close(c->fd);
        if (!c->stored)
            drop_spool(c, c->spool_id);
        c->fd = -1;
    }
    unref(c);
}
