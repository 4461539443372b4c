/* Mailboxes and paths: what is accepted, in what canonical form, and the defect of what is not. */
#include "check.h"

#include "mail/address.h"
#include "mail/address_pattern.h"

#include <string.h>

enum {
    NUL_OK = ADDRESS_ALLOW_NULL,
    POSTMASTER = ADDRESS_ALLOW_POSTMASTER,
    UTF8 = ADDRESS_ALLOW_UTF8,
    BARE = ADDRESS_ALLOW_NO_DOMAIN,
    LONG = ADDRESS_ALLOW_LONG,
};

#define TEN      "abcdefghij"
#define SIXTY    TEN TEN TEN TEN TEN TEN
#define LABEL_63 SIXTY "abc"
#define LONG_DOM LABEL_63 "." LABEL_63 "." LABEL_63 "." SIXTY "a" /* 253 octets */

static void mailboxes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span text;
        unsigned flags;
        enum address_defect defect;
        const char *want, *local, *domain;
    } rows[] = {
        {"plain", SPAN_INIT("alice@example.com"), 0, ADDRESS_OK, "alice@example.com", "alice", "example.com"},
        {"domain lowered, local kept", SPAN_INIT("Alice@EXAMPLE.Com"), 0, ADDRESS_OK, "Alice@example.com", "Alice",
         "example.com"},
        {"all atext", SPAN_INIT("a!#$%&'*+-/=?^_`{|}~z@b"), 0, ADDRESS_OK, "a!#$%&'*+-/=?^_`{|}~z@b",
         "a!#$%&'*+-/=?^_`{|}~z", "b"},
        {"percent is a character", SPAN_INIT("user%other.test@example.com"), 0, ADDRESS_OK,
         "user%other.test@example.com", "user%other.test", "example.com"},
        {"bang is a character", SPAN_INIT("a!b@c"), 0, ADDRESS_OK, "a!b@c", "a!b", "c"},
        {"leading dash", SPAN_INIT("-oQ/tmp@c"), 0, ADDRESS_OK, "-oQ/tmp@c", "-oQ/tmp", "c"},
        {"shell characters", SPAN_INIT("`id`|$HOME@c"), 0, ADDRESS_OK, "`id`|$HOME@c", "`id`|$HOME", "c"},
        {"semicolon is not atext", SPAN_INIT(";sleep 66;@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"underscore in the domain", SPAN_INIT("a@my_host.b"), 0, ADDRESS_OK, "a@my_host.b", "a", "my_host.b"},
        {"quoted at", SPAN_INIT("\"a@b\"@c"), 0, ADDRESS_OK, "\"a@b\"@c", "\"a@b\"", "c"},
        {"quoted bracket", SPAN_INIT("\"a>b\"@c"), 0, ADDRESS_OK, "\"a>b\"@c", "\"a>b\"", "c"},
        {"needless quotes", SPAN_INIT("\"a.b\"@c"), 0, ADDRESS_OK, "a.b@c", "a.b", "c"},
        {"needless escapes", SPAN_INIT("\"\\a\\ b\"@c"), 0, ADDRESS_OK, "\"a b\"@c", "\"a b\"", "c"},
        {"escaped quote", SPAN_INIT("\"a\\\"b\\\\\"@c"), 0, ADDRESS_OK, "\"a\\\"b\\\\\"@c", "\"a\\\"b\\\\\"", "c"},
        {"quoted nothing", SPAN_INIT("\"\"@c"), 0, ADDRESS_OK, "\"\"@c", "\"\"", "c"},
        {"quoted double dot", SPAN_INIT("\"a..b\"@c"), 0, ADDRESS_OK, "\"a..b\"@c", "\"a..b\"", "c"},
        {"quote does not end", SPAN_INIT("\"a@c"), 0, ADDRESS_QUOTE, NULL, NULL, NULL},
        {"quote ends in an escape", SPAN_INIT("\"a\\"), 0, ADDRESS_QUOTE, NULL, NULL, NULL},
        {"quote within", SPAN_INIT("a\"b\"@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"word behind the quote", SPAN_INIT("\"a\"b@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"NUL in quotes", SPAN_INIT("\"a\0b\"@c"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"escaped CR", SPAN_INIT("\"a\\\rb\"@c"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"empty", SPAN_INIT(""), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"no local part", SPAN_INIT("@example.com"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"leading dot", SPAN_INIT(".a@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"trailing dot", SPAN_INIT("a.@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"double dot", SPAN_INIT("a..b@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"blank", SPAN_INIT("a b@c"), 0, ADDRESS_LOCAL, NULL, NULL, NULL},
        {"NUL", SPAN_INIT("a\0b@c"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"NUL first", SPAN_INIT("\0a@c"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"NUL at the end", SPAN_INIT("a@c\0"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"NUL behind the at", SPAN_INIT("a@\0c"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"CRLF", SPAN_INIT("a@c\r\nRCPT TO:<x@y>"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"DEL", SPAN_INIT("a\x7f@c"), 0, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"no at", SPAN_INIT("alice"), 0, ADDRESS_NO_DOMAIN, NULL, NULL, NULL},
        {"bare local part allowed", SPAN_INIT("Alice"), BARE, ADDRESS_OK, "Alice", "Alice", ""},
        {"postmaster", SPAN_INIT("PostMaster"), POSTMASTER, ADDRESS_OK, "PostMaster", "PostMaster", ""},
        {"not the postmaster", SPAN_INIT("alice"), POSTMASTER, ADDRESS_NO_DOMAIN, NULL, NULL, NULL},
        {"empty domain", SPAN_INIT("alice@"), BARE | POSTMASTER, ADDRESS_EMPTY_DOMAIN, NULL, NULL, NULL},
        {"two ats", SPAN_INIT("a@b@c"), 0, ADDRESS_DOMAIN, NULL, NULL, NULL},
        {"domain of dots", SPAN_INIT("a@..."), 0, ADDRESS_DOMAIN, NULL, NULL, NULL},
        {"domain with final dot", SPAN_INIT("a@c."), 0, ADDRESS_DOMAIN, NULL, NULL, NULL},
        {"domain with hyphen first", SPAN_INIT("a@-c"), 0, ADDRESS_DOMAIN, NULL, NULL, NULL},
        {"domain with slash", SPAN_INIT("a@../../etc"), 0, ADDRESS_DOMAIN, NULL, NULL, NULL},
        {"bracket behind", SPAN_INIT("a@c>"), 0, ADDRESS_SYNTAX, NULL, NULL, NULL},
        {"bare and bracket behind", SPAN_INIT("a>"), BARE, ADDRESS_SYNTAX, NULL, NULL, NULL},
        {"IPv4 literal", SPAN_INIT("a@[192.0.2.1]"), 0, ADDRESS_OK, "a@[192.0.2.1]", "a", "[192.0.2.1]"},
        {"IPv6 literal", SPAN_INIT("a@[ipv6:2001:DB8:0::1]"), 0, ADDRESS_OK, "a@[IPv6:2001:db8::1]", "a",
         "[IPv6:2001:db8::1]"},
        {"literal without tag", SPAN_INIT("a@[2001:db8::1]"), 0, ADDRESS_LITERAL, NULL, NULL, NULL},
        {"literal with tag and IPv4", SPAN_INIT("a@[IPv6:192.0.2.1]"), 0, ADDRESS_LITERAL, NULL, NULL, NULL},
        {"literal of a name", SPAN_INIT("a@[example.com]"), 0, ADDRESS_LITERAL, NULL, NULL, NULL},
        {"literal does not end", SPAN_INIT("a@[192.0.2.1"), 0, ADDRESS_LITERAL, NULL, NULL, NULL},
        {"something behind a literal", SPAN_INIT("a@[192.0.2.1]x"), 0, ADDRESS_SYNTAX, NULL, NULL, NULL},
        {"empty literal", SPAN_INIT("a@[]"), 0, ADDRESS_LITERAL, NULL, NULL, NULL},
        {"UTF-8 not allowed in the local part", SPAN_INIT("j\xc3\xb6rg@c"), 0, ADDRESS_UTF8, NULL, NULL, NULL},
        {"UTF-8 not allowed in the domain", SPAN_INIT("a@\xc3\xb6.c"), 0, ADDRESS_UTF8, NULL, NULL, NULL},
        {"UTF-8", SPAN_INIT("j\xc3\xb6rg@B\xc3\xb6.De"), UTF8, ADDRESS_OK, "j\xc3\xb6rg@xn--b-1ga.de",
         "j\xc3\xb6rg", "xn--b-1ga.de"},
        {"UTF-8 in the domain", SPAN_INIT("a@\xc3\x96.c"), UTF8, ADDRESS_OK, "a@xn--nda.c", "a", "xn--nda.c"},
        {"no name of the DNS", SPAN_INIT("a@xn--\xc3\xb6.c"), UTF8, ADDRESS_DOMAIN, NULL, NULL, NULL},
        {"254 that become more",
         SPAN_INIT(TEN "@" LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN "a"
                       "\xc3\xb6"),
         UTF8, ADDRESS_PATH_LONG, NULL, NULL, NULL},
        {"not UTF-8 in the local part", SPAN_INIT("j\xf6rg@c"), UTF8, ADDRESS_UTF8, NULL, NULL, NULL},
        {"not UTF-8 in quotes", SPAN_INIT("\"j\xf6 rg\"@c"), UTF8, ADDRESS_UTF8, NULL, NULL, NULL},
        {"not UTF-8 in the domain", SPAN_INIT("a@\xc3.c"), UTF8, ADDRESS_UTF8, NULL, NULL, NULL},
        {"overlong form of a dot", SPAN_INIT("a\xc0\xae@c"), UTF8, ADDRESS_UTF8, NULL, NULL, NULL},
        {"C1 control", SPAN_INIT("a\xc2\x85@c"), UTF8, ADDRESS_CONTROL, NULL, NULL, NULL},
        {"local part of 64", SPAN_INIT(SIXTY "abcd@c"), 0, ADDRESS_OK, SIXTY "abcd@c", SIXTY "abcd", "c"},
        {"local part of 65", SPAN_INIT(SIXTY "abcde@c"), 0, ADDRESS_LOCAL_LONG, NULL, NULL, NULL},
        {"quoted local part of 65", SPAN_INIT("\"" SIXTY "abc\"@c"), 0, ADDRESS_LOCAL_LONG, NULL, NULL, NULL},
        {"quoted local part beyond all", SPAN_INIT("\"" SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY "\"@c"), LONG,
         ADDRESS_LOCAL_LONG, NULL, NULL, NULL},
        {"local part of 65 where long ones may be", SPAN_INIT(SIXTY "abcde@c"), LONG, ADDRESS_OK, SIXTY "abcde@c",
         SIXTY "abcde", "c"},
        {"mailbox of 254", SPAN_INIT(TEN "@" LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN "a"), 0,
         ADDRESS_OK, TEN "@" LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN "a", TEN,
         LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN "a"},
        {"mailbox of 255", SPAN_INIT(TEN "@" LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN "ab"), 0,
         ADDRESS_PATH_LONG, NULL, NULL, NULL},
        {"mailbox of 255 where long ones may be", SPAN_INIT("a@" LONG_DOM), LONG, ADDRESS_OK, "a@" LONG_DOM, "a",
         LONG_DOM},
        {"domain of 256", SPAN_INIT("a@" LONG_DOM ".ab"), LONG, ADDRESS_DOMAIN_LONG, NULL, NULL, NULL},
        {"label of 64", SPAN_INIT("a@" LABEL_63 "d"), 0, ADDRESS_DOMAIN, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct mail_address a;
        arena_init(&arena, 0);
        CHECK_INT(rows[i].name, address_parse(rows[i].text, rows[i].flags, &arena, &a), rows[i].defect);
        if (rows[i].want) {
            CHECK_SPAN(rows[i].name, a.text, span_of(rows[i].want));
            CHECK_SPAN(rows[i].name, a.local, span_of(rows[i].local));
            CHECK_SPAN(rows[i].name, a.domain, span_of(rows[i].domain));
            CHECK_INT(rows[i].name, a.quoted, rows[i].want[0] == '"');
            CHECK_INT(rows[i].name, a.literal, rows[i].domain[0] == '[');
            CHECK_INT(rows[i].name, a.utf8, span_find(rows[i].text, '\xc3') != SIZE_MAX);
        }
        arena_clear(&arena);
    }
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span text;
        unsigned flags;
        enum address_defect defect;
        const char *want, *rest;
    } rows[] = {
        {"plain", SPAN_INIT("<a@b>"), 0, ADDRESS_OK, "a@b", ""},
        {"with parameters", SPAN_INIT("<a@b> SIZE=1"), 0, ADDRESS_OK, "a@b", " SIZE=1"},
        {"8-bit parameters are not the address's", SPAN_INIT("<a@b> X=\xff"), 0, ADDRESS_OK, "a@b", " X=\xff"},
        {"null", SPAN_INIT("<> BODY=7BIT"), NUL_OK, ADDRESS_OK, "", " BODY=7BIT"},
        {"null not allowed", SPAN_INIT("<>"), 0, ADDRESS_NULL, NULL, NULL},
        {"blank is not null", SPAN_INIT("< >"), NUL_OK, ADDRESS_LOCAL, NULL, NULL},
        {"postmaster", SPAN_INIT("<postmaster>"), POSTMASTER, ADDRESS_OK, "postmaster", ""},
        {"bare local part", SPAN_INIT("<alice>"), NUL_OK | POSTMASTER, ADDRESS_NO_DOMAIN, NULL, NULL},
        {"bare local part allowed", SPAN_INIT("<alice>"), BARE, ADDRESS_OK, "alice", ""},
        {"source route", SPAN_INIT("<@a.test,@b.test:u@d>"), 0, ADDRESS_OK, "u@d", ""},
        {"source route of one", SPAN_INIT("<@a.test:u@d> X"), 0, ADDRESS_OK, "u@d", " X"},
        {"source route without colon", SPAN_INIT("<@a.test,@b.test>"), 0, ADDRESS_ROUTE, NULL, NULL},
        {"source route with a hole", SPAN_INIT("<@a.test,,@b.test:u@d>"), 0, ADDRESS_ROUTE, NULL, NULL},
        {"source route without at", SPAN_INIT("<@a.test,b.test:u@d>"), 0, ADDRESS_ROUTE, NULL, NULL},
        {"source route and nothing", SPAN_INIT("<@a.test:>"), NUL_OK, ADDRESS_LOCAL, NULL, NULL},
        {"source route to a bare local part", SPAN_INIT("<@a.test:u>"), 0, ADDRESS_NO_DOMAIN, NULL, NULL},
        {"no bracket", SPAN_INIT("a@b"), 0, ADDRESS_BRACKETS, NULL, NULL},
        {"empty", SPAN_INIT(""), NUL_OK, ADDRESS_BRACKETS, NULL, NULL},
        {"one bracket", SPAN_INIT("<"), NUL_OK, ADDRESS_BRACKETS, NULL, NULL},
        {"does not end", SPAN_INIT("<a@b"), 0, ADDRESS_BRACKETS, NULL, NULL},
        {"literal does not end", SPAN_INIT("<a@[192.0.2.1]"), 0, ADDRESS_BRACKETS, NULL, NULL},
        {"blank before the end", SPAN_INIT("<a@b >"), 0, ADDRESS_DOMAIN, NULL, NULL},
        {"two brackets", SPAN_INIT("<<a@b>>"), 0, ADDRESS_LOCAL, NULL, NULL},
        {"empty domain", SPAN_INIT("<a@>"), 0, ADDRESS_EMPTY_DOMAIN, NULL, NULL},
        {"only an at", SPAN_INIT("<@>"), 0, ADDRESS_ROUTE, NULL, NULL},
        {"bracket in quotes does not end it", SPAN_INIT("<\"a>\"@b> X"), 0, ADDRESS_OK, "\"a>\"@b", " X"},
        {"NUL before the end", SPAN_INIT("<a@b\0>"), 0, ADDRESS_CONTROL, NULL, NULL},
        {"path of 256", SPAN_INIT("<@" LABEL_63 "." LABEL_63 ":" SIXTY "a@" LABEL_63 ">"), 0, ADDRESS_OK,
         SIXTY "a@" LABEL_63, ""},
        {"path of 257", SPAN_INIT("<@" LABEL_63 "." LABEL_63 ":" SIXTY "ab@" LABEL_63 ">"), 0, ADDRESS_PATH_LONG,
         NULL, NULL},
        {"route beyond all", SPAN_INIT("<@" LONG_DOM ",@a:u@d>"), LONG, ADDRESS_ROUTE, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct mail_address a;
        struct span rest;
        arena_init(&arena, 0);
        CHECK_INT(rows[i].name, address_parse_path(rows[i].text, rows[i].flags, &arena, &a, &rest), rows[i].defect);
        if (rows[i].want) {
            CHECK_SPAN(rows[i].name, a.text, span_of(rows[i].want));
            CHECK_SPAN(rows[i].name, rest, span_of(rows[i].rest));
        }
        arena_clear(&arena);
    }
}

/* The largest address that the long form allows, and one octet more. */
static void longest(void **state)
{
    (void)state;
    struct arena arena;
    struct mail_address a;
    char text[ADDRESS_LONG_MAX + 1];
    arena_init(&arena, 0);
    memset(text, 'a', sizeof text);
    text[ADDRESS_LONG_LOCAL_MAX] = '@';
    for (size_t i = ADDRESS_LONG_LOCAL_MAX + 64; i < ADDRESS_LONG_MAX; i += 64)
        text[i] = '.';
    CHECK_INT("571", address_parse(span_make(text, ADDRESS_LONG_MAX), LONG, &arena, &a), ADDRESS_OK);
    CHECK_INT("571", a.text.len, ADDRESS_LONG_MAX);
    CHECK_INT("572", address_parse(span_make(text, ADDRESS_LONG_MAX + 1), LONG, &arena, &a), ADDRESS_DOMAIN_LONG);
    arena_clear(&arena);
}

static void xlong(void **state)
{
    (void)state;
    enum { XLONG = ADDRESS_ALLOW_XLONG };
    struct arena arena;
    struct mail_address a;
    struct span rest;
    char text[ADDRESS_XLONG_MAX + 4] = "<";
    struct span tail = SPAN("@x.example>");
    arena_init(&arena, 0);
    memset(text + 1, 'a', sizeof text - 1);
    struct span path = span_make(text, ADDRESS_XLONG_MAX + 2), longer = span_make(text, ADDRESS_XLONG_MAX + 3);
    memcpy(text + path.len - tail.len, tail.ptr, tail.len);
    CHECK_INT("1860", address_parse_path(path, XLONG, &arena, &a, &rest), ADDRESS_OK);
    CHECK_INT("1860", a.text.len, ADDRESS_XLONG_MAX);
    CHECK_INT("1860 is not for everybody", address_parse_path(path, LONG, &arena, &a, &rest), ADDRESS_LOCAL_LONG);
    memset(text + 1, 'a', sizeof text - 1);
    memcpy(text + longer.len - tail.len, tail.ptr, tail.len);
    CHECK_INT("1861", address_parse_path(longer, XLONG, &arena, &a, &rest), ADDRESS_PATH_LONG);
    arena_clear(&arena);
}

static void no_memory(void **state)
{
    (void)state;
    struct arena arena;
    struct mail_address a = {.utf8 = true};
    arena_init(&arena, 16);
    CHECK_INT("full arena", address_parse(SPAN("a@b"), 0, &arena, &a), ADDRESS_MEMORY);
    CHECK("outputs untouched", a.utf8 && !a.text.ptr);
    arena_clear(&arena);
}

static void comparison(void **state)
{
    (void)state;
    CHECK("case is ignored", address_eq(SPAN("Alice@example.com"), SPAN("aLICE@example.com")));
    CHECK("other domain", !address_eq(SPAN("alice@example.com"), SPAN("alice@example.org")));
    CHECK("prefix", !address_eq(SPAN("alice@example.com"), SPAN("alice@example.co")));
    CHECK("beyond ASCII exactly", !address_eq(SPAN("\xc3\x96@c"), SPAN("\xc3\xb6@c")));
}

static void texts(void **state)
{
    (void)state;
    for (int d = 0; d < ADDRESS_DEFECT_MAX; d++)
        assert_non_null(address_defect_text((enum address_defect)d));
}

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical; /* NULL: refused */
        const char *covers[4], *not [6];
    } rows[] = {
        {"a@example.com",
         "a@example.com",
         {"a@example.com", "A@EXAMPLE.com"},
         {"b@example.com", "a@x.example.com", ""}},
        {"\"a\"@Example.COM", "a@example.com", {"a@example.com"}, {"ab@example.com"}},
        {"\"a b\"@example.com", "\"a b\"@example.com", {"\"A b\"@example.com"}, {"a@example.com"}},
        {"*@Example.com",
         "*@example.com",
         {"a@example.com", "\"x@y\"@EXAMPLE.COM", "*@example.com"},
         {"a@b.example.com", "a@xexample.com", "a@example.co", "example.com", "", "postmaster"}},
        {"*@*.example.com",
         "*@*.example.com",
         {"a@b.example.com", "a@c.b.EXAMPLE.com"},
         {"a@example.com", "a@xexample.com", "a@.example.com.x", "", "b.example.com.x@far.test"}},
        {"*@[192.0.2.1]", "*@[192.0.2.1]", {"a@[192.0.2.1]"}, {"a@[192.0.2.11]"}},
        {"a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]", {"a@[ipv6:2001:db8::1]"}, {"a@[IPv6:2001:db8::2]"}},
        {"<>", "<>", {""}, {"a@example.com", "<>"}},
        {"", NULL, {0}, {0}},
        {"*", NULL, {0}, {0}},
        {"*@*", NULL, {0}, {0}},
        {"*@", NULL, {0}, {0}},
        {"*@*.", NULL, {0}, {0}},
        {"*@*.[192.0.2.1]", NULL, {0}, {0}},
        {"*@*.*.example.com", NULL, {0}, {0}},
        {"*@exa*.com", NULL, {0}, {0}},
        {"a*@example.com", NULL, {0}, {0}},
        {"\"*\"@example.com", NULL, {0}, {0}},
        {"**@example.com", NULL, {0}, {0}},
        {"example.com", NULL, {0}, {0}},
        {"@example.com", NULL, {0}, {0}},
        {"a@example.com ", NULL, {0}, {0}},
        {"*@example.com.", NULL, {0}, {0}},
        {"< >", NULL, {0}, {0}},
        {"a@b@c", NULL, {0}, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct address_pattern p;
        arena_init(&arena, 0);
        CHECK_INT(rows[i].text, address_pattern_parse(span_of(rows[i].text), &arena, &p),
                  rows[i].canonical != NULL);
        if (rows[i].canonical)
            CHECK_SPAN(rows[i].text, p.text, span_of(rows[i].canonical));
        for (size_t k = 0; k < ARRAY_LEN(rows[i].covers) && rows[i].covers[k]; k++)
            CHECK(rows[i].text, address_pattern_matches(&p, span_of(rows[i].covers[k])));
        for (size_t k = 0; k < ARRAY_LEN(rows[i].not ) && rows[i].not [k]; k++)
            CHECK(rows[i].text, !address_pattern_matches(&p, span_of(rows[i].not [k])));
        arena_clear(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes), cmocka_unit_test(paths),     cmocka_unit_test(longest),
        cmocka_unit_test(xlong),     cmocka_unit_test(no_memory), cmocka_unit_test(comparison),
        cmocka_unit_test(texts),     cmocka_unit_test(patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
