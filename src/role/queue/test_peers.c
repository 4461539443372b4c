/*
 * test_peers.c: the processes around the queue: a directory that knows a few people, a deliver that reports by
 * rules, receive and manage that ask. See test_support.h.
 */
#include "role/queue/test_peers.h"

#include "base/value_codec.h"
#include "role/common/event.h"
#include "role/common/job.h"
#include "role/common/messages.h"
#include "runtime/clock.h"
#include "runtime/large_body.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASK_MS = 60000, MEMBERS_MAX = 8, TEXT_MAX = 1 << 20 };

/* ---- directory ---- */

static const struct {
    const char *address;
    enum directory_kind kind;
    const char *target; /* or, with commas between them, a group's members */
} people[] = {
    {"alice@example.com", DIRECTORY_MAILBOX, "alice@example.com"},
    {"al@example.com", DIRECTORY_MAILBOX, "alice@example.com"},
    {"ali@example.com", DIRECTORY_MAILBOX, "alice@example.com"},
    {"bob@example.com", DIRECTORY_MAILBOX, "bob@example.com"},
    {"carol@example.com", DIRECTORY_MAILBOX, "carol@example.com"},
    {"dave@example.com", DIRECTORY_MAILBOX, "dave@example.com"},
    {"partner@example.com", DIRECTORY_CONTACT, "p@far.test"},
    {"round@example.com", DIRECTORY_CONTACT, "about@example.com"},
    {"about@example.com", DIRECTORY_CONTACT, "round@example.com"},
    {"staff@example.com", DIRECTORY_GROUP, "alice@example.com,bob@example.com,team@example.com"},
    {"team@example.com", DIRECTORY_GROUP, "carol@example.com,bob@example.com,staff@example.com,p@far.test"},
    {"none@example.com", DIRECTORY_GROUP, ""},
    {"guarded.box@example.com", DIRECTORY_MAILBOX, "guarded.box@example.com"},
    {"guarded.contact@example.com", DIRECTORY_CONTACT, "g@far.test"},
    {"guarded.team@example.com", DIRECTORY_GROUP, "bob@example.com"},
    {"guarding@example.com", DIRECTORY_GROUP, "guarded.box@example.com"},
};

static struct directory_recipient find_person(struct span address, struct span members[static MEMBERS_MAX])
{
    struct directory_recipient r = {.kind = DIRECTORY_NOT_FOUND};
    if (span_starts(address, SPAN("user"))) /* as many as a test wants */
        return (struct directory_recipient){.kind = DIRECTORY_MAILBOX, .primary = address, .target = address};
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        if (!span_ieq(address, span_of(people[i].address)))
            continue;
        r.kind = people[i].kind;
        r.authenticated_only = span_istarts(address, SPAN("guarded."));
        if (r.kind != DIRECTORY_GROUP)
            r.target = span_of(people[i].target);
        for (struct span rest = span_of(people[i].target), m;
             r.kind == DIRECTORY_GROUP && span_split(&rest, ',', &m);)
            if (m.len)
                members[r.member_count++] = m;
        r.members = members;
    }
    return r;
}

static void answer_question(struct bench *b, uint64_t id, struct span address)
{
    struct span members[MEMBERS_MAX];
    struct buf out;
    struct directory_recipient r = find_person(address, members);
    buf_init(&out, 4096);
    message_put_resolution(&out, b->directory_fails ? ERR_UNAVAILABLE : ERR_NONE, &r);
    enum err_code code =
        link_send(bench_link(b, BENCH_DIRECTORY), DIRECTORY_RESOLVE | LINK_ANSWER, id, buf_span(&out), NULL, 0);
    assert_true(code == ERR_NONE || code == ERR_UNAVAILABLE); /* the role may have ended meanwhile */
    buf_done(&out);
}

void peers_on_resolve(struct bench *b, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct span address = cursor_bytes(&c, 1024);
    assert_int_equal(f->type, DIRECTORY_RESOLVE);
    assert_true(cursor_done(&c));
    b->questions++;
    b->question_id = f->id;
    b->question = arena_dup(&b->arena, address);
    if (!b->directory_silent)
        answer_question(b, f->id, address);
}

void bench_speak(struct bench *b)
{
    b->directory_silent = false;
    answer_question(b, b->question_id, b->question);
}

/* ---- deliver ---- */

static struct span read_body(struct bench *b, int fd, size_t size)
{
    char *text = arena_alloc(&b->arena, size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, size + 1, 0), (ssize_t)size); /* and not an octet more */
    return span_make(text, size);
}

void peers_on_job(struct bench *b, struct frame *f)
{
    struct secret password;
    assert_int_equal(f->type, DELIVER_JOB);
    assert_true(b->job_count < BENCH_JOBS_MAX);
    struct bench_job *j = &b->jobs[b->job_count++];
    *j = (struct bench_job){.question = f->id, .by_file = f->fd_count > 0, .at_ms = clock_wall_ms()};
    secret_init(&password, 4096);
    assert_true(job_get(f->body, j->by_file, &b->arena, &j->job, &password));
    j->password = arena_dup(&b->arena, secret_reveal(&password));
    secret_done(&password);
    j->job.body = j->by_file ? read_body(b, f->fds[0], j->job.size) : arena_dup(&b->arena, j->job.body);
    assert_int_equal(j->job.body.len, j->job.size);
}

struct bench_job *bench_job(struct bench *b)
{
    BENCH_UNTIL(b, b->job_next < b->job_count);
    return &b->jobs[b->job_next++];
}

static struct delivery_result result_of(const struct bench *b, struct span address)
{
    for (size_t i = 0; i < BENCH_RULES_MAX; i++) {
        const struct bench_rule *r = &b->rules[i];
        if (r->address && span_ieq(span_of(r->address), address))
            return (struct delivery_result){.outcome = r->outcome,
                                            .code = r->code,
                                            .enhanced = span_of(r->enhanced),
                                            .text = span_of(r->text),
                                            .stage = r->fault ? "connect" : "RCPT TO",
                                            .connection_fault = r->fault};
    }
    return (struct delivery_result){.outcome = DELIVERY_DELIVERED,
                                    .code = 250,
                                    .enhanced = SPAN("2.0.0"),
                                    .text = SPAN("taken"),
                                    .stage = "DATA"};
}

void bench_answer_job(struct bench *b, const struct bench_job *j, struct span bytes)
{
    assert_int_equal(
        link_send(bench_link(b, BENCH_DELIVER), DELIVER_JOB | LINK_ANSWER, j->question, bytes, NULL, 0), ERR_NONE);
}

void bench_report(struct bench *b, const struct bench_job *j)
{
    struct delivery_result results[100];
    struct delivery_report report = {.results = results,
                                     .count = j->job.recipient_count,
                                     .remote_host = SPAN("mx.far.test"),
                                     .dsn_offered = b->dsn_offered};
    struct buf out;
    assert_true(report.count <= ARRAY_LEN(results));
    if (j->job.to.kind == DELIVERY_MAILDIR)
        report.remote_host = SPAN("");
    for (size_t i = 0; i < report.count; i++)
        results[i] = result_of(b, j->job.recipients[i].address);
    buf_init(&out, FRAME_BODY_MAX);
    put_u8(&out, ERR_NONE);
    job_put_report(&out, &report);
    bench_answer_job(b, j, buf_span(&out));
    buf_done(&out);
}

struct bench_job *bench_deliver(struct bench *b)
{
    struct bench_job *j = bench_job(b);
    bench_report(b, j);
    return j;
}

void bench_rule(struct bench *b, struct bench_rule rule)
{
    for (size_t i = 0; i < BENCH_RULES_MAX; i++)
        if (!b->rules[i].address || strcmp(b->rules[i].address, rule.address) == 0) {
            b->rules[i] = rule;
            return;
        }
    fail_msg("too many rules");
}

void bench_no_rules(struct bench *b)
{
    memset(b->rules, 0, sizeof b->rules);
}

struct span bench_recipients(struct bench *b, const struct bench_job *j)
{
    struct span s = SPAN("");
    for (size_t i = 0; i < j->job.recipient_count; i++)
        s = arena_printf(&b->arena, "%.*s%s%.*s", SPAN_ARG(s), i ? " " : "",
                         SPAN_ARG(j->job.recipients[i].address));
    return s;
}

/* ---- manage: events ---- */

static void add_track(struct buf *b, const char *before, struct span text, const char *after)
{
    if (text.len)
        buf_addf(b, "%s%.*s%s", before, SPAN_ARG(text), after);
}

void peers_on_events(struct bench *b, struct frame *f)
{
    struct cursor c = cursor_of(f->body);
    struct event e;
    while (c.rest.len && event_get(&c, &e)) {
        assert_int_equal(e.kind, EVENT_TRACKING);
        add_track(&b->track, "", e.field[TRACKING_EVENT_ID], " ");
        add_track(&b->track, "", e.field[TRACKING_SOURCE], "");
        add_track(&b->track, " ", e.field[TRACKING_RECIPIENT_ADDRESS], "");
        add_track(&b->track, " (", e.field[TRACKING_RECIPIENT_STATUS], ")");
        add_track(&b->track, " instead of ", e.field[TRACKING_RELATED_RECIPIENT_ADDRESS], "");
        add_track(&b->track, " via ", e.field[TRACKING_CONNECTOR_ID], "");
        add_track(&b->track, " reference ", e.field[TRACKING_REFERENCE], "");
        add_track(&b->track, " {", e.field[TRACKING_CUSTOM_DATA], "}");
        buf_add_char(&b->track, '\n');
        b->track_count++;
    }
    assert_true(cursor_done(&c));
}

void bench_await_track(struct bench *b, size_t count)
{
    BENCH_UNTIL(b, b->track_count >= count);
}

/* ---- receive ---- */

static const char default_body[] = "Message-ID: <m@example.com>\r\nSubject: s\r\n\r\nhello\r\n";

static size_t split_recipients(const char *to, const struct bench_mail *m, struct submission_recipient *list,
                               size_t max)
{
    size_t n = 0;
    for (struct span rest = span_of(to), address; span_split(&rest, ',', &address) && n < max;)
        list[n++] =
            (struct submission_recipient){.address = address, .orcpt = span_of(m->orcpt), .notify = m->notify};
    return n;
}

void bench_envelope(struct buf *out, const struct bench_mail *m, uint64_t size)
{
    size_t max = strlen(m->to) + 1;
    struct submission_recipient *list = calloc(max, sizeof *list);
    assert_non_null(list);
    const struct submission s = {.message_id = SPAN("<m@example.com>"),
                                 .subject = m->subject ? span_of(m->subject) : SPAN("s"),
                                 .sender = span_of(m->from),
                                 .envid = span_of(m->envid),
                                 .size = size,
                                 .ret = m->ret,
                                 .require_tls = m->require_tls,
                                 .tls_optional = m->tls_optional,
                                 .connector = SPAN("Default mail"),
                                 .remote_ip = SPAN("192.0.2.1"),
                                 .user = SPAN("alice"),
                                 .internal = !m->anonymous,
                                 .recipients = list,
                                 .recipient_count = split_recipients(m->to, m, list, max)};
    buf_init(out, TEXT_MAX);
    submission_put(out, &s);
    assert_false(out->failed);
    free(list);
}

static void on_stored(void *context, struct frame *f)
{
    struct bench *b = context;
    b->answer = (struct bench_answer){.lost = !f};
    b->answer_count++;
    if (!f)
        return;
    struct cursor c = cursor_of(f->body);
    b->answer.outcome = (enum content_outcome)cursor_u8(&c);
    b->stored_count += b->answer.outcome == CONTENT_STORED;
    b->answer.id = cursor_u64(&c);
    b->answer.text = arena_dup(&b->arena, cursor_bytes(&c, 1024));
    assert_true(cursor_done(&c));
}

void bench_ask_store(struct bench *b, enum bench_end from, uint64_t token, uint64_t spool_id, struct span envelope,
                     struct span body)
{
    struct buf out;
    struct large_body packed;
    struct err err;
    buf_init(&out, LARGE_BODY_MAX);
    put_u64(&out, token);
    put_u64(&out, spool_id);
    put_bytes(&out, envelope);
    put_bytes(&out, body);
    assert_false(out.failed);
    assert_int_equal(large_body_pack(buf_span(&out), &packed, &err), ERR_NONE);
    assert_int_equal(link_ask(bench_link(b, from), QUEUE_STORE, packed.part, SPAN(""), packed.fds, packed.fd_count,
                              ASK_MS, on_stored, b),
                     ERR_NONE);
    large_body_done(&packed);
    buf_done(&out);
}

void bench_await_answer(struct bench *b, size_t count_before)
{
    BENCH_UNTIL(b, b->answer_count > count_before);
}

uint64_t bench_send(struct bench *b, const struct bench_mail *m)
{
    struct span body = m->body ? span_of(m->body) : span_of(default_body);
    size_t before = b->answer_count;
    struct buf envelope;
    bench_envelope(&envelope, m, body.len);
    bench_ask_store(b, BENCH_RECEIVE, 0, 0, buf_span(&envelope), body);
    buf_done(&envelope);
    bench_await_answer(b, before);
    assert_false(b->answer.lost);
    assert_int_equal(b->answer.outcome, CONTENT_STORED);
    return b->answer.id;
}

void bench_send_part(struct bench *b, enum bench_end from, uint64_t token, struct span bytes)
{
    struct buf out;
    buf_init(&out, FRAME_BODY_MAX);
    put_u64(&out, token);
    buf_add(&out, bytes);
    assert_int_equal(link_send(bench_link(b, from), QUEUE_ENVELOPE_PART, 0, buf_span(&out), NULL, 0), ERR_NONE);
    buf_done(&out);
}

static void on_spool(void *context, struct frame *f)
{
    struct bench *b = context;
    if (!f)
        return; /* the role has ended */
    struct cursor c = cursor_of(f->body);
    b->spool_id = cursor_u64(&c);
    assert_true(cursor_done(&c));
    b->spool_fd = frame_take_fd(f, 0);
}

void bench_ask_spool(struct bench *b, enum bench_end from)
{
    assert_int_equal(link_ask(bench_link(b, from), QUEUE_SPOOL, SPAN(""), SPAN(""), NULL, 0, ASK_MS, on_spool, b),
                     ERR_NONE);
}

void bench_spool(struct bench *b, enum bench_end from)
{
    if (b->spool_fd >= 0)
        close(b->spool_fd);
    b->spool_fd = -1;
    bench_ask_spool(b, from);
    BENCH_UNTIL(b, b->spool_fd >= 0);
}

void bench_drop_spool(struct bench *b, enum bench_end from, uint64_t id)
{
    struct buf out;
    buf_init(&out, 8);
    put_u64(&out, id);
    assert_int_equal(link_send(bench_link(b, from), QUEUE_SPOOL_DROP, 0, buf_span(&out), NULL, 0), ERR_NONE);
    buf_done(&out);
}
