/*
 * test_dialogues.c: dialogues: what the server says, and the whole transcript of what the client does. The forms of
 * script and transcript are those of test_driver.h; every dialogue is also played octet by octet.
 */
#include "check.h"
#include "smtp/client/test_driver.h"

#include <string.h>

#define T "\x1e" /* next turn */

/* What most dialogues begin with. */
#define HELLO      "220 far.test\r\n250-far.test\r\n250 SIZE 1000\r\n"
#define SAID_HELLO "EHLO me.test\n"
#define PIPES      "220 far.test\r\n250-far.test\r\n250 PIPELINING\r\n"
#define SAID_A     "MAIL FROM:<s@near.test> SIZE=4\nRCPT TO:<a@far.test>\nDATA\n"

enum message_kind {
    ONE,
    TWO,
    DSN,
    EIGHT_BIT,
    UTF8,
    BINARY,
    BIG,
    DOTS,
    INJECT,
    NON_ASCII,
    NULL_SENDER,
    NOTIFY_ALL,
    PROMISED
};

struct row {
    const char *name;
    struct smtp_client_options options;
    enum message_kind message;
    const char *script, *want;
};

static const struct smtp_client_recipient to_one[] = {{.address = SPAN_INIT("a@far.test")}};
static const struct smtp_client_recipient to_two[] = {{.address = SPAN_INIT("a@far.test")},
                                                      {.address = SPAN_INIT("b@far.test")}};
static const struct smtp_client_recipient to_dsn[] = {
    {.address = SPAN_INIT("a@far.test"),
     .orcpt = SPAN_INIT("rfc822;a+2Bb@far.test"),
     .notify = SMTP_CLIENT_NOTIFY_FAILURE | SMTP_CLIENT_NOTIFY_DELAY},
    {.address = SPAN_INIT("b@far.test"), .orcpt = SPAN_INIT("rfc822;b x\r\n"), .notify = SMTP_CLIENT_NOTIFY_NEVER},
};
static const struct smtp_client_recipient to_all[] = {
    {.address = SPAN_INIT("a@far.test"),
     .notify = SMTP_CLIENT_NOTIFY_SUCCESS | SMTP_CLIENT_NOTIFY_FAILURE | SMTP_CLIENT_NOTIFY_DELAY}};
static const struct smtp_client_recipient to_inject[] = {
    {.address = SPAN_INIT("a@far.test>\r\nRSET\r\n")},
    {.address = SPAN_INIT("x> NOTIFY=NEVER@far.test")},
    {.address = SPAN_INIT("\"quoted >\"@far.test")},
};
static const struct smtp_client_recipient to_non_ascii[] = {{.address = SPAN_INIT("\xc3\xbc@far.test")},
                                                            {.address = SPAN_INIT("b@far.test")}};

#define MESSAGE(to)                                                                                                \
    .sender = SPAN_INIT("s@near.test"), .recipients = (to), .recipient_count = ARRAY_LEN(to), .size = 4
static const struct smtp_client_message messages[] = {
    [ONE] = {MESSAGE(to_one)},
    [TWO] = {MESSAGE(to_two)},
    [DSN] = {MESSAGE(to_dsn), .ret = SMTP_CLIENT_RET_HDRS, .envid = SPAN_INIT("id+3D1")},
    [EIGHT_BIT] = {MESSAGE(to_one), .eight_bit = true},
    [UTF8] = {MESSAGE(to_non_ascii), .eight_bit = true, .utf8 = true},
    [BINARY] = {MESSAGE(to_two), .binary = true},
    [BIG] = {.sender = SPAN_INIT("s@near.test"), .recipients = to_one, .recipient_count = 1, .size = 1001},
    [DOTS] = {MESSAGE(to_one)},
    [INJECT] = {MESSAGE(to_inject)},
    [NON_ASCII] = {MESSAGE(to_non_ascii)},
    [NULL_SENDER] = {.recipients = to_one, .recipient_count = 1, .size = 4},
    [NOTIFY_ALL] = {MESSAGE(to_all)},
    [PROMISED] = {MESSAGE(to_one), .require_tls = true},
};

static struct secret password;

#define BASE       .helo_name = SPAN_INIT("me.test")
#define PLAIN      .options = {BASE}
#define OPTIONAL   .options = {BASE, .tls = SMTP_CLIENT_TLS_OPPORTUNISTIC}
#define REQUIRED   .options = {BASE, .tls = SMTP_CLIENT_TLS_REQUIRED}
#define PROMISE    .options = {BASE, .tls = SMTP_CLIENT_TLS_REQUIRED, .require_tls = true}
#define LMTP       .options = {BASE, .lmtp = true}
#define USER       .options = {BASE, .tls_active = true, .user = SPAN_INIT("user"), .password = &password}
#define CLEAR_USER .options = {BASE, .auth_without_tls = true, .user = SPAN_INIT("user"), .password = &password}
#define NO_TLS     .options = {BASE, .user = SPAN_INIT("user"), .password = &password}

static const struct row rows[] = {
    /* ---- the good case ---- */
    {"one recipient", PLAIN, ONE,
     HELLO "250 ok\r\n250 ok\r\n354 go\r\n" T "250 2.0.0 queued as 1\r\n" T "!quit" T "221 bye\r\n",
     SAID_HELLO SAID_A "[body]\nab\n.\n[0 delivered end of data 250 2.0.0 queued as 1]\n[done]\nQUIT\n[close]\n"},
    {"pipelined", PLAIN, TWO, PIPES T "250 ok\r\n250 ok\r\n550 5.1.1 who\r\n354 go\r\n" T "250 ok\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n"
                "[1 permanent RCPT TO 550 5.1.1 who]\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"two messages, no RSET", PLAIN, ONE,
     PIPES "250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n" T "!send" T "250 ok\r\n250 ok\r\n354 go\r\n" T
           "250 ok\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 ok]\n[done]\n"
                "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"null sender, no extensions", PLAIN, NULL_SENDER,
     "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n",
     SAID_HELLO "MAIL FROM:<>\nRCPT TO:<a@far.test>\nDATA\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"replies without text", PLAIN, NULL_SENDER, "220\r\n250\r\n250\r\n250\r\n354\r\n" T "250\r\n",
     SAID_HELLO "MAIL FROM:<>\nRCPT TO:<a@far.test>\nDATA\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 ]\n[done]\n"},
    {"dots and stray CR, LF", PLAIN, DOTS, "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[body]\n"
                "..\n...\na.\n . \n  .\nb . c\n..\n.\n[0 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"DSN", PLAIN, DSN,
     "220 x\r\n250-x\r\n250-PIPELINING\r\n250 DSN\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test> RET=HDRS ENVID=id+3D1\n"
                "RCPT TO:<a@far.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@far.test\n"
                "RCPT TO:<b@far.test> NOTIFY=NEVER\nDATA\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 ok]\n[1 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"NOTIFY of three", PLAIN, NOTIFY_ALL, "220 x\r\n250-x\r\n250 DSN\r\n250 ok\r\n550 no\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test> NOTIFY=SUCCESS,FAILURE,DELAY\n"
                "[0 permanent RCPT TO 550 5.0.0 no]\n[done]\n"},
    {"8BITMIME", PLAIN, EIGHT_BIT, "220 x\r\n250-x\r\n250 8BITMIME\r\n550 no\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test> BODY=8BITMIME\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"8-bit as it is", PLAIN, EIGHT_BIT, "220 x\r\n250 x\r\n550 no\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"SMTPUTF8", PLAIN, UTF8, "220 x\r\n250-x\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n250 ok\r\n450 no\r\n450 no\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test> BODY=8BITMIME SMTPUTF8\nRCPT TO:<\xc3\xbc@far.test>\n"
     "[0 temporary RCPT TO 450 4.0.0 no]\nRCPT TO:<b@far.test>\n[1 temporary RCPT TO 450 4.0.0 no]\n[done]\n"},

    /* ---- what the server lacks ---- */
    {"SMTPUTF8 not offered", PLAIN, UTF8, "220 x\r\n250 x\r\n",
     SAID_HELLO
     "[0 permanent local MAIL FROM 0 5.6.7 the message needs SMTPUTF8, which the server does not offer]\n"
     "[1 permanent local MAIL FROM 0 5.6.7 the message needs SMTPUTF8, which the server does not offer]\n"
     "[done]\n"},
    {"binary not offered", PLAIN, BINARY, "220 x\r\n250-x\r\n250 CHUNKING\r\n",
     SAID_HELLO
     "[0 permanent local MAIL FROM 0 5.6.3 the message has binary content, which the server does not offer "
     "to take]\n[1 permanent local MAIL FROM 0 5.6.3 the message has binary content, which the server does "
     "not offer to take]\n[done]\n"},
    {"too big", PLAIN, BIG, HELLO,
     SAID_HELLO "[0 permanent local MAIL FROM 0 5.3.4 the message has 1001 octets, the server takes at most 1000]\n"
                "[done]\n"},
    {"addresses that would inject", PLAIN, INJECT,
     "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n",
     SAID_HELLO "[0 permanent local RCPT TO 0 5.1.3 the address cannot be sent]\n"
                "[1 permanent local RCPT TO 0 5.1.3 the address cannot be sent]\n"
                "MAIL FROM:<s@near.test>\nRCPT TO:<\"quoted >\"@far.test>\nDATA\n[body]\nab\n.\n"
                "[2 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"non-ASCII address without SMTPUTF8", PLAIN, NON_ASCII, PIPES "250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n",
     SAID_HELLO
     "[0 permanent local RCPT TO 0 5.6.7 the address needs SMTPUTF8, which the message was not sent with]\n"
     "MAIL FROM:<s@near.test>\nRCPT TO:<b@far.test>\nDATA\n[body]\nab\n.\n"
     "[1 delivered end of data 250 2.0.0 ok]\n[done]\n"},

    /* ---- greeting and hello ---- */
    {"greeting 554", PLAIN, ONE, "554 5.7.1 go away\r\n",
     "QUIT\n[failed permanent greeting 554 5.7.1 go away]\n[close]\n"},
    {"greeting 450", PLAIN, ONE, "450 busy\r\n", "QUIT\n[failed temporary greeting 450 4.0.0 busy]\n[close]\n"},
    {"greeting 421", PLAIN, ONE, "421 4.3.2 closing\r\n",
     "[failed temporary greeting 421 4.3.2 closing]\n[close]\n"},
    {"greeting 354", PLAIN, ONE, "354 x\r\n",
     "[failed temporary protocol greeting 0 4.5.0 the server sent a greeting that is none (greeting)]\n[close]\n"},
    {"greeting is garbage", PLAIN, ONE, "SSH-2.0-OpenSSH\r\n",
     "[failed temporary protocol greeting 0 4.5.0 the server sent what is no reply (greeting)]\n[close]\n"},
    {"half a greeting, then lost", PLAIN, ONE, "220-wait" T "!lost",
     "[failed temporary lost greeting 0 4.4.2 connection reset (greeting)]\n[close]\n"},
    {"silent", PLAIN, ONE, "" T "!tick",
     "[failed temporary timeout greeting 0 4.4.1 timed out while waiting for the server (greeting)]\n[close]\n"},
    {"EHLO unknown: HELO", PLAIN, ONE, "220 x\r\n502 what\r\n250 x\r\n421 later\r\n",
     SAID_HELLO
     "HELO me.test\nMAIL FROM:<s@near.test>\n[0 temporary MAIL FROM 421 4.0.0 later]\n[done]\n[close]\n"},
    {"EHLO and HELO refused", PLAIN, ONE, "220 x\r\n550 no\r\n550 5.7.1 no\r\n",
     SAID_HELLO "HELO me.test\nQUIT\n[failed permanent EHLO 550 5.7.1 no]\n[close]\n"},
    {"EHLO 451", PLAIN, ONE, "220 x\r\n451 4.7.1 greylisted\r\n",
     SAID_HELLO "QUIT\n[failed temporary EHLO 451 4.7.1 greylisted]\n[close]\n"},
    {"EHLO 354", PLAIN, ONE, "220 x\r\n354 x\r\n",
     SAID_HELLO
     "[failed temporary protocol EHLO 0 4.5.0 the server sent a reply that does not fit (EHLO)]\n[close]\n"},
    {"EHLO codes differ", PLAIN, ONE, "220 x\r\n250-x\r\n251 SIZE\r\n",
     SAID_HELLO "[failed temporary protocol EHLO 0 4.5.0 the server sent what is no reply (EHLO)]\n[close]\n"},
    {"lost after EHLO", PLAIN, ONE, "220 x\r\n" T "!lost",
     SAID_HELLO "[failed temporary lost EHLO 0 4.4.2 connection reset (EHLO)]\n[close]\n"},
    {"we are the server", .options = {BASE, .own_name = SPAN_INIT("mail.test")}, ONE,
     "220 far.test\r\n250-Mail.test hello\r\n250 SIZE 1000\r\n" T "221 bye\r\n",
     SAID_HELLO "QUIT\n[failed permanent local EHLO 0 5.4.6 the host is this server, which does not know the "
                "domain: a loop]\n[close]\n"},
    {"we are the server, by its HELO name", .options = {BASE, .own_name = SPAN_INIT("mail.test")}, ONE,
     "220 far.test\r\n250 me.test\r\n" T "221 bye\r\n",
     SAID_HELLO "QUIT\n[failed permanent local EHLO 0 5.4.6 the host is this server, which does not know the "
                "domain: a loop]\n[close]\n"},
    {"a server with our name that may have it", PLAIN, ONE,
     "220 far.test\r\n250 me.test\r\n250 ok\r\n250 ok\r\n354 go\r\n" T "250 2.0.0 queued as 1\r\n" T "!quit" T
     "221 bye\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[body]\nab\n.\n"
                "[0 delivered end of data 250 2.0.0 queued as 1]\n[done]\nQUIT\n[close]\n"},
    {"ForceHELO", .options = {BASE, .force_helo = true, .tls = SMTP_CLIENT_TLS_OPPORTUNISTIC}, ONE,
     "220 x\r\n250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n550 no\r\n",
     "HELO me.test\nMAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},

    /* ---- TLS ---- */
    {"STARTTLS", OPTIONAL, ONE,
     "220 x\r\n250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n220 go\r\n" T "250 x\r\n550 no\r\n",
     SAID_HELLO "STARTTLS\n[tls]\n" SAID_HELLO
                "MAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"REQUIRETLS", PROMISE, PROMISED,
     "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n" T "250-x\r\n250 REQUIRETLS\r\n550 no\r\n",
     SAID_HELLO "STARTTLS\n[tls]\n" SAID_HELLO
                "MAIL FROM:<s@near.test> REQUIRETLS\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"REQUIRETLS not offered", PROMISE, PROMISED,
     "220 x\r\n250-x\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n220 go\r\n" T "250 x\r\n",
     SAID_HELLO
     "STARTTLS\n[tls]\n" SAID_HELLO
     "QUIT\n[failed permanent local EHLO 0 5.7.30 the sender requires TLS on the whole way (REQUIRETLS), which "
     "the server does not offer to promise]\n[close]\n"},
    {"REQUIRETLS passed on where it can be", OPTIONAL, PROMISED,
     "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n" T "250-x\r\n250 REQUIRETLS\r\n550 no\r\n",
     SAID_HELLO "STARTTLS\n[tls]\n" SAID_HELLO
                "MAIL FROM:<s@near.test> REQUIRETLS\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"REQUIRETLS without TLS is no promise", PLAIN, PROMISED, "220 x\r\n250-x\r\n250 REQUIRETLS\r\n550 no\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"REQUIRETLS that nobody asked for", OPTIONAL, ONE,
     "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n" T "250-x\r\n250 REQUIRETLS\r\n550 no\r\n",
     SAID_HELLO "STARTTLS\n[tls]\n" SAID_HELLO
                "MAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"STARTTLS ignored", PLAIN, ONE, "220 x\r\n250-x\r\n250 STARTTLS\r\n550 no\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"STARTTLS refused, optional", OPTIONAL, ONE, "220 x\r\n250-x\r\n250 STARTTLS\r\n454 no\r\n550 no\r\n",
     SAID_HELLO "STARTTLS\nMAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"STARTTLS refused, required", REQUIRED, ONE, "220 x\r\n250-x\r\n250 STARTTLS\r\n554 5.7.3 no\r\n",
     SAID_HELLO "STARTTLS\nQUIT\n[failed temporary STARTTLS 554 4.7.3 no]\n[close]\n"},
    {"STARTTLS missing, required", REQUIRED, ONE, "220 x\r\n250 x\r\n",
     SAID_HELLO
     "QUIT\n[failed temporary local STARTTLS 0 4.7.4 TLS is required, but the server does not offer STARTTLS]\n"
     "[close]\n"},
    {"text in the clear behind 220", OPTIONAL, ONE, "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n250 x\r\n",
     SAID_HELLO
     "STARTTLS\n[tls]\n[failed temporary protocol STARTTLS 0 4.5.0 the server sent text in the clear behind its "
     "reply to STARTTLS (STARTTLS)]\n[close]\n"},
    {"lost at STARTTLS", OPTIONAL, ONE, "220 x\r\n250-x\r\n250 STARTTLS\r\n" T "!lost",
     SAID_HELLO "STARTTLS\n[failed temporary lost STARTTLS 0 4.4.2 connection reset (STARTTLS)]\n[close]\n"},

    /* ---- AUTH ---- */
    {"AUTH PLAIN", USER, ONE, "220 x\r\n250-x\r\n250 AUTH GSSAPI LOGIN PLAIN\r\n235 ok\r\n550 no\r\n",
     SAID_HELLO
     "AUTH PLAIN AHVzZXIAcGFzcw==\nMAIL FROM:<s@near.test>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"AUTH LOGIN", USER, ONE,
     "220 x\r\n250-x\r\n250 AUTH=login\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 ok\r\n550 no\r\n",
     SAID_HELLO "AUTH LOGIN\ndXNlcg==\ncGFzcw==\nMAIL FROM:<s@near.test>\n"
                "[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n"},
    {"AUTH refused", USER, ONE, "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n535 5.7.8 bad\r\n",
     SAID_HELLO "AUTH PLAIN AHVzZXIAcGFzcw==\nQUIT\n[failed temporary AUTH 535 4.7.8 bad]\n[close]\n"},
    {"AUTH LOGIN asks a third time", USER, ONE, "220 x\r\n250-x\r\n250 AUTH LOGIN\r\n334 a\r\n334 b\r\n334 c\r\n",
     SAID_HELLO
     "AUTH LOGIN\ndXNlcg==\ncGFzcw==\n[failed temporary protocol AUTH 0 4.5.0 the server sent a reply that does "
     "not fit (AUTH)]\n[close]\n"},
    {"AUTH not offered", USER, ONE, "220 x\r\n250-x\r\n250 AUTH CRAM-MD5\r\n",
     SAID_HELLO "QUIT\n[failed temporary local AUTH 0 4.7.0 the server offers neither AUTH PLAIN nor AUTH LOGIN]\n"
                "[close]\n"},
    {"AUTH in the clear forbidden", NO_TLS, ONE, "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n",
     SAID_HELLO
     "QUIT\n[failed temporary local AUTH 0 4.7.0 credentials are not sent without TLS, and there is none]\n"
     "[close]\n"},
    {"AUTH in the clear allowed", CLEAR_USER, ONE, "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n" T "!tick",
     SAID_HELLO "AUTH PLAIN AHVzZXIAcGFzcw==\n"
                "[failed temporary timeout AUTH 0 4.4.1 timed out while waiting for the server (AUTH)]\n[close]\n"},

    /* ---- the envelope ---- */
    {"MAIL refused, pipelined", PLAIN, TWO, PIPES "550 5.1.8 bad sender\r\n503 a\r\n503 b\r\n503 c\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n"
     "[0 permanent MAIL FROM 550 5.1.8 bad sender]\n[1 permanent MAIL FROM 550 5.1.8 bad sender]\n[done]\n"},
    {"MAIL 354", PLAIN, ONE, "220 x\r\n250 x\r\n354 x\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\n[0 temporary protocol MAIL FROM 0 4.5.0 the server sent a reply that does not "
     "fit (MAIL FROM)]\n[done]\n[close]\n"},
    {"MAIL: closing", PLAIN, ONE, "220 x\r\n250 x\r\n" T "!lost",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\n[0 temporary lost MAIL FROM 0 4.4.2 connection reset (MAIL FROM)]\n[done]\n"
     "[close]\n"},
    {"all RCPT refused, then RSET", PLAIN, ONE,
     "220 x\r\n250 x\r\n250 ok\r\n550 5.1.1 who\r\n" T "!send" T "250 ok\r\n250 ok\r\n450 4.2.2 full\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 permanent RCPT TO 550 5.1.1 who]\n[done]\n"
     "RSET\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 temporary RCPT TO 450 4.2.2 full]\n[done]\n"},
    {"all RCPT refused, DATA pipelined and refused", PLAIN, ONE,
     PIPES "250 ok\r\n550 who\r\n554 none\r\n" T "!send" T "250 ok\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 permanent RCPT TO 550 5.0.0 who]\n[done]\n"
                "RSET\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n"},
    {"all RCPT refused, 354 nevertheless", PLAIN, ONE,
     PIPES "250 ok\r\n550 who\r\n354 go\r\n554 none\r\n" T "!send",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 permanent RCPT TO 550 5.0.0 who]\n.\n[done]\n"
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n"},
    {"RSET refused", PLAIN, ONE, "220 x\r\n250 x\r\n250 ok\r\n550 who\r\n" T "!send" T "500 what\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 permanent RCPT TO 550 5.0.0 who]\n[done]\nRSET\n"
     "[0 temporary protocol MAIL FROM 0 4.5.0 the server sent a refusal of RSET (MAIL FROM)]\n[done]\n[close]\n"},
    {"RCPT 251", PLAIN, ONE, "220 x\r\n250 x\r\n250 ok\r\n251 will forward\r\n451 no\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 temporary DATA 451 4.0.0 no]\n[done]\n"},
    {"RCPT 552 is too many", PLAIN, ONE, "220 x\r\n250 x\r\n250 ok\r\n552 too many\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 temporary RCPT TO 552 4.0.0 too many]\n[done]\n"},
    {"RCPT 552 5.2.2 is full", PLAIN, ONE, "220 x\r\n250 x\r\n250 ok\r\n552 5.2.2 full\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 permanent RCPT TO 552 5.2.2 full]\n[done]\n"},
    {"RCPT 421", PLAIN, TWO, PIPES "250 ok\r\n250 ok\r\n421 4.7.0 enough\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n"
     "[0 temporary RCPT TO 421 4.7.0 enough]\n[1 temporary RCPT TO 421 4.7.0 enough]\n[done]\n[close]\n"},
    {"RCPT garbage keeps what was decided", PLAIN, TWO, PIPES "250 ok\r\n550 who\r\n!?\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n"
     "[0 permanent RCPT TO 550 5.0.0 who]\n"
     "[1 temporary protocol RCPT TO 0 4.5.0 the server sent what is no reply (RCPT TO)]\n[done]\n[close]\n"},
    {"RCPT 354", PLAIN, ONE, "220 x\r\n250 x\r\n250 ok\r\n354 x\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 temporary protocol RCPT TO 0 4.5.0 the server sent a "
     "reply that does not fit (RCPT TO)]\n[done]\n[close]\n"},
    {"DATA 250", PLAIN, ONE, PIPES "250 ok\r\n250 ok\r\n250 ok\r\n",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 temporary protocol DATA 0 4.5.0 the server sent a "
     "reply that does not fit (DATA)]\n[done]\n[close]\n"},
    {"DATA refused, then RSET", PLAIN, ONE, PIPES "250 ok\r\n250 ok\r\n554 5.6.0 no\r\n" T "!send",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 permanent DATA 554 5.6.0 no]\n[done]\n"
                "RSET\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n"},
    {"DATA silent", PLAIN, ONE, PIPES "250 ok\r\n250 ok\r\n" T "!tick",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 temporary timeout DATA 0 4.4.1 timed out while "
     "waiting for the server (DATA)]\n[done]\n[close]\n"},

    /* ---- the end of data ---- */
    {"refused at the end", PLAIN, TWO,
     PIPES "250 ok\r\n250 ok\r\n450 4.2.1 later\r\n354 go\r\n" T "550 5.7.1 spam\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n"
                "[1 temporary RCPT TO 450 4.2.1 later]\n[body]\nab\n.\n"
                "[0 permanent end of data 550 5.7.1 spam]\n[done]\n"},
    {"421 at the end", PLAIN, ONE, HELLO "250 ok\r\n250 ok\r\n354 go\r\n" T "421 4.3.0 oops\r\n",
     SAID_HELLO SAID_A "[body]\nab\n.\n[0 temporary end of data 421 4.3.0 oops]\n[done]\n[close]\n"},
    {"lost at the end", PLAIN, ONE, HELLO "250 ok\r\n250 ok\r\n354 go\r\n" T "25" T "!lost",
     SAID_HELLO SAID_A
     "[body]\nab\n.\n[0 temporary lost end of data 0 4.4.2 connection reset (end of data)]\n[done]\n"
     "[close]\n"},
    {"silent at the end", PLAIN, ONE, HELLO "250 ok\r\n250 ok\r\n354 go\r\n" T "!tick",
     SAID_HELLO SAID_A
     "[body]\nab\n.\n[0 temporary timeout end of data 0 4.4.1 timed out while waiting for the server "
     "(end of data)]\n[done]\n[close]\n"},
    {"reply before the body", PLAIN, ONE, HELLO "250 ok\r\n250 ok\r\n354 go\r\n552 5.3.4 too big\r\n",
     SAID_HELLO SAID_A "[body]\n[0 permanent message content 552 5.3.4 too big]\n[done]\n[close]\n"},
    {"success before the body", PLAIN, ONE, HELLO "250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
     SAID_HELLO SAID_A
     "[body]\n[0 temporary protocol message content 0 4.5.0 the server sent a reply that does not fit "
     "(message content)]\n[done]\n[close]\n"},

    /* ---- between messages ---- */
    {"421 while idle", PLAIN, NULL_SENDER, "220 x\r\n250 x\r\n550 no\r\n" T "421 timeout\r\n",
     SAID_HELLO "MAIL FROM:<>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n[close]\n"},
    {"reply too many", PLAIN, NULL_SENDER, "220 x\r\n250 x\r\n550 no\r\n250 ok\r\n",
     SAID_HELLO "MAIL FROM:<>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n[close]\n"},
    {"lost while idle", PLAIN, NULL_SENDER, "220 x\r\n250 x\r\n550 no\r\n" T "!lost",
     SAID_HELLO "MAIL FROM:<>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\n[close]\n"},
    {"QUIT unanswered", PLAIN, NULL_SENDER, "220 x\r\n250 x\r\n550 no\r\n" T "!quit" T "!tick",
     SAID_HELLO "MAIL FROM:<>\n[0 permanent MAIL FROM 550 5.0.0 no]\n[done]\nQUIT\n[close]\n"},
    {"given up in the middle", PLAIN, ONE, "220 x\r\n250 x\r\n" T "!quit",
     SAID_HELLO
     "MAIL FROM:<s@near.test>\n[0 temporary lost MAIL FROM 0 4.4.2 given up (MAIL FROM)]\n[done]\n[close]\n"},

    /* ---- BDAT ---- */
    {"binary", PLAIN, BINARY,
     "220 x\r\n250-x\r\n250-CHUNKING\r\n250 BINARYMIME\r\n250 ok\r\n250 ok\r\n550 who\r\n" T "250 4\r\n" T
     "250 done\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test> BODY=BINARYMIME\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\n"
                "[1 permanent RCPT TO 550 5.0.0 who]\n[body]\nBDAT 4\nab\nBDAT 0 LAST\n"
                "[0 delivered end of data 250 2.0.0 done]\n[done]\n"},
    {"binary, pipelined, no recipient left", PLAIN, BINARY,
     "220 x\r\n250-x\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 BINARYMIME\r\n250 ok\r\n550 who\r\n550 who\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test> BODY=BINARYMIME\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\n"
                "[0 permanent RCPT TO 550 5.0.0 who]\n[1 permanent RCPT TO 550 5.0.0 who]\n[done]\n"},
    {"chunk refused", PLAIN, BINARY,
     "220 x\r\n250-x\r\n250-CHUNKING\r\n250 BINARYMIME\r\n250 ok\r\n250 ok\r\n550 who\r\n" T "452 4.3.1 full\r\n",
     SAID_HELLO "MAIL FROM:<s@near.test> BODY=BINARYMIME\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\n"
                "[1 permanent RCPT TO 550 5.0.0 who]\n[body]\nBDAT 4\nab\nBDAT 0 LAST\n"
                "[0 temporary message content 452 4.3.1 full]\n[done]\n[close]\n"},

    /* ---- LMTP ---- */
    {"LMTP", LMTP, TWO,
     "220 x\r\n250-x\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n" T
     "250 2.1.5 first\r\n452 4.2.2 second is full\r\n",
     "LHLO me.test\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n[body]\nab\n.\n"
     "[0 delivered end of data 250 2.1.5 first]\n[1 temporary end of data 452 4.2.2 second is full]\n[done]\n"},
    {"LMTP, only the second is taken", LMTP, TWO,
     "220 x\r\n250 x\r\n250 ok\r\n550 5.1.1 who\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n",
     "LHLO me.test\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\n[0 permanent RCPT TO 550 5.1.1 who]\n"
     "RCPT TO:<b@far.test>\nDATA\n[body]\nab\n.\n[1 delivered end of data 250 2.0.0 ok]\n[done]\n"},
    {"LMTP, lost between the final replies", LMTP, TWO,
     "220 x\r\n250 x\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n" T "250 ok\r\n" T "!lost",
     "LHLO me.test\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nRCPT TO:<b@far.test>\nDATA\n[body]\nab\n.\n"
     "[0 delivered end of data 250 2.0.0 ok]\n"
     "[1 temporary lost end of data 0 4.4.2 connection reset (end of data)]\n[done]\n[close]\n"},
    {"LHLO refused: no HELO", LMTP, ONE, "220 x\r\n500 what\r\n",
     "LHLO me.test\nQUIT\n[failed permanent EHLO 500 5.0.0 what]\n[close]\n"},
    {"LMTP 354 without recipients", LMTP, ONE,
     "220 x\r\n250-x\r\n250 PIPELINING\r\n250 ok\r\n550 who\r\n354 go\r\n",
     "LHLO me.test\nMAIL FROM:<s@near.test>\nRCPT TO:<a@far.test>\nDATA\n[0 permanent RCPT TO 550 5.0.0 who]\n"
     "[done]\n[close]\n"},
};

static struct span body_of(enum message_kind kind)
{
    return kind == DOTS ? SPAN(".\r\n..\r\na.\r\n\r.\n\r\n\n\r.\r\nb\r.\nc\r\n.") : SPAN("ab\r\n");
}

static void check_row(const struct row *row, size_t piece, size_t body_piece)
{
    struct test_play play = {
        .options = &row->options,
        .message = &messages[row->message],
        .body = body_of(row->message),
        .script = span_of(row->script),
        .piece = piece,
        .body_piece = row->message == BINARY ? SIZE_MAX / 2 : body_piece,
    };
    struct test_driver d;
    driver_play(&d, &play);
    CHECK_SPAN(row->name, buf_span(&d.transcript), span_of(row->want));
    CHECK_INT(row->name, d.after_close, 0);
    driver_end(&d);
}

static void test_dialogues(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&rows[i], SIZE_MAX / 2, SIZE_MAX / 2);
        check_row(&rows[i], 1, 1);
        check_row(&rows[i], 3, 2);
    }
}

int main(void)
{
    secret_init(&password, 100);
    if (!secret_set(&password, SPAN("pass")))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dialogues)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    secret_done(&password);
    return failed;
}
