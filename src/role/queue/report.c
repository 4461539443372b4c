/*
 * report.c: a delivery status notification as a message of its own, out of what the queue knows of the original.
 *
 * The whole original goes into it when RET=FULL asks for that and it is not large; otherwise its header section.
 */
#include "mail/date.h"
#include "mail/dsn.h"
#include "policy/domain.h"
#include "role/queue/changes.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { ORIGINAL_MAX = 512 * 1024, REPORT_MAX = QUEUE_INLINE_MAX, RANDOM_BYTES = 16, ARENA_MAX = 8 << 20 };

/* The beginning of the original: all of it, or what is read of a large one. */
static struct span read_original(struct mail *m, struct arena *arena)
{
    struct span body;
    struct err err = {0};
    int fd;
    if (mail_body(m, arena, &body, &fd, &err)) {
        log_text(LOG_ERROR, "queue-read-failed", "%s", err.text);
        return SPAN("");
    }
    if (fd < 0)
        return body;
    char *buffer = arena_alloc(arena, ORIGINAL_MAX);
    size_t len = 0;
    while (buffer && len < ORIGINAL_MAX) {
        ssize_t n = pread(fd, buffer + len, ORIGINAL_MAX - len, (off_t)len);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return span_make(buffer, buffer ? len : 0);
}

/* The header section ends at the blank line; one that is longer than what was read is cut at a line's end. */
static void split(struct dsn *d, struct span original)
{
    const char *blank = original.len ? memmem(original.ptr, original.len, "\r\n\r\n", 4) : NULL;
    if (span_starts(original, SPAN("\r\n"))) {
        d->original_body = span_from(original, 2);
    } else if (blank) {
        size_t at = (size_t)(blank - original.ptr);
        d->original_header = span_head(original, at + 2);
        d->original_body = span_from(original, at + 4);
    } else {
        size_t end = span_rfind(original, '\n');
        d->original_header = span_head(original, end == SIZE_MAX ? 0 : end + 1);
    }
}

static struct span hex(struct arena *arena)
{
    unsigned char bytes[RANDOM_BYTES];
    char text[2 * RANDOM_BYTES + 1];
    ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return arena_dup(arena, span_of(text));
}

static struct span new_message_id(struct arena *arena, struct span host)
{
    struct buf b;
    unsigned char bytes[RANDOM_BYTES];
    ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    buf_init(&b, 1024);
    message_id_print(&b, span_make(bytes, sizeof bytes), host);
    struct span s = arena_dup(arena, buf_span(&b));
    buf_done(&b);
    return s;
}

static struct span postmaster(struct arena *arena, const struct policy *p)
{
    const struct transport_settings *s = policy_settings(p);
    const struct accepted_domain *own = policy_default_domain(p);
    struct span given = policy_text(p, s->postmaster);
    if (given.len)
        return given;
    return arena_printf(arena, "postmaster@%.*s", SPAN_ARG(policy_text(p, own ? own->domain : s->host)));
}

static void describe(struct dsn *d, struct mail *original, const struct policy *p, struct arena *arena)
{
    const struct queue_message *m = &original->envelope;
    *d = (struct dsn){.host = policy_text(p, policy_settings(p)->host),
                      .from = postmaster(arena, p),
                      .to = m->sender,
                      .boundary = hex(arena),
                      .envelope_id = m->envid,
                      .now_ms = clock_wall_ms(),
                      .arrival_ms = m->received_ms,
                      .subject = m->subject,
                      .full = (m->flags & QUEUE_RET_FULL) && m->size <= ORIGINAL_MAX,
                      .utf8 = m->flags & QUEUE_UTF8};
    d->message_id = new_message_id(arena, d->host);
    split(d, read_original(original, arena));
}

static struct mail *make(struct mail *original, struct dsn *d)
{
    struct buf b;
    struct mail *m = NULL;
    buf_init(&b, REPORT_MAX);
    dsn_print(&b, d);
    if (b.failed) { /* the whole original is too much after all */
        d->full = false;
        buf_done(&b);
        buf_init(&b, REPORT_MAX);
        dsn_print(&b, d);
    }
    bool utf8 = dsn_needs_utf8(d);
    struct queue_recipient to = {.address = d->to};
    struct queue_message envelope = {.message_id = d->message_id,
                                     .received_ms = d->now_ms,
                                     .size = b.len,
                                     .flags = QUEUE_REPORT | QUEUE_8BIT | (utf8 ? QUEUE_UTF8 : 0),
                                     .subject = SPAN("Delivery status notification"),
                                     .source = SPAN("DSN"),
                                     .recipients = &to,
                                     .recipient_count = 1};
    if (!b.failed)
        m = mail_new(original->transport, &envelope, buf_span(&b));
    buf_done(&b);
    return m;
}

struct mail *report_add(struct change *c, struct mail *original, const struct dsn_recipient *recipients,
                        size_t count)
{
    struct arena arena;
    struct dsn d;
    struct policy_ref *ref = policy_ref_current();
    arena_init(&arena, ARENA_MAX);
    describe(&d, original, policy_ref_policy(ref), &arena);
    d.recipients = recipients;
    d.recipient_count = count;
    struct mail *report = d.from.ptr && d.message_id.ptr && d.boundary.ptr ? make(original, &d) : NULL;
    arena_clear(&arena);
    policy_ref_drop(ref);
    struct log_line l = mail_log(original, report ? "report" : "report-failed");
    log_span(&l, "to", original->envelope.sender);
    log_int(&l, "recipients", (int64_t)count);
    log_end(&l);
    if (report)
        mail_enqueue(report, c);
    return report;
}
