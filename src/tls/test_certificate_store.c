/* test_certificate_store.c: certificates as files, and what a statement stages before it is committed. */
#include "check.h"
#include "tls/certificate_folder.h"
#include "tls/test_support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct certificate_store *store;
static struct buf chain[2], key[2], request, request_key;

static int make(void **state UNUSED)
{
    const struct span name = SPAN("mail.test");
    const struct tls_make m = {.names = &name, .count = 1, .now_ms = TEST_NOW, .days = 30};
    snprintf(folder, sizeof folder, "/tmp/mailreeve-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 0; i < 2; i++) {
        buf_init(&chain[i], 1 << 16);
        buf_init(&key[i], 1 << 16);
        if (tls_make_certificate(&m, &chain[i], &key[i], NULL))
            return -1;
    }
    buf_init(&request, 1 << 16);
    buf_init(&request_key, 1 << 16);
    store = certificate_store_new(&certificate_folder, folder);
    return tls_make_request(&m, &request, &request_key, NULL) || !store;
}

static int drop(void **state UNUSED)
{
    static const char *const endings[] = {"crt", "crt.disabled", "csr", "key"};
    char path[200];
    certificate_store_free(store);
    for (char name = 'a'; name <= 'c'; name++)
        for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
            snprintf(path, sizeof path, "%s/%c.%s", folder, name, endings[i]);
            unlink(path);
        }
    for (size_t i = 0; i < 2; i++) {
        buf_done(&chain[i]);
        buf_wipe(&key[i]);
    }
    buf_done(&request);
    buf_wipe(&request_key);
    return rmdir(folder); /* nothing else was left behind */
}

static bool is_file(const char *name, mode_t *ret_mode)
{
    char path[200];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (lstat(path, &st) < 0)
        return false;
    *ret_mode = st.st_mode & 07777;
    return true;
}

static void put(const char *name, struct span text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    assert_int_equal(fclose(f), 0);
}

static enum err_code stage(enum certificate_change_kind kind, const char *name, const struct buf *public,
                           const struct buf *secret)
{
    struct err err = {0};
    struct certificate_change c = {kind, span_of(name), public ? buf_span(public) : SPAN(""),
                                   secret ? buf_span(secret) : SPAN("")};
    return certificate_store_stage(store, &c, &err);
}

static const struct certificate *list(size_t *ret_count)
{
    const struct certificate *all = NULL;
    struct err err = {0};
    assert_int_equal(certificate_store_list(store, &all, ret_count, &err), ERR_NONE);
    return all;
}

static void commit(enum err_code want)
{
    struct err err = {0};
    enum err_code code = certificate_store_commit(store, &err);
    if (code != want)
        print_error("%s\n", err.text);
    assert_int_equal(code, want);
}

static void test_life(void **state UNUSED)
{
    size_t n;
    mode_t mode;
    assert_int_equal(stage(CERTIFICATE_ADD, "b", &chain[0], &key[0]), ERR_NONE);
    assert_int_equal(stage(CERTIFICATE_ADD, "a", &chain[1], &key[1]), ERR_NONE);
    assert_int_equal(stage(CERTIFICATE_DISABLE, "a", NULL, NULL), ERR_NONE);
    const struct certificate *c = list(&n);
    assert_int_equal(n, 2);
    assert_true(span_eq(c[0].name, SPAN("a")) && !c[0].enabled && c[0].id && c[1].enabled);
    assert_false(is_file("a.crt", &mode)); /* nothing is done before the commit */
    commit(ERR_NONE);
    assert_true(is_file("a.crt.disabled", &mode) && mode == 0644);
    assert_true(is_file("a.key", &mode) && mode == 0600);
    assert_true(is_file("b.crt", &mode) && is_file("b.key", &mode));
    c = list(&n);
    assert_int_equal(n, 2);
    assert_true(!c[0].enabled && c[1].enabled && !c[0].problem.len && !c[1].problem.len);
    assert_int_equal(stage(CERTIFICATE_ENABLE, "a", NULL, NULL), ERR_NONE);
    assert_int_equal(stage(CERTIFICATE_REMOVE, "b", NULL, NULL), ERR_NONE);
    list(&n);
    assert_int_equal(n, 1);
    commit(ERR_NONE);
    assert_true(is_file("a.crt", &mode) && !is_file("a.crt.disabled", &mode));
    assert_false(is_file("b.crt", &mode) || is_file("b.key", &mode));
}

static void test_undone(void **state UNUSED)
{
    size_t n;
    mode_t mode;
    assert_int_equal(stage(CERTIFICATE_ADD, "a", &chain[0], &key[0]), ERR_NONE);
    certificate_store_end(store);
    list(&n);
    assert_int_equal(n, 0);
    commit(ERR_NONE);
    assert_false(is_file("a.key", &mode));
}

static void test_request(void **state UNUSED)
{
    size_t n;
    mode_t mode;
    assert_int_equal(stage(CERTIFICATE_REQUEST, "c", &request, &request_key), ERR_NONE);
    commit(ERR_NONE);
    assert_true(is_file("c.csr", &mode) && is_file("c.key", &mode) && mode == 0600);
    const struct certificate *c = list(&n);
    assert_true(n == 1 && c->request.len && !c->chain.len && !c->problem.len);
    /* A certificate of another key is no answer, and changes nothing. */
    assert_int_equal(stage(CERTIFICATE_COMPLETE, "c", &chain[0], NULL), ERR_NONE);
    commit(ERR_INVALID);
    assert_true(is_file("c.csr", &mode) && !is_file("c.crt", &mode));
}

static void test_refused(void **state UNUSED)
{
    mode_t mode;
    assert_int_equal(stage(CERTIFICATE_ADD, "../a", &chain[0], &key[0]), ERR_INVALID);
    assert_int_equal(stage(CERTIFICATE_ADD, ".a", &chain[0], &key[0]), ERR_INVALID);
    assert_int_equal(stage(CERTIFICATE_ADD, "", &chain[0], &key[0]), ERR_INVALID);
    assert_int_equal(stage(CERTIFICATE_REMOVE, "a", NULL, NULL), ERR_NOT_FOUND);
    assert_int_equal(stage(CERTIFICATE_ADD, "a", &chain[0], &key[1]), ERR_NONE);
    assert_int_equal(stage(CERTIFICATE_ADD, "a", &chain[0], &key[0]), ERR_EXISTS);
    commit(ERR_INVALID); /* the key of another */
    assert_false(is_file("a.key", &mode) || is_file("a.crt", &mode));
    /* The folder does not rely on the store: the names come from another process. */
    struct certificate_change c = {CERTIFICATE_REMOVE, SPAN("../../etc/x"), SPAN(""), SPAN("")};
    struct err err = {0};
    assert_int_equal(certificate_folder.apply(folder, &c, 1, &err), ERR_INVALID);
}

/* Files that an administrator put there: what is wrong with one is said, and does not hide the others. */
static void test_found(void **state UNUSED)
{
    size_t n;
    put("a.crt", buf_span(&chain[0]));
    put("a.key", buf_span(&key[1]));
    put("b.crt", buf_span(&chain[1]));
    put("b.key", buf_span(&key[1]));
    put("b.crt.disabled", buf_span(&chain[0])); /* the one in use counts */
    put("c.crt", SPAN("nothing\n"));
    const struct certificate *c = list(&n);
    assert_int_equal(n, 3);
    assert_non_null(memmem(c[0].problem.ptr, c[0].problem.len, "does not fit", 12));
    assert_non_null(c[0].id);
    assert_true(!c[1].problem.len && c[1].enabled);
    assert_true(c[2].problem.len && !c[2].id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, make, drop),
        cmocka_unit_test_setup_teardown(test_undone, make, drop),
        cmocka_unit_test_setup_teardown(test_request, make, drop),
        cmocka_unit_test_setup_teardown(test_refused, make, drop),
        cmocka_unit_test_setup_teardown(test_found, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
