/* test_first.c: what is TLS, what is text, and what is neither, down to a single octet. */
#include "check.h"
#include "smtp/first.h"

#define S(text)                                                                                                    \
    {                                                                                                              \
        text, sizeof(text) - 1                                                                                     \
    }

static const struct {
    const char *name;
    struct span octets;
    bool tls, text;
} rows[] = {
    {"nothing", S(""), false, false},
    {"a hello of TLS 1.3", S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), true, false},
    {"of TLS 1.0", S("\x16\x03\x01\x00\x40\x01"), true, false},
    {"of SSL 3", S("\x16\x03\x00\x00\x40\x01"), true, false},
    {"one octet of it", S("\x16"), true, false},
    {"two", S("\x16\x03"), true, false},
    {"another handshake message", S("\x16\x03\x01\x00\x40\x02"), false, false},
    {"another major version", S("\x16\x02\x01\x00\x40\x01"), false, false},
    {"another minor version", S("\x16\x03\x05\x00\x40\x01"), false, false},
    {"an alert", S("\x15\x03\x01\x00\x02\x02\x28"), false, false},
    {"SSL 2", S("\x80\x2e\x01\x00\x02"), true, false},
    {"TLS in SSL 2's form", S("\x80\x2e\x01\x03\x01"), true, false},
    {"cut before it is certain", S("\x80\x2e\x01"), false, false},
    {"EHLO", S("EHLO client.test\r\n"), false, true},
    {"a letter", S("E"), false, true},
    {"a line end", S("\r\n"), false, true},
    {"HTTP", S("GET / HTTP/1.1\r\n"), false, true},
    {"NUL", S("EHLO\0x"), false, false},
    {"8-bit", S("EHLO m\xc3\xbc"), false, false},
    {"8-bit far behind", S("EHLO 0123456789abcdef\xff"), false, true},
    {"zeros", S("\0\0\0\0\0\0"), false, false},
};

static void test_rows(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].name, first_is_tls(rows[i].octets), rows[i].tls);
        CHECK_INT(rows[i].name, first_is_text(rows[i].octets), rows[i].text);
    }
}

/* Never both; and every beginning of a hello is one. */
static void test_properties(void **state UNUSED)
{
    char octets[6];
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++)
            for (unsigned c = 0; c < 8; c++) {
                octets[0] = (char)a;
                octets[1] = (char)b;
                octets[2] = (char)c;
                octets[3] = octets[4] = 3;
                octets[5] = (char)c;
                struct span s = span_make(octets, sizeof octets);
                assert_false(first_is_tls(s) && first_is_text(s));
                for (size_t n = 1; n < s.len && a == 0x16 && first_is_tls(s); n++)
                    assert_true(first_is_tls(span_head(s, n)));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
