/* test_conformance_writes.c: what every adapter must do with what is written: keep it whole, end it, refuse it. */
#include "store/test_conformance.h"

#include "check.h"

#include <string.h>

void conformance_round_trip(struct fixture *f)
{
    static const char body[] = "a\0b\r\n\xff";
    struct queue_recipient r[] = {
        {.address = SPAN("a@x"),
         .orcpt = SPAN("rfc822;A@x"),
         .notify = 5,
         .attempts = 2,
         .next_attempt_ms = 7,
         .delay_noticed = true,
         .suspended = true,
         .last_error = SPAN("451 4.0.0 no"),
         .queue_name = SPAN("x")},
        {.address = SPAN("b\xc3\xbc@x"), .state = QUEUE_FAILED, .index = 9},
    };
    struct queue_message m = {.message_id = SPAN("<i@x>"),
                              .received_ms = -5,
                              .size = 1234567890123,
                              .flags = QUEUE_8BIT | QUEUE_INTERNAL,
                              .subject = SPAN("Subject"),
                              .source = SPAN("SMTP:Default"),
                              .source_ip = SPAN("192.0.2.1"),
                              .user = SPAN("u"),
                              .envid = SPAN("e+20"),
                              .auth = SPAN("<>"),
                              .body = span_make(body, sizeof body - 1),
                              .recipients = r,
                              .recipient_count = ARRAY_LEN(r)};
    struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    struct queue_message got = fixture_load(f, op.message);
    const struct span pairs[][2] = {
        {got.message_id, m.message_id}, {got.sender, m.sender},       {got.subject, m.subject},
        {got.source, m.source},         {got.source_ip, m.source_ip}, {got.user, m.user},
        {got.envid, m.envid},           {got.auth, m.auth},           {got.body, m.body},
        {got.spool, m.spool},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        CHECK_SPAN(f->adapter, pairs[i][0], pairs[i][1]);
    CHECK_INT(f->adapter, got.id, op.message);
    CHECK_INT(f->adapter, got.received_ms, m.received_ms);
    CHECK_INT(f->adapter, got.size, m.size);
    CHECK_INT(f->adapter, got.flags, m.flags);
    CHECK_INT(f->adapter, got.recipient_count, 2);
    const struct queue_recipient *g = got.recipients;
    CHECK_SPAN(f->adapter, g[0].address, r[0].address);
    CHECK_SPAN(f->adapter, g[0].orcpt, r[0].orcpt);
    CHECK_SPAN(f->adapter, g[0].last_error, r[0].last_error);
    CHECK_SPAN(f->adapter, g[0].queue_name, r[0].queue_name);
    CHECK(f->adapter, g[0].notify == 5 && g[0].attempts == 2 && g[0].next_attempt_ms == 7);
    CHECK(f->adapter, g[0].delay_noticed && g[0].suspended && !g[0].leased);
    CHECK(f->adapter, g[1].index == 1 && g[1].state == QUEUE_PENDING && !g[1].delay_noticed && !g[1].suspended);
}

void conformance_limits(struct fixture *f)
{
    static char bytes[QUEUE_INLINE_MAX + 1];
    struct queue_recipient r = {.address = SPAN("a@x")}, far = {.address = span_make(bytes, QUEUE_TEXT_MAX + 1)};
    struct queue_message at = {.message_id = span_make(bytes, QUEUE_TEXT_MAX),
                               .recipients = &r,
                               .recipient_count = 1,
                               .body = span_make(bytes, QUEUE_INLINE_MAX)};
    struct queue_message past_text = at, past_body = at, none = at, both = at, unreserved = at, address = at,
                         spool = at;
    past_text.message_id.len++;
    past_body.body.len++;
    none.recipient_count = 0;
    both.spool = SPAN("00/x");
    unreserved.id = 1000000;
    address.recipients = &far;
    spool.body.len = 0;
    spool.spool = span_make(bytes, QUEUE_SPOOL_MAX + 1);
    const struct {
        const char *name;
        const struct queue_message *m;
        enum err_code want;
    } rows[] = {
        {"at the limits", &at, ERR_NONE},
        {"a text past it", &past_text, ERR_LIMIT},
        {"a body past it", &past_body, ERR_LIMIT},
        {"an address past it", &address, ERR_LIMIT},
        {"a spool name past it", &spool, ERR_LIMIT},
        {"no recipient", &none, ERR_INVALID},
        {"body and spool", &both, ERR_INVALID},
        {"an id of nobody", &unreserved, ERR_INVALID},
    };
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = rows[i].m};
        CHECK_INT(rows[i].name, commit_ops(f->q, &op, 1, NULL), rows[i].want);
    }
    CHECK_INT(f->adapter, fixture_counts(f).messages, 1);
}

void conformance_cuts(struct fixture *f)
{
    char text[QUEUE_ERROR_MAX + 10];
    memset(text, 'x', sizeof text);
    memcpy(text + QUEUE_SUBJECT_MAX - 1, "\xc3\xbc", 2); /* across the limit */
    struct queue_recipient r = {.address = SPAN("a@x"), .last_error = span_make(text, sizeof text)};
    struct queue_message m = {.subject = span_make(text, sizeof text), .recipients = &r, .recipient_count = 1};
    struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    struct queue_message got = fixture_load(f, op.message);
    CHECK_SPAN(f->adapter, got.subject, span_make(text, QUEUE_SUBJECT_MAX - 1));
    CHECK_SPAN(f->adapter, got.recipients[0].last_error, span_make(text, QUEUE_ERROR_MAX));
}

void conformance_ids(struct fixture *f)
{
    struct queue_recipient r = {.address = SPAN("a@x")};
    struct queue_message m = {.recipients = &r, .recipient_count = 1};
    struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
    uint64_t first = enqueue_simple(f->q, 1, 0, SPAN(""));
    m.id = queue_reserve_id(f->q);
    uint64_t later = queue_reserve_id(f->q);
    CHECK(f->adapter, first < m.id && m.id < later);
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, op.message, m.id);
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_EXISTS);
    CHECK(f->adapter, enqueue_simple(f->q, 1, 0, SPAN("")) > later);
    CHECK_INT(f->adapter, fixture_counts(f).messages, 3);
}

void conformance_removal_when_final(struct fixture *f)
{
    struct queue_recipient r[] = {{.address = SPAN("a@x")}, {.address = SPAN("b@x")}};
    struct queue_message m = {.spool = SPAN("01/0000000000000001"), .recipients = r, .recipient_count = 2};
    struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m};
    struct queue_recipient failed = {.state = QUEUE_FAILED, .last_error = SPAN("550 5.1.1 no")};
    struct err err;
    struct buf removed;
    bool named = false;
    buf_init(&removed, 1000);
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, queue_names_spool(f->q, m.spool, &named, &err), ERR_NONE);
    CHECK(f->adapter, named);
    struct queue_op done = {.kind = QUEUE_OP_DONE, .message = op.message, .index = 1, .recipient = &failed};
    CHECK_INT(f->adapter, commit_ops(f->q, &done, 1, &removed), ERR_NONE);
    CHECK_INT(f->adapter, removed.len, 0);
    CHECK_INT(f->adapter, commit_ops(f->q, &done, 1, &removed), ERR_NOT_FOUND); /* final already */
    struct queue_message got = fixture_load(f, op.message);
    CHECK_INT(f->adapter, got.recipients[1].state, QUEUE_FAILED);
    CHECK_SPAN(f->adapter, got.recipients[1].last_error, failed.last_error);
    done.index = 0;
    CHECK_INT(f->adapter, commit_ops(f->q, &done, 1, &removed), ERR_NONE);
    CHECK_SPAN(f->adapter, buf_span(&removed), SPAN("01/0000000000000001\0"));
    CHECK(f->adapter, !fixture_exists(f, op.message));
    CHECK_INT(f->adapter, queue_names_spool(f->q, m.spool, &named, &err), ERR_NONE);
    CHECK(f->adapter, !named);
    CHECK_INT(f->adapter, queue_names_spool(f->q, SPAN(""), &named, &err), ERR_NONE);
    CHECK(f->adapter, !named);
    buf_done(&removed);
}

void conformance_expansion(struct fixture *f)
{
    uint64_t id = enqueue_simple(f->q, 1, 5, SPAN("body"));
    struct queue_recipient members[] = {{.address = SPAN("m0@x"), .next_attempt_ms = 5, .notify = 3},
                                        {.address = SPAN("m1@x"), .next_attempt_ms = 5}};
    struct queue_op op = {.kind = QUEUE_OP_EXPAND, .message = id, .members = members, .member_count = 2};
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, op.ret_first, 1);
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NOT_FOUND); /* expanded once */
    struct queue_message m = fixture_load(f, id);
    CHECK_INT(f->adapter, m.recipient_count, 3);
    CHECK_INT(f->adapter, m.recipients[0].state, QUEUE_EXPANDED);
    CHECK_SPAN(f->adapter, m.recipients[2].address, SPAN("m1@x"));
    CHECK(f->adapter, m.recipients[1].notify == 3 && m.recipients[1].state == QUEUE_PENDING);
    CHECK_INT(f->adapter, fixture_claim_count(f, 5, 10, FAR), 2);
    CHECK_INT(f->adapter, finish(f->q, id, 1, QUEUE_DELIVERED), ERR_NONE);
    op = (struct queue_op){.kind = QUEUE_OP_EXPAND, .message = id, .index = 2}; /* an empty group: the end */
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    CHECK(f->adapter, !fixture_exists(f, id));
}

void conformance_suspension(struct fixture *f)
{
    uint64_t id = enqueue_simple(f->q, 3, 5, SPAN(""));
    struct queue_op one = {.kind = QUEUE_OP_SUSPEND, .message = id, .index = 1};
    struct queue_op all = {.kind = QUEUE_OP_SUSPEND, .message = id, .index = QUEUE_EVERY};
    struct queue_op resume = {.kind = QUEUE_OP_RESUME, .message = id, .index = QUEUE_EVERY};
    CHECK_INT(f->adapter, commit_ops(f->q, &one, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_counts(f).suspended, 1);
    CHECK_INT(f->adapter, fixture_claim_count(f, 5, 10, 10), 2);
    CHECK_INT(f->adapter, commit_ops(f->q, &all, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_counts(f).suspended, 3);
    CHECK_INT(f->adapter, fixture_claim_count(f, 10, 10, 20), 0);
    CHECK_INT(f->adapter, fixture_next_due(f, 10), INT64_MAX);
    CHECK_INT(f->adapter, commit_ops(f->q, &resume, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_claim_count(f, 10, 10, 20), 3);
    resume.when_ms = 50;
    resume.index = 2;
    CHECK_INT(f->adapter, commit_ops(f->q, &resume, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_claim_count(f, 30, 10, 40), 2);
    CHECK_INT(f->adapter, fixture_load(f, id).recipients[2].next_attempt_ms, 50);
    resume.message = id + 1;
    CHECK_INT(f->adapter, commit_ops(f->q, &resume, 1, NULL), ERR_NOT_FOUND);
}

void conformance_hastening(struct fixture *f)
{
    uint64_t id = enqueue_simple(f->q, 2, 100, SPAN(""));
    struct queue_op suspend = {.kind = QUEUE_OP_SUSPEND, .message = id, .index = 0};
    struct queue_op hasten = {.kind = QUEUE_OP_HASTEN, .message = id, .index = QUEUE_EVERY, .when_ms = 7};
    CHECK_INT(f->adapter, commit_ops(f->q, &suspend, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_claim_count(f, 50, 10, 60), 0);
    CHECK_INT(f->adapter, commit_ops(f->q, &hasten, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_next_due(f, 7), 7);
    CHECK_INT(f->adapter, fixture_claim_count(f, 7, 10, 60), 1);
    CHECK_INT(f->adapter, fixture_load(f, id).recipients[0].next_attempt_ms, 100);
    CHECK(f->adapter, fixture_load(f, id).recipients[0].suspended);
    hasten.index = 0; /* only the suspended one */
    CHECK_INT(f->adapter, commit_ops(f->q, &hasten, 1, NULL), ERR_NOT_FOUND);
}

void conformance_administrators_removal(struct fixture *f)
{
    uint64_t a = enqueue_simple(f->q, 3, 5, SPAN("x")), b = enqueue_simple(f->q, 2, 5, SPAN("y"));
    struct queue_op one = {.kind = QUEUE_OP_REMOVE, .message = a, .index = 0};
    struct queue_op all = {.kind = QUEUE_OP_REMOVE, .message = b, .index = QUEUE_EVERY};
    CHECK_INT(f->adapter, commit_ops(f->q, &one, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_load(f, a).recipients[0].state, QUEUE_REMOVED);
    CHECK_INT(f->adapter, commit_ops(f->q, &all, 1, NULL), ERR_NONE);
    CHECK(f->adapter, fixture_exists(f, a) && !fixture_exists(f, b));
    CHECK_INT(f->adapter, commit_ops(f->q, &all, 1, NULL), ERR_NOT_FOUND);
    CHECK_INT(f->adapter, fixture_counts(f).pending, 2);
}

static void check_held(struct fixture *f, const char *want)
{
    struct span *names;
    struct err err = {0};
    struct buf got;
    size_t count = 0;
    buf_init(&got, 1000);
    CHECK_INT(f->adapter, queue_held(f->q, &f->arena, &names, &count, &err), ERR_NONE);
    for (size_t i = 0; i < count; i++)
        buf_addf(&got, "%.*s ", SPAN_ARG(names[i]));
    CHECK_SPAN(f->adapter, buf_span(&got), span_of(want));
    buf_done(&got);
}

void conformance_held_queues(struct fixture *f)
{
    static char long_name[QUEUE_TEXT_MAX + 1];
    struct queue_op hold = {.kind = QUEUE_OP_HOLD_QUEUE, .queue_name = SPAN("mx:b.test")};
    struct queue_op free = {.kind = QUEUE_OP_FREE_QUEUE, .queue_name = SPAN("mx:b.test")};
    struct queue_op failing = {.kind = QUEUE_OP_SUSPEND, .message = 77, .index = QUEUE_EVERY};
    struct queue_op other = hold;
    other.queue_name = SPAN("mx:a.test");
    check_held(f, "");
    CHECK_INT(f->adapter, commit_ops(f->q, &hold, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, commit_ops(f->q, &hold, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, commit_ops(f->q, &other, 1, NULL), ERR_NONE);
    check_held(f, "mx:a.test mx:b.test ");
    CHECK_INT(f->adapter, commit_ops(f->q, (struct queue_op[]){free, failing}, 2, NULL), ERR_NOT_FOUND);
    check_held(f, "mx:a.test mx:b.test ");
    CHECK_INT(f->adapter, commit_ops(f->q, &free, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, commit_ops(f->q, &free, 1, NULL), ERR_NONE);
    check_held(f, "mx:a.test ");
    hold.queue_name = SPAN("");
    CHECK_INT(f->adapter, commit_ops(f->q, &hold, 1, NULL), ERR_INVALID);
    hold.queue_name = span_make(long_name, sizeof long_name);
    CHECK_INT(f->adapter, commit_ops(f->q, &hold, 1, NULL), ERR_LIMIT);
}

void conformance_refusals(struct fixture *f)
{
    uint64_t id = enqueue_simple(f->q, 1, 5, SPAN(""));
    struct queue_recipient pending = {.state = QUEUE_PENDING}, done = {.state = QUEUE_DELIVERED};
    const struct {
        const char *name;
        struct queue_op op;
        enum err_code want;
    } rows[] = {
        {"not final", {.kind = QUEUE_OP_DONE, .message = id, .recipient = &pending}, ERR_INVALID},
        {"no index", {.kind = QUEUE_OP_DONE, .message = id, .index = 1, .recipient = &done}, ERR_NOT_FOUND},
        {"no message", {.kind = QUEUE_OP_DONE, .message = id + 1, .recipient = &done}, ERR_NOT_FOUND},
        {"message 0", {.kind = QUEUE_OP_RETRY, .recipient = &done}, ERR_NOT_FOUND},
        {"message 2^64-1", {.kind = QUEUE_OP_REMOVE, .message = UINT64_MAX}, ERR_NOT_FOUND},
        {"every retry",
         {.kind = QUEUE_OP_RETRY, .message = id, .index = QUEUE_EVERY, .recipient = &done},
         ERR_NOT_FOUND},
        {"expand none", {.kind = QUEUE_OP_EXPAND, .message = id + 9}, ERR_NOT_FOUND},
        {"suspend none", {.kind = QUEUE_OP_SUSPEND, .message = id, .index = 4}, ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct queue_op op = rows[i].op;
        CHECK_INT(rows[i].name, commit_ops(f->q, &op, 1, NULL), rows[i].want);
    }
    CHECK_INT(f->adapter, fixture_counts(f).pending, 1);
}

/* A refused unit leaves nothing of itself and costs its neighbours nothing. */
void conformance_atomic_units(struct fixture *f)
{
    uint64_t id = enqueue_simple(f->q, 1, 5, SPAN("kept")), other = enqueue_simple(f->q, 1, 5, SPAN(""));
    struct queue_recipient done = {.state = QUEUE_DELIVERED}, r = {.address = SPAN("new@x")};
    struct queue_message m = {.recipients = &r, .recipient_count = 1}, spooled = {.spool = SPAN("02/x")};
    struct queue_op bad[] = {
        {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m},
        {.kind = QUEUE_OP_DONE, .message = id, .recipient = &done},
        {.kind = QUEUE_OP_DONE, .message = id, .recipient = &done}, /* gone by then */
    };
    struct queue_op good = {.kind = QUEUE_OP_DONE, .message = other, .recipient = &done};
    struct queue_op exchange[] = {{.kind = QUEUE_OP_ENQUEUE, .enqueue = &m},
                                  {.kind = QUEUE_OP_DONE, .message = id, .recipient = &done}};
    struct queue_unit units[] = {{.ops = bad, .op_count = 3}, {.ops = &good, .op_count = 1}};
    struct queue_unit *list[] = {&units[0], &units[1]};
    struct err err;
    struct buf removed;
    buf_init(&removed, 1000);
    spooled.recipients = &r;
    spooled.recipient_count = 1;
    CHECK_INT(f->adapter, queue_commit(f->q, list, 2, &removed, &err), ERR_NONE);
    CHECK_INT(f->adapter, units[0].result, ERR_NOT_FOUND);
    CHECK_INT(f->adapter, units[1].result, ERR_NONE);
    CHECK(f->adapter, fixture_exists(f, id) && !fixture_exists(f, other));
    CHECK_SPAN(f->adapter, fixture_load(f, id).body, SPAN("kept"));
    CHECK_INT(f->adapter, fixture_counts(f).messages, 1);
    CHECK_INT(f->adapter, commit_ops(f->q, exchange, 2, NULL), ERR_NONE); /* failed, and its report queued */
    CHECK(f->adapter, !fixture_exists(f, id) && fixture_exists(f, exchange[0].message));
    struct queue_op made = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &spooled};
    CHECK_INT(f->adapter, commit_ops(f->q, &made, 1, &removed), ERR_NONE);
    bad[1].message = bad[2].message = made.message;
    CHECK_INT(f->adapter, commit_ops(f->q, bad, 3, &removed), ERR_NOT_FOUND);
    CHECK_INT(f->adapter, removed.len, 0); /* the spool file is needed still */
    CHECK(f->adapter, fixture_exists(f, made.message));
    buf_done(&removed);
}
