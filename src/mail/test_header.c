/* Fields, unfolding, classes of the firewall, and who an address list names. */
#include "check.h"

#include "base/buf.h"
#include "mail/header.h"

#include <string.h>

static void fields(void **state)
{
    (void)state;
    static const struct {
        const char *whole, *name, *value;
    } want[] = {
        {"Subject: one\r\n", "Subject", " one"},
        {"To: a,\r\n\tb,\r\n c\r\n", "To", " a,\r\n\tb,\r\n c"},
        {"Empty:\r\n", "Empty", ""},
        {"Old \t: blank before\r\n", "Old", " blank before"},
        {"no field\r\n", "", ""},
        {"A:b:c\r\n", "A", "b:c"},
        {": nothing\r\n", "", ""},
        {"8\xc3\xb6: x\r\n", "", ""},
        {"__proto__: x\r\n", "__proto__", " x"},
        {"Fold:\r\n \r\n x\r\n", "Fold", "\r\n \r\n x"},
        {"Lf: x\n", "Lf", " x"},
        {"Last: unfinished", "Last", " unfinished"},
    };
    char text[1024] = "";
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s", want[i].whole);
    struct span rest = span_of(text);
    struct header_field f;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK(want[i].whole, header_next(&rest, &f));
        CHECK_SPAN(want[i].whole, f.whole, span_of(want[i].whole));
        CHECK_SPAN(want[i].whole, f.name, span_of(want[i].name));
        CHECK_SPAN(want[i].whole, f.value, span_of(want[i].value));
    }
    CHECK("the end", !header_next(&rest, &f));
    CHECK("found", header_find(span_of(text), SPAN("fold"), &f));
    CHECK_SPAN("found", f.name, SPAN("Fold"));
    CHECK("not found", !header_find(span_of(text), SPAN("Folds"), &f));
    CHECK("nameless is not found", !header_find(SPAN("nothing here\r\n"), SPAN(""), &f));
}

static void name_limits(void **state)
{
    (void)state;
    char line[HEADER_NAME_MAX + 8];
    memset(line, 'a', sizeof line);
    line[HEADER_NAME_MAX] = ':';
    CHECK_INT("at the limit", header_name(span_make(line, sizeof line)).len, HEADER_NAME_MAX);
    line[HEADER_NAME_MAX] = 'a';
    line[HEADER_NAME_MAX + 1] = ':';
    CHECK_INT("beyond", header_name(span_make(line, sizeof line)).len, 0);
}

static void unfolding(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t max;
        const char *want;
    } rows[] = {
        {" one", 99, "one"},
        {" one\r\n\ttwo \r\n three \r\n", 99, "one\ttwo  three"},
        {"", 99, ""},
        {" \r\n ", 99, ""},
        {"abcdef", 3, "abc"},
        {"a\xc3\xb6z", 2, "a"},
        {"a\xc3\xb6z", 3, "a\xc3\xb6"},
        {"a\xe2\x82\xacz", 3, "a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct span got = header_unfold(&arena, span_of(rows[i].value), rows[i].max);
        CHECK(rows[i].value, got.ptr);
        CHECK_SPAN(rows[i].value, got, span_of(rows[i].want));
        arena_clear(&arena);
    }
    struct arena full;
    arena_init(&full, 1);
    CHECK("no memory", !header_unfold(&full, SPAN("x"), 9).ptr);
}

static void classes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum header_class want;
    } rows[] = {
        {"received", HEADER_ROUTING},
        {"Resent-Date", HEADER_ROUTING},
        {"RESENT-FROM", HEADER_ROUTING},
        {"Resent-Sender", HEADER_ROUTING},
        {"Resent-To", HEADER_ROUTING},
        {"Resent-Cc", HEADER_ROUTING},
        {"Resent-Bcc", HEADER_ROUTING},
        {"Resent-Message-ID", HEADER_ROUTING},
        {"Resent-Reply-To", HEADER_ORDINARY},
        {"Resent-", HEADER_ORDINARY},
        {"X-Received", HEADER_ORDINARY},
        {"Received-SPF", HEADER_ORDINARY},
        {"X-MS-Exchange-Organization-SCL", HEADER_ORGANIZATION},
        {"x-ms-exchange-organization-", HEADER_ORGANIZATION},
        {"X-MS-Exchange-Organization", HEADER_ORDINARY},
        {"X-MS-Exchange-Forest-RulesExecuted", HEADER_FOREST},
        {"X-MS-Exchange-Other", HEADER_ORDINARY},
        {"Subject", HEADER_ORDINARY},
        {"", HEADER_ORDINARY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, header_class(span_of(rows[i].name)), rows[i].want);
}

#define TEN_OPEN "(((((((((("
#define TEN_SHUT "))))))))))"

static void address_lists(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want; /* joined by blanks */
        bool complete;
    } rows[] = {
        {" alice@example.com", "alice@example.com", true},
        {"Alice <alice@Example.com>", "alice@example.com", true},
        {"\"Smith, Alice\" <alice@a>, bob@b", "alice@a bob@b", true},
        {"John Q. Public <john@a>", "john@a", true},
        {"=?utf-8?Q?J=C3=B6rg?= <j@a>", "j@a", true},
        {"J\xc3\xb6rg <j@a>", "j@a", true},
        {"J\xf6rg <j@a>", "j@a", true},
        {"(a comment (nested)) alice@a (another, with <x@y>)", "alice@a", true},
        {"alice(c)@(d)example(e).com", "alice@example.com", true},
        {"alice . smith @ a . b", "alice.smith@a.b", true},
        {"Alice\r\n <alice@a>,\r\n\tBob <bob@b>", "alice@a bob@b", true},
        {"\"a@b\"@c", "\"a@b\"@c", true},
        {"\"x\\\"<evil@x>\" <alice@a>", "alice@a", true},
        {"Team: alice@a, Bob <bob@b>;", "alice@a bob@b", true},
        {"Team: a@a;, c@c", "a@a c@c", true},
        {"undisclosed-recipients:;", "", true},
        {"", "", true},
        {" , a@a, ,b@b,", "a@a b@b", true},
        {"<@route,@other:alice@a>", "alice@a", true},
        {"root", "root", true},
        {"a@[192.0.2.1]", "a@[192.0.2.1]", true},
        {"\"ceo@corp\" <alice@a>", "alice@a", true},
        {"a@b <a@b>", "a@b a@b", true},
        {"ceo@corp <evil@x>", "ceo@corp evil@x", true},
        {TEN_OPEN TEN_OPEN TEN_OPEN "(("
                                    "x"
                                    "))" TEN_SHUT TEN_SHUT TEN_SHUT " a@a",
         "a@a", true},
        {TEN_OPEN TEN_OPEN TEN_OPEN "((("
                                    "x"
                                    ")))" TEN_SHUT TEN_SHUT TEN_SHUT " a@a",
         "", false},
        {"(does not end a@a", "", false},
        {"\"does not end <a@a>", "", false},
        {"Alice <alice@a", "", false},
        {"Alice alice@a", "", false},
        {"alice@a bob@b", "", false},
        {"alice@a <bob@b> <carol@c>", "alice@a bob@b", false},
        {"<alice@a> bob@b", "alice@a", false},
        {"<alice@a>, <>", "alice@a", false},
        {"<a b@c>", "", false},
        {"alice@a; bob@b", "", false},
        {"Team: a@a", "a@a", false},
        {"One: Two: a@a;;", "", false},
        {": a@a;", "", false},
        {"ceo@corp: a@a;", "", false},
        {"a@", "", false},
        {"@a", "", false},
        {"a..b@c, d@d", "d@d", false},
        {"<a@b>.c", "a@b", false},
        {"alice@a\r", "alice@a", true},
        {"al\x01ice@a", "", false},
        {"1@a,2@a,3@a,4@a,5@a", "1@a 2@a 3@a 4@a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct span found[4];
        struct buf joined;
        size_t n = 99;
        arena_init(&arena, 0);
        buf_init(&joined, 1000);
        CHECK_INT(rows[i].value,
                  header_addresses(&arena, span_of(rows[i].value), found, NULL, ARRAY_LEN(found), &n),
                  rows[i].complete);
        for (size_t k = 0; k < n; k++) {
            if (k)
                buf_add_char(&joined, ' ');
            buf_add(&joined, found[k]);
        }
        CHECK_SPAN(rows[i].value, buf_span(&joined), span_of(rows[i].want));
        buf_done(&joined);
        arena_clear(&arena);
    }
}

/* Where an address without domain ends in the value. */
static void bare_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t bare[4];
    } rows[] = {
        {"alice", {5}},
        {" alice ", {6}},
        {"alice@a", {0}},
        {"Alice <alice>", {12}},
        {"Alice < alice (home) >", {13}},
        {"\"a b\"", {5}},
        {"al . ice", {8}},
        {"a@a, bob, Carol <carol>", {0, 8, 22}},
        {"Team: alice, bob;", {11, 16}},
        {"<@a,@b:alice>", {12}},
        {"\r\n alice", {8}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct span found[4];
        size_t n, bare[4] = {99, 99, 99, 99};
        arena_init(&arena, 0);
        CHECK(rows[i].value, header_addresses(&arena, span_of(rows[i].value), found, bare, ARRAY_LEN(found), &n));
        CHECK(rows[i].value, n > 0);
        for (size_t k = 0; k < n; k++)
            CHECK_INT(rows[i].value, bare[k], rows[i].bare[k]);
        arena_clear(&arena);
    }
}

/* What is too long to be an address makes the list incomplete; what is too long to be a name is only a name. */
static void long_words(void **state)
{
    (void)state;
    static char text[3000];
    struct arena arena;
    struct span found[2];
    size_t n;
    memset(text, 'a', sizeof text);
    arena_init(&arena, 0);
    CHECK("word", !header_addresses(&arena, span_make(text, sizeof text), found, NULL, ARRAY_LEN(found), &n));
    CHECK_INT("word", n, 0);
    memcpy(text + sizeof text - 6, " <b@c>", 6);
    CHECK("name", header_addresses(&arena, span_make(text, sizeof text), found, NULL, ARRAY_LEN(found), &n));
    CHECK_INT("name", n, 1);
    arena_clear(&arena);
}

/* A hundred thousand of what nests or repeats is read in one pass. */
static void deep_and_many(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static char text[MANY + 1];
    static const char *const patterns[] = {"(", "<", "\"", ":", ";", ",", "a:", "@", "\\", "(\\"};
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        struct arena arena;
        struct span found[2];
        size_t n, unit = strlen(patterns[p]);
        for (size_t i = 0; i + unit <= MANY; i += unit)
            memcpy(text + i, patterns[p], unit);
        arena_init(&arena, 4096);
        bool complete = header_addresses(&arena, span_make(text, MANY), found, NULL, ARRAY_LEN(found), &n);
        CHECK_INT(patterns[p], complete, patterns[p][0] == ',');
        CHECK_INT(patterns[p], n, 0);
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),     cmocka_unit_test(name_limits),   cmocka_unit_test(unfolding),
        cmocka_unit_test(classes),    cmocka_unit_test(address_lists), cmocka_unit_test(bare_addresses),
        cmocka_unit_test(long_words), cmocka_unit_test(deep_and_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
