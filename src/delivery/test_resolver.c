/* test_resolver.c: what becomes of record sets (over the fake), and libunbound where it needs no network. */
#include "check.h"
#include "delivery/resolver_fake.h"
#include "delivery/resolver_unbound.h"

#include <string.h>

static const struct resolver_fake_row rows[] = {
    {"good.test", RESOLVER_MX, "20 second.test"},
    {"good.test", RESOLVER_MX, "10 first.test"},
    {"good.test", RESOLVER_MX, "30 third.test"},
    {"null.test", RESOLVER_MX, "0 ."},
    {"bad-host.test", RESOLVER_MX, "10 not a name"},
    {"half-bad.test", RESOLVER_MX, "10 not a name"},
    {"half-bad.test", RESOLVER_MX, "20 first.test"},
    {"plain.test", RESOLVER_A, "192.0.2.1"},
    {"fail.test", RESOLVER_MX, .status = RESOLVER_TEMPORARY},
    {"fail.test", RESOLVER_A, .status = RESOLVER_TEMPORARY},
    {"first.test", RESOLVER_A, "192.0.2.1"},
    {"first.test", RESOLVER_A, "192.0.2.2"},
    {"first.test", RESOLVER_A, "192.0.2.3"},
    {"first.test", RESOLVER_AAAA, "2001:db8::1"},
    {"first.test", RESOLVER_AAAA, "2001:db8::2"},
    {"half.test", RESOLVER_AAAA, .status = RESOLVER_TEMPORARY},
    {"half.test", RESOLVER_A, "192.0.2.9"},
    {"silent.test", RESOLVER_MX, .silent = true},
    {"silent.test", RESOLVER_A, .silent = true},
    {"silent.test", RESOLVER_AAAA, "2001:db8::1"},
};

/* With DNSSEC. */
static const struct resolver_fake_row secure_rows[] = {
    {"m.secure.test", RESOLVER_MX, "10 h.secure.test", .secure = true},
    {"h.secure.test", RESOLVER_A, "192.0.2.1", .secure = true},
    {"h.secure.test", RESOLVER_AAAA, "2001:db8::1", .secure = true},
    {"part.secure.test", RESOLVER_A, "192.0.2.1", .secure = true},
    {"part.secure.test", RESOLVER_AAAA, "2001:db8::1"},
    {"spoilt.secure.test", RESOLVER_A, "192.0.2.1", .secure = true},
    {"spoilt.secure.test", RESOLVER_AAAA, .status = RESOLVER_TEMPORARY},
    {"alias.secure.test", RESOLVER_A, "192.0.2.1", .secure = true, .canonical = "h.secure.test"},
    {"_25._tcp.h.secure.test", RESOLVER_TLSA, "030101abcd", .secure = true},
    {"_25._tcp.h.secure.test", RESOLVER_TLSA, "0201", .secure = true},
    {"_25._tcp.plain.test", RESOLVER_TLSA, "030101abcd"},
    {"_25._tcp.fail.test", RESOLVER_TLSA, .status = RESOLVER_TEMPORARY},
    {"_t.secure.test", RESOLVER_TXT, "v=STSv1; id=1;", .secure = true},
};

static uv_loop_t loop;

/* An answer as text: "ok a 10, b 20" or the status. */
static void print_answer(void *context, const struct resolver_answer *a)
{
    static const char *const names[] = {"ok", "no name", "no data", "null mx", "temporary"};
    struct buf *out = context;
    char text[IP_TEXT_MAX];
    CHECK("reason", a->status == RESOLVER_OK || (a->text && a->text[0]));
    buf_add(out, span_of(names[a->status]));
    for (size_t i = 0; i < a->host_count; i++)
        buf_addf(out, " %.*s/%u", SPAN_ARG(a->hosts[i].name), a->hosts[i].preference);
    if (a->implicit)
        buf_add(out, SPAN(" implicit"));
    for (size_t i = 0; i < a->address_count; i++)
        buf_addf(out, " %s", ip_print(a->addresses[i], text));
    for (size_t i = 0; i < a->record_count; i++) {
        buf_add_char(out, ' ');
        for (size_t k = 0; k < a->records[i].data.len; k++)
            buf_addf(out, "%02x", (unsigned char)a->records[i].data.ptr[k]);
    }
    if (a->secure)
        buf_add(out, SPAN(" secure"));
    if (a->canonical.len)
        buf_addf(out, " =%.*s", SPAN_ARG(a->canonical));
}

static void ask(struct resolver *r, bool mx, const char *name, struct buf *out)
{
    buf_init(out, 4096);
    struct span s = span_of(name);
    assert_non_null(mx ? resolver_ask_mx(r, s, print_answer, out)
                       : resolver_ask_addresses(r, s, print_answer, out));
    assert_int_equal(out->len, 0); /* never from inside the call */
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void test_questions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool mx;
        const char *want;
    } cases[] = {
        {"good.test", true, "ok first.test/10 second.test/20 third.test/30"},
        {"good.test.", true, "ok first.test/10 second.test/20 third.test/30"},
        {"GOOD.test", true, "ok first.test/10 second.test/20 third.test/30"},
        {"null.test", true, "null mx"},
        {"bad-host.test", true, "no data"},
        {"half-bad.test", true, "ok first.test/20"},
        {"plain.test", true, "ok plain.test/0 implicit"},
        {"missing.test", true, "no name"},
        {"fail.test", true, "temporary"},
        {"first.test", false, "ok 2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3"},
        {"plain.test", false, "ok 192.0.2.1"},
        {"half.test", false, "ok 192.0.2.9"},
        {"good.test", false, "no data"},
        {"missing.test", false, "no name"},
        {"fail.test", false, "temporary"},
    };
    struct resolver *r = resolver_fake_new(&loop, rows, ARRAY_LEN(rows));
    assert_non_null(r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        ask(r, cases[i].mx, cases[i].name, &out);
        CHECK_SPAN(cases[i].name, buf_span(&out), span_of(cases[i].want));
        buf_done(&out);
    }
    resolver_close(r);
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* What DNSSEC proves, and records as they are. */
static void test_secure(void **state)
{
    (void)state;
    static const struct {
        enum resolver_type type; /* of addresses: A */
        const char *name, *want;
    } cases[] = {
        {RESOLVER_MX, "m.secure.test", "ok h.secure.test/10 secure"},
        {RESOLVER_MX, "h.secure.test", "ok h.secure.test/0 implicit secure"},
        {RESOLVER_A, "h.secure.test", "ok 2001:db8::1 192.0.2.1 secure"},
        {RESOLVER_A, "part.secure.test", "ok 2001:db8::1 192.0.2.1"},
        {RESOLVER_A, "spoilt.secure.test", "ok 192.0.2.1 secure"},
        {RESOLVER_A, "alias.secure.test", "ok 192.0.2.1 secure =h.secure.test"},
        {RESOLVER_TLSA, "_25._tcp.h.secure.test", "ok 030101abcd 0201 secure"},
        {RESOLVER_TLSA, "_25._tcp.plain.test", "ok 030101abcd"},
        {RESOLVER_TLSA, "_25._tcp.none.secure.test", "no name secure"},
        {RESOLVER_TLSA, "_25._tcp.none.test", "no name"},
        {RESOLVER_TLSA, "_25._tcp.fail.test", "temporary"},
        {RESOLVER_TXT, "_t.secure.test", "ok 0e763d53545376313b2069643d313b secure"},
    };
    struct resolver *r = resolver_fake_new(&loop, secure_rows, ARRAY_LEN(secure_rows));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        struct span name = span_of(cases[i].name);
        buf_init(&out, 4096);
        switch (cases[i].type) {
        case RESOLVER_MX: assert_non_null(resolver_ask_mx(r, name, print_answer, &out)); break;
        case RESOLVER_A:
        case RESOLVER_AAAA: assert_non_null(resolver_ask_addresses(r, name, print_answer, &out)); break;
        case RESOLVER_TLSA:
        case RESOLVER_TXT: assert_non_null(resolver_ask_records(r, cases[i].type, name, print_answer, &out)); break;
        }
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK_SPAN(cases[i].name, buf_span(&out), span_of(cases[i].want));
        buf_done(&out);
    }
    resolver_close(r);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void test_txt(void **state)
{
    (void)state;
    static const struct {
        struct span data;
        const char *want; /* NULL: malformed */
    } cases[] = {
        {SPAN_INIT(""), ""},          {SPAN_INIT("\0"), ""},
        {SPAN_INIT("\3abc"), "abc"},  {SPAN_INIT("\3abc\0\2de"), "abcde"},
        {SPAN_INIT("\4abc"), NULL},   {SPAN_INIT("\3abc\1"), NULL},
        {SPAN_INIT("\377abc"), NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 100);
        CHECK_INT("", resolver_txt(cases[i].data, &out), cases[i].want != NULL);
        if (cases[i].want)
            CHECK_SPAN("", buf_span(&out), span_of(cases[i].want));
        buf_done(&out);
    }
}

/* Equal preferences change places; more hosts than are used lose the worst. */
static void test_shuffle_and_limit(void **state)
{
    (void)state;
    static const struct resolver_fake_row equal[] = {{"e.test", RESOLVER_MX, "5 a.test"},
                                                     {"e.test", RESOLVER_MX, "5 b.test"},
                                                     {"e.test", RESOLVER_MX, "1 c.test"}};
    struct resolver *r = resolver_fake_new(&loop, equal, ARRAY_LEN(equal));
    unsigned seen = 0;
    for (int tries = 0; tries < 500 && seen != 3; tries++) { /* fails wrongly once in 2^499 */
        struct buf out;
        ask(r, true, "e.test", &out);
        bool ab = span_eq(buf_span(&out), SPAN("ok c.test/1 a.test/5 b.test/5"));
        CHECK("order", ab || span_eq(buf_span(&out), SPAN("ok c.test/1 b.test/5 a.test/5")));
        seen |= ab ? 1 : 2;
        buf_done(&out);
    }
    assert_int_equal(seen, 3);
    resolver_close(r);

    static char data[RESOLVER_HOSTS_MAX + 1][32];
    static struct resolver_fake_row many[RESOLVER_HOSTS_MAX + 1];
    for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(data[i], sizeof data[i], "%u h.test", (unsigned)ARRAY_LEN(many) - i);
        many[i] = (struct resolver_fake_row){"m.test", RESOLVER_MX, data[i]};
    }
    r = resolver_fake_new(&loop, many, ARRAY_LEN(many));
    struct buf out;
    ask(r, true, "m.test", &out);
    assert_true(span_ends(buf_span(&out), SPAN("h.test/16")));
    buf_done(&out);
    resolver_close(r);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void must_not_come(void *context, const struct resolver_answer *a)
{
    (void)context;
    (void)a;
    fail_msg("a cancelled question was answered");
}

static void test_cancel(void **state)
{
    (void)state;
    struct resolver *r = resolver_fake_new(&loop, rows, ARRAY_LEN(rows));
    resolver_question_cancel(resolver_ask_mx(r, SPAN("good.test"), must_not_come, NULL));
    struct resolver_question *half = resolver_ask_addresses(r, SPAN("silent.test"), must_not_come, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* one of two lookups is answered */
    resolver_question_cancel(half);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(resolver_fake_asked(r), 3);
    resolver_close(r);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void test_names(void **state)
{
    (void)state;
    static const char label63[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg";
    char longest[RESOLVER_NAME_MAX + 3];
    for (size_t i = 0; i < 253; i++)
        longest[i] = i % 64 == 63 ? '.' : 'a';
    longest[253] = '\0';
    struct {
        const char *name;
        bool valid;
    } cases[] = {{"a", true},     {"a.b-c_d.9", true}, {"a.", true},   {"", false},    {".", false},
                 {"a..b", false}, {".a", false},       {"a b", false}, {"a/b", false}, {"\xc3\xbc.test", false},
                 {label63, true}, {longest, true},     {"a\n", false}, {"a:b", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(cases[i].name, resolver_name_valid(span_of(cases[i].name)), cases[i].valid);
    memcpy(longest + 253, "a", 2);
    assert_false(resolver_name_valid(span_of(longest)));
    assert_false(
        resolver_name_valid(SPAN("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.test")));
}

static void test_literals(void **state)
{
    (void)state;
    static const struct {
        const char *host, *first;
        size_t count;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", 1},
        {"[192.0.2.1]", "192.0.2.1", 1},
        {"::1", "::1", 1},
        {"[::1]", "::1", 1},
        {"[IPv6:::1]", "::1", 1},
        {"LocalHost", "127.0.0.1", 2},
        {"localhost.", "127.0.0.1", 2},
        {"host.test", "", 0},
        {"[", "", 0},
        {"[]", "", 0},
        {"[host.test]", "", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_addr a[2];
        char text[IP_TEXT_MAX];
        CHECK_INT(cases[i].host, resolver_literal(span_of(cases[i].host), a), cases[i].count);
        if (cases[i].count)
            CHECK_STR(cases[i].host, ip_print(a[0], text), cases[i].first);
    }
}

/* A name server of the test's own: one UDP socket that answers by the question's first octet. */
struct name_server {
    uv_udp_t udp;
    char buffer[1024];
    unsigned questions;
};

static void on_server_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct name_server *n = h->data;
    *ret = uv_buf_init(n->buffer, sizeof n->buffer);
}

/* "m..." has an MX "10 x", "n..." does not exist, "o..." has nothing, all else fails. */
static void on_server_question(uv_udp_t *udp, ssize_t len, const uv_buf_t *b, const struct sockaddr *from,
                               unsigned flags)
{
    (void)flags;
    struct name_server *n = udp->data;
    if (len < 17 || !from)
        return;
    n->questions++;
    char *q = b->base, kind = ascii_lower(q[13]);
    size_t end = 12;
    while (q[end])
        end += (size_t)q[end] + 1;
    end += 5; /* the root, type and class */
    static const char answer[] = "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x05\x00\x0a\x01x\x00";
    bool mx = kind == 'm' && q[end - 3] == 15;
    q[2] = (char)0x85; /* an answer, authoritative, recursion desired */
    q[3] = (char)(0x80 | (kind == 'n' ? 3 : kind == 'm' || kind == 'o' ? 0 : 2));
    memset(q + 6, 0, 6);
    q[7] = mx;
    if (mx)
        memcpy(q + end, answer, sizeof answer - 1);
    uv_buf_t out = uv_buf_init(q, (unsigned)(end + (mx ? sizeof answer - 1 : 0)));
    assert_true(uv_udp_try_send(udp, &out, 1, from) > 0);
}

static void note_answer(void *context, const struct resolver_answer *a)
{
    print_answer(context, a);
    uv_stop(&loop);
}

/* The forwarder is asked, names below "test." too, and each kind of answer becomes its status. */
static void test_unbound(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want;
    } cases[] = {{"mail.mx.test", "ok x/10"},
                 {"none.mx.test", "no name"},
                 {"other.mx.test", "ok other.mx.test/0 implicit"},
                 {"fails.mx.test", "temporary"}};
    struct name_server server = {.udp.data = NULL};
    struct sockaddr_in any = {.sin_family = AF_INET};
    int len = sizeof any;
    uv_ip4_addr("127.0.0.1", 0, &any);
    uv_udp_init(&loop, &server.udp);
    server.udp.data = &server;
    assert_int_equal(uv_udp_bind(&server.udp, (const struct sockaddr *)&any, 0), 0);
    uv_udp_getsockname(&server.udp, (struct sockaddr *)&any, &len);
    uv_udp_recv_start(&server.udp, on_server_alloc, on_server_question);
    char text[64];
    snprintf(text, sizeof text, "127.0.0.1@%d", ntohs(any.sin_port));
    struct span forwarder = span_of(text);
    struct resolver_unbound_options options = {.loop = &loop, .forwarders = &forwarder, .forwarder_count = 1};
    struct resolver *r = NULL;
    struct err err = {0};
    assert_int_equal(resolver_unbound_new(&options, &r, &err), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        buf_init(&out, 4096);
        assert_non_null(resolver_ask_mx(r, span_of(cases[i].name), note_answer, &out));
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK_SPAN(cases[i].name, buf_span(&out), span_of(cases[i].want));
        buf_done(&out);
    }
    assert_true(server.questions >= ARRAY_LEN(cases));
    resolver_question_cancel(resolver_ask_addresses(r, SPAN("fail.mx.test"), must_not_come, NULL));
    resolver_close(r);
    uv_close((uv_handle_t *)&server.udp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void test_unbound_options(void **state)
{
    (void)state;
    static const struct span bad[] = {
        SPAN_INIT("not an address"), SPAN_INIT("127.0.0.1@x@y"),
        SPAN_INIT("0123456789012345678901234567890123456789012345678901234567890123")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct resolver *r = NULL;
        struct err err = {0};
        struct resolver_unbound_options options = {.loop = &loop, .forwarders = &bad[i], .forwarder_count = 1};
        CHECK_INT(bad[i].ptr, resolver_unbound_new(&options, &r, &err), ERR_INVALID);
        assert_null(r);
    }
}

/* Trust anchors are records, with comments between them. */
static void test_anchors(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum err_code code;
    } cases[] = {
        {"a DS",
         "; of a test\n\ntest. 3600 IN DS 12345 13 2 "
         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef ;x\n",
         ERR_NONE},
        {"another record", "test. IN A 192.0.2.1\n", ERR_INVALID},
        {"no record", "hello\n", ERR_INVALID},
        {"comments alone", "; nothing\n", ERR_INVALID},
        {"too long for a record", NULL, ERR_INVALID},
    };
    char lengthy[4000];
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[sizeof lengthy - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct resolver *r = NULL;
        struct err err = {0};
        struct resolver_unbound_options options = {.loop = &loop,
                                                   .anchors = span_of(cases[i].text ? cases[i].text : lengthy)};
        CHECK_INT(cases[i].name, resolver_unbound_new(&options, &r, &err), cases[i].code);
        CHECK_INT(cases[i].name, r != NULL, cases[i].code == ERR_NONE);
        resolver_close(r);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
}

int main(void)
{
    uv_loop_init(&loop);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_secure),
        cmocka_unit_test(test_txt),
        cmocka_unit_test(test_shuffle_and_limit),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_unbound),
        cmocka_unit_test(test_unbound_options),
        cmocka_unit_test(test_anchors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return uv_loop_close(&loop) ? 1 : failed;
}
