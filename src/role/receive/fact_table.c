/*
 * fact_table.c: a hash table of rows in an arena, emptied every second.
 *
 * Invariants: the timer runs exactly while there is a row. A row is found by its key (client, level, what counts at
 * that level), compared in full; how many rows a client has is counted under its hash alone, so that two clients
 * with the same hash share their room, which harms neither. Hashes that a client makes equal cost it nothing but
 * its own room: no chain is longer than the rows of the clients who share it.
 */
#include "role/receive/fact_table.h"

#include "base/cursor.h"
#include "role/common/event_sender.h"
#include "role/common/fact.h"
#include "runtime/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FLUSH_MS = 1000,
    BUCKETS = 2 * FACTS_MAX,
    CLIENTS = 2 * FACTS_MAX, /* at most half full, since a client has a row */
    KEY_MAX = 4096,
    ARENA_MAX_ = 4 << 20,
};

struct row {
    struct fact fact;
    struct span key;
    uint16_t next; /* in its bucket: index + 1; 0: the last */
};

struct client {
    uint64_t hash; /* never 0 */
    uint8_t rows[FACT_LEVELS];
};

static struct {
    uv_timer_t timer;
    bool running;
    struct arena arena;
    struct buf key;
    struct row rows[FACTS_MAX];
    size_t count;
    uint16_t buckets[BUCKETS];
    struct client clients[CLIENTS];
    uint64_t dropped;
} table;

static void on_timer(uv_timer_t *t)
{
    (void)t;
    fact_table_flush();
}

void fact_table_init(struct role *role)
{
    arena_init(&table.arena, ARENA_MAX_);
    buf_init(&table.key, KEY_MAX);
    uv_timer_init(&role->loop, &table.timer);
    uv_unref((uv_handle_t *)&table.timer);
    table.running = true;
}

static void say_dropped(void)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, table.dropped);
    event_send((struct event){.kind = EVENT_LOST, .field[LOST_COUNT] = span_of(number)});
    table.dropped = 0;
}

void fact_table_flush(void)
{
    if (!table.running)
        return;
    uv_timer_stop(&table.timer);
    for (size_t i = 0; i < table.count; i++)
        fact_send(&table.rows[i].fact);
    if (table.dropped)
        say_dropped();
    table.count = 0;
    memset(table.buckets, 0, sizeof table.buckets);
    memset(table.clients, 0, sizeof table.clients);
    arena_reset(&table.arena);
}

/* Eight octets at a time; what it need not withstand is said above. */
static uint64_t hash_of(struct span s)
{
    const uint64_t k = 0x9e3779b97f4a7c15;
    uint64_t h = s.len * k, word = 0;
    for (; s.len >= sizeof word; s = span_from(s, sizeof word)) {
        memcpy(&word, s.ptr, sizeof word);
        h = (h ^ word) * k;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, s.ptr, s.len);
    h = (h ^ word) * k;
    return h ^ h >> 29;
}

/* NULL: there is no room for one more. */
static struct client *client_of(struct span who)
{
    uint64_t hash = hash_of(who) | 1;
    for (size_t i = (hash >> 1) % CLIENTS, n = 0; n < CLIENTS; i = (i + 1) % CLIENTS, n++)
        if (!table.clients[i].hash || table.clients[i].hash == hash) {
            table.clients[i].hash = hash;
            return &table.clients[i];
        }
    return NULL;
}

/* The row of the key in hand, or where its number is to be put. */
static struct row *find(uint16_t **ret_at)
{
    struct span key = buf_span(&table.key);
    uint16_t *at = &table.buckets[hash_of(key) % BUCKETS];
    for (; *at; at = &table.rows[*at - 1].next)
        if (span_eq(table.rows[*at - 1].key, key))
            return &table.rows[*at - 1];
    *ret_at = at;
    return NULL;
}

static bool insert(const struct fact *f, enum fact_level level, uint16_t *at)
{
    struct row *r = &table.rows[table.count];
    *r = (struct row){.fact = *f, .key = arena_dup(&table.arena, buf_span(&table.key))};
    r->fact.level = level;
    if (!r->key.ptr)
        return false;
    for (unsigned i = 0; i < FACT_TEXTS; i++) {
        r->fact.text[i] = arena_dup(&table.arena, f->text[i]);
        if (!r->fact.text[i].ptr)
            return false;
    }
    *at = (uint16_t)++table.count;
    return true;
}

static void make_key(const struct fact *f, enum fact_level level, struct span network, size_t *ret_client_len)
{
    buf_clear(&table.key);
    put_bytes(&table.key, network);
    put_bytes(&table.key, f->text[FACT_USER]);
    *ret_client_len = table.key.len;
    put_u8(&table.key, (uint8_t)level);
    fact_print_key(&table.key, f, level);
}

/* In the row that is there, or in a new one if the client has room at this level. */
static bool add_at(const struct fact *f, enum fact_level level, struct span network)
{
    size_t client_len;
    uint16_t *at = NULL;
    make_key(f, level, network, &client_len);
    if (table.key.failed)
        return false;
    struct row *r = find(&at);
    if (r) {
        r->fact.count++;
        r->fact.size = f->size > r->fact.size ? f->size : r->fact.size;
        r->fact.last_ms = f->last_ms;
        return true;
    }
    if (table.count == FACTS_MAX)
        return false;
    struct client *client = client_of(span_head(buf_span(&table.key), client_len));
    if (!client || client->rows[level] >= FACTS_OF_CLIENT || !insert(f, level, at))
        return false;
    client->rows[level]++;
    return true;
}

void fact_table_add(const struct fact *given, struct span network)
{
    struct fact f = *given;
    if (!table.running)
        return;
    if (!table.count)
        uv_timer_start(&table.timer, on_timer, FLUSH_MS, 0);
    fact_trim(&f);
    f.count = 1;
    f.first_ms = f.last_ms = clock_wall_ms();
    for (unsigned level = 0; level < FACT_LEVELS; level++)
        if (add_at(&f, (enum fact_level)level, network))
            return;
    table.dropped++;
}
