/*
 * held.c: the names of the queues that are suspended, as the store keeps them.
 *
 * Invariant: sorted, each name once. Few: an administrator suspends them one by one.
 */
#include "role/queue/transport.h"

#include <stdlib.h>
#include <string.h>

struct held {
    struct span *names; /* each allocated */
    size_t count;
};

/* Where the name is, or would be. */
static size_t place(const struct held *h, struct span name)
{
    size_t low = 0, high = h->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_cmp(h->names[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool held_has(const struct transport *t, struct span name)
{
    const struct held *h = t->held_queues;
    size_t i = place(h, name);
    return i < h->count && span_eq(h->names[i], name);
}

const struct span *held_names(const struct transport *t, size_t *ret_count)
{
    *ret_count = t->held_queues->count;
    return t->held_queues->names;
}

static void insert(struct held *h, size_t i, struct span name)
{
    h->names = reallocarray(h->names, h->count + 1, sizeof *h->names);
    char *copy = strndup(name.ptr, name.len);
    ASSERT(h->names && copy);
    memmove(h->names + i + 1, h->names + i, (h->count - i) * sizeof *h->names);
    h->names[i] = span_make(copy, name.len);
    h->count++;
}

void held_set(struct transport *t, struct span name, bool held)
{
    struct held *h = t->held_queues;
    size_t i = place(h, name);
    if (held_has(t, name) == held)
        return;
    if (held) {
        insert(h, i, name);
        return;
    }
    free((char *)(uintptr_t)h->names[i].ptr);
    memmove(h->names + i, h->names + i + 1, (h->count - i - 1) * sizeof *h->names);
    h->count--;
}

enum err_code held_read(struct transport *t, struct err *err)
{
    struct arena arena;
    struct span *names = NULL;
    size_t count = 0;
    t->held_queues = calloc(1, sizeof *t->held_queues);
    if (!t->held_queues)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    arena_init(&arena, 0);
    enum err_code code = queue_held(t->store, &arena, &names, &count, err);
    for (size_t i = 0; !code && i < count; i++)
        held_set(t, names[i], true);
    arena_clear(&arena);
    return code;
}
