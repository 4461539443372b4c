/*
 * test_objects.c: OBJECTS_* as bytes: what is malformed is answered as such and changes nothing, and a class that
 * is larger than a frame comes in pages, in its order. What the port demands is tested with manage's side of it.
 */
#include "base/value_codec.h"
#include "check.h"
#include "role/common/protocol.h"
#include "role/manage/test_support.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_MS = 5000 };

struct fixture {
    struct object_store *store;
    struct objects_bench bench;
    struct arena arena;
    struct buf body;
    struct err err;
    char buffer[FRAME_BUFFER];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 0);
    buf_init(&f->body, FRAME_BODY_MAX);
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
    buf_done(&f->body);
    arena_clear(&f->arena);
    free(f);
    return 0;
}

/* Asks with the body and empties it; the outcome, and what follows it. */
static enum err_code ask(struct fixture *f, enum message_type type, struct cursor *ret)
{
    struct frame answer;
    assert_int_equal(
        frame_call(f->bench.fd, (uint16_t)type, buf_span(&f->body), CALL_MS, f->buffer, &answer, &f->err),
        ERR_NONE);
    assert_int_equal(answer.type, type | LINK_ANSWER);
    buf_clear(&f->body);
    *ret = cursor_of(answer.body);
    enum err_code code = (enum err_code)cursor_u8(ret);
    struct span text = cursor_bytes(ret, sizeof f->err.text);
    assert_true(cursor_ok(ret) && (code ? text.len > 0 && cursor_done(ret) : text.len == 0));
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

static enum err_code ask_page(struct fixture *f, struct span after, struct cursor *ret)
{
    put_bytes(&f->body, SPAN("MailContact"));
    put_bytes(&f->body, after);
    return ask(f, OBJECTS_LIST, ret);
}

static void test_pages(void **state)
{
    enum { COUNT = 400 };
    struct fixture *f = *state;
    struct span after = SPAN("");
    struct cursor c;
    int pages = 0, seen = 0;
    fill(f, COUNT, filler(f, 1000));
    objects_bench_start(&f->bench, f->store);
    for (bool more = true; more; pages++) {
        assert_int_equal(ask_page(f, after, &c), ERR_NONE);
        more = cursor_bool(&c);
        uint32_t count = cursor_u32(&c);
        for (uint32_t i = 0; i < count; i++, seen++) {
            struct record *r = record_decode(&c, &f->arena);
            assert_non_null(r);
            CHECK_SPAN("order", record_string(r, SPAN("Name")), arena_printf(&f->arena, "n%04d", seen));
            after = record_string(r, SPAN("Guid"));
        }
        assert_true(cursor_done(&c) && count > 0);
    }
    assert_int_equal(seen, COUNT);
    assert_in_range(pages, 3, 5);
    /* behind the last page there is none, and a page goes with the one before it only */
    assert_int_equal(ask_page(f, after, &c), ERR_UNAVAILABLE);
    assert_int_equal(ask_page(f, SPAN(""), &c), ERR_NONE);
    assert_int_equal(ask(f, OBJECTS_BEGIN, &c), ERR_NONE);
    assert_int_equal(ask_page(f, SPAN("g9999"), &c), ERR_UNAVAILABLE);
}

static void test_larger_than_a_frame(void **state)
{
    struct fixture *f = *state;
    struct cursor c;
    fill(f, 1, filler(f, FRAME_BODY_MAX));
    objects_bench_start(&f->bench, f->store);
    assert_int_equal(ask_page(f, SPAN(""), &c), ERR_LIMIT);
    put_bytes(&f->body, SPAN("MailContact"));
    put_bytes(&f->body, SPAN("g9999"));
    assert_int_equal(ask(f, OBJECTS_GET, &c), ERR_LIMIT);
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
        {"list cut short", OBJECTS_LIST, SPAN_INIT("\4\0\0\0Mail\1\0\0")},
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
    assert_int_equal(ask_page(f, SPAN(""), &c), ERR_NONE);
    assert_false(cursor_bool(&c));
    assert_int_equal(cursor_u32(&c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_larger_than_a_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
