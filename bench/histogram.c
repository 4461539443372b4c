/*
 * histogram.c: log-linear buckets. Values below 32 have a bucket each; from there on every power of two is cut into
 * 32 buckets of the same width.
 */
#include "histogram.h"

#include <math.h>

static unsigned bucket_of(uint64_t v)
{
    if (v < 1U << HISTOGRAM_SUB_BITS)
        return (unsigned)v;
    unsigned shift = 63U - (unsigned)__builtin_clzll(v) - HISTOGRAM_SUB_BITS;
    /* v >> shift is in 32..63: its leading bit names the power of two */
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(v >> shift);
}

static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < 2U << HISTOGRAM_SUB_BITS)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t lead = (bucket & ((1U << HISTOGRAM_SUB_BITS) - 1)) + (1U << HISTOGRAM_SUB_BITS);
    return (lead << shift) + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->count++;
    h->buckets[bucket_of(ns)]++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
    uint64_t want = (uint64_t)ceil((double)h->count * share), seen = 0;
    if (h->count == 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= want && seen > 0) {
            uint64_t top = bucket_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}
