/* compare.c: the comparison operators of script blocks. Text is compared without regard to case unless the operator
 * begins with c. */
#include "shell/internal.h"

#include "base/num.h"

#include <regex.h>
#include <string.h>

bool shell_like(struct span text, struct span pattern)
{
    size_t t = 0, p = 0, star = SIZE_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len &&
                   (pattern.ptr[p] == '?' || ascii_lower(pattern.ptr[p]) == ascii_lower(text.ptr[t]))) {
            p++, t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static struct span text_of(struct value v, struct buf *scratch)
{
    if (v.kind == VALUE_STRING)
        return v.s;
    buf_clear(scratch);
    value_print(scratch, v);
    return buf_span(scratch);
}

static bool is_number(struct value v)
{
    return v.kind == VALUE_INT || v.kind == VALUE_SIZE || v.kind == VALUE_TIMESPAN || v.kind == VALUE_TIME ||
           v.kind == VALUE_UNLIMITED;
}

/* Reads text as the kind of number that `like` is. */
static bool to_number(struct value v, enum value_kind like, int64_t *ret)
{
    if (v.kind == VALUE_UNLIMITED) {
        *ret = INT64_MAX;
        return true;
    }
    if (v.kind != VALUE_STRING) {
        *ret = v.i;
        return is_number(v);
    }
    if (span_ieq(v.s, SPAN("unlimited"))) {
        *ret = INT64_MAX;
        return true;
    }
    return like == VALUE_TIMESPAN ? value_parse_timespan(v.s, ret)
                                  : value_parse_size(v.s, ret) || num_parse_i64(v.s, INT64_MIN, INT64_MAX, ret);
}

int compare_order(struct value a, struct value b)
{
    int64_t x, y;
    if ((is_number(a) || is_number(b)) && to_number(a, b.kind, &x) && to_number(b, a.kind, &y))
        return (x > y) - (x < y);
    struct buf s, t;
    buf_init(&s, 1 << 16);
    buf_init(&t, 1 << 16);
    int c = span_icmp(text_of(a, &s), text_of(b, &t));
    buf_done(&s);
    buf_done(&t);
    return c;
}

static bool equal(struct value a, struct value b, bool cased)
{
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL)
        return a.kind == b.kind;
    if (a.kind == VALUE_BOOL || b.kind == VALUE_BOOL) {
        struct value x = a.kind == VALUE_BOOL ? a : b, y = a.kind == VALUE_BOOL ? b : a;
        if (y.kind == VALUE_STRING)
            return span_ieq(y.s, x.b ? SPAN("true") : SPAN("false"));
        return x.b == value_truth(y);
    }
    if (cased && a.kind == VALUE_STRING && b.kind == VALUE_STRING)
        return span_eq(a.s, b.s);
    return compare_order(a, b) == 0;
}

static enum err_code matches(struct value a, struct value b, bool cased, bool *ret, struct err *err)
{
    struct buf s, t;
    regex_t re;
    buf_init(&s, 1 << 16);
    buf_init(&t, 1024);
    struct span text = text_of(a, &s);
    buf_add(&t, text_of(b, &(struct buf){.max = 1024}));
    buf_add_char(&s, '\0');
    buf_add_char(&t, '\0');
    if (a.kind == VALUE_STRING) { /* text_of gave a view: make it end in NUL */
        buf_clear(&s);
        buf_add(&s, text);
        buf_add_char(&s, '\0');
    }
    enum err_code code = ERR_NONE;
    if (s.failed || t.failed || regcomp(&re, t.ptr, REG_EXTENDED | REG_NOSUB | (cased ? 0 : REG_ICASE)) != 0) {
        code = err_set(err, ERR_INVALID, "-match: \"%s\" is not a regular expression", t.failed ? "..." : t.ptr);
    } else {
        *ret = regexec(&re, s.ptr, 0, NULL, 0) == 0;
        regfree(&re);
    }
    buf_done(&s);
    buf_done(&t);
    return code;
}

static enum err_code compare_one(struct span op, struct value a, struct value b, bool cased, bool *ret,
                                 struct err *err)
{
    struct buf s, t;
    if (span_ieq(op, SPAN("eq")))
        *ret = equal(a, b, cased);
    else if (span_ieq(op, SPAN("gt")))
        *ret = compare_order(a, b) > 0;
    else if (span_ieq(op, SPAN("ge")))
        *ret = compare_order(a, b) >= 0;
    else if (span_ieq(op, SPAN("lt")))
        *ret = compare_order(a, b) < 0;
    else if (span_ieq(op, SPAN("le")))
        *ret = compare_order(a, b) <= 0;
    else if (span_ieq(op, SPAN("match")))
        return matches(a, b, cased, ret, err);
    else {
        buf_init(&s, 1 << 16);
        buf_init(&t, 1 << 16);
        *ret = shell_like(text_of(a, &s), text_of(b, &t));
        buf_done(&s);
        buf_done(&t);
    }
    return ERR_NONE;
}

static bool list_contains(struct value list, struct value item, bool cased)
{
    if (list.kind != VALUE_LIST)
        return equal(list, item, cased);
    for (size_t i = 0; i < list.list.count; i++)
        if (equal(list.list.items[i], item, cased))
            return true;
    return false;
}

/* As PowerShell does it, a list on the left is true when one of its items is. */
enum err_code compare_values(struct span op, struct value a, struct value b, bool *ret, struct err *err)
{
    bool cased = false, negate = false, found = false;
    if (op.len > 2 && !span_ieq(op, SPAN("in")) && !span_istarts(op, SPAN("contains")) &&
        !span_istarts(op, SPAN("in")) && (ascii_lower(op.ptr[0]) == 'c' || ascii_lower(op.ptr[0]) == 'i')) {
        cased = ascii_lower(op.ptr[0]) == 'c';
        op = span_from(op, 1);
    }
    if (span_ieq(op, SPAN("ne")) || span_istarts(op, SPAN("not"))) {
        negate = true;
        op = span_ieq(op, SPAN("ne")) ? SPAN("eq") : span_from(op, 3);
    }
    enum err_code code = ERR_NONE;
    if (span_ieq(op, SPAN("contains")))
        found = list_contains(a, b, cased);
    else if (span_ieq(op, SPAN("in")))
        found = list_contains(b, a, cased);
    else if (a.kind != VALUE_LIST)
        code = compare_one(op, a, b, cased, &found, err);
    else
        for (size_t i = 0; !code && !found && i < a.list.count; i++)
            code = compare_one(op, a.list.items[i], b, cased, &found, err);
    *ret = found != negate;
    return code;
}
