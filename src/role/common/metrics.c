/*
 * metrics.c: one table of families says what each is called, what it means and where its numbers stand.
 *
 * Invariants: a column has one writing process, whose threads add atomically; its length is a multiple of a cache
 * line, so processes do not slow each other down. What is read is bounded by the table, whatever the memory holds.
 */
#include "role/common/metrics.h"

#include "runtime/memory_file.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>

enum { LINE_SLOTS = 8, COLUMN_SLOTS = (METRIC_END + LINE_SLOTS - 1) / LINE_SLOTS * LINE_SLOTS };

typedef _Atomic uint64_t slot;

static slot own_memory[COLUMN_SLOTS];

static struct {
    slot *all, *own;
    uint32_t columns;
} metrics = {own_memory, own_memory, 1};

/* ---- the families ---- */

enum family_kind { COUNTER, GAUGE, GAUGE_AGE, HISTOGRAM, BY_ROLE };

static const char *const tls_words[] = {"TLSv1.3", "TLSv1.2", "other", "none", NULL};
static const char *const refusal_words[] = {"session", "auth",  "sender", "recipient", "content",
                                            "right",   "limit", "store",  NULL};
static const char *const hop_words[] = {"MailboxDelivery", "SmartHostConnectorDelivery", "DnsConnectorDelivery",
                                        NULL};
static const char *const verdict_words[] = {"delivered", "sent", "failed", "deferred", NULL};
static const char *const flush_words[] = {"queue", "spool", NULL};
static_assert(ARRAY_LEN(tls_words) == METRIC_TLS_KINDS + 1 && ARRAY_LEN(refusal_words) == METRIC_REFUSALS + 1 &&
                  ARRAY_LEN(hop_words) == METRIC_HOPS + 1 && ARRAY_LEN(verdict_words) == METRIC_VERDICTS + 1 &&
                  ARRAY_LEN(flush_words) == METRIC_FLUSHES + 1,
              "a word for each value");

/* Upper bounds in milliseconds; the last bucket has none. */
static const int64_t accept_bounds[METRIC_BUCKETS - 1] = {1, 2, 5, 10, 25, 50, 100, 250, 1000, 5000, 30000};
static const int64_t delivery_bounds[METRIC_BUCKETS - 1] = {100,    500,     1000,     5000,     30000,    60000,
                                                            300000, 3600000, 14400000, 43200000, 172800000};

static const struct family {
    unsigned first;
    enum family_kind kind;
    const char *name, *help;
    const char *label;
    const char *const *words; /* values of the label */
    const int64_t *bounds;
} families[] = {
    {METRIC_STARTS, BY_ROLE, "process_starts_total", "Processes of each role that were started.", "role"},
    {METRIC_SESSIONS, COUNTER, "sessions_total", "SMTP sessions that were begun."},
    {METRIC_SESSIONS_OPEN, GAUGE, "sessions_open", "SMTP sessions now."},
    {METRIC_SESSION_TLS, COUNTER, "session_tls_total", "Sessions that were encrypted, by version of TLS.",
     "version", tls_words},
    {METRIC_ACCEPTED, COUNTER, "messages_accepted_total", "Messages that were answered with 250."},
    {METRIC_ACCEPTED_BYTES, COUNTER, "messages_accepted_bytes_total", "Their sizes."},
    {METRIC_ACCEPTED_RECIPIENTS, COUNTER, "recipients_accepted_total", "Their recipients."},
    {METRIC_ACCEPT_TIME, HISTOGRAM, "accept_seconds", "From the end of a message's content to its 250.",
     .bounds = accept_bounds},
    {METRIC_REFUSED, COUNTER, "refusals_total", "Refusals, by what was refused or ran out.", "reason",
     refusal_words},
    {METRIC_QUEUED, GAUGE, "queue_messages", "Messages in the queue, counted now and then."},
    {METRIC_QUEUED_RECIPIENTS, GAUGE, "queue_recipients", "Recipients in the queue that are not final."},
    {METRIC_QUEUED_BYTES, GAUGE, "queue_bytes", "Sizes of the messages in the queue."},
    {METRIC_OLDEST, GAUGE_AGE, "queue_oldest_seconds", "Age of the oldest message in the queue."},
    {METRIC_WAITING, GAUGE, "queue_waiting", "Messages in hand that wait for their next hop.", "type", hop_words},
    {METRIC_ACTIVE, GAUGE, "queue_active", "Deliveries under way.", "type", hop_words},
    {METRIC_RETRYING, GAUGE, "queue_retrying", "Next hops that failed and wait for their retry.", "type",
     hop_words},
    {METRIC_OUTCOMES, COUNTER, "recipient_outcomes_total", "What became of recipients.", "outcome", verdict_words},
    {METRIC_REPORTS, COUNTER, "reports_total", "Delivery status notifications that were made."},
    {METRIC_DELIVERY_TIME, HISTOGRAM, "delivery_seconds", "From acceptance to delivery, of each recipient.",
     .bounds = delivery_bounds},
    {METRIC_DELIVERY_TLS, COUNTER, "delivery_tls_total", "Attempts that reached another server, by version of TLS.",
     "version", tls_words},
    {METRIC_FLUSHED, COUNTER, "flushes_total",
     "Flushes to the disk: divided by messages_accepted_total, those of a message.", "store", flush_words},
    {METRIC_TRACKED, COUNTER, "tracking_entries_total", "Entries of the message tracking log."},
    {METRIC_EVENTS_LOST, COUNTER, "events_lost_total",
     "Entries of logs that found no room; no message is lost by it."},
};

/* ---- counting ---- */

void metric_add(unsigned metric, uint64_t n)
{
    ASSERT(metric < METRIC_END);
    atomic_fetch_add_explicit(&metrics.own[metric], n, memory_order_relaxed);
}

void metric_set(unsigned metric, uint64_t value)
{
    ASSERT(metric < METRIC_END);
    atomic_store_explicit(&metrics.own[metric], value, memory_order_relaxed);
}

void metric_observe(unsigned histogram, int64_t ms)
{
    const int64_t *bounds = histogram == METRIC_ACCEPT_TIME ? accept_bounds : delivery_bounds;
    unsigned bucket = 0;
    ms = ms > 0 ? ms : 0;
    while (bucket < METRIC_BUCKETS - 1 && ms > bounds[bucket])
        bucket++;
    metric_add(histogram + bucket, 1);
    metric_add(histogram + METRIC_BUCKETS, (uint64_t)ms);
}

enum metric_tls metric_tls_of(struct span version)
{
    if (!version.len)
        return METRIC_TLS_NONE;
    for (unsigned i = 0; i < METRIC_TLS_OTHER; i++)
        if (span_eq(version, span_of(tls_words[i])))
            return (enum metric_tls)i;
    return METRIC_TLS_OTHER;
}

/* ---- the memory ---- */

size_t metrics_size(uint32_t columns)
{
    return (size_t)columns * COLUMN_SLOTS * sizeof(slot);
}

static bool is_gauge(const struct family *f)
{
    return f->kind == GAUGE || f->kind == GAUGE_AGE;
}

static unsigned width(const struct family *f)
{
    unsigned n = 0;
    if (f->kind == HISTOGRAM)
        return METRIC_BUCKETS + 1;
    while (f->words && f->words[n])
        n++;
    return n ? n : 1;
}

enum err_code metrics_attach(int fd, uint32_t columns, uint32_t own, enum role_kind role, struct err *err)
{
    void *memory;
    if (metrics.own != own_memory || own >= columns)
        return err_set(err, ERR_INVALID, "metrics: no column of its own");
    enum err_code code = memory_file_map_shared(fd, metrics_size(columns), &memory, err);
    if (code)
        return code;
    metrics.all = memory;
    metrics.columns = columns;
    metrics.own = metrics.all + (size_t)own * COLUMN_SLOTS;
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        for (unsigned k = 0; k < width(&families[i]); k++) {
            unsigned m = families[i].first + k;
            if (is_gauge(&families[i]))
                metric_set(m, own_memory[m]);
            else
                metric_add(m, own_memory[m]);
        }
    metric_set(METRIC_ROLE, (uint64_t)role);
    metric_add(METRIC_STARTS, 1);
    return ERR_NONE;
}

static uint64_t read_slot(uint32_t column, unsigned metric)
{
    return atomic_load_explicit(&metrics.all[(size_t)column * COLUMN_SLOTS + metric], memory_order_relaxed);
}

uint64_t metric_sum(unsigned metric)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < metrics.columns; i++)
        sum += read_slot(i, metric);
    return sum;
}

/* ---- printing ---- */

#define PREFIX "mailreeve_"

static void print_seconds(struct buf *out, uint64_t ms)
{
    buf_addf(out, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

static void print_histogram(struct buf *out, const struct family *f)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
        count += metric_sum(f->first + i);
        buf_addf(out, PREFIX "%s_bucket{le=\"", f->name);
        if (i < METRIC_BUCKETS - 1)
            print_seconds(out, (uint64_t)f->bounds[i]);
        else
            buf_addf(out, "+Inf");
        buf_addf(out, "\"} %" PRIu64 "\n", count);
    }
    buf_addf(out, PREFIX "%s_sum ", f->name);
    print_seconds(out, metric_sum(f->first + METRIC_BUCKETS));
    buf_addf(out, "\n" PREFIX "%s_count %" PRIu64 "\n", f->name, count);
}

static void print_by_role(struct buf *out, const struct family *f)
{
    for (unsigned r = 0; r < ROLE_KINDS; r++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < metrics.columns; i++)
            sum += read_slot(i, METRIC_ROLE) == r ? read_slot(i, f->first) : 0;
        buf_addf(out, PREFIX "%s{%s=\"%s\"} %" PRIu64 "\n", f->name, f->label, role_name((enum role_kind)r), sum);
    }
}

static void print_age(struct buf *out, const struct family *f, int64_t now_ms)
{
    uint64_t at = metric_sum(f->first), now = (uint64_t)now_ms;
    buf_addf(out, PREFIX "%s ", f->name);
    print_seconds(out, at && at < now ? now - at : 0);
    buf_add_char(out, '\n');
}

static void print_values(struct buf *out, const struct family *f)
{
    for (unsigned i = 0; i < width(f); i++) {
        buf_addf(out, PREFIX "%s", f->name);
        if (f->label)
            buf_addf(out, "{%s=\"%s\"}", f->label, f->words[i]);
        buf_addf(out, " %" PRIu64 "\n", metric_sum(f->first + i));
    }
}

void metrics_print(struct buf *out, int64_t now_ms)
{
    buf_addf(out, "# HELP " PREFIX "build_info The version of the server.\n# TYPE " PREFIX
                  "build_info gauge\n" PREFIX "build_info{version=\"" MAILREEVE_VERSION "\"} 1\n");
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const struct family *f = &families[i];
        const char *type = is_gauge(f) ? "gauge" : f->kind == HISTOGRAM ? "histogram" : "counter";
        buf_addf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", f->name, f->help, f->name, type);
        if (f->kind == HISTOGRAM)
            print_histogram(out, f);
        else if (f->kind == BY_ROLE)
            print_by_role(out, f);
        else if (f->kind == GAUGE_AGE)
            print_age(out, f, now_ms);
        else
            print_values(out, f);
    }
}
