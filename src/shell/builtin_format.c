/* builtin_format.c: Format-Table, Format-List, ConvertTo-Json, Write-Output. */
#include "shell/format.h"
#include "shell/json.h"

enum { TABLE_COLUMNS_UNASKED = 10 }; /* of a type without a view */

static const struct record *first_record(const struct collector *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].kind == VALUE_RECORD)
            return c->items[i].record;
    return NULL;
}

/* The columns asked for, or those that a table or list has by itself. */
static enum err_code find_columns(struct shell_call *call, const struct record *sample, bool list,
                                  struct columns *ret, struct err *err)
{
    const struct value *names = builtin_argument(call, "Property");
    const struct shell_view *view = format_view(run_of(call)->shell->table, sample->type);
    if (names)
        return columns_of(call->arena, names, sample, call->command->name, ret, err);
    if (!list && view)
        return columns_of_view(call->arena, view, ret) ? ERR_NONE : run_no_memory(err);
    if (!columns_all(call->arena, sample, ret))
        return run_no_memory(err);
    if (!list && ret->count > TABLE_COLUMNS_UNASKED)
        ret->count = TABLE_COLUMNS_UNASKED;
    return ERR_NONE;
}

static enum err_code format_end(struct shell_call *call, bool list, struct err *err)
{
    const struct collector *c = builtin_gathered(call);
    const struct shell *shell = run_of(call)->shell;
    struct columns columns;
    struct buf b;
    if (!c)
        return run_no_memory(err);
    const struct record *sample = first_record(c);
    enum err_code code = sample ? find_columns(call, sample, list, &columns, err) : ERR_NONE;
    if (code || c->count == 0)
        return code;
    buf_init(&b, SHELL_OUTPUT_MAX);
    if (!sample)
        format_default(&b, shell, call->arena, c->items, c->count);
    else if (list)
        format_list(&b, c->items, c->count, &columns);
    else
        format_table(&b, c->items, c->count, &columns, shell->output.width ? shell->output.width : SHELL_WIDTH);
    return builtin_emit_text(call, &b, err);
}

static enum err_code table_end(struct shell_call *call, struct err *err)
{
    return format_end(call, false, err);
}

static enum err_code list_end(struct shell_call *call, struct err *err)
{
    return format_end(call, true, err);
}

static enum err_code json_end(struct shell_call *call, struct err *err)
{
    const struct collector *c = builtin_gathered(call);
    bool array = builtin_flag(call, "AsArray");
    struct json_options options = {.compress = builtin_flag(call, "Compress"), .depth = JSON_DEPTH_MAX};
    struct buf b;
    if (!c)
        return run_no_memory(err);
    enum err_code code = builtin_count(call, "Depth", &options.depth, err);
    if (code || (c->count == 0 && !array))
        return code;
    bool one = c->count == 1 && !array;
    options.depth += !one && options.depth < JSON_DEPTH_MAX; /* the array around the objects is not theirs */
    buf_init(&b, SHELL_OUTPUT_MAX);
    json_print(&b, one ? c->items[0] : value_list(c->items, c->count), options);
    return builtin_emit_text(call, &b, err);
}

static enum err_code write_run(struct shell_call *call, struct err *err)
{
    const struct value *v = builtin_argument(call, "InputObject");
    if (!v && !call->input)
        return err_set(err, ERR_INVALID, "Write-Output: what? Write-Output 'text'");
    call->emit(call, v ? *v : *call->input);
    return ERR_NONE;
}

static const struct shell_parameter format_parameters[] = {
    {"Property", NULL, PARAMETER_POSITION_0, "<Names>",
     "The properties to show, in this order; * and ? may stand in a name."},
    {"AutoSize", NULL, PARAMETER_SWITCH | PARAMETER_HIDDEN, NULL, "Columns are always as wide as they need."},
    {"Wrap", NULL, PARAMETER_SWITCH | PARAMETER_HIDDEN, NULL, "What does not fit is cut; Format-List shows all."},
};
static const struct shell_parameter json_parameters[] = {
    {"AsArray", NULL, PARAMETER_SWITCH, NULL, "An array also for one object, and for none."},
    {"Compress", NULL, PARAMETER_SWITCH, NULL, "Without blanks and line ends."},
    {"Depth", NULL, 0, "<Number>", "How deep objects inside objects are written out; 32 by itself."},
};
static const struct shell_parameter write_parameters[] = {
    {"InputObject", NULL, PARAMETER_POSITION_0 | PARAMETER_PIPELINE, "<Values>", "What to write."},
};
static const char *const table_aliases[] = {"ft", NULL};
static const char *const list_aliases[] = {"fl", NULL};
static const char *const write_aliases[] = {"echo", "write", NULL};

BUILTIN(builtin_table, "Format-Table", table_aliases, format_parameters, "Shows objects as a table.",
        "For people: what is too long for the line is cut. Programs read ConvertTo-Json.",
        "Get-ReceiveConnector | ft Name,Bindings,RemoteIPRanges", builtin_gather, table_end);
BUILTIN(builtin_list, "Format-List", list_aliases, format_parameters,
        "Shows objects with a line for each property.", "For people; programs read ConvertTo-Json.",
        "Get-ReceiveConnector 'Default mail' | fl\n"
        "Get-ReceiveConnector | fl Name,*Max*",
        builtin_gather, list_end);
BUILTIN(
    builtin_json, "ConvertTo-Json", NULL, json_parameters, "Writes objects as JSON.",
    "One object gives an object, several give an array, none gives nothing; -AsArray always gives an array. Names "
    "are spelled as Exchange spells them; lists are arrays, counts and sizes (in bytes) numbers.",
    "Get-ReceiveConnector | ConvertTo-Json -AsArray", builtin_gather, json_end);
BUILTIN(builtin_write, "Write-Output", write_aliases, write_parameters, "Writes values.",
        "Passes them on as they are; a list gives its items.", "Write-Output 'done'", write_run, NULL);
