/* test_maildir.c: names, content, idempotence and failures of Maildir deliveries, in a directory of the test's own.
 */
#include "check.h"
#include "delivery/delivery.h"
#include "delivery/maildir_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root_path[64];
static int root;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root_path, sizeof root_path, "/tmp/mailreeve-maildir-XXXXXX");
    if (!mkdtemp(root_path))
        return -1;
    root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(root);
    return nftw(root_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Number of files in a directory below the root; the last one's name in *ret_name unless NULL. */
static size_t count_files(const char *directory, char *ret_name)
{
    int fd = openat(root, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') {
            n++;
            if (ret_name)
                snprintf(ret_name, 256, "%s", e->d_name);
        }
    if (d)
        closedir(d);
    return n;
}

static void read_file(const char *directory, const char *name, struct buf *out)
{
    char path[600], piece[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    buf_init(out, 1 << 22);
    for (ssize_t n; fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0;)
        buf_add(out, span_make(piece, (size_t)n));
    assert_true(fd >= 0);
    close(fd);
}

static void test_directory_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span in;
        const char *want; /* NULL: refused */
    } rows[] = {
        {"plain", SPAN_INIT("alice@example.com"), "alice@example.com"},
        {"case", SPAN_INIT("Alice@Example.COM"), "alice@example.com"},
        {"slash", SPAN_INIT("a/b@x"), "a%2Fb@x"},
        {"parent", SPAN_INIT(".."), "%2E."},
        {"traversal", SPAN_INIT("../../etc@x"), "%2E.%2F..%2Fetc@x"},
        {"hidden", SPAN_INIT(".a@x"), "%2Ea@x"},
        {"NUL", SPAN_INIT("a\0b@x"), "a%00b@x"},
        {"newline", SPAN_INIT("a\nb@x"), "a%0Ab@x"},
        {"percent", SPAN_INIT("a%2Fb@x"), "a%252fb@x"},
        {"UTF-8", SPAN_INIT("\xc3\x9c@x"), "\xc3\x9c@x"},
        {"empty", SPAN_INIT(""), NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;
        buf_init(&out, 1000);
        CHECK_INT(rows[i].name, maildir_store_directory(rows[i].in, &out), rows[i].want != NULL);
        if (rows[i].want)
            CHECK_SPAN(rows[i].name, buf_span(&out), span_of(rows[i].want));
        buf_done(&out);
    }
    char longest[256];
    memset(longest, 'a', sizeof longest);
    struct buf out;
    buf_init(&out, 1000);
    assert_true(maildir_store_directory(span_make(longest, 255), &out));
    buf_clear(&out);
    assert_false(maildir_store_directory(span_make(longest, 256), &out));
    buf_done(&out);
}

static struct maildir_letter letter_of(struct span body)
{
    return (struct maildir_letter){
        .root = root,
        .directory = "bob@example.com",
        .mailbox = SPAN("bob@example.com"),
        .sender = SPAN("alice@example.com"),
        .name = "1.M2Q3R4.host",
        .body = body,
        .body_fd = -1,
    };
}

static void test_content(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span sender, body;
        const char *path, *want; /* the Return-Path line, and what follows Delivered-To */
    } rows[] = {
        {"CRLF", SPAN_INIT("a@b"), SPAN_INIT("x: y\r\n\r\nz\r\n"), "Return-Path: <a@b>\n", "x: y\n\nz\n"},
        {"null sender", SPAN_INIT(""), SPAN_INIT("x\r\n"), "Return-Path: <>\n", "x\n"},
        {"lone CR and LF", SPAN_INIT("a@b"), SPAN_INIT("a\rb\nc\r\r\nd\n\re\r"), "Return-Path: <a@b>\n",
         "a\rb\nc\r\nd\n\re\r"},
        {"no line end", SPAN_INIT("a@b"), SPAN_INIT("abc"), "Return-Path: <a@b>\n", "abc"},
        {"empty", SPAN_INIT("a@b"), SPAN_INIT(""), "Return-Path: <a@b>\n", ""},
        {"dots", SPAN_INIT("a@b"), SPAN_INIT(".\r\n..\r\n"), "Return-Path: <a@b>\n", ".\n..\n"},
        {"sender with a line end", SPAN_INIT("a\r\nBcc: x@b"), SPAN_INIT("x\r\n"), "Return-Path: <a??Bcc: x@b>\n",
         "x\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct maildir_letter l = letter_of(rows[i].body);
        struct maildir_outcome out;
        char name[32];
        snprintf(name, sizeof name, "content%zu", i);
        l.name = name;
        l.sender = rows[i].sender;
        l.first_attempt = true;
        maildir_store(&l, &out);
        CHECK_STR(rows[i].name, out.text, "delivered to the mailbox");
        CHECK_INT(rows[i].name, out.outcome, DELIVERY_DELIVERED);
        char want[200];
        snprintf(want, sizeof want, "%sDelivered-To: bob@example.com\n%s", rows[i].path, rows[i].want);
        struct buf got;
        read_file("bob@example.com/new", name, &got);
        CHECK_SPAN(rows[i].name, buf_span(&got), span_of(want));
        buf_done(&got);
    }
    assert_int_equal(count_files("bob@example.com/tmp", NULL), 0);
}

/* ---- a second delivery beside the one that makes the mailbox ---- */

int __real_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_mkdirat(int fd, const char *path, mode_t mode); /* what the linker puts in front of it */

static bool beside_armed;
static struct maildir_outcome beside;

/* As soon as there is a tmp/, another delivery uses it: at the worst moment, which a thread would rarely meet. */
int __wrap_mkdirat(int fd, const char *path, mode_t mode)
{
    int rc = __real_mkdirat(fd, path, mode);
    if (beside_armed && span_ends(span_of(path), SPAN("/tmp"))) {
        struct maildir_letter l = letter_of(SPAN("x\r\n"));
        beside_armed = false;
        l.directory = "fresh@example.com";
        l.name = "beside";
        l.first_attempt = true;
        maildir_store(&l, &beside);
    }
    return rc;
}

static void test_new_mailbox_by_two(void **state)
{
    (void)state;
    struct maildir_letter l = letter_of(SPAN("x\r\n"));
    struct maildir_outcome out;
    l.directory = "fresh@example.com";
    l.first_attempt = true;
    beside_armed = true;
    maildir_store(&l, &out);
    assert_false(beside_armed);
    CHECK_STR("the one that made it", out.text, "delivered to the mailbox");
    CHECK_STR("the one beside it", beside.text, "delivered to the mailbox");
    assert_int_equal(count_files("fresh@example.com/new", NULL), 2);
}

/* A large body from a descriptor, with a CRLF across every block's border. */
static void test_descriptor(void **state)
{
    (void)state;
    enum { BYTES = 200001 };
    static char body[BYTES], want[BYTES];
    size_t n = 0;
    for (size_t i = 0; i < BYTES; i++)
        body[i] = i % 65536 == 65535 ? '\r' : i % 65536 == 0 && i ? '\n' : 'x';
    for (size_t i = 0; i < BYTES; i++)
        if (body[i] != '\r')
            want[n++] = body[i];
    int fd = open(root_path, O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, body, BYTES), BYTES);
    struct maildir_letter l = letter_of(SPAN(""));
    l.name = "large";
    l.body_fd = fd;
    l.size = BYTES;
    struct maildir_outcome out;
    maildir_store(&l, &out);
    assert_int_equal(out.outcome, DELIVERY_DELIVERED);
    struct buf got;
    read_file("bob@example.com/new", "large", &got);
    assert_true(span_ends(buf_span(&got), span_make(want, n)));
    buf_done(&got);

    l.name = "short"; /* the file has less than the queue says */
    l.size = BYTES + 1;
    maildir_store(&l, &out);
    assert_int_equal(out.outcome, DELIVERY_TEMPORARY);
    assert_int_equal(count_files("bob@example.com/tmp", NULL), 0);
    close(fd);
}

/* An attempt after a delivered one adds nothing, wherever the mail reader has moved the file. */
static void test_once(void **state)
{
    (void)state;
    struct maildir_letter l = letter_of(SPAN("first\r\n"));
    struct maildir_outcome out;
    l.directory = "once";
    maildir_store(&l, &out);
    assert_int_equal(out.outcome, DELIVERY_DELIVERED);
    for (int first_attempt = 0; first_attempt < 2; first_attempt++) { /* new/ is never overwritten */
        l.first_attempt = first_attempt;
        l.body = SPAN("second\r\n");
        maildir_store(&l, &out);
        assert_string_equal(out.text, "delivered to the mailbox by an earlier attempt");
        assert_int_equal(count_files("once/new", NULL), 1);
        assert_int_equal(count_files("once/tmp", NULL), 0);
    }
    struct buf got;
    read_file("once/new", l.name, &got);
    assert_true(span_ends(buf_span(&got), SPAN("first\n")));
    buf_done(&got);

    assert_int_equal(renameat(root, "once/new/1.M2Q3R4.host", root, "once/cur/1.M2Q3R4.host:2,S"), 0);
    l.first_attempt = false;
    maildir_store(&l, &out);
    assert_string_equal(out.text, "delivered to the mailbox by an earlier attempt");
    assert_int_equal(count_files("once/new", NULL), 0);

    l.name = "1.M2Q3R4.hos"; /* a prefix is another name */
    maildir_store(&l, &out);
    assert_string_equal(out.text, "delivered to the mailbox");
}

/* A file that a crash left in tmp/ is replaced. */
static void test_left_behind(void **state)
{
    (void)state;
    struct maildir_letter l = letter_of(SPAN("whole\r\n"));
    struct maildir_outcome out;
    l.directory = "crash";
    l.name = "a";
    maildir_store(&l, &out);
    l.name = "b";
    int fd = openat(root, "crash/tmp/b", O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, "half of a much longer message", 29), 29);
    close(fd);
    maildir_store(&l, &out);
    assert_int_equal(out.outcome, DELIVERY_DELIVERED);
    struct buf got;
    read_file("crash/new", "b", &got);
    assert_true(span_ends(buf_span(&got), SPAN("\nwhole\n")));
    buf_done(&got);
}

static void test_failures(void **state)
{
    (void)state;
    struct maildir_letter l = letter_of(SPAN("x\r\n"));
    struct maildir_outcome out;
    int fd = openat(root, "file", O_WRONLY | O_CREAT, 0600);
    close(fd);
    l.directory = "file";
    maildir_store(&l, &out);
    assert_int_equal(out.outcome, DELIVERY_TEMPORARY);
    assert_string_equal(out.enhanced, "4.3.0");
    assert_non_null(strstr(out.text, "Not a directory"));

    /* No room: a file size limit stands in for a full disk. */
    static char big[300000];
    memset(big, 'x', sizeof big);
    struct rlimit before, small = {100000, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    l.directory = "full";
    l.body = span_make(big, sizeof big);
    maildir_store(&l, &out);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(out.outcome, DELIVERY_TEMPORARY);
    assert_string_equal(out.enhanced, "4.3.1");
    assert_int_equal(count_files("full/tmp", NULL), 0);
    assert_int_equal(count_files("full/new", NULL), 0);
    maildir_store(&l, &out); /* and later there is room */
    assert_int_equal(out.outcome, DELIVERY_DELIVERED);
}

/* ---- through the engine ---- */

struct seen {
    size_t reports, delivered;
    char text[200], stage[20];
};

static void on_report(void *context, const struct delivery_report *r)
{
    struct seen *s = context;
    s->reports++;
    for (size_t i = 0; i < r->count; i++)
        s->delivered += r->results[i].outcome == DELIVERY_DELIVERED;
    snprintf(s->text, sizeof s->text, "%.*s %.*s", SPAN_ARG(r->results[0].enhanced), SPAN_ARG(r->results[0].text));
    snprintf(s->stage, sizeof s->stage, "%s", r->results[0].stage);
}

static void on_gone(void *context)
{
    *(bool *)context = true;
}

static void test_engine(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct delivery_engine *e = NULL;
    struct delivery_options options = {
        .loop = &loop, .mail_root = span_of(root_path), .hostname = SPAN("mail.test"), .max_tasks = 2};
    assert_int_equal(delivery_engine_new(&options, &e, NULL), ERR_NONE);
    static const struct delivery_recipient to[] = {{.address = SPAN_INIT("carol@example.com"), .index = 7},
                                                   {.address = SPAN_INIT("alias@example.com"), .index = 9}};
    struct delivery_job job = {
        .message_id = 42,
        .received_ms = 1700000000123,
        .recipients = to,
        .recipient_count = 2,
        .body = SPAN("x\r\n"),
        .body_fd = -1,
        .to = {.kind = DELIVERY_MAILDIR, .mailbox = SPAN("Carol@example.com")},
    };
    struct seen seen[2] = {0};
    struct err err = {0};
    struct delivery_task *t = NULL;
    assert_int_equal(delivery_start(e, &job, on_report, &seen[0], &t, &err), ERR_NONE);
    struct delivery_job bad = job;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    bad.to.mailbox = span_make(longest, sizeof longest);
    assert_int_equal(delivery_start(e, &bad, on_report, &seen[1], NULL, &err), ERR_NONE);
    assert_int_equal(delivery_start(e, &job, on_report, &seen[1], NULL, &err), ERR_LIMIT);
    assert_int_equal(seen[1].reports, 0); /* never from inside the call */
    bool gone = false;
    while (seen[0].reports + seen[1].reports < 2)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(seen[0].delivered, 2);
    assert_string_equal(seen[0].stage, "Maildir");
    assert_string_equal(seen[1].text, "5.1.3 the mailbox's address is too long to name a directory");
    char name[256];
    assert_int_equal(count_files("carol@example.com/new", name), 2);
    assert_int_equal(strncmp(name, "1700000000.M123000Q42R", 22), 0);
    assert_non_null(strstr(name, ".mail.test"));

    /* A cancel comes too late or in time, but never loses the report. */
    job.message_id = 43;
    assert_int_equal(delivery_start(e, &job, on_report, &seen[0], &t, &err), ERR_NONE);
    delivery_cancel(t);
    delivery_engine_close(e, on_gone, &gone);
    assert_int_equal(delivery_start(e, &job, on_report, &seen[0], &t, &err), ERR_UNAVAILABLE);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(gone);
    assert_int_equal(seen[0].reports, 2);
    size_t files = count_files("carol@example.com/new", NULL);
    assert_int_equal(files, seen[0].delivered);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_engine_options(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct delivery_engine *e = NULL;
    struct err err = {0};
    struct delivery_options options = {.loop = &loop, .mail_root = SPAN("/nonexistent/mail")};
    assert_int_equal(delivery_engine_new(&options, &e, &err), ERR_IO);
    options = (struct delivery_options){.loop = &loop, .hostname = SPAN("two words")};
    assert_int_equal(delivery_engine_new(&options, &e, &err), ERR_INVALID);
    assert_null(e);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_names),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_new_mailbox_by_two),
        cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_engine_options),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
