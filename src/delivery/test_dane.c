/* test_dane.c: which TLSA records can be used. */
#include "check.h"
#include "delivery/dane.h"

#include <string.h>

static const struct {
    const char *name;
    uint8_t head[3];
    size_t data;
    bool usable;
} rows[] = {
    {"DANE-EE, key, SHA-256", {3, 1, 1}, 32, true},
    {"DANE-TA, certificate, SHA-512", {2, 0, 2}, 64, true},
    {"DANE-EE, the key itself", {3, 1, 0}, 91, true},
    {"PKIX-TA", {0, 1, 1}, 32, false},
    {"PKIX-EE", {1, 1, 1}, 32, false},
    {"an unknown usage", {4, 1, 1}, 32, false},
    {"an unknown selector", {3, 2, 1}, 32, false},
    {"an unknown digest", {3, 1, 3}, 32, false},
    {"a short digest", {3, 1, 1}, 31, false},
    {"a long digest", {3, 1, 1}, 33, false},
    {"SHA-256 for SHA-512", {3, 1, 2}, 32, false},
    {"no data", {3, 1, 0}, 0, false},
    {"the longest data", {3, 1, 0}, DANE_DATA_MAX - 3, true},
    {"too long", {3, 1, 0}, DANE_DATA_MAX - 2, false},
};

static void test_rows(void **state UNUSED)
{
    static char wire[DANE_DATA_MAX + 8];
    memset(wire, 'x', sizeof wire);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tls_tlsa r = {.usage = 99};
        memcpy(wire, rows[i].head, 3);
        CHECK_INT(rows[i].name, dane_parse(span_make(wire, 3 + rows[i].data), &r), rows[i].usable);
        CHECK_INT(rows[i].name, r.usage, rows[i].usable ? rows[i].head[0] : 99);
        if (rows[i].usable) {
            CHECK_INT(rows[i].name, r.data.len, rows[i].data);
            CHECK(rows[i].name, r.data.ptr == wire + 3);
        }
    }
    for (size_t n = 0; n <= 3; n++) {
        struct tls_tlsa r;
        assert_false(dane_parse(span_make(wire, n), &r));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
