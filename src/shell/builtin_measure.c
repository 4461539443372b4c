/* builtin_measure.c: Measure-Object: how many objects there are, and what a property of theirs adds up to. */
#include "shell/format.h"

/* The numbers of one property; all are of one kind. */
struct measure {
    size_t count;
    enum value_kind kind;
    int64_t sum;
    struct value min, max;
};

static enum err_code add(struct measure *m, struct value v, struct span name, struct err *err)
{
    bool number = v.kind == VALUE_INT || v.kind == VALUE_SIZE || v.kind == VALUE_TIMESPAN;
    name = span_head(name, 60);
    if (!number)
        return err_set(err, ERR_INVALID,
                       "Measure-Object: %.*s is not a number in every object; leave those out with "
                       "Where-Object",
                       SPAN_ARG(name));
    if (m->count && m->kind != v.kind)
        return err_set(err, ERR_INVALID, "Measure-Object: %.*s is not of one kind in all objects", SPAN_ARG(name));
    if (__builtin_add_overflow(m->sum, v.i, &m->sum))
        return err_set(err, ERR_LIMIT, "Measure-Object: the sum of %.*s is too large", SPAN_ARG(name));
    m->kind = v.kind;
    m->min = m->count && compare_sort(m->min, v) <= 0 ? m->min : v;
    m->max = m->count && compare_sort(m->max, v) >= 0 ? m->max : v;
    m->count++;
    return ERR_NONE;
}

static struct value of_kind(const struct measure *m, int64_t i)
{
    return m->count ? (struct value){.kind = m->kind, .i = i} : value_null();
}

/* Exact, or a count with three places as text. */
static struct value average(const struct measure *m, struct arena *arena)
{
    int64_t n = (int64_t)m->count;
    if (n == 0 || m->kind != VALUE_INT || m->sum % n == 0)
        return of_kind(m, n ? m->sum / n : 0);
    return value_string(arena_printf(arena, "%.3f", (double)m->sum / (double)n));
}

static enum err_code measure_property(struct shell_call *call, const struct collector *c, const struct value *name,
                                      struct record *r, struct err *err)
{
    struct measure m = {0};
    if (name->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "Measure-Object: -Property wants the name of one property");
    for (size_t i = 0; i < c->count; i++) {
        const struct value *v = format_property(c->items[i], name->s);
        enum err_code code = v && v->kind != VALUE_NULL ? add(&m, *v, name->s, err) : ERR_NONE;
        if (code)
            return code;
    }
    if (c->count && !m.count)
        return err_set(err, ERR_INVALID, "Measure-Object: no object has a property %.*s",
                       SPAN_ARG(span_head(name->s, 60)));
    const struct {
        const char *name;
        struct value value;
    } rows[] = {
        {"Average", average(&m, call->arena)}, {"Sum", of_kind(&m, m.sum)}, {"Maximum", m.max}, {"Minimum", m.min}};
    bool ok = record_set(r, SPAN("Count"), value_int((int64_t)m.count)) && record_set(r, SPAN("Property"), *name);
    for (size_t i = 0; ok && i < ARRAY_LEN(rows); i++)
        if (builtin_flag(call, rows[i].name))
            ok = record_set(r, span_of(rows[i].name), rows[i].value);
    return ok ? ERR_NONE : run_no_memory(err);
}

static enum err_code measure_end(struct shell_call *call, struct err *err)
{
    const struct collector *c = builtin_gathered(call);
    const struct value *name = builtin_argument(call, "Property");
    struct record *r = record_new(call->arena, SPAN("Measure"));
    enum err_code code = ERR_NONE;
    if (!c || !r || !record_set(r, SPAN("Count"), value_int((int64_t)c->count)))
        return run_no_memory(err);
    if (name)
        code = measure_property(call, c, name, r, err);
    if (!code)
        call->emit(call, value_record(r));
    return code;
}

static const struct shell_parameter parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Name>",
     "The property to add up; objects where it is empty do not count."},
    {"Sum", NULL, PARAMETER_SWITCH, NULL, "Adds the values up."},
    {"Average", NULL, PARAMETER_SWITCH, NULL, "Their average."},
    {"Minimum", NULL, PARAMETER_SWITCH, NULL, "The smallest."},
    {"Maximum", NULL, PARAMETER_SWITCH, NULL, "The largest."},
};
static const char *const aliases[] = {"measure", NULL};

BUILTIN(builtin_measure, "Measure-Object", aliases, parameters, "Counts objects, or adds a property of theirs up.",
        "Gives Count, and with -Property what the switches ask for.",
        "Get-Mailbox | Measure-Object\n"
        "Get-Message | Measure-Object Size -Sum -Maximum",
        builtin_gather, measure_end);
