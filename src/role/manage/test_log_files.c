/* Log files in a folder of the test's own: names, heads, quoting, a new file at the limit, the oldest deleted. */
#include "check.h"

#include "base/buf.h"
#include "role/manage/log_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct log_format format = {"RECV", "SMTP Receive Protocol Log", "a,b"};
static char folder[64], logs[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mailreeve-logs-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(logs, sizeof logs, "%s/log/recv", folder);
    return 0;
}

static size_t names(char found[][64], size_t max)
{
    DIR *d = opendir(logs);
    size_t n = 0;
    for (struct dirent *e; d && n < max && (e = readdir(d));)
        if (e->d_name[0] != '.')
            snprintf(found[n++], 64, "%.63s", e->d_name);
    if (d)
        closedir(d);
    qsort(found, n, 64, (int (*)(const void *, const void *))strcmp);
    return n;
}

static int drop_folder(void **state)
{
    (void)state;
    char found[64][64], path[256];
    for (size_t n = names(found, 64); n > 0; n--) {
        snprintf(path, sizeof path, "%s/%s", logs, found[n - 1]);
        unlink(path);
    }
    rmdir(logs);
    snprintf(path, sizeof path, "%s/log", folder);
    rmdir(path);
    rmdir(folder);
    return 0;
}

static void read_file(const char *name, struct buf *b)
{
    char path[256], block[4096];
    snprintf(path, sizeof path, "%s/%s", logs, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    buf_init(b, 1 << 20);
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;)
        buf_add(b, span_make(block, (size_t)n));
    close(fd);
}

static void add(struct log_files *l, const char *a, const char *b)
{
    const struct span fields[] = {span_of(a), span_of(b)};
    log_files_add(l, 1795000000123, fields, 2);
}

static void today(char out[static 32], unsigned number)
{
    char day[16];
    time_t t = time(NULL);
    struct tm tm;
    strftime(day, sizeof day, "%Y%m%d", gmtime_r(&t, &tm));
    snprintf(out, 32, "RECV%s-%04u.log", day, number);
}

static void rows(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *line;
    } table[] = {
        {"plain", "", "2026-11-18T11:06:40.123Z,plain,"},
        {"with, comma", "say \"hi\"", "2026-11-18T11:06:40.123Z,\"with, comma\",\"say \"\"hi\"\"\""},
        {"two\r\nlines", "\x01", "2026-11-18T11:06:40.123Z,two  lines, "},
    };
    char name[32];
    struct buf b;
    struct log_files *l = log_files_new(logs, &format);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        add(l, table[i].a, table[i].b);
    log_files_flush(l);
    today(name, 1);
    read_file(name, &b);
    assert_true(span_starts(buf_span(&b), SPAN("#Software: Mailreeve\r\n#Version: ")));
    assert_non_null(strstr(b.ptr, "#Log-type: SMTP Receive Protocol Log\r\n"));
    assert_non_null(strstr(b.ptr, "#Fields: date-time,a,b\r\n"));
    struct span rest = buf_span(&b), line;
    size_t seen = 0;
    while (span_split(&rest, '\n', &line))
        if (line.len && line.ptr[0] != '#' && seen < ARRAY_LEN(table)) {
            CHECK_SPAN(table[seen].a, span_head(line, line.len - 1), span_of(table[seen].line));
            seen++;
        }
    assert_int_equal(seen, ARRAY_LEN(table));
    buf_done(&b);
    log_files_free(l);
}

/* A file that is opened anew goes on where it ended, without a second head. */
static void appends(void **state)
{
    (void)state;
    char found[8][64];
    struct buf b;
    for (int i = 0; i < 2; i++) {
        struct log_files *l = log_files_new(logs, &format);
        add(l, "x", "y");
        log_files_free(l);
    }
    assert_int_equal(names(found, 8), 1);
    read_file(found[0], &b);
    buf_add_char(&b, '\0');
    char *first = strstr(b.ptr, "#Fields");
    assert_non_null(first);
    assert_null(strstr(first + 1, "#Fields"));
    buf_done(&b);
}

static void limits(void **state)
{
    (void)state;
    char found[64][64], path[256], third[32];
    int fd;
    struct log_files *l = log_files_new(logs, &format);
    log_files_limit(l, &(struct log_limits){400, 1300, INT64_MAX});
    for (int i = 0; i < 60; i++)
        add(l, "0123456789", "0123456789");
    log_files_flush(l);
    size_t n = names(found, 64);
    assert_in_range(n, 2, 4); /* as many as fit into the folder's limit, with one more of full size */
    today(third, 1);
    assert_string_not_equal(found[0], third); /* the oldest have gone */
    uint64_t total = 0;
    struct stat st;
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", logs, found[i]);
        assert_int_equal(stat(path, &st), 0);
        total += (uint64_t)st.st_size;
        assert_true(st.st_size < 400 + 100);
    }
    assert_true(total <= 1300 + 500);
    /* what is none of ours stays */
    snprintf(path, sizeof path, "%s/RECV-notes.log", logs);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    for (int i = 0; i < 60; i++)
        add(l, "0123456789", "0123456789");
    assert_int_equal(access(path, F_OK), 0);
    log_files_free(l);
}

static void aged(void **state)
{
    (void)state;
    char path[256], found[8][64];
    struct log_files *l = log_files_new(logs, &format);
    add(l, "x", "y");
    log_files_free(l);
    snprintf(path, sizeof path, "%s/RECV20200101-0001.log", logs);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    const struct timespec old[2] = {{.tv_sec = 1577836800}, {.tv_sec = 1577836800}};
    assert_int_equal(futimens(fd, old), 0);
    close(fd);
    assert_int_equal(names(found, 8), 2);
    l = log_files_new(logs, &format);
    log_files_limit(l, &(struct log_limits){1, UINT64_MAX, 86400000});
    add(l, "x", "y"); /* begins another file, and looks through the folder */
    log_files_free(l);
    assert_int_equal(access(path, F_OK), -1);
}

/* Where nothing can be written, rows are lost and nothing else happens. */
static void no_folder(void **state)
{
    (void)state;
    struct log_files *l = log_files_new("/proc/nowhere/log", &format);
    for (int i = 0; i < 1000; i++)
        add(l, "x", "y");
    log_files_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(appends, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(limits, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(aged, make_folder, drop_folder),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
