/*
 * test_driver.h: a driver for tests and fuzzing. It plays a script against the machine and writes down every
 * action.
 *
 * The script is the server's octets, in turns separated by 0x1e; after each turn the driver does what the machine
 * asked for (the body, the TLS handshake). A turn that begins with '!' is a call of the driver's own:
 * !lost !quit !tick (the deadline passes) !send (the next message).
 * In the transcript octets written stand as they are, without CR; events stand in square brackets.
 */
#pragma once

#include "smtp/client/client.h"

#include "base/buf.h"

#include <stdio.h>

struct test_driver {
    struct smtp_client *client;
    struct buf transcript, lines; /* lines: as they may be shown, behind "> " and "< " */
    int64_t now;
    bool tls_wanted, body_wanted, closed;
    size_t given, done, failed, results, after_close;
};

struct test_play {
    const struct smtp_client_options *options;
    const struct smtp_client_message *message;
    struct span body;
    struct span script;
    size_t piece;      /* the server's octets are fed in pieces of this length */
    size_t body_piece; /* the same for the body */
};

static inline void driver_write(void *context, struct span bytes)
{
    struct test_driver *d = context;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != '\r')
            buf_add_char(&d->transcript, bytes.ptr[i]);
    d->after_close += d->closed;
}

static inline void driver_start_tls(void *context)
{
    struct test_driver *d = context;
    d->tls_wanted = true;
    buf_add(&d->transcript, SPAN("[tls]\n"));
}

static inline void driver_need_body(void *context)
{
    struct test_driver *d = context;
    d->body_wanted = true;
    buf_add(&d->transcript, SPAN("[body]\n"));
}

static inline void driver_print(struct test_driver *d, const char *who, const struct smtp_client_result *r)
{
    static const char *const outcomes[] = {"delivered", "temporary", "permanent"};
    static const char *const causes[] = {"", " lost", " timeout", " protocol", " local"};
    buf_addf(&d->transcript, "[%s %s%s %s %u %.*s %.*s]\n", who, outcomes[r->outcome], causes[r->cause],
             smtp_client_stage_name(r->stage), r->code, SPAN_ARG(r->enhanced), SPAN_ARG(r->text));
    d->after_close += d->closed;
}

static inline void driver_result(void *context, size_t recipient, const struct smtp_client_result *r)
{
    struct test_driver *d = context;
    char who[24];
    snprintf(who, sizeof who, "%zu", recipient);
    d->results++;
    driver_print(d, who, r);
}

static inline void driver_failed(void *context, const struct smtp_client_result *r)
{
    struct test_driver *d = context;
    d->failed++;
    driver_print(d, "failed", r);
}

static inline void driver_done(void *context)
{
    struct test_driver *d = context;
    d->done++;
    d->after_close += d->closed;
    buf_add(&d->transcript, SPAN("[done]\n"));
}

static inline void driver_close(void *context)
{
    struct test_driver *d = context;
    d->after_close += d->closed;
    d->closed = true;
    buf_add(&d->transcript, SPAN("[close]\n"));
}

static inline void driver_line(void *context, bool sent, struct span shown)
{
    struct test_driver *d = context;
    buf_addf(&d->lines, "%c ", sent ? '>' : '<');
    buf_add(&d->lines, shown);
    buf_add_char(&d->lines, '\n');
}

static const struct smtp_client_output driver_output = {
    .write = driver_write,
    .start_tls = driver_start_tls,
    .need_body = driver_need_body,
    .result = driver_result,
    .done = driver_done,
    .failed = driver_failed,
    .close = driver_close,
    .line = driver_line,
};

static inline void driver_send(struct test_driver *d, const struct smtp_client_message *m)
{
    if (d->given == d->done + d->failed && smtp_client_send(d->client, m, d->now))
        d->given++;
}

/* What the machine waits for: the handshake, or as much of the body as it takes now. */
static inline void driver_serve(struct test_driver *d, const struct test_play *p, struct span *rest)
{
    if (d->tls_wanted) {
        d->tls_wanted = false;
        smtp_client_tls_started(d->client, d->now);
    }
    while (d->body_wanted && smtp_client_wants_body(d->client)) {
        struct span piece = span_head(*rest, p->body_piece);
        *rest = span_from(*rest, piece.len);
        smtp_client_body(d->client, piece, d->now);
        if (rest->len == 0) {
            d->body_wanted = false;
            smtp_client_body_end(d->client, d->now);
        }
    }
}

static inline void driver_turn(struct test_driver *d, const struct test_play *p, struct span turn)
{
    if (span_eq(turn, SPAN("!lost")))
        smtp_client_lost(d->client, SPAN("connection reset"), d->now);
    else if (span_eq(turn, SPAN("!quit")))
        smtp_client_quit(d->client, d->now);
    else if (span_eq(turn, SPAN("!send")))
        driver_send(d, p->message);
    else if (span_eq(turn, SPAN("!tick"))) {
        if (smtp_client_deadline(d->client) != INT64_MAX)
            d->now = smtp_client_deadline(d->client);
        smtp_client_tick(d->client, d->now);
    } else {
        for (size_t at = 0; at < turn.len; at += p->piece)
            smtp_client_feed(d->client, span_head(span_from(turn, at), p->piece), d->now);
    }
}

/* Plays the whole script with the first message given at once. The driver must be passed to driver_end. */
static inline void driver_play(struct test_driver *d, const struct test_play *p)
{
    *d = (struct test_driver){.now = 1000};
    buf_init(&d->transcript, 4u << 20);
    buf_init(&d->lines, 4u << 20);
    d->client = smtp_client_new(p->options, &driver_output, d, d->now);
    if (!d->client)
        return;
    driver_send(d, p->message);
    struct span script = p->script, turn, body = p->body;
    while (span_split(&script, '\x1e', &turn)) {
        if (!d->body_wanted)
            body = p->body;
        driver_turn(d, p, turn);
        driver_serve(d, p, &body);
    }
}

static inline void driver_end(struct test_driver *d)
{
    smtp_client_free(d->client);
    buf_done(&d->transcript);
    buf_done(&d->lines);
}
