/*
 * test_spool.c: bodies as files, with O_TMPFILE and without (the linker wraps openat, which has this name with
 * large files, and may refuse it).
 */
#include "store/spool.h"
#include "store/test_support.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool no_tmpfile;

int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, mode_t mode);

int __wrap_openat64(int dir, const char *path, int flags, mode_t mode)
{
    if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_openat64(dir, path, flags, mode);
}

struct fixture {
    struct folder folder;
    struct spool spool;
};

static void make(struct fixture *f)
{
    struct err err = {0};
    folder_make(&f->folder);
    CHECK_INT(err.text, spool_open(f->folder.path, &f->spool, &err), ERR_NONE);
}

static void drop(struct fixture *f)
{
    spool_close(&f->spool);
    folder_remove(&f->folder);
}

static int create(struct fixture *f, uint64_t id, const char *text)
{
    struct err err = {0};
    int fd = -1;
    CHECK_INT(err.text, spool_create(&f->spool, id, &fd, &err), ERR_NONE);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* A published body; its descriptor is closed. */
static void publish(struct fixture *f, uint64_t id, const char *text, char name[static SPOOL_NAME_MAX])
{
    struct err err = {0};
    int fd = create(f, id, text);
    CHECK_INT(err.text, spool_publish(&f->spool, fd, id, name, &err), ERR_NONE);
    close(fd);
}

static bool holds(struct fixture *f, const char *name, const char *text)
{
    struct err err;
    char bytes[100];
    int fd = -1;
    if (spool_open_read(&f->spool, span_of(name), &fd, &err) != ERR_NONE)
        return false;
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    return n >= 0 && span_eq(span_make(bytes, (size_t)n), span_of(text));
}

static enum err_code names_first(void *context, struct span name, bool *ret, struct err *err)
{
    (void)err;
    *ret = span_eq(name, span_of(context));
    return ERR_NONE;
}

static enum err_code names_fail(void *context, struct span name, bool *ret, struct err *err)
{
    (void)context, (void)name, (void)ret;
    return err_set(err, ERR_IO, "no answer");
}

static void life(const char *row)
{
    struct fixture f;
    struct err err = {0};
    char first[SPOOL_NAME_MAX], second[SPOOL_NAME_MAX];
    size_t removed = 99;
    make(&f);
    publish(&f, 0x13f, "first", first);
    CHECK_STR(row, first, "3f/000000000000013f");
    CHECK(row, holds(&f, first, "first"));
    int again = create(&f, 0x13f, "again");
    CHECK_INT(row, spool_publish(&f.spool, again, 0x13f, second, &err), ERR_EXISTS);
    spool_discard(&f.spool, again, 0x13f);
    CHECK(row, holds(&f, first, "first"));
    publish(&f, UINT64_MAX, "second", second);
    CHECK_STR(row, second, "ff/ffffffffffffffff");
    spool_discard(&f.spool, create(&f, 7, "dropped"), 7);
    close(create(&f, 0xfe, "left behind")); /* as by a crash */

    CHECK_INT(row, spool_sweep(&f.spool, names_fail, NULL, &removed, &err), ERR_IO);
    CHECK(row, removed == 99 && holds(&f, first, "first"));
    CHECK_INT(row, spool_sweep(&f.spool, names_first, first, &removed, &err), ERR_NONE);
    CHECK_INT(row, removed, no_tmpfile ? 2 : 1); /* the second; and what has a name where it must have one */
    CHECK(row, holds(&f, first, "first") && !holds(&f, second, "second"));
    CHECK_INT(row, spool_remove(&f.spool, span_of(first), &err), ERR_NONE);
    CHECK_INT(row, spool_remove(&f.spool, span_of(first), &err), ERR_NONE); /* gone already is fine */
    CHECK(row, !holds(&f, first, "first"));
    drop(&f);
}

static void test_life(void **state)
{
    (void)state;
    life("O_TMPFILE");
    no_tmpfile = true;
    life("named files");
    no_tmpfile = false;
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum err_code want;
    } rows[] = {
        {"00/0000000000000000", ERR_NOT_FOUND},
        {"", ERR_INVALID},
        {"..", ERR_INVALID},
        {"../../../../etc/hosts", ERR_INVALID},
        {"00/000000000000000", ERR_INVALID},
        {"00/00000000000000000", ERR_INVALID},
        {"00/000000000000000A", ERR_INVALID},
        {"00/0000000000000001", ERR_INVALID}, /* of another folder */
        {"00-0000000000000000", ERR_INVALID},
        {"00/../000000000000", ERR_INVALID},
        {"/etc/000000000000000", ERR_INVALID},
    };
    struct fixture f;
    (void)state;
    make(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        int fd = -1;
        CHECK_INT(rows[i].name, spool_open_read(&f.spool, span_of(rows[i].name), &fd, &err), rows[i].want);
        CHECK_INT(rows[i].name, spool_remove(&f.spool, span_of(rows[i].name), &err),
                  rows[i].want == ERR_INVALID ? ERR_INVALID : ERR_NONE);
    }
    drop(&f);
}

/* What is not a body's name is left alone, and a link does not lead out of the folder. */
static void test_strangers(void **state)
{
    struct fixture f;
    struct err err = {0};
    size_t removed = 0;
    char name[SPOOL_NAME_MAX];
    int fd = -1;
    (void)state;
    make(&f);
    publish(&f, 0, "x", name);
    int stranger = open(folder_file(&f.folder, "00/README"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(stranger >= 0);
    close(stranger);
    assert_int_equal(symlink("/etc/hosts", folder_file(&f.folder, "00/0000000000000100")), 0);
    assert_int_equal(spool_open_read(&f.spool, SPAN("00/0000000000000100"), &fd, &err), ERR_IO);
    assert_int_equal(spool_sweep(&f.spool, names_first, name, &removed, &err), ERR_NONE);
    assert_int_equal(removed, 1); /* the link itself */
    assert_int_equal(access(folder_file(&f.folder, "00/README"), F_OK), 0);
    assert_int_equal(access("/etc/hosts", F_OK), 0);
    drop(&f);
}

static void test_no_folder(void **state)
{
    char longest[2000];
    struct spool s;
    struct err err = {0};
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(spool_open("/nonexistent", &s, &err), ERR_IO);
    assert_int_equal(spool_open(longest, &s, &err), ERR_INVALID);
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_life), cmocka_unit_test(test_names),
                                            cmocka_unit_test(test_strangers), cmocka_unit_test(test_no_folder)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
