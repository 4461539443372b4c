/* test_large_body.c: bodies of every size through a socket pair, and what a receiver must refuse. */
#include "check.h"
#include "runtime/large_body.h"
#include "runtime/memory_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX = 4 * FRAME_BODY_MAX };

static int fds[2];
static char buffer[FRAME_BUFFER];

static int setup(void **state)
{
    (void)state;
    return frame_pair(fds, NULL) ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    close(fds[0]);
    close(fds[1]);
    return 0;
}

/* Sends the part with the descriptors and opens what comes out at the other end. */
static enum err_code pass(struct span part, const int *with, size_t count, struct frame *f,
                          struct large_body_view *ret, struct err *err)
{
    assert_int_equal(frame_send(fds[0], 7, 1, &part, 1, with, count), FRAME_OK);
    assert_int_equal(frame_receive(fds[1], buffer, f), FRAME_OK);
    return large_body_open(f, MAX, ret, err);
}

static void every_size(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t len, fd_count;
        enum err_code open;
    } rows[] = {
        {"empty", 0, 0, ERR_NONE},
        {"small", 5, 0, ERR_NONE},
        {"as large as a frame", FRAME_BODY_MAX, 0, ERR_NONE},
        {"one more", FRAME_BODY_MAX + 1, 1, ERR_NONE},
        {"the maximum", MAX, 1, ERR_NONE},
        {"more than the reader takes", MAX + 1, 1, ERR_INVALID},
    };
    char *bytes = malloc(MAX + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < MAX + 1; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct large_body b = {0};
        struct large_body_view v = {0};
        struct frame f;
        struct err err = {0};
        CHECK_INT(rows[i].name, large_body_pack(span_make(bytes, rows[i].len), &b, &err), ERR_NONE);
        CHECK_INT(rows[i].name, b.fd_count, rows[i].fd_count);
        CHECK_INT(rows[i].name, pass(b.part, b.fds, b.fd_count, &f, &v, &err), rows[i].open);
        large_body_done(&b);
        large_body_done(&b);
        frame_close_fds(&f); /* the mapping stays */
        CHECK(rows[i].name, rows[i].open || span_eq(v.bytes, span_make(bytes, rows[i].len)));
        large_body_close(&v);
        large_body_close(&v);
    }
    free(bytes);
    struct large_body b;
    struct err err = {0};
    assert_int_equal(large_body_pack(span_make("", (size_t)LARGE_BODY_MAX + 1), &b, &err), ERR_LIMIT);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span part;
        size_t fd_count;
        bool sealed;
        const char *says;
    } rows[] = {
        {"not sealed", SPAN_INIT(""), 1, false, "sealed"},
        {"a body and a descriptor", SPAN_INIT("x"), 1, true, "not in both"},
        {"two descriptors", SPAN_INIT(""), 2, true, "not in both"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int with[2];
        struct frame f;
        struct large_body_view v;
        struct err err = {0};
        if (rows[i].sealed)
            assert_int_equal(memory_file_make("test", SPAN("abc"), &with[0], &err), ERR_NONE);
        else
            with[0] = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        with[1] = with[0];
        assert_true(with[0] >= 0 && (rows[i].sealed || write(with[0], "abc", 3) == 3));
        CHECK_INT(rows[i].name, pass(rows[i].part, with, rows[i].fd_count, &f, &v, &err), ERR_INVALID);
        CHECK(rows[i].name, strstr(err.text, rows[i].says));
        frame_close_fds(&f);
        close(with[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
