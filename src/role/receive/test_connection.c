/*
 * test_connection.c: connections over loopback, with an owner that takes as much as a row says: what is kept comes
 * again, TLS begins with nothing left of the clear, a client that has said all is still answered, and one that does
 * not read is got rid of.
 */
#include "check.h"
#include "role/receive/connection.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct world {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t limit;
    struct connection *connection;
    int client;
    size_t take; /* the owner's appetite for the next input; SIZE_MAX: all */
    struct buf got;
    size_t inputs;
    bool secured, input_ended, closed;
    bool refuses_text; /* whatever comes where a handshake is due */
    struct tls_identity *identity;
    struct tls_context *server_tls, *client_tls;
    struct tls_conn *tls; /* the client's */
    char reason[64];
};

static size_t on_input(void *context, struct span bytes)
{
    struct world *w = context;
    struct span taken = span_head(bytes, w->take);
    buf_add(&w->got, taken);
    w->inputs++;
    return taken.len;
}

static void on_secured(void *context)
{
    ((struct world *)context)->secured = true;
}

static void on_input_ended(void *context)
{
    struct world *w = context;
    assert_false(w->input_ended || w->closed);
    w->input_ended = true;
}

static void on_closed(void *context, const char *reason)
{
    struct world *w = context;
    w->closed = true;
    snprintf(w->reason, sizeof w->reason, "%s", reason ? reason : "");
}

static bool on_no_handshake(void *context, struct span first)
{
    struct world *w = context;
    if (!w->refuses_text)
        return false;
    buf_add(&w->got, first);
    connection_write(w->connection, SPAN("421\r\n"));
    connection_close(w->connection);
    return true;
}

static const struct connection_owner owner = {.input = on_input,
                                              .no_handshake = on_no_handshake,
                                              .secured = on_secured,
                                              .input_ended = on_input_ended,
                                              .closed = on_closed};

static void on_connection(uv_stream_t *listener, int status)
{
    struct world *w = listener->data;
    struct ip_endpoint local, remote;
    assert_int_equal(status, 0);
    w->connection = connection_accept(listener, &owner, w, &local, &remote);
    assert_non_null(w->connection);
    assert_true(ip_is_loopback(local.addr) && ip_is_loopback(remote.addr));
}

static void on_limit(uv_timer_t *t UNUSED)
{
    fail_msg("what the test waits for did not come");
}

/* Runs the loop until the owner has had so many inputs, or, with 0, until the connection is closed. */
static void wait_for(struct world *w, size_t inputs)
{
    uv_timer_start(&w->limit, on_limit, WAIT_MS, 0);
    while (!w->closed && (inputs == 0 || w->inputs < inputs))
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_timer_stop(&w->limit);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof a, small = 4096, fd;
    assert_non_null(w);
    w->take = SIZE_MAX;
    buf_init(&w->got, 1 << 20);
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->limit);
    uv_tcp_init(&w->loop, &w->listener);
    w->listener.data = w;
    assert_int_equal(uv_tcp_bind(&w->listener, (struct sockaddr *)&a, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&w->listener, 1, on_connection), 0);
    assert_int_equal(uv_fileno((uv_handle_t *)&w->listener, &fd), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small),
                     0); /* accepted sockets inherit it */
    assert_int_equal(uv_tcp_getsockname(&w->listener, (struct sockaddr *)&a, &len), 0);
    w->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(w->client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(w->client, (struct sockaddr *)&a, sizeof a), 0);
    uv_timer_start(&w->limit, on_limit, WAIT_MS, 0);
    while (!w->connection)
        uv_run(&w->loop, UV_RUN_ONCE);
    connection_begin(w->connection, NULL);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    if (!w->closed) {
        connection_abort(w->connection, "the test is over");
        wait_for(w, 0);
    }
    if (w->client >= 0)
        close(w->client);
    tls_conn_free(w->tls);
    tls_context_free(w->server_tls);
    tls_context_free(w->client_tls);
    tls_identity_free(w->identity);
    uv_close((uv_handle_t *)&w->listener, NULL);
    uv_close((uv_handle_t *)&w->limit, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0); /* nothing of the connection is left in it */
    buf_done(&w->got);
    free(w);
    return 0;
}

static void say(struct world *w, const char *text)
{
    assert_int_equal(write(w->client, text, strlen(text)), (ssize_t)strlen(text));
}

static void check_got(struct world *w, const char *want)
{
    assert_int_equal(w->got.len, strlen(want));
    assert_memory_equal(w->got.ptr, want, strlen(want));
}

static void test_kept_comes_again(void **state)
{
    struct world *w = *state;
    w->take = 3;
    say(w, "abcdef");
    wait_for(w, 1);
    check_got(w, "abc");
    say(w, "ghi"); /* not read as long as something is kept */
    connection_resume(w->connection);
    check_got(w, "abcdef");
    assert_int_equal(w->inputs, 2);
    w->take = SIZE_MAX;
    wait_for(w, 3);
    check_got(w, "abcdefghi");
}

static void make_tls(struct world *w)
{
    struct buf chain, key;
    struct err err = {0};
    struct span name = SPAN("mail.test");
    buf_init(&chain, 1 << 16);
    buf_init(&key, 1 << 16);
    assert_int_equal(tls_make_self_signed(&name, 1, 0, 1, &chain, &key, &err), ERR_NONE);
    assert_int_equal(tls_identity_load(buf_span(&chain), buf_span(&key), &w->identity, &err), ERR_NONE);
    struct tls_server_options server = {.identity = w->identity, .minimum = TLS_VERSION_1_2};
    struct tls_client_options client = {.minimum = TLS_VERSION_1_2};
    assert_int_equal(tls_server_context_new(&server, &w->server_tls, &err), ERR_NONE);
    assert_int_equal(tls_client_context_new(&client, &w->client_tls, &err), ERR_NONE);
    buf_done(&chain);
    buf_wipe(&key);
}

static void test_starttls_drops_what_is_kept(void **state)
{
    struct world *w = *state;
    make_tls(w);
    w->take = 8;
    say(w, "STARTTLSinjected");
    wait_for(w, 1);
    assert_int_equal(connection_start_tls(w->connection, w->server_tls), strlen("injected"));
    connection_resume(w->connection);
    say(w, "and no handshake");
    wait_for(w, 0); /* the connection fails, and nothing of it was taken for input */
    assert_true(w->closed);
    assert_non_null(strstr(w->reason, "TLS handshake failed"));
    check_got(w, "STARTTLS");
}

/* The owner sees the first octets before TLS does, once, and can still answer in the clear. */
static void test_text_where_a_handshake_is_due(void **state)
{
    struct world *w = *state;
    char text[8] = {0};
    make_tls(w);
    w->take = 8;
    say(w, "STARTTLS");
    wait_for(w, 1);
    w->refuses_text = true;
    connection_start_tls(w->connection, w->server_tls);
    connection_resume(w->connection);
    say(w, "EHLO x\r\n");
    wait_for(w, 0);
    assert_true(w->closed && !w->secured);
    assert_string_equal(w->reason, "");
    check_got(w, "STARTTLSEHLO x\r\n");
    assert_int_equal(w->inputs, 1);
    assert_int_equal(read(w->client, text, sizeof text), 5);
    assert_string_equal(text, "421\r\n");
    assert_int_equal(read(w->client, text, sizeof text), 0);
}

/* ---- the client's end ---- */

/* Runs the loop until the flag is set. */
static void wait_until(struct world *w, const bool *flag)
{
    uv_timer_start(&w->limit, on_limit, WAIT_MS, 0);
    while (!*flag)
        uv_run(&w->loop, UV_RUN_ONCE);
    uv_timer_stop(&w->limit);
}

static void test_reply_after_the_end(void **state)
{
    struct world *w = *state;
    char text[8] = {0};
    say(w, "abc");
    assert_int_equal(shutdown(w->client, SHUT_WR), 0);
    wait_until(w, &w->input_ended);
    check_got(w, "abc");
    connection_resume(w->connection);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_false(w->closed); /* the owner says when */
    connection_write(w->connection, SPAN("250\r\n"));
    connection_close(w->connection);
    wait_for(w, 0);
    assert_string_equal(w->reason, "");
    assert_int_equal(read(w->client, text, sizeof text), 5);
    assert_string_equal(text, "250\r\n");
    assert_int_equal(read(w->client, text, sizeof text), 0);
}

static void test_end_behind_what_is_kept(void **state)
{
    struct world *w = *state;
    w->take = 3;
    say(w, "abcdef");
    assert_int_equal(shutdown(w->client, SHUT_WR), 0);
    wait_for(w, 1);
    for (int i = 0; i < 10; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_false(w->input_ended || w->closed);
    connection_resume(w->connection);
    wait_until(w, &w->input_ended);
    check_got(w, "abcdef");
}

static void test_reset_closes(void **state)
{
    struct world *w = *state;
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(w->client, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(w->client);
    w->client = -1;
    wait_for(w, 0);
    assert_false(w->input_ended);
    assert_string_equal(w->reason, "connection reset by peer");
}

/* What the client's engine has to say goes out, what came goes in. */
static void client_exchange(struct world *w)
{
    char piece[16384];
    struct buf out;
    buf_init(&out, 1 << 16);
    if (tls_output(w->tls, &out))
        assert_int_equal(write(w->client, out.ptr, out.len), (ssize_t)out.len);
    buf_done(&out);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    ssize_t n = recv(w->client, piece, sizeof piece, MSG_DONTWAIT);
    if (n > 0)
        assert_int_not_equal(tls_input(w->tls, span_make(piece, (size_t)n)), TLS_FAILED);
}

static void start_tls(struct world *w)
{
    make_tls(w);
    connection_start_tls(w->connection, w->server_tls);
    assert_true(connection_handshaking(w->connection));
}

static void handshake(struct world *w)
{
    start_tls(w);
    w->tls = tls_connect_new(w->client_tls, SPAN(""));
    assert_non_null(w->tls);
    assert_int_equal(tls_input(w->tls, SPAN("")), TLS_OK);
    uv_timer_start(&w->limit, on_limit, WAIT_MS, 0);
    while (!w->secured || !tls_handshake_done(w->tls))
        client_exchange(w);
    assert_false(connection_handshaking(w->connection));
}

/* A header in the clear, and the client's first flight in the same segment. */
static void test_tls_behind_a_header(void **state)
{
    struct world *w = *state;
    struct buf out;
    make_tls(w);
    w->tls = tls_connect_new(w->client_tls, SPAN(""));
    assert_non_null(w->tls);
    assert_int_equal(tls_input(w->tls, SPAN("")), TLS_OK);
    buf_init(&out, 1 << 16);
    buf_add(&out, SPAN("header"));
    tls_output(w->tls, &out);
    assert_true(out.len > strlen("header"));
    w->take = strlen("header");
    assert_int_equal(write(w->client, out.ptr, out.len), (ssize_t)out.len);
    buf_done(&out);
    wait_for(w, 1);
    connection_begin(w->connection, w->server_tls);
    w->take = SIZE_MAX;
    uv_timer_start(&w->limit, on_limit, WAIT_MS, 0);
    while (!w->secured || !tls_handshake_done(w->tls))
        client_exchange(w);
    uv_timer_stop(&w->limit);
    assert_int_equal(tls_write(w->tls, SPAN("EHLO")), TLS_OK);
    while (w->inputs < 2)
        client_exchange(w);
    check_got(w, "headerEHLO");
}

static void test_reply_after_close_notify(void **state)
{
    struct world *w = *state;
    char text[8] = {0};
    enum tls_status st = TLS_OK;
    size_t n = 0;
    handshake(w);
    assert_int_equal(tls_write(w->tls, SPAN("abc")), TLS_OK);
    tls_shutdown(w->tls);
    while (!w->input_ended)
        client_exchange(w);
    check_got(w, "abc");
    assert_false(w->closed);
    connection_write(w->connection, SPAN("250\r\n"));
    connection_close(w->connection);
    while (st == TLS_OK) { /* until close_notify has come, too */
        client_exchange(w);
        n += tls_read(w->tls, text + n, sizeof text - n, &st);
    }
    assert_int_equal(st, TLS_CLOSED);
    assert_string_equal(text, "250\r\n");
    wait_for(w, 0);
    assert_string_equal(w->reason, "");
}

static void test_end_in_a_handshake_closes(void **state)
{
    struct world *w = *state;
    start_tls(w);
    assert_int_equal(shutdown(w->client, SHUT_WR), 0);
    wait_for(w, 0);
    assert_false(w->input_ended);
    assert_string_equal(w->reason, "");
}

static void test_close_flushes(void **state)
{
    struct world *w = *state;
    char text[8] = {0};
    connection_write(w->connection, SPAN("bye\r\n"));
    connection_close(w->connection);
    wait_for(w, 0);
    assert_true(w->closed);
    assert_string_equal(w->reason, "");
    assert_int_equal(read(w->client, text, sizeof text), 5);
    assert_string_equal(text, "bye\r\n");
    assert_int_equal(read(w->client, text, sizeof text), 0);
}

/* Writes what the client does not read. */
static void fill(struct world *w, size_t pieces)
{
    static const char piece[64 * 1024];
    for (size_t i = 0; i < pieces && !w->closed; i++) {
        connection_write(w->connection, span_make(piece, sizeof piece));
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
}

static void test_unread_output_is_bounded(void **state)
{
    struct world *w = *state;
    fill(w, 1024);
    assert_true(w->closed);
    assert_string_equal(w->reason, "the client does not read its replies");
}

static void test_abort_ends_a_close_that_waits(void **state)
{
    struct world *w = *state;
    fill(w, 2); /* more than the kernel takes, less than the bound */
    connection_close(w->connection);
    uv_run(&w->loop, UV_RUN_NOWAIT);
    assert_false(w->closed);
    connection_abort(w->connection, "enough");
    wait_for(w, 0);
    assert_string_equal(w->reason, "enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_where_a_handshake_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(test_starttls_drops_what_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reply_after_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_behind_what_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_behind_a_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reply_after_close_notify, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_in_a_handshake_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_flushes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unread_output_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_ends_a_close_that_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
