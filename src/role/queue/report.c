/*
 * report.c: a delivery status notification as a message of its own, out of what the queue knows of the original,
 * and as the settings for senders inside or outside want it.
 *
 * The whole original goes into it when it tells of a failure, RET=FULL asks for that, and it is text and not large;
 * otherwise its header section (RFC 3461 6.2).
 */
#include "mail/date.h"
#include "policy/domain.h"
#include "role/queue/changes.h"
#include "role/queue/notify.h"
#include "role/queue/track.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    ORIGINAL_MAX = 512 * 1024,
    REPORT_MAX = QUEUE_INLINE_MAX,
    HEADER_MAX = 128 * 1024,
    RECIPIENTS_MIN = 100, /* so many fit into one with such a header, whatever is said of them */
    RANDOM_BYTES = 16,
    ARENA_MAX = 8 << 20,
};

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

static struct span whole_lines(struct span s)
{
    size_t end = span_rfind(s, '\n');
    return span_head(s, end == SIZE_MAX ? 0 : end + 1);
}

/* The header section ends at the blank line; one that is longer than what was read, or very long, is cut at a
 * line's end. */
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
        d->original_header = whole_lines(original);
    }
    if (d->original_header.len > HEADER_MAX) {
        d->original_header = whole_lines(span_head(d->original_header, HEADER_MAX));
        d->full = false;
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
    return arena_printf(arena, "postmaster@%.*s",
                        SPAN_ARG(policy_text(p, own && !s->edge ? own->domain : s->host)));
}

static bool tells_of_failure(const struct dsn *d)
{
    for (size_t i = 0; i < d->recipient_count; i++)
        if (d->recipients[i].action == DSN_FAILED)
            return true;
    return false;
}

static bool returns_all(const struct dsn *d, const struct queue_message *m, uint64_t attach_max)
{
    /* RFC 8689, 5: with REQUIRETLS never. */
    return (m->flags & QUEUE_RET_FULL) && !(m->flags & (QUEUE_BINARY | QUEUE_REQUIRE_TLS)) &&
           m->size <= attach_max && m->size <= ORIGINAL_MAX && tells_of_failure(d);
}

/* d has its recipients already. */
static void describe(struct dsn *d, struct mail *original, const struct policy *p, struct arena *arena)
{
    const struct queue_message *m = &original->envelope;
    const struct transport_settings *s = policy_settings(p);
    bool internal = notify_is_internal(p, m->sender);
    d->host = policy_text(p, s->host);
    d->from = postmaster(arena, p);
    d->to = m->sender;
    d->message_id = new_message_id(arena, d->host);
    d->boundary = hex(arena);
    d->envelope_id = m->envid;
    d->now_ms = clock_wall_ms();
    d->arrival_ms = m->received_ms;
    d->subject = m->subject;
    d->full = returns_all(d, m, internal ? s->dsn_attach_internal : s->dsn_attach_external);
    d->html = s->dsn_flags & (internal ? DSN_HTML_INTERNAL : DSN_HTML_EXTERNAL);
    d->utf8 = m->flags & QUEUE_UTF8;
    split(d, read_original(original, arena));
}

/* Who gets a copy of it besides the sender; empty: nobody. */
static struct span copy_to(const struct dsn *d, const struct policy *p)
{
    const struct transport_settings *s = policy_settings(p);
    const struct policy_text *codes = policy_hosts(p, s->dsn_copies);
    struct span reader = policy_text(p, s->postmaster);
    if (reader.len == 0 || span_ieq(reader, d->to))
        return SPAN("");
    for (size_t i = 0; i < d->recipient_count; i++)
        for (uint32_t k = 0; d->recipients[i].action == DSN_FAILED && k < s->dsn_copies.count; k++)
            if (span_eq(d->recipients[i].status, policy_text(p, codes[k])))
                return reader;
    return SPAN("");
}

/* carried: of the original's flags, what holds for the report as well. */
static struct mail *as_mail(struct transport *t, const struct dsn *d, struct span copy, unsigned carried,
                            struct span body)
{
    bool utf8 = dsn_needs_utf8(d);
    struct buf subject;
    struct queue_recipient to[] = {{.address = d->to}, {.address = copy}};
    buf_init(&subject, 2048);
    dsn_print_subject(&subject, d);
    struct queue_message envelope = {.message_id = d->message_id,
                                     .received_ms = d->now_ms,
                                     .size = body.len,
                                     .flags = QUEUE_REPORT | QUEUE_8BIT | (utf8 ? QUEUE_UTF8 : 0) | carried,
                                     .subject = buf_span(&subject),
                                     .source = SPAN("DSN"),
                                     .recipients = to,
                                     .recipient_count = copy.len ? 2 : 1};
    struct mail *m = mail_new(t, &envelope, body);
    buf_done(&subject);
    return m;
}

/* As many of the recipients as fit into one; d->recipient_count says how many these are. NULL: it cannot be made.
 */
static struct mail *make(struct transport *t, struct dsn *d, struct span copy, unsigned carried)
{
    struct buf b;
    buf_init(&b, REPORT_MAX);
    for (;;) {
        dsn_print(&b, d);
        if (!b.failed)
            break;
        if (d->full) /* the whole original is too much after all */
            d->full = false;
        else if (d->html)
            d->html = false;
        else if (d->recipient_count > RECIPIENTS_MIN)
            d->recipient_count = d->recipient_count / 2 < RECIPIENTS_MIN ? RECIPIENTS_MIN : d->recipient_count / 2;
        else
            break;
        buf_clear(&b);
    }
    struct mail *m = b.failed ? NULL : as_mail(t, d, copy, carried, buf_span(&b));
    buf_done(&b);
    return m;
}

static void log_report(const struct mail *original, const struct mail *report, const struct dsn *d,
                       struct span copy)
{
    struct log_line l = mail_log(original, report ? "report" : "report-failed");
    log_span(&l, "to", original->envelope.sender);
    if (copy.len)
        log_span(&l, "copy-to", copy);
    log_int(&l, "recipients", (int64_t)d->recipient_count);
    log_end(&l);
}

/* What still has to be told, in one more. */
static struct mail *add(struct change *c, struct mail *original, const struct policy *p, struct dsn *d)
{
    struct arena arena;
    struct mail *report = NULL;
    arena_init(&arena, ARENA_MAX);
    describe(d, original, p, &arena);
    struct span copy = copy_to(d, p);
    if (d->from.ptr && d->message_id.ptr && d->boundary.ptr)
        report = make(original->transport, d, copy, original->envelope.flags & QUEUE_REQUIRE_TLS);
    log_report(original, report, d, copy);
    arena_clear(&arena);
    if (report)
        mail_enqueue(report, c);
    return report;
}

size_t reports_max(size_t recipients)
{
    return recipients / RECIPIENTS_MIN + 1;
}

void reports_add(struct change *c, struct mail *original, const struct dsn_recipient *recipients, size_t count,
                 struct reports *ret)
{
    struct policy_ref *ref = policy_ref_current();
    size_t told = 0;
    *ret = (struct reports){.first_op = c->unit.unit.op_count};
    ret->mails = ARENA_ARRAY(&c->arena, reports_max(count), struct mail *);
    ASSERT(ret->mails);
    while (told < count) {
        struct dsn d = {.recipients = recipients + told, .recipient_count = count - told};
        struct mail *report = add(c, original, policy_ref_policy(ref), &d);
        if (report)
            ret->mails[ret->count++] = report;
        told += d.recipient_count;
    }
    policy_ref_drop(ref);
}

void reports_track(const struct reports *r, const struct mail *original, const struct queue_unit *u)
{
    for (size_t i = 0; i < r->count; i++) {
        r->mails[i]->envelope.id = u->ops[r->first_op + i].message;
        track_report(original, r->mails[i]);
    }
}

void reports_enqueued(const struct reports *r, const struct queue_unit *u)
{
    for (size_t i = 0; i < r->count; i++)
        mail_enqueued(r->mails[i], &u->ops[r->first_op + i]);
}

void reports_discard(const struct reports *r)
{
    for (size_t i = 0; i < r->count; i++)
        mail_discard(r->mails[i]);
}
