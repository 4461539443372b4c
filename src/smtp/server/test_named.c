/* test_named.c: refusals that name the limit behind them, whose it is, and what else a connector may allow. */
#include "smtp/server/test_rows.h"

#define NAMED      ROW_PROFILE, .connector = SPAN_INIT("Default mail")
#define NAMED_AUTH ROW_PROFILE_AUTH, .connector = SPAN_INIT("Default mail")
#define OF         " of \"Default mail\")\n"
#define TOO_MANY   "452 4.5.3 Too many recipients ("
#define TOO_LARGE  "552 5.3.4 Message size exceeds fixed maximum message size ("
#define TOO_LONG   "Invalid address (LongAddressesEnabled "

static void test_limits(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "errors",
         .script = SPAN_INIT("WIZ\r\nWIZ\r\n"),
         .profile = {NAMED, .max_protocol_errors = 1},
         .replies =
             "500 5.3.3 Unrecognized command\n500 5.3.3 Unrecognized command\n421 4.7.0 Too many errors on this "
             "connection, closing transmission channel (MaxProtocolErrors 1" OF,
         .actions = "[event bad command: Unrecognized command]\n[event bad command: Unrecognized command]\n"
                    "[event too many errors: MaxProtocolErrors 1 of \"Default mail\"]\n[close]\n"},
        {.name = "logon failures",
         .script = SPAN_INIT("AUTH PLAIN d3Jvbmc=\r\n"),
         .profile = {NAMED_AUTH, .max_logon_failures = 1},
         .replies = "535 5.7.3 Authentication unsuccessful\n421 4.7.0 Too many failed logon attempts, closing "
                    "transmission channel (MaxLogonFailures 1" OF},
        {.name = "the connection's time",
         .script = SPAN_INIT("\x1e!tick"),
         .profile = {NAMED, .connection_timeout_ms = 90000},
         .replies = "421 4.4.1 Connection timed out (ConnectionTimeout 00:01:30" OF,
         .actions = "[event timeout: ConnectionTimeout 00:01:30 of \"Default mail\"]\n[close]\n"},
        {.name = "inactivity",
         .script = SPAN_INIT("\x1e!tick"),
         .profile = {NAMED},
         .replies = "421 4.4.1 Connection timed out (ConnectionInactivityTimeout 00:05:00" OF},
        {.name = "recipients",
         .script = SPAN_INIT(ENVELOPE "RCPT TO:<c@near.test>\r\n"),
         .profile = {NAMED, .max_recipients = 1},
         .replies = ENVELOPE_REPLIES TOO_MANY "MaxRecipientsPerMessage 1" OF,
         .actions = ENVELOPE_ACTIONS "[event limit: MaxRecipientsPerMessage 1 of \"Default mail\"]\n"},
        {.name = "recipients, the organisation's is smaller",
         .script = SPAN_INIT(ENVELOPE "RCPT TO:<c@near.test>\r\n"),
         .profile = {NAMED, .max_recipients = 2, .organisation_max_recipients = 1},
         .replies = ENVELOPE_REPLIES TOO_MANY "MaxRecipientEnvelopeLimit 1 of the organisation)\n"},
        {.name = "recipients, only the organisation has a limit",
         .script = SPAN_INIT(ENVELOPE "RCPT TO:<c@near.test>\r\n"),
         .profile = {NAMED, .max_recipients = SMTP_UNLIMITED, .organisation_max_recipients = 1},
         .replies = ENVELOPE_REPLIES TOO_MANY "MaxRecipientEnvelopeLimit 1 of the organisation)\n"},
        {.name = "recipients, both the same: the connector's",
         .script = SPAN_INIT(ENVELOPE "RCPT TO:<c@near.test>\r\n"),
         .profile = {NAMED, .max_recipients = 1, .organisation_max_recipients = 1},
         .replies = ENVELOPE_REPLIES TOO_MANY "MaxRecipientsPerMessage 1" OF},
        {.name = "the organisation's without the connector's name",
         .script = SPAN_INIT(ENVELOPE "RCPT TO:<c@near.test>\r\n"),
         .profile = {ROW_PROFILE, .organisation_max_recipients = 1},
         .replies = ENVELOPE_REPLIES "452 4.5.3 Too many recipients\n"},
        {.name = "size declared",
         .script = SPAN_INIT("MAIL FROM:<a@far.test> SIZE=1048577\r\n"),
         .profile = {NAMED, .max_message_size = 1 << 20},
         .replies = TOO_LARGE "MaxMessageSize 1MB" OF},
        {.name = "size counted, in both ways",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n12345\r\n.\r\n" ENVELOPE "BDAT 7 LAST\r\n1234567"),
         .profile = {NAMED, .max_message_size = 6},
         .replies = ENVELOPE_REPLIES GO_AHEAD TOO_LARGE "MaxMessageSize 6B" OF ENVELOPE_REPLIES TOO_LARGE
                                                        "MaxMessageSize 6B" OF},
        {.name = "the organisation's size is smaller",
         .script = SPAN_INIT("MAIL FROM:<capped@far.test> SIZE=21\r\nMAIL FROM:<capped@far.test> SIZE=20\r\n"
                             "RCPT TO:<b@near.test>\r\nBDAT 21 LAST\r\n012345678901234567890"
                             "MAIL FROM:<a@far.test> SIZE=21\r\n"),
         .profile = {NAMED, .max_message_size = 30},
         .replies = TOO_LARGE "MaxReceiveSize 20B of the organisation)\n" ENVELOPE_REPLIES TOO_LARGE
                              "MaxReceiveSize 20B of the organisation)\n250 2.1.0 Sender OK\n"},
        {.name = "the organisation's size is larger",
         .script = SPAN_INIT("MAIL FROM:<capped@far.test> SIZE=11\r\n"),
         .profile = {NAMED, .max_message_size = 10},
         .replies = TOO_LARGE "MaxMessageSize 10B" OF},
        {.name = "whoever bypasses the size bypasses both",
         .script = SPAN_INIT("MAIL FROM:<bypass.capped@far.test> SIZE=100\r\n"),
         .profile = {NAMED, .max_message_size = 10},
         .replies = "250 2.1.0 Sender OK\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_ehlo(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "what may be switched on",
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .profile = {.size_mode = SMTP_SIZE_VALUE, .max_message_size = 9, .orar = true, .long_addresses = true},
         .replies = "250-mx.test Hello [192.0.2.1]\n250-SIZE 9\n250-XORAR\n250 XLONGADDR\n"},
        {.name = "the most that anybody may send",
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .profile = {.size_mode = SMTP_SIZE_VALUE, .max_message_size = 9, .max_any_size = 8},
         .replies = "250-mx.test Hello [192.0.2.1]\n250 SIZE 8\n"},
        {.name = "the connector's is less",
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .profile = {.size_mode = SMTP_SIZE_VALUE, .max_message_size = 9, .max_any_size = 10},
         .replies = "250-mx.test Hello [192.0.2.1]\n250 SIZE 9\n"},
        {.name = "the connector has no limit",
         .script = SPAN_INIT("EHLO c.test\r\n"),
         .profile = {.size_mode = SMTP_SIZE_VALUE, .max_any_size = 10},
         .replies = "250-mx.test Hello [192.0.2.1]\n250 SIZE 10\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_orar(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "offered",
         .script = SPAN_INIT("MAIL FROM:<>\r\nRCPT TO:<b@near.test> ORAR=rfc822;c@far.test\r\n"
                             "RCPT TO:<b@near.test> ORAR=nonsense\r\nRCPT TO:<b@near.test> ORAR\r\n"
                             "RCPT TO:<b@near.test> ORAR=rfc822;+0D\r\n"),
         .profile = {ROW_PROFILE, .orar = true},
         .replies = "250 2.1.0 Sender OK\n250 2.1.5 Recipient OK\n501 5.5.4 Invalid option: ORAR\n"
                    "501 5.5.4 Invalid option: ORAR\n501 5.5.4 Invalid option: ORAR\n"},
        {.name = "not offered",
         .script = SPAN_INIT("MAIL FROM:<>\r\nRCPT TO:<b@near.test> ORAR=rfc822;c@far.test\r\n"),
         .replies = "250 2.1.0 Sender OK\n555 5.5.4 Unsupported option: ORAR\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

/* MAIL and RCPT with an address of so many octets, in a line that may have so many. */
static void play_address(const char *name, size_t octets, bool allowed, const char *connector, const char *replies)
{
    struct buf script;
    buf_init(&script, 16000);
    for (int rcpt = 0; rcpt < 2; rcpt++) {
        buf_add(&script, rcpt ? SPAN("RCPT TO:<") : SPAN("MAIL FROM:<"));
        for (size_t i = octets < 400 ? 64 : 300; i < octets; i++)
            buf_add_char(&script, 'a');
        buf_add_char(&script, '@');
        for (size_t i = 1; i < (octets < 400 ? 64 : 300); i++)
            buf_add_char(&script, i % 50 ? 'd' : '.');
        buf_add(&script, SPAN(">\r\n"));
    }
    const struct row row = {.name = name,
                            .script = buf_span(&script),
                            .profile = {ROW_PROFILE, .long_addresses = allowed, .connector = span_of(connector),
                                        .max_command_line = allowed ? 8000 : 0},
                            .replies = replies};
    play_rows(&row, 1);
    buf_done(&script);
}

static void test_long_addresses(void **state)
{
    (void)state;
    play_address("what everybody may say", 371, false, "c", ENVELOPE_REPLIES);
    play_address("longer", 380, false, "c", "501 5.1.7 " TOO_LONG "False of \"c\")\n503 5.5.2 Need mail command\n");
    play_address("longer, allowed", 380, true, "c", ENVELOPE_REPLIES);
    play_address("longer, nobody to name", 380, false, "",
                 "501 5.1.7 Invalid address\n503 5.5.2 Need mail command\n");
}

/* At the limit and one past it; the domain has 255 octets at most, so it is the local part that grows. */
static void test_longest_addresses(void **state)
{
    (void)state;
    static const struct {
        size_t octets;
        bool fits;
    } rows[] = {{1860, true}, {1861, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf script;
        buf_init(&script, 8000);
        buf_add(&script, SPAN("MAIL FROM:<"));
        for (size_t n = sizeof "@x.test" - 1; n < rows[i].octets; n++)
            buf_add_char(&script, 'a');
        buf_add(&script, SPAN("@x.test>\r\n"));
        const struct row row = {.name = "the longest",
                                .script = buf_span(&script),
                                .profile = {NAMED, .long_addresses = true, .max_command_line = 8000},
                                .replies =
                                    rows[i].fits ? "250 2.1.0 Sender OK\n" : "501 5.1.7 " TOO_LONG "True" OF};
        play_rows(&row, 1);
        buf_done(&script);
    }
}

/* Each bare LF becomes CRLF, and still nothing but CRLF.CRLF ends a message. */
static void test_repair(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "DATA",
         .script = SPAN_INIT(ENVELOPE "DATA\r\na\nb\r\n\nc\n\n\r\n.\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED "250 2.0.0 OK\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\na\r\nb\r\n\r\nc\r\n\r\n\r\n\n[end 15 for <b@near.test>]\n"},
        {.name = "smuggling: one message, whose lines are dots and words",
         .script = SPAN_INIT(ENVELOPE "DATA\r\nx\n.\nMAIL FROM:<evil@far.test>\n.\r\n\r\n.\nz\r\n.\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED "250 2.0.0 OK\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\nx\r\n.\r\nMAIL FROM:<evil@far.test>\r\n.\r\n\r\n\r\nz\r\n\n"
                                     "[end 43 for <b@near.test>]\n"},
        {.name = "chunks, a CRLF between two of them",
         .script = SPAN_INIT(ENVELOPE "BDAT 3\r\na\n\rBDAT 3\r\n\nb\nBDAT 2 LAST\r\n\nc"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true},
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n250 2.0.0 Chunk received\n" QUEUED,
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\na\r\n\r\nb\r\n\r\nc\n[end 11 for <b@near.test>]\n"},
        {.name = "binary content is as it is",
         .script =
             SPAN_INIT("MAIL FROM:<a@far.test> BODY=BINARYMIME\r\nRCPT TO:<b@near.test>\r\nBDAT 3 LAST\r\na\nb"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true},
         .replies = ENVELOPE_REPLIES QUEUED,
         .actions = "[mail <a@far.test> binary]\n[rcpt <b@near.test>]\n[begin]\n[body]\na\nb\n[end 3 for "
                    "<b@near.test>]\n"},
        {.name = "what is put in counts",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n1\n2\r\n.\r\n" ENVELOPE "DATA\r\n1\n23\r\n.\r\n"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true, .max_message_size = 6},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED ENVELOPE_REPLIES GO_AHEAD
         "552 5.3.4 Message size exceeds fixed maximum message size\n"},
        {.name = "a bare CR or a NUL is refused",
         .script = SPAN_INIT(ENVELOPE "DATA\r\na\n\rb\r\n.\r\n" ENVELOPE "DATA\r\n\0\n\r\n.\r\n"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true},
         .replies = ENVELOPE_REPLIES GO_AHEAD
         "550 5.6.0 Message refused, its content has a defect: bare CR\n" ENVELOPE_REPLIES GO_AHEAD
         "550 5.6.0 Message refused, its content has a defect: NUL character\n"},
        {.name = "lines are as long as they become",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n123\n123\n123\r\n.\r\n" ENVELOPE "DATA\r\n1\n1234\n\r\n.\r\n"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true, .max_content_line = 3},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED ENVELOPE_REPLIES GO_AHEAD
         "550 5.6.0 Message refused, its content has a defect: line too long\n"},
        {.name = "in a command it is refused always",
         .script = SPAN_INIT("NOOP\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .repair_bare_lf = true},
         .replies = "500 5.5.2 Syntax error: bare LF\n500 5.5.2 Syntax error: bare LF\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ehlo),
        cmocka_unit_test(test_orar),
        cmocka_unit_test(test_long_addresses),
        cmocka_unit_test(test_longest_addresses),
        cmocka_unit_test(test_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
