/* test_support.c: see test_support.h. The process: its start, its end, its links, what it logs. */
#include "role/queue/test_support.h"

#include "policy/test_support.h"
#include "role/common/roles.h"
#include "role/queue/test_peers.h"
#include "runtime/memory_file.h"
#include "store/queue_sqlite.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL_FD = 3, DEADLINE_MS = 20000, LOG_MAX = 64 << 20 };

static const char default_server[] =
    "Name=mail.example.com|QueueGlitchRetryCount=#2|QueueGlitchRetryInterval=#100|TransientFailureRetryCount=#2|"
    "TransientFailureRetryInterval=#200|OutboundConnectionFailureRetryInterval=#400|MessageRetryInterval=#50|"
    "MailboxDeliveryQueueRetryInterval=#50";
static const char default_objects[] =
    "SendConnector: Guid=s1|Name=relay|AddressSpaces=[far.test]|DNSRoutingEnabled=$false|SmartHosts=[relay.test,"
    "192.0.2.9]|Port=#2525\n"
    "SendConnector: Guid=s2|Name=mx|AddressSpaces=[*]|DNSRoutingEnabled=$true\n";

/* ---- waiting ---- */

static void on_deadline(uv_timer_t *t)
{
    ((struct bench *)t->data)->late = true;
}

void bench_arm(struct bench *b)
{
    b->late = false;
    uv_timer_start(&b->deadline, on_deadline, DEADLINE_MS, 0);
}

void bench_turn(struct bench *b, const char *what)
{
    uv_run(&b->loop, UV_RUN_ONCE);
    if (b->late)
        fail_msg("it took too long until %s", what);
}

/* ---- the log ---- */

static void read_log(struct bench *b)
{
    char chunk[4096];
    ssize_t n;
    while ((n = read(b->log_fds[0], chunk, sizeof chunk)) > 0) {
        buf_add(&b->log, span_make(chunk, (size_t)n));
        IGNORE_RESULT(write(STDERR_FILENO, chunk, (size_t)n));
    }
}

static void on_log(uv_poll_t *p, int status, int events)
{
    (void)status;
    (void)events;
    read_log(p->data);
}

bool bench_logged(const struct bench *b, const char *text)
{
    return span_has(buf_span(&b->log), text);
}

bool span_has(struct span s, const char *text)
{
    return s.len && memmem(s.ptr, s.len, text, strlen(text));
}

/* ---- links ---- */

struct link *bench_link(const struct bench *b, enum bench_end end)
{
    return b->peers[end].link;
}

static void on_control(struct bench *b, const struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    b->ready |= f->type == CONTROL_READY;
    if (f->type != CONTROL_QUEUE_LENGTH)
        return;
    b->queue_length = cursor_u64(&c);
    assert_true(cursor_done(&c));
    b->lengths++;
}

static void on_frame(void *context, struct frame *f)
{
    struct bench_peer *p = context;
    if (p->end == BENCH_CONTROL)
        on_control(p->bench, f);
    else if (p->end == BENCH_DIRECTORY)
        peers_on_resolve(p->bench, f);
    else if (p->end == BENCH_DELIVER)
        peers_on_job(p->bench, f);
    else if (p->end == BENCH_MANAGE && f->type == EVENTS)
        peers_on_events(p->bench, f);
    else
        fail_msg("a frame of type %d, which answers nothing", f->type);
}

static void on_lost(void *context)
{
    ((struct bench_peer *)context)->link = NULL;
}

static void open_end(struct bench *b, enum bench_end end, int fd)
{
    struct bench_peer *p = &b->peers[end];
    *p = (struct bench_peer){.bench = b, .end = end};
    p->link = link_open(&b->loop, fd, on_frame, on_lost, p);
    assert_non_null(p->link);
}

void bench_join(struct bench *b, enum bench_end end)
{
    static const struct {
        enum role_kind kind;
        uint32_t index;
        enum link_purpose purpose;
    } ends[BENCH_ENDS] = {
        [BENCH_MANAGE] = {ROLE_MANAGE, 0, LINK_WORK},       [BENCH_LIST] = {ROLE_MANAGE, 0, LINK_CALL},
        [BENCH_DIRECTORY] = {ROLE_DIRECTORY, 0, LINK_WORK}, [BENCH_DELIVER] = {ROLE_DELIVER, 0, LINK_WORK},
        [BENCH_RECEIVE] = {ROLE_RECEIVE, 0, LINK_WORK},     [BENCH_RECEIVE_OTHER] = {ROLE_RECEIVE, 1, LINK_WORK}};
    int fds[2];
    struct buf out;
    assert_int_equal(frame_pair(fds, NULL), ERR_NONE);
    open_end(b, end, fds[0]);
    buf_init(&out, 64);
    put_u8(&out, (uint8_t)ends[end].kind);
    put_u32(&out, ends[end].index);
    put_u8(&out, (uint8_t)ends[end].purpose);
    assert_int_equal(link_send(bench_link(b, BENCH_CONTROL), CONTROL_LINK, 0, buf_span(&out), &fds[1], 1),
                     ERR_NONE);
    buf_done(&out);
    close(fds[1]);
}

void bench_fault(struct bench *b, enum role_kind dead)
{
    const char body = (char)dead;
    assert_int_equal(link_send(bench_link(b, BENCH_CONTROL), CONTROL_FAULT, 0, span_make(&body, 1), NULL, 0),
                     ERR_NONE);
}

void bench_lose(struct bench *b, enum bench_end end)
{
    link_close(TAKE_PTR(b->peers[end].link));
}

/* ---- the policy ---- */

static void send_policy(struct bench *b, struct span block)
{
    int fd;
    struct buf out;
    assert_int_equal(memory_file_make("policy", block, &fd, NULL), ERR_NONE);
    buf_init(&out, 8);
    put_u64(&out, b->policy_version);
    assert_int_equal(link_send(bench_link(b, BENCH_MANAGE), POLICY_SNAPSHOT, 0, buf_span(&out), &fd, 1), ERR_NONE);
    buf_done(&out);
    close(fd);
}

void bench_policy(struct bench *b, const char *server, const char *objects)
{
    struct test_policy t;
    struct policy_input in;
    struct err err = {0};
    test_policy_init(&t);
    test_add(&t, "AcceptedDomain: Name=own|DomainName=example.com|Default=$true");
    test_addf(&t, "TransportServer: %s%s%s", default_server, server ? "|" : "", server ? server : "");
    test_add(&t, objects ? objects : default_objects);
    test_input(&t, &in);
    if (policy_compile(&in, ++b->policy_version, &t.block, &err))
        fail_msg("%s", err.text);
    send_policy(b, buf_span(&t.block));
    test_policy_done(&t);
}

/* ---- the process ---- */

static int fork_role(struct bench *b)
{
    int ends[2];
    assert_int_equal(frame_pair(ends, NULL), ERR_NONE);
    b->pid = fork();
    assert_true(b->pid >= 0);
    if (b->pid == 0) {
        close(ends[1]);
        if (dup2(ends[0], CONTROL_FD) < 0 || dup2(b->log_fds[1], STDERR_FILENO) < 0)
            _exit(99);
        _exit(role_run(&queue_role));
    }
    close(ends[0]);
    return ends[1];
}

static void send_config(struct bench *b)
{
    struct buf out;
    buf_init(&out, 4096);
    put_u32(&out, 0);
    put_u32(&out, 2);
    put_bytes(&out, span_of(b->folder));
    put_bool(&out, false);
    put_u32(&out, 0);
    put_u32(&out, 0);
    put_bytes(&out, SPAN(""));
    put_bytes(&out, SPAN("mail.example.com"));
    put_bool(&out, false);
    put_bytes(&out, SPAN(""));
    put_bytes(&out, SPAN(""));
    assert_int_equal(link_send(bench_link(b, BENCH_CONTROL), CONTROL_CONFIG, 0, buf_span(&out), NULL, 0), ERR_NONE);
    buf_done(&out);
}

void bench_start_bare(struct bench *b)
{
    b->ready = false;
    open_end(b, BENCH_CONTROL, fork_role(b));
    send_config(b);
    for (enum bench_end end = BENCH_MANAGE; end < BENCH_ENDS; end++)
        bench_join(b, end);
}

void bench_start(struct bench *b)
{
    bench_start_bare(b);
    bench_policy(b, NULL, NULL);
    BENCH_UNTIL(b, b->ready);
}

static int await_end(struct bench *b)
{
    int status = 0;
    BENCH_UNTIL(b, !bench_link(b, BENCH_CONTROL));
    assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
    b->pid = 0;
    read_log(b);
    for (enum bench_end end = 0; end < BENCH_ENDS; end++)
        bench_lose(b, end);
    return status;
}

void bench_kill(struct bench *b)
{
    kill(b->pid, SIGKILL);
    assert_true(WIFSIGNALED(await_end(b)));
    b->job_next = b->job_count; /* nobody waits for those reports */
}

void bench_ask_drain(struct bench *b)
{
    assert_int_equal(link_send(bench_link(b, BENCH_CONTROL), CONTROL_DRAIN, 0, SPAN(""), NULL, 0), ERR_NONE);
}

void bench_drained(struct bench *b)
{
    int status = await_end(b);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_false(bench_logged(b, "Sanitizer")); /* of a thread, it may come too late for the status */
}

struct queue *bench_open_store(struct bench *b)
{
    char path[128];
    struct queue *q;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/queue.db", b->folder);
    if (queue_sqlite_open(path, &q, &err))
        fail_msg("%s", err.text);
    return q;
}

void bench_finish(struct bench *b, size_t messages)
{
    struct queue_counts counts;
    bench_ask_drain(b);
    bench_drained(b);
    struct queue *q = bench_open_store(b);
    assert_int_equal(queue_counts(q, &counts, NULL), ERR_NONE);
    queue_close(q);
    assert_int_equal(counts.messages, messages);
    if (messages == 0)
        assert_int_equal(bench_spool_files(b), 0);
}

/* ---- the folder ---- */

static size_t files_seen; /* nftw has no context */

static int count_file(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)path;
    (void)st;
    (void)ftw;
    files_seen += flag == FTW_F;
    return 0;
}

size_t bench_spool_files(const struct bench *b)
{
    char path[128];
    snprintf(path, sizeof path, "%s/spool", b->folder);
    files_seen = 0;
    assert_int_equal(nftw(path, count_file, 16, FTW_PHYS), 0);
    return files_seen;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

int bench_setup(void **state)
{
    char spool[128];
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    *state = b;
    snprintf(b->folder, sizeof b->folder, "/tmp/mailreeve-queue-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(spool, sizeof spool, "%s/spool", b->folder);
    assert_int_equal(mkdir(spool, 0700), 0);
    b->spool_fd = -1;
    buf_init(&b->log, LOG_MAX);
    buf_init(&b->track, LOG_MAX);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    uv_timer_init(&b->loop, &b->deadline);
    assert_int_equal(pipe2(b->log_fds, O_CLOEXEC | O_NONBLOCK), 0);
    uv_poll_init(&b->loop, &b->log_poll, b->log_fds[0]);
    b->deadline.data = b->log_poll.data = b;
    uv_poll_start(&b->log_poll, UV_READABLE, on_log);
    bench_start(b);
    return 0;
}

int bench_teardown(void **state)
{
    struct bench *b = *state;
    if (b->pid)
        bench_kill(b);
    uv_close((uv_handle_t *)&b->deadline, NULL);
    uv_close((uv_handle_t *)&b->log_poll, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    close(b->log_fds[0]);
    close(b->log_fds[1]);
    if (b->spool_fd >= 0)
        close(b->spool_fd);
    nftw(b->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    buf_done(&b->log);
    buf_done(&b->track);
    arena_clear(&b->arena);
    free(b);
    return 0;
}
