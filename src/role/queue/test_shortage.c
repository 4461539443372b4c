/* test_shortage.c: how many recipients wait, as the supervisor is told, wherever they come from and go to. */
#include "role/queue/test_support.h"

static void until_waiting(struct bench *b, uint64_t n)
{
    BENCH_UNTIL(b, b->lengths > 0 && b->queue_length == n);
}

static void counted(void **state)
{
    struct bench *b = *state;
    until_waiting(b, 0);
    bench_policy(b, "MessageRetryInterval=#3600000", NULL);
    bench_rule(b, (struct bench_rule){"slow@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    BENCH_SEND(b, "bob@example.com", "done@far.test,slow@far.test,other@far.test");
    const struct bench_job *j = bench_job(b);
    until_waiting(b, 3);
    bench_report(b, j);
    until_waiting(b, 1);
    bench_kill(b);
    b->lengths = 0;
    bench_start(b);
    until_waiting(b, 1); /* what lies in the store is counted at the start */
    bench_finish(b, 1);
}

/* A group counts until it is expanded, then its members do; a report to the sender is one more. */
static void expanded(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageRetryInterval=#3600000", NULL);
    bench_rule(b, (struct bench_rule){"alice@example.com", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    bench_rule(b, (struct bench_rule){"p@far.test", DELIVERY_PERMANENT, 550, "5.1.1", "no such user"});
    bench_rule(b, (struct bench_rule){"dave@example.com", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    BENCH_SEND(b, "dave@example.com", "staff@example.com");
    for (size_t i = 0; i < 5; i++)
        bench_deliver(b);
    until_waiting(b, 2); /* alice, and the report to dave */
    bench_finish(b, 2);
}

/* By an administrator, from the store and from hand. */
static void removed(void **state)
{
    struct bench *b = *state;
    bench_policy(b, "MessageRetryInterval=#3600000", NULL);
    bench_rule(b, (struct bench_rule){"slow@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    bench_rule(b, (struct bench_rule){"late@far.test", DELIVERY_TEMPORARY, 451, "4.3.0", "busy"});
    uint64_t id = BENCH_SEND(b, "bob@example.com", "slow@far.test,late@far.test,done@far.test");
    bench_deliver(b);
    until_waiting(b, 2);
    bench_act_on_message(b, QUEUE_ACTION_REMOVE_MESSAGES, id);
    until_waiting(b, 0);
    bench_finish(b, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counted, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(expanded, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(removed, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
