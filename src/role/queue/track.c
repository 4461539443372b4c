/* track.c: see track.h. */
#include "role/queue/track.h"

#include "delivery/delivery.h"
#include "role/common/event_sender.h"
#include "role/common/metrics.h"
#include "role/common/submission.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FIELD_MAX = EVENT_TRACKING_FIELD_MAX };

/* Recipients that share a row. */
struct joined {
    char recipients[FIELD_MAX], statuses[FIELD_MAX];
    size_t recipients_len, statuses_len, count;
};

/* ---- a row ---- */

static struct span iso_time(int64_t ms, char out[static 32])
{
    struct tm tm;
    time_t t = (time_t)(ms / 1000);
    size_t n = gmtime_r(&t, &tm) ? strftime(out, 20, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
    int more = n ? snprintf(out + n, 32 - n, ".%03dZ", (int)(ms % 1000)) : 0;
    return span_make(out, n + (size_t)more);
}

static struct span number(uint64_t n, char out[static 24])
{
    snprintf(out, 24, "%" PRIu64, n);
    return span_of(out);
}

/* The event's own fields are the caller's; this fills in what the message says, and tells it. */
static void tell(const struct queue_message *q, struct event *e, const struct joined *j)
{
    char internal[24], bytes[24], count[24], received[32];
    struct span *f = e->field;
    struct span sender = q->sender.len ? q->sender : SPAN("<>");
    e->kind = EVENT_TRACKING;
    f[TRACKING_INTERNAL_MESSAGE_ID] = number(q->id, internal);
    f[TRACKING_MESSAGE_ID] = q->message_id;
    f[TRACKING_RECIPIENT_ADDRESS] = span_make(j->recipients, j->recipients_len);
    f[TRACKING_RECIPIENT_STATUS] = span_make(j->statuses, j->statuses_len);
    f[TRACKING_TOTAL_BYTES] = number(q->size, bytes);
    f[TRACKING_RECIPIENT_COUNT] = number(j->count, count);
    f[TRACKING_MESSAGE_SUBJECT] = q->subject;
    f[TRACKING_SENDER_ADDRESS] = f[TRACKING_RETURN_PATH] = sender;
    f[TRACKING_MESSAGE_INFO] = iso_time(q->received_ms, received);
    f[TRACKING_DIRECTIONALITY] =
        q->flags & (QUEUE_INTERNAL | QUEUE_REPORT) ? SPAN("Originating") : SPAN("Incoming");
    f[TRACKING_ORIGINAL_CLIENT_IP] = q->source_ip;
    event_send(*e);
}

/* False, and nothing is added, where it does not fit any more: then the row is full. */
static bool join(struct joined *j, struct span recipient, struct span status)
{
    size_t between = j->count > 0;
    status = span_head(status, FIELD_MAX / 4);
    recipient = span_head(recipient, FIELD_MAX / 2);
    if (j->recipients_len + between + recipient.len > FIELD_MAX ||
        j->statuses_len + between + status.len > FIELD_MAX)
        return false;
    if (between)
        j->recipients[j->recipients_len++] = j->statuses[j->statuses_len++] = TRACKING_JOIN;
    if (recipient.len)
        memcpy(j->recipients + j->recipients_len, recipient.ptr, recipient.len);
    j->recipients_len += recipient.len;
    for (size_t i = 0; i < status.len; i++)
        j->statuses[j->statuses_len++] = status.ptr[i] == TRACKING_JOIN ? ',' : status.ptr[i];
    j->count++;
    return true;
}

static void clear(struct joined *j)
{
    j->recipients_len = j->statuses_len = j->count = 0;
}

/* ---- entries ---- */

/* Once only, where the entry before it has the same. */
static struct span keep(struct arena *arena, struct span text, const struct span *before)
{
    return before && span_eq(text, *before) ? *before : arena_dup(arena, text);
}

void track_add(struct track_list *l, struct arena *arena, const struct track_entry *given)
{
    struct track_entry *e = ARENA_NEW(arena, struct track_entry), *b = l->newest;
    if (!e)
        return;
    *e = *given;
    e->next = NULL;
    e->recipient = arena_dup(arena, given->recipient);
    e->status = keep(arena, given->status, b ? &b->status : NULL);
    e->related = keep(arena, given->related, b ? &b->related : NULL);
    e->host = keep(arena, given->host, b ? &b->host : NULL);
    e->ip = keep(arena, given->ip, b ? &b->ip : NULL);
    e->connector = keep(arena, given->connector, b ? &b->connector : NULL);
    e->context = keep(arena, given->context, b ? &b->context : NULL);
    e->custom = keep(arena, given->custom, b ? &b->custom : NULL);
    *(l->newest ? &l->newest->next : &l->first) = e;
    l->newest = e;
}

static bool share_row(const struct track_entry *a, const struct track_entry *b)
{
    return a->event == b->event && a->source == b->source && span_eq(a->related, b->related) &&
           span_eq(a->host, b->host) && span_eq(a->ip, b->ip) && span_eq(a->connector, b->connector) &&
           span_eq(a->context, b->context) && span_eq(a->custom, b->custom);
}

static void tell_entry(const struct mail *m, const struct track_entry *t, const struct joined *j)
{
    struct span own = span_of(m->transport->role->host);
    bool hop = t->host.len || t->ip.len, tried = hop || t->event == TRACKING_DELIVER || t->event == TRACKING_SEND;
    struct event e = {.field = {[TRACKING_CLIENT_HOSTNAME] = tried ? own : SPAN(""),
                                [TRACKING_SERVER_IP] = t->ip,
                                [TRACKING_SERVER_HOSTNAME] = hop ? t->host : own,
                                [TRACKING_SOURCE_CONTEXT] = t->context,
                                [TRACKING_CONNECTOR_ID] = t->connector,
                                [TRACKING_SOURCE] = tracking_source_name(t->source),
                                [TRACKING_EVENT_ID] = tracking_event_name(t->event),
                                [TRACKING_RELATED_RECIPIENT_ADDRESS] = t->related,
                                [TRACKING_CUSTOM_DATA] = t->custom}};
    tell(&m->envelope, &e, j);
}

void track_send(const struct mail *m, const struct track_list *l)
{
    static struct joined j; /* on the loop alone; too large to be zeroed for each message */
    clear(&j);
    for (const struct track_entry *t = l->first, *row = t; t; t = t->next) {
        if (!share_row(row, t) || !join(&j, t->recipient, t->status)) {
            tell_entry(m, row, &j);
            clear(&j);
            row = t;
            IGNORE_RESULT(join(&j, t->recipient, t->status)); /* fits into an empty row */
        }
        if (!t->next)
            tell_entry(m, row, &j);
    }
}

void track_now(const struct mail *m, const struct track_entry *e)
{
    struct track_entry copy = *e;
    copy.next = NULL;
    track_send(m, &(struct track_list){&copy, &copy});
}

void track_expanded(const struct mail *m, struct span group, const struct queue_recipient *members, size_t count)
{
    static struct joined j; /* on the loop alone; too large to be zeroed for each message */
    const struct track_entry t = {.event = TRACKING_EXPAND, .source = TRACKING_OF_ROUTING, .related = group};
    clear(&j);
    for (size_t i = 0; i < count; i++)
        if (!join(&j, members[i].address, SPAN("250 2.1.5 Group expanded"))) {
            tell_entry(m, &t, &j);
            clear(&j);
            IGNORE_RESULT(join(&j, members[i].address, SPAN("250 2.1.5 Group expanded")));
        }
    tell_entry(m, &t, &j); /* also of a group without (further) members */
}

/* None of them has a status yet. */
static void tell_without_status(const struct mail *m, struct event *e, struct joined *j)
{
    j->statuses_len = 0;
    tell(&m->envelope, e, j);
    clear(j);
}

static void join_all(const struct mail *m, struct event *e)
{
    static struct joined j; /* on the loop alone; too large to be zeroed for each message */
    clear(&j);
    for (size_t i = 0; i < m->envelope.recipient_count; i++)
        if (!join(&j, m->envelope.recipients[i].address, SPAN(""))) {
            tell_without_status(m, e, &j);
            IGNORE_RESULT(join(&j, m->envelope.recipients[i].address, SPAN("")));
        }
    tell_without_status(m, e, &j);
}

void track_report(const struct mail *original, const struct mail *report)
{
    struct event e = {.field = {[TRACKING_SERVER_HOSTNAME] = span_of(report->transport->role->host),
                                [TRACKING_SOURCE] = tracking_source_name(TRACKING_OF_DSN),
                                [TRACKING_EVENT_ID] = tracking_event_name(TRACKING_DSN),
                                [TRACKING_REFERENCE] = original->envelope.message_id}};
    join_all(report, &e);
    metric_add(METRIC_REPORTS, 1);
}

void track_poison(const struct transport *t, const struct queue_message *q, struct span why)
{
    static struct joined j;
    struct event e = {.field = {[TRACKING_SERVER_HOSTNAME] = span_of(t->role->host),
                                [TRACKING_SOURCE] = tracking_source_name(TRACKING_OF_QUEUE),
                                [TRACKING_EVENT_ID] = tracking_event_name(TRACKING_POISONMESSAGE)}};
    clear(&j);
    for (size_t i = 0; i < q->recipient_count; i++) {
        const struct queue_recipient *r = &q->recipients[i];
        if (r->state != QUEUE_PENDING || join(&j, r->address, why))
            continue;
        tell(q, &e, &j);
        clear(&j);
        IGNORE_RESULT(join(&j, r->address, why));
    }
    tell(q, &e, &j);
}

/* ---- what comes in ---- */

struct track_session track_session_of(const struct submission *s, struct arena *arena)
{
    return (struct track_session){.helo = arena_dup(arena, s->helo),
                                  .local_ip = arena_dup(arena, s->local_ip),
                                  .session = arena_dup(arena, s->session),
                                  .tls = arena_dup(arena, s->tls)};
}

/* "SMTP:Client mail": the source, and the connector or folder. */
static struct span source_of(struct span *source)
{
    struct span name;
    if (!span_split(source, ':', &name))
        return SPAN("");
    for (unsigned i = 0; i < TRACKING_SOURCES; i++)
        if (span_ieq(name, tracking_source_name((enum tracking_source)i)))
            return tracking_source_name((enum tracking_source)i);
    return tracking_source_name(TRACKING_OF_SMTP);
}

static void put_pair(struct buf *b, const char *name, struct span value)
{
    if (value.len)
        buf_addf(b, "%s%s=%.*s", b->len ? ";" : "", name, SPAN_ARG(value));
}

void track_received(const struct mail *m, const struct track_session *s)
{
    struct span rest = m->envelope.source, source = source_of(&rest), cipher = s->tls, version;
    struct span own = span_of(m->transport->role->host);
    char connector[512];
    CLEANUP(buf_done) struct buf custom;
    buf_init(&custom, FIELD_MAX);
    if (span_split(&cipher, ' ', &version) && version.len) {
        put_pair(&custom, "TLS", version);
        put_pair(&custom, "Cipher", cipher);
    } else if (span_eq(source, tracking_source_name(TRACKING_OF_SMTP))) {
        put_pair(&custom, "TLS", SPAN("None"));
    }
    put_pair(&custom, "User", m->envelope.user);
    connector[0] = '\0';
    if (rest.len)
        snprintf(connector, sizeof connector, "%.*s\\%.*s", SPAN_ARG(own), SPAN_ARG(rest));
    struct event e = {.field = {[TRACKING_CLIENT_IP] = m->envelope.source_ip,
                                [TRACKING_CLIENT_HOSTNAME] = s->helo,
                                [TRACKING_SERVER_IP] = s->local_ip,
                                [TRACKING_SERVER_HOSTNAME] = own,
                                [TRACKING_SOURCE_CONTEXT] = s->session,
                                [TRACKING_CONNECTOR_ID] = span_of(connector),
                                [TRACKING_SOURCE] = source,
                                [TRACKING_EVENT_ID] = tracking_event_name(TRACKING_RECEIVE),
                                [TRACKING_CUSTOM_DATA] = buf_span(&custom)}};
    join_all(m, &e);
}

struct span track_security(const struct delivery_report *report, struct arena *arena)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    if (report->tls.version.len) {
        put_pair(&b, "TLS", report->tls.version);
        put_pair(&b, "Cipher", report->tls.cipher);
        put_pair(&b, "Verified", span_of(tls_verified_name(report->tls.verified)));
    } else if (report->remote_host.len) {
        put_pair(&b, "TLS", SPAN("None"));
    }
    return b.failed ? SPAN("") : arena_dup(arena, buf_span(&b));
}
