/*
 * date.c: always UTC: what a mail server writes is compared across zones. The calendar is computed here rather than
 * by gmtime, which can fail and reads the process's zone; no value of ms is out of range.
 */
#include "mail/date.h"

enum { MS_PER_DAY = 86400000 };

/* 400 years of the Gregorian calendar have 146097 days; a year that begins in March ends with its leap day. */
static void civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    days += 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned in_era = (unsigned)(days - era * 146097);
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned march_month = (5 * in_year + 2) / 153;
    *ret_day = in_year - (153 * march_month + 2) / 5 + 1;
    *ret_month = march_month < 10 ? march_month + 3 : march_month - 9;
    *ret_year = (int64_t)year + era * 400 + (*ret_month <= 2);
}

void date_print(struct buf *out, int64_t ms)
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* 1970-01-01 was a Thursday */
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t day = ms / MS_PER_DAY, rest = ms % MS_PER_DAY, year;
    unsigned month, month_day;
    if (rest < 0) {
        day--;
        rest += MS_PER_DAY;
    }
    civil_from_days(day, &year, &month, &month_day);
    unsigned seconds = (unsigned)(rest / 1000);
    buf_addf(out, "%s, %02u %s %04lld %02u:%02u:%02u +0000", days[(day % 7 + 7) % 7], month_day, months[month - 1],
             (long long)year, seconds / 3600, seconds / 60 % 60, seconds % 60);
}

void message_id_print(struct buf *out, struct span random, struct span host)
{
    static const char digits[] = "0123456789abcdef";
    buf_add_char(out, '<');
    for (size_t i = 0; i < random.len; i++) {
        unsigned char c = (unsigned char)random.ptr[i];
        buf_add_char(out, digits[c >> 4]);
        buf_add_char(out, digits[c & 15]);
    }
    buf_add_char(out, '@');
    buf_add(out, host);
    buf_add_char(out, '>');
}
