/*
 * test_publish.c: what init makes is a policy that its receivers take; who gets which snapshot and when; bindings
 * once each; and a policy that cannot be used: refused before the commit, or kept from everybody.
 */
#include "base/cursor.h"
#include "check.h"
#include "cmdlet/bootstrap.h"
#include "cmdlet/transaction.h"
#include "policy/policy.h"
#include "role/common/admin.h"
#include "role/manage/guard.h"
#include "role/manage/publish.h"
#include "runtime/memory_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVE_0, RECEIVE_3, QUEUE, CONTROL, LINKS };
enum { BLOCK_MAX = 16 << 20 };

struct fixture {
    struct role role;
    struct link *links[LINKS];
    int ends[LINKS]; /* the peers' */
    struct object_store *policy, *recipients;
    struct publish publish;
    struct guard guard;
    struct admin admin;
    struct arena arena;
    struct err err;
    char buffer[FRAME_BUFFER];
};

static void no_frame(void *context UNUSED, struct frame *f UNUSED)
{
    fail();
}

static struct link *open_link(struct fixture *f, int *ret_end)
{
    int fds[2];
    assert_int_equal(frame_pair(fds, &f->err), ERR_NONE);
    *ret_end = fds[1];
    struct link *l = link_open(&f->role.loop, fds[0], no_frame, NULL, NULL);
    assert_non_null(l);
    return l;
}

static enum err_code run(struct fixture *f, const char *text)
{
    const struct shell_output output = {.out = NULL, .context = NULL};
    return admin_run(&f->admin, span_of(text), NULL, &output, &f->err);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    arena_init(&f->arena, 0);
    assert_int_equal(uv_loop_init(&f->role.loop), 0);
    for (size_t i = 0; i < LINKS; i++)
        f->links[i] = open_link(f, &f->ends[i]);
    f->role.links[ROLE_RECEIVE][0] = f->links[RECEIVE_0];
    f->role.links[ROLE_RECEIVE][3] = f->links[RECEIVE_3];
    f->role.links[ROLE_QUEUE][0] = f->links[QUEUE];
    f->role.control = f->links[CONTROL];
    f->policy = object_store_memory_new();
    f->recipients = object_store_memory_new();
    assert_true(f->policy && f->recipients);
    publish_init(&f->publish, &f->role, f->policy);
    guard_init(&f->guard, f->policy, f->recipients, publish_check, &f->publish);
    assert_int_equal(admin_init(&f->admin, &f->err), ERR_NONE);
    struct cmdlet_context *c = &f->admin.context;
    c->host = SPAN("mail.example.com");
    c->port_offset = 2000;
    c->policy = &f->guard.policy.store;
    c->recipients = &f->guard.recipients.store;
    assert_int_equal(object_store_begin(c->policy, &f->err), ERR_NONE);
    assert_int_equal(cmdlet_init_state(c, SPAN("example.com"), &f->err), ERR_NONE);
    assert_int_equal(object_store_commit(c->policy, &f->err), ERR_NONE);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    publish_done(&f->publish);
    for (size_t i = 0; i < LINKS; i++) {
        link_close(f->links[i]);
        close(f->ends[i]);
    }
    uv_run(&f->role.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->role.loop), 0);
    admin_done(&f->admin);
    object_store_close(f->policy);
    object_store_close(f->recipients);
    arena_clear(&f->arena);
    free(f);
    return 0;
}

/* The snapshot that this peer has got is of this version, and one that it takes; the number of its connectors. */
static size_t check_snapshot(struct fixture *f, int end, uint64_t version)
{
    struct frame frame;
    struct span block;
    struct policy *policy;
    assert_int_equal(frame_receive(end, f->buffer, &frame), FRAME_OK);
    assert_int_equal(frame.type, POLICY_SNAPSHOT);
    struct cursor c = cursor_of(frame.body);
    assert_int_equal(cursor_u64(&c), version);
    assert_true(cursor_done(&c));
    assert_int_equal(frame.fd_count, 1);
    assert_int_equal(memory_file_map(frame.fds[0], BLOCK_MAX, &block, &f->err), ERR_NONE);
    assert_int_equal(policy_open(block, &policy, &f->err), ERR_NONE);
    assert_int_equal(policy_version(policy), version);
    size_t connectors = policy_receive_connector_count(policy);
    policy_close(policy);
    memory_file_unmap(block);
    frame_close_fds(&frame);
    return connectors;
}

static void check_nothing(struct fixture *f, int end)
{
    struct frame frame;
    assert_int_equal(frame_receive(end, f->buffer, &frame), FRAME_AGAIN);
}

static void check_all_got(struct fixture *f, size_t connectors)
{
    for (size_t i = 0; i < CONTROL; i++) {
        assert_int_equal(check_snapshot(f, f->ends[i], object_store_generation(f->policy)), connectors);
        check_nothing(f, f->ends[i]);
    }
}

static void check_none_got(struct fixture *f)
{
    for (size_t i = 0; i < LINKS; i++)
        check_nothing(f, f->ends[i]);
}

/* The supervisor was told when resources are short. */
static void check_limits(struct fixture *f, uint64_t memory_high)
{
    struct frame frame;
    assert_int_equal(frame_receive(f->ends[CONTROL], f->buffer, &frame), FRAME_OK);
    assert_int_equal(frame.type, CONTROL_LIMITS);
    struct cursor c = cursor_of(frame.body);
    const struct pressure_limits l = pressure_get_limits(&c);
    assert_true(cursor_done(&c));
    assert_int_equal(l.of[PRESSURE_MEMORY].high, memory_high);
    assert_true(l.of[PRESSURE_QUEUE_DISK].high == PRESSURE_AUTOMATIC);
}

static void check_bindings(struct fixture *f, const char *want)
{
    struct frame frame;
    struct buf got;
    assert_int_equal(frame_receive(f->ends[CONTROL], f->buffer, &frame), FRAME_OK);
    assert_int_equal(frame.type, CONTROL_BINDINGS);
    struct cursor c = cursor_of(frame.body);
    uint32_t count = cursor_u32(&c);
    buf_init(&got, 4096);
    for (uint32_t i = 0; i < count; i++) {
        struct span endpoint = cursor_bytes(&c, IP_ENDPOINT_TEXT_MAX);
        buf_addf(&got, "%s%.*s", i ? " " : "", SPAN_ARG(endpoint));
    }
    assert_true(cursor_done(&c));
    CHECK_SPAN("bindings", buf_span(&got), span_of(want));
    buf_done(&got);
    check_nothing(f, f->ends[CONTROL]);
}

static void test_start(void **state)
{
    struct fixture *f = *state;
    publish_update(&f->publish);
    check_all_got(f, 3);
    check_limits(f, 75);
    check_bindings(f, "0.0.0.0:2025 0.0.0.0:2465 0.0.0.0:2587");
    publish_update(&f->publish);
    check_none_got(f);
}

static void test_changes(void **state)
{
    struct fixture *f = *state;
    publish_update(&f->publish);
    check_all_got(f, 3);
    check_limits(f, 75);
    check_bindings(f, "0.0.0.0:2025 0.0.0.0:2465 0.0.0.0:2587");
    static const struct {
        const char *name, *script;
        size_t connectors;    /* 0: nothing is sent */
        const char *bindings; /* NULL: not sent */
        uint64_t memory_high; /* of the limits; 0: not sent */
    } rows[] = {
        {"reading", "Get-ReceiveConnector", 0, NULL},
        {"a recipient", "New-Mailbox bob -Password pw", 0, NULL},
        {"not a binding", "Set-ReceiveConnector 'Client mail' -MaxHopCount 20", 3, NULL},
        {"the same endpoint",
         "New-ReceiveConnector twin -Usage Custom -Bindings 0.0.0.0:2025 -RemoteIPRanges 10.0.0.1", 4, NULL},
        {"two of it in another order",
         "New-ReceiveConnector six -Usage Custom -Bindings '[::]:2025','0.0.0.0:2025' -RemoteIPRanges 10.0.0.2", 5,
         "[::]:2025 0.0.0.0:2025 0.0.0.0:2465 0.0.0.0:2587"},
        {"a threshold", "Set-TransportServer -MemoryHighThreshold 90", 5, NULL, 90},
        {"disabled", "Set-ReceiveConnector 'Client mail' -Enabled $false", 5,
         "[::]:2025 0.0.0.0:2025 0.0.0.0:2465"},
        {"still used by another", "Remove-ReceiveConnector twin -Confirm:$false", 4, NULL},
        {"removed", "Remove-ReceiveConnector six -Confirm:$false", 3, "0.0.0.0:2025 0.0.0.0:2465"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum err_code code = run(f, rows[i].script);
        if (code)
            print_error("%s\n", f->err.text);
        CHECK_INT(rows[i].name, code, ERR_NONE);
        publish_update(&f->publish);
        if (rows[i].connectors)
            check_all_got(f, rows[i].connectors);
        if (rows[i].memory_high)
            check_limits(f, rows[i].memory_high);
        if (rows[i].bindings)
            check_bindings(f, rows[i].bindings);
        check_none_got(f);
    }
}

static void test_peer_starts_anew(void **state)
{
    struct fixture *f = *state;
    int end;
    struct link *l = open_link(f, &end);
    publish_send(&f->publish, ROLE_RECEIVE, l); /* before the first there is none */
    check_nothing(f, end);
    publish_update(&f->publish);
    publish_send(&f->publish, ROLE_RECEIVE, l);
    assert_int_equal(check_snapshot(f, end, object_store_generation(f->policy)), 3);
    publish_send(&f->publish, ROLE_RECEIVE, NULL);
    link_close(l);
    close(end);
}

/* Two domains of one name: a policy that the cmdlets do not let through, but the store would take. */
static enum err_code put_twin_domain(struct fixture *f, struct object_store *s)
{
    struct record *r = record_new(&f->arena, SPAN("AcceptedDomain"));
    assert_true(r && record_set(r, SPAN("Guid"), value_of("g-twin")) &&
                record_set(r, SPAN("Name"), value_of("twin")) &&
                record_set(r, SPAN("DomainName"), value_of("example.com")));
    return object_store_put(s, r, &f->err);
}

static void test_refused_before_commit(void **state)
{
    struct fixture *f = *state;
    publish_update(&f->publish);
    uint64_t before = object_store_generation(f->policy);
    assert_int_equal(cmdlet_transaction.begin(&f->admin.context, &f->err), ERR_NONE);
    assert_int_equal(put_twin_domain(f, f->admin.context.policy), ERR_NONE);
    assert_int_equal(cmdlet_transaction.commit(&f->admin.context, &f->err), ERR_CONFLICT);
    assert_non_null(strstr(f->err.text, "twin"));
    cmdlet_transaction.rollback(&f->admin.context);
    assert_int_equal(object_store_generation(f->policy), before);
    assert_int_equal(run(f, "Set-ReceiveConnector 'Client mail' -MaxHopCount 20"), ERR_NONE);
}

static void test_kept_when_it_cannot_be_used(void **state)
{
    struct fixture *f = *state;
    publish_update(&f->publish);
    check_all_got(f, 3);
    check_limits(f, 75);
    check_bindings(f, "0.0.0.0:2025 0.0.0.0:2465 0.0.0.0:2587");
    assert_int_equal(object_store_begin(f->policy, &f->err), ERR_NONE); /* behind the guard's back */
    assert_int_equal(put_twin_domain(f, f->policy), ERR_NONE);
    assert_int_equal(object_store_commit(f->policy, &f->err), ERR_NONE);
    publish_update(&f->publish);
    assert_false(f->publish.sound);
    check_none_got(f);
    /* it can be repaired, one statement after the other */
    assert_int_equal(run(f, "Set-ReceiveConnector 'Client mail' -MaxHopCount 20"), ERR_NONE);
    publish_update(&f->publish);
    check_none_got(f);
    assert_int_equal(run(f, "Remove-AcceptedDomain twin -Confirm:$false"), ERR_NONE);
    publish_update(&f->publish);
    check_all_got(f, 3);
    check_none_got(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_starts_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_before_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_when_it_cannot_be_used, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
