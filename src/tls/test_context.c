/* test_context.c: how long contexts live, and what they refuse. */
#include "check.h"
#include "tls/test_support.h"

#include <string.h>
#include <time.h>

static struct tls_context *client_context(void)
{
    struct tls_context *ctx = NULL;
    struct err err = {0};
    struct tls_client_options o = {.minimum = TLS_VERSION_1_2};
    assert_int_equal(tls_client_context_new(&o, &ctx, &err), ERR_NONE);
    return ctx;
}

/* A certificate is replaced while a session has not come to its STARTTLS yet. */
static void test_shared_outlives(void **state UNUSED)
{
    struct tls_identity *id = test_self_signed("mail.test", (int64_t)time(NULL) * 1000);
    struct tls_server_options o = {.identity = id, .minimum = TLS_VERSION_1_2};
    struct tls_context *table = NULL, *client = client_context();
    struct err err = {0};
    assert_int_equal(tls_server_context_new(&o, &table, &err), ERR_NONE);
    struct tls_context *session = tls_context_share(table);
    tls_context_free(table);
    tls_identity_free(id);

    struct tls_conn *c = tls_connect_new(client, SPAN("mail.test")), *s = tls_accept_new(session);
    enum tls_status client_status, server_status;
    assert_non_null(c);
    assert_non_null(s);
    tls_context_free(session);
    tls_context_free(client);
    test_exchange(c, s, &client_status, &server_status);
    assert_true(tls_handshake_done(c) && tls_handshake_done(s));
    tls_conn_free(c);
    tls_conn_free(s);
}

static void test_nothing(void **state UNUSED)
{
    assert_null(tls_context_share(NULL));
    tls_context_free(NULL);
    tls_conn_free(NULL);
}

static void test_errors(void **state UNUSED)
{
    struct tls_context *ctx = NULL;
    struct err err = {0};
    struct tls_client_options o = {.minimum = TLS_VERSION_1_2, .trust_pem = SPAN("nothing")};
    assert_int_equal(tls_client_context_new(&o, &ctx, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "no certificate"));
    assert_null(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_outlives),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
