/*
 * large_body.h: a frame's body of any size. What fits into a frame travels in it; what does not travels as a sealed
 * memory file, whose descriptor is the only one of a frame with an empty body.
 */
#pragma once

#include "runtime/frame.h"

enum { LARGE_BODY_MAX = 256 * 1024 * 1024 };

/* A body ready to be sent: give part, fds and fd_count to link_send, link_ask or frame_call. */
struct large_body {
    struct span part; /* the body itself, not a copy of it; empty when it travels by descriptor */
    int fds[1];
    size_t fd_count;
};

/*
 * The bytes must stay until they are sent. ERR_LIMIT when there are more than LARGE_BODY_MAX; ERR_IO when no memory
 * file can be made. Give it back with large_body_done.
 */
enum err_code large_body_pack(struct span bytes, struct large_body *ret, struct err *err);
void large_body_done(struct large_body *b); /* safe on a zeroed one, and twice */

/* A body that came in. */
struct large_body_view {
    struct span bytes;
    struct span mapped; /* what is to be unmapped; empty when the bytes lie in the frame */
};

/*
 * The body of a received frame, which stays the caller's with its descriptors, and must stay while an inline body
 * is read. ERR_INVALID: more than max bytes, no sealed memory file, a body and a descriptor, or several; ERR_IO:
 * it cannot be mapped. Give it back with large_body_close.
 */
enum err_code large_body_open(const struct frame *f, size_t max, struct large_body_view *ret, struct err *err);
void large_body_close(struct large_body_view *v); /* safe on a zeroed one, and twice */
