/*
 * frame.c: sending and receiving frames, descriptors included.
 *
 * Invariants: a descriptor that arrives is either handed out in the frame or closed; a truncated datagram or
 * control message is FRAME_BAD, never half a frame.
 */
#include "runtime/frame.h"

#include "base/cursor.h"
#include "runtime/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FRAME_MAGIC = 0x4d52, FRAME_VERSION = 1, FRAME_HEADER = 16, FRAME_PARTS_MAX = 14 };

enum err_code frame_pair(int ret_fds[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
        return err_errno(err, errno, "cannot make a socket pair");
    for (int i = 0; i < 2; i++) {
        int size = 4 * 1024 * 1024; /* as root this is granted; otherwise the default stays, which is enough */
        IGNORE_RESULT(setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size));
    }
    return ERR_NONE;
}

static void encode_header(char header[static FRAME_HEADER], uint16_t type, uint64_t id)
{
    memset(header, 0, FRAME_HEADER);
    const uint64_t values[] = {FRAME_MAGIC, FRAME_VERSION, type, 0, id};
    static const size_t widths[] = {2, 2, 2, 2, 8};
    for (size_t i = 0, at = 0; i < ARRAY_LEN(values); at += widths[i++])
        for (size_t b = 0; b < widths[i]; b++)
            header[at + b] = (char)(values[i] >> (8 * b));
}

enum frame_status frame_send(int fd, uint16_t type, uint64_t id, const struct span *parts, size_t count,
                             const int *fds, size_t fd_count)
{
    ASSERT(count <= FRAME_PARTS_MAX && fd_count <= FRAME_FDS_MAX);
    char header[FRAME_HEADER];
    encode_header(header, type, id);
    struct iovec iov[FRAME_PARTS_MAX + 1] = {{header, sizeof header}};
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        iov[i + 1] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
        if (parts[i].len > FRAME_BODY_MAX - total)
            return FRAME_BAD;
        total += parts[i].len;
    }
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count + 1};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
    if (fd_count) {
        memset(control, 0, sizeof control);
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    ssize_t n;
    do
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return FRAME_OK;
    if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
        return FRAME_AGAIN;
    return errno == EMSGSIZE ? FRAME_BAD : FRAME_CLOSED;
}

static void take_fds(struct msghdr *msg, struct frame *f)
{
    f->fd_count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (f->fd_count < FRAME_FDS_MAX)
                f->fds[f->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

enum frame_status frame_receive(int fd, char buffer[static FRAME_BUFFER], struct frame *ret)
{
    struct iovec iov = {buffer, FRAME_BUFFER};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n;
    do
        n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? FRAME_AGAIN : FRAME_CLOSED;
    struct frame f = {0};
    take_fds(&msg, &f);
    if (n == 0) {
        frame_close_fds(&f);
        return FRAME_CLOSED;
    }
    struct cursor c = cursor_of(span_make(buffer, (size_t)n));
    uint16_t magic = cursor_u16(&c), version = cursor_u16(&c);
    f.type = cursor_u16(&c);
    cursor_u16(&c); /* reserved */
    f.id = cursor_u64(&c);
    f.body = c.rest;
    if (!cursor_ok(&c) || magic != FRAME_MAGIC || version != FRAME_VERSION ||
        (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        frame_close_fds(&f);
        return FRAME_BAD;
    }
    *ret = f;
    return FRAME_OK;
}

void frame_close_fds(struct frame *f)
{
    for (size_t i = 0; i < f->fd_count; i++)
        if (f->fds[i] >= 0)
            close(f->fds[i]);
    f->fd_count = 0;
}

int frame_take_fd(struct frame *f, size_t i)
{
    if (i >= f->fd_count)
        return -1;
    int fd = f->fds[i];
    f->fds[i] = -1;
    return fd;
}

static enum err_code wait_ready(int fd, short events, int64_t deadline, struct err *err)
{
    for (;;) {
        int64_t left = deadline - clock_mono_ms();
        if (left <= 0)
            return err_set(err, ERR_UNAVAILABLE, "the server did not answer in time; try again");
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return ERR_NONE;
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "poll");
    }
}

enum err_code frame_call(int fd, uint16_t type, struct span body, const int *fds, size_t fd_count, int timeout_ms,
                         char buffer[static FRAME_BUFFER], struct frame *ret, struct err *err)
{
    static uint64_t last_id;
    uint64_t id = ++last_id;
    int64_t deadline = clock_mono_ms() + timeout_ms;
    enum frame_status st;
    enum err_code code;
    while ((st = frame_send(fd, type, id, &body, 1, fds, fd_count)) == FRAME_AGAIN)
        if ((code = wait_ready(fd, POLLOUT, deadline, err)))
            return code;
    while (st == FRAME_OK) {
        st = frame_receive(fd, buffer, ret);
        if (st == FRAME_OK && ret->id == id)
            return ERR_NONE;
        if (st == FRAME_OK) { /* the late answer to a question that nobody asks any more */
            frame_close_fds(ret);
        } else if (st == FRAME_AGAIN) {
            if ((code = wait_ready(fd, POLLIN, deadline, err)))
                return code;
            st = FRAME_OK;
        }
    }
    return st == FRAME_CLOSED
               ? err_set(err, ERR_UNAVAILABLE, "the part of the server that knows this is restarting; try again")
               : err_set(err, ERR_INTERNAL, "a message between the server's processes was malformed or too large");
}
