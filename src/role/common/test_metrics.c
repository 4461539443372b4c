/* test_metrics.c: counting in several processes, of which one is started anew, and the text for Prometheus. */
#include "check.h"
#include "role/common/metrics.h"
#include "runtime/memory_file.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COLUMNS = 3 };
static int fd;

/* A process finds so many sessions open, counts in its column and ends. */
static void process(uint32_t column, enum role_kind role, uint64_t open, void (*count)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct err err = {0};
        count();
        enum err_code code = metrics_attach(fd, COLUMNS, column, role, &err);
        bool as_found = metric_sum(METRIC_SESSIONS_OPEN) == open;
        count();
        _exit(code || !as_found);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    assert_int_equal(status, 0);
}

static void receive(void)
{
    metric_add(METRIC_ACCEPTED, 2);
    metric_set(METRIC_SESSIONS_OPEN, 7);
    metric_observe(METRIC_ACCEPT_TIME, 3);
    metric_add(METRIC_REFUSED + METRIC_REFUSED_LIMIT, 5);
}

static void again(void)
{
    metric_add(METRIC_ACCEPTED, 10);
}

static void queue(void)
{
    metric_observe(METRIC_DELIVERY_TIME, -5); /* the clock was set */
    metric_observe(METRIC_DELIVERY_TIME, INT64_MAX / 4);
    metric_add(METRIC_DELIVERY_TLS + metric_tls_of(SPAN("TLSv1.2")), 1);
    metric_set(METRIC_OLDEST, 1000500);
}

static void summing(void **state UNUSED)
{
    struct err err = {0};
    assert_int_equal(memory_file_make_shared("metrics", metrics_size(COLUMNS), &fd, &err), ERR_NONE);
    process(0, ROLE_RECEIVE, 7, receive); /* its own, of before it had a column */
    process(1, ROLE_QUEUE, 7, queue);
    /* A process that is started anew goes on counting, and nothing is open in it. */
    process(0, ROLE_RECEIVE, 0, again);
    metric_add(METRIC_TRACKED, 4);
    metric_add(METRIC_ACCEPTED, 1);
    assert_int_equal(metric_sum(METRIC_ACCEPTED), 1); /* in memory of its own */
    assert_int_equal(metrics_attach(fd, COLUMNS, COLUMNS, ROLE_MANAGE, &err), ERR_INVALID);
    assert_int_equal(metrics_attach(fd, COLUMNS + 1, 0, ROLE_MANAGE, &err), ERR_INVALID);
    assert_int_equal(metrics_attach(fd, COLUMNS, 2, ROLE_MANAGE, &err), ERR_NONE);
    assert_int_equal(metrics_attach(fd, COLUMNS, 1, ROLE_MANAGE, &err), ERR_INVALID); /* once */
    assert_int_equal(metric_sum(METRIC_ACCEPTED), 1 + 2 + 2 + 10 + 10);
    assert_int_equal(metric_sum(METRIC_TRACKED), 4);
    assert_int_equal(metric_sum(METRIC_SESSIONS_OPEN), 0);
}

static bool has(struct span text, const char *line)
{
    return memmem(text.ptr, text.len, line, strlen(line)) != NULL;
}

static void printing(void **state UNUSED)
{
    static const char *const lines[] = {
        "mailreeve_messages_accepted_total 25\n",
        "# TYPE mailreeve_messages_accepted_total counter\n",
        "# TYPE mailreeve_sessions_open gauge\n",
        "# TYPE mailreeve_accept_seconds histogram\n",
        "mailreeve_refusals_total{reason=\"limit\"} 10\n",
        "mailreeve_refusals_total{reason=\"auth\"} 0\n",
        "mailreeve_process_starts_total{role=\"receive\"} 2\n",
        "mailreeve_process_starts_total{role=\"queue\"} 1\n",
        "mailreeve_process_starts_total{role=\"deliver\"} 0\n",
        "mailreeve_delivery_tls_total{version=\"TLSv1.2\"} 2\n",
        "mailreeve_queue_oldest_seconds 2.500\n",
        "mailreeve_accept_seconds_bucket{le=\"0.002\"} 0\n",
        "mailreeve_accept_seconds_bucket{le=\"0.005\"} 2\n", /* cumulative */
        "mailreeve_accept_seconds_bucket{le=\"+Inf\"} 2\n",
        "mailreeve_accept_seconds_sum 0.006\nmailreeve_accept_seconds_count 2\n",
        "mailreeve_delivery_seconds_bucket{le=\"0.100\"} 2\n",
        "mailreeve_delivery_seconds_bucket{le=\"172800.000\"} 2\n",
        "mailreeve_delivery_seconds_bucket{le=\"+Inf\"} 4\n",
    };
    struct buf b;
    buf_init(&b, 256 * 1024);
    metrics_print(&b, 1003000);
    assert_false(b.failed);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        CHECK(lines[i], has(buf_span(&b), lines[i]));
    buf_clear(&b);
    metrics_print(&b, 0); /* the clock was set back behind the oldest */
    CHECK("no age", has(buf_span(&b), "mailreeve_queue_oldest_seconds 0.000\n"));
    buf_done(&b);
}

static void versions(void **state UNUSED)
{
    static const struct {
        const char *name;
        enum metric_tls tls;
    } rows[] = {{"TLSv1.3", METRIC_TLS_1_3}, {"TLSv1.2", METRIC_TLS_1_2}, {"TLSv1", METRIC_TLS_OTHER},
                {"other", METRIC_TLS_OTHER}, {"", METRIC_TLS_NONE},       {"none", METRIC_TLS_OTHER}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT(rows[i].name, metric_tls_of(span_of(rows[i].name)), rows[i].tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(summing), cmocka_unit_test(printing),
                                       cmocka_unit_test(versions)};
    return cmocka_run_group_tests_name("role_metrics", tests, NULL, NULL);
}
