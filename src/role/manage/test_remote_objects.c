/*
 * test_remote_objects.c: a directory process that dies, or loses a transaction: nothing is half applied. And
 * objects that are larger than a frame.
 */
#include "check.h"
#include "directory/embedded.h"
#include "role/common/directory_objects.h"
#include "role/common/messages.h"
#include "role/common/protocol.h"
#include "role/manage/remote_objects.h"
#include "role/manage/test_support.h"
#include "runtime/large_body.h"

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
    assert_int_equal(frame_call(f->fd, OBJECTS_ROLLBACK, SPAN(""), NULL, 0, 5000, buffer, &answer, &f->err),
                     ERR_NONE);
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

/* ---- a group of more members than a frame holds, over a real directory ---- */

enum { MEMBERS = 20000 };

struct folder {
    char path[40], file[64];
    struct directory *directory;
    struct object_store *s;
};

static void open_folder(struct fixture *f, struct folder *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/mailreeve-test-XXXXXX");
    assert_non_null(mkdtemp(d->path));
    snprintf(d->file, sizeof d->file, "%s/directory.db", d->path);
    assert_int_equal(directory_embedded_open(d->file, &d->directory, &f->err), ERR_NONE);
    d->s = directory_objects_new(d->directory);
    assert_non_null(d->s);
}

static void close_folder(struct folder *d)
{
    object_store_close(d->s);
    directory_close(d->directory);
    unlink(d->file);
    assert_int_equal(rmdir(d->path), 0);
}

static struct record *recipient(struct fixture *f, const char *class_name, struct span guid, struct span name)
{
    struct record *r = record_new(&f->arena, span_of(class_name));
    struct span address = arena_printf(&f->arena, "%.*s@example.com", SPAN_ARG(name));
    assert_true(r && record_set(r, SPAN("Guid"), value_string(guid)) &&
                record_set(r, SPAN("Name"), value_string(name)) &&
                record_set(r, SPAN("PrimarySmtpAddress"), value_string(address)));
    return r;
}

/* The members themselves; their Guids, for the group. */
static struct value *make_members(struct fixture *f, struct object_store *s)
{
    struct value *guids = ARENA_ARRAY(&f->arena, MEMBERS, struct value);
    assert_non_null(guids);
    assert_int_equal(object_store_begin(s, &f->err), ERR_NONE);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct span guid = arena_printf(&f->arena, "00000000-0000-4000-8000-%012u", i);
        struct span name = arena_printf(&f->arena, "member%05u", i);
        guids[i] = value_string(guid);
        assert_int_equal(object_store_put(s, recipient(f, "Mailbox", guid, name), &f->err), ERR_NONE);
    }
    assert_int_equal(object_store_commit(s, &f->err), ERR_NONE);
    return guids;
}

static void put_group(struct fixture *f, struct record *group, const struct value *members, size_t count)
{
    assert_true(record_set(group, SPAN("Members"), value_list(members, count)));
    assert_int_equal(object_store_begin(f->s, &f->err), ERR_NONE);
    assert_int_equal(object_store_put(f->s, group, &f->err), ERR_NONE);
    assert_int_equal(object_store_commit(f->s, &f->err), ERR_NONE);
}

/* What list, get and find by a member say. */
static void check_group(struct fixture *f, const struct value *members, size_t count)
{
    struct record **found, *got;
    size_t n = 0;
    const struct value want = value_list(members, count);
    struct span class_name = SPAN("DistributionGroup");
    assert_int_equal(object_store_list(f->s, class_name, &f->arena, &found, &n, &f->err), ERR_NONE);
    assert_int_equal(n, 1);
    assert_true(value_eq(*record_get(found[0], SPAN("Members")), want, false));
    assert_int_equal(object_store_get(f->s, class_name, SPAN("G"), &f->arena, &got, &f->err), ERR_NONE);
    assert_true(value_eq(*record_get(got, SPAN("Members")), want, false));
    assert_int_equal(
        object_store_find(f->s, class_name, SPAN("Members"), members[count - 1].s, &f->arena, &found, &n, &f->err),
        ERR_NONE);
    assert_int_equal(n, 1);
    assert_true(value_eq(*record_get(found[0], SPAN("Members")), want, false));
}

static void check_resolved(struct fixture *f, size_t count)
{
    static char buffer[FRAME_BUFFER];
    CLEANUP(buf_done) struct buf question;
    struct frame answer;
    struct directory_recipient r;
    buf_init(&question, 100);
    put_bytes(&question, SPAN("ALL@example.com"));
    assert_int_equal(
        frame_call(f->fd, DIRECTORY_RESOLVE, buf_span(&question), NULL, 0, 20000, buffer, &answer, &f->err),
        ERR_NONE);
    assert_int_equal(message_take_resolution(&answer, &f->arena, &r), ERR_NONE);
    frame_close_fds(&answer);
    assert_int_equal(r.kind, DIRECTORY_GROUP);
    assert_int_equal(r.member_count, count);
    CHECK_SPAN("last member", r.members[count - 1], arena_printf(&f->arena, "member%05zu@example.com", count - 1));
}

static void test_large_group(void **state)
{
    struct fixture *f = *state;
    struct folder d;
    open_folder(f, &d);
    struct value *members = make_members(f, d.s);
    struct record *group = recipient(f, "DistributionGroup", SPAN("g"), SPAN("all"));
    objects_bench_stop(&f->bench);
    objects_bench_start(&f->bench, d.s);
    f->bench.directory = d.directory;
    f->fd = f->bench.fd;
    put_group(f, group, members, MEMBERS);
    check_group(f, members, MEMBERS);
    check_resolved(f, MEMBERS);
    put_group(f, group, members, MEMBERS - 1);
    check_group(f, members, MEMBERS - 1);
    check_resolved(f, MEMBERS - 1);
    put_group(f, group, members, 2); /* in the frame again */
    check_group(f, members, 2);
    check_resolved(f, 2);
    objects_bench_die(&f->bench);
    close_folder(&d);
}

/* Larger than any body may be: refused here, and the link still serves. */
static void test_too_large(void **state)
{
    struct fixture *f = *state;
    char *text = calloc(1, (size_t)LARGE_BODY_MAX + 1);
    assert_non_null(text);
    struct record *r = contact(f, "huge");
    assert_true(record_set(r, SPAN("DisplayName"), value_string(span_make(text, (size_t)LARGE_BODY_MAX + 1))));
    assert_int_equal(object_store_begin(f->s, &f->err), ERR_NONE);
    assert_int_equal(object_store_put(f->s, r, &f->err), ERR_LIMIT);
    object_store_rollback(f->s);
    free(text);
    check_works(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asker_dies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
