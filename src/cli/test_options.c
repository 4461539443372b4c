/* test_options.c: the command line: options, and what `mailreeve shell` refuses before it touches anything. */
#include "check.h"
#include "cli/cli.h"

#include <stdlib.h>
#include <unistd.h>

enum { ARGS_MAX = 6 };

static int fill(char *argv[ARGS_MAX + 1], const char *const args[ARGS_MAX])
{
    int n = 0;
    for (; n < ARGS_MAX && args[n]; n++)
        argv[n] = (char *)(uintptr_t)args[n];
    argv[n] = NULL;
    return n;
}

static void test_parse(void **state UNUSED)
{
    static const struct {
        const char *row, *args[ARGS_MAX];
        int left;
        const char *value, *text;
        bool flag;
    } rows[] = {
        {"nothing", {"x"}, .left = 0},
        {"a value behind", {"x", "--state", "dir"}, .value = "dir"},
        {"a value after =", {"x", "--state=a=b"}, .value = "a=b"},
        {"one letter", {"x", "-c", "-Get"}, .text = "-Get"},
        {"a flag", {"x", "--quick"}, .flag = true},
        {"positional ones move to the front", {"x", "file", "--quick", "more"}, .left = 2, .flag = true},
        {"a dash alone is positional", {"x", "-"}, .left = 1},
        {"two dashes end the options", {"x", "--", "--state"}, .left = 1},
        {"unknown", {"x", "--stat", "dir"}, .left = -1},
        {"no value", {"x", "--state"}, .left = -1},
        {"a flag with a value", {"x", "--quick=1"}, .left = -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *value = NULL, *text = NULL;
        bool flag = false;
        const struct cli_option options[] = {{"state", &value, NULL}, {"c", &text, NULL}, {"quick", NULL, &flag}};
        char *argv[ARGS_MAX + 1];
        int argc = fill(argv, rows[i].args);
        CHECK_INT(rows[i].row, cli_parse(argc, argv, options, ARRAY_LEN(options)), rows[i].left);
        CHECK_STR(rows[i].row, value, rows[i].value);
        CHECK_STR(rows[i].row, text, rows[i].text);
        CHECK_INT(rows[i].row, flag, rows[i].flag);
    }
}

static void test_state(void **state UNUSED)
{
    unsetenv("MAILREEVE_STATE");
    CHECK_STR("default", cli_state(NULL), "/var/lib/mailreeve");
    setenv("MAILREEVE_STATE", "/from/env", 1);
    CHECK_STR("environment", cli_state(NULL), "/from/env");
    CHECK_STR("option", cli_state("/given"), "/given");
    setenv("MAILREEVE_STATE", "", 1);
    CHECK_STR("empty", cli_state(NULL), "/var/lib/mailreeve");
}

static void test_shell_refuses(void **state UNUSED)
{
    static const struct {
        const char *row, *args[ARGS_MAX];
        int status;
    } rows[] = {
        {"no value", {"shell", "--state"}, CLI_USAGE},
        {"unknown option", {"shell", "--force"}, CLI_USAGE},
        {"-c and a file", {"shell", "-c", "Get-Mailbox", "file"}, CLI_USAGE},
        {"two files", {"shell", "one", "two"}, CLI_USAGE},
        {"no state", {"shell", "--state", "/nonexistent", "-c", "Get-Mailbox"}, CLI_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *argv[ARGS_MAX + 1];
        int argc = fill(argv, rows[i].args);
        CHECK_INT(rows[i].row, cli_shell(argc, argv), rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_shell_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
