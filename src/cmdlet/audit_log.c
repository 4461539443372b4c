/*
 * audit_log.c: Get-AdminAuditLog: the trails of both stores as one, the newest first.
 *
 * Invariant: pages are read only as far as they are shown.
 */
#include "cmdlet/internal.h"

enum { PAGE = 256, RESULT_SIZE = 1000 };

/* ---- what is asked for ---- */

struct query {
    int64_t from, to;
    size_t limit;
    const struct value *cmdlets, *objects, *users;
};

static enum err_code read_query(struct shell_call *call, struct query *ret, struct err *err)
{
    static const struct schema_property size = {"ResultSize", SCHEMA_INT, SCHEMA_UNLIMITED, .min = 1,
                                                .max = INT64_MAX};
    const struct value *given = cmdlet_argument(call, "ResultSize");
    struct value v = value_int(RESULT_SIZE);
    enum err_code code = given ? cmdlet_parse(call, &size, *given, NULL, &v, err) : ERR_NONE;
    if (!code)
        code = cmdlet_date(call, "StartDate", INT64_MIN, &ret->from, err);
    if (!code)
        code = cmdlet_date(call, "EndDate", INT64_MAX, &ret->to, err);
    ret->limit = v.kind == VALUE_UNLIMITED ? SIZE_MAX : (size_t)v.i;
    ret->cmdlets = cmdlet_argument(call, "Cmdlets");
    ret->objects = cmdlet_argument(call, "ObjectIds");
    ret->users = cmdlet_argument(call, "UserIds");
    return code;
}

static bool fits(struct span text, const struct value *patterns)
{
    bool list = patterns && patterns->kind == VALUE_LIST;
    const struct value *items = list ? patterns->list.items : patterns;
    for (size_t i = 0; patterns && i < (list ? patterns->list.count : 1); i++)
        if (items[i].kind == VALUE_STRING && shell_like(text, items[i].s))
            return true;
    return !patterns;
}

/* Class\Name, or the name alone. */
static bool fits_object(struct span object, const struct value *patterns)
{
    size_t slash = span_find(object, '\\');
    return fits(object, patterns) || (slash != SIZE_MAX && fits(span_from(object, slash + 1), patterns));
}

static bool is_wanted(const struct query *q, const struct record *r)
{
    int64_t at = record_get(r, SPAN("RunDate")) ? record_get(r, SPAN("RunDate"))->i : 0;
    return at >= q->from && at <= q->to && fits(record_string(r, SPAN("CmdletName")), q->cmdlets) &&
           fits_object(record_string(r, SPAN("ObjectModified")), q->objects) &&
           fits(record_string(r, SPAN("Caller")), q->users);
}

/* ---- reading ---- */

/* One of the trails while it is read. */
struct source {
    struct object_store *store;
    struct record **page;
    size_t at, count;
    uint64_t next;
    bool ended;
};

static enum err_code fill(struct shell_call *call, struct source *s, struct err *err)
{
    while (!s->ended && s->at == s->count) {
        bool first = !s->page;
        if (!first && !s->next) {
            s->ended = true;
            break;
        }
        enum err_code code =
            object_store_trail_read(s->store, s->next, PAGE, call->arena, &s->page, &s->count, &s->next, err);
        if (code)
            return code;
        s->at = 0;
        s->ended = s->count == 0;
    }
    return ERR_NONE;
}

static int64_t time_of(const struct source *s)
{
    const struct value *v = s->ended ? NULL : record_get(s->page[s->at], SPAN("RunDate"));
    return v && v->kind == VALUE_TIME ? v->i : INT64_MIN;
}

/* "MaxMessageSize: 10MB -> 25MB" for each property. */
static enum err_code add_summary(struct shell_call *call, struct record *r, struct err *err)
{
    const struct value *rows = record_get(r, SPAN("ModifiedProperties"));
    size_t count = rows && rows->kind == VALUE_LIST ? rows->list.count : 0;
    struct value *lines = ARENA_ARRAY(call->arena, count, struct value);
    for (size_t i = 0; lines && i < count; i++) {
        const struct record *row = rows->list.items[i].kind == VALUE_RECORD ? rows->list.items[i].record : r;
        struct span old = record_string(row, SPAN("OldValue")), new = record_string(row, SPAN("NewValue"));
        const struct value *had = record_get(row, SPAN("OldValue")), *has = record_get(row, SPAN("NewValue"));
        bool set = span_eq(record_string(r, SPAN("Action")), SPAN("Set"));
        bool was = (had && had->kind != VALUE_NULL) || set, is = has && has->kind != VALUE_NULL;
        old = had && had->kind == VALUE_NULL ? SPAN("(none)") : old;
        lines[i] = value_string(
            arena_printf(call->arena, "%.*s: %.*s%s%.*s", SPAN_ARG(record_string(row, SPAN("Name"))),
                         SPAN_ARG(was ? old : SPAN("")), was ? " -> " : "", SPAN_ARG(is ? new : SPAN("(none)"))));
    }
    return lines ? cmdlet_set(r, "Changes", value_list(lines, count), err) : cmdlet_no_memory(err);
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct cmdlet_context *c = cmdlet_context(call);
    struct query q;
    struct source sources[2] = {{.store = c->policy},
                                {.store = c->recipients, .ended = c->recipients == c->policy}};
    enum err_code code = read_query(call, &q, err);
    while (!code && q.limit) {
        code = fill(call, &sources[0], err);
        if (!code)
            code = fill(call, &sources[1], err);
        if (code)
            break;
        struct source *s = time_of(&sources[1]) > time_of(&sources[0]) ? &sources[1] : &sources[0];
        if (s->ended || time_of(s) < q.from) /* what follows is older */
            break;
        struct record *r = s->page[s->at++];
        if (!is_wanted(&q, r))
            continue;
        code = add_summary(call, r, err);
        if (!code)
            call->emit(call, value_record(r));
        q.limit--;
    }
    return code;
}

static const struct shell_parameter parameters[] = {
    {"StartDate", NULL, 0, "<Date>", "Only what was done then or later: 2026-11-24, or 2026-11-24T18:30, in UTC."},
    {"EndDate", NULL, 0, "<Date>", "Only what was done until then."},
    {"Cmdlets", NULL, 0, "<Name>[,...]", "Only by these cmdlets; * and ? are wildcards."},
    {"ObjectIds", NULL, 0, "<Name>[,...]", "Only to these objects, by name or Class\\Name; * and ? are wildcards."},
    {"UserIds", NULL, 0, "<User>[,...]", "Only by these users; * and ? are wildcards."},
    {"ResultSize", NULL, 0, "<Int> | Unlimited", "How many at most, the newest first. Default: 1000."},
};

static const char *const aliases[] = {"Search-AdminAuditLog", NULL};

const struct shell_command audit_commands[AUDIT_COMMANDS] = {
    {.name = "Get-AdminAuditLog",
     .aliases = aliases,
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Shows what was changed, by whom, when and how.",
     .description =
         "One entry for each object that a statement has changed, with every property before and after; what "
         "changes "
         "in an ACL stands with its connector. Whoever changes something is recorded in the same transaction, with "
         "the "
         "server running or stopped. Secrets are shown as changed, never as they are. Entries are kept as long as "
         "TransportConfig AdminAuditLogAgeLimit says.",
     .examples =
         "    Get-AdminAuditLog -StartDate 2026-11-01 -Cmdlets *-ReceiveConnector | fl\n"
         "    Get-AdminAuditLog -ObjectIds 'Default mail' | Select-Object -ExpandProperty ModifiedProperties\n",
     .run = run_get},
};
