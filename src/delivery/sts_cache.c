/* sts_cache.c: see sts_cache.h. A table of fixed size with chains, and a list by last use. */
#include "delivery/sts_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS = 4096 };

struct sts_cache {
    struct sts_entry *buckets[BUCKETS], *newest, *oldest;
    size_t count;
    uint64_t key; /* so that nobody can choose names of one bucket */
};

struct sts_cache *sts_cache_new(void)
{
    struct sts_cache *c = calloc(1, sizeof *c);
    if (c && getrandom(&c->key, sizeof c->key, GRND_NONBLOCK) != (ssize_t)sizeof c->key)
        c->key = (uint64_t)(uintptr_t)c;
    return c;
}

static void unlink_use(struct sts_cache *c, struct sts_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct sts_cache *c, struct sts_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(struct sts_cache *c, struct sts_entry *e)
{
    struct sts_entry **at = &c->buckets[e->hash % BUCKETS];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    unlink_use(c, e);
    buf_done(&e->text);
    free(e);
    c->count--;
}

void sts_cache_free(struct sts_cache *c)
{
    while (c && c->newest)
        drop(c, c->newest);
    free(c);
}

/* FNV-1a with a key, over the name in lower case. */
static uint64_t hash_of(const struct sts_cache *c, struct span domain)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ c->key;
    for (size_t i = 0; i < domain.len; i++)
        h = (h ^ (unsigned char)ascii_lower(domain.ptr[i])) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

struct sts_entry *sts_cache_find(struct sts_cache *c, struct span domain)
{
    uint64_t hash = hash_of(c, domain);
    for (struct sts_entry *e = c->buckets[hash % BUCKETS]; e; e = e->next) {
        if (e->hash != hash || !span_ieq(span_of(e->domain), domain))
            continue;
        unlink_use(c, e);
        link_newest(c, e);
        return e;
    }
    return NULL;
}

struct sts_entry *sts_cache_touch(struct sts_cache *c, struct span domain)
{
    struct sts_entry *e = sts_cache_find(c, domain);
    if (e || domain.len > RESOLVER_NAME_MAX)
        return e;
    e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    if (c->count == STS_CACHE_MAX)
        drop(c, c->oldest);
    e->hash = hash_of(c, domain);
    for (size_t i = 0; i < domain.len; i++)
        e->domain[i] = ascii_lower(domain.ptr[i]);
    buf_init(&e->text, STS_POLICY_MAX);
    e->next = c->buckets[e->hash % BUCKETS];
    c->buckets[e->hash % BUCKETS] = e;
    link_newest(c, e);
    c->count++;
    return e;
}

enum err_code sts_cache_store(struct sts_entry *e, struct span id, struct span text, int64_t now_ms,
                              struct err *err)
{
    struct sts_policy p;
    struct buf copy;
    ASSERT(id.len <= STS_ID_MAX);
    buf_init(&copy, STS_POLICY_MAX);
    buf_add(&copy, text);
    enum err_code code = copy.failed
                             ? err_set(err, ERR_LIMIT, "the policy is longer than %d octets", STS_POLICY_MAX)
                             : sts_policy_parse(buf_span(&copy), &p, err);
    if (code) {
        buf_done(&copy);
        return code;
    }
    buf_done(&e->text);
    e->text = copy;
    e->policy = p;
    memcpy(e->id, id.ptr, id.len);
    e->id[id.len] = '\0';
    e->expires_ms = now_ms + (int64_t)p.max_age * 1000;
    e->retry_ms = 0;
    return ERR_NONE;
}

size_t sts_cache_count(const struct sts_cache *c)
{
    return c->count;
}
