/* test_world.h: generated policies and sessions, for tests of what an explanation and a replay say. */
#pragma once

#include "explain/explain.h"
#include "policy/test_support.h"

struct test_world {
    struct test_policy policy;
    bool certificate, keytab, directory_away;
    const struct pressure *pressure; /* NULL: as it is made */
    bool guarded;                    /* alice takes mail of authenticated senders only */
};

extern const struct gate_user test_world_alice;

/* Compiled and open; test_policy_done ends it. */
void test_world_make(struct test_world *w, uint64_t *seed);
/* Its texts live in the arena. */
struct explain_session test_world_session(struct arena *a, uint64_t *seed);
struct explain_facts test_world_facts(struct test_world *w);
bool test_world_is_alices(struct span address);
/* Whether alice may send as the address, which is not hers. */
enum gate_send_as test_world_send_as(const struct test_world *w, struct span address);
