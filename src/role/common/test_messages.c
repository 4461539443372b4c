/* Messages between roles: round trips, every truncation, "unavailable" for what cannot be read. */
#include "check.h"

#include "directory/directory_check.h"
#include "role/common/messages.h"
#include "runtime/large_body.h"

static const struct span members[] = {SPAN_INIT("a@example.com"), SPAN_INIT("b@example.com")};

static void resolutions(void **state)
{
    (void)state;
    const struct directory_recipient r = {.kind = DIRECTORY_GROUP,
                                          .guid = SPAN("g"),
                                          .primary = SPAN("team@example.com"),
                                          .target = SPAN(""),
                                          .members = members,
                                          .member_count = 2,
                                          .authenticated_only = true};
    struct directory_recipient back = {0};
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, 1024);
    message_put_resolution(&b, ERR_NONE, &r);
    assert_int_equal(message_get_resolution(buf_span(&b), &a, &back), ERR_NONE);
    assert_int_equal(back.kind, DIRECTORY_GROUP);
    assert_int_equal(back.member_count, 2);
    assert_true(back.authenticated_only);
    CHECK_SPAN("member", back.members[1], members[1]);
    for (size_t cut = 0; cut < b.len; cut++)
        assert_int_equal(message_get_resolution(span_head(buf_span(&b), cut), &a, &back), ERR_UNAVAILABLE);
    buf_clear(&b);
    message_put_resolution(&b, ERR_IO, &r);
    assert_int_equal(message_get_resolution(buf_span(&b), &a, &back), ERR_UNAVAILABLE);
    assert_int_equal(message_get_resolution(SPAN("\0\xff"), &a, &back), ERR_UNAVAILABLE);
    buf_done(&b);
    arena_clear(&a);
}

/* As the answer to a question: of every size, absent, or with what no answer may have. */
static void taken_from_frames(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t members;
    } rows[] = {{"inline", 100}, {"by descriptor", 20000}};
    struct directory_recipient back = {0};
    struct arena a;
    arena_init(&a, 0);
    assert_int_equal(message_take_resolution(NULL, &a, &back), ERR_UNAVAILABLE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span *list = ARENA_ARRAY(&a, rows[i].members, struct span);
        struct buf b;
        struct large_body body;
        assert_non_null(list);
        for (size_t k = 0; k < rows[i].members; k++)
            list[k] = arena_printf(&a, "member%05zu@example.com", k);
        const struct directory_recipient r = {
            .kind = DIRECTORY_GROUP, .guid = SPAN("g"), .members = list, .member_count = rows[i].members};
        buf_init(&b, MESSAGE_RESOLUTION_MAX);
        message_put_resolution(&b, ERR_NONE, &r);
        assert_int_equal(large_body_pack(buf_span(&b), &body, NULL), ERR_NONE);
        struct frame f = {.body = body.part, .fds = {body.fds[0]}, .fd_count = body.fd_count};
        CHECK_INT(rows[i].name, message_take_resolution(&f, &a, &back), ERR_NONE);
        CHECK_INT(rows[i].name, back.member_count, rows[i].members);
        CHECK_SPAN(rows[i].name, back.members[rows[i].members - 1], list[rows[i].members - 1]);
        f.body = SPAN("\0");
        CHECK_INT(rows[i].name, message_take_resolution(&f, &a, &back), ERR_UNAVAILABLE);
        large_body_done(&body);
        buf_done(&b);
    }
    arena_clear(&a);
}

static void identities(void **state)
{
    (void)state;
    const struct directory_identity id = {.guid = SPAN("u"),
                                          .primary = members[0],
                                          .display_name = SPAN("A"),
                                          .addresses = members,
                                          .address_count = 2};
    struct directory_identity back = {0};
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, 1024);
    message_put_identity(&b, DIRECTORY_ACCEPTED, &id);
    assert_int_equal(message_get_identity(buf_span(&b), &a, &back), DIRECTORY_ACCEPTED);
    CHECK_SPAN("address", back.addresses[1], members[1]);
    assert_int_equal(back.group_count, 0);
    for (size_t cut = 0; cut < b.len; cut++) /* nobody becomes somebody by a cut message */
        assert_int_equal(message_get_identity(span_head(buf_span(&b), cut), &a, &back), DIRECTORY_UNAVAILABLE);
    buf_clear(&b);
    message_put_identity(&b, DIRECTORY_REFUSED, NULL);
    assert_int_equal(message_get_identity(buf_span(&b), &a, &back), DIRECTORY_REFUSED);
    assert_int_equal(message_get_identity(SPAN("\7"), &a, &back), DIRECTORY_UNAVAILABLE);
    buf_done(&b);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resolutions), cmocka_unit_test(taken_from_frames),
                                       cmocka_unit_test(identities)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
