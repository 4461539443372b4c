/* test_remote_objects.c: a directory process that dies, or loses a transaction: nothing is half applied. */
#include "check.h"
#include "role/common/protocol.h"
#include "role/manage/remote_objects.h"
#include "role/manage/test_support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct object_store *served, *s;
    struct objects_bench bench;
    int fd; /* what the adapter looks at */
    struct arena arena;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 0);
    f->served = object_store_memory_new();
    f->s = remote_objects_new(&f->fd);
    assert_true(f->served && f->s);
    objects_bench_start(&f->bench, f->served);
    f->fd = f->bench.fd;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    object_store_close(f->s);
    objects_bench_stop(&f->bench);
    object_store_close(f->served);
    arena_clear(&f->arena);
    free(f);
    return 0;
}

static struct record *contact(struct fixture *f, const char *name)
{
    struct record *r = record_new(&f->arena, SPAN("MailContact"));
    assert_true(r && record_set(r, SPAN("Guid"), value_string(arena_printf(&f->arena, "guid-of-%s", name))) &&
                record_set(r, SPAN("Name"), value_of(name)));
    return r;
}

static void begin_and_put(struct fixture *f, const char *name)
{
    assert_int_equal(object_store_begin(f->s, &f->err), ERR_NONE);
    assert_int_equal(object_store_put(f->s, contact(f, name), &f->err), ERR_NONE);
}

static size_t count(struct fixture *f)
{
    struct record **all;
    size_t n = SIZE_MAX;
    assert_int_equal(object_store_list(f->s, SPAN("MailContact"), &f->arena, &all, &n, &f->err), ERR_NONE);
    return n;
}

/* The supervisor's work: another process over the same file, and its link in place of the old one. */
static void restart(struct fixture *f)
{
    objects_bench_stop(&f->bench);
    object_store_rollback(f->served); /* the file's lock and its open transaction go with the process */
    objects_bench_start(&f->bench, f->served);
    f->fd = f->bench.fd;
}

static void check_works(struct fixture *f)
{
    size_t before = count(f);
    begin_and_put(f, "afterwards");
    assert_int_equal(object_store_commit(f->s, &f->err), ERR_NONE);
    assert_int_equal(count(f), before + 1);
}

static void test_no_link(void **state)
{
    struct fixture *f = *state;
    struct record **all;
    size_t n;
    f->fd = -1;
    assert_int_equal(object_store_begin(f->s, &f->err), ERR_UNAVAILABLE);
    CHECK_STR("text", f->err.text, "the directory process is being started anew; try again");
    assert_int_equal(object_store_list(f->s, SPAN("MailContact"), &f->arena, &all, &n, &f->err), ERR_UNAVAILABLE);
    assert_int_equal(object_store_generation(f->s), 0);
    object_store_rollback(f->s);
    f->fd = f->bench.fd;
    check_works(f);
}

/* Each row is something that happens between put and commit. */
static void lose_by_restart(struct fixture *f)
{
    restart(f);
}

static void lose_by_death(struct fixture *f)
{
    objects_bench_die(&f->bench);
}

static void lose_link(struct fixture *f)
{
    f->fd = -1;
}

static void lose_transaction(struct fixture *f)
{
    static char buffer[FRAME_BUFFER];
    struct frame answer;
    assert_int_equal(frame_call(f->fd, OBJECTS_ROLLBACK, SPAN(""), 5000, buffer, &answer, &f->err), ERR_NONE);
}

static void test_lost_transaction(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        void (*lose)(struct fixture *f);
        bool put_fails; /* the loss is seen before the commit */
    } rows[] = {
        {"started anew", lose_by_restart, true},
        {"dead", lose_by_death, true},
        {"not joined yet", lose_link, true},
        {"forgotten", lose_transaction, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t before = count(f);
        begin_and_put(f, "lost");
        rows[i].lose(f);
        if (rows[i].put_fails)
            CHECK_INT(rows[i].name, object_store_put(f->s, contact(f, "second"), &f->err), ERR_UNAVAILABLE);
        CHECK_INT(rows[i].name, object_store_commit(f->s, &f->err), ERR_UNAVAILABLE);
        CHECK(rows[i].name, strstr(f->err.text, "started anew"));
        object_store_rollback(f->s);
        restart(f);
        CHECK_INT(rows[i].name, count(f), before);
    }
    check_works(f);
}

/* The answer to a commit is lost: nobody may claim that nothing has happened. */
static void test_lost_answer(void **state)
{
    struct fixture *f = *state;
    f->bench.die_at = OBJECTS_COMMIT;
    begin_and_put(f, "alice");
    assert_int_equal(object_store_commit(f->s, &f->err), ERR_UNKNOWN);
    object_store_rollback(f->s);
    restart(f);
    check_works(f);
}

/* A shell's process that died inside a transaction is followed by one that knows nothing of it. */
static void test_asker_dies(void **state)
{
    struct fixture *f = *state;
    begin_and_put(f, "lost");
    struct object_store *next = remote_objects_new(&f->fd);
    assert_non_null(next);
    assert_int_equal(object_store_begin(next, &f->err), ERR_NONE);
    assert_int_equal(object_store_commit(next, &f->err), ERR_NONE);
    object_store_close(next);
    object_store_rollback(f->s);
    assert_int_equal(count(f), 0);
}

static void test_too_large(void **state)
{
    enum { ITEMS = 4000, ITEM = 40 };
    struct fixture *f = *state;
    struct record *group = record_new(&f->arena, SPAN("DistributionGroup"));
    struct value *members = ARENA_ARRAY(&f->arena, ITEMS, struct value);
    static const char text[ITEM] = "123456789012345678901234567890123456789";
    assert_true(group && members);
    for (size_t i = 0; i < ITEMS; i++)
        members[i] = value_of(text);
    assert_true(record_set(group, SPAN("Guid"), value_of("g1")) &&
                record_set(group, SPAN("Name"), value_of("all")) &&
                record_set(group, SPAN("Members"), value_list(members, ITEMS)));
    assert_int_equal(object_store_begin(f->s, &f->err), ERR_NONE);
    assert_int_equal(object_store_put(f->s, group, &f->err), ERR_LIMIT);
    object_store_rollback(f->s);
    check_works(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asker_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
