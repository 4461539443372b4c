/* test_reply.c: the reply parser: forms, limits at the limit and one past it, and any split. */
#include "check.h"
#include "smtp/client/reply.h"

#include <stdlib.h>
#include <string.h>

struct parse_row {
    const char *name;
    struct span in;
    enum client_reply_status want;
    unsigned code;
    const char *enhanced, *text; /* as client_reply_print_text gives it */
    size_t left;                 /* octets not taken */
};

static const struct parse_row parse_rows[] = {
    {"one line", SPAN_INIT("250 ok\r\n"), CLIENT_REPLY_COMPLETE, 250, "", "ok"},
    {"no text", SPAN_INIT("250\r\n"), CLIENT_REPLY_COMPLETE, 250, "", ""},
    {"blank only", SPAN_INIT("250 \r\n"), CLIENT_REPLY_COMPLETE, 250, "", ""},
    {"bare LF", SPAN_INIT("250 ok\n"), CLIENT_REPLY_COMPLETE, 250, "", "ok"},
    {"enhanced", SPAN_INIT("550 5.1.1 no such user\r\n"), CLIENT_REPLY_COMPLETE, 550, "5.1.1", "no such user"},
    {"enhanced without text", SPAN_INIT("550 5.7.2\r\n"), CLIENT_REPLY_COMPLETE, 550, "5.7.2", ""},
    {"enhanced of another class", SPAN_INIT("550 4.1.1 x\r\n"), CLIENT_REPLY_COMPLETE, 550, "", "4.1.1 x"},
    {"not quite enhanced", SPAN_INIT("550 5.1 x\r\n"), CLIENT_REPLY_COMPLETE, 550, "", "5.1 x"},
    {"too many parts", SPAN_INIT("550 5.1.1.1 x\r\n"), CLIENT_REPLY_COMPLETE, 550, "", "5.1.1.1 x"},
    {"four digits", SPAN_INIT("550 5.1.1000 x\r\n"), CLIENT_REPLY_COMPLETE, 550, "", "5.1.1000 x"},
    {"several lines", SPAN_INIT("450-4.2.0 one\r\n450-4.2.0 two\r\n450 4.2.0 three\r\n"), CLIENT_REPLY_COMPLETE,
     450, "4.2.0", "one two three"},
    {"several without text", SPAN_INIT("250-\r\n250\r\n"), CLIENT_REPLY_COMPLETE, 250, "", ""},
    {"two replies", SPAN_INIT("250 a\r\n550 b\r\n"), CLIENT_REPLY_COMPLETE, 250, "", "a", 7},
    {"control characters", SPAN_INIT("550 a\x1b[1m\x07\tb\r\n"), CLIENT_REPLY_COMPLETE, 550, "", "a?[1m? b"},
    {"UTF-8 and what is none", SPAN_INIT("550 \xc3\xbc\xff\xc3\r\n"), CLIENT_REPLY_COMPLETE, 550, "", "\xc3\xbc??"},
    {"half", SPAN_INIT("250 o"), CLIENT_REPLY_MORE},
    {"half of several", SPAN_INIT("250-a\r\n"), CLIENT_REPLY_MORE},
    {"nothing", SPAN_INIT(""), CLIENT_REPLY_MORE},
    {"empty line", SPAN_INIT("\r\n"), CLIENT_REPLY_MALFORMED},
    {"two digits", SPAN_INIT("25 ok\r\n"), CLIENT_REPLY_MALFORMED},
    {"letters", SPAN_INIT("HTTP/1.1 400\r\n"), CLIENT_REPLY_MALFORMED},
    {"1xx", SPAN_INIT("100 x\r\n"), CLIENT_REPLY_MALFORMED},
    {"6xx", SPAN_INIT("600 x\r\n"), CLIENT_REPLY_MALFORMED},
    {"no separator", SPAN_INIT("250ok\r\n"), CLIENT_REPLY_MALFORMED},
    {"codes differ", SPAN_INIT("250-a\r\n251 b\r\n"), CLIENT_REPLY_MALFORMED},
    {"bare CR", SPAN_INIT("250 a\rb\r\n"), CLIENT_REPLY_MALFORMED},
    {"CR CR LF", SPAN_INIT("250 a\r\r\n"), CLIENT_REPLY_MALFORMED},
    {"NUL", SPAN_INIT("250 a\0b\r\n"), CLIENT_REPLY_MALFORMED},
};

static void check_parse(const struct parse_row *row, size_t step)
{
    struct client_reply_parser p = {0};
    client_reply_init(&p);
    enum client_reply_status status = CLIENT_REPLY_MORE;
    size_t at = 0;
    while (at < row->in.len && status == CLIENT_REPLY_MORE)
        at += client_reply_feed(&p, span_head(span_from(row->in, at), step), &status);
    CHECK_INT(row->name, status, row->want);
    if (status == CLIENT_REPLY_COMPLETE) {
        CHECK_INT(row->name, row->in.len - at, row->left);
        struct client_reply r = client_reply_get(&p);
        struct buf text;
        buf_init(&text, 1000);
        client_reply_print_text(&r, 1000, &text);
        CHECK_INT(row->name, r.code, row->code);
        CHECK_STR(row->name, r.enhanced.len ? "x" : "", row->enhanced[0] ? "x" : "");
        CHECK_SPAN(row->name, r.enhanced, span_of(row->enhanced));
        CHECK_SPAN(row->name, buf_span(&text), span_of(row->text));
        buf_done(&text);
    }
    client_reply_done(&p);
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_rows); i++)
        for (size_t step = 1; step <= 64; step = step * 2 + 1)
            check_parse(&parse_rows[i], step);
}

/* A reply of `lines` lines with `len` octets each before the LF. */
static enum client_reply_status parse_big(size_t lines, size_t len)
{
    struct client_reply_parser p = {0};
    client_reply_init(&p);
    enum client_reply_status status = CLIENT_REPLY_MORE;
    char *line = malloc(len + 1);
    assert_non_null(line);
    memset(line, 'x', len);
    for (size_t i = 0; i < lines && status == CLIENT_REPLY_MORE; i++) {
        memcpy(line, i + 1 < lines ? "250-" : "250 ", 4);
        line[len] = '\n';
        client_reply_feed(&p, span_make(line, len + 1), &status);
    }
    free(line);
    client_reply_done(&p);
    return status;
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t lines, len;
        enum client_reply_status want;
    } rows[] = {
        {"longest line", 1, CLIENT_REPLY_LINE_MAX, CLIENT_REPLY_COMPLETE},
        {"line one too long", 1, CLIENT_REPLY_LINE_MAX + 1, CLIENT_REPLY_TOO_LONG},
        {"most lines", CLIENT_REPLY_LINES_MAX, 10, CLIENT_REPLY_COMPLETE},
        {"one line too many", CLIENT_REPLY_LINES_MAX + 1, 10, CLIENT_REPLY_TOO_LONG},
        {"most octets", 32, 4 + 1023, CLIENT_REPLY_COMPLETE}, /* 32 x 1023 and 31 separators */
        {"octets past it", 32, 4 + 1025, CLIENT_REPLY_TOO_LONG},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, parse_big(rows[i].lines, rows[i].len), rows[i].want);
}

/* The printed text is cut at its limit, and never within a character. */
static void test_text_limit(void **state)
{
    (void)state;
    struct client_reply r = {.code = 250,
                             .text = SPAN("abc\xc3\xbc"
                                          "d")};
    static const char *const want[] = {"",
                                       "a",
                                       "ab",
                                       "abc",
                                       "abc",
                                       "abc\xc3\xbc",
                                       "abc\xc3\xbc"
                                       "d",
                                       "abc\xc3\xbc"
                                       "d"};
    for (size_t max = 0; max < ARRAY_LEN(want); max++) {
        struct buf out;
        buf_init(&out, 100);
        client_reply_print_text(&r, max, &out);
        CHECK_SPAN("cut", buf_span(&out), span_of(want[max]));
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_text_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
