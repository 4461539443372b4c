/* test_manage_peer.c: manage, which asks the queue role to list, to change and to export. See test_support.h. */
#include "role/queue/test_peers.h"

#include "base/value_codec.h"
#include "runtime/clock.h"
#include "runtime/large_body.h"

#include <stdlib.h>

enum { ASK_MS = 60000, TEXT_MAX = 1 << 20 };

static void on_list(void *context, struct frame *f)
{
    struct bench *b = context;
    if (!f)
        return; /* the role has ended */
    struct large_body_view body;
    assert_int_equal(large_body_open(f, LARGE_BODY_MAX, &body, NULL), ERR_NONE);
    struct cursor c = cursor_of(body.bytes);
    b->list_code = (enum err_code)cursor_u8(&c);
    b->list_next = cursor_u64(&c);
    b->record_count = cursor_u32(&c);
    assert_true(b->record_count <= BENCH_RECORDS_MAX);
    for (size_t i = 0; i < b->record_count; i++)
        b->records[i] = record_decode(&c, &b->arena);
    assert_true(cursor_done(&c));
    large_body_close(&body);
    b->list_answers++;
}

void bench_ask_list(struct bench *b, enum queue_list_what what, uint64_t after, uint32_t limit)
{
    struct buf out;
    buf_init(&out, 16);
    put_u8(&out, (uint8_t)what);
    put_u64(&out, after);
    put_u32(&out, limit);
    assert_int_equal(
        link_ask(bench_link(b, BENCH_LIST), QUEUE_LIST, buf_span(&out), SPAN(""), NULL, 0, ASK_MS, on_list, b),
        ERR_NONE);
    buf_done(&out);
}

void bench_list(struct bench *b, enum queue_list_what what, uint64_t after, uint32_t limit)
{
    size_t before = b->list_answers;
    bench_ask_list(b, what, after, limit);
    BENCH_UNTIL(b, b->list_answers > before);
}

static void on_action(void *context, struct frame *f)
{
    struct bench *b = context;
    struct large_body_view body = {0};
    struct err err;
    assert_non_null(f);
    assert_int_equal(large_body_open(f, LARGE_BODY_MAX, &body, &err), ERR_NONE);
    struct cursor c = cursor_of(body.bytes);
    b->action_code = (enum err_code)cursor_u8(&c);
    b->action_text = arena_dup(&b->arena, cursor_bytes(&c, sizeof err.text));
    b->exported = SPAN("");
    if (f->type == (QUEUE_EXPORT | LINK_ANSWER) && !b->action_code)
        b->exported = arena_dup(&b->arena, cursor_bytes(&c, LARGE_BODY_MAX));
    assert_true(cursor_done(&c));
    b->action_answers++;
    large_body_close(&body);
}

void bench_ask_action(struct bench *b, enum queue_action what, const char *queue, const uint64_t *ids, size_t count)
{
    struct buf out;
    buf_init(&out, 64 * 1024);
    put_u8(&out, (uint8_t)what);
    put_bytes(&out, span_of(queue));
    put_u32(&out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        put_u64(&out, ids[i]);
    assert_int_equal(
        link_ask(bench_link(b, BENCH_LIST), QUEUE_CHANGE, buf_span(&out), SPAN(""), NULL, 0, ASK_MS, on_action, b),
        ERR_NONE);
    buf_done(&out);
}

void bench_act_on_queue(struct bench *b, enum queue_action what, const char *queue)
{
    size_t before = b->action_answers;
    bench_ask_action(b, what, queue, NULL, 0);
    BENCH_UNTIL(b, b->action_answers > before);
}

void bench_act_on_message(struct bench *b, enum queue_action what, uint64_t id)
{
    size_t before = b->action_answers;
    bench_ask_action(b, what, "", &id, 1);
    BENCH_UNTIL(b, b->action_answers > before);
}

void bench_export(struct bench *b, uint64_t id)
{
    struct buf out;
    size_t before = b->action_answers;
    buf_init(&out, 16);
    put_u64(&out, id);
    assert_int_equal(
        link_ask(bench_link(b, BENCH_LIST), QUEUE_EXPORT, buf_span(&out), SPAN(""), NULL, 0, ASK_MS, on_action, b),
        ERR_NONE);
    buf_done(&out);
    BENCH_UNTIL(b, b->action_answers > before);
}

/* Asking again and again would be a busy loop of two processes, but for what the role has to do in between. */
void bench_until_messages(struct bench *b, size_t count)
{
    int64_t end = clock_mono_ms() + ASK_MS / 4;
    do {
        bench_list(b, QUEUE_LIST_MESSAGES, 0, 1000);
        assert_int_equal(b->list_code, ERR_NONE);
        if (clock_mono_ms() > end)
            fail_msg("%zu messages where %zu were to come", b->record_count, count);
    } while (b->record_count != count);
}

void bench_until(struct bench *b, enum queue_list_what what, const char *property, const char *value)
{
    int64_t end = clock_mono_ms() + ASK_MS / 4;
    struct span got = SPAN("");
    do {
        bench_list(b, what, 0, 1000);
        if (b->record_count > 0)
            got = bench_property(b, 0, property);
        if (clock_mono_ms() > end)
            fail_msg("%s is `%.*s` and never `%s`", property, SPAN_ARG(got), value);
    } while (!span_eq(got, span_of(value)));
}

struct span bench_property(struct bench *b, size_t i, const char *name)
{
    struct buf out;
    assert_true(i < b->record_count);
    const struct value *v = record_get(b->records[i], span_of(name));
    if (!v)
        fail_msg("there is no property %s", name);
    buf_init(&out, TEXT_MAX);
    value_print(&out, *v);
    struct span s = arena_dup(&b->arena, buf_span(&out));
    buf_done(&out);
    return s;
}

int64_t bench_number(const struct bench *b, size_t i, const char *name)
{
    assert_true(i < b->record_count);
    const struct value *v = record_get(b->records[i], span_of(name));
    return v && (v->kind == VALUE_INT || v->kind == VALUE_SIZE || v->kind == VALUE_TIME) ? v->i : -1;
}
