/*
 * sts.h: the MTA-STS policy of a domain (RFC 8461, 3 and 5): the record in the DNS, the policy by HTTPS, and what
 * is remembered of both. A policy counts until its max_age is over, whatever the DNS says or does not say by then:
 * so that nobody who can spoil the DNS or the way to the policy can switch it off after the first time.
 */
#pragma once

#include "delivery/https.h"
#include "delivery/resolver.h"
#include "delivery/sts_policy.h"

struct sts;
struct sts_question;
struct sts_cache;

enum {
    STS_CACHE_MAX = 10000,    /* domains; the one that was not asked for longest goes first */
    STS_TIMEOUT_MS = 30000,   /* for record and policy together */
    STS_RETRY_MS = 300 * 1000 /* after a fetch that failed, none for so long */
};

/* policy: that of the domain, valid during the call; NULL: it has none. */
typedef void sts_done_fn(void *context, const struct sts_policy *policy);

/* What is remembered; it may outlive those who ask. NULL when memory is out. */
struct sts_cache *sts_cache_new(void);
void sts_cache_free(struct sts_cache *c);

/* A fetch that failed; for whoever logs. */
typedef void sts_failed_fn(void *context, struct span domain, const char *why);

/* All is borrowed. NULL when memory is out. */
struct sts *sts_new(uv_loop_t *loop, struct resolver *resolver, struct https *https, struct sts_cache *cache,
                    sts_failed_fn *failed, void *context);
/* No question may be open. Breaks off what is under way; closed(context) comes from the loop when that is done. */
void sts_close(struct sts *s, void (*closed)(void *context), void *context);

/* The domain is a valid name. done() comes from the loop, within STS_TIMEOUT_MS. NULL when memory is out. */
struct sts_question *sts_ask(struct sts *s, struct span domain, sts_done_fn *done, void *context);
void sts_question_cancel(struct sts_question *q);
