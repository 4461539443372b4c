/*
 * test_schema.c: the tables themselves (every property: its default, its bounds, its words, its help), and values
 * of every type from the shell into their kind and to and from their stored text.
 */
#include "check.h"
#include "schema/schema.h"

#include <string.h>

struct fixture {
    struct arena arena;
    struct err err;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    arena_init(&f.arena, 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_clear(&f->arena);
    return 0;
}

static enum err_code parse(struct fixture *f, const struct schema_property *p, struct value in, struct value *ret)
{
    f->err = (struct err){0};
    return schema_parse_property(p, in, NULL, &f->arena, ret, &f->err);
}

static struct span printed(struct fixture *f, struct value v)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    schema_print_text(&b, v);
    struct span s = arena_dup(&f->arena, buf_span(&b));
    buf_done(&b);
    return s;
}

/* Stored text read back is the same value, and prints the same. */
static void check_text(struct fixture *f, const struct schema_property *p, struct value v)
{
    bool list = v.kind == VALUE_LIST;
    for (size_t i = 0; v.kind != VALUE_NULL && i < (list ? v.list.count : 1); i++) {
        struct value one = list ? v.list.items[i] : v, back;
        struct span text = printed(f, one);
        CHECK_INT(p->name, schema_parse_text(p, text, &f->arena, &back, &f->err), ERR_NONE);
        CHECK(p->name, value_eq(one, back, false));
        CHECK_SPAN(p->name, printed(f, back), text);
    }
}

/* The type's kind, at the bound itself. */
static struct value number(const struct schema_property *p, int64_t n)
{
    return p->type == SCHEMA_SIZE ? value_size(n) : p->type == SCHEMA_TIMESPAN ? value_timespan(n) : value_int(n);
}

static void check_bounds(struct fixture *f, const struct schema_property *p)
{
    const struct {
        int64_t n;
        enum err_code want;
    } rows[] = {{p->min, ERR_NONE}, {p->min - 1, ERR_INVALID}, {p->max, ERR_NONE}, {p->max + 1, ERR_INVALID}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct value in = number(p, rows[i].n), v;
        CHECK_INT(p->name, parse(f, p, in, &v), rows[i].want);
        if (rows[i].want == ERR_NONE)
            CHECK(p->name, value_eq(in, v, false));
        else
            CHECK(p->name, strstr(f->err.text, p->name) && strstr(f->err.text, "out of range"));
        if (rows[i].want == ERR_NONE)
            check_text(f, p, v);
    }
    struct value v;
    bool unlimited = p->flags & SCHEMA_UNLIMITED;
    CHECK_INT(p->name, parse(f, p, value_of("unlimited"), &v), unlimited ? ERR_NONE : ERR_INVALID);
    if (unlimited)
        check_text(f, p, v);
}

static void check_words(struct fixture *f, const struct schema_property *p)
{
    struct value v;
    for (const char *const *w = p->words; *w; w++) {
        CHECK_INT(p->name, parse(f, p, value_of(*w), &v), ERR_NONE);
        check_text(f, p, v);
    }
    CHECK_INT(p->name, parse(f, p, value_of("Neither"), &v), ERR_INVALID);
    CHECK(p->name,
          strstr(f->err.text, "Neither") && strstr(f->err.text, p->words[0]) && strstr(f->err.text, p->name));
}

static void check_text_length(struct fixture *f, const struct schema_property *p)
{
    char text[4096];
    struct value v;
    memset(text, 'x', sizeof(text));
    CHECK_INT(p->name, parse(f, p, value_string(span_make(text, (size_t)p->max)), &v), ERR_NONE);
    CHECK_INT(p->name, parse(f, p, value_string(span_make(text, (size_t)p->max + 1)), &v), ERR_INVALID);
    if (p->min > 0)
        CHECK_INT(p->name, parse(f, p, value_string(SPAN("")), &v), ERR_INVALID);
}

/* The items of a list's default; of anything else the whole, once. */
static bool next_default(const struct schema_property *p, struct span *rest, struct span *ret)
{
    if (p->flags & SCHEMA_LIST)
        return span_split(rest, ',', ret);
    *ret = *rest;
    rest->ptr = NULL;
    return ret->ptr != NULL;
}

static void check_property(struct fixture *f, const struct schema_class *c, const struct schema_property *p)
{
    const char *const defaults[] = {p->initial, p->initial_edge};
    bool numeric = p->type == SCHEMA_INT || p->type == SCHEMA_SIZE || p->type == SCHEMA_TIMESPAN;
    CHECK(p->name, schema_property(c, span_of(p->name)) == p);
    CHECK(p->name, p->help && strlen(p->help) > 5 && p->help[strlen(p->help) - 1] == '.');
    CHECK(p->name, (p->type == SCHEMA_ENUM || p->type == SCHEMA_FLAGS) == (p->words != NULL));
    CHECK(p->name, schema_syntax(p, &f->arena) && strstr(schema_help(p, &f->arena), p->help));
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        struct value v;
        if (!defaults[i])
            continue;
        CHECK(p->name, strstr(schema_help(p, &f->arena), defaults[i]));
        for (struct span rest = span_of(defaults[i]), item; next_default(p, &rest, &item);) {
            CHECK_INT(p->name, parse(f, p, value_string(item), &v), ERR_NONE);
            check_text(f, p, v);
        }
    }
    if (numeric)
        check_bounds(f, p);
    if (p->words)
        check_words(f, p);
    if ((p->type == SCHEMA_STRING || p->type == SCHEMA_SECRET) && p->max)
        check_text_length(f, p);
}

static void test_every_property(void **state)
{
    size_t count = 0;
    for (size_t i = 0; i < SCHEMA_CLASSES; i++) {
        const struct schema_class *c = schema_classes[i];
        CHECK(c->name, schema_class(span_of(c->name)) == c && *c->label);
        CHECK_INT(c->name, schema_property(c, SPAN("Guid"))->flags & SCHEMA_READ_ONLY, SCHEMA_READ_ONLY);
        CHECK_STR(c->name, c->properties[0].name, "Name");
        for (size_t k = 0; k < c->count; k++, count++)
            check_property(*state, c, &c->properties[k]);
    }
    CHECK_INT("properties", count > 130, 1);
    assert_null(schema_class(SPAN("Nothing")));
    assert_null(schema_property(&schema_mailbox, SPAN("Nothing")));
}

/* A property of each type, as tables may have them. */
static const char *const words[] = {"None", "One", "Two", NULL};
static const struct schema_property string = {"P", SCHEMA_STRING, .min = 1, .max = 8, .help = "."},
                                    boolean = {"P", SCHEMA_BOOL, .help = "."},
                                    integer = {"P", SCHEMA_INT, .min = 1, .max = 99, .help = "."},
                                    size = {"P", SCHEMA_SIZE, .max = 1 << 30, .help = "."},
                                    timespan = {"P", SCHEMA_TIMESPAN, .max = 1 << 30, .help = "."},
                                    word = {"P", SCHEMA_ENUM, .words = words, .help = "."},
                                    fqdn = {"P", SCHEMA_FQDN, .help = "."},
                                    domain = {"P", SCHEMA_DOMAIN, .help = "."},
                                    address = {"P", SCHEMA_ADDRESS, .help = "."},
                                    binding = {"P", SCHEMA_BINDING, .help = "."},
                                    range = {"P", SCHEMA_RANGE, .help = "."},
                                    space = {"P", SCHEMA_ADDRESS_SPACE, .help = "."},
                                    host = {"P", SCHEMA_HOST, .help = "."};

static void test_values(void **state)
{
    static const struct {
        const char *text;
        const struct schema_property *p;
        const char *want; /* the stored text; NULL: refused */
    } rows[] = {
        {"abc", &string, "abc"},
        {"", &string, NULL},
        {"123456789", &string, NULL},
        {"a\rb", &string, NULL},
        {"a\x7f", &string, NULL},
        {"\xc3\xa4", &string, "\xc3\xa4"},
        {"\xc3", &string, NULL},
        {"TRUE", &boolean, "True"},
        {"false", &boolean, "False"},
        {"yes", &boolean, NULL},
        {"5", &integer, "5"},
        {"+5", &integer, NULL},
        {"5.0", &integer, NULL},
        {"Unlimited", &integer, NULL},
        {"99999999999999999999", &integer, NULL},
        {"1.5MB", &size, "1536KB"},
        {"10 MB (10,485,760 bytes)", &size, "10MB"},
        {"64kb", &size, "64KB"},
        {"-1", &size, NULL},
        {"ten", &size, NULL},
        {"00:05:00", &timespan, "00:05:00"},
        {"1.00:00:00", &timespan, "1.00:00:00"},
        {"00:60:00", &timespan, NULL},
        {"5", &timespan, NULL},
        {"soon", &timespan, NULL},
        {"one", &word, "One"},
        {"One,Two", &word, NULL},
        {"mail.example.com", &fqdn, "mail.example.com"},
        {"mail example", &fqdn, NULL},
        {"-x.example", &fqdn, NULL},
        {"*.example.com", &domain, "*.example.com"},
        {"*.B\u00fccher.Example", &domain, "*.xn--bcher-kva.example"},
        {"xn--\u00fc.example", &domain, NULL},
        {"example.*", &domain, NULL},
        {"a.*.example.com", &domain, NULL},
        {"Alice@EXAMPLE.com", &address, "Alice@example.com"},
        {"a@b\u00fccher.example", &address, "a@xn--bcher-kva.example"},
        {"smtp:a@example.com", &address, "a@example.com"},
        {"\"a\"@example.com", &address, "a@example.com"},
        {"alice", &address, NULL},
        {"a@b@c", &address, NULL},
        {"0.0.0.0:25", &binding, "0.0.0.0:25"},
        {"[::]:25", &binding, "[::]:25"},
        {"[2001:DB8:0:0::1]:587", &binding, "[2001:db8::1]:587"},
        {"0.0.0.0:0", &binding, NULL},
        {"0.0.0.0:65536", &binding, NULL},
        {"0.0.0.0", &binding, NULL},
        {"192.0.2.1", &range, "192.0.2.1"},
        {"192.0.2.0/24", &range, "192.0.2.0-192.0.2.255"},
        {"0.0.0.0-255.255.255.255", &range, "0.0.0.0-255.255.255.255"},
        {"0.0.0.0/0", &range, "0.0.0.0-255.255.255.255"},
        {"192.0.2.9-192.0.2.1", &range, NULL},
        {"10.0.0.300", &range, NULL},
        {"192.0.2.1-::1", &range, NULL},
        {"*", &space, "*"},
        {"SMTP:*.contoso.com;100", &space, "SMTP:*.contoso.com;100"},
        {"b\u00fccher.example", &space, "xn--bcher-kva.example"},
        {"SMTP:*.b\u00fccher.example;7", &space, "SMTP:*.xn--bcher-kva.example;7"},
        {"b\u00fccher.example;0", &space, NULL},
        {"contoso.com;0", &space, NULL},
        {"contoso.com;101", &space, NULL},
        {"*contoso.com", &space, NULL},
        {"X400:c=us", &space, NULL},
        {"relay.example.com", &host, "relay.example.com"},
        {"[192.0.2.1]", &host, "192.0.2.1"},
        {"::1", &host, "::1"},
        {"10.0.0.300", &host, NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct value v;
        enum err_code code = parse(f, rows[i].p, value_of(rows[i].text), &v);
        CHECK_INT(rows[i].text, code, rows[i].want ? ERR_NONE : ERR_INVALID);
        if (code == ERR_NONE) {
            CHECK_STR(rows[i].text, (const char *)arena_cstr(&f->arena, printed(f, v)), rows[i].want);
            check_text(f, rows[i].p, v);
        } else {
            CHECK(rows[i].text, strncmp(f->err.text, "P: ", 3) == 0);
        }
    }
}

static void test_kinds(void **state)
{
    static const struct value items[] = {{.kind = VALUE_INT, .i = 7}, {.kind = VALUE_INT, .i = 8}};
    static const struct schema_property nullable = {"P", SCHEMA_STRING, SCHEMA_NULLABLE, .max = 8, .help = "."};
    static const struct schema_property secret = {"P", SCHEMA_SECRET, .min = 1, .max = 8, .help = "."};
    const struct {
        const char *name;
        const struct schema_property *p;
        struct value in;
        enum err_code code;
        enum value_kind want;
    } rows[] = {
        {"digits are text", &string, value_int(12345), ERR_NONE, VALUE_STRING},
        {"a bare number is bytes", &size, value_int(1000), ERR_NONE, VALUE_SIZE},
        {"zero time", &timespan, value_int(0), ERR_NONE, VALUE_TIMESPAN},
        {"a bare number is no time", &timespan, value_int(5), ERR_INVALID, 0},
        {"one is true", &boolean, value_int(1), ERR_NONE, VALUE_BOOL},
        {"two is not", &boolean, value_int(2), ERR_INVALID, 0},
        {"a bool is no text", &string, value_bool(true), ERR_INVALID, 0},
        {"a list of one", &integer, value_list(items, 1), ERR_NONE, VALUE_INT},
        {"a list of two", &integer, value_list(items, 2), ERR_INVALID, 0},
        {"null", &nullable, value_null(), ERR_NONE, VALUE_NULL},
        {"not nullable", &string, value_null(), ERR_INVALID, 0},
        {"secret from text", &secret, value_of("abc"), ERR_NONE, VALUE_SECRET},
        {"secret", &secret, {.kind = VALUE_SECRET, .s = SPAN("abc")}, ERR_NONE, VALUE_SECRET},
        {"empty secret", &secret, value_of(""), ERR_INVALID, 0},
        {"a secret is no text", &string, {.kind = VALUE_SECRET, .s = SPAN("hush")}, ERR_INVALID, 0},
        {"NUL in a secret", &secret, value_string(SPAN("a\0b")), ERR_INVALID, 0},
        {"a size is no number", &integer, value_size(5), ERR_INVALID, 0},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct value v;
        CHECK_INT(rows[i].name, parse(f, rows[i].p, rows[i].in, &v), rows[i].code);
        CHECK(rows[i].name, !strstr(f->err.text, "hush"));
        if (rows[i].code == ERR_NONE)
            CHECK_INT(rows[i].name, v.kind, rows[i].want);
    }
}

/* Lists and flags: `text` or @{Add;Remove} against `current`, all as comma-separated texts. */
static void test_lists(void **state)
{
    static const struct schema_property flags = {"P", SCHEMA_FLAGS, .words = words, .help = "."};
    static const struct schema_property list = {"P", SCHEMA_FQDN, SCHEMA_LIST, .help = "."};
    static const struct schema_property filled = {"P", SCHEMA_FQDN, SCHEMA_LIST | SCHEMA_NOT_EMPTY, .help = "."};
    static const struct {
        const char *name;
        const struct schema_property *p;
        const char *current, *text, *add, *remove, *want;
    } rows[] = {
        {"canonical order", &flags, NULL, "two, ONE", NULL, NULL, "One,Two"},
        {"no repetition", &flags, NULL, "One,one", NULL, NULL, "One"},
        {"None is kept for the rules", &flags, NULL, "None,One", NULL, NULL, "None,One"},
        {"empty is None", &flags, NULL, "", NULL, NULL, NULL},
        {"add", &flags, "One", NULL, "Two", NULL, "One,Two"},
        {"add to None", &flags, "None", NULL, "Two", NULL, "Two"},
        {"remove", &flags, "One,Two", NULL, NULL, "two", "One"},
        {"remove the last", &flags, "One", NULL, NULL, "One", "None"},
        {"remove what is not there", &flags, "One", NULL, NULL, "Two", "One"},
        {"unknown to add", &flags, "One", NULL, "Three", NULL, NULL},
        {"unknown to remove", &flags, "One", NULL, NULL, "Three", NULL},
        {"order stays", &list, NULL, "b.test,a.test,B.test", NULL, NULL, "b.test,a.test"},
        {"add and remove", &list, "a.test,b.test", NULL, "c.test,b.test", "A.test", "b.test,c.test"},
        {"nothing to change", &list, "a.test", NULL, NULL, NULL, "a.test"},
        {"bad item", &list, NULL, "a.test,b c", NULL, NULL, NULL},
        {"must not be empty", &filled, "a.test", NULL, NULL, "a.test", NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct value current = value_null(), v;
        struct record *change = record_new(&f->arena, SPAN("Hashtable"));
        if (rows[i].current)
            CHECK_INT(rows[i].name, parse(f, rows[i].p, value_of(rows[i].current), &current), ERR_NONE);
        assert_true(!rows[i].add || record_set(change, SPAN("add"), value_of(rows[i].add)));
        assert_true(!rows[i].remove || record_set(change, SPAN("Remove"), value_of(rows[i].remove)));
        struct value in = rows[i].text ? value_of(rows[i].text) : value_record(change);
        enum err_code code = schema_parse_property(rows[i].p, in, &current, &f->arena, &v, &f->err);
        CHECK_INT(rows[i].name, code, rows[i].want ? ERR_NONE : ERR_INVALID);
        if (code)
            continue;
        struct buf b;
        buf_init(&b, 1024);
        for (size_t k = 0; k < v.list.count; k++)
            buf_addf(&b, "%s%.*s", k ? "," : "", SPAN_ARG(v.list.items[k].s));
        CHECK_SPAN(rows[i].name, buf_span(&b), span_of(rows[i].want));
        buf_done(&b);
    }
    struct record *wrong = record_new(&f->arena, SPAN("Hashtable"));
    struct value v;
    assert_true(record_set(wrong, SPAN("Set"), value_of("One")));
    CHECK_INT("wrong key", parse(f, &flags, value_record(wrong), &v), ERR_INVALID);
    CHECK("wrong key", strstr(f->err.text, "Add= and Remove=, not Set"));
    CHECK_INT("null is empty", parse(f, &list, value_null(), &v), ERR_NONE);
    CHECK_INT("null is empty", v.list.count, 0);
}

static void test_list_limit(void **state)
{
    static const struct schema_property list = {"P", SCHEMA_STRING, SCHEMA_LIST, .help = "."};
    struct fixture *f = *state;
    struct value *items = ARENA_ARRAY(&f->arena, SCHEMA_LIST_MAX + 1, struct value), v;
    for (size_t i = 0; i <= SCHEMA_LIST_MAX; i++)
        items[i] = value_int((int64_t)i);
    CHECK_INT("at the limit", parse(f, &list, value_list(items, SCHEMA_LIST_MAX), &v), ERR_NONE);
    CHECK_INT("one past", parse(f, &list, value_list(items, SCHEMA_LIST_MAX + 1), &v), ERR_LIMIT);
}

static void test_complete_and_view(void **state)
{
    struct fixture *f = *state;
    struct record *r = record_new(&f->arena, SPAN("ReceiveConnector"));
    assert_true(record_set(r, SPAN("MaxHopCount"), value_int(7)));
    CHECK_INT("hub", schema_complete(&schema_receive_connector, false, r, &f->err), ERR_NONE);
    CHECK_INT("given", record_int(r, SPAN("MaxHopCount"), 0), 7);
    CHECK_INT("default", record_int(r, SPAN("ConnectionTimeout"), 0), 600000);
    CHECK_INT("unlimited", record_get(r, SPAN("MessageRateLimit"))->kind, VALUE_UNLIMITED);
    CHECK_INT("empty list", record_get(r, SPAN("Bindings"))->list.count, 0);
    CHECK_INT("null", record_get(r, SPAN("Banner"))->kind, VALUE_NULL);
    CHECK("computed ones stay out", !record_get(r, SPAN("PermissionGroups")));
    r = record_new(&f->arena, SPAN("ReceiveConnector"));
    CHECK_INT("edge", schema_complete(&schema_receive_connector, true, r, &f->err), ERR_NONE);
    CHECK_INT("edge", record_int(r, SPAN("ConnectionTimeout"), 0), 300000);
    CHECK_INT("edge", record_int(r, SPAN("MessageRateLimit"), 0), 600);

    struct record *box = record_new(&f->arena, SPAN("Mailbox"));
    assert_true(record_set(box, SPAN("Password"), (struct value){.kind = VALUE_SECRET, .s = SPAN("hush")}));
    struct record *view = schema_view(&schema_mailbox, box, &f->arena);
    CHECK("shown", record_get(view, SPAN("Name")) && record_get(view, SPAN("WhenChanged")));
    CHECK("not shown", !record_get(view, SPAN("Password")));
    CHECK_SPAN("the table's order", view->fields[0].name, SPAN("Name"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_property, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_complete_and_view, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
