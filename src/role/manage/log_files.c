/*
 * log_files.c: see log_files.h.
 *
 * Invariants: rows gather in `pending` and leave it by one write(2) each time, so that a file ends with a whole row
 * unless the disk was full. A file is begun when there is none, the day has changed, or it has reached its limit;
 * that is when the folder is looked through and the oldest files go. The rows' times are the senders'.
 */
#include "role/manage/log_files.h"

#include "base/buf.h"
#include "base/num.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PENDING_FULL = 32 * 1024,
    ROW_MAX = 512 * 1024,
    PATH_MAX_ = 1400,
    FILES_MAX = 100000, /* of one folder, as far as it is looked through */
    COMPLAINT_MS = 3600 * 1000,
    RETRY_MS = 1000, /* after a file could not be opened */
};
#define AT_MAX INT64_C(253402300799999) /* the year 9999 */

struct log_files {
    char folder[1200];
    const struct log_format *format;
    struct log_limits limits;
    int fd; /* -1: none is open */
    char day[9];
    uint64_t number, size;
    struct buf pending;
    int64_t complained_ms, retry_ms;
};

struct log_files *log_files_new(const char *folder, const struct log_format *format)
{
    struct log_files *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->format = format;
    l->fd = -1;
    l->limits = (struct log_limits){10 << 20, 250 << 20, INT64_C(30) * 24 * 3600 * 1000};
    l->complained_ms = INT64_MIN / 2;
    snprintf(l->folder, sizeof l->folder, "%s", folder);
    buf_init(&l->pending, PENDING_FULL + 2 * ROW_MAX);
    return l;
}

void log_files_limit(struct log_files *l, const struct log_limits *limits)
{
    l->limits = *limits;
}

static void complain(struct log_files *l, const char *what)
{
    int64_t now = clock_mono_ms();
    if (now - l->complained_ms < COMPLAINT_MS)
        return;
    l->complained_ms = now;
    log_text(LOG_ERROR, "log-not-written", "%s: %s: %s; rows are lost until it can be written", l->folder, what,
             strerror(errno));
}

/* ---- the folder ---- */

struct old_file {
    char name[64];
    uint64_t number, bytes;
    int64_t changed_ms;
};

/* PREFIXyyyymmdd-n.log; others in the folder are none of ours. */
static bool parse_name(const struct log_files *l, struct span name, struct span *ret_day, uint64_t *ret_number)
{
    struct span prefix = span_of(l->format->prefix), rest = span_from(name, prefix.len);
    if (!span_starts(name, prefix) || rest.len < 14 || rest.ptr[8] != '-' || !span_ends(rest, SPAN(".log")))
        return false;
    uint64_t day;
    *ret_day = span_head(rest, 8);
    return num_parse_u64(*ret_day, UINT64_MAX, &day) &&
           num_parse_u64(span_head(span_from(rest, 9), rest.len - 13), UINT32_MAX, ret_number);
}

static int older_first(const void *a, const void *b)
{
    const struct old_file *x = a, *y = b;
    size_t day = strcspn(x->name, "-");
    int c = strncmp(x->name, y->name, day);
    return c ? c : (x->number > y->number) - (x->number < y->number);
}

static size_t list_folder(const struct log_files *l, struct old_file **ret)
{
    DIR *d = opendir(l->folder);
    size_t count = 0, cap = 0;
    struct old_file *list = NULL;
    for (struct dirent *e; d && count < FILES_MAX && (e = readdir(d));) {
        struct span day;
        struct stat st;
        struct old_file f = {0};
        if (strlen(e->d_name) >= sizeof f.name || !parse_name(l, span_of(e->d_name), &day, &f.number) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        if (count == cap) {
            cap = cap ? 2 * cap : 64;
            struct old_file *grown = reallocarray(list, cap, sizeof *list);
            if (!grown)
                break;
            list = grown;
        }
        memcpy(f.name, e->d_name, strlen(e->d_name));
        f.bytes = (uint64_t)st.st_size;
        f.changed_ms = (int64_t)st.st_mtime * 1000;
        list[count++] = f;
    }
    if (d)
        closedir(d);
    if (count)
        qsort(list, count, sizeof *list, older_first);
    *ret = list;
    return count;
}

static bool file_path(const struct log_files *l, const char *name, char path[static PATH_MAX_])
{
    return snprintf(path, PATH_MAX_, "%s/%s", l->folder, name) < PATH_MAX_;
}

/* Leaves room for one more file of full size. */
static void delete_old(const struct log_files *l, const struct old_file *list, size_t count)
{
    int64_t now = clock_wall_ms();
    uint64_t total = l->limits.file_bytes == UINT64_MAX ? 0 : l->limits.file_bytes;
    for (size_t i = 0; i < count; i++)
        total += list[i].bytes;
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX_];
        bool aged = l->limits.age_ms != INT64_MAX && now - list[i].changed_ms > l->limits.age_ms;
        if ((!aged && total <= l->limits.folder_bytes) || !file_path(l, list[i].name, path))
            continue;
        if (unlink(path) == 0)
            total -= list[i].bytes;
    }
}

static bool make_folders(const struct log_files *l)
{
    char path[sizeof l->folder];
    snprintf(path, sizeof path, "%s", l->folder);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(path, 0750); /* what is there already is seen below */
            *p = '/';
        }
    return mkdir(path, 0750) == 0 || errno == EEXIST;
}

/* ---- one file ---- */

static void write_out(struct log_files *l, struct span s)
{
    ssize_t n = s.len && l->fd >= 0 ? write(l->fd, s.ptr, s.len) : 0;
    if (n > 0)
        l->size += (uint64_t)n;
    if (n < 0 || (size_t)n < s.len)
        complain(l, "cannot write");
}

static void close_file(struct log_files *l)
{
    log_files_flush(l);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static void day_of(int64_t at_ms, char out[static 9])
{
    struct tm tm = {0};
    time_t t = (time_t)(at_ms / 1000);
    gmtime_r(&t, &tm);
    strftime(out, 9, "%Y%m%d", &tm);
}

static void write_head(struct log_files *l, int64_t at_ms)
{
    struct tm tm = {0};
    time_t t = (time_t)(at_ms / 1000);
    struct buf head;
    char date[40];
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_init(&head, 4096);
    buf_addf(&head,
             "#Software: Mailreeve\r\n#Version: " MAILREEVE_VERSION "\r\n#Log-type: %s\r\n#Date: %s.%03dZ\r\n"
             "#Fields: date-time,%s\r\n",
             l->format->type, date, (int)(at_ms % 1000), l->format->fields);
    write_out(l, buf_span(&head));
    buf_done(&head);
}

/* The number of the day's newest file, 0 when there is none; *ret_bytes is its size. */
static uint64_t newest_number(const struct log_files *l, const struct old_file *list, size_t count,
                              uint64_t *ret_bytes)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(list[i].name + strlen(l->format->prefix), l->day, 8) == 0 && list[i].number > newest) {
            newest = list[i].number;
            *ret_bytes = list[i].bytes;
        }
    return newest;
}

static void open_file(struct log_files *l, int64_t now_ms)
{
    struct old_file *list = NULL;
    uint64_t bytes = 0;
    char name[64], path[PATH_MAX_];
    if (clock_mono_ms() < l->retry_ms)
        return;
    l->retry_ms = clock_mono_ms() + RETRY_MS;
    if (!make_folders(l)) {
        complain(l, "cannot make the folder");
        return;
    }
    day_of(now_ms, l->day);
    size_t count = list_folder(l, &list);
    l->number = newest_number(l, list, count, &bytes);
    if (l->number == 0 || bytes >= l->limits.file_bytes) {
        l->number++;
        bytes = 0;
        delete_old(l, list, count);
    }
    free(list);
    snprintf(name, sizeof name, "%s%s-%04" PRIu64 ".log", l->format->prefix, l->day, l->number);
    l->fd =
        file_path(l, name, path) ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640) : -1;
    l->size = bytes;
    if (l->fd < 0) {
        complain(l, "cannot open a file");
        return;
    }
    l->retry_ms = 0;
    if (bytes == 0)
        write_head(l, now_ms);
}

void log_files_flush(struct log_files *l)
{
    write_out(l, buf_span(&l->pending));
    buf_clear(&l->pending);
}

void log_files_free(struct log_files *l)
{
    if (!l)
        return;
    close_file(l);
    buf_done(&l->pending);
    free(l);
}

/* ---- rows ---- */

/* Quoted where a comma, a quote or a blank at an end asks for it; control characters become blanks. */
static void add_field(struct buf *b, struct span s)
{
    bool quoted = span_find(s, ',') != SIZE_MAX || span_find(s, '"') != SIZE_MAX;
    if (quoted)
        buf_add_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"')
            buf_add_char(b, '"');
        buf_add_char(b, (unsigned char)c < ' ' || c == 0x7f ? ' ' : c);
    }
    if (quoted)
        buf_add_char(b, '"');
}

static void add_row(struct buf *b, int64_t at_ms, const struct span *fields, size_t count)
{
    struct tm tm = {0};
    time_t t = (time_t)(at_ms / 1000);
    gmtime_r(&t, &tm);
    buf_addf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, (int)(at_ms % 1000));
    for (size_t i = 0; i < count; i++) {
        buf_add_char(b, ',');
        add_field(b, fields[i]);
    }
    buf_add(b, SPAN("\r\n"));
}

void log_files_add(struct log_files *l, int64_t at_ms, const struct span *fields, size_t count)
{
    char day[9];
    int64_t now = clock_wall_ms(); /* files are of the day on which they are written */
    day_of(now, day);
    if (l->fd >= 0 && (strcmp(day, l->day) || l->size + l->pending.len >= l->limits.file_bytes))
        close_file(l);
    if (l->fd < 0)
        open_file(l, now);
    size_t before = l->pending.len;
    add_row(&l->pending, at_ms < 0 ? 0 : at_ms > AT_MAX ? AT_MAX : at_ms, fields, count);
    if (l->pending.failed) {
        l->pending.failed = false;
        l->pending.len = before;
    }
    if (l->pending.len >= PENDING_FULL)
        log_files_flush(l);
}
