/* plan_replay_text.c: the report of a replay, as a table for people and as an object for programs. */
#include "cmdlet/plan_replay.h"

#include <inttypes.h>

/* ---- for people ---- */

enum { COLUMNS = 6, WIDTH_MAX = 40 };

static const struct {
    const char *sign, *word;
} directions[REPLAY_DIRECTIONS] = {[REPLAY_REFUSED] = {"!", "Refused"},
                                   [REPLAY_OTHERWISE] = {"~", "Otherwise"},
                                   [REPLAY_ACCEPTED] = {"+", "Accepted"}};

static void put_number(struct buf *out, const char *separator, uint64_t n, const char *of)
{
    buf_addf(out, "%s%" PRIu64 " %s%s", separator, n, of, n == 1 ? "" : "s");
}

static void put_some(struct buf *out, uint64_t n, const char *of)
{
    if (n)
        put_number(out, out->len ? ", " : "", n, of);
}

static struct span often(struct arena *a, const struct replay_change *x)
{
    struct buf b;
    buf_init(&b, 128);
    put_some(&b, x->sessions, "session");
    put_some(&b, x->messages, "message");
    put_some(&b, x->recipients, "recipient");
    struct span text = arena_dup(a, b.len ? buf_span(&b) : SPAN("logons"));
    buf_done(&b);
    return text;
}

static struct span time_of(struct arena *a, int64_t ms)
{
    struct buf b;
    buf_init(&b, 64);
    value_print(&b, value_time(ms));
    struct span text = arena_dup(a, buf_span(&b));
    buf_done(&b);
    return text;
}

/* The connector is named where it is another one. */
static struct span outcome(struct arena *a, const struct replay_outcome *o, const struct replay_outcome *other)
{
    struct span what = o->accepted ? SPAN("accepted") : o->reply;
    if (span_eq(o->connector, other->connector) || !o->connector.len)
        return what;
    return arena_printf(a, "%.*s by \"%.*s\"", SPAN_ARG(what), SPAN_ARG(o->connector));
}

static void cells_of(struct arena *a, const struct replay_client *k, const struct replay_change *x,
                     struct span *ret)
{
    const struct span cells[COLUMNS] = {k->remote,
                                        k->user.len ? k->user : SPAN("(nobody)"),
                                        often(a, x),
                                        time_of(a, x->last_ms),
                                        outcome(a, &x->before, &x->after),
                                        outcome(a, &x->after, &x->before)};
    for (size_t i = 0; i < COLUMNS; i++)
        ret[i] = cells[i];
}

static void put_row(struct buf *out, const char *sign, const struct span *cells, const size_t *widths)
{
    buf_addf(out, "\n%s", sign);
    for (size_t i = 0; i < COLUMNS; i++) {
        buf_addf(out, " %.*s", SPAN_ARG(cells[i]));
        for (size_t n = cells[i].len; i + 1 < COLUMNS && n < widths[i] + 1; n++)
            buf_add_char(out, ' ');
    }
}

static void put_why(struct buf *out, const struct replay_change *x)
{
    buf_addf(out, "\n    %.*s", SPAN_ARG(x->decided_by));
    if (x->why.len)
        buf_addf(out, "%s%.*s", x->decided_by.len ? ": " : "", SPAN_ARG(x->why));
    if (x->has_sender)
        buf_addf(out, " (as from <%.*s>", SPAN_ARG(x->sender));
    if (x->has_sender && x->recipient.len)
        buf_addf(out, " to <%.*s>", SPAN_ARG(x->recipient));
    buf_addf(out, "%s", x->has_sender ? ")" : "");
}

static void put_table(struct buf *out, const struct replay_report *r)
{
    static const struct span heads[COLUMNS] = {SPAN_INIT("CLIENT"),    SPAN_INIT("USER"), SPAN_INIT("HOW OFTEN"),
                                               SPAN_INIT("LAST SEEN"), SPAN_INIT("WAS"),  SPAN_INIT("WILL BE")};
    size_t widths[COLUMNS];
    struct span cells[COLUMNS];
    struct arena row;
    arena_init(&row, 0);
    for (size_t i = 0; i < COLUMNS; i++)
        widths[i] = heads[i].len;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->client_count; i++)
            for (size_t k = 0; k < r->clients[i].count; k++) {
                const struct replay_change *x = &r->clients[i].changes[k];
                arena_reset(&row);
                cells_of(&row, &r->clients[i], x, cells);
                for (size_t n = 0; !pass && n < COLUMNS; n++)
                    if (cells[n].len > widths[n])
                        widths[n] = cells[n].len < WIDTH_MAX ? cells[n].len : WIDTH_MAX;
                if (pass) {
                    put_row(out, directions[x->direction].sign, cells, widths);
                    put_why(out, x);
                }
            }
        if (!pass)
            put_row(out, " ", heads, widths);
    }
    arena_clear(&row);
}

/* Of the time before, nothing is known: that nothing changes then says nothing. */
static void put_recorded(struct buf *out, const struct plan_replay *r)
{
    if (r->recorded_ms <= r->since_ms)
        return;
    buf_add(out, SPAN("\nRecorded is what clients did since "));
    value_print(out, value_time(r->recorded_ms));
    buf_add(out, SPAN("; of the time before it nothing is known."));
}

static void put_totals(struct buf *out, const struct replay_report *r)
{
    const char *before = "\nNot replayed: ";
    put_number(out, "\nReplayed ", r->facts, "fact");
    put_number(out, " of ", r->clients_seen, "client");
    put_number(out, " (", r->sessions, "session");
    put_number(out, ", ", r->messages, "message");
    put_number(out, ", ", r->recipients, "recipient");
    put_number(out, "); something changes for ", r->client_count, "client");
    buf_add_char(out, '.');
    if (r->folded)
        buf_addf(out,
                 "\n%" PRIu64 " of the facts stand for many that were kept together, of which one was replayed.",
                 r->folded);
    for (size_t i = 0; i < REPLAY_SKIPS; i++)
        if (r->skipped[i]) {
            buf_addf(out, "%s%" PRIu64 " %s", before, r->skipped[i], replay_skip_text((enum replay_skip)i));
            before = "; ";
        }
}

void plan_replay_print(struct buf *out, const struct plan *p)
{
    struct buf window;
    buf_init(&window, 64);
    value_print(&window, value_timespan(p->replay->window_ms));
    buf_addf(out, "\n\nWhat clients did in the last %.*s", SPAN_ARG(buf_span(&window)));
    buf_done(&window);
    if (!p->replay->report.facts)
        buf_add(out, SPAN(": nothing that could be replayed."));
    else if (!p->replay->report.client_count)
        buf_add(out, SPAN(" would come out as it does now."));
    else
        buf_add(out, SPAN(" and would come out otherwise:\n"));
    if (p->replay->report.client_count)
        put_table(out, &p->replay->report);
    buf_add_char(out, '\n');
    put_totals(out, &p->replay->report);
    put_recorded(out, p->replay);
}

/* ---- for programs ---- */

static struct value number(uint64_t n)
{
    return value_int((int64_t)n);
}

static struct record *make(struct arena *a, const char *type, const struct field *fields, size_t count)
{
    struct record *r = record_new(a, span_of(type));
    for (size_t i = 0; r && i < count; i++) {
        if (fields[i].value.kind == VALUE_RECORD && !fields[i].value.record)
            return NULL;
        if (!record_set(r, fields[i].name, fields[i].value))
            return NULL;
    }
    return r;
}

static struct record *outcome_record(struct arena *a, const struct replay_outcome *o)
{
    const struct field fields[] = {
        {SPAN("Connector"), o->connector.len ? value_string(o->connector) : value_null()},
        {SPAN("Accepted"), value_bool(o->accepted)},
        {SPAN("Reply"), o->accepted ? value_null() : value_string(o->reply)},
    };
    return make(a, "ReplayOutcome", fields, ARRAY_LEN(fields));
}

static struct record *change_record(struct arena *a, const struct replay_change *x)
{
    const struct field fields[] = {
        {SPAN("Change"), value_of(directions[x->direction].word)},
        {SPAN("Before"), value_record(outcome_record(a, &x->before))},
        {SPAN("After"), value_record(outcome_record(a, &x->after))},
        {SPAN("DecidedBy"), value_string(x->decided_by)},
        {SPAN("Why"), value_string(x->why)},
        {SPAN("Sessions"), number(x->sessions)},
        {SPAN("Messages"), number(x->messages)},
        {SPAN("Recipients"), number(x->recipients)},
        {SPAN("LastSeen"), value_time(x->last_ms)},
        {SPAN("Sender"), x->has_sender ? value_string(x->sender) : value_null()},
        {SPAN("Recipient"), x->recipient.len ? value_string(x->recipient) : value_null()},
    };
    return make(a, "ReplayChange", fields, ARRAY_LEN(fields));
}

static struct record *client_record(struct arena *a, const struct replay_client *k)
{
    struct value *items = ARENA_ARRAY(a, k->count, struct value);
    for (size_t i = 0; items && i < k->count; i++) {
        items[i] = value_record(change_record(a, &k->changes[i]));
        if (!items[i].record)
            return NULL;
    }
    const struct field fields[] = {
        {SPAN("RemoteIP"), value_string(k->remote)},    {SPAN("User"), value_string(k->user)},
        {SPAN("Sessions"), number(k->sessions)},        {SPAN("LastSeen"), value_time(k->last_ms)},
        {SPAN("Changes"), value_list(items, k->count)},
    };
    return items ? make(a, "ReplayClient", fields, ARRAY_LEN(fields)) : NULL;
}

static bool skipped_items(struct arena *a, const struct replay_report *r, struct value *items, size_t *ret_count)
{
    size_t n = 0;
    for (size_t i = 0; i < REPLAY_SKIPS; i++) {
        const struct field fields[] = {
            {SPAN("Reason"), value_of(replay_skip_name((enum replay_skip)i))},
            {SPAN("Text"), value_of(replay_skip_text((enum replay_skip)i))},
            {SPAN("Facts"), number(r->skipped[i])},
        };
        if (!r->skipped[i])
            continue;
        items[n] = value_record(make(a, "ReplaySkipped", fields, ARRAY_LEN(fields)));
        if (!items[n++].record)
            return false;
    }
    *ret_count = n;
    return true;
}

struct record *plan_replay_record(struct arena *a, const struct plan *p)
{
    const struct replay_report *r = &p->replay->report;
    struct value *clients = ARENA_ARRAY(a, r->client_count, struct value),
                 *skipped = ARENA_ARRAY(a, REPLAY_SKIPS, struct value);
    size_t skipped_count = 0;
    bool ok = clients && skipped && skipped_items(a, r, skipped, &skipped_count);
    for (size_t i = 0; ok && i < r->client_count; i++) {
        clients[i] = value_record(client_record(a, &r->clients[i]));
        ok = clients[i].record;
    }
    const struct field fields[] = {
        {SPAN("Window"), value_timespan(p->replay->window_ms)},
        {SPAN("RecordedSince"), value_time(p->replay->recorded_ms)},
        {SPAN("Facts"), number(r->facts)},
        {SPAN("Dialogues"), number(r->runs)},
        {SPAN("Sessions"), number(r->sessions)},
        {SPAN("Messages"), number(r->messages)},
        {SPAN("Recipients"), number(r->recipients)},
        {SPAN("Clients"), number(r->clients_seen)},
        {SPAN("ClientsChanged"), number(r->client_count)},
        {SPAN("FactsFolded"), number(r->folded)},
        {SPAN("NotReplayed"), value_list(skipped, skipped_count)},
        {SPAN("Changes"), value_list(clients, r->client_count)},
    };
    return ok ? make(a, "Replay", fields, ARRAY_LEN(fields)) : NULL;
}
