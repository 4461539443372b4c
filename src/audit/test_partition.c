/* test_partition.c: counting addresses; the partition is what policy_select decides, everywhere. */
#include "audit/address.h"
#include "audit/partition.h"
#include "check.h"
#include "policy/select.h"
#include "policy/test_support.h"

static struct ip_range range(const char *text)
{
    struct ip_range r = {{{0}}, {{0}}};
    if (!ip_parse_range(span_of(text), &r))
        fail_msg("%s is no range", text);
    return r;
}

static void test_extent(void **state UNUSED)
{
    static const struct {
        const char *name, *range;
        uint64_t v4, v6;
        bool wide;
        const char *example;
    } rows[] = {
        {"private", "10.0.0.0/8", 0, 0, false, "10.0.0.1"},
        {"the other private ones", "192.168.0.0/16", 0, 0, false, "192.168.0.1"},
        {"across the bounds of one", "172.15.255.255-172.32.0.0", 2, 0, false, "172.15.255.255"},
        {"loopback", "127.0.0.1", 0, 0, false, "127.0.0.1"},
        {"one host", "192.0.2.9", 1, 0, false, "192.0.2.9"},
        {"a /16", "20.0.0.0/16", 65536, 0, false, "20.0.0.1"},
        {"one more", "20.0.0.0-20.1.0.0", 65537, 0, true, "20.0.0.1"},
        {"all", "0.0.0.0/0", 3702390784, 0, true, "203.0.113.7"},
        {"multicast and reserved", "224.0.0.0-255.255.255.255", 0, 0, false, "224.0.0.1"},
        {"one IPv6 network", "2001:db8::/64", 0, 1, false, "2001:db8::7"},
        {"a part of one", "2001:db8::1", 0, 1, false, "2001:db8::1"},
        {"a /32", "2a00:1::/32", 0, UINT64_C(1) << 32, false, "2a00:1::1"},
        {"a /31", "2a00::/31", 0, UINT64_C(1) << 33, true, "2a00::1"},
        {"local ones", "fc00::/7", 0, 0, false, "fc00::1"},
        {"all of IPv6", "::/0", 0, UINT64_C(1) << 61, true, "2001:db8::7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct audit_extent e = {0};
        char text[IP_TEXT_MAX];
        audit_extent_add(&e, range(rows[i].range));
        CHECK_INT(rows[i].name, e.v4, rows[i].v4);
        CHECK_INT(rows[i].name, e.v6, rows[i].v6);
        CHECK_INT(rows[i].name, audit_extent_is_wide(e), rows[i].wide);
        CHECK_STR(rows[i].name, ip_print(audit_example(range(rows[i].range)), text), rows[i].example);
    }
}

static void partition(const struct test_policy *t, struct arena *arena, struct audit_partition *ret)
{
    const struct ip_addr own[] = {test_ip("10.0.0.9"), test_ip("2001:db8::9")};
    struct err err = {0};
    arena_init(arena, 0);
    if (audit_partition_make(t->policy, own, ARRAY_LEN(own), arena, ret, &err))
        fail_msg("%s", err.text);
}

static void test_locals(void **state UNUSED)
{
    static const char *const want[] = {"10.0.0.1:25", "10.0.0.9:25", "10.0.0.9:26", "127.0.0.1:27",
                                       "[2001:db8::9]:25"};
    struct test_policy t;
    struct arena arena;
    struct audit_partition part;
    test_policy_init(&t);
    test_add(
        &t, "ReceiveConnector: Guid=a|Name=a|Bindings=[0.0.0.0:25,[::]:25,10.0.0.1:25]|RemoteIPRanges=[0.0.0.0/0]\n"
            "ReceiveConnector: Guid=b|Name=b|Bindings=[10.0.0.9:26,0.0.0.0:27,10.0.0.9:27]|"
            "RemoteIPRanges=[0.0.0.0/0]\n"
            "ReceiveConnector: Guid=c|Name=c|Enabled=$false|Bindings=[0.0.0.0:28]|RemoteIPRanges=[0.0.0.0/0]");
    test_open(&t);
    partition(&t, &arena, &part);
    CHECK_INT("classes", part.local_count, 6);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct ip_endpoint e = test_endpoint(want[i]);
        bool found = false;
        for (size_t k = 0; k < part.local_count; k++)
            found = found || (part.locals[k].at.port == e.port && ip_cmp(part.locals[k].at.addr, e.addr) == 0);
        CHECK(want[i], found);
    }
    arena_clear(&arena);
    test_policy_done(&t);
}

/* Ranges that lie in and across each other, at bindings that overlap; of both families, with both ends of each. */
static void add_random(struct test_policy *t, uint64_t *seed)
{
    static const char *const locals[] = {"0.0.0.0", "10.0.0.1", "[::]", "[2001:db8::1]"};
    static const char *const whole[] = {
        "192.0.2.40", "0.0.0.0/0", "::/0", "2001:db8::28", "255.255.255.250-255.255.255.255", "0.0.0.0-0.0.0.9"};
    unsigned n = 1 + test_draw(seed, 8);
    for (unsigned i = 0; i < n; i++) {
        unsigned a = test_draw(seed, 16), b = a + test_draw(seed, 16 - a), c = test_draw(seed, 16);
        test_addf(t,
                  "ReceiveConnector: Guid=%u|Name=%u|Enabled=%s|Bindings=[%s:25,%s:%u]|"
                  "RemoteIPRanges=[192.0.2.%u-192.0.2.%u,2001:db8::%x-2001:db8::%x,192.0.2.%u,%s]",
                  i, i, test_draw(seed, 8) ? "$true" : "$false", locals[test_draw(seed, 4)],
                  locals[test_draw(seed, 4)], 25 + test_draw(seed, 2), a, b, c, 16 + c, c,
                  whole[test_draw(seed, ARRAY_LEN(whole))]);
    }
}

static const struct audit_cell *cell_at(const struct audit_partition *part, size_t local, struct ip_addr remote,
                                        size_t *ret_count)
{
    const struct audit_cell *found = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < part->cell_count; i++)
        if (part->cells[i].local == local && ip_range_contains(part->cells[i].remote, remote)) {
            found = &part->cells[i];
            (*ret_count)++;
        }
    return found;
}

static void check_at(const struct test_policy *t, const struct audit_partition *part, size_t local,
                     struct ip_addr remote)
{
    size_t count;
    const struct audit_cell *cell = cell_at(part, local, remote, &count);
    const struct receive_connector *c = policy_select(t->policy, part->locals[local].at, remote);
    CHECK_INT("cells", count, c != NULL);
    if (!c)
        return;
    CHECK("winner", policy_receive_connector(t->policy, cell->connector) == c);
    CHECK("range", ip_range_contains(policy_ranges(t->policy, c->ranges)[cell->range], remote));
    CHECK("grouped", cell >= part->cells + part->first[cell->connector] &&
                         cell < part->cells + part->first[cell->connector + 1]);
}

/* At the ends of each cell and just outside, and at every address that the generated ranges can have. */
static void test_partition_property(void **state UNUSED)
{
    uint64_t seed = 0x5eed;
    for (int round = 0; round < 300; round++) {
        struct test_policy t;
        struct arena arena;
        struct audit_partition part;
        test_policy_init(&t);
        add_random(&t, &seed);
        test_open(&t);
        partition(&t, &arena, &part);
        for (size_t l = 0; l < part.local_count; l++) {
            bool v4 = ip_is_v4(part.locals[l].at.addr);
            for (unsigned n = 0; n < 48; n++) {
                struct ip_addr v6 = test_ip("2001:db8::");
                v6.bytes[15] = (uint8_t)n;
                check_at(&t, &part, l, v4 ? ip_v4(192, 0, 2, (uint8_t)n) : v6);
            }
            for (size_t k = 0; k < part.cell_count; k++) {
                const struct ip_range r = part.cells[k].remote;
                struct ip_addr out;
                if (part.cells[k].local != l)
                    continue;
                check_at(&t, &part, l, r.first);
                check_at(&t, &part, l, r.last);
                if (audit_next_address(r.last, &out) && ip_is_v4(out) == v4)
                    check_at(&t, &part, l, out);
                if (audit_previous_address(r.first, &out) && ip_is_v4(out) == v4)
                    check_at(&t, &part, l, out);
            }
        }
        arena_clear(&arena);
        test_policy_done(&t);
    }
}

/* Nothing is quadratic: many connectors, each in the next one's hole. */
static void test_many(void **state UNUSED)
{
    enum { MANY = 1500 };
    struct test_policy t;
    struct arena arena;
    struct audit_partition part;
    test_policy_init(&t);
    for (unsigned i = 0; i < MANY; i++)
        test_addf(
            &t,
            "ReceiveConnector: Guid=%04u|Name=n%u|Bindings=[0.0.0.0:25]|RemoteIPRanges=[10.%u.%u.0-10.255.%u.0]", i,
            i, i / 250, i % 250, 255 - i % 250);
    test_open(&t);
    partition(&t, &arena, &part);
    CHECK("linear", part.cell_count <= (size_t)2 * MANY);
    CHECK("some", part.cell_count >= 2);
    for (size_t k = 0; k < part.cell_count; k++)
        CHECK("winner", policy_select(t.policy, part.locals[0].at, part.cells[k].remote.first) ==
                            policy_receive_connector(t.policy, part.cells[k].connector));
    arena_clear(&arena);
    test_policy_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extent),
        cmocka_unit_test(test_locals),
        cmocka_unit_test(test_partition_property),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
