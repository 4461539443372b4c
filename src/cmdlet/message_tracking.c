/*
 * message_tracking.c: Get-MessageTrackingLog: what became of messages, out of the message tracking log. The search
 * is the store's (store/tracking/tracking.h); here are its parameters and the entries as records.
 */
#include "cmdlet/internal.h"

#include "base/num.h"

#include <stdio.h>

enum { RESULT_SIZE = 1000 };

struct output {
    struct shell_call *call;
    bool no_memory;
};

/* ---- an entry as a record ---- */

static struct value list_of(struct arena *a, struct span joined)
{
    size_t count = joined.len > 0, n = 0;
    for (size_t i = 0; i < joined.len; i++)
        count += joined.ptr[i] == TRACKING_JOIN;
    struct value *items = ARENA_ARRAY(a, count, struct value);
    struct span rest = joined, part;
    while (items && n < count && span_split(&rest, TRACKING_JOIN, &part))
        items[n++] = value_string(arena_dup(a, part));
    return value_list(items, n);
}

static struct value value_of_field(struct arena *a, const struct tracking_row *r, enum tracking_field f)
{
    bool is_list = f == TRACKING_RECIPIENT_ADDRESS || f == TRACKING_RECIPIENT_STATUS;
    uint64_t n;
    if (is_list)
        return list_of(a, r->field[f]);
    if ((f == TRACKING_TOTAL_BYTES || f == TRACKING_RECIPIENT_COUNT) && num_parse_u64(r->field[f], INT64_MAX, &n))
        return value_int((int64_t)n);
    return value_string(arena_dup(a, r->field[f]));
}

static bool show(void *context, const struct tracking_row *row)
{
    struct output *o = context;
    struct arena *a = o->call->arena;
    struct record *r = record_new(a, SPAN("MessageTrackingEvent"));
    bool done = r && record_set(r, SPAN("Timestamp"), value_time(row->at_ms));
    for (unsigned f = 0; done && f < TRACKING_FIELDS; f++) {
        struct value v = value_of_field(a, row, (enum tracking_field)f);
        bool whole =
            v.kind == VALUE_STRING ? v.s.ptr != NULL : v.kind != VALUE_LIST || v.list.items || !v.list.count;
        done = whole && record_set(r, span_of(tracking_properties[f]), v);
    }
    if (done)
        o->call->emit(o->call, value_record(r));
    o->no_memory = !done;
    return done;
}

/* ---- what is asked for ---- */

/* A text that is found whole. */
static enum err_code text_of(struct shell_call *call, const char *name, const struct value *v, struct span *ret,
                             struct err *err)
{
    if (v->kind == VALUE_INT) { /* an internal message id */
        *ret = arena_printf(call->arena, "%lld", (long long)v->i);
        return ret->ptr ? ERR_NONE : cmdlet_no_memory(err);
    }
    if (v->kind != VALUE_STRING || !v->s.len)
        return err_set(err, ERR_INVALID, "Get-MessageTrackingLog -%s: one text is expected", name);
    if (cmdlet_is_pattern(v))
        return err_set(
            err, ERR_INVALID,
            "Get-MessageTrackingLog -%s: \"%.*s\" has a wildcard, but is looked up whole; give all of it, "
            "or narrow by -Start and -End and pipe into Where-Object",
            name, SPAN_ARG(span_head(v->s, 60)));
    *ret = v->s;
    return ERR_NONE;
}

static enum err_code text(struct shell_call *call, const char *name, struct span *ret, struct err *err)
{
    const struct value *v = cmdlet_argument(call, name);
    if (v && v->kind == VALUE_LIST && v->list.count == 1)
        v = &v->list.items[0];
    return v ? text_of(call, name, v, ret, err) : ERR_NONE;
}

/* One of several. */
static enum err_code recipients(struct shell_call *call, struct tracking_query *q, struct err *err)
{
    const struct value *v = cmdlet_argument(call, "Recipients"), *items = v;
    size_t count = v != NULL;
    if (v && v->kind == VALUE_LIST) {
        items = v->list.items;
        count = v->list.count;
    }
    if (count > TRACKING_RECIPIENTS_MAX)
        return err_set(err, ERR_LIMIT,
                       "Get-MessageTrackingLog -Recipients: %zu are too many; up to %d are looked up", count,
                       TRACKING_RECIPIENTS_MAX);
    struct span *list = ARENA_ARRAY(call->arena, count, struct span);
    enum err_code code = list || !count ? ERR_NONE : cmdlet_no_memory(err);
    for (size_t i = 0; !code && i < count; i++)
        code = text_of(call, "Recipients", &items[i], &list[i], err);
    q->recipients = list;
    q->recipient_count = count;
    return code;
}

/* With or without its angle brackets. */
static enum err_code message_id(struct shell_call *call, const char *name, struct span *ret, struct err *err)
{
    enum err_code code = text(call, name, ret, err);
    if (code || !ret->len || span_starts(*ret, SPAN("<")))
        return code;
    *ret = arena_printf(call->arena, "<%.*s>", SPAN_ARG(*ret));
    return ret->ptr ? ERR_NONE : cmdlet_no_memory(err);
}

static enum err_code event(struct shell_call *call, struct span *ret, struct err *err)
{
    enum tracking_event e;
    char list[256];
    size_t n = 0;
    enum err_code code = text(call, "EventId", ret, err);
    if (code || !ret->len || tracking_event_find(*ret, &e))
        return code;
    for (unsigned i = 0; i < TRACKING_EVENTS; i++) {
        int w = snprintf(list + n, sizeof list - n, "%s%.*s", i ? ", " : "",
                         SPAN_ARG(tracking_event_name((enum tracking_event)i)));
        n += w > 0 && (size_t)w < sizeof list - n ? (size_t)w : 0;
    }
    return err_set(err, ERR_INVALID, "Get-MessageTrackingLog -EventId: \"%.*s\" is none of %s",
                   SPAN_ARG(span_head(*ret, 60)), list);
}

static enum err_code subject(struct shell_call *call, struct span *ret, struct err *err)
{
    const struct value *v = cmdlet_argument(call, "MessageSubject");
    if (v && (v->kind != VALUE_STRING || !v->s.len))
        return err_set(err, ERR_INVALID, "Get-MessageTrackingLog -MessageSubject: a part of a subject is expected");
    *ret = v ? v->s : (struct span){NULL, 0};
    return ERR_NONE;
}

static enum err_code read_query(struct shell_call *call, struct tracking_query *q, struct err *err)
{
    static const struct schema_property size = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                                .max = INT64_MAX};
    const struct value *given = cmdlet_argument(call, "ResultSize");
    struct value limit = value_int(RESULT_SIZE);
    enum err_code code = given ? cmdlet_parse(call, &size, *given, NULL, &limit, err) : ERR_NONE;
    q->limit = limit.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)limit.i;
    if (!code)
        code = cmdlet_date(call, "Start", INT64_MIN, &q->start_ms, err);
    if (!code)
        code = cmdlet_date(call, "End", INT64_MAX, &q->end_ms, err);
    if (!code)
        code = event(call, &q->event, err);
    if (!code)
        code = text(call, "Sender", &q->sender, err);
    if (!code)
        code = recipients(call, q, err);
    if (!code)
        code = message_id(call, "MessageId", &q->message_id, err);
    if (!code)
        code = text(call, "InternalMessageId", &q->internal_id, err);
    if (!code)
        code = message_id(call, "Reference", &q->reference, err);
    if (!code)
        code = subject(call, &q->subject, err);
    return code ? code : cmdlet_check_server(call, err);
}

/* Where the log is, below the state folder. */
static enum err_code folder(struct shell_call *call, struct span *ret, struct err *err)
{
    struct record **servers;
    size_t count;
    enum err_code code = object_store_list(cmdlet_context(call)->policy, SPAN("TransportServer"), call->arena,
                                           &servers, &count, err);
    *ret = !code && count == 1 ? record_string(servers[0], SPAN("MessageTrackingLogPath")) : SPAN("");
    if (!ret->len)
        *ret = SPAN(TRACKING_FOLDER);
    return code;
}

static void warn(struct shell_call *call, const struct tracking_query *q, const struct tracking_found *found)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 64);
    value_print(&b, value_time(found->searched_ms));
    if (found->stopped)
        cmdlet_warn(
            call,
            "Not everything was searched: the newest entries only, back into the day of %.*s. -Start and -End "
            "narrow it; -MessageId, -InternalMessageId, -Reference, -Sender and -Recipients search all of it.",
            SPAN_ARG(buf_span(&b)));
    else if (found->more)
        cmdlet_warn(call, "There are more than %zu, and the newest are shown; -ResultSize Unlimited shows all.",
                    q->limit);
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct tracking_query q = {0};
    struct tracking_found found = {0};
    struct output o = {.call = call};
    struct tracking_view *view = cmdlet_context(call)->tracking;
    struct span below;
    enum err_code code = read_query(call, &q, err);
    if (!code)
        code = folder(call, &below, err);
    if (!code && view)
        code = view->search(view, below, &q, show, &o, &found, err);
    if (!code && o.no_memory)
        code = err_set(err, ERR_LIMIT,
                       "Get-MessageTrackingLog: that many entries do not fit into memory; narrow it by "
                       "-Start and -End, or give a smaller -ResultSize");
    if (!code)
        warn(call, &q, &found);
    return code;
}

static const struct shell_parameter parameters[] = {
    {"Start", NULL, 0, "<Date>", "Only entries of then or later: 2026-11-24, or 2026-11-24T18:30, in UTC."},
    {"End", NULL, 0, "<Date>", "Only entries before then."},
    {"EventId", NULL, 0, "<Event>",
     "Only of one kind: RECEIVE, SEND, DELIVER, FAIL, DEFER, EXPAND, REDIRECT, RESOLVE, DSN, DUPLICATEDELIVER, "
     "..."},
    {"Sender", NULL, 0, "<Address>", "Only of messages from this address; '<>' for reports."},
    {"Recipients", NULL, 0, "<Address>[,<Address>...]",
     "Only entries that have one of these addresses among their recipients, or as what one of them was before."},
    {"MessageId", NULL, PARAMETER_PIPELINE, "<Id>",
     "Only of the message with this Message-ID:, with or without < >."},
    {"InternalMessageId", NULL, 0, "<Number>", "Only of the message with this number of the queue (InternalId)."},
    {"Reference", NULL, 0, "<Id>",
     "Only what refers to the message with this Message-ID:, which are reports on it."},
    {"MessageSubject", NULL, 0, "<Text>",
     "Only of messages with this in their subject. It is not indexed: the newest 256 MB within -Start and -End are "
     "searched."},
    {"ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most, the newest. Default: 1000."},
    {"Server", NULL, 0, "<Name>", "This server."},
};

const struct shell_command tracking_commands[TRACKING_COMMANDS] = {
    {.name = "Get-MessageTrackingLog",
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Shows what became of messages.",
     .description =
         "An entry for each step of each message: RECEIVE, then RESOLVE, EXPAND or REDIRECT where addresses "
         "change, "
         "DEFER while it waits, and DELIVER, SEND or FAIL in the end; DSN for a report on it. The newest that fit "
         "are "
         "shown, in the order of time. It works with the server running or stopped. The log is told by the way: in "
         "a "
         "crash its last second may be missing, and no mail is. CustomData says how a connection was encrypted and "
         "verified.",
     .examples =
         "    # The way of a message\n"
         "    Get-MessageTrackingLog -MessageId 4711@example.com | Sort-Object Timestamp | "
         "ft Timestamp,EventId,Source,Recipients,RecipientStatus\n"
         "    # What failed today, and why\n"
         "    Get-MessageTrackingLog -Start 2026-11-24 -EventId FAIL | ft "
         "Timestamp,Sender,Recipients,RecipientStatus\n"
         "    # The report on a message\n"
         "    Get-MessageTrackingLog -Reference 4711@example.com\n"
         "    # What went out in the clear\n"
         "    Get-MessageTrackingLog -EventId SEND -ResultSize Unlimited | ? { $_.CustomData -like 'TLS=None*' }\n",
     .run = run_get},
};
