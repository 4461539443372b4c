/*
 * unreachable.c: recipients that wait for a send connector. They are in the store with a retry of their own; here
 * is only who they are, each once however often it was tried, so that a new policy can bring them forward. Bounded:
 * who is not noted waits for the retry.
 */
#include "role/queue/changes.h"

#include "runtime/clock.h"

#include <search.h>
#include <stdlib.h>

enum { NOTED_MAX = 10000 };

struct unreachable {
    void *tree; /* of the keys noted */
    size_t count;
    struct queue_key keys[NOTED_MAX];
};

static int compare(const void *a, const void *b)
{
    const struct queue_key *x = a, *y = b;
    if (x->message != y->message)
        return x->message < y->message ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void keep(void *node)
{
    (void)node; /* lies in `keys` */
}

void unreachable_add(struct transport *t, struct queue_key key)
{
    if (!t->unreachable)
        t->unreachable = calloc(1, sizeof *t->unreachable);
    struct unreachable *u = t->unreachable;
    if (!u || u->count == NOTED_MAX || tfind(&key, &u->tree, compare))
        return;
    u->keys[u->count] = key;
    if (tsearch(&u->keys[u->count], &u->tree, compare))
        u->count++;
}

/* One that was delivered, removed or suspended meanwhile is not found: that refuses its unit alone, and is as good.
 */
static void on_resumed(struct change *c)
{
    claims_wake(c->transport);
    change_free(c);
}

static void resume(struct transport *t, struct queue_key key, int64_t now)
{
    struct change *c = change_new(t, 1, on_resumed, NULL);
    if (!c)
        return;
    struct queue_op *op = change_op(c, QUEUE_OP_HASTEN);
    op->message = key.message;
    op->index = key.index;
    op->when_ms = now;
    if (change_submit(c))
        change_free(c); /* too much waits: it is tried at its own time */
}

void unreachable_resume(struct transport *t)
{
    struct unreachable *u = t->unreachable;
    int64_t now = clock_wall_ms();
    if (!u)
        return;
    for (size_t i = 0; i < u->count; i++)
        resume(t, u->keys[i], now);
    tdestroy(u->tree, keep);
    u->tree = NULL;
    u->count = 0;
}
