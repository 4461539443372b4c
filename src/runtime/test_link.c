/* Frames and links: boundaries, descriptors, questions, a peer that dies, a peer that sends nonsense. */
#include "check.h"

#include "base/cursor.h"
#include "runtime/link.h"
#include "runtime/memory_file.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct link *link;
    int frames, lost, answers, lost_answers;
    uint16_t last_type;
    char last_body[64];
    size_t last_len;
    int taken_fd;
    bool echo;
};

static void on_frame(void *context, struct frame *f)
{
    struct side *s = context;
    s->frames++;
    s->last_type = f->type;
    s->last_len = f->body.len;
    if (f->body.len && f->body.len < sizeof s->last_body)
        memcpy(s->last_body, f->body.ptr, f->body.len);
    if (f->fd_count)
        s->taken_fd = frame_take_fd(f, 0);
    if (s->echo && f->id)
        assert_int_equal(link_send(s->link, f->type | LINK_ANSWER, f->id, f->body, NULL, 0), ERR_NONE);
}

static void on_lost(void *context)
{
    struct side *s = context;
    s->lost++;
    s->link = NULL;
}

static void on_answer(void *context, struct frame *f)
{
    struct side *s = context;
    s->answers += f != NULL;
    s->lost_answers += f == NULL;
}

static void open_pair(uv_loop_t *loop, struct side *a, struct side *b)
{
    int fds[2];
    assert_int_equal(frame_pair(fds, NULL), ERR_NONE);
    *a = (struct side){.taken_fd = -1};
    *b = (struct side){.taken_fd = -1};
    a->link = link_open(loop, fds[0], on_frame, on_lost, a);
    b->link = link_open(loop, fds[1], on_frame, on_lost, b);
    assert_non_null(a->link);
    assert_non_null(b->link);
}

static void close_all(uv_loop_t *loop, struct side *a, struct side *b)
{
    link_close(a->link);
    link_close(b->link);
    while (uv_run(loop, UV_RUN_DEFAULT))
        ;
    assert_int_equal(uv_loop_close(loop), 0);
}

static void frames_keep_boundaries_and_order(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct side a, b;
    open_pair(&loop, &a, &b);
    static char big[FRAME_BODY_MAX];
    memset(big, 'x', sizeof big);
    assert_int_equal(link_send(a.link, 1, 0, SPAN("hello"), NULL, 0), ERR_NONE);
    for (int i = 0; i < 50; i++) /* more than the socket takes: the backlog holds the rest */
        assert_int_equal(link_send2(a.link, 2, 0, span_make(big, 16), span_make(big, sizeof big - 16), NULL, 0),
                         ERR_NONE);
    assert_int_equal(link_send(a.link, 3, 0, SPAN("last"), NULL, 0), ERR_NONE);
    assert_true(link_backlog(a.link) > 0);
    assert_int_equal(link_send2(a.link, 2, 0, SPAN("x"), span_make(big, sizeof big), NULL, 0), ERR_INTERNAL);
    while (b.frames < 52)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(b.last_type, 3);
    CHECK_SPAN("last", span_make(b.last_body, b.last_len), SPAN("last"));
    assert_int_equal(link_backlog(a.link), 0);
    close_all(&loop, &a, &b);
}

static void descriptors_travel(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct side a, b;
    open_pair(&loop, &a, &b);
    int fd;
    struct span mapped;
    assert_int_equal(memory_file_make("test", SPAN("policy bytes"), &fd, NULL), ERR_NONE);
    assert_int_equal(link_send(a.link, 7, 0, SPAN("with"), &fd, 1), ERR_NONE);
    close(fd);
    while (b.frames < 1)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(b.taken_fd >= 0);
    assert_int_equal(memory_file_map(b.taken_fd, 1024, &mapped, NULL), ERR_NONE);
    CHECK_SPAN("mapped", mapped, SPAN("policy bytes"));
    assert_int_equal(write(b.taken_fd, "x", 1), -1); /* sealed */
    assert_int_equal(memory_file_map(b.taken_fd, 4, &mapped, NULL), ERR_INVALID);
    memory_file_unmap(mapped);
    close(b.taken_fd);
    int plain[2];
    assert_int_equal(pipe(plain), 0);
    assert_int_equal(memory_file_map(plain[0], 1024, &mapped, NULL), ERR_INVALID);
    close(plain[0]);
    close(plain[1]);
    close_all(&loop, &a, &b);
}

static void questions_are_answered_once(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct side a, b;
    open_pair(&loop, &a, &b);
    b.echo = true;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(link_ask(a.link, 5, SPAN("q"), SPAN(""), NULL, 0, 60000, on_answer, &a), ERR_NONE);
    while (a.answers < 1000)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(a.lost_answers, 0);
    /* An answer nobody waits for, an id never given, a stale generation: ignored. */
    assert_int_equal(link_send(b.link, 5 | LINK_ANSWER, 1, SPAN("x"), NULL, 0), ERR_NONE);
    assert_int_equal(link_send(b.link, 5 | LINK_ANSWER, UINT64_MAX, SPAN("x"), NULL, 0), ERR_NONE);
    assert_int_equal(link_send(b.link, 6, 0, SPAN("mark"), NULL, 0), ERR_NONE);
    while (a.frames < 1)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(a.answers, 1000);
    close_all(&loop, &a, &b);
}

static void death_answers_what_waits(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct side a, b;
    open_pair(&loop, &a, &b);
    for (int i = 0; i < 10; i++)
        assert_int_equal(link_ask(a.link, 5, SPAN("q"), SPAN(""), NULL, 0, 60000, on_answer, &a), ERR_NONE);
    assert_int_equal(link_ask(a.link, 5, SPAN("q"), SPAN(""), NULL, 0, 0, on_answer, &b),
                     ERR_NONE); /* its time is up at once */
    while (b.lost_answers < 1)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(a.lost_answers, 0);
    link_close(b.link);
    b.link = NULL;
    while (!a.lost)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(a.lost_answers, 10);
    assert_int_equal(link_send(NULL, 1, 0, SPAN("x"), NULL, 0), ERR_UNAVAILABLE);
    close_all(&loop, &a, &b);
}

static void nonsense_closes_the_link(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span bytes;
    } rows[] = {
        {"short", SPAN_INIT("RM")},
        {"wrong magic", SPAN_INIT("XX\1\0\1\0\0\0\0\0\0\0\0\0\0\0")},
        {"wrong version", SPAN_INIT("RM\2\0\1\0\0\0\0\0\0\0\0\0\0\0")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uv_loop_t loop;
        uv_loop_init(&loop);
        int fds[2];
        assert_int_equal(frame_pair(fds, NULL), ERR_NONE);
        struct side a = {.taken_fd = -1}, none = {.taken_fd = -1};
        a.link = link_open(&loop, fds[0], on_frame, on_lost, &a);
        assert_true(send(fds[1], rows[i].bytes.ptr, rows[i].bytes.len, 0) > 0);
        while (!a.lost)
            uv_run(&loop, UV_RUN_ONCE);
        CHECK_INT(rows[i].name, a.frames, 0);
        close(fds[1]);
        close_all(&loop, &a, &none);
    }
}

/* Answers the two questions that come: the first is not waited for any more. */
static void answer_two(void *context)
{
    static char buffer[FRAME_BUFFER];
    static const struct span answers[] = {SPAN_INIT("late"), SPAN_INIT("answer")};
    int fd = *(int *)context;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct frame f;
        if (poll(&p, 1, 5000) != 1 || frame_receive(fd, buffer, &f) != FRAME_OK ||
            frame_send(fd, f.type | LINK_ANSWER, f.id, &answers[i], 1, NULL, 0) != FRAME_OK)
            return; /* the caller then gets no answer, and fails */
    }
}

static void calls_block_with_a_deadline(void **state)
{
    (void)state;
    int fds[2];
    static char buffer[FRAME_BUFFER];
    struct frame f;
    struct err err;
    assert_int_equal(frame_pair(fds, NULL), ERR_NONE);
    assert_int_equal(frame_call(fds[0], 1, SPAN("q"), NULL, 0, 20, buffer, &f, &err), ERR_UNAVAILABLE);
    uv_thread_t thread;
    assert_int_equal(uv_thread_create(&thread, answer_two, &fds[1]), 0);
    assert_int_equal(frame_call(fds[0], 1, SPAN("q"), NULL, 0, 5000, buffer, &f, &err), ERR_NONE);
    uv_thread_join(&thread);
    CHECK_SPAN("answer", f.body, SPAN("answer"));
    close(fds[1]);
    assert_int_equal(frame_call(fds[0], 1, SPAN("q"), NULL, 0, 2000, buffer, &f, &err), ERR_UNAVAILABLE);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_keep_boundaries_and_order), cmocka_unit_test(descriptors_travel),
        cmocka_unit_test(questions_are_answered_once),      cmocka_unit_test(death_answers_what_waits),
        cmocka_unit_test(nonsense_closes_the_link),         cmocka_unit_test(calls_block_with_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
