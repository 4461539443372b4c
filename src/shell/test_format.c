/* What people and programs read: tables, lists, JSON and help; and the order and equality of values. */
#include "check.h"
#include "shell/compare.h"
#include "shell/json.h"
#include "shell/test_world.h"

#include <string.h>

static const struct {
    const char *text, *out;
    size_t width;
} prints[] = {
    {"Get-Thing *ta", "\nName  Count Size Tags\n----  ----- ---- ----\nBeta     20 64KB {red}\ndelta     3  1MB "
                      "{green, blue, red}\n\n"},
    {"Get-Thing alpha | ft Age,Name,Nothing",
     "\nAge      Name  Nothing\n---      ----  -------\n00:00:05 alpha\n\n"},
    {"Get-Thing *ta -Small", "\nName  Count Size\n----  ----- ----\nBeta     20 64KB\ndelta     3  1MB\n\n"},
    {"Get-Thing | ft Size,Name",
     "\n     Size Name\n     ---- ----\n     10MB alpha\n     64KB Beta\nUnlimited gamma\n"
     "      1MB delta\n       0B it's\n    1025B caf\u00e9\n\n"},
    {"Get-Thing delta | ft Note,Name", "\nNote     Name\n----     ----\nesc?[31m delta\n\n"},
    {"Get-Thing gamma | fl N*", "\nName : gamma\nNote : two lines\n\n"},
    {"Get-Thing alpha | select Name,Count,Size,Enabled,Age,Tags",
     "\nName    : alpha\nCount   : 3\nSize    : 10MB\nEnabled : True\nAge     : 00:00:05\nTags    : {red, "
     "Blue}\n\n"},
    {"Get-Thing alpha | select Name,Count,Size,Enabled,Age",
     "\nName  Count Size Enabled Age\n----  ----- ---- ------- ---\nalpha     3 10MB True    00:00:05\n\n"},
    {"Get-Thing beta | fl *",
     "\nName     : Beta\nCount    : 20\nSize     : 64KB\nEnabled  : False\nAge      : 00:05:00\n"
     "Since    : 1970-01-01T00:05:00.000Z\nTags     : {red}\nNote     : plain\nPassword : ***\n\n"},
    {"Get-Thing delta | fl Name,Tags | Write-Output", "\nName : delta\nTags : {green, blue, red}\n\n"},
    {"Get-Thing delta | ft Tags,Name", "\nTags       Name\n----       ----\n{green,... delta\n\n", 16},
    {"Get-Thing delta | select -ExpandProperty Note", "esc?[31m\n"},
    {"Get-Thing gamma | select -ExpandProperty Note", "two\nlines\n"},
    {"'a', 5, $true, $null", "a\n5\nTrue\n"},
    {"Get-Thing zz* -ErrorAction SilentlyContinue | ft", ""},
    {"Get-Thing zz* -ea SilentlyContinue | ConvertTo-Json", ""},
    {"Get-Thing zz* -ea SilentlyContinue | ConvertTo-Json -AsArray", "[]\n"},
    {"Get-Thing it* -Small | ConvertTo-Json", "{\n  \"Name\": \"it's\",\n  \"Count\": 0,\n  \"Size\": 0\n}\n"},
    {"Get-Thing gamma | ConvertTo-Json -Compress",
     "{\"Name\":\"gamma\",\"Count\":100,\"Size\":\"Unlimited\",\"Enabled\":true,\"Age\":\"1.00:00:00\","
     "\"Since\":\"1970-01-02T00:00:00.000Z\",\"Tags\":[],\"Note\":\"two\\nlines\",\"Password\":null}\n"},
    {"Get-Thing *ta | select Name,Tags | ConvertTo-Json -Compress",
     "[{\"Name\":\"Beta\",\"Tags\":[\"red\"]},{\"Name\":\"delta\",\"Tags\":[\"green\",\"blue\",\"red\"]}]\n"},
    {"Get-Thing alpha | select Tags | ConvertTo-Json -AsArray",
     "[\n  {\n    \"Tags\": [\n      \"red\",\n      \"Blue\"\n    ]\n  }\n]\n"},
    {"Get-Thing alpha | select Name,Tags | ConvertTo-Json -Compress -Depth 0",
     "{\"Name\":\"alpha\",\"Tags\":\"{red, Blue}\"}\n"},
    {"1,2 | ConvertTo-Json -Compress", "[1,2]\n"},
    {"Get-Command *-Thing", "\nName         Synopsis\n----         --------\nGet-Thing    Shows things.\n"
                            "Set-Thing    Changes a thing.\nRemove-Thing Removes a thing.\n\n"},
    {"Get-Command -Verb Set,Remove -Noun T* | select -ExpandProperty Name", "Set-Thing\nRemove-Thing\n"},
    {"Get-Help Remove-*",
     "NAME\n    Remove-Thing\n\nSYNOPSIS\n    Removes a thing.\n\nSYNTAX\n    Remove-Thing [-Identity] "
     "<Name> [-Enabled <Boolean>] [-Confirm] [-WhatIf] [-Verbose]\n        [-ErrorAction Stop | "
     "Continue | SilentlyContinue]\n\nDESCRIPTION\n    Removes a thing.\n\nPARAMETERS\n    -Identity "
     "<Name>\n        Its name.\n        (required, first without its name, or the object of the "
     "pipeline)\n\n    -Enabled <Boolean>\n        Whether it is on.\n\n    -Confirm\n        Asks "
     "before each object; -Confirm:$false never asks.\n        (optional, also -cf, a switch)\n\n"
     "    -WhatIf\n        Checks everything and says what would be done, but changes nothing.\n"
     "        (optional, also -wi, a switch)\n\n    -Verbose\n        Says which objects the command "
     "runs on.\n        (optional, also -vb, a switch)\n\n    -ErrorAction Stop | Continue | "
     "SilentlyContinue\n        What an error does. Stop, the default: it ends the statement, which is "
     "undone. Continue says\n        it and goes on, SilentlyContinue only goes on; where the command "
     "changes something, the\n        statement is undone even then.\n        (optional, also -ea)\n\n"},
    {"Get-Help Get-Thing -Parameter S*", "    -Small\n        Fewer properties.\n\n"},
    {"man get-thing -Examples",
     "NAME\n    Get-Thing\n\nSYNOPSIS\n    Shows things.\n\nEXAMPLES\n    # All of them\n    "
     "Get-Thing\n"},
    {"help *-Thing",
     "Get-Thing                          Shows things.\nSet-Thing                          Changes a thing.\n"
     "Remove-Thing                       Removes a thing.\n"},
};

static void test_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(prints); i++) {
        struct world w;
        world_init(&w);
        w.width = prints[i].width;
        enum err_code code = world_run(&w, span_of(prints[i].text));
        CHECK_STR(prints[i].text, w.error.text, "");
        CHECK_INT(prints[i].text, code, ERR_NONE);
        CHECK_SPAN(prints[i].text, buf_span(&w.out), span_of(prints[i].out));
        world_done(&w);
    }
}

static void test_every_command_has_help(void **state)
{
    (void)state;
    const struct shell_command *c;
    for (size_t i = 0; (c = shell_command_at(&world_table, i)); i++) {
        struct world w;
        char text[100];
        world_init(&w);
        snprintf(text, sizeof text, "Get-Help %s", c->name);
        CHECK_INT(c->name, world_run(&w, span_of(text)), ERR_NONE);
        struct span rest = buf_span(&w.out), line;
        while (span_split(&rest, '\n', &line))
            CHECK(c->name, line.len <= 120);
        buf_add_char(&w.out, '\0');
        CHECK(c->name,
              strstr(w.out.ptr, c->name) && strstr(w.out.ptr, "SYNTAX") && strstr(w.out.ptr, "PARAMETERS"));
        for (const char *const *a = c->aliases; a && *a; a++)
            CHECK(*a, shell_find_command(&world_table, span_of(*a)) == c);
        world_done(&w);
    }
}

static void test_help_without_a_name(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    CHECK_INT("help", world_run(&w, SPAN("help")), ERR_NONE);
    CHECK("help", memmem(w.out.ptr, w.out.len, "Get-Command", 11));
    CHECK_INT("none", world_run(&w, SPAN("help Get-Thign")), ERR_NOT_FOUND);
    CHECK("none", strstr(w.error.text, "did you mean Get-Thing?"));
    CHECK_INT("no parameter", world_run(&w, SPAN("help Get-Thing -Parameter Zz")), ERR_NOT_FOUND);
    world_done(&w);
}

static void test_long_cells_are_cut(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    for (size_t width = 20; width <= 120; width += 10) {
        w.width = width;
        CHECK_INT("width", world_run(&w, SPAN("Get-Thing | ft Name,Since,Tags,Note,Age | Write-Output")), ERR_NONE);
        struct span rest = buf_span(&w.out), line;
        size_t least = 5 * 8 + 4; /* columns are never narrower than 8 */
        while (span_split(&rest, '\n', &line))
            CHECK("width", line.len <= (width > least ? width : least) + 4 /* bytes beyond ASCII */);
    }
    world_done(&w);
}

#define STRING(literal)                                                                                            \
    {                                                                                                              \
        .kind = VALUE_STRING, .s = SPAN_INIT(literal)                                                              \
    }

static const struct {
    const char *row;
    struct value value;
    const char *text;
} jsons[] = {
    {"escapes", STRING("\"\\\b\x1f\x7f/\t\r\n"), "\"\\\"\\\\\\u0008\\u001f\\u007f/\\t\\r\\n\""},
    {"not UTF-8", STRING("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    {"NUL", STRING("a\0b"), "\"a\\u0000b\""},
    {"UTF-8", STRING("\u00e9\U0001f600"), "\"\u00e9\U0001f600\""},
    {"least", {.kind = VALUE_INT, .i = INT64_MIN}, "-9223372036854775808"},
    {"size", {.kind = VALUE_SIZE, .i = 1 << 20}, "1048576"},
    {"time span", {.kind = VALUE_TIMESPAN, .i = 1500}, "\"00:00:01.500\""},
    {"unlimited", {.kind = VALUE_UNLIMITED}, "\"Unlimited\""},
    {"secret", {.kind = VALUE_SECRET, .s = SPAN_INIT("pw")}, "null"},
    {"null", {.kind = VALUE_NULL}, "null"},
    {"empty list", {.kind = VALUE_LIST}, "[]"},
};

static void test_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(jsons); i++) {
        struct buf b;
        buf_init(&b, 1000);
        json_print(&b, jsons[i].value, (struct json_options){.depth = 9});
        CHECK_SPAN(jsons[i].row, buf_span(&b), span_of(jsons[i].text));
        buf_done(&b);
    }
}

static void test_json_nesting_is_bounded(void **state)
{
    (void)state;
    struct arena arena;
    struct buf b;
    arena_init(&arena, 0);
    buf_init(&b, 1 << 20);
    struct value v = value_int(1);
    for (int i = 0; i < 1000; i++) {
        struct record *r = record_new(&arena, SPAN("Inner"));
        assert_true(r && record_set(r, SPAN("x"), v));
        v = value_record(r);
    }
    json_print(&b, v, (struct json_options){.compress = true, .depth = SIZE_MAX});
    CHECK("bounded", !b.failed && b.len < 1000 && memmem(b.ptr, b.len, "\"Inner\"", 7));
    buf_done(&b);
    arena_clear(&arena);
}

#define INT(n)                                                                                                     \
    {                                                                                                              \
        .kind = VALUE_INT, .i = (n)                                                                                \
    }
#define SIZE(n)                                                                                                    \
    {                                                                                                              \
        .kind = VALUE_SIZE, .i = (n)                                                                               \
    }
#define TIMESPAN(n)                                                                                                \
    {                                                                                                              \
        .kind = VALUE_TIMESPAN, .i = (n)                                                                           \
    }
#define TIME(n)                                                                                                    \
    {                                                                                                              \
        .kind = VALUE_TIME, .i = (n)                                                                               \
    }
#define BOOL(v)                                                                                                    \
    {                                                                                                              \
        .kind = VALUE_BOOL, .b = (v)                                                                               \
    }
#define UNLIMITED                                                                                                  \
    {                                                                                                              \
        .kind = VALUE_UNLIMITED                                                                                    \
    }
#define NOTHING                                                                                                    \
    {                                                                                                              \
        .kind = VALUE_NULL                                                                                         \
    }

enum { NO, YES, FAILS };

static const struct {
    struct value a;
    const char *op;
    struct value b;
    int want;
} comparisons[] = {
    {STRING("Abc"), "eq", STRING("aBC"), YES},
    {STRING("Abc"), "ceq", STRING("aBC"), NO},
    {STRING("Abc"), "ieq", STRING("aBC"), YES},
    {STRING("Abc"), "cne", STRING("aBC"), YES},
    {STRING("b"), "gt", STRING("A"), YES},
    {STRING("b"), "clt", STRING("a"), NO},
    {STRING("B"), "clt", STRING("a"), YES},
    {INT(10), "gt", STRING("9"), YES},
    {STRING("10"), "gt", INT(9), YES},
    {INT(5), "eq", STRING("five"), NO},
    {INT(5), "ne", STRING("five"), YES},
    {INT(5), "lt", STRING("five"), FAILS},
    {INT(1), "lt", STRING("1.5"), FAILS},
    {SIZE(10 << 20), "eq", STRING("10MB"), YES},
    {SIZE(10 << 20), "eq", STRING("10 MB (10,485,760 bytes)"), YES},
    {SIZE(10 << 20), "le", STRING("10mb"), YES},
    {SIZE(10 << 20), "lt", STRING("10MB"), NO},
    {SIZE(1024), "eq", INT(1024), YES},
    {STRING("1KB"), "ge", SIZE(1024), YES},
    {UNLIMITED, "gt", SIZE(INT64_MAX), YES},
    {UNLIMITED, "gt", STRING("5GB"), YES},
    {UNLIMITED, "eq", STRING("unlimited"), YES},
    {SIZE(5), "eq", STRING("Unlimited"), NO},
    {SIZE(5), "lt", STRING("Unlimited"), YES},
    {UNLIMITED, "lt", UNLIMITED, NO},
    {UNLIMITED, "gt", STRING("soon"), FAILS},
    {TIMESPAN(300000), "eq", STRING("00:05:00"), YES},
    {TIMESPAN(300000), "lt", STRING("1.00:00:00"), YES},
    {TIMESPAN(300000), "lt", UNLIMITED, YES},
    {TIMESPAN(300000), "lt", INT(5), FAILS},
    {TIMESPAN(300000), "lt", STRING("5"), FAILS},
    {TIME(86400000), "ge", STRING("1970-01-02"), YES},
    {TIME(86400000), "lt", STRING("1970-01-02T00:00:00.001Z"), YES},
    {TIME(86400000), "gt", STRING("1970-01-01 23:59"), YES},
    {TIME(0), "gt", STRING("yesterday"), FAILS},
    {TIME(0), "gt", STRING("1970-13-01"), FAILS},
    {TIME(0), "gt", STRING("1970-01-01T"), FAILS},
    {BOOL(true), "eq", BOOL(true), YES},
    {BOOL(false), "eq", STRING("False"), YES},
    {BOOL(true), "eq", STRING("yes"), NO},
    {NOTHING, "eq", NOTHING, YES},
    {NOTHING, "eq", STRING(""), NO},
    {STRING(""), "ne", NOTHING, YES},
    {NOTHING, "lt", INT(-5), YES},
    {STRING("Default mail"), "like", STRING("default*"), YES},
    {STRING("Default mail"), "clike", STRING("default*"), NO},
    {STRING("abc"), "like", STRING("a?c"), YES},
    {STRING("abc"), "like", STRING("a"), NO},
    {STRING("aXbXc"), "like", STRING("*b*c*"), YES},
    {STRING("abc"), "notlike", STRING("b*"), YES},
    {NOTHING, "like", STRING("*"), YES},
    {INT(100), "like", STRING("1*"), YES},
    {STRING("x12"), "match", STRING("^X\\d+$"), YES},
    {STRING("x12"), "cmatch", STRING("^X"), NO},
    {STRING("a-b"), "match", STRING("[\\w.]+-[\\w]"), YES},
    {STRING("a b"), "match", STRING("a[\\s]b"), YES},
    {STRING("a.b"), "match", STRING("a[\\.]b"), YES},
    {STRING("a.b"), "notmatch", STRING("a\\.b"), NO},
    {STRING("aab"), "match", STRING("^a{2}b$"), YES},
    {STRING("anything"), "match", STRING(""), YES},
    {STRING("a"), "match", STRING("("), FAILS},
    {STRING("a"), "match", STRING("(a)\\1"), FAILS},
    {STRING("a"), "match", STRING("(a{100}){100}"), FAILS},
    {STRING("a"), "match", STRING("a{1001}"), FAILS},
    {STRING("a"), "match", STRING("(x|y){486}++++++++++++++++++"), FAILS},
    {STRING("a"), "match", STRING("a+?"), FAILS},
    {STRING("a"), "match", STRING("((((((((((a+)+)+)+)+)+)+)+)+)+)+"), FAILS},
    {STRING("a1b22"), "match", STRING("^(a\\d+)+b\\d+$"), YES},
    {STRING("a+"), "match", STRING("^a[+*]$"), YES},
    {STRING("1.22.3.4"), "match", STRING("^\\d+\\.\\d+\\.\\d+\\.\\d+$"), YES},
    {STRING("a"), "match", STRING("a{,5}"), FAILS},
    {STRING("a"), "match", STRING("a\\"), FAILS},
    {STRING("a"), "match", STRING("[\\b]"), FAILS},
    {STRING("a"), "contains", STRING("A"), YES},
    {STRING("a"), "notin", STRING("b"), YES},
    {{.kind = VALUE_SECRET, .s = SPAN_INIT("hush")}, "eq", STRING("hush"), NO},
    {{.kind = VALUE_SECRET, .s = SPAN_INIT("hush")}, "like", STRING("h*"), NO},
};

static void test_comparisons(void **state)
{
    (void)state;
    struct matcher m = {0};
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        struct operator op;
        struct err err = {0};
        struct buf row;
        bool got = false;
        buf_init(&row, 1000);
        value_print(&row, comparisons[i].a);
        buf_addf(&row, " -%s ", comparisons[i].op);
        value_print(&row, comparisons[i].b);
        buf_add_char(&row, '\0');
        CHECK(row.ptr, operator_find(span_of(comparisons[i].op), &op));
        enum err_code code = compare_values(&m, op, comparisons[i].a, comparisons[i].b, &got, &err);
        CHECK_INT(row.ptr, code ? FAILS : got, comparisons[i].want);
        CHECK(row.ptr, !code || (code == ERR_INVALID && err.text[0]));
        buf_done(&row);
    }
    matcher_done(&m);
}

static void test_pattern_length(void **state)
{
    (void)state;
    struct matcher m = {0};
    struct err err = {0};
    char pattern[MATCH_PATTERN_MAX + 1];
    bool got = true;
    memset(pattern, 'a', sizeof pattern);
    CHECK_INT("most", matcher_match(&m, SPAN("b"), span_make(pattern, MATCH_PATTERN_MAX), false, &got, &err),
              ERR_NONE);
    CHECK_INT("most", got, false);
    CHECK_INT("one more",
              matcher_match(&m, SPAN("b"), span_make(pattern, MATCH_PATTERN_MAX + 1), false, &got, &err),
              ERR_INVALID);
    matcher_done(&m);
}

/* In their order; compare_sort must agree for every pair. */
static const struct value sorted[] = {
    NOTHING, BOOL(false),     BOOL(true),   INT(INT64_MIN), INT(-1),     SIZE(0),
    INT(7),  SIZE(INT64_MAX), UNLIMITED,    TIMESPAN(0),    TIMESPAN(5), TIME(0),
    TIME(9), STRING("10"),    STRING("9a"), STRING("Beta"), STRING("c"),
};

static void test_sort_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
            int want = (i > k) - (i < k), got = compare_sort(sorted[i], sorted[k]);
            CHECK_INT("sorted", (got > 0) - (got < 0), want);
        }
}

static void test_operator_names(void **state)
{
    (void)state;
    struct operator op;
    struct span rest = span_of(operator_names()), name;
    while (span_split(&rest, ' ', &name)) {
        bool not = span_eq(name, SPAN("-not")); /* no binary one */
        CHECK(name.ptr, operator_find(span_from(name, 1), &op) != not );
    }
    static const char *const unknown[] = {"", "c", "lke", "cand", "ior", "ccin", "is", "replace"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        CHECK(unknown[i], !operator_find(span_of(unknown[i]), &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prints),
        cmocka_unit_test(test_every_command_has_help),
        cmocka_unit_test(test_help_without_a_name),
        cmocka_unit_test(test_long_cells_are_cut),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_nesting_is_bounded),
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_pattern_length),
        cmocka_unit_test(test_sort_order),
        cmocka_unit_test(test_operator_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
