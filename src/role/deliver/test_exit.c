/* The exit's firewall over bodies in memory and in files: what leaves, and that headers of any length are found. */
#include "check.h"

#include "mail/header_exit.h"
#include "role/deliver/exit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECRET "X-MS-Exchange-Organization-PCL: 1\r\n"

static int file_of(struct span s)
{
    int fd = memfd_create("body", 0);
    assert_true(fd >= 0 && write(fd, s.ptr, s.len) == (ssize_t)s.len);
    return fd;
}

/* What leaves: front, and the rest of the body. */
static void check(const char *name, struct span body, bool in_file, unsigned remove, struct span want)
{
    struct delivery_job job = {
        .body_fd = in_file ? file_of(body) : -1, .size = body.len, .to.remove_headers = remove};
    struct buf front, all;
    struct err err = {0};
    if (!in_file)
        job.body = body;
    CHECK_INT(name, exit_apply(&job, &front, &err), ERR_NONE);
    buf_init(&all, body.len + 64);
    buf_add(&all, job.front);
    buf_add(&all, span_from(body, (size_t)job.body_from));
    CHECK_SPAN(name, buf_span(&all), want);
    buf_done(&all);
    buf_done(&front);
    if (in_file)
        close(job.body_fd);
}

static void bodies(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned remove;
        const char *in, *out;
    } rows[] = {
        {"nothing to remove", HEADER_EXIT_ALL, "A: 1\r\n\r\nbody\r\n", "A: 1\r\n\r\nbody\r\n"},
        {"removed", HEADER_EXIT_ORGANIZATION, "A: 1\r\n" SECRET "B: 2\r\n\r\nbody\r\n",
         "A: 1\r\nB: 2\r\n\r\nbody\r\n"},
        {"may have it", HEADER_EXIT_FOREST, SECRET "\r\nbody\r\n", SECRET "\r\nbody\r\n"},
        {"not in the body", HEADER_EXIT_ORGANIZATION, "A: 1\r\n\r\n" SECRET, "A: 1\r\n\r\n" SECRET},
        {"no header", HEADER_EXIT_ORGANIZATION, "\r\n" SECRET, "\r\n" SECRET},
        {"nothing but header", HEADER_EXIT_ORGANIZATION, SECRET "A: 1\r\n", "A: 1\r\n"},
        {"all of the header", HEADER_EXIT_ORGANIZATION, SECRET "\r\nbody", "\r\nbody"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int in_file = 0; in_file < 2; in_file++)
            check(rows[i].name, span_of(rows[i].in), in_file, rows[i].remove, span_of(rows[i].out));
}

/* Sections that end around each bound of the reads. */
static void long_headers(void **state)
{
    (void)state;
    static const size_t lengths[] = {16000, 16382, 16383, 16384, 16385, 32767, 32768, 32769, 200000};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct buf in, out;
        char name[32];
        snprintf(name, sizeof name, "%zu", lengths[i]);
        buf_init(&in, 1 << 20);
        buf_init(&out, 1 << 20);
        while (out.len + 6 < lengths[i])
            buf_add(&out, SPAN("A: 1\r\n"));
        buf_add(&out, SPAN("B:"));
        while (out.len + 2 < lengths[i])
            buf_add_char(&out, 'x');
        buf_add(&out, SPAN("\r\n"));
        buf_add(&in, buf_span(&out));
        buf_add(&in, SPAN(SECRET "\r\nbody\r\n"));
        buf_add(&out, SPAN("\r\nbody\r\n"));
        check(name, buf_span(&in), true, HEADER_EXIT_ORGANIZATION, buf_span(&out));
        buf_done(&in);
        buf_done(&out);
    }
}

static void shorter_than_said(void **state)
{
    (void)state;
    struct delivery_job job = {
        .body_fd = file_of(SPAN("A: 1\r\n")), .size = 100, .to.remove_headers = HEADER_EXIT_ALL};
    struct buf front;
    struct err err = {0};
    assert_int_equal(exit_apply(&job, &front, &err), ERR_IO);
    buf_done(&front);
    close(job.body_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies), cmocka_unit_test(long_headers),
                                       cmocka_unit_test(shorter_than_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
