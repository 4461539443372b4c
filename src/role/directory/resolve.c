/*
 * resolve.c: DIRECTORY_RESOLVE: whose an address is, and DIRECTORY_SEND_AS: who may send as its owner. Answered at
 * once.
 *
 * Invariant: every question is answered. What cannot be told is ERR_UNAVAILABLE or worse, never "not found"; only a
 * malformed address is nobody's.
 */
#include "role/directory/internal.h"

#include "base/cursor.h"
#include "role/common/messages.h"
#include "runtime/large_body.h"
#include "runtime/log.h"

static void log_failure(struct span address, const char *why)
{
    struct log_line l = log_begin(LOG_ERROR, "resolve-failed");
    log_span(&l, "address", address);
    log_str(&l, "error", why);
    log_end(&l);
}

/* The answer's body into b, which is empty. */
static void resolve(struct directory *d, struct span address, bool well_formed, struct buf *b)
{
    struct directory_recipient r = {0};
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, MESSAGE_RESOLUTION_MAX);
    enum err_code code = well_formed ? directory_resolve(d, address, &arena, &r, &err) : ERR_NONE;
    message_put_resolution(b, code, &r);
    if (code || b->failed)
        log_failure(address, code ? err.text : "the group has too many members for one answer");
    if (b->failed) {
        buf_clear(b);
        message_put_resolution(b, ERR_LIMIT, &r);
    }
    arena_clear(&arena);
}

void resolve_serve(struct directory *directory, struct link *link, const struct frame *f)
{
    CLEANUP(buf_done) struct buf b;
    struct large_body body;
    struct err err = {0};
    struct cursor c = cursor_of(f->body);
    struct span address = cursor_bytes(&c, DIRECTORY_NAME_MAX);
    buf_init(&b, MESSAGE_RESOLUTION_MAX);
    resolve(directory, address, cursor_done(&c), &b);
    if (large_body_pack(buf_span(&b), &body, &err)) {
        log_failure(address, err.text);
        buf_clear(&b);
        message_put_resolution(&b, err.code, NULL);
        body = (struct large_body){.part = buf_span(&b)};
    }
    enum err_code code = link_send(link, f->type | LINK_ANSWER, f->id, body.part, body.fds, body.fd_count);
    if (code && code != ERR_UNAVAILABLE)
        log_failure(address, "the answer could not be sent");
    large_body_done(&body);
}

void send_as_serve(struct directory *directory, struct link *link, const struct frame *f)
{
    CLEANUP(buf_done) struct buf b;
    struct err err = {0};
    struct cursor c = cursor_of(f->body);
    struct span user = cursor_bytes(&c, DIRECTORY_NAME_MAX), address = cursor_bytes(&c, DIRECTORY_NAME_MAX);
    bool may = false;
    enum err_code code = cursor_done(&c) ? directory_send_as(directory, user, address, &may, &err) : ERR_NONE;
    if (code)
        log_failure(address, err.text);
    buf_init(&b, 16);
    put_u8(&b, (uint8_t)code);
    put_bool(&b, may);
    code = link_send(link, f->type | LINK_ANSWER, f->id, buf_span(&b), NULL, 0);
    if (code && code != ERR_UNAVAILABLE)
        log_failure(address, "the answer could not be sent");
}
