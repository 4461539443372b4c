/*
 * keyed_hash.h: SipHash-2-4 (Aumasson, Bernstein): a 64-bit hash that nobody can make collide who does not know the
 * key. For tables whose keys a peer chooses.
 */
#pragma once

#include "base/span.h"

struct hash_key {
    uint64_t k0, k1;
};

uint64_t keyed_hash(struct hash_key key, struct span s);
