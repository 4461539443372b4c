/*
 * test_manage.c: the role as a process of its own, with the test as its supervisor, its directory, a receive
 * process and a shell: from the state that init makes to an orderly end.
 */
#include "base/cursor.h"
#include "check.h"
#include "cmdlet/bootstrap.h"
#include "cmdlet/transaction.h"
#include "role/common/admin.h"
#include "role/common/console.h"
#include "role/common/roles.h"
#include "role/common/state.h"
#include "role/manage/test_support.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 10000, CONTROL_FD = 3 };

struct fixture {
    char folder[40];
    pid_t pid;
    int control, receive, shell; /* our ends */
    struct object_store *recipients;
    struct objects_bench directory;
    struct buf body;
    struct err err;
    char buffer[FRAME_BUFFER];
};

static void path_of(const struct fixture *f, const char *name, char out[static 128])
{
    snprintf(out, 128, "%s/%s", f->folder, name);
}

static void make_state(struct fixture *f)
{
    const struct node_settings node = {
        .host = "mail.example.com", .domain = "example.com", .port_offset = 2000, .receivers = 1};
    char path[128];
    struct admin admin;
    assert_int_equal(state_make_folders(f->folder, &f->err), ERR_NONE);
    path_of(f, "policy.db", path);
    assert_int_equal(admin_init(&admin, &f->err), ERR_NONE);
    admin.context.host = span_of(node.host);
    admin.context.port_offset = node.port_offset;
    assert_int_equal(object_store_sqlite_open(path, &admin.context.policy, &f->err), ERR_NONE);
    admin.context.recipients = admin.context.policy;
    assert_int_equal(cmdlet_transaction.begin(&admin.context, &f->err), ERR_NONE);
    assert_int_equal(cmdlet_init_state(&admin.context, SPAN("example.com"), &f->err), ERR_NONE);
    assert_int_equal(cmdlet_transaction.commit(&admin.context, &f->err), ERR_NONE);
    object_store_close(admin.context.policy);
    admin_done(&admin);
    assert_int_equal(state_seal(f->folder, &node, &f->err), ERR_NONE);
}

static void start_role(struct fixture *f)
{
    int fds[2];
    assert_int_equal(frame_pair(fds, &f->err), ERR_NONE);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        close(fds[0]);
        if (fds[1] != CONTROL_FD && dup2(fds[1], CONTROL_FD) < 0)
            _exit(99);
        _exit(role_run(&manage_role));
    }
    close(fds[1]);
    f->control = fds[0];
}

static void send_control(struct fixture *f, uint16_t type, const int *fd)
{
    struct span body = buf_span(&f->body);
    assert_int_equal(frame_send(f->control, type, 0, &body, 1, fd, fd != NULL), FRAME_OK);
    buf_clear(&f->body);
}

static void send_config(struct fixture *f)
{
    put_u32(&f->body, 0);
    put_u32(&f->body, 1);
    put_bytes(&f->body, span_of(f->folder));
    put_bool(&f->body, false);
    put_u32(&f->body, 0);
    put_u32(&f->body, 0);
    put_bytes(&f->body, SPAN(""));
    put_bytes(&f->body, SPAN("mail.example.com"));
    put_bool(&f->body, false);
    put_bytes(&f->body, SPAN(""));
    put_bytes(&f->body, SPAN(""));
    send_control(f, CONTROL_CONFIG, NULL);
}

static void send_link(struct fixture *f, enum role_kind peer, uint32_t index, enum link_purpose purpose, int fd)
{
    buf_clear(&f->body);
    put_u8(&f->body, (uint8_t)peer);
    put_u32(&f->body, index);
    put_u8(&f->body, (uint8_t)purpose);
    send_control(f, CONTROL_LINK, &fd);
}

/* A receive process is there: our end of its link, over which it is sent the policy. */
static int join_receive(struct fixture *f, uint32_t index)
{
    int fds[2];
    assert_int_equal(frame_pair(fds, &f->err), ERR_NONE);
    send_link(f, ROLE_RECEIVE, index, LINK_WORK, fds[1]);
    close(fds[1]);
    return fds[0];
}

static enum frame_status receive(struct fixture *f, int fd, struct frame *ret)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    return frame_receive(fd, f->buffer, ret);
}

static void expect(struct fixture *f, int fd, uint16_t type)
{
    struct frame frame;
    assert_int_equal(receive(f, fd, &frame), FRAME_OK);
    assert_int_equal(frame.type, type);
    frame_close_fds(&frame);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/mailreeve-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    buf_init(&f->body, FRAME_BODY_MAX);
    make_state(f);
    start_role(f); /* before there are threads */
    f->recipients = object_store_memory_new();
    assert_non_null(f->recipients);
    objects_bench_start(&f->directory, f->recipients);
    send_config(f);
    f->receive = join_receive(f, 0);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"policy.db",    "policy.db-wal", "policy.db-shm", "node.conf",
                                        "control.sock", "certs/trusted", "certs",         "spool",
                                        "mail",         "pickup",        "replay",        "log/denials.ring",
                                        "log",          "facts.db"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        path_of(f, names[i], path);
        remove(path);
    }
    assert_int_equal(rmdir(f->folder), 0);
    objects_bench_stop(&f->directory);
    object_store_close(f->recipients);
    buf_done(&f->body);
    close(f->control);
    close(f->receive);
    free(f);
    return 0;
}

/* Runs a statement; its output, up to the end, stands in body. */
static int run(struct fixture *f, const char *statement)
{
    struct frame frame;
    buf_clear(&f->body);
    put_bytes(&f->body, span_of(statement));
    put_u32(&f->body, 0);
    struct span body = buf_span(&f->body);
    assert_int_equal(frame_send(f->shell, CONSOLE_RUN, 1, &body, 1, NULL, 0), FRAME_OK);
    buf_clear(&f->body);
    while (receive(f, f->shell, &frame) == FRAME_OK && frame.type != CONSOLE_DONE)
        buf_add(&f->body, frame.body);
    assert_true(frame.type == CONSOLE_DONE && frame.body.len == 1);
    return frame.body.ptr[0];
}

static void connect_shell(struct fixture *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/control.sock", f->folder);
    f->shell = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(f->shell >= 0 && connect(f->shell, (struct sockaddr *)&a, sizeof a) == 0);
}

static void check_end(struct fixture *f)
{
    struct frame frame;
    char path[128];
    int status;
    buf_clear(&f->body);
    send_control(f, CONTROL_DRAIN, NULL);
    assert_int_equal(receive(f, f->shell, &frame), FRAME_CLOSED);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    path_of(f, "control.sock", path);
    assert_int_equal(access(path, F_OK), -1);
    close(f->shell);
}

static void test_life(void **state)
{
    struct fixture *f = *state;
    expect(f, f->control, CONTROL_LIMITS);
    expect(f, f->control, CONTROL_BINDINGS);
    expect(f, f->control, CONTROL_READY);
    expect(f, f->receive, POLICY_SNAPSHOT);
    connect_shell(f);
    assert_int_equal(run(f, "New-Mailbox bob -Password pw"), 1); /* no directory yet */
    assert_non_null(memmem(f->body.ptr, f->body.len, "started anew", 12));
    send_link(f, ROLE_DIRECTORY, 0, LINK_CALL, f->directory.fd);
    int second = join_receive(f, 1); /* whose snapshot says that both links were taken */
    expect(f, second, POLICY_SNAPSHOT);
    assert_int_equal(run(f, "New-Mailbox bob -Password pw"), 0);
    assert_int_equal(run(f, "Get-Mailbox | Select-Object -ExpandProperty PrimarySmtpAddress"), 0);
    CHECK_SPAN("recipients", buf_span(&f->body), SPAN("bob@example.com\n"));
    assert_int_equal(run(f, "Get-Queue"), 1); /* no queue process */
    assert_int_equal(
        run(f, "New-ReceiveConnector x -Usage Custom -Bindings 127.0.0.1:2999 -RemoteIPRanges 10.0.0.1"), 0);
    expect(f, f->receive, POLICY_SNAPSHOT);
    expect(f, second, POLICY_SNAPSHOT);
    expect(f, f->control, CONTROL_BINDINGS);
    close(second);
    check_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_life, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
