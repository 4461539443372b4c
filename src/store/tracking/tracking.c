/* tracking.c: what an entry is: the names of columns, events and sources, and a line of a file taken apart. */
#include "store/tracking/tracking.h"

#include <string.h>

#define AS_PROPERTY(id, column, property) [TRACKING_##id] = property,
const char *const tracking_properties[TRACKING_FIELDS] = {TRACKING_COLUMNS(AS_PROPERTY)};

/* The first column has no comma in front: it is cut off. */
#define AS_COLUMN(id, column, property) "," column
static const char columns[] = TRACKING_COLUMNS(AS_COLUMN);
const char *const tracking_columns = columns + 1;

static const char *const events[TRACKING_EVENTS] = {
    [TRACKING_RECEIVE] = "RECEIVE",   [TRACKING_SEND] = "SEND",
    [TRACKING_DELIVER] = "DELIVER",   [TRACKING_FAIL] = "FAIL",
    [TRACKING_DEFER] = "DEFER",       [TRACKING_EXPAND] = "EXPAND",
    [TRACKING_REDIRECT] = "REDIRECT", [TRACKING_RESOLVE] = "RESOLVE",
    [TRACKING_DSN] = "DSN",           [TRACKING_TRANSFER] = "TRANSFER",
    [TRACKING_SUBMIT] = "SUBMIT",     [TRACKING_POISONMESSAGE] = "POISONMESSAGE",
    [TRACKING_BADMAIL] = "BADMAIL",   [TRACKING_DUPLICATEDELIVER] = "DUPLICATEDELIVER",
};

static const char *const sources[TRACKING_SOURCES] = {
    [TRACKING_OF_ROUTING] = "ROUTING", [TRACKING_OF_SMTP] = "SMTP",   [TRACKING_OF_STOREDRIVER] = "STOREDRIVER",
    [TRACKING_OF_PICKUP] = "PICKUP",   [TRACKING_OF_DNS] = "DNS",     [TRACKING_OF_DSN] = "DSN",
    [TRACKING_OF_QUEUE] = "QUEUE",     [TRACKING_OF_ADMIN] = "ADMIN",
};

struct span tracking_event_name(enum tracking_event event)
{
    return span_of(events[event]);
}

struct span tracking_source_name(enum tracking_source source)
{
    return span_of(sources[source]);
}

bool tracking_event_find(struct span name, enum tracking_event *ret)
{
    for (unsigned i = 0; i < TRACKING_EVENTS; i++)
        if (span_ieq(name, span_of(events[i]))) {
            *ret = (enum tracking_event)i;
            return true;
        }
    return false;
}

/* ---- a line ---- */

/* A quoted field off the front, its doubled quotes undone in scratch, which has room for the line. */
static bool take_quoted(struct span *rest, struct buf *scratch, struct span *ret)
{
    size_t from = scratch->len;
    const char *at = rest->ptr + 1, *end = rest->ptr + rest->len, *quote;
    while ((quote = memchr(at, '"', (size_t)(end - at))) && quote + 1 < end && quote[1] == '"') {
        buf_add(scratch, span_make(at, (size_t)(quote + 1 - at)));
        at = quote + 2;
    }
    if (!quote)
        return false;
    buf_add(scratch, span_make(at, (size_t)(quote - at)));
    if (scratch->failed || (quote + 1 < end && quote[1] != ','))
        return false;
    *ret = span_make(scratch->ptr + from, scratch->len - from);
    *rest = quote + 1 < end ? span_make(quote + 2, (size_t)(end - quote - 2)) : (struct span){NULL, 0};
    return true;
}

/* Two digits and more, all of a width. */
static int digits(const char *p, unsigned n)
{
    int v = 0;
    for (; n > 0; n--, p++) {
        if (!ascii_is_digit(*p))
            return -1;
        v = v * 10 + (*p - '0');
    }
    return v;
}

/* Days from 1970 to a day of the Gregorian calendar (H. Hinnant's days_from_civil). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* 2026-11-24T18:30:00.123Z: as the writer prints it, and nothing else; this is the hot place of a scan. */
static bool parse_at(struct span s, int64_t *ret)
{
    if (s.len != 24 || s.ptr[4] != '-' || s.ptr[7] != '-' || s.ptr[10] != 'T' || s.ptr[13] != ':' ||
        s.ptr[16] != ':' || s.ptr[19] != '.' || s.ptr[23] != 'Z')
        return false;
    int year = digits(s.ptr, 4), month = digits(s.ptr + 5, 2), day = digits(s.ptr + 8, 2),
        hour = digits(s.ptr + 11, 2), minute = digits(s.ptr + 14, 2), second = digits(s.ptr + 17, 2),
        ms = digits(s.ptr + 20, 3);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60 || ms < 0)
        return false;
    *ret = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

bool tracking_parse(struct span line, struct buf *scratch, struct tracking_row *ret)
{
    struct span rest = line, at;
    size_t n = 0;
    struct tracking_row r;
    buf_clear(scratch);
    if (!line.len || line.ptr[0] == '#' || line.len > TRACKING_LINE_MAX || !span_split(&rest, ',', &at) ||
        !parse_at(at, &r.at_ms))
        return false;
    /* Once and for all: what stands in it must not move. */
    if (memchr(line.ptr, '"', line.len) && !buf_reserve(scratch, line.len))
        return false;
    for (; rest.ptr && n < TRACKING_FIELDS; n++)
        if (rest.len && rest.ptr[0] == '"') {
            if (!take_quoted(&rest, scratch, &r.field[n]))
                return false;
        } else if (!span_split(&rest, ',', &r.field[n])) {
            return false;
        }
    if (n != TRACKING_FIELDS || rest.ptr)
        return false;
    *ret = r;
    return true;
}
