/* test_explain_pressure.c: the line in which a running server tells what it is short of. */
#include "check.h"
#include "cli/explain_stores.h"

#include <string.h>

static void encode(const struct pressure *p, char *out)
{
    struct buf b;
    buf_init(&b, PRESSURE_BYTES);
    pressure_put(&b, p);
    for (size_t i = 0; i < b.len; i++)
        snprintf(out + 2 * i, 3, "%02x", (unsigned char)b.ptr[i]);
    buf_done(&b);
}

static void test_line(void **state UNUSED)
{
    struct pressure p = {.of[PRESSURE_MEMORY] = {PRESSURE_MEDIUM, true, 1, 2, 3, 4, UINT64_MAX, 6}}, q = {0};
    char line[2 * PRESSURE_BYTES + 8];
    encode(&p, line);
    size_t n = strlen(line);
    CHECK("whole", explain_pressure_parse(span_of(line), &q));
    CHECK_INT("level", q.of[PRESSURE_MEMORY].level, PRESSURE_MEDIUM);
    CHECK("value", q.of[PRESSURE_MEMORY].high == UINT64_MAX && q.of[PRESSURE_MEMORY].since_ms == 6);
    for (size_t cut = 0; cut < n; cut++)
        CHECK("cut", !explain_pressure_parse(span_make(line, cut), &q));
    snprintf(line + n, 3, "\r\n");
    CHECK("with its line end", explain_pressure_parse(span_of(line), &q));
    line[n] = '0';
    CHECK("longer", !explain_pressure_parse(span_of(line), &q));
    line[n] = '\0';
    line[5] = 'g';
    CHECK("no digit", !explain_pressure_parse(span_of(line), &q));
    line[5] = '0';
    line[0] = 'f'; /* a level that is none */
    CHECK("no level", !explain_pressure_parse(span_of(line), &q));
}

static void test_nobody(void **state UNUSED)
{
    struct pressure p;
    CHECK("no server", !explain_pressure_ask("/nonexistent", &p));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
