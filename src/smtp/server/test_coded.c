/* Which replies end with a code: what the policy or a limit refuses, and nothing else. */
#include "check.h"

#include "smtp/server/test_driver.h"

static const struct span offered[] = {SPAN_INIT("PLAIN")};

#define ENVELOPE "EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@a.test>\r\n"

static const struct {
    const char *name, *script;
    struct smtp_server_profile profile;
    const char *line; /* the last reply, without its text behind the code */
    size_t refusals;
} rows[] = {
    {"an answer",
     "EHLO a\r\nMAIL FROM:<refuse@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx")},
     "550 5.7.1 Not you [mr-1]\n",
     1},
    {"each has its own",
     "EHLO a\r\nMAIL FROM:<refuse@a.test>\r\nMAIL FROM:<refuse@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx")},
     "550 5.7.1 Not you [mr-2]\n",
     2},
    {"cannot be said now",
     "EHLO a\r\nMAIL FROM:<defer@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx")},
     "451 4.3.0 Temporary server error, please try again later [mr-1]\n",
     1},
    {"TLS is missing",
     "EHLO a\r\nMAIL FROM:<a@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx"), .require_tls = true, .max_protocol_errors = SMTP_UNLIMITED},
     "530 5.7.0 Must issue a STARTTLS command first [mr-1]\n",
     1},
    {"a wrong password",
     "EHLO a\r\nAUTH PLAIN d3Jvbmc=\r\n",
     {.fqdn = SPAN_INIT("mx"), .auth_before_tls = offered, .auth_before_tls_count = 1},
     "535 5.7.3 Authentication unsuccessful [mr-1]\n",
     1},
    {"no such mechanism",
     "EHLO a\r\nAUTH LOGIN\r\n",
     {.fqdn = SPAN_INIT("mx")},
     "504 5.7.4 Unrecognized authentication type [mr-1]\n",
     1},
    {"a limit",
     ENVELOPE "RCPT TO:<c@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx"), .max_recipients = 1},
     "452 4.5.3 Too many recipients [mr-1]\n",
     1},
    {"too many errors",
     "WIZ\r\n",
     {.fqdn = SPAN_INIT("mx")},
     "421 4.7.0 Too many errors on this connection, closing transmission channel [mr-1]\n",
     1},
    {"the content", ENVELOPE "DATA\r\na\nb\r\n.\r\n", {.fqdn = SPAN_INIT("mx")}, NULL, 1},
    {"an unknown command has none",
     "WIZ\r\n",
     {.fqdn = SPAN_INIT("mx"), .max_protocol_errors = SMTP_UNLIMITED},
     "500 5.3.3 Unrecognized command\n",
     0},
    {"one out of order has none",
     "RCPT TO:<a@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx"), .max_protocol_errors = SMTP_UNLIMITED},
     "503 5.5.2 Send hello first\n",
     0},
    {"what is accepted has none",
     "EHLO a\r\nMAIL FROM:<a@a.test>\r\n",
     {.fqdn = SPAN_INIT("mx")},
     "250 2.1.0 Sender OK\n",
     0},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int coded = 0; coded < 2; coded++) {
            struct smtp_server_profile p = rows[i].profile;
            struct test_driver d;
            p.enhanced_status_codes = true;
            driver_play(&d, &(struct test_play){.profile = &p, .script = span_of(rows[i].script), .coded = coded});
            CHECK_INT(rows[i].name, d.refusals, rows[i].refusals);
            if (coded && rows[i].line)
                CHECK(rows[i].name, span_ends(buf_span(&d.replies), span_of(rows[i].line)));
            CHECK_INT(rows[i].name, driver_has(buf_span(&d.replies), "[mr-"), coded && rows[i].refusals);
            driver_end(&d);
        }
}

/* However long the text, the code is there, and the line is one. */
static void long_text(void **state)
{
    (void)state;
    static char text[600];
    memset(text, 'x', sizeof text - 1);
    const struct smtp_server_profile p = {.fqdn = SPAN("mx"), .enhanced_status_codes = true};
    struct test_driver d;
    driver_play(
        &d, &(struct test_play){.profile = &p, .script = SPAN("EHLO a\r\nMAIL FROM:<a@a.test>"), .coded = true});
    d.refusal_text = span_of(text);
    driver_turn(&d, SPAN("\r\n"), 0);
    struct span last = buf_span(&d.replies);
    last = span_from(last, span_rfind(span_head(last, last.len - 1), '\n') + 1);
    CHECK("one line", last.len <= SMTP_REPLY_MAX && span_ends(last, SPAN(" [mr-1]\n")));
    driver_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(long_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
