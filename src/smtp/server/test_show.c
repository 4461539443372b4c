/* What of a client's lines may be shown: everything that is no secret, and nothing that could be one. */
#include "check.h"

#include "smtp/server/test_driver.h"

static const struct span offered[] = {SPAN_INIT("LOGIN"), SPAN_INIT("PLAIN")};

/* The lines that are shown for a script; the password is the word "secret", in the clear and as base64 (c2VjcmV0).
 */
static const struct {
    const char *name, *script, *expected;
} rows[] = {
    {"commands", "EHLO a.test\r\nMAIL FROM:<a@a.test> SIZE=10\r\nNOOP\r\n",
     "EHLO a.test\nMAIL FROM:<a@a.test> SIZE=10\nNOOP\n"},
    {"content is not shown",
     "EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@a.test>\r\nDATA\r\nsecret\r\n.\r\nQUIT\r\n",
     "EHLO a\nMAIL FROM:<a@a.test>\nRCPT TO:<b@a.test>\nDATA\nQUIT\n"},
    {"an initial response", "EHLO a\r\nAUTH PLAIN AHdyb25nAHNlY3JldA==\r\n",
     "EHLO a\nAUTH PLAIN (initial response not shown)\n"},
    {"a mechanism alone", "EHLO a\r\nauth login\r\n", "EHLO a\nAUTH LOGIN\n"},
    {"responses", "EHLO a\r\nAUTH LOGIN\r\nbW9yZQ==\r\nc2VjcmV0\r\n",
     "EHLO a\nAUTH LOGIN\n(authentication response not shown)\n(authentication response not shown)\n"},
    {"a cancelled exchange", "EHLO a\r\nAUTH LOGIN bW9yZQ==\r\n*\r\n",
     "EHLO a\nAUTH LOGIN (initial response not shown)\n*\n"},
    {"a mechanism that is not offered", "EHLO a\r\nAUTH CRAM-MD5\r\n", "EHLO a\nAUTH CRAM-MD5\n"},
    {"a password in the mechanism's place", "EHLO a\r\nAUTH secret\r\n", "EHLO a\nAUTH (argument not shown)\n"},
    {"what follows a refused AUTH", "EHLO a\r\nAUTH NTLM\r\nc2VjcmV0\r\n",
     "EHLO a\nAUTH NTLM\n(not a command: 8 octets)\n"},
    {"no command", "secret\r\n", "(not a command: 6 octets)\n"},
    {"not even a line", "AUTH PLAIN sec\nret\r\n", NULL},
};

static void table(void **state)
{
    (void)state;
    const struct smtp_server_profile profile = {.fqdn = SPAN("mx.test"),
                                                .auth_before_tls = offered,
                                                .auth_before_tls_count = ARRAY_LEN(offered),
                                                .max_protocol_errors = SMTP_UNLIMITED};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct test_driver d;
        driver_play(&d, &(struct test_play){.profile = &profile, .script = span_of(rows[i].script)});
        CHECK_INT(rows[i].name, driver_has(buf_span(&d.lines), "secret"), false);
        CHECK_INT(rows[i].name, driver_has(buf_span(&d.lines), "c2VjcmV0"), false);
        if (rows[i].expected)
            CHECK_SPAN(rows[i].name, buf_span(&d.lines), span_of(rows[i].expected));
        driver_end(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
