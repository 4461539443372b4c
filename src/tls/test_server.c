/* test_server.c: what a server presents by the name that is asked for, and whom it believes. */
#include "check.h"
#include "tls/test_support.h"

#include <openssl/err.h>
#include <time.h>

static struct tls_identity *own, *other, *rsa, *ids[3];
static int64_t now;

static struct tls_context *server(struct tls_server_options o)
{
    struct tls_context *ctx = NULL;
    struct err err = {0};
    o.identity = o.identity ? o.identity : own;
    if (!o.minimum)
        o.minimum = TLS_VERSION_1_2;
    if (tls_server_context_new(&o, &ctx, &err))
        fail_msg("%s", err.text);
    return ctx;
}

static struct tls_context *client(struct tls_identity *id)
{
    struct tls_context *ctx = NULL;
    struct tls_client_options o = {.minimum = TLS_VERSION_1_2, .identity = id, .trust_pem = test_authority()};
    assert_int_equal(tls_client_context_new(&o, &ctx, NULL), ERR_NONE);
    return ctx;
}

/* Takes the contexts over, and connects. */
static void meet(struct tls_context *c, struct tls_context *s, const char *name, struct tls_conn **ret_client,
                 struct tls_conn **ret_server)
{
    enum tls_status client_status, server_status;
    *ret_client = tls_connect_new(c, span_of(name));
    *ret_server = tls_accept_new(s);
    tls_context_free(c);
    tls_context_free(s);
    test_exchange(*ret_client, *ret_server, &client_status, &server_status);
}

static void part(struct tls_conn *c, struct tls_conn *s)
{
    tls_conn_free(c);
    tls_conn_free(s);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_server_name(void **state UNUSED)
{
    const struct {
        const char *row, *name;
        const struct tls_identity *want;
    } rows[] = {
        {"none", "", own},
        {"the connector's", "mail.test", own},
        {"another of this host", "smtp.test", other},
        {"of nobody", "elsewhere.test", own},
        {"an address", "192.0.2.1", own},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_conn *c, *s;
        struct buf print;
        struct tls_server_options o = {.others = ids, .other_count = 2, .host = SPAN("mail.test")};
        buf_init(&print, 100);
        meet(client(NULL), server(o), rows[i].name, &c, &s);
        CHECK(rows[i].row, tls_handshake_done(c) && tls_handshake_done(s));
        CHECK(rows[i].row, tls_peer_fingerprint(c, &print));
        CHECK_SPAN(rows[i].row, buf_span(&print), tls_identity_fingerprint(rows[i].want));
        buf_clear(&print);
        CHECK(rows[i].row, tls_sent_fingerprint(s, &print) && !tls_sent_fingerprint(c, &print));
        CHECK_SPAN(rows[i].row, buf_span(&print), tls_identity_fingerprint(rows[i].want));
        buf_done(&print);
        part(c, s);
    }
}

/* A client that knows RSA only is served where there is a certificate for it beside the chosen one. */
static void test_other_kind_of_key(void **state UNUSED)
{
    for (int with = 0; with < 2; with++) {
        struct tls_conn *c, *s;
        struct tls_context *ctx = client(NULL);
        SSL_CTX_set_max_proto_version(ctx->ssl, TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(ctx->ssl, "ECDHE-RSA-AES128-GCM-SHA256");
        struct tls_server_options o = {.others = ids, .other_count = with ? 3 : 1, .host = SPAN("mail.test")};
        meet(ctx, server(o), "mail.test", &c, &s);
        assert_int_equal(tls_handshake_done(s), with == 1);
        part(c, s);
    }
}

static void test_profiles(void **state UNUSED)
{
    static const struct {
        const char *row, *ciphers;
        enum tls_profile profile;
        bool works;
    } rows[] = {
        {"AEAD, modern", "ECDHE-RSA-AES128-GCM-SHA256", TLS_PROFILE_MODERN, true},
        {"CBC, modern", "ECDHE-RSA-AES128-SHA", TLS_PROFILE_MODERN, false},
        {"CBC, intermediate", "ECDHE-RSA-AES128-SHA", TLS_PROFILE_INTERMEDIATE, true},
        {"no forward secrecy, intermediate", "AES128-SHA", TLS_PROFILE_INTERMEDIATE, false},
        {"no forward secrecy, legacy", "AES128-SHA", TLS_PROFILE_LEGACY, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_conn *c, *s;
        struct tls_context *ctx = client(NULL);
        SSL_CTX_set_max_proto_version(ctx->ssl, TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(ctx->ssl, rows[i].ciphers);
        meet(ctx, server((struct tls_server_options){.identity = rsa, .profile = rows[i].profile}), "mail.test", &c,
             &s);
        CHECK_INT(rows[i].row, tls_handshake_done(s), rows[i].works);
        part(c, s);
    }
}

static void test_client_certificates(void **state UNUSED)
{
    struct tls_identity *good = test_issued("mx.partner.test", now, false, false);
    struct tls_identity *expired = test_issued("mx.partner.test", now - 400 * TEST_DAY, false, false);
    struct tls_identity *self = test_self_signed("mx.partner.test", now);
    struct tls_trust *trust = NULL;
    assert_int_equal(tls_trust_new(test_authority(), &trust, NULL), ERR_NONE);
    const struct {
        const char *row;
        struct tls_identity *id;
        bool trust;
        const char *problem;
    } rows[] = {
        {"valid", good, true, NULL},
        {"none", NULL, true, "no certificate"},
        {"expired", expired, true, "certificate has expired"},
        {"self-signed", self, true, "self-signed certificate"},
        {"nobody is trusted", good, false, "unable to verify the first certificate"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_conn *c, *s;
        struct tls_server_options o = {.request_client_certificate = true, .trust = rows[i].trust ? trust : NULL};
        meet(client(rows[i].id), server(o), "mail.test", &c, &s);
        CHECK(rows[i].row, tls_handshake_done(s));
        const char *problem = tls_peer_problem(s);
        CHECK_STR(rows[i].row, problem, rows[i].problem);
        CHECK_INT(rows[i].row, tls_info(s).verified, !rows[i].problem);
        if (rows[i].id) /* without a session the verdict is the same */
            CHECK_INT(rows[i].row, tls_trust_problem(rows[i].trust ? trust : NULL, rows[i].id, now) == NULL,
                      !rows[i].problem);
        CHECK_INT(rows[i].row, tls_peer_names_domain(s, SPAN("partner.test")), rows[i].id != NULL);
        CHECK_INT(rows[i].row, tls_peer_names_domain(s, SPAN("MX.partner.test")), rows[i].id != NULL);
        CHECK(rows[i].row, !tls_peer_names_domain(s, SPAN("artner.test")));
        CHECK(rows[i].row, !tls_peer_names_domain(s, SPAN("a.mx.partner.test")));
        CHECK(rows[i].row, !tls_peer_names_domain(s, SPAN("")));
        part(c, s);
    }
    tls_trust_free(trust);
    tls_identity_free(good);
    tls_identity_free(expired);
    tls_identity_free(self);
}

static int setup(void **state UNUSED)
{
    now = (int64_t)time(NULL) * 1000;
    ids[0] = own = test_issued("mail.test", now, false, false);
    ids[1] = other = test_issued("smtp.test", now, false, false);
    ids[2] = rsa = test_issued("mail.test", now, true, false);
    return 0;
}

static int teardown(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        tls_identity_free(ids[i]);
    test_support_done();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_name),
        cmocka_unit_test(test_other_kind_of_key),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_client_certificates),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
