/*
 * test_admin.c: the cmdlets over the real directory: what the recipients' adapter owes the object store port, and
 * statements that are all or nothing over both stores.
 */
#include "check.h"
#include "cmdlet/bootstrap.h"
#include "cmdlet/transaction.h"
#include "directory/embedded.h"
#include "role/common/admin.h"
#include "role/common/directory_objects.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[40], path[64];
    struct directory *directory;
    struct admin admin;
    struct buf out;
    struct arena arena;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/mailreeve-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/directory.db", f->folder);
    arena_init(&f->arena, 0);
    buf_init(&f->out, 16 << 20);
    assert_int_equal(directory_embedded_open(f->path, &f->directory, &f->err), ERR_NONE);
    assert_int_equal(admin_init(&f->admin, &f->err), ERR_NONE);
    struct cmdlet_context *c = &f->admin.context;
    c->host = SPAN("mail.example.com");
    c->policy = object_store_memory_new();
    c->recipients = directory_objects_new(f->directory);
    assert_true(c->policy && c->recipients);
    assert_int_equal(cmdlet_transaction.begin(c, &f->err), ERR_NONE);
    assert_int_equal(cmdlet_init_state(c, SPAN("example.com"), &f->err), ERR_NONE);
    assert_int_equal(cmdlet_transaction.commit(c, &f->err), ERR_NONE);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct fixture *f = *state;
    object_store_close(f->admin.context.recipients);
    object_store_close(f->admin.context.policy);
    directory_close(f->directory);
    admin_done(&f->admin);
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        char path[80];
        snprintf(path, sizeof path, "%s%s", f->path, suffixes[i]);
        unlink(path);
    }
    rmdir(f->folder);
    buf_done(&f->out);
    arena_clear(&f->arena);
    free(f);
    return 0;
}

static void print(void *context, struct span bytes)
{
    buf_add(context, bytes);
}

static enum err_code run(struct fixture *f, const char *text)
{
    const struct shell_output output = {.out = print, .context = &f->out};
    buf_clear(&f->out);
    return admin_run(&f->admin, span_of(text), NULL, &output, &f->err);
}

static void check_names(struct fixture *f, const char *want)
{
    assert_int_equal(run(f, "Get-Mailbox | Select-Object -ExpandProperty Name"), ERR_NONE);
    CHECK_SPAN("names", buf_span(&f->out), span_of(want));
}

static void test_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *row, *script;
        enum err_code code;
        const char *names;
    } rows[] = {
        {"a mailbox", "New-Mailbox bob -Password pw", ERR_NONE, "bob\n"},
        {"the first of two stays", "New-Mailbox alice -Password pw; New-Mailbox Bob -Password pw", ERR_EXISTS,
         "alice\nbob\n"},
        {"nothing of one that fails half way", "Get-Mailbox | Set-Mailbox -Name carol", ERR_EXISTS, "alice\nbob\n"},
        {"a syntax error before anything", "New-Mailbox dave -Password pw; Get-Mailbox |", ERR_INVALID,
         "alice\nbob\n"},
        {"removed", "Get-Mailbox | Remove-Mailbox -Confirm:$false", ERR_NONE, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err_code code = run(f, rows[i].script);
        if (code != rows[i].code)
            print_error("row `%s`: %s\n", rows[i].row, f->err.text);
        CHECK_INT(rows[i].row, code, rows[i].code);
        check_names(f, rows[i].names);
    }
}

static void test_password_is_kept_as_hash(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "New-Mailbox alice -Password 'pw-1'; Get-Mailbox alice | ConvertTo-Json"), ERR_NONE);
    assert_null(memmem(f->out.ptr, f->out.len, "pw-1", 4));
    assert_null(memmem(f->out.ptr, f->out.len, "assword", 7));
    assert_non_null(memmem(f->out.ptr, f->out.len, "alice@example.com", 17));
}

/* ---- the port ---- */

static struct record *mailbox(struct fixture *f, unsigned number)
{
    struct record *r = record_new(&f->arena, SPAN("Mailbox"));
    /* the names run against the GUIDs */
    struct span guid = arena_printf(&f->arena, "00000000-0000-4000-8000-%012u", number);
    struct span name = arena_printf(&f->arena, "user%05u", 99999 - number);
    struct span address = arena_printf(&f->arena, "%.*s@example.com", SPAN_ARG(name));
    struct value *addresses = ARENA_NEW(&f->arena, struct value);
    assert_true(r && guid.ptr && name.ptr && address.ptr && addresses);
    *addresses = value_string(address);
    assert_true(record_set(r, SPAN("Guid"), value_string(guid)) &&
                record_set(r, SPAN("Name"), value_string(name)) &&
                record_set(r, SPAN("DisplayName"), value_of("The same")) &&
                record_set(r, SPAN("PrimarySmtpAddress"), value_string(address)) &&
                record_set(r, SPAN("EmailAddresses"), value_list(addresses, 1)) &&
                record_set(r, SPAN("Enabled"), value_bool(true)));
    return r;
}

/* By its indexes the directory finds what the port's own way would pick out of a list. */
static void check_found_as_listed(struct fixture *f, size_t many)
{
    static const struct {
        const char *property, *text;
        size_t want; /* 0: none; 1; 2: all */
    } rows[] = {
        {"Name", "USER99998", 1},
        {"Guid", "00000000-0000-4000-8000-000000000001", 1},
        {"PrimarySmtpAddress", "User99998@example.com", 1},
        {"EmailAddresses", "USER99998@example.com", 1},
        {"EmailAddresses", "smtp:user99998@example.com", 0},
        {"UserPrincipalName", "user99998@example.com", 0},
        {"DisplayName", "the same", 2},
    };
    struct object_store *s = f->admin.context.recipients;
    struct object_store_ops without = *s->ops;
    without.find = NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record **found, **picked;
        const struct object_store_ops *own = s->ops;
        struct span property = span_of(rows[i].property), text = span_of(rows[i].text);
        size_t count = 0, picked_count = 0;
        CHECK_INT(rows[i].text,
                  object_store_find(s, SPAN("Mailbox"), property, text, &f->arena, &found, &count, &f->err),
                  ERR_NONE);
        s->ops = &without;
        CHECK_INT(rows[i].text,
                  object_store_find(s, SPAN("Mailbox"), property, text, &f->arena, &picked, &picked_count, &f->err),
                  ERR_NONE);
        s->ops = own;
        CHECK_INT(rows[i].text, count, rows[i].want < 2 ? rows[i].want : many);
        CHECK_INT(rows[i].text, picked_count, count);
        for (size_t k = 0; k < count; k++)
            CHECK(rows[i].text, value_eq(value_record(found[k]), value_record(picked[k]), true));
    }
}

static void test_port(void **state)
{
    enum { MANY = 600 }; /* some pages */
    struct fixture *f = *state;
    struct object_store *s = f->admin.context.recipients;
    struct record **all, *one;
    size_t count;
    assert_int_equal(object_store_put(s, mailbox(f, 1), &f->err), ERR_CONFLICT);
    assert_int_equal(object_store_commit(s, &f->err), ERR_CONFLICT);
    uint64_t before = object_store_generation(s);
    assert_int_equal(object_store_begin(s, &f->err), ERR_NONE);
    assert_int_equal(object_store_begin(s, &f->err), ERR_CONFLICT);
    for (unsigned i = 1; i <= MANY; i++)
        assert_int_equal(object_store_put(s, mailbox(f, i), &f->err), ERR_NONE);
    assert_int_equal(object_store_commit(s, &f->err), ERR_NONE);
    assert_true(object_store_generation(s) > before);

    assert_int_equal(object_store_list(s, SPAN("mailbox"), &f->arena, &all, &count, &f->err), ERR_NONE);
    assert_int_equal(count, MANY);
    for (size_t i = 1; i < count; i++)
        assert_true(span_icmp(record_string(all[i - 1], SPAN("Name")), record_string(all[i], SPAN("Name"))) < 0);
    struct span guid = record_string(all[0], SPAN("Guid"));
    assert_int_equal(object_store_get(s, SPAN("Mailbox"), guid, &f->arena, &one, &f->err), ERR_NONE);
    CHECK_SPAN("by Guid", record_string(one, SPAN("Name")), record_string(all[0], SPAN("Name")));
    check_found_as_listed(f, MANY);

    assert_int_equal(object_store_remove(s, SPAN("Mailbox"), guid, &f->err), ERR_CONFLICT);
    assert_int_equal(object_store_begin(s, &f->err), ERR_NONE);
    assert_int_equal(object_store_remove(s, SPAN("Mailbox"), guid, &f->err), ERR_NONE);
    assert_int_equal(object_store_get(s, SPAN("Mailbox"), guid, &f->arena, &one, &f->err), ERR_NOT_FOUND);
    object_store_rollback(s);
    assert_int_equal(object_store_get(s, SPAN("Mailbox"), guid, &f->arena, &one, &f->err), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_password_is_kept_as_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_port, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
