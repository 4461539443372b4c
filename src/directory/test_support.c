/* test_support.c: building records. */
#include "directory/test_support.h"

#include "check.h"

static void set(struct record *r, const char *name, const char *text)
{
    if (text)
        assert_true(record_set(r, span_of(name), value_of(text)));
}

static void set_list(struct record *r, const char *name, const char *const *texts)
{
    struct value *items = ARENA_ARRAY(r->arena, TEST_LIST_MAX, struct value);
    size_t n = 0;
    assert_non_null(items);
    for (; n < TEST_LIST_MAX && texts[n]; n++)
        items[n] = value_of(texts[n]);
    if (n)
        assert_true(record_set(r, span_of(name), value_list(items, n)));
}

struct record *test_record(struct arena *arena, const struct test_recipient *t)
{
    struct record *r = record_new(arena, span_of(t->type));
    assert_non_null(r);
    set(r, "Guid", t->guid);
    set(r, "Name", t->name);
    set(r, "PrimarySmtpAddress", t->primary);
    set(r, "DisplayName", t->display_name);
    set(r, "UserPrincipalName", t->principal);
    set(r, "ExternalEmailAddress", t->external);
    set_list(r, "EmailAddresses", t->addresses);
    set_list(r, "Members", t->members);
    set_list(r, "SendAs", t->send_as);
    if (t->disabled)
        assert_true(record_set(r, SPAN("Enabled"), value_bool(false)));
    if (t->authenticated_only)
        assert_true(record_set(r, SPAN("RequireSenderAuthenticationEnabled"), value_bool(true)));
    if (t->password) {
        struct value secret = {.kind = VALUE_SECRET, .s = span_of(t->password)};
        assert_true(record_set(r, SPAN("Password"), secret));
    }
    return r;
}
