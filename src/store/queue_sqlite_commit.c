/*
 * queue_sqlite_commit.c: batches of units as transactions, and the checkpoint. The writer's thread only.
 *
 * Invariants: a unit's refusal leaves nothing of it (a savepoint stands around a unit of several ops) and does not
 * touch its neighbours; any other failure takes the whole transaction back. New recipients are leased before the
 * commit makes them visible to claims, and leases end after it: a claim never finds a recipient pending and free
 * whose result is just being written. The log is copied into the file between batches, in pieces of
 * CHECKPOINT_PAGES.
 */
#include "store/queue_sqlite_internal.h"

enum {
    CHECKPOINT_PAGES = 500, /* what one checkpoint copies, and so how long it takes */
    CHECKPOINT_IDLE_PAGES = 250,
};

/* Failures that are the unit's own. */
static bool is_refusal(enum err_code code)
{
    return code == ERR_NOT_FOUND || code == ERR_EXISTS || code == ERR_INVALID || code == ERR_LIMIT;
}

/* What the transaction's own state refused, such as a recipient that another unit of it had made final, was refused
 * by something that is not there any more. */
static bool is_answered(const struct queue_unit *u)
{
    return u->result == ERR_INVALID || u->result == ERR_LIMIT;
}

static enum err_code answer_all(struct queue_unit *const *units, size_t count, const struct err *why)
{
    for (size_t i = 0; i < count; i++)
        if (!is_answered(units[i])) {
            units[i]->result = why->code;
            units[i]->err = *why;
        }
    return why->code;
}

/* Writes one unit. ERR_NONE: it is written, or refused and taken back. Else the transaction is to be rolled back.
 */
static enum err_code write_unit(struct queue_sqlite *q, struct queue_unit *u, struct buf *removed, struct err *err)
{
    struct connection *c = &q->writer;
    size_t names = removed->len;
    bool several = u->op_count > 1;
    enum err_code code = ERR_NONE;
    if (several && !store_run(c, ST_SAVEPOINT))
        return store_err(c, err);
    for (size_t i = 0; i < u->op_count && code == ERR_NONE; i++)
        code = store_apply(q, &u->ops[i], removed, &u->err);
    if (code != ERR_NONE && !is_refusal(code)) {
        *err = u->err;
        return code;
    }
    if (code != ERR_NONE) {
        u->result = code;
        removed->len = names;
        if (several && !store_run(c, ST_ROLLBACK_TO))
            return store_err(c, err);
    }
    return several && !store_run(c, ST_RELEASE) ? store_err(c, err) : ERR_NONE;
}

static enum err_code write_units(struct queue_sqlite *q, struct queue_unit *const *units, size_t count,
                                 struct buf *removed, struct err *err)
{
    enum err_code code = ERR_NONE;
    for (size_t i = 0; i < count && code == ERR_NONE; i++)
        if (units[i]->result == ERR_NONE)
            code = write_unit(q, units[i], removed, err);
    uint64_t last_id = atomic_load(&q->last_id);
    if (code != ERR_NONE || last_id == q->written_last_id)
        return code;
    store_bind_id(q->writer.st[ST_LAST_ID], 1, last_id);
    if (!store_run(&q->writer, ST_LAST_ID))
        return store_err(&q->writer, err);
    q->written_last_id = last_id;
    return ERR_NONE;
}

/* ---- leases ---- */

static void cancel_leases(struct queue_sqlite *q, struct queue_unit *const *units, size_t count)
{
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; units[i]->result == ERR_NONE && k < units[i]->op_count; k++)
            lease_cancel(&q->leases, &units[i]->ops[k]);
    pthread_mutex_unlock(&q->mutex);
}

static enum err_code prepare_leases(struct queue_sqlite *q, struct queue_unit *const *units, size_t count,
                                    struct err *err)
{
    bool ok = true;
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; ok && units[i]->result == ERR_NONE && k < units[i]->op_count; k++)
            ok = lease_prepare(&q->leases, &units[i]->ops[k]);
    pthread_mutex_unlock(&q->mutex);
    if (ok)
        return ERR_NONE;
    cancel_leases(q, units, count);
    return queue_no_memory(err);
}

static void settle_leases(struct queue_sqlite *q, struct queue_unit *const *units, size_t count)
{
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; units[i]->result == ERR_NONE && k < units[i]->op_count; k++)
            store_rewind(q, lease_settle(&q->leases, &units[i]->ops[k]));
    pthread_mutex_unlock(&q->mutex);
}

/* ---- the transaction ---- */

static void roll_back(struct queue_sqlite *q)
{
    q->written_last_id = 0; /* of no transaction: the next one writes it again */
    if (!sqlite3_get_autocommit(q->writer.db) && !store_run(&q->writer, ST_ROLLBACK))
        q->broken = true;
}

/*
 * What a failed COMMIT means. Where the log could not be written its last frame, which alone makes a transaction,
 * is not whole; after anything else, a failed flush above all, the frames may or may not come back after a crash.
 */
static enum err_code commit_failed(struct queue_sqlite *q, struct err *err)
{
    int rc = sqlite3_extended_errcode(q->writer.db);
    enum err_code code = store_err(&q->writer, err);
    bool absent = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_READONLY ||
                  rc == SQLITE_IOERR_WRITE;
    if (absent)
        return code;
    struct err why = *err;
    q->broken = true;
    return err_set(err, ERR_UNKNOWN, "the outcome of a commit is not known: %s", why.text);
}

enum err_code store_commit(struct queue *base, struct queue_unit *const *units, size_t count, struct buf *removed,
                           struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct err why;
    size_t names = removed->len;
    enum err_code code = ERR_NONE;
    if (q->broken)
        code = err_set(&why, ERR_UNAVAILABLE, "the queue's file failed before; the queue must be opened again");
    else if (!store_run(&q->writer, ST_BEGIN_WRITE))
        code = store_err(&q->writer, &why);
    else if ((code = write_units(q, units, count, removed, &why)) == ERR_NONE &&
             (code = prepare_leases(q, units, count, &why)) == ERR_NONE && !store_run(&q->writer, ST_COMMIT)) {
        code = commit_failed(q, &why);
        cancel_leases(q, units, count);
    }
    if (code == ERR_NONE) {
        settle_leases(q, units, count);
        return ERR_NONE;
    }
    roll_back(q);
    removed->len = names;
    if (err)
        *err = why;
    return answer_all(units, count, &why);
}

/* ---- the checkpoint ---- */

enum err_code store_maintain(struct queue *base, bool idle, struct err *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    int pages = 0, copied = 0;
    int limit = q->left_pages + (idle ? CHECKPOINT_IDLE_PAGES : CHECKPOINT_PAGES);
    if (q->broken || q->wal_pages < limit)
        return ERR_NONE;
    int rc = sqlite3_wal_checkpoint_v2(q->writer.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        return store_err(&q->writer, err);
    /* A reader held up the rest: the log goes on growing, and the next try comes after as much again. */
    q->left_pages = rc == SQLITE_OK && copied == pages ? 0 : q->wal_pages;
    q->wal_pages = q->left_pages;
    return ERR_NONE;
}
