/*
 * credential_cache.h: credentials that were verified a moment ago, so that a client's second logon costs
 * microseconds. Holds no password and nothing that helps to guess one: each entry is an HMAC-SHA-256, keyed with a
 * secret of this process, over the account, its stored hash and the password. Another password, or another hash in
 * the store, is another entry. Only successes are kept. Belongs to one thread.
 */
#pragma once

#include "base/span.h"

struct credential_cache;

/* Milliseconds; the default for lifetime_ms. */
enum { CREDENTIAL_CACHE_LIFETIME_MS = 5 * 60 * 1000 };

/* At least `entries` (rounded up to a power of two, 56 bytes each). NULL when memory or randomness is out. */
struct credential_cache *credential_cache_new(size_t entries, int64_t lifetime_ms);
void credential_cache_free(struct credential_cache *c); /* NULL allowed */

/* True when the password was verified for this account and hash less than the lifetime ago. */
bool credential_cache_has(const struct credential_cache *c, struct span guid, struct span password_hash,
                          struct span password, int64_t now_ms);
/* Remembers a success; where its place is full the oldest there goes. */
void credential_cache_add(struct credential_cache *c, struct span guid, struct span password_hash,
                          struct span password, int64_t now_ms);
/* Drops what belongs to an account. */
void credential_cache_forget(struct credential_cache *c, struct span guid);
void credential_cache_clear(struct credential_cache *c);
