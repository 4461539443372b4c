/*
 * queue_sqlite_internal.h: what the parts of the SQLite adapter share.
 *
 * Three connections to one file, one for each of the threads that queue.h names: in WAL mode a reader sees the
 * state of its transaction's start and holds up nobody.
 */
#pragma once

#include "store/lease.h"
#include "store/queue_adapter.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum statement {
    /* writer */
    ST_BEGIN_WRITE,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_SAVEPOINT,
    ST_RELEASE,
    ST_ROLLBACK_TO,
    ST_ADD_MESSAGE,
    ST_ADD_BODY,
    ST_ADD_RECIPIENT,
    ST_RETRY,
    ST_DONE,
    ST_SUSPEND,
    ST_RESUME,
    ST_HASTEN,
    ST_PENDING,
    ST_NEXT_INDEX,
    ST_SPOOL,
    ST_DROP_RECIPIENTS,
    ST_DROP_BODY,
    ST_DROP_MESSAGE,
    ST_LAST_ID,
    ST_HOLD_QUEUE,
    ST_FREE_QUEUE,
    /* schedule */
    ST_BEGIN_READ,
    ST_END_READ,
    ST_DUE,
    ST_RECIPIENT,
    ST_MESSAGE,
    ST_RECIPIENTS,
    ST_BODY,
    ST_HELD,
    /* reader; it has BEGIN_READ, END_READ and RECIPIENTS too */
    ST_LIST,
    ST_COUNT_MESSAGES,
    ST_COUNT_RECIPIENTS,
    ST_WAITING,
    ST_NAMES_SPOOL,
    ST_COUNT,
};

struct connection {
    sqlite3 *db;
    sqlite3_stmt *st[ST_COUNT]; /* those that its thread uses */
};

/* A place in the order of claims. */
struct due_key {
    int64_t at_ms;
    struct queue_key key;
};

struct queue_sqlite {
    struct queue base;
    struct connection writer, schedule, reader;
    int lock_fd; /* holds the lock that makes this process the only one; -1: not yet */

    /* the writer's */
    bool broken;               /* a commit's outcome is unknown: no more of them */
    int wal_pages, left_pages; /* of the log: in it, and when a checkpoint could not finish */
    uint64_t written_last_id;

    _Atomic uint64_t last_id;

    pthread_mutex_t reading; /* guards the reader, which several threads may ask; held while it reads */

    pthread_mutex_t mutex; /* guards the two below; held by a claim while it searches */
    struct lease_table leases;
    struct due_key scan; /* whatever could be claimed and stands before this is leased */
};

/* queue_sqlite.c */

/* The error that the connection has just met, as a code and a sentence. */
enum err_code store_err(const struct connection *c, struct err *err);
/* Steps a bound statement that gives no row, and resets it. False: store_err tells. */
bool store_run(struct connection *c, enum statement st);
/* Texts are bound by reference: they must live until the statement is reset. */
void store_bind_text(sqlite3_stmt *st, int i, struct span s);
void store_bind_id(sqlite3_stmt *st, int i, uint64_t id);

/* queue_sqlite_write.c */

/* Writes one op within the open transaction. A refusal (see there) has written nothing. */
enum err_code store_apply(struct queue_sqlite *q, struct queue_op *op, struct buf *removed, struct err *err);

/* queue_sqlite_commit.c */

enum err_code store_commit(struct queue *base, struct queue_unit *const *units, size_t count, struct buf *removed,
                           struct err *err);
enum err_code store_maintain(struct queue *base, bool idle, struct err *err);

/* queue_sqlite_read.c */

/* A read transaction: its state is that of the first statement within. The end keeps code, the first error. */
enum err_code store_begin(struct connection *c, struct err *err);
enum err_code store_end(struct connection *c, enum err_code code, struct err *err);
/* One row of a bound statement, which stays open. *ret_row: whether there is one. */
enum err_code store_step(struct connection *c, sqlite3_stmt *st, bool *ret_row, struct err *err);
/* The envelope of a message, on the schedule's connection. ERR_NOT_FOUND. */
enum err_code store_read_message(struct queue_sqlite *q, uint64_t id, struct arena *arena,
                                 struct queue_message *ret, struct err *err);
/* The recipient of the statement's row. */
enum err_code store_read_recipient(sqlite3_stmt *st, struct arena *arena, struct queue_recipient *ret,
                                   struct err *err);
/* "message ID has no WHAT", which its tables do not allow. */
enum err_code store_damaged(uint64_t id, const char *what, struct err *err);

enum err_code store_load(struct queue *base, uint64_t id, unsigned parts, struct arena *arena,
                         struct queue_message *ret, struct err *err);
enum err_code store_list(struct queue *base, uint64_t after, size_t limit, struct arena *arena,
                         struct queue_page *ret, struct err *err);
enum err_code store_waiting(struct queue *base, queue_waiting_fn *each, void *context, struct err *err);
enum err_code store_counts(struct queue *base, struct queue_counts *ret, struct err *err);
enum err_code store_held(struct queue *base, struct arena *arena, struct span **ret, size_t *ret_count,
                         struct err *err);
enum err_code store_names_spool(struct queue *base, struct span name, bool *ret, struct err *err);

/* queue_sqlite_claim.c */

enum err_code store_claim(struct queue *base, int64_t now_ms, size_t limit, int64_t lease_until_ms,
                          struct arena *arena, struct queue_message **ret, size_t *ret_count, struct err *err);
enum err_code store_next_due(struct queue *base, int64_t now_ms, int64_t *ret, struct err *err);
void store_lease(struct queue *base, const struct queue_key *keys, size_t count, int64_t until_ms);
/* Takes the search for claims back to at_ms at the latest. With the mutex held. */
void store_rewind(struct queue_sqlite *q, int64_t at_ms);
