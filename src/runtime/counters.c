/*
 * counters.c: see counters.h.
 *
 * Invariants: a column has one writer, so its counts need no read-modify-write; all accesses are atomic loads and
 * stores. A key is stored before its count, and own counts are stored before others' are read, both sequentially
 * consistent: of two that count at the same moment at least one sees both. No index comes from the shared memory;
 * sums of all there can be fit in 64 bits. A slot is free when its count is 0, or its last second is no time of the
 * last minute: so rubbish in a column of ours ages like everything else.
 */
#include "runtime/counters.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT_SETS = 2048,
    COUNT_SLOTS = 10, /* with the overflow, two cache lines */
    RATE_SETS = 512,
    RATE_SLOTS = 8,
    RING = 64, /* seconds; more than RATE_WINDOW_S + 1 */
    PARTS_MAX = 512,
};

struct count_set {
    _Atomic uint64_t keys[COUNT_SLOTS];
    _Atomic uint32_t counts[COUNT_SLOTS];
    _Atomic uint32_t overflow, reserved;
};

/* How many in each of the last seconds: `ring` at the second modulo RING, up to `last`. */
struct rate_slot {
    _Atomic uint64_t key;
    _Atomic uint32_t last, reserved;
    _Atomic uint16_t ring[RING];
};

struct column {
    struct count_set counts[COUNT_SETS];
    struct rate_slot rates[RATE_SETS][RATE_SLOTS];
};

struct counters {
    struct column *columns;
    struct column *own;
    uint32_t count;
    struct hash_key key;
};

_Static_assert(sizeof(struct count_set) == 128, "two cache lines");
_Static_assert(RING > RATE_WINDOW_S + 1, "the present second beside a whole window");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_SHORT_LOCK_FREE == 2, "shared between processes");

size_t counters_size(uint32_t columns)
{
    return columns * sizeof(struct column);
}

struct counters *counters_open(void *memory, uint32_t columns, uint32_t own, struct hash_key key)
{
    ASSERT(columns && columns <= COUNTERS_COLUMNS_MAX && own < columns && (uintptr_t)memory % 64 == 0);
    struct counters *c = calloc(1, sizeof *c);
    if (c)
        *c = (struct counters){.columns = memory, .count = columns, .key = key};
    if (c)
        c->own = &c->columns[own];
    return c;
}

void counters_close(struct counters *c)
{
    free(c);
}

void counters_clear(struct counters *c, uint32_t column)
{
    ASSERT(column < c->count);
    struct column *dead = &c->columns[column];
    for (size_t i = 0; i < COUNT_SETS; i++) {
        for (size_t k = 0; k < COUNT_SLOTS; k++)
            dead->counts[i].counts[k] = 0;
        dead->counts[i].overflow = 0;
    }
    for (size_t i = 0; i < RATE_SETS; i++)
        for (size_t k = 0; k < RATE_SLOTS; k++)
            dead->rates[i][k].key = 0;
}

uint64_t counters_key(const struct counters *c, enum counter_kind kind, const struct span *parts, size_t count)
{
    char text[PARTS_MAX];
    size_t n = 0;
    text[n++] = (char)kind;
    for (size_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)parts[i].len;
        ASSERT(parts[i].len <= sizeof text && sizeof text - n >= sizeof len + parts[i].len);
        memcpy(text + n, &len, sizeof len);
        n += sizeof len;
        if (len)
            memcpy(text + n, parts[i].ptr, len);
        n += len;
    }
    uint64_t key = keyed_hash(c->key, span_make(text, n));
    return key ? key : 1; /* 0 is no key: what was never written */
}

struct ip_addr counters_source(struct ip_addr a)
{
    if (!ip_is_v4(a))
        memset(a.bytes + 8, 0, 8);
    return a;
}

/* ---- how many at a time ---- */

static struct count_set *count_set(const struct column *column, uint64_t key)
{
    return (struct count_set *)(uintptr_t)&column->counts[key % COUNT_SETS];
}

/* Our count of the key, or NULL: there is none. */
static _Atomic uint32_t *own_count(const struct counters *c, uint64_t key)
{
    struct count_set *set = count_set(c->own, key);
    for (size_t i = 0; i < COUNT_SLOTS; i++)
        if (set->keys[i] == key && set->counts[i])
            return &set->counts[i];
    return NULL;
}

static void change(_Atomic uint32_t *count, bool up)
{
    uint32_t n = *count;
    if (up ? n < UINT32_MAX : n > 0)
        *count = up ? n + 1 : n - 1;
}

void counter_add(struct counters *c, uint64_t key)
{
    struct count_set *set = count_set(c->own, key);
    _Atomic uint32_t *count = own_count(c, key);
    for (size_t i = 0; !count && i < COUNT_SLOTS; i++)
        if (set->counts[i] == 0) {
            set->keys[i] = key;
            count = &set->counts[i];
        }
    change(count ? count : &set->overflow, true);
}

void counter_drop(struct counters *c, uint64_t key)
{
    _Atomic uint32_t *count = own_count(c, key);
    change(count ? count : &count_set(c->own, key)->overflow, false);
}

uint64_t counter_sum(const struct counters *c, uint64_t key)
{
    uint64_t sum = 0;
    for (uint32_t n = 0; n < c->count; n++) {
        struct count_set *set = count_set(&c->columns[n], key);
        for (size_t i = 0; i < COUNT_SLOTS; i++)
            if (set->keys[i] == key)
                sum += set->counts[i];
        sum += set->overflow;
    }
    return sum;
}

/* ---- how many a minute ---- */

static struct rate_slot *rate_set(const struct column *column, uint64_t key)
{
    return (struct rate_slot *)(uintptr_t)column->rates[key % RATE_SETS];
}

static uint32_t second_of(int64_t now_ms)
{
    return (uint32_t)(now_ms / 1000);
}

/* Something was counted in the window that ends now. Another process may be a little ahead of us. */
static bool is_live(const struct rate_slot *slot, uint32_t now)
{
    uint32_t last = slot->last;
    return slot->key && now - last + 1 <= RATE_WINDOW_S + 1;
}

/* The whole window and the second that has begun: never fewer than there were in any RATE_WINDOW_S up to now. */
static uint64_t slot_sum(const struct rate_slot *slot, uint32_t now)
{
    uint64_t sum = 0;
    if (!is_live(slot, now))
        return 0;
    uint32_t last = slot->last, first = now - RATE_WINDOW_S;
    for (uint32_t n = last - first; n <= RATE_WINDOW_S + 1; n--) {
        sum += slot->ring[(first + n) % RING];
        if (n == 0)
            break;
    }
    return sum;
}

uint64_t rate_sum(const struct counters *c, uint64_t key, int64_t now_ms)
{
    uint64_t sum = 0;
    for (uint32_t n = 0; n < c->count; n++) {
        const struct rate_slot *set = rate_set(&c->columns[n], key);
        for (size_t i = 0; i < RATE_SLOTS; i++)
            if (set[i].key == key)
                sum += slot_sum(&set[i], second_of(now_ms));
    }
    return sum;
}

/* Our slot of the key; otherwise a free one, or the one that is missed least. */
static struct rate_slot *own_slot(const struct counters *c, uint64_t key, uint32_t now)
{
    struct rate_slot *set = rate_set(c->own, key), *least = NULL;
    uint64_t least_sum = UINT64_MAX;
    for (size_t i = 0; i < RATE_SLOTS; i++) {
        if (set[i].key == key && is_live(&set[i], now))
            return &set[i];
        uint64_t sum = slot_sum(&set[i], now);
        if (sum < least_sum) {
            least_sum = sum;
            least = &set[i];
        }
    }
    return least;
}

static void slot_begin(struct rate_slot *slot, uint64_t key, uint32_t now)
{
    slot->key = 0; /* nobody reads it for either key while it changes */
    for (size_t i = 0; i < RING; i++)
        slot->ring[i] = 0;
    slot->last = now;
    slot->key = key;
}

/* The seconds in which nothing was counted. */
static void slot_advance(struct rate_slot *slot, uint32_t now)
{
    uint32_t last = slot->last;
    for (uint32_t n = 1; n <= now - last && now - last < RING; n++)
        slot->ring[(last + n) % RING] = 0;
    if (now - last < RING)
        slot->last = now;
}

static void count_message(struct counters *c, uint64_t key, uint32_t now)
{
    struct rate_slot *slot = own_slot(c, key, now);
    if (slot->key != key || !is_live(slot, now))
        slot_begin(slot, key, now);
    slot_advance(slot, now);
    uint16_t n = slot->ring[now % RING];
    if (n < UINT16_MAX)
        slot->ring[now % RING] = (uint16_t)(n + 1);
}

void rate_give_back(struct counters *c, uint64_t key, int64_t now_ms)
{
    uint32_t now = second_of(now_ms);
    struct rate_slot *slot = own_slot(c, key, now);
    uint16_t n = slot->key == key ? slot->ring[now % RING] : 0;
    if (n)
        slot->ring[now % RING] = (uint16_t)(n - 1);
}

bool rate_take(struct counters *c, uint64_t key, uint32_t limit, int64_t now_ms)
{
    if (limit == RATE_UNLIMITED)
        return true;
    count_message(c, key, second_of(now_ms));
    if (rate_sum(c, key, now_ms) <= limit)
        return true;
    rate_give_back(c, key, now_ms);
    return false;
}
