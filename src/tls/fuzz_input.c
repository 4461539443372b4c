/*
 * fuzz_input.c: byte soup into a server engine, alone or behind the first flight of a real client, in pieces of any
 * size. Properties: no plaintext ever comes out, a failure stays a failure and has a reason.
 */
#include "base/compiler.h"
#include "tls/tls.h"

#include <string.h>

static struct tls_context *server, *client;

static void setup(void)
{
    struct buf chain, key;
    struct tls_identity *id = NULL;
    struct span name = SPAN("fuzz.test");
    buf_init(&chain, 1 << 16);
    buf_init(&key, 1 << 16);
    ASSERT(tls_make_self_signed(&name, 1, 0, 36500, &chain, &key, NULL) == ERR_NONE);
    ASSERT(tls_identity_load(buf_span(&chain), buf_span(&key), &id, NULL) == ERR_NONE);
    struct tls_server_options so = {
        .identity = id, .minimum = TLS_VERSION_1_0, .request_client_certificate = false};
    struct tls_client_options co = {.minimum = TLS_VERSION_1_2};
    ASSERT(tls_server_context_new(&so, &server, NULL) == ERR_NONE);
    ASSERT(tls_client_context_new(&co, &client, NULL) == ERR_NONE);
    buf_done(&chain);
    buf_wipe(&key);
    tls_identity_free(id); /* the context holds what it needs of OpenSSL's own counts */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!server)
        setup();
    if (size < 1)
        return 0;
    size_t step = (size_t)(data[0] >> 1) + 1;
    struct span rest = span_make(data + 1, size - 1);
    struct tls_conn *s = tls_accept_new(server);
    ASSERT(s);
    if (data[0] & 1) {
        struct tls_conn *c = tls_connect_new(client, SPAN(""));
        struct buf hello;
        buf_init(&hello, 1 << 16);
        ASSERT(c && tls_input(c, SPAN("")) == TLS_OK && tls_output(c, &hello));
        ASSERT(tls_input(s, buf_span(&hello)) == TLS_OK);
        buf_done(&hello);
        tls_conn_free(c);
    }
    bool failed = false;
    while (rest.len) {
        struct span piece = span_head(rest, step);
        enum tls_status st = tls_input(s, piece), read_status;
        char out[64];
        ASSERT(!failed || st == TLS_FAILED);
        failed = st == TLS_FAILED;
        ASSERT(tls_read(s, out, sizeof out, &read_status) == 0 && !tls_handshake_done(s));
        ASSERT(!failed || strlen(tls_error(s)) > 0);
        rest = span_from(rest, piece.len);
    }
    tls_conn_free(s);
    return 0;
}
