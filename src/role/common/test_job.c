/* Jobs and reports on the wire: round trips, every truncation, numbers out of range, what fits into a frame. */
#include "check.h"

#include "mail/header_exit.h"
#include "role/common/job.h"
#include "runtime/frame.h"

#include <stdlib.h>
#include <string.h>

enum { HUGE_TEXT = 4096 };

static const struct delivery_recipient recipients[] = {
    {SPAN_INIT("a@far.test"), SPAN_INIT("rfc822;a@far.test"), DELIVERY_NOTIFY_NEVER, 7},
    {SPAN_INIT("b@far.test"), SPAN_INIT(""), DELIVERY_NOTIFY_SUCCESS | DELIVERY_NOTIFY_DELAY, 0xfffffffe},
};
static const struct delivery_host hosts[] = {{SPAN_INIT("relay.test"), 587}, {SPAN_INIT("[::1]"), 0}};

static const struct span pins[] = {SPAN_INIT("00aa"), SPAN_INIT("11bb")};

static struct delivery_job example(const struct secret *password)
{
    return (struct delivery_job){
        .message_id = 0xfedcba9876543210,
        .received_ms = 1700000000123,
        .sender = SPAN("s@near.test"),
        .recipients = recipients,
        .recipient_count = 2,
        .eight_bit = true,
        .binary = true,
        .envid = SPAN("e1"),
        .ret = DELIVERY_RET_HDRS,
        .size = 6,
        .first_attempt = true,
        .to = {.kind = DELIVERY_SMTP,
               .remove_headers = HEADER_EXIT_ROUTING | HEADER_EXIT_INTERNAL,
               .mailbox = SPAN(""),
               .hosts = hosts,
               .host_count = 2,
               .mx_domain = SPAN("far.test"),
               .mx_port = 2525,
               .tls = DELIVERY_TLS_DOMAIN,
               .tls_domain = SPAN("cert.test"),
               .domain_secure = true,
               .dane = DELIVERY_DANE_MANDATORY,
               .mta_sts = true,
               .require_tls = true,
               .tls_optional = true,
               .carry_require_tls = true,
               .force_helo = true,
               .inactivity_ms = 600000,
               .log_name = SPAN("To the net"),
               .helo_name = SPAN("me.test"),
               .user = SPAN("relay-user"),
               .password = password,
               .exchange_server = true,
               .pins = pins,
               .pin_count = 2},
    };
}

static void check_job(const char *name, const struct delivery_job *got, const struct delivery_job *want)
{
    CHECK_INT(name, got->message_id == want->message_id, true);
    CHECK_INT(name, got->received_ms, want->received_ms);
    CHECK_SPAN(name, got->sender, want->sender);
    CHECK_INT(name, got->recipient_count, want->recipient_count);
    for (size_t i = 0; i < want->recipient_count; i++) {
        CHECK_SPAN(name, got->recipients[i].address, want->recipients[i].address);
        CHECK_SPAN(name, got->recipients[i].orcpt, want->recipients[i].orcpt);
        CHECK_INT(name, got->recipients[i].notify, want->recipients[i].notify);
        CHECK_INT(name, got->recipients[i].index, want->recipients[i].index);
    }
    CHECK_INT(name, got->eight_bit, want->eight_bit);
    CHECK_INT(name, got->utf8, want->utf8);
    CHECK_INT(name, got->binary, want->binary);
    CHECK_SPAN(name, got->envid, want->envid);
    CHECK_INT(name, got->ret, want->ret);
    CHECK_INT(name, got->size, want->size);
    CHECK_INT(name, got->first_attempt, want->first_attempt);
    CHECK_INT(name, got->to.kind, want->to.kind);
    CHECK_SPAN(name, got->to.mailbox, want->to.mailbox);
    CHECK_INT(name, got->to.host_count, want->to.host_count);
    for (size_t i = 0; i < want->to.host_count; i++) {
        CHECK_SPAN(name, got->to.hosts[i].name, want->to.hosts[i].name);
        CHECK_INT(name, got->to.hosts[i].port, want->to.hosts[i].port);
    }
    CHECK_SPAN(name, got->to.mx_domain, want->to.mx_domain);
    CHECK_INT(name, got->to.mx_port, want->to.mx_port);
    CHECK_INT(name, got->to.tls, want->to.tls);
    CHECK_INT(name, got->to.force_helo, want->to.force_helo);
    CHECK_INT(name, got->to.auth_without_tls, want->to.auth_without_tls);
    CHECK_INT(name, got->to.remove_headers, want->to.remove_headers);
    CHECK_INT(name, got->to.inactivity_ms, want->to.inactivity_ms);
    CHECK_SPAN(name, got->to.log_name, want->to.log_name);
    CHECK_SPAN(name, got->to.helo_name, want->to.helo_name);
    CHECK_SPAN(name, got->to.user, want->to.user);
    CHECK_INT(name, got->to.password != NULL, want->to.password != NULL);
    CHECK_INT(name, got->to.exchange_server, want->to.exchange_server);
    CHECK_INT(name, got->to.domain_secure, want->to.domain_secure);
    CHECK_INT(name, got->to.dane, want->to.dane);
    CHECK_INT(name, got->to.mta_sts, want->to.mta_sts);
    CHECK_INT(name, got->to.require_tls, want->to.require_tls);
    CHECK_INT(name, got->to.tls_optional, want->to.tls_optional);
    CHECK_INT(name, got->to.carry_require_tls, want->to.carry_require_tls);
    CHECK_SPAN(name, got->to.tls_domain, want->to.tls_domain);
    CHECK_INT(name, got->to.pin_count, want->to.pin_count);
    for (size_t i = 0; i < want->to.pin_count; i++)
        CHECK_SPAN(name, got->to.pins[i], want->to.pins[i]);
}

/* True when the frame's body is understood; everything that was taken for it is given back. */
static bool understood(struct span body, bool has_fd)
{
    struct delivery_job job;
    struct secret password;
    struct arena a;
    arena_init(&a, 1 << 20);
    bool ok = job_get(body, has_fd, &a, &job, &password);
    if (ok)
        secret_done(&password);
    arena_clear(&a);
    return ok;
}

static void jobs(void **state)
{
    (void)state;
    struct secret password, back_password;
    secret_init(&password, 64);
    assert_true(secret_set(&password, SPAN("s3cret")));
    const struct delivery_job job = example(&password);
    struct delivery_job back;
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, FRAME_BODY_MAX);
    job_put(&b, &job);
    struct span head = buf_span(&b);
    CHECK("the password comes last", span_ends(head, SPAN("\6\0\0\0s3cret")));
    assert_true(job_get(head, true, &a, &back, &back_password));
    check_job("by descriptor", &back, &job);
    assert_ptr_equal(back.to.password, &back_password);
    CHECK_SPAN("password", secret_reveal(&back_password), SPAN("s3cret"));
    assert_int_equal(back.body_fd, -1);
    secret_done(&back_password);

    CHECK("a body is missing", !understood(head, false));
    buf_add(&b, SPAN("body\r\n"));
    assert_true(job_get(buf_span(&b), false, &a, &back, &back_password));
    check_job("inline", &back, &job);
    CHECK_SPAN("body", back.body, SPAN("body\r\n"));
    assert_ptr_equal(back.body.ptr + back.body.len, b.ptr + b.len);
    secret_done(&back_password);
    CHECK("a body although there is a descriptor", !understood(buf_span(&b), true));
    for (size_t cut = 0; cut < b.len; cut++) {
        CHECK("cut", !understood(span_head(buf_span(&b), cut), false));
        CHECK("cut", understood(span_head(buf_span(&b), cut), true) == (cut == head.len));
    }
    buf_add_char(&b, 'x');
    CHECK("more than the size", !understood(buf_span(&b), false));
    secret_done(&password);
    buf_done(&b);
    arena_clear(&a);
}

static void simple_jobs(void **state)
{
    (void)state;
    struct delivery_job job = example(NULL), back;
    job.to = (struct delivery_destination){.kind = DELIVERY_MAILDIR, .mailbox = SPAN("carol@near.test")};
    job.size = 0;
    struct secret password;
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, FRAME_BODY_MAX);
    job_put(&b, &job);
    assert_true(job_get(buf_span(&b), false, &a, &back, &password));
    check_job("an empty message to a mailbox", &back, &job);
    assert_int_equal(back.body.len, 0);
    secret_done(&password);
    buf_done(&b);
    arena_clear(&a);
}

/* Each a job that no queue makes, or that is beyond a limit. */
static void refused_jobs(void **state)
{
    (void)state;
    static struct delivery_recipient many[JOB_RECIPIENTS_MAX + 1];
    static char text[JOB_HEAD_MAX];
    memset(text, 'a', sizeof text);
    const struct delivery_recipient notify[] = {{SPAN("a@far.test"), SPAN(""), 16, 0}};
    struct delivery_job jobs_[11];
    for (size_t i = 0; i < ARRAY_LEN(jobs_); i++)
        jobs_[i] = example(NULL);
    jobs_[1].to.kind = (enum delivery_kind)(DELIVERY_SMTP + 1);
    jobs_[2].to.tls = (enum delivery_tls)(DELIVERY_TLS_DOMAIN + 1);
    jobs_[3].ret = (enum delivery_ret)(DELIVERY_RET_HDRS + 1);
    jobs_[4].recipients = notify;
    jobs_[4].recipient_count = 1;
    jobs_[5].recipient_count = 0;
    jobs_[6].recipients = many;
    jobs_[6].recipient_count = JOB_RECIPIENTS_MAX;
    jobs_[7].recipients = many;
    jobs_[7].recipient_count = JOB_RECIPIENTS_MAX + 1;
    jobs_[8].size = UINT64_MAX;
    jobs_[9].received_ms = -1;
    jobs_[10].envid = span_make(text, sizeof text);
    struct buf b;
    buf_init(&b, FRAME_BODY_MAX);
    for (size_t i = 0; i < ARRAY_LEN(jobs_); i++) {
        char name[16];
        snprintf(name, sizeof name, "job %zu", i);
        buf_clear(&b);
        job_put(&b, &jobs_[i]);
        assert_false(b.failed);
        CHECK_INT(name, understood(buf_span(&b), true), i == 0 || i == 6);
    }
    buf_done(&b);
}

/* Octets that are 0 or 1, turned to 2: found by comparing two jobs that differ in nothing else. */
static void refused_bools(void **state)
{
    (void)state;
    struct delivery_job without = example(NULL), with = without;
    without.eight_bit = without.binary = without.first_attempt = without.to.force_helo = false;
    without.to.exchange_server = false;
    with.utf8 = with.to.auth_without_tls = true;
    struct buf a, b;
    buf_init(&a, FRAME_BODY_MAX);
    buf_init(&b, FRAME_BODY_MAX);
    job_put(&a, &without);
    job_put(&b, &with);
    assert_int_equal(a.len, b.len);
    size_t found = 0;
    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] == b.ptr[i])
            continue;
        found++;
        char kept = a.ptr[i];
        a.ptr[i] = 2;
        CHECK("a bool of 2", !understood(buf_span(&a), true));
        a.ptr[i] = kept;
    }
    assert_int_equal(found, 7);
    a.ptr[a.len - 1] = 2;
    CHECK("whether a password follows", !understood(buf_span(&a), true));
    buf_done(&a);
    buf_done(&b);
}

/* ---- reports ---- */

static const struct delivery_result results[] = {
    {DELIVERY_DELIVERED, 250, SPAN_INIT("2.1.5"), SPAN_INIT("fine"), "RCPT TO", false},
    {DELIVERY_PERMANENT, 550, SPAN_INIT("5.1.1"), SPAN_INIT("no such M\xc3\xbcller"), "RCPT TO", true},
};

static void reports(void **state)
{
    (void)state;
    const struct delivery_report report = {.results = results,
                                           .count = 2,
                                           .remote_host = SPAN("mx.far.test"),
                                           .remote_ip = SPAN("192.0.2.1"),
                                           .tls.version = SPAN("TLSv1.3"),
                                           .tls.cipher = SPAN("TLS_AES_256_GCM_SHA384"),
                                           .tls.verified = TLS_VERIFIED_PINNED,
                                           .tls.peer = SPAN("mx.far.test"),
                                           .tls.policy_failure = SPAN("no TLS"),
                                           .reused = true};
    struct delivery_report back = {0};
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, FRAME_BODY_MAX);
    job_put_report(&b, &report);
    assert_true(job_get_report(buf_span(&b), 2, &a, &back));
    assert_int_equal(back.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(back.results[i].outcome, results[i].outcome);
        assert_int_equal(back.results[i].code, results[i].code);
        CHECK_SPAN("enhanced", back.results[i].enhanced, results[i].enhanced);
        CHECK_SPAN("text", back.results[i].text, results[i].text);
        CHECK_STR("stage", back.results[i].stage, results[i].stage);
        assert_int_equal(back.results[i].connection_fault, results[i].connection_fault);
    }
    CHECK_SPAN("host", back.remote_host, report.remote_host);
    CHECK_SPAN("ip", back.remote_ip, report.remote_ip);
    CHECK_SPAN("version", back.tls.version, report.tls.version);
    CHECK_SPAN("peer", back.tls.peer, report.tls.peer);
    CHECK_SPAN("policy failure", back.tls.policy_failure, report.tls.policy_failure);
    CHECK_SPAN("cipher", back.tls.cipher, report.tls.cipher);
    assert_true(back.tls.verified == TLS_VERIFIED_PINNED && back.reused && !back.dsn_offered);

    CHECK("fewer", !job_get_report(buf_span(&b), 1, &a, &back));
    CHECK("more", !job_get_report(buf_span(&b), 3, &a, &back));
    for (size_t cut = 0; cut < b.len; cut++)
        CHECK("cut", !job_get_report(span_head(buf_span(&b), cut), 2, &a, &back));
    char *outcome = b.ptr + 4, *reused = b.ptr + b.len - 1;
    *outcome = DELIVERY_PERMANENT + 1;
    CHECK("an outcome that is none", !job_get_report(buf_span(&b), 2, &a, &back));
    *outcome = DELIVERY_DELIVERED;
    *reused = 2;
    CHECK("a bool of 2", !job_get_report(buf_span(&b), 2, &a, &back));
    *reused = 1;
    buf_add_char(&b, 0);
    CHECK("something behind it", !job_get_report(buf_span(&b), 2, &a, &back));
    buf_done(&b);
    arena_clear(&a);
}

static void hostile_lines(void **state)
{
    (void)state;
    const struct delivery_result result = {.text = SPAN("a\r\nBcc: b\177"), .stage = "RCPT TO"};
    const struct delivery_report report = {.results = &result, .count = 1};
    struct delivery_report back = {0};
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, FRAME_BODY_MAX);
    job_put_report(&b, &report);
    assert_true(job_get_report(buf_span(&b), 1, &a, &back));
    CHECK_SPAN("made a line", back.results[0].text, SPAN("a??Bcc: b?"));
    char *mark = memchr(b.ptr, '?', b.len);
    assert_non_null(mark);
    for (int c = 0; c < 0x20; c++) {
        *mark = (char)c;
        CHECK("a line that is none", !job_get_report(buf_span(&b), 1, &a, &back));
    }
    buf_done(&b);
    arena_clear(&a);
}

/* However many recipients and however long their replies: the report fits behind an octet, cut between characters.
 */
static void long_reports(void **state)
{
    (void)state;
    static struct delivery_result all[JOB_RECIPIENTS_MAX];
    static char text[HUGE_TEXT];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? 'x' : i % 4 == 1 ? '\xc3' : '\xbc';
    memset(text, 'a', JOB_REPORT_TEXT_MAX - 1);
    memcpy(text + JOB_REPORT_TEXT_MAX - 1, "\xc3\xbc", 2);
    struct span huge = span_make(text, sizeof text);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        all[i] =
            (struct delivery_result){.outcome = DELIVERY_TEMPORARY, .enhanced = huge, .text = huge, .stage = "x"};
    static const size_t counts[] = {1, 100, JOB_RECIPIENTS_MAX};
    struct delivery_report back = {0};
    struct arena a;
    struct buf b;
    arena_init(&a, 0);
    buf_init(&b, FRAME_BODY_MAX - 1);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        buf_clear(&b);
        const struct delivery_report report = {.results = all,
                                               .count = counts[i],
                                               .remote_host = huge,
                                               .remote_ip = huge,
                                               .tls.version = huge,
                                               .tls.peer = huge,
                                               .tls.policy_failure = huge,
                                               .tls.cipher = huge};
        job_put_report(&b, &report);
        assert_false(b.failed);
        assert_true(job_get_report(buf_span(&b), counts[i], &a, &back));
        struct span got = back.results[counts[i] - 1].text;
        CHECK("some text is left", got.len >= 64);
        if (counts[i] < JOB_RECIPIENTS_MAX)
            CHECK_SPAN("cut before the character", got, span_make(text, JOB_REPORT_TEXT_MAX - 1));
        CHECK_INT("the host too", back.remote_host.len, JOB_REPORT_TEXT_MAX - 1);
    }
    buf_done(&b);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs),          cmocka_unit_test(simple_jobs), cmocka_unit_test(refused_jobs),
        cmocka_unit_test(refused_bools), cmocka_unit_test(reports),     cmocka_unit_test(hostile_lines),
        cmocka_unit_test(long_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
