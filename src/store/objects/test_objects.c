/* test_objects.c: what every adapter of the object store must do, over each; and what only a file can. */
#include "check.h"
#include "store/objects.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    const char *adapter;
    char folder[32], path[64];
    struct object_store *s, *base; /* base: what an overlay lies on */
    struct arena arena;
    struct err err;
};

static void open_store(struct fixture *f)
{
    if (strcmp(f->adapter, "memory") == 0)
        f->s = object_store_memory_new();
    else if (strcmp(f->adapter, "overlay") == 0)
        f->s = object_store_overlay_new(f->base = object_store_memory_new());
    else if (object_store_sqlite_open(f->path, &f->s, &f->err) != ERR_NONE)
        fail_msg("%s", f->err.text);
    assert_non_null(f->s);
}

static void set_up(struct fixture *f, const char *adapter)
{
    *f = (struct fixture){.adapter = adapter, .folder = "/tmp/mailreeve-test-XXXXXX"};
    arena_init(&f->arena, 0);
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/policy.db", f->folder);
    open_store(f);
}

static void tear_down(struct fixture *f)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    object_store_close(f->s);
    object_store_close(f->base);
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char path[80];
        snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
        unlink(path);
    }
    rmdir(f->folder);
    arena_clear(&f->arena);
}

static struct record *domain(struct fixture *f, const char *guid, const char *name, const char *domain_name)
{
    struct record *r = record_new(&f->arena, SPAN("AcceptedDomain"));
    assert_true(r && record_set(r, SPAN("Guid"), value_of(guid)) && record_set(r, SPAN("Name"), value_of(name)) &&
                record_set(r, SPAN("DomainName"), value_of(domain_name)));
    return r;
}

static void begin(struct fixture *f)
{
    CHECK_INT(f->adapter, object_store_begin(f->s, &f->err), ERR_NONE);
}

static void commit(struct fixture *f)
{
    CHECK_INT(f->adapter, object_store_commit(f->s, &f->err), ERR_NONE);
}

static void put(struct fixture *f, const struct record *r, enum err_code want)
{
    enum err_code code = object_store_put(f->s, r, &f->err);
    if (code != want)
        print_error("%s\n", f->err.text);
    CHECK_INT(f->adapter, code, want);
}

/* The names of a class, in order, separated by commas. */
static void check_names(struct fixture *f, const char *class_name, const char *want)
{
    struct record **all;
    size_t count = 99;
    struct buf b;
    CHECK_INT(f->adapter, object_store_list(f->s, span_of(class_name), &f->arena, &all, &count, &f->err), ERR_NONE);
    buf_init(&b, 4096);
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, "%s%.*s", i ? "," : "", SPAN_ARG(record_string(all[i], SPAN("Name"))));
    CHECK_SPAN(f->adapter, buf_span(&b), span_of(want));
    buf_done(&b);
}

static void test_transactions(struct fixture *f)
{
    uint64_t before = object_store_generation(f->s);
    check_names(f, "AcceptedDomain", "");
    put(f, domain(f, "g1", "one", "one.test"), ERR_CONFLICT);
    CHECK_INT(f->adapter, object_store_remove(f->s, SPAN("AcceptedDomain"), SPAN("g1"), &f->err), ERR_CONFLICT);
    CHECK_INT(f->adapter, object_store_commit(f->s, &f->err), ERR_CONFLICT);
    begin(f);
    CHECK_INT(f->adapter, object_store_begin(f->s, &f->err), ERR_CONFLICT);
    put(f, domain(f, "g1", "one", "one.test"), ERR_NONE);
    put(f, domain(f, "g2", "Two", "two.test"), ERR_NONE);
    check_names(f, "AcceptedDomain", "one,Two");
    commit(f);
    CHECK(f->adapter, object_store_generation(f->s) > before);
    before = object_store_generation(f->s);
    begin(f);
    put(f, domain(f, "g3", "three", "three.test"), ERR_NONE);
    CHECK_INT(f->adapter, object_store_remove(f->s, SPAN("AcceptedDomain"), SPAN("g1"), &f->err), ERR_NONE);
    check_names(f, "AcceptedDomain", "three,Two");
    object_store_rollback(f->s);
    check_names(f, "AcceptedDomain", "one,Two");
    CHECK_INT(f->adapter, object_store_generation(f->s), before);
    begin(f);
    commit(f);
    CHECK_INT(f->adapter, object_store_generation(f->s), before);
    object_store_rollback(f->s);
}

static void test_put(struct fixture *f)
{
    struct record *r;
    begin(f);
    put(f, domain(f, "g1", "one", "one.test"), ERR_NONE);
    put(f, domain(f, "g2", "ONE", "x.test"), ERR_EXISTS);
    CHECK(f->adapter, strstr(f->err.text, "accepted domain named \"ONE\""));
    put(f, domain(f, "g2", "two", "two.test"), ERR_NONE);
    put(f, domain(f, "G2", "One", "x.test"), ERR_EXISTS);
    put(f, domain(f, "G2", "TWO", "changed.test"), ERR_NONE);
    check_names(f, "AcceptedDomain", "one,TWO");
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("accepteddomain"), SPAN("g2"), &f->arena, &r, &f->err),
              ERR_NONE);
    CHECK_SPAN(f->adapter, record_string(r, SPAN("DomainName")), SPAN("changed.test"));
    CHECK_SPAN(f->adapter, r->type, SPAN("AcceptedDomain"));
    struct record *other = record_new(&f->arena, SPAN("MailContact"));
    assert_true(record_set(other, SPAN("Guid"), value_of("g9")) &&
                record_set(other, SPAN("Name"), value_of("one")));
    put(f, other, ERR_NONE); /* a name of another class */
    commit(f);
    check_names(f, "MailContact", "one");
}

static void test_refused_records(struct fixture *f)
{
    static const struct {
        const char *name, *type, *guid, *object_name, *property;
    } rows[] = {
        {"no class", "Nothing", "g", "n", NULL},
        {"no guid", "AcceptedDomain", "", "n", NULL},
        {"no name", "AcceptedDomain", "g", "", NULL},
        {"unknown property", "AcceptedDomain", "g", "n", "Colour"},
    };
    begin(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record *r = record_new(&f->arena, span_of(rows[i].type));
        assert_true(record_set(r, SPAN("Guid"), value_of(rows[i].guid)) &&
                    record_set(r, SPAN("Name"), value_of(rows[i].object_name)));
        assert_true(!rows[i].property || record_set(r, span_of(rows[i].property), value_of("x")));
        CHECK_INT(rows[i].name, object_store_put(f->s, r, &f->err), ERR_INVALID);
    }
    check_names(f, "AcceptedDomain", "");
    commit(f);
}

static void test_missing(struct fixture *f)
{
    struct record *r;
    begin(f);
    put(f, domain(f, "g1", "one", "one.test"), ERR_NONE);
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("AcceptedDomain"), SPAN("g2"), &f->arena, &r, &f->err),
              ERR_NOT_FOUND);
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("MailContact"), SPAN("g1"), &f->arena, &r, &f->err),
              ERR_NOT_FOUND);
    CHECK_INT(f->adapter, object_store_remove(f->s, SPAN("AcceptedDomain"), SPAN("g2"), &f->err), ERR_NOT_FOUND);
    CHECK_INT(f->adapter, object_store_remove(f->s, SPAN("MailContact"), SPAN("g1"), &f->err), ERR_NOT_FOUND);
    CHECK_INT(f->adapter, object_store_remove(f->s, SPAN("AcceptedDomain"), SPAN("G1"), &f->err), ERR_NONE);
    check_names(f, "AcceptedDomain", "");
    commit(f);
}

/* One record with every kind of value. */
static struct record *everything(struct fixture *f, const char *guid)
{
    static const struct value bindings[] = {{.kind = VALUE_STRING, .s = SPAN_INIT("0.0.0.0:25")},
                                            {.kind = VALUE_STRING, .s = SPAN_INIT("[::]:25")}};
    static const struct value auth[] = {{.kind = VALUE_STRING, .s = SPAN_INIT("Tls")}};
    struct record *r = record_new(&f->arena, SPAN("ReceiveConnector"));
    const struct {
        const char *name;
        struct value v;
    } fields[] = {
        {"Guid", value_of(guid)},
        {"Name", value_of("it's \"x\" \xc3\xa4")},
        {"Bindings", value_list(bindings, 2)},
        {"RemoteIPRanges", value_list(NULL, 0)},
        {"AuthMechanism", value_list(auth, 1)},
        {"Enabled", value_bool(false)},
        {"MaxMessageSize", value_size(1000000)},
        {"MaxHopCount", value_int(30)},
        {"MessageRateLimit", value_unlimited()},
        {"TarpitInterval", value_timespan(1500)},
        {"SizeEnabled", value_of("Disabled")},
        {"Banner", value_null()},
        {"Comment", value_of("")},
        {"WhenChanged", value_time(INT64_C(1700000000123))},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        assert_true(record_set(r, span_of(fields[i].name), fields[i].v));
    return r;
}

static void test_every_kind(struct fixture *f)
{
    struct record *r, *want = everything(f, "g1");
    begin(f);
    put(f, want, ERR_NONE);
    put(f, want, ERR_NONE);
    commit(f);
    if (strcmp(f->adapter, "sqlite") == 0) {
        object_store_close(f->s);
        open_store(f);
    }
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("ReceiveConnector"), SPAN("g1"), &f->arena, &r, &f->err),
              ERR_NONE);
    CHECK(f->adapter, value_eq(value_record(r), value_record(want), false));
}

static void test_what_is_not_stored(struct fixture *f)
{
    struct record *r, *box = record_new(&f->arena, SPAN("Mailbox")), *c = everything(f, "g1");
    struct value secret = {.kind = VALUE_SECRET, .s = SPAN("hush")};
    assert_true(record_set(box, SPAN("Guid"), value_of("g2")) && record_set(box, SPAN("Name"), value_of("alice")) &&
                record_set(box, SPAN("Password"), secret));
    assert_true(record_set(c, SPAN("PermissionGroups"), value_list(NULL, 0)));
    struct record *send = record_new(&f->arena, SPAN("SendConnector"));
    assert_true(record_set(send, SPAN("Guid"), value_of("g3")) && record_set(send, SPAN("Name"), value_of("out")) &&
                record_set(send, SPAN("AuthenticationPassword"), secret));
    begin(f);
    put(f, box, ERR_NONE);
    put(f, c, ERR_NONE);
    put(f, send, ERR_NONE);
    commit(f);
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("Mailbox"), SPAN("g2"), &f->arena, &r, &f->err), ERR_NONE);
    CHECK(f->adapter, !record_get(r, SPAN("Password")));
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("ReceiveConnector"), SPAN("g1"), &f->arena, &r, &f->err),
              ERR_NONE);
    CHECK(f->adapter, !record_get(r, SPAN("PermissionGroups")));
    CHECK_INT(f->adapter, object_store_get(f->s, SPAN("SendConnector"), SPAN("g3"), &f->arena, &r, &f->err),
              ERR_NONE);
    CHECK(f->adapter, value_eq(*record_get(r, SPAN("AuthenticationPassword")), secret, false));
}

static struct record *recipient(struct fixture *f, const char *class_name, const char *guid, const char *name,
                                struct value addresses)
{
    struct record *r = record_new(&f->arena, span_of(class_name));
    struct span primary = arena_printf(&f->arena, "%s@example.com", name);
    assert_true(r && record_set(r, SPAN("Guid"), value_of(guid)) && record_set(r, SPAN("Name"), value_of(name)) &&
                record_set(r, SPAN("DisplayName"), value_of("The Same")) &&
                record_set(r, SPAN("PrimarySmtpAddress"), value_string(primary)) &&
                record_set(r, SPAN("EmailAddresses"), addresses));
    return r;
}

static void test_find(struct fixture *f)
{
    static const struct {
        const char *property, *text;
        size_t want;
    } rows[] = {
        {"Name", "it's \"x\" \xc3\xa4", 1}, {"Name", "nothing", 0},  {"Guid", "G1", 1},
        {"bindings", "[::]:25", 1},         {"Bindings", "[::]", 0}, {"SizeEnabled", "disabled", 1},
        {"AuthMechanism", "tls", 1},        {"Banner", "", 0},       {"Colour", "red", 0},
    };
    begin(f);
    put(f, everything(f, "g1"), ERR_NONE);
    put(f, domain(f, "g2", "[::]:25", "one.test"), ERR_NONE); /* of another class */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record **found;
        size_t count = 99;
        CHECK_INT(rows[i].text,
                  object_store_find(f->s, SPAN("ReceiveConnector"), span_of(rows[i].property),
                                    span_of(rows[i].text), &f->arena, &found, &count, &f->err),
                  ERR_NONE);
        CHECK_INT(rows[i].text, count, rows[i].want);
        if (count)
            CHECK_SPAN(rows[i].text, record_string(found[0], SPAN("Guid")), SPAN("g1"));
    }
    commit(f);
}

/* The properties by which recipients are looked up. The texts are compared as they are: a prefix belongs to them.
 */
static void test_find_recipients(struct fixture *f)
{
    static const struct value addresses[] = {{.kind = VALUE_STRING, .s = SPAN_INIT("alice@example.com")},
                                             {.kind = VALUE_STRING, .s = SPAN_INIT("SMTP:sales@example.com")}};
    static const struct value members[] = {{.kind = VALUE_STRING, .s = SPAN_INIT("g1")},
                                           {.kind = VALUE_STRING, .s = SPAN_INIT("g7")}};
    static const struct {
        const char *class_name, *property, *text, *names;
    } rows[] = {
        {"Mailbox", "Name", "Alice", "alice"},
        {"mailbox", "guid", "G1", "alice"},
        {"Mailbox", "PrimarySmtpAddress", "ALICE@example.com", "alice"},
        {"Mailbox", "EmailAddresses", "alice@EXAMPLE.com", "alice"},
        {"Mailbox", "EmailAddresses", "smtp:sales@example.com", "alice"},
        {"Mailbox", "EmailAddresses", "sales@example.com", ""},
        {"Mailbox", "EmailAddresses", "lice@example.com", ""},
        {"Mailbox", "UserPrincipalName", "upn@example.com", "alice"},
        {"Mailbox", "UserPrincipalName", "alice@example.com", ""},
        {"Mailbox", "DisplayName", "the same", "alice,Bob"},
        {"Mailbox", "Enabled", "True", ""}, /* no text */
        {"MailContact", "Name", "alice", ""},
        {"DistributionGroup", "Members", "G7", "team"},
        {"DistributionGroup", "Members", "g2", ""},
        {"DistributionGroup", "DisplayName", "the same", "team"},
    };
    struct record *group, *alice, *bob;
    alice = recipient(f, "Mailbox", "g1", "alice", value_list(addresses, 2));
    assert_true(record_set(alice, SPAN("UserPrincipalName"), value_of("upn@example.com")));
    bob = recipient(f, "Mailbox", "g2", "Bob", value_list(NULL, 0));
    group = recipient(f, "DistributionGroup", "g3", "team", value_list(NULL, 0));
    assert_true(record_set(group, SPAN("Members"), value_list(members, 2)));
    begin(f);
    put(f, bob, ERR_NONE);
    put(f, alice, ERR_NONE);
    put(f, group, ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record **found;
        size_t count = 0;
        struct buf b;
        buf_init(&b, 100);
        CHECK_INT(rows[i].text,
                  object_store_find(f->s, span_of(rows[i].class_name), span_of(rows[i].property),
                                    span_of(rows[i].text), &f->arena, &found, &count, &f->err),
                  ERR_NONE);
        for (size_t k = 0; k < count; k++)
            buf_addf(&b, "%s%.*s", k ? "," : "", SPAN_ARG(record_string(found[k], SPAN("Name"))));
        CHECK_SPAN(rows[i].text, buf_span(&b), span_of(rows[i].names));
        buf_done(&b);
    }
    commit(f);
}

static void test_many(struct fixture *f)
{
    enum { MANY = 300 };
    struct record **all;
    size_t count;
    begin(f);
    for (int i = 0; i < MANY; i++) {
        struct span guid = arena_printf(&f->arena, "g%d", i),
                    name = arena_printf(&f->arena, "n%03d", (i * 7) % MANY);
        put(f, domain(f, guid.ptr, name.ptr, "a.test"), ERR_NONE);
    }
    commit(f);
    CHECK_INT(f->adapter,
              object_store_find(f->s, SPAN("AcceptedDomain"), SPAN("DomainName"), SPAN("A.test"), &f->arena, &all,
                                &count, &f->err),
              ERR_NONE);
    CHECK_INT(f->adapter, count, MANY);
    for (size_t i = 1; i < count; i++)
        CHECK(f->adapter,
              span_icmp(record_string(all[i - 1], SPAN("Name")), record_string(all[i], SPAN("Name"))) < 0);
}

static void add_entry(struct fixture *f, int64_t n)
{
    struct value row = value_record(record_new(&f->arena, SPAN("Row")));
    struct record *r = record_new(&f->arena, SPAN("Event"));
    assert_true(r && row.record && record_set(row.record, SPAN("Old"), value_null()) &&
                record_set(r, SPAN("n"), value_int(n)) && record_set(r, SPAN("Rows"), value_list(&row, 1)));
    CHECK_INT(f->adapter, object_store_trail_add(f->s, r, n, 0, &f->err), ERR_NONE);
}

/* Reads the whole trail in pages; the numbers of its entries as text, the newest first. */
static void check_trail(struct fixture *f, size_t page, const char *want)
{
    struct buf got;
    uint64_t next = 0;
    buf_init(&got, 4096);
    do {
        struct record **found;
        size_t count;
        CHECK_INT(f->adapter, object_store_trail_read(f->s, next, page, &f->arena, &found, &count, &next, &f->err),
                  ERR_NONE);
        assert_true(count <= page);
        for (size_t i = 0; i < count; i++) {
            const struct value *rows = record_get(found[i], SPAN("Rows"));
            assert_true(rows && rows->kind == VALUE_LIST && rows->list.count == 1);
            buf_addf(&got, "%lld ", (long long)record_int(found[i], SPAN("n"), -1));
        }
    } while (next);
    CHECK_SPAN(f->adapter, buf_span(&got), span_of(want));
    buf_done(&got);
}

static void test_trail(struct fixture *f)
{
    uint64_t before = object_store_generation(f->s);
    struct record *r = record_new(&f->arena, SPAN("Event"));
    if (!f->s->ops->trail_add) /* what is only tried leaves no trail */
        return;
    CHECK_INT(f->adapter, object_store_trail_add(f->s, r, 1, 0, &f->err), ERR_CONFLICT);
    check_trail(f, 10, "");
    begin(f);
    add_entry(f, 1);
    add_entry(f, 2);
    commit(f);
    begin(f);
    add_entry(f, 3);
    check_trail(f, 10, "3 2 1 "); /* one's own are seen */
    object_store_rollback(f->s);
    check_trail(f, 10, "2 1 ");
    begin(f);
    for (int64_t n = 4; n < 8; n++)
        add_entry(f, n);
    commit(f);
    check_trail(f, 10, "7 6 5 4 2 1 ");
    check_trail(f, 2, "7 6 5 4 2 1 ");
    check_trail(f, 4, "7 6 5 4 2 1 ");
    assert_int_equal(object_store_generation(f->s), before);
}

static void check_note(struct fixture *f, const char *want)
{
    struct span got;
    CHECK_INT(f->adapter, object_store_note_get(f->s, SPAN("x"), &f->arena, &got, &f->err), ERR_NONE);
    CHECK_SPAN(f->adapter, got, span_of(want));
}

static void set_note(struct fixture *f, const char *text)
{
    CHECK_INT(f->adapter, object_store_note_set(f->s, SPAN("x"), span_of(text), &f->err), ERR_NONE);
}

static void test_notes(void **state UNUSED)
{
    static const char *const kinds[] = {"memory", "sqlite"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct fixture f;
        set_up(&f, kinds[i]);
        if (!f.s->ops->note_set) { /* an adapter for recipients */
            tear_down(&f);
            continue;
        }
        CHECK_INT(kinds[i], object_store_note_set(f.s, SPAN("x"), SPAN("1"), &f.err), ERR_CONFLICT);
        check_note(&f, "");
        begin(&f);
        set_note(&f, "one");
        check_note(&f, "one");
        commit(&f);
        begin(&f);
        set_note(&f, "two");
        object_store_rollback(f.s);
        check_note(&f, "one");
        begin(&f);
        set_note(&f, "");
        commit(&f);
        check_note(&f, "");
        tear_down(&f);
    }
}

/* What is old goes as new entries come, some at a time; what is more than there may be goes at once. */
static void test_trail_limits(void **state UNUSED)
{
    struct fixture f;
    struct record *r;
    set_up(&f, "sqlite");
    begin(&f);
    for (int64_t n = 0; n < 200; n++)
        add_entry(&f, n);
    r = record_new(&f.arena, SPAN("Event"));
    struct value row = value_record(r);
    assert_true(r && record_set(r, SPAN("n"), value_int(200)));
    struct record *late = record_new(&f.arena, SPAN("Event"));
    assert_true(late && record_set(late, SPAN("n"), value_int(200)) &&
                record_set(late, SPAN("Rows"), value_list(&row, 1)));
    for (int i = 0; i < 4; i++)
        CHECK_INT("old", object_store_trail_add(f.s, late, 200, 198, &f.err), ERR_NONE);
    commit(&f);
    check_trail(&f, 100, "200 200 200 200 199 198 ");
    tear_down(&f);
}

static void test_conformance(void **state UNUSED)
{
    static const char *const adapters[] = {"memory", "sqlite", "overlay"};
    static void (*const tests[])(struct fixture *) = {
        test_transactions,       test_put,  test_refused_records, test_missing, test_every_kind,
        test_what_is_not_stored, test_find, test_find_recipients, test_many,    test_trail,
    };
    for (size_t a = 0; a < ARRAY_LEN(adapters); a++)
        for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
            struct fixture f;
            set_up(&f, adapters[a]);
            tests[i](&f);
            tear_down(&f);
        }
}

/* ---- the file ---- */

static void run_sql(struct fixture *f, const char *text)
{
    sqlite3 *db;
    CHECK_INT(text, sqlite3_open(f->path, &db), SQLITE_OK);
    CHECK_INT(text, sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* What a file that was changed behind our back gives. */
static void test_foreign_files(void **state UNUSED)
{
    static const struct {
        const char *name, *sql;
        enum err_code open, list;
    } rows[] = {
        {"newer version", "PRAGMA user_version = 2", ERR_INVALID, 0},
        {"another application", "PRAGMA application_id = 1", ERR_INVALID, 0},
        {"unknown class", "INSERT INTO object(guid, class, name) VALUES('x', 'Nothing', 'x')", ERR_NONE, ERR_NONE},
        {"unknown property", "INSERT INTO property SELECT id, 'Colour', -1, 'red' FROM object", ERR_NONE,
         ERR_INVALID},
        {"bad value", "UPDATE property SET value = 'Perhaps' WHERE name = 'DomainType'", ERR_NONE, ERR_INVALID},
        {"a list for one", "UPDATE property SET item = 0 WHERE name = 'DomainType'", ERR_NONE, ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct record **all;
        size_t count;
        set_up(&f, "sqlite");
        struct record *r = domain(&f, "g1", "one", "one.test");
        assert_true(record_set(r, SPAN("DomainType"), value_of("InternalRelay")));
        begin(&f);
        put(&f, r, ERR_NONE);
        commit(&f);
        object_store_close(f.s);
        f.s = NULL;
        run_sql(&f, rows[i].sql);
        CHECK_INT(rows[i].name, object_store_sqlite_open(f.path, &f.s, &f.err), rows[i].open);
        if (rows[i].open == ERR_NONE)
            CHECK_INT(rows[i].name, object_store_list(f.s, SPAN("AcceptedDomain"), &f.arena, &all, &count, &f.err),
                      rows[i].list);
        tear_down(&f);
    }
}

static void test_not_a_database(void **state UNUSED)
{
    struct fixture f;
    set_up(&f, "memory");
    struct object_store *s;
    int fd = open(f.path, O_WRONLY | O_CREAT, 0600);
    static const char text[] =
        "this is no database, however long the text may be that stands here, and on and on and on";
    assert_true(fd >= 0 && write(fd, text, sizeof(text)) == sizeof(text));
    close(fd);
    CHECK_INT("text", object_store_sqlite_open(f.path, &s, &f.err), ERR_INVALID);
    CHECK_INT("no folder", object_store_sqlite_open("/nonexistent/policy.db", &s, &f.err), ERR_IO);
    CHECK("no folder", strstr(f.err.text, "/nonexistent/policy.db"));
    tear_down(&f);
}

static void test_private_and_lasting(void **state UNUSED)
{
    struct fixture f;
    struct stat st;
    set_up(&f, "sqlite");
    begin(&f);
    put(&f, domain(&f, "g1", "one", "one.test"), ERR_NONE);
    commit(&f);
    uint64_t generation = object_store_generation(f.s);
    CHECK_INT("mode", stat(f.path, &st), 0);
    CHECK_INT("mode", st.st_mode & 0777, 0600);
    begin(&f);
    put(&f, domain(&f, "g2", "two", "two.test"), ERR_NONE);
    object_store_close(f.s); /* with an open transaction */
    open_store(&f);
    check_names(&f, "AcceptedDomain", "one");
    CHECK_INT("generation", object_store_generation(f.s), generation);
    tear_down(&f);
}

/* Two handles: one waits in vain for the other, and sees what it has committed. */
static void test_two_handles(void **state UNUSED)
{
    struct fixture f, other;
    struct err err = {0};
    set_up(&f, "sqlite");
    other = f;
    arena_init(&other.arena, 0);
    CHECK_INT("open", object_store_sqlite_open(f.path, &other.s, &err), ERR_NONE);
    begin(&f);
    put(&f, domain(&f, "g1", "one", "one.test"), ERR_NONE);
    check_names(&other, "AcceptedDomain", "");
    CHECK_INT("busy", object_store_begin(other.s, &err), ERR_UNAVAILABLE);
    commit(&f);
    check_names(&other, "AcceptedDomain", "one");
    CHECK_INT("generation", object_store_generation(other.s), object_store_generation(f.s));
    object_store_close(other.s);
    arena_clear(&other.arena);
    tear_down(&f);
}

/* Changes over a store that has objects: they are seen above it and never reach it. */
static void test_overlay(void **state UNUSED)
{
    struct fixture f, above;
    set_up(&f, "memory");
    begin(&f);
    put(&f, domain(&f, "g1", "one", "one.test"), ERR_NONE);
    put(&f, domain(&f, "g2", "two", "two.test"), ERR_NONE);
    commit(&f);
    above = f;
    arena_init(&above.arena, 0);
    above.s = object_store_overlay_new(f.s);
    uint64_t generation = object_store_generation(above.s);
    begin(&above);
    put(&above, domain(&above, "g1", "uno", "one.test"), ERR_NONE);
    put(&above, domain(&above, "g3", "two", "three.test"), ERR_EXISTS);
    put(&above, domain(&above, "g3", "one", "three.test"), ERR_NONE); /* the name is free now */
    CHECK_INT("remove", object_store_remove(above.s, SPAN("AcceptedDomain"), SPAN("g2"), &above.err), ERR_NONE);
    CHECK_INT("remove", object_store_remove(above.s, SPAN("AcceptedDomain"), SPAN("g2"), &above.err),
              ERR_NOT_FOUND);
    check_names(&above, "AcceptedDomain", "one,uno");
    commit(&above);
    CHECK("generation", object_store_generation(above.s) > generation);
    begin(&above);
    put(&above, domain(&above, "g2", "two", "two.test"), ERR_NONE);
    object_store_rollback(above.s);
    check_names(&above, "AcceptedDomain", "one,uno");
    check_names(&f, "AcceptedDomain", "one,two");
    object_store_close(above.s);
    arena_clear(&above.arena);
    tear_down(&f);
}

/* A file is read while somebody has it open and while nobody has; nothing appears beside it. */
static void test_reader(void **state UNUSED)
{
    struct fixture f, reader;
    char log[80];
    set_up(&f, "sqlite");
    snprintf(log, sizeof log, "%s-wal", f.path);
    reader = f;
    arena_init(&reader.arena, 0);
    begin(&f);
    put(&f, domain(&f, "g1", "one", "one.test"), ERR_NONE);
    commit(&f);
    CHECK_INT("beside a writer", object_store_sqlite_open_reader(f.path, &reader.s, &f.err), ERR_NONE);
    check_names(&reader, "AcceptedDomain", "one");
    begin(&f);
    put(&f, domain(&f, "g2", "two", "two.test"), ERR_NONE);
    check_names(&reader, "AcceptedDomain", "one");
    commit(&f);
    check_names(&reader, "AcceptedDomain", "one,two");
    begin(&reader);
    put(&reader, domain(&f, "g3", "three", "three.test"), ERR_IO);
    object_store_rollback(reader.s);
    object_store_close(reader.s);
    object_store_close(f.s);
    f.s = NULL;
    CHECK_INT("no log is left", access(log, F_OK), -1);
    CHECK_INT("alone", object_store_sqlite_open_reader(f.path, &reader.s, &f.err), ERR_NONE);
    check_names(&reader, "AcceptedDomain", "one,two");
    CHECK_INT("alone: no log is made", access(log, F_OK), -1);
    object_store_close(reader.s);
    CHECK_INT("missing", object_store_sqlite_open_reader("/nonexistent/policy.db", &reader.s, &f.err),
              ERR_NOT_FOUND);
    arena_clear(&reader.arena);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance),    cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_not_a_database), cmocka_unit_test(test_private_and_lasting),
        cmocka_unit_test(test_two_handles),    cmocka_unit_test(test_reader),
        cmocka_unit_test(test_overlay),        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_trail_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
