/* sts_cache.h: the policies that are remembered, by domain. Private to sts.c and its tests. */
#pragma once

#include "delivery/sts.h"

struct sts_entry {
    struct sts_entry *next;          /* in its bucket */
    struct sts_entry *newer, *older; /* by last use */
    uint64_t hash;
    char domain[RESOLVER_NAME_MAX + 1]; /* lower-case */
    char id[STS_ID_MAX + 1];            /* of the record that the policy was fetched for */
    struct buf text;                    /* the policy; empty: none yet */
    struct sts_policy policy;
    int64_t expires_ms; /* of the policy */
    int64_t retry_ms;   /* no fetch before; 0: at any time */
};

/* The domain's, and it is the newest then; NULL: there is none. */
struct sts_entry *sts_cache_find(struct sts_cache *c, struct span domain);
/* The same, made where there is none; the oldest goes when there are too many. NULL when memory is out. */
struct sts_entry *sts_cache_touch(struct sts_cache *c, struct span domain);
/* Takes a policy in: text is copied. ERR_INVALID and so on: the one before stays. */
enum err_code sts_cache_store(struct sts_entry *e, struct span id, struct span text, int64_t now_ms,
                              struct err *err);
size_t sts_cache_count(const struct sts_cache *c);
