/*
 * test_model.h: a queue driven by bytes and compared, step by step, with a model that is too simple to be wrong.
 * Bytes from a seed make a property test, bytes from a fuzzer a fuzz target.
 */
#pragma once

#include "store/queue.h"

/* Runs the operations that the bytes mean on an empty queue. The first difference is told and ends the process. */
void model_run(struct queue *q, const uint8_t *bytes, size_t size);
