/*
 * resource_pressure.c: Get-ResourcePressure: what the running server may run short of. Exchange 2010 has it in
 * Get-ExchangeDiagnosticInfo -Component ResourceThrottling, as XML.
 */
#include "cmdlet/internal.h"

static const char *const measures[PRESSURE_RESOURCES] = {
    [PRESSURE_QUEUE_DISK] = "bytes free",
    [PRESSURE_LOG_DISK] = "bytes free",
    [PRESSURE_MEMORY] = "bytes in use",
    [PRESSURE_QUEUE_LENGTH] = "recipients waiting",
};

static struct value amount(enum pressure_resource r, uint64_t n)
{
    if (n > INT64_MAX)
        return value_unlimited();
    return r == PRESSURE_QUEUE_LENGTH ? value_int((int64_t)n) : value_size((int64_t)n);
}

static struct value text_value(const struct shell_call *call, enum pressure_resource r,
                               const struct pressure_state *s)
{
    enum { TEXT_MAX = 512 };
    struct buf b;
    buf_init(&b, TEXT_MAX);
    pressure_print(&b, r, s);
    struct span text = arena_dup(call->arena, buf_span(&b));
    buf_done(&b);
    return text.ptr ? value_string(text) : value_null();
}

static enum err_code emit(struct shell_call *call, enum pressure_resource r, const struct pressure_state *s,
                          struct err *err)
{
    const struct {
        const char *name;
        struct value value;
    } fields[] = {
        {"Resource", value_of(pressure_resource_name(r))},
        {"Level", value_of(pressure_level_name(s->level))},
        {"Value", s->known ? amount(r, s->value) : value_null()},
        {"Measures", value_of(measures[r])},
        {"Normal", s->known ? amount(r, s->normal) : value_null()},
        {"Medium", s->known ? amount(r, s->medium) : value_null()},
        {"High", s->known ? amount(r, s->high) : value_null()},
        {"Total", s->total ? amount(r, s->total) : value_null()},
        {"RefusesMail", value_bool(pressure_refuses(r) && s->level != PRESSURE_NORMAL)},
        {"Since", s->since_ms ? value_time(s->since_ms) : value_null()},
        {"State", text_value(call, r, s)},
        {"Remedy", s->level != PRESSURE_NORMAL ? value_of(pressure_remedy(r)) : value_null()},
    };
    struct record *record = record_new(call->arena, SPAN("ResourcePressure"));
    for (size_t i = 0; record && i < ARRAY_LEN(fields); i++)
        if (!record_set(record, span_of(fields[i].name), fields[i].value))
            record = NULL;
    if (!record)
        return cmdlet_no_memory(err);
    call->emit(call, value_record(record));
    return ERR_NONE;
}

/* For `mailreeve explain`: one line of hex digits, which pressure_get takes. */
static enum err_code emit_encoded(struct shell_call *call, const struct pressure *p, struct err *err)
{
    struct buf b, hex;
    buf_init(&b, PRESSURE_BYTES);
    buf_init(&hex, 4 * PRESSURE_BYTES);
    pressure_put(&b, p);
    for (size_t i = 0; i < b.len; i++)
        buf_addf(&hex, "%02x", (unsigned char)b.ptr[i]);
    struct span text = b.failed || hex.failed ? (struct span){NULL, 0} : arena_dup(call->arena, buf_span(&hex));
    buf_done(&b);
    buf_done(&hex);
    if (!text.ptr)
        return cmdlet_no_memory(err);
    call->emit(call, value_string(text));
    return ERR_NONE;
}

static enum err_code run_get(struct shell_call *call, struct err *err)
{
    struct pressure_view *view = cmdlet_context(call)->pressure;
    const struct value *wanted = cmdlet_argument(call, "Identity");
    struct pressure p;
    bool shown = false;
    if (!view)
        return err_set(err, ERR_UNAVAILABLE,
                       "Get-ResourcePressure: the server is not running, and only it measures; the thresholds are "
                       "shown by Get-TransportServer | fl *Threshold");
    if (!view->read(view, &p))
        return err_set(err, ERR_UNAVAILABLE, "Get-ResourcePressure: nothing was measured yet; try again in %d s",
                       PRESSURE_POLL_MS / 1000);
    if (wanted && wanted->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID,
                       "Get-ResourcePressure -Identity: a resource's name is expected, such as "
                       "QueueDisk; * and ? are wildcards");
    if (cmdlet_switch(call, "Encoded"))
        return emit_encoded(call, &p, err);
    for (enum pressure_resource r = 0; r < PRESSURE_RESOURCES; r++) {
        if (wanted && !shell_like(span_of(pressure_resource_name(r)), wanted->s))
            continue;
        shown = true;
        if (emit(call, r, &p.of[r], err))
            return err->code;
    }
    if (!shown && wanted && !cmdlet_is_pattern(wanted))
        return err_set(
            err, ERR_NOT_FOUND,
            "Get-ResourcePressure: there is no resource \"%.*s\"; there are QueueDisk, Memory, QueueLength "
            "and LogDisk",
            SPAN_ARG(span_head(wanted->s, 80)));
    return ERR_NONE;
}

static const struct shell_parameter parameters[] = {
    {"Identity", "Resource", PARAMETER_POSITION_0, "<Resource>",
     "QueueDisk, Memory, QueueLength or LogDisk; wildcards are allowed."},
    {"Encoded", NULL, PARAMETER_SWITCH | PARAMETER_HIDDEN, NULL, "All in one line, for programs of this version."},
    {"Server", NULL, PARAMETER_HIDDEN, "<Server>", "This server."},
};

const struct shell_command pressure_commands[PRESSURE_COMMANDS] = {
    {.name = "Get-ResourcePressure",
     .parameters = parameters,
     .parameter_count = ARRAY_LEN(parameters),
     .synopsis = "Shows what the server is short of.",
     .description =
         "Disk, memory and queue length as measured every two seconds, each with its level (Normal, Medium, High), "
         "the numbers where those begin and since when it holds. At Medium, mail from outside is refused with "
         "452 4.3.1, at High all new mail; what was accepted is delivered at every level. A level ends only when "
         "the "
         "value is back behind the next lower number: Medium behind Normal, High behind Medium. LogDisk is told "
         "and "
         "refuses nothing. The thresholds are properties of TransportServer.",
     .examples = "    Get-ResourcePressure\n"
                 "    # What refuses mail now, and what to do?\n"
                 "    Get-ResourcePressure | where {$_.RefusesMail} | fl\n"
                 "    Set-TransportServer -QueueDiskHighThreshold 200MB -QueueDiskMediumThreshold 400MB\n",
     .run = run_get},
};
