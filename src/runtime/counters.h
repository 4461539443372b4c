/*
 * counters.h: counts and rates over several processes, in one shared memory. Each process writes a column of its
 * own and reads the sum of all; nobody ever waits for anybody. What a process counted goes with it: the supervisor
 * clears the column of a dead one.
 *
 * A column is two tables of fixed size, open addressing within one set of slots: so a step costs the same whatever
 * peers do, and nothing is allocated. Keys are keyed hashes of 64 bits (counters_key): no peer can choose what
 * collides. When a set of the first is full, the count goes to the set's overflow, which counts for all its keys: a
 * sum may then be too high, never too low. When a set of the second is full, the key with the least in the last
 * minute makes room: keys near their limit stay.
 *
 * Everybody counts first and looks at the sum afterwards: two processes that take the last place at the same moment
 * may both be refused, and are never both let in.
 *
 * The memory is untrusted: a process that was taken over can write anything to any column. The others read numbers
 * from it and nothing else; wrong numbers can refuse too much or too little, and that is all they can do.
 *
 * Times are milliseconds of clock_mono_ms, which is the same for all processes.
 */
#pragma once

#include "base/err.h"
#include "base/ip.h"
#include "base/keyed_hash.h"

enum { COUNTERS_COLUMNS_MAX = 64, RATE_WINDOW_S = 60 };

#define RATE_UNLIMITED UINT32_MAX

/* What is counted: the same name counts apart for each. */
enum counter_kind {
    COUNTER_CONNECTIONS,        /* of a connector */
    COUNTER_SOURCE_CONNECTIONS, /* of a connector, from a source */
    COUNTER_ADDRESS_RATE,       /* messages of a connector, from a source */
    COUNTER_USER_RATE,          /* messages of a connector, by a user */
    COUNTER_GRANT_RATE,         /* messages by one entry of an ACL */
};

struct counters;

/* Bytes of memory for so many columns; zeroed memory is a table without counts. */
size_t counters_size(uint32_t columns);
/*
 * A view of the memory (aligned to 64, counters_size(columns) bytes, which outlives it) for whoever writes column
 * `own`; all views of it have the same key. NULL when memory is out.
 */
struct counters *counters_open(void *memory, uint32_t columns, uint32_t own, struct hash_key key);
void counters_close(struct counters *c); /* NULL allowed; the memory stays the caller's */
/* Forgets all that a process counted, once it is dead. */
void counters_clear(struct counters *c, uint32_t column);

/* A key for what `parts` name together; (a, bc) and (ab, c) differ. */
uint64_t counters_key(const struct counters *c, enum counter_kind kind, const struct span *parts, size_t count);
/*
 * What counts as one source: an IPv4 address, or the /64 of an IPv6 address, since whoever has one address there
 * has all of them.
 */
struct ip_addr counters_source(struct ip_addr a);

/* ---- How many at a time ---- */

void counter_add(struct counters *c, uint64_t key);
/* Undoes one counter_add of this process. */
void counter_drop(struct counters *c, uint64_t key);
/* Over all processes. */
uint64_t counter_sum(const struct counters *c, uint64_t key);

/* ---- How many a minute ---- */

/*
 * Counts one more and gives true when that makes at most `limit` in any RATE_WINDOW_S seconds up to now, over all
 * processes (a sliding window, kept in seconds). False: it would be more; nothing was counted. RATE_UNLIMITED is
 * always true and not counted.
 */
NODISCARD bool rate_take(struct counters *c, uint64_t key, uint32_t limit, int64_t now_ms);
/* Undoes a rate_take at the same time: what it was for did not happen. */
void rate_give_back(struct counters *c, uint64_t key, int64_t now_ms);
uint64_t rate_sum(const struct counters *c, uint64_t key, int64_t now_ms);
