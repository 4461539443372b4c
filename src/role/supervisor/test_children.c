/*
 * Stopping: receive processes first, the others when those are gone; what hangs is killed and costs the others
 * nothing. The children are this program itself, started as the supervisor starts roles: by the title in argv[0].
 */
#include "check.h"

#include "base/cursor.h"
#include "role/supervisor/internal.h"
#include "runtime/counters.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONTROL_FD = 3, DEADLINE_MS = 30000 };
#define TITLE "mailreeve: "
#define HANGS "MAILREEVE_TEST_HANGS" /* the role whose processes do not end when they are asked to */

static struct supervisor s;
static bool gone;
static int log_fd; /* what was logged */

/* The supervisor's main file, as far as children.c calls it. */
void supervisor_put_node(const struct supervisor *x, struct buf *out)
{
    (void)x;
    (void)out;
}

void supervisor_check_ready(struct supervisor *x)
{
    (void)x;
}

void supervisor_on_bindings(struct supervisor *x, struct span body)
{
    (void)x;
    (void)body;
}

void supervisor_children_gone(struct supervisor *x)
{
    (void)x;
    gone = true;
}

/* A role: says that it is ready, and ends when it is asked to. */
static int play_role(const char *name)
{
    static char buffer[FRAME_BUFFER];
    const char *hangs = getenv(HANGS);
    const struct span nothing = SPAN("");
    struct frame f;
    enum frame_status st;
    signal(SIGPIPE, SIG_IGN);
    frame_send(CONTROL_FD, CONTROL_READY, 0, &nothing, 1, NULL, 0);
    while ((st = frame_receive(CONTROL_FD, buffer, &f)) != FRAME_CLOSED) {
        struct pollfd p = {.fd = CONTROL_FD, .events = POLLIN};
        if (st == FRAME_AGAIN)
            poll(&p, 1, -1);
        if (st != FRAME_OK)
            continue;
        frame_close_fds(&f);
        if (f.type == CONTROL_DRAIN && !(hangs && strcmp(hangs, name) == 0))
            return EXIT_SUCCESS;
    }
    return EXIT_FAILURE;
}

static size_t running(int kind)
{
    size_t n = 0;
    for (size_t i = 0; i < s.child_count; i++)
        n += s.children[i].running && (kind < 0 || (int)s.children[i].kind == kind);
    return n;
}

static bool all_are_ready(size_t n)
{
    (void)n;
    return children_all_ready(&s);
}

static bool so_many_run(size_t n)
{
    return running(-1) == n;
}

static void on_deadline(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

static void run_until(const char *row, bool (*done)(size_t n), size_t n)
{
    static uv_timer_t deadline;
    bool late = false;
    uv_timer_init(&s.loop, &deadline);
    deadline.data = &late;
    uv_timer_start(&deadline, on_deadline, DEADLINE_MS, 0);
    while (!done(n)) {
        uv_run(&s.loop, UV_RUN_ONCE);
        CHECK(row, !late);
    }
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(&s.loop, UV_RUN_NOWAIT);
}

static void close_handle(uv_handle_t *h, void *context)
{
    (void)context;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

static bool logged(const char *text)
{
    static char all[65536];
    ssize_t n = pread(log_fd, all, sizeof all - 1, 0);
    assert_true(n >= 0);
    all[n] = '\0';
    return strstr(all, text) != NULL;
}

static void begin(const char *row)
{
    struct err err = {0};
    memset(&s, 0, sizeof s);
    gone = false;
    assert_int_equal(ftruncate(log_fd, 0), 0);
    s.receivers = 2;
    assert_int_equal(uv_loop_init(&s.loop), 0);
    assert_int_equal(uv_timer_init(&s.loop, &s.drain), 0);
    s.drain.data = &s;
    CHECK_INT(row, children_start(&s, &err), ERR_NONE);
    run_until(row, all_are_ready, 0);
    s.stopping = true;
    children_stop(&s);
}

static void end(const char *row)
{
    run_until(row, so_many_run, 0);
    CHECK(row, gone);
    uv_walk(&s.loop, close_handle, NULL);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    CHECK_INT(row, uv_loop_close(&s.loop), 0);
}

static void stopping(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hangs;
        size_t left; /* processes that are there when their time is over */
        bool killed;
        const char *ended[3];
    } rows[] = {
        {"all end",
         "none",
         0,
         false,
         {"ended=receive index=1 status=0 signal=0", "ended=queue index=0 status=0 signal=0",
          "ended=deliver index=0 status=0 signal=0"}},
        {"receive hangs",
         "receive",
         6, /* the others have not been asked yet */
         true,
         {"ended=receive index=1 status=0 signal=9", "ended=queue index=0 status=0 signal=0",
          "ended=deliver index=0 status=0 signal=0"}},
        {"queue hangs",
         "queue",
         1,
         true,
         {"ended=receive index=1 status=0 signal=0", "ended=queue index=0 status=0 signal=9",
          "ended=deliver index=0 status=0 signal=0"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(setenv(HANGS, rows[i].hangs, 1), 0);
        begin(rows[i].name);
        run_until(rows[i].name, so_many_run, rows[i].left);
        CHECK_INT(rows[i].name, uv_is_active((uv_handle_t *)&s.drain), true);
        CHECK_INT(rows[i].name, running(ROLE_RECEIVE) > 0, rows[i].left > 1);
        if (rows[i].left)
            children_drain_over(&s);
        end(rows[i].name);
        CHECK_INT(rows[i].name, s.killed, rows[i].killed);
        for (size_t j = 0; j < ARRAY_LEN(rows[i].ended); j++)
            CHECK(rows[i].ended[j], logged(rows[i].ended[j]));
    }
}

static struct counters *seen; /* by a third process, as it were */

static bool the_dead_is_forgotten(size_t n)
{
    return counter_sum(seen, 7) == n;
}

/* What a receive process counted goes with it, and what the others counted stays. */
static void counting(void **state)
{
    (void)state;
    static const char row[] = "counting";
    struct err err = {0};
    void *memory = NULL;
    assert_int_equal(setenv(HANGS, "none", 1), 0);
    memset(&s, 0, sizeof s);
    gone = false;
    s.receivers = 2;
    assert_int_equal(uv_loop_init(&s.loop), 0);
    assert_int_equal(uv_timer_init(&s.loop, &s.drain), 0);
    s.drain.data = &s;
    CHECK_INT(row, counting_make(&s, &err), ERR_NONE);
    CHECK_INT(row, children_start(&s, &err), ERR_NONE);
    run_until(row, all_are_ready, 0);
    CHECK_INT(row, memory_file_map_shared(s.counting_fd, counters_size(2), &memory, &err), ERR_NONE);
    for (uint32_t i = 0; i < 2; i++) {
        counters_close(seen);
        seen = counters_open(memory, 2, i, s.counting_key);
        for (uint32_t k = 0; k <= i; k++)
            counter_add(seen, 7);
    }
    CHECK_INT(row, counter_sum(seen, 7), 3);
    for (size_t i = 0; i < s.child_count; i++)
        if (s.children[i].kind == ROLE_RECEIVE && s.children[i].index == 1)
            uv_process_kill(&s.children[i].process, SIGKILL);
    run_until(row, the_dead_is_forgotten, 1);
    run_until(row, all_are_ready, 0);
    CHECK_INT(row, counter_sum(seen, 7), 1);
    s.stopping = true;
    children_stop(&s);
    end(row);
    counters_close(seen);
    counters_close(s.counters);
    seen = s.counters = NULL;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stopping), cmocka_unit_test(counting)};
    if (argc > 0 && strncmp(argv[0], TITLE, strlen(TITLE)) == 0)
        return play_role(argv[0] + strlen(TITLE));
    /* The log opens its own handle on standard error; the test's messages go on to where they went. */
    int terminal = dup(STDERR_FILENO);
    log_fd = memfd_create("log", MFD_CLOEXEC);
    if (terminal < 0 || log_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        return EXIT_FAILURE;
    log_init("supervisor");
    dup2(terminal, STDERR_FILENO);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
