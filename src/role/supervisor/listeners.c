/*
 * listeners.c: the listening sockets. The supervisor alone may bind low ports; the receive processes get the
 * sockets.
 *
 * Invariants: a socket stays open here as long as its endpoint is wanted, so connections that wait in it survive
 * the death of the receive process that accepts from it. An endpoint that cannot be opened never takes the others
 * down: it stays wanted and is tried again every RETRY_MS; its reason is logged when it changes.
 *
 * SO_REUSEPORT, which gives each receive process its own socket, would also let a second server of the same user
 * share our ports, and the kernel would split the clients between the two. So a socket without it is bound first:
 * that fails while anybody listens. It would fail for our own sockets just as well, hence the list of these is
 * asked before. Addresses that stand for all of a family come first, so that our own specific ones are not in their
 * way.
 */
#include "role/supervisor/internal.h"

#include "base/cursor.h"
#include "runtime/clock.h"
#include "runtime/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096, RETRY_MS = 5000, LET_GO_MS = 2000 };

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

/* A socket bound to the endpoint, or -1 with errno. */
static int bind_socket(struct ip_endpoint e, bool shared)
{
    struct sockaddr_storage address;
    socklen_t len = to_sockaddr(e, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
        (address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, len) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int open_socket(struct ip_endpoint e, bool shared)
{
    int fd = bind_socket(e, shared);
    if (fd >= 0 && listen(fd, LISTEN_BACKLOG) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int listeners_bind(struct ip_endpoint e)
{
    return open_socket(e, false);
}

static bool same(struct ip_endpoint a, struct ip_endpoint b)
{
    return a.port == b.port && ip_cmp(a.addr, b.addr) == 0;
}

/* Whether a socket on one is in the way of one on the other: the same, or one of them on all addresses. */
static bool overlap(struct ip_endpoint a, struct ip_endpoint b)
{
    return a.port == b.port && ip_is_v4(a.addr) == ip_is_v4(b.addr) &&
           (ip_cmp(a.addr, b.addr) == 0 || ip_is_any(a.addr) || ip_is_any(b.addr));
}

/* Whether a socket of ours would make the probe fail. */
static bool in_our_way(const struct supervisor *s, struct ip_endpoint e)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (overlap(s->listeners[i].endpoint, e))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(s->let_go); i++)
        if (s->let_go[i].until_ms > clock_mono_ms() && overlap(s->let_go[i].endpoint, e))
            return true;
    return false;
}

/* errno of the attempt to have the endpoint for ourselves, 0 when nobody else listens there. */
static int probe(struct ip_endpoint e)
{
    int fd = bind_socket(e, false);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static void listener_close(struct supervisor *s, struct listener *l)
{
    for (uint32_t i = 0; i < s->receivers; i++)
        if (l->fds[i] >= 0)
            close(l->fds[i]);
}

/* All sockets of the endpoint, or none: then errno. */
static int open_all(struct supervisor *s, struct listener *l)
{
    int failure = in_our_way(s, l->endpoint) ? 0 : probe(l->endpoint);
    for (uint32_t i = 0; i < s->receivers; i++)
        l->fds[i] = -1;
    for (uint32_t i = 0; !failure && i < s->receivers; i++) {
        l->fds[i] = open_socket(l->endpoint, true);
        if (l->fds[i] < 0)
            failure = errno;
    }
    if (failure)
        listener_close(s, l);
    return failure;
}

static const char *advice(int failure)
{
    if (failure == EACCES)
        return " (ports below 1024 need root or CAP_NET_BIND_SERVICE; or use --port-offset)";
    return failure == EADDRINUSE ? " (another process listens there)" : "";
}

static bool listener_open(struct supervisor *s, struct wanted *w)
{
    struct listener l = {.endpoint = w->endpoint};
    char text[IP_ENDPOINT_TEXT_MAX];
    ip_print_endpoint(w->endpoint, text);
    int failure = open_all(s, &l);
    if (failure) {
        if (failure != w->failure)
            log_text(LOG_ERROR, "listen-failed", "cannot listen on %s: %s%s; it is tried again every %d s", text,
                     strerror(failure), advice(failure), RETRY_MS / 1000);
        w->failure = failure;
        return false;
    }
    w->failure = 0;
    struct log_line line = log_begin(LOG_INFO, "listen");
    log_str(&line, "endpoint", text);
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

static struct wanted *find_wanted(struct supervisor *s, struct ip_endpoint e)
{
    for (size_t i = 0; i < s->wanted_count; i++)
        if (same(s->wanted[i].endpoint, e))
            return &s->wanted[i];
    return NULL;
}

static bool is_open(const struct supervisor *s, struct ip_endpoint e)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (same(s->listeners[i].endpoint, e))
            return true;
    return false;
}

static void let_go(struct supervisor *s, struct listener *l)
{
    s->let_go[s->let_go_next] = (struct let_go){l->endpoint, clock_mono_ms() + LET_GO_MS};
    s->let_go_next = (s->let_go_next + 1) % ARRAY_LEN(s->let_go);
    listener_close(s, l);
}

static void close_unwanted(struct supervisor *s)
{
    for (size_t i = 0; i < s->listener_count;) {
        struct listener *l = &s->listeners[i];
        if (find_wanted(s, l->endpoint)) {
            i++;
            continue;
        }
        struct buf b;
        char text[IP_ENDPOINT_TEXT_MAX];
        buf_init(&b, 128);
        put_bytes(&b, span_of(ip_print_endpoint(l->endpoint, text)));
        children_tell(s, ROLE_RECEIVE, CONTROL_UNLISTEN, buf_span(&b));
        buf_done(&b);
        let_go(s, l);
        *l = s->listeners[--s->listener_count];
    }
}

static void on_retry(uv_timer_t *t)
{
    listeners_open_missing(t->data);
}

void listeners_open_missing(struct supervisor *s)
{
    for (int any = 1; any >= 0; any--)
        for (size_t i = 0; i < s->wanted_count; i++) {
            struct wanted *w = &s->wanted[i];
            if (ip_is_any(w->endpoint.addr) == (bool)any && !is_open(s, w->endpoint) && listener_open(s, w))
                for_each_receiver(s, &s->listeners[s->listener_count - 1]);
        }
    if (s->listener_count == s->wanted_count)
        uv_timer_stop(&s->retry);
    else
        uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
}

void listeners_set(struct supervisor *s, const struct ip_endpoint *endpoints, size_t count)
{
    static struct wanted fresh[SUPERVISOR_LISTENERS_MAX];
    ASSERT(count <= SUPERVISOR_LISTENERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct wanted *known = find_wanted(s, endpoints[i]);
        fresh[i] = (struct wanted){endpoints[i], known ? known->failure : 0};
    }
    memcpy(s->wanted, fresh, count * sizeof *fresh);
    s->wanted_count = count;
    close_unwanted(s);
    if (s->serving)
        listeners_open_missing(s);
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
    s->listener_count = s->wanted_count = 0;
    uv_timer_stop(&s->retry);
}
