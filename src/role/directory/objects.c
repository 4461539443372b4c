/*
 * objects.c: the recipients as manage administers them: each question of OBJECTS_* is answered at once.
 *
 * Invariants: the store has one asker. What that asker lost (it died, or its answer came too late) is undone when
 * the next transaction begins. A class that takes several pages is read from the store once: the pages are cut from
 * that one reading, which any question other than for the next page ends. Passwords are wiped once they are hashed.
 */
#include "role/directory/internal.h"

#include "base/value_codec.h"
#include "store/objects.h"

#include <string.h>

enum {
    CLASS_MAX = 64,
    GUID_MAX = 64,
    LISTING_MAX = 512 << 20,                    /* bytes of the objects of one class */
    HEAD_MAX = sizeof(struct err),              /* of an answer: more than outcome, text and counts take */
    RECORDS_MAX = FRAME_BODY_MAX - 2 * HEAD_MAX /* of one answer */
};

/* The class that is being handed out in pages. */
static struct {
    const struct object_store *store; /* NULL: none is */
    struct arena arena;
    struct span class_name;
    struct record **records;
    size_t count, next;
} listing;

/* A question under way: what the answer holds beside outcome and text. */
struct question {
    struct object_store *store;
    struct cursor in;
    struct arena arena;
    struct buf head, records;
};

static void listing_end(void)
{
    arena_clear(&listing.arena);
    listing.store = NULL;
}

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "manage asked the directory in a form that it does not know");
}

/* ---- pages ---- */

static enum err_code listing_begin(struct object_store *store, struct span class_name, struct err *err)
{
    listing_end();
    arena_init(&listing.arena, LISTING_MAX);
    listing.class_name = arena_dup(&listing.arena, class_name);
    enum err_code code = listing.class_name.ptr ? object_store_list(store, class_name, &listing.arena,
                                                                    &listing.records, &listing.count, err)
                                                : err_set(err, ERR_NO_MEMORY, "out of memory");
    if (code) {
        listing_end();
        return code;
    }
    listing.store = store;
    listing.next = 0;
    return ERR_NONE;
}

/* Whether the page behind this record is the one that comes next. */
static bool listing_continues(const struct object_store *store, struct span class_name, struct span after)
{
    return listing.store == store && listing.next > 0 && span_ieq(listing.class_name, class_name) &&
           span_ieq(record_string(listing.records[listing.next - 1], SPAN("Guid")), after);
}

static enum err_code add_page(struct question *q, struct err *err)
{
    CLEANUP(buf_done) struct buf one;
    uint32_t count = 0;
    buf_init(&one, RECORDS_MAX);
    for (; listing.next < listing.count; listing.next++, count++) {
        const struct record *r = listing.records[listing.next];
        buf_clear(&one);
        record_encode(&one, r);
        if (one.failed)
            return err_set(err, ERR_LIMIT, "%.*s \"%.*s\" is too large to be shown while the server runs",
                           SPAN_ARG(r->type), SPAN_ARG(span_head(record_string(r, SPAN("Name")), 100)));
        if (one.len > RECORDS_MAX - q->records.len)
            break;
        buf_add(&q->records, buf_span(&one));
    }
    put_bool(&q->head, listing.next < listing.count);
    put_u32(&q->head, count);
    return ERR_NONE;
}

static enum err_code answer_list(struct question *q, struct err *err)
{
    struct span class_name = cursor_bytes(&q->in, CLASS_MAX), after = cursor_bytes(&q->in, GUID_MAX);
    enum err_code code = cursor_done(&q->in) ? ERR_NONE : malformed(err);
    if (code == ERR_NONE && after.len == 0)
        code = listing_begin(q->store, class_name, err);
    else if (code == ERR_NONE && !listing_continues(q->store, class_name, after))
        code = err_set(err, ERR_UNAVAILABLE, "the directory has changed while it was read; try again");
    if (code == ERR_NONE)
        code = add_page(q, err);
    if (code || listing.next == listing.count)
        listing_end();
    return code;
}

/* ---- the other questions ---- */

static enum err_code answer_get(struct question *q, struct err *err)
{
    struct span class_name = cursor_bytes(&q->in, CLASS_MAX), guid = cursor_bytes(&q->in, GUID_MAX);
    struct record *r = NULL;
    enum err_code code =
        cursor_done(&q->in) ? object_store_get(q->store, class_name, guid, &q->arena, &r, err) : malformed(err);
    if (code)
        return code;
    record_encode(&q->records, r);
    return q->records.failed
               ? err_set(err, ERR_LIMIT, "%.*s \"%.*s\" is too large to be shown while the server runs",
                         SPAN_ARG(r->type), SPAN_ARG(span_head(record_string(r, SPAN("Name")), 100)))
               : ERR_NONE;
}

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
    struct span class_name = cursor_bytes(&q->in, CLASS_MAX), guid = cursor_bytes(&q->in, GUID_MAX);
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
    put_u64(&q->head, object_store_generation(q->store));
    return ERR_NONE;
}

static const struct {
    enum err_code (*answer)(struct question *q, struct err *err);
    bool has_body;
} answers[] = {
    [OBJECTS_BEGIN - OBJECTS_BEGIN] = {answer_begin, false},
    [OBJECTS_COMMIT - OBJECTS_BEGIN] = {answer_commit, false},
    [OBJECTS_ROLLBACK - OBJECTS_BEGIN] = {answer_rollback, false},
    [OBJECTS_LIST - OBJECTS_BEGIN] = {answer_list, true},
    [OBJECTS_GET - OBJECTS_BEGIN] = {answer_get, true},
    [OBJECTS_PUT - OBJECTS_BEGIN] = {answer_put, true},
    [OBJECTS_REMOVE - OBJECTS_BEGIN] = {answer_remove, true},
    [OBJECTS_GENERATION - OBJECTS_BEGIN] = {answer_generation, false},
};

static void send_answer(struct link *link, const struct frame *f, const struct question *q, enum err_code code,
                        const struct err *err)
{
    CLEANUP(buf_done) struct buf head;
    buf_init(&head, 2 * HEAD_MAX);
    put_u8(&head, (uint8_t)code);
    put_bytes(&head, code ? span_of(err->text) : SPAN(""));
    if (!code)
        buf_add(&head, buf_span(&q->head));
    ASSERT(!head.failed && !q->head.failed);
    /* When it cannot be sent manage is gone, or gives up after its deadline. */
    IGNORE_RESULT(link_send2(link, f->type | LINK_ANSWER, f->id, buf_span(&head),
                             code ? SPAN("") : buf_span(&q->records), NULL, 0));
}

void objects_serve(struct object_store *store, struct link *link, struct frame *f)
{
    size_t which = (size_t)(f->type - OBJECTS_BEGIN);
    struct question q = {.store = store, .in = cursor_of(f->body)};
    struct err err = {0};
    ASSERT(which < ARRAY_LEN(answers));
    arena_init(&q.arena, LISTING_MAX);
    buf_init(&q.head, HEAD_MAX);
    buf_init(&q.records, RECORDS_MAX);
    if (f->type != OBJECTS_LIST)
        listing_end();
    enum err_code code =
        answers[which].has_body || cursor_done(&q.in) ? answers[which].answer(&q, &err) : malformed(&err);
    if (code == ERR_INTERNAL)
        role_bad_frame(ROLE_MANAGE, f, err.text);
    send_answer(link, f, &q, code, &err);
    if (f->type == OBJECTS_PUT) /* it may hold a password */
        explicit_bzero((char *)(uintptr_t)f->body.ptr, f->body.len);
    buf_done(&q.head);
    buf_done(&q.records);
    arena_clear(&q.arena);
}
