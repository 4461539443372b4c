/* builtin.c: the shell's own commands: filters, sorting, selecting, formatting. Those that need all objects gather
 * them in their state. */
#include "shell/internal.h"

#include "base/num.h"

#include <stdlib.h>

static const struct value *argument(const struct shell_call *call, const char *name)
{
    return record_get(call->arguments, span_of(name));
}

static bool flag(const struct shell_call *call, const char *name)
{
    return record_bool(call->arguments, span_of(name), false);
}

/* The objects gathered so far. */
static struct collector *gathered(struct shell_call *call)
{
    if (!*call->state) {
        struct collector *c = ARENA_NEW(call->arena, struct collector);
        if (c)
            c->arena = call->arena;
        *call->state = c;
    }
    return *call->state;
}

static enum err_code gather(struct shell_call *call, struct err *err)
{
    struct collector *c = gathered(call);
    if (c && call->input)
        collector_add(c, *call->input);
    return c && !c->failed ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code emit_text(struct shell_call *call, struct buf *b, struct err *err)
{
    struct span s = b->failed ? (struct span){NULL, 0} : arena_dup(call->arena, buf_span(b));
    buf_done(b);
    if (!s.ptr)
        return err_set(err, ERR_LIMIT, "the output is too large");
    call->emit(call, value_string(s));
    return ERR_NONE;
}

/* ---- Where-Object ---- */

static const char *const operators[] = {"eq",   "ne",      "gt",    "ge",       "lt",          "le",
                                        "like", "notlike", "match", "contains", "notcontains", "in"};

static enum err_code where_run(struct shell_call *call, struct err *err)
{
    const struct value *filter = argument(call, "FilterScript");
    bool keep = false;
    enum err_code code = ERR_NONE;
    if (!call->input)
        return ERR_NONE;
    if (!filter)
        return err_set(err, ERR_INVALID,
                       "Where-Object: a filter is expected: where {$_.Name -eq 'x'} or where Name -eq 'x'");
    if (filter->kind == VALUE_BLOCK) {
        code = eval_filter(call, filter->block, *call->input, &keep, err);
    } else {
        const struct value *p = call->input->kind == VALUE_RECORD && filter->kind == VALUE_STRING
                                    ? record_get(call->input->record, filter->s)
                                    : NULL;
        struct value left = p ? *p : value_null();
        keep = value_truth(left);
        for (size_t i = 0; !code && i < ARRAY_LEN(operators); i++) {
            const struct value *right = argument(call, operators[i]);
            if (right)
                code = compare_values(span_of(operators[i]), left, *right, &keep, err);
        }
    }
    if (!code && keep)
        call->emit(call, *call->input);
    return code;
}

/* ---- Select-Object, Sort-Object, Measure-Object ---- */

static bool count_argument(const struct shell_call *call, const char *name, uint64_t *ret)
{
    const struct value *v = argument(call, name);
    return v && v->kind == VALUE_STRING && num_parse_u64(v->s, 1u << 30, ret);
}

static enum err_code select_one(struct shell_call *call, struct value v, struct err *err)
{
    const struct value *names = argument(call, "Property"), *expand = argument(call, "ExpandProperty");
    struct span *columns;
    if (expand && expand->kind == VALUE_STRING) {
        const struct value *p = v.kind == VALUE_RECORD ? record_get(v.record, expand->s) : NULL;
        if (!p)
            return err_set(err, ERR_INVALID, "Select-Object: the object has no property %.*s", SPAN_ARG(expand->s));
        for (size_t i = 0; p->kind == VALUE_LIST && i < p->list.count; i++)
            call->emit(call, p->list.items[i]);
        if (p->kind != VALUE_LIST)
            call->emit(call, *p);
        return ERR_NONE;
    }
    if (!names || v.kind != VALUE_RECORD) {
        call->emit(call, v);
        return ERR_NONE;
    }
    size_t n = format_columns(call->arena, names, v.record, &columns);
    struct record *r = record_new(call->arena, SPAN("Selected"));
    for (size_t i = 0; r && i < n; i++) {
        const struct value *p = record_get(v.record, columns[i]);
        if (!record_set(r, columns[i], p ? *p : value_null()))
            r = NULL;
    }
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    call->emit(call, value_record(r));
    return ERR_NONE;
}

static enum err_code select_end(struct shell_call *call, struct err *err)
{
    struct collector *c = gathered(call);
    uint64_t first = UINT64_MAX, last = UINT64_MAX;
    if (!c)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if ((argument(call, "First") && !count_argument(call, "First", &first)) ||
        (argument(call, "Last") && !count_argument(call, "Last", &last)))
        return err_set(err, ERR_INVALID, "Select-Object: -First and -Last take a number");
    size_t from = last < c->count ? c->count - (size_t)last : 0;
    enum err_code code = ERR_NONE;
    for (size_t i = from; !code && i < c->count && i - from < first; i++)
        code = select_one(call, c->items[i], err);
    return code;
}

struct sort_key {
    struct value object, key;
    size_t index;
};

static int sort_compare(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    int c = compare_order(x->key, y->key);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static enum err_code sort_end(struct shell_call *call, struct err *err)
{
    struct collector *c = gathered(call);
    const struct value *names = argument(call, "Property");
    struct span *columns = NULL;
    struct sort_key *keys = c ? ARENA_ARRAY(call->arena, c->count, struct sort_key) : NULL;
    if (!keys)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    size_t n = format_columns(call->arena, names, NULL, &columns);
    for (size_t i = 0; i < c->count; i++) {
        const struct value *p =
            n && c->items[i].kind == VALUE_RECORD ? record_get(c->items[i].record, columns[0]) : NULL;
        keys[i] = (struct sort_key){c->items[i], p ? *p : n ? value_null() : c->items[i], i};
    }
    qsort(keys, c->count, sizeof *keys, sort_compare);
    bool descending = flag(call, "Descending");
    for (size_t i = 0; i < c->count; i++)
        call->emit(call, keys[descending ? c->count - 1 - i : i].object);
    return ERR_NONE;
}

static enum err_code measure_end(struct shell_call *call, struct err *err)
{
    struct collector *c = gathered(call);
    const struct value *name = argument(call, "Property");
    struct record *r = record_new(call->arena, SPAN("Measure"));
    bool ok = c && r && record_set(r, SPAN("Count"), value_int((int64_t)c->count));
    if (ok && name && name->kind == VALUE_STRING) {
        int64_t sum = 0, min = INT64_MAX, max = INT64_MIN;
        for (size_t i = 0; i < c->count; i++) {
            int64_t v = c->items[i].kind == VALUE_RECORD ? record_int(c->items[i].record, name->s, 0) : 0;
            if (__builtin_add_overflow(sum, v, &sum))
                return err_set(err, ERR_LIMIT, "Measure-Object: the sum is too large");
            min = v < min ? v : min;
            max = v > max ? v : max;
        }
        ok = record_set(r, SPAN("Sum"), value_int(sum)) &&
             record_set(r, SPAN("Minimum"), c->count ? value_int(min) : value_null()) &&
             record_set(r, SPAN("Maximum"), c->count ? value_int(max) : value_null()) &&
             record_set(r, SPAN("Property"), *name);
    }
    if (!ok)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    call->emit(call, value_record(r));
    return ERR_NONE;
}

/* ---- Format-Table, Format-List, ConvertTo-Json, Write-Output ---- */

static enum err_code format_end(struct shell_call *call, struct err *err, bool list)
{
    struct collector *c = gathered(call);
    const struct value *names = argument(call, "Property");
    struct span *columns = NULL;
    struct buf b;
    if (!c)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    const struct record *sample = c->count && c->items[0].kind == VALUE_RECORD ? c->items[0].record : NULL;
    struct value star = value_of("*");
    size_t n = format_columns(call->arena, names ? names : list ? NULL : &star, sample, &columns);
    buf_init(&b, OUTPUT_TEXT_MAX);
    if (!sample) {
        struct shell_table none = {0};
        format_default(&b, &none, c->items, c->count);
    } else if (list) {
        format_list(&b, c->items, c->count, columns, n);
    } else if (!names) {
        struct stage *st = call->pipeline;
        format_default(&b, st->run->table, c->items, c->count);
    } else {
        format_table(&b, c->items, c->count, columns, n);
    }
    return emit_text(call, &b, err);
}

static enum err_code format_table_end(struct shell_call *call, struct err *err)
{
    return format_end(call, err, false);
}

static enum err_code format_list_end(struct shell_call *call, struct err *err)
{
    return format_end(call, err, true);
}

static enum err_code json_end(struct shell_call *call, struct err *err)
{
    struct collector *c = gathered(call);
    bool array = flag(call, "AsArray"), compress = flag(call, "Compress");
    struct buf b;
    if (!c)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (c->count == 0 && !array)
        return ERR_NONE;
    buf_init(&b, OUTPUT_TEXT_MAX);
    json_print(&b, c->count == 1 && !array ? c->items[0] : value_list(c->items, c->count), 0, compress);
    buf_add_char(&b, '\n');
    return emit_text(call, &b, err);
}

static enum err_code write_run(struct shell_call *call, struct err *err)
{
    const struct value *v = argument(call, "InputObject");
    (void)err;
    if (call->input)
        call->emit(call, *call->input);
    else if (v)
        call->emit(call, *v);
    return ERR_NONE;
}

/* ---- the table ---- */

static const struct shell_parameter where_parameters[] = {
    {"FilterScript", "Property", PARAMETER_POSITION_0, "{ condition } | <Property>",
     "The condition, with $_ for the object; or a property's name."},
    {"eq", NULL, 0, "<Value>", "Equal."},
    {"ne", NULL, 0, "<Value>", "Not equal."},
    {"gt", NULL, 0, "<Value>", "Greater."},
    {"ge", NULL, 0, "<Value>", "Greater or equal."},
    {"lt", NULL, 0, "<Value>", "Less."},
    {"le", NULL, 0, "<Value>", "Less or equal."},
    {"like", NULL, 0, "<Pattern>", "Fits a pattern with * and ?."},
    {"notlike", NULL, 0, "<Pattern>", "Does not fit."},
    {"match", NULL, 0, "<Expression>", "Fits a regular expression."},
    {"contains", NULL, 0, "<Value>", "The list has the value."},
    {"notcontains", NULL, 0, "<Value>", "The list does not have it."},
    {"in", NULL, 0, "<List>", "The value is in the list."},
};
static const struct shell_parameter select_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Names>", "The properties to keep, wildcards allowed."},
    {"First", NULL, 0, "<Number>", "Only so many from the beginning."},
    {"Last", NULL, 0, "<Number>", "Only so many from the end."},
    {"ExpandProperty", NULL, 0, "<Name>", "The property's value instead of the object."},
};
static const struct shell_parameter sort_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Name>", "What to sort by."},
    {"Descending", NULL, PARAMETER_SWITCH, NULL, "From the largest to the smallest."},
};
static const struct shell_parameter measure_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Name>", "A property to add up."},
    {"Sum", NULL, PARAMETER_SWITCH, NULL, "Accepted; the sum is always given."},
};
static const struct shell_parameter format_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Names>", "The properties to show, wildcards allowed."},
    {"AutoSize", NULL, PARAMETER_SWITCH, NULL, "Accepted; columns are always as wide as they need."},
};
static const struct shell_parameter json_parameters[] = {
    {"AsArray", NULL, PARAMETER_SWITCH, NULL, "Always an array, also for none or one object."},
    {"Compress", NULL, PARAMETER_SWITCH, NULL, "On one line."},
    {"Depth", NULL, 0, "<Number>", "Accepted; everything is always shown."},
};
static const struct shell_parameter write_parameters[] = {
    {"InputObject", NULL, PARAMETER_POSITION_0, "<Value>", "What to write."}};

static const char *const where_aliases[] = {"where", "?", NULL};
static const char *const select_aliases[] = {"select", NULL};
static const char *const sort_aliases[] = {"sort", NULL};
static const char *const measure_aliases[] = {"measure", NULL};
static const char *const table_aliases[] = {"ft", NULL};
static const char *const list_aliases[] = {"fl", NULL};
static const char *const write_aliases[] = {"echo", "write", NULL};

#define BUILTIN(var, n, a, p, s, d, r, e)                                                                          \
    static const struct shell_command var = {.name = n,                                                            \
                                             .aliases = a,                                                         \
                                             .parameters = p,                                                      \
                                             .parameter_count = ARRAY_LEN(p),                                      \
                                             .synopsis = s,                                                        \
                                             .description = d,                                                     \
                                             .run = r,                                                             \
                                             .end = e}

BUILTIN(where_command, "Where-Object", where_aliases, where_parameters,
        "Lets through the objects that fulfil a condition.",
        "Where-Object {$_.Name -like 'a*' -and $_.Enabled} or, for one property, where Name -like 'a*'.", where_run,
        NULL);
BUILTIN(select_command, "Select-Object", select_aliases, select_parameters,
        "Chooses properties, or some of the objects.",
        "With -Property the objects keep only those; with -ExpandProperty the values come instead.", gather,
        select_end);
BUILTIN(sort_command, "Sort-Object", sort_aliases, sort_parameters, "Sorts objects by a property.",
        "Numbers, sizes and times by size; text without regard to case.", gather, sort_end);
BUILTIN(measure_command, "Measure-Object", measure_aliases, measure_parameters,
        "Counts objects, or adds a property up.", "Gives Count, and with -Property also Sum, Minimum and Maximum.",
        gather, measure_end);
BUILTIN(table_command, "Format-Table", table_aliases, format_parameters, "Shows objects as a table.",
        "For people; programs read ConvertTo-Json.", gather, format_table_end);
BUILTIN(list_command, "Format-List", list_aliases, format_parameters, "Shows objects one property a line.",
        "For people; programs read ConvertTo-Json.", gather, format_list_end);
BUILTIN(json_command, "ConvertTo-Json", NULL, json_parameters, "Writes objects as JSON.",
        "One object as an object, several as an array; names as Exchange spells them.", gather, json_end);
BUILTIN(write_command, "Write-Output", write_aliases, write_parameters, "Writes a value.",
        "Passes objects on as they are.", write_run, NULL);

const struct shell_command *const builtin_commands[] = {
    &where_command, &select_command, &sort_command,  &measure_command, &table_command,
    &list_command,  &json_command,   &write_command, &help_command,    &get_command_command};
const size_t builtin_count = ARRAY_LEN(builtin_commands);
