/* test_conformance.h: what the parts of the conformance suite share. */
#pragma once

#include "store/queue.h"
#include "store/test_support.h"

enum { FAR = 1 << 30 };

/* A queue of one adapter, empty at the start of each test. */
struct fixture {
    const char *adapter;
    struct folder folder;
    struct queue *q;
    struct arena arena;
};

/* The calls of the port that must succeed: what they give. claim_count counts recipients, claim messages. */
size_t fixture_claim(struct fixture *f, int64_t now, size_t limit, int64_t until, struct queue_message **ret);
size_t fixture_claim_count(struct fixture *f, int64_t now, size_t limit, int64_t until);
int64_t fixture_next_due(struct fixture *f, int64_t now);
struct queue_message fixture_load(struct fixture *f, uint64_t id);
struct queue_counts fixture_counts(struct fixture *f);
bool fixture_exists(struct fixture *f, uint64_t id);

/* test_conformance_writes.c */

void conformance_round_trip(struct fixture *f);
void conformance_limits(struct fixture *f);
void conformance_cuts(struct fixture *f);
void conformance_ids(struct fixture *f);
void conformance_removal_when_final(struct fixture *f);
void conformance_expansion(struct fixture *f);
void conformance_suspension(struct fixture *f);
void conformance_hastening(struct fixture *f);
void conformance_administrators_removal(struct fixture *f);
void conformance_held_queues(struct fixture *f);
void conformance_refusals(struct fixture *f);
void conformance_atomic_units(struct fixture *f);
