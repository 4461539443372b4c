/*
 * objects.c: the recipients as manage administers them: each question of OBJECTS_* is answered at once.
 *
 * Invariants: the store has one asker. What that asker lost (it died, or its answer came too late) is undone when
 * the next transaction begins. An answer is whole or an error: none is cut short because it is large. Passwords are
 * wiped once they are hashed; only one that came in a sealed file, beside more than a frame of other properties,
 * cannot be, and goes with the file's last descriptor.
 */
#include "role/directory/internal.h"

#include "base/value_codec.h"
#include "runtime/large_body.h"
#include "store/objects.h"

#include <string.h>

enum {
    NAME_MAX_LEN = 64,       /* of a class, a property, a Guid */
    OBJECTS_MAX = 512 << 20, /* bytes of the objects of one answer */
    TRAIL_PAGE_MAX = 10000,
};

/* A question under way. */
struct question {
    struct object_store *store;
    struct cursor in;
    struct arena arena;
    struct buf
        out; /* the answer: outcome and text, of which ERR_NONE is there from the start, then what it holds */
};

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "manage asked the directory in a form that it does not know");
}

static void put_outcome(struct buf *out, enum err_code code, struct span text)
{
    buf_clear(out);
    put_u8(out, (uint8_t)code);
    put_bytes(out, text);
}

/* ---- questions for objects ---- */

static enum err_code add_records(struct question *q, struct record *const *records, size_t count)
{
    put_u32(&q->out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        record_encode(&q->out, records[i]);
    return ERR_NONE;
}

static enum err_code answer_list(struct question *q, struct err *err)
{
    struct record **found;
    size_t count;
    struct span class_name = cursor_bytes(&q->in, NAME_MAX_LEN);
    enum err_code code = cursor_done(&q->in)
                             ? object_store_list(q->store, class_name, &q->arena, &found, &count, err)
                             : malformed(err);
    return code ? code : add_records(q, found, count);
}

static enum err_code answer_find(struct question *q, struct err *err)
{
    struct record **found;
    size_t count;
    struct span class_name = cursor_bytes(&q->in, NAME_MAX_LEN), property = cursor_bytes(&q->in, NAME_MAX_LEN),
                text = cursor_bytes(&q->in, SIZE_MAX);
    enum err_code code = cursor_done(&q->in) ? object_store_find(q->store, class_name, property, text, &q->arena,
                                                                 &found, &count, err)
                                             : malformed(err);
    return code ? code : add_records(q, found, count);
}

static enum err_code answer_get(struct question *q, struct err *err)
{
    struct span class_name = cursor_bytes(&q->in, NAME_MAX_LEN), guid = cursor_bytes(&q->in, NAME_MAX_LEN);
    struct record *r = NULL;
    enum err_code code =
        cursor_done(&q->in) ? object_store_get(q->store, class_name, guid, &q->arena, &r, err) : malformed(err);
    if (code == ERR_NONE)
        record_encode(&q->out, r);
    return code;
}

/* ---- changes ---- */

static void wipe_secrets(const struct record *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->fields[i].value.kind == VALUE_SECRET)
            explicit_bzero((char *)(uintptr_t)r->fields[i].value.s.ptr, r->fields[i].value.s.len);
}

static enum err_code answer_put(struct question *q, struct err *err)
{
    struct record *r = record_decode(&q->in, &q->arena);
    enum err_code code = r && cursor_done(&q->in) ? object_store_put(q->store, r, err) : malformed(err);
    if (r)
        wipe_secrets(r);
    return code;
}

static enum err_code answer_remove(struct question *q, struct err *err)
{
    struct span class_name = cursor_bytes(&q->in, NAME_MAX_LEN), guid = cursor_bytes(&q->in, NAME_MAX_LEN);
    return cursor_done(&q->in) ? object_store_remove(q->store, class_name, guid, err) : malformed(err);
}

static enum err_code answer_begin(struct question *q, struct err *err)
{
    object_store_rollback(q->store);
    return object_store_begin(q->store, err);
}

static enum err_code answer_commit(struct question *q, struct err *err)
{
    return object_store_commit(q->store, err);
}

static enum err_code answer_rollback(struct question *q, struct err *err)
{
    (void)err;
    object_store_rollback(q->store);
    return ERR_NONE;
}

static enum err_code answer_generation(struct question *q, struct err *err)
{
    (void)err;
    put_u64(&q->out, object_store_generation(q->store));
    return ERR_NONE;
}

/* ---- the trail ---- */

static enum err_code answer_trail_add(struct question *q, struct err *err)
{
    int64_t at_ms = (int64_t)cursor_u64(&q->in), since_ms = (int64_t)cursor_u64(&q->in);
    struct record *r = record_decode(&q->in, &q->arena);
    return r && cursor_done(&q->in) ? object_store_trail_add(q->store, r, at_ms, since_ms, err) : malformed(err);
}

static enum err_code answer_trail_read(struct question *q, struct err *err)
{
    struct record **found;
    size_t count = 0;
    uint64_t before = cursor_u64(&q->in), next = 0;
    uint32_t limit = cursor_u32(&q->in);
    bool sound = cursor_done(&q->in) && limit <= TRAIL_PAGE_MAX;
    enum err_code code =
        sound ? object_store_trail_read(q->store, before, limit, &q->arena, &found, &count, &next, err)
              : malformed(err);
    if (code)
        return code;
    put_u64(&q->out, next);
    return add_records(q, found, count);
}

/* ---- every question ---- */

static const struct {
    enum err_code (*answer)(struct question *q, struct err *err);
    bool has_body;
} answers[] = {
    [OBJECTS_BEGIN - OBJECTS_BEGIN] = {answer_begin, false},
    [OBJECTS_COMMIT - OBJECTS_BEGIN] = {answer_commit, false},
    [OBJECTS_ROLLBACK - OBJECTS_BEGIN] = {answer_rollback, false},
    [OBJECTS_LIST - OBJECTS_BEGIN] = {answer_list, true},
    [OBJECTS_GET - OBJECTS_BEGIN] = {answer_get, true},
    [OBJECTS_FIND - OBJECTS_BEGIN] = {answer_find, true},
    [OBJECTS_PUT - OBJECTS_BEGIN] = {answer_put, true},
    [OBJECTS_REMOVE - OBJECTS_BEGIN] = {answer_remove, true},
    [OBJECTS_GENERATION - OBJECTS_BEGIN] = {answer_generation, false},
    [OBJECTS_TRAIL_ADD - OBJECTS_BEGIN] = {answer_trail_add, true},
    [OBJECTS_TRAIL_READ - OBJECTS_BEGIN] = {answer_trail_read, true},
};

static enum err_code answer(struct question *q, const struct frame *f, struct err *err)
{
    size_t which = (size_t)(f->type - OBJECTS_BEGIN);
    struct large_body_view body;
    ASSERT(which < ARRAY_LEN(answers));
    enum err_code code = large_body_open(f, LARGE_BODY_MAX, &body, err);
    if (code)
        return code == ERR_INVALID ? malformed(err) : code;
    q->in = cursor_of(body.bytes);
    code = answers[which].has_body || cursor_done(&q->in) ? answers[which].answer(q, err) : malformed(err);
    large_body_close(&body);
    if (code == ERR_NONE && q->out.failed)
        code =
            err_set(err, ERR_LIMIT, "more than %d MiB cannot be shown while the server runs", LARGE_BODY_MAX >> 20);
    return code;
}

/* The answer that lies in q->out, or an error in its place. */
static void send_answer(struct link *link, const struct frame *f, struct question *q)
{
    struct large_body body;
    struct err err = {0};
    if (large_body_pack(buf_span(&q->out), &body, &err)) {
        put_outcome(&q->out, err.code, span_of(err.text));
        body = (struct large_body){.part = buf_span(&q->out)};
    }
    /* When it cannot be sent manage is gone, or gives up after its deadline. */
    IGNORE_RESULT(link_send(link, f->type | LINK_ANSWER, f->id, body.part, body.fds, body.fd_count));
    large_body_done(&body);
}

void objects_serve(struct object_store *store, struct link *link, struct frame *f)
{
    struct question q = {.store = store};
    struct err err = {0};
    arena_init(&q.arena, OBJECTS_MAX);
    buf_init(&q.out, LARGE_BODY_MAX);
    put_outcome(&q.out, ERR_NONE, SPAN(""));
    enum err_code code = answer(&q, f, &err);
    if (code == ERR_INTERNAL)
        role_bad_frame(ROLE_MANAGE, f, err.text);
    if (code)
        put_outcome(&q.out, code, span_of(err.text));
    send_answer(link, f, &q);
    if (f->type == OBJECTS_PUT) /* it may hold a password */
        explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len);
    buf_done(&q.out);
    arena_clear(&q.arena);
}
