/*
 * test_jobs.c: the deliver role's jobs over the real delivery engine and real links; the test plays the queue at
 * the other end and reads the mailboxes.
 */
#include "check.h"

#include "delivery/delivery.h"
#include "role/common/job.h"
#include "role/deliver/jobs.h"
#include "runtime/memory_file.h"

#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000 };

static const struct delivery_recipient recipients[] = {{.address = SPAN_INIT("carol@near.test"), .index = 3}};

struct bench {
    uv_loop_t loop;
    struct jobs jobs;
    struct link *deliver, *queue; /* the ends of one link; deliver is NULL when the queue has died */
    char root[64];
    size_t answers, lost, idle, strays;
    uint8_t outcome; /* of the last answer */
    struct arena arena;
    struct delivery_report report; /* of the last answer, when it began */
    bool gone;
};

static struct bench *bench;

/* As role_answer: nobody is answered who is gone. */
static void answer(const struct role_asker *asker, struct span head, struct span tail, const int *fds,
                   size_t fd_count)
{
    if (asker->link == bench->deliver)
        assert_int_equal(link_send2(asker->link, asker->type | LINK_ANSWER, asker->id, head, tail, fds, fd_count),
                         ERR_NONE);
}

static void on_deliver_frame(void *context, struct frame *f)
{
    struct bench *b = context;
    jobs_begin(&b->jobs, b->deliver, f);
}

static void on_deliver_lost(void *context)
{
    ((struct bench *)context)->deliver = NULL;
}

static void on_queue_frame(void *context, struct frame *f)
{
    (void)f;
    ((struct bench *)context)->strays++;
}

static void on_gone(void *context)
{
    ((struct bench *)context)->gone = true;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static struct bench *bench_new(void)
{
    int fds[2];
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    snprintf(b->root, sizeof b->root, "/tmp/mailreeve-deliver-XXXXXX");
    assert_non_null(mkdtemp(b->root));
    assert_int_equal(frame_pair(fds, NULL), ERR_NONE);
    b->deliver = link_open(&b->loop, fds[0], on_deliver_frame, on_deliver_lost, b);
    b->queue = link_open(&b->loop, fds[1], on_queue_frame, NULL, b);
    assert_non_null(b->queue);
    bench = b;
    b->jobs.answer = answer;
    struct delivery_options options = {
        .loop = &b->loop, .mail_root = span_of(b->root), .hostname = SPAN("mail.test"), .max_tasks = 3};
    assert_int_equal(delivery_engine_new(&options, &b->jobs.engine, NULL), ERR_NONE);
    return b;
}

static void bench_free(struct bench *b)
{
    link_close(b->queue);
    link_close(b->deliver);
    delivery_engine_close(b->jobs.engine, on_gone, b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_true(b->gone);
    assert_int_equal(b->jobs.running, 0);
    assert_int_equal(b->strays, 0);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    arena_clear(&b->arena);
    nftw(b->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(b);
}

static void on_answer(void *context, struct frame *f)
{
    struct bench *b = context;
    b->answers++;
    b->outcome = 255;
    if (!f) {
        b->lost++;
        return;
    }
    struct cursor c = cursor_of(f->body);
    b->outcome = cursor_u8(&c);
    if (b->outcome == ERR_NONE)
        assert_true(job_get_report(c.rest, 1, &b->arena, &b->report));
    else
        assert_true(cursor_done(&c)); /* the code stands alone */
}

static struct delivery_job example(void)
{
    return (struct delivery_job){
        .message_id = 42,
        .received_ms = 1700000000123,
        .sender = SPAN("s@far.test"),
        .recipients = recipients,
        .recipient_count = 1,
        .size = 6,
        .first_attempt = true,
        .to = {.kind = DELIVERY_MAILDIR, .mailbox = SPAN("carol@near.test")},
    };
}

static void ask(struct bench *b, const struct delivery_job *job, struct span body, const int *fds, size_t fd_count)
{
    struct buf head;
    buf_init(&head, JOB_HEAD_MAX);
    job_put(&head, job);
    assert_int_equal(
        link_ask(b->queue, DELIVER_JOB, buf_span(&head), body, fds, fd_count, DEADLINE_MS, on_answer, b), ERR_NONE);
    buf_done(&head);
}

static void wait_answers(struct bench *b, size_t count)
{
    while (b->answers < count)
        uv_run(&b->loop, UV_RUN_ONCE);
}

/* The only file in a mailbox's new/, read. */
static struct span read_letter(struct bench *b, const char *mailbox)
{
    char pattern[128], text[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s/new/*", b->root, mailbox);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    FILE *file = fopen(found.gl_pathv[0], "re");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    globfree(&found);
    return arena_dup(&b->arena, span_make(text, n));
}

#define FIELDS "Return-Path: <s@far.test>\nDelivered-To: "

static void deliveries(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    struct delivery_job job = example();
    ask(b, &job, SPAN("first\n"), NULL, 0);
    wait_answers(b, 1);
    assert_int_equal(b->outcome, ERR_NONE);
    assert_int_equal(b->report.results[0].outcome, DELIVERY_DELIVERED);
    CHECK_STR("stage", b->report.results[0].stage, "Maildir");
    CHECK_SPAN("inline", read_letter(b, "carol@near.test"), SPAN(FIELDS "carol@near.test\nfirst\n"));

    int fd = -1;
    assert_int_equal(memory_file_make("body", SPAN("second\n"), &fd, NULL), ERR_NONE);
    job.message_id = 43;
    job.size = 7;
    job.to.mailbox = SPAN("dave@near.test");
    ask(b, &job, SPAN(""), &fd, 1);
    close(fd); /* the frame has its own */
    wait_answers(b, 2);
    assert_int_equal(b->outcome, ERR_NONE);
    assert_int_equal(b->report.results[0].outcome, DELIVERY_DELIVERED);
    CHECK_SPAN("by descriptor", read_letter(b, "dave@near.test"), SPAN(FIELDS "dave@near.test\nsecond\n"));
    bench_free(b);
}

static void malformed_jobs(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    struct delivery_job job = example();
    ask(b, &job, SPAN("short"), NULL, 0);
    wait_answers(b, 1);
    CHECK_INT("the body is not as long as was said", b->outcome, ERR_INVALID);

    int ends[2], files[2];
    assert_int_equal(pipe(ends), 0);
    ask(b, &job, SPAN(""), ends, 1);
    wait_answers(b, 2);
    CHECK_INT("a pipe as the body", b->outcome, ERR_INVALID);
    assert_int_equal(memory_file_make("body", SPAN("hello\n"), &files[0], NULL), ERR_NONE);
    files[1] = ends[0];
    ask(b, &job, SPAN(""), files, 2);
    wait_answers(b, 3);
    CHECK_INT("two descriptors", b->outcome, ERR_INVALID);
    close(ends[0]);
    close(ends[1]);
    close(files[0]);

    job.to.mailbox = SPAN("");
    ask(b, &job, SPAN("hello\n"), NULL, 0);
    wait_answers(b, 4);
    CHECK_INT("the engine refuses", b->outcome, ERR_INVALID);
    assert_int_equal(b->jobs.running, 0);
    job = example();
    ask(b, &job, SPAN("hello\n"), NULL, 0);
    wait_answers(b, 5);
    CHECK_INT("and goes on", b->outcome, ERR_NONE);
    bench_free(b);
}

static void on_idle(struct jobs *j)
{
    struct bench *b = (struct bench *)((char *)j - offsetof(struct bench, jobs));
    b->idle++;
}

static void drain(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    struct delivery_job job = example();
    ask(b, &job, SPAN("first\n"), NULL, 0);
    while (b->jobs.running == 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    jobs_refuse(&b->jobs, on_idle);
    CHECK_INT("one is under way", b->idle, 0);
    job.to.mailbox = SPAN("dave@near.test");
    ask(b, &job, SPAN("first\n"), NULL, 0);
    wait_answers(b, 2);
    CHECK_INT("it has ended", b->idle, 1);
    CHECK_SPAN("it was finished", read_letter(b, "carol@near.test"), SPAN(FIELDS "carol@near.test\nfirst\n"));
    CHECK_INT("nothing came after it", b->jobs.running, 0);
    bench_free(b);

    b = bench_new();
    jobs_refuse(&b->jobs, on_idle);
    CHECK_INT("nothing was under way", b->idle, 1);
    ask(b, &job, SPAN("first\n"), NULL, 0);
    wait_answers(b, 1);
    CHECK_INT("refused", b->outcome, ERR_UNAVAILABLE);
    bench_free(b);
}

/* The queue dies: its jobs go on, their answers meet nobody. */
static void lost_queue(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    struct delivery_job job = example();
    ask(b, &job, SPAN("first\n"), NULL, 0);
    while (b->jobs.running == 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    link_close(b->queue);
    b->queue = NULL;
    CHECK_INT("the question is lost", b->lost, 1);
    while (b->jobs.running || b->deliver)
        uv_run(&b->loop, UV_RUN_ONCE);
    CHECK_SPAN("delivered", read_letter(b, "carol@near.test"), SPAN(FIELDS "carol@near.test\nfirst\n"));
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(deliveries), cmocka_unit_test(malformed_jobs),
                                       cmocka_unit_test(drain), cmocka_unit_test(lost_queue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
