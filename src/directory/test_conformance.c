/* test_conformance.c: what every directory must answer, asked of every adapter. */
#include "check.h"
#include "directory/credential_cache.h"
#include "directory/directory_check.h"
#include "directory/embedded.h"
#include "directory/memory.h"
#include "directory/test_support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARKER "m4rk3r-S3cret"

static const struct test_recipient recipients[] = {
    {.type = "Mailbox",
     .guid = "a1",
     .name = "alice",
     .primary = "Alice@example.com",
     .display_name = "Alice Smith",
     .principal = "asmith@corp.example.com",
     .password = MARKER,
     .addresses = {"SMTP:Alice@example.com", "smtp:a.smith@example.com", "sales@example.com",
                   "X500:/o=x/cn=alice"}},
    {.type = "Mailbox",
     .guid = "b2",
     .name = "bob",
     .primary = "bob@example.com",
     .password = MARKER,
     .disabled = true},
    {.type = "Mailbox",
     .guid = "d4",
     .name = "dave",
     .primary = "dave@example.com",
     .send_as = {"user:A1", "user:gone"}},
    {.type = "MailContact",
     .guid = "c3",
     .name = "carol",
     .primary = "carol@example.com",
     .external = "SMTP:carol@partner.test",
     .authenticated_only = true,
     .send_as = {"group:72"}},
    {.type = "MailContact", .guid = "e5", .name = "erin", .external = "erin@partner.test"},
    {.type = "DistributionGroup",
     .guid = "71",
     .name = "team",
     .primary = "team@example.com",
     .members = {"a1", "C3", "gone", "72"}},
    {.type = "DistributionGroup",
     .guid = "72",
     .name = "inner",
     .primary = "inner@example.com",
     .members = {"d4", "71"},
     .authenticated_only = true,
     .send_as = {"group:73", "user:d4"}},
    {.type = "DistributionGroup", .guid = "73", .name = "empty", .primary = "empty@example.com"},
    /* names that look like another's */
    {.type = "Mailbox",
     .guid = "f6",
     .name = "alice@example.com",
     .primary = "frank@example.com",
     .principal = "frank.upn@example.com"},
    {.type = "MailContact",
     .guid = "f7",
     .name = "bob",
     .primary = "bob2@example.com",
     .external = "b@partner.test"},
};

struct adapter {
    const char *name;
    struct directory *(*open)(void);
    enum err_code (*put)(struct directory *d, const struct record *r, struct err *err);
};

static char folder[] = "/tmp/directory-XXXXXX";
static char path[64];

static struct directory *open_embedded(void)
{
    struct directory *d = NULL;
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/directory.db", folder);
    assert_int_equal(directory_embedded_open(path, &d, &err), ERR_NONE);
    return d;
}

static const struct adapter adapters[] = {
    {"memory", directory_memory_new, directory_memory_put},
    {"embedded", open_embedded, directory_embedded_put},
};

static struct directory *directories[ARRAY_LEN(adapters)];
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(adapters); i++) {
        directories[i] = adapters[i].open();
        assert_non_null(directories[i]);
        for (size_t k = 0; k < ARRAY_LEN(recipients); k++) {
            struct err err = {0};
            enum err_code code = adapters[i].put(directories[i], test_record(&arena, &recipients[k]), &err);
            if (code != ERR_NONE)
                print_error("%s: %s\n", recipients[k].guid, err.text);
            assert_int_equal(code, ERR_NONE);
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(adapters); i++)
        directory_close(directories[i]);
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder); /* SQLite has taken its other files away */
}

static void check_list(const char *row, const struct span *got, size_t count, const char *const *want)
{
    size_t n = 0;
    while (n < TEST_LIST_MAX && want[n])
        n++;
    CHECK_INT(row, count, n);
    for (size_t i = 0; i < n; i++)
        CHECK_SPAN(row, got[i], span_of(want[i]));
}

static void test_resolve(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum directory_kind kind;
        const char *guid, *primary, *target, *members[TEST_LIST_MAX];
    } rows[] = {
        {"alice@example.com", DIRECTORY_MAILBOX, "a1", "Alice@example.com", "Alice@example.com"},
        {"ALICE@EXAMPLE.COM", DIRECTORY_MAILBOX, "a1", "Alice@example.com", "Alice@example.com"},
        {"a.smith@example.com", DIRECTORY_MAILBOX, "a1", "Alice@example.com", "Alice@example.com"},
        {"sales@example.com", DIRECTORY_MAILBOX, "a1", "Alice@example.com", "Alice@example.com"},
        {"bob@example.com", DIRECTORY_MAILBOX, "b2", "bob@example.com",
         "bob@example.com"}, /* disabled still gets mail */
        {"carol@example.com", DIRECTORY_CONTACT, "c3", "carol@example.com", "carol@partner.test"},
        {"team@example.com",
         DIRECTORY_GROUP,
         "71",
         "team@example.com",
         "",
         {"Alice@example.com", "carol@example.com", "inner@example.com"}},
        {"inner@example.com",
         DIRECTORY_GROUP,
         "72",
         "inner@example.com",
         "",
         {"dave@example.com", "team@example.com"}},
        {"empty@example.com", DIRECTORY_GROUP, "73", "empty@example.com", ""},
        {"nobody@example.com", DIRECTORY_NOT_FOUND},
        {"", DIRECTORY_NOT_FOUND},
        {"alice", DIRECTORY_NOT_FOUND},                   /* a name is not an address */
        {"asmith@corp.example.com", DIRECTORY_NOT_FOUND}, /* nor is a UserPrincipalName */
        {"carol@partner.test", DIRECTORY_NOT_FOUND},      /* an external address is not ours */
        {"erin@partner.test", DIRECTORY_NOT_FOUND},
        {"/o=x/cn=alice", DIRECTORY_NOT_FOUND},
        {"smtp:alice@example.com", DIRECTORY_NOT_FOUND},
        {"alice@example.com' OR '1'='1", DIRECTORY_NOT_FOUND},
        {"%@example.com", DIRECTORY_NOT_FOUND},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct directory_recipient r = {0};
            const char *row = rows[i].address;
            CHECK_INT(row, directory_resolve(directories[k], span_of(row), &arena, &r, NULL), ERR_NONE);
            CHECK_INT(row, r.kind, rows[i].kind);
            CHECK_SPAN(row, r.guid, span_of(rows[i].guid));
            CHECK_SPAN(row, r.primary, span_of(rows[i].primary));
            CHECK_SPAN(row, r.target, span_of(rows[i].target));
            CHECK_INT(row, r.authenticated_only, span_eq(r.guid, SPAN("c3")) || span_eq(r.guid, SPAN("72")));
            check_list(row, r.members, r.member_count, rows[i].members);
        }
        struct directory_recipient r = {.kind = DIRECTORY_GROUP};
        assert_int_equal(directory_resolve(directories[k], SPAN("alice@example.com\0"), &arena, &r, NULL),
                         ERR_NONE);
        assert_int_equal(r.kind, DIRECTORY_NOT_FOUND);
    }
}

static void test_account(void **state)
{
    (void)state;
    static const struct {
        const char *user, *guid; /* NULL: nobody */
        bool enabled, password;
    } rows[] = {
        {"alice@example.com", "a1", true, true}, /* the address wins over frank's name */
        {"A.Smith@Example.com", "a1", true, true},
        {"ASMITH@corp.example.com", "a1", true, true},
        {"Alice", "a1", true, true},
        {"bob", "b2", false, true}, /* not the contact of that name */
        {"dave", "d4", true, false},
        {"frank.upn@example.com", "f6", true, false},
        {"carol@example.com", NULL},
        {"team@example.com", NULL},
        {"team", NULL},
        {"nobody", NULL},
        {"", NULL},
        {"a1", NULL},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct directory_account a = {0};
            const char *row = rows[i].user;
            enum err_code want = rows[i].guid ? ERR_NONE : ERR_NOT_FOUND;
            CHECK_INT(row, directory_account(directories[k], span_of(row), &arena, &a, NULL), want);
            CHECK_SPAN(row, a.guid, span_of(rows[i].guid));
            CHECK_INT(row, a.enabled, rows[i].enabled);
            CHECK_INT(row, a.password_hash.len > 0, rows[i].password);
        }
    }
}

/* Whose Kerberos principal it is. */
static void test_principal(void **state)
{
    (void)state;
    static const struct {
        const char *principal, *guid; /* NULL: nobody's */
        bool enabled;
    } rows[] = {
        {"asmith@corp.example.com", "a1", true},
        {"ASMITH@CORP.EXAMPLE.COM", "a1", true},
        {"alice@example.com",
         NULL}, /* has a UserPrincipalName, so it is that alone; and frank's name does not count */
        {"a.smith@example.com", NULL},
        {"bob@EXAMPLE.COM", "b2", false},
        {"dave@example.com", "d4", true},
        {"frank.upn@EXAMPLE.com", "f6", true},
        {"frank@example.com", NULL},
        {"dave", NULL},
        {"carol@example.com", NULL}, /* a contact's */
        {"team@example.com", NULL},
        {"", NULL},
        {"@", NULL},
        {"%@example.com", NULL},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct directory_account a = {0};
            const char *row = rows[i].principal;
            enum err_code want = rows[i].guid ? ERR_NONE : ERR_NOT_FOUND;
            CHECK_INT(row, directory_principal(directories[k], span_of(row), &arena, &a, NULL), want);
            CHECK_SPAN(row, a.guid, span_of(rows[i].guid));
            CHECK_INT(row, a.enabled, rows[i].enabled);
        }
}

static void test_identity(void **state)
{
    (void)state;
    static const struct {
        const char *guid, *primary, *display_name, *addresses[TEST_LIST_MAX], *groups[TEST_LIST_MAX];
    } rows[] = {
        {"a1",
         "Alice@example.com",
         "Alice Smith",
         {"Alice@example.com", "a.smith@example.com", "sales@example.com"},
         {"71", "72"}}, /* in team, which is in inner, which is in team */
        {"d4", "dave@example.com", "dave", {"dave@example.com"}, {"71", "72"}},
        {"b2", "bob@example.com", "bob", {"bob@example.com"}, {NULL}},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++) {
        struct directory_identity x = {0};
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            const char *row = rows[i].guid;
            CHECK_INT(row, directory_identity(directories[k], span_of(row), &arena, &x, NULL), ERR_NONE);
            CHECK_SPAN(row, x.guid, span_of(row));
            CHECK_SPAN(row, x.primary, span_of(rows[i].primary));
            CHECK_SPAN(row, x.display_name, span_of(rows[i].display_name));
            check_list(row, x.addresses, x.address_count, rows[i].addresses);
            if (x.group_count == 2 &&
                span_cmp(x.groups[0], x.groups[1]) > 0) { /* their order is nobody's promise */
                struct span swapped[] = {x.groups[1], x.groups[0]};
                check_list(row, swapped, 2, rows[i].groups);
            } else {
                check_list(row, x.groups, x.group_count, rows[i].groups);
            }
        }
        assert_int_equal(directory_identity(directories[k], SPAN("71"), &arena, &x, NULL), ERR_NOT_FOUND);
        assert_int_equal(directory_identity(directories[k], SPAN("zz"), &arena, &x, NULL), ERR_NOT_FOUND);
    }
}

static void test_send_as(void **state)
{
    (void)state;
    static const struct {
        const char *row, *user, *address;
        bool may;
    } rows[] = {
        {"granted", "a1", "dave@example.com", true},
        {"in another case", "A1", "DAVE@example.COM", true},
        {"to nobody else", "b2", "dave@example.com", false},
        {"nor the other way round", "d4", "alice@example.com", false},
        {"oneself is no grant", "a1", "alice@example.com", false},
        {"a contact's, to a member of the group", "d4", "carol@example.com", true},
        {"to a member of a group in it", "a1", "carol@example.com", true},
        {"to one who is in no group", "b2", "carol@example.com", false},
        {"a group's, to a user", "d4", "inner@example.com", true},
        {"a group's, to an empty group", "a1", "inner@example.com", false},
        {"an address of nobody", "a1", "nobody@example.com", false},
        {"a user who is gone", "gone", "dave@example.com", true}, /* who cannot log on any more */
        {"nobody", "", "dave@example.com", false},
        {"no address", "a1", "", false},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            bool may = !rows[i].may;
            CHECK_INT(
                rows[i].row,
                directory_send_as(directories[k], span_of(rows[i].user), span_of(rows[i].address), &may, NULL),
                ERR_NONE);
            CHECK_INT(rows[i].row, may, rows[i].may);
        }
}

/* A logon from beginning to end; counts the verifications that it cost. */
static enum directory_verdict log_on(struct directory *d, const char *user, const char *password, int64_t now_ms,
                                     int *ret_verifications, struct err *err)
{
    struct directory_check *c = directory_check_new(d, span_of(user), span_of(password), now_ms);
    assert_non_null(c);
    *ret_verifications = 0;
    if (directory_check_pending(c)) {
        directory_check_verify(c);
        ++*ret_verifications;
        assert_false(directory_check_pending(c));
    }
    enum directory_verdict v = directory_check_finish(c, now_ms, err);
    if (v == DIRECTORY_ACCEPTED) {
        const struct directory_identity *who = directory_check_identity(c);
        CHECK(user, who->guid.len && who->address_count && span_eq(who->addresses[0], who->primary));
    }
    directory_check_free(c);
    return v;
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *row, *user, *password;
        enum directory_verdict want;
        int verifications;
    } rows[] = {
        {"right", "alice", MARKER, DIRECTORY_ACCEPTED, 1},
        {"right again, from the cache", "alice@example.com", MARKER, DIRECTORY_ACCEPTED, 0},
        {"wrong", "alice", "wrong", DIRECTORY_REFUSED, 1},
        {"another case", "alice", "M4RK3R-S3CRET", DIRECTORY_REFUSED, 1},
        {"empty", "alice", "", DIRECTORY_REFUSED, 1},
        {"unknown user", "nobody", MARKER, DIRECTORY_REFUSED, 1},
        {"disabled user, right password", "bob", MARKER, DIRECTORY_REFUSED, 1},
        {"user without password", "dave", MARKER, DIRECTORY_REFUSED, 1},
        {"a group", "team", MARKER, DIRECTORY_REFUSED, 1},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++) {
        struct credential_cache *cache = credential_cache_new(64, 1000);
        directory_use_cache(directories[k], cache);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct err err = {0};
            int verifications;
            enum directory_verdict v =
                log_on(directories[k], rows[i].user, rows[i].password, 5000, &verifications, &err);
            CHECK_INT(rows[i].row, v, rows[i].want);
            CHECK_INT(rows[i].row, verifications, rows[i].verifications);
            if (v == DIRECTORY_REFUSED) {
                CHECK_INT(rows[i].row, err.code, ERR_DENIED);
                CHECK_STR(rows[i].row, err.text, "the user name or the password is wrong");
            }
        }
        directory_use_cache(directories[k], NULL);
        credential_cache_free(cache);
    }
}

/* What happens between the steps of a check counts. */
static void test_changed_meanwhile(void **state)
{
    (void)state;
    struct test_recipient mallory = {
        .type = "Mailbox", .guid = "99", .name = "mallory", .primary = "m@example.com", .password = MARKER};
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++) {
        struct directory *d = directories[k];
        struct credential_cache *cache = credential_cache_new(64, 1000);
        struct err err = {0};
        directory_use_cache(d, cache);
        mallory.password = MARKER;
        mallory.disabled = false;
        assert_int_equal(adapters[k].put(d, test_record(&arena, &mallory), NULL), ERR_NONE);
        struct directory_check *c = directory_check_new(d, SPAN("mallory"), SPAN(MARKER), 0);
        assert_true(c && directory_check_pending(c));
        directory_check_verify(c);
        mallory.password = NULL;
        mallory.disabled = true; /* by the administrator, while the pool was hashing */
        assert_int_equal(adapters[k].put(d, test_record(&arena, &mallory), NULL), ERR_NONE);
        assert_int_equal(directory_check_finish(c, 0, &err), DIRECTORY_REFUSED);
        directory_check_free(c);
        mallory.disabled = false; /* and enabled again: nothing of it went into the cache */
        assert_int_equal(adapters[k].put(d, test_record(&arena, &mallory), NULL), ERR_NONE);
        int verifications;
        assert_int_equal(log_on(d, "mallory", MARKER, 0, &verifications, &err), DIRECTORY_ACCEPTED);
        assert_int_equal(verifications, 1);
        assert_int_equal(log_on(d, "mallory", MARKER, 999, &verifications, &err), DIRECTORY_ACCEPTED);
        assert_int_equal(verifications, 0);
        /* A hit does not prolong: after the lifetime it is verified again. */
        assert_int_equal(log_on(d, "mallory", MARKER, 1000, &verifications, &err), DIRECTORY_ACCEPTED);
        assert_int_equal(verifications, 1);
        /* A change of the account empties its cache. */
        assert_int_equal(adapters[k].put(d, test_record(&arena, &mallory), NULL), ERR_NONE);
        c = directory_check_new(d, SPAN("mallory"), SPAN(MARKER), 1000);
        assert_true(directory_check_pending(c));
        directory_check_free(c); /* given up half-way */
        directory_use_cache(d, NULL);
        credential_cache_free(cache);
    }
}

/* Checks that wait while another one verifies: who is remembered when their turn comes. */
static void test_recall(void **state)
{
    (void)state;
    static const struct {
        const char *row, *user, *password;
        int64_t now_ms;
        bool want;
        enum directory_verdict verdict;
    } rows[] = {
        {"the same credentials", "alice", MARKER, 1, true, DIRECTORY_ACCEPTED},
        {"the same account by another name", "Alice@example.com", MARKER, 1, true, DIRECTORY_ACCEPTED},
        {"too late", "alice", MARKER, 1000, false, DIRECTORY_ACCEPTED},
        {"a wrong password", "alice", "wrong", 1, false, DIRECTORY_REFUSED},
        {"another account", "nobody", MARKER, 1, false, DIRECTORY_REFUSED},
        {"a disabled account", "bob", MARKER, 1, false, DIRECTORY_REFUSED},
    };
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct credential_cache *cache = credential_cache_new(64, 1000);
            struct err err;
            int verifications;
            directory_use_cache(directories[k], cache);
            struct directory_check *c =
                directory_check_new(directories[k], span_of(rows[i].user), span_of(rows[i].password), 0);
            CHECK(rows[i].row, c && directory_check_pending(c) && !directory_check_recall(c, 0));
            CHECK_INT(rows[i].row, log_on(directories[k], "alice", MARKER, 0, &verifications, &err),
                      DIRECTORY_ACCEPTED);
            CHECK_INT(rows[i].row, directory_check_recall(c, rows[i].now_ms), rows[i].want);
            CHECK_INT(rows[i].row, directory_check_pending(c), !rows[i].want);
            if (!rows[i].want)
                directory_check_verify(c);
            CHECK_INT(rows[i].row, directory_check_finish(c, rows[i].now_ms, &err), rows[i].verdict);
            directory_check_free(c);
            directory_use_cache(directories[k], NULL);
            credential_cache_free(cache);
        }
}

static void test_unavailable(void **state)
{
    (void)state;
    struct directory *d = directory_memory_new();
    struct directory_recipient r;
    struct directory_identity x;
    struct err err = {0};
    int verifications;
    directory_memory_fail(d, true);
    assert_int_equal(directory_resolve(d, SPAN("a@example.com"), &arena, &r, &err), ERR_UNAVAILABLE);
    assert_int_equal(directory_identity(d, SPAN("a1"), &arena, &x, &err), ERR_UNAVAILABLE);
    bool may = true;
    assert_int_equal(directory_send_as(d, SPAN("a1"), SPAN("a@example.com"), &may, &err), ERR_UNAVAILABLE);
    assert_true(may); /* untouched */
    assert_int_equal(log_on(d, "alice", MARKER, 0, &verifications, &err), DIRECTORY_UNAVAILABLE);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_null(strstr(err.text, MARKER));
    assert_null(strstr(err.text, "alice"));
    directory_close(d);
    directory_close(NULL);
}

/* An answer that does not fit is an error and not a shorter answer. */
static void test_small_arena(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(adapters); k++) {
        struct arena small;
        struct directory_recipient r = {.kind = DIRECTORY_CONTACT};
        arena_init(&small, 16);
        assert_int_equal(directory_resolve(directories[k], SPAN("team@example.com"), &small, &r, NULL),
                         ERR_NO_MEMORY);
        assert_int_equal(r.kind, DIRECTORY_CONTACT); /* untouched */
        arena_clear(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve),     cmocka_unit_test(test_account),
        cmocka_unit_test(test_principal),   cmocka_unit_test(test_identity),
        cmocka_unit_test(test_check),       cmocka_unit_test(test_changed_meanwhile),
        cmocka_unit_test(test_recall),      cmocka_unit_test(test_unavailable),
        cmocka_unit_test(test_small_arena), cmocka_unit_test(test_send_as),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
