/* test_help.c: Get-Help has something to say about every command, every parameter and every property. */
#include "check.h"
#include "cmdlet/table.h"
#include "schema/schema.h"

#include <string.h>

/* A text for people: there, and a sentence. */
static bool is_sentence(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    return n > 1 && (s[n - 1] == '.' || s[n - 1] == ')' || s[n - 1] == '"') && s[0] >= '!' && s[0] <= '~';
}

static void check_parameters(const struct shell_command *c)
{
    for (size_t i = 0; i < c->parameter_count; i++) {
        const struct shell_parameter *p = &c->parameters[i];
        if (!is_sentence(p->help))
            fail_msg("%s -%s: help \"%s\"", c->name, p->name, p->help ? p->help : "");
        if (!(p->flags & (PARAMETER_SWITCH | PARAMETER_HIDDEN)) && !(p->syntax && *p->syntax))
            fail_msg("%s -%s: nothing stands for its argument", c->name, p->name);
    }
}

/* They are what the shell can read, and show the command (those with aliases may show one of these). */
static void check_examples(const struct shell_command *c)
{
    struct arena arena;
    struct script script;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    if (!c->examples || (!(c->aliases && *c->aliases) && !strstr(c->examples, c->name)))
        fail_msg("%s: no example of it", c->name);
    if (syntax_parse(span_of(c->examples), &arena, &script, NULL, &err) || script.count == 0)
        fail_msg("%s: the example cannot be read: %s", c->name, err.text);
    arena_clear(&arena);
}

static void test_every_command(void **state UNUSED)
{
    struct arena arena;
    struct shell_table table;
    struct err err = {0};
    const struct shell_command *c;
    arena_init(&arena, 16 << 20);
    CHECK_INT("table", cmdlet_table(&arena, &table, &err), ERR_NONE);
    size_t i = 0;
    for (; (c = shell_command_at(&table, i)); i++) {
        if (!is_sentence(c->synopsis) || !is_sentence(c->description))
            fail_msg("%s: synopsis \"%s\", description \"%s\"", c->name, c->synopsis ? c->synopsis : "",
                     c->description ? c->description : "");
        check_parameters(c);
        check_examples(c);
    }
    assert_true(i > table.command_count);
    arena_clear(&arena);
}

static void test_every_property(void **state UNUSED)
{
    for (size_t k = 0; k < SCHEMA_CLASSES; k++)
        for (size_t i = 0; i < schema_classes[k]->count; i++) {
            const struct schema_property *p = &schema_classes[k]->properties[i];
            if (!is_sentence(p->help))
                fail_msg("%s.%s: help \"%s\"", schema_classes[k]->name, p->name, p->help ? p->help : "");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_command), cmocka_unit_test(test_every_property)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
