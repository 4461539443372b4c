/*
 * queue_sqlite_claim.c: claims and leases. On the schedule's connection.
 *
 * Invariants: a claim searches with the mutex held and begins its transaction under it: whatever it finds free was
 * free in that state, because leases end only after the commit that makes them void. The search goes on from
 * q->scan, before which everything is leased, and whoever makes something free takes q->scan back to it; so
 * claiming costs what it finds, however much is leased.
 */
#include "store/queue_sqlite_internal.h"

void store_rewind(struct queue_sqlite *q, int64_t at_ms)
{
    if (at_ms <= q->scan.at_ms)
        q->scan = (struct due_key){.at_ms = at_ms};
}

/*
 * The next recipient from q->scan on that is due at until_ms and free. q->scan moves to it, past what is leased.
 * The statement stays open for the next call. *ret_found false: there is none.
 */
static enum err_code next_free(struct queue_sqlite *q, struct due_key *ret, bool *ret_found, struct err *err)
{
    sqlite3_stmt *st = q->schedule.st[ST_DUE];
    bool row = true;
    *ret_found = false;
    while (!*ret_found) {
        enum err_code code = store_step(&q->schedule, st, &row, err);
        if (code != ERR_NONE || !row)
            return code;
        *ret = (struct due_key){sqlite3_column_int64(st, 0),
                                {(uint64_t)sqlite3_column_int64(st, 1), (uint32_t)sqlite3_column_int64(st, 2)}};
        *ret_found = !lease_find(&q->leases, ret->key);
        q->scan = *ret;
        q->scan.key.index += !*ret_found;
    }
    return ERR_NONE;
}

/* Ends what has run out and sets the search up. With the mutex held. */
static void search(struct queue_sqlite *q, int64_t now_ms, int64_t until_ms)
{
    sqlite3_stmt *st = q->schedule.st[ST_DUE];
    store_rewind(q, lease_expire(&q->leases, now_ms));
    sqlite3_bind_int64(st, 1, q->scan.at_ms);
    store_bind_id(st, 2, q->scan.key.message);
    sqlite3_bind_int64(st, 3, q->scan.key.index);
    sqlite3_bind_int64(st, 4, until_ms);
}

/* Finds and leases up to limit recipients. On an error those that *ret_count counts are leased nevertheless. */
static enum err_code lease_due(struct queue_sqlite *q, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                               struct queue_claimed *claimed, size_t *ret_count, struct err *err)
{
    enum err_code code = ERR_NONE;
    bool found = true;
    struct due_key due;
    pthread_mutex_lock(&q->mutex);
    search(q, now_ms, now_ms);
    for (*ret_count = 0; *ret_count < limit; ++*ret_count) {
        code = next_free(q, &due, &found, err);
        if (code != ERR_NONE || !found)
            break;
        if (!lease_reserve(&q->leases, 1)) {
            code = queue_no_memory(err);
            break;
        }
        lease_set(&q->leases, due.key, due.at_ms, lease_until_ms);
        claimed[*ret_count] = (struct queue_claimed){due.key, *ret_count};
    }
    sqlite3_reset(q->schedule.st[ST_DUE]);
    pthread_mutex_unlock(&q->mutex);
    return code;
}

static enum err_code read_claimed(struct queue_sqlite *q, struct queue_key key, struct arena *arena,
                                  struct queue_recipient *ret, struct err *err)
{
    sqlite3_stmt *st = q->schedule.st[ST_RECIPIENT];
    bool row = false;
    store_bind_id(st, 1, key.message);
    sqlite3_bind_int64(st, 2, key.index);
    enum err_code code = store_step(&q->schedule, st, &row, err);
    if (code == ERR_NONE)
        code = row ? store_read_recipient(st, arena, ret, err) : store_damaged(key.message, "such recipient", err);
    sqlite3_reset(st);
    return code;
}

/* Envelopes and recipients of what was leased, grouped by message. */
static enum err_code read_groups(struct queue_sqlite *q, struct queue_claimed *claimed, size_t count,
                                 struct arena *arena, struct queue_message **ret, size_t *ret_count,
                                 struct err *err)
{
    size_t groups = queue_group(claimed, count), n = 0;
    struct queue_message *m = ARENA_ARRAY(arena, groups, struct queue_message);
    struct queue_recipient *r = ARENA_ARRAY(arena, count, struct queue_recipient);
    enum err_code code = m && r ? ERR_NONE : queue_no_memory(err);
    for (size_t i = 0; i < count && code == ERR_NONE; i++) {
        struct queue_key key = claimed[i].key;
        if (i == 0 || claimed[i - 1].key.message != key.message) {
            code = store_read_message(q, key.message, arena, &m[n], err);
            if (code != ERR_NONE)
                return code == ERR_NOT_FOUND ? store_damaged(key.message, "envelope", err) : code;
            m[n++].recipients = &r[i];
        }
        m[n - 1].recipient_count++;
        code = read_claimed(q, key, arena, &r[i], err);
        r[i].leased = true;
    }
    if (code == ERR_NONE) {
        *ret = m;
        *ret_count = groups;
    }
    return code;
}

enum err_code store_claim(struct queue *base, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                          struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct queue_claimed *claimed = ARENA_ARRAY(arena, limit, struct queue_claimed);
    size_t count = 0;
    enum err_code code = claimed ? store_begin(&q->schedule, err) : queue_no_memory(err);
    if (code != ERR_NONE)
        return code;
    code = lease_due(q, now_ms, limit, lease_until_ms, claimed, &count, err);
    if (code == ERR_NONE)
        code = read_groups(q, claimed, count, arena, ret, ret_count, err);
    code = store_end(&q->schedule, code, err);
    for (size_t i = 0; code != ERR_NONE && i < count; i++)
        store_lease(base, &claimed[i].key, 1, 0);
    return code;
}

enum err_code store_next_due(struct queue *base, int64_t now_ms, int64_t *ret, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct due_key due = {0};
    bool found = false;
    pthread_mutex_lock(&q->mutex);
    search(q, now_ms, INT64_MAX);
    enum err_code code = next_free(q, &due, &found, err);
    sqlite3_reset(q->schedule.st[ST_DUE]);
    int64_t expiry = q->leases.next_expiry_ms;
    pthread_mutex_unlock(&q->mutex);
    if (code == ERR_NONE)
        *ret = found && due.at_ms < expiry ? due.at_ms : expiry;
    return code;
}

void store_lease(struct queue *base, const struct queue_key *keys, size_t count, int64_t until_ms)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    int64_t due;
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < count; i++) {
        if (until_ms)
            lease_extend(&q->leases, keys[i], until_ms);
        else if (lease_drop(&q->leases, keys[i], &due))
            store_rewind(q, due);
    }
    pthread_mutex_unlock(&q->mutex);
}
