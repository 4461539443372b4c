/* The state folder: made, sealed, read back; broken settings and missing files named; one user at a time. */
#include "check.h"

#include "role/common/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mailreeve-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void sealed_and_read_back(void **state)
{
    (void)state;
    struct node_settings s = {.host = "mail.example.com",
                              .domain = "example.com",
                              .edge = true,
                              .port_offset = 2000},
                         back;
    struct err err;
    assert_int_equal(state_load(folder, &back, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "mailreeve init"));
    assert_int_equal(state_make_folders(folder, &err), ERR_NONE);
    assert_int_equal(state_make_folders(folder, &err), ERR_NONE);
    assert_int_equal(state_load(folder, &back, &err), ERR_NOT_FOUND); /* not sealed yet */
    assert_int_equal(state_seal(folder, &s, &err), ERR_NONE);
    assert_int_equal(state_load(folder, &back, &err), ERR_NONE);
    assert_string_equal(back.host, s.host);
    assert_string_equal(back.domain, s.domain);
    assert_true(back.edge);
    assert_int_equal(back.port_offset, 2000);
}

/* A home folder given by mistake stays what it is; what a broken init left behind, and a fresh volume, may be used.
 */
static void only_its_own_folder(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum err_code want;
    } rows[] = {
        {"lost+found", ERR_NONE}, {"policy.db-wal", ERR_NONE}, {"node.conf.new", ERR_NONE}, {"mine", ERR_CONFLICT}};
    char path[128];
    struct err err;
    struct stat st;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, rows[i].name);
        assert_int_equal(mkdir(path, 0700), 0);
        if (rows[i].want) {
            snprintf(path, sizeof path, "%s/spool", folder);
            rmdir(path);
        }
        CHECK_INT(rows[i].name, state_make_folders(folder, &err), rows[i].want);
    }
    assert_non_null(strstr(err.text, "mine"));
    assert_int_equal(stat(path, &st), -1); /* nothing was made */
}

static void broken_settings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"hostname = a.b\nnonsense\n", "line 2"},
        {"hostname = a.b\nrole = mailbox\n", "role = mailbox"},
        {"hostname = a.b\nport-offset = 70000\n", "port-offset"},
        {"domain = a.b\n", "hostname"},
        {"hostname = \n", "line 1"},
        {"hostname = a.b\ncolour = red\n", "colour"},
    };
    char path[128];
    snprintf(path, sizeof path, "%s/node.conf", folder);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct node_settings s;
        struct err err = {0};
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(rows[i].text, f);
        fclose(f);
        CHECK_INT(rows[i].text, state_load(folder, &s, &err), ERR_INVALID);
        CHECK(rows[i].text, strstr(err.text, rows[i].says) != NULL);
    }
}

static void put_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static void each_database_is_there(void **state)
{
    (void)state;
    static const char *const names[] = {"policy.db", "directory.db", "queue.db"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        put_file(names[i]);
    assert_int_equal(state_check_complete(folder, &err), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
        CHECK_INT(names[i], state_check_complete(folder, &err), ERR_NOT_FOUND);
        CHECK(names[i], strstr(err.text, path) && strstr(err.text, "incomplete") && strstr(err.text, "restore"));
        put_file(names[i]);
    }
}

static void one_at_a_time(void **state)
{
    (void)state;
    int first, second;
    struct err err;
    assert_int_equal(state_lock(folder, &first, &err), ERR_NONE);
    assert_int_equal(state_lock(folder, &second, &err), ERR_CONFLICT);
    close(first);
    assert_int_equal(state_lock(folder, &second, &err), ERR_NONE);
    close(second);
}

static void reachability(void **state)
{
    (void)state;
    struct sandbox_user nobody = {.change = true, .uid = 65534, .gid = 65534, .name = "nobody"};
    struct err err;
    char inner[128];
    snprintf(inner, sizeof inner, "%s/inner", folder);
    assert_int_equal(mkdir(inner, 0755), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(state_check_reachable(inner, &nobody, &err), ERR_NONE);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(state_check_reachable(inner, &nobody, &err), ERR_DENIED);
    assert_non_null(strstr(err.text, folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sealed_and_read_back, make, drop),
        cmocka_unit_test_setup_teardown(only_its_own_folder, make, drop),
        cmocka_unit_test_setup_teardown(broken_settings, make, drop),
        cmocka_unit_test_setup_teardown(each_database_is_there, make, drop),
        cmocka_unit_test_setup_teardown(one_at_a_time, make, drop),
        cmocka_unit_test_setup_teardown(reachability, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
