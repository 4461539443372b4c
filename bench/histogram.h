/*
 * histogram.h: durations in nanoseconds, counted in buckets whose width grows with the value: any percentile is
 * known to 1/32 of itself, in fixed memory, whatever was added.
 */
#pragma once

#include "base/compiler.h"

enum {
    HISTOGRAM_SUB_BITS = 5, /* 32 buckets for each power of two */
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

struct histogram {
    uint64_t count, max; /* max is exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
/*
 * The least value that at least share (0..1) of the values do not exceed, up to the width of its bucket: never
 * below it, at most 1/32 above it, never above max. 0 when nothing was added.
 */
uint64_t histogram_percentile(const struct histogram *h, double share);
