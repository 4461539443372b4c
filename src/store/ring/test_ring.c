/* A ring in a file: order, overwriting, opening again, what is damaged, and two readers of one file. */
#include "check.h"

#include "store/ring/ring.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 5 };
static char path[64];

static int make(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/mailreeve-ring-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int drop(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct ring *open_ring(void)
{
    struct ring *r = NULL;
    assert_int_equal(ring_open(path, SLOTS, &r, NULL), ERR_NONE);
    return r;
}

static void add(struct ring *r, unsigned i)
{
    char key[16], text[32];
    snprintf(key, sizeof key, "k%u", i);
    snprintf(text, sizeof text, "record %u", i);
    assert_int_equal(ring_add(r, span_of(key), span_of(text), NULL), ERR_NONE);
}

struct seen {
    char keys[256];
    size_t most;
};

static bool note(void *context, struct span key, struct span record)
{
    struct seen *s = context;
    assert_true(span_starts(record, SPAN("record ")));
    snprintf(s->keys + strlen(s->keys), sizeof s->keys - strlen(s->keys), "%.*s ", SPAN_ARG(key));
    return --s->most > 0;
}

static void check_order(struct ring *r, size_t most, const char *expected)
{
    struct seen s = {.most = most};
    assert_int_equal(ring_visit(r, note, &s, NULL), ERR_NONE);
    CHECK_STR(expected, s.keys, expected);
}

static void order(void **state)
{
    (void)state;
    struct ring *r = open_ring();
    check_order(r, 99, "");
    for (unsigned i = 1; i <= 3; i++)
        add(r, i);
    check_order(r, 99, "k3 k2 k1 ");
    check_order(r, 2, "k3 k2 ");
    for (unsigned i = 4; i <= 12; i++)
        add(r, i);
    check_order(r, 99, "k12 k11 k10 k9 k8 ");
    ring_close(r);
    r = open_ring();
    add(r, 13);
    check_order(r, 99, "k13 k12 k11 k10 k9 ");
    ring_close(r);
}

static void found_by_key(void **state)
{
    (void)state;
    struct ring *r = open_ring(), *reader = NULL;
    struct buf b;
    struct err err = {0};
    buf_init(&b, 4096);
    for (unsigned i = 1; i <= 7; i++)
        add(r, i);
    assert_int_equal(ring_open_read(path, &reader, NULL), ERR_NONE);
    assert_int_equal(ring_find(reader, SPAN("K6"), &b, &err), ERR_NONE);
    CHECK_SPAN("k6", buf_span(&b), SPAN("record 6"));
    buf_clear(&b);
    assert_int_equal(ring_find(reader, SPAN("k1"), &b, &err), ERR_NOT_FOUND);
    CHECK_STR("k1", err.text, "k1 is not among the last 5");
    ring_close(reader);
    ring_close(r);
    buf_done(&b);
}

static void long_records_are_cut(void **state)
{
    (void)state;
    static char text[RING_RECORD_MAX + 100], key[RING_KEY_MAX + 10];
    struct ring *r = open_ring();
    struct buf b;
    buf_init(&b, 2 * RING_RECORD_MAX);
    memset(text, 'x', sizeof text);
    memset(key, 'k', sizeof key);
    assert_int_equal(ring_add(r, span_make(key, sizeof key), span_make(text, sizeof text), NULL), ERR_NONE);
    assert_int_equal(ring_find(r, span_make(key, RING_KEY_MAX), &b, NULL), ERR_NONE);
    assert_int_equal(b.len, RING_RECORD_MAX);
    ring_close(r);
    buf_done(&b);
}

static void damage(void **state)
{
    (void)state;
    struct ring *r = open_ring();
    for (unsigned i = 1; i <= 3; i++)
        add(r, i);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "Z", 1, 4096 + 2 * 4096 + 30), 1); /* within the record of k2 */
    close(fd);
    check_order(r, 99, "k3 k1 ");
    ring_close(r);
    r = open_ring();
    check_order(r, 99, "k3 k1 ");
    ring_close(r);
}

static void other_files(void **state)
{
    (void)state;
    struct ring *r = NULL;
    assert_int_equal(ring_open_read("/tmp/mailreeve-no-such-ring", &r, NULL), ERR_NOT_FOUND);
    assert_int_equal(ring_open_read(path, &r, NULL), ERR_INVALID); /* an empty file */
    assert_int_equal(ring_open("/proc/nowhere/ring", SLOTS, &r, NULL), ERR_IO);
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "something else", 14), 14);
    close(fd);
    assert_int_equal(ring_open_read(path, &r, NULL), ERR_INVALID);
    r = open_ring(); /* the writer begins anew */
    add(r, 1);
    check_order(r, 99, "k1 ");
    ring_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order, make, drop),
        cmocka_unit_test_setup_teardown(found_by_key, make, drop),
        cmocka_unit_test_setup_teardown(long_records_are_cut, make, drop),
        cmocka_unit_test_setup_teardown(damage, make, drop),
        cmocka_unit_test_setup_teardown(other_files, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
