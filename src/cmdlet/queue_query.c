/*
 * queue_query.c: queues and messages by name, filter, or from the pipeline. Lists are read in pages and filtered
 * here, so a long queue costs no more memory than what is shown.
 */
#include "cmdlet/queue_query.h"

#include "base/num.h"

enum { PAGE = 500 };

static const char *const queue_properties[] = {
    "Identity",         "DeliveryType", "Status",        "MessageCount",  "DeferredMessageCount", "NextHopDomain",
    "NextHopConnector", "LastError",    "LastRetryTime", "NextRetryTime", "RetryCount",           NULL};
static const char *const message_properties[] = {"Identity",   "Subject",      "InternetMessageId", "FromAddress",
                                                 "Status",     "Size",         "MessageSourceName", "SourceIP",
                                                 "SCL",        "DateReceived", "ExpirationTime",    "LastError",
                                                 "RetryCount", "Queue",        "Recipients",        NULL};

static const char *const *const properties[] = {
    [QUEUE_QUERY_QUEUES] = queue_properties, [QUEUE_QUERY_MESSAGES] = message_properties};

/* ---- reading ---- */

static enum err_code identity_argument(struct shell_call *call, const char *name, const struct value *piped,
                                       const struct value **ret, struct err *err)
{
    const struct value *given = cmdlet_argument(call, name);
    *ret = given ? given : piped;
    if (*ret && (*ret)->kind == VALUE_INT) {
        struct value *text = ARENA_NEW(call->arena, struct value);
        if (!text)
            return cmdlet_no_memory(err);
        *text = value_string(arena_printf(call->arena, "%lld", (long long)(*ret)->i));
        *ret = text;
    }
    if (*ret && (*ret)->kind != VALUE_STRING && (*ret)->kind != VALUE_RECORD)
        return err_set(err, ERR_INVALID, "%s -%s: a name is expected", call->command->name, name);
    return ERR_NONE;
}

static enum err_code read_filter(struct shell_call *call, struct queue_query *q, struct err *err)
{
    const struct value *filter = cmdlet_argument(call, "Filter");
    q->filtered = filter != NULL;
    if (!filter)
        return ERR_NONE;
    if (filter->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "%s -Filter: a text is expected, such as \"Status -eq 'Retry'\"",
                       call->command->name);
    if (filter_parse(filter->s, properties[q->kind], call->arena, &q->filter, err) == ERR_NONE)
        return ERR_NONE;
    struct err inner = *err;
    return err_set(err, inner.code, "%s %s", call->command->name, inner.text);
}

static enum err_code read_limit(struct shell_call *call, size_t *limit, struct err *err)
{
    static const struct schema_property size = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                                .max = INT64_MAX};
    const struct value *given = cmdlet_argument(call, "ResultSize");
    struct value n;
    if (!given)
        return ERR_NONE;
    enum err_code code = cmdlet_parse(call, &size, *given, NULL, &n, err);
    if (code == ERR_NONE)
        *limit = n.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)n.i;
    return code;
}

static bool is_piped_queue(const struct shell_call *call)
{
    return call->input && call->input->kind == VALUE_RECORD && span_ieq(call->input->record->type, SPAN("Queue"));
}

enum err_code queue_query_read(struct shell_call *call, enum queue_query_kind kind, size_t limit,
                               struct queue_query *q, struct err *err)
{
    bool of_queue = kind == QUEUE_QUERY_MESSAGES && is_piped_queue(call);
    *q = (struct queue_query){.kind = kind, .limit = limit};
    enum err_code code = cmdlet_check_server(call, err);
    if (code == ERR_NONE)
        code = read_limit(call, &q->limit, err);
    if (code == ERR_NONE)
        code = read_filter(call, q, err);
    if (code == ERR_NONE)
        code = identity_argument(call, "Identity", of_queue ? NULL : call->input, &q->identity, err);
    if (code == ERR_NONE && kind == QUEUE_QUERY_MESSAGES)
        code = identity_argument(call, "Queue", of_queue ? call->input : NULL, &q->queue, err);
    if (code == ERR_NONE && !cmdlet_context(call)->queues)
        code = err_set(err, ERR_UNAVAILABLE, "%s: the server is not running, and only it knows its queues",
                       call->command->name);
    return code;
}

/* ---- running ---- */

struct span queue_query_name(struct span identity)
{
    size_t slash = span_find(identity, '\\');
    return slash == SIZE_MAX ? identity : span_from(identity, slash + 1);
}

static struct span text_of(const struct value *given)
{
    return given->kind == VALUE_RECORD ? record_string(given->record, SPAN("Identity")) : given->s;
}

/* A pattern, or the text itself; also without the server in front: "mail\Submission", "Submission". */
static bool fits(const struct value *given, const struct record *r, const char *property)
{
    struct span s = record_string(r, span_of(property));
    return !given || shell_like(s, text_of(given)) || shell_like(queue_query_name(s), text_of(given));
}

/* A message is also meant by its number alone, wherever it is. */
static bool fits_number(const struct queue_query *q, const struct record *r)
{
    struct span s = record_string(r, SPAN("Identity"));
    size_t slash = span_rfind(s, '\\');
    return q->kind == QUEUE_QUERY_MESSAGES && q->identity && slash != SIZE_MAX &&
           span_eq(span_from(s, slash + 1), text_of(q->identity));
}

static bool is_meant(const struct queue_query *q, const struct record *r)
{
    return (fits(q->identity, r, "Identity") || fits_number(q, r)) &&
           (q->kind == QUEUE_QUERY_QUEUES || fits(q->queue, r, "Queue")) && filter_matches(&q->filter, r);
}

/* The one message that an identity without wildcards names: looked for right behind *ret_after. */
static bool is_one(const struct queue_query *q, uint64_t *ret_after)
{
    *ret_after = 0;
    if (q->kind != QUEUE_QUERY_MESSAGES || !q->identity || cmdlet_is_pattern(q->identity))
        return false;
    struct span s = text_of(q->identity);
    size_t slash = span_rfind(s, '\\');
    uint64_t id;
    if (!num_parse_u64(span_from(s, slash == SIZE_MAX ? 0 : slash + 1), UINT64_MAX, &id) || id == 0)
        return false;
    *ret_after = id - 1;
    return true;
}

enum err_code queue_query_run(struct shell_call *call, const struct queue_query *q,
                              enum err_code (*each)(struct shell_call *call, const struct record *r,
                                                    struct err *err),
                              struct err *err)
{
    struct queue_view *v = cmdlet_context(call)->queues;
    uint64_t after;
    bool one = is_one(q, &after);
    size_t shown = 0;
    do {
        struct record **page;
        size_t count = 0;
        enum err_code code =
            q->kind == QUEUE_QUERY_QUEUES
                ? v->list_queues(v, after, PAGE, call->arena, &page, &count, &after, err)
                : v->list_messages(v, after, one ? 1 : PAGE, call->arena, &page, &count, &after, err);
        for (size_t i = 0; code == ERR_NONE && i < count; i++) {
            if (!is_meant(q, page[i]))
                continue;
            if (shown == q->limit) {
                cmdlet_warn(call, "There are more than %zu; -ResultSize Unlimited shows all.", q->limit);
                return ERR_NONE;
            }
            shown++;
            code = each(call, page[i], err);
        }
        if (code)
            return code;
    } while (after && !one);
    if (shown || !q->identity || cmdlet_is_pattern(q->identity))
        return ERR_NONE;
    return err_set(err, ERR_NOT_FOUND, "%s: \"%.*s\" could not be found; Get-%s lists what there is",
                   call->command->name, SPAN_ARG(text_of(q->identity)),
                   q->kind == QUEUE_QUERY_QUEUES ? "Queue" : "Message");
}
