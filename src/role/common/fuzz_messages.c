/*
 * Any bytes as the body of a message from another role: bounded, and what is understood encodes to the same bytes.
 * The first octet says whether a job came with a descriptor; it is no part of the job.
 */
#include "directory/directory_check.h"
#include "role/common/certificates.h"
#include "role/common/event.h"
#include "role/common/grant_usage.h"
#include "role/common/job.h"
#include "role/common/messages.h"
#include "role/common/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Below this every report's text is encoded whole. */
enum { REPORT_SIZE_MAX = 65536 };

static void try_job(struct span input, struct arena *a, struct buf *b)
{
    struct delivery_job job;
    struct secret password;
    struct span body = span_from(input, 1);
    bool has_fd = input.len && input.ptr[0] & 1;
    if (!job_get(body, has_fd, a, &job, &password))
        return;
    buf_clear(b);
    job_put(b, &job);
    buf_add(b, job.body);
    ASSERT(span_eq(buf_span(b), body));
    ASSERT(job.body.len == (has_fd ? 0 : job.size));
    secret_done(&password);
}

static void try_report(struct span body, struct arena *a, struct buf *b)
{
    struct delivery_report report;
    struct cursor c = cursor_of(body);
    if (!job_get_report(body, cursor_u32(&c), a, &report) || body.len > REPORT_SIZE_MAX)
        return;
    buf_clear(b);
    job_put_report(b, &report);
    ASSERT(span_eq(buf_span(b), body));
}

static void try_submission(struct span body, struct arena *a, struct buf *b)
{
    struct submission s;
    if (!submission_get(body, a, &s))
        return;
    buf_clear(b);
    submission_put(b, &s);
    ASSERT(span_eq(buf_span(b), body));
}

static void try_events(struct span body, struct buf *b)
{
    struct cursor c = cursor_of(body);
    struct event e;
    buf_clear(b);
    while (c.rest.len && event_get(&c, &e))
        event_put(b, &e);
    ASSERT(span_eq(buf_span(b), span_head(body, b->len)));
    ASSERT(!cursor_done(&c) || b->len == body.len);
}

/* The file of uses: what it prints it reads, and prints again. */
static void try_usage(struct span text, struct buf *b)
{
    struct grant_usage u, back;
    struct buf again;
    grant_usage_init(&u);
    grant_usage_init(&back);
    buf_init(&again, 1 << 20);
    buf_clear(b);
    grant_usage_parse(&u, text);
    grant_usage_print(&u, b);
    grant_usage_parse(&back, buf_span(b));
    grant_usage_print(&back, &again);
    ASSERT(span_eq(buf_span(b), buf_span(&again)));
    buf_done(&again);
    grant_usage_done(&u);
    grant_usage_done(&back);
}

static void try_gssapi(struct span body, struct arena *a, struct buf *b)
{
    const struct frame f = {.body = body};
    struct gssapi_answer answer;
    uint64_t exchange;
    struct span token;
    message_get_gssapi(&f, a, &answer);
    if (answer.verdict != GSSAPI_ANSWER_UNAVAILABLE) {
        ASSERT(answer.verdict != GSSAPI_ANSWER_CONTINUE || answer.exchange);
        buf_clear(b);
        message_put_gssapi(b, &answer);
        ASSERT(span_eq(buf_span(b), body));
    }
    if (message_get_gssapi_step(body, &exchange, &token)) {
        ASSERT(token.len <= MESSAGE_GSSAPI_TOKEN_MAX);
        buf_clear(b);
        message_put_gssapi_step(b, exchange, token);
        ASSERT(span_eq(buf_span(b), body));
    }
}

static void try_certificates(struct span body, struct arena *a, struct buf *b)
{
    struct certificate *list;
    struct certificate_change changes[CERTIFICATE_CHANGES_MAX];
    size_t count;
    struct cursor c = cursor_of(body);
    if (certificates_get_list(&c, a, &list, &count)) {
        buf_clear(b);
        certificates_put_list(b, list, count);
        ASSERT(span_eq(buf_span(b), body));
    }
    c = cursor_of(body);
    if (certificates_get_changes(&c, changes, &count)) {
        buf_clear(b);
        certificates_put_changes(b, changes, count);
        ASSERT(span_eq(buf_span(b), body) && certificates_changes_size(changes, count) == body.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_make(data, size);
    struct arena a;
    struct buf b;
    arena_init(&a, 1 << 20);
    buf_init(&b, size + 64);
    struct directory_recipient r;
    if (message_get_resolution(body, &a, &r) == ERR_NONE) {
        message_put_resolution(&b, ERR_NONE, &r);
        ASSERT(span_eq(buf_span(&b), body));
    }
    struct directory_identity id;
    if (message_get_identity(body, &a, &id) == DIRECTORY_ACCEPTED) {
        buf_clear(&b);
        message_put_identity(&b, DIRECTORY_ACCEPTED, &id);
        ASSERT(span_eq(buf_span(&b), body));
    }
    try_job(body, &a, &b);
    try_report(body, &a, &b);
    try_submission(body, &a, &b);
    try_events(body, &b);
    try_usage(body, &b);
    try_certificates(body, &a, &b);
    try_gssapi(body, &a, &b);
    buf_done(&b);
    arena_clear(&a);
    return 0;
}
