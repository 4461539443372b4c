/* test_octets.c: lines and content, cut at every length. */
#include "check.h"
#include "smtp/dot.h"
#include "smtp/line.h"

#include <string.h>

enum { PIECES = 12 }; /* pieces of 1 .. PIECES octets, and everything at once */

static size_t piece_length(size_t k)
{
    return k == 0 ? SIZE_MAX : k;
}

/* All lines of input as "[text]" or "[!defect]". */
static void read_lines(struct buf *out, struct span input, size_t max, size_t piece)
{
    struct line_reader r;
    line_init(&r, max);
    while (input.len) {
        struct span part = span_head(input, piece), rest = part;
        struct line line;
        while (line_take(&r, &rest, &line)) {
            buf_addf(out, line.defect ? "[!%.*s]" : "[%.*s]",
                     SPAN_ARG(line.defect ? line_defect_text(line.defect) : line.text));
            line_release(&r, false);
        }
        CHECK_INT("all taken", rest.len, 0);
        CHECK("bounded", r.held.len <= max);
        input = span_from(input, part.len);
    }
    line_done(&r);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span input;
        const char *lines;
    } rows[] = {
        {"lines", SPAN_INIT("a\r\n\r\nbc\r\nd"), "[a][][bc]"},
        {"bare LF is told at once, and what follows it is refused", SPAN_INIT("a\nb\r\nc\r\n"),
         "[!bare LF][!bare LF][c]"},
        {"only bare LF", SPAN_INIT("a\nb\n\n"), "[!bare LF][!bare LF][!bare LF]"},
        {"bare CR", SPAN_INIT("a\rb\r\n\r\r\nc\r\n"), "[!bare CR][!bare CR][c]"},
        {"NUL", SPAN_INIT("a\0b\r\nc\r\n"), "[!NUL character][c]"},
        {"at the limit", SPAN_INIT("12345678\r\n12345678\r\n"), "[12345678][12345678]"},
        {"one past it", SPAN_INIT("123456789\r\nx\r\n"), "[!line too long][x]"},
        {"far past it", SPAN_INIT("1234567890123456789012345678901234567890\r\nx\r\n"), "[!line too long][x]"},
        {"CR at the limit", SPAN_INIT("123456789\r\n12345678\r\r\n"), "[!line too long][!line too long]"},
        {"too long, with a bare LF", SPAN_INIT("12345678901\n12\r\nx\r\n"), "[!bare LF][!bare LF][x]"},
        {"too long, with a bare CR", SPAN_INIT("1234567\r8901234\r\nx\r\n"), "[!line too long][x]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k <= PIECES; k++) {
            struct buf out;
            buf_init(&out, 1000);
            read_lines(&out, rows[i].input, 10, piece_length(k));
            CHECK_SPAN(rows[i].name, buf_span(&out), span_of(rows[i].lines));
            buf_done(&out);
        }
}

static void test_line_is_not_copied(void **state)
{
    (void)state;
    struct span input = SPAN("NOOP\r\nQUIT\r\n");
    const char *start = input.ptr;
    struct line_reader r;
    struct line line;
    line_init(&r, 100);
    CHECK("first", line_take(&r, &input, &line) && line.text.ptr == start && line.text.len == 4);
    line_release(&r, false);
    CHECK("second", line_take(&r, &input, &line) && line.text.ptr == start + 6);
    CHECK("no memory", r.held.ptr == NULL);
    line_done(&r);
}

static void add(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static void test_dots(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span input, content, rest;
        unsigned defects;
        bool open; /* the end does not come */
    } rows[] = {
        {"empty", SPAN_INIT(".\r\nX"), SPAN_INIT(""), SPAN_INIT("X"), 0, false},
        {"lines", SPAN_INIT("a\r\nb\r\n.\r\n"), SPAN_INIT("a\r\nb\r\n"), SPAN_INIT(""), 0, false},
        {"dots", SPAN_INIT("..\r\n.a\r\na.\r\n...\r\n.\r\n"), SPAN_INIT(".\r\na\r\na.\r\n..\r\n"), SPAN_INIT(""), 0,
         false},
        {"a dot, alone", SPAN_INIT("a."), SPAN_INIT("a."), SPAN_INIT(""), 0, true},
        {"no line end", SPAN_INIT("a.\r\n"), SPAN_INIT("a.\r\n"), SPAN_INIT(""), 0, true},
        {"LF . LF", SPAN_INIT("a\n.\nb\r\n.\r\n"), SPAN_INIT("a\n.\nb\r\n"), SPAN_INIT(""), CONTENT_BARE_LF, false},
        {"LF . CRLF", SPAN_INIT("a\n.\r\n.\r\n"), SPAN_INIT("a\n.\r\n"), SPAN_INIT(""), CONTENT_BARE_LF, false},
        {"CRLF . LF", SPAN_INIT("a\r\n.\nb\r\n.\r\n"), SPAN_INIT("a\r\n\nb\r\n"), SPAN_INIT(""), CONTENT_BARE_LF,
         false},
        {"CR . CR", SPAN_INIT("a\r.\rb\r\n.\r\n"), SPAN_INIT("a\r.\rb\r\n"), SPAN_INIT(""), CONTENT_BARE_CR, false},
        {"CRLF . CR CRLF", SPAN_INIT("\r\n.\r\r\n.\r\n"), SPAN_INIT("\r\n\r\r\n"), SPAN_INIT(""), CONTENT_BARE_CR,
         false},
        {"CRLF . CR x", SPAN_INIT("\r\n.\rx\r\n.\r\n"), SPAN_INIT("\r\n\rx\r\n"), SPAN_INIT(""), CONTENT_BARE_CR,
         false},
        {"CRLF . CR .", SPAN_INIT("\r\n.\r.\r\n.\r\n"), SPAN_INIT("\r\n\r.\r\n"), SPAN_INIT(""), CONTENT_BARE_CR,
         false},
        {"CR CRLF", SPAN_INIT("a\r\r\n.\r\n"), SPAN_INIT("a\r\r\n"), SPAN_INIT(""), CONTENT_BARE_CR, false},
        {"NUL .", SPAN_INIT("a\r\n\0.\r\n.\r\n"), SPAN_INIT("a\r\n\0.\r\n"), SPAN_INIT(""), CONTENT_NUL, false},
        {"all at once", SPAN_INIT("\n\r\0\r\n.\r\n"), SPAN_INIT("\n\r\0\r\n"), SPAN_INIT(""),
         CONTENT_BARE_LF | CONTENT_BARE_CR | CONTENT_NUL, false},
        {"line at the limit", SPAN_INIT("12345678\r\n.\r\n"), SPAN_INIT("12345678\r\n"), SPAN_INIT(""), 0, false},
        {"line one past it", SPAN_INIT("123456789\r\n.\r\n"), SPAN_INIT("123456789\r\n"), SPAN_INIT(""),
         CONTENT_LONG_LINE, false},
        {"its dot does not count", SPAN_INIT(".12345678\r\n.\r\n"), SPAN_INIT("12345678\r\n"), SPAN_INIT(""), 0,
         false},
        {"a bare CR counts", SPAN_INIT("1234567\rx\r\n.\r\n"), SPAN_INIT("1234567\rx\r\n"), SPAN_INIT(""),
         CONTENT_BARE_CR | CONTENT_LONG_LINE, false},
        {"a bare LF ends no line", SPAN_INIT("1234567\n\n\r\n.\r\n"), SPAN_INIT("1234567\n\n\r\n"), SPAN_INIT(""),
         CONTENT_BARE_LF | CONTENT_LONG_LINE, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k <= PIECES; k++) {
            struct dot_reader r;
            struct buf out;
            struct span input = rows[i].input, rest = SPAN("");
            bool ended = false;
            dot_init(&r, 8);
            buf_init(&out, 1000);
            while (input.len && !ended) {
                struct span part = span_head(input, piece_length(k));
                rest = part;
                ended = dot_take(&r, &rest, add, &out);
                input = span_from(input, part.len - rest.len);
            }
            CHECK_INT(rows[i].name, ended, !rows[i].open);
            CHECK_SPAN(rows[i].name, buf_span(&out), rows[i].content);
            CHECK_SPAN(rows[i].name, input, rows[i].rest);
            CHECK_INT(rows[i].name, r.scan.defects, rows[i].defects);
            buf_done(&out);
        }
}

/* For the length of a line a bare LF may end it; for a dot it never does. */
static void test_lf_ends_line(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span input;
        unsigned defects;
    } rows[] = {
        {"short lines", SPAN_INIT("1234567\n12345678\n1\r\n.\r\n"), CONTENT_BARE_LF},
        {"a long one", SPAN_INIT("1\n123456789\n\r\n.\r\n"), CONTENT_BARE_LF | CONTENT_LONG_LINE},
        {"behind CRLF", SPAN_INIT("12345\n\r\n12345678\r\n.\r\n"), CONTENT_BARE_LF},
        {"up to CRLF", SPAN_INIT("1\n12345678\r\n123456789\r\n.\r\n"), CONTENT_BARE_LF | CONTENT_LONG_LINE},
        {"LF . CRLF ends nothing", SPAN_INIT("a\n.\r\n.\r\n"), CONTENT_BARE_LF},
        {"nor LF . LF", SPAN_INIT("\n.\n\r\n.\r\n"), CONTENT_BARE_LF},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k <= PIECES; k++) {
            struct dot_reader r;
            struct buf out;
            struct span input = rows[i].input;
            bool ended = false;
            dot_init(&r, 8);
            r.scan.lf_ends_line = true;
            buf_init(&out, 1000);
            while (input.len && !ended) {
                struct span part = span_head(input, piece_length(k)), rest = part;
                ended = dot_take(&r, &rest, add, &out);
                input = span_from(input, part.len - rest.len);
            }
            CHECK(rows[i].name, ended && input.len == 0);
            CHECK_SPAN(rows[i].name, buf_span(&out), span_head(rows[i].input, rows[i].input.len - 3));
            CHECK_INT(rows[i].name, r.scan.defects, rows[i].defects);
            buf_done(&out);
        }
}

static void count_pieces(void *context, struct span bytes)
{
    size_t *n = context;
    *n += bytes.len > 0;
}

static void test_long_pieces(void **state)
{
    (void)state;
    struct buf text;
    struct dot_reader r;
    size_t pieces = 0;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_add(&text, SPAN("0123456789 0123456789 0123456789 0123456789\r\n"));
    buf_add(&text, SPAN(".\r\n"));
    struct span input = buf_span(&text);
    dot_init(&r, 1000);
    CHECK("ended", dot_take(&r, &input, count_pieces, &pieces));
    CHECK_INT("a text without dots is one piece", pieces, 1);
    buf_done(&text);
}

static void test_content(void **state)
{
    (void)state;
    static const struct {
        struct span input;
        unsigned defects;
        const char *text;
    } rows[] = {
        {SPAN_INIT("a\r\n.\r\n"), 0, NULL},
        {SPAN_INIT(""), 0, NULL},
        {SPAN_INIT("a\r"), CONTENT_BARE_CR, "bare CR"},
        {SPAN_INIT("\n"), CONTENT_BARE_LF, "bare LF"},
        {SPAN_INIT("\0\r\n"), CONTENT_NUL, "NUL character"},
        {SPAN_INIT("123456789"), CONTENT_LONG_LINE, "line too long"},
        {SPAN_INIT("12345678\r\n12345678\r\n"), 0, NULL},
        {SPAN_INIT("123456789\n"), CONTENT_LONG_LINE | CONTENT_BARE_LF, "bare LF"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k <= PIECES; k++) {
            struct content_scan c = content_scan_start(8);
            for (struct span s = rows[i].input; s.len;) {
                struct span part = span_head(s, piece_length(k));
                CHECK_INT("all of it", content_scan(&c, part, false), part.len);
                s = span_from(s, part.len);
            }
            content_scan_end(&c);
            CHECK_INT(rows[i].input.ptr, c.defects, rows[i].defects);
            if (rows[i].text)
                CHECK_SPAN(rows[i].text, content_defect_text(c.defects), span_of(rows[i].text));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_line_is_not_copied),
        cmocka_unit_test(test_dots),    cmocka_unit_test(test_long_pieces),
        cmocka_unit_test(test_content), cmocka_unit_test(test_lf_ends_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
