/*
 * Listening sockets: an address that another process listens on is not shared, is said once and opened when it is
 * free; our own sockets, also those on overlapping addresses, are no such obstacle.
 */
#include "check.h"

#include "role/supervisor/internal.h"
#include "runtime/log.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct supervisor s;
static int log_fd; /* what was logged */

/* No child is started here, so none is told anything. */
void children_tell(struct supervisor *x, enum role_kind kind, uint16_t type, struct span body)
{
    (void)x;
    (void)kind;
    (void)type;
    (void)body;
}

static int make(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    s.receivers = 2;
    s.serving = true;
    s.retry.data = &s;
    return uv_loop_init(&s.loop) || uv_timer_init(&s.loop, &s.retry);
}

static int drop(void **state)
{
    (void)state;
    listeners_close(&s);
    uv_close((uv_handle_t *)&s.retry, NULL);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&s.loop);
}

static struct ip_endpoint at(uint8_t first, uint8_t last, uint16_t port)
{
    return (struct ip_endpoint){ip_v4(first, 0, 0, last), port};
}

/* A listening socket as another server makes it: with SO_REUSEPORT. Port 0: any; the port. */
static int listen_as_another(uint8_t last, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    a.sin_addr.s_addr = htonl(last ? 0x7f000000u + last : 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* A port on which nobody listens, now. */
static uint16_t unused_port(void)
{
    uint16_t port = 0;
    close(listen_as_another(0, &port));
    return port;
}

static bool holds(struct ip_endpoint e)
{
    for (size_t i = 0; i < s.listener_count; i++)
        if (ip_cmp(s.listeners[i].endpoint.addr, e.addr) == 0 && s.listeners[i].endpoint.port == e.port)
            return true;
    return false;
}

static int logged(const char *text)
{
    static char all[65536];
    ssize_t n = pread(log_fd, all, sizeof all - 1, 0);
    int count = 0;
    assert_true(n >= 0);
    all[n] = '\0';
    for (const char *p = all; (p = strstr(p, text)); p++)
        count++;
    return count;
}

static void another_process_listens(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t theirs, first, last; /* they are on 127.0.0.theirs (0: all), we want first.0.0.last */
        bool free;
    } rows[] = {
        {"the same address", 1, 127, 1, false},
        {"they have one of all that we want", 1, 0, 0, false},
        {"they have all, we want one", 0, 127, 1, false},
        {"both all", 0, 0, 0, false},
        {"another address", 2, 127, 1, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t port = 0;
        int theirs = listen_as_another(rows[i].theirs, &port);
        struct ip_endpoint e = at(rows[i].first, rows[i].last, port);
        listeners_set(&s, &e, 1);
        CHECK_INT(rows[i].name, holds(e), rows[i].free);
        CHECK_INT(rows[i].name, uv_is_active((uv_handle_t *)&s.retry), !rows[i].free);
        listeners_set(&s, &e, 0);
        CHECK_INT(rows[i].name, s.listener_count, 0);
        CHECK_INT(rows[i].name, uv_is_active((uv_handle_t *)&s.retry), false);
        close(theirs);
    }
}

static void tried_again_and_said_once(void **state)
{
    (void)state;
    uint16_t port = 0;
    int theirs = listen_as_another(1, &port);
    struct ip_endpoint wanted[] = {at(127, 1, port), at(127, 1, unused_port())};
    char text[IP_ENDPOINT_TEXT_MAX + 32], ip[IP_ENDPOINT_TEXT_MAX];
    snprintf(text, sizeof text, "cannot listen on %s", ip_print_endpoint(wanted[0], ip));
    listeners_set(&s, wanted, 2);
    assert_int_equal(s.listener_count, 1); /* the other one is not taken down */
    assert_int_equal(s.wanted_count, 2);
    listeners_open_missing(&s);
    listeners_set(&s, wanted, 2); /* another change of the policy */
    assert_int_equal(s.listener_count, 1);
    assert_int_equal(logged(text), 1);
    close(theirs);
    assert_true(uv_is_active((uv_handle_t *)&s.retry));
    listeners_open_missing(&s);
    assert_int_equal(s.listener_count, 2);
    assert_false(uv_is_active((uv_handle_t *)&s.retry));
}

static void our_own_are_no_obstacle(void **state)
{
    (void)state;
    const uint16_t port = unused_port();
    const struct ip_endpoint one = at(127, 1, port), all = at(0, 0, port), both[] = {one, all};
    static const struct {
        const char *name;
        int first, second; /* 1: one address, 2: all, 3: both */
    } rows[] = {
        {"one, then both", 1, 3}, {"all, then both", 2, 3}, {"both at once", 3, 3},
        {"one, then all", 1, 2},  {"all, then one", 2, 1},  {"both, then one", 3, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int receive_has_it = -1;
        for (int step = 0; step < 2; step++) {
            int what = step ? rows[i].second : rows[i].first;
            listeners_set(&s, what == 2 ? &all : both, what == 3 ? 2 : 1);
            CHECK_INT(rows[i].name, s.listener_count, what == 3 ? 2 : 1);
            /* A receive process lets go of its copy a little later than the supervisor does. */
            if (!step)
                receive_has_it = dup(s.listeners[0].fds[1]);
        }
        close(receive_has_it);
    }
}

static void not_before_all_roles_are_up(void **state)
{
    (void)state;
    struct ip_endpoint e = at(127, 1, unused_port());
    s.serving = false;
    listeners_set(&s, &e, 1);
    assert_int_equal(s.listener_count, 0);
    assert_int_equal(s.wanted_count, 1);
    listeners_open_missing(&s);
    assert_int_equal(s.listener_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_process_listens, make, drop),
        cmocka_unit_test_setup_teardown(tried_again_and_said_once, make, drop),
        cmocka_unit_test_setup_teardown(our_own_are_no_obstacle, make, drop),
        cmocka_unit_test_setup_teardown(not_before_all_roles_are_up, make, drop),
    };
    /* The log opens its own handle on standard error; the test's messages go on to where they went. */
    int terminal = dup(STDERR_FILENO);
    log_fd = memfd_create("log", MFD_CLOEXEC);
    if (terminal < 0 || log_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        return EXIT_FAILURE;
    log_init("supervisor");
    dup2(terminal, STDERR_FILENO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
