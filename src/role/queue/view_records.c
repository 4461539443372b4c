/*
 * view_records.c: queues and messages as the records of Get-Queue and Get-Message.
 *
 * Invariant: the answer fits a frame; what does not fit any more begins the next page.
 */
#include "role/queue/view.h"

#include "base/value_codec.h"
#include "runtime/clock.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

enum {
    ANSWER_MAX = FRAME_BODY_MAX - 64,
    RECIPIENTS_SHOWN = 1000,
    RECIPIENTS_SHOWN_BYTES = 64 * 1024, /* so that one message always fits into an answer */
};

int view_compare(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    return span_cmp(x->name, y->name);
}

static bool set(struct record *r, const char *name, struct value v)
{
    return r && record_set(r, span_of(name), v);
}

static struct value text_or_null(struct span s)
{
    return s.len ? value_string(s) : value_null();
}

static struct value time_or_null(int64_t ms)
{
    return ms > 0 && ms != INT64_MAX ? value_time(ms) : value_null();
}

static struct span identity(struct view *v, struct span name)
{
    const char *host = v->transport->role->host;
    size_t dot = span_find(span_of(host), '.');
    return arena_printf(&v->arena, "%.*s\\%.*s", SPAN_ARG(span_head(span_of(host), dot)), SPAN_ARG(name));
}

/* Adds a record to the answer; false: it does not fit any more, nothing was added. */
static bool add(struct view *v, struct record *r)
{
    size_t before = v->answer.len;
    if (!r)
        v->answer.failed = true;
    else
        record_encode(&v->answer, r);
    if (v->answer.failed || v->answer.len > ANSWER_MAX) {
        v->answer.len = before;
        v->answer.failed = false;
        return false;
    }
    v->count++;
    return true;
}

static const char *type_of(struct span name)
{
    static const struct {
        const char *start, *type;
    } types[] = {{"mx:", "DnsConnectorDelivery"},
                 {"smtp:", "SmartHostConnectorDelivery"},
                 {"mailbox", "MailboxDelivery"},
                 {"unreachable", "Unreachable"}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (span_starts(name, span_of(types[i].start)))
            return types[i].type;
    return "Undefined";
}

/* Where a queue leads that nothing is in hand of: by its name, and what the connector says now. */
static void lookup_hop(struct view *v, struct span name, struct span *ret_hop, struct span *ret_connector)
{
    size_t colon = span_find(name, ':');
    struct policy_ref *ref = policy_ref_current();
    const struct policy *p = ref ? policy_ref_policy(ref) : NULL;
    bool smart = span_starts(name, SPAN("smtp:"));
    *ret_hop = colon == SIZE_MAX ? name : span_from(name, colon + 1);
    *ret_connector = smart ? *ret_hop : SPAN("");
    for (size_t i = 0; smart && p && i < policy_send_connector_count(p); i++) {
        const struct send_connector *c = policy_send_connector(p, i);
        if (span_ieq(policy_text(p, c->name), *ret_connector) && c->hosts.count)
            *ret_hop = arena_dup(&v->arena, policy_text(p, policy_hosts(p, c->hosts)[0]));
    }
    policy_ref_drop(ref);
}

static void add_queue(struct view *v, const struct destination_facts *f, const struct waiting *w)
{
    if (v->seen++ < v->after || v->next)
        return; /* on the pages before, or behind this one */
    struct span name = f ? f->name : w->name;
    int64_t now = clock_wall_ms();
    uint64_t stored = w ? w->messages : 0, held = f ? f->waiting : 0;
    size_t active = f ? f->active : 0;
    struct span hop = f ? f->next_hop_domain : SPAN(""), connector = f ? f->connector : SPAN("");
    if (!f)
        lookup_hop(v, name, &hop, &connector);
    bool suspended = held_has(v->transport, name);
    bool retry = (f && f->retry_at_ms > now) || (w && w->messages > 0 && w->attempts > 0 && !held && !active);
    struct span error = f && f->last_error.len ? f->last_error : w ? w->error : SPAN("");
    struct record *r = record_new(&v->arena, SPAN("Queue"));
    bool ok = set(r, "Identity", value_string(identity(v, name))) &&
              set(r, "DeliveryType", value_of(f ? f->delivery_type : type_of(name))) &&
              set(r, "Status",
                  value_of(suspended ? "Suspended"
                           : retry   ? "Retry"
                           : active  ? "Active"
                                     : "Ready")) &&
              set(r, "MessageCount", value_int((int64_t)(stored + held + active))) &&
              set(r, "DeferredMessageCount", value_int((int64_t)stored)) &&
              set(r, "NextHopDomain", value_string(hop)) && set(r, "NextHopConnector", text_or_null(connector)) &&
              set(r, "LastError", text_or_null(error)) &&
              set(r, "LastRetryTime", time_or_null(f ? f->last_retry_ms : 0)) &&
              set(r, "NextRetryTime",
                  time_or_null(!retry || suspended         ? 0
                               : f && f->retry_at_ms > now ? f->retry_at_ms
                                                           : w->next_ms)) &&
              set(r, "RetryCount",
                  value_int(f && f->failures ? f->failures
                            : w              ? w->attempts
                                             : 0));
    if (!ok)
        v->code = err_set(&v->err, ERR_NO_MEMORY, "out of memory");
    else if (v->count == v->limit || !add(v, r))
        v->next = v->after + v->count;
}

static void on_destination(void *context, const struct destination_facts *f)
{
    struct view *v = context;
    struct waiting key = {.name = f->name};
    void *node = tfind(&key, &v->tree, view_compare);
    struct waiting *w = node ? *(struct waiting **)node : NULL;
    if (w)
        w->shown = true;
    if (w || f->waiting || f->active || f->suspended)
        add_queue(v, f, w);
}

static void on_waiting(const void *node, VISIT which, void *context)
{
    struct waiting *w = *(struct waiting *const *)node;
    if ((which == postorder || which == leaf) && !w->shown)
        add_queue(context, NULL, w);
}

/* Those that are suspended are shown also when nothing waits in them. */
static void add_held(struct view *v)
{
    size_t count;
    const struct span *names = held_names(v->transport, &count);
    for (size_t i = 0; i < count && !v->code; i++)
        if (!view_waiting_at(v, names[i]))
            v->code = err_set(&v->err, ERR_NO_MEMORY, "out of memory");
}

void view_show_queues(struct view *v)
{
    add_held(v);
    destinations_list(v->transport, on_destination, v);
    twalk_r(v->tree, on_waiting, v);
}

static int compare_ids(const void *a, const void *b)
{
    const struct in_hand *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Sorted once a page, so that a page over many messages in hand does not look through all of them for each. */
static void find_held(struct view *v)
{
    size_t n = 0;
    for (const struct mail *m = v->transport->mails; m; m = m->next)
        n += m->recipients[0].destination != NULL;
    v->held = ARENA_ARRAY(&v->arena, n, struct in_hand);
    for (const struct mail *m = v->transport->mails; v->held && m; m = m->next)
        if (m->recipients[0].destination)
            v->held[v->held_count++] =
                (struct in_hand){m->envelope.id, m->recipients[0].destination, m->withdrawal};
    if (v->held_count)
        qsort(v->held, v->held_count, sizeof *v->held, compare_ids);
}

/* The queue of a message: that of its first recipient that waits. */
static struct span queue_of(const struct view *v, const struct queue_message *m, const struct queue_recipient **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].state == QUEUE_PENDING) {
            *ret = &m->recipients[i];
            break;
        }
    const struct in_hand key = {.id = m->id}, *held = NULL;
    if (*ret && (*ret)->leased && v->held_count)
        held = bsearch(&key, v->held, v->held_count, sizeof key, compare_ids);
    if (held)
        return destination_name(held->destination);
    return *ret && (*ret)->queue_name.len ? (*ret)->queue_name : SPAN("submission");
}

static struct value recipients_of(struct view *v, const struct queue_message *m)
{
    static const char *const states[QUEUE_STATES] = {"waiting", "delivered", "failed", "expanded", "removed"};
    size_t n = m->recipient_count < RECIPIENTS_SHOWN ? m->recipient_count : RECIPIENTS_SHOWN;
    struct value *list = ARENA_ARRAY(&v->arena, n, struct value);
    if (!list)
        return value_null();
    size_t bytes = 0, i = 0;
    for (; i < n && bytes < RECIPIENTS_SHOWN_BYTES; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        list[i] = value_string(arena_printf(&v->arena, "%.*s; %s%s%.*s", SPAN_ARG(r->address), states[r->state],
                                            r->last_error.len ? "; " : "", SPAN_ARG(r->last_error)));
        bytes += list[i].s.len;
    }
    return value_list(list, i);
}

static int64_t expiry_of(const struct queue_message *m)
{
    struct policy_ref *ref = policy_ref_current();
    int64_t ms = ref ? schedule_expiry(policy_settings(policy_ref_policy(ref)), m->received_ms) : 0;
    policy_ref_drop(ref);
    return ms;
}

/* What is withdrawn and still being sent is so when that ends. */
static const char *held_as(const struct view *v, uint64_t id, bool leased)
{
    const struct in_hand key = {.id = id}, *held = NULL;
    if (leased && v->held_count)
        held = bsearch(&key, v->held, v->held_count, sizeof key, compare_ids);
    return !held ? "Suspended" : held->withdrawal >= WITHDRAWN_REMOVED ? "PendingRemove" : "PendingSuspend";
}

static struct record *message_record(struct view *v, const struct queue_message *m)
{
    const struct queue_recipient *first;
    struct span queue = queue_of(v, m, &first);
    struct record *r = record_new(&v->arena, SPAN("Message"));
    const char *status = !first             ? "Ready"
                         : first->suspended ? held_as(v, m->id, first->leased)
                         : first->leased    ? "Active"
                         : first->attempts  ? "Retry"
                                            : "Ready";
    bool ok =
        set(r, "Identity",
            value_string(arena_printf(&v->arena, "%.*s\\%" PRIu64, SPAN_ARG(identity(v, queue)), m->id))) &&
        set(r, "FromAddress", value_string(m->sender.len ? m->sender : SPAN("<>"))) &&
        set(r, "Status", value_of(status)) && set(r, "Queue", value_string(identity(v, queue))) &&
        set(r, "Subject", value_string(m->subject)) && set(r, "Size", value_size((int64_t)m->size)) &&
        set(r, "InternetMessageId", value_string(m->message_id)) &&
        set(r, "MessageSourceName", value_string(m->source)) && set(r, "SourceIP", text_or_null(m->source_ip)) &&
        set(r, "SCL", value_int(-1)) && set(r, "DateReceived", value_time(m->received_ms)) &&
        set(r, "ExpirationTime", time_or_null(expiry_of(m))) &&
        set(r, "LastError", text_or_null(first ? first->last_error : SPAN(""))) &&
        set(r, "RetryCount", value_int(first ? first->attempts : 0)) && set(r, "Recipients", recipients_of(v, m));
    return ok ? r : NULL;
}

void view_show_messages(struct view *v)
{
    size_t i = 0;
    find_held(v);
    for (; i < v->page.count && add(v, message_record(v, &v->page.messages[i])); i++)
        v->next = v->page.messages[i].id;
    if (i == v->page.count && !v->page.more)
        v->next = 0;
    else if (v->count == 0)
        v->code = err_set(&v->err, ERR_LIMIT, "a message has more recipients than one answer holds");
}
