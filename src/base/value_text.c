/* value_text.c: values as people read them, and sizes and time spans read back. Print and parse agree. */
#include "base/num.h"
#include "base/value.h"

#include <inttypes.h>
#include <time.h>

static const struct {
    struct span unit;
    int64_t bytes;
} units[] = {
    {SPAN_INIT("TB"), INT64_C(1) << 40}, {SPAN_INIT("GB"), 1 << 30}, {SPAN_INIT("MB"), 1 << 20},
    {SPAN_INIT("KB"), 1 << 10},          {SPAN_INIT("B"), 1},
};

static void print_size(struct buf *out, int64_t bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (bytes && bytes % units[i].bytes == 0) {
            buf_addf(out, "%" PRId64 "%.*s", bytes / units[i].bytes, SPAN_ARG(units[i].unit));
            return;
        }
    buf_addf(out, "%" PRId64 "B", bytes);
}

static void print_timespan(struct buf *out, int64_t ms)
{
    int64_t s = ms / 1000, days = s / 86400;
    if (days)
        buf_addf(out, "%" PRId64 ".", days);
    buf_addf(out, "%02d:%02d:%02d", (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60));
    if (ms % 1000)
        buf_addf(out, ".%03d", (int)(ms % 1000));
}

static void print_time(struct buf *out, int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    if (!gmtime_r(&t, &tm))
        return;
    buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

void value_print(struct buf *out, struct value v)
{
    switch (v.kind) {
    case VALUE_NULL: break;
    case VALUE_BOOL: buf_add(out, v.b ? SPAN("True") : SPAN("False")); break;
    case VALUE_INT: buf_addf(out, "%" PRId64, v.i); break;
    case VALUE_STRING: buf_add(out, v.s); break;
    case VALUE_SIZE: print_size(out, v.i); break;
    case VALUE_TIMESPAN: print_timespan(out, v.i); break;
    case VALUE_TIME: print_time(out, v.i); break;
    case VALUE_UNLIMITED: buf_add(out, SPAN("Unlimited")); break;
    case VALUE_SECRET: buf_add(out, SPAN("***")); break;
    case VALUE_BLOCK: buf_add(out, SPAN("{...}")); break;
    case VALUE_RECORD: buf_addf(out, "%.*s", SPAN_ARG(v.record->type)); break;
    case VALUE_LIST:
        buf_add_char(out, '{');
        for (size_t i = 0; i < v.list.count; i++) {
            if (i)
                buf_add(out, SPAN(", "));
            value_print(out, v.list.items[i]);
        }
        buf_add_char(out, '}');
        break;
    }
}

/* "1.5" to thousandths, so that fractions of a unit need no floating point. */
static bool parse_milli(struct span s, int64_t *ret)
{
    size_t dot = span_find(s, '.');
    int64_t whole, milli = 0;
    if (!num_parse_i64(span_head(s, dot), 0, INT64_MAX / 1000 - 1, &whole))
        return false;
    if (dot != SIZE_MAX) {
        struct span f = span_from(s, dot + 1);
        if (f.len == 0 || f.len > 3 || !num_parse_i64(f, 0, 999, &milli))
            return false;
        for (size_t i = f.len; i < 3; i++)
            milli *= 10;
    }
    *ret = whole * 1000 + milli;
    return true;
}

bool value_parse_size(struct span s, int64_t *ret_bytes)
{
    size_t paren = span_find(s, '(');
    s = span_trim(span_head(s, paren)); /* "10 MB (10,485,760 bytes)": what stands before says it already */
    int64_t unit = 1, milli, bytes;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (span_iends(s, units[i].unit)) {
            unit = units[i].bytes;
            s = span_trim(span_head(s, s.len - units[i].unit.len));
            break;
        }
    if (!parse_milli(s, &milli))
        return false;
    if (milli % 1000 == 0 ? __builtin_mul_overflow(milli / 1000, unit, &bytes)
                          : (__builtin_mul_overflow(milli, unit, &bytes) || (bytes /= 1000, false)))
        return false;
    *ret_bytes = bytes;
    return true;
}

bool value_parse_timespan(struct span s, int64_t *ret_ms)
{
    size_t colon = span_find(s, ':'), dot = span_find(s, '.');
    int64_t days = 0, hms[3];
    if (colon == SIZE_MAX)
        return false;
    if (dot < colon) {
        if (!num_parse_i64(span_head(s, dot), 0, 1000000, &days))
            return false;
        s = span_from(s, dot + 1);
    }
    int64_t ms = 0;
    dot = span_find(s, '.');
    if (dot != SIZE_MAX) {
        struct span f = span_from(s, dot + 1);
        if (f.len != 3 || !num_parse_i64(f, 0, 999, &ms))
            return false;
        s = span_head(s, dot);
    }
    static const int64_t most[3] = {23, 59, 59};
    struct span rest = s, part;
    for (size_t i = 0; i < 3; i++)
        if (!span_split(&rest, ':', &part) || part.len > 2 || !num_parse_i64(part, 0, most[i], &hms[i]))
            return false;
    if (rest.ptr)
        return false;
    *ret_ms = (((days * 24 + hms[0]) * 60 + hms[1]) * 60 + hms[2]) * 1000 + ms;
    return true;
}

/* Exactly n digits within min..max off the front. */
static bool take_digits(struct span *s, size_t n, uint32_t min, uint32_t max, int *ret)
{
    uint32_t v;
    if (s->len < n || !num_parse_u32(span_head(*s, n), max, &v) || v < min)
        return false;
    *ret = (int)v;
    *s = span_from(*s, n);
    return true;
}

static bool take_char(struct span *s, char c)
{
    if (s->len == 0 || ascii_upper(s->ptr[0]) != c)
        return false;
    *s = span_from(*s, 1);
    return true;
}

/* What stands behind the clock: nothing or Z is UTC, otherwise +hh:mm or -hh:mm. */
static bool take_zone(struct span *s, int *ret_minutes)
{
    int hours, minutes;
    bool east = s->len && s->ptr[0] == '+', west = s->len && s->ptr[0] == '-';
    if (!east && !west) {
        IGNORE_RESULT(take_char(s, 'Z'));
        return true;
    }
    *s = span_from(*s, 1);
    if (!take_digits(s, 2, 0, 14, &hours) || !take_char(s, ':') || !take_digits(s, 2, 0, 59, &minutes))
        return false;
    *ret_minutes = (hours * 60 + minutes) * (east ? 1 : -1);
    return true;
}

bool value_parse_time(struct span s, int64_t *ret_ms)
{
    struct tm tm = {0};
    int ms = 0, day, zone = 0;
    if (!take_digits(&s, 4, 1970, 9999, &tm.tm_year) || !take_char(&s, '-') ||
        !take_digits(&s, 2, 1, 12, &tm.tm_mon) || !take_char(&s, '-') || !take_digits(&s, 2, 1, 31, &tm.tm_mday))
        return false;
    if (take_char(&s, 'T') || take_char(&s, ' ')) {
        if (!take_digits(&s, 2, 0, 23, &tm.tm_hour) || !take_char(&s, ':') ||
            !take_digits(&s, 2, 0, 59, &tm.tm_min))
            return false;
        if (take_char(&s, ':') && !take_digits(&s, 2, 0, 59, &tm.tm_sec))
            return false;
        if (take_char(&s, '.') && !take_digits(&s, 3, 0, 999, &ms))
            return false;
        if (!take_zone(&s, &zone))
            return false;
    }
    tm.tm_year -= 1900;
    tm.tm_mon--;
    day = tm.tm_mday;
    int64_t t = (int64_t)timegm(&tm) * 1000 + ms - (int64_t)zone * 60000;
    if (s.len || tm.tm_mday != day || t < 0) /* the 31st of February is none of March */
        return false;
    *ret_ms = t;
    return true;
}
