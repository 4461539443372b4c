/*
 * scenario.h: a queue and its spool used as the queue role uses them, step by step beside a model: the memory
 * adapter, which the conformance suite holds to the same contract. The steps depend on their seed alone.
 *
 * What a step was acknowledged for is applied to the model too; what was refused is not. So the two must look the
 * same whenever the queue is opened, whatever happened to it meanwhile.
 */
#pragma once

#include "base/buf.h"
#include "store/queue.h"
#include "store/spool.h"
#include "store/test_support.h"

/* A durable adapter of the queue. */
struct crash_adapter {
    const char *name;
    enum err_code (*open)(const char *folder, struct queue **ret, struct err *err);
};
extern const struct crash_adapter crash_adapters[];
extern const size_t crash_adapter_count;

struct live;

struct scenario {
    const struct crash_adapter *adapter;
    const char *folder;
    struct queue *queue, *model;
    struct spool spool;
    struct draw draw;
    struct live *live; /* messages that are not final, as the model has them */
    size_t live_count;
    uint64_t last_id;
    size_t acknowledged; /* units, and */
    size_t refused;      /* those that failed for the disk's sake */
};

void scenario_start(struct scenario *s, const struct crash_adapter *a, const char *folder, uint64_t seed);
void scenario_end(struct scenario *s);
/*
 * One batch of units, or the maintenance that stands behind one. Where the outcome of a commit is unknown, or the
 * adapter wants to be opened again, false: close the queue, find out (scenario_reopen), go on.
 */
bool scenario_step(struct scenario *s);
/*
 * Opens the queue again, sound, as a start of the server does, and finds out what a commit of unknown outcome
 * became: the model follows if it is there. Anything else that differs from the model fails the test.
 */
void scenario_reopen(struct scenario *s, const char *row);

/* All that a queue holds, a line for each message and recipient, with its bodies' hashes. */
struct buf scenario_dump(struct queue *q, const struct spool *spool);
/*
 * The same of the queue in a folder, opened and swept as at a start. Fails the test when it does not open, or its
 * spool holds anything that no message names.
 */
struct buf scenario_dump_folder(const struct crash_adapter *a, const char *folder, const char *row);
/* What the model holds. */
struct buf scenario_model(struct scenario *s);
