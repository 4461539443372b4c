/*
 * test_objects.c: OBJECTS_* as bytes: what is malformed is answered as such and changes nothing, and what is
 * larger than a frame comes whole, in its order. What the port demands is tested with manage's side of it.
 */
#include "base/value_codec.h"
#include "check.h"
#include "role/common/protocol.h"
#include "role/manage/test_support.h"
#include "runtime/large_body.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CALL_MS = 5000 };

struct fixture {
    struct object_store *store;
    struct objects_bench bench;
    struct arena arena;
    struct buf body;
    struct large_body_view answer;
    struct err err;
    char buffer[FRAME_BUFFER];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 0);
    buf_init(&f->body, LARGE_BODY_MAX);
    f->store = object_store_memory_new();
    assert_non_null(f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    objects_bench_stop(&f->bench);
    object_store_close(f->store);
    large_body_close(&f->answer);
    buf_done(&f->body);
    arena_clear(&f->arena);
    free(f);
    return 0;
}

/* Asks with the body and descriptors; the outcome, and what follows it, which stays until the next question. */
static enum err_code ask_with(struct fixture *f, enum message_type type, struct span body, const int *fds,
                              size_t count, struct cursor *ret)
{
    struct frame answer;
    large_body_close(&f->answer);
    assert_int_equal(
        frame_call(f->bench.fd, (uint16_t)type, body, fds, count, CALL_MS, f->buffer, &answer, &f->err), ERR_NONE);
    assert_int_equal(answer.type, type | LINK_ANSWER);
    assert_int_equal(large_body_open(&answer, LARGE_BODY_MAX, &f->answer, &f->err), ERR_NONE);
    frame_close_fds(&answer);
    *ret = cursor_of(f->answer.bytes);
    enum err_code code = (enum err_code)cursor_u8(ret);
    struct span text = cursor_bytes(ret, sizeof f->err.text);
    assert_true(cursor_ok(ret) && (code ? text.len > 0 && cursor_done(ret) : text.len == 0));
    return code;
}

/* Asks with what lies in f->body, and empties it. */
static enum err_code ask(struct fixture *f, enum message_type type, struct cursor *ret)
{
    struct large_body question;
    assert_int_equal(large_body_pack(buf_span(&f->body), &question, &f->err), ERR_NONE);
    enum err_code code = ask_with(f, type, question.part, question.fds, question.fd_count, ret);
    large_body_done(&question);
    buf_clear(&f->body);
    return code;
}

static struct record *contact(struct fixture *f, int number, struct span comment)
{
    struct record *r = record_new(&f->arena, SPAN("MailContact"));
    assert_true(r && record_set(r, SPAN("Guid"), value_string(arena_printf(&f->arena, "g%d", 9999 - number))) &&
                record_set(r, SPAN("Name"), value_string(arena_printf(&f->arena, "n%04d", number))) &&
                record_set(r, SPAN("DisplayName"), value_string(comment)));
    return r;
}

static void fill(struct fixture *f, int count, struct span comment)
{
    assert_int_equal(object_store_begin(f->store, &f->err), ERR_NONE);
    for (int i = 0; i < count; i++)
        assert_int_equal(object_store_put(f->store, contact(f, i, comment), &f->err), ERR_NONE);
    assert_int_equal(object_store_commit(f->store, &f->err), ERR_NONE);
}

static struct span filler(struct fixture *f, size_t len)
{
    char *p = arena_alloc(&f->arena, len);
    assert_non_null(p);
    memset(p, 'x', len);
    return span_make(p, len);
}

static enum err_code ask_list(struct fixture *f, struct cursor *ret)
{
    put_bytes(&f->body, SPAN("MailContact"));
    return ask(f, OBJECTS_LIST, ret);
}

static void check_list(struct fixture *f, struct cursor *c, uint32_t want)
{
    assert_int_equal(cursor_u32(c), want);
    for (uint32_t i = 0; i < want; i++) {
        struct record *r = record_decode(c, &f->arena);
        assert_non_null(r);
        CHECK_SPAN("order", record_string(r, SPAN("Name")), arena_printf(&f->arena, "n%04u", i));
    }
    assert_true(cursor_done(c));
}

/* Each row: so many objects of this size, as a list, each alone, and found. */
static void test_sizes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        int count;
        size_t size;
    } rows[] = {
        {"nothing", 0, 0},
        {"in the frame", 10, 100},
        {"beside it", 400, 1000},
        {"each beside it", 3, FRAME_BODY_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cursor c;
        object_store_close(f->store);
        f->store = object_store_memory_new();
        assert_non_null(f->store);
        fill(f, rows[i].count, filler(f, rows[i].size));
        objects_bench_start(&f->bench, f->store);
        CHECK_INT(rows[i].name, ask_list(f, &c), ERR_NONE);
        CHECK(rows[i].name, (f->answer.mapped.len > 0) == (rows[i].size * (size_t)rows[i].count > FRAME_BODY_MAX));
        check_list(f, &c, (uint32_t)rows[i].count);
        put_bytes(&f->body, SPAN("MailContact"));
        put_bytes(&f->body, SPAN("G9999"));
        CHECK_INT(rows[i].name, ask(f, OBJECTS_GET, &c), rows[i].count ? ERR_NONE : ERR_NOT_FOUND);
        CHECK(rows[i].name, !rows[i].count || (record_decode(&c, &f->arena) && cursor_done(&c)));
        put_bytes(&f->body, SPAN("MailContact"));
        put_bytes(&f->body, SPAN("Name"));
        put_bytes(&f->body, SPAN("N0000"));
        CHECK_INT(rows[i].name, ask(f, OBJECTS_FIND, &c), ERR_NONE);
        check_list(f, &c, rows[i].count ? 1 : 0);
        objects_bench_stop(&f->bench);
    }
    objects_bench_start(&f->bench, f->store); /* for teardown */
}

/* What a descriptor may not be. */
static void test_foreign_descriptors(void **state)
{
    struct fixture *f = *state;
    struct cursor c;
    int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(unsealed >= 0 && write(unsealed, "\1\0\0\0M", 5) == 5);
    objects_bench_start(&f->bench, f->store);
    assert_int_equal(ask_with(f, OBJECTS_LIST, SPAN(""), &unsealed, 1, &c), ERR_INTERNAL);
    assert_int_equal(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
    assert_int_equal(ask_with(f, OBJECTS_LIST, SPAN(""), &unsealed, 1, &c), ERR_NONE);
    assert_int_equal(ask_with(f, OBJECTS_LIST, SPAN("\1\0\0\0M"), &unsealed, 1, &c), ERR_INTERNAL);
    assert_int_equal(ask_with(f, OBJECTS_GENERATION, SPAN(""), &unsealed, 1, &c), ERR_INTERNAL);
    close(unsealed);
}

static void test_malformed(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        enum message_type type;
        struct span body;
    } rows[] = {
        {"begin with a body", OBJECTS_BEGIN, SPAN_INIT("x")},
        {"list without a class", OBJECTS_LIST, SPAN_INIT("")},
        {"list cut short", OBJECTS_LIST, SPAN_INIT("\4\0\0\0Mai")},
        {"list with more", OBJECTS_LIST, SPAN_INIT("\4\0\0\0Mail\1\0\0\0x")},
        {"find without a text", OBJECTS_FIND, SPAN_INIT("\1\0\0\0M\1\0\0\0N")},
        {"find with a huge text", OBJECTS_FIND, SPAN_INIT("\1\0\0\0M\1\0\0\0N\377\377\377\377x")},
        {"get with more", OBJECTS_GET, SPAN_INIT("\1\0\0\0M\1\0\0\0gX")},
        {"remove cut short", OBJECTS_REMOVE, SPAN_INIT("\1\0\0\0M\1\0\0\0")},
        {"put of nothing", OBJECTS_PUT, SPAN_INIT("")},
        {"put with a huge count", OBJECTS_PUT, SPAN_INIT("\1\0\0\0M\377\377\377\377")},
        {"generation with a body", OBJECTS_GENERATION, SPAN_INIT("x")},
    };
    struct cursor c;
    objects_bench_start(&f->bench, f->store);
    assert_int_equal(ask(f, OBJECTS_BEGIN, &c), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_add(&f->body, rows[i].body);
        CHECK_INT(rows[i].name, ask(f, rows[i].type, &c), ERR_INTERNAL);
    }
    assert_int_equal(ask(f, OBJECTS_COMMIT, &c), ERR_NONE);
    assert_int_equal(ask(f, OBJECTS_GENERATION, &c), ERR_NONE);
    assert_int_equal(cursor_u64(&c), 0);
    assert_true(cursor_done(&c));
}

/* The transaction of an asker that died is undone by the next one's. */
static void test_left_open(void **state)
{
    struct fixture *f = *state;
    struct cursor c;
    objects_bench_start(&f->bench, f->store);
    assert_int_equal(ask(f, OBJECTS_BEGIN, &c), ERR_NONE);
    record_encode(&f->body, contact(f, 1, SPAN("lost")));
    assert_int_equal(ask(f, OBJECTS_PUT, &c), ERR_NONE);
    assert_int_equal(ask(f, OBJECTS_BEGIN, &c), ERR_NONE);
    assert_int_equal(ask(f, OBJECTS_COMMIT, &c), ERR_NONE);
    assert_int_equal(ask(f, OBJECTS_COMMIT, &c), ERR_CONFLICT);
    assert_int_equal(ask_list(f, &c), ERR_NONE);
    check_list(f, &c, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
