/* test_gssapi.c: the acceptor and what needs no ticket. Exchanges with a real KDC are in tests/e2e/test_gssapi.py.
 */
#include "check.h"
#include "sasl/gssapi.h"
#include "sasl/test_keytab_bytes.h"

#include <stdlib.h>
#include <string.h>

#define CACHE "/nonexistent/replay.cache" /* no file before a ticket was accepted */

static struct gssapi_acceptor *acceptor(const char *service, unsigned enctype, enum err_code want)
{
    struct gssapi_acceptor *a = NULL;
    struct err err = {0};
    struct buf file;
    buf_init(&file, 4096);
    keytab_begin(&file);
    keytab_add(&file, service, "mail.example.com", enctype, 32, 1, true);
    CHECK_INT(err.text, gssapi_acceptor_new(buf_span(&file), CACHE, &a, &err), want);
    CHECK("either", !a == (want != ERR_NONE) && !err.text[0] == (want == ERR_NONE));
    buf_done(&file);
    return a;
}

static void test_acceptors(void **state)
{
    (void)state;
    acceptor("imap", 18, ERR_NOT_FOUND);
    acceptor("smtp", 23, ERR_NOT_FOUND);
    struct gssapi_acceptor *a = acceptor("smtp", 18, ERR_NONE), *b = acceptor("smtp", 20, ERR_NONE), *c = NULL;
    struct err err = {0};
    char path[4096] = {0};
    memset(path, 'p', sizeof path - 1);
    assert_int_equal(gssapi_acceptor_new(SPAN("no keytab"), CACHE, &c, &err), ERR_INVALID);
    struct gssapi_exchange *x = gssapi_exchange_new(a);
    gssapi_acceptor_unref(a); /* replaced while the exchange goes on */
    struct buf out;
    buf_init(&out, 100);
    assert_int_equal(gssapi_exchange_step(x, SPAN("\x60"), &out), GSSAPI_REFUSED);
    gssapi_exchange_free(x);
    gssapi_exchange_free(NULL);
    gssapi_acceptor_unref(b);
    gssapi_acceptor_unref(NULL);
    buf_done(&out);
}

/* Tokens that are none. A Kerberos token begins with 60, length, its OID, 01 00 and an AP-REQ. */
static const struct {
    const char *row;
    struct span token;
    enum gssapi_refusal refusal;
} tokens[] = {
    {"empty", SPAN_INIT(""), GSSAPI_BAD_MESSAGE},
    {"text", SPAN_INIT("hello"), GSSAPI_BAD_TICKET},
    {"NTLM", SPAN_INIT("NTLMSSP\0\1\0\0\0\0\0\0\0"), GSSAPI_BAD_TICKET},
    {"only the frame", SPAN_INIT("\x60\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"), GSSAPI_BAD_TICKET},
    {"a frame that lies", SPAN_INIT("\x60\x84\xff\xff\xff\xff\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"),
     GSSAPI_BAD_TICKET},
    {"an AP-REQ of noise", SPAN_INIT("\x60\x11\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\0\x6e\x02\x30\0"),
     GSSAPI_BAD_TICKET},
    {"SPNEGO", SPAN_INIT("\x60\x08\x06\x06\x2b\x06\x01\x05\x05\x02"), GSSAPI_BAD_TICKET},
};

static void test_tokens(void **state)
{
    (void)state;
    struct gssapi_acceptor *a = acceptor("smtp", 18, ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct buf out;
        struct gssapi_exchange *x = gssapi_exchange_new(a);
        buf_init(&out, 4096);
        CHECK_INT(tokens[i].row, gssapi_exchange_step(x, tokens[i].token, &out), GSSAPI_REFUSED);
        CHECK_INT(tokens[i].row, gssapi_exchange_refusal(x), tokens[i].refusal);
        CHECK_INT(tokens[i].row, out.len, 0);
        CHECK(tokens[i].row, gssapi_exchange_why(x)[0] && span_is_printable_ascii(span_of(gssapi_exchange_why(x))));
        CHECK_INT("over", gssapi_exchange_step(x, SPAN("again"), &out), GSSAPI_REFUSED);
        gssapi_exchange_free(x);
        buf_done(&out);
    }
    gssapi_acceptor_unref(a);
}

static void test_longest_token(void **state)
{
    (void)state;
    struct gssapi_acceptor *a = acceptor("smtp", 18, ERR_NONE);
    static char noise[GSSAPI_TOKEN_MAX + 1];
    struct buf out;
    buf_init(&out, 4096);
    for (size_t over = 0; over < 2; over++) {
        struct gssapi_exchange *x = gssapi_exchange_new(a);
        assert_int_equal(gssapi_exchange_step(x, span_make(noise, GSSAPI_TOKEN_MAX + over), &out), GSSAPI_REFUSED);
        assert_int_equal(gssapi_exchange_refusal(x), over ? GSSAPI_BAD_MESSAGE : GSSAPI_BAD_TICKET);
        gssapi_exchange_free(x);
    }
    gssapi_acceptor_unref(a);
    buf_done(&out);
}

int main(void)
{
    setenv("KRB5_CONFIG", "/dev/null", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acceptors),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_longest_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
