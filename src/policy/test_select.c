/* test_select.c: connector selection: the specification's cases, and that neither order nor the fast path matters.
 */
#include "check.h"
#include "policy/select.h"
#include "policy/test_support.h"

#define ALL_V4 "0.0.0.0-255.255.255.255"

/* The specification's example, and a connector of each kind beside it. */
static const char connectors[] =
    "ReceiveConnector: Guid=a|Name=A|Bindings=[0.0.0.0:25]|RemoteIPRanges=[" ALL_V4 "]\n"
    "ReceiveConnector: Guid=b|Name=B|Bindings=[0.0.0.0:25]|RemoteIPRanges=[192.168.1.0-192.168.1.255]\n"
    "ReceiveConnector: Guid=c|Name=C|Bindings=[0.0.0.0:25]|RemoteIPRanges=[192.168.1.75]\n"
    "ReceiveConnector: Guid=d|Name=Client|Bindings=[0.0.0.0:587,[::]:587]|RemoteIPRanges=[" ALL_V4 ",::/0]\n"
    "ReceiveConnector: "
    "Guid=e|Name=Off|Enabled=$false|Bindings=[0.0.0.0:25]|RemoteIPRanges=[192.168.1.75-192.168.1.75]\n"
    "ReceiveConnector: Guid=f|Name=Local|Bindings=[10.0.0.1:25]|RemoteIPRanges=[" ALL_V4 "]\n"
    "ReceiveConnector: Guid=g|Name=Two|Bindings=[0.0.0.0:25]|RemoteIPRanges=[172.16.0.0/12,172.16.5.0/24]\n"
    "ReceiveConnector: Guid=h|Name=Between|Bindings=[0.0.0.0:25]|RemoteIPRanges=[172.16.0.0/16]\n"
    "ReceiveConnector: Guid=i|Name=Six|Bindings=[[::]:25]|RemoteIPRanges=[2001:db8::/32]\n"
    "ReceiveConnector: Guid=j|Name=NoRange|Bindings=[0.0.0.0:25]|RemoteIPRanges=[]\n"
    "ReceiveConnector: Guid=k|Name=AllSix|Bindings=[0.0.0.0:26,[::]:26]|RemoteIPRanges=[::/0]\n";

static const struct {
    const char *name, *local, *remote;
    const char *want; /* NULL: none */
} rows[] = {
    {"the single address", "10.0.0.9:25", "192.168.1.75", "C"},
    {"the small range", "10.0.0.9:25", "192.168.1.100", "B"},
    {"everybody else", "10.0.0.9:25", "203.0.113.7", "A"},
    {"this local address before any", "10.0.0.1:25", "203.0.113.7", "Local"},
    {"a smaller range before this local address", "10.0.0.1:25", "192.168.1.75", "C"},
    {"another port", "10.0.0.9:587", "192.168.1.75", "Client"},
    {"no such port", "10.0.0.9:465", "192.168.1.75", NULL},
    {"the second range of a connector", "10.0.0.9:25", "172.16.5.9", "Two"},
    {"between two ranges of a connector", "10.0.0.9:25", "172.16.6.9", "Between"},
    {"the wider of two ranges", "10.0.0.9:25", "172.17.0.1", "Two"},
    {"the first address of a range", "10.0.0.9:25", "192.168.1.0", "B"},
    {"the last address of a range", "10.0.0.9:25", "192.168.1.255", "B"},
    {"one past a range", "10.0.0.9:25", "192.168.2.0", "A"},
    {"IPv6", "[2001:db8::1]:25", "2001:db8::9", "Six"},
    {"IPv6 outside of the range", "[2001:db8::1]:25", "2001:db9::9", NULL},
    {"IPv6 on a port for both", "[2001:db8::1]:587", "2001:db9::9", "Client"},
    {"every IPv6 address", "[2001:db8::1]:26", "2001:db9::9", "AllSix"},
    {"every IPv6 address is no IPv4 address", "10.0.0.9:26", "203.0.113.7", NULL},
    {"IPv4 as a dual-stack socket shows it", "[::ffff:10.0.0.9]:25", "::ffff:192.168.1.75", "C"},
};

static const char *name_of(const struct test_policy *t, const struct receive_connector *c, char out[static 64])
{
    if (!c)
        return "(none)";
    snprintf(out, 64, "%.*s", SPAN_ARG(policy_text(t->policy, c->name)));
    return out;
}

static void check_rows(struct test_policy *t)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selection s;
        char name[64];
        struct ip_endpoint local = test_endpoint(rows[i].local);
        struct ip_addr remote = test_ip(rows[i].remote);
        const char *want = rows[i].want ? rows[i].want : "(none)";
        policy_select_traced(t->policy, local, remote, &s);
        CHECK_STR(rows[i].name, name_of(t, policy_select(t->policy, local, remote), name), want);
        CHECK_STR(rows[i].name, name_of(t, s.connector, name), want);
        if (s.connector) {
            CHECK(rows[i].name, policy_receive_connector(t->policy, s.index) == s.connector);
            CHECK(rows[i].name, ip_range_contains(s.range, remote));
        }
    }
}

static void test_selection(void **state UNUSED)
{
    struct test_policy t;
    uint64_t seed = 42;
    test_policy_init(&t);
    test_add(&t, connectors);
    for (int i = 0; i < 20; i++) {
        test_open(&t);
        check_rows(&t);
        test_shuffle(&t, &seed);
    }
    test_policy_done(&t);
}

static void test_trace(void **state UNUSED)
{
    static const struct {
        const char *connector;
        enum candidate_result result;
    } want[] = {
        {"A", CANDIDATE_MATCHED},
        {"B", CANDIDATE_MATCHED},
        {"C", CANDIDATE_MATCHED},
        {"Client", CANDIDATE_OTHER_BINDING},
        {"Off", CANDIDATE_DISABLED},
        {"Local", CANDIDATE_OTHER_BINDING},
        {"Two", CANDIDATE_OTHER_RANGE},
        {"Between", CANDIDATE_OTHER_RANGE},
        {"Six", CANDIDATE_OTHER_BINDING},
        {"NoRange", CANDIDATE_OTHER_RANGE},
        {"AllSix", CANDIDATE_OTHER_BINDING},
    };
    struct test_policy t;
    struct selection s;
    test_policy_init(&t);
    test_add(&t, connectors);
    test_open(&t);
    policy_select_traced(t.policy, test_endpoint("10.0.0.9:25"), test_ip("192.168.1.75"), &s);
    CHECK_INT("trace", s.candidate_count, ARRAY_LEN(want));
    CHECK("trace", !s.truncated);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        char name[64];
        const struct selection_candidate *k = &s.candidates[i];
        CHECK_STR(want[i].connector, name_of(&t, policy_receive_connector(t.policy, k->connector), name),
                  want[i].connector);
        CHECK_INT(want[i].connector, k->result, want[i].result);
    }
    test_policy_done(&t);
}

/* A thousand connectors: the trace stays bounded and still holds all that matched. */
static void test_many(void **state UNUSED)
{
    enum { MANY = 1000, MATCHING = 3 };
    struct test_policy t;
    struct selection s;
    char name[64];
    size_t matched = 0;
    test_policy_init(&t);
    for (unsigned i = 0; i < MANY; i++)
        test_addf(&t, "ReceiveConnector: Guid=%04u|Name=n%u|Bindings=[0.0.0.0:25]|RemoteIPRanges=[10.%u.%u.0/24]",
                  i, i, i / 250, i % 250);
    test_add(&t, "ReceiveConnector: Guid=w|Name=wide|Bindings=[0.0.0.0:25]|RemoteIPRanges=[" ALL_V4 "]\n"
                 "ReceiveConnector: Guid=x|Name=ten|Bindings=[0.0.0.0:25]|RemoteIPRanges=[10.0.0.0/8]");
    test_open(&t);
    policy_select_traced(t.policy, test_endpoint("192.0.2.1:25"), test_ip("10.3.249.7"), &s);
    CHECK_INT("many", s.candidate_count, SELECTION_CANDIDATES_MAX);
    CHECK("many", s.truncated);
    for (size_t i = 0; i < s.candidate_count; i++)
        matched += s.candidates[i].result == CANDIDATE_MATCHED;
    CHECK_INT("many", matched, MATCHING);
    CHECK_STR("many", name_of(&t, s.connector, name), "n999");
    test_policy_done(&t);
}

/* ---- property: over generated policies ---- */

static void add_random(struct test_policy *t, uint64_t *seed)
{
    static const char *const locals[] = {"0.0.0.0", "10.0.0.1", "10.0.0.2"};
    unsigned n = 1 + test_draw(seed, 8);
    for (unsigned i = 0; i < n; i++) {
        unsigned a = test_draw(seed, 16), b = a + test_draw(seed, 16 - a), c = test_draw(seed, 16);
        test_addf(t,
                  "ReceiveConnector: Guid=%u|Name=%u|Enabled=%s|Bindings=[%s:25,%s:%u]|"
                  "RemoteIPRanges=[192.0.2.%u-192.0.2.%u,192.0.2.%u]",
                  i, i, test_draw(seed, 8) ? "$true" : "$false", locals[test_draw(seed, 3)],
                  locals[test_draw(seed, 3)], 25 + test_draw(seed, 2), a, b, c);
    }
}

/* Nothing that matches has a smaller range than the winner, or the same with a more specific binding. */
static void check_winner(const struct selection *s, const struct receive_connector *fast)
{
    size_t matched = 0;
    bool specific = false;
    CHECK("property", s->connector == fast);
    for (size_t i = 0; i < s->candidate_count; i++)
        if (s->connector && s->candidates[i].connector == s->index)
            specific = s->candidates[i].specific_binding;
    for (size_t i = 0; i < s->candidate_count; i++) {
        const struct selection_candidate *k = &s->candidates[i];
        if (k->result != CANDIDATE_MATCHED)
            continue;
        matched++;
        CHECK("property", ip_range_cmp_size(s->range, k->range) <= 0);
        CHECK("property", ip_range_cmp_size(s->range, k->range) < 0 || specific || !k->specific_binding);
    }
    CHECK("property", (matched != 0) == (s->connector != NULL));
}

static void test_selection_property(void **state UNUSED)
{
    static const char *const locals[] = {"10.0.0.1:25", "10.0.0.2:26", "10.0.0.3:25"};
    uint64_t seed = 0x5eed;
    for (int round = 0; round < 200; round++) {
        struct test_policy t, other;
        char a[64], b[64];
        uint64_t again = seed;
        test_policy_init(&t);
        test_policy_init(&other);
        add_random(&t, &seed);
        add_random(&other, &again);
        test_shuffle(&other, &seed);
        test_open(&t);
        test_open(&other);
        for (uint8_t remote = 0; remote < 17; remote++)
            for (size_t l = 0; l < ARRAY_LEN(locals); l++) {
                struct selection s;
                struct ip_endpoint local = test_endpoint(locals[l]);
                struct ip_addr ip = ip_v4(192, 0, 2, remote);
                policy_select_traced(t.policy, local, ip, &s);
                check_winner(&s, policy_select(t.policy, local, ip));
                CHECK_STR("order", name_of(&other, policy_select(other.policy, local, ip), a),
                          name_of(&t, s.connector, b));
            }
        test_policy_done(&t);
        test_policy_done(&other);
    }
}

/* ---- the uniqueness rule ---- */

static void test_conflict(void **state UNUSED)
{
    static const struct {
        const char *name, *a_binding, *a_range, *b_binding, *b_range;
        bool want;
    } conflicts[] = {
        {"the same", "0.0.0.0:25", ALL_V4, "0.0.0.0:25", ALL_V4, true},
        {"the same, written otherwise", "0.0.0.0:25", "10.0.0.0/8", "0.0.0.0:25", "10.0.0.0-10.255.255.255", true},
        {"another port", "0.0.0.0:25", ALL_V4, "0.0.0.0:26", ALL_V4, false},
        {"another address", "0.0.0.0:25", ALL_V4, "10.0.0.1:25", ALL_V4, false},
        {"one range inside the other", "0.0.0.0:25", ALL_V4, "0.0.0.0:25", "10.0.0.0/8", false},
        {"overlapping ranges", "0.0.0.0:25", "10.0.0.1-10.0.0.9", "0.0.0.0:25", "10.0.0.5-10.0.0.20", false},
        {"IPv6 beside IPv4", "[::]:25", "::/0", "0.0.0.0:25", ALL_V4, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(conflicts); i++) {
        /* the common pair is the second of each */
        struct ip_endpoint a[] = {test_endpoint("127.0.0.1:1"), test_endpoint(conflicts[i].a_binding)};
        struct ip_endpoint b[] = {test_endpoint("127.0.0.1:2"), test_endpoint(conflicts[i].b_binding)};
        struct ip_range ra[2] = {{test_ip("127.0.0.3"), test_ip("127.0.0.3")}};
        struct ip_range rb[2] = {{test_ip("127.0.0.4"), test_ip("127.0.0.4")}};
        assert_true(ip_parse_range(span_of(conflicts[i].a_range), &ra[1]));
        assert_true(ip_parse_range(span_of(conflicts[i].b_range), &rb[1]));
        struct connector_scope x = {a, 2, ra, 2}, y = {b, 2, rb, 2};
        struct ip_endpoint binding = {0};
        struct ip_range range = {0};
        CHECK_INT(conflicts[i].name, policy_conflict(&x, &y, &binding, &range), conflicts[i].want);
        if (conflicts[i].want) {
            CHECK(conflicts[i].name, ip_cmp(binding.addr, a[1].addr) == 0 && binding.port == a[1].port);
            CHECK(conflicts[i].name, ip_range_eq(range, ra[1]));
        }
    }
}

static void test_proxies(void **state UNUSED)
{
    static const struct {
        const char *name, *connector, *peer;
        unsigned versions;
    } cases[] = {
        {"in the list", "Both", "10.0.0.5", CONNECTOR_PROXY_V1 | CONNECTOR_PROXY_V2},
        {"in a range of it", "Both", "10.1.255.255", CONNECTOR_PROXY_V1 | CONNECTOR_PROXY_V2},
        {"one past it", "Both", "10.2.0.0", 0},
        {"of the other family", "Both", "::a00:5", 0},
        {"as a dual-stack socket shows it", "Both", "::ffff:10.0.0.5", CONNECTOR_PROXY_V1 | CONNECTOR_PROXY_V2},
        {"one version", "Two", "2001:db8::5", CONNECTOR_PROXY_V2},
        {"a list, but no version", "Off", "10.0.0.5", 0},
        {"neither", "Plain", "10.0.0.5", 0},
    };
    struct test_policy t;
    test_policy_init(&t);
    test_add(
        &t, "ReceiveConnector: Guid=a|Name=Plain\n"
            "ReceiveConnector: Guid=b|Name=Both|ProxyProtocol=[V1,V2]|ProxyProtocolSources=[10.0.0.5,10.1.0.0/16]\n"
            "ReceiveConnector: Guid=c|Name=Two|ProxyProtocol=[V2]|ProxyProtocolSources=[2001:db8::/64]\n"
            "ReceiveConnector: Guid=d|Name=Off|ProxyProtocol=[None]|ProxyProtocolSources=[10.0.0.5]");
    test_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(cases[i].name,
                  policy_proxy_versions(t.policy, test_receive(&t, cases[i].connector), test_ip(cases[i].peer)),
                  cases[i].versions);
    test_policy_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_selection_property),
        cmocka_unit_test(test_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
