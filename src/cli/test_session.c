/*
 * test_session.c: a session over the stores of a stopped server: scripts, the lock, the owner of files; where the
 * choice between the stores and a server falls; and what the history file may keep.
 */
#include "check.h"
#include "cli/shell.h"
#include "cmdlet/bootstrap.h"
#include "cmdlet/transaction.h"

#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
    char folder[40];
    struct node_settings node;
    struct shell_person person;
    struct shell_session session;
    struct buf out;
    struct err err;
};

static const struct sandbox_user owner = {.change = true, .uid = 65534, .gid = 65534, .name = "nobody"};

static void print(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/mailreeve-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->node.host, sizeof f->node.host, "mail.example.com");
    shell_person_init(&f->person, false);
    buf_init(&f->out, 1 << 20);
    f->session = (struct shell_session){.state = f->folder,
                                        .node = &f->node,
                                        .host = &f->person.host,
                                        .output = {.out = print, .context = &f->out},
                                        .socket = -1,
                                        .local = {.lock = -1}};
    assert_int_equal(state_make_folders(f->folder, &f->err), ERR_NONE);
    char path[80];
    snprintf(path, sizeof path, "%s/policy.db", f->folder);
    struct admin a;
    assert_int_equal(admin_init(&a, &f->err), ERR_NONE);
    struct cmdlet_context *c = &a.context;
    assert_int_equal(object_store_sqlite_open(path, &c->policy, &f->err), ERR_NONE);
    c->host = span_of(f->node.host);
    assert_int_equal(object_store_begin(c->policy, &f->err), ERR_NONE);
    assert_int_equal(cmdlet_init_state(c, SPAN("example.com"), &f->err), ERR_NONE);
    assert_int_equal(object_store_commit(c->policy, &f->err), ERR_NONE);
    object_store_close(c->policy);
    admin_done(&a);
    if (geteuid() == 0)
        assert_int_equal(state_give(f->folder, &owner, &f->err), ERR_NONE);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED, struct FTW *at UNUSED)
{
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    shell_session_close(&f->session);
    nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_done(&f->out);
    free(f);
    return 0;
}

static enum cli_exit run(struct fixture *f, const char *text, bool go_on)
{
    buf_clear(&f->out);
    enum cli_exit status = shell_session_text(&f->session, span_of(text), go_on);
    shell_session_close(&f->session);
    return status;
}

static void test_scripts(void **state)
{
    static const struct {
        const char *row, *text, *out;
        enum cli_exit status;
        bool go_on;
    } rows[] = {
        {"nothing", "# nothing\n", "", CLI_OK, false},
        {"two statements",
         "New-Mailbox a -Password pw-1 | select -ExpandProperty Name; Get-Mailbox |\n  select -ExpandProperty "
         "Name\n",
         "a\na\n", CLI_OK, false},
        {"stops at an error", "Get-Nonsense\nGet-Mailbox | Select-Object -ExpandProperty Name", "", CLI_FAILED,
         false},
        {"goes on behind one", "Get-Nonsense\nGet-Mailbox | Select-Object -ExpandProperty Name", "a\n", CLI_FAILED,
         true},
        {"a syntax error before anything", "Get-Mailbox | Select-Object -ExpandProperty Name\nGet-Mailbox |", "",
         CLI_FAILED, true},
        {"exit", "Exit\nGet-Mailbox | Select-Object -ExpandProperty Name", "", CLI_OK, false},
        {"exit with more is a cmdlet", "exit now", "", CLI_FAILED, false},
        {"nobody confirms", "Remove-Mailbox a", "", CLI_FAILED, false},
        {"a file that is not there", "New-Mailbox b -PasswordFile /nonexistent", "", CLI_FAILED, false},
        {"nothing of those was done", "Get-Mailbox | Select-Object -ExpandProperty Name", "a\n", CLI_OK, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].row, run(*state, rows[i].text, rows[i].go_on), rows[i].status);
        CHECK_SPAN(rows[i].row, buf_span(&((struct fixture *)*state)->out), span_of(rows[i].out));
    }
}

/* A file of the person is read with root's rights, and what is made in the state belongs to its owner. */
static void test_owner(void **state)
{
    static const char *const names[] = {"lock", "policy.db", "policy.db-wal", "directory.db", "directory.db-wal"};
    struct fixture *f = *state;
    char path[80], text[160];
    struct stat st;
    if (geteuid() != 0)
        skip();
    snprintf(path, sizeof path, "%s/certs/pw", f->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("pw-From file\n", file);
    fclose(file);
    chmod(path, 0600);
    snprintf(text, sizeof text, "New-Mailbox filed -PasswordFile '%s'", path);
    assert_int_equal(shell_session_text(&f->session, span_of(text), false), CLI_OK);
    assert_int_equal(geteuid(), owner.uid);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        CHECK_INT(names[i], stat(path, &st), 0);
        CHECK_INT(names[i], st.st_uid, owner.uid);
        CHECK_INT(names[i], st.st_gid, owner.gid);
    }
    shell_session_close(&f->session);
    assert_int_equal(geteuid(), 0);
    assert_int_equal(getegid(), 0);
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    int lock;
    assert_int_equal(state_lock(f->folder, &lock, &f->err), ERR_NONE);
    assert_int_equal(shell_session_open(&f->session, &f->err), ERR_CONFLICT);
    assert_non_null(strstr(f->err.text, "another command"));
    close(lock);
    assert_int_equal(shell_session_open(&f->session, &f->err), ERR_NONE);
    assert_int_equal(state_lock(f->folder, &lock, &f->err), ERR_CONFLICT);
    shell_session_close(&f->session);
    assert_int_equal(state_lock(f->folder, &lock, &f->err), ERR_NONE);
    close(lock);
}

static int listen_there(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", folder);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    unlink(address.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void test_server(void **state)
{
    struct fixture *f = *state;
    int server = listen_there(f->folder);
    assert_int_equal(shell_session_open(&f->session, &f->err), ERR_NONE);
    assert_true(f->session.socket >= 0);
    shell_session_close(&f->session);
    close(server); /* the socket's file stays behind, as from a server that was killed */
    assert_int_equal(shell_session_open(&f->session, &f->err), ERR_NONE);
    assert_true(f->session.socket < 0);
}

static void *start_server(void *context)
{
    struct fixture *f = context;
    return (void *)(intptr_t)listen_there(f->folder);
}

static void test_server_that_starts(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *server;
    int lock;
    assert_int_equal(state_lock(f->folder, &lock, &f->err), ERR_NONE);
    f->session.wait_ms = 20000;
    assert_int_equal(pthread_create(&thread, NULL, start_server, f), 0);
    assert_int_equal(shell_session_open(&f->session, &f->err), ERR_NONE);
    assert_true(f->session.socket >= 0);
    assert_int_equal(pthread_join(thread, &server), 0);
    close((int)(intptr_t)server);
    close(lock);
}

static void test_long_path(void **state)
{
    struct fixture *f = *state;
    char name[101], path[160];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chdir(path), 0);
    int server = listen_there("."), client;
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(shell_remote_connect(path, &client, &f->err), ERR_NONE);
    close(client);
    close(server);
}

static void test_history(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool secret;
    } rows[] = {
        {"Get-Mailbox", false},
        {"Get-Mailbox -Identity pat", false},
        {"New-Mailbox a -Password 'x'", true},
        {"new-mailbox a -PASSWORD:x", true},
        {"New-Mailbox a -Passw x", true},
        {"New-Mailbox a -pa x", true},
        {"New-Mailbox a \xe2\x80\x93Pass x", true},
        {"# my password is x", true},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].text, shell_prompt_is_secret(span_of(rows[i].text)), rows[i].secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scripts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_that_starts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_path, setup, teardown),
        cmocka_unit_test(test_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
