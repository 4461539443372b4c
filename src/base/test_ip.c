/* Addresses, endpoints and ranges: what parses, to what, and what does not. */
#include "check.h"

#include "base/ip.h"

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"256.0.0.1", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4.5", NULL},
        {"01.2.3.4", NULL},
        {"1.2.3.", NULL},
        {"", NULL},
        {":", NULL},
        {":::", NULL},
        {"1::2::3", NULL},
        {"1:2:3:4:5:6:7", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"1:2:3:4:5:6:7::8", NULL},
        {"12345::", NULL},
        {"g::", NULL},
        {"::1.2.3.4.5", NULL},
        {"fe80::1%eth0", NULL},
        {"1.2.3.4::", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_addr a;
        char text[IP_TEXT_MAX];
        CHECK_INT(rows[i].text, ip_parse(span_of(rows[i].text), &a), rows[i].want != NULL);
        if (rows[i].want)
            CHECK_STR(rows[i].text, ip_print(a, text), rows[i].want);
    }
}

static void endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"0.0.0.0:25", true},  {"[::]:587", true},       {"[2001:db8::1]:65535", true},
        {"1.2.3.4:0", false},  {"1.2.3.4:65536", false}, {"1.2.3.4", false},
        {"::1:25", false},     {"[1.2.3.4]:25", false},  {"[::1]", false},
        {":25", false},        {"1.2.3.4:", false},      {"[::1:25", false},
        {"1.2.3.4:2x", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_endpoint e;
        char text[IP_ENDPOINT_TEXT_MAX];
        CHECK_INT(rows[i].text, ip_parse_endpoint(span_of(rows[i].text), &e), rows[i].ok);
        if (rows[i].ok)
            CHECK_STR(rows[i].text, ip_print_endpoint(e, text), rows[i].text);
    }
}

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"127.0.0.2", "127.0.0.2"},
        {"0.0.0.0-255.255.255.255", "0.0.0.0-255.255.255.255"},
        {"10.0.0.5 - 10.0.0.9", "10.0.0.5-10.0.0.9"},
        {"192.168.1.77/24", "192.168.1.0-192.168.1.255"},
        {"192.168.1.0/255.255.255.0", "192.168.1.0-192.168.1.255"},
        {"0.0.0.0/0", "0.0.0.0-255.255.255.255"},
        {"10.1.2.3/32", "10.1.2.3"},
        {"2001:db8::/126", "2001:db8::-2001:db8::3"},
        {"::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::/80", "::-::fffe:ffff:ffff"}, /* ends before the IPv4-mapped addresses, which are IPv4 */
        {"::ff00:0:0/88", "::ff00:0:0-::fffe:ffff:ffff"},
        {"::1:0:0:0/79", "::-::1:ffff:ffff:ffff"},
        {"10.0.0.9-10.0.0.5", NULL},
        {"10.0.0.1-::1", NULL},
        {"10.0.0.1/33", NULL},
        {"10.0.0.1/255.0.255.0", NULL},
        {"::1/129", NULL},
        {"::1/255.0.0.0", NULL},
        {"10.0.0.1-", NULL},
        {"10.0.0.1/", NULL},
        {"any", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip_range r;
        char text[IP_RANGE_TEXT_MAX];
        CHECK_INT(rows[i].text, ip_parse_range(span_of(rows[i].text), &r), rows[i].want != NULL);
        if (!rows[i].want)
            continue;
        struct ip_range back;
        CHECK_STR(rows[i].text, ip_print_range(r, text), rows[i].want);
        CHECK(rows[i].text, ip_parse_range(span_of(text), &back) && ip_range_eq(r, back));
    }
}

static void sizes_and_membership(void **state)
{
    (void)state;
    struct ip_range wide = {0}, net = {0}, one = {0}, v6 = {0};
    struct ip_addr a;
    assert_true(ip_parse_range(SPAN("0.0.0.0-255.255.255.255"), &wide) &&
                ip_parse_range(SPAN("192.168.1.0/24"), &net) && ip_parse_range(SPAN("192.168.1.75"), &one) &&
                ip_parse_range(SPAN("::/0"), &v6));
    assert_true(ip_range_cmp_size(one, net) < 0 && ip_range_cmp_size(net, wide) < 0 &&
                ip_range_cmp_size(wide, v6) < 0);
    assert_int_equal(ip_range_cmp_size(net, net), 0);
    assert_true(ip_parse(SPAN("::ffff:192.168.1.75"), &a)); /* as a dual-stack socket reports it */
    assert_true(ip_range_contains(one, a) && ip_range_contains(net, a) && ip_range_contains(wide, a));
    assert_false(ip_range_contains(v6, a)); /* although it spans the mapped form */
    assert_true(ip_parse(SPAN("192.168.2.0"), &a));
    assert_false(ip_range_contains(net, a));
    assert_true(ip_is_loopback(ip_v4(127, 9, 9, 9)));
    assert_true(ip_is_any(ip_v4(0, 0, 0, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(endpoints),
                                       cmocka_unit_test(ranges), cmocka_unit_test(sizes_and_membership)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
