/*
 * remote_objects.c: the object store port over OBJECTS_* (role/common/protocol.h).
 *
 * Invariants: a transaction belongs to the link that it was begun on. Over another one, or over one that is dead,
 * nothing of it is read, changed or committed: the directory that was started anew has lost it. What is put is
 * wiped here once it is sent, since it may hold a password. An answer that was mapped is unmapped when it has been
 * read, at the latest before the next question.
 */
#include "role/manage/remote_objects.h"

#include "base/value_codec.h"
#include "role/common/protocol.h"
#include "runtime/large_body.h"
#include "runtime/link.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { CALL_MS = 20000 };

struct remote_objects {
    struct object_store store;
    const int *fd;
    bool in_transaction;
    ino_t link;          /* on which the transaction was begun; the kernel gives each socket a number of its own */
    uint64_t generation; /* as last seen */
    struct large_body_view answer; /* the last one's body */
    char buffer[FRAME_BUFFER];
};

static struct remote_objects *of(struct object_store *s)
{
    return (struct remote_objects *)s;
}

static enum err_code unavailable(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the directory process is being started anew; try again");
}

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "the directory answered in a form that manage does not know");
}

/* Which link the descriptor is now; 0: none, or one whose other end is gone. */
static ino_t link_now(const struct remote_objects *r)
{
    struct stat st;
    struct pollfd p = {.fd = *r->fd};
    if (*r->fd < 0 || poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR | POLLNVAL)) || fstat(*r->fd, &st) < 0)
        return 0;
    return st.st_ino;
}

/* Asks; *ret is the answer's body, which stays until the next question or until r->answer is closed. */
static enum err_code ask(struct remote_objects *r, enum message_type type, const struct buf *body,
                         struct cursor *ret, struct err *err)
{
    struct frame f;
    struct large_body question;
    ino_t link = link_now(r);
    large_body_close(&r->answer);
    if (link == 0 || (r->in_transaction && link != r->link))
        return unavailable(err);
    if (body && body->failed)
        return err_set(err, ERR_LIMIT, "the object is too large to be changed while the server runs");
    enum err_code code = large_body_pack(body ? buf_span(body) : SPAN(""), &question, err);
    if (code)
        return code;
    code = frame_call(*r->fd, (uint16_t)type, question.part, question.fds, question.fd_count, CALL_MS, r->buffer,
                      &f, err);
    large_body_done(&question);
    if (code)
        return code == ERR_UNAVAILABLE && link_now(r) == 0 ? unavailable(err) : code;
    code = large_body_open(&f, LARGE_BODY_MAX, &r->answer, err);
    frame_close_fds(&f);
    if (code == ERR_INVALID || f.type != (type | LINK_ANSWER))
        return malformed(err);
    *ret = cursor_of(r->answer.bytes);
    return code;
}

static enum err_code take_outcome(struct cursor *c, struct err *err)
{
    struct err from = {0};
    uint8_t outcome = cursor_u8(c);
    struct span text = cursor_bytes(c, sizeof from.text);
    if (!cursor_ok(c) || outcome >= ERR_CODE_MAX)
        return malformed(err);
    return outcome ? err_set(err, (enum err_code)outcome, "%.*s", SPAN_ARG(text)) : ERR_NONE;
}

/* Asks; *ret is what the answer holds behind an outcome of ERR_NONE. */
static enum err_code call(struct remote_objects *r, enum message_type type, const struct buf *body,
                          struct cursor *ret, struct err *err)
{
    enum err_code code = ask(r, type, body, ret, err);
    return code ? code : take_outcome(ret, err);
}

/* A call whose answer is an outcome alone. */
static enum err_code call_plain(struct remote_objects *r, enum message_type type, const struct buf *body,
                                struct err *err)
{
    struct cursor c;
    enum err_code code = call(r, type, body, &c, err);
    return code || cursor_done(&c) ? code : malformed(err);
}

/* ---- transactions ---- */

static enum err_code begin(struct object_store *s, struct err *err)
{
    struct remote_objects *r = of(s);
    if (r->in_transaction)
        return err_set(err, ERR_CONFLICT, "a transaction is open already");
    r->link = link_now(r);
    enum err_code code = call_plain(r, OBJECTS_BEGIN, NULL, err);
    r->in_transaction = code == ERR_NONE;
    return code;
}

static enum err_code commit(struct object_store *s, struct err *err)
{
    struct remote_objects *r = of(s);
    struct cursor c;
    if (!r->in_transaction)
        return err_set(err, ERR_CONFLICT, "no transaction is open");
    bool lost = link_now(r) != r->link;
    enum err_code code = lost ? unavailable(err) : ask(r, OBJECTS_COMMIT, NULL, &c, err);
    r->in_transaction = false;
    if (lost)
        return code;
    if (code)
        return err_set(err, ERR_UNKNOWN,
                       "the directory did not say whether it stored the change; look before you "
                       "try again");
    code = take_outcome(&c, err);
    r->in_transaction = code == ERR_UNAVAILABLE; /* it may be tried again */
    /* The directory knows of no transaction: it is not the process any more that had it. */
    return code == ERR_CONFLICT ? unavailable(err) : code;
}

static void rollback(struct object_store *s)
{
    struct remote_objects *r = of(s);
    struct err unwanted; /* what is lost on the way is undone by the next begin */
    if (r->in_transaction)
        call_plain(r, OBJECTS_ROLLBACK, NULL, &unwanted);
    r->in_transaction = false;
}

static enum err_code check_in_transaction(const struct remote_objects *r, struct err *err)
{
    return r->in_transaction ? ERR_NONE : err_set(err, ERR_CONFLICT, "no transaction is open");
}

static enum err_code put(struct object_store *s, const struct record *record, struct err *err)
{
    struct buf body;
    enum err_code code = check_in_transaction(of(s), err);
    if (code)
        return code;
    buf_init(&body, LARGE_BODY_MAX);
    record_encode(&body, record);
    code = call_plain(of(s), OBJECTS_PUT, &body, err);
    buf_wipe(&body);
    return code;
}

/* ---- questions for objects ---- */

/* Texts one behind the other: the body of a question. Give it back with buf_done. */
static void put_texts(struct buf *body, const struct span *texts, size_t count)
{
    buf_init(body, LARGE_BODY_MAX);
    for (size_t i = 0; i < count; i++)
        put_bytes(body, texts[i]);
}

static enum err_code remove_object(struct object_store *s, struct span class_name, struct span guid,
                                   struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    put_texts(&body, (const struct span[]){class_name, guid}, 2);
    enum err_code code = check_in_transaction(of(s), err);
    return code ? code : call_plain(of(s), OBJECTS_REMOVE, &body, err);
}

static enum err_code get(struct object_store *s, struct span class_name, struct span guid, struct arena *arena,
                         struct record **ret, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    struct cursor c;
    put_texts(&body, (const struct span[]){class_name, guid}, 2);
    enum err_code code = call(of(s), OBJECTS_GET, &body, &c, err);
    if (code)
        return code;
    struct record *found = record_decode(&c, arena);
    bool ok = found && cursor_done(&c);
    large_body_close(&of(s)->answer);
    if (!ok)
        return malformed(err);
    *ret = found;
    return ERR_NONE;
}

static enum err_code take_records(struct cursor *c, struct arena *arena, struct record ***ret, size_t *ret_count,
                                  struct err *err)
{
    uint32_t count = cursor_u32(c);
    if (!cursor_ok(c) || count > c->rest.len) /* a record takes more than a byte */
        return malformed(err);
    struct record **items = ARENA_ARRAY(arena, count, struct record *);
    if (!items)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < count && cursor_ok(c); i++)
        items[i] = record_decode(c, arena);
    if (!cursor_done(c))
        return malformed(err);
    *ret = items;
    *ret_count = count;
    return ERR_NONE;
}

static enum err_code call_records(struct remote_objects *r, enum message_type type, const struct buf *body,
                                  struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err)
{
    struct cursor c;
    enum err_code code = call(r, type, body, &c, err);
    if (code == ERR_NONE)
        code = take_records(&c, arena, ret, ret_count, err);
    large_body_close(&r->answer);
    return code;
}

static enum err_code list(struct object_store *s, struct span class_name, struct arena *arena, struct record ***ret,
                          size_t *ret_count, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    put_texts(&body, &class_name, 1);
    return call_records(of(s), OBJECTS_LIST, &body, arena, ret, ret_count, err);
}

static enum err_code find(struct object_store *s, struct span class_name, struct span property, struct span text,
                          struct arena *arena, struct record ***ret, size_t *ret_count, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    put_texts(&body, (const struct span[]){class_name, property, text}, 3);
    return call_records(of(s), OBJECTS_FIND, &body, arena, ret, ret_count, err);
}

/* ---- the trail ---- */

static enum err_code trail_add(struct object_store *s, const struct record *entry, int64_t at_ms, int64_t since_ms,
                               struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    enum err_code code = check_in_transaction(of(s), err);
    buf_init(&body, LARGE_BODY_MAX);
    put_u64(&body, (uint64_t)at_ms);
    put_u64(&body, (uint64_t)since_ms);
    record_encode(&body, entry);
    return code ? code : call_plain(of(s), OBJECTS_TRAIL_ADD, &body, err);
}

static enum err_code trail_read(struct object_store *s, uint64_t before, size_t limit, struct arena *arena,
                                struct record ***ret, size_t *ret_count, uint64_t *ret_next, struct err *err)
{
    CLEANUP(buf_done) struct buf body;
    struct cursor c;
    buf_init(&body, 64);
    put_u64(&body, before);
    put_u32(&body, (uint32_t)limit);
    enum err_code code = call(of(s), OBJECTS_TRAIL_READ, &body, &c, err);
    uint64_t next = code ? 0 : cursor_u64(&c);
    if (!code)
        code = take_records(&c, arena, ret, ret_count, err);
    if (!code)
        *ret_next = next;
    large_body_close(&of(s)->answer);
    return code;
}

static uint64_t generation(struct object_store *s)
{
    struct remote_objects *r = of(s);
    struct cursor c;
    struct err unwanted;
    if (call(r, OBJECTS_GENERATION, NULL, &c, &unwanted) == ERR_NONE) {
        uint64_t now = cursor_u64(&c);
        r->generation = cursor_done(&c) ? now : r->generation;
    }
    return r->generation;
}

static void close_store(struct object_store *s)
{
    rollback(s);
    large_body_close(&of(s)->answer);
    free(s);
}

struct object_store *remote_objects_new(const int *fd)
{
    static const struct object_store_ops ops = {.begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .put = put,
                                                .remove = remove_object,
                                                .list = list,
                                                .get = get,
                                                .find = find,
                                                .generation = generation,
                                                .close = close_store,
                                                .trail_add = trail_add,
                                                .trail_read = trail_read};
    struct remote_objects *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->store.ops = &ops;
    r->fd = fd;
    return &r->store;
}
