/* test_content.c: DATA and BDAT: what ends a message, what refuses it, and what becomes of the octets. */
#include "smtp/server/test_rows.h"

#define REFUSED(what) "550 5.6.0 Message refused, its content has a defect: " what "\n"
#define TOO_LARGE     "552 5.3.4 Message size exceeds fixed maximum message size\n"

static void test_data(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "dots",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n..a\r\n.b\r\nc.\r\n...\r\n\r\n.\r\nNOOP\r\n"),
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED "250 2.0.0 OK\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\n.a\r\nb\r\nc.\r\n..\r\n\r\n\n[end 17 for <b@near.test>]\n"},
        {.name = "empty",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n.\r\nRCPT TO:<b@near.test>\r\n"),
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED "503 5.5.2 Need mail command\n",
         .actions =
             ENVELOPE_ACTIONS "[begin]\n[end 0 for <b@near.test>]\n[event bad command: Need mail command]\n"},
        {.name = "8-bit content is taken undeclared",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n\xff\xfe\r\n.\r\n"),
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED},
        {.name = "BODY=BINARYMIME",
         .script = SPAN_INIT(
             "MAIL FROM:<a@far.test> BODY=BINARYMIME\r\nRCPT TO:<b@near.test>\r\nDATA\r\nBDAT 1 LAST\r\nx"),
         .replies = ENVELOPE_REPLIES "503 5.5.1 BODY=BINARYMIME needs BDAT\n" QUEUED},
        {.name = "refused at its beginning: nothing of it is run",
         .script = SPAN_INIT("MAIL FROM:<begin-refuse@far.test>\r\nRCPT TO:<b@near.test>\r\nDATA\r\nDATA\r\n"),
         .replies = ENVELOPE_REPLIES "550 5.7.1 Not you\n503 5.5.2 Need mail command\n"},
        {.name = "refused and deferred at its end",
         .script = SPAN_INIT("MAIL FROM:<refuse-end@far.test>\r\nRSET\r\n"
                             "MAIL FROM:<begin-defer@far.test>\r\nRCPT TO:<b@near.test>\r\nDATA\r\n"),
         .replies = "550 5.7.1 Not you\n250 2.0.0 Resetting\n" ENVELOPE_REPLIES
                    "451 4.3.0 Temporary server error, please try again later\n"},
        {.name = "one message after another",
         .script = SPAN_INIT(ENVELOPE "DATA\r\nx\r\n.\r\n" ENVELOPE "DATA\r\ny\r\n.\r\nQUIT\r\n"),
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED ENVELOPE_REPLIES GO_AHEAD QUEUED
         "221 2.0.0 Service closing transmission channel\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\nx\r\n\n[end 3 for <b@near.test>]\n" ENVELOPE_ACTIONS
                                     "[begin]\n[body]\ny\r\n\n[end 3 for <b@near.test>]\n[close]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

/* Nothing but CRLF.CRLF ends a message: each of these is refused as one message, and nothing in it is run. */
static void test_smuggling(void **state)
{
    (void)state;
    static const struct {
        struct span ending;
        const char *defect;
    } forms[] = {
        {SPAN_INIT("\n.\n"), "bare LF"},
        {SPAN_INIT("\n.\r\n"), "bare LF"},
        {SPAN_INIT("\r\n.\n"), "bare LF"},
        {SPAN_INIT("\r.\r"), "bare CR"},
        {SPAN_INIT("\r.\r\n"), "bare CR"},
        {SPAN_INIT("\r\n.\r"), "bare CR"},
        {SPAN_INIT("\r\n.\r\r\n"), "bare CR"},
        {SPAN_INIT("\r\r\n.\r\r\n"), "bare CR"},
        {SPAN_INIT("\n\n.\r\n"), "bare LF"},
        {SPAN_INIT("\r\n\0.\r\n"), "NUL character"},
        {SPAN_INIT("\r\n.\0\r\n"), "NUL character"},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct buf script, replies;
        buf_init(&script, 1000);
        buf_init(&replies, 1000);
        buf_add(&script, SPAN(ENVELOPE "DATA\r\nx"));
        buf_add(&script, forms[i].ending);
        buf_add(&script, SPAN("MAIL FROM:<evil@far.test>\r\nRCPT TO:<c@near.test>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n"));
        buf_addf(&replies, "%s" REFUSED("%s") "250 2.0.0 OK\n", ENVELOPE_REPLIES GO_AHEAD, forms[i].defect);
        buf_add_char(&replies, '\0');
        const struct row row = {.name = forms[i].defect, .script = buf_span(&script), .replies = replies.ptr};
        play_rows(&row, 1);
        buf_done(&script);
        buf_done(&replies);
    }
    /* A text that only looks like one of them. */
    const struct row harmless = {.name = "harmless",
                                 .script = SPAN_INIT(ENVELOPE "DATA\r\n.\r.\r\n..\r\n. .\r\n.\r\n"),
                                 .replies = ENVELOPE_REPLIES GO_AHEAD REFUSED("bare CR"),
                                 .actions = ENVELOPE_ACTIONS
                                 "[begin]\n[body]\n\r.\r\n.\r\n .\r\n\n[event bad content: bare CR]\n[abort]\n"};
    play_rows(&harmless, 1);
}

static void test_size(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "at the limit",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n12345678\r\n.\r\n"),
         .profile = {ROW_PROFILE, .max_message_size = 10},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED},
        {.name = "one past it: the rest is read and dropped",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n123456789\r\nDATA\r\n.\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .max_message_size = 10},
         .replies = ENVELOPE_REPLIES GO_AHEAD TOO_LARGE "250 2.0.0 OK\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\n123456789\r\n[event limit: message size]\n[abort]\n"},
        {.name = "dots do not count",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n........9\r\n.\r\n"),
         .profile = {ROW_PROFILE, .max_message_size = 10},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED},
        {.name = "lifted for this message",
         .script = SPAN_INIT("MAIL FROM:<bypass@far.test>\r\nRCPT TO:<b@near.test>\r\nDATA\r\n123456789\r\n.\r\n"),
         .profile = {ROW_PROFILE, .max_message_size = 10},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED},
        {.name = "unlimited",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n123456789\r\n.\r\n"),
         .profile = {ROW_PROFILE},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED},
        {.name = "a line at its limit",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n12345\r\n.12345\r\n.\r\n"),
         .profile = {ROW_PROFILE, .max_content_line = 5},
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED},
        {.name = "a line one past it",
         .script = SPAN_INIT(ENVELOPE "DATA\r\n123456\r\n.\r\n"),
         .profile = {ROW_PROFILE, .max_content_line = 5},
         .replies = ENVELOPE_REPLIES GO_AHEAD REFUSED("line too long")},
        {.name = "a chunk at the limit",
         .script = SPAN_INIT(ENVELOPE "BDAT 4\r\n1234BDAT 6 LAST\r\n567890"),
         .profile = {ROW_PROFILE, .max_message_size = 10},
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n" QUEUED},
        {.name = "a chunk past it is refused before its first octet, and so is what follows",
         .script = SPAN_INIT(ENVELOPE "BDAT 4\r\n1234BDAT 7\r\n5678901BDAT 1\r\nxBDAT 1 LAST\r\nxNOOP\r\n"),
         .profile = {ROW_PROFILE, .max_message_size = 10},
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n" TOO_LARGE TOO_LARGE TOO_LARGE "250 2.0.0 OK\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\n1234\n[event limit: message size]\n[abort]\n"},
        {.name = "sizes that do not fit into 64 bits",
         .script = SPAN_INIT(ENVELOPE "BDAT 9223372036854775807\r\nxxxx"),
         .replies = ENVELOPE_REPLIES,
         .actions = ENVELOPE_ACTIONS "[begin]\n[event limit: message size]\n[abort]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_bdat(void **state)
{
    (void)state;
#define BAD_SIZE "501 5.5.4 Syntax: BDAT octets [LAST]; closing transmission channel\n"
    static const struct row rows[] = {
        {.name = "chunks: no dots, no line ends of their own",
         .script = SPAN_INIT(ENVELOPE "BDAT 7\r\n.\r\n..x\rBDAT 3\r\n\n.\rbdat 1 last\r\n\nNOOP\r\n"),
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n250 2.0.0 Chunk received\n" QUEUED "250 2.0.0 OK\n",
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\n.\r\n..x\r\n.\r\n\n[end 11 for <b@near.test>]\n"},
        {.name = "BDAT 0 LAST alone and behind others",
         .script = SPAN_INIT(ENVELOPE "BDAT 0 LAST\r\n" ENVELOPE "BDAT 0\r\nBDAT 1\r\nxBDAT 0 LAST\r\n"),
         .replies = ENVELOPE_REPLIES QUEUED ENVELOPE_REPLIES
         "250 2.0.0 Chunk received\n250 2.0.0 Chunk received\n" QUEUED},
        {.name = "the same defects as in DATA",
         .script = SPAN_INIT(ENVELOPE "BDAT 3\r\na\nbBDAT 1 LAST\r\nx" ENVELOPE "BDAT 2 LAST\r\na\r" ENVELOPE
                                      "BDAT 2 LAST\r\na\0NOOP\r\n"),
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n" REFUSED("bare LF")
             ENVELOPE_REPLIES REFUSED("bare CR") ENVELOPE_REPLIES REFUSED("NUL character") "250 2.0.0 OK\n"},
        {.name = "binary content is any octets",
         .script = SPAN_INIT(
             "MAIL FROM:<a@far.test> BODY=BINARYMIME\r\nRCPT TO:<b@near.test>\r\nBDAT 5 LAST\r\n\0\n\r\r."),
         .replies = ENVELOPE_REPLIES QUEUED},
        {.name = "without a transaction: its octets are passed over first",
         .script = SPAN_INIT("BDAT 6\r\nNOOP\r\nMAIL FROM:<a@far.test>\r\nBDAT 6 LAST\r\nRSET\r\nNOOP\r\n"),
         .replies =
             "503 5.5.2 Need mail command\n250 2.1.0 Sender OK\n503 5.5.2 Need rcpt command\n250 2.0.0 OK\n"},
        {.name = "behind a refused DATA",
         .script = SPAN_INIT("MAIL FROM:<begin-refuse@far.test>\r\nRCPT TO:<b@near.test>\r\nDATA\r\n"
                             "BDAT 6 LAST\r\nRSET\r\nNOOP\r\n"),
         .replies = ENVELOPE_REPLIES "550 5.7.1 Not you\n503 5.5.2 Need mail command\n250 2.0.0 OK\n"},
        {.name = "not offered: likewise",
         .script = SPAN_INIT(ENVELOPE "BDAT 6 LAST\r\nRSET\r\nNOOP\r\nDATA\r\n"),
         .profile = {.max_protocol_errors = SMTP_UNLIMITED, .enhanced_status_codes = true},
         .replies = ENVELOPE_REPLIES "502 5.5.1 CHUNKING is not offered here\n250 2.0.0 OK\n" GO_AHEAD},
        {.name = "a size that is none ends the session",
         .script = SPAN_INIT("BDAT\r\nNOOP\r\n"),
         .replies = BAD_SIZE},
        {.name = "negative",
         .script = SPAN_INIT(ENVELOPE "BDAT -1\r\nNOOP\r\n"),
         .replies = ENVELOPE_REPLIES BAD_SIZE},
        {.name = "overflow", .script = SPAN_INIT("BDAT 99999999999999999999\r\nNOOP\r\n"), .replies = BAD_SIZE},
        {.name = "not LAST", .script = SPAN_INIT("BDAT 4 FIRST\r\nNOOP\r\n"), .replies = BAD_SIZE},
        {.name = "refused: each chunk gets the driver's words",
         .script = SPAN_INIT(
             "MAIL FROM:<begin-multiline@far.test>\r\nRCPT TO:<b@near.test>\r\nBDAT 6\r\nRSET\r\nBDAT 0\r\n"
             "BDAT 6 LAST\r\nRSET\r\nNOOP\r\n"),
         .replies =
             ENVELOPE_REPLIES "550 5.7.1 one  two ??\n550 5.7.1 one  two ??\n550 5.7.1 one  two ??\n250 2.0.0 OK\n",
         .actions = "[mail <begin-multiline@far.test>]\n[rcpt <b@near.test>]\n[begin]\n"},
        {.name = "refused with 421",
         .script =
             SPAN_INIT("MAIL FROM:<begin-goaway@far.test>\r\nRCPT TO:<b@near.test>\r\nBDAT 6\r\nRSET\r\nNOOP\r\n"),
         .replies = ENVELOPE_REPLIES
         "421 4.4.2 Message submission rate for this client has exceeded the configured limit\n"},
        {.name = "between chunks",
         .script = SPAN_INIT(
             ENVELOPE "BDAT 1\r\nxNOOP\r\nRCPT TO:<c@near.test>\r\nDATA\r\nMAIL FROM:<x@y.z>\r\nBDAT 1 LAST\r\ny"),
         .replies = ENVELOPE_REPLIES
         "250 2.0.0 Chunk received\n250 2.0.0 OK\n503 5.5.1 Need BDAT LAST or RSET first\n"
         "503 5.5.1 Need BDAT LAST or RSET first\n503 5.5.2 Not during a mail transaction\n" QUEUED},
        {.name = "given up by RSET, by EHLO, by QUIT",
         .script = SPAN_INIT(ENVELOPE "BDAT 1\r\nxRSET\r\n" ENVELOPE "BDAT 1\r\nxHELO c\r\n" ENVELOPE
                                      "BDAT 1\r\nxQUIT\r\n"),
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\nx\n[abort]\n" ENVELOPE_ACTIONS
                                     "[begin]\n[body]\nx\n[abort]\n" ENVELOPE_ACTIONS
                                     "[begin]\n[body]\nx\n[abort]\n[close]\n"},
        {.name = "given up by STARTTLS",
         .script = SPAN_INIT(ENVELOPE "BDAT 1\r\nxSTARTTLS\r\n\x1e"
                                      "BDAT 1 LAST\r\nxNOOP\r\n"),
         .replies =
             ENVELOPE_REPLIES "250 2.0.0 Chunk received\n220 2.0.0 SMTP server ready\n503 5.5.2 Send hello first\n"
                              "250 2.0.0 OK\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_bdat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
