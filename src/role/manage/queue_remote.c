/* queue_remote.c: a queue_view over QUEUE_LIST (role/common/protocol.h). A page is as many as queue puts in a
 * frame.
 */
#include "role/manage/queue_remote.h"

#include "base/value_codec.h"
#include "role/common/protocol.h"
#include "runtime/link.h"

enum { CALL_MS = 20000 };

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "the queue answered in a form that manage does not know");
}

static enum err_code ask(struct queue_remote *q, enum queue_list_what what, uint64_t after, size_t limit,
                         struct cursor *ret, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    struct frame f;
    buf_init(&body, 64);
    if (*q->fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "the queue process is being started anew; try again");
    put_u8(&body, (uint8_t)what);
    put_u64(&body, after);
    put_u32(&body, limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit);
    enum err_code code = frame_call(*q->fd, QUEUE_LIST, buf_span(&body), NULL, 0, CALL_MS, q->buffer, &f, err);
    if (code)
        return code;
    frame_close_fds(&f);
    *ret = cursor_of(f.body);
    uint8_t outcome = cursor_u8(ret);
    if (f.type != (QUEUE_LIST | LINK_ANSWER) || !cursor_ok(ret) || outcome >= ERR_CODE_MAX)
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

void queue_remote_init(struct queue_remote *q, const int *fd)
{
    q->view = (struct queue_view){list_queues, list_messages};
    q->fd = fd;
}
