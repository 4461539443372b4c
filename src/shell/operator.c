/* operator.c: the table of operators. A leading c (case matters) or i (it does not) belongs to comparisons only. */
#include "shell/operator.h"

static const struct {
    struct span name;
    enum operator_kind kind;
    bool negated;
} operators[] = {
    {SPAN_INIT("eq"), OPERATOR_EQ, false},
    {SPAN_INIT("ne"), OPERATOR_EQ, true},
    {SPAN_INIT("gt"), OPERATOR_GT, false},
    {SPAN_INIT("ge"), OPERATOR_GE, false},
    {SPAN_INIT("lt"), OPERATOR_LT, false},
    {SPAN_INIT("le"), OPERATOR_LE, false},
    {SPAN_INIT("like"), OPERATOR_LIKE, false},
    {SPAN_INIT("notlike"), OPERATOR_LIKE, true},
    {SPAN_INIT("match"), OPERATOR_MATCH, false},
    {SPAN_INIT("notmatch"), OPERATOR_MATCH, true},
    {SPAN_INIT("contains"), OPERATOR_CONTAINS, false},
    {SPAN_INIT("notcontains"), OPERATOR_CONTAINS, true},
    {SPAN_INIT("in"), OPERATOR_IN, false},
    {SPAN_INIT("notin"), OPERATOR_IN, true},
    {SPAN_INIT("and"), OPERATOR_AND, false},
    {SPAN_INIT("or"), OPERATOR_OR, false},
    {SPAN_INIT("xor"), OPERATOR_XOR, false},
};

static bool find_plain(struct span name, struct operator* ret)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (span_ieq(operators[i].name, name)) {
            *ret = (struct operator){.kind = operators[i].kind, .negated = operators[i].negated};
            return true;
        }
    return false;
}

bool operator_is_logical(struct operator op)
{
    return op.kind >= OPERATOR_AND;
}

bool operator_find(struct span name, struct operator* ret)
{
    struct operator op;
    if (find_plain(name, ret))
        return true;
    char first = name.len ? ascii_lower(name.ptr[0]) : 0;
    if ((first != 'c' && first != 'i') || !find_plain(span_from(name, 1), &op) || operator_is_logical(op))
        return false;
    op.cased = first == 'c';
    *ret = op;
    return true;
}

const char *operator_names(void)
{
    return "-eq -ne -gt -ge -lt -le -like -notlike -match -notmatch -contains -notcontains -in -notin -and -or "
           "-xor "
           "-not";
}
