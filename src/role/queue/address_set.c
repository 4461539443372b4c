/* address_set.c: the C library's search tree over borrowed spans. Without memory for a node the process ends. */
#include "role/queue/address_set.h"

#include <search.h>

struct walk {
    void (*each)(void *context, const struct span *address);
    void *context;
};

static int compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return span_icmp(*x, *y);
}

static void keep(void *node)
{
    (void)node; /* borrowed */
}

static void on_node(const void *node, VISIT which, void *context)
{
    const struct walk *w = context;
    if (which == postorder || which == leaf)
        w->each(w->context, *(const struct span *const *)node);
}

bool address_set_add(struct address_set *s, const struct span *address)
{
    void *node = tsearch(address, &s->tree, compare);
    ASSERT(node);
    return *(const struct span *const *)node == address;
}

struct span *address_set_enter(struct address_set *s, struct span *address)
{
    void *node = tsearch(address, &s->tree, compare);
    ASSERT(node);
    return *(struct span *const *)node;
}

void address_set_each(const struct address_set *s, void (*each)(void *context, const struct span *address),
                      void *context)
{
    struct walk w = {each, context};
    twalk_r(s->tree, on_node, &w);
}

void address_set_clear(struct address_set *s)
{
    tdestroy(s->tree, keep);
    s->tree = NULL;
}
