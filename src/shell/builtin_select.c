/* builtin_select.c: Select-Object and Sort-Object. */
#include "shell/format.h"

#include <stdlib.h>

/* ---- Select-Object ---- */

static enum err_code select_expanded(struct shell_call *call, struct value v, const struct value *name,
                                     struct err *err)
{
    if (name->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "Select-Object: -ExpandProperty wants the name of one property");
    const struct value *p = format_property(v, name->s);
    if (!p)
        return err_set(err, ERR_INVALID, "Select-Object: the object has no property %.*s",
                       SPAN_ARG(span_head(name->s, 60)));
    call->emit(call, *p);
    return ERR_NONE;
}

static enum err_code select_properties(struct shell_call *call, struct value v, const struct value *names,
                                       struct err *err)
{
    struct columns columns;
    enum err_code code = columns_of(call->arena, names, v.record, "Select-Object", &columns, err);
    if (code)
        return code;
    struct record *r = record_new(call->arena, SPAN("Selected"));
    for (size_t i = 0; r && i < columns.count; i++) {
        const struct value *p = record_get(v.record, columns.names[i]);
        if (!record_set(r, columns.names[i], p ? *p : value_null()))
            r = NULL;
    }
    if (!r)
        return run_no_memory(err);
    call->emit(call, value_record(r));
    return ERR_NONE;
}

static enum err_code select_one(struct shell_call *call, struct value v, struct err *err)
{
    const struct value *names = builtin_argument(call, "Property"),
                       *expand = builtin_argument(call, "ExpandProperty");
    if (expand)
        return select_expanded(call, v, expand, err);
    if (names && v.kind == VALUE_RECORD)
        return select_properties(call, v, names, err);
    call->emit(call, v);
    return ERR_NONE;
}

static enum err_code select_end(struct shell_call *call, struct err *err)
{
    const struct collector *c = builtin_gathered(call);
    size_t first = SIZE_MAX, last = SIZE_MAX, skip = 0;
    enum err_code code = c ? builtin_count(call, "First", &first, err) : run_no_memory(err);
    if (!code)
        code = builtin_count(call, "Last", &last, err);
    if (!code)
        code = builtin_count(call, "Skip", &skip, err);
    if (code || skip >= c->count)
        return code;
    size_t count = c->count - skip;
    for (size_t i = 0; !code && i < count; i++) {
        bool in_first = first == SIZE_MAX ? last == SIZE_MAX : i < first;
        bool in_last = last != SIZE_MAX && count - i <= last;
        if (in_first || in_last)
            code = select_one(call, c->items[skip + i], err);
    }
    return code;
}

/* ---- Sort-Object ---- */

struct sort_item {
    struct value object;
    struct value *keys;
    size_t index;
};

struct sort_order {
    size_t keys;
    bool descending;
};

static int compare_items(const void *a, const void *b, void *context)
{
    const struct sort_item *x = a, *y = b;
    const struct sort_order *order = context;
    int c = 0;
    for (size_t i = 0; c == 0 && i < order->keys; i++)
        c = compare_sort(x->keys[i], y->keys[i]);
    if (c == 0)
        return (x->index > y->index) - (x->index < y->index); /* equal ones stay in their order */
    return order->descending ? -c : c;
}

/* Without -Property the object itself is the key. */
static bool make_item(struct arena *arena, struct value v, const struct columns *columns, struct sort_item *ret)
{
    size_t n = columns->count ? columns->count : 1;
    ret->object = v;
    ret->keys = ARENA_ARRAY(arena, n, struct value);
    if (ret->keys && columns->count == 0)
        ret->keys[0] = v;
    for (size_t i = 0; ret->keys && i < columns->count; i++) {
        const struct value *p = format_property(v, columns->names[i]);
        ret->keys[i] = p ? *p : value_null();
    }
    return ret->keys != NULL;
}

static enum err_code sort_end(struct shell_call *call, struct err *err)
{
    const struct collector *c = builtin_gathered(call);
    const struct value *names = builtin_argument(call, "Property");
    struct columns columns = {0};
    enum err_code code = c && names ? columns_of(call->arena, names, NULL, "Sort-Object", &columns, err) : ERR_NONE;
    if (code)
        return code;
    struct sort_item *items = c ? ARENA_ARRAY(call->arena, c->count, struct sort_item) : NULL;
    if (!items)
        return run_no_memory(err);
    for (size_t i = 0; i < c->count; i++) {
        items[i].index = i;
        if (!make_item(call->arena, c->items[i], &columns, &items[i]))
            return run_no_memory(err);
    }
    struct sort_order order = {columns.count ? columns.count : 1, builtin_flag(call, "Descending")};
    qsort_r(items, c->count, sizeof *items, compare_items, &order);
    for (size_t i = 0; i < c->count; i++)
        call->emit(call, items[i].object);
    return ERR_NONE;
}

/* ---- the table ---- */

static const struct shell_parameter select_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Names>",
     "The properties to keep, in this order; * and ? may stand in a name."},
    {"ExpandProperty", NULL, 0, "<Name>",
     "Gives the value of this property instead of the object; a list gives its items."},
    {"First", NULL, 0, "<Number>", "So many from the beginning."},
    {"Last", NULL, 0, "<Number>", "So many from the end."},
    {"Skip", NULL, 0, "<Number>", "Leaves out so many at the beginning."},
};
static const struct shell_parameter sort_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Names>",
     "What to sort by; where the first is equal the second decides."},
    {"Descending", NULL, PARAMETER_SWITCH, NULL, "From the largest to the smallest."},
};
static const char *const select_aliases[] = {"select", NULL};
static const char *const sort_aliases[] = {"sort", NULL};

BUILTIN(builtin_select, "Select-Object", select_aliases, select_parameters,
        "Keeps some properties of the objects, or some of the objects.",
        "Objects that are changed so are for showing and for ConvertTo-Json; other commands want the whole ones.",
        "Get-ReceiveConnector | Select-Object Name,*Size\n"
        "Get-AcceptedDomain | Select-Object -ExpandProperty DomainName\n"
        "Get-Queue | Sort-Object MessageCount -Descending | Select-Object -First 5",
        builtin_gather, select_end);
BUILTIN(builtin_sort, "Sort-Object", sort_aliases, sort_parameters, "Sorts objects.",
        "Numbers, sizes, time spans and times by size, Unlimited above the numbers, text without regard to case. "
        "Objects without the property come first.",
        "Get-Message | Sort-Object Size -Descending", builtin_gather, sort_end);
