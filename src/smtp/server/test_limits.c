/* test_limits.c: time, tarpit, errors, lines, shutdown, memory: each limit at it and one past it. */
#include "smtp/server/internal.h"
#include "smtp/server/test_rows.h"

#define CLOSING_ERRORS   "421 4.7.0 Too many errors on this connection, closing transmission channel\n"
#define CLOSING_FAILURES "421 4.7.0 Too many failed logon attempts, closing transmission channel\n"
#define CLOSING_TIMEOUT  "421 4.4.1 Connection timed out\n"
#define CLOSING_SHUTDOWN "421 4.3.2 Service not available, closing transmission channel\n"
#define UNKNOWN          "500 5.3.3 Unrecognized command\n"
#define FAILED           "535 5.7.3 Authentication unsuccessful\n"

static void test_errors(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "protocol errors at the limit",
         .script = SPAN_INIT("WIZ\r\nWIZ\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .max_protocol_errors = 2},
         .replies = UNKNOWN UNKNOWN "250 2.0.0 OK\n"},
        {.name = "protocol errors one past it",
         .script = SPAN_INIT("WIZ\r\nNOOP\r\nWIZ\r\nWIZ\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .max_protocol_errors = 2},
         .replies = UNKNOWN "250 2.0.0 OK\n" UNKNOWN UNKNOWN CLOSING_ERRORS,
         .actions = "[event bad command: Unrecognized command]\n[event bad command: Unrecognized command]\n"
                    "[event bad command: Unrecognized command]\n[event too many errors: ]\n[close]\n"},
        {.name = "in the middle of a transaction",
         .script = SPAN_INIT(ENVELOPE "BDAT 1\r\nxWIZ\r\n"),
         .profile = {ROW_PROFILE},
         .no_errors = true,
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n" UNKNOWN CLOSING_ERRORS,
         .actions = ENVELOPE_ACTIONS
         "[begin]\n[body]\nx\n[event bad command: Unrecognized command]\n[event too many errors: ]\n"
         "[abort]\n[close]\n"},
        {.name = "policy's refusals are no errors",
         .script = SPAN_INIT("MAIL FROM:<refuse@far.test>\r\nMAIL FROM:<refuse@far.test>\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE},
         .no_errors = true,
         .replies = "550 5.7.1 Not you\n550 5.7.1 Not you\n250 2.0.0 OK\n"},
        {.name = "logon failures",
         .script =
             SPAN_INIT("AUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN ZGVmZXI=\r\nAUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN b2s=\r\n"),
         .profile = {ROW_PROFILE_AUTH, .max_logon_failures = 2},
         .replies = FAILED "454 4.7.0 Temporary authentication failure\n" FAILED CLOSING_FAILURES},
        {.name = "one failure less",
         .script = SPAN_INIT("AUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN b2s=\r\n"),
         .profile = {ROW_PROFILE_AUTH, .max_logon_failures = 2},
         .replies = FAILED "235 2.7.0 Authentication successful\n"},
        {.name = "failures are not counted",
         .script = SPAN_INIT("AUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN d3Jvbmc=\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = FAILED FAILED FAILED "250 2.0.0 OK\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_tarpit(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "a refusal is held back, a temporary one and a protocol error are not",
         .script = SPAN_INIT("MAIL FROM:<defer@far.test>\r\nWIZ\r\nMAIL FROM:<refuse@far.test>\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .tarpit_ms = 5000},
         .replies = "451 4.3.0 Temporary server error, please try again later\n" UNKNOWN
                    "550 5.7.1 Not you\n250 2.0.0 OK\n",
         .actions = "[mail <defer@far.test>]\n[event bad command: Unrecognized command]\n[mail "
                    "<refuse@far.test>]\n[held 5000]\n"},
        {.name = "not once the client has logged on",
         .script = SPAN_INIT("AUTH PLAIN d3Jvbmc=\r\nAUTH PLAIN b2s=\r\nMAIL FROM:<refuse@far.test>\r\n"),
         .profile = {ROW_PROFILE_AUTH, .tarpit_ms = 5000, .auth_tarpit_ms = 7000},
         .replies = FAILED "235 2.7.0 Authentication successful\n550 5.7.1 Not you\n",
         .actions = "[auth PLAIN =wrong]\n[event auth failed: PLAIN]\n[held 7000]\n[auth PLAIN =ok]\n[mail "
                    "<refuse@far.test>]\n"},
        {.name = "AUTH that is not offered",
         .script = SPAN_INIT("AUTH LOGIN\r\n"),
         .profile = {ROW_PROFILE, .tarpit_ms = 5000},
         .replies = "504 5.7.4 Unrecognized authentication type\n",
         .actions = "[event auth refused: ]\n[held 5000]\n"},
        {.name = "the end of the session is held back with its reason",
         .script = SPAN_INIT("AUTH PLAIN d3Jvbmc=\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE_AUTH, .tarpit_ms = 5000, .max_logon_failures = 1},
         .replies = FAILED CLOSING_FAILURES,
         .actions = "[auth PLAIN =wrong]\n[event auth failed: PLAIN]\n[event too many failures: ]\n[held "
                    "5000]\n[close]\n"},
        {.name = "a message refused for its content",
         .script = SPAN_INIT(ENVELOPE "DATA\r\na\nb\r\n.\r\n"),
         .profile = {ROW_PROFILE, .tarpit_ms = 5000},
         .actions =
             ENVELOPE_ACTIONS "[begin]\n[body]\na\nb\r\n\n[event bad content: bare LF]\n[abort]\n[held 5000]\n"},
        {.name = "the connection's end comes first",
         .script = SPAN_INIT("MAIL FROM:<refuse@far.test>\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE, .tarpit_ms = 5000, .connection_timeout_ms = 3000},
         .replies = "550 5.7.1 Not you\n" CLOSING_TIMEOUT,
         .actions = "[mail <refuse@far.test>]\n[held 3000]\n[event timeout: connection]\n[close]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "command line at the limit",
         .script = SPAN_INIT("NOOP 789012345678\r\n"),
         .profile = {ROW_PROFILE_AUTH, .max_command_line = 19, .max_auth_line = 40},
         .replies = "250 2.0.0 OK\n"},
        {.name = "one past it",
         .script = SPAN_INIT("NOOP 7890123456789\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE_AUTH, .max_command_line = 19, .max_auth_line = 40},
         .replies = "500 5.5.2 Syntax error: line too long\n250 2.0.0 OK\n"},
        {.name = "AUTH line at its own limit",
         .script = SPAN_INIT("AUTH PLAIN b2tva29rb2tva29rb2tva29rb2tva29rb2s=\r\n"),
         .profile = {ROW_PROFILE_AUTH, .max_command_line = 19, .max_auth_line = 49},
         .replies = "235 2.7.0 Authentication successful\n"},
        {.name = "one past it, and as a response",
         .script = SPAN_INIT("AUTH PLAIN b2tva29rb2tva29rb2tva29rb2tva29rb2s=\r\nAUTH LOGIN\r\n"
                             "1234567890123456789012345678901234567890123456=\r\nNOOP\r\n"),
         .profile = {ROW_PROFILE_AUTH, .max_command_line = 19, .max_auth_line = 48},
         .replies = "500 5.5.2 Syntax error: line too long\n334 UGFzc3dvcmQ6\n500 5.5.2 Syntax error: line too "
                    "long\n250 2.0.0 OK\n",
         .actions = "[event bad line: line too long]\n[event bad command: Syntax error: line too long]\n[auth "
                    "LOGIN]\n[auth cancel]\n"
                    "[event bad line: line too long]\n[event bad command: Syntax error: line too long]\n"},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

static void test_timeouts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.name = "inactivity",
         .script = SPAN_INIT("NOOP\r\n\x1e!tick"),
         .replies = "250 2.0.0 OK\n" CLOSING_TIMEOUT,
         .actions = "[event timeout: inactivity]\n[close]\n"},
        {.name = "whole connection",
         .script = SPAN_INIT("NOOP\r\n\x1e!tick"),
         .profile = {ROW_PROFILE, .connection_timeout_ms = 1000},
         .replies = "250 2.0.0 OK\n" CLOSING_TIMEOUT,
         .actions = "[event timeout: connection]\n[close]\n"},
        {.name = "in the content",
         .script = SPAN_INIT(ENVELOPE "DATA\r\nxyz\r\n\x1e!tick"),
         .replies = ENVELOPE_REPLIES GO_AHEAD CLOSING_TIMEOUT,
         .actions = ENVELOPE_ACTIONS "[begin]\n[body]\nxyz\r\n\n[event timeout: inactivity]\n[abort]\n[close]\n"},
        {.name = "in a chunk",
         .script = SPAN_INIT(ENVELOPE "BDAT 9\r\nxyz\x1e!tick"),
         .replies = ENVELOPE_REPLIES CLOSING_TIMEOUT},
        {.name = "in an exchange",
         .script = SPAN_INIT("AUTH LOGIN\r\nbW9\x1e!tick"),
         .profile = {ROW_PROFILE_AUTH},
         .replies = "334 UGFzc3dvcmQ6\n" CLOSING_TIMEOUT},
        {.name = "shutdown between commands",
         .script = SPAN_INIT("NOOP\r\nNO\x1e!shutdown\x1eOP\r\n"),
         .replies = "250 2.0.0 OK\n" CLOSING_SHUTDOWN,
         .actions = "[close]\n"},
        {.name = "shutdown drops an envelope",
         .script = SPAN_INIT(ENVELOPE "\x1e!shutdown"),
         .replies = ENVELOPE_REPLIES CLOSING_SHUTDOWN},
        {.name = "shutdown waits for the end of the content",
         .script = SPAN_INIT(ENVELOPE "DATA\r\nx\r\n\x1e!shutdown\x1ey\r\n.\r\nNOOP\r\n"),
         .replies = ENVELOPE_REPLIES GO_AHEAD QUEUED CLOSING_SHUTDOWN},
        {.name = "shutdown waits for the last chunk",
         .script = SPAN_INIT(ENVELOPE "BDAT 1\r\nx\x1e!shutdown\x1e"
                                      "BDAT 1 LAST\r\ny"),
         .replies = ENVELOPE_REPLIES "250 2.0.0 Chunk received\n" QUEUED CLOSING_SHUTDOWN},
    };
    play_rows(rows, ARRAY_LEN(rows));
}

/* Calls that no script of the driver makes. */
static void test_calls(void **state)
{
    (void)state;
    const struct smtp_server_profile profile = {ROW_PROFILE, .fqdn = SPAN("mx.test"),
                                                .inactivity_timeout_ms = 300000};
    const struct smtp_answer ok = {0};
    struct test_driver d = {.now = 0};
    buf_init(&d.replies, 10000);
    buf_init(&d.actions, 10000);
    d.server = smtp_server_new(&profile, &driver_output, &d, 0);
    assert_non_null(d.server);
    CHECK_INT("before the greeting", smtp_server_feed(d.server, SPAN("QUIT\r\n"), 0), 0);
    smtp_server_start(d.server, 0, 0);
    CHECK_INT("to the ask", smtp_server_feed(d.server, SPAN("HELO c\r\nMAIL FROM:<>\r\nNOOP\r\n"), 10), 22);
    CHECK("an answer is awaited", !smtp_server_wants_input(d.server));
    CHECK_INT("nothing is taken", smtp_server_feed(d.server, SPAN("NOOP\r\n"), 20), 0);
    CHECK_INT("no deadline", smtp_server_deadline(d.server), INT64_MAX);
    smtp_server_tick(d.server, 10000000);
    smtp_server_shutdown(d.server, 10000000);
    CHECK("no end while an answer is awaited", !d.closed);
    smtp_server_answer(d.server, &ok, 10000000);
    CHECK("the end behind the answer", d.closed);
    CHECK("and its reply", span_ends(buf_span(&d.replies), SPAN("250 2.1.0 Sender OK\n" CLOSING_SHUTDOWN)));
    CHECK_INT("over", smtp_server_deadline(d.server), INT64_MAX);
    smtp_server_tick(d.server, 10000001);
    smtp_server_shutdown(d.server, 10000001);
    CHECK_INT("nothing more", d.after_close, 0);
    smtp_server_free(d.server);

    d.closed = false;
    buf_clear(&d.replies);
    d.server = smtp_server_new(&profile, &driver_output, &d, 0);
    assert_non_null(d.server);
    smtp_server_start(d.server, 0, 0);
    CHECK_INT("all is taken", smtp_server_feed(d.server, SPAN("HELO c\r\nSTARTTLS\r\nx"), 0), 19);
    CHECK_INT("and discarded", smtp_server_feed(d.server, SPAN("yz"), 0), 2);
    CHECK_INT("three octets", d.discarded, 3);
    CHECK_INT("the handshake has its time", smtp_server_deadline(d.server), 300000);
    smtp_server_tick(d.server, 299999);
    CHECK("not yet", !d.closed);
    smtp_server_tick(d.server, 300000);
    CHECK("over",
          d.closed && span_ends(buf_span(&d.replies), SPAN("SMTP server ready\n"))); /* no reply in the clear */
    driver_end(&d);
    smtp_server_free(NULL);
}

/* Implicit TLS: a client that does not come to the greeting is not told in the clear. */
static void test_silence_before_the_greeting(void **state)
{
    (void)state;
    const struct smtp_server_profile profile = {ROW_PROFILE, .fqdn = SPAN("mx.test"), .tls_active = true,
                                                .inactivity_timeout_ms = 300000};
    struct test_driver d = {.now = 0};
    buf_init(&d.replies, 10000);
    buf_init(&d.actions, 10000);
    d.server = smtp_server_new(&profile, &driver_output, &d, 0);
    assert_non_null(d.server);
    smtp_server_tick(d.server, smtp_server_deadline(d.server));
    CHECK_SPAN("said", buf_span(&d.replies), SPAN(""));
    CHECK_SPAN("done", buf_span(&d.actions), SPAN("[event timeout: inactivity]\n[close]\n"));
    driver_end(&d);
}

/* Refused recipients take no memory, accepted ones are bounded by max_recipients; a long group is not quadratic. */
static void test_many_recipients(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    const struct smtp_server_profile profile = {ROW_PROFILE, .fqdn = SPAN("mx.test"), .max_recipients = MANY - 1};
    struct buf script;
    struct test_driver d;
    buf_init(&script, 4 << 20);
    buf_add(&script, SPAN("HELO c\r\nMAIL FROM:<>\r\n"));
    for (int i = 0; i < MANY; i++)
        buf_addf(&script, "RCPT TO:<refuse@near.test>\r\nRCPT TO:<u%d@near.test>\r\n", i);
    driver_play(&d, &(struct test_play){.profile = &profile, .script = buf_span(&script)});
    CHECK_INT("accepted", smtp_server_envelope(d.server)->recipient_count, MANY - 1);
    CHECK("the last one",
          span_ends(buf_span(&d.replies), SPAN("452 4.5.3 Too many recipients\n452 4.5.3 Too many recipients\n")));
    driver_end(&d);
    buf_done(&script);
}

/* Memory that is out is a temporary refusal, and the session goes on; without memory for replies it ends. */
static void test_memory(void **state)
{
    (void)state;
    const struct smtp_server_profile profile = {ROW_PROFILE, .fqdn = SPAN("mx.test"), .max_protocol_errors = 10};
    struct test_driver d;
    driver_play(&d, &(struct test_play){.profile = &profile, .script = SPAN("HELO c\r\n")});
    struct smtp_server *s = d.server;
    size_t envelope_max = s->envelope.max, scratch_max = s->scratch.max;

    buf_clear(&d.replies);
    s->envelope.max = 1;
    driver_turn(&d, SPAN("MAIL FROM:<a@far.test>\r\nRCPT TO:<b@near.test>\r\n"), 0);
    CHECK_SPAN("no envelope", buf_span(&d.replies),
               SPAN("452 4.3.1 Insufficient system resources\n503 5.5.2 Need mail command\n"));

    buf_clear(&d.replies);
    s->envelope.max = 1100; /* one block */
    driver_turn(&d, SPAN("MAIL FROM:<a@far.test> ENVID=x\r\n"), 0);
    for (int i = 0; i < 20; i++)
        driver_turn(&d, SPAN("RCPT TO:<b@near.test>\r\n"), 0);
    d.accepted = smtp_server_envelope(s)->recipient_count; /* the driver had said OK to all */
    CHECK("some fit", d.accepted > 0 && d.accepted < 20);
    CHECK("the others do not", span_ends(buf_span(&d.replies), SPAN("452 4.3.1 Insufficient system resources\n")));
    driver_turn(&d, SPAN("DATA\r\nx\r\n.\r\n"), 0);
    CHECK("the message goes on", span_ends(buf_span(&d.replies), SPAN(GO_AHEAD QUEUED)));
    s->envelope.max = envelope_max;

    buf_clear(&d.replies);
    arena_clear(&s->scratch);
    s->scratch.max = 1;
    driver_turn(&d, SPAN("MAIL FROM:<a@far.test>\r\nMAIL FROM:<> ENVID=x\r\nMAIL FROM:<> FOO=x\r\n"), 0);
    CHECK_SPAN("no scratch", buf_span(&d.replies),
               SPAN("452 4.3.1 Insufficient system resources\n452 4.3.1 Insufficient system resources\n"
                    "555 5.5.4 Unsupported option\n"));
    s->scratch.max = scratch_max;

    buf_clear(&d.replies);
    buf_done(&s->out);
    s->out.max = 10;
    driver_turn(&d, SPAN("NOOP\r\n"), 0);
    CHECK("closed", d.closed && d.replies.len == 0);
    CHECK("told", span_ends(buf_span(&d.actions), SPAN("[event no memory: replies]\n[close]\n")));
    driver_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_tarpit),
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_calls),  cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_silence_before_the_greeting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
