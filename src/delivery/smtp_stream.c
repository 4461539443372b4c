/*
 * smtp_stream.c: octets between the socket, TLS, the body and the client machine.
 *
 * Invariants: at most one uv_write is in flight, of `sending`; what comes meanwhile waits in `out`, to which the
 * body adds only while it holds less than a piece, so a slow server costs three pieces of memory. A small message
 * and its final dot leave in one write. Once TLS is begun nothing is written or read but through it.
 */
#include "delivery/smtp_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- the machine's actions: marks, and text to be sent ---- */

static void act_write(void *context, struct span bytes)
{
    struct smtp_connection *c = context;
    if (c->tls)
        c->write_failed |= tls_write(c->tls, bytes) != TLS_OK;
    else
        buf_add(&c->out, bytes);
}

static void act_start_tls(void *context)
{
    ((struct smtp_connection *)context)->tls_wanted = true;
}

static void act_need_body(void *context)
{
    struct smtp_connection *c = context;
    c->body_open = true;
    c->body_at = 0;
}

static void act_result(void *context, size_t recipient, const struct smtp_client_result *result)
{
    struct smtp_connection *c = context;
    if (c->owner)
        c->calls->result(c->owner, recipient, result);
}

static void act_done(void *context)
{
    ((struct smtp_connection *)context)->ended = ENDED_DONE;
}

/* RFC 7504: a host with this greeting takes no mail at all, now or later. */
enum { HOST_TAKES_NO_MAIL = 521 };

/*
 * What is said before the server has heard of a message is about the host or about us (a blocklist, an overload, a
 * wrong name), and no verdict on the mail that waits for it: that stays until its time is over. A loop, which the
 * client finds, does not mend itself.
 */
static enum delivery_outcome outcome_of_refusal(const struct smtp_client_result *r)
{
    bool final = r->stage == SMTP_CLIENT_GREETING && r->code == HOST_TAKES_NO_MAIL;
    final |= r->cause == SMTP_CLIENT_LOCAL && r->outcome == SMTP_CLIENT_PERMANENT;
    return final ? DELIVERY_PERMANENT : DELIVERY_TEMPORARY;
}

static void act_failed(void *context, const struct smtp_client_result *r)
{
    struct smtp_connection *c = context;
    bool broke = r->cause != SMTP_CLIENT_REPLY && r->cause != SMTP_CLIENT_LOCAL;
    enum delivery_outcome outcome = outcome_of_refusal(r);
    struct span enhanced = span_head(r->enhanced, sizeof c->failure_enhanced);
    c->tls_broke = broke && r->stage == SMTP_CLIENT_STARTTLS;
    if (c->tls_broke)
        enhanced = SPAN("4.7.5");
    memcpy(c->failure_enhanced, enhanced.ptr, enhanced.len);
    c->failure_enhanced[0] = outcome == DELIVERY_PERMANENT ? '5' : '4';
    buf_clear(&c->failure_text);
    if (r->stage == SMTP_CLIENT_STARTTLS && c->hop.level == HOP_MUST) {
        hop_tls_explain(&c->hop, &c->failure_text);
        buf_add(&c->failure_text, SPAN(": "));
    }
    buf_add(&c->failure_text, r->text);
    c->failure = (struct delivery_result){
        .outcome = outcome,
        .code = r->code,
        .enhanced = span_make(c->failure_enhanced, enhanced.len),
        .text = buf_span(&c->failure_text),
        .stage = smtp_client_stage_name(r->stage),
        .connection_fault = true,
    };
    c->ended = ENDED_FAILED;
}

static void act_close(void *context)
{
    ((struct smtp_connection *)context)->close_wanted = true;
}

static void act_line(void *context, bool sent, struct span shown)
{
    smtp_log_line(context, sent, shown);
}

#define ACTIONS                                                                                                    \
    .write = act_write, .start_tls = act_start_tls, .need_body = act_need_body, .result = act_result,              \
    .done = act_done, .failed = act_failed, .close = act_close

const struct smtp_client_output *smtp_stream_actions(const struct smtp_connection *c)
{
    static const struct smtp_client_output quiet = {ACTIONS}, logged = {ACTIONS, .line = act_line};
    return c->log.name.len ? &logged : &quiet;
}

/* ---- sending ---- */

static void lost(struct smtp_connection *c, const char *text)
{
    if (!smtp_client_closed(c->client))
        smtp_log_trouble(c, span_of(text));
    smtp_client_lost(c->client, span_of(text), smtp_connection_now(c));
}

static void on_written(uv_write_t *write, int status)
{
    struct smtp_connection *c = write->data;
    c->writing = false;
    buf_clear(&c->sending);
    if (c->state == CONNECTION_CLOSED)
        return;
    if (status < 0) {
        c->broken = true;
        lost(c, uv_strerror(status));
    }
    smtp_connection_after(c);
}

bool smtp_stream_flush(struct smtp_connection *c)
{
    if (c->tls)
        tls_output(c->tls, &c->out);
    if (c->out.failed || c->write_failed || c->broken)
        return false;
    if (c->writing || c->out.len == 0)
        return true;
    struct buf ready = c->out;
    c->out = c->sending;
    c->sending = ready;
    uv_buf_t piece = uv_buf_init(c->sending.ptr, (unsigned)c->sending.len);
    if (uv_write(&c->write, &c->socket.stream, &piece, 1, on_written) < 0)
        return false;
    c->writing = true;
    return true;
}

/* The next piece of the body; empty at its end, and with *ret_error set when it cannot be read. */
static struct span read_body(struct smtp_connection *c, const char **ret_error)
{
    const struct smtp_load *l = &c->load;
    *ret_error = NULL;
    if (c->body_at < l->front.len)
        return span_head(span_from(l->front, (size_t)c->body_at), BODY_PIECE);
    uint64_t at = l->body_from + (c->body_at - l->front.len);
    if (l->body_fd < 0)
        return span_head(span_from(l->body, (size_t)at), BODY_PIECE);
    uint64_t left = l->size - at;
    if (left == 0)
        return SPAN("");
    /* From the page cache as a rule, since the queue has just written it: not worth a trip to the thread pool. */
    ssize_t n;
    do
        n = pread(l->body_fd, c->engine->body, left < BODY_PIECE ? (size_t)left : BODY_PIECE, (off_t)at);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return span_make(c->engine->body, (size_t)n);
    *ret_error = n == 0 ? "the stored message is shorter than it should be" : "the stored message cannot be read";
    return SPAN("");
}

void smtp_stream_pump_body(struct smtp_connection *c)
{
    int64_t now = smtp_connection_now(c);
    while (c->body_open && c->out.len < BODY_PIECE && smtp_client_wants_body(c->client)) {
        const char *error;
        struct span piece = read_body(c, &error);
        c->body_open = !error && piece.len;
        if (error)
            smtp_client_body_failed(c->client, span_of(error), now);
        else if (piece.len)
            smtp_client_body(c->client, piece, now);
        else
            smtp_client_body_end(c->client, now);
        c->body_at += piece.len;
        if (c->tls)
            tls_output(c->tls, &c->out);
    }
}

/* ---- TLS ---- */

/* What the server's certificate must name; an address where the host was given as one. */
static struct span tls_name(const struct smtp_connection *c, char text[static IP_TEXT_MAX])
{
    if (c->local)
        return SPAN("");
    return c->host.len && c->host.ptr[0] == '[' ? span_of(ip_print(c->endpoint.addr, text)) : c->host;
}

void smtp_stream_start_tls(struct smtp_connection *c)
{
    char text[IP_TEXT_MAX];
    c->deadline = smtp_connection_now(c) + c->engine->options.timeouts.tls;
    const char *why = NULL;
    bool dane = c->hop.proof == HOP_PROOF_DANE;
    c->tls = smtp_peer_connect(c, dane ? c->load.tlsa_base : tls_name(c, text), &why);
    if (!c->tls)
        lost(c, why);
    else if (tls_input(c->tls, SPAN("")) == TLS_FAILED)
        lost(c, tls_error(c->tls));
}

static void tls_up(struct smtp_connection *c)
{
    c->tls_done = true;
    const char *problem = smtp_peer_check(c);
    smtp_log_secured(c);
    if (problem)
        lost(c, problem);
    else
        smtp_client_tls_started(c->client, smtp_connection_now(c));
}

static void take_ciphertext(struct smtp_connection *c, struct span bytes)
{
    enum tls_status status = tls_input(c->tls, bytes);
    if (!c->tls_done && tls_handshake_done(c->tls))
        tls_up(c);
    while (status == TLS_OK && c->tls_done) {
        size_t n = tls_read(c->tls, c->engine->plain, sizeof c->engine->plain, &status);
        if (n == 0)
            break;
        smtp_client_feed(c->client, span_make(c->engine->plain, n), smtp_connection_now(c));
    }
    if (status == TLS_FAILED)
        lost(c, tls_error(c->tls));
    else if (status == TLS_CLOSED)
        lost(c, "the server ended the TLS session");
}

/* ---- receiving ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    const struct smtp_connection *c = h->data;
    *ret = uv_buf_init(c->engine->input, sizeof c->engine->input);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece)
{
    struct smtp_connection *c = stream->data;
    if (n == 0 || c->state != CONNECTION_TALKING)
        return;
    if (n < 0) {
        c->broken = true;
        c->log.end = n == UV_ECONNRESET ? "Remote(ConnectionReset)" : "Remote";
        lost(c, n == UV_EOF ? "the server closed the connection" : uv_strerror((int)n));
    } else if (c->tls) {
        take_ciphertext(c, span_make(piece->base, (size_t)n));
    } else {
        smtp_client_feed(c->client, span_make(piece->base, (size_t)n), smtp_connection_now(c));
    }
    smtp_connection_after(c);
}

int smtp_stream_start(struct smtp_connection *c)
{
    return uv_read_start(&c->socket.stream, on_alloc, on_read);
}
