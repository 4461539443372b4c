/* builtin_where.c: Where-Object, with a script block or with one property, one operator and one value. */
#include "shell/internal.h"

static const char usage[] = "where {$_.Name -eq 'x'} or where Name -eq 'x' is expected";

/* The one operator that was given as a parameter; none leaves *ret_value NULL. */
static enum err_code find_operator(const struct shell_call *call, struct operator* ret,
                                   const struct value **ret_value, struct err *err)
{
    *ret_value = NULL;
    for (size_t i = 0; i < call->arguments->count; i++) {
        const struct field *f = &call->arguments->fields[i];
        struct operator op;
        if (!operator_find(f->name, &op))
            continue;
        if (*ret_value)
            return err_set(err, ERR_INVALID, "Where-Object: one operator at a time; more go into { }: %s", usage);
        *ret = op;
        *ret_value = &f->value;
    }
    return ERR_NONE;
}

static enum err_code where_property(struct shell_call *call, const struct value *name, struct operator op,
                                    const struct value *right, bool *ret, struct err *err)
{
    if (name->kind != VALUE_STRING)
        return err_set(err, ERR_INVALID, "Where-Object: %s", usage);
    struct value left = eval_member(call->arena, *call->input, name->s);
    if (right)
        return compare_values(&run_of(call)->match, op, left, *right, ret, err);
    *ret = value_truth(left);
    return ERR_NONE;
}

static enum err_code where_run(struct shell_call *call, struct err *err)
{
    const struct value *filter = builtin_argument(call, "FilterScript"), *right;
    struct operator op = {0};
    bool keep = false;
    if (!filter)
        return err_set(err, ERR_INVALID, "Where-Object: %s", usage);
    enum err_code code = find_operator(call, &op, &right, err);
    if (code || !call->input)
        return code;
    if (filter->kind != VALUE_BLOCK)
        code = where_property(call, filter, op, right, &keep, err);
    else if (right)
        code = err_set(err, ERR_INVALID, "Where-Object: an operator belongs into the { } or stands without one: %s",
                       usage);
    else
        code = eval_filter(call, *filter, *call->input, &keep);
    if (!code && keep)
        call->emit(call, *call->input);
    return code;
}

/* An operator, and its forms that say whether case matters. */
#define OPERATOR(name, syntax, help)                                                                               \
    {name, NULL, 0, syntax, help}, {"c" name, NULL, PARAMETER_HIDDEN, syntax, help},                               \
    {                                                                                                              \
        "i" name, NULL, PARAMETER_HIDDEN, syntax, help                                                             \
    }

static const struct shell_parameter parameters[] = {
    {"FilterScript", "Property", PARAMETER_POSITION_0, "{ condition } | <Property>",
     "The condition, with $_ for the object; or the name of one property, with one of the operators below. A "
     "property "
     "by itself asks whether it is set."},
    OPERATOR("eq", "<Value>", "Equal. -ceq regards case, as does a c before any other operator."),
    OPERATOR("ne", "<Value>", "Not equal."),
    OPERATOR("gt", "<Value>", "Greater."),
    OPERATOR("ge", "<Value>", "Greater or equal."),
    OPERATOR("lt", "<Value>", "Less."),
    OPERATOR("le", "<Value>", "Less or equal."),
    OPERATOR("like", "<Pattern>", "Fits a pattern with * and ?."),
    OPERATOR("notlike", "<Pattern>", "Does not fit it."),
    OPERATOR("match", "<Expression>", "Fits an extended regular expression."),
    OPERATOR("notmatch", "<Expression>", "Does not fit it."),
    OPERATOR("contains", "<Value>", "The property is a list that has the value."),
    OPERATOR("notcontains", "<Value>", "It does not have it."),
    OPERATOR("in", "<Values>", "The property is one of the values."),
    OPERATOR("notin", "<Values>", "It is none of them."),
};
static const char *const aliases[] = {"where", "?", NULL};

BUILTIN(
    builtin_where, "Where-Object", aliases, parameters, "Lets through the objects that fulfil a condition.",
    "Sizes compare as sizes, time spans as time spans; Unlimited is above every number. Of a list, one item that "
    "fits is enough. -and, -or and -xor are taken from left to right; brackets group.",
    "# Connectors that take large messages without TLS\n"
    "Get-ReceiveConnector | where {$_.MaxMessageSize -gt 10MB -and $_.AuthMechanism -notcontains 'Tls'}\n"
    "# The same sort of question about one property\n"
    "Get-Mailbox | where Name -like 'a*'",
    where_run, NULL);
