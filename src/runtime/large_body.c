/*
 * large_body.c: bodies inside a frame, or beside it in a sealed memory file.
 *
 * Invariants: there is one form for each size, so a body that fits never costs a descriptor. What is mapped is
 * sealed and no larger than the reader said: the sender can neither change nor shorten it any more.
 */
#include "runtime/large_body.h"

#include "runtime/memory_file.h"

#include <unistd.h>

enum err_code large_body_pack(struct span bytes, struct large_body *ret, struct err *err)
{
    struct large_body b = {.part = bytes};
    if (bytes.len > LARGE_BODY_MAX)
        return err_set(err, ERR_LIMIT, "%zu bytes are more than one message between processes may have (%d)",
                       bytes.len, LARGE_BODY_MAX);
    if (bytes.len > FRAME_BODY_MAX) {
        enum err_code code = memory_file_make("mailreeve-body", bytes, &b.fds[0], err);
        if (code)
            return code;
        b.part = SPAN("");
        b.fd_count = 1;
    }
    *ret = b;
    return ERR_NONE;
}

void large_body_done(struct large_body *b)
{
    if (b->fd_count)
        close(b->fds[0]);
    b->fd_count = 0;
}

enum err_code large_body_open(const struct frame *f, size_t max, struct large_body_view *ret, struct err *err)
{
    struct large_body_view v = {.bytes = f->body};
    if (f->fd_count > 1 || (f->fd_count == 1 && f->body.len))
        return err_set(err, ERR_INVALID, "a body is in the frame or in one memory file, not in both");
    if (f->fd_count) {
        enum err_code code = memory_file_map(f->fds[0], max, &v.mapped, err);
        if (code)
            return code;
        v.bytes = v.mapped;
    }
    if (v.bytes.len > max)
        return err_set(err, ERR_INVALID, "the body has %zu bytes, at most %zu are expected", v.bytes.len, max);
    *ret = v;
    return ERR_NONE;
}

void large_body_close(struct large_body_view *v)
{
    memory_file_unmap(v->mapped);
    *v = (struct large_body_view){0};
}
