/*
 * submit.c: the socket to which `mailreeve sendmail` speaks. Every user of the machine may connect: who it is, the
 * kernel says, and what it may, the policy. All receive processes accept from the one socket.
 *
 * Invariant: whoever holds the state's lock owns the name; one that is left over from a server that was killed is
 * replaced.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SUBMIT_BACKLOG = 256 };

static bool address(const struct supervisor *s, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "%s/submit.sock", s->state);
    return n > 0 && (size_t)n < sizeof ret->sun_path;
}

/* The descriptor, or -1 with errno. */
static int listen_at(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if ((unlink(a->sun_path) < 0 && errno != ENOENT) || bind(fd, (const struct sockaddr *)a, sizeof *a) < 0 ||
        chmod(a->sun_path, 0666) < 0 || listen(fd, SUBMIT_BACKLOG) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

void submit_hand_over(struct supervisor *s, struct child *receive)
{
    struct buf b;
    if (!s->submit_fd || !receive->control)
        return;
    buf_init(&b, 64);
    put_bytes(&b, SPAN("submit.sock"));
    if (b.failed || link_send(receive->control, CONTROL_LISTEN, 0, buf_span(&b), &s->submit_fd, 1))
        log_text(LOG_ERROR, "listen-failed", "a receive process did not get submit.sock");
    buf_done(&b);
}

void submit_open(struct supervisor *s)
{
    struct sockaddr_un a;
    if (!address(s, &a)) {
        log_text(LOG_ERROR, "listen-failed",
                 "%s/submit.sock is too long for a socket (%zu bytes): mailreeve sendmail cannot reach the server",
                 s->state, sizeof a.sun_path - 1);
        return;
    }
    int fd = listen_at(&a);
    if (fd < 0) {
        log_text(LOG_ERROR, "listen-failed", "cannot listen on %s: %s", a.sun_path, strerror(errno));
        return;
    }
    s->submit_fd = fd;
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].kind == ROLE_RECEIVE && s->children[i].running)
            submit_hand_over(s, &s->children[i]);
}

void submit_close(struct supervisor *s)
{
    struct sockaddr_un a;
    if (!s->submit_fd)
        return;
    close(s->submit_fd);
    s->submit_fd = 0;
    if (address(s, &a))
        unlink(a.sun_path);
}
