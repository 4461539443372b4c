/*
 * smtp_connection.c: a connection's life: connect, talk, rest in the pool, talk again, close.
 *
 * The client machine's actions only set marks and gather text (smtp_stream.c); smtp_connection_after acts on them
 * when the machine has returned, and is the one place that starts TLS, reports to the owner, and rests or closes
 * the connection. Invariants: `owner` is NULL when the connection rests or is over; a connection in the pool has
 * state TALKING and an idle machine; the structure is freed when both handles are closed, so it outlives every call
 * in which it closes itself.
 */
#include "delivery/smtp_internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { ARENA_MAX = 65536, OUT_MAX = 4 << 20, FAILURE_TEXT_MAX = 2048, PASSWORD_MAX = 4096, CLOSING_MS = 5000 };

bool smtp_connection_name_valid(struct span name)
{
    return name.len > 0 && name.len <= 255 && span_is_printable_ascii(name) && span_find(name, ' ') == SIZE_MAX;
}

int64_t smtp_connection_now(const struct smtp_connection *c)
{
    return (int64_t)uv_now(c->engine->options.loop);
}

/* ---- the end ---- */

static void free_memory(struct smtp_connection *c)
{
    tls_conn_free(c->tls);
    smtp_client_free(c->client);
    buf_wipe(&c->out); /* may have held credentials, where those may go in the clear */
    buf_wipe(&c->sending);
    buf_done(&c->failure_text);
    secret_done(&c->password);
    arena_clear(&c->arena);
    free(c);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct smtp_connection *c = h->data;
    struct delivery_engine *e = c->engine;
    if (--c->handles > 0)
        return;
    free_memory(c);
    e->connection_count--;
    delivery_engine_settle(e);
}

static void close_handles(struct smtp_connection *c)
{
    if (c->state == CONNECTION_CLOSED)
        return;
    smtp_pool_remove(c);
    smtp_log_closed(c);
    c->state = CONNECTION_CLOSED;
    uv_close(&c->socket.handle, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

/* Nothing more is read; what is written may still leave, for a short time. */
static void begin_closing(struct smtp_connection *c)
{
    if (c->state != CONNECTION_TALKING)
        return;
    smtp_pool_remove(c);
    c->state = CONNECTION_CLOSING;
    c->deadline = smtp_connection_now(c) + CLOSING_MS;
    uv_read_stop(&c->socket.stream);
    if (c->tls_done)
        tls_shutdown(c->tls);
}

void smtp_connection_abandon(struct smtp_connection *c)
{
    c->owner = NULL;
    close_handles(c);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer);

static void rearm(struct smtp_connection *c)
{
    bool machine = c->state == CONNECTION_TALKING && !c->resting && !(c->tls && !c->tls_done);
    int64_t at = machine ? smtp_client_deadline(c->client) : c->deadline;
    int64_t wait = at == INT64_MAX ? at : at - smtp_connection_now(c);
    if (at == INT64_MAX)
        uv_timer_stop(&c->timer);
    else
        uv_timer_start(&c->timer, on_timer, wait > 0 ? (uint64_t)wait : 0, 0);
}

static void fail_connect(struct smtp_connection *c, const char *why)
{
    char text[IP_ENDPOINT_TEXT_MAX];
    void *owner = c->owner;
    buf_clear(&c->failure_text);
    buf_addf(&c->failure_text, "cannot connect to %.*s", SPAN_ARG(c->host));
    if (!c->local)
        buf_addf(&c->failure_text, " (%s)", ip_print_endpoint(c->endpoint, text));
    buf_addf(&c->failure_text, ": %s", why);
    smtp_log_trouble(c, buf_span(&c->failure_text));
    c->failure = (struct delivery_result){
        .outcome = DELIVERY_TEMPORARY,
        .enhanced = SPAN("4.4.1"),
        .text = buf_span(&c->failure_text),
        .stage = "connect",
        .connection_fault = true,
    };
    c->owner = NULL;
    close_handles(c);
    if (owner)
        c->calls->failed(owner, &c->failure, false);
}

static void on_timer(uv_timer_t *timer)
{
    struct smtp_connection *c = timer->data;
    int64_t now = smtp_connection_now(c);
    switch (c->state) {
    case CONNECTION_CONNECTING: fail_connect(c, "timed out"); return;
    case CONNECTION_CLOSING: close_handles(c); return;
    case CONNECTION_CLOSED: return;
    case CONNECTION_TALKING: break;
    }
    if (c->resting) {
        smtp_pool_remove(c);
        smtp_client_quit(c->client, now);
    } else if (c->tls && !c->tls_done) {
        smtp_log_trouble(c, SPAN("the TLS handshake timed out"));
        smtp_client_lost(c->client, SPAN("the TLS handshake timed out"), now);
    } else {
        if (now >= smtp_client_deadline(c->client))
            smtp_log_trouble(c, SPAN("timed out while waiting for the server"));
        smtp_client_tick(c->client, now);
    }
    smtp_connection_after(c);
}

/* ---- what follows from the machine's marks ---- */

static void act(struct smtp_connection *c)
{
    if (c->state == CONNECTION_CLOSED)
        return;
    if (c->tls_wanted) {
        c->tls_wanted = false;
        smtp_stream_start_tls(c);
    }
    smtp_stream_pump_body(c);
    if (!smtp_stream_flush(c)) {
        c->broken = true;
        smtp_client_lost(c->client, SPAN("the connection takes no data"), smtp_connection_now(c));
    }
    if (c->close_wanted) {
        begin_closing(c);
        IGNORE_RESULT(smtp_stream_flush(c)); /* TLS's last word, if it can be said */
    }
    if (c->close_wanted && (c->broken || !c->writing))
        close_handles(c);
    else
        rearm(c);
}

/* Says QUIT and closes without waiting for the reply. */
static void dismiss(struct smtp_connection *c)
{
    smtp_client_quit(c->client, smtp_connection_now(c));
    c->close_wanted = true;
    act(c);
}

/* After a message: into the pool, or QUIT. */
static void rest(struct smtp_connection *c)
{
    struct delivery_engine *e = c->engine;
    c->messages++;
    if (!smtp_client_idle(c->client) || c->close_wanted)
        return;
    if (e->closing) {
        dismiss(c);
        return;
    }
    if (e->options.idle_ms < 0 || c->messages >= e->options.max_messages) {
        smtp_client_quit(c->client, smtp_connection_now(c));
    } else {
        c->deadline = smtp_connection_now(c) + c->idle_ms;
        struct smtp_connection *oldest = smtp_pool_add(c);
        if (oldest)
            dismiss(oldest);
    }
    if (c->state == CONNECTION_TALKING)
        act(c);
}

void smtp_connection_after(struct smtp_connection *c)
{
    act(c);
    enum connection_end ended = c->ended;
    void *owner = c->owner;
    if (ended == ENDED_NOT && owner && c->close_wanted) {
        /* A resting connection died before the message was given to the machine. */
        c->failure = (struct delivery_result){.outcome = DELIVERY_TEMPORARY,
                                              .enhanced = SPAN("4.4.2"),
                                              .text = SPAN("the connection was lost before the message"),
                                              .stage = "connect",
                                              .connection_fault = true};
        ended = ENDED_FAILED;
    }
    if (ended == ENDED_NOT)
        return;
    c->ended = ENDED_NOT;
    c->body_open = false;
    c->owner = NULL;
    if (ended == ENDED_DONE)
        rest(c);
    if (owner && ended == ENDED_DONE)
        c->calls->done(owner);
    else if (owner)
        c->calls->failed(owner, &c->failure, c->tls_broke);
}

void smtp_connection_close_idle(struct delivery_engine *e)
{
    while (e->idle_first) {
        struct smtp_connection *c = e->idle_first;
        smtp_pool_remove(c);
        dismiss(c);
    }
}

/* ---- the beginning ---- */

void smtp_connection_send(struct smtp_connection *c, const struct smtp_load *load, const struct smtp_owner *calls,
                          void *owner)
{
    int64_t now = smtp_connection_now(c);
    c->load = *load;
    c->calls = calls;
    c->owner = owner;
    if (!smtp_client_send(c->client, &c->load.message, now))
        smtp_client_lost(c->client, SPAN("there is no memory for a message"), now);
    smtp_connection_after(c);
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct smtp_connection *c = connect->data;
    if (c->state == CONNECTION_CLOSED)
        return;
    if (status == 0)
        status = smtp_stream_start(c);
    if (status < 0) {
        fail_connect(c, uv_strerror(status));
        return;
    }
    smtp_log_connected(c);
    c->client = smtp_client_new(&c->client_options, smtp_stream_actions(c), c, smtp_connection_now(c));
    if (!c->client) {
        fail_connect(c, "the session cannot begin: no memory, or a control character in the user's name");
        return;
    }
    c->state = CONNECTION_TALKING;
    struct smtp_load load = c->load;
    smtp_connection_send(c, &load, c->calls, c->owner);
}

/* For how long the other side may be silent. The farewell is not worth more, whatever the limit. */
static struct smtp_client_timeouts timeouts_of(const struct delivery_timeouts *ms, int64_t inactivity_ms)
{
    int64_t n = inactivity_ms;
    return (struct smtp_client_timeouts){.greeting = n ? n : ms->greeting,
                                         .command = n ? n : ms->command,
                                         .data_init = n ? n : ms->data_init,
                                         .data_block = n ? n : ms->data_block,
                                         .data_end = n ? n : ms->data_end,
                                         .quit = n && n < ms->quit ? n : ms->quit};
}

static bool copy_target(struct smtp_connection *c, const struct smtp_target *t)
{
    static const enum smtp_client_tls tls_of[] = {
        [HOP_CLEAR] = SMTP_CLIENT_TLS_NONE,
        [HOP_ENCRYPT] = SMTP_CLIENT_TLS_OPPORTUNISTIC,
        [HOP_MUST] = SMTP_CLIENT_TLS_REQUIRED,
    };
    c->key = arena_dup(&c->arena, t->key);
    c->host = arena_dup(&c->arena, t->host);
    c->local = t->local;
    c->endpoint = t->endpoint;
    c->hop = t->hop;
    c->hop.domain = arena_dup(&c->arena, t->hop.domain);
    c->client_options = (struct smtp_client_options){
        .lmtp = t->lmtp,
        .force_helo = t->force_helo,
        .require_tls = t->hop.require_tls,
        .auth_without_tls = t->auth_without_tls,
        .tls = tls_of[t->hop.level],
        .helo_name = arena_dup(&c->arena, t->helo_name),
        .own_name = arena_dup(&c->arena, t->own_name),
        .user = arena_dup(&c->arena, t->user),
        .password = &c->password,
        .timeouts = timeouts_of(&c->engine->options.timeouts, t->inactivity_ms),
    };
    c->idle_ms = c->engine->options.idle_ms;
    if (t->inactivity_ms > 0 && t->inactivity_ms < c->idle_ms)
        c->idle_ms = t->inactivity_ms;
    secret_init(&c->password, PASSWORD_MAX);
    bool secret = !t->password || secret_set(&c->password, secret_reveal(t->password));
    return c->key.ptr && c->host.ptr && c->hop.domain.ptr && c->client_options.helo_name.ptr &&
           c->client_options.own_name.ptr && c->client_options.user.ptr && secret && smtp_log_open(c, t->log_name);
}

static struct smtp_connection *connection_new(struct delivery_engine *e, const struct smtp_target *target)
{
    struct smtp_connection *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->engine = e;
    arena_init(&c->arena, ARENA_MAX);
    buf_init(&c->out, OUT_MAX);
    buf_init(&c->sending, OUT_MAX);
    buf_init(&c->failure_text, FAILURE_TEXT_MAX);
    bool ok = copy_target(c, target);
    uv_loop_t *loop = e->options.loop;
    if (!ok || (c->local ? uv_pipe_init(loop, &c->socket.pipe, 0) : uv_tcp_init(loop, &c->socket.tcp)) < 0) {
        free_memory(c);
        return NULL;
    }
    uv_timer_init(loop, &c->timer);
    c->handles = 2;
    c->socket.handle.data = c->timer.data = c->connect.data = c->write.data = c;
    e->connection_count++;
    return c;
}

/* 0 or a uv error. */
static int connect_socket(struct smtp_connection *c)
{
    struct ip_endpoint to = c->endpoint;
    if (c->local) {
        if (c->host.len >= sizeof((struct sockaddr_un *)0)->sun_path)
            return UV_ENAMETOOLONG;
        uv_pipe_connect(&c->connect, &c->socket.pipe, c->host.ptr, on_connect); /* arena_dup put a NUL behind it */
        return 0;
    }
    uv_tcp_nodelay(&c->socket.tcp, 1);
    if (ip_is_v4(to.addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(to.port)};
        memcpy(&in.sin_addr, to.addr.bytes + 12, sizeof in.sin_addr);
        return uv_tcp_connect(&c->connect, &c->socket.tcp, (const struct sockaddr *)&in, on_connect);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(to.port)};
    memcpy(&in6.sin6_addr, to.addr.bytes, sizeof in6.sin6_addr);
    return uv_tcp_connect(&c->connect, &c->socket.tcp, (const struct sockaddr *)&in6, on_connect);
}

struct smtp_connection *smtp_connection_open(struct delivery_engine *e, const struct smtp_target *target,
                                             const struct smtp_load *load, const struct smtp_owner *calls,
                                             void *owner, struct delivery_result *ret_failure)
{
    *ret_failure = (struct delivery_result){
        .outcome = DELIVERY_TEMPORARY, .enhanced = SPAN("4.4.1"), .stage = "connect", .connection_fault = true};
    struct smtp_connection *c = connection_new(e, target);
    if (!c) {
        ret_failure->text = SPAN("there is no memory for a connection");
        return NULL;
    }
    int rc = connect_socket(c);
    if (rc < 0) {
        ret_failure->text = span_of(uv_strerror(rc));
        smtp_log_trouble(c, ret_failure->text);
        close_handles(c);
        return NULL;
    }
    e->connects++;
    c->load = *load;
    c->calls = calls;
    c->owner = owner;
    c->deadline = smtp_connection_now(c) + e->options.timeouts.connect;
    rearm(c);
    return c;
}

struct smtp_connection *smtp_connection_take(struct delivery_engine *e, struct span key)
{
    struct smtp_connection *c = smtp_pool_take(e, key);
    if (!c)
        return NULL;
    c->reused = true;
    e->reuses++;
    return c;
}

void smtp_connection_describe(const struct smtp_connection *c, struct arena *arena, struct delivery_report *ret)
{
    char text[IP_TEXT_MAX];
    ret->remote_host = arena_dup(arena, c->host);
    ret->remote_ip = arena_dup(arena, c->local ? c->host : span_of(ip_print(c->endpoint.addr, text)));
    ret->tls = c->tls_outcome;
    ret->tls.version = arena_dup(arena, c->tls_outcome.version);
    ret->tls.cipher = arena_dup(arena, c->tls_outcome.cipher);
    ret->tls.peer = arena_dup(arena, c->tls_outcome.peer);
    const char *failure = smtp_peer_testing(c);
    ret->tls.policy_failure = arena_dup(arena, span_of(failure ? failure : ""));
    ret->dsn_offered = c->client && smtp_client_offers_dsn(c->client);
    ret->reused = c->reused;
}
