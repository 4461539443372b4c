/* test_sendmail.c: the command line of sendmail(1), the message that comes of it, the input, and the exit statuses.
 */
#include "check.h"
#include "cli/sendmail.h"

#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 12 };

/* Words that blanks divide; "" stands for an empty one. */
static int split(char *text, char **words)
{
    static char empty[] = "";
    int n = 0;
    for (char *save, *w = strtok_r(text, " ", &save); w && n < WORDS_MAX; w = strtok_r(NULL, " ", &save))
        words[n++] = strcmp(w, "\"\"") == 0 ? empty : w;
    words[n] = NULL;
    return n;
}

static const char *or_none(const char *s)
{
    return s ? s : "-";
}

/* ---- options ---- */

static const struct {
    const char *name, *line;
    const char *want; /* mode, flags, -f, -F, -V, -R, -N, -B, recipients; or NULL */
    const char *says;
} lines[] = {
    {"an address", "sendmail a@x.test", "send - - - - - - - a@x.test", NULL},
    {"cron", "sendmail -FCronDaemon -i -B8BITMIME -oem root", "send i - CronDaemon - - - 8BITMIME root", NULL},
    {"PHP", "/usr/sbin/sendmail -t -i", "send ti - - - - - -", NULL},
    {"PHP with -f", "/usr/sbin/sendmail -t -i -fweb@x.test", "send ti web@x.test - - - - -", NULL},
    {"joined", "sendmail -tif a@x.test", "send ti a@x.test - - - - -", NULL},
    {"s-nail", "sendmail -i -m -v a@x.test b@x.test", "send i - - - - - - a@x.test b@x.test", NULL},
    {"git", "sendmail -i -f a@x.test b@x.test", "send i a@x.test - - - - - b@x.test", NULL},
    {"-oi", "sendmail -oi -t", "send ti - - - - - -", NULL},
    {"-o i", "sendmail -o i -t", "send ti - - - - - -", NULL},
    {"null sender", "sendmail -f <> a@x.test", "send - <> - - - - - a@x.test", NULL},
    {"null sender as an empty word", "sendmail -f \"\" a@x.test", "send -  - - - - - a@x.test", NULL},
    {"-r is -f", "sendmail -r a@x.test b@x.test", "send - a@x.test - - - - - b@x.test", NULL},
    {"reports", "sendmail -N success,failure -R hdrs -V id7 a@x.test",
     "send - - - id7 HDRS success,failure - a@x.test", NULL},
    {"never", "sendmail -Nnever -Rfull a@x.test", "send - - - - FULL never - a@x.test", NULL},
    {"SMTP", "sendmail -bs", "smtp - - - - - - -", NULL},
    {"queue", "sendmail -bp", "queue - - - - - - -", NULL},
    {"mailq", "/usr/bin/mailq", "queue - - - - - - -", NULL},
    {"newaliases", "newaliases", "idle - - - - - - -", NULL},
    {"-bi", "sendmail -bi", "idle - - - - - - -", NULL},
    {"-q", "sendmail -q", "idle - - - - - - -", NULL},
    {"-q with a time", "sendmail -q30m", "idle - - - - - - -", NULL},
    {"-bm", "sendmail -bm a@x.test", "send - - - - - - - a@x.test", NULL},
    {"--", "sendmail -- -odd@x.test", "send - - - - - - - -odd@x.test", NULL},
    {"state", "sendmail --state /x -t", "send t - - - - - -", NULL},
    {"no recipient", "sendmail", NULL, "-t"},
    {"no recipient, but options", "sendmail -i -f a@x.test", NULL, "-t"},
    {"option behind an address", "sendmail a@x.test -f b@x.test", NULL, "-f stands behind"},
    {"unknown letter", "sendmail -Z a@x.test", NULL, "-Z"},
    {"unknown word", "sendmail --help", NULL, "--help"},
    {"unknown mode", "sendmail -bd", NULL, "mailreeve serve"},
    {"value missing", "sendmail -f", NULL, "-f needs a value"},
    {"-N unknown", "sendmail -N always a@x.test", NULL, "-N always"},
    {"-N never and more", "sendmail -N never,delay a@x.test", NULL, "-N never,delay"},
    {"-R unknown", "sendmail -R some a@x.test", NULL, "-R some"},
    {"-B unknown", "sendmail -B9BIT a@x.test", NULL, "-B 9BIT"},
};

static void test_options(void **state UNUSED)
{
    static const char *const modes[] = {
        [SENDMAIL_SEND] = "send", [SENDMAIL_SMTP] = "smtp", [SENDMAIL_QUEUE] = "queue", [SENDMAIL_IDLE] = "idle"};
    struct buf got;
    buf_init(&got, 1024);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256], *words[WORDS_MAX + 1];
        struct sendmail_options o = {0};
        struct err err = {0};
        snprintf(text, sizeof text, "%s", lines[i].line);
        int n = split(text, words);
        CHECK_INT(lines[i].name, sendmail_parse(n, words, &o, &err), lines[i].want ? ERR_NONE : ERR_INVALID);
        if (!lines[i].want) {
            CHECK(lines[i].name, strstr(err.text, lines[i].says));
            continue;
        }
        buf_clear(&got);
        buf_addf(&got, "%s %s%s%s %s %s %s %s %s %s", modes[o.mode], o.from_header ? "t" : "",
                 o.dot_is_text ? "i" : "", o.from_header || o.dot_is_text ? "" : "-", or_none(o.sender),
                 or_none(o.full_name), or_none(o.envid), or_none(o.ret), or_none(o.notify), or_none(o.body));
        for (int k = 0; k < o.recipient_count; k++)
            buf_addf(&got, " %s", o.recipients[k]);
        CHECK_SPAN(lines[i].name, buf_span(&got), span_of(lines[i].want));
    }
    buf_done(&got);
}

/* ---- the message ---- */

#define OK SENDMAIL_OK
static const struct {
    const char *name, *line, *header;
    const char *envelope; /* sender > recipients; or what the error says */
    const char *out;      /* the header that goes out; NULL: not looked at */
    enum sendmail_exit exit;
    bool by_header;
} messages[] = {
    {"cron", "sendmail -FCron root", "From: root (Cron Daemon)\r\nTo: root\r\nSubject: x\r\n",
     "joe@example.com > root@example.com", "From: root (Cron Daemon)\r\nTo: root\r\nSubject: x\r\n\r\n", OK, false},
    {"From is added", "sendmail a@x.test", "Subject: x\r\n", "joe@example.com > a@x.test",
     "From: \"Joe \\\"J\\\" Doe\" <joe@example.com>\r\nSubject: x\r\n\r\n", OK, false},
    {"with -F and -f", "sendmail -F Web -f web@x.test a@x.test", "", "web@x.test > a@x.test",
     "From: \"Web\" <web@x.test>\r\n\r\n", OK, false},
    {"no From of nobody", "sendmail -f <> a@x.test", "Subject: x\r\n", "<> > a@x.test", "Subject: x\r\n\r\n", OK,
     false},
    {"-t", "sendmail -t", "From: joe@example.com\r\nTo: a@x.test\r\nCc: b@x.test, c\r\nBcc: d@x.test\r\n",
     "joe@example.com > a@x.test, b@x.test, c@example.com, d@x.test",
     "From: joe@example.com\r\nTo: a@x.test\r\nCc: b@x.test, c\r\n\r\n", OK, true},
    {"-t, another From", "sendmail -t", "From: web@x.test\r\nTo: a@x.test\r\n", "joe@example.com > a@x.test", NULL,
     OK, false},
    {"-t, the same with -f", "sendmail -t -f web@x.test", "From: Web <web@x.test>\r\nTo: a@x.test\r\n",
     "web@x.test > a@x.test", NULL, OK, true},
    {"-t, Bcc alone, folded", "sendmail -t", "Subject: x\r\nBcc: a@x.test,\r\n b@x.test\r\nX: y\r\n",
     "joe@example.com > a@x.test, b@x.test",
     "From: \"Joe \\\"J\\\" Doe\" <joe@example.com>\r\nSubject: x\r\nX: y\r\n\r\n", OK, true},
    {"-t without those of the command line", "sendmail -t b@x.test", "To: a@x.test, B@X.test\r\n",
     "joe@example.com > a@x.test", NULL, OK, false},
    {"-t, Resent", "sendmail -t", "To: a@x.test\r\nResent-To: b@x.test\r\nResent-Bcc: c@x.test\r\n",
     "joe@example.com > b@x.test, c@x.test", NULL, OK, false},
    {"-t with reports asked for", "sendmail -t -N never", "To: a@x.test\r\n", "joe@example.com > a@x.test", NULL,
     OK, false},
    {"without -t the header is left alone", "sendmail a@x.test", "To: b@x.test\r\nBcc: c@x.test\r\nFrom: d\r\n",
     "joe@example.com > a@x.test", "To: b@x.test\r\nFrom: d\r\n\r\n", OK, false},
    {"lists on the command line", "sendmail a@x.test,b@x.test c", "",
     "joe@example.com > a@x.test, b@x.test, c@example.com", NULL, OK, false},
    {"UTF-8", "sendmail \xc3\xb6@x.test", "", "joe@example.com > \xc3\xb6@x.test utf8", NULL, OK, false},
    {"-t names nobody", "sendmail -t", "Subject: x\r\n", "To, Cc and Bcc", NULL, SENDMAIL_DATAERR, false},
    {"-t, nothing left", "sendmail -t a@x.test", "To: a@x.test\r\n", "no recipient", NULL, SENDMAIL_DATAERR, false},
    {"-t, no list", "sendmail -t", "To: a@x.test, <<\r\n", "no list of addresses", NULL, SENDMAIL_DATAERR, false},
    {"no address", "sendmail <<", "", "<<", NULL, SENDMAIL_USAGE, false},
    {"-f is no address", "sendmail -f << a@x.test", "", "-f <<", NULL, SENDMAIL_USAGE, false},
    {"-f is two", "sendmail -f a@x.test,b@x.test c@x.test", "", "-f", NULL, SENDMAIL_USAGE, false},
};

static void check_message(size_t i, struct arena *arena, struct buf *got)
{
    const struct sendmail_user user = {SPAN("joe"), SPAN("Joe \"J\" Doe"), SPAN("example.com")};
    char text[256], *words[WORDS_MAX + 1];
    struct sendmail_options o;
    struct sendmail_message m = {0};
    struct err err = {0};
    enum sendmail_exit exit = SENDMAIL_SOFTWARE;
    const char *name = messages[i].name;
    snprintf(text, sizeof text, "%s", messages[i].line);
    CHECK_INT(name, sendmail_parse(split(text, words), words, &o, &err), ERR_NONE);
    enum err_code code = sendmail_build(&o, &user, span_of(messages[i].header), arena, &m, &exit, &err);
    CHECK_INT(name, exit, messages[i].exit);
    CHECK_INT(name, code != ERR_NONE, messages[i].exit != SENDMAIL_OK);
    if (code) {
        CHECK(name, strstr(err.text, messages[i].envelope));
        return;
    }
    buf_addf(got, "%.*s > ", SPAN_ARG(m.sender.len ? m.sender : SPAN("<>")));
    for (size_t k = 0; k < m.recipient_count; k++)
        buf_addf(got, "%s%.*s", k ? ", " : "", SPAN_ARG(m.recipients[k]));
    buf_addf(got, "%s", m.utf8 ? " utf8" : "");
    CHECK_SPAN(name, buf_span(got), span_of(messages[i].envelope));
    CHECK_INT(name, m.by_header, messages[i].by_header);
    if (messages[i].out)
        CHECK_SPAN(name, m.header, span_of(messages[i].out));
}

static void test_messages(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct arena arena;
        struct buf got;
        arena_init(&arena, 0);
        buf_init(&got, 4096);
        check_message(i, &arena, &got);
        buf_done(&got);
        arena_clear(&arena);
    }
}

/* ---- the input ---- */

static void test_input(void **state UNUSED)
{
    static const struct {
        const char *name, *in;
        bool dot_is_text;
        const char *out;
    } rows[] = {
        {"lines", "a\nb\n", false, "a\r\nb\r\n"},
        {"a last line without its end", "a\nb", false, "a\r\nb\r\n"},
        {"a dot ends it", "a\n.\nb\n", false, "a\r\n"},
        {"a dot with CRLF", "a\r\n.\r\nb\r\n", false, "a\r\n"},
        {"a dot as the last line without its end", "a\n.", false, "a\r\n"},
        {"a dot is text", "a\n.\nb\n", true, "a\r\n.\r\nb\r\n"},
        {"a line that begins with a dot", ".a\n..\n", false, ".a\r\n..\r\n"},
        {"nothing", "", false, ""},
        {"a dot at once", ".\n", false, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sendmail_input in;
        struct buf got;
        struct err err;
        struct span part = {0};
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(write(fds[1], rows[i].in, strlen(rows[i].in)), (ssize_t)strlen(rows[i].in));
        close(fds[1]);
        buf_init(&got, 4096);
        sendmail_input_init(&in, fds[0], rows[i].dot_is_text);
        do {
            CHECK_INT(rows[i].name, sendmail_input_next(&in, &part, &err), ERR_NONE);
            buf_add(&got, part);
        } while (part.len);
        CHECK_SPAN(rows[i].name, buf_span(&got), span_of(rows[i].out));
        sendmail_input_done(&in);
        close(fds[0]);
        buf_done(&got);
    }
}

/* ---- replies ---- */

static void test_exits(void **state UNUSED)
{
    static const struct {
        int code;
        const char *enhanced;
        enum sendmail_exit exit;
    } rows[] = {
        {421, "4.3.2", SENDMAIL_TEMPFAIL},    {451, "", SENDMAIL_TEMPFAIL},
        {452, "4.3.1", SENDMAIL_TEMPFAIL},    {550, "5.1.1", SENDMAIL_NOUSER},
        {550, "5.1.2", SENDMAIL_NOHOST},      {501, "5.1.3", SENDMAIL_DATAERR},
        {501, "", SENDMAIL_DATAERR},          {550, "5.7.1", SENDMAIL_NOPERM},
        {552, "5.3.4", SENDMAIL_UNAVAILABLE}, {554, "", SENDMAIL_UNAVAILABLE},
        {552, "5.2.3", SENDMAIL_UNAVAILABLE}, {554, "5.6.0", SENDMAIL_DATAERR},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[32];
        snprintf(name, sizeof name, "%d %s", rows[i].code, rows[i].enhanced);
        CHECK_INT(name, sendmail_exit_of(rows[i].code, span_of(rows[i].enhanced)), rows[i].exit);
    }
}

static void test_xtext(void **state UNUSED)
{
    struct buf b;
    buf_init(&b, 256);
    sendmail_put_xtext(&b, "a+b=c d\r\n\xc3\xb6~");
    assert_true(span_eq(buf_span(&b), SPAN("a+2Bb+3Dc+20d+0D+0A+C3+B6~")));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options), cmocka_unit_test(test_messages), cmocka_unit_test(test_input),
        cmocka_unit_test(test_exits),   cmocka_unit_test(test_xtext),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
