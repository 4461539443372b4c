/* queue_memory_internal.h: what the two halves of the memory adapter share. */
#pragma once

#include "store/lease.h"
#include "store/queue_adapter.h"

#include <pthread.h>

struct stored {
    struct arena arena; /* holds all that m points to */
    struct queue_message m;
};

struct memory {
    struct queue base;
    pthread_mutex_t mutex; /* guards all below */
    struct lease_table leases;
    struct stored **messages; /* by ascending id */
    size_t count, cap;
    uint64_t last_id;
    struct span *held; /* names of queues, each allocated, in their order */
    size_t held_count;
};

/* Replace the texts of a recipient, or an envelope (without body and recipients), by copies. False: memory is out.
 */
NODISCARD bool memory_dup_recipient(struct arena *a, struct queue_recipient *r);
NODISCARD bool memory_dup_envelope(struct arena *a, struct queue_message *m);
/* The place of the id in messages, or where it would stand. */
size_t memory_place(const struct memory *q, uint64_t id);
/* NULL: there is none. */
struct stored *memory_find(const struct memory *q, uint64_t id);

/* queue_memory_read.c: the functions of struct queue_class that read. */
enum err_code memory_claim(struct queue *base, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                           struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err);
enum err_code memory_next_due(struct queue *base, int64_t now_ms, int64_t *ret, struct err *err);
void memory_lease(struct queue *base, const struct queue_key *keys, size_t count, int64_t until_ms);
enum err_code memory_load(struct queue *base, uint64_t id, unsigned parts, struct arena *arena,
                          struct queue_message *ret, struct err *err);
enum err_code memory_list(struct queue *base, uint64_t after, size_t limit, struct arena *arena,
                          struct queue_page *ret, struct err *err);
enum err_code memory_waiting(struct queue *base, queue_waiting_fn *each, void *context, struct err *err);
enum err_code memory_counts(struct queue *base, struct queue_counts *ret, struct err *err);
enum err_code memory_held(struct queue *base, struct arena *arena, struct span **ret, size_t *ret_count,
                          struct err *err);
enum err_code memory_names_spool(struct queue *base, struct span name, bool *ret, struct err *err);
