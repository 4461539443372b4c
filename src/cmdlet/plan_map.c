/* plan_map.c: a sorted table of Guids. It is filled class by class and looked into between. */
#include "cmdlet/plan_internal.h"

#include <stdlib.h>

enum { GUID_LEN = 36 };

static int by_from(const void *a, const void *b)
{
    return span_icmp(((const struct plan_pair *)a)->from, ((const struct plan_pair *)b)->from);
}

bool plan_map_add(struct plan_map *m, struct span from, struct span to)
{
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct plan_pair *grown = ARENA_ARRAY(m->arena, cap, struct plan_pair);
        if (!grown)
            return false;
        for (size_t i = 0; i < m->count; i++)
            grown[i] = m->pairs[i];
        m->pairs = grown;
        m->cap = cap;
    }
    m->pairs[m->count++] = (struct plan_pair){from, to};
    m->sorted = false;
    return true;
}

struct span plan_map_guid(struct plan_map *m, struct span guid)
{
    const struct plan_pair wanted = {.from = guid};
    if (!m->sorted && m->count)
        qsort(m->pairs, m->count, sizeof *m->pairs, by_from);
    m->sorted = true;
    const struct plan_pair *found =
        m->count ? bsearch(&wanted, m->pairs, m->count, sizeof *m->pairs, by_from) : NULL;
    return found ? found->to : guid;
}

static bool is_guid(struct span s)
{
    for (size_t i = 0; i < GUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.ptr[i] != '-' : !ascii_is_alnum(s.ptr[i]))
            return false;
    }
    return true;
}

struct span plan_map_text(struct plan_map *m, struct span text)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    for (size_t n; text.len; text = span_from(text, n)) {
        bool guid = text.len >= GUID_LEN && is_guid(span_head(text, GUID_LEN));
        n = guid ? GUID_LEN : 1;
        buf_add(&b, guid ? plan_map_guid(m, span_head(text, n)) : span_head(text, n));
    }
    struct span mapped = b.failed ? SPAN("") : arena_dup(m->arena, buf_span(&b));
    if (b.failed)
        mapped.ptr = NULL;
    buf_done(&b);
    return mapped;
}
