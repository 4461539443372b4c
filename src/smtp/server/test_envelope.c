/* test_envelope.c: MAIL and RCPT: addresses, options, answers, what is pipelined behind a refusal. */
#include "smtp/server/test_rows.h"

static void test_mail(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "good ones",
         .script = SPAN_INIT(
             "MAIL FROM:<a@Far.Test>\r\nRSET\r\nmail from:<>\r\nRSET\r\nMAIL FROM: <a@far.test>\r\nRSET\r\n"
             "MAIL FROM:<\"a b\"@far.test> \r\nRSET\r\nMAIL FROM:<@x.test,@y.test:a@far.test>\r\nRSET\r\n"
             "MAIL FROM:<a%b!c@far.test>\r\n"),
         .actions =
             "[mail <a@far.test>]\n[mail <>]\n[mail <a@far.test>]\n[mail <\"a b\"@far.test>]\n[mail <a@far.test>]\n"
             "[mail <a%b!c@far.test>]\n"},
        {.name = "syntax",
         .script =
             SPAN_INIT("MAIL\r\nMAIL FROM\r\nMAIL TO:<a@far.test>\r\nMAIL FROM:\r\nMAIL FROM:a@far.test\r\n"
                       "MAIL FROM:<a@far.test\r\nMAIL FROM:<a@>\r\nMAIL FROM:<@far.test>\r\nMAIL FROM:<a>\r\n"
                       "MAIL FROM:  <a@far.test>\r\nMAIL FROM:<a@far.test>SIZE=5\r\nMAIL FROM:<a b@far.test>\r\n"),
         .replies = "501 5.5.4 Syntax: MAIL FROM:<address>\n501 5.5.4 Syntax: MAIL FROM:<address>\n"
                    "501 5.5.4 Syntax: MAIL FROM:<address>\n501 5.1.7 Invalid address\n501 5.1.7 Invalid address\n"
                    "501 5.1.7 Invalid address\n501 5.1.7 Invalid address\n501 5.1.7 Invalid address\n"
                    "501 5.1.7 Invalid address\n501 5.1.7 Invalid address\n501 5.1.7 Invalid address\n"
                    "501 5.1.7 Invalid address\n"},
        {.name = "twice",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nMAIL FROM:<b@far.test>\r\nRCPT TO:<b@near.test>\r\n"),
         .replies = "250 2.1.0 Sender OK\n503 5.5.2 Not during a mail transaction\n250 2.1.5 Recipient OK\n"},
        {.name = "completed by the default domain",
         .script = SPAN_INIT("MAIL FROM:<root>\r\nRCPT TO:<postmaster>\r\nRCPT TO:<b>\r\nRCPT TO:<b@x.test>\r\n"),
         .profile = {ROW_PROFILE, .default_domain = SPAN_INIT("near.test")},
         .actions =
             "[mail <root@near.test>]\n[rcpt <postmaster@near.test>]\n[rcpt <b@near.test>]\n[rcpt <b@x.test>]\n"},
        {.name = "answers",
         .script = SPAN_INIT(
             "MAIL FROM:<refuse@far.test>\r\nMAIL FROM:<defer@far.test>\r\nMAIL FROM:<nonsense@far.test>\r\n"
             "MAIL FROM:<bare@far.test>\r\nMAIL FROM:<multiline@far.test>\r\nMAIL FROM:<wrong@far.test>\r\n"),
         .replies = "550 5.7.1 Not you\n451 4.3.0 Temporary server error, please try again later\n"
                    "451 4.3.0 Temporary server error, please try again later\n550 \n550 5.7.1 one  two ??\n"
                    "451 4.3.0 Temporary server error, please try again later\n",
         .actions = "[mail <refuse@far.test>]\n[mail <defer@far.test>]\n[mail <nonsense@far.test>]\n"
                    "[event bad answer: neither a refusal nor an answer to what was asked]\n"
                    "[mail <bare@far.test>]\n[mail <multiline@far.test>]\n[mail <wrong@far.test>]\n"
                    "[event bad answer: neither a refusal nor an answer to what was asked]\n"},
        {.name = "421 ends the session",
         .script = SPAN_INIT("MAIL FROM:<goaway@far.test>\r\nNOOP\r\n"),
         .replies = "421 4.4.2 Message submission rate for this client has exceeded the configured limit\n",
         .actions = "[mail <goaway@far.test>]\n[close]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_mail_options(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "all of them",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>  SIZE=1000000 body=BINARYMIME RET=full ENVID=q+2Bx AUTH=<> "
                             "SMTPUTF8\r\nRSET\r\n"
                             "MAIL FROM:<a@far.test> AUTH=e+3Dmc2@X.test RET=HDRS BODY=8bitmime\r\nRSET\r\n"
                             "MAIL FROM:<a@far.test> BODY=7BIT\r\n"),
         .actions = "[mail <a@far.test> size=1000000 binary full utf8 envid=q+2Bx auth=<>]\n"
                    "[mail <a@far.test> 8bit hdrs auth=e=mc2@x.test]\n[mail <a@far.test>]\n"},
        {.name = "unknown",
         .script = SPAN_INIT("MAIL FROM:<a@far.test> FOO=1\r\nMAIL FROM:<a@far.test> BAR\r\nMAIL FROM:<a@far.test> "
                             "NOTIFY=NEVER\r\n"),
         .replies = "555 5.5.4 Unsupported option: FOO\n555 5.5.4 Unsupported option: BAR\n555 5.5.4 Unsupported "
                    "option: NOTIFY\n"},
        {.name = "not offered",
         .script = SPAN_INIT("MAIL FROM:<a@far.test> SIZE=1\r\nMAIL FROM:<a@far.test> BODY=8BITMIME\r\nMAIL "
                             "FROM:<a@far.test> RET=FULL\r\n"
                             "MAIL FROM:<a@far.test> ENVID=x\r\nMAIL FROM:<a@far.test> AUTH=<>\r\nMAIL "
                             "FROM:<a@far.test> SMTPUTF8\r\n"
                             "MAIL FROM:<\xc3\xbc@far.test>\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED, .enhanced_status_codes = true},
         .replies = "555 5.5.4 Unsupported option: SIZE\n555 5.5.4 Unsupported option: BODY\n555 5.5.4 Unsupported "
                    "option: RET\n"
                    "555 5.5.4 Unsupported option: ENVID\n555 5.5.4 Unsupported option: AUTH\n"
                    "555 5.5.4 Unsupported option: SMTPUTF8\n501 5.1.7 Invalid address\n"},
        {.name = "BINARYMIME needs CHUNKING",
         .script = SPAN_INIT("MAIL FROM:<a@far.test> BODY=BINARYMIME\r\nMAIL FROM:<a@far.test> BODY=8BITMIME\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED,
                     .enhanced_status_codes = true,
                     .binary_mime = true,
                     .eight_bit_mime = true},
         .replies = "555 5.5.4 Unsupported option: BODY\n250 2.1.0 Sender OK\n"},
        {.name = "bad values",
         .script = SPAN_INIT(
             "MAIL FROM:<a@far.test> SIZE=-1\r\nMAIL FROM:<a@far.test> SIZE\r\nMAIL FROM:<a@far.test> SIZE=\r\n"
             "MAIL FROM:<a@far.test> SIZE=1 SIZE=2\r\nMAIL FROM:<a@far.test> BODY=X\r\nMAIL FROM:<a@far.test> "
             "RET=x\r\n"
             "MAIL FROM:<a@far.test> ENVID=+0A\r\nMAIL FROM:<a@far.test> SMTPUTF8=1\r\n"
             "MAIL FROM:<a@far.test> AUTH=x\r\nMAIL FROM:<a@far.test> =1\r\nMAIL FROM:<a@far.test> -X\r\n"
             "MAIL FROM:<a@far.test> SIZE=000000000000000000001\r\n"),
         .replies =
             "501 5.5.4 Invalid option: SIZE\n501 5.5.4 Invalid option: SIZE\n501 5.5.4 Invalid option: SIZE=\n"
             "501 5.5.4 Invalid option: SIZE\n501 5.5.4 Invalid option: BODY\n501 5.5.4 Invalid option: RET\n"
             "501 5.5.4 Invalid option: ENVID\n501 5.5.4 Invalid option: SMTPUTF8\n501 5.5.4 Invalid option: AUTH\n"
             "501 5.5.4 Invalid option: =1\n501 5.5.4 Invalid option: -X\n501 5.5.4 Invalid option: SIZE\n"},
        {.name = "AUTH= takes what was encoded, however long",
         .script = SPAN_INIT("MAIL FROM:<a@far.test> AUTH=+61+61+61+61@far.test\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .actions = "[mail <a@far.test> auth=aaaa@far.test]\n"},
        {.name = "declared size, at the limit and beyond",
         .script = SPAN_INIT(
             "MAIL FROM:<a@far.test> SIZE=1000001\r\nMAIL FROM:<a@far.test> SIZE=18446744073709551616\r\n"
             "MAIL FROM:<bypass@far.test> SIZE=1000001\r\nRSET\r\nMAIL FROM:<a@far.test> SIZE=1000000\r\n"),
         .replies =
             "552 5.3.4 Message size exceeds fixed maximum message size\n"
             "552 5.3.4 Message size exceeds fixed maximum message size\n250 2.1.0 Sender OK\n250 2.0.0 Resetting\n"
             "250 2.1.0 Sender OK\n"},
        {.name = "addresses beyond ASCII",
         .script = SPAN_INIT(
             "MAIL FROM:<\xc3\xbc@far.test>\r\nMAIL FROM:<\xc3\xbc@far.test> SMTPUTF8\r\nRCPT "
             "TO:<\xc3\xbc@near.test>\r\n"
             "RSET\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<\xc3\xbc@near.test>\r\nRCPT TO:<\xff@near.test>\r\n"),
         .replies =
             "553 5.6.7 The address needs the option SMTPUTF8\n250 2.1.0 Sender OK\n250 2.1.5 Recipient OK\n"
             "250 2.0.0 Resetting\n250 2.1.0 Sender OK\n553 5.6.7 The address needs the option SMTPUTF8 with MAIL\n"
             "501 5.1.3 Invalid address\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_rcpt(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "good ones",
         .script =
             SPAN_INIT("MAIL FROM:<>\r\nRCPT TO:<b@near.test>\r\nrcpt to: <b@near.test>\r\nRCPT TO:<postmaster>\r\n"
                       "RCPT TO:<b@near.test> NOTIFY=success,DELAY ORCPT=rfc822;b+2B@near.test\r\n"
                       "RCPT TO:<b@near.test> NOTIFY=NEVER\r\n"),
         .actions = "[mail <>]\n[rcpt <b@near.test>]\n[rcpt <b@near.test>]\n[rcpt <postmaster>]\n"
                    "[rcpt <b@near.test> notify=10 orcpt=rfc822;b+2B@near.test]\n[rcpt <b@near.test> notify=1]\n"},
        {.name = "syntax",
         .script = SPAN_INIT(
             "RCPT TO:<b@near.test>\r\nMAIL FROM:<>\r\nRCPT\r\nRCPT FROM:<x@y.z>\r\nRCPT TO:<>\r\nRCPT TO:<b>\r\n"
             "RCPT TO:<b@near.test> NOTIFY=NEVER,DELAY\r\nRCPT TO:<b@near.test> ORCPT=x\r\n"
             "RCPT TO:<b@near.test> ORCPT=rfc822;+0D\r\nRCPT TO:<b@near.test> SIZE=1\r\n"),
         .replies =
             "503 5.5.2 Need mail command\n250 2.1.0 Sender OK\n501 5.5.4 Syntax: RCPT TO:<address>\n"
             "501 5.5.4 Syntax: RCPT TO:<address>\n501 5.1.3 Invalid address\n501 5.1.3 Invalid address\n"
             "501 5.5.4 Invalid option: NOTIFY\n501 5.5.4 Invalid option: ORCPT\n501 5.5.4 Invalid option: ORCPT\n"
             "555 5.5.4 Unsupported option: SIZE\n"},
        {.name = "without DSN",
         .script = SPAN_INIT(
             "MAIL FROM:<>\r\nRCPT TO:<b@near.test> NOTIFY=NEVER\r\nRCPT TO:<b@near.test> ORCPT=rfc822;b@c.d\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED},
         .replies = "250 Sender OK\n555 Unsupported option: NOTIFY\n555 Unsupported option: ORCPT\n"},
        {.name = "answers",
         .script = SPAN_INIT("MAIL FROM:<>\r\nRCPT TO:<refuse@near.test>\r\nRCPT TO:<defer@near.test>\r\nRCPT "
                             "TO:<b@near.test>\r\n"),
         .replies =
             "250 2.1.0 Sender OK\n550 5.7.1 Not you\n451 4.3.0 Temporary server error, please try again later\n"
             "250 2.1.5 Recipient OK\n"},
        {.name = "too many: the message goes on with the others",
         .script = SPAN_INIT("MAIL FROM:<a@far.test>\r\nRCPT TO:<a@x.y>\r\nRCPT TO:<refuse@x.y>\r\nRCPT "
                             "TO:<b@x.y>\r\nRCPT TO:<c@x.y>\r\n"
                             "DATA\r\n.\r\n"),
         .profile = {ROW_PROFILE, .max_recipients = 2},
         .replies = "250 2.1.0 Sender OK\n250 2.1.5 Recipient OK\n550 5.7.1 Not you\n250 2.1.5 Recipient OK\n"
                    "452 4.5.3 Too many recipients\n" GO_AHEAD QUEUED,
         .actions =
             "[mail <a@far.test>]\n[rcpt <a@x.y>]\n[rcpt <refuse@x.y>]\n[rcpt <b@x.y>]\n[event limit: recipients]\n"
             "[begin]\n[end 0 for <a@x.y> <b@x.y>]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_pipelined(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "sequence",
         .script =
             SPAN_INIT("DATA\r\nMAIL FROM:<a@far.test>\r\nDATA\r\nDATA x\r\nRCPT TO:<b@near.test>\r\nDATA x\r\n"),
         .replies = "503 5.5.2 Need mail command\n250 2.1.0 Sender OK\n503 5.5.2 Need rcpt command\n503 5.5.2 Need "
                    "rcpt command\n"
                    "250 2.1.5 Recipient OK\n501 5.5.4 No argument is allowed here\n"},
        {.name = "behind a refused MAIL: no errors, although none is allowed",
         .script = SPAN_INIT("MAIL FROM:<refuse@far.test>\r\nRCPT TO:<b@near.test>\r\nDATA\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE},
         .no_errors = true,
         .replies = "550 5.7.1 Not you\n503 5.5.2 Need mail command\n503 5.5.2 Need mail command\n250 2.0.0 OK\n"},
        {.name = "behind refused recipients",
         .script = SPAN_INIT(
             "MAIL FROM:<a@far.test>\r\nRCPT TO:<refuse@near.test>\r\nDATA\r\nBDAT 4 LAST\r\nNOOPNOOP\r\n"),
         .profile = {ROW_PROFILE},
         .no_errors = true,
         .replies = "250 2.1.0 Sender OK\n550 5.7.1 Not you\n503 5.5.2 Need rcpt command\n503 5.5.2 Need rcpt "
                    "command\n250 2.0.0 OK\n",
         .actions = "[mail <a@far.test>]\n[rcpt <refuse@near.test>]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));

    /* Replies to a group leave together: greeting, HELO, the group while DATA is asked about, the reply to DATA. */
    const struct smtp_server_profile profile = {ROW_PROFILE, .fqdn = SPAN("mx.test")};
    struct test_driver d;
    driver_play(&d, &(struct test_play){.profile = &profile,
                                        .script = SPAN("HELO c\r\n\x1e" ENVELOPE
                                                       "RCPT TO:<c@x.y>\r\nRCPT TO:<d@x.y>\r\nDATA\r\n")});
    CHECK_INT("one group", d.writes, 4);
    driver_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_mail_options),
        cmocka_unit_test(test_rcpt),
        cmocka_unit_test(test_pipelined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
