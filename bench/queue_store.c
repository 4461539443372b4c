/*
 * queue_store.c: how fast the embedded queue commits, and what the checkpoint does to the slowest.
 *
 *   bench_queue_store FOLDER [MESSAGES] [BODY_BYTES]
 *
 * For batches of 1, 8 and 64: messages a second, CPU a message, and the 50th, 99th and 100th percentile of a
 * commit, while messages are enqueued and while they are claimed and delivered. Only ratios of one run mean
 * anything.
 */
#include "store/queue_sqlite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_MAX = 64, DEFAULT_MESSAGES = 20000, DEFAULT_BODY = 4096, CLAIM = 512 };

struct lap {
    double *times; /* of each commit, seconds */
    size_t count;
    double wall, cpu;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void check(enum err_code code, const struct err *err)
{
    if (code == ERR_NONE)
        return;
    fprintf(stderr, "bench_queue_store: %s\n", err->text);
    abort(); /* a figure from a queue that fails means nothing */
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_lap(const char *what, size_t batch, size_t messages, struct lap *lap)
{
    qsort(lap->times, lap->count, sizeof *lap->times, by_size);
    printf("%-8s batch %2zu  %8.0f /s  cpu %5.1f us  commit p50 %7.3f  p99 %7.3f  max %7.3f ms\n", what, batch,
           (double)messages / lap->wall, lap->cpu * 1e6 / (double)messages, lap->times[lap->count / 2] * 1e3,
           lap->times[lap->count * 99 / 100] * 1e3, lap->times[lap->count - 1] * 1e3);
}

/* One commit as the writer thread does it: the checkpoint counts, since the next batch waits for it. */
static void commit(struct queue *q, struct queue_unit *const *units, size_t n, struct lap *lap)
{
    struct err err;
    struct buf removed;
    buf_init(&removed, 1 << 20);
    double start = now();
    check(queue_commit(q, units, n, &removed, &err), &err);
    for (size_t i = 0; i < n; i++)
        check(units[i]->result, &units[i]->err);
    check(queue_maintain(q, false, &err), &err);
    lap->times[lap->count++] = now() - start;
    buf_done(&removed);
}

static void enqueue_all(struct queue *q, size_t batch, size_t messages, struct span body, struct lap *lap)
{
    static struct queue_unit units[BATCH_MAX];
    static struct queue_op ops[BATCH_MAX];
    struct queue_unit *list[BATCH_MAX];
    struct queue_recipient r = {.address = SPAN("someone@example.net"), .next_attempt_ms = 1};
    struct queue_message m = {.message_id = SPAN("<0123456789abcdef@mail.example.com>"),
                              .sender = SPAN("sender@example.com"),
                              .subject = SPAN("What a subject is in the middle"),
                              .source = SPAN("SMTP:Default mail"),
                              .source_ip = SPAN("192.0.2.17"),
                              .size = body.len,
                              .body = body,
                              .recipients = &r,
                              .recipient_count = 1};
    double wall = now(), used = cpu();
    for (size_t done = 0; done < messages; done += batch) {
        for (size_t i = 0; i < batch; i++) {
            ops[i] = (struct queue_op){.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
            units[i] = (struct queue_unit){.ops = &ops[i], .op_count = 1};
            list[i] = &units[i];
        }
        commit(q, list, batch, lap);
    }
    lap->wall = now() - wall;
    lap->cpu = cpu() - used;
}

static void deliver_all(struct queue *q, size_t batch, size_t messages, struct lap *lap)
{
    static struct queue_unit units[BATCH_MAX];
    static struct queue_op ops[BATCH_MAX];
    struct queue_unit *list[BATCH_MAX];
    struct queue_recipient delivered = {.state = QUEUE_DELIVERED};
    struct arena arena;
    struct err err;
    arena_init(&arena, 0);
    double wall = now(), used = cpu();
    for (size_t done = 0; done < messages;) {
        struct queue_message *m = NULL;
        size_t count = 0, n = 0;
        arena_reset(&arena);
        check(queue_claim(q, 2, CLAIM, INT64_MAX, &arena, &m, &count, &err), &err);
        for (size_t i = 0; i < count; i++) {
            ops[n] = (struct queue_op){.kind = QUEUE_OP_DONE, .message = m[i].id, .recipient = &delivered};
            units[n] = (struct queue_unit){.ops = &ops[n], .op_count = 1};
            list[n] = &units[n];
            if (++n == batch || i + 1 == count) {
                commit(q, list, n, lap);
                n = 0;
            }
        }
        done += count;
        if (count == 0)
            break;
    }
    lap->wall = now() - wall;
    lap->cpu = cpu() - used;
    arena_clear(&arena);
}

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-lock"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char name[4200];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

int main(int argc, char **argv)
{
    static const size_t batches[] = {1, 8, 64};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_queue_store FOLDER [MESSAGES] [BODY_BYTES]\n");
        return 2;
    }
    size_t messages = argc > 2 ? strtoul(argv[2], NULL, 10) : DEFAULT_MESSAGES;
    size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : DEFAULT_BODY;
    char path[4096], *body = malloc(size + 1);
    messages = messages < BATCH_MAX ? BATCH_MAX : messages / BATCH_MAX * BATCH_MAX;
    struct lap lap = {.times = calloc(messages + 1, sizeof(double))};
    if (!body || !lap.times || snprintf(path, sizeof path, "%s/bench-queue.db", argv[1]) >= (int)sizeof path)
        return 1;
    memset(body, 'x', size);
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        struct queue *q = NULL;
        struct err err;
        remove_files(path);
        check(queue_sqlite_open(path, &q, &err), &err);
        lap.count = 0;
        enqueue_all(q, batches[i], messages, span_make(body, size), &lap);
        print_lap("enqueue", batches[i], messages, &lap);
        lap.count = 0;
        deliver_all(q, batches[i], messages, &lap);
        print_lap("deliver", batches[i], messages, &lap);
        queue_close(q);
    }
    remove_files(path);
    free(lap.times);
    free(body);
    return 0;
}
