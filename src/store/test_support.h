/* test_support.h: a temporary folder, seeded numbers and short ways to write to a queue, for the tests of the
 * store. */
#pragma once

#include "store/queue.h"

/* A new folder below $TMPDIR, and its removal with all it holds. */
struct folder {
    char path[256];
};
void folder_make(struct folder *f);
void folder_remove(struct folder *f);
/* The path of a file in it; valid until the next call but three. */
const char *folder_file(const struct folder *f, const char *name);

/* Numbers that are the same in every run. */
struct draw {
    uint64_t state;
};
uint64_t draw(struct draw *d, uint64_t below);

/* Commits the ops as one unit and gives its answer. removed may be NULL. */
enum err_code commit_ops(struct queue *q, struct queue_op *ops, size_t count, struct buf *removed);
/* Enqueues a message of n recipients r0@..., due at due_ms, with the inline body; gives its id. Must succeed. */
uint64_t enqueue_simple(struct queue *q, size_t n, int64_t due_ms, struct span body);
enum err_code finish(struct queue *q, uint64_t id, uint32_t index, enum queue_state state);
