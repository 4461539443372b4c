/* filter.c: -Filter, parsed strictly: what is not understood is an error, never a filter that lets everything
 * through. */
#include "cmdlet/filter.h"

#include "base/num.h"
#include "shell/shell.h"

static const char *const names[FILTER_OPS] = {
    [FILTER_EQ] = "eq",
    [FILTER_NE] = "ne",
    [FILTER_GT] = "gt",
    [FILTER_GE] = "ge",
    [FILTER_LT] = "lt",
    [FILTER_LE] = "le",
    [FILTER_LIKE] = "like",
    [FILTER_NOT_LIKE] = "notlike",
    [FILTER_CONTAINS] = "contains",
};

struct parser {
    struct span whole, rest;
    struct arena *arena;
    struct err *err;
};

static enum err_code expected(struct parser *p, const char *what)
{
    size_t at = p->whole.len - p->rest.len;
    return err_set(p->err, ERR_INVALID,
                   "-Filter: %s is expected at \"%.*s\" (character %zu); a filter looks like \"Status -eq "
                   "'Retry' -and MessageCount -gt 10\"",
                   what, SPAN_ARG(span_head(p->rest, 40)), at + 1);
}

static void skip(struct parser *p, size_t n)
{
    p->rest = span_from(p->rest, n);
}

static void skip_blanks(struct parser *p)
{
    while (p->rest.len &&
           (p->rest.ptr[0] == ' ' || p->rest.ptr[0] == '\t' || p->rest.ptr[0] == '\n' || p->rest.ptr[0] == '\r'))
        skip(p, 1);
}

static struct span take_word(struct parser *p)
{
    size_t n = 0;
    while (n < p->rest.len && ascii_is_alnum(p->rest.ptr[n]))
        n++;
    struct span word = span_head(p->rest, n);
    skip(p, n);
    skip_blanks(p);
    return word;
}

static enum err_code take_property(struct parser *p, const char *const *properties, struct span *ret)
{
    struct parser before = *p;
    struct span word = take_word(p);
    for (const char *const *k = properties; *k; k++)
        if (span_ieq(span_of(*k), word)) {
            *ret = span_of(*k);
            return ERR_NONE;
        }
    if (!word.len)
        return expected(&before, "a property");
    struct buf b;
    buf_init(&b, 400);
    for (const char *const *k = properties; *k; k++)
        buf_addf(&b, "%s%s", k == properties ? "" : ", ", *k);
    struct span known = buf_span(&b);
    err_set(p->err, ERR_INVALID, "-Filter: there is no property %.*s; there are %.*s",
            SPAN_ARG(span_head(word, 60)), SPAN_ARG(known));
    buf_done(&b);
    return ERR_INVALID;
}

static enum err_code take_op(struct parser *p, enum filter_op *ret)
{
    struct parser before = *p;
    if (p->rest.len && p->rest.ptr[0] == '-') {
        skip(p, 1);
        struct span word = take_word(p);
        for (unsigned op = 0; op < FILTER_OPS; op++)
            if (span_ieq(span_of(names[op]), word)) {
                *ret = (enum filter_op)op;
                return ERR_NONE;
            }
    }
    return expected(&before, "an operator (-eq -ne -gt -ge -lt -le -like -notlike -contains)");
}

/* A quoted text, in which a doubled quote is one. */
static enum err_code take_quoted(struct parser *p, struct span *ret)
{
    struct parser before = *p;
    char quote = p->rest.ptr[0];
    struct buf b;
    buf_init(&b, 0x10000);
    skip(p, 1);
    for (;; skip(p, 1)) {
        if (!p->rest.len) {
            buf_done(&b);
            return expected(&before, "a text with its closing quote");
        }
        if (p->rest.ptr[0] == quote) {
            skip(p, 1);
            if (!p->rest.len || p->rest.ptr[0] != quote)
                break;
        }
        buf_add_char(&b, p->rest.ptr[0]);
    }
    *ret = b.failed ? (struct span){NULL, 0} : arena_dup(p->arena, buf_span(&b));
    buf_done(&b);
    skip_blanks(p);
    return ret->ptr ? ERR_NONE : err_set(p->err, ERR_NO_MEMORY, "out of memory");
}

static enum err_code take_value(struct parser *p, struct span *ret)
{
    size_t n = 0;
    if (p->rest.len && (p->rest.ptr[0] == '\'' || p->rest.ptr[0] == '"'))
        return take_quoted(p, ret);
    while (n < p->rest.len && (ascii_is_alnum(p->rest.ptr[n]) || p->rest.ptr[n] == '.' || p->rest.ptr[n] == ':' ||
                               (p->rest.ptr[n] == '$' && n == 0)))
        n++;
    struct span word = span_head(p->rest, n);
    bool truth = span_ieq(word, SPAN("$true")) || span_ieq(word, SPAN("$false"));
    if (!n || (!ascii_is_digit(word.ptr[0]) && !truth))
        return expected(p, "a number, or a text in quotes,");
    *ret = truth ? span_from(word, 1) : word;
    skip(p, n);
    skip_blanks(p);
    return ERR_NONE;
}

/* Without the { } or ( ) around it. */
static struct span unwrap(struct span s)
{
    s = span_trim(s);
    bool wrapped = s.len >= 2 &&
                   ((s.ptr[0] == '{' && s.ptr[s.len - 1] == '}') || (s.ptr[0] == '(' && s.ptr[s.len - 1] == ')'));
    return wrapped ? span_trim(span_make(s.ptr + 1, s.len - 2)) : s;
}

enum err_code filter_parse(struct span text, const char *const *properties, struct arena *arena, struct filter *ret,
                           struct err *err)
{
    struct span inner = unwrap(text);
    struct parser p = {.whole = inner, .rest = inner, .arena = arena, .err = err};
    *ret = (struct filter){0};
    for (;;) {
        if (ret->count == FILTER_TERMS_MAX)
            return err_set(err, ERR_LIMIT, "-Filter: more than %d conditions", FILTER_TERMS_MAX);
        struct filter_term *t = &ret->terms[ret->count];
        enum err_code code = take_property(&p, properties, &t->property);
        if (code == ERR_NONE)
            code = take_op(&p, &t->op);
        if (code == ERR_NONE)
            code = take_value(&p, &t->value);
        if (code)
            return code;
        ret->count++;
        if (!p.rest.len)
            return ERR_NONE;
        if (!span_istarts(p.rest, SPAN("-and")) || p.rest.len == 4 || ascii_is_alnum(p.rest.ptr[4]))
            return expected(&p, "-and, or the end,");
        skip(&p, 4);
        skip_blanks(&p);
    }
}

/* ---- matching ---- */

/* Sign of a compared with the term's value; false when they cannot be compared. */
static bool order(struct value a, struct span b, int *ret)
{
    int64_t n = 0;
    bool unlimited = span_ieq(b, SPAN("Unlimited"));
    if (a.kind == VALUE_STRING) {
        *ret = span_icmp(a.s, b);
        return true;
    }
    if (a.kind == VALUE_BOOL) {
        *ret = a.b == span_ieq(b, SPAN("true")) ? 0 : 1;
        return span_ieq(b, SPAN("true")) || span_ieq(b, SPAN("false"));
    }
    if (a.kind == VALUE_UNLIMITED || unlimited) {
        *ret = (a.kind == VALUE_UNLIMITED) - unlimited;
        return true;
    }
    bool known = a.kind == VALUE_INT        ? num_parse_i64(b, INT64_MIN, INT64_MAX, &n)
                 : a.kind == VALUE_SIZE     ? value_parse_size(b, &n)
                 : a.kind == VALUE_TIMESPAN ? value_parse_timespan(b, &n)
                 : a.kind == VALUE_TIME     ? value_parse_time(b, &n)
                                            : false;
    *ret = (a.i > n) - (a.i < n);
    return known;
}

static bool like(struct value v, struct span pattern)
{
    struct buf b;
    buf_init(&b, 0x10000);
    value_print(&b, v);
    bool yes = !b.failed && shell_like(buf_span(&b), pattern);
    buf_done(&b);
    return yes;
}

static bool holds(const struct filter_term *t, struct value v)
{
    int sign = 0;
    bool comparable = order(v, t->value, &sign);
    switch (t->op) {
    case FILTER_EQ:
    case FILTER_CONTAINS: return comparable && sign == 0;
    case FILTER_NE: return !comparable || sign != 0;
    case FILTER_GT: return comparable && sign > 0;
    case FILTER_GE: return comparable && sign >= 0;
    case FILTER_LT: return comparable && sign < 0;
    case FILTER_LE: return comparable && sign <= 0;
    case FILTER_LIKE: return like(v, t->value);
    case FILTER_NOT_LIKE: return !like(v, t->value);
    case FILTER_OPS: break;
    }
    return false;
}

/* Of a text, -contains asks for a part of it; of a list, for an item. */
static bool contains(struct value v, struct span text)
{
    for (size_t i = 0; v.kind == VALUE_STRING && i + text.len <= v.s.len; i++)
        if (span_istarts(span_from(v.s, i), text))
            return true;
    return false;
}

static bool term_matches(const struct filter_term *t, const struct record *r)
{
    const struct value *v = record_get(r, t->property);
    bool negative = t->op == FILTER_NE || t->op == FILTER_NOT_LIKE;
    if (!v || v->kind == VALUE_NULL)
        return negative;
    if (v->kind != VALUE_LIST)
        return t->op == FILTER_CONTAINS ? contains(*v, t->value) : holds(t, *v);
    size_t n = 0;
    for (size_t i = 0; i < v->list.count; i++)
        n += holds(t, v->list.items[i]);
    return negative ? n == v->list.count : n > 0;
}

bool filter_matches(const struct filter *f, const struct record *r)
{
    for (size_t i = 0; i < f->count; i++)
        if (!term_matches(&f->terms[i], r))
            return false;
    return true;
}
