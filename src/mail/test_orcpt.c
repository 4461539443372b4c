/* ORCPT: what is printed, what a client's value stands for, and that the one leads back from the other. */
#include "check.h"

#include "mail/orcpt.h"

static const struct {
    const char *name, *address, *printed;
} prints[] = {
    {"plain", "bob@example.com", "rfc822;bob@example.com"},
    {"plus and equals", "bob+x=y@example.com", "rfc822;bob+2Bx+3Dy@example.com"},
    {"quoted", "\"a b\"@example.com", "rfc822;\"a+20b\"@example.com"},
    {"case is kept", "Bob@Example.COM", "rfc822;Bob@Example.COM"},
    {"control", "a\tb@x", "rfc822;a+09b@x"},
    {"beyond ASCII", "j\xc3\xb6rg@b\xc3\xbc.example", "utf-8;j\\x{F6}rg@b\\x{FC}.example"},
    {"beyond the first plane", "\xf0\x9f\x98\x80+\\=@x", "utf-8;\\x{1F600}\\x{2B}\\x{5C}\\x{3D}@x"},
    {"not UTF-8", "\xff@x", "utf-8;?@x"},
};

static void printing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(prints); i++) {
        struct buf b;
        buf_init(&b, 1000);
        orcpt_print(&b, span_of(prints[i].address));
        CHECK_SPAN(prints[i].name, buf_span(&b), span_of(prints[i].printed));
        buf_done(&b);
    }
}

static const struct {
    const char *name, *orcpt, *type, *address; /* type NULL: none */
} parses[] = {
    {"plain", "rfc822;bob@example.com", "rfc822", "bob@example.com"},
    {"xtext", "rfc822;bob+2Bx+3dy@example.com", "rfc822", "bob+x=y@example.com"},
    {"another type", "x400;/C=de;/S=x", "x400", "/C=de;/S=x"},
    {"nothing behind it", "rfc822;", "rfc822", ""},
    {"not xtext", "rfc822;a+b+4@x+", "rfc822", "a+b+4@x+"},
    {"no type", "bob@example.com", NULL, ""},
    {"nothing", "", NULL, ""},
};

static void parsing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parses); i++) {
        struct span type = SPAN("");
        struct buf b;
        buf_init(&b, 1000);
        CHECK(parses[i].name, orcpt_parse(span_of(parses[i].orcpt), &type, &b) == (parses[i].type != NULL));
        CHECK_SPAN(parses[i].name, type, span_of(parses[i].type ? parses[i].type : ""));
        CHECK_SPAN(parses[i].name, buf_span(&b), span_of(parses[i].address));
        buf_done(&b);
    }
}

/* Every octet of ASCII survives. */
static void round_trip(void **state)
{
    (void)state;
    char address[127];
    struct span type;
    struct buf printed, parsed;
    for (size_t i = 0; i < sizeof address; i++)
        address[i] = (char)(i + 1);
    buf_init(&printed, 1000);
    buf_init(&parsed, 1000);
    orcpt_print(&printed, span_make(address, sizeof address));
    for (size_t i = 0; i < printed.len; i++)
        assert_true(printed.ptr[i] > 0x20 && printed.ptr[i] < 0x7f && printed.ptr[i] != '=');
    assert_true(orcpt_parse(buf_span(&printed), &type, &parsed));
    CHECK_SPAN("round trip", buf_span(&parsed), span_make(address, sizeof address));
    buf_done(&printed);
    buf_done(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing),
        cmocka_unit_test(parsing),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
