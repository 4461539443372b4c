/* test_server.c: the scripted server. One struct test_peer a connection; every reply is written at once. */
#include "delivery/test_server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 8 << 20 };

struct test_peer {
    struct test_peer *next;
    struct test_server *server;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct buf in;
    struct tls_conn *tls;
    bool in_data, garbage, mute;
    unsigned accepted;
    char piece[65536];
};

static void on_peer_closed(uv_handle_t *h)
{
    struct test_peer *p = h->data;
    tls_conn_free(p->tls);
    buf_done(&p->in);
    free(p);
}

static void peer_close(struct test_peer *p)
{
    for (struct test_peer **at = &p->server->peers; *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            uv_close(&p->socket.handle, on_peer_closed);
            return;
        }
}

static void on_written(uv_write_t *w, int status)
{
    (void)status;
    free(w->data);
    free(w);
}

static void write_raw(struct test_peer *p, struct span s)
{
    uv_write_t *w = malloc(sizeof *w);
    char *copy = malloc(s.len + 1);
    ASSERT(w && copy);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    w->data = copy;
    uv_buf_t b = uv_buf_init(copy, (unsigned)s.len);
    uv_write(w, &p->socket.stream, &b, 1, on_written);
}

static void flush_tls(struct test_peer *p)
{
    struct buf out;
    buf_init(&out, LIMIT);
    if (tls_output(p->tls, &out))
        write_raw(p, buf_span(&out));
    buf_done(&out);
}

static void say(struct test_peer *p, const char *text)
{
    struct buf line;
    buf_init(&line, 4096);
    buf_addf(&line, "%s\r\n", text);
    if (p->tls) {
        ASSERT(tls_write(p->tls, buf_span(&line)) == TLS_OK);
        flush_tls(p);
    } else {
        write_raw(p, buf_span(&line));
    }
    buf_done(&line);
}

/* The usual reply or the rule's. False when there was none, or no positive one. */
static bool answer(struct test_peer *p, const char *at, const char *usual)
{
    for (size_t i = 0; i < ARRAY_LEN(p->server->rules); i++) {
        struct test_rule *r = &p->server->rules[i];
        if (!r->at || strcmp(r->at, at) != 0 || r->uses == UINT32_MAX)
            continue;
        if (r->skip) {
            r->skip--;
            continue;
        }
        if (r->uses && --r->uses == 0)
            r->uses = UINT32_MAX; /* used up */
        usual = r->reply;
        break;
    }
    if (!usual)
        return false;
    if (strcmp(usual, "CLOSE") == 0) {
        peer_close(p);
        return false;
    }
    if (strcmp(usual, "GARBAGE") == 0 || strcmp(usual, "MUTE") == 0) {
        p->garbage = usual[0] == 'G';
        p->mute = !p->garbage;
        usual = "220 go";
    }
    say(p, usual);
    if (strncmp(usual, "421", 3) == 0)
        peer_close(p);
    return usual[0] < '4';
}

static void answer_hello(struct test_peer *p)
{
    struct test_server *s = p->server;
    struct buf text;
    buf_init(&text, 4096);
    buf_add(&text, SPAN("250-test"));
    struct span rest = span_of(s->extensions), name;
    while (rest.len && span_split(&rest, ' ', &name))
        buf_addf(&text, "\r\n250-%.*s", SPAN_ARG(name));
    if (s->tls && !p->tls)
        buf_add(&text, SPAN("\r\n250-STARTTLS"));
    buf_add(&text, SPAN("\r\n250 SIZE"));
    buf_add_char(&text, '\0');
    answer(p, "EHLO", text.ptr);
    buf_done(&text);
}

static void take_command(struct test_peer *p, struct span line)
{
    struct test_server *s = p->server;
    buf_addf(&s->said, "%.*s\n", SPAN_ARG(line));
    if (span_istarts(line, SPAN("EHLO")) || span_istarts(line, SPAN("LHLO")))
        answer_hello(p);
    else if (span_istarts(line, SPAN("STARTTLS"))) {
        if (answer(p, "STARTTLS", "220 go") && !p->garbage && !p->mute && s->tls) {
            p->tls = tls_accept_new(s->tls);
            ASSERT(p->tls);
        }
    } else if (span_istarts(line, SPAN("AUTH")))
        answer(p, "AUTH", "235 2.7.0 welcome");
    else if (span_istarts(line, SPAN("MAIL"))) {
        p->accepted = 0;
        answer(p, "MAIL", "250 2.1.0 ok");
    } else if (span_istarts(line, SPAN("RCPT")))
        p->accepted += answer(p, "RCPT", "250 2.1.5 ok");
    else if (span_istarts(line, SPAN("DATA"))) {
        p->in_data = answer(p, "DATA", p->accepted ? "354 go" : "554 5.5.1 no recipients");
        buf_clear(&s->body);
    } else if (span_istarts(line, SPAN("QUIT"))) {
        if (answer(p, "QUIT", "221 bye"))
            peer_close(p);
    } else
        answer(p, "other", "250 ok");
}

static bool alive(const struct test_server *s, const struct test_peer *p)
{
    for (const struct test_peer *q = s->peers; q; q = q->next)
        if (q == p)
            return true;
    return false;
}

static void take_lines(struct test_peer *p)
{
    struct test_server *s = p->server;
    size_t at = 0, lf;
    while (alive(s, p) && (lf = span_find(span_from(buf_span(&p->in), at), '\n')) != SIZE_MAX) {
        struct span line = span_head(span_from(buf_span(&p->in), at), lf + 1);
        at += lf + 1;
        if (!p->in_data) {
            take_command(p, span_trim(line));
        } else if (!span_eq(line, SPAN(".\r\n"))) {
            buf_add(&s->body, line);
        } else {
            p->in_data = false;
            s->messages++;
            for (unsigned i = 0; i < (s->lmtp ? p->accepted : 1) && alive(s, p); i++)
                answer(p, "dot", "250 2.0.0 taken");
        }
    }
    if (alive(s, p))
        buf_consume(&p->in, at);
}

static void take_ciphertext(struct test_peer *p, struct span bytes)
{
    enum tls_status status = tls_input(p->tls, bytes);
    flush_tls(p);
    static char plain[65536];
    for (size_t n; status == TLS_OK && (n = tls_read(p->tls, plain, sizeof plain, &status)) > 0;)
        buf_add(&p->in, span_make(plain, n));
    if (status == TLS_FAILED)
        peer_close(p);
    else
        take_lines(p);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct test_peer *p = h->data;
    *ret = uv_buf_init(p->piece, sizeof p->piece);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct test_peer *p = stream->data;
    if (n < 0) {
        peer_close(p);
    } else if (p->mute) {
        return;
    } else if (p->garbage) {
        write_raw(p, SPAN("this is not TLS\r\n"));
        peer_close(p);
    } else if (p->tls) {
        take_ciphertext(p, span_make(b->base, (size_t)n));
    } else {
        buf_add(&p->in, span_make(b->base, (size_t)n));
        take_lines(p);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct test_server *s = listener->data;
    struct test_peer *p = calloc(1, sizeof *p);
    ASSERT(status == 0 && p);
    p->server = s;
    buf_init(&p->in, LIMIT);
    if (s->local)
        uv_pipe_init(s->loop, &p->socket.pipe, 0);
    else
        uv_tcp_init(s->loop, &p->socket.tcp);
    p->socket.handle.data = p;
    ASSERT(uv_accept(listener, &p->socket.stream) == 0);
    if (!s->local)
        uv_tcp_nodelay(&p->socket.tcp, 1);
    p->next = s->peers;
    s->peers = p;
    s->connections++;
    uv_read_start(&p->socket.stream, on_alloc, on_read);
    answer(p, "connect", "220 test");
}

void test_server_start(struct test_server *s, uv_loop_t *loop, const char *path)
{
    s->loop = loop;
    s->local = path;
    buf_init(&s->said, LIMIT);
    buf_init(&s->body, LIMIT);
    if (path) {
        uv_pipe_init(loop, &s->listener.pipe, 0);
        ASSERT(uv_pipe_bind(&s->listener.pipe, path) == 0);
    } else {
        struct sockaddr_in any;
        int len = sizeof any;
        uv_ip4_addr("127.0.0.1", 0, &any);
        uv_tcp_init(loop, &s->listener.tcp);
        ASSERT(uv_tcp_bind(&s->listener.tcp, (const struct sockaddr *)&any, 0) == 0);
        uv_tcp_getsockname(&s->listener.tcp, (struct sockaddr *)&any, &len);
        s->port = ntohs(any.sin_port);
    }
    s->listener.handle.data = s;
    ASSERT(uv_listen(&s->listener.stream, 16, on_connection) == 0);
}

void test_server_stop(struct test_server *s)
{
    while (s->peers)
        peer_close(s->peers);
    uv_close(&s->listener.handle, NULL);
    buf_done(&s->said);
    buf_done(&s->body);
}

struct tls_context *test_server_tls(struct tls_identity **ret_identity, struct buf *ret_trust)
{
    const struct span name = SPAN_INIT("localhost");
    struct buf key;
    struct tls_context *ctx = NULL;
    uv_timeval64_t now;
    uv_gettimeofday(&now);
    buf_init(&key, 65536);
    buf_init(ret_trust, 65536);
    ASSERT(tls_make_self_signed(&name, 1, now.tv_sec * 1000, 2, ret_trust, &key, NULL) == ERR_NONE);
    ASSERT(tls_identity_load(buf_span(ret_trust), buf_span(&key), ret_identity, NULL) == ERR_NONE);
    buf_wipe(&key);
    struct tls_server_options options = {.identity = *ret_identity, .minimum = TLS_VERSION_1_2};
    ASSERT(tls_server_context_new(&options, &ctx, NULL) == ERR_NONE);
    return ctx;
}
