/*
 * link.h: a framed connection to another role on the loop, and the questions that wait for answers on it.
 *
 * Sending never blocks: what the socket does not take waits in a bounded backlog; beyond it sending is refused, and
 * the caller slows down (a session stops reading, a request is answered "unavailable"). When the peer dies, every
 * question that waits is answered as lost, at once.
 */
#pragma once

#include "runtime/frame.h"

#include <uv.h>

struct link;

/* A frame that came in. Descriptors that the callee does not take (frame_take_fd) are closed after the call. */
typedef void link_frame_fn(void *context, struct frame *frame);
/* The other end is gone; the link is already closed (link_close was done for you). Called at most once. */
typedef void link_lost_fn(void *context);
/* The answer to a question: frame, or NULL when the peer died, the deadline passed or the link was closed. */
typedef void link_answer_fn(void *context, struct frame *frame);

/* Set in the type of a frame that answers a question: the question's type | LINK_ANSWER, with its id. */
enum { LINK_ANSWER = 0x8000 };
enum { LINK_BACKLOG_MAX = 64 * 1024 * 1024, LINK_QUESTIONS_MAX = 65536 };

/* Takes over fd. on_frame gets frames that answer no question. NULL when memory is out (fd is then closed). */
struct link *link_open(uv_loop_t *loop, int fd, link_frame_fn *on_frame, link_lost_fn *on_lost, void *context);
/* Fails all questions, closes the socket and frees the link (after the loop's next turn). NULL allowed. */
void link_close(struct link *l);

/* ERR_UNAVAILABLE: closed (l may be NULL); ERR_LIMIT: backlog full; ERR_INTERNAL: too large. fds stay the caller's.
 */
NODISCARD enum err_code link_send(struct link *l, uint16_t type, uint64_t id, struct span body, const int *fds,
                                  size_t fd_count);
/* As link_send with a body in two parts, the second (a message body) not copied where the socket takes it at once.
 */
NODISCARD enum err_code link_send2(struct link *l, uint16_t type, uint64_t id, struct span head, struct span tail,
                                   const int *fds, size_t fd_count);
/*
 * Sends a question; its answer is a frame with the same id. ERR_NONE: on_answer will be called exactly once, not
 * before this returns, at the latest after timeout_ms. Otherwise it is never called.
 */
NODISCARD enum err_code link_ask(struct link *l, uint16_t type, struct span head, struct span tail, const int *fds,
                                 size_t fd_count, int64_t timeout_ms, link_answer_fn *on_answer, void *context);
/*
 * A number that no other link of this process ever had: whoever answers later than at once keeps it beside the
 * pointer, since another link may live at the same address by then, and its ids are not those of the dead one.
 */
uint64_t link_serial(const struct link *l);
/* Bytes waiting in the backlog. */
size_t link_backlog(const struct link *l);
