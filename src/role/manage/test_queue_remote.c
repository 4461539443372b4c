/* test_queue_remote.c: what the queue process may answer, and what becomes of it. */
#include "base/value_codec.h"
#include "check.h"
#include "role/common/protocol.h"
#include "role/manage/queue_remote.h"
#include "runtime/large_body.h"
#include "runtime/link.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT = 3, WAIT_MS = 5000 };

/* The queue process: one question, one answer. */
struct peer {
    int fd;
    uint16_t type;
    struct buf answer;
    uint64_t after; /* as asked */
    uint32_t limit;
    uint8_t what;
};

static void *answer(void *context)
{
    static char buffer[FRAME_BUFFER];
    struct peer *p = context;
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    struct frame f;
    if (poll(&ready, 1, WAIT_MS) != 1 || frame_receive(p->fd, buffer, &f) != FRAME_OK)
        return NULL;
    struct cursor c = cursor_of(f.body);
    p->what = cursor_u8(&c);
    p->after = cursor_u64(&c);
    p->limit = cursor_u32(&c);
    struct span body = buf_span(&p->answer);
    if (cursor_done(&c) && f.type == QUEUE_LIST)
        frame_send(p->fd, p->type, f.id, &body, 1, NULL, 0);
    return p;
}

struct row {
    const char *name;
    uint8_t outcome;
    uint64_t next;
    uint32_t said, sent; /* how many records it says there are, and how many follow */
    bool more;           /* a byte behind the end */
    uint16_t type;       /* 0: that of the answer */
    enum err_code code;
};

static const struct row rows[] = {
    {.name = "a page", .next = 7, .said = 2, .sent = 2},
    {.name = "the last one, empty"},
    {.name = "unavailable", .outcome = ERR_UNAVAILABLE, .code = ERR_UNAVAILABLE},
    {.name = "no such outcome", .outcome = ERR_CODE_MAX, .code = ERR_INTERNAL},
    {.name = "cut short", .said = 2, .sent = 1, .code = ERR_INTERNAL},
    {.name = "more than it says", .said = 1, .sent = 2, .code = ERR_INTERNAL},
    {.name = "more than was asked for", .said = LIMIT + 1, .sent = LIMIT + 1, .code = ERR_INTERNAL},
    {.name = "a huge count", .said = UINT32_MAX, .sent = 1, .code = ERR_INTERNAL},
    {.name = "trailing bytes", .said = 1, .sent = 1, .more = true, .code = ERR_INTERNAL},
    {.name = "an answer to something else", .type = OBJECTS_GET | LINK_ANSWER, .code = ERR_INTERNAL},
};

static void check_row(const struct row *row, struct queue_remote *q, struct peer *p, int *fd)
{
    int fds[2];
    struct err err;
    struct arena arena;
    struct record **records = NULL;
    size_t count = 0;
    uint64_t next = 99;
    pthread_t thread;
    arena_init(&arena, 0);
    assert_int_equal(frame_pair(fds, &err), ERR_NONE);
    *fd = fds[0];
    *p = (struct peer){.fd = fds[1], .type = row->type ? row->type : QUEUE_LIST | LINK_ANSWER};
    buf_init(&p->answer, FRAME_BODY_MAX);
    put_u8(&p->answer, row->outcome);
    put_u64(&p->answer, row->next);
    put_u32(&p->answer, row->said);
    struct record *r = record_new(&arena, SPAN("Message"));
    assert_true(r && record_set(r, SPAN("Identity"), value_of("mail\\7")));
    for (uint32_t i = 0; i < row->sent; i++)
        record_encode(&p->answer, r);
    if (row->more)
        put_u8(&p->answer, 0);
    assert_int_equal(pthread_create(&thread, NULL, answer, p), 0);
    CHECK_INT(row->name, q->view.list_messages(&q->view, 5, LIMIT, &arena, &records, &count, &next, &err),
              row->code);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK_INT(row->name, p->what, QUEUE_LIST_MESSAGES);
    CHECK_INT(row->name, p->after, 5);
    CHECK_INT(row->name, p->limit, LIMIT);
    CHECK_INT(row->name, count, row->code ? 0 : row->sent);
    CHECK_INT(row->name, next, row->code ? 99 : row->next);
    if (count)
        CHECK_SPAN(row->name, record_string(records[count - 1], SPAN("Identity")), SPAN("mail\\7"));
    buf_done(&p->answer);
    close(fds[0]);
    close(fds[1]);
    arena_clear(&arena);
}

static void test_answers(void **state UNUSED)
{
    static struct queue_remote q;
    struct peer p;
    int fd = -1;
    queue_remote_init(&q, &fd);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i], &q, &p, &fd);
}

/* ---- changes and exports ---- */

/* The queue process: one question, whose body is kept, and one answer. */
struct other_peer {
    int fd;
    uint16_t type;
    struct buf question, answer;
};

static void *answer_change(void *context)
{
    static char buffer[FRAME_BUFFER];
    struct other_peer *p = context;
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    struct large_body body;
    struct frame f;
    struct err err;
    if (poll(&ready, 1, WAIT_MS) != 1 || frame_receive(p->fd, buffer, &f) != FRAME_OK)
        return NULL;
    buf_add(&p->question, f.body);
    assert_int_equal(large_body_pack(buf_span(&p->answer), &body, &err), ERR_NONE);
    frame_send(p->fd, p->type, f.id, &body.part, 1, body.fds, body.fd_count);
    large_body_done(&body);
    return p;
}

struct change_row {
    const char *name;
    uint8_t outcome;
    const char *text;
    size_t file; /* bytes that follow as the exported message; 0: none */
    bool more;   /* a byte behind the end */
    uint16_t type;
    enum err_code code;
    const char *says;
};

static void check_change(const struct change_row *row, struct queue_remote *q, int *fd)
{
    static const uint64_t ids[] = {7, 9};
    static const struct span asked[] = {SPAN_INIT("\6\0\0\0\0\2\0\0\0\7\0\0\0\0\0\0\0\11\0\0\0\0\0\0\0"),
                                        SPAN_INIT("\7\0\0\0\0\0\0\0")};
    int fds[2];
    struct err err = {0};
    struct arena arena;
    struct span file = SPAN("");
    pthread_t thread;
    bool export = row->type == (QUEUE_EXPORT | LINK_ANSWER);
    struct other_peer p = {.type = row->type};
    arena_init(&arena, 0);
    assert_int_equal(frame_pair(fds, &err), ERR_NONE);
    *fd = fds[0];
    p.fd = fds[1];
    buf_init(&p.question, FRAME_BODY_MAX);
    buf_init(&p.answer, LARGE_BODY_MAX);
    put_u8(&p.answer, row->outcome);
    put_bytes(&p.answer, span_of(row->text));
    if (row->file) {
        put_u32(&p.answer, (uint32_t)row->file);
        for (size_t i = 0; i < row->file; i++)
            buf_add_char(&p.answer, 'x');
    }
    if (row->more)
        put_u8(&p.answer, 0);
    assert_int_equal(pthread_create(&thread, NULL, answer_change, &p), 0);
    enum err_code code =
        export ? q->view.export_message(&q->view, 7, &arena, &file, &err)
               : q->view.change_messages(&q->view, QUEUE_ACTION_REMOVE_REPORTED, ids, ARRAY_LEN(ids), &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK_INT(row->name, code, row->code);
    CHECK(row->name, !row->says || strstr(err.text, row->says));
    CHECK_SPAN(row->name, buf_span(&p.question), asked[export]);
    CHECK_INT(row->name, file.len, row->code ? 0 : row->file);
    buf_done(&p.question);
    buf_done(&p.answer);
    close(fds[0]);
    close(fds[1]);
    arena_clear(&arena);
}

static void test_changes(void **state UNUSED)
{
    enum { CHANGED = QUEUE_CHANGE | LINK_ANSWER, EXPORTED = QUEUE_EXPORT | LINK_ANSWER };
    static const struct change_row change_rows[] = {
        {"done", 0, "", .type = CHANGED},
        {"why not", ERR_CONFLICT, "is suspended", .type = CHANGED, .code = ERR_CONFLICT, .says = "is suspended"},
        {"no such outcome", ERR_CODE_MAX, "", .type = CHANGED, .code = ERR_INTERNAL},
        {"more behind", 0, "", .more = true, .type = CHANGED, .code = ERR_INTERNAL},
        {"an answer to something else", 0, "", .type = OBJECTS_GET | LINK_ANSWER, .code = ERR_INTERNAL},
        {"exported", 0, "", 10, .type = EXPORTED},
        {"a large one", 0, "", 3 << 20, .type = EXPORTED},
        {"not suspended", ERR_CONFLICT, "is not suspended", .type = EXPORTED, .code = ERR_CONFLICT,
         .says = "is not suspended"},
        {"no message", 0, "", .type = EXPORTED, .code = ERR_INTERNAL},
        {"more than the message", 0, "", 10, .more = true, .type = EXPORTED, .code = ERR_INTERNAL},
    };
    static struct queue_remote q;
    int fd = -1;
    queue_remote_init(&q, &fd);
    for (size_t i = 0; i < ARRAY_LEN(change_rows); i++)
        check_change(&change_rows[i], &q, &fd);
    fd = -1;
    struct err err;
    assert_int_equal(q.view.change_queue(&q.view, QUEUE_ACTION_RETRY_QUEUE, SPAN("mx:a"), &err), ERR_UNAVAILABLE);
}

static void test_no_link(void **state UNUSED)
{
    static struct queue_remote q;
    struct record **records;
    size_t count;
    uint64_t next;
    struct err err;
    int fd = -1, fds[2];
    queue_remote_init(&q, &fd);
    assert_int_equal(q.view.list_queues(&q.view, 0, 1, NULL, &records, &count, &next, &err), ERR_UNAVAILABLE);
    assert_int_equal(frame_pair(fds, &err), ERR_NONE);
    close(fds[1]);
    fd = fds[0];
    assert_int_equal(q.view.list_queues(&q.view, 0, 1, NULL, &records, &count, &next, &err), ERR_UNAVAILABLE);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_changes),
                                       cmocka_unit_test(test_no_link)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
