/*
 * tracking.c: the message tracking log at its full size: writes a log of N entries into a folder (10,000,000 unless
 * told), indexes it and searches it. Prints one line a figure.
 *
 *     bench_tracking FOLDER [ENTRIES]        leaves FOLDER behind: some 330 bytes an entry, and its index
 *
 * A message makes three entries, as in real life: RECEIVE, and DELIVER or SEND for its two recipients. Senders and
 * recipients are 50,000 each; every message id is its own.
 */
#include "store/tracking/tracking.h"

#include "base/num.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_BYTES = 10 << 20, ADDRESSES = 50000, PER_DAY = 400000, START = 1790000000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t random_of(uint64_t n)
{
    n = (n ^ n >> 31) * UINT64_C(0x7fb5d329728ea185);
    n = (n ^ n >> 27) * UINT64_C(0x81dadef4bc2dd44d);
    return n ^ n >> 33;
}

static void put_row(struct buf *b, uint64_t n)
{
    static const char *const events[] = {"SMTP,RECEIVE", "STOREDRIVER,DELIVER", "SMTP,SEND"};
    uint64_t message = n / 3, kind = n % 3, r = random_of(message);
    time_t at = START + (time_t)(n / PER_DAY * 86400 + n % PER_DAY / 5);
    struct tm tm;
    char to[80], stamp[40];
    gmtime_r(&at, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    if (kind == 0)
        snprintf(to, sizeof to, "user%" PRIu64 "@example.com;user%" PRIu64 "@partner.test", r % ADDRESSES,
                 r / 7 % ADDRESSES);
    else
        snprintf(to, sizeof to, "user%" PRIu64 "@%s", kind == 1 ? r % ADDRESSES : r / 7 % ADDRESSES,
                 kind == 1 ? "example.com" : "partner.test");
    buf_addf(b,
             "%s.%03uZ,192.0.2.%u,client%u.example.com,192.0.2.1,mail.example.com,%016" PRIX64
             ",mail.example.com\\Client mail,%s,%" PRIu64 ",<%016" PRIx64
             "@mail.example.com>,%s,250 2.0.0 OK,4711,%u"
             ",,,Subject of message %" PRIu64 ",sender%" PRIu64 "@example.com,sender%" PRIu64
             "@example.com,%s.%03uZ,Originating,192.0.2.7,TLS=TLSv1.3\r\n",
             stamp, (unsigned)(n % 1000), (unsigned)(r % 250), (unsigned)(r % 9000), r, events[kind], message, r,
             to, kind == 0 ? 2u : 1u, message, r / 3 % ADDRESSES, r / 3 % ADDRESSES, stamp, (unsigned)(n % 1000));
}

static int begin(const char *folder, uint64_t n, uint32_t *number, char day[static 9])
{
    char path[1400], today[9];
    time_t at = START + (time_t)(n / PER_DAY * 86400);
    struct tm tm;
    strftime(today, sizeof today, "%Y%m%d", gmtime_r(&at, &tm));
    *number = strcmp(day, today) ? 1 : *number + 1;
    memcpy(day, today, sizeof today);
    snprintf(path, sizeof path, "%s/MSGTRK%s-%04u.log", folder, day, *number);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 ||
        dprintf(fd,
                "#Software: Mailreeve\r\n#Version: bench\r\n#Log-Type: Message Tracking Log\r\n#Date: %s-%u, "
                "made by the bench of the message tracking log\r\n#Fields: date-time,%s\r\n",
                day, *number, tracking_columns) < 0)
        abort();
    return fd;
}

static uint64_t generate(const char *folder, uint64_t entries)
{
    struct buf b;
    uint64_t size = FILE_BYTES, total = 0;
    uint32_t number = 0;
    char day[9] = "";
    int fd = -1;
    buf_init(&b, 4 << 20);
    for (uint64_t n = 0; n < entries; n++) {
        put_row(&b, n);
        if (b.len < (1 << 20) && n + 1 < entries)
            continue;
        if (size >= FILE_BYTES) {
            if (fd >= 0)
                close(fd);
            fd = begin(folder, n, &number, day);
            size = 0;
        }
        if (b.failed || write(fd, b.ptr, b.len) != (ssize_t)b.len)
            abort();
        size += b.len;
        total += b.len;
        buf_clear(&b);
    }
    close(fd);
    buf_done(&b);
    return total;
}

static bool count(void *context, const struct tracking_row *row)
{
    (void)row;
    ++*(size_t *)context;
    return true;
}

static void search(const char *folder, const char *name, struct tracking_query q)
{
    double best = 1e9, first = 0;
    size_t rows = 0;
    struct tracking_found found = {0};
    struct err err = {0};
    q.end_ms = q.end_ms ? q.end_ms : INT64_MAX;
    q.limit = 1000;
    for (int i = 0; i < 3; i++) {
        double t = now();
        rows = 0;
        if (tracking_search(folder, &q, count, &rows, &found, &err)) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        t = now() - t;
        first = i ? first : t;
        best = t < best ? t : best;
    }
    printf("search %-34s %8.1f ms (first %.1f), %zu entries%s%s\n", name, best * 1e3, first * 1e3, rows,
           found.more ? ", more" : "", found.stopped ? ", stopped" : "");
}

static uint64_t index_bytes(const char *folder)
{
    char command[1400];
    unsigned long long bytes = 0;
    snprintf(command, sizeof command, "du -sb '%s/index' | cut -f1", folder);
    FILE *p = popen(command, "r");
    if (!p || fscanf(p, "%llu", &bytes) != 1)
        bytes = 0;
    if (p)
        pclose(p);
    return bytes;
}

int main(int argc, char **argv)
{
    uint64_t entries = 10000000, rows = 0;
    struct err err = {0};
    atomic_bool stop = false;
    if (argc < 2 || argc > 3 || (argc == 3 && !num_parse_u64(span_of(argv[2]), 1000000000, &entries))) {
        fprintf(stderr, "usage: %s FOLDER [ENTRIES]\n", argv[0]);
        return 2;
    }
    mkdir(argv[1], 0755);
    uint64_t bytes = generate(argv[1], entries);
    printf("log %" PRIu64 " entries, %" PRIu64 " bytes, %.0f an entry\n", entries, bytes,
           (double)bytes / (double)entries);
    double t = now(), longest = 0;
    struct tracking_step step = {.left = 1};
    for (size_t n = 0; step.left; n++) {
        double began = now();
        if (tracking_index_step(argv[1], &stop, &step, &err)) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
        rows += step.rows;
        longest = now() - began > longest ? now() - began : longest;
        if (!step.built)
            break;
    }
    t = now() - t;
    printf("index %" PRIu64 " entries in %.1f s, %.0f a second, %.0f bytes an entry, longest step %.0f ms\n", rows,
           t, (double)rows / t, (double)index_bytes(argv[1]) / (double)(rows ? rows : 1), longest * 1e3);

    char id[80], sender[80], recipient[80], internal[32];
    uint64_t message = entries / 3 / 2, r = random_of(message);
    int64_t day = INT64_C(1000) * START;
    snprintf(id, sizeof id, "<%016" PRIx64 "@mail.example.com>", r);
    snprintf(sender, sizeof sender, "sender%" PRIu64 "@example.com", r / 3 % ADDRESSES);
    snprintf(recipient, sizeof recipient, "user%" PRIu64 "@example.com", r % ADDRESSES);
    snprintf(internal, sizeof internal, "%" PRIu64, message);
    search(argv[1], "by message id", (struct tracking_query){.message_id = span_of(id)});
    search(argv[1], "by message id that is not there", (struct tracking_query){.message_id = SPAN("<none@x>")});
    search(argv[1], "by internal message id", (struct tracking_query){.internal_id = span_of(internal)});
    search(argv[1], "by sender", (struct tracking_query){.sender = span_of(sender)});
    search(argv[1], "by recipient",
           (struct tracking_query){.recipients = (const struct span[]){span_of(recipient)}, .recipient_count = 1});
    search(argv[1], "by sender, one day",
           (struct tracking_query){.sender = span_of(sender), .start_ms = day, .end_ms = day + 86400000});
    search(argv[1], "the newest", (struct tracking_query){0});
    search(argv[1], "by subject, one day",
           (struct tracking_query){.subject = SPAN("message 1234"), .start_ms = day, .end_ms = day + 86400000});
    search(argv[1], "by subject, unbounded", (struct tracking_query){.subject = SPAN("nowhere")});
    return 0;
}
