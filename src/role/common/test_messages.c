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

/* Every verdict, and every cut of it: nobody becomes somebody by one. */
static void gssapi_answers(void **state)
{
    (void)state;
    const struct gssapi_answer rows[] = {
        {.verdict = GSSAPI_ANSWER_CONTINUE, .exchange = 7, .challenge = SPAN("challenge")},
        {.verdict = GSSAPI_ANSWER_CONTINUE, .exchange = UINT64_MAX, .challenge = SPAN("")},
        {.verdict = GSSAPI_ANSWER_REFUSED, .reason = GSSAPI_REASON_OTHER_IDENTITY, .principal = SPAN("a@B")},
        {.verdict = GSSAPI_ANSWER_UNAVAILABLE},
        {.verdict = GSSAPI_ANSWER_ACCEPTED,
         .identity = {.guid = SPAN("u"), .primary = members[0], .addresses = members, .address_count = 2}},
    };
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, 1024);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct gssapi_answer back = {0};
        char row[32];
        snprintf(row, sizeof row, "row %zu", i);
        buf_clear(&b);
        message_put_gssapi(&b, &rows[i]);
        message_get_gssapi(&(struct frame){.body = buf_span(&b)}, &a, &back);
        CHECK_INT(row, back.verdict, rows[i].verdict);
        CHECK_INT(row, back.exchange, rows[i].exchange);
        CHECK_INT(row, back.reason, rows[i].reason);
        CHECK_SPAN(row, back.challenge, rows[i].challenge);
        CHECK_SPAN(row, back.principal, rows[i].principal);
        CHECK_SPAN(row, back.identity.guid, rows[i].identity.guid);
        CHECK_INT(row, back.identity.address_count, rows[i].identity.address_count);
        for (size_t cut = 0; cut < b.len; cut++) {
            message_get_gssapi(&(struct frame){.body = span_head(buf_span(&b), cut)}, &a, &back);
            CHECK_INT(row, back.verdict, GSSAPI_ANSWER_UNAVAILABLE);
        }
    }
    buf_done(&b);
    arena_clear(&a);
}

static void gssapi_nonsense(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span body;
    } rows[] = {
        {"no such verdict", SPAN_INIT("\4")},
        {"no such reason", SPAN_INIT("\0\6\0\0\0\0")},
        {"an exchange without a number", SPAN_INIT("\3\0\0\0\0\0\0\0\0\0\0\0\0")},
        {"more than an answer", SPAN_INIT("\2x")},
    };
    struct gssapi_answer back;
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        back.verdict = GSSAPI_ANSWER_ACCEPTED;
        message_get_gssapi(&(struct frame){.body = rows[i].body}, &a, &back);
        CHECK_INT(rows[i].name, back.verdict, GSSAPI_ANSWER_UNAVAILABLE);
    }
    back.verdict = GSSAPI_ANSWER_ACCEPTED;
    message_get_gssapi(NULL, &a, &back);
    assert_int_equal(back.verdict, GSSAPI_ANSWER_UNAVAILABLE);
    arena_clear(&a);
}

static void gssapi_steps(void **state)
{
    (void)state;
    static char token[MESSAGE_GSSAPI_TOKEN_MAX + 1];
    struct span back = {0};
    uint64_t exchange = 0;
    struct buf b;
    buf_init(&b, sizeof token + 64);
    for (size_t over = 0; over < 2; over++) {
        buf_clear(&b);
        message_put_gssapi_step(&b, 9, span_make(token, MESSAGE_GSSAPI_TOKEN_MAX + over));
        assert_int_equal(message_get_gssapi_step(buf_span(&b), &exchange, &back), over == 0);
    }
    buf_clear(&b);
    message_put_gssapi_step(&b, 9, SPAN("token"));
    assert_true(message_get_gssapi_step(buf_span(&b), &exchange, &back));
    assert_int_equal(exchange, 9);
    CHECK_SPAN("token", back, SPAN("token"));
    for (size_t cut = 0; cut < b.len; cut++)
        assert_false(message_get_gssapi_step(span_head(buf_span(&b), cut), &exchange, &back));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resolutions),     cmocka_unit_test(taken_from_frames),
                                       cmocka_unit_test(identities),      cmocka_unit_test(gssapi_answers),
                                       cmocka_unit_test(gssapi_nonsense), cmocka_unit_test(gssapi_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
