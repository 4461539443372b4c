/*
 * test_resources.c: the watcher over a meter that the test plays: what it publishes, what it logs and how often;
 * what peers tell it; the page as its readers see it; and the machine's own numbers.
 */
#include "check.h"

#include "base/cursor.h"
#include "role/common/protocol.h"
#include "role/supervisor/measure.h"
#include "role/supervisor/resources.h"
#include "runtime/log.h"
#include "runtime/memory_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MB (UINT64_C(1) << 20)

static struct pressure_reading readings[PRESSURE_RESOURCES];
static int log_fd;

static struct pressure_reading read_fake(void *context, enum pressure_resource r)
{
    CHECK("the queue tells its length", r != PRESSURE_QUEUE_LENGTH);
    CHECK("context", context == readings);
    return readings[r];
}

/* What was logged since the last call. */
static const char *logged(void)
{
    static char text[65536];
    static off_t at;
    ssize_t n = pread(log_fd, text, sizeof text - 1, at);
    text[n > 0 ? n : 0] = '\0';
    at += n > 0 ? n : 0;
    return text;
}

static size_t lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int setup(void **state)
{
    (void)state;
    log_fd = memfd_create("log", 0);
    assert_true(log_fd >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
    log_init("supervisor");
    return 0;
}

static void begin(struct resources *r)
{
    struct err err = {0};
    for (size_t i = 0; i < PRESSURE_RESOURCES; i++)
        readings[i] = (struct pressure_reading){true, 5000 * MB, 10000 * MB};
    assert_int_equal(resources_init(r, (struct resource_meter){readings, read_fake}, &err), ERR_NONE);
    pressure_page_use(r->page);
}

static void test_course(void **state)
{
    struct resources r;
    struct pressure seen;
    const char *text;
    (void)state;
    begin(&r);
    CHECK_INT("before", pressure_page_level(), PRESSURE_NORMAL);
    resources_poll(&r, 1000);
    CHECK_STR("quiet", logged(), "");
    readings[PRESSURE_QUEUE_DISK].value = 600 * MB;
    readings[PRESSURE_LOG_DISK].value = 1 * MB;
    resources_poll(&r, 2000);
    CHECK_INT("medium", pressure_page_level(), PRESSURE_MEDIUM);
    text = logged();
    CHECK_INT("one line each", lines(text), 2);
    CHECK("up", strstr(text, "event=pressure-increased id=15004 resource=QueueDisk from=Normal to=Medium"));
    CHECK("numbers", strstr(text, "queue disk: 600 MB free, 700 MB wanted"));
    CHECK("property", strstr(text, "limit=QueueDiskMediumThreshold"));
    CHECK("remedy", strstr(text, "remedy="));
    CHECK("logs", strstr(text, "resource=LogDisk from=Normal to=High") && strstr(text, "no mail is refused"));
    for (int i = 0; i < 5; i++)
        resources_poll(&r, 3000 + i);
    CHECK_STR("told once", logged(), "");
    CHECK("read", pressure_page_read(&seen));
    CHECK_INT("since", seen.of[PRESSURE_QUEUE_DISK].since_ms, 2000);
    CHECK_INT("value", seen.of[PRESSURE_QUEUE_DISK].value, 600 * MB);
    readings[PRESSURE_QUEUE_DISK].known = false;
    resources_poll(&r, 4000);
    CHECK_INT("not measured: it stays", pressure_page_level(), PRESSURE_MEDIUM);
    readings[PRESSURE_QUEUE_DISK] = (struct pressure_reading){true, 900 * MB, 10000 * MB};
    resources_poll(&r, 5000);
    CHECK_INT("normal", pressure_page_level(), PRESSURE_NORMAL);
    text = logged();
    CHECK("down", strstr(text, "event=pressure-decreased id=15005 resource=QueueDisk from=Medium to=Normal"));
    CHECK("nothing to do", !strstr(text, "remedy="));
    pressure_page_use(NULL);
    resources_done(&r);
}

static void test_told(void **state)
{
    struct resources r;
    struct buf b;
    (void)state;
    begin(&r);
    buf_init(&b, 256);
    put_u64(&b, 3000000);
    CHECK("length", resources_take_length(&r, buf_span(&b)));
    CHECK("cut", !resources_take_length(&r, span_head(buf_span(&b), 7)));
    resources_poll(&r, 1);
    CHECK_INT("too long", pressure_page_level(), PRESSURE_HIGH);
    struct pressure_limits limits = pressure_default_limits();
    limits.of[PRESSURE_QUEUE_LENGTH].medium = limits.of[PRESSURE_QUEUE_LENGTH].high = UINT64_MAX;
    buf_clear(&b);
    pressure_put_limits(&b, &limits);
    CHECK("cut", !resources_take_limits(&r, span_head(buf_span(&b), b.len - 1)));
    CHECK("limits", resources_take_limits(&r, buf_span(&b)));
    resources_poll(&r, 2);
    CHECK_INT("allowed now", pressure_page_level(), PRESSURE_NORMAL);
    limits.of[PRESSURE_MEMORY].high = 101;
    buf_clear(&b);
    pressure_put_limits(&b, &limits);
    CHECK("no percentage", !resources_take_limits(&r, buf_span(&b)));
    buf_done(&b);
    logged();
    pressure_page_use(NULL);
    resources_done(&r);
}

/* Another process can read the page and cannot write it; what is no page is refused. */
static void test_page(void **state)
{
    struct resources r;
    struct err err = {0};
    const void *seen;
    void *writable;
    struct frame f = {.type = CONTROL_RESOURCES, .fd_count = 1};
    (void)state;
    begin(&r);
    pressure_page_use(NULL);
    readings[PRESSURE_QUEUE_DISK].value = 0;
    resources_poll(&r, 1);
    CHECK_INT("not writable", memory_file_map_shared(r.fd, 4096, &writable, &err), ERR_INVALID);
    CHECK("nor by mmap", mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0) == MAP_FAILED);
    CHECK_INT("another size", memory_file_map_published(r.fd, 8, &seen, &err), ERR_INVALID);
    f.fds[0] = dup(r.fd);
    pressure_page_take(&f);
    CHECK_INT("taken", pressure_page_level(), PRESSURE_HIGH);
    readings[PRESSURE_QUEUE_DISK].value = 5000 * MB;
    resources_poll(&r, 2);
    CHECK_INT("follows", pressure_page_level(), PRESSURE_NORMAL);
    pressure_page_use(NULL);
    logged();
    struct frame none = {.type = CONTROL_RESOURCES};
    pressure_page_take(&none);
    CHECK("malformed", strstr(logged(), "bad-frame"));
    f = (struct frame){.type = CONTROL_RESOURCES, .fd_count = 1, .fds = {memfd_create("other", 0)}};
    pressure_page_take(&f);
    CHECK("no page", strstr(logged(), "no-resources"));
    CHECK_INT("and nothing is short", pressure_page_level(), PRESSURE_NORMAL);
    resources_done(&r);
}

static void test_machine(void **state)
{
    static const struct {
        const char *text;
        uint64_t pages;
    } statm[] = {{"9000 500 120 30 0 400 0\n", 380},
                 {"9000 100 100 1", 0},
                 {"9000 100 200 1", 0},
                 {"", 0},
                 {"1 2", 0},
                 {"x y z", 0},
                 {"1 99999999999999999999999 1", 0}};
    static const struct {
        const char *text;
        uint64_t bytes;
    } limits[] = {{"max\n", UINT64_MAX}, {"536870912\n", 536870912}, {"", UINT64_MAX}, {"-1", UINT64_MAX}};
    (void)state;
    static const struct {
        const char *line;
        bool about_memory, unified;
        const char *path;
    } groups[] = {
        {"0::/system.slice/mailreeve.service", true, true, "/system.slice/mailreeve.service"},
        {"0::/", true, true, ""},
        {"4:memory:/docker/1", true, false, "/docker/1"},
        {"5:cpu,memory:/a:b", true, false, "/a:b"},
        {"5:cpu,cpuacct:/a"},
        {"9:name=memory:/a"},
        {"4:memory"},
        {"0::elsewhere"},
        {""},
    };
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        bool unified = false;
        struct span path = SPAN("");
        CHECK_INT(groups[i].line, measure_group(span_of(groups[i].line), &unified, &path), groups[i].about_memory);
        if (groups[i].about_memory) {
            CHECK_INT(groups[i].line, unified, groups[i].unified);
            CHECK_SPAN(groups[i].line, path, span_of(groups[i].path));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(statm); i++)
        CHECK_INT(statm[i].text, measure_statm(span_of(statm[i].text)), statm[i].pages);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        CHECK("limit", measure_limit(span_of(limits[i].text)) == limits[i].bytes);
    struct pressure_reading root = measure_disk("/"), missing = measure_disk("/no-such-folder");
    CHECK("disk", root.known && root.total && root.value <= root.total);
    CHECK("at its parent", missing.known && missing.total == root.total);
    CHECK("nowhere", !measure_disk("/no-such/folder").known);
    const struct pressure_reading little = {true, 1, 100}, none = {0};
    CHECK_INT("worse", measure_worse(root, little).value, 1);
    CHECK_INT("worse", measure_worse(little, none).value, 1);
    CHECK("neither", !measure_worse(none, none).known);
    pid_t self = getpid(), both[] = {self, 0x7ffffff0};
    uint64_t before = measure_memory(&self, 1).value;
    char *block = malloc(64 * MB);
    assert_non_null(block);
    memset(block, 1, 64 * MB);
    struct pressure_reading after = measure_memory(both, 2);
    CHECK("memory", after.known && after.total > after.value);
    CHECK("private", after.value >= before + 60 * MB && block[5] == 1);
    free(block);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_course), cmocka_unit_test(test_told),
                                              cmocka_unit_test(test_page), cmocka_unit_test(test_machine)};
    int terminal = dup(STDERR_FILENO), failed = cmocka_run_group_tests(tests, setup, NULL);
    char text[4096];
    off_t at = 0;
    for (ssize_t n; failed && (n = pread(log_fd, text, sizeof text, at)) > 0; at += n)
        dprintf(terminal, "%.*s", (int)n, text); /* what failed went where the log goes */
    return failed;
}
