/*
 * credential_cache.c: a fixed table of sets of WAYS entries; an HMAC's first bytes choose the set, so nobody
 * without the process's secret can aim at one.
 *
 * Invariants: an entry is free when expires_ms is 0. Time that runs backwards only ends entries early.
 */
#include "directory/credential_cache.h"

#include "base/secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LEN = 32, TAG_LEN = 32, WAYS = 4, MESSAGE_MAX = 2048, ENTRIES_MAX = 1 << 20 };

struct entry {
    uint8_t tag[TAG_LEN];
    uint64_t account; /* hash of the GUID: a collision forgets one entry too many */
    int64_t added_ms, expires_ms;
};

struct credential_cache {
    uint8_t secret[SECRET_LEN];
    int64_t lifetime_ms;
    size_t sets; /* a power of two */
    struct entry entries[];
};

struct credential_cache *credential_cache_new(size_t entries, int64_t lifetime_ms)
{
    ASSERT(entries <= ENTRIES_MAX && lifetime_ms >= 0);
    size_t sets = 1;
    while (sets * WAYS < entries)
        sets *= 2;
    struct credential_cache *c = calloc(1, sizeof *c + sets * WAYS * sizeof c->entries[0]);
    if (!c)
        return NULL;
    c->sets = sets;
    c->lifetime_ms = lifetime_ms;
    if (RAND_bytes(c->secret, sizeof c->secret) != 1) {
        free(c);
        return NULL;
    }
    return c;
}

void credential_cache_free(struct credential_cache *c)
{
    if (!c)
        return;
    explicit_bzero(c, sizeof *c + c->sets * WAYS * sizeof c->entries[0]);
    free(c);
}

/* Adds a part with its length before it, so that no two triples give the same message. */
static bool add_part(uint8_t *message, size_t *len, struct span part)
{
    uint32_t n = (uint32_t)part.len;
    if (part.len > MESSAGE_MAX || *len + sizeof n + part.len > MESSAGE_MAX)
        return false;
    memcpy(message + *len, &n, sizeof n);
    if (n)
        memcpy(message + *len + sizeof n, part.ptr, n);
    *len += sizeof n + n;
    return true;
}

static bool make_tag(const struct credential_cache *c, struct span guid, struct span hash, struct span password,
                     uint8_t tag[static TAG_LEN])
{
    uint8_t message[MESSAGE_MAX];
    size_t len = 0;
    unsigned n = 0;
    bool ok = add_part(message, &len, guid) && add_part(message, &len, hash) && add_part(message, &len, password) &&
              HMAC(EVP_sha256(), c->secret, sizeof c->secret, message, len, tag, &n) != NULL && n == TAG_LEN;
    explicit_bzero(message, len);
    return ok;
}

static size_t set_of(const struct credential_cache *c, const uint8_t *tag)
{
    uint64_t first;
    memcpy(&first, tag, sizeof first);
    return (size_t)(first & (c->sets - 1)) * WAYS;
}

static bool live(const struct entry *e, int64_t now_ms)
{
    return e->expires_ms > now_ms && e->added_ms <= now_ms;
}

bool credential_cache_has(const struct credential_cache *c, struct span guid, struct span password_hash,
                          struct span password, int64_t now_ms)
{
    uint8_t tag[TAG_LEN];
    if (!make_tag(c, guid, password_hash, password, tag))
        return false;
    const struct entry *set = &c->entries[set_of(c, tag)];
    for (size_t i = 0; i < WAYS; i++)
        if (live(&set[i], now_ms) && secret_equal(span_make(set[i].tag, TAG_LEN), span_make(tag, TAG_LEN)))
            return true;
    return false;
}

void credential_cache_add(struct credential_cache *c, struct span guid, struct span password_hash,
                          struct span password, int64_t now_ms)
{
    uint8_t tag[TAG_LEN];
    if (!make_tag(c, guid, password_hash, password, tag))
        return;
    struct entry *set = &c->entries[set_of(c, tag)], *place = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].tag, tag, TAG_LEN) == 0) {
            place = &set[i];
            break;
        }
        if (set[i].expires_ms < place->expires_ms)
            place = &set[i];
    }
    memcpy(place->tag, tag, TAG_LEN);
    place->account = span_ihash(guid);
    place->added_ms = now_ms;
    place->expires_ms = now_ms + c->lifetime_ms;
}

void credential_cache_forget(struct credential_cache *c, struct span guid)
{
    uint64_t account = span_ihash(guid);
    for (size_t i = 0; i < c->sets * WAYS; i++)
        if (c->entries[i].account == account)
            explicit_bzero(&c->entries[i], sizeof c->entries[i]);
}

void credential_cache_clear(struct credential_cache *c)
{
    explicit_bzero(c->entries, c->sets * WAYS * sizeof c->entries[0]);
}
