/* test_conn.c: sessions between two engines in memory: versions, identities, tickets, verification, damage, ends.
 */
#include "check.h"
#include "tls/test_support.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct tls_identity *ecdsa, *rsa, *own;
static int64_t now;

struct pair {
    struct tls_conn *client, *server;
    enum tls_status client_status, server_status;
};

static struct tls_context *server_context(struct tls_identity *id, enum tls_version minimum,
                                          const uint8_t (*keys)[TLS_TICKET_KEY_LEN], bool ask)
{
    struct tls_context *ctx = NULL;
    struct err err = {0};
    struct tls_server_options o = {id, minimum, keys, ask};
    assert_int_equal(tls_server_context_new(&o, &ctx, &err), ERR_NONE);
    return ctx;
}

static struct tls_context *client_context(enum tls_version minimum, bool trust, struct tls_identity *id)
{
    struct tls_context *ctx = NULL;
    struct err err = {0};
    struct tls_client_options o = {.minimum = minimum, .identity = id};
    if (trust)
        o.trust_pem = test_authority();
    assert_int_equal(tls_client_context_new(&o, &ctx, &err), ERR_NONE);
    return ctx;
}

/* Takes the contexts over: a connection keeps what it needs. */
static struct pair connect_pair(struct tls_context *client, struct tls_context *server, const char *name)
{
    struct pair p = {tls_connect_new(client, span_of(name)), tls_accept_new(server), TLS_OK, TLS_OK};
    assert_non_null(p.client);
    assert_non_null(p.server);
    tls_context_free(client);
    tls_context_free(server);
    return p;
}

static void pair_free(struct pair *p)
{
    tls_conn_free(p->client);
    tls_conn_free(p->server);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for the next to be blamed for */
}

/* Sends bytes one way and checks that they arrive. */
static void send_check(const char *row, struct pair *p, struct tls_conn *from, struct tls_conn *to, size_t size)
{
    char *sent = malloc(size), *got = malloc(size + 1);
    assert_non_null(sent);
    assert_non_null(got);
    for (size_t i = 0; i < size; i++)
        sent[i] = (char)(i * 7 + i / 251);
    CHECK_INT(row, tls_write(from, span_make(sent, size)), TLS_OK);
    size_t have = 0;
    struct buf wire;
    buf_init(&wire, 8 << 20);
    tls_output(from, &wire);
    struct span rest = buf_span(&wire);
    while (rest.len) { /* as the network gives it: in pieces that fit no record */
        struct span piece = span_head(rest, 7001);
        enum tls_status st;
        CHECK_INT(row, tls_input(to, piece), TLS_OK);
        have += tls_read(to, got + have, size + 1 - have, &st);
        CHECK_INT(row, st, TLS_OK);
        rest = span_from(rest, piece.len);
    }
    CHECK_INT(row, have, size);
    CHECK(row, memcmp(sent, got, size) == 0);
    CHECK(row, to->in.ptr == NULL); /* an idle connection holds no buffer */
    buf_done(&wire);
    free(sent);
    free(got);
    test_exchange(p->client, p->server, &p->client_status, &p->server_status);
}

static void test_handshake(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        enum tls_version server_min, client_max;
        bool rsa;
        const char *version; /* NULL: refused */
    } rows[] = {
        {"1.3 ECDSA", TLS_VERSION_1_2, TLS_VERSION_1_3, false, "TLSv1.3"},
        {"1.3 RSA", TLS_VERSION_1_2, TLS_VERSION_1_3, true, "TLSv1.3"},
        {"1.2 ECDSA", TLS_VERSION_1_2, TLS_VERSION_1_2, false, "TLSv1.2"},
        {"1.2 RSA", TLS_VERSION_1_2, TLS_VERSION_1_2, true, "TLSv1.2"},
        {"1.2 where 1.3 is asked", TLS_VERSION_1_3, TLS_VERSION_1_2, false, NULL},
        {"1.1 by default", TLS_VERSION_1_2, TLS_VERSION_1_1, true, NULL},
        {"1.1 where lowered", TLS_VERSION_1_0, TLS_VERSION_1_1, true, "TLSv1.1"},
        {"1.0 where lowered", TLS_VERSION_1_0, TLS_VERSION_1_0, true, "TLSv1"},
        {"1.0 where 1.1 is asked", TLS_VERSION_1_1, TLS_VERSION_1_0, true, NULL},
    };
    static const int number[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair p =
            connect_pair(client_context(TLS_VERSION_1_0, true, NULL),
                         server_context(rows[i].rsa ? rsa : ecdsa, rows[i].server_min, NULL, false), "mail.test");
        SSL_set_max_proto_version(p.client->ssl, number[rows[i].client_max]);
        test_exchange(p.client, p.server, &p.client_status, &p.server_status);
        bool want = rows[i].version != NULL;
        CHECK_INT(rows[i].row, tls_handshake_done(p.server), want);
        CHECK_INT(rows[i].row, tls_handshake_done(p.client), want);
        if (want) {
            struct tls_info a = tls_info(p.client), b = tls_info(p.server);
            CHECK_STR(rows[i].row, a.version, rows[i].version);
            CHECK_STR(rows[i].row, a.cipher, b.cipher);
            CHECK(rows[i].row, a.cipher_bits >= 128 && a.verified && !b.verified && !a.resumed);
            for (size_t size = 1; size <= 1 << 20; size = size * 32 + 5) {
                send_check(rows[i].row, &p, p.client, p.server, size);
                send_check(rows[i].row, &p, p.server, p.client, size);
            }
        } else {
            CHECK_INT(rows[i].row, p.server_status, TLS_FAILED);
            CHECK(tls_error(p.server), span_starts(span_of(tls_error(p.server)), SPAN("TLS handshake failed: ")));
        }
        pair_free(&p);
    }
}

static void test_verified(void **state)
{
    (void)state;
    struct tls_identity *old = test_issued("mail.test", now - 800 * TEST_DAY, false, false);
    const struct {
        const char *row;
        struct tls_identity *id;
        bool trust;
        const char *name;
        bool want;
    } rows[] = {
        {"trusted and named", ecdsa, true, "mail.test", true},
        {"trailing dot", ecdsa, true, "mail.test.", true},
        {"wrong name", ecdsa, true, "other.test", false},
        {"no name", ecdsa, true, "", false},
        {"not trusted", ecdsa, false, "mail.test", false},
        {"self-signed", own, true, "mail.test", false},
        {"expired", old, true, "mail.test", false},
        {"an address", ecdsa, true, "192.0.2.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair p = connect_pair(client_context(TLS_VERSION_1_2, rows[i].trust, NULL),
                                     server_context(rows[i].id, TLS_VERSION_1_2, NULL, false), rows[i].name);
        test_exchange(p.client, p.server, &p.client_status, &p.server_status);
        CHECK(rows[i].row, tls_handshake_done(p.client)); /* whoever wants verification looks at tls_info */
        CHECK_INT(rows[i].row, tls_info(p.client).verified, rows[i].want);
        pair_free(&p);
    }
    tls_identity_free(old);
}

static void test_client_certificate(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        bool ask, have;
    } rows[] = {{"asked and given", true, true}, {"asked, none", true, false}, {"not asked", false, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, rows[i].have ? own : NULL),
                                     server_context(ecdsa, TLS_VERSION_1_2, NULL, rows[i].ask), "mail.test");
        test_exchange(p.client, p.server, &p.client_status, &p.server_status);
        struct buf print;
        buf_init(&print, 200);
        CHECK_INT(rows[i].row, tls_handshake_done(p.server), true);
        CHECK_INT(rows[i].row, tls_peer_fingerprint(p.server, &print), rows[i].ask && rows[i].have);
        CHECK_INT(rows[i].row, print.len, rows[i].ask && rows[i].have ? 64 : 0);
        CHECK_INT(rows[i].row, tls_info(p.server).verified, false); /* self-signed: no authority knows it */
        buf_done(&print);
        pair_free(&p);
    }
}

/* One connection that may offer a session; gives the session for the next. */
static bool resume(struct tls_context *server, SSL_SESSION *offer, int version, SSL_SESSION **ret)
{
    struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, NULL), server, "mail.test");
    SSL_set_max_proto_version(p.client->ssl, version);
    if (offer)
        SSL_set_session(p.client->ssl, offer);
    test_exchange(p.client, p.server, &p.client_status, &p.server_status);
    assert_true(tls_handshake_done(p.client) && tls_handshake_done(p.server));
    char c;
    enum tls_status st;
    tls_read(p.client, &c, 1, &st); /* the ticket of 1.3 comes behind the handshake */
    assert_int_equal(st, TLS_OK);
    bool resumed = tls_info(p.server).resumed;
    assert_int_equal(tls_info(p.client).resumed, resumed);
    struct buf print;
    buf_init(&print, 200);
    assert_int_equal(tls_sent_fingerprint(p.server, &print), !resumed);
    buf_done(&print);
    if (ret)
        *ret = SSL_get1_session(p.client->ssl);
    tls_shutdown(p.client); /* OpenSSL's client forgets a session that was cut off */
    pair_free(&p);
    return resumed;
}

static void test_tickets(void **state)
{
    (void)state;
    uint8_t keys[4][TLS_TICKET_KEY_LEN];
    for (size_t i = 0; i < 4; i++)
        memset(keys[i], (int)(i + 1), sizeof keys[i]);
    enum { NONE = -1 };
    static const struct {
        const char *row;
        int first, second; /* index of keys[0]; keys[1] is the next; NONE: no tickets */
        bool other_identity, ask, want;
    } rows[] = {
        {"same keys, another process", 1, 1, false, false, true},
        {"the key before still opens", 1, 0, false, false, true},
        {"a key forgotten", 1, 2, false, false, false},
        {"no tickets made", NONE, 1, false, false, false},
        {"no tickets taken", 1, NONE, false, false, false},
        {"another identity", 1, 1, true, false, false},
        {"more is demanded", 1, 1, false, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            const uint8_t(*first)[TLS_TICKET_KEY_LEN] = rows[i].first == NONE ? NULL : &keys[rows[i].first];
            const uint8_t(*second)[TLS_TICKET_KEY_LEN] = rows[i].second == NONE ? NULL : &keys[rows[i].second];
            SSL_SESSION *session = NULL;
            CHECK(rows[i].row,
                  !resume(server_context(ecdsa, TLS_VERSION_1_2, first, false), NULL, version, &session));
            bool got =
                resume(server_context(rows[i].other_identity ? rsa : ecdsa, TLS_VERSION_1_2, second, rows[i].ask),
                       session, version, NULL);
            CHECK_INT(rows[i].row, got, rows[i].want);
            SSL_SESSION_free(session);
        }
    }
}

/* Who is asked for a certificate proves itself in each session: nothing is resumed. */
static void test_no_tickets_where_clients_prove_themselves(void **state)
{
    (void)state;
    static const uint8_t keys[TLS_TICKET_KEYS][TLS_TICKET_KEY_LEN] = {{1}, {2}};
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_SESSION *session = NULL;
        struct buf prints[2];
        for (int i = 0; i < 2; i++) {
            struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, own),
                                         server_context(ecdsa, TLS_VERSION_1_2, keys, true), "mail.test");
            SSL_set_max_proto_version(p.client->ssl, version);
            if (session)
                SSL_set_session(p.client->ssl, session);
            test_exchange(p.client, p.server, &p.client_status, &p.server_status);
            char c;
            enum tls_status st;
            tls_read(p.client, &c, 1, &st);
            assert_false(tls_info(p.server).resumed);
            buf_init(&prints[i], 100);
            assert_true(tls_peer_fingerprint(p.server, &prints[i]));
            assert_false(tls_info(p.server).verified);
            SSL_SESSION_free(session);
            session = SSL_get1_session(p.client->ssl);
            tls_shutdown(p.client);
            pair_free(&p);
        }
        assert_true(span_eq(buf_span(&prints[0]), buf_span(&prints[1])));
        buf_done(&prints[0]);
        buf_done(&prints[1]);
        SSL_SESSION_free(session);
    }
}

static void test_ends(void **state)
{
    (void)state;
    struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, NULL),
                                 server_context(ecdsa, TLS_VERSION_1_2, NULL, false), "");
    char out[64];
    enum tls_status st;
    assert_int_equal(tls_write(p.client, SPAN("early")), TLS_FAILED);
    assert_int_equal(tls_read(p.client, out, sizeof out, &st), 0);
    assert_int_equal(st, TLS_OK);
    tls_shutdown(p.client); /* before there is a session: nothing */
    test_exchange(p.client, p.server, &p.client_status, &p.server_status);
    assert_int_equal(tls_write(p.client, SPAN("QUIT\r\n")), TLS_OK);
    tls_shutdown(p.client);
    test_exchange(p.client, p.server, &p.client_status, &p.server_status);
    assert_int_equal(p.server_status, TLS_OK); /* the data comes first */
    assert_int_equal(tls_read(p.server, out, 4, &st), 4);
    assert_int_equal(st, TLS_OK);
    assert_int_equal(tls_read(p.server, out, sizeof out, &st), 2);
    assert_int_equal(st, TLS_CLOSED);
    /* Bytes in the clear behind close_notify never become data. */
    assert_int_equal(tls_input(p.server, SPAN("MAIL FROM:<a@b.test>\r\n")), TLS_CLOSED);
    assert_int_equal(tls_read(p.server, out, sizeof out, &st), 0);
    assert_int_equal(st, TLS_CLOSED);
    assert_int_equal(tls_write(p.server, SPAN("221 bye\r\n")), TLS_OK); /* the other direction is still open */
    pair_free(&p);
}

/* Damage at any point of the client's stream ends in TLS_FAILED or in silence, never in data that was not sent. */
static void test_damage(void **state)
{
    (void)state;
    for (size_t at = 0; at < 400; at += 3) {
        struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, NULL),
                                     server_context(ecdsa, TLS_VERSION_1_2, NULL, false), "");
        struct buf wire;
        buf_init(&wire, 1 << 20);
        tls_input(p.client, SPAN(""));
        tls_output(p.client, &wire);
        if (at < wire.len)
            wire.ptr[at] = (char)(wire.ptr[at] ^ 0x55);
        enum tls_status st = tls_input(p.server, buf_span(&wire));
        buf_clear(&wire);
        tls_output(p.server, &wire);
        tls_input(p.client, buf_span(&wire));
        test_exchange(p.client, p.server, &p.client_status, &p.server_status);
        char out[16];
        enum tls_status read_status;
        assert_int_equal(tls_read(p.server, out, sizeof out, &read_status), 0);
        if (st == TLS_FAILED)
            assert_int_equal(read_status, TLS_FAILED);
        buf_done(&wire);
        pair_free(&p);
    }
    /* The same inside an established session: the record's tag does not fit. */
    struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, NULL),
                                 server_context(ecdsa, TLS_VERSION_1_2, NULL, false), "");
    test_exchange(p.client, p.server, &p.client_status, &p.server_status);
    struct buf wire;
    buf_init(&wire, 1 << 20);
    tls_write(p.client, SPAN("MAIL FROM:<a@b>\r\n"));
    tls_output(p.client, &wire);
    wire.ptr[wire.len - 1] = (char)(wire.ptr[wire.len - 1] ^ 1);
    char out[64];
    enum tls_status st;
    tls_input(p.server, buf_span(&wire));
    assert_int_equal(tls_read(p.server, out, sizeof out, &st), 0);
    assert_int_equal(st, TLS_FAILED);
    assert_true(span_starts(span_of(tls_error(p.server)), SPAN("TLS session failed: ")));
    assert_int_equal(tls_write(p.server, SPAN("x")), TLS_FAILED);
    assert_int_equal(tls_input(p.server, SPAN("x")), TLS_FAILED);
    assert_false(tls_handshake_done(p.server));
    buf_clear(&wire);
    assert_true(tls_output(p.server, &wire)); /* the alert */
    buf_done(&wire);
    pair_free(&p);
}

static void test_limits(void **state)
{
    (void)state;
    struct pair p = connect_pair(client_context(TLS_VERSION_1_2, true, NULL),
                                 server_context(ecdsa, TLS_VERSION_1_2, NULL, false), "");
    test_exchange(p.client, p.server, &p.client_status, &p.server_status);
    static char piece[1 << 18];
    enum tls_status st = TLS_OK;
    for (int i = 0; i < 4; i++)
        st = tls_input(p.server, span_make(piece, sizeof piece));
    assert_int_equal(st, TLS_OK); /* 1 MiB is waiting */
    assert_int_equal(tls_input(p.server, SPAN("x")), TLS_FAILED);
    struct buf small;
    buf_init(&small, 10);
    tls_write(p.client, SPAN("hello"));
    assert_true(tls_output(p.client, &small));
    assert_true(small.failed); /* the owner's ceiling holds */
    buf_done(&small);
    pair_free(&p);
}

static int setup(void **state)
{
    (void)state;
    now = (int64_t)time(NULL) * 1000; /* OpenSSL verifies against the system's clock */
    ecdsa = test_issued("mail.test", now - TEST_DAY, false, false);
    rsa = test_issued("mail.test", now - TEST_DAY, true, false);
    own = test_self_signed("mail.test", now - TEST_DAY);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_identity_free(ecdsa);
    tls_identity_free(rsa);
    tls_identity_free(own);
    test_support_done();
    return 0;
}

/* What a client's connection does otherwise than its context: authorities, names, a certificate of its own. */
static void test_of_one_connection(void **state UNUSED)
{
    static const struct {
        const char *row;
        bool in_context, own_trust, self_signed, ignore_names, present;
        const char *name, *problem;
        bool verified;
    } rows[] = {
        {"the context's", .in_context = true, .name = "localhost", .verified = true},
        {"trusted by this one", .own_trust = true, .name = "localhost", .verified = true},
        {"the context's authorities do not count beside it", .in_context = true, .own_trust = true,
         .self_signed = true, .name = "localhost", .ignore_names = true, .problem = "self-signed certificate"},
        {"another name", .own_trust = true, .name = "other.test", .problem = "hostname mismatch"},
        {"another name, which does not matter", .own_trust = true, .name = "other.test", .ignore_names = true},
        {"an address, which does not matter", .own_trust = true, .name = "127.0.0.1", .ignore_names = true},
        {"a certificate of its own", .own_trust = true, .name = "localhost", .present = true, .verified = true},
    };
    struct tls_trust *trust = NULL;
    assert_int_equal(tls_trust_new(test_authority(), &trust, NULL), ERR_NONE);
    struct tls_identity *issued = test_issued("localhost", now, false, false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair p = connect_pair(
            client_context(TLS_VERSION_1_2, rows[i].in_context, NULL),
            server_context(rows[i].self_signed ? own : issued, TLS_VERSION_1_2, NULL, true), rows[i].name);
        if (rows[i].own_trust)
            assert_true(tls_trust_only(p.client, trust));
        if (rows[i].ignore_names)
            tls_ignore_names(p.client);
        if (rows[i].present)
            assert_true(tls_present(p.client, own));
        test_exchange(p.client, p.server, &p.client_status, &p.server_status);
        assert_true(tls_handshake_done(p.client) && tls_handshake_done(p.server));
        const char *problem = tls_peer_problem(p.client);
        CHECK_SPAN(rows[i].row, span_of(problem ? problem : ""), span_of(rows[i].problem ? rows[i].problem : ""));
        CHECK_INT(rows[i].row, tls_info(p.client).verified, rows[i].verified);
        struct buf print;
        buf_init(&print, 100);
        CHECK_INT(rows[i].row, tls_peer_fingerprint(p.server, &print), rows[i].present);
        if (rows[i].present)
            CHECK_SPAN(rows[i].row, buf_span(&print), tls_identity_fingerprint(own));
        buf_done(&print);
        pair_free(&p);
    }
    tls_identity_free(issued);
    tls_trust_free(trust);
}

/* A server verified by TLSA records: of its own certificate or key whatever it names, of its authority with a name.
 */
static void test_dane(void **state UNUSED)
{
    static const struct {
        const char *row;
        uint8_t usage, selector, matching;
        bool authority; /* the record is the authority's */
        const char *name, *also;
        bool spoilt;
        const char *problem;
        bool expired, none;
    } rows[] = {
        {"EE, certificate, SHA-256", 3, 0, 1, .name = "dane.test"},
        {"EE, key, SHA-256", 3, 1, 1, .name = "dane.test"},
        {"EE, key, SHA-512", 3, 1, 2, .name = "dane.test"},
        {"EE, the certificate itself", 3, 0, 0, .name = "dane.test"},
        {"EE, whatever it names", 3, 1, 1, .name = "other.test"},
        {"EE, and expired", 3, 1, 1, .name = "dane.test", .expired = true},
        {"EE, another", 3, 1, 1, .name = "dane.test", .spoilt = true, .problem = "no matching DANE TLSA records"},
        {"no record that can be used", 3, 1, 1, .name = "dane.test", .none = true,
         .problem = "no matching DANE TLSA records"},
        {"TA", 2, 0, 0, .authority = true, .name = "dane.test"},
        {"TA of another name", 2, 0, 0, .authority = true, .name = "other.test", .problem = "hostname mismatch"},
        {"TA, also named", 2, 0, 0, .authority = true, .name = "other.test", .also = "dane.test"},
        {"TA, another", 2, 0, 0, .authority = true, .name = "dane.test", .spoilt = true,
         .problem = "no matching DANE TLSA records"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_identity *id =
            test_issued("dane.test", rows[i].expired ? now - 800 * TEST_DAY : now, false, false);
        struct pair p = connect_pair(client_context(TLS_VERSION_1_2, false, NULL),
                                     server_context(id, TLS_VERSION_1_2, NULL, false), rows[i].name);
        char data[4096];
        struct tls_tlsa r = {rows[i].usage, rows[i].selector, rows[i].matching,
                             span_make(data, test_tlsa_data(rows[i].authority ? NULL : id, rows[i].selector,
                                                            rows[i].matching, data, sizeof data))};
        data[0] = (char)(data[0] ^ (rows[i].spoilt ? 1 : 0));
        assert_true(tls_use_dane(p.client, span_of(rows[i].name), span_of(rows[i].also ? rows[i].also : ""), &r,
                                 rows[i].none ? 0 : 1));
        test_exchange(p.client, p.server, &p.client_status, &p.server_status);
        assert_true(tls_handshake_done(p.client));
        const char *problem = tls_peer_problem(p.client);
        CHECK_SPAN(rows[i].row, span_of(problem ? problem : ""), span_of(rows[i].problem ? rows[i].problem : ""));
        CHECK_INT(rows[i].row, tls_info(p.client).verified, !rows[i].problem);
        pair_free(&p);
        tls_identity_free(id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_one_connection),
        cmocka_unit_test(test_dane),
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_verified),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_no_tickets_where_clients_prove_themselves),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
