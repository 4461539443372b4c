/* test_show.c: what of a dialogue is shown: `want` has our lines behind "> " and the server's behind "< ". */
#include "check.h"
#include "smtp/client/test_driver.h"

#include <string.h>

#define T "\x1e" /* next turn */

static struct secret password; /* "Marker7x", in base64 TWFya2VyN3g= */

#define BASE .helo_name = SPAN_INIT("me.test")
#define PLAIN                                                                                                      \
    {                                                                                                              \
        BASE                                                                                                       \
    }
#define TLS                                                                                                        \
    {                                                                                                              \
        BASE, .tls = SMTP_CLIENT_TLS_OPPORTUNISTIC                                                                 \
    }
#define USER                                                                                                       \
    {                                                                                                              \
        BASE, .tls_active = true, .user = SPAN_INIT("marker@near.test"), .password = &password                     \
    }
#define SENT_BODY  "> MAIL FROM:<s@near.test>\n< 250 ok\n> RCPT TO:<a@far.test>\n< 250 ok\n> DATA\n< 354 go\n"
#define TAKES_BODY "250 ok\r\n250 ok\r\n354 go\r\n" T "250 2.0.0 done\r\n"

static const struct {
    const char *name;
    struct smtp_client_options options;
    bool binary;
    const char *script, *want;
} rows[] = {
    {"content is not shown, nor its end", PLAIN, false,
     "220 far.test hi\r\n250-far.test\r\n250 HELP\r\n" TAKES_BODY T "!quit" T "221 bye\r\n",
     "< 220 far.test hi\n> EHLO me.test\n< 250-far.test\n< 250 HELP\n" SENT_BODY
     "< 250 2.0.0 done\n> QUIT\n< 221 bye\n"},
    {"pipelined", PLAIN, false, "220 x\r\n250-x\r\n250 PIPELINING\r\n" T TAKES_BODY,
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 PIPELINING\n> MAIL FROM:<s@near.test>\n> RCPT TO:<a@far.test>\n> "
     "DATA\n"
     "< 250 ok\n< 250 ok\n< 354 go\n< 250 2.0.0 done\n"},
    {"chunks without their octets", PLAIN, true,
     "220 x\r\n250-x\r\n250-CHUNKING\r\n250 BINARYMIME\r\n250 ok\r\n250 ok\r\n" T "250 ok\r\n" T "250 done\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250-CHUNKING\n< 250 BINARYMIME\n"
     "> MAIL FROM:<s@near.test> BODY=BINARYMIME\n< 250 ok\n> RCPT TO:<a@far.test>\n< 250 ok\n> BDAT 8\n> BDAT 0 "
     "LAST\n"
     "< 250 ok\n< 250 done\n"},
    {"an empty text", PLAIN, false, "220\r\n421\r\n", "< 220\n> EHLO me.test\n< 421\n"},
    {"TLS", TLS, false, "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n" T "250 x\r\n421 no\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 STARTTLS\n> STARTTLS\n< 220 go\n> EHLO me.test\n< 250 x\n"
     "> MAIL FROM:<s@near.test>\n< 421 no\n"},
    {"AUTH PLAIN", USER, false, "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n235 2.7.0 welcome\r\n250 ok\r\n421 no\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH PLAIN\n> AUTH PLAIN (initial response not shown)\n"
     "< 235 2.7.0 welcome\n> MAIL FROM:<s@near.test>\n< 250 ok\n> RCPT TO:<a@far.test>\n< 421 no\n"},
    {"AUTH LOGIN", USER, false,
     "220 x\r\n250-x\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 yes\r\n421 no\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH LOGIN\n> AUTH LOGIN\n< 334 (challenge not shown)\n"
     "> (authentication response not shown)\n< 334 (challenge not shown)\n> (authentication response not shown)\n"
     "< 235 yes\n> MAIL FROM:<s@near.test>\n< 421 no\n"},
    {"refused", USER, false, "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n535 5.7.8 wrong\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH PLAIN\n> AUTH PLAIN (initial response not shown)\n"
     "< 535 5.7.8 wrong\n> QUIT\n"},
    {"the server repeats the password", USER, false,
     "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n535-no\r\n535 not \"Marker7x\"\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH PLAIN\n> AUTH PLAIN (initial response not shown)\n"
     "< 535 (text not shown)\n> QUIT\n"},
    {"... in base64", USER, false, "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n535 not TWFya2VyN3g=\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH PLAIN\n> AUTH PLAIN (initial response not shown)\n"
     "< 535 (text not shown)\n> QUIT\n"},
    {"... as it was sent", USER, false,
     "220 x\r\n250-x\r\n250 AUTH PLAIN\r\n501 what is AG1hcmtlckBuZWFyLnRlc3QATWFya2VyN3g=\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH PLAIN\n> AUTH PLAIN (initial response not shown)\n"
     "< 501 (text not shown)\n> QUIT\n"},
    {"a server that answers before it is asked", USER, false,
     "220 x\r\n250-x\r\n250 AUTH LOGIN\r\n334 a\r\n334 b\r\n235 c\r\n250 d\r\n",
     "< 220 x\n> EHLO me.test\n< 250-x\n< 250 AUTH LOGIN\n> AUTH LOGIN\n< 334 (challenge not shown)\n"
     "> (authentication response not shown)\n< 334 (challenge not shown)\n> (authentication response not shown)\n"
     "< 235 c\n> MAIL FROM:<s@near.test>\n< 250 d\n> RCPT TO:<a@far.test>\n"},
};

/* Neither is it in what is reported of the message. */
static void check_reports(const char *name, struct span transcript)
{
    static const char *const secrets[] = {"Marker7x", "TWFya2VyN3", "AG1hcmtlckBuZWFyLnRlc3QATWFya2VyN3"};
    struct span line;
    while (span_split(&transcript, '\n', &line))
        for (size_t i = 0; span_starts(line, SPAN("[")) && i < ARRAY_LEN(secrets); i++)
            CHECK(name, !memmem(line.ptr, line.len, secrets[i], strlen(secrets[i])));
}

static void test_show(void **state UNUSED)
{
    static const struct smtp_client_recipient to[] = {{.address = SPAN_INIT("a@far.test")}};
    static const size_t pieces[] = {SIZE_MAX / 2, 1, 3};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
            const struct smtp_client_message message = {.sender = SPAN_INIT("s@near.test"),
                                                        .recipients = to,
                                                        .recipient_count = 1,
                                                        .size = 8,
                                                        .binary = rows[i].binary};
            struct test_play play = {.options = &rows[i].options,
                                     .message = &message,
                                     .body = SPAN("secret\r\n"),
                                     .script = span_of(rows[i].script),
                                     .piece = pieces[k],
                                     .body_piece = SIZE_MAX / 2};
            struct test_driver d;
            driver_play(&d, &play);
            CHECK_SPAN(rows[i].name, buf_span(&d.lines), span_of(rows[i].want));
            check_reports(rows[i].name, buf_span(&d.transcript));
            driver_end(&d);
        }
}

int main(void)
{
    secret_init(&password, 100);
    if (!secret_set(&password, SPAN("Marker7x")))
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_show)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    secret_done(&password);
    return failed;
}
