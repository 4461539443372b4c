/* test_sts_policy.c: which records and policies are valid, and which hosts a policy lists. */
#include "check.h"
#include "delivery/sts_policy.h"

#include <stdio.h>
#include <string.h>

static void test_records(void **state UNUSED)
{
    static const struct {
        const char *text, *id; /* NULL: not valid */
        bool claims;
    } rows[] = {
        {"v=STSv1; id=20160831085700Z;", "20160831085700Z", true},
        {"v=STSv1;id=1", "1", true},
        {"v=STSv1; other=x; id=a1;", "a1", true},
        {"v=STSv1; id=a;id=b", "a", true},
        {"v=STSv1; id=0123456789012345678901234567890a", "0123456789012345678901234567890a", true},
        {"v=STSv1; id=0123456789012345678901234567890ab", NULL, true},
        {"v=STSv1; id=a-b;", NULL, true},
        {"v=STSv1; id=;", NULL, true},
        {"v=STSv1;", NULL, true},
        {"v=STSv2; id=1;", NULL, false},
        {"id=1; v=STSv1;", NULL, false},
        {"", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span id = SPAN("untouched");
        CHECK_INT(rows[i].text, sts_record_claims(span_of(rows[i].text)), rows[i].claims);
        CHECK_INT(rows[i].text, sts_record_id(span_of(rows[i].text), &id), rows[i].id != NULL);
        if (rows[i].id)
            CHECK_SPAN(rows[i].text, id, span_of(rows[i].id));
    }
}

static void test_policies(void **state UNUSED)
{
    static const struct {
        const char *name, *text;
        enum err_code code;
        const char *says;
        enum hop_sts mode;
        uint32_t max_age;
        size_t mx;
    } rows[] = {
        {"of the RFC",
         "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: "
         "backupmx.example.com\r\n"
         "max_age: 604800\r\n",
         .mode = HOP_STS_ENFORCE, .max_age = 604800, .mx = 3},
        {"LF, no blanks, unknown fields", "version:STSv1\nmode:testing\nx: y\nmx:a.test\nmax_age:1",
         .mode = HOP_STS_TESTING, .max_age = 1, .mx = 1},
        {"none", "version: STSv1\nmode: none\nmax_age: 86400\n", .mode = HOP_STS_NONE, .max_age = 86400},
        {"the first counts", "version: STSv1\nmode: testing\nmode: enforce\nmx: a.test\nmax_age: 5\nmax_age: 9\n",
         .mode = HOP_STS_TESTING, .max_age = 5, .mx = 1},
        {"longer than a year", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 9999999999\n",
         .mode = HOP_STS_ENFORCE, .max_age = STS_AGE_MAX, .mx = 1},
        {"no version", "mode: enforce\nmx: a.test\nmax_age: 5\n", ERR_INVALID, "version"},
        {"another version", "version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 5\n", ERR_INVALID, "STSv2"},
        {"no mode", "version: STSv1\nmx: a.test\nmax_age: 5\n", ERR_INVALID, "no mode"},
        {"an unknown mode", "version: STSv1\nmode: Enforce\nmx: a.test\nmax_age: 5\n", ERR_INVALID, "Enforce"},
        {"no age", "version: STSv1\nmode: enforce\nmx: a.test\n", ERR_INVALID, "max_age"},
        {"no number", "version: STSv1\nmode: enforce\nmx: a.test\nmax_age: -5\n", ERR_INVALID, "-5"},
        {"no host", "version: STSv1\nmode: enforce\nmax_age: 5\n", ERR_INVALID, "no mx"},
        {"a bad host", "version: STSv1\nmode: enforce\nmx: a b\nmax_age: 5\n", ERR_INVALID, "a b"},
        {"a wildcard alone", "version: STSv1\nmode: enforce\nmx: *\nmax_age: 5\n", ERR_INVALID, "mx"},
        {"a wildcard within", "version: STSv1\nmode: enforce\nmx: a.*.test\nmax_age: 5\n", ERR_INVALID, "a.*.test"},
        {"a page", "<html>\n<body>not found</body>\n</html>", ERR_INVALID, "version"},
        {"nothing", "", ERR_INVALID, "version"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sts_policy p = {0};
        struct err err = {0};
        CHECK_INT(rows[i].name, sts_policy_parse(span_of(rows[i].text), &p, &err), rows[i].code);
        CHECK_INT(rows[i].name, p.mode, rows[i].mode);
        CHECK_INT(rows[i].name, p.max_age, rows[i].max_age);
        CHECK_INT(rows[i].name, p.mx_count, rows[i].mx);
        if (rows[i].says)
            CHECK(rows[i].name, strstr(err.text, rows[i].says) != NULL);
    }
}

/* So many patterns and octets, and one more. */
static void test_limits(void **state UNUSED)
{
    for (int more = 0; more < 2; more++) {
        struct buf text;
        struct sts_policy p;
        buf_init(&text, 2 * STS_POLICY_MAX);
        buf_add(&text, SPAN("version: STSv1\nmode: enforce\nmax_age: 5\n"));
        for (int i = 0; i < STS_MX_MAX + more; i++)
            buf_addf(&text, "mx: h%d.test\n", i);
        assert_int_equal(sts_policy_parse(buf_span(&text), &p, NULL), more ? ERR_INVALID : ERR_NONE);
        buf_done(&text);
        buf_init(&text, 2 * STS_POLICY_MAX);
        buf_add(&text, SPAN("version: STSv1\nmode: enforce\nmax_age: 5\nmx: a.test\n"));
        while (text.len < STS_POLICY_MAX + (size_t)more)
            buf_add_char(&text, '\n');
        assert_int_equal(sts_policy_parse(buf_span(&text), &p, NULL), more ? ERR_LIMIT : ERR_NONE);
        buf_done(&text);
    }
}

static void test_hosts(void **state UNUSED)
{
    static const struct {
        const char *host;
        bool listed;
    } rows[] = {
        {"mail.example.com", true},
        {"MAIL.example.COM.", true},
        {"other.example.com", false},
        {"a.example.net", true},
        {"a.b.example.net", false},
        {"example.net", false},
        {".example.net", false},
        {"dotted.example.org", true},
        {"dotted.example.org.", true},
        {"aexample.net", false},
        {"mail.example.com.evil.test", false},
        {"x.mail.example.com", false},
        {"", false},
    };
    struct sts_policy p, copy;
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(
        sts_policy_parse(
            SPAN("version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: dotted.example.org.\n"
                 "max_age: 5\n"),
            &p, NULL),
        ERR_NONE);
    assert_true(sts_policy_copy(&p, &arena, &copy));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_INT(rows[i].host, sts_policy_lists(&p, span_of(rows[i].host)), rows[i].listed);
        CHECK_INT(rows[i].host, sts_policy_lists(&copy, span_of(rows[i].host)), rows[i].listed);
    }
    arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_records), cmocka_unit_test(test_policies),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_hosts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
