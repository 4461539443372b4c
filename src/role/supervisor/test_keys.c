/* Certificates on disk: a set is taken over when all of it can be used, otherwise the old one stays whole. */
#include "check.h"

#include "role/supervisor/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1767225600000)

static struct supervisor s;
static struct buf chains[2], keys[2]; /* of two certificates */

static int make_certificates(void **state)
{
    (void)state;
    const struct span name = SPAN("mail.example.com");
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        buf_init(&chains[i], 65536);
        buf_init(&keys[i], 65536);
        if (tls_make_self_signed(&name, 1, NOW, 30, &chains[i], &keys[i], &err))
            return -1;
    }
    return 0;
}

static int wipe_certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
        buf_wipe(&chains[i]);
        buf_wipe(&keys[i]);
    }
    return 0;
}

static void put(const char *name, struct span text)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/certs/%s", s.state, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
}

static void take_away(const char *name)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/certs/%s", s.state, name);
    unlink(path);
}

static int make(void **state)
{
    (void)state;
    char path[1200];
    memset(&s, 0, sizeof s);
    snprintf(s.state, sizeof s.state, "/tmp/mailreeve-test-XXXXXX");
    if (!mkdtemp(s.state))
        return -1;
    snprintf(path, sizeof path, "%s/certs", s.state);
    return mkdir(path, 0700);
}

static int drop(void **state)
{
    (void)state;
    static const char *const names[] = {"a.crt", "a.key", "b.crt", "b.key"};
    char path[1200];
    keys_wipe(&s);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        take_away(names[i]);
    snprintf(path, sizeof path, "%s/certs", s.state);
    return rmdir(path) || rmdir(s.state);
}

static void put_first(void)
{
    put("a.crt", buf_span(&chains[0]));
    put("a.key", buf_span(&keys[0]));
}

static void unusable_pairs(void **state)
{
    (void)state;
    const struct span junk = SPAN("not PEM\n"), none = {0};
    const struct {
        const char *name;
        struct span chain, key; /* b.crt and b.key; .ptr NULL: there is no such file */
        const char *says[2];
    } rows[] = {
        {"no key", buf_span(&chains[1]), none, {"b.key", "No such file"}},
        {"no PEM in the certificate", junk, buf_span(&keys[1]), {"b.crt", "no certificate"}},
        {"no PEM in the key", buf_span(&chains[1]), junk, {"b.crt with its key b.key", "no private key"}},
        {"the key of another", buf_span(&chains[1]), buf_span(&keys[0]), {"b.crt", "does not fit"}},
        {"a certificate that breaks off", span_head(buf_span(&chains[1]), 200), buf_span(&keys[1]), {"b.crt", ""}},
        {"empty files", SPAN(""), SPAN(""), {"b.crt", "no certificate"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        put_first();
        assert_int_equal(keys_load(&s, &err), ERR_NONE);
        /* The good pair is made new as well: it must not come in without its neighbour. */
        put("a.crt", buf_span(&chains[1]));
        put("a.key", buf_span(&keys[1]));
        put("b.crt", rows[i].chain);
        if (rows[i].key.ptr)
            put("b.key", rows[i].key);
        CHECK(rows[i].name, keys_load(&s, &err) != ERR_NONE);
        CHECK(rows[i].name, strstr(err.text, rows[i].says[0]) && strstr(err.text, rows[i].says[1]));
        CHECK_INT(rows[i].name, s.identity_count, 1);
        CHECK_SPAN(rows[i].name, buf_span(&s.identities[0].chain), buf_span(&chains[0]));
        CHECK_SPAN(rows[i].name, buf_span(&s.identities[0].key), buf_span(&keys[0]));
        take_away("b.crt");
        take_away("b.key");
    }
}

static void a_good_set_is_taken_over(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(keys_load(&s, &err), ERR_NONE); /* none at all is a choice, not a mistake */
    assert_int_equal(s.identity_count, 0);
    put_first();
    put("b.crt", buf_span(&chains[1]));
    put("b.key", buf_span(&keys[1]));
    assert_int_equal(keys_load(&s, &err), ERR_NONE);
    assert_int_equal(s.identity_count, 2);
    CHECK_SPAN("in the order of names", buf_span(&s.identities[1].chain), buf_span(&chains[1]));
    take_away("a.crt");
    assert_int_equal(keys_load(&s, &err), ERR_NONE);
    assert_int_equal(s.identity_count, 1);
    CHECK_SPAN("the first was taken away", buf_span(&s.identities[0].chain), buf_span(&chains[1]));
}

static bool trusts(struct span pem)
{
    return s.trust.len && memmem(s.trust.ptr, s.trust.len, pem.ptr, pem.len);
}

/* Files in trusted/ are the only authorities, when there are any; one that cannot be used leaves all as it was. */
static void authorities(void **state)
{
    (void)state;
    char path[1200];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/certs/trusted", s.state);
    put_first();
    assert_int_equal(keys_load(&s, &err), ERR_NONE);
    size_t of_the_system = s.trust.len; /* 0 where there is no bundle */
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(keys_load(&s, &err), ERR_NONE);
    assert_int_equal(s.trust.len, of_the_system);
    put("trusted/a.pem", buf_span(&chains[0]));
    put("trusted/b.crt", buf_span(&chains[1]));
    put("trusted/readme.txt", SPAN("not PEM\n"));
    assert_int_equal(keys_load(&s, &err), ERR_NONE);
    assert_true(trusts(buf_span(&chains[0])) && trusts(buf_span(&chains[1])));
    assert_int_equal(s.trust.len, chains[0].len + chains[1].len + 2);
    put("trusted/b.crt", span_head(buf_span(&chains[1]), 100));
    assert_int_equal(keys_load(&s, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "trusted"));
    assert_true(trusts(buf_span(&chains[1])));
    assert_int_equal(s.identity_count, 1);
    take_away("trusted/a.pem");
    take_away("trusted/b.crt");
    take_away("trusted/readme.txt");
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(authorities, make, drop),
        cmocka_unit_test_setup_teardown(unusable_pairs, make, drop),
        cmocka_unit_test_setup_teardown(a_good_set_is_taken_over, make, drop),
    };
    return cmocka_run_group_tests(tests, make_certificates, wipe_certificates);
}
