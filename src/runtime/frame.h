/*
 * frame.h: one message between two processes over a SOCK_SEQPACKET socket pair: the kernel keeps the boundaries, so
 * there is no stream to reassemble, and a descriptor travels with exactly the frame that names it.
 *
 * A frame is a 16-byte header (magic and version, type, id) and a body in the forms of base/cursor.h. The body of a
 * received frame points into the caller's buffer.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

enum {
    FRAME_BODY_MAX = 144 * 1024, /* below Linux' default socket buffer, so that no frame can be unsendable */
    FRAME_FDS_MAX = 4,
};

struct frame {
    uint16_t type;
    uint64_t id; /* 0 where nothing is answered */
    struct span body;
    int fds[FRAME_FDS_MAX];
    size_t fd_count;
};

/* A connected pair, both ends close-on-exec and non-blocking. */
enum err_code frame_pair(int ret_fds[2], struct err *err);

enum frame_status {
    FRAME_OK,
    FRAME_AGAIN,  /* nothing there, or no room now */
    FRAME_CLOSED, /* the other end is gone */
    FRAME_BAD,    /* not a frame of ours: the link is to be closed */
};

/*
 * Sends type, id and the concatenation of the parts, with the descriptors (which stay the caller's). FRAME_BAD when
 * the body is longer than FRAME_BODY_MAX.
 */
enum frame_status frame_send(int fd, uint16_t type, uint64_t id, const struct span *parts, size_t count,
                             const int *fds, size_t fd_count);
/*
 * Receives one frame into buffer[0..FRAME_BUFFER). Descriptors in ret belong to the caller (close-on-exec set).
 */
enum { FRAME_BUFFER = FRAME_BODY_MAX + 16 };
enum frame_status frame_receive(int fd, char buffer[static FRAME_BUFFER], struct frame *ret);

/* Closes what fds a frame still carries (those set to -1 were taken). */
void frame_close_fds(struct frame *f);
/* Takes descriptor i out of the frame: the caller owns it now; -1 when there is none. */
int frame_take_fd(struct frame *f, size_t i);

/*
 * A question and its answer on a link that serves nothing else, blocking for at most timeout_ms: for work outside
 * the mail path only (the shell). The descriptors go with the question and stay the caller's. The answer's body
 * lies in buffer, its descriptors are the caller's. The answer to an earlier question, which came after its
 * deadline, is passed over. One thread of a process calls.
 */
enum err_code frame_call(int fd, uint16_t type, struct span body, const int *fds, size_t fd_count, int timeout_ms,
                         char buffer[static FRAME_BUFFER], struct frame *ret, struct err *err);
