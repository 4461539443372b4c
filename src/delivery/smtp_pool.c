/* smtp_pool.c: the list of resting connections. It is short (max_idle), so a search is a walk. */
#include "delivery/smtp_internal.h"

struct smtp_connection *smtp_pool_add(struct smtp_connection *c)
{
    struct delivery_engine *e = c->engine;
    ASSERT(!c->resting);
    c->resting = true;
    c->idle_prev = e->idle_last;
    c->idle_next = NULL;
    if (e->idle_last)
        e->idle_last->idle_next = c;
    else
        e->idle_first = c;
    e->idle_last = c;
    e->idle_count++;
    struct smtp_connection *oldest = e->idle_first;
    if (e->idle_count <= e->options.max_idle)
        return NULL;
    smtp_pool_remove(oldest);
    return oldest;
}

void smtp_pool_remove(struct smtp_connection *c)
{
    struct delivery_engine *e = c->engine;
    if (!c->resting)
        return;
    c->resting = false;
    if (c->idle_prev)
        c->idle_prev->idle_next = c->idle_next;
    else
        e->idle_first = c->idle_next;
    if (c->idle_next)
        c->idle_next->idle_prev = c->idle_prev;
    else
        e->idle_last = c->idle_prev;
    e->idle_count--;
}

struct smtp_connection *smtp_pool_take(struct delivery_engine *e, struct span key)
{
    for (struct smtp_connection *c = e->idle_last; c; c = c->idle_prev) {
        if (span_eq(c->key, key)) {
            smtp_pool_remove(c);
            return c;
        }
    }
    return NULL;
}
