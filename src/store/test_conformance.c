/*
 * test_conformance.c: what every adapter of the queue must do. Each test runs over each adapter. Here are the suite
 * itself and the tests of claims and pages.
 */
#include "store/test_conformance.h"

#include "store/queue_memory.h"
#include "store/queue_sqlite.h"

#include "check.h"

#include <string.h>

static void set_up(struct fixture *f, const char *adapter)
{
    struct err err = {0};
    *f = (struct fixture){.adapter = adapter};
    arena_init(&f->arena, 0);
    folder_make(&f->folder);
    if (strcmp(adapter, "memory") == 0)
        f->q = queue_memory_new();
    else if (queue_sqlite_open(folder_file(&f->folder, "queue.db"), &f->q, &err) != ERR_NONE)
        print_error("%s\n", err.text);
    assert_non_null(f->q);
}

static void tear_down(struct fixture *f)
{
    queue_close(f->q);
    arena_clear(&f->arena);
    folder_remove(&f->folder);
}

/* Claims; gives the number of messages. */
size_t fixture_claim(struct fixture *f, int64_t now, size_t limit, int64_t until, struct queue_message **ret)
{
    struct err err = {0};
    size_t count = 0;
    CHECK_INT(f->adapter, queue_claim(f->q, now, limit, until, &f->arena, ret, &count, &err), ERR_NONE);
    return count;
}

size_t fixture_claim_count(struct fixture *f, int64_t now, size_t limit, int64_t until)
{
    struct queue_message *m;
    size_t n = fixture_claim(f, now, limit, until, &m), recipients = 0;
    for (size_t i = 0; i < n; i++)
        recipients += m[i].recipient_count;
    return recipients;
}

int64_t fixture_next_due(struct fixture *f, int64_t now)
{
    struct err err = {0};
    int64_t next = 0;
    CHECK_INT(f->adapter, queue_next_due(f->q, now, &next, &err), ERR_NONE);
    return next;
}

struct queue_message fixture_load(struct fixture *f, uint64_t id)
{
    struct err err = {0};
    struct queue_message m = {0};
    CHECK_INT(f->adapter, queue_load(f->q, id, QUEUE_BODY | QUEUE_RECIPIENTS, &f->arena, &m, &err), ERR_NONE);
    return m;
}

struct queue_counts fixture_counts(struct fixture *f)
{
    struct err err = {0};
    struct queue_counts c = {0};
    CHECK_INT(f->adapter, queue_counts(f->q, &c, &err), ERR_NONE);
    return c;
}

bool fixture_exists(struct fixture *f, uint64_t id)
{
    struct err err = {0};
    struct queue_message m;
    return queue_load(f->q, id, QUEUE_ENVELOPE, &f->arena, &m, &err) == ERR_NONE;
}

/* ---- tests ---- */

static void order_and_groups(struct fixture *f)
{
    uint64_t a = enqueue_simple(f->q, 3, 50, SPAN("")), b = enqueue_simple(f->q, 1, 20, SPAN(""));
    uint64_t c = enqueue_simple(f->q, 1, 60, SPAN(""));
    struct queue_recipient later = {.next_attempt_ms = 10, .last_error = SPAN("later"), .attempts = 1};
    struct queue_op op = {.kind = QUEUE_OP_RETRY, .message = a, .index = 2, .recipient = &later};
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_next_due(f, 0), 10);
    CHECK_INT(f->adapter, fixture_claim_count(f, 9, 10, FAR), 0);
    struct queue_message *m;
    CHECK_INT(f->adapter, fixture_claim(f, 55, 10, FAR, &m), 2); /* a (2 is the most urgent), b; c is not due */
    CHECK(f->adapter, m[0].id == a && m[0].recipient_count == 3 && m[1].id == b && m[1].recipient_count == 1);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(f->adapter, m[0].recipients[i].index == i && m[0].recipients[i].leased);
    CHECK_SPAN(f->adapter, m[0].recipients[2].last_error, SPAN("later"));
    CHECK_INT(f->adapter, m[0].recipients[2].attempts, 1);
    CHECK_INT(f->adapter, m[0].body.len, 0);
    CHECK_INT(f->adapter, fixture_next_due(f, 55), 60);
    CHECK_INT(f->adapter, fixture_claim_count(f, 60, 10, FAR), 1);
    CHECK(f->adapter, fixture_exists(f, c));
}

static void claim_in_pieces(struct fixture *f)
{
    for (int i = 0; i < 7; i++)
        enqueue_simple(f->q, 5, 100 - i, SPAN(""));
    size_t total = 0, n;
    while ((n = fixture_claim_count(f, 200, 4, FAR)) > 0) {
        CHECK(f->adapter, n == 4 || total + n == 35);
        total += n;
    }
    CHECK_INT(f->adapter, total, 35);
}

static void leases(struct fixture *f)
{
    uint64_t a = enqueue_simple(f->q, 1, 10, SPAN("")), b = enqueue_simple(f->q, 1, 20, SPAN(""));
    CHECK_INT(f->adapter, fixture_claim_count(f, 30, 10, 1000), 2);
    CHECK_INT(f->adapter, fixture_claim_count(f, 999, 10, 2000), 0);
    CHECK_INT(f->adapter, fixture_next_due(f, 30), 1000);
    queue_lease(f->q, &(struct queue_key){b, 0}, 1, 5000); /* extended */
    queue_lease(f->q, &(struct queue_key){b, 1}, 1, 1);    /* nobody's: nothing happens */
    struct queue_message *m;
    CHECK_INT(f->adapter, fixture_claim(f, 1000, 10, 3000, &m), 1);
    CHECK_INT(f->adapter, m[0].id, a);
    queue_lease(f->q, &(struct queue_key){b, 0}, 1, 0); /* given back */
    CHECK_INT(f->adapter, fixture_claim(f, 1000, 10, 3000, &m), 1);
    CHECK_INT(f->adapter, m[0].id, b);
    struct queue_recipient soon = {.next_attempt_ms = 1500};
    struct queue_op op = {.kind = QUEUE_OP_RETRY, .message = a, .recipient = &soon};
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE); /* a result ends the lease */
    CHECK_INT(f->adapter, fixture_next_due(f, 1000), 1500);
    CHECK_INT(f->adapter, fixture_claim_count(f, 1499, 10, 3000), 0);
    CHECK_INT(f->adapter, fixture_claim_count(f, 1500, 10, 3000), 1);
    CHECK(f->adapter, fixture_load(f, a).recipients[0].leased);
    CHECK_INT(f->adapter, finish(f->q, a, 0, QUEUE_DELIVERED), ERR_NONE);
    CHECK_INT(f->adapter, finish(f->q, b, 0, QUEUE_DELIVERED), ERR_NONE);
    CHECK_INT(f->adapter, fixture_next_due(f, 5000), INT64_MAX);
}

static void put_waiting(void *context, uint64_t message, const struct queue_recipient *r)
{
    buf_addf(context, "%llu.%u %d %lld %u %.*s %.*s; ", (unsigned long long)message, r->index, r->suspended,
             (long long)r->next_attempt_ms, r->attempts, SPAN_ARG(r->queue_name), SPAN_ARG(r->last_error));
}

/* Neither what is final nor what is in somebody's hand. */
static void waiting(struct fixture *f)
{
    uint64_t a = enqueue_simple(f->q, 3, 50, SPAN("")), b = enqueue_simple(f->q, 1, 20, SPAN(""));
    struct queue_recipient later = {
        .next_attempt_ms = 70, .last_error = SPAN("451 later"), .attempts = 2, .queue_name = SPAN("mx:x")};
    struct queue_op retry = {.kind = QUEUE_OP_RETRY, .message = a, .index = 2, .recipient = &later};
    struct queue_op suspend = {.kind = QUEUE_OP_SUSPEND, .message = a, .index = 0};
    struct buf got, want;
    struct err err = {0};
    buf_init(&got, 1000);
    buf_init(&want, 1000);
    CHECK_INT(f->adapter, commit_ops(f->q, &retry, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, commit_ops(f->q, &suspend, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, finish(f->q, a, 1, QUEUE_DELIVERED), ERR_NONE);
    CHECK_INT(f->adapter, fixture_claim_count(f, 20, 10, FAR), 1); /* b */
    CHECK_INT(f->adapter, queue_waiting(f->q, put_waiting, &got, &err), ERR_NONE);
    buf_addf(&want, "%llu.0 1 50 0  ; %llu.2 0 70 2 mx:x 451 later; ", (unsigned long long)a,
             (unsigned long long)a);
    CHECK_SPAN(f->adapter, buf_span(&got), buf_span(&want));
    CHECK(f->adapter, fixture_exists(f, b));
    buf_done(&got);
    buf_done(&want);
}

static void leased_at_once(struct fixture *f)
{
    struct queue_recipient r[] = {{.address = SPAN("a@x")}, {.address = SPAN("group@x")}}, member = r[0];
    struct queue_message m = {.recipients = r, .recipient_count = 2};
    struct queue_op op = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m, .lease_until_ms = 100};
    CHECK_INT(f->adapter, commit_ops(f->q, &op, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, fixture_claim_count(f, 99, 10, FAR), 0);
    struct queue_op expand = {.kind = QUEUE_OP_EXPAND,
                              .message = op.message,
                              .index = 1,
                              .members = &member,
                              .member_count = 1,
                              .lease_until_ms = 200};
    CHECK_INT(f->adapter, commit_ops(f->q, &expand, 1, NULL), ERR_NONE);
    CHECK_INT(f->adapter, expand.ret_first, 2);
    CHECK_INT(f->adapter, fixture_claim_count(f, 100, 10, FAR), 1); /* a@x; the group is done */
    CHECK_INT(f->adapter, fixture_claim_count(f, 200, 10, FAR), 1); /* the member */
    struct queue_op refused = {.kind = QUEUE_OP_ENQUEUE, .enqueue = &m, .lease_until_ms = FAR};
    m.id = op.message;
    CHECK_INT(f->adapter, commit_ops(f->q, &refused, 1, NULL), ERR_EXISTS);
}

static void paging(struct fixture *f)
{
    uint64_t all[25], after = 0;
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        all[i] = enqueue_simple(f->q, 1 + i % 3, 5, SPAN("b"));
    fixture_claim_count(f, 5, 1, FAR);
    struct queue_page page = {.more = true};
    while (page.more) {
        struct err err = {0};
        CHECK_INT(f->adapter, queue_list(f->q, after, 10, &f->arena, &page, &err), ERR_NONE);
        CHECK_INT(f->adapter, page.count, n == 20 ? 5 : 10);
        for (size_t i = 0; i < page.count; i++, n++) {
            CHECK_INT(f->adapter, page.messages[i].id, all[n]);
            CHECK_INT(f->adapter, page.messages[i].recipient_count, 1 + n % 3);
            CHECK_INT(f->adapter, page.messages[i].recipients[0].leased, n == 0);
            CHECK_INT(f->adapter, page.messages[i].body.len, 0);
        }
        after = page.messages[page.count - 1].id;
    }
    CHECK_INT(f->adapter, n, ARRAY_LEN(all));
    struct err err = {0};
    CHECK_INT(f->adapter, queue_list(f->q, UINT64_MAX, 10, &f->arena, &page, &err), ERR_NONE);
    CHECK(f->adapter, page.count == 0 && !page.more);
}

static void no_memory(struct fixture *f)
{
    struct queue_message *m = NULL;
    struct arena small;
    struct err err;
    size_t count = 0;
    enqueue_simple(f->q, 30, 5, SPAN("body"));
    arena_init(&small, 600);
    CHECK_INT(f->adapter, queue_claim(f->q, 5, 30, FAR, &small, &m, &count, &err), ERR_NO_MEMORY);
    arena_clear(&small);
    CHECK_INT(f->adapter, fixture_claim_count(f, 5, 100, FAR), 30); /* nothing was leased by the failure */
}

static const struct {
    const char *name;
    void (*run)(struct fixture *f);
} tests[] = {
    {"round trip", conformance_round_trip},
    {"limits", conformance_limits},
    {"cuts", conformance_cuts},
    {"ids", conformance_ids},
    {"order and groups", order_and_groups},
    {"claim in pieces", claim_in_pieces},
    {"leases", leases},
    {"leased at once", leased_at_once},
    {"removal when final", conformance_removal_when_final},
    {"expansion", conformance_expansion},
    {"waiting", waiting},
    {"suspension", conformance_suspension},
    {"hastening", conformance_hastening},
    {"administrator's removal", conformance_administrators_removal},
    {"held queues", conformance_held_queues},
    {"refusals", conformance_refusals},
    {"atomic units", conformance_atomic_units},
    {"paging", paging},
    {"no memory", no_memory},
};

static void run_all(const char *adapter)
{
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        struct fixture f;
        print_message("# %s: %s\n", adapter, tests[i].name);
        set_up(&f, adapter);
        tests[i].run(&f);
        tear_down(&f);
    }
}

static void test_memory(void **state)
{
    (void)state;
    run_all("memory");
}

static void test_sqlite(void **state)
{
    (void)state;
    run_all("sqlite");
}

int main(void)
{
    static const struct CMUnitTest all[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_sqlite)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
