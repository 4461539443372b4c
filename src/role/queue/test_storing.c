/*
 * test_storing.c: what receive processes hand over. The promise behind 250 is checked the hard way: the role is
 * killed right after its answer, and the store is read.
 */
#include "role/queue/test_support.h"

#include "store/spool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN = 77, PART = 64 * 1024, MANY = 5000, LARGE = 300 * 1000, TEXT_MAX = 1 << 20 };

static struct queue_message load(struct bench *b, struct queue *q, uint64_t id)
{
    struct queue_message m;
    struct err err = {0};
    if (queue_load(q, id, QUEUE_BODY | QUEUE_RECIPIENTS, &b->arena, &m, &err))
        fail_msg("%s", err.text);
    return m;
}

static void inline_body(void **state)
{
    struct bench *b = *state;
    b->directory_silent = true; /* nothing leaves */
    const struct bench_mail mail = {.from = "bob@example.com",
                                    .to = "alice@example.com,dave@example.com",
                                    .notify = SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE,
                                    .orcpt = "rfc822;a@b.test",
                                    .envid = "QQ314159",
                                    .subject = "Tea",
                                    .body = "Subject: Tea\r\n\r\nat four\r\n",
                                    .ret = SMTP_RET_HDRS};
    uint64_t first = bench_send(b, &mail), second = bench_send(b, &mail);
    bench_kill(b);
    assert_true(first > 0 && second > first);
    struct queue *q = bench_open_store(b);
    struct queue_message m = load(b, q, second);
    CHECK_TEXT("sender", m.sender, "bob@example.com");
    CHECK_TEXT("envelope id", m.envid, "QQ314159");
    CHECK_TEXT("subject", m.subject, "Tea");
    CHECK_TEXT("source", m.source, "SMTP:Default mail");
    CHECK_TEXT("address", m.source_ip, "192.0.2.1");
    CHECK_TEXT("user", m.user, "alice");
    CHECK_TEXT("body", m.body, mail.body);
    CHECK_INT("size", m.size, strlen(mail.body));
    CHECK_INT("flags", m.flags, QUEUE_RET_HDRS | QUEUE_INTERNAL);
    assert_int_equal(m.recipient_count, 2);
    CHECK_TEXT("recipient", m.recipients[1].address, "dave@example.com");
    CHECK_TEXT("as written", m.recipients[1].orcpt, "rfc822;a@b.test");
    CHECK_INT("notify", m.recipients[1].notify, SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE);
    CHECK_INT("state", m.recipients[1].state, QUEUE_PENDING);
    queue_close(q);
}

/* ---- the spool ---- */

static void write_spool(const struct bench *b, size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    assert_int_equal(write(b->spool_fd, text, size), (ssize_t)size);
    free(text);
}

static void store_spooled(struct bench *b, enum bench_end from, uint64_t id, uint64_t size)
{
    struct buf envelope;
    size_t before = b->answer_count;
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = "alice@example.com"}, size);
    bench_ask_store(b, from, 0, id, buf_span(&envelope), SPAN(""));
    buf_done(&envelope);
    bench_await_answer(b, before);
}

static void spooled_body(void **state)
{
    struct bench *b = *state;
    struct stat st;
    struct spool spool;
    char folder[128];
    int fd;
    b->directory_silent = true;
    bench_spool(b, BENCH_RECEIVE);
    write_spool(b, LARGE);
    store_spooled(b, BENCH_RECEIVE, b->spool_id, LARGE);
    bench_kill(b);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
    assert_int_equal(b->answer.id, b->spool_id);
    struct queue *q = bench_open_store(b);
    struct queue_message m = load(b, q, b->answer.id);
    snprintf(folder, sizeof folder, "%s/spool", b->folder);
    assert_int_equal(spool_open(folder, &spool, NULL), ERR_NONE);
    assert_int_equal(spool_open_read(&spool, m.spool, &fd, NULL), ERR_NONE);
    assert_int_equal(fstat(fd, &st), 0);
    CHECK_INT("file", st.st_size, LARGE);
    close(fd);
    spool_close(&spool);
    queue_close(q);
    b->directory_silent = false;
    bench_start(b);
    struct bench_job *j = bench_deliver(b);
    assert_true(j->by_file);
    CHECK_INT("body", j->job.body.len, LARGE);
    CHECK_INT("body", j->job.body.ptr[LARGE - 1], 'x');
    bench_until_messages(b, 0);
    assert_int_equal(bench_spool_files(b), 0);
    bench_finish(b, 0);
}

/* Inline, but more than a frame holds; and more than the store takes inline. */
static void beyond_a_frame(void **state)
{
    struct bench *b = *state;
    struct buf envelope, body;
    buf_init(&body, QUEUE_INLINE_MAX + 1);
    for (size_t i = 0; i < QUEUE_INLINE_MAX; i++)
        buf_add_char(&body, 'x');
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = "alice@example.com"}, LARGE);
    bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), span_head(buf_span(&body), LARGE));
    bench_await_answer(b, 0);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
    struct bench_job *j = bench_deliver(b);
    CHECK_INT("body", j->job.body.len, LARGE);
    CHECK_INT("body", j->job.body.ptr[LARGE - 1], 'x');
    buf_add_char(&body, 'x');
    buf_done(&envelope);
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = "alice@example.com"}, body.len);
    bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), buf_span(&body));
    bench_await_answer(b, 1);
    assert_int_equal(b->answer.outcome, CONTENT_REFUSED);
    CHECK_TEXT("why", b->answer.text, "Insufficient system resources");
    buf_done(&envelope);
    buf_done(&body);
    bench_finish(b, 0);
}

static void spool_dropped(void **state)
{
    struct bench *b = *state;
    struct stat st;
    bench_spool(b, BENCH_RECEIVE);
    uint64_t dropped = b->spool_id;
    write_spool(b, LARGE);
    bench_drop_spool(b, BENCH_RECEIVE, dropped);
    bench_spool(b, BENCH_RECEIVE); /* whose answer says that the other frame was read */
    uint64_t lost = b->spool_id;
    assert_true(lost > dropped);
    write_spool(b, LARGE);
    store_spooled(b, BENCH_RECEIVE, dropped, LARGE);
    assert_int_equal(b->answer.outcome, CONTENT_REFUSED);
    bench_lose(b, BENCH_RECEIVE);
    bench_join(b, BENCH_RECEIVE);
    store_spooled(b, BENCH_RECEIVE, lost, LARGE);
    assert_int_equal(b->answer.outcome, CONTENT_REFUSED);
    assert_int_equal(fstat(b->spool_fd, &st), 0);
    CHECK_INT("our descriptor is the last of the file", st.st_nlink, 0);
    assert_int_equal(bench_spool_files(b), 0);
    bench_finish(b, 0);
}

/* ---- large envelopes ---- */

static void many_addresses(struct buf *out)
{
    buf_init(out, TEXT_MAX);
    for (size_t i = 0; i < MANY; i++)
        buf_addf(out, "%sperson-%05zu@far.test", i ? "," : "", i);
    buf_add_char(out, '\0');
}

static void check_each_once(struct bench *b)
{
    bool seen[MANY] = {0};
    size_t n = 0;
    while (n < MANY) {
        const struct bench_job *j = bench_deliver(b);
        for (size_t i = 0; i < j->job.recipient_count; i++, n++) {
            unsigned number;
            assert_int_equal(sscanf(j->job.recipients[i].address.ptr, "person-%u@", &number), 1);
            assert_true(number < MANY && !seen[number]);
            seen[number] = true;
        }
    }
}

static void envelope_in_parts(void **state)
{
    struct bench *b = *state;
    struct buf to, envelope;
    many_addresses(&to);
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = to.ptr}, 5);
    struct span rest = buf_span(&envelope);
    assert_true(rest.len > FRAME_BODY_MAX);
    for (; rest.len > PART; rest = span_from(rest, PART))
        bench_send_part(b, BENCH_RECEIVE, TOKEN, span_head(rest, PART));
    bench_ask_store(b, BENCH_RECEIVE, TOKEN, 0, rest, SPAN("hi\n\r\n"));
    bench_await_answer(b, 0);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
    check_each_once(b);
    bench_finish(b, 0);
    assert_int_equal(b->job_next, b->job_count);
    buf_done(&to);
    buf_done(&envelope);
}

/* ---- what is refused ---- */

enum spool_use { NO_SPOOL, OWN_SPOOL, OTHERS_SPOOL, UNKNOWN_SPOOL };

struct refused {
    const char *name;
    uint64_t size; /* as the envelope says; the body has 5 octets */
    size_t cut;    /* octets of the envelope that are missing */
    const char *more;
    uint64_t part_token, store_token;
    enum spool_use spool;
};

static const struct refused refusals[] = {
    {"cut short", .size = 5, .cut = 1},
    {"nothing", .size = 5, .cut = SIZE_MAX},
    {"something behind it", .size = 5, .more = "x"},
    {"more than there is", .size = 6},
    {"less than there is", .size = 4},
    {"no part ahead", .size = 5, .store_token = TOKEN},
    {"parts with another token", .size = 5, .part_token = TOKEN, .store_token = TOKEN + 1},
    {"parts, but no token", .size = 5, .part_token = TOKEN},
    {"no such spool file", .size = 5, .spool = UNKNOWN_SPOOL},
    {"another's spool file", .size = 5, .spool = OTHERS_SPOOL},
    {"a spool file of another size", .size = 6, .spool = OWN_SPOOL},
};

/* The first half of the envelope goes ahead where the row has parts. */
static void ask_refused(struct bench *b, const struct refused *r)
{
    struct buf envelope;
    uint64_t spool = 0;
    bench_envelope(&envelope, &(struct bench_mail){.from = "bob@example.com", .to = "alice@example.com"}, r->size);
    if (r->more)
        buf_add(&envelope, span_of(r->more));
    struct span bytes = buf_span(&envelope);
    bytes = span_head(bytes, r->cut > bytes.len ? 0 : bytes.len - r->cut);
    if (r->part_token) {
        bench_send_part(b, BENCH_RECEIVE, r->part_token, span_head(bytes, bytes.len / 2));
        bytes = span_from(bytes, bytes.len / 2);
    }
    if (r->spool) {
        bench_spool(b, r->spool == OTHERS_SPOOL ? BENCH_RECEIVE_OTHER : BENCH_RECEIVE);
        assert_int_equal(write(b->spool_fd, "hi\n\r\n", 5), 5);
        spool = b->spool_id + (r->spool == UNKNOWN_SPOOL ? 1000 : 0);
    }
    bench_ask_store(b, BENCH_RECEIVE, r->store_token, spool, bytes, r->spool ? SPAN("") : SPAN("hi\n\r\n"));
    buf_done(&envelope);
}

static void refused(void **state)
{
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refused *r = &refusals[i];
        size_t before = b->answer_count;
        ask_refused(b, r);
        bench_await_answer(b, before);
        CHECK(r->name, !b->answer.lost);
        CHECK_INT(r->name, b->answer.outcome, CONTENT_REFUSED);
        CHECK_INT(r->name, b->answer.id, 0);
        CHECK_TEXT(r->name, b->answer.text, "Insufficient system resources");
    }
    bench_list(b, QUEUE_LIST_MESSAGES, 0, 10);
    assert_int_equal(b->record_count, 0);
    assert_int_equal(bench_spool_files(b), 0);
    BENCH_SEND(b, "bob@example.com", "alice@example.com"); /* and all is well */
    bench_deliver(b);
    bench_finish(b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(inline_body, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(spooled_body, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(beyond_a_frame, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(spool_dropped, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(envelope_in_parts, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(refused, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
