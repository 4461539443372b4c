/* test_host_facts.c: gateways out of the kernel's tables of routes, addresses, and which certificate is for whom.
 */
#include "check.h"
#include "cli/host_facts.h"
#include "policy/test_support.h"
#include "runtime/clock.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_routes(void **state UNUSED)
{
    static const struct {
        const char *name, *line, *want, *interface; /* want NULL: no gateway */
        bool v6;
    } rows[] = {
        {"heading", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", NULL,
         ""},
        {"default", "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0", "192.0.2.1", "eth0"},
        {"link", "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0", NULL, ""},
        {"another network", "tun-a\t0000A8C0\t0100000A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0", "10.0.0.1", "tun-a"},
        {"empty", "", NULL, ""},
        {"cut", "eth0\t00000000\t0102", NULL, ""},
        {"default",
         "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 "
         "00000400 "
         "00000002 00000000 00000003     eth0",
         "fd00::1", "eth0", true},
        {"link",
         "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 "
         "00000100 "
         "00000001 00000000 00000001     eth0",
         NULL, "", true},
        {"cut",
         "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd00 00000400 00000002 00000000 "
         "00000003 eth0",
         NULL, "", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct audit_address a;
        char interface[17], text[IP_TEXT_MAX];
        bool found = rows[i].v6 ? host_facts_read_route6(rows[i].line, &a, interface)
                                : host_facts_read_route(rows[i].line, &a, interface);
        CHECK_INT(rows[i].name, found, rows[i].want != NULL);
        if (!found)
            continue;
        CHECK_STR(rows[i].name, ip_print(a.addr, text), rows[i].want);
        CHECK_STR(rows[i].name, interface, rows[i].interface);
        CHECK_INT(rows[i].name, a.flags, AUDIT_GATEWAY);
    }
}

static void test_addresses(void **state UNUSED)
{
    struct audit_facts facts = {0};
    struct arena arena;
    struct err err = {0};
    bool loopback = false;
    arena_init(&arena, 0);
    assert_int_equal(host_facts_addresses(&arena, &facts, &err), ERR_NONE);
    for (size_t i = 0; i < facts.address_count; i++) {
        const struct audit_address *a = &facts.addresses[i];
        CHECK("flags", a->flags && a->interface.len);
        loopback = loopback || (ip_is_loopback(a->addr) && (a->flags & AUDIT_OWN));
        for (size_t k = 0; k < i; k++)
            CHECK("once", ip_cmp(a->addr, facts.addresses[k].addr) != 0);
    }
    CHECK("loopback", loopback);
    arena_clear(&arena);
}

static void write_file(const char *folder, const char *name, struct span content)
{
    char path[128];
    snprintf(path, sizeof path, "%s/certs/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content.ptr, 1, content.len, f), content.len);
    fclose(f);
}

static void remove_file(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/certs/%s", folder, name);
    unlink(path);
}

static void test_certificates(void **state UNUSED)
{
    static const struct span names[] = {SPAN_INIT("mail.example.com"), SPAN_INIT("*.apps.example.com")};
    static const char *const files[] = {"a.crt", "a.key", "broken.crt", "broken.key", "notes.txt"};
    static const char *const want[] = {"MAIL.example.com", "x.apps.example.com"};
    char folder[] = "/tmp/mailreeve-test-XXXXXX", certs[64];
    struct test_policy t;
    struct audit_facts facts = {.host = SPAN("host.example.com")};
    struct arena arena;
    struct buf chain, key;
    struct err err = {0}, unreadable = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(certs, sizeof certs, "%s/certs", folder);
    assert_int_equal(mkdir(certs, 0700), 0);
    buf_init(&chain, 65536);
    buf_init(&key, 65536);
    int64_t now = clock_wall_ms();
    assert_int_equal(tls_make_self_signed(names, ARRAY_LEN(names), now, 10, &chain, &key, &err), ERR_NONE);
    write_file(folder, "a.crt", buf_span(&chain));
    write_file(folder, "a.key", buf_span(&key));
    write_file(folder, "notes.txt", SPAN("x"));
    test_policy_init(&t);
    arena_init(&arena, 0);
    test_add(&t, "ReceiveConnector: Guid=1|Name=1|Fqdn=MAIL.example.com\nReceiveConnector: "
                 "Guid=2|Name=2|Fqdn=mail.example.com\n"
                 "ReceiveConnector: Guid=3|Name=3|Fqdn=x.apps.example.com\nReceiveConnector: "
                 "Guid=4|Name=4|Fqdn=y.x.apps.example.com\n"
                 "ReceiveConnector: Guid=5|Name=5");
    test_open(&t);
    if (host_facts_certificates(folder, t.policy, &arena, &facts, &unreadable, &err))
        fail_msg("%s", err.text);
    CHECK("known", facts.certificates_known && !unreadable.code);
    CHECK_INT("certificates", facts.certificate_count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK(want[i], span_ieq(facts.certificates[i].host, span_of(want[i])));
        CHECK(want[i], facts.certificates[i].not_before <= now + 1000 &&
                           facts.certificates[i].not_after > now + INT64_C(9) * 86400000);
    }
    write_file(folder, "broken.crt", SPAN("nonsense"));
    write_file(folder, "broken.key", buf_span(&key));
    struct audit_facts none = {0};
    assert_int_equal(host_facts_certificates(folder, t.policy, &arena, &none, &unreadable, &err), ERR_NONE);
    CHECK("unreadable", !none.certificates_known && unreadable.code && strstr(unreadable.text, "broken.crt"));
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        remove_file(folder, files[i]);
    rmdir(certs);
    rmdir(folder);
    buf_done(&chain);
    buf_wipe(&key);
    arena_clear(&arena);
    test_policy_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
