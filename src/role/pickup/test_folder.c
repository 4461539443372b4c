/*
 * test_folder.c: what becomes of files, by their names: taken, sent, brought back, bad; what a folder must be like;
 * and how many files may be taken in a minute.
 */
#include "check.h"
#include "role/pickup/allowance.h"
#include "role/pickup/folder.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
    char path[64];
    struct folder folder;
    struct err err;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    snprintf(b->path, sizeof b->path, "/tmp/mailreeve-test-XXXXXX");
    assert_non_null(mkdtemp(b->path));
    assert_int_equal(folder_open(b->path, &b->folder, &b->err), ERR_NONE);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    const struct dirent *e;
    rewinddir(b->folder.dir);
    while ((e = readdir(b->folder.dir)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            unlinkat(b->folder.fd, e->d_name, 0);
    folder_close(&b->folder);
    assert_int_equal(rmdir(b->path), 0);
    free(b);
    return 0;
}

static void put(const struct bench *b, const char *name, const char *text)
{
    int fd = openat(b->folder.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static bool there(const struct bench *b, const char *name)
{
    struct stat st;
    return fstatat(b->folder.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The one file that waits. */
static bool find(struct bench *b, char name[static FOLDER_NAME_MAX + 1])
{
    unsigned budget = 1000;
    enum folder_step step = folder_next(&b->folder, &budget, name);
    assert_int_not_equal(step, FOLDER_LATER);
    return step == FOLDER_FILE;
}

static void test_outcomes(void **state)
{
    static const struct {
        const char *name;
        enum folder_outcome outcome;
        bool waits, bad;
    } rows[] = {
        {"sent", FOLDER_SENT, false, false},
        {"back", FOLDER_BACK, true, false},
        {"bad", FOLDER_BAD, false, true},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder_file f;
        char eml[FOLDER_NAME_MAX + 1], bad[FOLDER_NAME_MAX + 1], tmp[FOLDER_NAME_MAX + 1],
            found[FOLDER_NAME_MAX + 1];
        snprintf(eml, sizeof eml, "%s.eml", rows[i].name);
        snprintf(bad, sizeof bad, "%s.bad", rows[i].name);
        snprintf(tmp, sizeof tmp, "%s.tmp", rows[i].name);
        put(b, eml, "text");
        CHECK(rows[i].name, find(b, found));
        CHECK_STR(rows[i].name, found, eml);
        CHECK_INT(rows[i].name, folder_claim(&b->folder, eml, &f, &b->err), ERR_NONE);
        CHECK(rows[i].name, there(b, tmp) && !there(b, eml));
        CHECK_INT(rows[i].name, f.claimed.st_size, 4);
        CHECK_INT(rows[i].name, folder_settle(&f, rows[i].outcome, &b->err), ERR_NONE);
        CHECK(rows[i].name, !there(b, tmp));
        CHECK_INT(rows[i].name, there(b, eml), rows[i].waits);
        CHECK_INT(rows[i].name, there(b, bad), rows[i].bad);
        unlinkat(b->folder.fd, eml, 0);
        while (find(b, found)) {
        }
    }
}

/* Nothing that is there is ever replaced. */
static void test_nothing_is_replaced(void **state)
{
    struct bench *b = *state;
    struct folder_file f;
    put(b, "a.eml", "one");
    put(b, "a.bad", "older");
    put(b, "a-1.bad", "old");
    assert_int_equal(folder_claim(&b->folder, "a.eml", &f, &b->err), ERR_NONE);
    put(b, "a.eml", "two");
    struct folder_file second;
    assert_int_equal(folder_claim(&b->folder, "a.eml", &second, &b->err), ERR_EXISTS);
    assert_int_equal(folder_settle(&f, FOLDER_BAD, &b->err), ERR_NONE);
    assert_true(there(b, "a-2.bad") && there(b, "a.bad") && there(b, "a-1.bad") && there(b, "a.eml"));
    assert_int_equal(folder_claim(&b->folder, "a.eml", &f, &b->err), ERR_NONE);
    put(b, "a.eml", "three"); /* it cannot go back, so it stays under way until the next start */
    assert_int_not_equal(folder_settle(&f, FOLDER_BACK, &b->err), ERR_NONE);
    assert_true(there(b, "a.tmp") && there(b, "a.eml"));
}

static void test_no_ordinary_files(void **state)
{
    struct bench *b = *state;
    struct folder_file f;
    put(b, "target", "secret");
    assert_int_equal(symlinkat("target", b->folder.fd, "link.eml"), 0);
    assert_int_equal(linkat(b->folder.fd, "target", b->folder.fd, "hard.eml", 0), 0);
    assert_int_equal(mkfifoat(b->folder.fd, "pipe.eml", 0600), 0);
    static const char *const names[] = {"link", "hard", "pipe"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char eml[32], bad[32];
        snprintf(eml, sizeof eml, "%s.eml", names[i]);
        snprintf(bad, sizeof bad, "%s.bad", names[i]);
        CHECK_INT(names[i], folder_claim(&b->folder, eml, &f, &b->err), ERR_INVALID);
        CHECK(names[i], there(b, bad) && !there(b, eml));
    }
    assert_int_equal(folder_claim(&b->folder, "gone.eml", &f, &b->err), ERR_NOT_FOUND);
    assert_true(there(b, "target"));
}

/* What an earlier process had under way waits again; hidden files and other names are nobody's business. */
static void test_recovery(void **state)
{
    struct bench *b = *state;
    char found[FOLDER_NAME_MAX + 1];
    bool seen[2] = {false, false};
    put(b, "a.tmp", "half");
    put(b, "b.eml", "new");
    put(b, "b.tmp", "half");
    put(b, ".hidden.eml", "x");
    put(b, "c.txt", "x");
    put(b, ".eml", "x");
    while (find(b, found)) {
        seen[0] = seen[0] || strcmp(found, "a.eml") == 0;
        seen[1] = seen[1] || strcmp(found, "b.eml") == 0;
        assert_true(strcmp(found, "a.eml") == 0 || strcmp(found, "b.eml") == 0);
    }
    assert_true(seen[0] && seen[1] && there(b, "b.tmp"));
    put(b, "d.tmp", "x"); /* of this process */
    while (find(b, found))
        assert_string_not_equal(found, "d.eml");
    assert_true(there(b, "d.tmp"));
}

/* A look costs what it was given, however many files there are, and the next goes on. */
static void test_budget(void **state)
{
    struct bench *b = *state;
    char name[FOLDER_NAME_MAX + 1];
    unsigned budget;
    size_t looks = 0, files = 0;
    enum folder_step step;
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "%d.eml", i);
        put(b, name, "x");
    }
    do {
        budget = 10;
        while ((step = folder_next(&b->folder, &budget, name)) == FOLDER_FILE)
            files++;
        assert_true(budget <= 10);
        looks++;
    } while (step == FOLDER_LATER);
    assert_int_equal(files, 50);
    assert_true(looks >= 10); /* two times through it */
}

static void test_what_it_must_be(void **state)
{
    struct bench *b = *state;
    struct folder f;
    char path[128];
    assert_true(folder_is_current(&b->folder, b->path));
    assert_int_equal(folder_flush(&b->folder, &b->err), ERR_NONE);
    assert_int_equal(chmod(b->path, 0777), 0);
    assert_int_equal(folder_open(b->path, &f, &b->err), ERR_DENIED);
    assert_non_null(strstr(b->err.text, "chmod o-w"));
    assert_false(folder_is_current(&b->folder, b->path));
    assert_int_equal(chmod(b->path, 0700), 0);
    assert_true(folder_is_current(&b->folder, b->path));
    snprintf(path, sizeof path, "%s/none", b->path);
    assert_int_equal(folder_open(path, &f, &b->err), ERR_NOT_FOUND);
    assert_int_equal(symlink(b->path, path), 0);
    assert_int_not_equal(folder_open(path, &f, &b->err), ERR_NONE);
    assert_false(folder_is_current(&b->folder, "/tmp"));
}

static void test_written_to(void **state)
{
    struct bench *b = *state;
    struct folder_file f;
    put(b, "a.eml", "one");
    assert_int_equal(folder_claim(&b->folder, "a.eml", &f, &b->err), ERR_NONE);
    assert_false(folder_file_changed(&f));
    put(b, "a.tmp", "one and more");
    assert_true(folder_file_changed(&f));
    assert_int_equal(folder_settle(&f, FOLDER_BACK, &b->err), ERR_NONE);
}

/* How many are taken in the minutes, when there is always one more, looked for every so often. */
static void test_allowance(void **state UNUSED)
{
    static const struct {
        const char *name;
        uint32_t rate;
        int64_t step_ms;
        unsigned least, most; /* in ten minutes */
    } rows[] = {
        {"one a minute", 1, 5000, 10, 11},         {"the default", 100, 5000, 1000, 1009},
        {"often looked for", 100, 50, 1000, 1009}, {"seldom looked for", 100, 70000, 72, 90},
        {"the most", 20000, 50, 200000, 201667},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct allowance a = {0};
        unsigned taken = 0;
        for (int64_t now = 1000; now <= 601000; now += rows[i].step_ms)
            for (; allowance_now(&a, rows[i].rate, now); taken++)
                allowance_use(&a);
        CHECK(rows[i].name, taken >= rows[i].least && taken <= rows[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_ordinary_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recovery, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_it_must_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_written_to, setup, teardown),
        cmocka_unit_test(test_allowance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
