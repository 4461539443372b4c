/* test_smtp_session.c: deliveries over TLS, with AUTH, by LMTP, over connections used again, and of large bodies.
 */
#include "delivery/test_bench.h"

#include <unistd.h>

/* ---- TLS ---- */

static void test_tls(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    struct test_server *s = &b->server[0];
    b->hosts[0].name = SPAN("localhost");
    s->tls = b->server_tls;
    deliver(b, "opportunistic", TAKEN);
    assert_true(span_starts(span_of(b->tls), SPAN("TLSv1.")));
    assert_int_equal(b->verified, TLS_VERIFIED_CA);
    assert_string_equal(b->peer, "localhost");
    assert_int_equal(s->connections, 1);
    b->hosts[0].name = SPAN("127.0.0.1");
    deliver(b, "another name", TAKEN);
    assert_int_equal(b->verified, TLS_VERIFIED_NONE);
    b->job.to.tls = DELIVERY_TLS_REQUIRED;
    deliver(b, "required, any certificate", TAKEN);
    assert_int_equal(b->verified, TLS_VERIFIED_NONE);

    s->rules[0] = (struct test_rule){"STARTTLS", "GARBAGE"};
    start(b, NULL);
    for (size_t before = b->reports; b->reports == before;)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_true(
        span_starts(buf_span(&b->report), SPAN("temporary 0 4.7.5 RequireTLS asks for TLS: TLS handshake failed")));
    s->connections = 0;
    b->job.to.tls = DELIVERY_TLS_OPPORTUNISTIC;
    deliver(b, "broken TLS: again in the clear", TAKEN);
    assert_int_equal(s->connections, 2);
    assert_string_equal(b->tls, "");

    s->tls = NULL;
    b->job.to.tls = DELIVERY_TLS_REQUIRED;
    deliver(b, "required, not offered",
            "temporary 0 4.7.4 RequireTLS asks for TLS: TLS is required, but the server does not offer STARTTLS "
            "(STARTTLS)\n");
    bench_free(b);
}

/* A rule that forbids the host decides before anybody connects to it. */
static void test_refused_hosts(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    b->job.to.dane = DELIVERY_DANE_MANDATORY;
    deliver(
        b, "DANE or nothing",
        "temporary 0 4.7.5 127.0.0.1: SmtpDaneMode Mandatory asks for TLS with a certificate that a TLSA record of "
        "the host matches: the host has no TLSA records that DNSSEC proves and that can be used (STARTTLS)\n");
    assert_int_equal(b->server[0].connections, 0);
    bench_free(b);
}

/*
 * DANE over a domain's exchangers: the server's key is that of the record, or another's; the way there is proved,
 * or not; the records cannot be found out.
 */
static void test_dane(void **state)
{
    (void)state;
#define ASKS "DANE asks for TLS with a certificate that a TLSA record of the host matches: "
    static const struct {
        const char *name, *domain, *record; /* %s: the digest of the server's certificate */
        bool clear, lame;
        const char *want;
        enum tls_verified verified;
        bool encrypted;
    } rows[] = {
        {"the record matches", "dane.test", "030001%s", .want = TAKEN, .verified = TLS_VERIFIED_DANE,
         .encrypted = true},
        {"another key", "dane.test", "0300010000000000000000000000000000000000000000000000000000000000000000",
         .want = "temporary 0 4.7.5 " ASKS
                 "the server's certificate (localhost): no matching DANE TLSA records (STARTTLS) (STARTTLS)\n"},
        {"no TLS", "dane.test", "030001%s", .clear = true,
         .want = "temporary 0 4.7.4 " ASKS "TLS is required, but the server does not offer STARTTLS (STARTTLS)\n"},
        {"no record that can be used", "dane.test", "0100010000", .want = TAKEN, .encrypted = true},
        {"none that can be used, no TLS", "dane.test", "0100010000", .clear = true,
         .want =
             "temporary 0 4.7.4 DANE (with no TLSA record that can be used) asks for TLS: TLS is required, but the "
             "server does not offer STARTTLS (STARTTLS)\n"},
        {"no record", "open.test", "030001%s", .want = TAKEN, .encrypted = true},
        {"no record, no TLS", "open.test", "030001%s", .clear = true, .want = TAKEN},
        {"nobody proves the MX", "weak.test",
         "0300010000000000000000000000000000000000000000000000000000000000000000", .clear = true, .want = TAKEN},
        {"nobody proves the address", "host.test", "030001%s", .clear = true, .want = TAKEN},
        {"where the CNAMEs end", "alias.test", "030001%s", .want = TAKEN, .verified = TLS_VERIFIED_DANE,
         .encrypted = true},
        {"records that cannot be found out", "lame.test", "030001%s", .lame = true, .want = TAKEN,
         .encrypted = true},
    };
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    char tlsa[300], owner[2][64];
    struct resolver_fake_row *free_rows = &b->rows[ARRAY_LEN(dns)];
    snprintf(owner[0], sizeof owner[0], "_%u._tcp.mx.secure.test", b->server[0].port);
    snprintf(owner[1], sizeof owner[1], "_%u._tcp.lame.secure.test", b->server[0].port);
    b->job.to.host_count = 0;
    b->job.to.mx_port = b->server[0].port;
    b->job.to.dane = DELIVERY_DANE_OPPORTUNISTIC;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span print = tls_identity_fingerprint(b->identity);
        char digest[65];
        snprintf(digest, sizeof digest, "%.*s", SPAN_ARG(print));
        struct span before, rest = span_of(rows[i].record);
        span_split(&rest, '%', &before);
        snprintf(tlsa, sizeof tlsa, "%.*s%s", SPAN_ARG(before), rest.len ? digest : "");
        free_rows[0] = (struct resolver_fake_row){owner[0], RESOLVER_TLSA, tlsa, .secure = true};
        free_rows[1] = (struct resolver_fake_row){owner[1], RESOLVER_TLSA, .status = RESOLVER_TEMPORARY};
        b->server[0].tls = rows[i].clear ? NULL : b->server_tls;
        b->server[0].connections = 0;
        b->job.to.mx_domain = span_of(rows[i].domain);
        deliver(b, rows[i].name, rows[i].want);
        CHECK_INT(rows[i].name, b->verified, rows[i].verified);
        CHECK_INT(rows[i].name, b->tls[0] != 0, rows[i].encrypted || (!rows[i].clear && b->server[0].connections));
        CHECK_INT(rows[i].name, b->server[0].connections, 1);
        if (rows[i].lame)
            assert_string_equal(b->host, "open.secure.test");
    }
    b->job.to.mx_domain = SPAN("dane.test");
    b->job.to.tls_optional = true;
    b->server[0].tls = NULL;
    deliver(b, "waived by the sender", TAKEN);
    bench_free(b);
}

/* REQUIRETLS: to a host that DNSSEC and a TLSA record prove, and that promises the same; else the sender is told.
 */
static void test_require_tls(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    char tlsa[100], owner[64];
    struct span print = tls_identity_fingerprint(b->identity);
    snprintf(owner, sizeof owner, "_%u._tcp.mx.secure.test", b->server[0].port);
    snprintf(tlsa, sizeof tlsa, "030001%.*s", SPAN_ARG(print));
    b->rows[ARRAY_LEN(dns)] = (struct resolver_fake_row){owner, RESOLVER_TLSA, tlsa, .secure = true};
    b->server[0].tls = b->server_tls;
    b->job.to.host_count = 0;
    b->job.to.mx_port = b->server[0].port;
    b->job.to.dane = DELIVERY_DANE_OPPORTUNISTIC;
    b->job.to.require_tls = b->job.to.carry_require_tls = true;
    b->job.to.mx_domain = SPAN("dane.test");
    deliver(
        b, "no promise",
        "permanent 0 5.7.30 the sender requires TLS on the whole way (REQUIRETLS), which the server does not offer "
        "to promise (EHLO)\n");
    assert_int_equal(b->server[0].messages, 0);
    assert_false(b->fault); /* other mail for the host does not wait for it */
    b->server[0].extensions = "REQUIRETLS";
    deliver(b, "promised and proved", TAKEN);
    assert_int_equal(b->verified, TLS_VERIFIED_DANE);
    assert_non_null(
        memmem(b->server[0].said.ptr, b->server[0].said.len, "MAIL FROM:<s@near.test> SIZE=13 REQUIRETLS", 42));
    b->server[0].connections = 0;
    b->job.to.mx_domain = SPAN("weak.test");
    deliver(b, "nobody proves the MX",
            "permanent 0 5.7.30 mx.secure.test: the sender (REQUIRETLS) asks for TLS with a trusted certificate of "
            "mx.secure.test: neither DNSSEC nor an MTA-STS policy proves that the host takes the domain's mail, as "
            "REQUIRETLS demands (STARTTLS)\n");
    assert_int_equal(b->server[0].connections, 0);
    assert_false(b->fault);
    b->job.to.mx_domain = SPAN("open.test");
    deliver(b, "a certificate of another name",
            "temporary 0 4.7.5 the sender (REQUIRETLS) asks for TLS with a trusted certificate of "
            "open.secure.test: the "
            "server's certificate (localhost): hostname mismatch (STARTTLS) (STARTTLS)\n");
    bench_free(b);
}

struct credentials {
    struct tls_identity *own;
    struct tls_trust *trust;
    size_t asked, partner;
};

static struct tls_identity *identity_of(void *context, struct span name)
{
    (void)name;
    struct credentials *c = context;
    c->asked++;
    return c->own;
}

static struct tls_trust *trust_of(void *context, bool partner)
{
    struct credentials *c = context;
    c->partner += partner;
    return c->trust;
}

/* What the connector asks of the certificate, which is for localhost, and whether the server must be a partner. */
static void test_proof(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum delivery_tls tls;
        const char *tls_domain;
        bool domain_secure, untrusted, without;
        const char *want;
        enum tls_verified verified;
    } rows[] = {
        {"trusted", DELIVERY_TLS_TRUSTED, "", .want = TAKEN, .verified = TLS_VERIFIED_CA},
        {"not trusted", DELIVERY_TLS_TRUSTED, "", .untrusted = true,
         .want =
             "temporary 0 4.7.5 TlsAuthLevel CertificateValidation asks for TLS with a trusted certificate: the "
             "server's certificate (localhost): self-signed certificate (STARTTLS) (STARTTLS)\n"},
        {"named", DELIVERY_TLS_DOMAIN, "localhost", .want = TAKEN, .verified = TLS_VERIFIED_CA},
        {"not named", DELIVERY_TLS_DOMAIN, "host.test",
         .want = "temporary 0 4.7.5 TlsAuthLevel DomainValidation asks for TLS with a trusted certificate of "
                 "host.test: "
                 "the server's certificate (localhost): does not name that domain (STARTTLS) (STARTTLS)\n"},
        {"a partner", DELIVERY_TLS_OPPORTUNISTIC, "", .domain_secure = true, .want = TAKEN,
         .verified = TLS_VERIFIED_DOMAIN_SECURE},
        {"a partner without a certificate of our own", DELIVERY_TLS_OPPORTUNISTIC, "", .domain_secure = true,
         .without = true,
         .want =
             "temporary 0 4.7.5 domain security (DomainSecureEnabled, TLSSendDomainSecureList) asks for TLS with a "
             "trusted certificate of localhost: this server has no certificate to prove itself with; "
             "Get-ExchangeCertificate shows those there are, New-ExchangeCertificate makes one (STARTTLS) "
             "(STARTTLS)\n"},
    };
    struct credentials c = {0};
    struct bench *b = bench_new((struct delivery_options){
        .idle_ms = -1, .identity = identity_of, .trust = trust_of, .tls_credentials = &c});
    b->server[0].tls = b->server_tls;
    struct buf other, key;
    const struct span name = SPAN("other.test");
    buf_init(&other, 65536);
    buf_init(&key, 65536);
    assert_int_equal(tls_make_self_signed(&name, 1, 1767225600000, 3650, &other, &key, NULL), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        c = (struct credentials){.own = rows[i].without ? NULL : b->identity};
        assert_int_equal(tls_trust_new(buf_span(rows[i].untrusted ? &other : &b->trust), &c.trust, NULL), ERR_NONE);
        b->job.to.tls = rows[i].tls;
        b->job.to.tls_domain = span_of(rows[i].tls_domain);
        b->job.to.domain_secure = rows[i].domain_secure;
        b->job.to.mx_domain = SPAN("localhost");
        deliver(b, rows[i].name, rows[i].want);
        CHECK_INT(rows[i].name, b->verified, rows[i].verified);
        CHECK_INT(rows[i].name, c.asked, rows[i].domain_secure);
        CHECK_INT(rows[i].name, c.partner, rows[i].domain_secure);
        tls_trust_free(c.trust);
    }
    buf_done(&other);
    buf_wipe(&key);
    bench_free(b);
}

/* A handshake that never ends. */
static void test_tls_silence(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1, .timeouts = {.tls = SHORT_MS}});
    b->server[0].tls = b->server_tls;
    b->server[0].rules[0] = (struct test_rule){"STARTTLS", "MUTE"};
    b->job.to.tls = DELIVERY_TLS_REQUIRED;
    deliver(b, "silence in the handshake",
            "temporary 0 4.7.5 RequireTLS asks for TLS: the TLS handshake timed out (STARTTLS) (STARTTLS)\n");
    b->job.to.tls = DELIVERY_TLS_OPPORTUNISTIC;
    deliver(b, "the same, opportunistic", TAKEN);
    bench_free(b);
}

static void test_auth(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    struct secret password;
    secret_init(&password, 100);
    assert_true(secret_set(&password, SPAN("pass")));
    b->job.to.user = SPAN("user");
    b->job.to.password = &password;
    b->server[0].extensions = "AUTH=PLAIN";
    deliver(b, "in the clear",
            "temporary 0 4.7.0 credentials are not sent without TLS, and there is none (AUTH)\n");
    b->server[0].tls = b->server_tls;
    deliver(b, "over TLS", TAKEN);
    assert_non_null(memmem(b->server[0].said.ptr, b->server[0].said.len, "AUTH PLAIN AHVzZXIAcGFzcw==\n", 28));
    b->server[0].rules[0] = (struct test_rule){"AUTH", "535 5.7.8 no"};
    deliver(b, "refused", "temporary 535 4.7.8 no (AUTH)\n");
    secret_done(&password);
    bench_free(b);
}

/* ---- LMTP ---- */

static void test_lmtp_socket(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/mailreeve-lmtp-%d", (int)getpid());
    unlink(path);
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    struct test_server lmtp = {.lmtp = true, .extensions = "PIPELINING"};
    test_server_start(&lmtp, &b->loop, path);
    lmtp.rules[0] = (struct test_rule){"dot", "452 4.2.2 over quota", .skip = 1};
    b->job.recipient_count = 2;
    b->job.to.kind = DELIVERY_LMTP;
    b->hosts[0] = (struct delivery_host){.name = span_of(path)};
    deliver(b, "one reply for each", TAKEN "temporary 452 4.2.2 over quota (end of data)\n");
    assert_true(span_starts(buf_span(&lmtp.said), SPAN("LHLO me.test\n")));
    assert_string_equal(b->ip, path);

    b->hosts[0] = (struct delivery_host){SPAN("127.0.0.1"), b->server[0].port};
    b->server[0].lmtp = true;
    deliver(b, "over TCP", TAKEN TAKEN);
    b->hosts[0].name = SPAN("/nonexistent/lmtp");
    deliver(b, "no socket",
            "temporary 0 4.4.1 cannot connect to /nonexistent/lmtp: no such file or directory (connect)\n"
            "temporary 0 4.4.1 cannot connect to /nonexistent/lmtp: no such file or directory (connect)\n");
    test_server_stop(&lmtp);
    bench_free(b);
    unlink(path);
}

/* ---- connections that are used again ---- */

static void test_reuse(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = 60000, .max_messages = 3});
    struct test_server *s = &b->server[0];
    deliver(b, "first", TAKEN);
    assert_int_equal(delivery_stats(b->engine).idle, 1);
    deliver(b, "second", TAKEN);
    assert_true(b->reused);
    assert_string_equal(b->ip, "127.0.0.1");
    assert_int_equal(s->connections, 1);

    b->job.to.force_helo = true; /* another kind of session, another connection */
    deliver(b, "other options", TAKEN);
    assert_false(b->reused);
    assert_int_equal(s->connections, 2);
    b->job.to.force_helo = false;

    deliver(b, "third and last over it", TAKEN);
    assert_true(b->reused);
    assert_int_equal(delivery_stats(b->engine).idle, 1); /* the other one */
    deliver(b, "over a new one", TAKEN);
    assert_false(b->reused);
    assert_int_equal(s->connections, 3);

    /* A resting connection that was closed meanwhile costs nothing. */
    s->rules[0] = (struct test_rule){"MAIL", "421 4.4.2 idle for too long", .uses = 1};
    deliver(b, "421 to a reused connection", TAKEN);
    assert_int_equal(s->connections, 4);
    s->rules[0] = (struct test_rule){"MAIL", "CLOSE", .uses = 1};
    deliver(b, "reused connection is dead", TAKEN);
    assert_int_equal(s->connections, 5);
    /* But what is said to the message itself counts. */
    s->rules[0] = (struct test_rule){"MAIL", "550 5.7.1 no", .uses = 1};
    deliver(b, "refused over a reused connection", "permanent 550 5.7.1 no (MAIL FROM)\n");
    assert_true(b->reused);
    s->rules[0] = (struct test_rule){"RCPT", "550 5.1.1 who", .uses = 1};
    deliver(b, "recipient refused", "permanent 550 5.1.1 who (RCPT TO)\n");
    bench_free(b);
}

/* A transaction that ended without DATA is undone before the next; who cannot do that gets a new connection. */
static void test_rset(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = 60000});
    struct test_server *s = &b->server[0];
    s->rules[0] = (struct test_rule){"RCPT", "550 5.1.1 who", .uses = 2};
    s->rules[1] = (struct test_rule){"other", "500 5.5.1 what", .skip = 1};
    deliver(b, "recipient refused", "permanent 550 5.1.1 who (RCPT TO)\n");
    deliver(b, "again, after RSET", "permanent 550 5.1.1 who (RCPT TO)\n");
    assert_true(b->reused);
    deliver(b, "RSET refused", TAKEN);
    assert_false(b->reused);
    assert_int_equal(s->connections, 2);
    bench_free(b);
}

static void test_idle(void **state)
{
    (void)state;
    struct bench *b = bench_new((struct delivery_options){.idle_ms = 20, .max_idle = 1});
    deliver(b, "first", TAKEN);
    assert_int_equal(delivery_stats(b->engine).idle, 1);
    b->hosts[0] = b->hosts[1];
    deliver(b, "to the other server", TAKEN);
    assert_int_equal(delivery_stats(b->engine).idle, 1); /* the first had to go */
    while (delivery_stats(b->engine).connections)
        uv_run(&b->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < 2; i++)
        assert_true(span_ends(buf_span(&b->server[i].said), SPAN("QUIT\n")));
    bench_free(b);
}

/* ---- bodies ---- */

static void test_large_body(void **state)
{
    (void)state;
    enum { LINE = 1000, LINES = 3000 };
    struct bench *b = bench_new((struct delivery_options){.idle_ms = -1});
    char path[] = "/tmp/mailreeve-body-XXXXXX", line[LINE];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    memset(line, 'x', sizeof line);
    memcpy(line + LINE - 2, "\r\n", 2);
    for (size_t i = 0; i < LINES; i++) {
        line[0] = i % 3 ? 'x' : '.';
        assert_int_equal(write(fd, line, LINE), LINE);
    }
    b->job.body_fd = fd;
    b->job.size = LINE * LINES;
    for (int tls = 0; tls < 2; tls++) {
        b->server[0].tls = tls ? b->server_tls : NULL;
        deliver(b, "large", TAKEN);
        assert_int_equal(b->server[0].body.len, LINE * LINES + LINES / 3);
    }
    b->job.size++;
    deliver(b, "shorter than it should be",
            "temporary 0 4.3.0 the stored message is shorter than it should be (message content)\n");
    assert_int_equal(b->server[0].messages, 2);
    close(fd);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls),   cmocka_unit_test(test_refused_hosts),
        cmocka_unit_test(test_dane),  cmocka_unit_test(test_require_tls),
        cmocka_unit_test(test_proof), cmocka_unit_test(test_tls_silence),
        cmocka_unit_test(test_auth),  cmocka_unit_test(test_lmtp_socket),
        cmocka_unit_test(test_reuse), cmocka_unit_test(test_rset),
        cmocka_unit_test(test_idle),  cmocka_unit_test(test_large_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
