/* Domain names and patterns, dates, message ids, status codes. */
#include "check.h"

#include "mail/date.h"
#include "mail/domain.h"
#include "mail/status.h"

#define SIXTY "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"

static void domains(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        bool tolerant, strict, utf8, ehlo;
    } rows[] = {
        {SPAN_INIT("example.com"), true, true, true, true},
        {SPAN_INIT("localhost"), true, true, true, true},
        {SPAN_INIT("1.2.3.4"), true, true, true, true},
        {SPAN_INIT("xn--bcher-kva.example"), true, true, true, true},
        {SPAN_INIT("MY_PRINTER"), true, false, true, true},
        {SPAN_INIT("b\xc3\xbc"
                   "cher.example"),
         false, false, true, false},
        {SPAN_INIT("b\xfc"
                   "cher.example"),
         false, false, false, false},
        {SPAN_INIT("a\xc2\x85.example"), false, false, false, false},
        {SPAN_INIT(""), false, false, false, false},
        {SPAN_INIT("."), false, false, false, false},
        {SPAN_INIT("a."), false, false, false, false},
        {SPAN_INIT(".a"), false, false, false, false},
        {SPAN_INIT("a..b"), false, false, false, false},
        {SPAN_INIT("-a"), false, false, false, false},
        {SPAN_INIT("a-"), false, false, false, false},
        {SPAN_INIT("a b"), false, false, false, false},
        {SPAN_INIT("a\tb"), false, false, false, false},
        {SPAN_INIT("a\0b"), false, false, false, false},
        {SPAN_INIT("<a>"), false, false, false, false},
        {SPAN_INIT("a(b)"), false, false, false, false},
        {SPAN_INIT("a/../b"), false, false, false, false},
        {SPAN_INIT("[192.0.2.1]"), false, false, false, true},
        {SPAN_INIT("[IPv6:::1]"), false, false, false, true},
        {SPAN_INIT("[192.0.2.1"), false, false, false, false},
        {SPAN_INIT("[::1]"), false, false, false, false},
        {SPAN_INIT("["), false, false, false, false},
        {SPAN_INIT("[]"), false, false, false, false},
        {SPAN_INIT(SIXTY "abc"), true, true, true, true},
        {SPAN_INIT(SIXTY "abcd"), false, false, false, false},
        {SPAN_INIT(SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefghijk"), true, true, true, true},
        {SPAN_INIT(SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefghijkl"), false, false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *name = rows[i].text.ptr;
        CHECK_INT(name, domain_valid(rows[i].text, 0), rows[i].tolerant);
        CHECK_INT(name, domain_valid(rows[i].text, DOMAIN_STRICT), rows[i].strict);
        CHECK_INT(name, domain_valid(rows[i].text, DOMAIN_ALLOW_UTF8), rows[i].utf8);
        CHECK_INT(name, domain_valid_ehlo(rows[i].text), rows[i].ehlo);
    }
}

/* What RFC 5891, UTS 46 and RFC 3492, 7.1 say. */
static void ascii_form(void **state)
{
    (void)state;
    static const struct {
        const char *domain, *want; /* NULL: there is none */
    } rows[] = {
        {"Example.COM", "example.com"},
        {"*.b\u00fccher.Example", "*.xn--bcher-kva.example"},
        {"b\u00fccher", "xn--bcher-kva"},
        {"B\u00dcCHER", "xn--bcher-kva"},
        {"XN--BCHER-KVA", "xn--bcher-kva"},
        {"fa\u00df", "xn--fa-hia"},
        {"\u65e5\u672c\u8a9e", "xn--wgv71a119e"},
        {"\u041f\u0440\u0438\u043c\u0435\u0440", "xn--e1afmkfd"},
        {"\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc\u03b1", "xn--hxajbheg2az3al"},
        {"\u039c\u03a5\u0386\u0388", "xn--hxac7bvb"},
        {"\u0141\u00d3D\u0179", "xn--d-uga0v4h"},
        {"\U0001f4a9.la", NULL},           /* no letter */
        {"bu\u0308cher", "xn--bcher-kva"}, /* composed */
        {"\uff42\u00fc", "xn--b-eha"},     /* full width */
        {"a\u3002\u00fc", NULL},           /* a dot of another script: two labels in one */
        {"a\u00a0", NULL},                 /* a blank of another script */
        {"\u0301a\u00fc", NULL},           /* begins with a mark */
        {"\u05d0a\u00fc", NULL},           /* right to left and left to right */
        {"3\u5e74b\u7d44\u91d1\u516b\u5148\u751f", "xn--3b-ww4c5e180e575a65lsy2b"},
        {"a.\u00fc.b", "a.xn--tda.b"},
        {"ab--\u00fc", NULL},
        {"xn--\u00fc", NULL},
        {SIXTY "\u00fc", NULL},
        {"\u00fc"
         "\u00fd"
         "\u00fe" SIXTY "abc",
         NULL},
        {SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcde\u00fc", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        CHECK(rows[i].domain, domain_pattern_valid(span_of(rows[i].domain), DOMAIN_ALLOW_UTF8));
        CHECK_INT(rows[i].domain, domain_ascii(&b, span_of(rows[i].domain)), rows[i].want != NULL);
        if (rows[i].want)
            CHECK_SPAN(rows[i].domain, buf_span(&b), span_of(rows[i].want));
        buf_done(&b);
    }
}

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {
        {"*", "anything.example", true},
        {"example.com", "EXAMPLE.com", true},
        {"example.com", "a.example.com", false},
        {"*.example.com", "a.example.com", true},
        {"*.example.com", "a.b.Example.Com", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", ".example.com", false},
        {"*.example.com", "badexample.com", false},
        {"*.example.com", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, domain_pattern_matches(span_of(rows[i].pattern), span_of(rows[i].name)),
                  rows[i].matches);

    static const char *const by_specificity[] = {"*", "*.com", "*.example.com", "*.mail.example.com", "a.com"};
    for (size_t i = 0; i + 1 < ARRAY_LEN(by_specificity); i++)
        CHECK(by_specificity[i], domain_pattern_specificity(span_of(by_specificity[i])) <
                                     domain_pattern_specificity(span_of(by_specificity[i + 1])));

    static const struct {
        const char *pattern;
        bool valid;
    } valid[] = {{"*", true},   {"*.a", true}, {"a.b", true},  {"", false},      {"*.", false},
                 {"**", false}, {"*a", false}, {"a.*", false}, {"*.*.a", false}, {"a.*.b", false}};
    for (size_t i = 0; i < ARRAY_LEN(valid); i++)
        CHECK_INT(valid[i].pattern, domain_pattern_valid(span_of(valid[i].pattern), 0), valid[i].valid);
}

static void dates(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 +0000"},
        {999, "Thu, 01 Jan 1970 00:00:00 +0000"},
        {-1, "Wed, 31 Dec 1969 23:59:59 +0000"},
        {INT64_C(1470414281000), "Fri, 05 Aug 2016 16:24:41 +0000"},
        {INT64_C(951782400000), "Tue, 29 Feb 2000 00:00:00 +0000"},
        {INT64_C(951868799999), "Tue, 29 Feb 2000 23:59:59 +0000"},
        {INT64_C(951868800000), "Wed, 01 Mar 2000 00:00:00 +0000"},
        {INT64_C(4107542400000), "Mon, 01 Mar 2100 00:00:00 +0000"},
        {INT64_C(4107456000000), "Sun, 28 Feb 2100 00:00:00 +0000"},
        {INT64_C(253402300799000), "Fri, 31 Dec 9999 23:59:59 +0000"},
        {INT64_C(-62135596800000), "Mon, 01 Jan 0001 00:00:00 +0000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 64);
        date_print(&b, rows[i].ms);
        CHECK_SPAN(rows[i].want, buf_span(&b), span_of(rows[i].want));
        buf_done(&b);
    }
    struct buf b;
    buf_init(&b, 128);
    date_print(&b, INT64_MIN);
    date_print(&b, INT64_MAX);
    CHECK("extremes", !b.failed);
    buf_done(&b);
}

static void message_ids(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    message_id_print(&b, SPAN("\x00\x1f\xa0\xff"), SPAN("mail.example.com"));
    CHECK_SPAN("id", buf_span(&b), SPAN("<001fa0ff@mail.example.com>"));
    buf_done(&b);
}

static void statuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"5.1.1", true},   {"2.0.0", true}, {"4.999.999", true}, {"5.1.10", true},    {"3.1.1", false},
        {"5.1", false},    {"5.1.", false}, {"5.1.1.1", false},  {"5.1.1000", false}, {"5.01.1", false},
        {"", false},       {"5", false},    {"55.1.1", false},   {"5.-1.1", false},   {" 5.1.1", false},
        {"5.1.1 ", false}, {"5..1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct status s;
        struct buf b;
        buf_init(&b, 32);
        CHECK_INT(rows[i].text, status_parse(span_of(rows[i].text), &s), rows[i].ok);
        if (rows[i].ok) {
            status_print(&b, s);
            CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].text));
        }
        buf_done(&b);
    }
    static const struct {
        const char *text, *rest; /* NULL: no code */
    } starts[] = {
        {"5.7.1 Unable to relay", "Unable to relay"},
        {"5.7.2", ""},
        {"5.7.2 ", ""},
        {"5.7.1  two blanks", "two blanks"},
        {"5.7.1-no", NULL},
        {"", NULL},
        {"no 5.7.1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct status s;
        struct span rest;
        CHECK_INT(starts[i].text, status_parse_start(span_of(starts[i].text), &s, &rest), starts[i].rest != NULL);
        if (starts[i].rest)
            CHECK_SPAN(starts[i].text, rest, span_of(starts[i].rest));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(domains),     cmocka_unit_test(ascii_form),
                                       cmocka_unit_test(patterns),    cmocka_unit_test(dates),
                                       cmocka_unit_test(message_ids), cmocka_unit_test(statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
