/* test_embedded.c: administration of the embedded directory: conflicts, transactions, what is on disk. */
#include "check.h"
#include "directory/credential_cache.h"
#include "directory/embedded.h"
#include "directory/test_support.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER "m4rk3r-S3cret"

static char folder[] = "/tmp/directory-XXXXXX";
static char path[64];
static struct directory *d;
static struct arena arena;

static void open_directory(void)
{
    struct err err = {0};
    assert_int_equal(directory_embedded_open(path, &d, &err), ERR_NONE);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/directory-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/directory.db", folder);
    arena_init(&arena, 0);
    open_directory();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    directory_close(d);
    d = NULL;
    arena_clear(&arena);
    unlink(path);
    return rmdir(folder);
}

static enum err_code put(const struct test_recipient *t, struct err *err)
{
    return directory_embedded_put(d, test_record(&arena, t), err);
}

static enum directory_kind kind_of(const char *address)
{
    struct directory_recipient r = {0};
    assert_int_equal(directory_resolve(d, span_of(address), &arena, &r, NULL), ERR_NONE);
    return r.kind;
}

static void add(const char *guid, const char *name)
{
    char primary[100];
    snprintf(primary, sizeof primary, "%s@example.com", name);
    struct test_recipient t = {.type = "Mailbox", .guid = guid, .name = name, .primary = primary};
    assert_int_equal(put(&t, NULL), ERR_NONE);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct test_recipient alice = {.type = "Mailbox",
                                                .guid = "a1",
                                                .name = "alice",
                                                .primary = "alice@example.com",
                                                .principal = "upn@example.com",
                                                .addresses = {"sales@example.com"}};
    static char too_long[330];
    memset(too_long, 'x', sizeof too_long - 1);
    const struct {
        const char *row;
        struct test_recipient recipient;
        enum err_code want;
        const char *says;
    } rows[] = {
        {"address taken",
         {.type = "MailContact", .guid = "b", .name = "b", .primary = "SALES@example.com", .external = "x@y.test"},
         ERR_EXISTS,
         "SALES@example.com already belongs to \"alice\""},
        {"further address taken",
         {.type = "Mailbox",
          .guid = "b",
          .name = "b",
          .primary = "b@example.com",
          .addresses = {"Alice@example.com"}},
         ERR_EXISTS,
         "already belongs to \"alice\""},
        {"name taken",
         {.type = "Mailbox", .guid = "b", .name = "ALICE", .primary = "b@example.com"},
         ERR_EXISTS,
         "the name ALICE"},
        {"principal taken",
         {.type = "Mailbox", .guid = "b", .name = "b", .primary = "b@example.com", .principal = "Upn@example.com"},
         ERR_EXISTS,
         "UserPrincipalName"},
        {"principal is another's address",
         {.type = "Mailbox",
          .guid = "b",
          .name = "b",
          .primary = "b@example.com",
          .principal = "sales@example.com"},
         ERR_EXISTS,
         "as an address"},
        {"address is another's principal",
         {.type = "Mailbox", .guid = "b", .name = "b", .primary = "upn@example.com"},
         ERR_EXISTS,
         "as UserPrincipalName"},
        {"Guid of another class",
         {.type = "DistributionGroup", .guid = "A1", .name = "b", .primary = "b@example.com"},
         ERR_CONFLICT,
         "Mailbox"},
        {"no Guid", {.type = "Mailbox", .name = "b", .primary = "b@example.com"}, ERR_INVALID, "Guid"},
        {"no Name", {.type = "Mailbox", .guid = "b", .primary = "b@example.com"}, ERR_INVALID, "Name"},
        {"no address", {.type = "Mailbox", .guid = "b", .name = "b"}, ERR_INVALID, "PrimarySmtpAddress"},
        {"no external address",
         {.type = "MailContact", .guid = "b", .name = "b", .primary = "b@example.com"},
         ERR_INVALID,
         "ExternalEmailAddress"},
        {"another class", {.type = "ReceiveConnector", .guid = "b", .name = "b"}, ERR_INVALID, "ReceiveConnector"},
        {"too long",
         {.type = "Mailbox", .guid = "b", .name = too_long, .primary = "b@example.com"},
         ERR_INVALID,
         "longer"},
        {"a contact's password",
         {.type = "MailContact", .guid = "b", .name = "b", .external = "b@y.test", .password = MARKER},
         ERR_INVALID,
         "Password"},
        {"an impossible password",
         {.type = "Mailbox", .guid = "b", .name = "b", .primary = "b@example.com", .password = MARKER "\xff"},
         ERR_INVALID,
         "UTF-8"},
    };
    assert_int_equal(put(&alice, NULL), ERR_NONE);
    uint64_t generation = directory_embedded_generation(d);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        CHECK_INT(rows[i].row, put(&rows[i].recipient, &err), rows[i].want);
        CHECK_INT(rows[i].row, err.code, rows[i].want);
        CHECK(err.text, strstr(err.text, rows[i].says) != NULL);
        CHECK(rows[i].row, strstr(err.text, MARKER) == NULL);
        CHECK_INT(rows[i].row, kind_of("b@example.com"), DIRECTORY_NOT_FOUND); /* nothing half-done */
    }
    assert_int_equal(directory_embedded_generation(d), generation);
    /* The same name in another class, and the own values once more, are no conflict. */
    const struct test_recipient contact = {
        .type = "MailContact", .guid = "c", .name = "alice", .external = "a@y.test"};
    assert_int_equal(put(&contact, NULL), ERR_NONE);
    assert_int_equal(put(&alice, NULL), ERR_NONE);
    assert_int_equal(directory_embedded_generation(d), generation + 2);
}

static void test_replace_and_remove(void **state)
{
    (void)state;
    const struct test_recipient before = {.type = "Mailbox",
                                          .guid = "a1",
                                          .name = "alice",
                                          .primary = "old@example.com",
                                          .addresses = {"x@example.com"}};
    const struct test_recipient after = {
        .type = "Mailbox", .guid = "A1", .name = "alice2", .primary = "new@example.com"};
    struct err err = {0};
    assert_int_equal(put(&before, NULL), ERR_NONE);
    assert_int_equal(put(&after, NULL), ERR_NONE);
    assert_int_equal(kind_of("old@example.com"), DIRECTORY_NOT_FOUND);
    assert_int_equal(kind_of("x@example.com"), DIRECTORY_NOT_FOUND);
    assert_int_equal(kind_of("new@example.com"), DIRECTORY_MAILBOX);
    assert_int_equal(directory_embedded_remove(d, SPAN("MailContact"), SPAN("a1"), &err), ERR_NOT_FOUND);
    assert_int_equal(directory_embedded_remove(d, SPAN("Mailbox"), SPAN("zz"), &err), ERR_NOT_FOUND);
    assert_int_equal(directory_embedded_remove(d, SPAN("SendConnector"), SPAN("a1"), &err), ERR_INVALID);
    assert_int_equal(kind_of("new@example.com"), DIRECTORY_MAILBOX);
    assert_int_equal(directory_embedded_remove(d, SPAN("mailbox"), SPAN("a1"), &err), ERR_NONE);
    assert_int_equal(kind_of("new@example.com"), DIRECTORY_NOT_FOUND);
    add("a1", "new"); /* everything of it is free again */
}

static void test_transactions(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(directory_embedded_commit(d, &err), ERR_CONFLICT);
    directory_embedded_rollback(d);
    assert_int_equal(directory_embedded_begin(d, &err), ERR_NONE);
    assert_int_equal(directory_embedded_begin(d, &err), ERR_CONFLICT);
    add("a1", "alice");
    assert_int_equal(kind_of("alice@example.com"), DIRECTORY_NOT_FOUND); /* not committed: not seen by the server */
    struct record *r = NULL;
    assert_int_equal(directory_embedded_get(d, SPAN("Mailbox"), SPAN("a1"), &arena, &r, &err),
                     ERR_NONE); /* but here */
    const struct test_recipient twice = {
        .type = "Mailbox", .guid = "b2", .name = "b", .primary = "alice@example.com"};
    assert_int_equal(put(&twice, &err), ERR_EXISTS); /* fails alone */
    add("b2", "bob");
    assert_int_equal(directory_embedded_commit(d, &err), ERR_NONE);
    assert_int_equal(kind_of("alice@example.com"), DIRECTORY_MAILBOX);
    assert_int_equal(kind_of("bob@example.com"), DIRECTORY_MAILBOX);
    assert_int_equal(directory_embedded_begin(d, &err), ERR_NONE);
    assert_int_equal(directory_embedded_remove(d, SPAN("Mailbox"), SPAN("a1"), &err), ERR_NONE);
    add("c3", "carol");
    directory_embedded_rollback(d);
    assert_int_equal(kind_of("alice@example.com"), DIRECTORY_MAILBOX);
    assert_int_equal(kind_of("carol@example.com"), DIRECTORY_NOT_FOUND);
}

/* The cache of an account is emptied when its change is committed, not before. */
static void test_cache_forgets(void **state)
{
    (void)state;
    static const int counts[] = {1, 40}; /* more than are remembered one by one */
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct credential_cache *cache = credential_cache_new(64, 1000);
        directory_use_cache(d, cache);
        credential_cache_add(cache, SPAN("g0"), SPAN("h"), SPAN("p"), 0);
        assert_int_equal(directory_embedded_begin(d, NULL), ERR_NONE);
        for (int k = 0; k < counts[i]; k++) {
            char guid[16], name[16];
            snprintf(guid, sizeof guid, "g%d", k);
            snprintf(name, sizeof name, "n%d", k);
            add(guid, name);
        }
        assert_true(credential_cache_has(cache, SPAN("g0"), SPAN("h"), SPAN("p"), 0));
        assert_int_equal(directory_embedded_commit(d, NULL), ERR_NONE);
        assert_false(credential_cache_has(cache, SPAN("g0"), SPAN("h"), SPAN("p"), 0));
        directory_use_cache(d, NULL);
        credential_cache_free(cache);
    }
}

static void test_records(void **state)
{
    (void)state;
    const struct test_recipient t = {.type = "Mailbox",
                                     .guid = "a1",
                                     .name = "alice",
                                     .primary = "alice@example.com",
                                     .password = MARKER,
                                     .addresses = {"x@example.com", "y@example.com"}};
    struct record *in = test_record(&arena, &t), *out = NULL;
    assert_true(
        record_set(in, SPAN("WhenCreated"), value_time(1767225600123)) &&
        record_set(in, SPAN("MaxSendSize"), value_size(10485760)) &&
        record_set(in, SPAN("MaxReceiveSize"), value_unlimited()) && record_set(in, SPAN("Count"), value_int(-3)) &&
        record_set(in, SPAN("Nothing"), value_null()) && record_set(in, SPAN("EmptyList"), value_list(NULL, 0)) &&
        record_set(in, SPAN("EmptyText"), value_of("")) && record_set(in, SPAN("Enabled"), value_bool(true)));
    assert_int_equal(directory_embedded_put(d, in, NULL), ERR_NONE);
    directory_close(d);
    open_directory(); /* all of it is on disk */
    assert_int_equal(directory_embedded_get(d, SPAN("Mailbox"), SPAN("A1"), &arena, &out, NULL), ERR_NONE);
    assert_int_equal(out->count, in->count - 1);
    CHECK_SPAN("type", out->type, SPAN("Mailbox"));
    size_t at = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (span_eq(in->fields[i].name, SPAN("Password")))
            continue;
        CHECK_SPAN("order", out->fields[at].name, in->fields[i].name);
        CHECK("value", value_eq(out->fields[at].value, in->fields[i].value, false));
        at++;
    }
    assert_null(record_get(out, SPAN("Password")));
    struct directory_account a;
    assert_int_equal(directory_account(d, SPAN("alice"), &arena, &a, NULL), ERR_NONE);
    assert_true(span_starts(a.password_hash, SPAN("$argon2id$")));
    struct directory_account same;
    assert_int_equal(directory_embedded_put(d, out, NULL), ERR_NONE); /* without a Password: it stays */
    assert_int_equal(directory_account(d, SPAN("alice"), &arena, &same, NULL), ERR_NONE);
    CHECK_SPAN("hash", same.password_hash, a.password_hash);
    assert_int_equal(directory_embedded_get(d, SPAN("MailContact"), SPAN("a1"), &arena, &out, NULL), ERR_NOT_FOUND);
    struct record *bad = test_record(&arena, &t);
    assert_true(record_set(bad, SPAN("Strange"), value_record(in)));
    assert_int_equal(directory_embedded_put(d, bad, NULL), ERR_INVALID);
}

static void test_list(void **state)
{
    (void)state;
    static const char *const guids[] = {"05", "01", "04", "02", "03"};
    for (size_t i = 0; i < ARRAY_LEN(guids); i++)
        add(guids[i], guids[i]);
    const struct test_recipient group = {
        .type = "DistributionGroup", .guid = "00", .name = "g", .primary = "g@example.com"};
    assert_int_equal(put(&group, NULL), ERR_NONE);
    for (size_t limit = 1; limit <= 6; limit++) {
        struct record *page[6];
        struct span after = SPAN("");
        size_t seen = 0, count = 0;
        bool more = true;
        while (more) {
            assert_int_equal(
                directory_embedded_list(d, SPAN("Mailbox"), after, limit, &arena, page, &count, &more, NULL),
                ERR_NONE);
            for (size_t i = 0; i < count; i++) {
                char want[8];
                snprintf(want, sizeof want, "0%zu", ++seen);
                CHECK_SPAN(want, record_string(page[i], SPAN("Guid")), span_of(want));
            }
            if (count)
                after = record_string(page[count - 1], SPAN("Guid"));
        }
        assert_int_equal(seen, 5);
    }
}

static void run_sql(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_find(void **state)
{
    (void)state;
    static const struct test_recipient recipients[] = {
        {.type = "Mailbox",
         .guid = "a1",
         .name = "alice",
         .primary = "alice@example.com",
         .principal = "upn@example.com",
         .addresses = {"alice@example.com", "smtp:a@example.com", "X500:/o=old/cn=alice"}},
        {.type = "MailContact",
         .guid = "c1",
         .name = "carol",
         .external = "carol@partner.test",
         .addresses = {"carol@partner.test", "carol@example.com"}},
        {.type = "DistributionGroup",
         .guid = "g1",
         .name = "alice",
         .primary = "g@example.com",
         .members = {"a1", "c1"}},
    };
    static const struct {
        const char *type, *property, *text, *guid;
    } rows[] = {
        {"Mailbox", "Name", "ALICE", "a1"},
        {"distributiongroup", "name", "alice", "g1"},
        {"MailContact", "Name", "alice", NULL},
        {"Mailbox", "Guid", "A1", "a1"},
        {"MailContact", "Guid", "a1", NULL},
        {"Mailbox", "PrimarySmtpAddress", "Alice@example.com", "a1"},
        {"Mailbox", "EmailAddresses", "alice@example.COM", "a1"},
        {"Mailbox", "EmailAddresses", "SMTP:a@example.com", "a1"},
        {"Mailbox", "EmailAddresses", "a@example.com", NULL}, /* the record says it with its prefix */
        {"Mailbox", "EmailAddresses", "x500:/O=old/cn=alice", "a1"},
        {"Mailbox", "EmailAddresses", "", NULL},
        {"MailContact", "EmailAddresses", "carol@partner.test", "c1"}, /* which resolves to nothing */
        {"MailContact", "ExternalEmailAddress", "CAROL@partner.test", "c1"},
        {"Mailbox", "UserPrincipalName", "UPN@example.com", "a1"},
        {"DistributionGroup", "Members", "C1", "g1"},
        {"DistributionGroup", "Members", "g1", NULL},
        {"Mailbox", "Colour", "red", NULL},
        {"SendConnector", "Name", "alice", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(recipients); i++)
        assert_int_equal(put(&recipients[i], NULL), ERR_NONE);
    directory_close(d);
    d = NULL;
    run_sql("DROP INDEX property_text"); /* a file of before it */
    open_directory();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record **found;
        size_t count = 9;
        CHECK_INT(rows[i].text,
                  directory_embedded_find(d, span_of(rows[i].type), span_of(rows[i].property),
                                          span_of(rows[i].text), &arena, &found, &count, NULL),
                  ERR_NONE);
        CHECK_INT(rows[i].text, count, rows[i].guid ? 1 : 0);
        if (count)
            CHECK_SPAN(rows[i].text, record_string(found[0], SPAN("Guid")), span_of(rows[i].guid));
    }
    run_sql("DROP INDEX property_text"); /* it was there */
}

/* Neither the file nor what SQLite keeps beside it holds a password, and nobody else may read them. */
static void test_files(void **state)
{
    (void)state;
    const struct test_recipient t = {
        .type = "Mailbox", .guid = "a1", .name = "alice", .primary = "a@example.com", .password = MARKER};
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    assert_int_equal(put(&t, NULL), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char name[80];
        struct stat st;
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        assert_int_equal(stat(name, &st), 0);
        CHECK_INT(name, st.st_mode & 0777, 0600);
        FILE *f = fopen(name, "rb");
        char *bytes = malloc((size_t)st.st_size + 1);
        assert_true(f && bytes);
        size_t n = fread(bytes, 1, (size_t)st.st_size, f);
        CHECK(name, !memmem(bytes, n, MARKER, strlen(MARKER)));
        if (i == 1)
            CHECK(name, memmem(bytes, n, "$argon2id$", 10)); /* the search does find things */
        fclose(f);
        free(bytes);
    }
}

static void test_open_refused(void **state)
{
    (void)state;
    static const struct {
        const char *row, *sql, *says;
    } rows[] = {
        {"a newer format", "PRAGMA user_version = 2", "format 2"},
        {"another program's file", "PRAGMA application_id = 1", "is not a directory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        directory_close(d);
        d = NULL;
        run_sql(rows[i].sql);
        CHECK_INT(rows[i].row, directory_embedded_open(path, &d, &err), ERR_INVALID);
        CHECK(err.text, strstr(err.text, rows[i].says) != NULL);
        CHECK(rows[i].row, d == NULL);
        run_sql("PRAGMA user_version = 1; PRAGMA application_id = 1297249892");
        open_directory();
    }
    struct directory *other = NULL;
    struct err err = {0};
    assert_int_equal(directory_embedded_open("/nonexistent/directory.db", &other, &err), ERR_IO);
    directory_close(d);
    d = NULL;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", f);
    fclose(f);
    assert_int_equal(directory_embedded_open(path, &d, &err), ERR_INVALID);
    unlink(path);
    open_directory();
}

/* Two handles, as of the server and of a shell: readers are never held up. */
static void test_two_handles(void **state)
{
    (void)state;
    struct directory *other = NULL;
    struct directory_recipient r = {0};
    assert_int_equal(directory_embedded_open(path, &other, NULL), ERR_NONE);
    assert_int_equal(directory_embedded_begin(d, NULL), ERR_NONE);
    add("a1", "alice");
    assert_int_equal(directory_resolve(other, SPAN("alice@example.com"), &arena, &r, NULL), ERR_NONE);
    assert_int_equal(r.kind, DIRECTORY_NOT_FOUND);
    assert_int_equal(directory_embedded_commit(d, NULL), ERR_NONE);
    assert_int_equal(directory_resolve(other, SPAN("alice@example.com"), &arena, &r, NULL), ERR_NONE);
    assert_int_equal(r.kind, DIRECTORY_MAILBOX);
    directory_close(other);
}

/* Questions to a file that is open elsewhere, and to one that is not: the same answers, and nothing is made. */
static void test_reader(void **state)
{
    (void)state;
    struct err err = {0};
    struct directory *writer = d;
    struct record *r;
    char log[80];
    snprintf(log, sizeof log, "%s-wal", path);
    add("a1", "alice");
    for (int open = 1; open >= 0; open--) {
        const char *row = open ? "open elsewhere" : "alone";
        if (!open)
            directory_close(writer);
        CHECK_INT(row, directory_embedded_open_reader(path, &d, &err), ERR_NONE);
        CHECK_INT(row, kind_of("ALICE@example.com"), DIRECTORY_MAILBOX);
        CHECK_INT(row, kind_of("bob@example.com"), DIRECTORY_NOT_FOUND);
        CHECK_INT(row, directory_embedded_get(d, SPAN("Mailbox"), SPAN("a1"), &arena, &r, &err), ERR_NONE);
        CHECK_SPAN(row, record_string(r, SPAN("Name")), SPAN("alice"));
        CHECK_INT(row, access(log, F_OK), open ? 0 : -1);
        directory_close(d);
    }
    CHECK_INT("missing", directory_embedded_open_reader("/nonexistent/directory.db", &d, &err), ERR_NOT_FOUND);
    open_directory();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace_and_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_handles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
