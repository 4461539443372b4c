/*
 * unreachable.c: recipients that wait for a send connector. They are in the store with a retry of their own; here
 * is only who they are, so that a new policy can bring them forward. Bounded: who is not noted waits for the retry.
 */
#include "role/queue/changes.h"

#include "runtime/clock.h"

#include <stdlib.h>

enum { NOTED_MAX = 10000 };

struct unreachable {
    size_t count;
    struct queue_key keys[NOTED_MAX];
};

void unreachable_add(struct transport *t, struct queue_key key)
{
    if (!t->unreachable)
        t->unreachable = calloc(1, sizeof *t->unreachable);
    if (t->unreachable && t->unreachable->count < NOTED_MAX)
        t->unreachable->keys[t->unreachable->count++] = key;
}

/* One that was delivered or removed meanwhile is not found: that refuses its unit alone, and is as good. */
static void on_resumed(struct change *c)
{
    claims_wake(c->transport);
    change_free(c);
}

void unreachable_resume(struct transport *t)
{
    struct unreachable *u = t->unreachable;
    int64_t now = clock_wall_ms();
    for (size_t i = 0; u && i < u->count; i++) {
        struct change *c = change_new(t, 1, on_resumed, NULL);
        if (!c)
            break;
        struct queue_op *op = change_op(c, QUEUE_OP_RESUME);
        op->message = u->keys[i].message;
        op->index = u->keys[i].index;
        op->when_ms = now;
        if (change_submit(c))
            change_free(c); /* too much waits: it is tried at its own time */
    }
    if (u)
        u->count = 0;
}
