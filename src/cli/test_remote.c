/*
 * test_remote.c: one statement against a server that says what a row tells it to. The server's frames wait in the
 * socket before the statement is sent, so no second thread is needed.
 */
#include "base/cursor.h"
#include "check.h"
#include "cli/shell.h"
#include "role/common/console.h"
#include "runtime/frame.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAMES_MAX = 4 };

struct fixture {
    struct shell_host host; /* first: answers every question with `answer` */
    const char *answer;
    enum err_code refuses;
    unsigned asked;
    struct buf progress; /* a line each */
    int client, server;
    struct buf out, err_text;
    char *buffer;
};

static enum err_code answer(struct shell_host *host, enum shell_ask_kind kind UNUSED, struct span text UNUSED,
                            struct arena *arena, struct span *ret, struct err *err)
{
    struct fixture *f = (struct fixture *)host;
    f->asked++;
    if (f->refuses)
        return err_set(err, f->refuses, "refused");
    *ret = arena_dup(arena, span_of(f->answer));
    return ERR_NONE;
}

static void note_progress(struct shell_host *host, struct span text)
{
    buf_addf(&((struct fixture *)host)->progress, "%.*s|", SPAN_ARG(text));
}

static int setup(void **state)
{
    int pair[2];
    struct err err;
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(frame_pair(pair, &err), ERR_NONE);
    f->host.ask = answer;
    f->host.progress = note_progress;
    buf_init(&f->progress, 1 << 20);
    f->client = pair[0];
    f->server = pair[1];
    f->buffer = malloc(FRAME_BUFFER);
    assert_non_null(f->buffer);
    buf_init(&f->out, 1 << 20);
    buf_init(&f->err_text, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->client);
    close(f->server);
    buf_done(&f->progress);
    buf_done(&f->out);
    buf_done(&f->err_text);
    free(f->buffer);
    free(f);
    return 0;
}

static void to_out(void *context, struct span bytes)
{
    buf_add(&((struct fixture *)context)->out, bytes);
}

static void to_err(void *context, struct span bytes)
{
    buf_add(&((struct fixture *)context)->err_text, bytes);
}

static enum err_code run(struct fixture *f, const char *text, struct err *err)
{
    const struct shell_output output = {.out = to_out, .err = to_err, .context = f};
    struct arena arena;
    struct script script;
    arena_init(&arena, 0);
    assert_int_equal(syntax_parse(span_of(text), &arena, &script, NULL, err), ERR_NONE);
    assert_int_equal(script.count, 1);
    enum err_code code = shell_remote_run(f->client, &script.statements[0], &f->host, &output, err);
    arena_clear(&arena);
    return code;
}

static void say(struct fixture *f, uint16_t type, struct span body)
{
    assert_int_equal(frame_send(f->server, type, 1, &body, 1, NULL, 0), FRAME_OK);
}

/* The next CONSOLE_RUN that came: its statement and number of answers; the last answer's kind, text and answer. */
static uint32_t hear(struct fixture *f, struct span *ret_statement, struct span *ret_text, struct span *ret_answer)
{
    struct frame got;
    assert_int_equal(frame_receive(f->server, f->buffer, &got), FRAME_OK);
    assert_int_equal(got.type, CONSOLE_RUN);
    struct cursor c = cursor_of(got.body);
    *ret_statement = cursor_bytes(&c, CONSOLE_STATEMENT_MAX);
    uint32_t count = cursor_u32(&c);
    for (uint32_t i = 0; i < count; i++) {
        cursor_u8(&c);
        *ret_text = cursor_bytes(&c, CONSOLE_STATEMENT_MAX);
        *ret_answer = cursor_bytes(&c, CONSOLE_ANSWER_MAX);
    }
    assert_true(cursor_done(&c));
    return count;
}

/* ---- what comes back ---- */

struct said {
    uint16_t type;
    struct span body;
};

static void test_answers(void **state UNUSED)
{
    static const struct {
        const char *row;
        struct said frames[FRAMES_MAX];
        enum err_code code;
        const char *out, *err_text, *says; /* says: in the error that is left to print */
        const char *progress;
        bool raw; /* the first frame's body is sent as it is, without a header */
    } rows[] = {
        {"done", {{CONSOLE_DONE, SPAN_INIT("\0")}}, ERR_NONE, "", "", ""},
        {"output in parts",
         {{CONSOLE_OUT, SPAN_INIT("a")}, {CONSOLE_OUT, SPAN_INIT("b\n")}, {CONSOLE_DONE, SPAN_INIT("\0")}},
         ERR_NONE,
         "ab\n",
         "",
         ""},
        {"failed and told",
         {{CONSOLE_ERR, SPAN_INIT("no such\n")}, {CONSOLE_DONE, SPAN_INIT("\1")}},
         ERR_INVALID,
         "",
         "no such\n",
         ""},
        {"a line end is added",
         {{CONSOLE_ERR, SPAN_INIT("no such")}, {CONSOLE_DONE, SPAN_INIT("\1")}},
         ERR_INVALID,
         "",
         "no such\n",
         ""},
        {"failed without a word", {{CONSOLE_DONE, SPAN_INIT("\1")}}, ERR_INVALID, "", "", "did not say why"},
        {"lost", {{0}}, ERR_UNKNOWN, "", "", "check before you repeat"},
        {"lost behind output", {{CONSOLE_OUT, SPAN_INIT("a")}}, ERR_UNKNOWN, "a", "", "check before you repeat"},
        {"progress is neither output nor an error",
         {{CONSOLE_PROGRESS, SPAN_INIT("half")},
          {CONSOLE_PROGRESS, SPAN_INIT("")},
          {CONSOLE_DONE, SPAN_INIT("\1")}},
         ERR_INVALID,
         "",
         "",
         "did not say why",
         .progress = "half||"},
        {"unknown type", {{CONSOLE_RUN, SPAN_INIT("")}}, ERR_INTERNAL, "", "", "not understood"},
        {"done with nothing", {{CONSOLE_DONE, SPAN_INIT("")}}, ERR_INTERNAL, "", "", "not understood"},
        {"done with more", {{CONSOLE_DONE, SPAN_INIT("\0\0")}}, ERR_INTERNAL, "", "", "not understood"},
        {"done with another value", {{CONSOLE_DONE, SPAN_INIT("\2")}}, ERR_INTERNAL, "", "", "not understood"},
        {"ask cut short", {{CONSOLE_ASK, SPAN_INIT("\0\5\0\0\0ab")}}, ERR_INTERNAL, "", "", "not understood"},
        {"ask of no kind", {{CONSOLE_ASK, SPAN_INIT("\3\0\0\0\0")}}, ERR_INTERNAL, "", "", "not understood"},
        {"no frame", {{1, SPAN_INIT("rubbish")}}, ERR_INTERNAL, "", "", "not understood", .raw = true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *each;
        struct err err = {0};
        setup(&each);
        struct fixture *f = each;
        if (rows[i].raw)
            assert_true(send(f->server, rows[i].frames[0].body.ptr, rows[i].frames[0].body.len, 0) > 0);
        for (size_t k = 0; !rows[i].raw && k < FRAMES_MAX && rows[i].frames[k].type; k++)
            say(f, rows[i].frames[k].type, rows[i].frames[k].body);
        shutdown(f->server, SHUT_WR); /* behind what was said, the server is gone */
        CHECK_INT(rows[i].row, run(f, "Get-Mailbox", &err), rows[i].code);
        CHECK_SPAN(rows[i].row, buf_span(&f->out), span_of(rows[i].out));
        CHECK_SPAN(rows[i].row, buf_span(&f->err_text), span_of(rows[i].err_text));
        CHECK_SPAN(rows[i].row, buf_span(&f->progress), span_of(rows[i].progress ? rows[i].progress : ""));
        CHECK(rows[i].row, rows[i].says[0] ? strstr(err.text, rows[i].says) != NULL : !err.text[0]);
        teardown(&each);
    }
}

static void test_gone_before(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    shutdown(f->server, SHUT_RDWR);
    assert_int_equal(run(f, "Get-Mailbox", &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "nothing was done"));
}

/* The server's word before it closed the link reaches the person, whether it had read the statement or not. */
static void test_refused(void **state UNUSED)
{
    for (int reset = 0; reset < 2; reset++) {
        void *each;
        struct err err = {0};
        setup(&each);
        struct fixture *f = each;
        const struct span early = SPAN("unread");
        say(f, CONSOLE_ERR, SPAN("too many shells\n"));
        say(f, CONSOLE_DONE, SPAN("\1"));
        if (reset)
            assert_int_equal(frame_send(f->client, CONSOLE_RUN, 1, &early, 1, NULL, 0), FRAME_OK);
        close(f->server);
        f->server = -1;
        CHECK_INT(reset ? "reset" : "closed", run(f, "Get-Mailbox", &err), ERR_INVALID);
        CHECK_SPAN("said", buf_span(&f->err_text), SPAN("too many shells\n"));
        CHECK_STR("left to print", err.text, "");
        teardown(&each);
    }
}

static void test_too_long(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char *text = malloc(CONSOLE_STATEMENT_MAX + 32);
    assert_non_null(text);
    int n = snprintf(text, 32, "Get-Mailbox ");
    memset(text + n, 'x', CONSOLE_STATEMENT_MAX);
    text[n + CONSOLE_STATEMENT_MAX] = '\0';
    assert_int_equal(run(f, text, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "64 KB"));
    free(text);
}

/* ---- questions ---- */

static void say_ask(struct fixture *f, enum shell_ask_kind kind, const char *text)
{
    struct buf b;
    buf_init(&b, 1024);
    put_u8(&b, (uint8_t)kind);
    put_bytes(&b, span_of(text));
    say(f, CONSOLE_ASK, buf_span(&b));
    buf_done(&b);
}

static void test_two_questions(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct span statement, text, given;
    const char *source = "Get-Mailbox | Remove-Mailbox";
    f->answer = "y";
    say_ask(f, SHELL_ASK_CONFIRM, "Remove a?");
    say_ask(f, SHELL_ASK_CONFIRM, "Remove b?");
    say(f, CONSOLE_DONE, SPAN("\0"));
    assert_int_equal(run(f, source, &err), ERR_NONE);
    assert_int_equal(f->asked, 2);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(hear(f, &statement, &text, &given), i);
        CHECK_SPAN("statement", statement, span_of(source));
        if (i) {
            CHECK_SPAN("question", text, span_of(i == 1 ? "Remove a?" : "Remove b?"));
            CHECK_SPAN("answer", given, SPAN("y"));
        }
    }
}

static void test_not_answered(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    f->refuses = ERR_UNAVAILABLE;
    say_ask(f, SHELL_ASK_SECRET, "Password for a");
    assert_int_equal(run(f, "New-Mailbox a", &err), ERR_UNAVAILABLE);
    assert_string_equal(err.text, "refused");
}

static void test_asks_without_end(void **state UNUSED)
{
    void *each;
    struct err err = {0};
    setup(&each);
    struct fixture *f = each;
    f->answer = "y";
    for (int i = 0; i <= CONSOLE_ANSWERS_MAX; i++)
        say_ask(f, SHELL_ASK_CONFIRM, "again?");
    assert_int_equal(run(f, "Get-Mailbox | Remove-Mailbox", &err), ERR_LIMIT);
    assert_int_equal(f->asked, CONSOLE_ANSWERS_MAX);
    teardown(&each);
}

static void test_files(void **state UNUSED)
{
    static const struct {
        const char *row, *statement, *file;
        enum err_code code;
    } rows[] = {
        {"named", "New-Mailbox a -PasswordFile /tmp/pw", "/tmp/pw", ERR_NONE},
        {"named in quotes", "New-Mailbox a -PasswordFile 'it''s here'", "it's here", ERR_NONE},
        {"another one", "New-Mailbox a -PasswordFile /tmp/pw", "/etc/shadow", ERR_DENIED},
        {"only a part of one", "New-Mailbox a -PasswordFile /etc/shadow.txt", "/etc/shadow", ERR_DENIED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *each;
        struct err err = {0};
        setup(&each);
        struct fixture *f = each;
        f->answer = "secret";
        say_ask(f, SHELL_ASK_FILE, rows[i].file);
        say(f, CONSOLE_DONE, SPAN("\0"));
        CHECK_INT(rows[i].row, run(f, rows[i].statement, &err), rows[i].code);
        CHECK_INT(rows[i].row, f->asked, rows[i].code ? 0 : 1);
        teardown(&each);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test_setup_teardown(test_gone_before, setup, teardown),
        cmocka_unit_test(test_refused),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_answered, setup, teardown),
        cmocka_unit_test(test_asks_without_end),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
