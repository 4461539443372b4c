/*
 * compare.c: comparing values of different kinds.
 *
 * Invariant: compare_sort is a total order (qsort may rely on it); the operators convert more, and say so when they
 * cannot.
 */
#include "shell/compare.h"

#include "base/num.h"
#include "shell/internal.h"

/* What numbers can be compared with each other. */
enum family {
    FAMILY_NONE,
    FAMILY_ANY, /* Unlimited belongs to each */
    FAMILY_COUNT,
    FAMILY_TIMESPAN,
    FAMILY_TIME,
};

struct number {
    bool unlimited;
    int64_t i;
};

enum { TEXT_MAX = 1 << 20 };

static enum family family_of(struct value v)
{
    switch (v.kind) {
    case VALUE_INT:
    case VALUE_SIZE: return FAMILY_COUNT;
    case VALUE_TIMESPAN: return FAMILY_TIMESPAN;
    case VALUE_TIME: return FAMILY_TIME;
    case VALUE_UNLIMITED: return FAMILY_ANY;
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_STRING:
    case VALUE_LIST:
    case VALUE_RECORD:
    case VALUE_BLOCK:
    case VALUE_SECRET: return FAMILY_NONE;
    }
    return FAMILY_NONE;
}

/* ---- text as numbers ---- */

/* A fraction without a unit is no count. */
static bool parse_count(struct span s, int64_t *ret)
{
    if (num_parse_i64(s, INT64_MIN, INT64_MAX, ret))
        return true;
    return s.len && !ascii_is_digit(s.ptr[s.len - 1]) && value_parse_size(s, ret);
}

static bool to_number(struct value v, enum family family, struct number *ret)
{
    *ret = (struct number){0};
    if (v.kind == VALUE_STRING && span_ieq(v.s, SPAN("Unlimited")))
        v = value_unlimited();
    if (v.kind == VALUE_UNLIMITED) {
        ret->unlimited = true;
        return true;
    }
    ret->i = v.i;
    if (v.kind != VALUE_STRING)
        return family_of(v) == family;
    switch (family) {
    case FAMILY_TIMESPAN: return value_parse_timespan(v.s, &ret->i);
    case FAMILY_TIME: return value_parse_time(v.s, &ret->i);
    case FAMILY_COUNT: return parse_count(v.s, &ret->i);
    case FAMILY_ANY: /* all are below Unlimited */
        return parse_count(v.s, &ret->i) || value_parse_timespan(v.s, &ret->i) || value_parse_time(v.s, &ret->i);
    case FAMILY_NONE: break;
    }
    return false;
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_numbers(struct number a, struct number b)
{
    return a.unlimited || b.unlimited ? order(a.unlimited, b.unlimited) : order(a.i, b.i);
}

/* ---- text ---- */

/* The value's text: its own, or printed into scratch. */
static struct span text_of(struct value v, struct buf *scratch)
{
    if (v.kind == VALUE_STRING)
        return v.s;
    buf_init(scratch, TEXT_MAX);
    value_print(scratch, v);
    return buf_span(scratch);
}

static int order_text(struct value a, struct value b, bool cased)
{
    CLEANUP(buf_done) struct buf x = {0}, y = {0};
    struct span s = text_of(a, &x), t = text_of(b, &y);
    return cased ? span_cmp(s, t) : span_icmp(s, t);
}

static bool to_bool(struct value v, bool *ret)
{
    bool yes = v.kind == VALUE_STRING && span_ieq(v.s, SPAN("true"));
    bool no = v.kind == VALUE_STRING && span_ieq(v.s, SPAN("false"));
    *ret = v.kind == VALUE_BOOL ? v.b : yes;
    return v.kind == VALUE_BOOL || yes || no;
}

/* ---- order ---- */

/* False when the two have no order. */
static bool find_order(struct value a, struct value b, bool cased, int *ret)
{
    enum family f = family_of(a), g = family_of(b);
    struct number x, y;
    bool p, q;
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL) {
        *ret = order(a.kind != VALUE_NULL, b.kind != VALUE_NULL);
        return true;
    }
    if (f != FAMILY_NONE || g != FAMILY_NONE) {
        enum family common = f <= FAMILY_ANY && g != FAMILY_NONE ? g : f;
        if (!to_number(a, common, &x) || !to_number(b, common, &y))
            return false;
        *ret = order_numbers(x, y);
        return true;
    }
    if (a.kind == VALUE_BOOL || b.kind == VALUE_BOOL) {
        if (!to_bool(a, &p) || !to_bool(b, &q))
            return false;
        *ret = order(p, q);
        return true;
    }
    *ret = order_text(a, b, cased);
    return true;
}

/* What compare_sort puts together. */
static int rank(struct value v)
{
    switch (v.kind) {
    case VALUE_NULL: return 0;
    case VALUE_BOOL: return 1;
    case VALUE_INT:
    case VALUE_SIZE: return 2;
    case VALUE_UNLIMITED: return 3;
    case VALUE_TIMESPAN: return 4;
    case VALUE_TIME: return 5;
    case VALUE_STRING:
    case VALUE_LIST:
    case VALUE_RECORD:
    case VALUE_BLOCK:
    case VALUE_SECRET: return 6;
    }
    return 6;
}

int compare_sort(struct value a, struct value b)
{
    int c = order(rank(a), rank(b));
    if (c || rank(a) == 0 || rank(a) == 3)
        return c;
    if (rank(a) == 1)
        return order(a.b, b.b);
    return rank(a) == 6 ? order_text(a, b, false) : order(a.i, b.i);
}

/* ---- operators ---- */

static bool equal(struct value a, struct value b, bool cased)
{
    int c;
    return find_order(a, b, cased, &c) && c == 0;
}

static bool holds(struct value list, struct value item, bool cased)
{
    if (list.kind != VALUE_LIST)
        return equal(list, item, cased);
    for (size_t i = 0; i < list.list.count; i++)
        if (equal(list.list.items[i], item, cased))
            return true;
    return false;
}

static enum err_code fail_compare(const char *what, struct value a, struct value b, struct err *err)
{
    CLEANUP(buf_done) struct buf x = {0}, y = {0};
    struct span s = span_head(text_of(a, &x), 80), t = span_head(text_of(b, &y), 80);
    return err_set(err, ERR_INVALID, "%s: \"%.*s\" and \"%.*s\" cannot be compared", what, SPAN_ARG(s),
                   SPAN_ARG(t));
}

static enum err_code compare_text(struct matcher *m, struct operator op, struct value a, struct value b, bool *ret,
                                  struct err *err)
{
    CLEANUP(buf_done) struct buf x = {0}, y = {0};
    struct span s = text_of(a, &x), t = text_of(b, &y);
    if (op.kind == OPERATOR_MATCH)
        return matcher_match(m, s, t, op.cased, ret, err);
    *ret = match_wildcards(s, t, op.cased);
    return ERR_NONE;
}

/* Two single values. */
static enum err_code compare_one(struct matcher *m, struct operator op, struct value a, struct value b, bool *ret,
                                 struct err *err)
{
    int c;
    if (op.kind == OPERATOR_LIKE || op.kind == OPERATOR_MATCH)
        return compare_text(m, op, a, b, ret, err);
    if (op.kind == OPERATOR_EQ) {
        *ret = equal(a, b, op.cased);
        return ERR_NONE;
    }
    if (!find_order(a, b, op.cased, &c))
        return fail_compare("-gt, -ge, -lt and -le want values of one kind", a, b, err);
    *ret = op.kind == OPERATOR_GT   ? c > 0
           : op.kind == OPERATOR_GE ? c >= 0
           : op.kind == OPERATOR_LT ? c < 0
                                    : c <= 0;
    return ERR_NONE;
}

enum err_code compare_values(struct matcher *m, struct operator op, struct value a, struct value b, bool *ret,
                             struct err *err)
{
    bool found = false;
    enum err_code code = ERR_NONE;
    ASSERT(!operator_is_logical(op));
    if (op.kind == OPERATOR_CONTAINS || op.kind == OPERATOR_IN) {
        *ret = holds(op.kind == OPERATOR_IN ? b : a, op.kind == OPERATOR_IN ? a : b, op.cased) != op.negated;
        return ERR_NONE;
    }
    if (b.kind == VALUE_LIST)
        return fail_compare("a list on the right wants -in", a, b, err);
    if (a.kind != VALUE_LIST) {
        code = compare_one(m, op, a, b, &found, err);
        found = found != op.negated;
    }
    for (size_t i = 0; !code && !found && a.kind == VALUE_LIST && i < a.list.count; i++) {
        code = compare_one(m, op, a.list.items[i], b, &found, err);
        found = !code && found != op.negated;
    }
    if (!code)
        *ret = found;
    return code;
}
