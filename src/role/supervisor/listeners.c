/*
 * listeners.c: the listening sockets. The supervisor alone may bind low ports; the receive processes get the
 * sockets.
 *
 * Invariants: a socket stays open here as long as its endpoint is wanted, so connections that wait in it survive
 * the death of the receive process that accepts from it. A listener that cannot be opened is logged with its reason
 * and tried again when the set is next applied; it never takes the others down.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096 };

static socklen_t to_sockaddr(struct ip_endpoint e, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (ip_is_v4(e.addr)) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        in->sin_family = AF_INET;
        in->sin_port = htons(e.port);
        memcpy(&in->sin_addr, e.addr.bytes + 12, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(e.port);
    memcpy(&in6->sin6_addr, e.addr.bytes, 16);
    return sizeof *in6;
}

static int open_socket(struct ip_endpoint e)
{
    struct sockaddr_storage address;
    socklen_t len = to_sockaddr(e, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
        (address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static void listener_close(struct supervisor *s, struct listener *l)
{
    for (uint32_t i = 0; i < s->receivers; i++)
        if (l->fds[i] >= 0)
            close(l->fds[i]);
}

static bool listener_open(struct supervisor *s, struct ip_endpoint e)
{
    struct listener l = {.endpoint = e};
    char text[IP_ENDPOINT_TEXT_MAX];
    for (uint32_t i = 0; i < s->receivers; i++)
        l.fds[i] = -1;
    for (uint32_t i = 0; i < s->receivers; i++) {
        l.fds[i] = open_socket(e);
        if (l.fds[i] < 0) {
            log_text(LOG_ERROR, "listen-failed", "cannot listen on %s: %s%s", ip_print_endpoint(e, text),
                     strerror(errno),
                     errno == EACCES ? " (ports below 1024 need root or CAP_NET_BIND_SERVICE; or use --port-offset)"
                                     : "");
            listener_close(s, &l);
            return false;
        }
    }
    struct log_line line = log_begin(LOG_INFO, "listen");
    log_str(&line, "endpoint", ip_print_endpoint(e, text));
    log_end(&line);
    s->listeners[s->listener_count++] = l;
    return true;
}

static void hand_over(struct supervisor *s, struct child *receive, const struct listener *l)
{
    struct buf b;
    char text[IP_ENDPOINT_TEXT_MAX];
    buf_init(&b, 128);
    put_bytes(&b, span_of(ip_print_endpoint(l->endpoint, text)));
    ASSERT(!b.failed && receive->index < s->receivers);
    if (receive->control &&
        link_send(receive->control, CONTROL_LISTEN, 0, buf_span(&b), &l->fds[receive->index], 1))
        log_text(LOG_ERROR, "listen-failed", "a receive process did not get the socket of %s", text);
    buf_done(&b);
}

static void for_each_receiver(struct supervisor *s, const struct listener *l)
{
    for (size_t i = 0; i < s->child_count; i++)
        if (s->children[i].kind == ROLE_RECEIVE && s->children[i].running)
            hand_over(s, &s->children[i], l);
}

static bool same(struct ip_endpoint a, struct ip_endpoint b)
{
    return a.port == b.port && ip_cmp(a.addr, b.addr) == 0;
}

static bool listed(const struct ip_endpoint *endpoints, size_t count, struct ip_endpoint e)
{
    for (size_t i = 0; i < count; i++)
        if (same(endpoints[i], e))
            return true;
    return false;
}

static bool is_open(const struct supervisor *s, struct ip_endpoint e)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (same(s->listeners[i].endpoint, e))
            return true;
    return false;
}

static void close_unwanted(struct supervisor *s, const struct ip_endpoint *endpoints, size_t count)
{
    for (size_t i = 0; i < s->listener_count;) {
        struct listener *l = &s->listeners[i];
        if (listed(endpoints, count, l->endpoint)) {
            i++;
            continue;
        }
        struct buf b;
        char text[IP_ENDPOINT_TEXT_MAX];
        buf_init(&b, 128);
        put_bytes(&b, span_of(ip_print_endpoint(l->endpoint, text)));
        children_tell(s, ROLE_RECEIVE, CONTROL_UNLISTEN, buf_span(&b));
        buf_done(&b);
        listener_close(s, l);
        *l = s->listeners[--s->listener_count];
    }
}

void listeners_set(struct supervisor *s, const struct ip_endpoint *endpoints, size_t count)
{
    close_unwanted(s, endpoints, count);
    for (size_t i = 0; i < count; i++)
        if (!is_open(s, endpoints[i]) && s->listener_count < SUPERVISOR_LISTENERS_MAX &&
            listener_open(s, endpoints[i]))
            for_each_receiver(s, &s->listeners[s->listener_count - 1]);
}

void listeners_hand_over(struct supervisor *s, struct child *receive)
{
    for (size_t i = 0; i < s->listener_count; i++)
        hand_over(s, receive, &s->listeners[i]);
}

void listeners_close(struct supervisor *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        listener_close(s, &s->listeners[i]);
    s->listener_count = 0;
}
