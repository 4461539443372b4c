/*
 * test_bench.h: what the tests of SMTP deliveries work with: an engine, a fake DNS and two scripted servers on one
 * loop. Nothing leaves the loopback; waiting is for events, with short timeouts of the engine's where silence is
 * tested.
 */
#pragma once

#include "check.h"
#include "delivery/delivery.h"
#include "delivery/resolver_fake.h"
#include "delivery/test_server.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_MS = 60 };

static const struct delivery_recipient recipients[] = {
    {.address = SPAN_INIT("a@far.test"), .notify = DELIVERY_NOTIFY_FAILURE},
    {.address = SPAN_INIT("b@far.test")},
};

static const struct resolver_fake_row dns[] = {
    {"far.test", RESOLVER_MX, "20 second.test"},
    {"far.test", RESOLVER_MX, "10 first.test"},
    {"first.test", RESOLVER_A, "127.0.0.7"}, /* nobody listens there */
    {"second.test", RESOLVER_A, "127.0.0.1"},
    {"loop.test", RESOLVER_MX, "10 Me.test"},
    {"behind.test", RESOLVER_MX, "20 me.test"},
    {"behind.test", RESOLVER_MX, "10 second.test"},
    {"before.test", RESOLVER_MX, "10 me.test"},
    {"before.test", RESOLVER_MX, "10 second.test"},
    {"before.test", RESOLVER_MX, "20 plain.test"},
    {"plain.test", RESOLVER_A, "127.0.0.1"},
    {"null.test", RESOLVER_MX, "0 ."},
    {"lost.test", RESOLVER_MX, "10 nowhere.test"},
    {"empty.test", RESOLVER_AAAA, .status = RESOLVER_NO_DATA},
    {"fails.test", RESOLVER_MX, .status = RESOLVER_TEMPORARY},
    {"silent.test", RESOLVER_MX, .silent = true},
    /* Proved by DNSSEC; the TLSA records are filled in by the test. */
    {"dane.test", RESOLVER_MX, "10 mx.secure.test", .secure = true},
    {"mx.secure.test", RESOLVER_A, "127.0.0.1", .secure = true},
    {"weak.test", RESOLVER_MX, "10 mx.secure.test"},
    {"open.test", RESOLVER_MX, "10 open.secure.test", .secure = true},
    {"open.secure.test", RESOLVER_A, "127.0.0.1", .secure = true},
    {"host.test", RESOLVER_MX, "10 unproved.test", .secure = true},
    {"unproved.test", RESOLVER_A, "127.0.0.1"},
    {"alias.test", RESOLVER_MX, "10 alias.secure.test", .secure = true},
    {"alias.secure.test", RESOLVER_A, "127.0.0.1", .secure = true, .canonical = "mx.secure.test"},
    {"lame.test", RESOLVER_MX, "10 lame.secure.test", .secure = true},
    {"lame.test", RESOLVER_MX, "20 open.secure.test", .secure = true},
    {"lame.secure.test", RESOLVER_A, "127.0.0.1", .secure = true},
};

/* What a test works with, and what its last report said. */
struct bench {
    uv_loop_t loop;
    struct resolver *resolver;
    struct resolver_fake_row rows[ARRAY_LEN(dns) + 4];
    struct delivery_engine *engine;
    struct tls_identity *identity;
    struct tls_context *server_tls, *client_tls;
    struct buf trust;
    struct test_server server[2];
    struct delivery_host hosts[3];
    struct delivery_job job;
    size_t reports;
    struct buf report; /* "outcome code enhanced text (stage)" of each recipient, one a line */
    char tls[16], peer[64], host[64], ip[64];
    enum tls_verified verified;
    bool reused, dsn, fault;
    bool gone;
};

static inline void on_report(void *context, const struct delivery_report *r)
{
    static const char *const names[] = {"delivered", "temporary", "permanent"};
    struct bench *b = context;
    b->reports++;
    buf_clear(&b->report);
    for (size_t i = 0; i < r->count; i++) {
        const struct delivery_result *x = &r->results[i];
        buf_addf(&b->report, "%s %u %.*s %.*s (%s)\n", names[x->outcome], x->code, SPAN_ARG(x->enhanced),
                 SPAN_ARG(x->text), x->stage);
        b->fault = x->connection_fault;
    }
    snprintf(b->tls, sizeof b->tls, "%.*s", SPAN_ARG(r->tls.version));
    snprintf(b->peer, sizeof b->peer, "%.*s", SPAN_ARG(r->tls.peer));
    snprintf(b->host, sizeof b->host, "%.*s", SPAN_ARG(r->remote_host));
    snprintf(b->ip, sizeof b->ip, "%.*s", SPAN_ARG(r->remote_ip));
    b->verified = r->tls.verified;
    b->reused = r->reused;
    b->dsn = r->dsn_offered;
}

static inline void on_gone(void *context)
{
    ((struct bench *)context)->gone = true;
}

/* Both servers, with TLS contexts ready but not offered; a job of one recipient to the first server. */
static inline struct bench *bench_new(struct delivery_options options)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    uv_loop_init(&b->loop);
    memcpy(b->rows, dns, sizeof dns);
    for (size_t i = ARRAY_LEN(dns); i < ARRAY_LEN(b->rows); i++)
        b->rows[i] = (struct resolver_fake_row){.name = "free.test"};
    b->resolver = resolver_fake_new(&b->loop, b->rows, ARRAY_LEN(b->rows));
    b->server_tls = test_server_tls(&b->identity, &b->trust);
    struct tls_client_options client = {.minimum = TLS_VERSION_1_2, .trust_pem = buf_span(&b->trust)};
    assert_int_equal(tls_client_context_new(&client, &b->client_tls, NULL), ERR_NONE);
    for (size_t i = 0; i < 2; i++) {
        b->server[i].extensions = "PIPELINING 8BITMIME DSN";
        test_server_start(&b->server[i], &b->loop, NULL);
        b->hosts[i] = (struct delivery_host){SPAN("127.0.0.1"), b->server[i].port};
    }
    options.loop = &b->loop;
    options.resolver = b->resolver;
    options.tls = b->client_tls;
    options.hostname = SPAN("me.test");
    assert_int_equal(delivery_engine_new(&options, &b->engine, NULL), ERR_NONE);
    buf_init(&b->report, 65536);
    b->job = (struct delivery_job){
        .sender = SPAN("s@near.test"),
        .recipients = recipients,
        .recipient_count = 1,
        .body = SPAN("hello\r\n.dot\r\n"),
        .body_fd = -1,
        .to = {.kind = DELIVERY_SMTP, .hosts = b->hosts, .host_count = 1, .tls = DELIVERY_TLS_OPPORTUNISTIC},
    };
    return b;
}

static inline void bench_free(struct bench *b)
{
    delivery_engine_close(b->engine, on_gone, b);
    while (!b->gone)
        uv_run(&b->loop, UV_RUN_ONCE);
    resolver_close(b->resolver);
    test_server_stop(&b->server[0]);
    test_server_stop(&b->server[1]);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    tls_context_free(b->client_tls);
    tls_context_free(b->server_tls);
    tls_identity_free(b->identity);
    buf_done(&b->trust);
    buf_done(&b->report);
    free(b);
}

static inline void start(struct bench *b, struct delivery_task **ret)
{
    struct err err = {0};
    if (delivery_start(b->engine, &b->job, on_report, b, ret, &err) != ERR_NONE)
        fail_msg("%s", err.text);
}

/* Delivers the job and compares the report's lines. */
static inline void deliver(struct bench *b, const char *name, const char *want)
{
    size_t before = b->reports;
    start(b, NULL);
    CHECK_INT(name, b->reports, before); /* never from inside the call */
    while (b->reports == before)
        uv_run(&b->loop, UV_RUN_ONCE);
    CHECK_SPAN(name, buf_span(&b->report), span_of(want));
}

#define TAKEN "delivered 250 2.0.0 taken (end of data)\n"
