/*
 * queue.c: Get-Queue and Get-Message, over the queue view of the context. Lists are read in pages and filtered
 * here, so a long queue costs no more memory than what is shown.
 */
#include "cmdlet/filter.h"
#include "cmdlet/internal.h"

enum { QUEUES, MESSAGES, PAGE = 500, RESULT_SIZE = 1000 };

static const char *const queue_properties[] = {
    "Identity",         "DeliveryType", "Status",        "MessageCount",  "DeferredMessageCount", "NextHopDomain",
    "NextHopConnector", "LastError",    "LastRetryTime", "NextRetryTime", "RetryCount",           NULL};
static const char *const message_properties[] = {"Identity",   "Subject",      "InternetMessageId", "FromAddress",
                                                 "Status",     "Size",         "MessageSourceName", "SourceIP",
                                                 "SCL",        "DateReceived", "ExpirationTime",    "LastError",
                                                 "RetryCount", "Queue",        "Recipients",        NULL};

typedef enum err_code list_function(struct queue_view *v, uint64_t after, size_t limit, struct arena *arena,
                                    struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err);

struct query {
    const char *const *properties;
    list_function *list;
    struct filter filter;
    const struct value *identity, *queue; /* or NULL */
    size_t limit;
    bool recipients;
};

/* A pattern, or the text itself; also without the server in front: "mail\Submission", "Submission". */
static bool is_meant(const struct value *given, const struct record *r, const char *property)
{
    struct span s = record_string(r, span_of(property));
    size_t slash = span_find(s, '\\');
    if (!given)
        return true;
    struct span text = given->kind == VALUE_RECORD ? record_string(given->record, SPAN("Identity")) : given->s;
    return shell_like(s, text) || (slash != SIZE_MAX && shell_like(span_from(s, slash + 1), text));
}

static enum err_code emit(struct shell_call *call, const struct query *q, const struct record *r, struct err *err)
{
    struct record *view = record_new(call->arena, r->type);
    for (size_t i = 0; view && i < r->count; i++)
        if ((q->recipients || !span_ieq(r->fields[i].name, SPAN("Recipients"))) &&
            !record_set(view, r->fields[i].name, r->fields[i].value))
            view = NULL;
    if (!view)
        return cmdlet_no_memory(err);
    call->emit(call, value_record(view));
    return ERR_NONE;
}

static enum err_code run_query(struct shell_call *call, const struct query *q, struct err *err)
{
    struct queue_view *v = cmdlet_context(call)->queues;
    uint64_t after = 0;
    size_t shown = 0;
    do {
        struct record **page;
        size_t count = 0;
        enum err_code code = q->list(v, after, PAGE, call->arena, &page, &count, &after, err);
        for (size_t i = 0; code == ERR_NONE && i < count; i++) {
            if (!is_meant(q->identity, page[i], "Identity") || !is_meant(q->queue, page[i], "Queue") ||
                !filter_matches(&q->filter, page[i]))
                continue;
            if (shown == q->limit) {
                cmdlet_warn(call, "There are more than %zu; -ResultSize Unlimited shows all.", q->limit);
                return ERR_NONE;
            }
            shown++;
            code = emit(call, q, page[i], err);
        }
        if (code)
            return code;
    } while (after);
    if (!shown && q->identity && !cmdlet_is_pattern(q->identity))
        return err_set(
            err, ERR_NOT_FOUND, "%s: \"%.*s\" could not be found; %s without -Identity lists what there is",
            call->command->name, SPAN_ARG(q->identity->kind == VALUE_STRING ? q->identity->s : SPAN("?")),
            call->command->name);
    return ERR_NONE;
}

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

static enum err_code read_query(struct shell_call *call, struct query *q, struct err *err)
{
    static const struct schema_property size = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                                .max = INT64_MAX};
    const struct value *filter = cmdlet_argument(call, "Filter"), *limit = cmdlet_argument(call, "ResultSize");
    struct value n = value_int(RESULT_SIZE);
    enum err_code code = cmdlet_check_server(call, err);
    if (code == ERR_NONE && limit)
        code = cmdlet_parse(call, &size, *limit, NULL, &n, err);
    q->limit = n.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)n.i;
    q->recipients = cmdlet_switch(call, "IncludeRecipientInfo");
    if (code == ERR_NONE && filter && filter->kind != VALUE_STRING)
        code = err_set(err, ERR_INVALID, "%s -Filter: a text is expected, such as \"Status -eq 'Retry'\"",
                       call->command->name);
    if (code == ERR_NONE && filter &&
        filter_parse(filter->s, q->properties, call->arena, &q->filter, err) != ERR_NONE) {
        struct err inner = *err;
        code = err_set(err, inner.code, "%s %s", call->command->name, inner.text);
    }
    if (code == ERR_NONE && !cmdlet_context(call)->queues)
        code = err_set(err, ERR_UNAVAILABLE, "%s: the server is not running, and only it knows its queues",
                       call->command->name);
    return code;
}

static bool is_piped_queue(const struct shell_call *call)
{
    return call->input && call->input->kind == VALUE_RECORD && span_ieq(call->input->record->type, SPAN("Queue"));
}

static enum err_code run_get_queue(struct shell_call *call, struct err *err)
{
    struct query q = {.properties = queue_properties};
    enum err_code code = read_query(call, &q, err);
    if (code == ERR_NONE)
        code = identity_argument(call, "Identity", call->input, &q.identity, err);
    if (code)
        return code;
    q.list = cmdlet_context(call)->queues->list_queues;
    return run_query(call, &q, err);
}

static enum err_code run_get_message(struct shell_call *call, struct err *err)
{
    struct query q = {.properties = message_properties};
    bool queue = is_piped_queue(call);
    enum err_code code = read_query(call, &q, err);
    if (code == ERR_NONE)
        code = identity_argument(call, "Identity", queue ? NULL : call->input, &q.identity, err);
    if (code == ERR_NONE)
        code = identity_argument(call, "Queue", queue ? call->input : NULL, &q.queue, err);
    if (code)
        return code;
    q.list = cmdlet_context(call)->queues->list_messages;
    return run_query(call, &q, err);
}

#define COMMON                                                                                                     \
    {"Filter", NULL, 0, "<Filter>", "Property -op 'value', joined with -and: \"Status -eq 'Retry'\"."},            \
        {"ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most. Default: 1000."},                          \
    {                                                                                                              \
        "Server", NULL, PARAMETER_HIDDEN, "<Server>", "This server."                                               \
    }

static const struct shell_parameter queue_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Queue>",
     "A queue's name; wildcards are allowed."},
    COMMON,
};
static const struct shell_parameter message_parameters[] = {
    {"Identity", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Message>",
     "A message's number; wildcards are allowed."},
    {"Queue", NULL, 0, "<Queue>", "Only messages of this queue."},
    COMMON,
    {"IncludeRecipientInfo", NULL, PARAMETER_SWITCH, NULL, "Shows each recipient with what became of it."},
};

const struct shell_command queue_commands[QUEUE_COMMANDS] = {
    [QUEUES] = {.name = "Get-Queue",
                .parameters = queue_parameters,
                .parameter_count = ARRAY_LEN(queue_parameters),
                .synopsis = "Shows the queues.",
                .description =
                    "A queue for each next hop, with its state, how many messages wait, and the last error.",
                .examples = "    Get-Queue -Filter \"Status -eq 'Retry' -and MessageCount -gt 10\"\n",
                .run = run_get_queue},
    [MESSAGES] = {.name = "Get-Message",
                  .parameters = message_parameters,
                  .parameter_count = ARRAY_LEN(message_parameters),
                  .synopsis = "Shows the messages that wait.",
                  .description = "Of all queues, or of one.",
                  .examples =
                      "    Get-Message -Filter \"FromAddress -like '*@example.com'\" -IncludeRecipientInfo | fl\n"
                      "    Get-Queue partner.example | Get-Message\n",
                  .run = run_get_message},
};
