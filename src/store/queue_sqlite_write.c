/*
 * queue_sqlite_write.c: what an op writes. The writer's thread only.
 *
 * Invariant: an op finds out whether it is possible before it writes anything, so one that is refused
 * (ERR_NOT_FOUND, ERR_EXISTS, ERR_INVALID, ERR_LIMIT) has written nothing. After any other failure the transaction
 * is worth nothing.
 */
#include "store/queue_sqlite_internal.h"

static sqlite3_stmt *statement(struct queue_sqlite *q, enum statement st)
{
    return q->writer.st[st];
}

/* Runs a bound change. *ret_rows: how many rows it met. */
static enum err_code change(struct queue_sqlite *q, enum statement st, int *ret_rows, struct err *err)
{
    if (!store_run(&q->writer, st))
        return store_err(&q->writer, err);
    if (ret_rows)
        *ret_rows = sqlite3_changes(q->writer.db);
    return ERR_NONE;
}

/* Runs a bound statement that answers one number. ERR_NOT_FOUND without a row, or with NULL. */
static enum err_code ask(struct queue_sqlite *q, enum statement st, uint64_t id, int64_t *ret, struct err *err)
{
    int rc = sqlite3_step(statement(q, st));
    enum err_code code = ERR_NONE;
    if (rc == SQLITE_ROW && sqlite3_column_type(statement(q, st), 0) != SQLITE_NULL)
        *ret = sqlite3_column_int64(statement(q, st), 0);
    else
        code = rc == SQLITE_ROW || rc == SQLITE_DONE ? queue_no_message(id, err) : store_err(&q->writer, err);
    sqlite3_reset(statement(q, st));
    return code;
}

static enum err_code add_recipients(struct queue_sqlite *q, uint64_t message, uint32_t first,
                                    const struct queue_recipient *r, size_t count, struct err *err)
{
    sqlite3_stmt *st = statement(q, ST_ADD_RECIPIENT);
    enum err_code code = ERR_NONE;
    store_bind_id(st, 12, message);
    for (size_t i = 0; i < count && code == ERR_NONE; i++) {
        sqlite3_bind_int64(st, 1, first + (int64_t)i);
        store_bind_text(st, 2, r[i].address);
        store_bind_text(st, 3, r[i].orcpt);
        sqlite3_bind_int64(st, 4, r[i].notify);
        sqlite3_bind_int(st, 5, QUEUE_PENDING);
        sqlite3_bind_int64(st, 6, r[i].attempts);
        sqlite3_bind_int64(st, 7, r[i].next_attempt_ms);
        sqlite3_bind_int(st, 8, r[i].delay_noticed);
        sqlite3_bind_int(st, 9, r[i].suspended);
        store_bind_text(st, 10, queue_error_text(r[i].last_error));
        store_bind_text(st, 11, r[i].queue_name);
        code = change(q, ST_ADD_RECIPIENT, NULL, err);
    }
    return code;
}

static enum err_code add_envelope(struct queue_sqlite *q, uint64_t id, const struct queue_message *m,
                                  struct err *err)
{
    sqlite3_stmt *st = statement(q, ST_ADD_MESSAGE);
    const struct span texts[] = {m->message_id, m->sender,    queue_subject(m->subject),
                                 m->source,     m->source_ip, m->user,
                                 m->envid,      m->auth,      m->spool};
    store_bind_id(st, 1, id);
    sqlite3_bind_int64(st, 2, m->received_ms);
    store_bind_id(st, 3, m->size);
    sqlite3_bind_int64(st, 4, m->flags);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        store_bind_text(st, 5 + (int)i, texts[i]);
    store_bind_id(st, 14, m->recipient_count);
    if (store_run(&q->writer, ST_ADD_MESSAGE))
        return ERR_NONE;
    return sqlite3_extended_errcode(q->writer.db) == SQLITE_CONSTRAINT_PRIMARYKEY ? queue_id_taken(id, err)
                                                                                  : store_err(&q->writer, err);
}

static enum err_code enqueue(struct queue_sqlite *q, struct queue_op *op, struct err *err)
{
    const struct queue_message *m = op->enqueue;
    if (m->id > atomic_load(&q->last_id))
        return err_set(err, ERR_INVALID, "the message's id was not reserved");
    op->message = m->id ? m->id : queue_reserve_id(&q->base);
    enum err_code code = add_envelope(q, op->message, m, err);
    if (code == ERR_NONE && m->spool.len == 0) {
        store_bind_id(statement(q, ST_ADD_BODY), 1, op->message);
        sqlite3_bind_blob64(statement(q, ST_ADD_BODY), 2, m->body.ptr ? m->body.ptr : "", m->body.len,
                            SQLITE_STATIC);
        code = change(q, ST_ADD_BODY, NULL, err);
    }
    return code == ERR_NONE ? add_recipients(q, op->message, 0, m->recipients, m->recipient_count, err) : code;
}

/* Removes a message with everything. */
static enum err_code drop(struct queue_sqlite *q, uint64_t id, struct buf *removed, struct err *err)
{
    static const enum statement drops[] = {ST_DROP_RECIPIENTS, ST_DROP_BODY, ST_DROP_MESSAGE};
    sqlite3_stmt *spool = statement(q, ST_SPOOL);
    store_bind_id(spool, 1, id);
    int rc = sqlite3_step(spool);
    if (rc == SQLITE_ROW && sqlite3_column_bytes(spool, 0) > 0) {
        buf_add(removed, span_make(sqlite3_column_text(spool, 0), (size_t)sqlite3_column_bytes(spool, 0)));
        buf_add_char(removed, '\0');
    }
    enum err_code code = rc == SQLITE_ROW    ? ERR_NONE
                         : rc == SQLITE_DONE ? queue_no_message(id, err)
                                             : store_err(&q->writer, err);
    sqlite3_reset(spool);
    for (size_t i = 0; i < ARRAY_LEN(drops) && code == ERR_NONE; i++) {
        store_bind_id(statement(q, drops[i]), 1, id);
        code = change(q, drops[i], NULL, err);
    }
    return code;
}

/* Makes one pending recipient final; error without ptr: what stands there stays. */
static enum err_code set_final(struct queue_sqlite *q, const struct queue_op *op, enum queue_state state,
                               struct span error, struct err *err)
{
    sqlite3_stmt *st = statement(q, ST_DONE);
    int rows = 0;
    store_bind_id(st, 1, op->message);
    sqlite3_bind_int64(st, 2, op->index);
    sqlite3_bind_int(st, 3, (int)state);
    if (error.ptr)
        store_bind_text(st, 4, queue_error_text(error));
    else
        sqlite3_bind_null(st, 4);
    enum err_code code = change(q, ST_DONE, &rows, err);
    return code == ERR_NONE && rows == 0 ? queue_no_recipient(op->message, op->index, err) : code;
}

/* Counts on a message's pending recipients; at none left the message goes. */
static enum err_code count_pending(struct queue_sqlite *q, uint64_t id, int64_t more, struct buf *removed,
                                   struct err *err)
{
    int64_t pending = 0;
    store_bind_id(statement(q, ST_PENDING), 1, id);
    sqlite3_bind_int64(statement(q, ST_PENDING), 2, more);
    enum err_code code = ask(q, ST_PENDING, id, &pending, err);
    if (code == ERR_NOT_FOUND)
        code = err_set(err, ERR_IO, "the queue's file is damaged: it has recipients of no message");
    return code == ERR_NONE && pending == 0 ? drop(q, id, removed, err) : code;
}

static enum err_code done(struct queue_sqlite *q, struct queue_op *op, struct buf *removed, struct err *err)
{
    struct span error = op->recipient->last_error;
    enum err_code code = set_final(q, op, op->recipient->state, error.ptr ? error : SPAN(""), err);
    return code == ERR_NONE ? count_pending(q, op->message, -1, removed, err) : code;
}

static enum err_code expand(struct queue_sqlite *q, struct queue_op *op, struct buf *removed, struct err *err)
{
    int64_t first = 0;
    store_bind_id(statement(q, ST_NEXT_INDEX), 1, op->message);
    enum err_code code = ask(q, ST_NEXT_INDEX, op->message, &first, err);
    if (code == ERR_NONE && op->member_count >= QUEUE_EVERY - (uint64_t)first)
        code =
            err_set(err, ERR_LIMIT, "message %llu would have too many recipients", (unsigned long long)op->message);
    if (code != ERR_NONE || (code = set_final(q, op, QUEUE_EXPANDED, (struct span){0}, err)) != ERR_NONE)
        return code;
    op->ret_first = (uint32_t)first;
    code = add_recipients(q, op->message, op->ret_first, op->members, op->member_count, err);
    return code == ERR_NONE ? count_pending(q, op->message, (int64_t)op->member_count - 1, removed, err) : code;
}

static enum err_code retry(struct queue_sqlite *q, const struct queue_op *op, struct err *err)
{
    sqlite3_stmt *st = statement(q, ST_RETRY);
    const struct queue_recipient *r = op->recipient;
    int rows = 0;
    store_bind_id(st, 1, op->message);
    sqlite3_bind_int64(st, 2, op->index);
    sqlite3_bind_int64(st, 3, r->attempts);
    sqlite3_bind_int64(st, 4, r->next_attempt_ms);
    sqlite3_bind_int(st, 5, r->delay_noticed);
    store_bind_text(st, 6, queue_error_text(r->last_error));
    store_bind_text(st, 7, r->queue_name);
    enum err_code code = change(q, ST_RETRY, &rows, err);
    return code == ERR_NONE && rows == 0 ? queue_no_recipient(op->message, op->index, err) : code;
}

static enum err_code hold(struct queue_sqlite *q, const struct queue_op *op, enum statement which, struct err *err)
{
    sqlite3_stmt *st = statement(q, which);
    bool every = op->index == QUEUE_EVERY;
    int rows = 0;
    store_bind_id(st, 1, op->message);
    sqlite3_bind_int64(st, 2, every ? 0 : op->index);
    sqlite3_bind_int64(st, 3, op->index);
    if (which == ST_HASTEN || (which == ST_RESUME && op->when_ms))
        sqlite3_bind_int64(st, 4, op->when_ms);
    else if (which == ST_RESUME)
        sqlite3_bind_null(st, 4);
    enum err_code code = change(q, which, &rows, err);
    return code == ERR_NONE && rows == 0 ? queue_no_recipient(op->message, op->index, err) : code;
}

static enum err_code removal(struct queue_sqlite *q, struct queue_op *op, struct buf *removed, struct err *err)
{
    if (op->index == QUEUE_EVERY)
        return drop(q, op->message, removed, err);
    enum err_code code = set_final(q, op, QUEUE_REMOVED, (struct span){0}, err);
    return code == ERR_NONE ? count_pending(q, op->message, -1, removed, err) : code;
}

static enum err_code hold_queue(struct queue_sqlite *q, const struct queue_op *op, enum statement which,
                                struct err *err)
{
    store_bind_text(statement(q, which), 1, op->queue_name);
    return change(q, which, NULL, err);
}

enum err_code store_apply(struct queue_sqlite *q, struct queue_op *op, struct buf *removed, struct err *err)
{
    switch (op->kind) {
    case QUEUE_OP_ENQUEUE: return enqueue(q, op, err);
    case QUEUE_OP_RETRY: return retry(q, op, err);
    case QUEUE_OP_DONE: return done(q, op, removed, err);
    case QUEUE_OP_EXPAND: return expand(q, op, removed, err);
    case QUEUE_OP_SUSPEND: return hold(q, op, ST_SUSPEND, err);
    case QUEUE_OP_RESUME: return hold(q, op, ST_RESUME, err);
    case QUEUE_OP_HASTEN: return hold(q, op, ST_HASTEN, err);
    case QUEUE_OP_REMOVE: return removal(q, op, removed, err);
    case QUEUE_OP_HOLD_QUEUE: return hold_queue(q, op, ST_HOLD_QUEUE, err);
    case QUEUE_OP_FREE_QUEUE: return hold_queue(q, op, ST_FREE_QUEUE, err);
    }
    return err_set(err, ERR_INTERNAL, "an op of no kind");
}
