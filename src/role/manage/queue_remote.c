/*
 * queue_remote.c: a queue_view over QUEUE_LIST, QUEUE_CHANGE and QUEUE_EXPORT (role/common/protocol.h). A page is
 * as many as queue puts in a frame.
 */
#include "role/manage/queue_remote.h"

#include "base/value_codec.h"
#include "role/common/protocol.h"
#include "runtime/large_body.h"
#include "runtime/link.h"

enum { CALL_MS = 20000 };

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "the queue answered in a form that manage does not know");
}

/* The answer's frame, whose descriptors the caller closes. */
static enum err_code call(struct queue_remote *q, enum message_type type, const struct buf *body, struct frame *ret,
                          struct err *err)
{
    if (*q->fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "the queue process is being started anew; try again");
    enum err_code code = frame_call(*q->fd, (uint16_t)type, buf_span(body), NULL, 0, CALL_MS, q->buffer, ret, err);
    if (code || ret->type == (type | LINK_ANSWER))
        return code;
    frame_close_fds(ret);
    return malformed(err);
}

static enum err_code ask(struct queue_remote *q, enum queue_list_what what, uint64_t after, size_t limit,
                         struct cursor *ret, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    struct frame f;
    buf_init(&body, 64);
    put_u8(&body, (uint8_t)what);
    put_u64(&body, after);
    put_u32(&body, limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit);
    enum err_code code = call(q, QUEUE_LIST, &body, &f, err);
    if (code)
        return code;
    frame_close_fds(&f);
    *ret = cursor_of(f.body);
    uint8_t outcome = cursor_u8(ret);
    if (!cursor_ok(ret) || outcome >= ERR_CODE_MAX)
        return malformed(err);
    return outcome ? err_set(err, (enum err_code)outcome, "the queue cannot be listed now (%s); try again",
                             err_code_name((enum err_code)outcome))
                   : ERR_NONE;
}

static enum err_code list(struct queue_view *v, enum queue_list_what what, uint64_t after, size_t limit,
                          struct arena *arena, struct record ***ret, size_t *ret_count, uint64_t *ret_next,
                          struct err *err)
{
    struct cursor c;
    enum err_code code = ask((struct queue_remote *)v, what, after, limit, &c, err);
    if (code)
        return code;
    uint64_t next = cursor_u64(&c);
    uint32_t count = cursor_u32(&c);
    if (!cursor_ok(&c) || count > c.rest.len || count > limit)
        return malformed(err);
    struct record **records = ARENA_ARRAY(arena, count, struct record *);
    if (!records)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count; i++)
        records[i] = record_decode(&c, arena);
    if (!cursor_done(&c))
        return malformed(err);
    *ret = records;
    *ret_count = count;
    *ret_next = next;
    return ERR_NONE;
}

static enum err_code list_queues(struct queue_view *v, uint64_t after, size_t limit, struct arena *arena,
                                 struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    return list(v, QUEUE_LIST_QUEUES, after, limit, arena, ret, ret_count, ret_next, err);
}

static enum err_code list_messages(struct queue_view *v, uint64_t after, size_t limit, struct arena *arena,
                                   struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    return list(v, QUEUE_LIST_MESSAGES, after, limit, arena, ret, ret_count, ret_next, err);
}

/* ---- changes and exports ---- */

/* Outcome and text of an answer; what else it holds follows in *c. */
static enum err_code take_outcome(struct cursor *c, struct err *err)
{
    struct err from;
    uint8_t outcome = cursor_u8(c);
    struct span text = cursor_bytes(c, sizeof from.text);
    if (!cursor_ok(c) || outcome >= ERR_CODE_MAX)
        return malformed(err);
    return outcome ? err_set(err, (enum err_code)outcome, "%.*s", SPAN_ARG(text)) : ERR_NONE;
}

static enum err_code change(struct queue_remote *q, enum queue_action what, struct span name, const uint64_t *ids,
                            size_t count, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    struct frame f;
    buf_init(&body, FRAME_BODY_MAX);
    put_u8(&body, (uint8_t)what);
    put_bytes(&body, name);
    put_u32(&body, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        put_u64(&body, ids[i]);
    enum err_code code = call(q, QUEUE_CHANGE, &body, &f, err);
    if (code)
        return code;
    frame_close_fds(&f);
    struct cursor c = cursor_of(f.body);
    code = take_outcome(&c, err);
    return code || cursor_done(&c) ? code : malformed(err);
}

static enum err_code change_queue(struct queue_view *v, enum queue_action what, struct span name, struct err *err)
{
    return change((struct queue_remote *)v, what, name, NULL, 0, err);
}

static enum err_code change_messages(struct queue_view *v, enum queue_action what, const uint64_t *ids,
                                     size_t count, struct err *err)
{
    return change((struct queue_remote *)v, what, SPAN(""), ids, count, err);
}

static enum err_code read_export(struct span bytes, struct arena *arena, struct span *ret, struct err *err)
{
    struct cursor c = cursor_of(bytes);
    enum err_code code = take_outcome(&c, err);
    if (code)
        return code;
    struct span file = cursor_bytes(&c, LARGE_BODY_MAX);
    if (!cursor_done(&c))
        return malformed(err);
    *ret = arena_dup(arena, file);
    return ret->ptr ? ERR_NONE : err_set(err, ERR_NO_MEMORY, "the message is too large to be exported from here");
}

static enum err_code export_message(struct queue_view *v, uint64_t id, struct arena *arena, struct span *ret,
                                    struct err *err)
{
    struct queue_remote *q = (struct queue_remote *)v;
    CLEANUP(buf_done) struct buf body;
    struct large_body_view answer = {0};
    struct frame f;
    buf_init(&body, 64);
    put_u64(&body, id);
    enum err_code code = call(q, QUEUE_EXPORT, &body, &f, err);
    if (code)
        return code;
    code = large_body_open(&f, LARGE_BODY_MAX, &answer, err) ? malformed(err)
                                                             : read_export(answer.bytes, arena, ret, err);
    large_body_close(&answer);
    frame_close_fds(&f);
    return code;
}

void queue_remote_init(struct queue_remote *q, const int *fd)
{
    q->view = (struct queue_view){list_queues, list_messages, change_queue, change_messages, export_message};
    q->fd = fd;
}
