/* The envelope between receive and queue: what is put is got, and nothing malformed is. */
#include "check.h"
#include "role/common/submission.h"

static const struct submission_recipient recipients[] = {
    {SPAN_INIT("alice@example.com"), SPAN_INIT("rfc822;alice@example.com"), SMTP_NOTIFY_FAILURE},
    {SPAN_INIT("bob@example.com"), {NULL, 0}, 0},
};
static const struct submission example = {
    .message_id = SPAN_INIT("<1@example.com>"),
    .subject = SPAN_INIT("Hello"),
    .sender = SPAN_INIT("carol@example.com"),
    .envid = SPAN_INIT("QQ314159"),
    .size = 1234,
    .body = SMTP_BODY_8BIT,
    .ret = SMTP_RET_HDRS,
    .eight_bit = true,
    .internal = true,
    .connector = SPAN_INIT("Client mail"),
    .remote_ip = SPAN_INIT("192.0.2.1"),
    .user = SPAN_INIT("carol@example.com"),
    .helo = SPAN_INIT("client.example.com"),
    .local_ip = SPAN_INIT("192.0.2.2"),
    .session = SPAN_INIT("0123456789ABCDEF"),
    .tls = SPAN_INIT("TLSv1.3 TLS_AES_256_GCM_SHA384"),
    .recipients = recipients,
    .recipient_count = ARRAY_LEN(recipients),
};

static void test_round_trip(void **state UNUSED)
{
    struct buf b, again;
    struct arena arena;
    struct submission s;
    buf_init(&b, SUBMISSION_MAX);
    buf_init(&again, SUBMISSION_MAX);
    arena_init(&arena, 0);
    submission_put(&b, &example);
    assert_true(submission_get(buf_span(&b), &arena, &s));
    submission_put(&again, &s);
    CHECK_SPAN("encoded again", buf_span(&again), buf_span(&b));
    CHECK_SPAN("orcpt", s.recipients[0].orcpt, recipients[0].orcpt);
    CHECK_INT("count", (int)s.recipient_count, 2);
    arena_clear(&arena);
    buf_done(&again);
    buf_done(&b);
}

static void test_cut_anywhere(void **state UNUSED)
{
    struct buf b;
    struct arena arena;
    struct submission s;
    buf_init(&b, SUBMISSION_MAX);
    arena_init(&arena, 0);
    submission_put(&b, &example);
    for (size_t n = 0; n < b.len; n++)
        assert_false(submission_get(span_head(buf_span(&b), n), &arena, &s));
    buf_add_char(&b, 0);
    assert_false(submission_get(buf_span(&b), &arena, &s)); /* and nothing may follow */
    arena_clear(&arena);
    buf_done(&b);
}

static void test_refused(void **state UNUSED)
{
    static const struct submission_recipient nobody = {{NULL, 0}, {NULL, 0}, 0};
    static const struct submission_recipient odd = {SPAN_INIT("a@b.example"), {NULL, 0}, 16};
    struct submission rows[4];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rows[i] = example;
    rows[0].recipient_count = 0;
    rows[1].recipients = &nobody, rows[1].recipient_count = 1;
    rows[2].recipients = &odd, rows[2].recipient_count = 1;
    rows[3].body = (enum smtp_body)3;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        struct arena arena;
        struct submission s;
        buf_init(&b, SUBMISSION_MAX);
        arena_init(&arena, 0);
        submission_put(&b, &rows[i]);
        assert_false(submission_get(buf_span(&b), &arena, &s));
        arena_clear(&arena);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
