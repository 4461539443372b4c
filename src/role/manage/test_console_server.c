/* test_console_server.c: shells over a real control.sock in a folder of its own. */
#include "base/cursor.h"
#include "check.h"
#include "cmdlet/bootstrap.h"
#include "cmdlet/transaction.h"
#include "role/common/console.h"
#include "role/manage/console_server.h"
#include "runtime/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct fixture {
    char folder[40], path[64];
    uv_loop_t loop;
    uv_timer_t limit;
    struct admin admin;
    struct console_server *server;
    int client;
    size_t statements; /* how often `after` was called */
    struct buf body, out, err_out;
    struct err err;
    char buffer[FRAME_BUFFER];
};

static void after(void *context)
{
    ((struct fixture *)context)->statements++;
}

static void on_limit(uv_timer_t *t UNUSED)
{
    fail_msg("what the test waits for did not come");
}

static int connect_to(struct fixture *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", f->path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

static const char *name_of(void *context UNUSED, uid_t uid UNUSED)
{
    return "tester";
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/mailreeve-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/control.sock", f->folder);
    int stale = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(stale >= 0);
    close(stale);
    buf_init(&f->body, 2 * FRAME_BODY_MAX);
    buf_init(&f->out, 1 << 20);
    buf_init(&f->err_out, 1 << 20);
    assert_int_equal(admin_init(&f->admin, &f->err), ERR_NONE);
    struct cmdlet_context *c = &f->admin.context;
    c->host = SPAN("mail.example.com");
    c->policy = c->recipients = object_store_memory_new();
    assert_non_null(c->policy);
    assert_int_equal(cmdlet_transaction.begin(c, &f->err), ERR_NONE);
    assert_int_equal(cmdlet_init_state(c, SPAN("example.com"), &f->err), ERR_NONE);
    assert_int_equal(cmdlet_transaction.commit(c, &f->err), ERR_NONE);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->limit);
    assert_int_equal(console_server_open(&f->loop, f->folder, &f->admin, after, name_of, f, &f->server, &f->err),
                     ERR_NONE);
    f->client = connect_to(f);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->client);
    console_server_close(f->server);
    uv_close((uv_handle_t *)&f->limit, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    object_store_close(f->admin.context.policy);
    admin_done(&f->admin);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(f->folder), 0);
    buf_done(&f->body);
    buf_done(&f->out);
    buf_done(&f->err_out);
    free(f);
    return 0;
}

/* ---- the shell's side ---- */

static enum frame_status receive(struct fixture *f, int fd, struct frame *ret)
{
    enum frame_status st;
    uv_timer_start(&f->limit, on_limit, WAIT_MS, 0);
    while ((st = frame_receive(fd, f->buffer, ret)) == FRAME_AGAIN)
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_timer_stop(&f->limit);
    return st;
}

struct given {
    uint8_t kind;
    const char *text, *answer;
};

static void send_run(struct fixture *f, struct span statement, const struct given *answers, uint32_t count)
{
    buf_clear(&f->body);
    put_bytes(&f->body, statement);
    put_u32(&f->body, count);
    for (uint32_t i = 0; i < count; i++) {
        put_u8(&f->body, answers[i].kind);
        put_bytes(&f->body, span_of(answers[i].text));
        put_bytes(&f->body, span_of(answers[i].answer));
    }
    struct span body = buf_span(&f->body);
    assert_int_equal(frame_send(f->client, CONSOLE_RUN, 1, &body, 1, NULL, 0), FRAME_OK);
}

/*
 * Collects output up to the end: 0 or 1 as CONSOLE_DONE says, or 2 when an answer is asked for (its text stands in
 * err_out then).
 */
static int read_end(struct fixture *f)
{
    struct frame frame;
    buf_clear(&f->out);
    buf_clear(&f->err_out);
    for (;;) {
        assert_int_equal(receive(f, f->client, &frame), FRAME_OK);
        struct cursor c = cursor_of(frame.body);
        assert_true(frame.body.len <= 60 * 1024);
        if (frame.type == CONSOLE_OUT) {
            buf_add(&f->out, frame.body);
        } else if (frame.type == CONSOLE_ERR) {
            buf_add(&f->err_out, frame.body);
        } else if (frame.type == CONSOLE_DONE) {
            int end = cursor_u8(&c);
            assert_true(cursor_done(&c));
            return end;
        } else {
            assert_int_equal(frame.type, CONSOLE_ASK);
            uint8_t kind = cursor_u8(&c);
            struct span text = cursor_bytes(&c, 4096);
            assert_true(cursor_done(&c));
            buf_addf(&f->err_out, "%d %.*s", kind, SPAN_ARG(text));
            return 2;
        }
    }
}

static int run(struct fixture *f, const char *statement, const struct given *answers, uint32_t count)
{
    send_run(f, span_of(statement), answers, count);
    return read_end(f);
}

static bool has(const struct buf *b, const char *part)
{
    return b->len && memmem(b->ptr, b->len, part, strlen(part));
}

/* ---- tests ---- */

static void test_statements(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *statement;
        int end;
        const char *out, *err;
    } rows[] = {
        {"output", "Get-AcceptedDomain | Select-Object -ExpandProperty DomainName", 0, "example.com\n", NULL},
        {"nothing to say", "New-Mailbox bob -Password pw | Where-Object { $false }", 0, NULL, NULL},
        {"it was done", "Get-Mailbox | Select-Object -ExpandProperty Name", 0, "bob\n", NULL},
        {"an error", "Get-Mailbox carol", 1, NULL, "carol"},
        {"a syntax error", "Get-Mailbox |", 1, NULL, "line 1"},
        {"nothing", "# a comment", 0, NULL, NULL},
        {"two at once", "New-Mailbox x -Password pw; New-Mailbox y -Password pw", 1, NULL, "one statement"},
        {"neither was done", "Get-Mailbox | Select-Object -ExpandProperty Name", 0, "bob\n", NULL},
        {"a warning", "Set-Mailbox bob -DisplayName Bob -WhatIf", 0, NULL, "WARNING: What if"},
    };
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].name, run(f, rows[i].statement, NULL, 0), rows[i].end);
        CHECK_SPAN(rows[i].name, buf_span(&f->out), span_of(rows[i].out));
        CHECK(rows[i].name, rows[i].err ? has(&f->err_out, rows[i].err) : f->err_out.len == 0);
        CHECK(rows[i].name, f->err_out.len == 0 || f->err_out.ptr[f->err_out.len - 1] == '\n');
    }
    assert_int_equal(f->statements, 7); /* all but those that were not begun */
}

static void test_asks(void **state)
{
    struct fixture *f = *state;
    static const char bob[] = "Password for bob@example.com", sure[] = "Are you sure? Remove-Mailbox \"bob\"";
    static const struct {
        const char *name, *statement;
        struct given answers[2];
        uint32_t count;
        int end;
        const char *says; /* on standard error, or as the question */
    } rows[] = {
        {"a password", "New-Mailbox bob", {{0}}, 0, 2, "1 Password for bob@example.com"},
        {"of another kind", "New-Mailbox bob", {{SHELL_ASK_CONFIRM, bob, "pw"}}, 1, 2, "1 Password"},
        {"to another question", "New-Mailbox bob", {{SHELL_ASK_SECRET, "Password", "pw"}}, 1, 2, "1 Password"},
        {"nothing was done", "Get-Mailbox bob", {{0}}, 0, 1, "bob"},
        {"the answer", "New-Mailbox bob", {{SHELL_ASK_SECRET, bob, "pw-1"}}, 1, 0, NULL},
        {"a file", "New-Mailbox carl -PasswordFile /tmp/pw", {{0}}, 0, 2, "2 /tmp/pw"},
        {"its content",
         "New-Mailbox carl -PasswordFile /tmp/pw",
         {{SHELL_ASK_FILE, "/tmp/pw", "pw-2\n"}},
         1,
         0,
         NULL},
        {"each answer once", "Get-Mailbox | Remove-Mailbox", {{SHELL_ASK_CONFIRM, sure, "y"}}, 1, 2, "carl"},
        {"no", "Remove-Mailbox bob", {{SHELL_ASK_CONFIRM, sure, "n"}}, 1, 0, NULL},
        {"is still there", "Get-Mailbox bob", {{0}}, 0, 0, NULL},
        {"yes, out of order",
         "Get-Mailbox | Remove-Mailbox",
         {{SHELL_ASK_CONFIRM, "Are you sure? Remove-Mailbox \"carl\"", "y"}, {SHELL_ASK_CONFIRM, sure, "y"}},
         2,
         0,
         NULL},
        {"is gone", "Get-Mailbox bob", {{0}}, 0, 1, "bob"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].name, run(f, rows[i].statement, rows[i].answers, rows[i].count), rows[i].end);
        if (rows[i].says ? !has(&f->err_out, rows[i].says) : f->err_out.len > 0)
            print_error("%.*s\n", SPAN_ARG(buf_span(&f->err_out)));
        CHECK(rows[i].name, rows[i].says ? has(&f->err_out, rows[i].says) : f->err_out.len == 0);
    }
}

static void test_malformed(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        uint16_t type;
        struct span body;
    } rows[] = {
        {"nothing", CONSOLE_RUN, SPAN_INIT("")},
        {"a statement without answers", CONSOLE_RUN, SPAN_INIT("\1\0\0\0x")},
        {"cut short", CONSOLE_RUN, SPAN_INIT("\377\0\0\0x")},
        {"too many answers", CONSOLE_RUN, SPAN_INIT("\1\0\0\0#\101\0\0\0")},
        {"an answer cut short", CONSOLE_RUN, SPAN_INIT("\1\0\0\0#\1\0\0\0\0\1\0\0\0x\1")},
        {"trailing bytes", CONSOLE_RUN, SPAN_INIT("\1\0\0\0#\0\0\0\0x")},
        {"not for a server", CONSOLE_OUT, SPAN_INIT("\1\0\0\0#\0\0\0\0")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(frame_send(f->client, rows[i].type, 1, &rows[i].body, 1, NULL, 0), FRAME_OK);
        CHECK_INT(rows[i].name, read_end(f), 1);
        CHECK(rows[i].name, has(&f->err_out, "same version"));
    }
    struct frame frame;
    assert_int_equal(f->statements, 0);
    assert_int_equal(run(f, "Get-AcceptedDomain", NULL, 0), 0); /* the shell goes on */
    assert_int_equal(send(f->client, "no frame", 8, MSG_NOSIGNAL), 8);
    assert_int_equal(receive(f, f->client, &frame), FRAME_CLOSED);
}

static void test_long(void **state)
{
    enum { PRINTED = 63 * 1024 };
    struct fixture *f = *state;
    static char text[CONSOLE_STATEMENT_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    send_run(f, span_of(text), NULL, 0);
    assert_int_equal(read_end(f), 1);
    assert_true(has(&f->err_out, "too long"));
    assert_int_equal(f->statements, 0);
    /* one that prints more than goes into a frame of output */
    text[0] = text[PRINTED + 1] = '\'';
    text[PRINTED + 2] = 0;
    assert_int_equal(run(f, text, NULL, 0), 0);
    assert_int_equal(f->out.len, PRINTED + 1);
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    int more[CONSOLE_CONNECTIONS_MAX];
    struct frame frame;
    for (size_t i = 0; i < CONSOLE_CONNECTIONS_MAX; i++)
        more[i] = connect_to(f);
    assert_int_equal(receive(f, more[CONSOLE_CONNECTIONS_MAX - 1], &frame), FRAME_OK);
    assert_int_equal(frame.type, CONSOLE_ERR);
    assert_int_equal(receive(f, more[CONSOLE_CONNECTIONS_MAX - 1], &frame), FRAME_OK);
    assert_int_equal(frame.type, CONSOLE_DONE);
    assert_int_equal(receive(f, more[CONSOLE_CONNECTIONS_MAX - 1], &frame), FRAME_CLOSED);
    for (size_t i = 0; i < CONSOLE_CONNECTIONS_MAX; i++)
        close(more[i]);
    assert_int_equal(run(f, "Get-AcceptedDomain", NULL, 0), 0); /* those that were there are served */
}

/* One that does not read: its output waits up to a limit, is cut off with an error, and then it is served again. */
static void test_slow_reader(void **state)
{
    enum { STATEMENTS = 1100, PRINTED = 63 * 1024 };
    struct fixture *f = *state;
    static char text[CONSOLE_STATEMENT_MAX];
    memset(text, 'x', PRINTED + 2);
    text[0] = text[PRINTED + 1] = '\'';
    for (size_t i = 0; i < STATEMENTS; i++) {
        send_run(f, span_of(text), NULL, 0);
        while (f->statements == i)
            uv_run(&f->loop, UV_RUN_ONCE);
    }
    int end = 0;
    size_t whole = 0;
    for (; end == 0 && whole < STATEMENTS; whole += end == 0)
        end = read_end(f);
    assert_int_equal(end, 1);
    assert_in_range(whole, 900, STATEMENTS - 1);
    assert_true(has(&f->err_out, "cut off"));
    for (size_t i = whole + 1; i < STATEMENTS; i++)
        read_end(f);
    assert_int_equal(run(f, "Get-AcceptedDomain", NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
