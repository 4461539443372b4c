/* The language: text to tree, syntax errors and their places, what is incomplete, and quoting as its inverse. */
#include "check.h"
#include "shell/shell.h"
#include "shell/test_tree.h"

#include <string.h>

static struct arena arena;

static int clear(void **state)
{
    (void)state;
    arena_clear(&arena);
    return 0;
}

static struct span tree_of(const char *row, const struct script *s)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < s->count; i++) {
        buf_add(&b, i ? SPAN(" ; ") : SPAN(""));
        tree_print(&b, &s->statements[i].pipeline);
    }
    CHECK(row, !b.failed);
    struct span text = arena_dup(&arena, buf_span(&b));
    buf_done(&b);
    return text;
}

#define SEED_TREE                                                                                                  \
    "Get-ReceiveConnector 'Receive Connector Name' | Add-ADPermission -User 'NT AUTHORITY\\ANONYMOUS LOGON' "      \
    "-ExtendedRights 'Ms-Exch-SMTP-Accept-Any-Recipient'"

/* 0 to 11 in the trees are enum operator_kind. */
static const struct {
    const char *text, *tree;
} trees[] = {
    {"", ""},
    {"  \n\r\n;;# only a comment", ""},
    {"Get-X", "Get-X"},
    {"get-x a", "get-x 'a'"},
    {"Get-X -Name a -All", "Get-X -Name 'a' -All"},
    {"Get-ReceiveConnector \"Receive Connector Name\" | Add-ADPermission -User \"NT AUTHORITY\\ANONYMOUS LOGON\" "
     "-ExtendedRights \"Ms-Exch-SMTP-Accept-Any-Recipient\"",
     SEED_TREE},
    {"Get\u2013ReceiveConnector\u00a0\u201cReceive Connector Name\u201d | Add\u2014ADPermission \u2013User "
     "\u201eNT AUTHORITY\\ANONYMOUS LOGON\u201d \u2212ExtendedRights \u2018Ms-Exch-SMTP-Accept-Any-Recipient\u2019",
     SEED_TREE},
    {"\xef\xbb\xbfGet-X\r\nGet-Y a\r\n", "Get-X ; Get-Y 'a'"},
    {"Get-X;Get-Y", "Get-X ; Get-Y"},
    {"Get-X |\n\n  Get-Y", "Get-X | Get-Y"},
    {"Get-X `\n  -Name a", "Get-X -Name 'a'"},
    {"X 9` \n a", "X 9 'a'"},
    {"Get-X ` \t\r\n  -Name a", "Get-X -Name 'a'"},
    {"Get-X <# a\n b #> -Name a # c\nGet-Y", "Get-X -Name 'a' ; Get-Y"},
    {"X a#b", "X 'a#b'"},
    /* words and numbers */
    {"X 1 -5 0 -0 007 +1 10MB 00:05:00 1.2.3.4 9223372036854775807 9223372036854775808",
     "X 1 -5 0 '-0' '007' '+1' '10MB' '00:05:00' '1.2.3.4' 9223372036854775807 '9223372036854775808'"},
    {"X \u22125", "X -5"},
    {"X '5' \"5\" `5", "X '5' '5' '5'"},
    {"X a`;b c' d 'e\" f\"", "X 'a;b' 'c d e f'"},
    {"X a@b.com [::]:25 10.0.0.0/8 *.x SMTP:*;1", "X 'a@b.com' '[::]:25' '10.0.0.0/8' '*.x' 'SMTP:*' ; 1"},
    {"X *", "X '*'"},
    {"X caf\u00e9 \u2013", "X 'caf\u00e9' '-'"},
    /* strings */
    {"X 'it''s' \"a \"\"b\"\" c\" '' \"\"", "X 'it's' 'a \"b\" c' '' ''"},
    {"X \"a`n`t`\"`$x``\" 'a`n$x'", "X 'a\n\t\"$x`' 'a`n$x'"},
    {"X \"cost 5$\" \"$ 5\" \"a$.\"", "X 'cost 5$' '$ 5' 'a$.'"},
    {"X '\u201ca\u201d' \"\u2019\"", "X '\u201ca\u201d' '\u2019'"},
    {"X 'a\u2019\u2019b'", "X 'a\u2019b'"},
    {"X 'two\nlines'", "X 'two\nlines'"},
    /* values */
    {"X $true $False $NULL", "X True False null"},
    {"X a,b,1 -Y 'c' , 'd'", "X ['a' 'b' 1] -Y ['c' 'd']"},
    {"X a,\n  b", "X ['a' 'b']"},
    {"X @(a,b) @() @('a'\n'b';'c')", "X ['a' 'b'] [] ['a' 'b' 'c']"},
    {"X @{Add='x','y'; Remove='z'} @{}", "X @{Add=['x' 'y'] Remove='z'} @{}"},
    {"X @{\n Add = 'x'\n \"two words\" = 5\n}", "X @{Add='x' two words=5}"},
    {"X -A:$false -B: 5 -C:a,b", "X -A:False -B:5 -C:['a' 'b']"},
    {"X (Get-Y z | Get-W) b", "X <Get-Y 'z' | Get-W> 'b'"},
    {"X (Get-Y).Name (Get-Y).Items.Count", "X <Get-Y>.Name <Get-Y>.Items.Count"},
    {"X ('a')", "X 'a'"},
    /* expressions */
    {"1,2 | X", "[1 2] | X"},
    {"'a' -eq 'b'", "('a' 0 'b')"},
    {"(Get-X).Count", "<Get-X>.Count"},
    {"? {$_.Name -eq 'a'}", "? {($_.Name 0 'a')}"},
    {"where { $_.A -CEQ 1 -and !$_.B -or -not ($_.C -notlike 'x*') }",
     "where {(($_.A cased 0 1) 9 (not $_.B) 10 (not ($_.C not 5 'x*')))}"},
    {"where {$_.A -gt 10MB -xor $_.B.Count \u2013lt 3}", "where {(($_.A 1 '10MB') 11 ($_.B.Count 3 3))}"},
    {"where {-not $_.A -eq 1}", "where {((not $_.A) 0 1)}"},
    {"where {\n $_.A -in 'a','b'\n -and $_.B\n}", "where {(($_.A 8 ['a' 'b']) 9 $_.B)}"},
    {"where {$_ -match '^a' -eq $true}", "where {($_ 6 '^a' 0 True)}"},
    {"where {($_.A -eq 1)}", "where {($_.A 0 1)}"},
    {"where {(Get-X $_.Name).Count -ge 1}", "where {(<Get-X $_.Name>.Count 2 1)}"},
    {"where Name -eq x", "where 'Name' -eq 'x'"},
};

static void test_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
        struct script s;
        struct err err = {0};
        enum err_code code = syntax_parse(span_of(trees[i].text), &arena, &s, NULL, &err);
        CHECK_STR(trees[i].text, err.text, "");
        CHECK_INT(trees[i].text, code, ERR_NONE);
        CHECK_SPAN(trees[i].text, tree_of(trees[i].text, &s), span_of(trees[i].tree));
    }
}

static void test_sources(void **state)
{
    (void)state;
    struct script s;
    struct err err = {0};
    assert_int_equal(syntax_parse(SPAN(" Get-X 'a' # c\n ; Get-Y |\n Get-Z `\n\n"), &arena, &s, NULL, &err),
                     ERR_NONE);
    CHECK_INT("sources", s.count, 2);
    CHECK_STR("first", err.text, "");
    CHECK_SPAN("first", s.statements[0].source, SPAN("Get-X 'a'"));
    CHECK_SPAN("second", s.statements[1].source, SPAN("Get-Y |\n Get-Z"));
}

static const struct {
    const char *text;
    bool incomplete;
    const char *says; /* a part of the error */
} errors[] = {
    {"Get-X 'a", true, "line 1, column 7: the string that begins here has no closing quote"},
    {"Get-X \"a`", true, "nothing follows the `"},
    {"Get-X |", true, "a command is expected here"},
    {"Get-X |\n", true, "a command is expected here"},
    {"Get-X a,", true, "a value is expected here"},
    {"Get-X `\n", true, "continues it"},
    {"Get-X <# a", true, "<# has no closing #>"},
    {"where {$_.A -eq 1", true, "the closing }"},
    {"where {", true, "a value is expected here"},
    {"X @{A=1", true, "the @{ has no closing }"},
    {"X @{", true, "the @{ has no closing }"},
    {"X @(1", true, "the @( has no closing )"},
    {"X (Get-Y", true, "the closing ) is expected"},
    {"X (", true, "a command is expected here"},
    {"X -A:", true, "a value is expected here"},
    {"Get-X\nGet-Y )", false,
     "line 2, column 7: the end of the statement, or |, is expected here\n  Get-Y )\n        ^"},
    {"Get-X\r\nGet-Y }\r\n", false,
     "line 2, column 7: the end of the statement, or |, is expected here\n  Get-Y }"},
    {"Caf\u00e9 $x", false, "line 1, column 1: a command is expected here"},
    {"X '\u00e9\u00e9' $name", false,
     "column 8: the variable $name is not known; there are $true, $false, $null and $_ only\n"
     "  X '\u00e9\u00e9' $name\n         ^"},
    {"X \"a $name\"", false, "variables are not known inside text"},
    {"X \"a $(Get-Y)\"", false, "variables are not known inside text"},
    {"X a$b", false, "variables are not known inside text"},
    {"X \"a`0\"", false, "the escape `0 is not known"},
    {"X a > file", false, "> has no meaning here"},
    {"X a && Y", false, "& has no meaning here"},
    {"X || Y", false, "a command is expected here"},
    {"| X", false, "a command is expected here"},
    {"X 'a'b", false, "a blank is expected here"},
    {"X -A'b'", false, "a parameter is a dash and letters"},
    {"X -A,b", false, "a parameter is a dash and letters"},
    {"X @splat", false, "@ has no meaning here"},
    {"X <a@b>", false, "< has no meaning here"},
    {"X {$_.A -lke 1}", false, "there is no operator -lke; there are -eq -ne"},
    {"X {Name -eq 'a'}", false, "text stands in quotes here, 'Name', and a property is $_.Name"},
    {"X {$_.Name -eq alice}", false, "text stands in quotes here, 'alice'"},
    {"X {$_.Name = 'a'}", false, "an operator such as -eq, or the closing }, is expected"},
    {"X {}", false, "a value is expected here"},
    {"X {{$_}}", false, "a value is expected here"},
    {"{ $_ }", false, "a command is expected here"},
    {"X @{A=1; a=2}", false, "a stands twice"},
    {"X @{A=1 B=2}", false, "; or } is expected here"},
    {"X @{'' = 1}", false, "Name=value is expected"},
    {"X @{A 1}", false, "= is expected behind the name"},
    {"X ,a", false, "a value is expected here"},
    {"X (a b", true, "the closing )"},
    {"X ()", false, "a command is expected here"},
    {"X \xff", false, "not UTF-8"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct script s = {.count = 77};
        struct err err = {0};
        bool incomplete;
        const char *row = errors[i].text;
        CHECK_INT(row, syntax_parse(span_of(row), &arena, &s, &incomplete, &err), ERR_INVALID);
        CHECK_INT(row, s.count, 77);
        if (!strstr(err.text, errors[i].says))
            print_error("got: %s\n", err.text);
        CHECK(row, strstr(err.text, errors[i].says));
        CHECK_INT(row, incomplete, errors[i].incomplete);
        CHECK_INT(row, shell_complete(span_of(row)), !errors[i].incomplete);
    }
}

static void test_error_in_a_long_line(void **state)
{
    (void)state;
    struct script s;
    struct err err = {0};
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_add(&b, SPAN("Set-X -Name \u00e9\t "));
    buf_add(&b, SPAN("$x"));
    CHECK_INT("long", syntax_parse(buf_span(&b), &arena, &s, NULL, &err), ERR_INVALID);
    const char *shown = strchr(err.text, '\n'), *caret = strchr(shown + 1, '\n');
    size_t before = 0; /* characters in front of what the caret is below */
    for (const char *c = shown + 1; *c != '$'; c++)
        before += ((unsigned char)*c & 0xc0) != 0x80;
    assert_memory_equal(shown, "\n  ...", 6);
    CHECK_INT("long", strchr(caret, '^') - caret - 1, before);
    CHECK("long", strlen(err.text) < sizeof err.text - 1);
    buf_done(&b);
}

static void test_nul_is_refused(void **state)
{
    (void)state;
    struct script s;
    struct err err = {0};
    CHECK_INT("NUL", syntax_parse(SPAN("Get-X a\0b"), &arena, &s, NULL, &err), ERR_INVALID);
    CHECK("NUL", strstr(err.text, "NUL"));
}

/* Text of n times `open`, then `middle`, then n times `close`. */
static struct span nested(size_t n, const char *open, const char *middle, const char *close)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s", open);
    buf_addf(&b, "%s", middle);
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s", close);
    struct span s = arena_dup(&arena, buf_span(&b));
    buf_done(&b);
    return s;
}

static const struct {
    const char *open, *middle, *close;
    size_t most; /* fits; one more does not */
} limits[] = {
    {"X (", "Y", ")", SYNTAX_DEPTH_MAX},
    {"-not ", "1", "", SYNTAX_DEPTH_MAX - 1},
    {"(", "1", ")", SYNTAX_DEPTH_MAX - 1},
    {"X | ", "Y", "", SYNTAX_PIPELINE_MAX - 1},
};

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        for (size_t over = 0; over < 2; over++) {
            struct script s;
            struct err err = {0};
            struct span text = nested(limits[i].most + over, limits[i].open, limits[i].middle, limits[i].close);
            enum err_code code = syntax_parse(text, &arena, &s, NULL, &err);
            CHECK_INT(limits[i].open, code, over ? ERR_INVALID : ERR_NONE);
        }
}

static void test_long_chains_do_not_nest(void **state)
{
    (void)state;
    struct script s;
    struct err err = {0};
    struct span text = nested(20000, "1 -and ", "1", "");
    CHECK_INT("chain", syntax_parse(text, &arena, &s, NULL, &err), ERR_NONE);
    CHECK_INT("chain", s.statements[0].pipeline.head->count, 20001);
}

static const struct {
    const char *row;
    struct value value;
    const char *text;
} quotes[] = {
    {"null", {.kind = VALUE_NULL}, "$null"},
    {"true", {.kind = VALUE_BOOL, .b = true}, "$true"},
    {"int", {.kind = VALUE_INT, .i = -12}, "-12"},
    {"least int", {.kind = VALUE_INT, .i = INT64_MIN}, "-9223372036854775808"},
    {"word", {.kind = VALUE_STRING, .s = SPAN_INIT("ms-Exch-SMTP-Submit")}, "ms-Exch-SMTP-Submit"},
    {"address", {.kind = VALUE_STRING, .s = SPAN_INIT("a.b@example.com")}, "a.b@example.com"},
    {"digits", {.kind = VALUE_STRING, .s = SPAN_INIT("12")}, "'12'"},
    {"dash", {.kind = VALUE_STRING, .s = SPAN_INIT("-eq")}, "'-eq'"},
    {"empty", {.kind = VALUE_STRING, .s = SPAN_INIT("")}, "''"},
    {"quote", {.kind = VALUE_STRING, .s = SPAN_INIT("it's `$x\"")}, "'it''s `$x\"'"},
    {"curly quote", {.kind = VALUE_STRING, .s = SPAN_INIT("a\u2019b")}, "'a\u2019\u2019b'"},
    {"size", {.kind = VALUE_SIZE, .i = 10 << 20}, "10MB"},
    {"time span", {.kind = VALUE_TIMESPAN, .i = 300000}, "00:05:00"},
    {"time", {.kind = VALUE_TIME, .i = 0}, "'1970-01-01T00:00:00.000Z'"},
    {"unlimited", {.kind = VALUE_UNLIMITED}, "Unlimited"},
};

static void test_quote(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
        struct buf b;
        struct script s;
        struct err err = {0};
        buf_init(&b, 1000);
        buf_add(&b, SPAN("X "));
        shell_quote(&b, quotes[i].value);
        CHECK_SPAN(quotes[i].row, span_from(buf_span(&b), 2), span_of(quotes[i].text));
        CHECK_INT(quotes[i].row, syntax_parse(buf_span(&b), &arena, &s, NULL, &err), ERR_NONE);
        const struct value *got = &s.statements[0].pipeline.calls[0].arguments[0].value->value;
        bool as_text = quotes[i].value.kind >= VALUE_SIZE;
        CHECK(quotes[i].row, as_text ? got->kind == VALUE_STRING : value_eq(*got, quotes[i].value, false));
        buf_done(&b);
    }
}

static void test_quote_of_lists_and_tables(void **state)
{
    (void)state;
    struct value items[] = {value_of("a"), value_of("b c"), value_int(3)};
    struct record *r = record_new(&arena, SPAN("Hashtable"));
    assert_true(record_set(r, SPAN("Add"), value_list(items, 2)) && record_set(r, SPAN("two words"), value_null()));
    const struct {
        struct value value;
        const char *text;
    } rows[] = {
        {value_list(NULL, 0), "@()"},
        {value_list(items, 1), "@(a)"},
        {value_list(items, 3), "a,'b c',3"},
        {value_record(r), "@{Add=a,'b c'; 'two words'=$null}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        shell_quote(&b, rows[i].value);
        CHECK(rows[i].text, !b.failed);
        CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].text));
        buf_done(&b);
    }
}

static void test_no_quote(void **state)
{
    (void)state;
    const struct value rows[] = {{.kind = VALUE_SECRET, .s = SPAN_INIT("pw")},
                                 {.kind = VALUE_BLOCK},
                                 {.kind = VALUE_STRING, .s = SPAN_INIT("a\0b")},
                                 {.kind = VALUE_STRING, .s = SPAN_INIT("\xff")}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 1000);
        shell_quote(&b, rows[i]);
        CHECK_INT("no quote", b.failed, true);
        CHECK("no secret", !b.ptr || !memmem(b.ptr, b.len, "pw", 2));
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_trees, clear),
        cmocka_unit_test_teardown(test_sources, clear),
        cmocka_unit_test_teardown(test_errors, clear),
        cmocka_unit_test_teardown(test_error_in_a_long_line, clear),
        cmocka_unit_test_teardown(test_nul_is_refused, clear),
        cmocka_unit_test_teardown(test_limits, clear),
        cmocka_unit_test_teardown(test_long_chains_do_not_nest, clear),
        cmocka_unit_test_teardown(test_quote, clear),
        cmocka_unit_test_teardown(test_quote_of_lists_and_tables, clear),
        cmocka_unit_test_teardown(test_no_quote, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
