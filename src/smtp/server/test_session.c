/* test_session.c: hello, sequence, TLS, AUTH, and the verbs without effect. */
#include "smtp/server/test_rows.h"

static void test_hello(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "all keywords, in their order",
         .bare = true,
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .replies =
             "250-mx.test Hello [192.0.2.1]\n250-SIZE 1000000\n250-PIPELINING\n250-DSN\n"
             "250-ENHANCEDSTATUSCODES\n250-STARTTLS\n250-8BITMIME\n250-BINARYMIME\n250-CHUNKING\n250 SMTPUTF8\n",
         .actions = ""},
        {.name = "AUTH in the clear",
         .bare = true,
         .script = SPAN_INIT("ehlo c.test\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED,
                     .auth_before_tls = row_mechanisms,
                     .auth_before_tls_count = 1,
                     .size_mode = SMTP_SIZE_NO_VALUE,
                     .max_message_size = 5,
                     .binary_mime = true},
         .replies = "250-mx.test Hello [192.0.2.1]\n250-SIZE\n250 AUTH LOGIN\n"},
        {.name = "AUTH under implicit TLS",
         .bare = true,
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED,
                     .auth_after_tls = row_mechanisms,
                     .auth_after_tls_count = 2,
                     .tls_active = true,
                     .starttls_available = true,
                     .size_mode = SMTP_SIZE_VALUE},
         .replies = "250-mx.test Hello [192.0.2.1]\n250-SIZE\n250 AUTH LOGIN PLAIN\n"},
        {.name = "nothing offered",
         .bare = true,
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED},
         .replies = "250 mx.test Hello [192.0.2.1]\n"},
        {.name = "banner",
         .bare = true,
         .script = SPAN_INIT(""),
         .profile = {ROW_PROFILE, .banner = SPAN_INIT("220 by order of the reeve")},
         .replies = "220 by order of the reeve\n"},
        {.name = "HELO has one line", .bare = true, .script = SPAN_INIT("HELO c\r\n"), .replies = ROW_HELLO},
        {.name = "names",
         .bare = true,
         .script = SPAN_INIT(
             "EHLO foo<bar\r\nEHLO a b\r\nEHLO (x)\r\nHELO \xc3\xbc.test\r\nHELO \x01\r\nHELO [1.2.3.400]\r\n"
             "HELO [192.0.2.9]\r\nHELO [IPv6:2001:db8::1]\r\nHELO my_host\r\nHELO c.test \r\nHELO\r\n"),
         .replies = "501 5.5.4 Invalid domain name\n501 5.5.4 Invalid domain name\n501 5.5.4 Invalid domain name\n"
                    "501 5.5.4 Invalid domain name\n501 5.5.4 Invalid domain name\n501 5.5.4 Invalid domain "
                    "name\n" ROW_HELLO ROW_HELLO ROW_HELLO ROW_HELLO ROW_HELLO},
        {.name = "a name is required",
         .bare = true,
         .script =
             SPAN_INIT("EHLO\r\nHELO \r\nMAIL FROM:<a@far.test>\r\nHELO c.test\r\nMAIL FROM:<a@far.test>\r\n"),
         .profile = {ROW_PROFILE, .require_ehlo_domain = true},
         .replies =
             "501 5.5.4 Invalid domain name\n501 5.5.4 Invalid domain name\n503 5.5.2 Send hello first\n" ROW_HELLO
             "250 2.1.0 Sender OK\n"},
        {.name = "a bad hello changes nothing",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nHELO (x)\r\nRCPT TO:<b@near.test>\r\n"),
         .replies = "250 2.1.0 Sender OK\n501 5.5.4 Invalid domain name\n250 2.1.5 Recipient OK\n"},
        {.name = "a good one ends the transaction",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nHELO c\r\nRCPT TO:<b@near.test>\r\n"),
         .replies = "250 2.1.0 Sender OK\n" ROW_HELLO "503 5.5.2 Need mail command\n"},
        {.name = "hello first",
         .bare = true,
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nRCPT TO:<b@near.test>\r\nDATA\r\nAUTH LOGIN\r\nSTARTTLS\r\n"
                             "BDAT 6\r\nNOOP\r\nNOOP\r\nRSET\r\n"),
         .replies = "503 5.5.2 Send hello first\n503 5.5.2 Send hello first\n503 5.5.2 Send hello first\n"
                    "503 5.5.2 Send hello first\n503 5.5.2 Send hello first\n503 5.5.2 Send hello first\n"
                    "250 2.0.0 OK\n250 2.0.0 Resetting\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_commands(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "other verbs",
         .script =
             SPAN_INIT("NOOP\r\nnoop x y\r\nRSET\r\nRSET x\r\nHELP\r\nHELP MAIL\r\nEXPN x\r\nQUITX\r\nWIZ\r\n\r\n"
                       " NOOP\r\nQUIT\r\n"),
         .replies = "250 2.0.0 OK\n250 2.0.0 OK\n250 2.0.0 Resetting\n501 5.5.4 No argument is allowed here\n"
                    "214 2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\n"
                    "214 2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\n"
                    "502 5.5.1 EXPN is not offered here\n500 5.3.3 Unrecognized command\n"
                    "500 5.3.3 Unrecognized command\n500 5.3.3 Unrecognized command\n"
                    "500 5.3.3 Unrecognized command\n221 2.0.0 Service closing transmission channel\n"},
        {.name = "nothing is run behind QUIT",
         .script = SPAN_INIT("QUIT\r\nNOOP\r\n"),
         .replies = "221 2.0.0 Service closing transmission channel\n",
         .actions = "[close]\n"},
        {.name = "VRFY",
         .script = SPAN_INIT("VRFY\r\nVRFY bob\r\nVRFY refuse\r\nVRFY defer\r\n"),
         .replies = "501 5.5.4 An argument is missing\n252 2.1.5 Cannot VRFY user\n550 5.7.1 Not you\n"
                    "451 4.3.0 Temporary server error, please try again later\n"},
        {.name = "without enhanced codes",
         .script = SPAN_INIT("NOOP\r\nWIZ\r\nMAIL FROM:<refuse@far.test>\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED},
         .replies = "250 OK\n500 Unrecognized command\n550 Not you\n"},
        {.name = "lines that are none",
         .script = SPAN_INIT("NO\rOP\r\nNO\0OP\r\nNOOP\r\r\nNOOP\r\n"),
         .replies = "500 5.5.2 Syntax error: bare CR\n500 5.5.2 Syntax error: NUL character\n"
                    "500 5.5.2 Syntax error: bare CR\n250 2.0.0 OK\n"},
        {.name = "what follows a bare LF belongs to the refused line",
         .script = SPAN_INIT("NOOP\nMAIL FROM:<a@far.test>\r\nNOOP\r\n"),
         .replies = "500 5.5.2 Syntax error: bare LF\n500 5.5.2 Syntax error: bare LF\n250 2.0.0 OK\n",
         .actions = "[event bad line: bare LF]\n[event bad command: Syntax error: bare LF]\n"
                    "[event bad line: bare LF]\n[event bad command: Syntax error: bare LF]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_starttls(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "what was said in the clear is forgotten",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nSTARTTLS\r\nRCPT TO:<evil@far.test>\r\n\x1e"
                             "RCPT TO:<b@near.test>\r\nHELO c\r\nRCPT TO:<b@near.test>\r\n"),
         .replies = "250 2.1.0 Sender OK\n220 2.0.0 SMTP server ready\n503 5.5.2 Send hello first\n" ROW_HELLO
                    "503 5.5.2 Need mail command\n",
         .actions = "[mail <a@far.test>]\n[tls]\n[discarded 25]\n[event bad command: Send hello first]\n"
                    "[event bad command: Need mail command]\n"},
        {.name = "half a line behind it is discarded as well",
         .script = SPAN_INIT("STARTTLS\r\nNO\x1eHELO c\r\n"),
         .replies = "220 2.0.0 SMTP server ready\n" ROW_HELLO,
         .actions = "[tls]\n[discarded 2]\n"},
        {.name = "a logon in the clear is forgotten",
         .script = SPAN_INIT("AUTH PLAIN b2s=\r\nSTARTTLS\r\n\x1eHELO c\r\nAUTH PLAIN b2s=\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "235 2.7.0 Authentication successful\n220 2.0.0 SMTP server ready\n" ROW_HELLO
                    "235 2.7.0 Authentication successful\n"},
        {.name = "twice",
         .script = SPAN_INIT("STARTTLS\r\n\x1eHELO c\r\nSTARTTLS\r\n"),
         .replies = "220 2.0.0 SMTP server ready\n" ROW_HELLO "503 5.5.1 TLS is active already\n"},
        {.name = "not offered",
         .script = SPAN_INIT("STARTTLS\r\nNOOP\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED, .enhanced_status_codes = true},
         .replies = "502 5.5.1 STARTTLS is not offered here\n250 2.0.0 OK\n"},
        {.name = "REQUIRETLS, under TLS alone",
         .script =
             SPAN_INIT("EHLO c\r\nMAIL FROM:<a@far.test> REQUIRETLS\r\nSTARTTLS\r\n\x1e"
                       "EHLO c\r\nMAIL FROM:<a@far.test> REQUIRETLS=1\r\nMAIL FROM:<a@far.test> requiretls\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED,
                     .enhanced_status_codes = true,
                     .starttls_available = true,
                     .offers_require_tls = true},
         .replies = "250-mx.test Hello [192.0.2.1]\n250-ENHANCEDSTATUSCODES\n250 STARTTLS\n"
                    "555 5.5.4 Unsupported option: REQUIRETLS\n220 2.0.0 SMTP server ready\n"
                    "250-mx.test Hello [192.0.2.1]\n250-ENHANCEDSTATUSCODES\n250 REQUIRETLS\n"
                    "501 5.5.4 Invalid option: REQUIRETLS\n250 2.1.0 Sender OK\n",
         .actions = "[event bad command: Unsupported option: REQUIRETLS]\n[tls]\n"
                    "[event bad command: Invalid option: REQUIRETLS]\n[mail <a@far.test> requiretls]\n"},
        {.name = "REQUIRETLS where it is not offered",
         .script = SPAN_INIT("STARTTLS\r\n\x1e"
                             "EHLO c\r\nMAIL FROM:<a@far.test> REQUIRETLS\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED, .starttls_available = true},
         .replies = "220 SMTP server ready\n250 mx.test Hello [192.0.2.1]\n555 Unsupported option: REQUIRETLS\n"},
        {.name = "with an argument",
         .script = SPAN_INIT("STARTTLS now\r\n"),
         .replies = "501 5.5.4 No argument is allowed here\n"},
        {.name = "required",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nAUTH LOGIN\r\nVRFY x\r\nBDAT "
                             "6\r\nQUIT\r\nNOOP\r\nSTARTTLS\r\n\x1eHELO c\r\n"
                             "MAIL FROM:<a@far.test>\r\n"),
         .profile = {ROW_PROFILE, .require_tls = true},
         .replies = "530 5.7.0 Must issue a STARTTLS command first\n530 5.7.0 Must issue a STARTTLS command first\n"
                    "530 5.7.0 Must issue a STARTTLS command first\n530 5.7.0 Must issue a STARTTLS command first\n"
                    "250 2.0.0 OK\n220 2.0.0 SMTP server ready\n" ROW_HELLO "250 2.1.0 Sender OK\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_auth(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "refused before TLS, not only hidden",
         .script = SPAN_INIT("AUTH LOGIN\r\nAUTH PLAIN b2s=\r\nauth login\r\nAUTH\r\nMAIL FROM:<a@far.test>\r\n"),
         .replies =
             "504 5.7.4 Unrecognized authentication type\n504 5.7.4 Unrecognized authentication type\n"
             "504 5.7.4 Unrecognized authentication type\n501 5.5.4 An argument is missing\n250 2.1.0 Sender OK\n",
         .actions = "[event auth refused: ]\n[event auth refused: ]\n[event auth refused: ]\n"
                    "[event bad command: An argument is missing]\n[mail <a@far.test>]\n"},
        {.name = "under TLS",
         .script = SPAN_INIT("STARTTLS\r\n\x1eHELO c\r\nAUTH XOAUTH2 eA==\r\nauth plain b2s=\r\n"),
         .replies = "220 2.0.0 SMTP server ready\n" ROW_HELLO "504 5.7.4 Unrecognized authentication type\n"
                    "235 2.7.0 Authentication successful\n",
         .actions = "[tls]\n[event auth refused: ]\n[auth PLAIN =ok]\n"},
        {.name = "no mechanism at all",
         .script = SPAN_INIT("AUTH LOGIN\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED, .enhanced_status_codes = true},
         .replies = "504 5.7.4 Unrecognized authentication type\n"},
        {.name = "steps",
         .script = SPAN_INIT("AUTH LOGIN\r\nbW9yZQ==\r\n\r\nAUTH LOGIN\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "334 UGFzc3dvcmQ6\n334 UGFzc3dvcmQ6\n235 2.7.0 Authentication successful\n"
                    "503 5.5.2 Already authenticated\n",
         .actions = "[auth LOGIN]\n[step more]\n[step ]\n[event bad command: Already authenticated]\n"},
        {.name = "an empty initial response is not none",
         .script = SPAN_INIT("AUTH PLAIN =\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "235 2.7.0 Authentication successful\n",
         .actions = "[auth PLAIN =]\n"},
        {.name = "cancelled",
         .script = SPAN_INIT("AUTH LOGIN\r\n*\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "334 UGFzc3dvcmQ6\n501 5.7.0 Authentication cancelled\n250 2.0.0 OK\n",
         .actions = "[auth LOGIN]\n[auth cancel]\n"},
        {.name = "not base64",
         .script = SPAN_INIT("AUTH LOGIN *\r\nAUTH LOGIN b2s\r\nAUTH LOGIN\r\nsecret word\r\nAUTH LOGIN\r\n=\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "501 5.5.2 Cannot decode the response: it is not base64\n"
                    "501 5.5.2 Cannot decode the response: it is not base64\n334 UGFzc3dvcmQ6\n"
                    "501 5.5.2 Cannot decode the response: it is not base64\n334 UGFzc3dvcmQ6\n"
                    "501 5.5.2 Cannot decode the response: it is not base64\n",
         .actions =
             "[event bad command: Cannot decode the response: it is not base64]\n"
             "[event bad command: Cannot decode the response: it is not base64]\n[auth LOGIN]\n[auth cancel]\n"
             "[event bad command: Cannot decode the response: it is not base64]\n[auth LOGIN]\n[auth cancel]\n"
             "[event bad command: Cannot decode the response: it is not base64]\n"},
        {.name = "a defective line ends the exchange, and is not shown",
         .script = SPAN_INIT("AUTH LOGIN\r\nc2Vj\ncmV0\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies =
             "334 UGFzc3dvcmQ6\n500 5.5.2 Syntax error: bare LF\n500 5.5.2 Syntax error: bare LF\n250 2.0.0 OK\n",
         .actions =
             "[auth LOGIN]\n[auth cancel]\n[event bad line: bare LF]\n[event bad command: Syntax error: bare LF]\n"
             "[event bad line: bare LF]\n[event bad command: Syntax error: bare LF]\n"},
        {.name = "a password behind a refused AUTH is not shown",
         .script = SPAN_INIT("AUTH LOGIN\r\nc2VjcmV0\r\n"),
         .replies = "504 5.7.4 Unrecognized authentication type\n500 5.3.3 Unrecognized command\n",
         .actions = "[event auth refused: ]\n[event bad command: Unrecognized command]\n"},
        {.name = "failed, unavailable, refused by policy",
         .script = SPAN_INIT(
             "AUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN ZGVmZXI=\r\nAUTH PLAIN cmVmdXNl\r\nAUTH PLAIN bm9uc2Vuc2U=\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "535 5.7.3 Authentication unsuccessful\n454 4.7.0 Temporary authentication failure\n550 5.7.1 "
                    "Not you\n"
                    "454 4.7.0 Temporary authentication failure\n",
         .actions =
             "[auth PLAIN =wrong]\n[event auth failed: PLAIN]\n[auth PLAIN =defer]\n[event auth failed: PLAIN]\n"
             "[auth PLAIN =refuse]\n[event auth failed: PLAIN]\n[auth PLAIN =nonsense]\n"
             "[event bad answer: neither a refusal nor an answer to what was asked]\n[event auth failed: PLAIN]\n"},
        {.name = "not during a transaction",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nAUTH PLAIN b2s=\r\nRSET\r\nAUTH PLAIN b2s=\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "250 2.1.0 Sender OK\n503 5.5.2 Not during a mail transaction\n250 2.0.0 Resetting\n"
                    "235 2.7.0 Authentication successful\n"},
        {.name = "logged on stays logged on over RSET and EHLO",
         .script = SPAN_INIT("AUTH PLAIN b2s=\r\nRSET\r\nHELO c\r\nAUTH PLAIN b2s=\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "235 2.7.0 Authentication successful\n250 2.0.0 Resetting\n" ROW_HELLO
                    "503 5.5.2 Already authenticated\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_reject(void **state)
{
    (void)state;
    const struct smtp_server_profile profile = {ROW_PROFILE};
    const struct smtp_reply full =
        SMTP_REPLY(421, "4.3.2", "The maximum number of concurrent connections has exceeded a limit");
    struct test_driver d = {.now = 5};
    buf_init(&d.replies, 1000);
    buf_init(&d.actions, 1000);
    d.server = smtp_server_new(&profile, &driver_output, &d, 5);
    assert_non_null(d.server);
    smtp_server_reject(d.server, &full, 5);
    CHECK_SPAN("reject", buf_span(&d.replies),
               SPAN("421 4.3.2 The maximum number of concurrent connections has exceeded a limit\n"));
    CHECK("reject", d.closed && !smtp_server_wants_input(d.server));
    CHECK_INT("reject", smtp_server_feed(d.server, SPAN("NOOP\r\n"), 6), 0);
    driver_end(&d);
}

static void test_facts(void **state)
{
    (void)state;
    const struct smtp_server_profile profile = {ROW_PROFILE_AUTH, .fqdn = SPAN("mx.test")};
    struct test_driver d;
    driver_play(&d, &(struct test_play){.profile = &profile,
                                        .script = SPAN("EHLO C.Test\r\nSTARTTLS\r\n\x1e"
                                                       "EHLO d.test\r\nAUTH PLAIN b2s=\r\n" ENVELOPE)});
    CHECK_SPAN("helo", smtp_server_helo(d.server), SPAN("d.test"));
    CHECK("esmtp", smtp_server_esmtp(d.server) && smtp_server_tls(d.server) && smtp_server_authenticated(d.server));
    const struct smtp_envelope *e = smtp_server_envelope(d.server);
    assert_non_null(e);
    CHECK_SPAN("sender", e->mail.address.text, SPAN("a@far.test"));
    CHECK_SPAN("sender's domain", e->mail.address.domain, SPAN("far.test"));
    CHECK_SPAN("recipient", e->recipients->address.local, SPAN("b"));
    driver_turn(&d, SPAN("RSET\r\nHELO x\r\n"), 0);
    CHECK("reset", !smtp_server_envelope(d.server) && !smtp_server_esmtp(d.server));
    driver_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello), cmocka_unit_test(test_commands), cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_auth),  cmocka_unit_test(test_reject),   cmocka_unit_test(test_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
