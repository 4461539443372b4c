/*
 * queue_adapter.h: what an adapter behind queue.h implements. Included by the adapters and by fakes of tests only.
 *
 * queue.c checks what is the same for all (limits, kinds, indexes) before it calls commit; an adapter sees units
 * whose result is ERR_NONE and skips the others, which are refused already.
 */
#pragma once

#include "store/queue.h"

struct queue_class {
    enum err_code (*commit)(struct queue *q, struct queue_unit *const *units, size_t count, struct buf *removed,
                            struct err *err);
    enum err_code (*maintain)(struct queue *q, bool idle, struct err *err);
    uint64_t (*reserve_id)(struct queue *q);
    enum err_code (*claim)(struct queue *q, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                           struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err);
    enum err_code (*next_due)(struct queue *q, int64_t now_ms, int64_t *ret, struct err *err);
    void (*lease)(struct queue *q, const struct queue_key *keys, size_t count, int64_t until_ms);
    enum err_code (*load)(struct queue *q, uint64_t id, unsigned parts, struct arena *arena,
                          struct queue_message *ret, struct err *err);
    enum err_code (*list)(struct queue *q, uint64_t after, size_t limit, struct arena *arena,
                          struct queue_page *ret, struct err *err);
    enum err_code (*waiting)(struct queue *q, queue_waiting_fn *each, void *context, struct err *err);
    enum err_code (*counts)(struct queue *q, struct queue_counts *ret, struct err *err);
    enum err_code (*held)(struct queue *q, struct arena *arena, struct span **ret, size_t *ret_count,
                          struct err *err);
    enum err_code (*names_spool)(struct queue *q, struct span name, bool *ret, struct err *err);
    void (*close)(struct queue *q);
};

/* The first member of an adapter's own struct. */
struct queue {
    const struct queue_class *class;
};

/* subject and last_error as they are stored: cut to their limits at a character's end. */
struct span queue_subject(struct span s);
struct span queue_error_text(struct span s);

/* The refusals that every adapter words alike. Each gives its code. */
enum err_code queue_no_message(uint64_t id, struct err *err);
enum err_code queue_no_recipient(uint64_t id, uint32_t index, struct err *err);
enum err_code queue_id_taken(uint64_t id, struct err *err);
enum err_code queue_no_memory(struct err *err);

/* A recipient that was found for a claim: order counts from 0, the most urgent first. */
struct queue_claimed {
    struct queue_key key;
    size_t order;
};
/*
 * Reorders so that recipients of one message stand together: messages by their most urgent recipient, recipients by
 * index. Gives the number of messages.
 */
size_t queue_group(struct queue_claimed *claimed, size_t count);
