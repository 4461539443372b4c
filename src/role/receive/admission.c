/*
 * admission.c: see admission.h.
 *
 * Invariants: what is counted is uncounted exactly once, by the process that counted it. Keys are made of GUIDs,
 * so a connector that is renamed or changed keeps its counts. A refusal costs two counts and one short reply: no
 * SMTP machine, no TLS.
 */
#include "role/receive/admission.h"

#include "base/cursor.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Of refused connections so many are logged in each span of time; the rest is counted. */
enum { LOG_LINES = 10, LOG_SPAN_MS = 10000 };

static struct {
    struct counters *table;
    bool shared;
    int64_t span_began_ms;
    unsigned lines;
    uint64_t unlogged;
} admission;

/* ---- the table ---- */

/* For this process alone: better than no limit. */
static struct counters *own_table(void)
{
    struct hash_key key;
    void *memory = NULL;
    if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key || posix_memalign(&memory, 64, counters_size(1)))
        return NULL;
    memset(memory, 0, counters_size(1));
    struct counters *c = counters_open(memory, 1, 0, key);
    if (!c)
        free(memory);
    return c;
}

struct counters *admission_table(void)
{
    if (!admission.table)
        admission.table = own_table();
    return admission.table;
}

void admission_take_counters(struct role *role, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct err err = {0};
    uint32_t columns = cursor_u32(&c);
    struct hash_key key = {.k0 = cursor_u64(&c)};
    key.k1 = cursor_u64(&c);
    if (!cursor_done(&c) || f->fd_count != 1 || columns == 0 || columns > COUNTERS_COLUMNS_MAX ||
        role->index >= columns || admission.shared) {
        role_bad_frame(ROLE_KINDS, f, "malformed counters");
        return;
    }
    int fd = frame_take_fd(f, 0);
    void *memory = NULL;
    enum err_code code = memory_file_map_shared(fd, counters_size(columns), &memory, &err);
    close(fd);
    struct counters *table = code ? NULL : counters_open(memory, columns, role->index, key);
    if (table && !admission.table) { /* it comes before the first connection */
        admission.table = table;
        admission.shared = true;
        return;
    }
    log_text(LOG_ERROR, "no-counters", "connections are counted in this process alone: %s",
             code ? err.text : "the shared table came too late");
}

/* ---- connections ---- */

static uint64_t key_of(enum counter_kind kind, struct span guid, struct span what)
{
    const struct span parts[] = {guid, what};
    return counters_key(admission.table, kind, parts, ARRAY_LEN(parts));
}

/* A percentage of what the others leave free, rounded up; no limit where there is no number to take it of. */
static uint64_t source_share(const struct receive_connector *c, uint64_t total, uint64_t of_source)
{
    if (c->max_connections == POLICY_UNLIMITED || c->max_percentage_per_source >= 100)
        return UINT64_MAX;
    uint64_t others = total > of_source ? total - of_source : 0;
    uint64_t left = c->max_connections > others ? c->max_connections - others : 0;
    return (left * c->max_percentage_per_source + 99) / 100;
}

/* The first limit that the counts exceed, this connection included. */
static bool exceeded(const struct receive_connector *c, uint64_t total, uint64_t of_source, struct smtp_limit *ret)
{
    uint64_t per_source =
        c->max_connections_per_source == POLICY_UNLIMITED ? UINT64_MAX : c->max_connections_per_source;
    if (c->max_connections != POLICY_UNLIMITED && total > c->max_connections)
        *ret = (struct smtp_limit){SPAN("MaxInboundConnection"), value_int(c->max_connections), SPAN("")};
    else if (of_source > per_source)
        *ret = (struct smtp_limit){SPAN("MaxInboundConnectionPerSource"), value_int((int64_t)per_source), SPAN("")};
    else if (of_source > source_share(c, total, of_source))
        *ret = (struct smtp_limit){SPAN("MaxInboundConnectionPercentagePerSource"),
                                   value_int(c->max_percentage_per_source), SPAN("")};
    else
        return false;
    return true;
}

static bool log_refused(const struct smtp_limit *limit, struct ip_addr remote)
{
    int64_t now = clock_mono_ms();
    if (admission.lines == 0 || now - admission.span_began_ms >= LOG_SPAN_MS) {
        admission.span_began_ms = now;
        admission.lines = 0;
    }
    if (++admission.lines > LOG_LINES) {
        admission.lines = LOG_LINES;
        admission.unlogged++;
        return false;
    }
    char text[IP_TEXT_MAX];
    struct log_line l = log_begin(LOG_NOTICE, "connection-refused");
    log_span(&l, "limit", limit->name);
    log_int(&l, "value", limit->value.i);
    log_span(&l, "connector", limit->connector);
    log_str(&l, "remote", ip_print(remote, text));
    if (admission.unlogged)
        log_int(&l, "not-logged-before", (int64_t)admission.unlogged);
    log_end(&l);
    admission.unlogged = 0;
    return true;
}

/* A flood that is over: how much of it there was. */
static void log_unlogged(void)
{
    if (!admission.unlogged || clock_mono_ms() - admission.span_began_ms < LOG_SPAN_MS)
        return;
    struct log_line l = log_begin(LOG_NOTICE, "connections-refused");
    log_int(&l, "not-logged-before", (int64_t)admission.unlogged);
    log_end(&l);
    admission.unlogged = 0;
}

bool admission_enter(struct admission *a, const struct policy *policy, const struct receive_connector *c,
                     struct ip_addr remote, struct smtp_limit *ret_limit)
{
    struct counters *table = admission_table();
    struct ip_addr source = counters_source(remote);
    struct span guid = policy_text(policy, c->guid);
    *a = (struct admission){0};
    if (!table)
        return true;
    a->connector = key_of(COUNTER_CONNECTIONS, guid, SPAN(""));
    a->source = key_of(COUNTER_SOURCE_CONNECTIONS, guid, span_make(source.bytes, sizeof source.bytes));
    counter_add(table, a->connector);
    counter_add(table, a->source);
    a->counted = true;
    if (!exceeded(c, counter_sum(table, a->connector), counter_sum(table, a->source), ret_limit)) {
        log_unlogged();
        return true;
    }
    admission_leave(a);
    ret_limit->connector = policy_text(policy, c->name);
    a->logged = log_refused(ret_limit, remote);
    return false;
}

void admission_leave(struct admission *a)
{
    if (!a->counted)
        return;
    a->counted = false;
    counter_drop(admission.table, a->connector);
    counter_drop(admission.table, a->source);
}

struct smtp_reply admission_refusal(struct arena *arena, const struct smtp_limit *limit)
{
    struct smtp_reply r = SMTP_REPLY(421, "4.3.2",
                                     "The maximum number of concurrent connections has exceeded a limit, closing "
                                     "transmission channel");
    r.text = smtp_limit_text(arena, r.text, limit);
    return r;
}

/* ---- messages ---- */

bool admission_message(const struct policy *policy, const struct receive_connector *c, struct ip_addr remote,
                       struct span user, int64_t now_ms, struct smtp_limit *ret_limit)
{
    struct counters *table = admission_table();
    struct ip_addr source = counters_source(remote);
    struct span guid = policy_text(policy, c->guid);
    bool by_user = user.len && (c->rate_source == RATE_BY_USER || c->rate_source == RATE_BY_ALL);
    bool by_source = c->rate_source != RATE_BY_NONE && (c->rate_source != RATE_BY_USER || !user.len);
    uint32_t limit = c->message_rate_limit;
    if (!table || limit == POLICY_UNLIMITED)
        return true;
    uint64_t source_key = key_of(COUNTER_ADDRESS_RATE, guid, span_make(source.bytes, sizeof source.bytes));
    uint64_t user_key = key_of(COUNTER_USER_RATE, guid, user);
    bool taken = !by_source || rate_take(table, source_key, limit, now_ms);
    if (taken && by_user && !rate_take(table, user_key, limit, now_ms)) {
        if (by_source)
            rate_give_back(table, source_key, now_ms);
        taken = false;
    }
    if (!taken)
        *ret_limit = (struct smtp_limit){SPAN("MessageRateLimit"), value_int(limit), policy_text(policy, c->name)};
    return taken;
}
