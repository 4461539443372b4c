/*
 * test_deliver.c: the deliver role as a process with all its rights given up. The test is its supervisor, its
 * queue, its name server and the servers that it delivers to. It would find that the sandbox takes away what a
 * delivery needs: moving files in a mailbox, unix and TCP sockets, the DNS.
 */
#include "check.h"

#include "delivery/test_server.h"
#include "role/common/job.h"
#include "role/common/roles.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_S = 40, CONTROL_FD = 3, NOBODY = 65534 };

static const struct delivery_recipient recipients[] = {{.address = SPAN_INIT("carol@far.test"), .index = 3}};

struct bench {
    uv_loop_t loop;
    char state[64], socket[96];
    pid_t pid;
    struct link *control, *queue;
    bool ready, control_lost;
    uv_udp_t dns;
    char question[1024];
    struct test_server local, remote;
    struct arena arena;
    size_t answers;
    char result[512]; /* of the last answer: "outcome stage code text" */
};

/* ---- the name server: no name exists ---- */

static void on_dns_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct bench *b = h->data;
    *ret = uv_buf_init(b->question, sizeof b->question);
}

static void on_dns_question(uv_udp_t *udp, ssize_t len, const uv_buf_t *b, const struct sockaddr *from,
                            unsigned flags)
{
    (void)flags;
    if (len < 17 || !from)
        return;
    char *q = b->base;
    size_t end = 12;
    while (q[end])
        end += (size_t)q[end] + 1;
    q[2] = (char)0x85; /* an answer, authoritative, recursion desired */
    q[3] = (char)0x83; /* available, NXDOMAIN */
    memset(q + 6, 0, 6);
    uv_buf_t out = uv_buf_init(q, (unsigned)end + 5); /* the root, type and class */
    uv_udp_try_send(udp, &out, 1, from);
}

static uint16_t dns_start(struct bench *b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof at;
    uv_udp_init(&b->loop, &b->dns);
    b->dns.data = b;
    assert_int_equal(uv_udp_bind(&b->dns, (const struct sockaddr *)&at, 0), 0);
    uv_udp_getsockname(&b->dns, (struct sockaddr *)&at, &len);
    uv_udp_recv_start(&b->dns, on_dns_alloc, on_dns_question);
    return ntohs(at.sin_port);
}

/* ---- the supervisor ---- */

static void on_control(void *context, struct frame *f)
{
    ((struct bench *)context)->ready |= f->type == CONTROL_READY;
}

static void on_control_lost(void *context)
{
    ((struct bench *)context)->control_lost = true;
}

/* The role has ended; its links are closed before its control link or after it. */
static void on_queue_lost(void *context)
{
    ((struct bench *)context)->queue = NULL;
}

static void on_queue(void *context, struct frame *f)
{
    (void)context;
    fail_msg("a frame of type %d, which answers nothing", f->type);
}

static void send_config(struct bench *b, uint16_t dns_port)
{
    char nameservers[64];
    struct buf out;
    bool root = geteuid() == 0;
    snprintf(nameservers, sizeof nameservers, " 127.0.0.1@%d ,", dns_port);
    buf_init(&out, 4096);
    put_u32(&out, 0);
    put_u32(&out, 1);
    put_bytes(&out, span_of(b->state));
    put_bool(&out, root);
    put_u32(&out, NOBODY);
    put_u32(&out, NOBODY);
    put_bytes(&out, SPAN("nobody"));
    put_bytes(&out, SPAN("me.test"));
    put_bool(&out, false);
    put_bytes(&out, span_of(nameservers));
    put_bytes(&out, SPAN(""));
    assert_int_equal(link_send(b->control, CONTROL_CONFIG, 0, buf_span(&out), NULL, 0), ERR_NONE);
    buf_done(&out);
}

static void send_queue_link(struct bench *b, int fd)
{
    struct buf out;
    buf_init(&out, 64);
    put_u8(&out, ROLE_QUEUE);
    put_u32(&out, 0);
    put_u8(&out, LINK_WORK);
    assert_int_equal(link_send(b->control, CONTROL_LINK, 0, buf_span(&out), &fd, 1), ERR_NONE);
    buf_done(&out);
    close(fd);
}

static void make_state(struct bench *b)
{
    char mail[96];
    snprintf(b->state, sizeof b->state, "/tmp/mailreeve-deliver-XXXXXX");
    assert_non_null(mkdtemp(b->state));
    snprintf(mail, sizeof mail, "%s/mail", b->state);
    snprintf(b->socket, sizeof b->socket, "%s/lmtp", b->state);
    assert_int_equal(mkdir(mail, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(mail, NOBODY, NOBODY), 0);
        assert_int_equal(chmod(b->state, 0755), 0);
    }
}

/* The role's process with one end of a pair as its control link; the other end. */
static int start_role(struct bench *b)
{
    int ends[2];
    assert_int_equal(frame_pair(ends, NULL), ERR_NONE);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        close(ends[1]);
        if (dup2(ends[0], CONTROL_FD) < 0)
            _exit(99);
        _exit(role_run(&deliver_role));
    }
    close(ends[0]);
    return ends[1];
}

static struct bench *bench_new(void)
{
    int ends[2];
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    alarm(DEADLINE_S);
    make_state(b);
    int control = start_role(b);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_int_equal(frame_pair(ends, NULL), ERR_NONE);
    b->control = link_open(&b->loop, control, on_control, on_control_lost, b);
    b->queue = link_open(&b->loop, ends[0], on_queue, on_queue_lost, b);
    assert_non_null(b->queue);
    send_config(b, dns_start(b));
    send_queue_link(b, ends[1]);
    b->local.lmtp = true;
    test_server_start(&b->local, &b->loop, b->socket);
    test_server_start(&b->remote, &b->loop, NULL);
    assert_int_equal(chmod(b->socket, 0777), 0);
    while (!b->ready && !b->control_lost)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_true(b->ready);
    return b;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* Waits for the process to end, which the caller has asked for; its status. */
static int bench_end(struct bench *b)
{
    int status = 0;
    while (!b->control_lost)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    link_close(b->queue);
    uv_close((uv_handle_t *)&b->dns, NULL);
    test_server_stop(&b->local);
    test_server_stop(&b->remote);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    nftw(b->state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_clear(&b->arena);
    free(b);
    alarm(0);
    return status;
}

static void drain(struct bench *b)
{
    assert_int_equal(link_send(b->control, CONTROL_DRAIN, 0, SPAN(""), NULL, 0), ERR_NONE);
}

/* ---- the queue ---- */

static void on_answer(void *context, struct frame *f)
{
    static const char *const outcomes[] = {"delivered", "temporary", "permanent"};
    struct bench *b = context;
    struct delivery_report report;
    assert_non_null(f);
    struct cursor c = cursor_of(f->body);
    assert_int_equal(cursor_u8(&c), ERR_NONE);
    assert_true(job_get_report(c.rest, 1, &b->arena, &report));
    const struct delivery_result *r = report.results;
    snprintf(b->result, sizeof b->result, "%s (%s) %.*s %.*s", outcomes[r->outcome], r->stage,
             SPAN_ARG(r->enhanced), SPAN_ARG(r->text));
    b->answers++;
}

static void ask(struct bench *b, const struct delivery_destination *to)
{
    const struct delivery_job job = {.message_id = 42,
                                     .received_ms = 1700000000123,
                                     .sender = SPAN("s@near.test"),
                                     .recipients = recipients,
                                     .recipient_count = 1,
                                     .size = 7,
                                     .to = *to};
    struct buf head;
    buf_init(&head, JOB_HEAD_MAX);
    job_put(&head, &job);
    assert_int_equal(link_ask(b->queue, DELIVER_JOB, buf_span(&head), SPAN("hello\r\n"), NULL, 0, DEADLINE_S * 1000,
                              on_answer, b),
                     ERR_NONE);
    buf_done(&head);
}

static void check(struct bench *b, const char *name, const struct delivery_destination *to, const char *want)
{
    size_t before = b->answers;
    ask(b, to);
    while (b->answers == before)
        uv_run(&b->loop, UV_RUN_ONCE);
    CHECK_STR(name, b->result, want);
}

/* ---- the tests ---- */

static void destinations(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    const struct delivery_host local = {.name = span_of(b->socket)};
    const struct delivery_host remote = {SPAN("127.0.0.1"), b->remote.port};
    const struct {
        const char *name;
        struct delivery_destination to;
        const char *want;
    } rows[] = {
        {"a new mailbox",
         {.kind = DELIVERY_MAILDIR, .mailbox = SPAN("carol@near.test")},
         "delivered (Maildir) 2.0.0 delivered to the mailbox"},
        {"the same again",
         {.kind = DELIVERY_MAILDIR, .mailbox = SPAN("carol@near.test")},
         "delivered (Maildir) 2.0.0 delivered to the mailbox by an earlier attempt"},
        {"a unix socket",
         {.kind = DELIVERY_LMTP, .hosts = &local, .host_count = 1},
         "delivered (end of data) 2.0.0 taken"},
        {"TCP", {.kind = DELIVERY_SMTP, .hosts = &remote, .host_count = 1}, "delivered (end of data) 2.0.0 taken"},
        {"the DNS",
         {.kind = DELIVERY_SMTP, .mx_domain = SPAN("nowhere.test")},
         "permanent (DNS) 5.1.2 nowhere.test: the domain does not exist"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(b, rows[i].name, &rows[i].to, rows[i].want);
    drain(b);
    assert_int_equal(bench_end(b), 0);
}

/* What does not end by itself is broken off, and said to be. */
static void drain_breaks_off(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->remote.rules[0] = (struct test_rule){"dot", NULL};
    const struct delivery_host remote = {SPAN("127.0.0.1"), b->remote.port};
    const struct delivery_destination to = {.kind = DELIVERY_SMTP, .hosts = &remote, .host_count = 1};
    ask(b, &to);
    while (b->remote.body.len == 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    drain(b);
    while (b->answers == 0 && !b->control_lost)
        uv_run(&b->loop, UV_RUN_ONCE);
    CHECK_STR("broken off", b->result, "temporary (cancel) 4.3.2 the delivery was broken off here");
    assert_int_equal(bench_end(b), 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the servers still write when the role has ended */
    const struct CMUnitTest tests[] = {cmocka_unit_test(destinations), cmocka_unit_test(drain_breaks_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
