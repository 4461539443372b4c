/* test_words.c: commands, parameters and their values, replies. */
#include "check.h"
#include "smtp/command.h"
#include "smtp/params.h"
#include "smtp/reply.h"

static void test_command(void **state)
{
    (void)state;
    static const struct {
        struct span line;
        enum smtp_verb verb;
        struct span argument;
    } rows[] = {
        {SPAN_INIT("EHLO c.test"), SMTP_VERB_EHLO, SPAN_INIT("c.test")},
        {SPAN_INIT("mail FROM:<a> "), SMTP_VERB_MAIL, SPAN_INIT("FROM:<a>")},
        {SPAN_INIT("QUIT"), SMTP_VERB_QUIT, SPAN_INIT("")},
        {SPAN_INIT("Quit  "), SMTP_VERB_QUIT, SPAN_INIT("")},
        {SPAN_INIT("QUITX"), SMTP_VERB_UNKNOWN, SPAN_INIT("")},
        {SPAN_INIT("QUI"), SMTP_VERB_UNKNOWN, SPAN_INIT("")},
        {SPAN_INIT(" QUIT"), SMTP_VERB_UNKNOWN, SPAN_INIT("QUIT")},
        {SPAN_INIT("MAIL\tFROM:<a>"), SMTP_VERB_UNKNOWN, SPAN_INIT("")},
        {SPAN_INIT(""), SMTP_VERB_UNKNOWN, SPAN_INIT("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smtp_command c = smtp_command_parse(rows[i].line);
        CHECK_INT(rows[i].line.ptr, c.verb, rows[i].verb);
        CHECK_SPAN(rows[i].line.ptr, c.argument, rows[i].argument);
    }
    for (int v = 0; v < SMTP_VERB_COUNT; v++) {
        struct span name = smtp_verb_name((enum smtp_verb)v);
        CHECK_INT(name.ptr, smtp_command_parse(name).verb, v);
    }
}

static void test_params(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        const char *printed; /* "name=value;" or "name;", "!word;" where malformed */
    } rows[] = {
        {SPAN_INIT(""), ""},
        {SPAN_INIT("   "), ""},
        {SPAN_INIT(" SIZE=10 SMTPUTF8  X-Y=a;b "), "SIZE=10;SMTPUTF8;X-Y=a;b;"},
        {SPAN_INIT(" A=\xc3\xbc"), "A=\xc3\xbc;"},
        {SPAN_INIT(" A="), "!A=;"},
        {SPAN_INIT(" =1"), "!=1;"},
        {SPAN_INIT(" A=b=c"), "!A=b=c;"},
        {SPAN_INIT(" -A=b"), "!-A=b;"},
        {SPAN_INIT(" A_B=c"), "!A_B=c;"},
        {SPAN_INIT(" A=\xff"), "!A=\xff;"},
        {SPAN_INIT(" A=b\tC=d"), "!A=b\tC=d;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span rest = rows[i].text;
        struct smtp_param p;
        struct buf out;
        enum smtp_param_status st;
        buf_init(&out, 100);
        while ((st = smtp_param_next(&rest, &p)) != SMTP_PARAM_END) {
            buf_addf(&out, "%s%.*s%s%.*s;", st == SMTP_PARAM_MALFORMED ? "!" : "", SPAN_ARG(p.name),
                     p.has_value ? "=" : "", SPAN_ARG(p.value));
            if (st == SMTP_PARAM_MALFORMED)
                break;
        }
        CHECK_SPAN(rows[i].printed, buf_span(&out), span_of(rows[i].printed));
        buf_done(&out);
    }
}

static void test_xtext(void **state)
{
    (void)state;
    static const struct {
        struct span text, decoded;
        bool ok, envid;
    } rows[] = {
        {SPAN_INIT("abc"), SPAN_INIT("abc"), true, true},
        {SPAN_INIT("a+2Bb+3d"), SPAN_INIT("a+b="), true, true},
        {SPAN_INIT("+20"), SPAN_INIT(" "), true, true},
        {SPAN_INIT("+C3+BC"), SPAN_INIT("\xc3\xbc"), true, false},
        {SPAN_INIT(""), SPAN_INIT(""), true, false},
        {SPAN_INIT("a+"), SPAN_INIT(""), false, false},
        {SPAN_INIT("a+4"), SPAN_INIT(""), false, false},
        {SPAN_INIT("a+4g"), SPAN_INIT(""), false, false},
        {SPAN_INIT("a=b"), SPAN_INIT(""), false, false},
        {SPAN_INIT("a b"), SPAN_INIT(""), false, false},
        {SPAN_INIT("\xc3\xbc"), SPAN_INIT(""), false, false},
        {SPAN_INIT("+0D+0A"), SPAN_INIT(""), false, false},
        {SPAN_INIT("+00"), SPAN_INIT(""), false, false},
        {SPAN_INIT("+7f"), SPAN_INIT(""), false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        CHECK_INT(rows[i].text.ptr, smtp_xtext_decode(&out, rows[i].text), rows[i].ok);
        if (rows[i].ok)
            CHECK_SPAN(rows[i].text.ptr, buf_span(&out), rows[i].decoded);
        CHECK_INT(rows[i].text.ptr, smtp_envid_valid(rows[i].text), rows[i].envid);
        buf_done(&out);
    }
    char text[SMTP_ENVID_MAX + 1];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = 'x';
    CHECK("at the limit", smtp_envid_valid(span_make(text, SMTP_ENVID_MAX)));
    CHECK("one past it", !smtp_envid_valid(span_make(text, SMTP_ENVID_MAX + 1)));
    struct buf small;
    buf_init(&small, 2);
    CHECK("no room", !smtp_xtext_decode(&small, SPAN("abc")));
    buf_done(&small);
}

static void test_dsn_values(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        bool ok, ok_utf8;
    } orcpt[] = {
        {SPAN_INIT("rfc822;a@b.test"), true, true},
        {SPAN_INIT("RFC822;a+2Bb@c"), true, true},
        {SPAN_INIT("x-local;any"), true, true},
        {SPAN_INIT("utf-8;\\x{FC}@b.test"), true, true},
        {SPAN_INIT("utf-8;\xc3\xbc@b.test"), false, true},
        {SPAN_INIT("utf-8;\xff@b.test"), false, false},
        {SPAN_INIT("rfc822;\xc3\xbc@b.test"), false, false},
        {SPAN_INIT("rfc822;+0A"), false, false},
        {SPAN_INIT("rfc822;"), false, false},
        {SPAN_INIT(";a@b"), false, false},
        {SPAN_INIT("rfc822"), false, false},
        {SPAN_INIT("rfc 822;a"), false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(orcpt); i++) {
        CHECK_INT(orcpt[i].text.ptr, smtp_orcpt_valid(orcpt[i].text, false), orcpt[i].ok);
        CHECK_INT(orcpt[i].text.ptr, smtp_orcpt_valid(orcpt[i].text, true), orcpt[i].ok_utf8);
    }
    static const struct {
        struct span text;
        unsigned flags; /* 0: malformed */
    } notify[] = {
        {SPAN_INIT("NEVER"), SMTP_NOTIFY_NEVER},
        {SPAN_INIT("success"), SMTP_NOTIFY_SUCCESS},
        {SPAN_INIT("SUCCESS,FAILURE,DELAY"), SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY},
        {SPAN_INIT("NEVER,DELAY"), 0},
        {SPAN_INIT("DELAY,NEVER"), 0},
        {SPAN_INIT("DELAY,DELAY"), 0},
        {SPAN_INIT("DELAY,"), 0},
        {SPAN_INIT(",DELAY"), 0},
        {SPAN_INIT("SOMETIMES"), 0},
        {SPAN_INIT(""), 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(notify); i++) {
        unsigned flags = 0;
        CHECK_INT(notify[i].text.ptr, smtp_notify_parse(notify[i].text, &flags), notify[i].flags != 0);
        CHECK_INT(notify[i].text.ptr, flags, notify[i].flags);
    }
}

static void test_reply(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct smtp_reply reply;
        const char *with, *without;
        bool valid; /* as a refusal */
    } rows[] = {
        {"usual",
         {550, SPAN_INIT("5.7.1"), SPAN_INIT("Unable to relay")},
         "550 5.7.1 Unable to relay\r\n",
         "550 Unable to relay\r\n",
         true},
        {"no code", {354, SPAN_INIT(""), SPAN_INIT("go on")}, "354 go on\r\n", "354 go on\r\n", false},
        {"nothing", {450, SPAN_INIT(""), SPAN_INIT("")}, "450 \r\n", "450 \r\n", true},
        {"code of another class", {550, SPAN_INIT("4.7.1"), SPAN_INIT("x")}, "550 x\r\n", "550 x\r\n", false},
        {"code that is none", {550, SPAN_INIT("5.7"), SPAN_INIT("x")}, "550 x\r\n", "550 x\r\n", false},
        {"code with a line end", {550, SPAN_INIT("5.7.1\r\n"), SPAN_INIT("x")}, "550 x\r\n", "550 x\r\n", false},
        {"line ends",
         {550, SPAN_INIT("5.7.1"), SPAN_INIT("a\r\n250 b\0\x7f")},
         "550 5.7.1 a  250 b  \r\n",
         "550 a  250 b  \r\n",
         true},
        {"beyond ASCII", {550, SPAN_INIT("5.7.1"), SPAN_INIT("\xc3\xbc")}, "550 5.7.1 ??\r\n", "550 ??\r\n", true},
        {"success", {250, SPAN_INIT("2.0.0"), SPAN_INIT("x")}, "250 2.0.0 x\r\n", "250 x\r\n", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf with, without;
        buf_init(&with, 1000);
        buf_init(&without, 1000);
        smtp_reply_print(&with, &rows[i].reply, true);
        smtp_reply_print(&without, &rows[i].reply, false);
        CHECK_SPAN(rows[i].name, buf_span(&with), span_of(rows[i].with));
        CHECK_SPAN(rows[i].name, buf_span(&without), span_of(rows[i].without));
        CHECK_INT(rows[i].name, smtp_reply_valid(&rows[i].reply, 400, 599), rows[i].valid);
        buf_done(&with);
        buf_done(&without);
    }
    char text[2000];
    struct buf out;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = 'x';
    buf_init(&out, 1000);
    smtp_reply_print(&out, &(struct smtp_reply){550, SPAN("5.999.999"), span_make(text, sizeof text)}, true);
    CHECK_INT("cut", out.len, SMTP_REPLY_MAX);
    CHECK("cut, with its end", span_ends(buf_span(&out), SPAN("x\r\n")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),    cmocka_unit_test(test_params), cmocka_unit_test(test_xtext),
        cmocka_unit_test(test_dsn_values), cmocka_unit_test(test_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
